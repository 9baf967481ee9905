"""What crosses the wire about intakes and permits."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel

from app.registry.permits.schemas import LicenceParts, NumberParts, Warned


class Version(BaseModel):
    version: int
    recorded_at: datetime
    recorded_until: datetime | None


class PermitBrief(BaseModel):
    id: int
    permit_no: str
    holder_name: str
    status: str
    annual_volume_m3: float | None
    valid_from: date | None
    valid_to: date | None


class IntakeBrief(BaseModel):
    id: int
    code: str
    name: str
    lon: float
    lat: float
    permit_state: str
    county_code: int


class IntakeOut(BaseModel):
    """Every field of the register's entry; coded values as in the layer `intakes`."""

    id: int
    code: str
    code_scheme: str
    version: int
    name: str
    holder_name: str
    county_code: int
    county_name: str | None
    basin_id: int | None
    town: str
    place: str
    source_type: str
    water_body_type: str | None
    water_body: str
    aquifer_layer: str | None
    well_status: str | None
    well_depth_m: float | None
    abstraction_mode: str | None
    works_type: str | None
    purpose: str
    off_stream: bool
    status: str
    permit_state: str
    annual_volume_m3: float | None
    design_flow_m3s: float | None
    started_on: date | None
    declared_datum: str
    recorded_at: datetime
    lon: float
    lat: float
    attributes: dict[str, Any]
    permits: list[PermitBrief]
    history: list[Version]


class Limit(BaseModel):
    seq: int
    period: str
    source_type: str
    well_field: str
    purpose: str
    annual_m3: float | None
    daily_m3: float | None
    flow_m3s: float | None
    condition: str


class Point(BaseModel):
    """An intake as the permit prints it 证照取水口."""

    id: int
    seq: int
    code: str | None
    name: str
    place: str
    lon: float | None
    lat: float | None
    position_error_m: float | None
    source_type: str
    water_body: str
    purpose: str
    annual_m3: float | None
    county_code: int
    county_name: str | None
    valid_from: date
    valid_to: date | None


class PermitOut(PermitBrief):
    """Everything that a permit states, its limits as rows, what it lists and what is under it."""

    permit_no_raw: str
    number: NumberParts | None
    previous_number: str | None
    e_licence: str | None
    licence: LicenceParts | None
    version: int
    event: str
    effective_on: date | None
    ended_on: date | None
    county_code: int
    county_name: str | None
    issuing_authority: str
    issuing_level: str | None
    supervising_authority: str
    source_type: str
    purpose: str
    industry_code: str | None
    occupies_quota: bool
    place: str
    recorded_at: datetime
    attributes: dict[str, Any]
    limits: list[Limit]
    points: list[Point]
    intakes: list[IntakeBrief]
    history: list[Version]
    flags: list[Warned]
    """What a person should know of it; of an answer to an event: what was found about that, too."""
    events_allowed: list[str]
    """What may happen to it from its present state."""
