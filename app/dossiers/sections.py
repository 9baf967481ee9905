"""A dossier as screens and paper show it: sections of facts, tables and entries, worded in one language."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

Layer = Literal["intakes", "permits", "candidates"]
Lang = Literal["zh", "en"]


class Target(BaseModel):
    """Another thing of the map that a cell names."""

    layer: str
    id: int


class Cell(BaseModel):
    text: str
    to: Target | None = None


class Fact(BaseModel):
    title: str
    text: str


class Difference(BaseModel):
    """What a version changed; None where there was nothing, or is nothing now."""

    title: str
    before: str | None
    after: str | None


class Entry(BaseModel):
    """One step in time: a version, an event, a decision."""

    heading: str
    at: datetime | None
    text: str
    differences: list[Difference] = []


class Table(BaseModel):
    columns: list[str]
    rows: list[list[Cell]]


class Section(BaseModel):
    """One of facts, a table or entries; where it has none of them, `empty` says so."""

    id: str
    title: str
    note: str = ""
    empty: str = ""
    facts: list[Fact] = []
    table: Table | None = None
    entries: list[Entry] = []

    @property
    def is_empty(self) -> bool:
        return not self.facts and not self.entries and (self.table is None or not self.table.rows)


class Point(BaseModel):
    """A position that belongs to it, and whose it is."""

    lon: float
    lat: float
    label: str


class Dossier(BaseModel):
    layer: Layer
    id: int
    version: int
    kind: str
    name: str
    number: str
    """Code or permit number."""
    state: str
    """Permit state of an intake, status of a permit, state of a finding: a code."""
    state_text: str
    demo: bool
    """The register that it stands in was generated."""
    points: list[Point]
    sections: list[Section]
