"""A tree to SQL for PostGIS: typed, with every literal a parameter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from layers.cql2 import nodes, shapes, temporal
from layers.cql2.columns import Column, Type
from layers.cql2.errors import InvalidFilter
from layers.cql2.functions import FUNCTIONS
from layers.cql2.nodes import Array, Box, Call, Instant, Interval, Literal, Node, Property, Shape
from layers.crs import CRS84, STORAGE_SRID, Crs

NUMERIC = ("integer", "number")
TIMES = ("date", "datetime")
ARRAYS: dict[str, Type] = {
    "string": "strings", "integer": "numbers", "number": "numbers", "date": "times", "datetime": "times",
}  # fmt: skip
NAMES = {
    "string": "文本 string", "integer": "整数 integer", "number": "数字 number", "boolean": "真值 boolean", "date": "日期 date",
    "datetime": "时间 date-time", "interval": "时段 interval", "geometry": "几何 geometry", "strings": "文本数组 array of strings",
    "numbers": "数字数组 array of numbers", "times": "时间数组 array of times",
}  # fmt: skip
RELATIONS = {op: f"st_{op.removeprefix('s_')}" for op in nodes.SPATIAL}
SETS = {
    "a_equals": "({0} @> {1} and {0} <@ {1})", "a_contains": "{0} @> {1}", "a_containedby": "{0} <@ {1}",
    "a_overlaps": "{0} && {1}",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition as SQL with named parameters, and the properties it looks at."""

    sql: str
    values: dict[str, Any]
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Term:
    """A typed piece of SQL."""

    sql: str
    type: Type
    literal: Any = None
    """The value behind it, if it is a literal: a string, number, truth value, time or geometry."""
    column: Column | None = None
    ends: tuple["Term | None", "Term | None"] | None = None
    """Of an interval: its ends, None where it is open."""


