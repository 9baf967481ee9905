"""What crosses the wire about statistics."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel

from layers.model import Text

Format = Literal["json", "xlsx", "csv"]
Lang = Literal["zh", "en"]
Level = Literal["basin", "province", "prefecture", "county"]


class SumOut(BaseModel):
    n: int
    volume_m3: int


class LineOut(BaseModel):
    key: str | int | bool | None
    """Code or value; null: not known."""
    title: Text
    n: int
    volume_m3: int
    cells: list[SumOut]
    """One a column."""


class ColumnOut(BaseModel):
    key: str | int | bool | None
    title: Text


class DimensionOut(BaseModel):
    name: str
    title: Text
    exact: bool
    """Told apart by the map's cells: answered at once, and the map can be filtered by it."""


class About(BaseModel):
    """What a table is about: its place, day and denominator."""

    title: Text
    counted: Text
    """What is counted, and where it counts."""
    region_code: int | None
    region_name: str | None
    basin: Text | None
    filter: str | None
    on: date | None
    """A past day; null: as of `as_of`."""
    as_of: datetime
    generated: bool
    """示例数据."""


class TableOut(About):
    by: DimensionOut
    across: DimensionOut | None
    columns: list[ColumnOut]
    rows: list[LineOut]
    total: LineOut
    from_map: bool
    """Counted from the map's cells; else from the entries themselves."""


class IssuerOut(BaseModel):
    """What an authority issued and has to review: its workload, wherever the intakes lie."""

    level: Level | None
    authority: str
    permits: int
    in_force: int
    permitted_m3: float
    due_90: int
    expired: int
    ended: int
    links: int
    in_review: int
    again: int
    published: int


class IssuersOut(About):
    rows: list[IssuerOut]
    total: IssuerOut


class RateOut(BaseModel):
    name: str
    title: Text
    part: str
    whole: str
    of: Text


class CountOut(BaseModel):
    name: str
    title: Text


class BriefOut(BaseModel):
    key: str | int | None
    title: Text
    counts: dict[str, int]
    rates: dict[str, float | None]


class BriefingOut(About):
    by: Literal["region", "basin"]
    counts: list[CountOut]
    rates: list[RateOut]
    rows: list[BriefOut]
    total: BriefOut
