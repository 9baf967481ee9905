"""Texts of a file as values."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.imports import values
from app.imports.values import M3_PER_UNIT, BadValue


@pytest.mark.parametrize(
    ("text", "unit", "m3"),
    [
        ("12.5", "万m3", 125_000.0),
        ("12.5万m³", "m3", 125_000.0),
        ("1,200", "m3", 1_200.0),
        ("0.3亿m3", "m3", 3e7),
        ("2", "acre-foot", 2466.96367515),
    ],
)
def test_quantities(text: str, unit: str, m3: float) -> None:
    assert values.quantity(text, unit, M3_PER_UNIT) == pytest.approx(m3)


@pytest.mark.parametrize("text", ["-3", "abc", "1.2.3", "1e999", "12斤"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(BadValue):
        values.quantity(text, "m3", M3_PER_UNIT)


@given(
    st.dates(date(1950, 1, 1), date(2100, 1, 1)),
    st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日"]),
)
def test_days_in_every_form(day: date, form: str) -> None:
    assert values.day(day.strftime(form)) == day


def test_a_spreadsheets_day_number() -> None:
    assert values.day("45292") == date(2024, 1, 1)


@pytest.mark.parametrize(("text", "reason"), [("2023-02-29", "impossible_date"), ("昨天", "not_a_date")])
def test_what_is_no_day(text: str, reason: str) -> None:
    with pytest.raises(BadValue) as caught:
        values.day(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "code"), [("321084", 321084), ("321084000000", 321084), ("321084.0", 321084)]
)
def test_region_codes(text: str, code: int) -> None:
    assert values.region_code(text) == code


@pytest.mark.parametrize("text", ["３２１０８４", "  —  ", "N/A"])
def test_cleaning(text: str) -> None:
    assert values.clean(text) in ("321084", "")
