"""What a search text may be: a coordinate, or something to look for."""

import re

from app.imports.angles import AngleError, parse_angle

NORTH = re.compile(r"[NnSs北南]")


def coordinate(text: str) -> tuple[float, float] | None:
    """Longitude and latitude that the text says, decimal or in degrees, minutes, seconds; None if it says none.

    Which comes first is told by N/S letters, else by range: beyond 90 is a longitude. Where both fit,
    longitude comes first, unless only the other order lies in China.
    """
    halves = _halves(text)
    if halves is None:
        return None
    try:
        first, second = (parse_angle(half, 180.0) for half in halves)
    except AngleError:
        return None
    swapped = bool(NORTH.search(halves[0])) or (
        abs(second) > 90 or (_in_china(second, first) and not _in_china(first, second))
    )
    lon, lat = (second, first) if swapped else (first, second)
    return (lon, lat) if abs(lat) <= 90 else None


def _halves(text: str) -> tuple[str, str] | None:
    """The two angles of a text, parted by a comma or in the middle of its blanks."""
    if sum(ch.isdigit() for ch in text) < 4 or re.search(r"[A-DF-MO-RT-VX-Za-df-mo-rt-vx-z]", text):
        return None
    parts = re.split(r"[,，;；]", text)
    if len(parts) == 2:
        return parts[0], parts[1]
    words = text.split()
    if len(words) in (2, 4, 6):
        middle = len(words) // 2
        return " ".join(words[:middle]), " ".join(words[middle:])
    return None


def _in_china(lon: float, lat: float) -> bool:
    return 73 <= lon <= 136 and 3 <= lat <= 54


def words_of(text: str) -> str:
    """The text without blanks at its ends, and without the NUL that PostgreSQL cannot hold."""
    return text.replace("\x00", "").strip()
