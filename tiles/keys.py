"""Integer world coordinates and the keys that order them.

The world is the square of Web Mercator, 31 bits an axis, y downwards. The Morton key of a position
interleaves both (x in the even bits), so each tile of each zoom is one contiguous range of keys.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tiles.address import Address

BITS = 31
WORLD = 1 << BITS
MAX_LATITUDE = 85.0511287798066

Int64s = npt.NDArray[np.int64]


def world(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Int64s, Int64s]:
    """Integer world coordinates (x, y) of degrees; latitudes beyond Web Mercator are held at its edge."""
    lon_, lat_ = (
        np.asarray(lon, np.float64),
        np.clip(np.asarray(lat, np.float64), -MAX_LATITUDE, MAX_LATITUDE),
    )
    x = (lon_ + 180.0) / 360.0 * WORLD
    y = (0.5 - np.arcsinh(np.tan(np.radians(lat_))) / (2 * np.pi)) * WORLD
    return (
        np.clip(np.floor(x), 0, WORLD - 1).astype(np.int64),
        np.clip(np.floor(y), 0, WORLD - 1).astype(np.int64),
    )


def world_box(box: tuple[float, float, float, float], margin: int = 0) -> tuple[int, int, int, int]:
    """Least x and y, then greatest, of a box (west, south, east, north in degrees), and `margin` beyond, inside the world.

    The same as `world` but for the last bit of a double, a unit at most: two numbers make a poor array.
    """
    west, south, east, north = box
    edges = _x(west) - margin, _y(north) - margin, _x(east) + margin, _y(south) + margin
    x0, y0, x1, y1 = (min(max(edge, 0), WORLD - 1) for edge in edges)
    return x0, y0, x1, y1


def _x(lon: float) -> int:
    return math.floor((lon + 180.0) / 360.0 * WORLD)


def _y(lat: float) -> int:
    held = min(max(lat, -MAX_LATITUDE), MAX_LATITUDE)
    return math.floor((0.5 - math.asinh(math.tan(math.radians(held))) / (2 * math.pi)) * WORLD)


def degrees(x: int, y: int) -> tuple[float, float]:
    """Longitude and latitude of integer world coordinates."""
    return x / WORLD * 360 - 180, math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * y / WORLD))))


def spread(v: Any) -> Any:
    """A zero bit between the bits of a number, or of each of an array of uint64 (up to 31 bits)."""
    v = (v | v << 16) & 0x0000FFFF0000FFFF
    v = (v | v << 8) & 0x00FF00FF00FF00FF
    v = (v | v << 4) & 0x0F0F0F0F0F0F0F0F
    v = (v | v << 2) & 0x3333333333333333
    return (v | v << 1) & 0x5555555555555555


def morton(x: Int64s, y: Int64s) -> Int64s:
    """62-bit Morton keys of integer coordinates."""
    bits = (np.asarray(part).astype(np.uint64) for part in (x, y))
    columns, rows = (spread(part) for part in bits)
    key: Int64s = (columns | rows << 1).astype(np.int64)
    return key


def _gathered(value: Any) -> Any:
    """Every other bit of each number, from the lowest on."""
    v = value & np.uint64(0x5555555555555555)
    for shift, mask in (
        (1, 0x3333333333333333),
        (2, 0x0F0F0F0F0F0F0F0F),
        (4, 0x00FF00FF00FF00FF),
        (8, 0x0000FFFF0000FFFF),
        (16, 0x00000000FFFFFFFF),
    ):
        v = (v | (v >> np.uint64(shift))) & np.uint64(mask)
    return v.astype(np.int64)


def unmorton(key: Int64s) -> tuple[Int64s, Int64s]:
    """Integer coordinates (x, y) of Morton keys."""
    bits = np.asarray(key).astype(np.uint64)
    return _gathered(bits), _gathered(bits >> np.uint64(1))


def morton_of(x: int, y: int) -> int:
    """Morton key of one position or tile."""
    key: int = spread(x) | spread(y) << 1
    return key


def point_range(tile: Address) -> tuple[int, int]:
    """Keys [lo, hi) of the positions in this tile."""
    span = 2 * (BITS - tile.z)
    base = morton_of(tile.x, tile.y)
    return base << span, (base + 1) << span


def cell_range(tile: Address, depth: int) -> tuple[int, int]:
    """Keys [lo, hi) of the cells `depth` levels below this tile: leading-1 quadkeys name level and cell."""
    base = (1 << 2 * tile.z) | morton_of(tile.x, tile.y)
    return base << 2 * depth, (base + 1) << 2 * depth
