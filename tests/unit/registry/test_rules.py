"""Credit codes, volumes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.imports.values import BadValue
from app.registry import rules

LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


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
