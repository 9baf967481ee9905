"""Tile matrix sets: the grids in which tiles are addressed (OGC 17-083r4).

WebMercatorQuad and WorldCRS84Quad are those of OGC's register. CGCS2000Quad is the grid of 天地图's
matrix set `c`: degrees of EPSG:4490, its level n + 1 is level n of WorldCRS84Quad; level 0 is one tile
360° wide and high, of which the lower half lies outside the world.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

TILE_SIZE = 256
PIXEL_M = 0.00028
METRES_A_DEGREE = 111319.49079327358
"""On the equator of WGS 84 and of CGCS2000, whose axes agree."""
MERCATOR_EDGE = 20037508.342789244
MERCATOR_LATITUDE = 85.0511287798066

Box = tuple[float, float, float, float]
"""West, south, east, north."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """One level of a set: `width` × `height` tiles from the top left corner, rows counted downwards."""

    level: int
    cell_size: float
    """Units of the CRS a pixel."""
    scale_denominator: float
    width: int
    height: int

    @property
    def id(self) -> str:
        return str(self.level)

    @property
    def span(self) -> float:
        """Side of a tile in units of the CRS."""
        return self.cell_size * TILE_SIZE


@dataclass(frozen=True)
class MatrixSet:
    """A set of matrices, with all that an OGC TileMatrixSet or WMTS capabilities tell of it."""

    id: str
    title_zh: str
    title_en: str
    crs: str
    """URI of the coordinate reference system."""
    ordered_axes: tuple[str, str]
    """Names of the axes in the order of the CRS: that of `point_of_origin`."""
    point_of_origin: tuple[float, float]
    matrices: tuple[Matrix, ...]
    kind: Literal["mercator", "degrees"]
    uri: str | None = None
    """Address in OGC's register, if it is there."""
    well_known_scale_set: str | None = None

    @property
    def max_level(self) -> int:
        return len(self.matrices) - 1

    @cached_property
    def origin_xy(self) -> tuple[float, float]:
        """The top left corner as easting, northing (or longitude, latitude)."""
        a, b = self.point_of_origin
        return (b, a) if self.ordered_axes[0] == "Lat" else (a, b)

    def bounds(self, z: int, x: int, y: int) -> Box:
        """A tile's edges in units of the CRS, as x and y (longitude first)."""
        span = self.matrices[z].span
        left, top = self.origin_xy
        return left + x * span, top - (y + 1) * span, left + (x + 1) * span, top - y * span

    def degrees(self, z: int, x: int, y: int) -> Box:
        """A tile's edges in degrees, longitude first; a tile may reach beyond ±90° (CGCS2000Quad, level 0)."""
        west, south, east, north = self.bounds(z, x, y)
        if self.kind == "degrees":
            return west, south, east, north
        to_degrees = 180 / MERCATOR_EDGE
        return west * to_degrees, _latitude(south), east * to_degrees, _latitude(north)

    def limits(self, box: Box, z: int) -> tuple[int, int, int, int] | None:
        """First and last column, first and last row of the tiles that touch a box in degrees; None of none."""
        west, south, east, north = box
        if self.kind == "mercator":
            to_metres = MERCATOR_EDGE / 180
            west, east = west * to_metres, east * to_metres
            south, north = _northing(south), _northing(north)
        matrix, (left, top) = self.matrices[z], self.origin_xy
        x0, x1 = (math.floor((value - left) / matrix.span) for value in (west, east))
        y0, y1 = (math.floor((top - value) / matrix.span) for value in (north, south))
        if x1 < 0 or y1 < 0 or x0 >= matrix.width or y0 >= matrix.height or x1 < x0 or y1 < y0:
            return None
        return max(x0, 0), min(x1, matrix.width - 1), max(y0, 0), min(y1, matrix.height - 1)

    def document(self) -> dict[str, Any]:
        """The set as OGC TileMatrixSet 2.0 JSON, without links."""
        told: dict[str, Any] = {"id": self.id, "title": f"{self.title_zh} ({self.title_en})"}
        if self.uri:
            told["uri"] = self.uri
        told |= {"crs": self.crs, "orderedAxes": list(self.ordered_axes)}
        if self.well_known_scale_set:
            told["wellKnownScaleSet"] = self.well_known_scale_set
        told["tileMatrices"] = [
            {
                "id": matrix.id,
                "scaleDenominator": matrix.scale_denominator,
                "cellSize": matrix.cell_size,
                "cornerOfOrigin": "topLeft",
                "pointOfOrigin": list(self.point_of_origin),
                "matrixWidth": matrix.width,
                "matrixHeight": matrix.height,
                "tileWidth": TILE_SIZE,
                "tileHeight": TILE_SIZE,
            }
            for matrix in self.matrices
        ]
        return told


def _latitude(northing: float) -> float:
    return math.degrees(math.atan(math.sinh(northing / MERCATOR_EDGE * math.pi)))


def _northing(latitude: float) -> float:
    held = math.radians(min(max(latitude, -MERCATOR_LATITUDE), MERCATOR_LATITUDE))
    return math.asinh(math.tan(held)) / math.pi * MERCATOR_EDGE


def _matrices(cell_size: float, metres: float, width: int, height: int, levels: int) -> tuple[Matrix, ...]:
    """Levels of a quad: each halves the cell size; `width` and `height` are those of level 0, in tiles."""
    return tuple(
        Matrix(
            z, cell_size / 2**z, cell_size / 2**z * metres / PIXEL_M, width << z, max(1, (height << z) >> 1)
        )
        for z in range(levels)
    )


REGISTER = "http://www.opengis.net/def/tilematrixset/OGC/1.0"
SCALE_SETS = "http://www.opengis.net/def/wkss/OGC/1.0"

WEB_MERCATOR_QUAD = MatrixSet(
    "WebMercatorQuad",
    "网络墨卡托切片方案",
    "Google Maps Compatible for the World",
    "http://www.opengis.net/def/crs/EPSG/0/3857",
    ("X", "Y"),
    (-MERCATOR_EDGE, MERCATOR_EDGE),
    _matrices(2 * MERCATOR_EDGE / TILE_SIZE, 1.0, 1, 2, 25),
    "mercator",
    f"{REGISTER}/WebMercatorQuad",
    f"{SCALE_SETS}/GoogleMapsCompatible",
)
WORLD_CRS84_QUAD = MatrixSet(
    "WorldCRS84Quad",
    "经纬度切片方案 (CRS84)",
    "CRS84 for the World",
    "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
    ("Lon", "Lat"),
    (-180.0, 90.0),
    _matrices(180 / TILE_SIZE, METRES_A_DEGREE, 2, 2, 18),
    "degrees",
    f"{REGISTER}/WorldCRS84Quad",
    f"{SCALE_SETS}/GoogleCRS84Quad",
)
CGCS2000_QUAD = MatrixSet(
    "CGCS2000Quad",
    "2000国家大地坐标系经纬度切片方案 (天地图 c)",
    "CGCS2000 for the World, the grid of Tianditu's set c",
    "http://www.opengis.net/def/crs/EPSG/0/4490",
    ("Lat", "Lon"),
    (90.0, -180.0),
    _matrices(360 / TILE_SIZE, METRES_A_DEGREE, 1, 1, 19),
    "degrees",
)
MATRIX_SETS = {one.id: one for one in (WEB_MERCATOR_QUAD, WORLD_CRS84_QUAD, CGCS2000_QUAD)}
