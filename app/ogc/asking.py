"""What a client asks of a collection's items, understood whole: which, in which order, and how they are shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from starlette.datastructures import QueryParams

from app.errors import InvalidInput
from app.ogc.cover import key_ranges
from app.ogc.parameters import (
    ANYWHERE,
    Box,
    Period,
    around,
    boxes,
    corners,
    known_at,
    last_day,
    only,
    period,
    queryables,
    refused,
    value_of,
)  # fmt: skip
from app.ogc.sorting import Position, SortKey, position, sort_keys
from layers import cql2
from layers.clock import CHINA
from layers.cql2.columns import GEOMETRY, Bind
from layers.cql2.sql import Predicate
from layers.cql2.sql import compile as compiled
from layers.crs import CRS84, CRS84_URI, Crs, known, to_degrees
from layers.model import Audience, Field, Layer

DEFAULT_LIMIT, MAX_LIMIT = 100, 10_000
MAX_DOWNLOAD = 100_000_000
"""Features of one download; in the binary forms and CSV, which are streamed."""
MAX_OFFSET = 10_000_000
MARGIN = 1e-6
"""Degrees; 0.1 m."""
CRS_NAMES = ("crs", "bbox-crs", "filter-crs")


@dataclass(frozen=True, slots=True)
class Filter:
    """A property must equal this value."""

    field: Field
    value: str | int | float | bool | date | datetime


@dataclass(frozen=True, slots=True)
class PlaneBox:
    """A box in a projected system: its edges there in the order x, y."""

    crs: Crs
    edges: Box


@dataclass(frozen=True, slots=True)
class Past:
    """What held on a day, as it was known at a moment; None: as it is known now."""

    on: date
    known: datetime | None = None


@dataclass(frozen=True, slots=True)
class ItemsQuery:
    """A page of items: which, how many, in which order, from where on, and what of them."""

    limit: int = DEFAULT_LIMIT
    boxes: tuple[Box, ...] | None = None
    """West, south, east, north in degrees inside the world; two where the box crosses 180°; None: everywhere."""
    plane: PlaneBox | None = None
    """The box as it was given, where its system is a projected one; `boxes` then hold all of it and more."""
    period: Period | None = None
    past: Past | None = None
    """Where the layer has a past that is asked for."""
    filters: tuple[Filter, ...] = ()
    predicate: Predicate | None = None
    sort: tuple[SortKey, ...] = ()
    after: Position | None = None
    upto: int | None = None
    """The last id that is looked at; None: all."""
    offset: int = 0
    crs: Crs = CRS84
    fields: tuple[Field, ...] | None = None
    """The properties shown; None: all that the viewer sees."""
    geometry: bool = True
    given: tuple[tuple[str, str], ...] = ()
    """The parameters that choose and show features, as they came: the next page has the same."""


def names(layer: Layer, audience: Audience) -> tuple[str, ...]:
    """Every parameter of a collection's items."""
    own = (field.name for field in queryables(layer, audience))
    return (
        "limit", "bbox", "bbox-crs", "datetime", "crs", "filter", "filter-lang", "filter-crs", "sortby", "properties",
        "skipGeometry", "offset", "after", *(("known",) if has_past(layer, audience) else ()), *own,
    )  # fmt: skip


def has_past(layer: Layer, audience: Audience) -> bool:
    """May this audience ask what held on a past day? The public sees the present."""
    return layer.source.past is not None and audience == "officer"


def items_query(
    layer: Layer,
    audience: Audience,
    query: QueryParams,
    systems: Mapping[str, Crs],
    *,
    hidden_bits: int,
    most: int = MAX_LIMIT,
) -> ItemsQuery:
    """`systems`: those that the collection lists. `hidden_bits`: of positions, from the public; `most`: of the limit.

    Raises InvalidInput for any parameter that is unknown, given twice or of a bad value.
    """
    fields = {field.name: field for field in queryables(layer, audience)}
    found = only(query, names(layer, audience))
    sort = sort_keys(layer, audience, found["sortby"]) if "sortby" in found else ()
    found_boxes, plane = _box(found, systems)
    made = ItemsQuery(
        limit=_limit(found["limit"], most) if "limit" in found else DEFAULT_LIMIT,
        boxes=found_boxes,
        plane=plane,
        period=period(found["datetime"]) if "datetime" in found else None,
        past=_past(found) if has_past(layer, audience) else None,
        filters=tuple(
            Filter(fields[name], value_of(fields[name], text))
            for name, text in found.items()
            if name in fields
        ),
        predicate=_predicate(found, lambda: filter_columns(layer, audience, hidden_bits), systems),
        sort=sort,
        after=position(found["after"], sort) if "after" in found else None,
        offset=_offset(found["offset"]) if "offset" in found else 0,
        given=tuple(
            (name, text) for name, text in found.items() if name not in ("after", "offset", *ANYWHERE)
        ),
        **_shown(layer, audience, found, systems),
    )
    if (
        made.after is not None
        and made.after.key is not None
        and not (by_key(layer, made) and most == MAX_LIMIT)
    ):
        raise refused(
            "after", found["after"], " next 链接给出的值", "what a next link gave, with the same parameters"
        )
    return made


def by_key(layer: Layer, query: ItemsQuery) -> bool:
    """Is a plain box asked for, in the layer's own order? Then its features may come by key (`app.ogc.keyed`)."""
    plain = not (query.sort or query.filters or query.predicate or query.period or query.past or query.plane)
    return plain and layer.points is not None and query.boxes is not None and len(query.boxes) == 1


