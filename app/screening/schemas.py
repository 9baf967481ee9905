"""What crosses the wire about candidates and runs."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["suspected", "confirmed", "rejected"]
Kind = Literal["water_body", "irrigated_land"]
Category = Literal["no_intake", "no_valid_permit", "permit_too_small", "new_since_last_date"]
Decision = Literal["confirm", "reject", "reopen"]


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


class DecisionOut(BaseModel):
    decision: Decision
    note: str
    actor_name: str
    decided_at: datetime


class CandidateOut(CandidateRow):
    run_id: int
    reasons: list[Reason]
    evidence: dict[str, Any]
    nearest_intake: NearIntake | None
    nearest_permitted: NearIntake | None
    geometry: dict[str, Any]
    decisions: list[DecisionOut]


class NewDecision(BaseModel):
    decision: Decision
    note: str = Field("", max_length=2000)
    version: int


class NewRun(BaseModel):
    scene_ids: list[int] = Field(min_length=1, max_length=100)
    aoi: dict[str, Any] | None = None
    """GeoJSON polygon in CRS84; without it the whole scenes."""


class RunOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    scene_ids: list[int]
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    progress: float
    method: str
    facts: dict[str, Any]
    problem: str | None
    actor_name: str
    created_at: datetime
    finished_at: datetime | None
    candidates: int
    has_report: bool
