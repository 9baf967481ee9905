"""What can be counted by what, and how a table is put together. Plain values in, plain values out.

A row of the register counts where the *intake* lies; the workload of an *issuer* is another table, and the two are
never mixed (调度通报; a permit's issuer is often not of the place where its intakes lie).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from app.errors import InvalidInput
from layers.model import Field, Layer, Text
from tiles import facets

Array = npt.NDArray[Any]
Key = str | int | None
Kind = Literal["place", "facet", "column"]
MUNICIPALITIES = (11, 12, 31, 50)
"""直辖市: below the province come its districts at once."""
DIRECT = 90
"""省直辖县级: they stand beside the prefectures of their province."""
UNKNOWN = Text(zh="不详", en="Unknown")


@dataclass(frozen=True)
class Dimension:
    """What rows or columns of a table are told apart by."""

    name: str
    title: Text
    kind: Kind
    values: Mapping[Key, Text] = field(default_factory=dict)
    """In their order; a place or an open list has none."""


OFF_STREAM: dict[Key, Text] = {
    True: Text(zh="河道外", en="Off-stream"),
    False: Text(zh="河道内", en="In-stream"),
}
COLUMNS = ("zone_code", "works_type", "water_body_type", "abstraction_mode", "off_stream")
"""Fields that map cells do not tell apart: counted from the entries themselves."""
PLACES = (
    Dimension("region", Text(zh="行政区", en="Region"), "place"),
    Dimension("basin", Text(zh="流域机构", en="Basin agency"), "place"),
)


def dimensions(layer: Layer) -> dict[str, Dimension]:
    """Everything by which intakes can be counted, by name, in the order in which it is offered."""
    faceted = [one.field for one in facets.facets(layer)]
    order = {one.name: i for i, one in enumerate(layer.fields)}
    known = [_counted(one, "facet") for one in sorted(faceted, key=lambda one: order[one.name])]
    single = [_counted(layer.field(name), "column") for name in COLUMNS]
    return {one.name: one for one in (*PLACES, *known, *single)}


def _counted(of: Field, kind: Kind) -> Dimension:
    values: dict[Key, Text] = (
        OFF_STREAM if of.type == "boolean" else {one.value: one.title for one in of.values}
    )
    return Dimension(of.name, of.title, kind, values)


def dimension(layer: Layer, name: str) -> Dimension:
    """Raises InvalidInput if nothing can be counted by that."""
    known = dimensions(layer)
    if name not in known:
        raise InvalidInput(
            f"不能按 {name[:40]!r} 统计 (cannot be counted by that; there are {', '.join(known)})",
            field="by",
            value=name[:40],
            expected=", ".join(known),
        )
    return known[name]


# ── places ──────────────────────────────────────────────────────────────────────────────────────────


def span(region: int) -> int:
    """How many GB/T 2260 codes a region takes."""
    return 10_000 if region % 10_000 == 0 else 100 if region % 100 == 0 else 1


def below(counties: Array, region: int | None) -> Array:
    """For each county the region right below `region` that holds it: province, prefecture, county.

    Of a province without a prefecture in between (直辖市, 省直辖县) it is the county itself.
    """
    codes = counties.astype(np.int64)
    if region is None:
        return codes // 10_000 * 10_000
    if span(region) == 10_000:
        direct = np.isin(codes // 10_000, MUNICIPALITIES) | (codes // 100 % 100 == DIRECT)
        return np.where(direct, codes, codes // 100 * 100)
    return codes


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Sum:
    """What a cell of a table holds."""

    n: int = 0
    volume_m3: int = 0

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.n + other.n, self.volume_m3 + other.volume_m3)


@dataclass(frozen=True)
class Line:
    key: Key
    title: Text
    total: Sum
    cells: tuple[Sum, ...]


@dataclass(frozen=True)
class Table:
    by: Dimension
    across: Dimension | None
    columns: tuple[tuple[Key, Text], ...]
    lines: tuple[Line, ...]
    total: Line


Counted = Iterable[tuple[Key, Key, Sum]]
"""Row, column and what was counted of them; None: not known, or no column."""


def table(
    by: Dimension, across: Dimension | None, counted: Counted, titles: Mapping[str, Mapping[Key, Text]]
) -> Table:
    """Rows in the order of their list (places by code), those of no listed value last; without what is not there.

    `titles` names the rows and columns of open lists, by dimension.
    """
    sums: dict[tuple[Key, Key], Sum] = {}
    for row, column, found in counted:
        sums[row, column] = sums.get((row, column), Sum()) + found
    sums = {place: found for place, found in sums.items() if found.n or found.volume_m3}
    rows = _ordered(by, {row for row, _ in sums})
    named = _ordered(across, {column for _, column in sums}) if across else []
    lines = tuple(
        _line(row, _title(by, row, titles), [sums.get((row, column), Sum()) for column in named or [None]])
        for row in rows
    )
    total = _line(
        None,
        Text(zh="合计", en="Total"),
        [sum((line.cells[i] for line in lines), Sum()) for i in range(len(named) or 1)],
    )
    columns = tuple((column, _title(across, column, titles)) for column in named) if across else ()
    if not across:
        lines = tuple(Line(line.key, line.title, line.total, ()) for line in lines)
        total = Line(None, total.title, total.total, ())
    return Table(by, across, columns, lines, total)


def _line(key: Key, title: Text, cells: Sequence[Sum]) -> Line:
    return Line(key, title, sum(cells, Sum()), tuple(cells))


def _ordered(of: Dimension, keys: set[Key]) -> list[Key]:
    listed = list(of.values)
    place = {key: i for i, key in enumerate(listed)}
    rest = sorted(
        (key for key in keys if key not in place and key is not None), key=lambda key: (str(type(key)), key)
    )
    return [key for key in listed if key in keys] + rest + ([None] if None in keys else [])


def _title(of: Dimension, key: Key, titles: Mapping[str, Mapping[Key, Text]]) -> Text:
    if key is None:
        return UNKNOWN
    found = of.values.get(key) or titles.get(of.name, {}).get(key)
    return found or Text(zh=str(key), en=str(key))
