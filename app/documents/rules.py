"""What a camera says of a picture, and how far that is from the register. Plain values in, plain values out."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

EARTH_M = 6_371_008.8
"""Mean radius (IUGG); over some kilometres a sphere is right to half a percent."""
GPS_LAT_REF, GPS_LAT, GPS_LON_REF, GPS_LON = 1, 2, 3, 4
TAKEN_FORM = "%Y:%m:%d %H:%M:%S"


def position(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    """Longitude and latitude of an EXIF GPS directory (CIPA DC-008, 4.6.6), in WGS 84; None where it gives none."""
    lon = _degrees(gps.get(GPS_LON), str(gps.get(GPS_LON_REF, "")), "EW", 180)
    lat = _degrees(gps.get(GPS_LAT), str(gps.get(GPS_LAT_REF, "")), "NS", 90)
    # A camera without a fix may write zeros.
    return None if lon is None or lat is None or (lon == 0 and lat == 0) else (lon, lat)


def _degrees(parts: Any, reference: str, signs: str, most: int) -> float | None:
    sign = {signs[0]: 1, signs[1]: -1}.get(reference.strip("\0 ").upper())
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if sign is None or not math.isfinite(value) or not 0 <= value <= most or not 0 <= minutes < 60.0001:
        return None
    return sign * value


def taken_at(text: Any) -> datetime | None:
    """The camera's own time, without a zone."""
    try:
        found = datetime.strptime(str(text).strip("\0 "), TAKEN_FORM)
    except ValueError:
        return None
    return found if found.year >= 1980 else None


def distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres between two positions (longitude, latitude) along a great circle."""
    (lon_a, lat_a), (lon_b, lat_b) = (tuple(map(math.radians, one)) for one in (a, b))
    half = (
        math.sin((lat_b - lat_a) / 2) ** 2
        + math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    )
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(half)))
