"""What crosses the wire between systems."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

Result = Literal["created", "updated", "unchanged", "rejected"]


class Finding(BaseModel):
    """Why an item was rejected, or what is odd about it."""

    field: str
    value: str
    reason: str
    detail: str
    expected: str


class ItemResult(BaseModel):
    """What became of one item."""

    item: int
    """Its place in the batch, from 1; of NDJSON without empty lines the line."""
    key: dict[str, Any]
    result: Result
    id: int | None = None
    version: int | None = None
    problems: list[Finding] = []
    warnings: list[Finding] = []


class PushAnswer(BaseModel):
    """What became of a batch. It is one transaction: when this answer is given, all of it is stored."""

    batch: UUID
    """Its number among the imports, where it stays on record: `/api/imports/{batch}`."""
    received: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    results: list[ItemResult]


class LinkOut(BaseModel):
    """An intake under a permit, over time."""

    permit_no: str
    code_scheme: str
    code: str
    valid_from: date | None
    valid_to: date | None
    origin: str


class LimitOut(BaseModel):
    period: str
    source_type: str
    well_field: str
    purpose: str
    annual_m3: float | None
    daily_m3: float | None
    flow_m3s: float | None
    condition: str


class PointOut(BaseModel):
    """An intake that the permit itself lists."""

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
    valid_from: date | None
    valid_to: date | None


class IntakeEntity(BaseModel):
    """An intake with its fields named as they are pushed; volumes in m³, position in CGCS2000."""

    id: int
    version: int
    code_scheme: str
    code: str
    name: str
    holder_name: str
    uscc: str | None
    county_code: int
    basin_id: int | None
    zone_code: str | None
    town: str
    place: str
    lon: float
    lat: float
    source_type: str
    water_body_type: str | None
    water_body: str
    aquifer_layer: str | None
    well_status: str | None
    abstraction_mode: str | None
    works_type: str | None
    purpose: str
    industry_code: str | None
    off_stream: bool
    status: str
    permit_state: str
    annual_volume_m3: float | None
    design_flow_m3s: float | None
    well_depth_m: float | None
    started_on: date | None
    attributes: dict[str, Any]
    recorded_at: datetime
    permits: list[LinkOut]


class PermitEntity(BaseModel):
    """A permit with its limits and the intakes it has had; volumes in m³."""

    id: int
    version: int
    permit_no: str
    permit_no_raw: str
    previous_number: str | None
    e_licence: str | None
    event: str
    status: str
    holder_name: str
    uscc: str | None
    county_code: int
    basin_id: int | None
    zone_code: str | None
    issuing_authority: str
    issuing_level: str | None
    supervising_authority: str
    source_type: str
    purpose: str
    industry_code: str | None
    annual_volume_m3: float | None
    occupies_quota: bool
    valid_from: date | None
    valid_to: date | None
    place: str
    attributes: dict[str, Any]
    recorded_at: datetime
    limits: list[LimitOut]
    points: list[PointOut]
    intakes: list[LinkOut]


class ChangeItem(BaseModel):
    """An entry as it is now, and why it is told.

    `gone`: it was deleted, or lies outside this jurisdiction now; then there is no entity.
    """

    layer: Literal["intakes", "permits"]
    id: int
    action: str
    """`present` in the first reading of everything; else what happened: create, update, delete, import …"""
    at: datetime | None
    actor_name: str | None
    gone: bool
    intake: IntakeEntity | None = None
    permit: PermitEntity | None = None


class ExchangePage(BaseModel):
    items: list[ChangeItem]
    next: str
    """Give it as `cursor` to go on from here, now or later. Keep it with what you stored."""
    more: bool
    """There is more to read now; else ask again later."""
