"""CQL2 JSON to a tree, along the JSON Schema of the standard (annex C), and back."""

import math
from datetime import datetime
from typing import Any

import orjson

from layers.cql2 import nodes
from layers.cql2.errors import InvalidFilter
from layers.cql2.nodes import Array, Box, Call, Instant, Interval, Literal, Node, Property, Shape
from layers.cql2.text import LEVELS, box
from layers.cql2.times import instant, instant_or_open

SPELT = {
    "isnull": "isNull", "t_finishedby": "t_finishedBy", "t_metby": "t_metBy", "t_overlappedby": "t_overlappedBy",
    "t_startedby": "t_startedBy", "a_containedby": "a_containedBy",
}  # fmt: skip
"""Operators that JSON writes with capitals."""


def parse_json(text: str) -> Node:
    """Raises InvalidFilter."""
    if len(text) > nodes.MAX_TEXT:
        raise nodes.too_complex(f"超过{nodes.MAX_TEXT}个字符", f"more than {nodes.MAX_TEXT} characters")
    try:
        found = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        at = getattr(error, "pos", None)
        raise InvalidFilter(
            "过滤条件不是 JSON (the filter is not JSON)", None if at is None else at + 1
        ) from None
    return nodes.within_limits(_node(found, 0))


def _node(value: Any, depth: int) -> Node:
    if depth > nodes.MAX_DEPTH:
        raise nodes.too_complex(f"嵌套超过{nodes.MAX_DEPTH}层", f"nested deeper than {nodes.MAX_DEPTH}")
    if isinstance(value, bool | str):
        if isinstance(value, str) and "\x00" in value:
            raise InvalidFilter("文本不能含空字符 (a string may not hold NUL)")
        return Literal(value)
    if isinstance(value, int | float):
        return Literal(value)
    if isinstance(value, list):
        return Array(tuple(_node(item, depth + 1) for item in value))
    if isinstance(value, dict):
        return _object(value, depth)
    raise _unknown(value)


def _object(value: dict[str, Any], depth: int) -> Node:
    if "op" in value:
        op, args = value["op"], value.get("args")
        if not isinstance(op, str) or not isinstance(args, list):
            raise _unknown(value)
        return Call(op.lower(), tuple(_node(arg, depth + 1) for arg in args))
    if isinstance(name := value.get("property"), str):
        return Property(name)
    for kind in ("date", "timestamp"):
        if isinstance(text := value.get(kind), str):
            return instant(kind, text)
    if isinstance(ends := value.get("interval"), list) and len(ends) == 2:
        return Interval(_end(ends[0], depth), _end(ends[1], depth))
    if "type" in value:
        return _shape(value)
    if isinstance(edges := value.get("bbox"), list):
        return box([_coordinate(edge) for edge in edges], None)
    raise _unknown(value)


def _end(value: Any, depth: int) -> Node | None:
    if isinstance(value, str):
        return instant_or_open(value)
    if isinstance(value, dict):
        return _object(value, depth + 1)
    raise _unknown(value)


def _shape(value: dict[str, Any], *, member: bool = False) -> Shape:
    kind = value["type"]
    if kind == "GeometryCollection" and not member and isinstance(members := value.get("geometries"), list):
        if not members or not all(isinstance(one, dict) and "type" in one for one in members):
            raise _unknown(value)
        return Shape(kind, members=tuple(_shape(one, member=True) for one in members))
    if not isinstance(kind, str) or kind not in LEVELS:
        raise _unknown(value)
    return Shape(kind, _nested(value.get("coordinates"), LEVELS[kind]))


def _nested(value: Any, level: int) -> tuple:  # type: ignore[type-arg]
    if not isinstance(value, list) or not value:
        raise InvalidFilter("几何的坐标有误 (bad coordinates of a geometry)")
    if level:
        return tuple(_nested(part, level - 1) for part in value)
    if len(value) not in (2, 3):
        raise InvalidFilter("位置应有2或3个坐标 (a position has 2 or 3 coordinates)")
    return tuple(_coordinate(number) for number in value)


def _coordinate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidFilter(f"坐标应为数字，得到 {str(value)[:40]!r} (a coordinate is a number)")
    return float(value)


def _unknown(value: Any) -> InvalidFilter:
    if value is None:
        return InvalidFilter("null 不是值，请用 isNull (null is no value: use isNull)")
    shown = orjson.dumps(value).decode()[:80]
    return InvalidFilter(f"不是 CQL2 JSON 的组成部分 (not a part of CQL2 JSON): {shown}")


def to_json(node: Node) -> Any:
    """The filter as CQL2 JSON."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Property):
        return {"property": node.name}
    if isinstance(node, Call):
        return {"op": SPELT.get(node.op, node.op), "args": [to_json(arg) for arg in node.args]}
    if isinstance(node, Array):
        return [to_json(item) for item in node.items]
    if isinstance(node, Instant):
        moment = isinstance(node.value, datetime)
        return {"timestamp" if moment else "date": _text(node)}
    if isinstance(node, Interval):
        return {"interval": [_end_to_json(end) for end in (node.start, node.end)]}
    if isinstance(node, Box):
        return {"bbox": list(node.edges)}
    if node.members:
        return {"type": node.kind, "geometries": [to_json(member) for member in node.members]}
    return {"type": node.kind, "coordinates": node.coordinates}


def _text(node: Instant) -> str:
    return node.value.isoformat().replace("+00:00", "Z")


def _end_to_json(end: Node | None) -> Any:
    if end is None:
        return ".."
    return _text(end) if isinstance(end, Instant) else to_json(end)
