"""CQL2 text to a tree, by recursive descent along the grammar of the standard (annex B).

Our own parser, because a filter comes from anybody: nesting is bounded while reading, the time is linear, every
error knows its place, and strings know the escapes of the standard (docs/adr/0020 says what else was tried).
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from layers.cql2 import nodes
from layers.cql2.errors import InvalidFilter
from layers.cql2.nodes import Array, Box, Call, Instant, Interval, Literal, Node, Property, Shape
from layers.cql2.times import instant, instant_or_open

TOKEN = re.compile(
    r"""(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<text>'(?:[^'\\]|''|\\.)*')
      | (?P<quoted>"[^"]*")
      | (?P<name>[^\W\d][\w:.]*|[:_][\w:.]*)
      | (?P<sign><>|<=|>=|[=<>+\-*/%^(),])""",
    re.VERBOSE | re.DOTALL,
)
SPACE = re.compile(r"[\s\u0085]*")
CONTROLS = {"a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}
SHAPES = {
    "POINT": "Point", "LINESTRING": "LineString", "POLYGON": "Polygon", "MULTIPOINT": "MultiPoint",
    "MULTILINESTRING": "MultiLineString", "MULTIPOLYGON": "MultiPolygon", "GEOMETRYCOLLECTION": "GeometryCollection",
}  # fmt: skip
LEVELS = {"Point": 0, "LineString": 1, "MultiPoint": 1, "Polygon": 2, "MultiLineString": 2, "MultiPolygon": 3}
"""How deep a kind's positions are nested."""
RESERVED = {"AND", "OR", "NOT", "LIKE", "BETWEEN", "IN", "IS", "NULL", "DIV"}


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        """In upper case if it can be a keyword; a name in double quotes is none."""
        return self.text.upper() if self.kind == "name" else ""


def parse_text(text: str) -> Node:
    """Raises InvalidFilter."""
    if len(text) > nodes.MAX_TEXT:
        raise nodes.too_complex(f"超过{nodes.MAX_TEXT}个字符", f"more than {nodes.MAX_TEXT} characters")
    parser = _Parser(_tokens(text))
    node = parser.expression()
    if parser.now.kind != "end":
        parser.refuse("AND、OR 或结尾", "AND, OR or the end")
    return nodes.within_limits(node)


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    place = SPACE.match(text).end()  # type: ignore[union-attr]  # matches the empty string
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None:
            what = "未结束的文本 (a string that does not end)" if text[place] in "'\"" else f"{text[place]!r}"
            raise InvalidFilter(f"过滤条件含不认识的内容 (not understood): {what}", place + 1)
        found.append(Token(str(match.lastgroup), match.group(), place + 1))
        place = SPACE.match(text, match.end()).end()  # type: ignore[union-attr]
    found.append(Token("end", "", len(text) + 1))
    return found


def _unescaped(text: str, at: int, *, pattern: bool = False) -> str:
    """The characters that a literal means. In a pattern, backslashes that are none of the literal's stay."""

    def one(match: re.Match[str]) -> str:
        escaped = match.group(1)
        if escaped is None or escaped == "'":
            return "'"
        if escaped in CONTROLS:
            return CONTROLS[escaped]
        return match.group() if pattern else str(escaped)

    found = re.sub(r"''|\\(.)", one, text[1:-1], flags=re.DOTALL)
    if "\x00" in found:
        raise InvalidFilter("文本不能含空字符 (a string may not hold NUL)", at)
    return found


