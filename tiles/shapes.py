"""Polygons generalised once a zoom, neighbours together so that no gap opens between them."""

from typing import Any

import numpy as np
import psycopg
import shapely

SHAPE_ZOOMS = (3, 4, 5, 6)
FULL_DETAIL = 30
"""The zoom under which the ungeneralised shapes are stored."""


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
