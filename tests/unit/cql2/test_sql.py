"""A tree becomes SQL of the right types, with every literal a parameter, or is refused."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers import catalog
from layers.cql2 import Column, InvalidFilter, columns_of, parse
from layers.cql2.sql import Predicate
from layers.cql2.sql import compile as compiled
from layers.crs import CGCS2000, EPSG, known
from tests.unit.cql2.test_text import VALUES, WORDS

COLUMNS = {
    "a": Column("t.a", "string"), "b": Column("t.b", "boolean"), "n": Column("t.n", "number"), "i": Column("t.i", "integer"),
    "d": Column("t.d", "date"), "t": Column("t.t", "datetime"), "geometry": Column("t.g", "geometry"), "k": Column("t.k", "strings"),
    "s": Column("(array['x','y'])[t.s + 1]", "string", coded="t.s", codes=("x", "y")),
}  # fmt: skip


def made(text: str) -> Predicate:
    return compiled(parse(text), COLUMNS)


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("a = 'x'", "(t.a = %(q0)s::text)"),
        ("i = 321084.0", "(t.i = %(q0)s)"),
        ("a < 'x'", '(t.a collate "C" < %(q0)s::text)'),
        ("b and not b", "(t.b and (not t.b))"),
        ("n / 2 > 1", "(((t.n)::float8 / nullif((%(q0)s)::float8, 0)) > %(q1)s)"),
        ("s = 'y'", "(t.s = %(q1)s)"),
        ("s in ('y', 'z')", "(t.s = %(q1)s or t.s = %(q3)s)"),
        ("s <> 'x'", "(t.s <> %(q1)s)"),
        ("s like 'x'", "((array['x','y'])[t.s + 1] like %(q0)s::text)"),
        ("casei(a) = 'x'", "(map.casei(t.a) = %(q0)s::text)"),
        ("a_overlaps(k, ('x'))", "(t.k && array[%(q0)s::text]::text[])"),
        ("d is null", "((t.d) is null)"),
        ("t_before(d, DATE('2026-01-01'))", "(t.d < %(q0)s::date)"),
    ],
)
def test_the_sql_of_a_condition(text: str, sql: str) -> None:
    assert made(text).sql == sql


def test_values_are_parameters_and_fields_are_those_named() -> None:
    predicate = made("s = 'y' and a like '%\\%' and i in (1, 2.5)")
    assert predicate.values == {"q1": 1, "q2": "%\\%", "q3": 1, "q4": 2.5}
    assert predicate.fields == {"s", "a", "i"}
    assert made("s = 'nothing of these'").values == {"q1": -1}
    assert compiled(parse("a = 'x'"), COLUMNS, prefix="w").values == {"w0": "x"}


def test_a_spatial_condition_asks_the_index_first() -> None:
    assert made("s_within(geometry, BBOX(1, 2, 3, 4))").sql.startswith("(t.g && st_makeenvelope(")
    assert "&&" not in made("s_disjoint(geometry, BBOX(1, 2, 3, 4))").sql
    near = {"geometry": Column("t.g", "geometry", near=lambda box, bind: f"t.key < {bind(box[2])}")}
    assert compiled(parse("s_intersects(geometry, POINT(1 2))"), near).sql.startswith("(t.key < %(q")


@pytest.mark.parametrize(
    "text",
    [
        "a = 1", "n = 'x'", "b = 1", "d = '2026-01-01'", "i = true", "a", "n", "nothing = 1", "holder = 'x'", "a like 5", "n like 'x'",
        "a between 'x' and 'y'", "n between 1 and 'x'", "a in (1)", "geometry = 1", "casei(n) = 'x'", "a + 1 = 2", "-a = 1", "not n",
        "n and b", "s_within(geometry, 1)", "s_within(a, POINT(1 2))", "t_after(a, DATE('2026-01-01'))", "nofunction(a) = 1", "lower(n) = 'x'",
        "lower(a, a) = 'x'", "length(a)", "t_during(d, INTERVAL('2026-01-01', '..'))", "t_contains(INTERVAL(d, t), t)", "interval(d, t) = d",
        "t_after(t, INTERVAL('2026-02-01', '2026-01-01'))", "t_after(t, INTERVAL(a, '..'))", "a_contains(k, (1, 2))", "a_contains(a, ('x'))",
        "a_contains(k, ('x', 1))", "a_contains(k, (geometry))", "k in ('x')", "a like 'x\\'", "s_intersects(geometry, POINT(90 180))",
        "s_intersects(geometry, POLYGON((0 0, 2 2, 2 0, 0 2, 0 0)))", "s_intersects(geometry, POLYGON((0 0, 1 1, 2 0, 3 3)))",
        "s_intersects(geometry, POLYGON((0 0, 1 0, 1 1, 0 1)))", "s_within(geometry, MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 6))))",
        "s_intersects(geometry, LINESTRING(1 1, 1 1))", "s_intersects(geometry, BBOX(1, 4, 3, 2))",
        "s_within(geometry, GEOMETRYCOLLECTION(POINT(50 50), POLYGON((0 0, 1 0, 1 1, 0 0))))", "and", "a = (1, 2)",
    ],
)  # fmt: skip
def test_types_that_do_not_fit_are_refused(text: str) -> None:
    with pytest.raises(InvalidFilter):
        made(text)


@pytest.mark.parametrize("value", ['{"op":"and","args":[true]}', '{"op":"not","args":[true,true]}', '{"op":"=","args":[1]}', '{"op":"in","args":[1,1]}',
                                   '{"op":"between","args":[1,2]}', '{"op":"like","args":["x",{"property":"a"}]}', '{"op":"isNull","args":[]}'])  # fmt: skip
def test_json_with_the_wrong_arguments_is_refused(value: str) -> None:
    with pytest.raises(InvalidFilter):
        compiled(parse(value, "cql2-json"), COLUMNS)


def test_coordinates_stand_in_the_order_of_the_filters_crs() -> None:
    east_first = made("s_intersects(geometry, POINT(119.5 32.5))")
    lat_first = compiled(parse("s_intersects(geometry, POINT(32.5 119.5))"), COLUMNS, crs=CGCS2000)
    assert east_first.values == lat_first.values
    box = compiled(parse("s_intersects(geometry, BBOX(32, 119, 33, 120))"), COLUMNS, crs=CGCS2000)
    assert box.values == made("s_intersects(geometry, BBOX(119, 32, 120, 33))").values
    zone = known()[f"{EPSG}4549"]  # central meridian 120°E: northing, easting
    found = compiled(
        parse("s_intersects(geometry, BBOX(3500000, 400000, 3600000, 500000))"), COLUMNS, crs=zone
    )
    _, west, south, east, north = found.values.values()
    assert (west, east) == (pytest.approx(118.94, abs=0.02), pytest.approx(120, abs=1e-9))
    assert (south, north) == (pytest.approx(31.6, abs=0.05), pytest.approx(32.5, abs=0.05))
    with pytest.raises(InvalidFilter, match="CRS"):
        compiled(parse("s_intersects(geometry, POINT(119.5 32.5))"), COLUMNS, crs=CGCS2000)


def test_a_filter_sees_only_what_its_audience_may_filter_by() -> None:
    layer = catalog.load()["intakes"]
    assert "holder_name" in columns_of(layer, "officer", alias="v")
    public = columns_of(layer, "public", alias="v")
    assert "holder_name" not in public
    with pytest.raises(InvalidFilter):
        compiled(parse("holder_name = 'x'"), public)


PLACE = re.compile(r"%\((\w+)\)s")


def _compiles_or_refuses(text: str, lang: str) -> None:
    try:
        predicate = compiled(parse(text, lang), COLUMNS)
    except InvalidFilter:
        return
    assert set(PLACE.findall(predicate.sql)) == predicate.values.keys()
    assert "%" not in PLACE.sub("", predicate.sql)
    assert predicate.fields <= COLUMNS.keys()


@settings(max_examples=300, deadline=None)
@given(WORDS.map(" ".join))
def test_any_text_is_a_predicate_or_an_invalid_filter(text: str) -> None:
    _compiles_or_refuses(text, "cql2-text")


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_any_json_is_a_predicate_or_an_invalid_filter(value: object) -> None:
    _compiles_or_refuses(json.dumps(value), "cql2-json")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["POINT({0} {1})", "LINESTRING({0} {1}, {2} {3})", "POLYGON(({0} {1}, {2} {3}, {4} {5}, {0} {1}))",
                     "MULTIPOINT(({0} {1}), ({2} {3}))", "BBOX({0},{1},{2},{3})", "BBOX({0},{1},{2},{3},{4},{5})"]),
    st.lists(st.one_of(st.floats(-200, 200), st.floats(allow_nan=False, allow_infinity=False)), min_size=6, max_size=6),
    st.sampled_from(list(known().values())),
)  # fmt: skip
def test_any_geometry_in_any_crs_is_a_predicate_or_an_invalid_filter(
    form: str, numbers: list[float], crs: object
) -> None:
    try:
        compiled(parse(f"s_intersects(geometry, {form.format(*numbers)})"), COLUMNS, crs=crs)  # type: ignore[arg-type]
    except InvalidFilter:
        return
