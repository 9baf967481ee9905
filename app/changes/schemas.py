"""What crosses the wire about changes."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class ChangeOut(BaseModel):
    id: int
    at: datetime
    actor_name: str
    layer: str
    action: str
    entity_id: int | None
    county_code: int
    facts: dict[str, Any]


class ChangePage(BaseModel):
    items: list[ChangeOut]
    next: str
    """Give it as `after` to go on from here, now or later."""
