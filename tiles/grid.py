"""How a tile of any matrix set lies over the integer world of the map tables.

A tile is a half-open box of whole world units, so each point lies in just one tile of a level. The columns of a
set in degrees are those of Web Mercator; its rows cut those of Web Mercator, so a tile there is made of parts
of Mercator tiles of the same width (`parts`): what is decided once a part is the same for all tiles that share it.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tiles.address import Address
from tiles.keys import BITS, MAX_LATITUDE, WORLD

EXTENT = 4096
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Grid:
    """A tile's box [x0, x1) × [y0, y1) in world units, and how places in it become tile units."""

    x0: int
    y0: int
    x1: int
    y1: int
    zoom: int
    """Zoom of the Web Mercator tiles of the same width."""
    latitudes: tuple[float, float] | None
    """South and north of a tile in degrees; None: the tile is one of Web Mercator."""

    def holds(self, x: Array, y: Array) -> Array:
        found: Array = (x >= self.x0) & (x < self.x1) & (y >= self.y0) & (y < self.y1)
        return found

    def place(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Tile units (0 to 4095) of world coordinates inside the tile."""
        px = np.floor((x - self.x0) * (EXTENT / (self.x1 - self.x0)))
        if self.latitudes is None:
            py = np.floor((y - self.y0) * (EXTENT / (self.y1 - self.y0)))
        else:
            south, north = self.latitudes
            degrees = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * y / WORLD))))
            py = np.floor((north - degrees) / (north - south) * EXTENT)
        return tuple(np.clip(v, 0, EXTENT - 1).astype(np.int64) for v in (px, py))  # type: ignore[return-value]


def grid(address: Address) -> Grid:
    """Where this tile lies."""
    if address.is_web:
        span = 1 << BITS - address.z
        x, y = address.x * span, address.y * span
        return Grid(x, y, x + span, y + span, address.z, None)
    _, south, _, north = address.matrix_set.degrees(address.z, address.x, address.y)
    zoom = (address.matrix_set.matrices[address.z].width).bit_length() - 1
    span = 1 << BITS - zoom
    return Grid(address.x * span, _row(north), (address.x + 1) * span, _row(south), zoom, (south, north))


def parts(where: Grid) -> list[Address]:
    """The Web Mercator tiles of the same width that hold all of a tile; itself, if it is one."""
    shift = BITS - where.zoom
    if where.y1 <= where.y0:
        return []
    rows = range(where.y0 >> shift, ((where.y1 - 1) >> shift) + 1)
    return [Address(where.zoom, where.x0 >> shift, row) for row in rows]


def _row(latitude: float) -> int:
    """The first row of the world at or below a latitude. The poles are the edges: what lies beyond Web
    Mercator is kept in its first and last rows."""
    if latitude > MAX_LATITUDE:
        return 0
    if latitude < -MAX_LATITUDE:
        return WORLD
    y = (0.5 - math.asinh(math.tan(math.radians(latitude))) / (2 * math.pi)) * WORLD
    return min(WORLD, max(0, math.ceil(y)))
