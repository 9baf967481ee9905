"""CQL2 text and JSON become one tree, and whatever is none is refused with its place."""

import json
from datetime import UTC, date, datetime

import cql2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.cql2 import InvalidFilter, conjuncts, nodes, parse
from layers.cql2.nodes import Array, Box, Call, Instant, Interval, Literal, Property, Shape
from layers.cql2.objects import to_json

FILTERS = [
    "a = 1", "a<>-1.5e3", "a = 'x''y'", 'not "a b" = 2 or c < 3 and d > 4', "(a = 1 or b = 2) and c = 3", "true",
    "a like 'x%'", "a not like '_x'", "casei(a) like CASEI('Ä%')", "accenti(casei(a)) = accenti(casei('É'))",
    "a between 1 and 2 and b = 3", "a not between b and c + 1", "a in (1, 2, 3)", "a not in ('x')", "a is null", "a is not null",
    "a + 2 * b ^ 2 - c / 4 = d % 5", "a div 2 = (b + 1) * 3", "-a = 3", "年取水量 > 1e6", "a.b:c = 1",
    "S_INTERSECTS(geometry, POINT(1 2))", "s_within(geometry, POLYGON((0 0, 1 0, 1 1, 0 0), (0.2 0.1, 0.3 0.1, 0.3 0.2, 0.2 0.1)))",
    "s_disjoint(g, MULTIPOINT((1 2), (3 4)))", "s_crosses(g, LINESTRING(1 2, 3 4))", "s_touches(g, BBOX(1, 2, 3, 4))",
    "s_equals(g, MULTILINESTRING((1 2, 3 4), (5 6, 7 8)))", "s_overlaps(g, MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0))))",
    "t_after(t, TIMESTAMP('2026-01-31T08:00:00Z'))", "t_before(t, DATE('2026-01-31'))",
    "t_during(INTERVAL(a, b), INTERVAL('2026-01-01', '..'))", "a_contains(a, ('x', 'y'))", "year(t) = 2026",
]  # fmt: skip


@pytest.mark.parametrize("text", FILTERS)
def test_text_means_what_another_implementation_reads_in_it(text: str) -> None:
    theirs = json.dumps(cql2.parse_text(text).to_json())
    assert parse(text) == parse(theirs, "cql2-json")


@pytest.mark.parametrize("text", FILTERS)
def test_a_tree_written_as_json_is_valid_and_read_back_the_same(text: str) -> None:
    node = parse(text)
    written = json.dumps(to_json(node))
    assert parse(written, "cql2-json") == node
    cql2.parse_json(written).validate()


def test_literals_are_what_they_say() -> None:
    assert parse("a >= .5").args[1] == Literal(0.5)  # type: ignore[union-attr]
    assert parse("a = 9007199254740993").args[1] == Literal(9007199254740993)  # type: ignore[union-attr]
    assert parse("DATE('2026-01-31') = d") == Call("=", (Instant(date(2026, 1, 31)), Property("d")))
    moment = datetime(2026, 1, 31, 0, 30, tzinfo=UTC)
    assert parse("t = TIMESTAMP('2026-01-31T08:30:00+08:00')").args[1] == Instant(moment)  # type: ignore[union-attr]
    assert parse("t_after(t, interval('..', d))").args[1] == Interval(None, Property("d"))  # type: ignore[union-attr]
    assert parse("s_within(g, bbox(1,2,3,4,5,6))").args[1] == Box((1.0, 2.0, 3.0, 4.0, 5.0, 6.0))  # type: ignore[union-attr]
    collection = parse("s_intersects(g, GEOMETRYCOLLECTION(POINT(1 2), LINESTRING Z (1 2 3, 4 5 6)))").args[1]  # type: ignore[union-attr]
    assert collection == Shape(
        "GeometryCollection",
        members=(Shape("Point", (1.0, 2.0)), Shape("LineString", ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))),
    )
    assert parse("a_equals(a, ())").args[1] == Array(())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("'a''b'", "a'b"),
        (r"'a\'b'", "a'b"),
        (r"'\t\n\a\b\v\f\r'", "\t\n\a\b\v\f\r"),
        (r"'a\\b'", "a\\b"),
        ("'水\n口'", "水\n口"),
    ],
)
def test_escapes_in_strings_are_those_of_the_standard(text: str, meant: str) -> None:
    assert parse(f"a = {text}") == Call("=", (Property("a"), Literal(meant)))


def test_the_z_of_a_geometry_stands_beside_its_name_or_apart() -> None:
    assert parse("s_within(g, POINTZ(1 2 3))") == parse("s_within(g, POINT Z (1 2 3))")
    several = "s_within(g, GEOMETRYCOLLECTION{0}(POINT{0}(1 2 3), LINESTRING{0}(1 2 3, 4 5 6)))"
    assert parse(several.format("Z")) == parse(several.format(" z"))