class _Parser:
    """Reads tokens from left to right; each method reads one rule of the grammar."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._next, self._depth = tokens, 0, 0

    @property
    def now(self) -> Token:
        return self._tokens[self._next]

    def refuse(self, zh: str, en: str) -> NoReturn:
        token = self.now
        got = "结尾 (the end)" if token.kind == "end" else repr(token.text[:40])
        raise InvalidFilter(f"此处应为{zh}，得到 {got} (expected {en})", token.at)

    def take(self) -> Token:
        token = self.now
        self._next += 1
        return token

    def takes(self, *texts: str) -> Token | None:
        """The token if it is one of these signs or keywords."""
        token = self.now
        if token.kind != "end" and (token.text if token.kind == "sign" else token.word) in texts:
            return self.take()
        return None

    def must(self, sign: str) -> Token:
        token = self.takes(sign)
        if token is None:
            self.refuse(f" {sign} ", sign)
        return token

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > nodes.MAX_DEPTH:
            raise nodes.too_complex(
                f"嵌套超过{nodes.MAX_DEPTH}层", f"nested deeper than {nodes.MAX_DEPTH}", self.now.at
            )

    def _deeper(self, read: Callable[[], Node]) -> Node:
        self._enter()
        found = read()
        self._depth -= 1
        return found

    # ── boolean expressions and predicates ───────────────────────────────────────────────────────

    def expression(self) -> Node:
        return self._deeper(lambda: self._joined("OR", lambda: self._joined("AND", self._factor)))

    def _joined(self, word: str, read: Callable[[], Node]) -> Node:
        first = read()
        parts, at = [first], self.now.at
        while self.takes(word):
            parts.append(read())
        return first if len(parts) == 1 else Call(word.lower(), tuple(parts), at)

    def _factor(self) -> Node:
        if token := self.takes("NOT"):
            return Call("not", (self._deeper(self._factor),), token.at)
        return self._predicate()

    def _predicate(self) -> Node:
        left = self._sum()
        if sign := self.takes(*nodes.COMPARISONS):
            return Call(sign.text, (left, self._sum()), sign.at)
        if token := self.takes("IS"):
            negated = self.takes("NOT") is not None
            if not self.takes("NULL"):
                self.refuse(" NULL ", "NULL")
            return _negated(Call("isnull", (left,), token.at), negated)
        negation = self.takes("NOT")
        if token := self.takes("LIKE"):
            return _negated(Call("like", (left, self._pattern()), token.at), negation is not None)
        if token := self.takes("BETWEEN"):
            low = self._sum()
            if not self.takes("AND"):
                self.refuse(" AND ", "AND")
            return _negated(Call("between", (left, low, self._sum()), token.at), negation is not None)
        if token := self.takes("IN"):
            self.must("(")
            if self.now.text == ")":
                self.refuse("至少一个值", "at least one value")
            items = Array(tuple(self._list(self._sum)), token.at)
            return _negated(Call("in", (left, items), token.at), negation is not None)
        if negation:
            self.refuse(" LIKE、BETWEEN 或 IN ", "LIKE, BETWEEN or IN")
        return left

    def _pattern(self) -> Node:
        token = self.now
        if token.word in ("CASEI", "ACCENTI"):
            self.take()
            self.must("(")
            inner = self._deeper(self._pattern)
            self.must(")")
            return Call(token.text.lower(), (inner,), token.at)
        if token.kind != "text":
            self.refuse("文本模式", "a pattern, which is a string")
        self.take()
        return Literal(_unescaped(token.text, token.at, pattern=True), token.at)

    # ── arithmetic ────────────────────────────────────────────────────────────────────────────────

    def _sum(self) -> Node:
        return self._chain(self._product, "+", "-")

    def _product(self) -> Node:
        return self._chain(self._power, "*", "/", "%", "DIV")

    def _chain(self, read: Callable[[], Node], *signs: str) -> Node:
        left = read()
        while sign := self.takes(*signs):
            left = Call(sign.text.lower(), (left, read()), sign.at)
        return left

    def _power(self) -> Node:
        base = self._signed()
        if sign := self.takes("^"):
            return Call("^", (base, self._signed()), sign.at)
        return base

    def _signed(self) -> Node:
        sign = self.takes("-", "+")
        if sign is None:
            return self._primary()
        if self.now.kind == "number":
            return Literal(self._number(negative=sign.text == "-"), sign.at)
        if sign.text == "+":
            self.refuse("数字", "a number")
        return Call("*", (Literal(-1, sign.at), self._deeper(self._signed)), sign.at)

    # ── operands ──────────────────────────────────────────────────────────────────────────────────

    def _primary(self) -> Node:
        token = self.now
        if token.kind == "number":
            return Literal(self._number(), token.at)
        if token.kind == "text":
            self.take()
            return Literal(_unescaped(token.text, token.at), token.at)
        if token.kind == "quoted":
            self.take()
            return Property(token.text[1:-1], token.at)
        if token.kind == "name" and token.word not in RESERVED:
            return self._named()
        if self.takes("("):
            return self._parenthesised(token)
        return self.refuse("属性、文本、数字、函数或左括号", "a property, literal, function or parenthesis")

    def _number(self, *, negative: bool = False) -> int | float:
        token = self.now
        if token.kind != "number":
            self.refuse("数字", "a number")
        self.take()
        if token.text.isdigit():
            whole = int(token.text) if len(token.text) < 40 else math.inf
            value: int | float = -whole if negative else whole
        else:
            value = -float(token.text) if negative else float(token.text)
        if not math.isfinite(value):
            raise InvalidFilter(f"数字过大 (this number is too large): {token.text[:40]}", token.at)
        return value

    def _parenthesised(self, opening: Token) -> Node:
        """An expression in parentheses, or an array: (), (a, b)."""
        items = self._list(self.expression)
        return items[0] if len(items) == 1 else Array(tuple(items), opening.at)

    def _list(self, read: Callable[[], Node]) -> list[Node]:
        """Up to the closing parenthesis."""
        found: list[Node] = []
        if self.takes(")"):
            return found
        found.append(read())
        while self.takes(","):
            found.append(read())
        self.must(")")
        return found

    def _named(self) -> Node:
        token = self.take()
        word = token.word
        if word in ("TRUE", "FALSE"):
            return Literal(word == "TRUE", token.at)
        if word.removesuffix("Z") in SHAPES and (self.now.text == "(" or self.now.word in ("Z", "EMPTY")):
            return self._shape(SHAPES[word.removesuffix("Z")], token)
        if self.now.text != "(" or self.now.kind != "sign":
            return Property(token.text, token.at)
        self.must("(")
        if word in ("DATE", "TIMESTAMP"):
            return self._instant(token)
        if word == "INTERVAL":
            return self._interval(token)
        if word == "BBOX":
            edges = [self._coordinate()]
            while self.takes(","):
                edges.append(self._coordinate())
            self.must(")")
            return box(edges, token.at)
        self._enter()
        args = self._list(self.expression)
        self._depth -= 1
        return Call(token.text.lower(), tuple(args), token.at)

    # ── times ─────────────────────────────────────────────────────────────────────────────────────

    def _instant(self, name: Token) -> Instant:
        token = self.now
        if token.kind != "text":
            self.refuse("时间文本", "a time as a string")
        self.take()
        self.must(")")
        return instant(name.text.lower(), _unescaped(token.text, token.at), token.at)

    def _interval(self, name: Token) -> Interval:
        start = self._end()
        self.must(",")
        end = self._end()
        self.must(")")
        return Interval(start, end, name.at)

    def _end(self) -> Node | None:
        token = self.now
        if token.kind == "text":
            self.take()
            return instant_or_open(_unescaped(token.text, token.at), token.at)
        if token.kind in ("name", "quoted"):
            return self._deeper(self._primary)
        return self.refuse("时间、'..' 或属性", "a time, '..' or a property")

    # ── geometries ────────────────────────────────────────────────────────────────────────────────

    def _shape(self, kind: str, name: Token) -> Shape:
        self.takes("Z")
        if kind == "GeometryCollection":
            self.must("(")
            members = self._list(self._member)
            return Shape(kind, members=tuple(members), at=name.at)  # type: ignore[arg-type]  # _member reads shapes
        if self.now.text != "(":
            self.refuse("左括号", "(; empty geometries are not supported")
        if LEVELS[kind] == 0:
            self.must("(")
            position = self._position()
            self.must(")")
            return Shape(kind, position, at=name.at)
        return Shape(kind, self._nested(LEVELS[kind], bracketed=kind == "MultiPoint"), at=name.at)

    def _member(self) -> Node:
        token = self.now
        word = token.word.removesuffix("Z")
        if word not in SHAPES or word == "GEOMETRYCOLLECTION":
            self.refuse("几何(不含集合)", "a geometry that is no collection")
        self.take()
        return self._shape(SHAPES[word], token)

    def _nested(self, level: int, *, bracketed: bool = False) -> tuple:  # type: ignore[type-arg]
        """Positions in parentheses, nested `level` deep; those of a MULTIPOINT stand in parentheses themselves."""
        self.must("(")
        found = [self._part(level, bracketed)]
        while self.takes(","):
            found.append(self._part(level, bracketed))
        self.must(")")
        return tuple(found)

    def _part(self, level: int, bracketed: bool) -> tuple:  # type: ignore[type-arg]
        if level > 1:
            return self._nested(level - 1)
        if bracketed and self.takes("("):
            position = self._position()
            self.must(")")
            return position
        return self._position()

    def _position(self) -> tuple[float, ...]:
        found = [self._coordinate(), self._coordinate()]
        if self.now.kind == "number" or self.now.text in ("-", "+"):
            found.append(self._coordinate())
        return tuple(found)

    def _coordinate(self) -> float:
        sign = self.takes("-", "+")
        return float(self._number(negative=sign is not None and sign.text == "-"))


def box(edges: list[float], at: int | None) -> Box:
    """Raises InvalidFilter unless it is 4 or 6 numbers."""
    if len(edges) not in (4, 6):
        raise InvalidFilter("BBOX 应有4或6个数字 (a BBOX has 4 or 6 numbers)", at)
    return Box(tuple(edges), at)


def _negated(node: Node, negated: bool) -> Node:
    return Call("not", (node,), node.at) if negated else node
