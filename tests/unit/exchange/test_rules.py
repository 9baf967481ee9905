"""Batches as rows of an import, and cursors that go round the wire unharmed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidInput
from app.exchange import rules
from app.exchange.admission import Pace
from app.exchange.rules import Cursor
from app.registry import intake_import, permit_import

NUMBERS = st.integers(0, 10**18 - 1)
CURSORS = st.one_of(
    st.builds(Cursor, st.just("all"), NUMBERS, st.integers(0, 1), NUMBERS),
    st.builds(Cursor, st.just("log"), NUMBERS, NUMBERS, NUMBERS),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(CURSORS)
def test_a_cursor_comes_back_as_it_went(cursor: Cursor) -> None:
    assert rules.cursor(str(cursor)) == cursor


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda b: b.decode("latin-1")))
def test_any_other_text_is_no_cursor(text: str) -> None:
    try:
        found = rules.cursor(text)
    except InvalidInput as error:
        assert error.facts["field"] == "cursor"
    else:
        assert str(found) == text


@given(CURSORS, st.integers(0, 200), st.characters())
def test_a_cursor_with_another_character_is_refused_or_another_cursor(
    cursor: Cursor, at: int, character: str
) -> None:
    text = str(cursor)
    at %= len(text)
    changed = text[:at] + character + text[at + 1 :]
    try:
        assert (rules.cursor(changed) == cursor) == (changed == text)
    except InvalidInput:
        assert changed != text


@settings(deadline=None)  # the first batch brings pandas in
@given(
    st.lists(
        VALUES | st.dictionaries(st.sampled_from(["code", "name", "lon", "permit_nos", "x"]), VALUES),
        max_size=6,
    )
)
def test_whatever_the_items_are_each_has_rows_and_every_text_is_one(items: list[Any]) -> None:
    batch = rules.batch(intake_import.KIND, items, "CGCS2000")
    assert sorted(batch.rows_of()) == list(range(len(items)))
    assert all(len(rows) == 1 for rows in batch.rows_of().values())
    assert all(
        isinstance(value, str) and "\0" not in value for row in batch.raw.texts.to_numpy() for value in row
    )
    assert all(1 <= issue.row_no <= len(items) for issue in batch.issues)


def test_a_permit_with_limits_is_a_row_for_its_total_and_one_for_each_limit() -> None:
    item = {"permit_no": "D321084S2024-0001", "annual_volume_m3": 10, "daily_m3": 1,
            "limits": [{"period": "05-01/09-30", "annual_m3": 8}, {"period": "10-01/04-30", "annual_m3": 2}]}  # fmt: skip
    batch = rules.batch(permit_import.KIND, [item], "CGCS2000")
    texts = batch.raw.texts
    assert texts["annual_volume_m3"].tolist() == ["10", "8", "2"]
    assert texts["limit_period"].tolist() == ["", "05-01/09-30", "10-01/04-30"]
    assert texts["daily_m3"].tolist() == ["1", "", ""]
    assert (batch.item_of, batch.issues) == ((0, 0, 0), [])


def test_where_a_limit_is_for_all_the_year_it_is_the_total() -> None:
    item = {"permit_no": "D321084S2024-0001", "annual_volume_m3": 10, "limits": [{"annual_m3": 10}, {"period": "x", "annual_m3": 4}]}  # fmt: skip
    assert rules.batch(permit_import.KIND, [item], "CGCS2000").raw.texts["annual_volume_m3"].tolist() == [
        "10",
        "4",
    ]


@pytest.mark.parametrize("limits", ["x", [1], {"period": "x"}, None])
def test_limits_that_are_no_list_of_objects_are_told(limits: Any) -> None:
    batch = rules.batch(permit_import.KIND, [{"permit_no": "D", "limits": limits}], "CGCS2000")
    assert [issue.field for issue in batch.issues] == ["limits"]


def test_whole_degrees_are_exact_in_json_where_a_file_would_have_cut_them() -> None:
    assert rules.batch(intake_import.KIND, [{"lon": 119}], "CGCS2000").raw.texts["lon"].tolist() == ["119.0"]


def test_a_burst_is_let_in_and_then_no_more_than_the_pace() -> None:
    pace = Pace()
    assert [pace.wait_s("a", 3) for _ in range(3)] == [0, 0, 0]
    assert 15 < pace.wait_s("a", 3) <= 20
    assert pace.wait_s("b", 3) == 0
