"""CQL2 (OGC 21-065r2): filters as text or JSON, read into one tree, and turned into SQL.

    node = parse("status = 'in_use' AND annual_volume_m3 > 1e6", "cql2-text")
    predicate = sql.compile(node, columns_of(layer, audience, alias="v"))
    predicate.sql, predicate.values, predicate.fields

Whatever is wrong with a filter is an `InvalidFilter`, whose words say what and where. A filter can ask only
for the columns it is given, and its literals become parameters.
"""

from layers.cql2.columns import Column, columns_of
from layers.cql2.errors import InvalidFilter
from layers.cql2.nodes import Node, conjuncts
from layers.cql2.objects import parse_json
from layers.cql2.text import parse_text

LANGUAGES = ("cql2-text", "cql2-json")

__all__ = ["LANGUAGES", "Column", "InvalidFilter", "Node", "columns_of", "conjuncts", "parse", "unknown"]


def parse(text: str, lang: str = "cql2-text") -> Node:
    """The tree of a filter.

    Raises InvalidFilter if the language is unknown, or the text is no filter of that language or too complex.
    """
    if lang == "cql2-text":
        return parse_text(text)
    if lang == "cql2-json":
        return parse_json(text)
    raise unknown(lang)


def unknown(lang: str) -> InvalidFilter:
    """Says that there is no such language of filters."""
    return InvalidFilter(
        f"过滤语言应为 cql2-text 或 cql2-json，得到 {lang[:40]!r} (filter-lang is one of these two)"
    )
