"""A column read as a whole says the same as its texts read one by one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.imports import columns, values
from app.imports.angles import AngleError, parse_angle
from app.imports.columns import Reader
from app.imports.values import BadValue

DECIMALS = st.one_of(
    st.from_regex(r"\A-?\d{1,4}\.\d{1,12}\Z"),
    st.from_regex(r"\A\d{1,12}(\.\d{1,6})?\Z"),
    st.floats(0, 1e9).map(str),
    st.text(alphabet="0123456789.-+e,°′″ NESW万m3", max_size=14),
)


def angle(text: str) -> tuple[float, None]:
    return parse_angle(text, 180.0), None


def quantity(text: str) -> tuple[float | None, None]:
    plain = values.clean(text)
    return (values.quantity(plain, "万m3", values.M3_PER_UNIT) if plain else None), None


@pytest.mark.parametrize(("form", "parse", "factor"), [("lon", angle, 1.0), ("volume", quantity, 1e4)])
@given(texts=st.lists(DECIMALS, max_size=30))
def test_plain_decimals_read_together_are_what_the_parser_makes_of_each(form, parse, factor, texts) -> None:
    column = Reader(form, parse, factor, False).column(texts)
    refused = {i for i, _, rejected in column.odd if rejected}
    for i, text in enumerate(texts):
        try:
            value, _ = parse(text)
        except (BadValue, AngleError):
            assert i in refused and math.isnan(column.values[i])
            continue
        assert i not in refused
        if value is None:
            assert column.missing[i]
        else:
            assert column.values[i] == pytest.approx(value, rel=1e-15)


def test_each_row_of_a_repeated_odd_text_is_told() -> None:
    column = Reader("day", lambda text: (values.day(text), None), None, False).column(
        ["2024-04-22", "x", "2024-04-22", "x"]
    )
    assert [i for i, _, _ in column.odd] == [1, 3]
    assert column.missing.tolist() == [False, True, False, True]


def test_numbers_of_a_mapping_with_spellings_of_its_own_all_go_through_the_parser() -> None:
    spelt = {"1": 5.0}
    column = Reader("number", lambda text: (spelt.get(text, float(text)), None), None, False).column(
        ["1", "2"]
    )
    assert column.values.tolist() == [5.0, 2.0]


def test_a_default_that_is_a_list_stays_a_list_in_each_row() -> None:
    assert columns.constant("list", [], 2).tolist() == [[], []]
