"""What crosses the wire about regions."""

from datetime import datetime

from pydantic import BaseModel

Box = tuple[float, float, float, float]


class RegionRow(BaseModel):
    code: int
    name: str
    level: int
    parent_code: int | None
    bbox: Box
    children: int


class PathStep(BaseModel):
    code: int
    name: str


class CandidateFigures(BaseModel):
    suspected: int = 0
    confirmed: int = 0
    rejected: int = 0


class Figures(BaseModel):
    """Counts of the region, as far as the caller's jurisdiction reaches. None: not for this audience."""

    intakes: int
    by_permit_state: dict[str, int]
    permits: int | None
    licensed_m3: float | None
    cap_m3: float | None
    level_year: int | None
    document_no: str | None
    candidates: CandidateFigures | None


class RegionOut(BaseModel):
    code: int
    name: str
    level: int
    path: list[PathStep]
    bbox: Box
    figures: Figures
    as_of: datetime
