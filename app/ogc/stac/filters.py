"""`filter` of a search: CQL2, by STAC's names, over the columns of the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.errors import InvalidInput
from app.ogc.parameters import refused
from app.ogc.stac.items import COLLECTION
from layers.cql2 import Column, InvalidFilter, parse, sql
from layers.crs import CRS84, known

COLUMNS = {
    "id": Column("f.item_id", "string"),
    "collection": Column(f"'{COLLECTION}'::text", "string"),
    "geometry": Column("f.geom", "geometry"),
    "datetime": Column("f.acquired_at", "datetime"),
    "created": Column("f.added_at", "datetime"),
    "title": Column("f.title", "string"),
    "instruments": Column("f.sensor", "string"),
    "gsd": Column("f.resolution_m", "number"),
    "eo:cloud_cover": Column("f.cloud_pct", "number"),
    "shuitu:generated": Column("f.generated", "boolean"),
}
QUALIFIED = COLUMNS | {f"properties.{name}": column for name, column in COLUMNS.items()}
"""STAC clients name a property with or without `properties.` before it."""


@dataclass(frozen=True)
class Condition:
    """A condition as SQL with named parameters."""

    sql: str
    values: dict[str, Any] = field(default_factory=dict)


def condition(given: Mapping[str, Any], default_lang: str) -> Condition | None:
    """The condition that `filter`, `filter-lang` and `filter-crs` mean; None without. Raises InvalidInput."""
    asked, lang, uri = (given.get(name) for name in ("filter", "filter-lang", "filter-crs"))
    if asked is None:
        return None
    crs = CRS84 if uri is None else known().get(str(uri))
    if crs is None:
        raise refused("filter-crs", str(uri), "已知的坐标系", "a known CRS by its URI")
    if lang is None:
        lang = default_lang if isinstance(asked, str) == (default_lang == "cql2-text") else "cql2-json"
    text = asked if isinstance(asked, str) else orjson.dumps(asked).decode()
    try:
        found = sql.compile(parse(text, str(lang)), QUALIFIED, crs=crs)
    except InvalidFilter as error:
        raise InvalidInput(str(error), field="filter", value=text[:60], at=error.at) from None
    return Condition(found.sql, found.values)
