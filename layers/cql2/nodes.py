"""The tree of a filter: the same for text and JSON."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeAlias

from layers.cql2.errors import InvalidFilter

MAX_TEXT = 20_000
"""Characters of a filter."""
MAX_DEPTH = 40
MAX_NODES = 1_000
MAX_VERTICES = 2_000

COMPARISONS = ("=", "<>", "<", ">", "<=", ">=")
ARITHMETIC = ("+", "-", "*", "/", "^", "%", "div")
SPATIAL = (
    "s_contains",
    "s_crosses",
    "s_disjoint",
    "s_equals",
    "s_intersects",
    "s_overlaps",
    "s_touches",
    "s_within",
)
TEMPORAL_ANY = ("t_after", "t_before", "t_disjoint", "t_equals", "t_intersects")
TEMPORAL_INTERVALS = (
    "t_contains", "t_during", "t_finishedby", "t_finishes", "t_meets", "t_metby",
    "t_overlappedby", "t_overlaps", "t_startedby", "t_starts",
)  # fmt: skip
ARRAY = ("a_containedby", "a_contains", "a_equals", "a_overlaps")
FOLDS = ("casei", "accenti")


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number or truth value."""

    value: str | int | float | bool
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Instant:
    """A day, or a moment in UTC."""

    value: date | datetime
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends included; None is open."""

    start: "Node | None"
    end: "Node | None"
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Shape:
    """A geometry literal, as GeoJSON names it; coordinates in the order of the filter's CRS."""

    kind: str
    coordinates: tuple = ()  # type: ignore[type-arg]  # nested as deep as the kind says
    members: tuple["Shape", ...] = ()
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Box:
    """Lower and upper corner: 4 numbers, or 6 with heights."""

    edges: tuple[float, ...]
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Array:
    items: tuple["Node", ...]
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Property:
    name: str
    at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function; `op` in lower case."""

    op: str
    args: tuple["Node", ...]
    at: int | None = field(default=None, compare=False)


Node: TypeAlias = Literal | Instant | Interval | Shape | Box | Array | Property | Call


def children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Call):
        return node.args
    if isinstance(node, Array):
        return node.items
    if isinstance(node, Interval):
        return tuple(end for end in (node.start, node.end) if end is not None)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def conjuncts(node: Node) -> tuple[Node, ...]:
    """The parts that must all hold: what AND joins at the top."""
    if isinstance(node, Call) and node.op == "and":
        return tuple(part for arg in node.args for part in conjuncts(arg))
    return (node,)


def vertices(shape: Shape) -> int:
    def count(coordinates: object) -> int:
        if isinstance(coordinates, tuple) and coordinates and isinstance(coordinates[0], tuple):
            return sum(count(part) for part in coordinates)
        return 1

    return count(shape.coordinates) + sum(vertices(member) for member in shape.members)


def within_limits(node: Node) -> Node:
    """The node itself. Raises InvalidFilter if it is too complex to be evaluated for every feature."""
    found = list(walk(node))
    if len(found) > MAX_NODES:
        raise too_complex(f"超过{MAX_NODES}个组成部分", f"more than {MAX_NODES} parts")
    if sum(vertices(one) for one in found if isinstance(one, Shape)) > MAX_VERTICES:
        raise too_complex(f"几何超过{MAX_VERTICES}个顶点", f"geometries of more than {MAX_VERTICES} vertices")
    return node


def too_complex(zh: str, en: str, at: int | None = None) -> InvalidFilter:
    return InvalidFilter(f"过滤条件过于复杂：{zh} (the filter is too complex: {en})", at)
