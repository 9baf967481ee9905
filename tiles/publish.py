"""Writes the map tables: the one way from a layer's view to its points and cells, in the caller's transaction."""

from typing import Any

import numpy as np
import psycopg
import shapely

from layers.derive.columns import quote
from layers.model import Layer
from tiles import overview, pgcopy
from tiles.keys import morton, world

POINTS: pgcopy.Columns = {
    "key": "i8",
    "id": "i8",
    "x": "i4",
    "y": "i4",
    "county_code": "i4",
    "basin_id": "i2",
}
CELLS: pgcopy.Columns = {
    "key": "i8",
    "county_code": "i4",
    "basin_id": "i2",
    "n": "i4",
    "volume": "f8",
    "sx": "i8",
    "sy": "i8",
}
SHAPE_ZOOMS = (3, 4, 5, 6)
FULL_DETAIL = 30
"""The zoom under which the ungeneralised shapes are stored."""


def _coded(layer: Layer) -> dict[str, str]:
    """The map table's own columns and their types: coded fields as positions, numbers as real."""
    table: dict[str, str] = {}
    for field in layer.fields:
        if field.tile and field.name not in POINTS:
            table[field.name] = "i2" if field.values else "f4"
    return table


def _select(layer: Layer, where: str) -> str:
    coded = []
    for name, kind in _coded(layer).items():
        if kind == "f4":
            coded.append(f"coalesce({quote(name)}, 'NaN')::real")
        else:
            values = ", ".join("'" + str(v.value).replace("'", "''") + "'" for v in layer.field(name).values)
            coded.append(f"(array_position(array[{values}], {quote(name)}::text) - 1)::smallint")
    geometry = quote(layer.source.geometry)
    return (
        f"select {quote(layer.source.id)}::bigint, st_x({geometry}), st_y({geometry}), county_code::integer, "
        f"coalesce(basin_id, 0)::smallint, {', '.join(coded)} from {quote(layer.source.view)} {where}"
    )


def rebuild(connection: psycopg.Connection[Any], layer: Layer, counties: list[int] | None = None) -> int:
    """Write a big point layer's map table and cells anew: of these counties, or of all; returns the points.

    Runs in the caller's transaction and scope. Rows go in in key order, so that a tile is one range.
    """
    if layer.points is None:
        raise ValueError(f"{layer.id} has no map table")
    where = (
        ""
        if counties is None
        else f"where county_code in ({', '.join(str(int(c)) for c in counties) or '0'})"
    )
    table, cells = quote(layer.points.table), quote(layer.points.cells)
    coded = _coded(layer)
    read = pgcopy.read(
        connection,
        _select(layer, where),
        {"id": "i8", "lon": "f8", "lat": "f8", "county_code": "i4", "basin_id": "i2", **coded},
    )
    for name in (table, cells):
        connection.execute(
            f"delete from {name} {where}".encode() if counties is not None else f"truncate {name}".encode()
        )
    read["x"], read["y"] = world(read.pop("lon"), read.pop("lat"))
    read["key"] = morton(read["x"], read["y"])
    order = np.argsort(read["key"], kind="stable")
    points = {name: values[order] for name, values in read.items()}
    columns = {**POINTS, **coded}
    pgcopy.write(connection, table, columns, {name: points[name] for name in columns})
    class_no, classes = _classes(layer, points)
    for level in overview.levels(points, class_no, classes, layer.points.cells_to_zoom):
        pgcopy.write(
            connection, cells, {**CELLS, "nc": f"{classes}i4", "vc": f"{classes}f4"}, level.columns()
        )
    return len(order)


def _classes(layer: Layer, points: dict[str, Any]) -> tuple[Any, int]:
    assert layer.points is not None  # noqa: S101 - checked by the caller
    number = np.zeros(len(points["key"]), np.int64)
    total = 1
    for name in layer.points.classes:
        width = len(layer.field(name).values)
        number = number * width + points[name]
        total *= width
    return number, total


def rebuild_shapes(connection: psycopg.Connection[Any]) -> int:
    """Generalise the regions once a zoom, neighbours together so that no gap opens; returns the regions.

    PostGIS 3.3 has no coverage simplification, GEOS in shapely has. Levels of regions are apart:
    a province is no neighbour of its own counties.
    """
    rows = connection.execute("select id, level, st_asbinary(geom) from map.regions order by id").fetchall()
    connection.execute("truncate map.region_shapes")
    if not rows:
        return 0
    ids = np.array([row[0] for row in rows])
    level = np.array([row[1] for row in rows])
    full = shapely.from_wkb([bytes(row[2]) for row in rows])
    for zoom in (*SHAPE_ZOOMS, FULL_DETAIL):
        shapes = full.copy()
        if zoom != FULL_DETAIL:
            for one in np.unique(level):
                shapes[level == one] = _generalised(full[level == one], zoom)
        with (
            connection.cursor() as cursor,
            cursor.copy("copy map.region_shapes (id, zoom, geom) from stdin") as copy,
        ):
            for i, shape in zip(ids, shapes, strict=True):
                copy.write_row(
                    (
                        int(i),
                        zoom,
                        shapely.to_wkb(shapely.set_srid(_multi(shape), 4490), hex=True, include_srid=True),
                    )
                )
    return len(rows)


def _generalised(shapes: Any, zoom: int) -> Any:
    degrees_a_pixel = 360 / (512 * 2**zoom)
    simple = shapely.coverage_simplify(shapes, degrees_a_pixel)
    # An island smaller than a pixel may vanish: the region must not.
    return np.where(shapely.is_empty(simple) | ~shapely.is_valid(simple), shapes, simple)


def _multi(shape: Any) -> Any:
    return shape if shape.geom_type == "MultiPolygon" else shapely.MultiPolygon([shape])
