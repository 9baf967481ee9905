"""What a kind of import is: its fields, and how checked rows become facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy.typing as npt
from sqlalchemy.orm import Session

from app.imports.values import BadValue

if TYPE_CHECKING:  # web processes know the kinds, and read no files
    import pandas as pd

Form = Literal[
    "text", "code", "number", "whole", "volume", "flow", "day", "boolean", "region", "lon", "lat", "list"
]
LON_ALIASES = ("经度", "longitude", "lon", "lng", "long", "x", "东经")
LAT_ALIASES = ("纬度", "latitude", "lat", "y", "北纬")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field that a file may bring, under any of these headings."""

    name: str
    title: str
    english: str
    form: Form = "text"
    required: bool = False
    aliases: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For codes: value → other spellings."""
    unit: str = "m3"
    """Unit of a volume or flow where neither file nor mapping says another."""
    default: Any = None
    parse: Callable[[str], tuple[Any, BadValue | None]] | None = None
    """A text's value and a warning, for texts with rules of their own; raises BadValue."""

    @property
    def headings(self) -> tuple[str, ...]:
        return (self.name, self.title, self.english, *self.aliases)


@dataclass(slots=True)
class Issue:
    """Why a row is rejected, or what is odd about it."""

    row_no: int
    severity: Literal["reject", "warning"]
    field: str
    value: str
    reason: str
    message: str
    expected: str = ""


@dataclass(frozen=True)
class Chunk:
    """Checked rows of a file: typed columns, by their number in the file. Where empty, NaN in columns of numbers
    (`columns.NUMERIC`), None in all others."""

    rows: pd.DataFrame
    """Index: row number; columns: the fields of the kind, and `attributes` (JSON text of what no field took)."""
    geometry: npt.NDArray[Any] | None
    """Geometries in EPSG:4490 of kinds that have them, else None."""
    issues: list[Issue]


@dataclass(frozen=True)
class Scope:
    """Whose import it is: rows outside are rejected."""

    lo: int
    hi: int
    basin: int | None

    def covers(self, county: int) -> bool:
        return self.lo <= county < self.hi or self.basin is not None


@dataclass(frozen=True)
class Outcome:
    """What applying did."""

    new: int
    changed: int
    same: int
    counties: tuple[int, ...]


Check = Callable[[Chunk, Any], list[Issue]]


@dataclass(frozen=True)
class ImportKind:
    """A kind of file: `regions`, `indicators`, `intakes`, `permits`."""

    name: str
    title: str
    english: str
    fields: tuple[FieldSpec, ...]
    staging: str
    """The staging table, in schema staging."""
    prepare: Callable[[Session], Any]
    """Loads what the checks need to know, once an import."""
    check: Check
    """Issues that one row's fields have among themselves, and with what is known."""
    apply: Callable[[Session, str, Scope], Outcome]
    """Moves the import's staged rows into the facts, in one transaction."""
    publishes: str
    """Layer whose map tables follow."""
    polygons: bool = False

    def spec(self, name: str) -> FieldSpec:
        return next(spec for spec in self.fields if spec.name == name)
