"""What decisions need, what outcomes follow from links, how two records compare."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Conflict, InvalidInput
from app.linkage import rules


@pytest.mark.parametrize(
    ("partners", "outcome"),
    [([], "pending"), ([1], "one_to_one"), ([3], "n_to_one"), ([1, 1], "one_to_n"), ([2, 1], "one_to_n")],
)
def test_an_outcome_follows_from_the_links(partners: list[int], outcome: str) -> None:
    assert rules.outcome_of(partners) == outcome


@given(st.lists(st.integers(1, 9), max_size=5))
def test_only_an_entry_without_links_is_pending(partners: list[int]) -> None:
    assert (rules.outcome_of(partners) == "pending") == (not partners)


def test_a_decision_that_does_not_fit_its_subject_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="证照取水口"):
        rules.check("register", of_intake=True, ground=None, targets=0)
    with pytest.raises(Conflict, match="只适用于取水口"):
        rules.check("exempt", of_intake=False, ground="household", targets=0)


@pytest.mark.parametrize(
    ("action", "ground", "targets"),
    [
        ("exempt", None, 0),
        ("accept", "household", 0),
        ("reassign", None, 0),
        ("reassign", None, 2),
        ("split", None, 1),
    ],
)
def test_a_decision_that_lacks_something_says_what(
    action: rules.Action, ground: str | None, targets: int
) -> None:
    with pytest.raises(InvalidInput):
        rules.check(action, of_intake=True, ground=ground, targets=targets)


@pytest.mark.parametrize(
    ("left", "right", "agreement"),
    [
        ({"name": "李庄取水口"}, {"name": "李庄取水口"}, "same"),
        ({"name": "李庄 取水口"}, {"name": "李庄-取水口"}, "same"),
        ({"name": "李庄取水口"}, {"name": "李庄"}, "near"),
        ({"name": "李庄取水口"}, {"name": "王庄取水口"}, "differs"),
        ({"name": ""}, {"name": "王庄"}, "missing"),
    ],
)
def test_names_compare_without_marks(left: dict[str, str], right: dict[str, str], agreement: str) -> None:
    assert rules.compare(left, right)[0].agreement == agreement


def test_volumes_are_near_within_a_tenth_and_codes_only_equal_or_not() -> None:
    found = {one.field: one.agreement for one in rules.compare(
        {"annual_m3": 10_000.0, "source_type": "groundwater", "uscc": "A", "purpose": "other"},
        {"annual_m3": 10_900.0, "source_type": "surface_water", "uscc": "AB", "purpose": "industry"},
    )}  # fmt: skip
    assert found["annual_m3"] == "near" and found["source_type"] == "differs"
    assert found["uscc"] == "differs" and found["purpose"] == "missing"


@given(st.text(max_size=12), st.text(max_size=12))
def test_agreement_does_not_depend_on_the_side(a: str, b: str) -> None:
    one, other = rules.compare({"name": a}, {"name": b})[0], rules.compare({"name": b}, {"name": a})[0]
    assert one.agreement == other.agreement