@dataclass
class Compiler:
    """Turns nodes into terms; collects parameters and the properties named."""

    columns: Mapping[str, Column]
    crs: Crs
    prefix: str
    values: dict[str, Any] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)

    def bind(self, value: object) -> str:
        name = f"{self.prefix}{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"

    # ── operands ──────────────────────────────────────────────────────────────────────────────────

    def term(self, node: Node) -> Term:
        if isinstance(node, Literal):
            return self._literal(node.value)
        if isinstance(node, Property):
            return self._property(node)
        if isinstance(node, Instant):
            moment = isinstance(node.value, datetime)
            place = f"{self.bind(node.value)}::{'timestamptz' if moment else 'date'}"
            return Term(place, "datetime" if moment else "date", node.value)
        if isinstance(node, Interval):
            return self._interval(node)
        if isinstance(node, Shape | Box):
            found = shapes.geometry(node, self.crs)
            return Term(self._wkb(found), "geometry", found)
        if isinstance(node, Array):
            return self._array(node)
        return self._call(node)

    def _literal(self, value: str | int | float | bool) -> Term:
        if isinstance(value, bool):
            return Term("true" if value else "false", "boolean", value)
        if isinstance(value, str):
            return Term(f"{self.bind(value)}::text", "string", value)
        # A whole number stays one, so that the index of an integer column serves.
        whole = int(value) if abs(value) < 2**53 and value == int(value) else value
        return Term(self.bind(whole), "integer" if isinstance(whole, int) else "number", whole)

    def _property(self, node: Property) -> Term:
        column = self.columns.get(node.name)
        if column is None:
            known = " ".join(self.columns)
            raise InvalidFilter(
                f"没有可筛选字段 {node.name[:60]!r} (no such queryable; there are: {known})", node.at
            )
        self.fields.add(node.name)
        return Term(column.sql, column.type, column=column)

    def _interval(self, node: Interval) -> Term:
        ends = tuple(None if end is None else self.term(end) for end in (node.start, node.end))
        for end in ends:
            if end is not None and end.type not in TIMES:
                raise self._mismatch("INTERVAL", node, end)
        first, last = ends
        if first and last and _moment(first.literal) > _moment(last.literal) != "":
            raise InvalidFilter("时段的起晚于止 (an interval that ends before it starts)", node.at)
        return Term("", "interval", ends=(first, last))

    def _wkb(self, found: Any) -> str:
        return f"st_geomfromwkb({self.bind(found.wkb)}::bytea, {STORAGE_SRID})"

    def _array(self, node: Array) -> Term:
        items = [self.term(item) for item in node.items]
        kinds = {ARRAYS.get(item.type) for item in items}
        if len(kinds) > 1 or None in kinds:
            raise InvalidFilter(
                "数组元素应为同类的文本、数字或时间 (an array holds strings, numbers or times of one kind)",
                node.at,
            )
        kind: Type = kinds.pop() if kinds else "strings"  # type: ignore[assignment]  # None was refused
        return Term(
            f"array[{', '.join(_item(item) for item in items)}]::{ARRAY_SQL[kind]}",
            kind,
            literal=tuple(items),
        )

    # ── operators ─────────────────────────────────────────────────────────────────────────────────

    def condition(self, node: Node) -> str:
        """SQL of a truth value. Raises InvalidFilter if the node is none."""
        found = self.term(node)
        if found.type != "boolean":
            raise InvalidFilter(
                f"此处应为条件，得到{NAMES[found.type]} (expected a condition that is true or false)", node.at
            )
        return found.sql

    def _call(self, node: Call) -> Term:
        op = node.op
        if op in ("and", "or"):
            _count(node, 2, most=nodes.MAX_NODES)
            return _truth(f" {op} ".join(self.condition(arg) for arg in node.args))
        if op == "not":
            _count(node, 1)
            return _truth(f"not {self.condition(node.args[0])}")
        for names, make in self._makers():
            if op in names:
                return make(node)
        return self._function(node)

    def _makers(self) -> tuple[tuple[tuple[str, ...], Callable[[Call], Term]], ...]:
        return (
            (nodes.COMPARISONS, self._comparison),
            (("isnull",), self._is_null),
            (("like",), self._like),
            (("between",), self._between),
            (("in",), self._in),
            (nodes.FOLDS, self._fold),
            (nodes.ARITHMETIC, self._arithmetic),
            (nodes.SPATIAL, self._spatial),
            ((*nodes.TEMPORAL_ANY, *nodes.TEMPORAL_INTERVALS), self._temporal),
            (nodes.ARRAY, self._sets),
        )

    def _terms(self, node: Call, number: int) -> list[Term]:
        _count(node, number)
        return [self.term(arg) for arg in node.args]

    def _mismatch(self, what: str, node: Node, *terms: Term) -> InvalidFilter:
        got = "、".join(NAMES[term.type] for term in terms)
        return InvalidFilter(f"{what} 的类型不合，得到 {got} (types do not fit)", node.at)

    def _comparison(self, node: Call) -> Term:
        left, right = self._terms(node, 2)
        if node.op in ("=", "<>") and (coded := self._coded(left, right) or self._coded(right, left)):
            return _truth(f"{coded[0]} {node.op} {coded[1]}")
        return _truth(f"{self._sides(node, left, right, node.op)}")

    def _coded(self, column: Term, literal: Term) -> tuple[str, str] | None:
        """A string that is held as a small integer is compared as one; -1 stands for what it never is."""
        found = column.column
        if found is None or found.coded is None or not isinstance(literal.literal, str):
            return None
        code = found.codes.index(literal.literal) if literal.literal in found.codes else -1
        return found.coded, self.bind(code)

    def _sides(self, node: Call, left: Term, right: Term, sign: str) -> str:
        """Two comparable scalars with a sign between them."""
        kinds = {left.type, right.type}
        if kinds <= set(NUMERIC) or kinds == {"date"} or kinds == {"datetime"} or kinds == {"boolean"}:
            return f"{left.sql} {sign} {right.sql}"
        if kinds == {"string"}:
            # By code points: the same order in every database, whatever its locale.
            order = ' collate "C"' if sign not in ("=", "<>") else ""
            return f"{left.sql}{order} {sign} {right.sql}"
        if kinds == {"date", "datetime"}:
            return f"{temporal.start(left.sql, left.type)} {sign} {temporal.start(right.sql, right.type)}"
        raise self._mismatch(node.op.upper(), node, left, right)

    def _is_null(self, node: Call) -> Term:
        (term,) = self._terms(node, 1)
        if term.ends is not None:
            return _truth(
                " or ".join(f"{end.sql} is null" for end in term.ends if end is not None) or "false"
            )
        return _truth(f"({term.sql}) is null")

    def _like(self, node: Call) -> Term:
        left, pattern = self._terms(node, 2)
        inner = node.args[1]
        while isinstance(inner, Call) and inner.op in nodes.FOLDS and len(inner.args) == 1:
            inner = inner.args[0]
        if left.type != "string" or not isinstance(inner, Literal) or not isinstance(inner.value, str):
            raise self._mismatch("LIKE", node, left, pattern)
        if (len(inner.value) - len(inner.value.rstrip("\\"))) % 2:
            raise InvalidFilter(
                "模式不能以转义符 \\ 结尾 (a pattern may not end with the escape character)", inner.at
            )
        return _truth(f"{left.sql} like {pattern.sql}")

    def _between(self, node: Call) -> Term:
        value, low, high = self._terms(node, 3)
        if value.type not in (*NUMERIC, *TIMES):
            raise self._mismatch("BETWEEN", node, value, low, high)
        return _truth(f"{self._sides(node, value, low, '>=')} and {self._sides(node, value, high, '<=')}")

    def _in(self, node: Call) -> Term:
        _count(node, 2)
        items = node.args[1]
        if not isinstance(items, Array):
            raise InvalidFilter("IN 之后应为列表 (IN takes a list)", node.at)
        value = self.term(node.args[0])
        if value.type in ("geometry", "interval", "strings", "numbers", "times"):
            raise self._mismatch("IN", node, value)
        equal = []
        for item in items.items:
            term = self.term(item)
            coded = self._coded(value, term)
            equal.append(f"{coded[0]} = {coded[1]}" if coded else self._sides(node, value, term, "="))
        return _truth(" or ".join(equal) or "false")

    def _fold(self, node: Call) -> Term:
        (term,) = self._terms(node, 1)
        if term.type != "string":
            raise self._mismatch(node.op.upper(), node, term)
        return Term(f"map.{node.op}({term.sql})", "string")

    def _arithmetic(self, node: Call) -> Term:
        left, right = self._terms(node, 2)
        if left.type not in NUMERIC or right.type not in NUMERIC:
            raise self._mismatch(node.op.upper(), node, left, right)
        a, b = f"({left.sql})::float8", f"({right.sql})::float8"
        return Term(f"({ARITHMETIC[node.op].format(a=a, b=b)})", "number")

    def _function(self, node: Call) -> Term:
        function = FUNCTIONS.get(node.op)
        if function is None:
            raise InvalidFilter(
                f"没有函数 {node.op[:40]!r} (no such function; there are: {' '.join(FUNCTIONS)})", node.at
            )
        terms = self._terms(node, len(function.takes))
        for term, types in zip(terms, function.takes, strict=True):
            if term.type not in types:
                raise self._mismatch(function.name, node, term)
        return Term(function.sql.format(*(_zoned(term) for term in terms)), function.returns)

    # ── space, time, sets ─────────────────────────────────────────────────────────────────────────

    def _spatial(self, node: Call) -> Term:
        left, right = self._terms(node, 2)
        if left.type != "geometry" or right.type != "geometry":
            raise self._mismatch(node.op.upper(), node, left, right)
        name = RELATIONS[node.op]
        for literal, other, form in (
            (right, left, "{name}({other}, {part})"),
            (left, right, "{name}({part}, {other})"),
        ):
            if literal.literal is not None:
                return _truth(self._against(node.op, name, other, literal.literal, form))
        return _truth(f"{name}({left.sql}, {right.sql})")

    def _against(self, op: str, name: str, other: Term, literal: Any, form: str) -> str:
        """A geometry against a literal, with the index first where it can serve."""
        parts = shapes.parts(literal)
        made = [form.format(name=name, other=other.sql, part=self._wkb(part)) for part in parts]
        if len(made) > 1 and op not in ("s_intersects", "s_disjoint"):
            # PostGIS relates no mixed collections; as a set of points one meets what one of its parts meets.
            raise InvalidFilter(
                "混合维数的几何集合只能用于 S_INTERSECTS 和 S_DISJOINT "
                "(a collection of mixed dimensions can be asked with S_INTERSECTS and S_DISJOINT only)"
            )
        exact = f"({(' or ' if op != 's_disjoint' else ' and ').join(made)})"
        if op == "s_disjoint" or other.column is None:
            return exact
        box = shapes.bounds(literal)
        if other.column.near is not None:
            return f"{other.column.near(box, self.bind)} and {exact}"
        edges = ", ".join(self.bind(edge) for edge in box)
        return f"{other.sql} && st_makeenvelope({edges}, {STORAGE_SRID}) and {exact}"

    def _temporal(self, node: Call) -> Term:
        left, right = self._terms(node, 2)
        intervals = node.op in nodes.TEMPORAL_INTERVALS
        for term in (left, right):
            if term.type not in (("interval",) if intervals else ("interval", *TIMES)):
                raise self._mismatch(node.op.upper(), node, left, right)
        days = all(
            end is None or end.type == "date"
            for term in (left, right)
            for end in (term.ends if term.ends is not None else (term,))
        )
        t1, t2 = (_span(term, days) for term in (left, right))
        related = temporal.RELATIONS[node.op].format(s1=t1[0], e1=t1[1], s2=t2[0], e2=t2[1])
        # An interval of which the database does not know an end is NULL, whichever end is asked about.
        unsure = [
            end.sql
            for term in (left, right)
            for end in term.ends or ()
            if end is not None and end.literal is None
        ]
        if unsure:
            missing = " or ".join(f"{sql} is null" for sql in unsure)
            related = f"case when {missing} then null else {related} end"
        return _truth(related)

    def _sets(self, node: Call) -> Term:
        left, right = self._terms(node, 2)
        # ('a') in text is a value in parentheses: among sets it is a set of one.
        left, right = (
            Term(f"array[{_item(t)}]::{ARRAY_SQL[ARRAYS[t.type]]}", ARRAYS[t.type]) if t.type in ARRAYS and t.literal is not None else t
            for t in (left, right)
        )  # fmt: skip
        for one, other in ((left, right), (right, left)):
            if one.literal == () and other.type in ARRAY_SQL:
                empty = Term(f"array[]::{ARRAY_SQL[other.type]}", other.type)
                left, right = (empty, other) if one is left else (other, empty)
        if left.type != right.type or left.type not in ARRAY_SQL:
            raise self._mismatch(node.op.upper(), node, left, right)
        return _truth(SETS[node.op].format(left.sql, right.sql))


