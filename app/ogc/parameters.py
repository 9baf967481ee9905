"""What a client may ask of a collection's items, read strictly: anything bad or unknown is an InvalidInput."""

import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from starlette.datastructures import QueryParams

from app.errors import InvalidInput
from layers.clock import CHINA
from layers.model import Audience, Field, Layer

ANYWHERE = ("f", "api_key")
RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)
NUMBER = re.compile(r" *[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? *", re.ASCII)
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Period:
    """A closed interval of instants; None is open."""

    start: datetime | None
    end: datetime | None


def refused(name: str, value: str, expected_zh: str, expected: str) -> InvalidInput:
    shown = value[:60]
    return InvalidInput(
        f"参数 {name} 应为{expected_zh}，得到 {shown!r} ({name} must be {expected})",
        field=name,
        value=shown,
        expected=expected,
    )


def only(query: QueryParams, allowed: Collection[str]) -> dict[str, str]:
    """The parameters, each given once and each known (OGC 17-069r4, query-param-unknown).

    Raises InvalidInput otherwise.
    """
    found: dict[str, str] = {}
    for name, value in query.multi_items():
        if name not in allowed and name not in ANYWHERE:
            raise InvalidInput(
                f"没有参数 {name[:60]!r} (unknown parameter; known: {', '.join(allowed) or 'f'})",
                field=name[:60],
                value=value[:60],
                expected=" ".join(allowed),
            )
        if name in found:
            raise InvalidInput(
                f"参数 {name} 重复给出 (the parameter {name} is given twice)",
                field=name,
                value=value[:60],
                expected="once",
            )
        if "\x00" in value:
            raise refused(name, value, "不含空字符的文本", "text without NUL")
        found[name] = value
    return found


def queryables(layer: Layer, audience: Audience) -> tuple[Field, ...]:
    """The fields that this audience may filter by."""
    return tuple(field for field in layer.fields_for(audience) if field.filter)


def whole(name: str, text: str) -> int:
    if not WHOLE.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise refused(name, text, "整数", "a whole number")
    return int(text)


def boxes(text: str) -> tuple[Box, ...]:
    """The boxes that a `bbox` of 4 or 6 numbers means, inside the world.

    A west edge east of the east edge crosses 180°. Parts beyond ±180° are where they come to lie on
    the globe, for clients that are zoomed far out ask for such boxes. Heights are read, and match all:
    no geometry here has one.
    """
    west, south, east, north = corners(text)
    if south > north:
        raise _turned(text)
    return around(west, south, east, north)


def corners(text: str) -> Box:
    """Both coordinates of the lower and then of the upper corner, as they are given; heights are left out.

    Raises InvalidInput.
    """
    parts = text.split(",") if len(text) < 400 else []
    numbers = [float(part) for part in parts if NUMBER.fullmatch(part)]
    if len(numbers) not in (4, 6) or len(numbers) != len(parts) or not all(math.isfinite(n) for n in numbers):
        raise refused("bbox", text, "4或6个数字", "4 or 6 numbers")
    half = len(numbers) // 2
    if half == 3 and numbers[2] > numbers[5]:
        raise _turned(text)
    return numbers[0], numbers[1], numbers[half], numbers[half + 1]


def _turned(text: str) -> InvalidInput:
    return refused(
        "bbox", text, "先小后大的范围(经度可跨180°)", "lower corner first (only longitudes may cross)"
    )


def around(west: float, south: float, east: float, north: float) -> tuple[Box, ...]:
    """The boxes on the globe that these degrees mean."""
    low, high = max(south, -90.0), min(north, 90.0)
    if low > high:
        return ()
    return tuple((w, low, e, high) for w, e in _longitudes(west, east))


def _longitudes(west: float, east: float) -> list[tuple[float, float]]:
    if west <= east and east - west >= 360:
        return [(-180.0, 180.0)]
    west, east = _on_globe(west), _on_globe(east)
    return [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]


