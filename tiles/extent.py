"""What a layer covers, as a viewer sees it."""

import math
from typing import Any

import psycopg

from layers.derive.columns import quote, relation
from layers.model import Audience, Layer
from tiles.address import Address
from tiles.keys import cell_range
from tiles.overview import CELL_BITS, CELL_DEPTH

Bounds = tuple[float, float, float, float]


async def bounds(connection: psycopg.AsyncConnection[Any], layer: Layer, audience: Audience) -> Bounds | None:
    """West, south, east, north in degrees, in the scope of the connection's transaction; None of nothing."""
    if layer.points is not None:
        return await _of_cells(connection, layer)
    cursor = await connection.execute(
        f"select st_xmin(e), st_ymin(e), st_xmax(e), st_ymax(e) from (select st_extent({quote(layer.source.geometry)}) e "
        f"from {relation(layer, audience)}) x".encode()
    )
    row = await cursor.fetchone()
    return None if row is None or row[0] is None else (row[0], row[1], row[2], row[3])


async def _of_cells(connection: psycopg.AsyncConnection[Any], layer: Layer) -> Bounds | None:
    """The bounds of the finest overview cells that hold something: at most 0.02° beyond the points."""
    assert layer.points is not None  # noqa: S101 - asked of big point layers
    depth = layer.points.cells_to_zoom + CELL_DEPTH
    lo, hi = cell_range(Address(0, 0, 0), depth)
    side = 1 << CELL_BITS - depth
    cursor = await connection.execute(
        f"select min(x), max(x), min(y), max(y) from (select sx / n as x, sy / n as y from {quote(layer.points.cells)} "
        f"where key >= %s and key < %s and n > 0 union all select sx / n, sy / n from {quote(layer.points.deltas)} where n > 0) c".encode(),
        (lo, hi),
    )
    row = await cursor.fetchone()
    if row is None or row[0] is None:
        return None
    west, east, north, south = (
        (int(value) // side + step) * side / (1 << CELL_BITS)
        for value, step in zip(row, (0, 1, 0, 1), strict=True)
    )
    return west * 360 - 180, _latitude(south), east * 360 - 180, _latitude(north)


def _latitude(y: float) -> float:
    """Degrees of a position down the square of Web Mercator, from 0 to 1."""
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * y))))
