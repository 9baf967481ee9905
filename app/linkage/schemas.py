"""What crosses the wire about linkage 比对衔接."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

Outcome = Literal["one_to_one", "n_to_one", "one_to_n", "intake_without_permit", "permit_without_intake", "exempt", "pending"]  # fmt: skip
PairState = Literal["open", "confirmed", "rejected", "withdrawn"]
Action = Literal["accept", "reject", "reassign", "split", "unlicensed", "exempt", "register", "missing", "postpone"]  # fmt: skip
BulkAction = Literal["accept", "reject", "unlicensed", "exempt", "postpone"]
Ground = Literal["collective_pond", "household", "dewatering", "public_safety", "drought", "filing_only", "public_supply"]  # fmt: skip
ListState = Literal["open", "rule", "person"]
Agreement = Literal["same", "near", "differs", "missing"]
Source = Literal["surface_water", "groundwater", "unconventional_water", "unknown"]


class Comparison(BaseModel):
    """One attribute, as the register and as the permit have it."""

    field: str
    intake: str | float | int | None
    permit: str | float | int | None
    agreement: Agreement


class LinkReason(BaseModel):
    """Why a pair is thought to be one, or not."""

    code: str
    zh: str
    en: str
    against: bool = False


class PermitPlace(BaseModel):
    """An intake as a permit lists it; without a point it is the permit as a whole."""

    permit_id: int
    permit_point_id: int | None
    permit_no: str
    status: str
    valid_from: date | None
    valid_to: date | None
    holder_name: str
    uscc: str | None
    name: str
    code: str | None
    county_code: int
    county_name: str | None
    place: str
    water_body: str
    source_type: str
    purpose: str
    annual_m3: float | None
    permit_m3: float | None
    lon: float | None
    lat: float | None
    taken_by: list[str] = Field(default_factory=list)
    """Codes of the entries that are linked to it already."""
    distance_m: float | None = None


class PairOut(BaseModel):
    id: int
    state: PairState
    probability: float | None
    distance_m: float | None
    reasons: list[LinkReason]
    conflicts: list[str]
    decided_by: str | None
    decided_name: str | None
    decided_at: datetime | None
    permit: PermitPlace
    comparison: list[Comparison]
    intake: "IntakeFacts | None" = None
    """Given where the subject is a permit's intake."""
    outcome_id: int | None = None


class IntakeFacts(BaseModel):
    id: int
    code: str
    name: str
    holder_name: str
    uscc: str | None
    county_code: int
    county_name: str | None
    town: str
    place: str
    water_body: str
    source_type: str
    purpose: str
    status: str
    permit_state: str
    annual_m3: float | None
    lon: float
    lat: float
    position_error_m: float | None
    permit_no: str | None
    """As the register names it, where that is no permit of the store."""


class MatchLink(BaseModel):
    """A link in force."""

    permit_id: int
    permit_point_id: int | None
    permit_no: str
    status: str
    holder_name: str
    origin: str


class MatchOut(BaseModel):
    id: int
    action: str
    note: str
    actor_name: str
    decided_at: datetime
    undone: bool
    batch_id: int | None
    permit_nos: list[str]


class OutcomeRow(BaseModel):
    """A line of the desk: an entry of the register, or a permit's intake without one."""

    id: int
    subject: Literal["intake", "permit"]
    outcome: Outcome
    ground: str | None
    probability: float | None
    pairs_open: int
    conflicts: list[str]
    source_type: str
    decided_by: Literal["rule", "person"] | None
    decided_name: str | None
    decided_at: datetime | None
    version: int
    county_code: int
    county_name: str | None
    name: str
    code: str | None
    holder_name: str
    lon: float | None
    lat: float | None


class OutcomePage(BaseModel):
    items: list[OutcomeRow]
    next: str | None
    total: int
    """How many there are, counted up to 100,000, or up to 1,000 where a text is looked for that many hold."""
    more: bool
    """Are there more than that?"""


class OutcomeOut(OutcomeRow):
    note: str
    intake: IntakeFacts | None
    permit: PermitPlace | None
    pairs: list[PairOut]
    links: list[MatchLink]
    decisions: list[MatchOut]
    run_id: int | None


class Target(BaseModel):
    """A permit's intake to which an entry is brought."""

    permit_id: int = Field(ge=1, le=2**62)
    permit_point_id: int | None = Field(None, ge=1, le=2**62)


class NewIntake(BaseModel):
    """What is not given is taken from the permit."""

    code: str | None = Field(None, min_length=1, max_length=60)
    name: str | None = Field(None, max_length=200)
    lon: float | None = Field(None, ge=-180, le=180)
    lat: float | None = Field(None, ge=-90, le=90)


class NewMatch(BaseModel):
    action: Action
    version: int
    """Of the line as it was read: if someone decided meanwhile, the answer is 409 and says who and what."""
    pairs: list[int] = Field(default_factory=list, max_length=200)
    """Accept: the pair (the most probable one if none is named). Reject: these, or all that are open."""
    targets: list[Target] = Field(default_factory=list, max_length=200)
    ground: Ground | None = None
    note: str = Field("", max_length=2000)
    intake: NewIntake | None = None


class MatchFilter(BaseModel):
    """Which lines; what is not given does not narrow."""

    outcome: Outcome | None = None
    state: ListState | None = None
    region: int | None = Field(None, ge=100_000, le=999_999)
    source: Source | None = None
    conflict: str | None = Field(None, pattern="^[a-z_]{1,40}$")
    """Code of a reason that speaks against the best pair."""
    subject: Literal["intake", "permit"] | None = None
    min_probability: float | None = Field(None, ge=0, le=1)
    max_probability: float | None = Field(None, ge=0, le=1)
    q: str | None = Field(None, max_length=80)


class NewMatchBatch(BaseModel):
    action: BulkAction
    filter: MatchFilter
    wanted: int = Field(ge=1)
    """The number as it was previewed; if it is another by now, nothing is done and the answer is 409."""
    ground: Ground | None = None
    note: str = Field("", max_length=2000)


class MatchBatchOut(BaseModel):
    id: int
    action: str
    filter: dict[str, Any]
    wanted: int
    decided: int
    state: Literal["running", "done", "undone"]
    note: str
    actor_name: str
    created_at: datetime
    finished_at: datetime | None


class MatchPreview(BaseModel):
    count: int
    left_out: int
    """Lines of the filter for which the action has nothing to decide."""
    samples: list[OutcomeRow]


class CountyProgress(BaseModel):
    """比对完成率 = lines with a final outcome / off-stream entries in scope (domain §4.9)."""

    county_code: int
    name: str | None
    in_scope: int
    decided: int
    by_outcome: dict[str, int]
    by_rule: int
    by_person: int
    permit_points_without_intake: int


class ProgressOut(BaseModel):
    denominator: str
    total: CountyProgress
    regions: list[CountyProgress]


class NewLinkRun(BaseModel):
    region: str = Field("", pattern=r"^(\d{2}|\d{4}|\d{6})?$")
    confirm_at: float | None = Field(None, ge=0, le=1, strict=True)
    doubt_at: float | None = Field(None, ge=0, le=1, strict=True)


class LinkRunOut(BaseModel):
    id: int
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    progress: float
    step: str
    region: str
    confirm_at: float
    doubt_at: float
    facts: dict[str, Any]
    problem: str | None
    actor_name: str
    created_at: datetime
    finished_at: datetime | None
