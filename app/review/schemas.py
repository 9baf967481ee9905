"""What crosses the wire about the review level by level 逐级审核."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from app.review.rules import Stage, State

Outcome = Literal["one_to_one", "n_to_one", "one_to_n", "intake_without_permit", "permit_without_intake", "exempt"]  # fmt: skip
Source = Literal["surface_water", "groundwater", "unconventional_water", "unknown"]
ItemState = Literal["draft", "in_review", "returned", "stale", "published", "withdrawn"]
Verdict = Literal["correct", "wrong"]
SampleState = Literal["open", "passed", "failed"]
BatchAction = Literal["remove", "submit", "withdraw", "approve", "return", "return_item", "draw", "judge"]
Identifier = Field(ge=1, le=2**62)


class ReviewFilter(BaseModel):
    """Which decided outcomes; what is not given does not narrow."""

    outcomes: list[Outcome] = Field(default_factory=list, max_length=6)
    sources: list[Source] = Field(default_factory=list, max_length=4)
    decided_by: Literal["rule", "person"] | None = None


class NewBatches(BaseModel):
    county_code: int = Field(ge=100_000, le=999_999)
    filter: ReviewFilter = Field(default_factory=ReviewFilter)
    note: str = Field("", max_length=2000)


class Ready(BaseModel):
    """Decided outcomes that are in no review yet: one line a first reviewer."""

    county_code: int
    county_name: str | None
    basin_id: int | None
    first_stage: Stage
    first_code: int
    first_name: str
    items: int


class BatchRow(BaseModel):
    id: int
    county_code: int
    county_name: str | None
    basin_id: int | None
    basin_name: str | None
    first_stage: Stage
    first_code: int
    stage: Stage
    state: State
    way: list[Stage]
    reviewer_code: int
    reviewer_name: str
    """Whose turn it is, or was last."""
    items: int
    version: int
    note: str
    created_by: str
    created_at: datetime
    submitted_at: datetime | None
    entered_on: date | None
    due_on: date | None
    overdue: bool
    closed_at: datetime | None
    sample_id: int | None
    actions: list[BatchAction]
    """What the one who asks may do with it now."""


class BatchPage(BaseModel):
    items: list[BatchRow]
    next: str | None
    total: int


class ReviewDecision(BaseModel):
    """Who did what, when, why; never changed."""

    id: int
    item_id: int | None
    sample_id: int | None
    stage: str | None
    action: str
    note: str
    facts: dict[str, Any]
    actor_name: str
    authority: str
    decided_at: datetime


class BatchOut(BatchRow):
    filter: dict[str, Any]
    by_state: dict[str, int]
    by_outcome: dict[str, int]
    by_source: dict[str, int]
    bbox: tuple[float, float, float, float] | None
    decisions: list[ReviewDecision]


class Composed(BaseModel):
    """Batches made: one a first reviewer and basin agency."""

    batches: list[BatchRow]


class Step(BaseModel):
    """A step of a batch. `version`: of the batch as it was read; if someone decided meanwhile, the answer is 409."""

    version: int = Field(ge=1, le=2**31 - 1)
    note: str = Field("", max_length=2000)


class Return(BaseModel):
    version: int = Field(ge=1, le=2**31 - 1)
    reason: str = Field(min_length=1, max_length=2000)


class ItemsReturn(Return):
    items: list[int] = Field(min_length=1, max_length=5000)


class ItemsRemove(BaseModel):
    version: int = Field(ge=1, le=2**31 - 1)
    items: list[int] = Field(min_length=1, max_length=5000)


class ItemOut(BaseModel):
    """An outcome as it was submitted; `facts` are those of then."""

    id: int
    batch_id: int
    outcome_id: int
    outcome_version: int
    intake_id: int | None
    permit_id: int | None
    outcome: Outcome
    source_type: str
    state: ItemState
    reason: str
    published_on: date | None
    facts: dict[str, Any]
    lon: float | None
    lat: float | None
    county_code: int
    county_name: str | None
    sample_id: int | None
    verdict: Verdict | None
    verdict_note: str | None


class ItemPage(BaseModel):
    items: list[ItemOut]
    next: str | None
    total: int


class NewSample(BaseModel):
    province_code: int = Field(ge=100_000, le=999_999, multiple_of=10_000)


class Stratum(BaseModel):
    stratum: str
    """`<source type>/<outcome>`."""
    population: int
    drawn: int


class SampleRow(BaseModel):
    id: int
    province_code: int
    province_name: str | None
    basin_id: int | None
    basin_name: str | None
    state: SampleState
    population: int
    drawn: int
    judged: int
    wrong: int
    rate: float
    tolerance: float
    due_on: date
    overdue: bool
    version: int
    drawn_by: str
    drawn_at: datetime
    closed_by: str | None
    closed_at: datetime | None
    may_judge: bool


class SampleOut(SampleRow):
    algorithm: str
    seed: str
    fingerprint: str
    strata: list[Stratum]
    batches: list[int]
    decisions: list[ReviewDecision]


class Waiting(BaseModel):
    """Items that wait for a spot check: one line a province and basin agency."""

    province_code: int
    province_name: str | None
    basin_id: int | None
    basin_name: str | None
    batches: int
    items: int
    to_draw: int
    may_draw: bool


class SampleList(BaseModel):
    waiting: list[Waiting]
    samples: list[SampleRow]


class MemberOut(BaseModel):
    id: int
    source_type: str
    outcome: str
    drawn: bool


class Population(BaseModel):
    """All that is needed to draw the sample again."""

    algorithm: str
    seed: str
    rate: float
    fingerprint: str
    members: list[MemberOut]


class Judgement(BaseModel):
    verdict: Verdict
    note: str = Field("", max_length=2000)


class Closing(BaseModel):
    version: int = Field(ge=1, le=2**31 - 1)
    note: str = Field("", max_length=2000)
