"""Compiled predicates on PostGIS find just the rows for which a tiny evaluator in Python says true."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.engine import Dsns
from layers.cql2 import Column, parse
from layers.cql2.sql import compile as compiled
from tests.conformance.cql2_evaluator import value

COLUMNS = {
    "s": Column("r.s", "string"), "r": Column("r.r", "string"), "n": Column("r.n", "number"), "i": Column("r.i", "integer"),
    "b": Column("r.b", "boolean"), "d": Column("r.d", "date"), "d2": Column("r.d2", "date"), "t": Column("r.t", "datetime"),
    "t2": Column("r.t2", "datetime"), "g": Column("r.g", "geometry"), "k": Column("r.k", "strings"),
}  # fmt: skip
STRINGS = [
    "",
    "a",
    "A",
    "Straße",
    "STRASSE",
    "Ωmega",
    "ωMEGA",
    "取水口1",
    "取水口2",
    "50%",
    "a_b",
    "İ",
    "ΣΊΣΥΦΟΣ",
    "é",
    "E\u0301",
    None,
]
NUMBERS = [-2.5, -1.0, 0.0, 0.5, 1.0, 2.0, 3.75, 1e9, None]
DAYS = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2), date(2026, 6, 30), None]
MOMENTS = [
    datetime(2025, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 12, tzinfo=UTC),
    datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 6, 30, 8, tzinfo=UTC), None,
]  # fmt: skip
SHAPES = ["POINT(1 1)", "POINT(2 2)", "POINT(5 5)", "LINESTRING(0 0,4 4)", "LINESTRING(0 2,4 2)", "POLYGON((0 0,2 0,2 2,0 2,0 0))",
          "POLYGON((1 1,3 1,3 3,1 3,1 1))", "POLYGON((2 0,4 0,4 2,2 2,2 0))", "MULTIPOINT((1 1),(5 5))",
          "MULTIPOLYGON(((0 0,2 0,2 2,0 2,0 0)),((6 6,7 6,7 7,6 6)))", None]  # fmt: skip
ARRAYS = [[], ["a"], ["a", "b"], ["b", "a", "a"], ["取"], None]


def table() -> list[dict[str, Any]]:
    cycles = [itertools.cycle(one) for one in (STRINGS, STRINGS[5:] + STRINGS[:5], NUMBERS, [1, 2, 3, -7, None], [True, False, None],
              DAYS, DAYS[2:] + DAYS[:2], MOMENTS, MOMENTS[3:] + MOMENTS[:3], SHAPES, ARRAYS)]  # fmt: skip
    return [dict(zip(COLUMNS, (next(one) for one in cycles), strict=True)) for _ in range(97)]


ROWS = table()
AS_SEEN = [{**row, "g": None if row["g"] is None else shapely.from_wkt(row["g"])} for row in ROWS]


@pytest.fixture(scope="module")
def asked(new_database: Callable[[], Dsns]) -> Iterator[Callable[[str], set[int]]]:
    """The numbers of the rows that a filter finds in the database."""
    with psycopg.connect(new_database().admin or "", autocommit=True) as connection:
        connection.execute(
            "create table r (id int, s text, r text, n float8, i int, b boolean, d date, d2 date, t timestamptz, t2 timestamptz, "
            "g geometry(Geometry, 4490), k text[])"
        )
        connection.cursor().executemany(
            f"insert into r values (%s, {'%s, ' * 9} st_setsrid(%s::geometry, 4490), %s)".encode(),
            [(i, *row.values()) for i, row in enumerate(ROWS)],
        )

        def ask(text: str) -> set[int]:
            predicate = compiled(parse(text), COLUMNS)
            found = connection.execute(
                f"select id from r where {predicate.sql}".encode(), predicate.values, prepare=False
            )
            return {row[0] for row in found}

        yield ask


def held(asked: Callable[[str], set[int]], text: str) -> None:
    node = parse(text)
    assert asked(text) == {i for i, row in enumerate(AS_SEEN) if value(node, row) is True}, text


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


strings = st.one_of(
    st.sampled_from(["s", "r"]), st.sampled_from([quoted(one) for one in STRINGS if one is not None])
)
folded = st.one_of(strings, strings.map(lambda one: f"casei({one})"))
leaves = st.one_of(st.sampled_from(["n", "i"]), st.sampled_from(["-2.5", "0", "1", "2", "3.75", "1e9"]))
numbers = st.recursive(leaves, lambda inner: st.builds(lambda a, o, b: f"({a} {o} {b})", inner, st.sampled_from(["+", "-", "*", "/", "%", "div"]), inner), max_leaves=4)  # fmt: skip
signs = st.sampled_from(["=", "<>", "<", ">", "<=", ">="])
days = st.one_of(st.sampled_from(["d", "d2"]), st.sampled_from([f"DATE('{one}')" for one in DAYS if one]))
moments = st.one_of(st.sampled_from(["t", "t2"]), st.sampled_from([f"TIMESTAMP('{one:%Y-%m-%dT%H:%M:%S.%fZ}')" for one in MOMENTS if one]))  # fmt: skip
ends = st.sampled_from(["d", "d2", "t", "'2026-01-01'", "'2026-01-02'", "'2026-01-01T12:00:00Z'"])
intervals = st.one_of(
    st.builds(lambda a: f"INTERVAL({a}, '..')", ends), st.builds(lambda a: f"INTERVAL('..', {a})", ends),
    st.sampled_from(["INTERVAL(d, d2)", "INTERVAL(t, t2)", "INTERVAL('2026-01-01', '2026-01-02')", "INTERVAL('..', '..')"]),
)  # fmt: skip
shapes = st.one_of(
    st.just("g"), st.sampled_from([one for one in SHAPES if one] + ["BBOX(0,0,2,2)", "BBOX(1,1,9,9)"])
)
arrays = st.one_of(st.just("k"), st.sampled_from(["('a','b')", "('a')", "()", "('取','a')"]))
ANY, SPANS = ("t_after", "t_before", "t_disjoint", "t_equals", "t_intersects"), (
    "t_contains", "t_during", "t_finishedby", "t_finishes", "t_meets", "t_metby", "t_overlappedby", "t_overlaps", "t_startedby", "t_starts",
)  # fmt: skip
predicates = st.one_of(
    st.builds(lambda a, o, b: f"{a} {o} {b}", folded, signs, folded),
    st.builds(lambda a, p: f"{a} like {p}", folded, st.sampled_from(["'%'", "'a%'", "'_'", "'50\\%'", "'a\\_b'", "casei('STRASS%')", "'%口_'", "''"])),
    st.builds(lambda a, o, b: f"{a} {o} {b}", numbers, signs, numbers),
    st.builds(lambda a, b, c: f"{a} between {b} and {c}", numbers, numbers, numbers),
    st.builds(lambda a, b: f"{a} in ({', '.join(b)})", st.just("s"), st.lists(st.sampled_from([quoted(one) for one in STRINGS if one]), min_size=1, max_size=4)),
    st.builds(lambda a, b: f"{a} in ({', '.join(b)})", st.sampled_from(["n", "i"]), st.lists(st.sampled_from(["1", "2.0", "-7", "0.5"]), min_size=1, max_size=4)),
    st.builds(lambda a: f"{a} is null", st.one_of(strings, numbers, days, moments, st.sampled_from(["g", "b", "k"]))),
    st.builds(lambda a, o, b: f"{a} {o} {b}", days, signs, days),
    st.builds(lambda a, o, b: f"{a} {o} {b}", moments, signs, moments),
    st.builds(lambda f, a, b: f"{f}({a}, {b})", st.sampled_from(ANY), st.one_of(days, moments, intervals), st.one_of(days, moments, intervals)),
    st.builds(lambda f, a, b: f"{f}({a}, {b})", st.sampled_from(SPANS), intervals, intervals),
    st.builds(lambda f, a, b: f"s_{f}({a}, {b})", st.sampled_from(["intersects", "disjoint", "within", "contains", "touches", "crosses", "overlaps", "equals"]), shapes, shapes),
    st.builds(lambda f, a, b: f"a_{f}({a}, {b})", st.sampled_from(["equals", "contains", "containedby", "overlaps"]), arrays, arrays),
    st.sampled_from(["b", "b = true", "true", "false", "b <> false"]),
)  # fmt: skip
filters = st.recursive(
    predicates,
    lambda inner: st.one_of(
        st.builds(lambda a, b: f"({a} and {b})", inner, inner), st.builds(lambda a, b: f"({a} or {b})", inner, inner), inner.map(lambda a: f"not ({a})")
    ),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters)
def test_every_filter_finds_the_rows_for_which_it_is_true(
    asked: Callable[[str], set[int]], text: str
) -> None:
    held(asked, text)


ALPHABET = st.text(
    st.characters(min_codepoint=1, max_codepoint=0x2FF)
    | st.sampled_from("ΣςσὰῒﬁﬃǰẞßİıкКԱԲᏸꭰＡａ取水か\u3099ガ한Łø"),
    max_size=12,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ALPHABET)
def test_case_folding_is_that_of_unicode(asked: Callable[[str], set[int]], text: str) -> None:
    everything = set(range(len(ROWS)))
    assert asked(f"casei({_literal(text)}) = {_literal(text.casefold())}") == everything


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Côte d''Ivoire", "Cote d''Ivoire"),
        ("København", "Kobenhavn"),
        ("Łódź", "Lodz"),
        ("Đắk Lắk", "Dak Lak"),
        ("ガ", "ガ"),
        ("한국", "한국"),
        ("取水口", "取水口"),
    ],
)
def test_accents_and_strokes_are_folded_and_other_scripts_stay(
    asked: Callable[[str], set[int]], text: str, bare: str
) -> None:
    assert len(asked(f"accenti('{text}') = '{bare}'")) == len(ROWS)