def test_a_pattern_keeps_its_own_escapes() -> None:
    assert parse(r"a like '100\%\_\\\''").args[1] == Literal(r"100\%\_\\'")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("", 1), ("a =", 4), ("a = 'x", 5), ("a == 1", 4), ("a = 1 b", 7), ("(a = 1", 7), ("a = 1)", 6), ("a in 1", 6), ("a in ()", 7), ("a not in ()", 11), ("a like b", 8),
        ("a between 1 or 2", 13), ("a is 1", 6), ("a not 1", 7), ("and", 1), ("a = null", 5), ("s_within(g, POINT(1))", 20),
        ("s_within(g, POLYGON EMPTY)", 21), ("t = DATE('2026-02-30')", 10), ("t = TIMESTAMP('2026-02-03')", 15), ("t = DATE(2026)", 10),
        ("t_after(t, interval('x', '..'))", 21), ("a = 1e999", 5), ("a ; b", 3), ("a = ￿", 5), ("s_within(g, bbox(1,2,3))", 13),
        ("s_within(g, GEOMETRYCOLLECTION(GEOMETRYCOLLECTION(POINT(1 1))))", 32), ("a = 'x\x00'", 5),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused_at_its_place(text: str, at: int) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse(text)
    assert caught.value.at == at
    assert f"第{at}个字符" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "null", '{"op": "="}', '{"op": 1, "args": []}', '{"op": "=", "args": [{"property": 1}, 1]}', '{"x": 1}',
        '{"op": "=", "args": [{"property": "a"}, null]}', '{"type": "Point", "coordinates": [1]}', '{"type": "Polygon", "coordinates": [1, 2]}',
        '{"type": "Point", "coordinates": [1, "2"]}', '{"type": "GeometryCollection", "geometries": []}', '{"type": "Curve", "coordinates": [1, 2]}',
        '{"date": "2026-02-30"}', '{"interval": ["2026-01-01"]}', '{"interval": [1, 2]}', '{"bbox": [1, 2, 3]}', '"\\u0000"', '{"type": {"a": 1}}',
    ],
)  # fmt: skip
def test_what_is_no_json_filter_is_refused(text: str) -> None:
    with pytest.raises(InvalidFilter):
        parse(text, "cql2-json")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(InvalidFilter, match="cql2-text"):
        parse("a = 1", "ecql")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3_000, "(" * 3_000 + "a" + ")" * 3_000, "not " * 4_000 + "a", "-" * 9_000 + "a", "f(" * 5_000, "casei(" * 3_000,
        "((((((((((((((((((((((a=", "s_intersects(g, POLYGON" + "(" * 5_000, "a = 1" + " and a = 1" * 1_900, "a = '" + "x" * 20_000 + "'",
        "a in (" + "1," * 9_000 + "1)", "s_within(g, LINESTRING(" + "1 1," * 4_980 + "1 1))", "a like " + "casei(" * 3_000,
        "interval(" * 2_000, "{" * 20_000, "[" * 20_000, '{"op":"not","args":[' * 900,
    ],
)  # fmt: skip
def test_hostile_filters_are_refused(text: str) -> None:
    for lang in ("cql2-text", "cql2-json"):
        with pytest.raises(InvalidFilter):
            parse(text, lang)


def test_nesting_and_size_up_to_the_limits_are_read() -> None:
    depth = nodes.MAX_DEPTH - 1
    assert parse("(" * depth + "a = 1" + ")" * depth) == parse("a = 1")
    assert len(conjuncts(parse(" and ".join(["a = 1"] * 300)))) == 300


WORDS = st.lists(
    st.sampled_from(
        ["a", "b", "'x'", "1", "-2.5", "(", ")", ",", "=", "<>", "<", "AND", "OR", "NOT", "LIKE", "BETWEEN", "IN", "IS", "NULL", "+", "-",
         "*", "/", "^", "div", "casei(", "accenti(", "s_intersects(", "POINT(1 2)", "POLYGON((0 0,1 0,1 1,0 0))", "BBOX(0,0,1,1)", "geometry",
         "t_after(", "INTERVAL('..','2026-01-01')", "DATE('2026-01-01')", "a_contains(", "true", "''", '"', "'", "\\", "水", "Z", "EMPTY"]
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.one_of(WORDS.map(" ".join), WORDS.map("".join), st.text(max_size=60)))
def test_any_text_is_a_tree_or_an_invalid_filter(text: str) -> None:
    try:
        node = parse(text)
    except InvalidFilter:
        return
    assert parse(json.dumps(to_json(node)), "cql2-json") == node


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["op", "args", "property", "type", "coordinates", "date", "interval", "bbox", "geometries"]), inner, max_size=3),
        st.builds(lambda op, args: {"op": op, "args": args}, st.sampled_from(["=", "and", "not", "in", "like", "s_within", "casei", "+"]), st.lists(inner, max_size=3)),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_any_json_is_a_tree_or_an_invalid_filter(value: object) -> None:
    try:
        node = parse(json.dumps(value), "cql2-json")
    except InvalidFilter:
        return
    assert parse(json.dumps(to_json(node)), "cql2-json") == node
