"""What clients ask of a tile, read from a query string: `fields`, `filter` with `filter-lang`, `datetime` with `known`."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from layers import cql2
from layers.clock import CHINA
from layers.cql2.sql import compile as to_sql
from layers.model import Audience, Layer
from tiles.options import ALIAS, DEFAULT, BadOption, Filter, Past, TileOptions

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def options_of(layer: Layer, audience: Audience, query: Mapping[str, str]) -> TileOptions:
    """Raises BadOption for fields, a filter, its language or a past that this audience does not have of the layer."""
    fields, text, lang = query.get("fields"), query.get("filter"), query.get("filter-lang", "cql2-text")
    if lang not in cql2.LANGUAGES:
        raise BadOption(str(cql2.unknown(lang)))
    past = past_of(layer, audience, query.get("datetime"), query.get("known"))
    if fields is None and text is None and past is None:
        return DEFAULT
    return TileOptions(
        None if fields is None else fields_of(layer, audience, fields),
        None if text is None else filter_of(layer, audience, text, lang),
        past=past,
    )


def past_of(layer: Layer, audience: Audience, on: str | None, known: str | None) -> Past | None:
    """A day in China, and until when what is told of it was recorded: a day means to its end. Raises BadOption."""
    if on is None and known is None:
        return None
    if layer.source.past is None or audience == "public":
        raise BadOption(
            "此图层或当前账号不能查询过去的日期 (this layer, or this account, has no past days to ask for)"
        )
    day = datetime.now(CHINA) if on is None else _instant("datetime", on)
    return Past(day.astimezone(CHINA).date(), None if known is None else _instant("known", known, end=True))


def _instant(name: str, text: str, *, end: bool = False) -> datetime:
    try:
        # A `+` of an address arrives as a blank.
        found = datetime.fromisoformat(text.replace(" ", "+"))
        found = found if found.tzinfo else found.replace(tzinfo=CHINA)
        if not 1900 <= found.astimezone(UTC).year <= 2200:
            raise ValueError
    except (ValueError, OverflowError):
        raise BadOption(
            f"{name} 应为日期或时刻，如 2024-06-30，得到 {text[:40]!r} (is a day or a moment)"
        ) from None
    return found + timedelta(days=1) if end and DAY.fullmatch(text) else found


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
