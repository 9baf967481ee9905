"""What the map table of a big point layer holds beside key and place, derived from the declaration."""

from dataclasses import dataclass
from functools import cache

from layers.derive.columns import quote
from layers.model import Layer
from tiles import facets as coding

BASE = ("key", "id", "x", "y", "county_code", "basin_id", "class")


@dataclass(frozen=True)
class Columns:
    """The map table's own columns by how they are kept."""

    facets: tuple[coding.Facet, ...]
    """Digits: smallint."""
    numbers: tuple[str, ...]
    """Real; NaN: not known."""
    texts: tuple[str, ...]
    """Text or date as the view has it; they may be null."""

    @property
    def own(self) -> tuple[str, ...]:
        return (*(one.name for one in self.facets), *self.numbers, *self.texts)


@cache
def columns(layer: Layer) -> Columns:
    """Facets, and whatever else tiles carry or the declaration wants carried."""
    assert layer.points is not None  # noqa: S101 - asked of big point layers only
    faceted = coding.facets(layer)
    known = {one.name for one in faceted} | set(BASE)
    rest = [
        field
        for field in layer.fields
        if field.name not in known and (field.tile or field.name in layer.points.carried)
    ]
    return Columns(
        faceted,
        tuple(field.name for field in rest if field.type == "number"),
        tuple(field.name for field in rest if field.type != "number"),
    )


def value_sql(layer: Layer, name: str, alias: str) -> str:
    """A column of the map table as the declared value. Raises KeyError if the table does not hold the field."""
    kept = columns(layer)
    column = f"{alias}.{quote(name)}"
    for facet in kept.facets:
        if facet.name == name:
            return facet.value_sql(column)
    if name in kept.numbers:
        return f"nullif({column}, 'NaN')"
    if name in kept.texts or name == "county_code":
        return column
    raise KeyError(name)


def holds(layer: Layer, names: frozenset[str]) -> bool:
    """Does the map table hold all of these fields?"""
    return names <= {*columns(layer).own, "county_code"}


def feed(layer: Layer) -> str:
    """The quoted view that publishing reads."""
    assert layer.points is not None  # noqa: S101
    return quote(layer.points.feed or layer.source.view)


def volume_sql(layer: Layer, alias: str) -> str:
    """Whole m³ of a row of the map table, as overview.volumes."""
    assert layer.points is not None  # noqa: S101
    if layer.points.summed is None:
        return "0::bigint"
    column = f"{alias}.{quote(layer.points.summed)}"
    return f"(case when {column} = 'NaN' then 0 else round({column}::float8) end)::bigint"
