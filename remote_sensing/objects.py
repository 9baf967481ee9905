"""Pixels to objects, window by window: memory follows the window, never the scene.

Each window is labelled by itself (8-connected) and its labels get numbers of their own. Where two
windows meet, labels that touch are one object (union-find); sums over pixels simply add up. The
labels wait in a scratch file until it is known which objects count; only those are drawn as polygons.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cc3d
import numba
import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from rasterio.windows import Window

from remote_sensing.scene import Grid

Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]
Array = npt.NDArray[Any]
FEATHER = 1


def windows(grid: Grid, size: int) -> list[Window]:
    """Windows that cover the grid, row by row."""
    return [
        Window(col, row, min(size, grid.width - col), min(size, grid.height - row))
        for row in range(0, grid.height, size)
        for col in range(0, grid.width, size)
    ]


@numba.njit(nogil=True, cache=False)
def _find(parent: Array, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit(nogil=True, cache=False)
def _unite(parent: Array, a: Array, b: Array) -> None:
    """Unite the labels of two touching lines of pixels, diagonals included."""
    for i in range(len(a)):
        if a[i] == 0:
            continue
        for j in range(max(0, i - 1), min(len(b), i + 2)):
            if b[j] != 0:
                x, y = _find(parent, a[i]), _find(parent, b[j])
                if x < y:
                    parent[y] = x
                elif y < x:
                    parent[x] = y


@dataclass
class Objects:
    """What the objects are, one entry each."""

    number: Array
    pixels: Array
    sums: dict[str, Array]
    box: Array
    """First and last column and row, shape (n, 4): col0, row0, col1, row1 (inclusive)."""

    def mean(self, name: str) -> Array:
        """Mean of a summed layer over each object."""
        return self.sums[name] / self.pixels


@dataclass
class Labeller:
    """Collects the objects of one kind over a scene's windows. Windows may come in any order."""

    grid: Grid
    layers: tuple[str, ...]
    folder: Path | None = None
    _next: int = 1
    _parts: list[tuple[int, Array, Array, dict[str, Array], Array]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._file = tempfile.NamedTemporaryFile(dir=self.folder, prefix="labels-", suffix=".scratch")
        self._labels: Labels = np.memmap(
            self._file, np.int32, "w+", shape=(self.grid.height, self.grid.width)
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._labels
        self._file.close()

    def add(self, window: Window, strong: Bools, weak: Bools, values: dict[str, Array]) -> None:
        """Take in one window: `weak` pixels make the objects, those without a `strong` one fall later.

        `values`: what is summed over each object, arrays of the window's shape (NaN counts as 0).
        """
        row, col = int(window.row_off), int(window.col_off)
        found, count = cc3d.connected_components(weak.astype(np.uint8), connectivity=8, return_N=True)
        if not count:
            return
        flat = found.ravel()
        at = np.flatnonzero(flat)
        ids = flat[at].astype(np.int64)
        pixels = np.bincount(ids, minlength=count + 1)[1:]
        sums = {"strong": np.bincount(ids, strong.ravel()[at], count + 1)[1:]}
        for name in self.layers:
            sums[name] = np.bincount(ids, np.nan_to_num(values[name].ravel()[at]), count + 1)[1:]
        stats = cc3d.statistics(found, no_slice_conversion=True)["bounding_boxes"][1:].astype(np.int64)
        # cc3d gives first and last row, then first and last column.
        box = np.stack([stats[:, 2] + col, stats[:, 0] + row, stats[:, 3] + col, stats[:, 1] + row], 1)
        first = self._next
        self._next += count
        self._labels[row : row + found.shape[0], col : col + found.shape[1]] = np.where(
            found > 0, found.astype(np.int32) + (first - 1), 0
        )
        self._parts.append((first, pixels, box, sums, np.arange(first, first + count)))

    def finish(self, size: int) -> tuple[Objects, Array]:
        """All objects with at least one strong pixel, and the object's number of every label (0: none)."""
        parent = np.arange(self._next, dtype=np.int64)
        for row in range(size, self.grid.height, size):
            _unite(parent, np.asarray(self._labels[row - 1]), np.asarray(self._labels[row]))
        for col in range(size, self.grid.width, size):
            _unite(
                parent,
                np.ascontiguousarray(self._labels[:, col - 1]),
                np.ascontiguousarray(self._labels[:, col]),
            )
        if not self._parts:
            none = np.zeros(0, np.int64)
            empty = {name: np.zeros(0) for name in ("strong", *self.layers)}
            return Objects(none, none, empty, np.zeros((0, 4), np.int64)), parent * 0
        self._parts.sort(key=lambda part: part[0])
        labels = np.concatenate([part[4] for part in self._parts])
        roots = _roots(parent)[labels]
        number, group = np.unique(roots, return_inverse=True)
        count = len(number)
        pixels = np.bincount(group, np.concatenate([p[1] for p in self._parts]), count).astype(np.int64)
        boxes = np.concatenate([p[2] for p in self._parts])
        box = np.full((count, 4), -1, np.int64)
        box[:, :2] = np.iinfo(np.int64).max
        for side in (0, 1):
            np.minimum.at(box[:, side], group, boxes[:, side])
        for side in (2, 3):
            np.maximum.at(box[:, side], group, boxes[:, side])
        sums = {
            name: np.bincount(group, np.concatenate([p[3][name] for p in self._parts]), count)
            for name in ("strong", *self.layers)
        }
        keep = sums["strong"] > 0
        final = np.zeros(self._next, np.int64)
        order = np.cumsum(keep) * keep
        final[labels] = order[group]
        kept = Objects(
            np.arange(1, keep.sum() + 1), pixels[keep], {k: v[keep] for k, v in sums.items()}, box[keep]
        )
        return kept, final

    def numbers(self, window: Window, final: Array) -> Labels:
        """The object numbers of a window's pixels."""
        r, c = int(window.row_off), int(window.col_off)
        piece = np.asarray(self._labels[r : r + int(window.height), c : c + int(window.width)])
        return final[piece].astype(np.int32)

    def shapes(self, final: Array, wanted: Array, size: int) -> dict[int, shapely.Geometry]:
        """Polygons (grid coordinates) of the wanted objects, drawn window by window and joined."""
        chosen = np.zeros(int(final.max(initial=0)) + 1, bool)
        chosen[wanted] = True
        pieces: dict[int, list[shapely.Geometry]] = {int(n): [] for n in wanted}
        for window in windows(self.grid, size):
            numbers = self.numbers(window, final)
            numbers[~chosen[numbers]] = 0
            if not numbers.any():
                continue
            for geometry, number in _polygons(numbers, self.grid, window):
                pieces[number].append(geometry)
        return {number: shapely.union_all(parts) for number, parts in pieces.items() if parts}


@numba.njit(nogil=True, cache=False)
def _roots(parent: Array) -> Array:
    out = np.empty_like(parent)
    for i in range(len(parent)):
        out[i] = _find(parent, i)
    return out


def _polygons(numbers: Labels, grid: Grid, window: Window) -> Iterator[tuple[shapely.Geometry, int]]:
    transform = rasterio.windows.transform(window, grid.transform)
    for geometry, number in rasterio.features.shapes(numbers, numbers > 0, 8, transform):
        yield shapely.make_valid(shapely.geometry.shape(geometry)), int(number)
