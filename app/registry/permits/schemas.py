"""What crosses the wire about the life of permits."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Named = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Long = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Amount = Annotated[float, Field(ge=0, le=1e13, allow_inf_nan=False)]


def _written_out(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("日期应写作 YYYY-MM-DD (a day is written YYYY-MM-DD, not as a number)")
    return value


Day = Annotated[date, BeforeValidator(_written_out), Field(ge=date(1900, 1, 1), le=date(2200, 12, 31))]
"""A number would count as seconds since 1970."""
Period = Annotated[str, StringConstraints(pattern=r"^(\d{2}-\d{2}/\d{2}-\d{2})?$")]
Source = Literal["surface_water", "groundwater", "unconventional_water", "unknown"]
Purpose = Literal["domestic", "public_supply", "industry", "irrigation", "aquaculture", "ecology", "hydropower", "other"]  # fmt: skip
EventName = Literal["issue", "renew", "vary", "transfer", "expire", "cancel", "annul", "revoke", "correct"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LimitIn(_Body):
    """One limit of a permit; what is left out is not limited apart."""

    period: Period = ""
    """Part of the year, MM-DD/MM-DD; empty: all year."""
    source_type: Literal["all"] | Source = "all"
    well_field: Short = ""
    purpose: Literal["all"] | Purpose = "all"
    annual_m3: Amount | None = None
    daily_m3: Amount | None = None
    flow_m3s: Amount | None = None
    condition: Long = ""


class PointIn(_Body):
    """An intake as the permit prints it 证照取水口; `seq` names one that it lists already."""

    seq: Annotated[int, Field(ge=1, le=9999)] | None = None
    code: Short | None = None
    name: Named
    place: Short = ""
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    """Degrees in CGCS2000."""
    position_error_m: Annotated[float, Field(ge=0, le=1e6)] | None = None
    source_type: Source = "unknown"
    water_body: Short = ""
    purpose: Purpose = "other"
    annual_m3: Amount | None = None


class Facts(_Body):
    """What a permit states. In an event: what it states from now on; what is left out stays as it is."""

    permit_no: Named | None = None
    holder_name: Named | None = None
    uscc: Short | None = None
    e_licence: Short | None = None
    issuing_authority: Short | None = None
    issuing_level: Literal["basin", "province", "prefecture", "county"] | None = None
    supervising_authority: Short | None = None
    source_type: Source | None = None
    purpose: Purpose | None = None
    industry_code: Short | None = None
    annual_volume_m3: Amount | None = None
    occupies_quota: bool | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None
    place: Short | None = None
    limits: Annotated[list[LimitIn], Field(max_length=200)] | None = None
    """All limits, as rows."""
    points: Annotated[list[PointIn], Field(max_length=2000)] | None = None
    """All intakes that the permit lists."""
    intakes: Annotated[list[int | Named], Field(max_length=2000)] | None = None
    """All intakes of the register under the permit: a number is an id, a text a code."""


class NewPermit(Facts):
    """发放: a permit that is not in the register yet."""

    permit_no: Named
    holder_name: Named
    county_code: Annotated[int, Field(ge=100000, le=999999)]
    valid_to: Day
    effective_on: Day | None = None
    """Day of the decision; without it that on which the term begins, or today."""
    document_no: Short = ""
    reason: Long = ""


class NewEvent(_Body):
    """延续 变更 转让 到期 注销 撤销 吊销 更正."""

    event: EventName
    version: int | None = None
    """The version that the entry was seen in; `If-Match` says it too."""
    effective_on: Day | None = None
    """The day from which it holds; today without one."""
    document_no: Short = ""
    ground: (
        Literal["expired", "death", "dissolved", "taken_back", "force_majeure", "idle", "other"] | None
    ) = None
    """Of a cancellation 注销 (行政许可法 70, 条例 44)."""
    reason: Long = ""
    applied_on: Day | None = None
    """When a renewal was asked for (条例 25: 45 days before the term ends)."""
    reinstate: bool = False
    """Of a correction: take back an end that was entered by mistake."""
    facts: Facts = Facts()


class Warned(BaseModel):
    """What a person should know of a permit or an event."""

    code: str
    field: str
    message: str
    clause: str
    expected: str


class NumberParts(BaseModel):
    """What a permit number says."""

    text: str
    form: Literal["electronic", "paper"]
    year: int
    serial: str
    level: str | None
    region_code: int | None
    source: str | None
    source_type: str
    place: str | None
    repaired: list[str]
    warnings: list[str]


class LicenceParts(BaseModel):
    """What an electronic licence's identifier says (GB/T 36904)."""

    text: str
    type_owner: str
    type_serial: str
    issuer: str
    serial: str
    version: str
    check: str


class Read(BaseModel):
    """A number or identifier as it was understood, or why it is none."""

    number: NumberParts | None = None
    licence: LicenceParts | None = None
    problem: str | None = None
    expected: str | None = None


class Difference(BaseModel):
    """A field that a version changed."""

    field: str
    old: Any
    new: Any


class Changed(BaseModel):
    """A version of a permit or an intake, and what it changed."""

    version: int
    event: str | None
    effective_on: date | None
    recorded_at: datetime
    recorded_until: datetime | None
    actor_name: str | None
    document_no: str
    ground: str | None
    reason: str
    filename: str | None
    """Of the import that made it."""
    warnings: list[Warned]
    differences: list[Difference]


class Found(BaseModel):
    """A permit that a number finds: present or former."""

    id: int
    permit_no: str
    holder_name: str
    status: str
    former: bool
    """The number is one that it had before."""
