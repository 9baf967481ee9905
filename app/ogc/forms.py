"""Features as GeoJSON and JSON-FG: what is selected of the view v, and what is made of its rows.

Rows come as columns and become JSON here: PostgreSQL takes four times as long to write the same text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import orjson

from app.ogc.asking import ItemsQuery
from layers.crs import CRS84, Crs
from layers.derive.columns import columns, quote
from layers.model import Audience, Field, Layer

DEGREE_DECIMALS = 7
"""Of a degree: 1.1 cm, finer than any position on record."""
METRE_DECIMALS = 3
NUMBERS = {"number": "float8", "integer": "bigint"}
"""As which types numbers leave the database: then they are plain numbers here, whatever the column is."""
Row = Sequence[Any]
Geometry = Callable[[Row], Any]


def geometry_in(geometry: str, crs: Crs, *, as_given: bool = True) -> str:
    """SQL of a stored geometry in this system; with the axes in the order of its authority, or else x before y."""
    # The degrees of CGCS2000 stand for those of WGS 84 (layers.crs), also beneath Web Mercator.
    if crs.srid == 3857:
        geometry = f"st_transform(st_setsrid({geometry}, 4326), 3857)"
    elif not crs.geographic:
        geometry = f"st_transform({geometry}, {crs.srid})"
    return f"st_flipcoordinates({geometry})" if crs.swapped and as_given else geometry


@dataclass(frozen=True, slots=True)
class Form:
    """The columns of a feature, and how rows of them become JSON."""

    select: str
    """Of the view v: the id, a place for the caller's own column `{own}`, geometry, time, properties."""
    make: Callable[[Sequence[Row]], list[dict[str, Any]]]
    """Features that orjson writes."""

    def columns(self, own: str) -> str:
        """`select` with the caller's own expression second."""
        return self.select.replace("{own}", own, 1)


def form_of(layer: Layer, audience: Audience, query: ItemsQuery, name: str) -> Form:
    """The form `json` (GeoJSON) or `jsonfg`."""
    shown = layer.fields_for(audience) if query.fields is None else query.fields
    shape, geometry = _geometry(layer, query)
    time, moment = _time(layer, audience) if name == "jsonfg" else ((), _nothing)
    select = [
        f"v.{quote(layer.source.id)} as id",
        "{own}",
        *shape,
        *time,
        *(_column(field) for field in shown),
    ]
    at = 2 + len(shape)
    first = at + len(time)
    names = tuple(field.name for field in shown)

    if name == "json":
        return Form(", ".join(select), _geojson(names, LITERALS[geometry], first))

    def jsonfg(rows: Sequence[Row]) -> list[dict[str, Any]]:
        """`geometry` is in CRS84, as GeoJSON has it; in any other system it is `place` (OGC 21-045r1, clause 8)."""
        return [
            {
                "type": "Feature",
                "id": row[0],
                "time": moment(row[at:first]),
                "geometry": geometry(row) if query.crs == CRS84 else None,
                "place": None if query.crs == CRS84 else geometry(row),
                "properties": dict(zip(names, row[first:], strict=True)),
            }
            for row in rows
        ]

    return Form(", ".join(select), jsonfg)


@lru_cache(maxsize=512)
def _geojson(
    names: tuple[str, ...], geometry: str, first: int
) -> Callable[[Sequence[Row]], list[dict[str, Any]]]:
    """Makes GeoJSON features of rows whose properties stand from `first` on.

    Compiled, with the names of the declaration as literals: a page of 1,000 takes half as long as by `dict(zip(…))`,
    which is most of the time that it takes here.
    """
    head = ", ".join(f"c{i}" for i in range(first))
    properties = ", ".join(f"{name!r}: p{i}" for i, name in enumerate(names))
    feature = f"{{'type': 'Feature', 'id': c0, 'geometry': {geometry}, 'properties': {{{properties}}}}}"
    columns = ", ".join([head, *(f"p{i}" for i in range(len(names)))])
    source = f"lambda rows: [{feature} for {columns} in rows]"
    made: Callable[[Sequence[Row]], list[dict[str, Any]]] = eval(source, {"Fragment": orjson.Fragment})  # noqa: S307 - declared names only
    return made


def _column(field: Field) -> str:
    name = f"v.{quote(field.name)}"
    return f"{name}::{NUMBERS[field.type]}" if field.type in NUMBERS else name


def _geometry(layer: Layer, query: ItemsQuery) -> tuple[tuple[str, ...], Geometry]:
    """The columns of a geometry, which stand third, and what is made of them."""
    if not query.geometry:
        return (), _nothing
    geometry, crs = f"v.{quote(layer.source.geometry)}", query.crs
    if layer.source.kind == "point" and crs.geographic:
        # The shortest number that is nearest to so many decimals is the one with no more than these.
        scale = 10**DEGREE_DECIMALS
        x, y = (f"round(st_{axis}({geometry}) * {scale}) / {scale}" for axis in "xy")
        return ((y, x) if crs.swapped else (x, y)), _point
    # RFC 7946 wants exterior rings counter-clockwise; option 0 leaves out the `crs` member, which
    # ST_AsGeoJSON writes for any SRID but 4326.
    shape = f"st_forcepolygonccw({geometry})" if layer.source.kind == "polygon" else geometry
    decimals = DEGREE_DECIMALS if crs.geographic else METRE_DECIMALS
    return (f"st_asgeojson({geometry_in(shape, crs)}, {decimals}, 0)",), _shape


def _nothing(_: Any) -> None:
    return None


def _point(row: Row) -> dict[str, Any] | None:
    return None if row[2] is None else {"type": "Point", "coordinates": (row[2], row[3])}


def _shape(row: Row) -> Any:
    return None if row[2] is None else orjson.Fragment(row[2])


LITERALS: dict[Geometry, str] = {
    _nothing: "None",
    _point: "None if c2 is None else {'type': 'Point', 'coordinates': (c2, c3)}",
    _shape: "None if c2 is None else Fragment(c2)",
}
"""The same geometries as Python source; the columns of a row are c0, c1, …"""


def _time(layer: Layer, audience: Audience) -> tuple[tuple[str, ...], Callable[[Row], dict[str, Any] | None]]:
    """The columns of a time, and the member `time` of JSON-FG made of them."""
    source = layer.source
    if source.datetime is None or source.datetime not in columns(layer, audience):
        return (), _nothing
    if source.until is not None:
        return (f"v.{quote(source.datetime)}", f"v.{quote(source.until)}"), _interval
    member = "date" if layer.field(source.datetime).type == "date" else "timestamp"
    return (f"v.{quote(source.datetime)}",), lambda row: None if row[0] is None else {member: _told(row[0])}


def _interval(row: Row) -> dict[str, Any] | None:
    if row[0] is None and row[1] is None:
        return None
    return {"interval": [".." if edge is None else _told(edge) for edge in row]}


def _told(value: date | datetime) -> str:
    """As RFC 3339 has it; instants in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value.isoformat()
