"""The statements behind collections and items, made from the declaration and what the client asks.

Identifiers come from the declaration and are quoted in `layers.derive.columns`; values are parameters.
They run as the map reader in the viewer's scope, so row-level security decides which rows there are.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from app.ogc.asking import Filter, ItemsQuery, PlaneBox
from app.ogc.cover import key_ranges
from app.ogc.forms import Form, geometry_in
from app.ogc.parameters import Box, Period
from app.ogc.sorting import Position, SortKey
from layers.crs import STORAGE_SRID
from layers.derive.columns import columns, quote, relation
from layers.model import Audience, Layer

COUNT_LIMIT = 5_000
"""Up to so many rows are counted for numberMatched."""
SMALL_DEGREES = 0.5
"""Square degrees; of a smaller box all is read, to find the first by id: then all is counted on the way."""


@dataclass
class Statement:
    """SQL with its values."""

    sql: str
    values: dict[str, Any] = field(default_factory=dict)


def page(layer: Layer, audience: Audience, query: ItemsQuery, hidden_bits: int, form: Form) -> Statement:
    """Rows of the form; one more than the limit, if there is one. Its own column has the sort values as a JSON array,
    or how many features match in all (`counts`), or null.

    In the order of `sortby`, and of the ids among equals.
    """
    values: dict[str, Any] = {"rows": query.limit + 1}
    where = _where(layer, audience, query, hidden_bits, values)
    cut = f"order by {_order(layer, query.sort, 'v')} limit %(rows)s{_offset(query, values)}"
    view = _view(layer, audience, query, values)
    if not query.sort:
        own = "count(*) over ()" if counts(query) else "null::text"
        return Statement(f"select {form.columns(own)} from {view} {where} {cut}", values)
    # The page is found first, on the keys alone; only its features are made.
    keys = ", ".join(f"v.{quote(key.field.name)}" for key in query.sort)
    array = ", ".join(f"page.{quote(key.field.name)}" for key in query.sort)
    identifier = quote(layer.source.id)
    return Statement(
        f"with page as (select v.{identifier}, {keys} from {view} {where} {cut}) "
        f"select {form.columns(f'json_build_array({array})::text')} from page "
        f"join {view} on v.{identifier} = page.{identifier} order by {_order(layer, query.sort, 'page')}",
        values,
    )


def counts(query: ItemsQuery) -> bool:
    """Does the statement of a page say how many features match in all?"""
    return not (query.sort or query.predicate is not None or query.after is not None) and is_small(query)


def is_small(query: ItemsQuery) -> bool:
    """Is a box asked for that holds some ten thousand features at most?"""
    if query.boxes is None:
        return False
    return sum((east - west) * (north - south) for west, south, east, north in query.boxes) <= SMALL_DEGREES


def rows(layer: Layer, audience: Audience, query: ItemsQuery, hidden_bits: int, select: str) -> Statement:
    """The features of a page, at most `limit`, each as the columns that `select` names of the view v."""
    values: dict[str, Any] = {"rows": query.limit}
    where = _where(layer, audience, query, hidden_bits, values)
    return Statement(
        f"select {select} from {_view(layer, audience, query, values)} {where} "
        f"order by {_order(layer, query.sort, 'v')} limit %(rows)s{_offset(query, values)}",
        values,
    )


def edge(layer: Layer, audience: Audience, query: ItemsQuery, hidden_bits: int) -> Statement:
    """The last feature of the page and the one after it: rows (id, sort values as a JSON array or null)."""
    values: dict[str, Any] = {"skip": query.limit - 1 + (query.offset if query.after is None else 0)}
    where = _where(layer, audience, query, hidden_bits, values)
    array = ", ".join(f"v.{quote(key.field.name)}" for key in query.sort)
    return Statement(
        f"select v.{quote(layer.source.id)}, {f'json_build_array({array})::text' if array else 'null'} "
        f"from {_view(layer, audience, query, values)} {where} order by {_order(layer, query.sort, 'v')} limit 2 offset %(skip)s",
        values,
    )


def one(layer: Layer, audience: Audience, identifier: int, form: Form) -> Statement:
    """The row of one feature, with the tag of its state as its own column.

    The state is all that the viewer sees of it, whatever is shown: what If-Match is held against.
    """
    seen = ", ".join(f"v.{quote(name)}" for name in columns(layer, audience))
    geometry = f"encode(st_asbinary(v.{quote(layer.source.geometry)}), 'hex')"
    state = f"left(md5(row_to_json(w)::text || coalesce({geometry}, '')), 16)"
    return Statement(
        f"select {form.columns(state)} from {relation(layer, audience)} v "
        f"cross join lateral (select {seen}) w where v.{quote(layer.source.id)} = %(id)s",
        {"id": identifier},
    )


def count(layer: Layer, audience: Audience, query: ItemsQuery, hidden_bits: int) -> Statement:
    """How many rows match, counted to COUNT_LIMIT + 1 at most."""
    values: dict[str, Any] = {"most": COUNT_LIMIT + 1}
    where = _where(layer, audience, replace(query, after=None, offset=0), hidden_bits, values)
    return Statement(
        f"select count(*) from (select 1 from {_view(layer, audience, query, values)} {where} limit %(most)s) x",
        values,
    )


def times(layer: Layer, audience: Audience) -> Statement | None:
    """First and last instant of what the viewer sees; None for a layer without time."""
    if layer.source.datetime is None or not timed(layer, audience):
        return None
    first = quote(layer.source.datetime)
    last = f"greatest({first}, {quote(layer.source.until)})" if layer.source.until else first
    return Statement(
        f"select min({first})::timestamptz, max({last})::timestamptz from {relation(layer, audience)}"
    )


# ── order ───────────────────────────────────────────────────────────────────────────────────────────


def _order(layer: Layer, sort: tuple[SortKey, ...], view: str) -> str:
    keys = [f"{_key(key, view)} {'desc' if key.descending else 'asc'} nulls last" for key in sort]
    return ", ".join([*keys, f"{view}.{quote(layer.source.id)}"])


def _key(key: SortKey, view: str) -> str:
    """Strings by code points: the same order in every database, whatever its locale."""
    return f"{view}.{quote(key.field.name)}" + (' collate "C"' if key.field.type == "string" else "")


def _offset(query: ItemsQuery, values: dict[str, Any]) -> str:
    if not query.offset or query.after is not None:
        return ""
    values["offset"] = query.offset
    return " offset %(offset)s"


def _beyond(layer: Layer, sort: tuple[SortKey, ...], after: Position, values: dict[str, Any]) -> str:
    """Features that come after this position: later in the first key, or equal there and later in the next, …"""
    values["after"] = after.identifier
    clause = f"v.{quote(layer.source.id)} > %(after)s"
    for i, (key, value) in reversed(list(enumerate(zip(sort, after.values, strict=True)))):
        name = _key(key, "v")
        if value is None:
            clause = f"({name} is null and {clause})"
            continue
        values[f"a{i}"] = value
        place = f"%(a{i})s::{CASTS[key.field.type]}"
        sign = "<" if key.descending else ">"
        clause = f"({name} {sign} {place} or {name} is null or ({name} = {place} and {clause}))"
    return clause


CASTS = {
    "string": "text", "integer": "bigint", "number": "float8", "boolean": "boolean", "date": "date", "datetime": "timestamptz",
}  # fmt: skip


# ── which ───────────────────────────────────────────────────────────────────────────────────────────


def _view(layer: Layer, audience: Audience, query: ItemsQuery, values: dict[str, Any]) -> str:
    """What v is: the view of this audience, or its rows as they held on a day."""
    if query.past is None or layer.source.past is None:
        return f"{relation(layer, audience)} v"
    values |= {"on": query.past.on, "known": query.past.known}
    return f"{quote(layer.source.past)}(%(on)s::date, %(known)s::timestamptz) v"


def _where(
    layer: Layer, audience: Audience, query: ItemsQuery, hidden_bits: int, values: dict[str, Any]
) -> str:
    clauses = []
    if query.after is not None:
        clauses.append(_beyond(layer, query.sort, query.after, values))
    if query.upto is not None:
        clauses.append(f"v.{quote(layer.source.id)} <= %(upto)s")
        values["upto"] = query.upto
    if query.boxes is not None:
        clauses.append(_inside(layer, audience, query, hidden_bits, values))
    if query.period is not None and timed(layer, audience):
        clauses.append(_during(layer, query.period, values))
    for number, one_filter in enumerate(query.filters):
        clauses.append(_equals(one_filter, number, values))
    if query.predicate is not None:
        clauses.append(query.predicate.sql)
        values |= query.predicate.values
    return f"where {' and '.join(clauses)}" if clauses else ""


def _inside(
    layer: Layer, audience: Audience, query: ItemsQuery, hidden_bits: int, values: dict[str, Any]
) -> str:
    """Geometries that meet a box, edges included; features without geometry match too (fc-bbox-response)."""
    geometry = f"v.{quote(layer.source.geometry)}"
    found = []
    for i, box in enumerate(query.boxes or ()):
        values |= {f"b{i}{edge}": degrees for edge, degrees in zip("wsen", box, strict=True)}
        shape = f"st_makeenvelope(%(b{i}w)s, %(b{i}s)s, %(b{i}e)s, %(b{i}n)s, {STORAGE_SRID})"
        near = f"{geometry} && {shape}"
        if layer.points is not None and audience == "public":
            # The public twin is made from the map table, where a box is ranges of keys.
            near = f"({' or '.join(_ranges(box, i, hidden_bits, values))})"
        exact = f"st_intersects({geometry}, {shape})"
        if layer.source.kind == "point":  # the same, at a quarter of the price
            exact = (
                f"st_x({geometry}) between %(b{i}w)s and %(b{i}e)s "
                f"and st_y({geometry}) between %(b{i}s)s and %(b{i}n)s"
            )
        if query.plane is not None:
            exact = _in_plane(geometry, query.plane, values)
        found.append(f"({near} and {exact})")
    if layer.points is None:
        found.append(f"{geometry} is null")
    return f"({' or '.join(found)})" if found else "false"


def _in_plane(geometry: str, box: PlaneBox, values: dict[str, Any]) -> str:
    values |= {f"plane{edge}": metres for edge, metres in zip("wsen", box.edges, strict=True)}
    shape = f"st_makeenvelope(%(planew)s, %(planes)s, %(planee)s, %(planen)s, {box.crs.srid})"
    return f"st_intersects({geometry_in(geometry, box.crs, as_given=False)}, {shape})"


def _ranges(box: Box, number: int, hidden_bits: int, values: dict[str, Any]) -> list[str]:
    clauses = []
    for i, (lo, hi) in enumerate(key_ranges(box, hidden_bits)):
        values |= {f"k{number}_{i}": lo, f"l{number}_{i}": hi - 1}
        clauses.append(f"v.key between %(k{number}_{i})s and %(l{number}_{i})s")
    return clauses


def timed(layer: Layer, audience: Audience) -> bool:
    """Does this audience see when the features of the layer are?"""
    return layer.source.datetime is not None and layer.source.datetime in columns(layer, audience)


def _during(layer: Layer, period: Period, values: dict[str, Any]) -> str:
    """Instants in the closed interval, or days and terms that meet it; those without a time match too (fc-time-response)."""
    start = layer.source.datetime
    assert start is not None  # noqa: S101 - asked of layers that have a time
    days = layer.field(start).type == "date"
    clauses = []
    for key, name, sign, limit in (
        ("start", layer.source.until or start, ">=", period.start),
        ("end", start, "<=", period.end),
    ):
        if limit is not None:
            values[key] = limit.date() if days else limit
            clauses.append(f"(v.{quote(name)} is null or v.{quote(name)} {sign} %({key})s)")
    return f"({' and '.join(clauses)})"


def _equals(one_filter: Filter, number: int, values: dict[str, Any]) -> str:
    values[f"f{number}"] = one_filter.value
    return f"v.{quote(one_filter.field.name)} = %(f{number})s"