ARRAY_SQL: dict[Type, str] = {"strings": "text[]", "numbers": "float8[]", "times": "timestamptz[]"}
ARITHMETIC = {
    "+": "{a} + {b}",
    "-": "{a} - {b}",
    "*": "{a} * {b}",
    # Nothing is divided by zero, and no root is taken of a negative number: there is no value then.
    "/": "{a} / nullif({b}, 0)",
    "%": "{a} - {b} * trunc({a} / nullif({b}, 0))",
    "div": "trunc({a} / nullif({b}, 0))",
    "^": "case when ({a} < 0 and {b} <> trunc({b})) or ({a} = 0 and {b} < 0) then null else power({a}, {b}) end",
}


def _truth(sql: str) -> Term:
    return Term(f"({sql})", "boolean")


def _count(node: Call, number: int, *, most: int | None = None) -> None:
    if not number <= len(node.args) <= (most or number):
        raise InvalidFilter(
            f"{node.op.upper()} 应有{number}个参数，得到{len(node.args)}个 (wrong number of arguments)",
            node.at,
        )


def _item(term: Term) -> str:
    return temporal.start(term.sql, term.type) if term.type in TIMES else term.sql


def _zoned(term: Term) -> str:
    """A time as the functions take it: with its zone."""
    return temporal.start(term.sql, term.type) if term.type in TIMES else term.sql


