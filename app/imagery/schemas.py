"""What crosses the wire about scenes."""

from datetime import datetime

from pydantic import BaseModel

Box = tuple[float, float, float, float]


class SceneOut(BaseModel):
    id: int
    item_id: str
    title: str
    sensor: str
    acquired_at: datetime | None
    resolution_m: float | None
    generated: bool
    bbox: Box
