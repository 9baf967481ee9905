"""What crosses the wire about scenes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

Box = tuple[float, float, float, float]
Render = Literal["true", "false_colour", "swir", "ndvi", "ndwi", "mndwi"]
Ending = Literal["png", "webp"]
ENDINGS: Mapping[Ending, tuple[str, str]] = {"png": ("image/png", "PNG"), "webp": ("image/webp", "WEBP")}
"""Media type, and what the encoder calls it."""


class SceneOut(BaseModel):
    id: int
    item_id: str
    title: str
    sensor: str
    acquired_at: datetime | None
    resolution_m: float | None
    cloud_pct: float | None
    generated: bool
    bbox: Box
    renderings: list[Render]
    """How it can be shown: `render_as` of its tiles."""


class TileJson(BaseModel):
    """TileJSON 3.0 of a scene, for GIS programs."""

    tilejson: Literal["3.0.0"] = "3.0.0"
    name: str
    attribution: str
    tiles: list[str]
    bounds: Box
    minzoom: int
    maxzoom: int
