"""What clients ask of a tile, read from a query string: `fields`, `filter` with `filter-lang`."""

from collections.abc import Mapping
from functools import lru_cache

from layers import cql2
from layers.cql2.sql import compile as to_sql
from layers.model import Audience, Layer
from tiles.options import ALIAS, DEFAULT, BadOption, Filter, TileOptions


def options_of(layer: Layer, audience: Audience, query: Mapping[str, str]) -> TileOptions:
    """Raises BadOption for fields or a filter that this audience does not have of the layer."""
    fields, text = query.get("fields"), query.get("filter")
    if fields is None and text is None:
        return DEFAULT
    return TileOptions(
        None if fields is None else fields_of(layer, audience, fields),
        None if text is None else filter_of(layer, audience, text, query.get("filter-lang", "cql2-text")),
    )


def fields_of(layer: Layer, audience: Audience, text: str) -> tuple[str, ...]:
    """Names of declared fields, in the order in which they are declared; an empty text is none of them.

    Raises BadOption.
    """
    known = [field.name for field in layer.fields_for(audience)]
    asked = {name.strip() for name in text.split(",")} - {""}
    if unknown := sorted(asked - set(known)):
        raise BadOption(
            f"fields 含有没有的字段 {unknown[0][:60]!r} (no such field; there are {', '.join(known)})"
        )
    return tuple(name for name in known if name in asked)


@lru_cache(maxsize=512)
def filter_of(layer: Layer, audience: Audience, text: str, lang: str) -> Filter:
    """A filter in CQL2, as the conjunction that it is. Raises BadOption."""
    try:
        found = cql2.columns_of(layer, audience, alias=ALIAS)
        parts = cql2.conjuncts(cql2.parse(text, lang))
        predicates = tuple(to_sql(part, found, prefix=f"q{i}_") for i, part in enumerate(parts))
    except cql2.InvalidFilter as error:
        raise BadOption(str(error)) from None
    return Filter(f"{lang}:{text}", predicates)
