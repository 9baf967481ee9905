"""Coordinate reference systems that features are served and asked in, each with the axis order its authority gives it.

Sources: OGC 17-069r4 (CRS84 is the default), EPSG registry (4326 and 4490: latitude first; 3857: easting first;
CGCS2000 3-degree Gauss–Kruger 4513–4533 with the zone's number before the easting, 4534–4554 by meridian: northing first).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import pyproj

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
CRS84_URI = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
STORAGE_SRID = 4490
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Crs:
    """A reference system by its URI."""

    uri: str
    srid: int
    """EPSG code of the same system with the axes in the order x, y, as PostGIS and PROJ's traditional order have it."""
    swapped: bool
    """Latitude or northing stands first in coordinates."""
    geographic: bool
    meridian: int | None = None
    """Central meridian of a 3-degree zone."""

    def covers(self, box: Bounds) -> bool:
        """A zone covers its own three degrees; every other system covers everything."""
        if self.meridian is None:
            return True
        return box[0] <= self.meridian + 1.5 and box[2] >= self.meridian - 1.5


CRS84 = Crs(CRS84_URI, STORAGE_SRID, swapped=False, geographic=True)
"""WGS 84 by longitude and latitude: the default. The difference to CGCS2000 is below 0.1 m, so no datum shift is made."""
WGS84 = Crs(f"{EPSG}4326", STORAGE_SRID, swapped=True, geographic=True)
CGCS2000 = Crs(f"{EPSG}4490", STORAGE_SRID, swapped=True, geographic=True)
"""The storage."""
WEB_MERCATOR = Crs(f"{EPSG}3857", 3857, swapped=False, geographic=False)


@cache
def to_degrees(crs: Crs) -> pyproj.Transformer:
    """From the x and y of a projected system to longitude and latitude. Made once: that takes PROJ many milliseconds."""
    # The degrees of WGS 84 stand for those of CGCS2000, also beneath Web Mercator.
    target = 4326 if crs.srid == WEB_MERCATOR.srid else STORAGE_SRID
    return pyproj.Transformer.from_crs(crs.srid, target, always_xy=True)


@cache
def known() -> Mapping[str, Crs]:
    """Every system by its URI, the general ones first."""
    zones = [
        Crs(f"{EPSG}{first + i}", first + i, swapped=True, geographic=False, meridian=75 + 3 * i)
        for first in (4513, 4534)
        for i in range(21)
    ]
    return MappingProxyType({crs.uri: crs for crs in (CRS84, WGS84, CGCS2000, WEB_MERCATOR, *zones)})


def covering(box: Bounds | None) -> tuple[Crs, ...]:
    """The systems in which data inside this box (degrees) make sense."""
    return tuple(
        crs for crs in known().values() if crs.meridian is None or (box is not None and crs.covers(box))
    )
