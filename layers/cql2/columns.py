"""What a filter may name: columns with their types."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from layers.crs import Bounds
from layers.derive.columns import quote
from layers.model import Audience, Layer

Type = Literal[
    "string", "integer", "number", "boolean", "date", "datetime", "geometry", "interval",
    "strings", "numbers", "times",
]  # fmt: skip
Bind = Callable[[object], str]
"""Makes a value a parameter and returns its place in the SQL."""
Near = Callable[[Bounds, Bind], str]
GEOMETRY = "geometry"
"""The name of the one geometry in queryables."""


@dataclass(frozen=True, slots=True)
class Column:
    """A property as SQL. The SQL is trusted: it comes from the declaration, never from a client."""

    sql: str
    type: Type
    coded: str | None = None
    """SQL of the small integer behind a string, where the table holds that; with it, the strings by number."""
    codes: tuple[str, ...] = ()
    near: Near | None = None
    """Of a geometry: SQL that holds for whatever may lie in a box (degrees), by an index."""


def columns_of(layer: Layer, audience: Audience, *, alias: str) -> dict[str, Column]:
    """The queryables of a layer as columns of its view, which the statement names `alias`."""
    found = {GEOMETRY: Column(f"{alias}.{quote(layer.source.geometry)}", "geometry")}
    for field in layer.fields_for(audience):
        if field.filter:
            found[field.name] = Column(f"{alias}.{quote(field.name)}", field.type)
    for one in layer.lists_for(audience):
        found[one.name] = Column(f"string_to_array({alias}.{quote(one.field)}, ' ')", "strings")
    return found
