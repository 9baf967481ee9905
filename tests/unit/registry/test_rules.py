"""Permit numbers, credit codes, volumes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.imports.values import BadValue
from app.registry import rules

LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.mark.parametrize(
    ("text", "number", "repaired"),
    [
        ("B640104G2023-0037", "B640104G2023-0037", False),
        (" c440114s2020－0005 ", "C440114S2020-0005", False),
        ("C15030362021-0093", "C150303G2021-0093", True),
        ("取水（国长）字〔2015〕第01001号", "取水(国长)字[2015]第01001号", False),
    ],
)
def test_permit_numbers(text: str, number: str, repaired: bool) -> None:
    assert rules.permit_number(text) == (number, repaired)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("取水（扬）申字〔2020〕第12号", "application_number"), ("12345", "bad_permit_number")],
)
def test_what_is_no_permit_number(text: str, reason: str) -> None:
    with pytest.raises(BadValue) as caught:
        rules.permit_number(text)
    assert caught.value.reason == reason


@given(
    st.sampled_from("ABCD"),
    st.integers(110000, 659999),
    st.sampled_from("SG"),
    st.integers(1990, 2030),
    st.integers(1, 99999),
)
def test_every_number_of_the_form_is_kept(
    level: str, region: int, source: str, year: int, serial: int
) -> None:
    number = f"{level}{region}{source}{year}-{serial:04d}"
    assert rules.permit_number(number) == (number, False)


@given(st.integers(0, 17), st.sampled_from(LETTERS))
def test_one_wrong_character_is_noticed(at: int, wrong: str) -> None:
    good = "91350100M000100Y43"  # the example of GB 32100-2015
    assert rules.credit_code(good) == good
    changed = good[:at] + wrong + good[at + 1 :]
    if changed == good:
        return
    with pytest.raises(BadValue):
        rules.credit_code(changed)


@pytest.mark.parametrize(
    ("annual", "daily", "flow", "reason"),
    [
        (365_000.0, 1_000.0, None, None),
        (1e9, 1_000.0, None, "volume_exceeds_daily"),
        (1e9, None, 0.1, "volume_exceeds_flow"),
        (5e10, None, None, "volume_impossible"),
        (None, 1.0, 1.0, None),
    ],
)
def test_volumes_that_contradict_each_other(
    annual: float | None, daily: float | None, flow: float | None, reason: str | None
) -> None:
    found = rules.volume_problem(annual, daily, flow)
    assert (found.reason if found else None) == reason
