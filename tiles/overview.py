"""Overview cells: counts, volumes and places of the points in each cell, level by level."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tiles.keys import BITS

Array = npt.NDArray[Any]
CELL_DEPTH = 4
"""16 × 16 cells a tile: on a tile of 512 pixels each has 32, and room for its number (docs/adr/0037)."""
CELL_BITS = 18
"""Sums of coordinates are kept at this precision."""
PACKED = np.dtype([("class", "<i4"), ("n", "<i4"), ("volume", "<i8")])
"""What a cell counts of one class."""


@dataclass(frozen=True)
class Points:
    """Points, or changes of points, as cells need them: `n` is 1 for each (-1 for one taken away)."""

    key: Array
    county: Array
    basin: Array
    class_no: Array
    n: Array
    volume: Array
    """Whole m³."""
    sx: Array
    sy: Array


@dataclass(frozen=True)
class Cells:
    """One level: a row a (cell, county, basin), and its classes."""

    key: Array
    county: Array
    basin: Array
    n: Array
    volume: Array
    sx: Array
    sy: Array
    packed: Array
    """PACKED entries of all rows, one row after the other, by class."""
    starts: Array
    """Where the entries of each row begin."""

    @property
    def lengths(self) -> Array:
        """Entries a row."""
        return np.diff(self.starts, append=len(self.packed))

    def counted(self, digits: Array, base: int) -> Array:
        """n by digit of one facet, shape (rows, base); `digits` are those of the packed entries."""
        row = np.repeat(np.arange(len(self.key)), self.lengths)
        counts = np.bincount(row * base + digits, self.packed["n"], len(self.key) * base)
        return np.rint(counts).astype(np.int32).reshape(-1, base)


def point_sums(x: Array, y: Array) -> tuple[Array, Array]:
    """World coordinates at the precision of the sums."""
    low = np.int64(BITS - CELL_BITS)
    return x.astype(np.int64) >> low, y.astype(np.int64) >> low


def volumes(real: Array) -> Array:
    """Whole m³ of a column of the map table; nothing known counts as nothing."""
    return np.rint(np.nan_to_num(real.astype(np.float64))).astype(np.int64)


def levels(points: Points, to_zoom: int) -> list[Cells]:
    """Cells for every zoom from `to_zoom` down to 0, each from the finer one.

    Rows and entries that sum to nothing are kept: a fold must find what it has to take away.
    """
    owner, owners = _dense((points.county.astype(np.int64) << 16) | points.basin.astype(np.int64))
    of_class, classes = _dense(points.class_no.astype(np.int64))
    depth = to_zoom + CELL_DEPTH
    key = (np.int64(1) << np.int64(2 * depth)) | (points.key >> np.int64(2 * (BITS - depth)))
    sums = [points.n, points.volume, points.sx, points.sy]
    found = []
    for _ in range(to_zoom + 1):
        key, owner, of_class, sums = _merged(key, owner, of_class, sums, len(owners), len(classes))
        found.append(_rows(key, owners[owner], classes[of_class], sums))
        key = key >> np.int64(2)
    return found


def _dense(values: Array) -> tuple[Array, Array]:
    """Each value's number among the distinct ones, and these."""
    distinct, numbers = np.unique(values, return_inverse=True)
    return numbers.astype(np.int64), distinct


def _merged(
    key: Array, owner: Array, of_class: Array, sums: list[Array], owners: int, classes: int
) -> tuple[Array, Array, Array, list[Array]]:
    """Entries of one key, owner and class summed, in that order."""
    # At most 29 bits of key, and as many as the owners and classes take: some 13 and 15 for the nation.
    one = (key * owners + owner) * classes + of_class
    order = np.argsort(one, kind="stable")
    one = one[order]
    starts = np.flatnonzero(np.diff(one, prepend=-1))
    summed = [_sums(values[order].astype(np.int64), starts) for values in sums]
    first = order[starts]
    return key[first], owner[first], of_class[first], summed


def _rows(key: Array, place: Array, class_no: Array, sums: list[Array]) -> Cells:
    new = np.ones(len(key), bool)
    new[1:] = (key[1:] != key[:-1]) | (place[1:] != place[:-1])
    starts = np.flatnonzero(new)
    packed = np.zeros(len(key), PACKED)
    packed["class"], packed["n"], packed["volume"] = class_no, sums[0], sums[1]
    n, volume, sx, sy = (_sums(values, starts) for values in sums)
    return Cells(
        key=key[starts],
        county=(place[starts] >> 16).astype(np.int32),
        basin=(place[starts] & 0xFFFF).astype(np.int16),
        n=n,
        volume=volume,
        sx=sx,
        sy=sy,
        packed=packed,
        starts=starts,
    )


def _sums(values: Array, starts: Array) -> Array:
    return np.add.reduceat(values, starts) if len(starts) else values[:0]