def _on_globe(longitude: float) -> float:
    return longitude if -180 <= longitude <= 180 else (longitude + 180) % 360 - 180


def instant(name: str, text: str) -> datetime:
    """An RFC 3339 date-time. Raises InvalidInput."""
    text = text.replace(" ", "+")  # an offset whose plus the client did not encode
    if RFC3339.fullmatch(text):
        # datetime knows no leap second and takes microseconds only.
        plain = re.sub(r":60(?=[.Zz+-])", ":59", text.upper())
        plain = re.sub(r"(\.\d{6})\d+", r"\1", plain)
        try:
            return datetime.fromisoformat(plain).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise refused(name, text, "RFC 3339 时间(如 2026-01-31T00:00:00Z)", "an RFC 3339 date-time")


def _day(name: str, text: str) -> date:
    try:
        if DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise refused(name, text, "日期(如 2026-01-31)", "a date such as 2026-01-31")


def period(text: str) -> Period:
    """A date-time or an interval, closed at both ends; a plain date is the whole day (beyond the standard).

    Raises InvalidInput.
    """
    parts = text.split("/")
    if len(parts) > 2:
        raise refused("datetime", text, "一个时间或 起/止", "one date-time or an interval start/end")
    if len(parts) == 1:
        return Period(_edge(parts[0], False), _edge(parts[0], True))
    start, end = (None if part in ("", "..") else part for part in parts)
    if start is None and end is None:
        raise refused("datetime", text, "至少一端有界的区间", "an interval with one end at least")
    found = Period(_edge(start, False) if start else None, _edge(end, True) if end else None)
    if found.start and found.end and found.start > found.end:
        raise refused("datetime", text, "起不晚于止", "an interval whose start is not after its end")
    return found


def known_at(text: str) -> datetime:
    """A moment, or the end of a day in China. Raises InvalidInput."""
    if not DAY.fullmatch(text):
        return instant("known", text)
    day = _day("known", text)
    return datetime(day.year, day.month, day.day, tzinfo=CHINA) + timedelta(days=1, microseconds=-1)


def last_day(text: str) -> date | None:
    """The day on which a `datetime` ends, in China; None if it has no end. Raises InvalidInput."""
    found = period(text)
    last = text.rpartition("/")[2].removesuffix("T")
    if found.end is None:
        return None
    return date.fromisoformat(last) if DAY.fullmatch(last) else found.end.astimezone(CHINA).date()


def _edge(text: str, end: bool) -> datetime:
    text = text[:-1] if DAY.fullmatch(text[:-1]) and text.endswith("T") else text  # so GDAL 3.6 writes a day
    if not DAY.fullmatch(text):
        return instant("datetime", text)
    day = _day("datetime", text)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    try:
        return start + timedelta(days=1, microseconds=-1) if end else start
    except OverflowError:
        raise refused("datetime", text, "公元9999年以前的日期", "a date before the year 9999") from None


def value_of(field: Field, text: str) -> str | int | float | bool | date | datetime:
    """The value that a filter on this field names. Raises InvalidInput if it cannot be one."""
    value: str | int | float | bool | date | datetime = READERS[field.type](field.name, text)
    known = [allowed.value for allowed in field.values]
    if known and value not in known:
        names = " ".join(str(name) for name in known)
        raise refused(field.name, text, f"以下之一：{names}", f"one of {names}")
    return value


def _number(name: str, text: str) -> float:
    value = float(text) if NUMBER.fullmatch(text) and len(text) < 60 else math.nan
    if not math.isfinite(value):
        raise refused(name, text, "数字", "a number")
    return value


def _boolean(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise refused(name, text, " true 或 false", "true or false")
    return text == "true"


READERS: dict[str, Callable[[str, str], Any]] = {
    "string": lambda name, text: text,
    "integer": whole,
    "number": _number,
    "boolean": _boolean,
    "date": _day,
    "datetime": instant,
}
