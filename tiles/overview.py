"""Overview cells: counts, volumes and places of the points in each cell, level by level."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tiles.keys import BITS
from tiles.source import CELL_BITS, CELL_DEPTH

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Cells:
    """One level's cells: a row a (cell, county, basin)."""

    key: Array
    county: Array
    basin: Array
    sx: Array
    sy: Array
    nc: Array
    """Points by class, shape (rows, classes)."""
    vc: Array
    """Volume by class in m3, shape (rows, classes)."""

    def columns(self) -> dict[str, Array]:
        return {
            "key": self.key,
            "county_code": self.county,
            "basin_id": self.basin,
            "n": self.nc.sum(1),
            "volume": self.vc.sum(1),
            "sx": self.sx,
            "sy": self.sy,
            "nc": self.nc,
            "vc": self.vc,
        }


def levels(points: dict[str, Array], class_no: Array, classes: int, to_zoom: int) -> list[Cells]:
    """Cells for every zoom from `to_zoom` down to 0, each from the finer one.

    `points` has key, x, y, county_code, basin_id, annual_volume_m3 (NaN: not known).
    """
    finest = _from_points(points, class_no, classes, to_zoom + CELL_DEPTH)
    found = [finest]
    for _ in range(to_zoom):
        found.append(_coarser(found[-1]))
    return found


def _groups(key: Array, county: Array, basin: Array) -> tuple[Array, Array]:
    """Order that brings equal (key, county, basin) together, and where each group starts in it."""
    order = np.lexsort((basin, county, key))
    k, c, b = key[order], county[order], basin[order]
    if not len(k):
        return order, np.zeros(0, np.int64)
    new = np.concatenate(([True], (k[1:] != k[:-1]) | (c[1:] != c[:-1]) | (b[1:] != b[:-1])))
    return order, np.flatnonzero(new)


def _from_points(points: dict[str, Array], class_no: Array, classes: int, depth: int) -> Cells:
    key = (np.int64(1) << np.int64(2 * depth)) | (points["key"] >> np.int64(2 * (BITS - depth)))
    order, starts = _groups(key, points["county_code"], points["basin_id"])
    groups = len(starts)
    group = np.zeros(len(order), np.int64)
    group[starts[1:]] = 1
    slot = np.cumsum(group) * classes + class_no[order]
    volume = np.nan_to_num(points["annual_volume_m3"][order].astype(np.float64))
    low = np.int64(BITS - CELL_BITS)
    return Cells(
        key=key[order][starts],
        county=points["county_code"][order][starts],
        basin=points["basin_id"][order][starts],
        sx=_sums(points["x"][order] >> low, starts),
        sy=_sums(points["y"][order] >> low, starts),
        nc=np.bincount(slot, minlength=groups * classes).astype(np.int32).reshape(groups, classes),
        vc=np.bincount(slot, volume, minlength=groups * classes).reshape(groups, classes),
    )


def _coarser(fine: Cells) -> Cells:
    key = fine.key >> np.int64(2)
    order, starts = _groups(key, fine.county, fine.basin)
    return Cells(
        key=key[order][starts],
        county=fine.county[order][starts],
        basin=fine.basin[order][starts],
        sx=_sums(fine.sx[order], starts),
        sy=_sums(fine.sy[order], starts),
        nc=_sums(fine.nc[order], starts),
        vc=_sums(fine.vc[order], starts),
    )


def _sums(values: Array, starts: Array) -> Array:
    return np.add.reduceat(values, starts, axis=0) if len(starts) else values[:0]