def _moment(value: date | datetime | None) -> str:
    """A known time as text that sorts as it does; nothing for one that only the database knows."""
    return "" if value is None else value.isoformat()


def _span(term: Term, days: bool) -> tuple[str, str]:
    """SQL of the start and the end of a time."""
    first, last = term.ends if term.ends is not None else (term, term)
    open_ended = "date" if days else "timestamptz"
    start = (
        f"'-infinity'::{open_ended}"
        if first is None
        else first.sql
        if days
        else temporal.start(first.sql, first.type)
    )
    end = (
        f"'infinity'::{open_ended}"
        if last is None
        else last.sql
        if days
        else temporal.end(last.sql, last.type)
    )
    return start, end


def compile(node: Node, columns: Mapping[str, Column], *, crs: Crs = CRS84, prefix: str = "q") -> Predicate:  # noqa: A001
    """The condition that a filter is. `crs`: in which its geometries are given; `prefix`: of the parameters' names.

    Features for which the condition is NULL do not match, as in SQL.
    Raises InvalidFilter for an unknown property or function, types that do not fit, or a bad geometry.
    """
    compiler = Compiler(columns, crs, prefix)
    sql = compiler.condition(node)
    # A literal that became a code, or a geometry that was taken apart, left a parameter behind.
    used = {name: value for name, value in compiler.values.items() if f"%({name})s" in sql}
    return Predicate(sql, used, frozenset(compiler.fields))
