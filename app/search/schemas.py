"""What crosses the wire about searches."""

from typing import Literal

from pydantic import BaseModel


class Hit(BaseModel):
    kind: Literal["intake", "permit", "region", "candidate", "coordinate"]
    id: int | None
    title: str
    subtitle: str
    lon: float
    lat: float
    bbox: tuple[float, float, float, float] | None = None


class Hits(BaseModel):
    items: list[Hit]
