"""What crosses the wire about documents."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

Layer = Literal["intakes", "permits"]


class DocumentOut(BaseModel):
    id: int
    layer: Layer
    entity_id: int
    media_type: str
    bytes: int
    filename: str
    title: str
    width: int | None
    height: int | None
    taken_at: datetime | None
    """By the camera's own clock, without a zone."""
    lon: float | None
    lat: float | None
    """Where the camera says it stood (WGS 84)."""
    distance_m: float | None
    """From there to the position in the register, when the document was added."""
    digest: str
    actor_name: str
    added_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawn_why: str | None
    has_thumbnail: bool


class Withdrawal(BaseModel):
    reason: str = Field(min_length=1, max_length=500)
