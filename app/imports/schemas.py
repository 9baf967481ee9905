"""What crosses the wire about imports."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class ImportOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: str
    filename: str
    state: str
    rows_total: int | None
    rows_read: int
    rows_rejected: int
    rows_warned: int
    rows_new: int | None
    rows_changed: int | None
    rows_same: int | None
    problem: str | None
    actor_name: str
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None


class FieldOut(BaseModel):
    name: str
    title: str
    english: str
    form: str
    required: bool
    unit: str | None
    values: list[str]


class KindOut(BaseModel):
    name: str
    title: str
    english: str
    fields: list[FieldOut]
    mappings: list[dict[str, str]]


class IssuePage(BaseModel):
    items: list[dict[str, Any]]
    next: int | None
