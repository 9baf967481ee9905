"""What crosses the wire about scenes."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

Box = tuple[float, float, float, float]
Render = Literal["true", "false_colour"]


class SceneOut(BaseModel):
    id: int
    item_id: str
    title: str
    sensor: str
    acquired_at: datetime | None
    resolution_m: float | None
    generated: bool
    bbox: Box
