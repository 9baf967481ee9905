"""Coordinate reference systems by the many names that older clients have for them, with their axis order."""

import math
from dataclasses import dataclass

from app.ogc.legacy.kvp import Refused
from app.ogc.legacy.views import EDGE, Axes, View

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class MapCrs:
    """A system that maps are drawn in. `swapped`: latitude stands first in WMS 1.3 and in WMTS."""

    name: str
    axes: Axes
    swapped: bool = False
    urn: str = ""

    def box(self, degrees: Box) -> Box:
        """West, south, east, north in units of the system."""
        west, south, east, north = degrees
        if self.axes == "degrees":
            return degrees
        scale = EDGE / 180
        return west * scale, _northing(south), east * scale, _northing(north)

    def written(self, box: Box, *, swap: bool) -> Box:
        """Edges in the order of the axes."""
        return (box[1], box[0], box[3], box[2]) if self.swapped and swap else box


def _northing(latitude: float) -> float:
    held = math.radians(min(max(latitude, -85.0511287798066), 85.0511287798066))
    return math.asinh(math.tan(held)) / math.pi * EDGE


MAP_SYSTEMS = {
    crs.name: crs
    for crs in (
        MapCrs("CRS:84", "degrees", urn="urn:ogc:def:crs:OGC:1.3:CRS84"),
        MapCrs("EPSG:4326", "degrees", True, "urn:ogc:def:crs:EPSG::4326"),
        MapCrs("EPSG:4490", "degrees", True, "urn:ogc:def:crs:EPSG::4490"),
        MapCrs("EPSG:3857", "mercator", urn="urn:ogc:def:crs:EPSG::3857"),
    )
}


def view(crs: MapCrs, text: str, width: int, height: int, *, swap: bool) -> View:
    """The view of a BBOX; `swap` where the axes stand in the order of the authority. Raises Refused."""
    parts = text.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not all(math.isfinite(number) and abs(number) < 1e9 for number in numbers):
        raise Refused("InvalidParameterValue", "BBOX 应为4个数字 (BBOX is 4 numbers)", "BBOX")
    west, south, east, north = crs.written((numbers[0], numbers[1], numbers[2], numbers[3]), swap=swap)
    if west >= east or south >= north:
        raise Refused(
            "InvalidParameterValue", "BBOX 应先小后大 (BBOX is lower corner first, and has an area)", "BBOX"
        )
    return View(crs.axes, west, south, east, north, width, height)
