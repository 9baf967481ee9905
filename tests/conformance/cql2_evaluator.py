"""CQL2 over rows in plain Python: what compiled predicates are held against. None is NULL, as in SQL."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import shapely

from layers.cql2.nodes import Array, Box, Call, Instant, Interval, Literal, Node, Property, Shape
from layers.cql2.shapes import geometry
from layers.crs import CRS84

Row = Mapping[str, Any]
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def value(node: Node, row: Row) -> Any:
    if isinstance(node, Literal | Instant):
        return node.value
    if isinstance(node, Property):
        return row[node.name]
    if isinstance(node, Shape | Box):
        return geometry(node, CRS84)
    if isinstance(node, Array):
        return [value(item, row) for item in node.items]
    assert isinstance(node, Call)
    return OPERATORS[node.op](node, row)


def _and(node: Call, row: Row) -> bool | None:
    found = [value(arg, row) for arg in node.args]
    return False if False in found else None if None in found else True


def _or(node: Call, row: Row) -> bool | None:
    found = [value(arg, row) for arg in node.args]
    return True if True in found else None if None in found else False


def _not(node: Call, row: Row) -> bool | None:
    found = value(node.args[0], row)
    return None if found is None else not found


def _strict(function: Any) -> Any:
    """NULL if any operand is."""

    def apply(node: Call, row: Row) -> Any:
        args = [value(arg, row) for arg in node.args]
        return None if None in args else function(*args)

    return apply


def _spatial(relation: Any) -> Any:
    return _strict(lambda a, b: bool(relation(a, b)))


def _like(node: Call, row: Row) -> bool | None:
    text, pattern = (value(arg, row) for arg in node.args)
    if text is None:
        return None
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    regex = "".join(
        {"%": ".*", "_": "."}.get(part, re.escape(part.removeprefix("\\") or part)) for part in parts
    )
    return re.fullmatch(regex, text, re.DOTALL) is not None


def _in(node: Call, row: Row) -> bool | None:
    found = value(node.args[0], row)
    items = value(node.args[1], row)
    return None if found is None else found in items


def _between(node: Call, row: Row) -> bool | None:
    found, low, high = (value(arg, row) for arg in node.args)
    above = None if None in (found, low) else found >= low
    below = None if None in (found, high) else found <= high
    return False if False in (above, below) else None if None in (above, below) else True


def _null(node: Call, row: Row) -> bool:
    return value(node.args[0], row) is None


def _span(node: Node, row: Row) -> tuple[datetime, datetime] | None:
    """Start and end; None if any end is NULL."""
    if isinstance(node, Interval):
        ends = (
            FIRST if node.start is None else _edge(node.start, row, False),
            LAST if node.end is None else _edge(node.end, row, True),
        )
        return None if None in ends else ends  # type: ignore[return-value]
    found = (_edge(node, row, False), _edge(node, row, True))
    return None if None in found else found  # type: ignore[return-value]


def _edge(node: Node, row: Row, last: bool) -> datetime | None:
    found = value(node, row)
    if isinstance(found, date) and not isinstance(found, datetime):
        start = datetime(found.year, found.month, found.day, tzinfo=UTC)
        return start + timedelta(days=1, microseconds=-1) if last else start
    return found  # type: ignore[no-any-return]


def _times(relation: Any) -> Any:
    """Days are compared as days; beside a moment, a day is all of its moments."""

    def apply(node: Call, row: Row) -> bool | None:
        one, other = (_span(arg, row) for arg in node.args)
        if one is None or other is None:
            return None
        if all(_is_day(arg, row) for arg in node.args):
            return bool(relation(*(edge.date() for edge in (*one, *other))))
        return bool(relation(*one, *other))

    return apply


def _is_day(node: Node, row: Row) -> bool:
    ends = (node.start, node.end) if isinstance(node, Interval) else (node,)
    return all(end is None or not isinstance(value(end, row), datetime) for end in ends)


def _divided(a: float, b: float) -> float | None:
    return None if b == 0 else a / b


def _power(a: float, b: float) -> float | None:
    if (a < 0 and b != math.trunc(b)) or (a == 0 and b < 0):
        return None
    return float(a) ** b


OPERATORS: dict[str, Any] = {
    "and": _and, "or": _or, "not": _not, "like": _like, "in": _in, "between": _between, "isnull": _null,
    "=": _strict(lambda a, b: a == b), "<>": _strict(lambda a, b: a != b), "<": _strict(lambda a, b: a < b),
    ">": _strict(lambda a, b: a > b), "<=": _strict(lambda a, b: a <= b), ">=": _strict(lambda a, b: a >= b),
    "+": _strict(lambda a, b: float(a) + b), "-": _strict(lambda a, b: float(a) - b), "*": _strict(lambda a, b: float(a) * b),
    "/": _strict(_divided), "^": _strict(_power),
    "%": _strict(lambda a, b: None if b == 0 else a - b * math.trunc(a / b)),
    "div": _strict(lambda a, b: None if b == 0 else float(math.trunc(a / b))),
    "casei": _strict(str.casefold),
    "s_intersects": _spatial(shapely.intersects), "s_disjoint": _spatial(shapely.disjoint), "s_within": _spatial(shapely.within),
    "s_contains": _spatial(shapely.contains), "s_touches": _spatial(shapely.touches), "s_crosses": _spatial(shapely.crosses),
    "s_overlaps": _spatial(shapely.overlaps), "s_equals": _spatial(shapely.equals),
    "t_after": _times(lambda s1, e1, s2, e2: s1 > e2), "t_before": _times(lambda s1, e1, s2, e2: e1 < s2),
    "t_disjoint": _times(lambda s1, e1, s2, e2: e1 < s2 or s1 > e2), "t_equals": _times(lambda s1, e1, s2, e2: (s1, e1) == (s2, e2)),
    "t_intersects": _times(lambda s1, e1, s2, e2: not (e1 < s2 or s1 > e2)),
    "t_contains": _times(lambda s1, e1, s2, e2: s1 < s2 and e1 > e2), "t_during": _times(lambda s1, e1, s2, e2: s1 > s2 and e1 < e2),
    "t_finishedby": _times(lambda s1, e1, s2, e2: s1 < s2 and e1 == e2), "t_finishes": _times(lambda s1, e1, s2, e2: s1 > s2 and e1 == e2),
    "t_meets": _times(lambda s1, e1, s2, e2: e1 == s2), "t_metby": _times(lambda s1, e1, s2, e2: s1 == e2),
    "t_overlappedby": _times(lambda s1, e1, s2, e2: s2 < s1 < e2 < e1), "t_overlaps": _times(lambda s1, e1, s2, e2: s1 < s2 < e1 < e2),
    "t_startedby": _times(lambda s1, e1, s2, e2: s1 == s2 and e1 > e2), "t_starts": _times(lambda s1, e1, s2, e2: s1 == s2 and e1 < e2),
    "a_equals": _strict(lambda a, b: set(a) == set(b)), "a_contains": _strict(lambda a, b: set(a) >= set(b)),
    "a_containedby": _strict(lambda a, b: set(a) <= set(b)), "a_overlaps": _strict(lambda a, b: bool(set(a) & set(b))),
}  # fmt: skip
