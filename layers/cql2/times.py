"""Instants of CQL2: a full date, or an RFC 3339 date-time."""

import re
from datetime import UTC, date, datetime

from layers.cql2.errors import InvalidFilter
from layers.cql2.nodes import Instant

DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)


def instant(kind: str, text: str, at: int | None = None) -> Instant:
    """The instant that DATE('…') or TIMESTAMP('…') names. Raises InvalidFilter."""
    try:
        if kind == "date" and DAY.fullmatch(text):
            return Instant(date.fromisoformat(text), at)
        if kind == "timestamp" and MOMENT.fullmatch(text):
            # datetime knows no leap second and takes microseconds only.
            plain = re.sub(r":60(?=[.Z+-])", ":59", text.upper())
            plain = re.sub(r"(\.\d{6})\d+", r"\1", plain)
            return Instant(datetime.fromisoformat(plain).astimezone(UTC), at)
    except (ValueError, OverflowError):
        pass
    zh, en = {
        "date": ("日期，如 2026-01-31", "a date such as 2026-01-31"),
        "timestamp": (
            "RFC 3339 时间，如 2026-01-31T08:00:00Z",
            "an RFC 3339 date-time such as 2026-01-31T08:00:00Z",
        ),
    }[kind]
    raise InvalidFilter(f"此处应为{zh}，得到 {text[:60]!r} (expected {en})", at)


def instant_or_open(text: str, at: int | None = None) -> Instant | None:
    """An end of an interval; None for `..`. Raises InvalidFilter."""
    if text == "..":
        return None
    return instant("date" if DAY.fullmatch(text) else "timestamp", text, at)
