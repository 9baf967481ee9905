"""What may be asked of a tile beyond its address: which fields, which features."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

ALIAS = "f"
"""Table alias under which a predicate's SQL names the declared fields: `f."status"`."""


# Named here, for inside TileOptions the name `datetime` is that of its field.
Moments = tuple[datetime | None, datetime | None]


class Predicate(Protocol):
    """A condition as SQL with named parameters (`%(name)s`) over declared fields (`layers.cql2.sql`)."""

    @property
    def sql(self) -> str: ...
    @property
    def values(self) -> dict[str, Any]: ...
    @property
    def fields(self) -> frozenset[str]: ...


@dataclass(frozen=True)
class Filter:
    """Which features: those for which all of the predicates hold (each made with the alias `ALIAS`).

    Predicates that name facets only are answered exactly at every zoom, so a conjunction is best
    given as its parts. `key` names the filter in caches: equal keys mean equal filters.
    """

    key: str
    predicates: tuple[Predicate, ...]

    @property
    def fields(self) -> frozenset[str]:
        return frozenset().union(*(one.fields for one in self.predicates))


@dataclass(frozen=True)
class Past:
    """What held on a day, as it was known at a moment; None: as it is known now."""

    on: date
    known: datetime | None = None


@dataclass(frozen=True)
class TileOptions:
    """What a tile carries. Made by whoever parses the request, which also checks names and audience."""

    fields: tuple[str, ...] | None = None
    """Declared fields that the audience sees; None: those declared with `tile: true`."""
    filter: Filter | None = None
    datetime: Moments | None = None
    """Interval, both ends included, asked of the layer's datetime field; None at an end: open."""

    past: Past | None = None
    """A day of the past; None: today."""

    @property
    def key(self) -> str:
        """Names these options in caches."""
        times = (
            ""
            if self.datetime is None
            else "/".join("" if t is None else t.isoformat() for t in self.datetime)
        )
        fields = "*" if self.fields is None else ",".join(self.fields)
        return f"{fields}|{self.filter.key if self.filter else ''}|{times}|{self.past or ''}"


DEFAULT = TileOptions()


class BadOption(ValueError):
    """A field or filter that this layer, or this viewer, does not have; the message says which."""


class TooWide(ValueError):
    """The filter cannot be answered exactly for so wide a tile; the message says to zoom in."""
