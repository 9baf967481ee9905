"""What crosses the wire about the map."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel


class PastDay(BaseModel):
    """Of which day an overview is asked for; `known`: as it was known at that moment (RFC 3339)."""

    layer: str = "intakes"
    datetime: str
    known: str | None = None


class PastDayOut(BaseModel):
    """How the overview of a past day stands."""

    layer: str
    day: date
    known: datetime | None
    needed: bool
    """Does the caller see more than tiles ask one by one? Without an overview wide tiles are refused then."""
    state: Literal["none", "counting", "ready", "failed"]
    counted_at: datetime | None
    points: int | None
    """Of the nation."""
    problem: str | None