def _past(found: Mapping[str, str]) -> Past | None:
    """The day at the end of `datetime`, and the moment `known`; an interval without an end asks for the present."""
    known = known_at(found["known"]) if "known" in found else None
    on = last_day(found["datetime"]) if "datetime" in found else None
    if on is None and known is None:
        return None
    return Past(on or datetime.now(CHINA).date(), known)


def shown_query(
    layer: Layer, audience: Audience, query: QueryParams, systems: Mapping[str, Crs]
) -> ItemsQuery:
    """What is asked of one feature: how it is shown. Raises InvalidInput."""
    found = only(query, ("crs", "properties", "skipGeometry"))
    return ItemsQuery(
        given=tuple((name, text) for name, text in found.items() if name not in ANYWHERE),
        **_shown(layer, audience, found, systems),
    )


def needs_systems(query: QueryParams) -> bool:
    """Is any coordinate reference system named that not every collection has?"""
    return any(query.get(name, CRS84_URI) != CRS84_URI for name in CRS_NAMES)


def _shown(layer: Layer, audience: Audience, found: Mapping[str, str], systems: Mapping[str, Crs]) -> dict:  # type: ignore[type-arg]
    return {
        "crs": system("crs", found.get("crs"), systems),
        "fields": _properties(layer, audience, found["properties"]) if "properties" in found else None,
        "geometry": not _flag("skipGeometry", found.get("skipGeometry", "false")),
    }


def system(name: str, uri: str | None, systems: Mapping[str, Crs]) -> Crs:
    """The reference system of this URI; CRS84 without one. Raises InvalidInput if the collection does not list it."""
    if uri is None:
        return CRS84
    found = systems.get(uri)
    if found is None:
        raise refused(
            name,
            uri,
            "图层所列坐标系的URI" if uri not in known() else "数据所在的坐标系",
            "the URI of a CRS that the collection lists",
        )
    return found


def _box(
    found: Mapping[str, str], systems: Mapping[str, Crs]
) -> tuple[tuple[Box, ...] | None, PlaneBox | None]:
    crs = system("bbox-crs", found.get("bbox-crs"), systems)
    if "bbox" not in found:
        return None, None
    text = found["bbox"]
    if crs.geographic and not crs.swapped:
        return boxes(text), None
    a, b, c, d = corners(text)
    west, south, east, north = (b, a, d, c) if crs.swapped else (a, b, c, d)
    if south > north or (west > east and not crs.geographic):
        raise refused(
            "bbox",
            text,
            "先小后大、坐标轴次序与 bbox-crs 一致的范围",
            "lower corner first, with the axes of bbox-crs",
        )
    if crs.geographic:
        return around(west, south, east, north), None
    edges = to_degrees(crs).transform_bounds(west, south, east, north)
    if not all(abs(edge) < 1e4 for edge in edges):
        raise refused("bbox", text, "坐标系范围内的数值", "inside the area of its CRS")
    # A little more than all of it: what is inside is decided in the plane.
    wider = (edges[0] - MARGIN, edges[1] - MARGIN, edges[2] + MARGIN, edges[3] + MARGIN)
    return around(*wider), PlaneBox(crs, (west, south, east, north))


def filter_columns(layer: Layer, audience: Audience, hidden_bits: int) -> dict[str, cql2.Column]:
    """The queryables as columns of the view v, its geometry with the index that serves it."""
    columns = cql2.columns_of(layer, audience, alias="v")
    if layer.points is not None and audience == "public":
        # The public twin is made from the map table, where a box is ranges of keys.
        def near(box: Box, bind: Bind) -> str:
            ranges = key_ranges(box, hidden_bits)
            return f"({' or '.join(f'v.key between {bind(lo)} and {bind(hi - 1)}' for lo, hi in ranges)})"

        columns[GEOMETRY] = replace(columns[GEOMETRY], near=near)
    return columns


def _predicate(
    found: Mapping[str, str], columns: Callable[[], Mapping[str, cql2.Column]], systems: Mapping[str, Crs]
) -> Predicate | None:
    lang = found.get("filter-lang", "cql2-text")
    crs = system("filter-crs", found.get("filter-crs"), systems)
    if lang not in cql2.LANGUAGES:
        raise refused("filter-lang", lang, " cql2-text 或 cql2-json", "cql2-text or cql2-json")
    if "filter" not in found:
        return None
    try:
        return compiled(cql2.parse(found["filter"], lang), columns(), crs=crs)
    except cql2.InvalidFilter as error:
        where = {} if error.at is None else {"at": error.at}
        raise InvalidInput(str(error), field="filter", value=found["filter"][:200], **where) from None


def _properties(layer: Layer, audience: Audience, text: str) -> tuple[Field, ...]:
    """The fields that are named, in the order of the declaration."""
    seen = {field.name: field for field in layer.fields_for(audience)}
    asked = text.split(",")
    if not set(asked) <= seen.keys():
        raise refused("properties", text, f"以下字段：{' '.join(seen)}", f"of {' '.join(seen)}")
    return tuple(field for name, field in seen.items() if name in asked)


def _flag(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise refused(name, text, " true 或 false", "true or false")
    return text == "true"


def _limit(text: str, most: int) -> int:
    """More than the maximum is cut, not refused (fc-limit-response-1 allows it)."""
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or int(text) < 1:
        raise refused("limit", text, f"1–{most}的整数", f"a whole number from 1 to {most}")
    return min(int(text), most)


def _offset(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or int(text) > MAX_OFFSET:
        raise refused("offset", text, f"0–{MAX_OFFSET}的整数", f"a whole number from 0 to {MAX_OFFSET}")
    return int(text)
