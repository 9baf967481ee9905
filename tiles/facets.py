"""The class of a point: all of its facets in one whole number, so that cells can count by any of them.

Mixed radix, the first facet highest. The digit of a coded field is the position in its list of values,
one more than the last for anything else; that of a year is the year, 0 where it is not known.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.derive.columns import quote
from layers.model import Field, Layer

YEARS = 4096
Ints = npt.NDArray[np.int64]


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def values_array(field: Field) -> str:
    """The declared values as an SQL array."""
    return f"array[{', '.join(literal(str(value.value)) for value in field.values)}]"


@dataclass(frozen=True)
class Facet:
    """One facet: `base` digits, each worth `weight` in the class number."""

    field: Field
    base: int
    weight: int

    @property
    def name(self) -> str:
        return self.field.name

    def digit_sql(self, value: str) -> str:
        """The digit of an SQL expression that holds the field's declared value."""
        if self.field.values:
            return f"(coalesce(array_position({values_array(self.field)}, {value}::text), {self.base}) - 1)::smallint"
        # Named once: the value may be a query of its own.
        return f"greatest(0, least(coalesce({value}, 0), {YEARS - 1}))::smallint"

    def value_sql(self, digit: str) -> str:
        """The declared value of an SQL expression that holds the digit; null where there is none."""
        if self.field.values:
            return f"({values_array(self.field)})[{digit} + 1]"
        return f"nullif({digit}, 0)::integer"

    def digits(self, classes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """This facet's digit of each class."""
        found: npt.NDArray[Any] = classes // self.weight % self.base
        return found


@cache
def facets(layer: Layer) -> tuple[Facet, ...]:
    """The facets of a layer with map tables, in declared order."""
    assert layer.points is not None  # noqa: S101 - asked of big point layers only
    found: list[Facet] = []
    weight = 1
    for name in reversed(layer.points.facets):
        field = layer.field(name)
        base = len(field.values) + 1 if field.values else YEARS
        found.append(Facet(field, base, weight))
        weight *= base
    assert weight < 2**31  # noqa: S101 - a class is an integer column
    return tuple(reversed(found))


def facet(layer: Layer, name: str) -> Facet:
    """Raises KeyError if the field is none of the layer's facets."""
    for one in facets(layer):
        if one.name == name:
            return one
    raise KeyError(name)


def class_sql(layer: Layer, alias: str) -> str:
    """The class of a row that holds the digits in columns named like the facets."""
    parts = [f"{alias}.{quote(one.name)}::integer * {one.weight}" for one in facets(layer)]
    return " + ".join(parts)


def class_numbers(layer: Layer, points: dict[str, npt.NDArray[Any]]) -> Ints:
    """Classes of points from their digits."""
    number = np.zeros(len(points["key"]), np.int64)
    for one in facets(layer):
        number += points[one.name].astype(np.int64) * one.weight
    return number
