"""Who reviews what, in which order: 谁审批、谁负责, then up to the basin."""

from datetime import date
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.actor import Jurisdiction
from app.errors import Conflict, NotAllowed
from app.review import rules
from app.review.rules import STAGES, Action, Reviewer, Stage, State

GAOYOU, PUDONG, JIYUAN = 321084, 310115, 419001
counties = st.sampled_from((GAOYOU, 321023, PUDONG, 500112, JIYUAN, 429004, 659001, 469005, 640104))
stages = st.sampled_from(STAGES)


@pytest.mark.parametrize(
    ("level", "permit_county", "county", "first"),
    [
        ("county", GAOYOU, GAOYOU, Reviewer("county", GAOYOU)),
        ("prefecture", GAOYOU, GAOYOU, Reviewer("prefecture", 321000)),
        ("province", GAOYOU, GAOYOU, Reviewer("province", 320000)),
        ("basin", GAOYOU, GAOYOU, Reviewer("basin", 3)),
        # Who issued it is not always whose territory it is.
        ("county", 321023, GAOYOU, Reviewer("county", 321023)),
        # Without a permit, the county where it lies.
        (None, None, GAOYOU, Reviewer("county", GAOYOU)),
        # An unknown issuer counts as the county.
        (None, GAOYOU, GAOYOU, Reviewer("county", GAOYOU)),
        # Where there is no prefecture, the next above.
        ("prefecture", PUDONG, PUDONG, Reviewer("province", 310000)),
        ("prefecture", JIYUAN, JIYUAN, Reviewer("province", 410000)),
    ],
)
def test_the_first_reviewer_is_the_permits_issuer(
    level: str | None, permit_county: int | None, county: int, first: Reviewer
) -> None:
    assert rules.first_reviewer(level, permit_county, county, 3) == first


@pytest.mark.parametrize(
    ("first", "county", "way"),
    [
        ("county", GAOYOU, ("county", "prefecture", "province", "basin")),
        ("prefecture", GAOYOU, ("prefecture", "province", "basin")),
        ("province", GAOYOU, ("province", "basin")),
        ("basin", GAOYOU, ("basin",)),
        ("county", PUDONG, ("county", "province", "basin")),
        ("county", JIYUAN, ("county", "province", "basin")),
    ],
)
def test_the_way_of_a_batch(first: Stage, county: int, way: tuple[Stage, ...]) -> None:
    assert rules.path(first, county) == way


@given(stages, counties)
def test_every_way_rises_and_ends_at_the_basin(first: Stage, county: int) -> None:
    way, stage, walked = rules.path(first, county), first, [first]
    while (following := rules.stage_after(first, stage, county)) is not None:
        stage = following
        walked.append(stage)
    assert tuple(walked) == way and stage == "basin"
    assert [STAGES.index(one) for one in way] == sorted({STAGES.index(one) for one in way})


@given(stages, counties, st.integers(1, 7))
def test_at_every_stage_just_one_authority_decides(stage: Stage, county: int, basin: int) -> None:
    reviewer = Reviewer(stage, rules.place_of(stage, county, basin))
    text = str(county)
    everybody = [Jurisdiction.of_region(text), Jurisdiction.nation()]
    everybody += [Jurisdiction(county // 100 * 100, county // 100 * 100 + 100)]
    everybody += [Jurisdiction(county // 10_000 * 10_000, county // 10_000 * 10_000 + 10_000)]
    everybody += [Jurisdiction.of_basin(number) for number in range(1, 8)]
    assert sum(rules.acts_as(where, reviewer) for where in everybody) == 1
    assert not rules.acts_as(Jurisdiction.nowhere(), reviewer)


def test_without_a_basin_agency_the_nation_makes_the_spot_check() -> None:
    unknown = Reviewer("basin", 0)
    assert rules.acts_as(Jurisdiction.nation(), unknown)
    assert not rules.acts_as(Jurisdiction.of_basin(3), unknown)
    with pytest.raises(NotAllowed, match="流域抽查复核"):
        rules.require_reviewer(Jurisdiction.of_region("32"), unknown)


def test_levels_come_from_the_jurisdiction() -> None:
    levels = [
        rules.level_of(Jurisdiction.of_region(prefix)) for prefix in ("321084", "3210", "32", "310115", "31")
    ]
    assert levels == ["county", "prefecture", "province", "county", "province"]
    assert rules.level_of(Jurisdiction.of_basin(3)) == "basin"
    assert rules.level_of(Jurisdiction.nation()) == "nation"
    assert rules.level_of(Jurisdiction.nowhere()) == "none"


@given(st.sampled_from(get_args(State)), st.sampled_from(get_args(Action)))
def test_only_the_steps_of_the_table_are_possible(state: State, action: Action) -> None:
    if (state, action) in rules.NEXT:
        assert rules.after(state, action) in get_args(State)
    else:
        with pytest.raises(Conflict, match=rules.STATE_TITLES[state]):
            rules.after(state, action)


def test_what_is_ended_stays_ended() -> None:
    assert not [step for step in rules.NEXT if step[0] in ("returned", "published", "withdrawn")]


def test_a_deadline_counts_days_of_the_calendar() -> None:
    assert rules.due(date(2024, 12, 25), 10) == date(2025, 1, 4)


def test_matching_is_collected_by_who_holds_the_territory() -> None:
    for prefix, may in (("321084", True), ("3210", True), ("32", True), ("321023", False), ("33", False)):
        assert rules.may_compose(Jurisdiction.of_region(prefix), GAOYOU, 3) is may
    assert rules.may_compose(Jurisdiction.of_basin(3), GAOYOU, 3)
    assert not rules.may_compose(Jurisdiction.of_basin(4), GAOYOU, 3)
