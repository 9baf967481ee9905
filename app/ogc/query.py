"""The statements behind collections and items, made from the declaration and what the client asks.

Identifiers come from the declaration and are quoted in `layers.derive.columns`; values are parameters.
They run as the map reader in the viewer's scope, so row-level security decides which rows there are.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from app.ogc.cover import key_ranges
from app.ogc.parameters import Box, Filter, ItemsQuery, Period
from layers.derive.columns import columns, quote, relation
from layers.model import Audience, Field, Layer

SRID = 4490
DECIMALS = 7
"""Of a degree: 1.1 cm, finer than any position on record."""
COUNT_LIMIT = 5_000
"""Up to so many rows are counted for numberMatched."""


@dataclass
class Statement:
    """SQL with its values."""

    sql: str
    values: dict[str, Any] = field(default_factory=dict)


def page(layer: Layer, audience: Audience, query: ItemsQuery, hidden_bits: int) -> Statement:
    """Rows (id, feature as GeoJSON text) in the order of their ids; one more than the limit, if there is one."""
    values: dict[str, Any] = {"rows": query.limit + 1}
    where = _where(layer, audience, query, hidden_bits, values)
    offset = ""
    if query.offset and query.after is None:
        values["offset"] = query.offset
        offset = " offset %(offset)s"
    return Statement(
        f"{_select(layer, audience)} {where} order by v.{quote(layer.source.id)} limit %(rows)s{offset}",
        values,
    )


def one(layer: Layer, audience: Audience, identifier: int) -> Statement:
    """The row (id, feature as GeoJSON text) of one feature."""
    return Statement(
        f"{_select(layer, audience)} where v.{quote(layer.source.id)} = %(id)s", {"id": identifier}
    )


def count(layer: Layer, audience: Audience, query: ItemsQuery, hidden_bits: int) -> Statement:
    """How many rows match, counted to COUNT_LIMIT + 1 at most."""
    values: dict[str, Any] = {"most": COUNT_LIMIT + 1}
    where = _where(layer, audience, replace(query, after=None, offset=0), hidden_bits, values)
    return Statement(
        f"select count(*) from (select 1 from {relation(layer, audience)} v {where} limit %(most)s) x", values
    )


def times(layer: Layer, audience: Audience) -> Statement | None:
    """First and last instant of what the viewer sees; None for a layer without time."""
    if layer.source.datetime is None or not _timed(layer, audience):
        return None
    name = quote(layer.source.datetime)
    return Statement(
        f"select min({name})::timestamptz, max({name})::timestamptz from {relation(layer, audience)}"
    )


def _select(layer: Layer, audience: Audience) -> str:
    source = layer.source
    geometry = f"v.{quote(source.geometry)}"
    # RFC 7946 wants exterior rings counter-clockwise; option 0 leaves out the `crs` member, which
    # ST_AsGeoJSON writes for any SRID but 4326. CGCS2000 and WGS 84 differ by less than 0.1 m.
    shape = f"st_forcepolygonccw({geometry})" if source.kind == "polygon" else geometry
    fields = ", ".join(_field(one) for one in layer.fields_for(audience))
    return (
        f"""select v.{quote(source.id)} as id, '{{"type":"Feature","id":' || v.{quote(source.id)} || ',"geometry":' """
        f"""|| coalesce(st_asgeojson({shape}, {DECIMALS}, 0), 'null') || ',"properties":' || row_to_json(p)::text || '}}' """
        f"as feature from {relation(layer, audience)} v cross join lateral (select {fields}) p"
    )


def _field(one: Field) -> str:
    name = quote(one.name)
    # GDAL 3.6 takes a column's type from its first page: a number without decimals there is an integer
    # to it, and later fractions are cut. So a number always shows one decimal at least.
    return f"v.{name}::numeric + 0.0 as {name}" if one.type == "number" else f"v.{name}"


def _where(
    layer: Layer, audience: Audience, query: ItemsQuery, hidden_bits: int, values: dict[str, Any]
) -> str:
    clauses = []
    if query.after is not None:
        clauses.append(f"v.{quote(layer.source.id)} > %(after)s")
        values["after"] = query.after
    if query.boxes is not None:
        clauses.append(_inside(layer, audience, query.boxes, hidden_bits, values))
    if query.period is not None and _timed(layer, audience):
        clauses.append(_during(layer, query.period, values))
    for number, one_filter in enumerate(query.filters):
        clauses.append(_equals(one_filter, number, values))
    return f"where {' and '.join(clauses)}" if clauses else ""


def _inside(
    layer: Layer, audience: Audience, boxes: tuple[Box, ...], hidden_bits: int, values: dict[str, Any]
) -> str:
    """Geometries that meet a box, edges included; features without geometry match too (fc-bbox-response)."""
    geometry = f"v.{quote(layer.source.geometry)}"
    found = []
    for i, box in enumerate(boxes):
        values |= {f"b{i}{edge}": degrees for edge, degrees in zip("wsen", box, strict=True)}
        shape = f"st_makeenvelope(%(b{i}w)s, %(b{i}s)s, %(b{i}e)s, %(b{i}n)s, {SRID})"
        near = f"{geometry} && {shape}"
        if layer.points is not None and audience == "public":
            # The public twin is made from the map table, where a box is ranges of keys.
            near = f"({' or '.join(_ranges(box, i, hidden_bits, values))})"
        found.append(f"({near} and st_intersects({geometry}, {shape}))")
    if layer.points is None:
        found.append(f"{geometry} is null")
    return f"({' or '.join(found)})" if found else "false"


def _ranges(box: Box, number: int, hidden_bits: int, values: dict[str, Any]) -> list[str]:
    clauses = []
    for i, (lo, hi) in enumerate(key_ranges(box, hidden_bits)):
        values |= {f"k{number}_{i}": lo, f"l{number}_{i}": hi - 1}
        clauses.append(f"v.key between %(k{number}_{i})s and %(l{number}_{i})s")
    return clauses


def _timed(layer: Layer, audience: Audience) -> bool:
    return layer.source.datetime is not None and layer.source.datetime in columns(layer, audience)


def _during(layer: Layer, period: Period, values: dict[str, Any]) -> str:
    """Instants in the closed interval, or days that meet it; features without a time match too (fc-time-response)."""
    assert layer.source.datetime is not None  # noqa: S101 - asked of layers that have a time
    name = quote(layer.source.datetime)
    days = layer.field(layer.source.datetime).type == "date"
    clauses = []
    for key, sign, edge in (("start", ">=", period.start), ("end", "<=", period.end)):
        if edge is not None:
            values[key] = edge.date() if days else edge
            clauses.append(f"v.{name} {sign} %({key})s")
    return f"(v.{name} is null or ({' and '.join(clauses)}))"


def _equals(one_filter: Filter, number: int, values: dict[str, Any]) -> str:
    values[f"f{number}"] = one_filter.value
    return f"v.{quote(one_filter.field.name)} = %(f{number})s"
