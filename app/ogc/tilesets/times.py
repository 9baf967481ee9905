"""`datetime=` and `subset=datetime(…)` of a tile: two ways to say the same interval."""

import re
from collections.abc import Mapping
from datetime import datetime

from app.errors import InvalidInput
from app.ogc.parameters import period, refused

SUBSET = re.compile(r"datetime\((?P<range>[^()]*)\)")
Interval = tuple[datetime | None, datetime | None]


def interval(given: Mapping[str, str]) -> Interval | None:
    """The interval asked for, closed at both ends; None without one. Raises InvalidInput."""
    text = given.get("datetime")
    if "subset" in given:
        if text is not None:
            raise InvalidInput(
                "datetime 与 subset 只能给出一个 (give either datetime or subset)", field="subset"
            )
        text = _of_subset(given["subset"])
    if text is None:
        return None
    found = period(text)
    return found.start, found.end


def _of_subset(text: str) -> str:
    """`datetime("a":"b")` as the interval a/b; `*` is an open end. Raises InvalidInput."""
    match = SUBSET.fullmatch(text.strip())
    parts = re.findall(r'"([^"]*)"|(\*)', match["range"]) if match else []
    plain = re.sub(r'"[^"]*"|\*', "", match["range"]) if match else "?"
    if len(parts) not in (1, 2) or plain != ":" * (len(parts) - 1):
        raise refused("subset", text, ' datetime("起":"止")', 'datetime("start":"end")')
    ends = [quoted if not star else ".." for quoted, star in parts]
    return "/".join(ends)
