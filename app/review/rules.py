"""Review level by level 逐级审核 (水资管〔2024〕120号 三（一）): who reviews what, in which order, by when.

Plain values in, plain values out. How samples are drawn is in `app.review.sampling`.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from app.actor import Jurisdiction
from app.errors import Conflict, NotAllowed

Stage = Literal["county", "prefecture", "province", "basin"]
Level = Literal["county", "prefecture", "province", "basin", "nation", "none"]
State = Literal["draft", "reviewing", "returned", "published", "withdrawn"]
Action = Literal["submit", "approve", "return", "withdraw", "publish"]

STAGES: tuple[Stage, ...] = ("county", "prefecture", "province", "basin")
"""From the ground up; 谁审批、谁负责 says where a batch enters."""
SPANS: dict[Stage, int] = {"county": 1, "prefecture": 100, "province": 10_000}
"""How many GB/T 2260 codes a place of this level takes."""
STAGE_TITLES: dict[str, str] = {
    "county": "县级审核",
    "prefecture": "市级审核",
    "province": "省级审核",
    "basin": "流域抽查复核",
}
STATE_TITLES: dict[str, str] = {
    "draft": "草稿",
    "reviewing": "审核中",
    "returned": "已退回",
    "published": "已上图",
    "withdrawn": "已撤销",
}
NEXT: dict[tuple[State, Action], State] = {
    ("draft", "submit"): "reviewing",
    ("draft", "withdraw"): "withdrawn",
    ("reviewing", "approve"): "reviewing",
    ("reviewing", "return"): "returned",
    ("reviewing", "publish"): "published",
}
MUNICIPALITIES = frozenset({11, 12, 31, 50})
"""直辖市: their districts stand right below the province level."""
DIRECT_COUNTIES = 90
"""省直辖县级行政区划 carry 90 where others have their prefecture (GB/T 2260)."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who reviews at a stage: a level, and the place (GB/T 2260 code; of a basin agency its number, 0: none known)."""

    stage: Stage
    code: int


def level_of(where: Jurisdiction) -> Level:
    """The level of an authority, from its jurisdiction: 6, 4 or 2 digits, a basin, the nation."""
    if where.basin is not None:
        return "basin"
    if where.is_nation:
        return "nation"
    spans: dict[int, Level] = {1: "county", 100: "prefecture", 10_000: "province"}
    return spans.get(where.hi - where.lo, "none")


def place_of(stage: Stage, county: int, basin: int | None) -> int:
    """The code of the place whose authority reviews at this stage what lies in a county."""
    return (basin or 0) if stage == "basin" else county // SPANS[stage] * SPANS[stage]


def has_prefecture(county: int) -> bool:
    """Is there a prefecture between this county and its province?"""
    return county // 10_000 not in MUNICIPALITIES and county // 100 % 100 != DIRECT_COUNTIES


def first_reviewer(
    issuing_level: str | None, permit_county: int | None, county: int, basin: int | None
) -> Reviewer:
    """谁审批、谁负责: the level that issued the permit, where the permit's place lies; without one, the county.

    `county` is that of the intake. A level that does not exist there (a prefecture in 直辖市) is the next above.
    """
    if permit_county is None:
        return Reviewer("county", county)
    stage: Stage = next((one for one in STAGES if one == issuing_level), "county")
    if stage == "prefecture" and not has_prefecture(permit_county):
        stage = "province"
    return Reviewer(stage, place_of(stage, permit_county, basin))


def path(first: Stage, county: int) -> tuple[Stage, ...]:
    """The stages that a batch goes through, in order: from its first reviewer up to the basin's spot check.

    What a basin agency issued it reviews itself, in whole: that is the only stage then, and no sample is drawn.
    """
    above = STAGES[STAGES.index(first) :]
    return tuple(s for s in above if s != "prefecture" or s == first or has_prefecture(county))


def stage_after(first: Stage, stage: Stage, county: int) -> Stage | None:
    """The stage that follows an approval; None: nothing is left but publication."""
    way = path(first, county)
    at = way.index(stage) + 1
    return way[at] if at < len(way) else None


def reviewer_at(first: Reviewer, stage: Stage, county: int, basin: int | None) -> Reviewer:
    """Who reviews a batch at a stage: first the issuer, then the authorities above the intake's county 属地."""
    return first if stage == first.stage else Reviewer(stage, place_of(stage, county, basin))


def acts_as(where: Jurisdiction, reviewer: Reviewer) -> bool:
    """Is this the jurisdiction of that reviewer? Levels above read; they do not decide in its stead.

    Where no basin agency is known, the nation makes the spot check.
    """
    level = level_of(where)
    if reviewer.stage == "basin":
        return where.basin == reviewer.code if reviewer.code else level == "nation"
    return level == reviewer.stage and where.lo == reviewer.code


def require_reviewer(where: Jurisdiction, reviewer: Reviewer) -> None:
    """Raises NotAllowed if another authority has to decide."""
    if not acts_as(where, reviewer):
        raise NotAllowed(
            f"本阶段为{STAGE_TITLES[reviewer.stage]}，应由 {reviewer.code or '水利部'} 的审核机关办理 "
            f"(this is the {reviewer.stage} stage, to be decided by the authority of {reviewer.code or 'the nation'})",
            stage=reviewer.stage,
            reviewer=reviewer.code,
        )


def after(state: State, action: Action) -> State:
    """The state that an action leads to. Raises Conflict if it is not possible from this state."""
    try:
        return NEXT[state, action]
    except KeyError:
        raise Conflict(
            f"批次“{STATE_TITLES[state]}”，不能执行此操作 (the batch is {state}: it cannot {action})",
            state=state,
        ) from None


def due(entered: date, days: int) -> date:
    """The last day of a stage: calendar days after the one on which it was entered. The notice sets no number of
    days: they are settings."""
    return entered + timedelta(days=days)


def may_compose(where: Jurisdiction, county: int, basin: int | None) -> bool:
    """Matching is territorial 属地: the county, or who stands above it, collects what was decided there."""
    return level_of(where) != "none" and where.covers(county, basin)
