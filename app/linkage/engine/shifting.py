"""Two registers that lie a constant step apart: another datum, taken for the same.

NAD 27 for NAD 83 is some 90 m, an old national datum some 100 m: every point is off by the same vector, which
pairs of the same rare name or code tell without any model. Taken out, distances mean what they say.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.linkage.engine.sides import Side, Texts, floats

METRES_A_DEGREE = 111_195.0
FEWEST_TWINS, LEAST_M, MOST_M = 30, 15.0, 1_500.0
AGREEMENT = 0.5
"""Half of the twins lie within this part of the step, or 25 m, of it."""


@dataclass(frozen=True)
class Step:
    """How far A lies from B, in metres."""

    east: float
    north: float

    def taken_from(self, table: pa.Table) -> pa.Table:
        """The table of side A, brought to where B is."""
        lon, lat = floats(table, "lon"), floats(table, "lat")
        moved_lon = lon - self.east / METRES_A_DEGREE / np.maximum(np.cos(np.radians(lat)), 0.01)
        for name, values in (("lon", moved_lon), ("lat", lat - self.north / METRES_A_DEGREE)):
            table = table.set_column(table.column_names.index(name), name, pa.array(values, from_pandas=True))
        return table


def between(a: Side, b: Side) -> Step | None:
    """The step from B to A; None where the twins show none."""
    i, j = (
        np.concatenate(ends)
        for ends in zip(_twins(a.name, b.name), _twins(a.holder, b.holder), *_codes(a, b), strict=True)
    )
    step = a.lonlat[i] - b.lonlat[j]
    metres = step * METRES_A_DEGREE * np.column_stack([np.cos(np.radians(b.lonlat[j, 1])), np.ones(len(j))])
    near = metres[np.isfinite(metres).all(axis=1) & (np.hypot(*metres.T) < MOST_M)]
    if len(near) < FEWEST_TWINS:
        return None
    median = np.median(near, axis=0)
    size = float(np.hypot(*median))
    spread = float(np.median(np.hypot(*(near - median).T)))
    if size < LEAST_M or spread > max(AGREEMENT * size, 25.0) or spread > size:
        return None
    return Step(float(median[0]), float(median[1]))


def _codes(a: Side, b: Side) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    return [_same(x.rows, x.values, y.rows, y.values) for x in a.codes.values() for y in b.codes.values()]


def _twins(a: Texts, b: Texts) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return _same(
        a.rows, [(v.core, v.numbers) for v in a.values], b.rows, [(v.core, v.numbers) for v in b.values]
    )


def _same(
    rows_a: npt.NDArray[np.int32], values_a: object, rows_b: npt.NDArray[np.int32], values_b: object
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows whose value only they have, each on its side."""
    once_a, once_b = (_once(rows, values) for rows, values in ((rows_a, values_a), (rows_b, values_b)))
    shared = [(i, once_b[value]) for value, i in once_a.items() if value in once_b]
    found = np.array(shared, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _once(rows: npt.NDArray[np.int32], values: object) -> dict[object, int]:
    listed = list(values)  # type: ignore[call-overload]
    counts = np.bincount(rows[rows >= 0], minlength=len(listed))
    first = np.full(len(listed) + 1, -1, np.int64)
    first[rows] = np.arange(len(rows))
    return {value: int(first[k]) for k, value in enumerate(listed) if counts[k] == 1}
