"""What crosses the wire about candidates and runs."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

State = Literal["suspected", "unsure", "confirmed", "rejected"]
Kind = Literal["water_body", "irrigated_land"]
Category = Literal["no_intake", "no_valid_permit", "permit_too_small", "new_since_last_date"]
Decision = Literal["confirm", "reject", "unsure", "reopen"]
Action = Literal["confirm", "reject", "unsure", "reopen", "redraw", "note", "undo"]
RunState = Literal["waiting", "running", "done", "failed", "cancelled"]
MOST_AT_ONCE = 20_000
"""Candidates of one decision by filter."""


class Filters(BaseModel):
    """Which candidates are meant; what is not given is not asked."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    kind: Kind | None = None
    category: Category | None = None
    region: int | None = Field(
        None, ge=100_000, le=999_999, description="GB/T 2260 code of a province, prefecture or county"
    )
    run: int | None = None
    min_score: float | None = Field(None, ge=0, le=1)
    max_score: float | None = Field(None, ge=0, le=1)


class CandidateRow(BaseModel):
    id: int
    code: str
    kind: Kind
    category: Category
    state: State
    score: float
    area_m2: float
    volume_m3: float | None
    volume_lo_m3: float | None
    volume_hi_m3: float | None
    county_code: int
    county_name: str | None
    acquired_at: datetime | None
    lon: float
    lat: float
    bbox: tuple[float, float, float, float]
    generated: bool
    has_before: bool
    has_after: bool
    version: int


class CandidatePage(BaseModel):
    items: list[CandidateRow]
    next: str | None
    total: int


class Reason(BaseModel):
    code: str
    zh: str
    en: str


class NearIntake(BaseModel):
    id: int
    code: str
    name: str
    distance_m: float | None


class Serving(BaseModel):
    """An intake that could serve the object, and the permits behind it."""

    id: int
    code: str
    name: str
    status: str
    permits: list[dict[str, Any]]


class DecisionOut(BaseModel):
    id: int
    decision: Action
    reason: str
    note: str
    actor_name: str
    decided_at: datetime
    bulk: UUID | None
    undoes: int | None
    undone: bool


class ProfilePoint(BaseModel):
    """Indices of the object and its surroundings on one date; None where a band for it is missing."""

    date: str
    scene: str
    seen: float
    ndvi: float | None
    ndmi: float | None
    ndwi: float | None
    around_ndvi: float | None
    around_ndmi: float | None


class ProfileOut(BaseModel):
    points: list[ProfilePoint]
    scenes: int
    """On file at this place."""
    considered: int
    """The newest of them: no more are looked at."""


class CandidateOut(CandidateRow):
    run_id: int
    raw_score: float | None
    reasons: list[Reason]
    evidence: dict[str, Any]
    nearest_intake: NearIntake | None
    nearest_permitted: NearIntake | None
    serving: list[Serving]
    profile: list[ProfilePoint]
    geometry: dict[str, Any]
    redrawn: bool
    decisions: list[DecisionOut]


class NewDecision(BaseModel):
    decision: Decision
    reason: str = Field("", max_length=40)
    note: str = Field("", max_length=2000)
    version: int


class NewNote(BaseModel):
    note: str = Field(min_length=1, max_length=2000)


class NewOutline(BaseModel):
    geometry: dict[str, Any] = Field(description="GeoJSON polygon in CRS84")
    how: Literal["replace", "add", "cut"] = "replace"
    note: str = Field("", max_length=2000)
    version: int


class NewDecisions(BaseModel):
    """One decision on all candidates that filters choose."""

    filters: Filters
    decision: Literal["confirm", "reject", "unsure"]
    reason: str = Field("", max_length=40)
    note: str = Field("", max_length=2000)
    expected: int = Field(
        ge=1,
        le=MOST_AT_ONCE,
        description="how many the person saw: if it is another number now, nothing is decided",
    )


class Decided(BaseModel):
    bulk: UUID
    count: int


class Undone(BaseModel):
    ids: list[int]
    """Candidates that are again as they were."""
    kept: int
    """Of those, how many someone changed since: they stay as they are."""


class RunOptions(BaseModel):
    """What a run may be told; what is left out is as the method has it."""

    model_config = ConfigDict(extra="forbid")

    kinds: list[Kind] | None = Field(None, min_length=1)
    min_water_m2: float | None = Field(None, ge=100, le=1e7)
    min_field_m2: float | None = Field(None, ge=100, le=1e7)
    min_score: float | None = Field(None, ge=0, le=1)
    max_candidates: int | None = Field(None, ge=1, le=100_000, description="of one place")


class NewRun(BaseModel):
    scene_ids: list[int] = Field(min_length=1, max_length=5000)
    aoi: dict[str, Any] | None = None
    """GeoJSON polygon in CRS84; without it the whole scenes."""
    options: RunOptions = RunOptions()


class LeftOut(BaseModel):
    scene: str
    problem: str


class PartOut(BaseModel):
    """One place of a run."""

    number: int
    state: Literal["waiting", "done", "failed"]
    scenes: list[str]
    problem: str | None
    left_out: list[LeftOut]
    candidates: int
    has_report: bool
    finished_at: datetime | None


class RunOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    scene_ids: list[int]
    state: RunState
    progress: float
    method: str
    options: dict[str, Any]
    versions: dict[str, Any]
    facts: dict[str, Any]
    problem: str | None
    actor_name: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    candidates: int
    has_report: bool
    parts: int
    parts_done: int
    parts_failed: int


class RunDetail(RunOut):
    places: list[PartOut]


class Bin(BaseModel):
    """Candidates of a range of scores: what the score says of them, and what people said."""

    lo: float
    hi: float
    count: int
    mean_score: float
    confirmed_share: float


class CalibrationOut(BaseModel):
    """How the score was held against decisions: before and after, on candidates that the fit had not seen."""

    id: int
    made_at: datetime
    actor_name: str
    method: str
    decided: int
    confirmed: int
    rejected: int
    ece_before: float
    ece_after: float
    brier_before: float
    brier_after: float
    bins_before: list[Bin]
    bins_after: list[Bin]
    curve: list[tuple[float, float]]
    changed: int
    """Candidates whose score it changed."""


class CalibrationState(BaseModel):
    """What the desk shows: the calibration in use, and whether another can be made."""

    current: CalibrationOut | None
    decided: int
    confirmed: int
    rejected: int
    since: int
    """Decisions since the calibration in use."""
    least: int
    """Decisions that a calibration needs, and of each kind at least a fifth of them."""
    possible: bool
