"""What was decoded once, kept on disk as it came, so that evidence about objects need not be decoded again.

Objects are known only when the whole scene was read; by then its pixels are gone from memory. Candidates lie all over
a scene: cutting their pictures from the files would decode most blocks once more. Numbers are written to a file without
a name in the folder of the results, whose pages the system holds for as long as it has room, and which is gone with
the process.
"""

import os
import shutil
import tempfile
import threading
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from remote_sensing.sources import Array, Coding, Floats, Source, scaled
from remote_sensing.strips import Plan

MOST_BYTES = 16 * 2**30
"""What would take more is read again instead …"""
SPARE = 4
"""… and so is what would take more than a quarter of the disk's free space."""


class Kept:
    """A source whose numbers are kept as they are read. Threads may read what others write; close it at the end."""

    def __init__(self, source: Source, plan: Plan, folder: Path) -> None:
        self.names = source.names
        self._source, self._rows, self._cols = source, plan.strips, plan.pieces
        self._file = tempfile.TemporaryFile(dir=folder, prefix="decoded-")  # noqa: SIM115 - closed by `close`
        self._lock = threading.Lock()
        self._end = 0
        self._chunks: dict[tuple[int, int], tuple[int, list[tuple[tuple[int, int], np.dtype[Any]]]]] = {}

    @property
    def codings(self) -> tuple[Coding, ...]:
        return self._source.codings

    def close(self) -> None:
        self._file.close()

    def read(self, window: Window) -> list[Array]:
        """As the source reads; a whole piece of the plan is kept."""
        numbers = self._source.read(window)
        row, col = int(window.row_off), int(window.col_off)
        whole = row in self._rows[:-1] and col in self._cols[:-1]
        if whole and int(window.width) == self._cols[self._cols.index(col) + 1] - col:
            self._keep((row, col), numbers)
        return numbers

    def _keep(self, at: tuple[int, int], numbers: Sequence[Array]) -> None:
        with self._lock:
            start = self._end
            self._end += sum(plane.nbytes for plane in numbers)
        try:
            self._write(numbers, start)
        except OSError:  # the disk is full: what is not kept is read again
            return
        self._chunks[at] = (start, [(plane.shape, plane.dtype) for plane in numbers])

    def _write(self, numbers: Sequence[Array], place: int) -> None:
        for plane in numbers:
            left = np.ascontiguousarray(plane).data.cast("B")
            while len(left):
                done = os.pwrite(self._file.fileno(), left, place)
                place, left = place + done, left[done:]

    def bands(self, names: Sequence[str], window: Window) -> dict[str, Floats] | None:
        """Bands over a window inside the grid, float32, NaN where there is no data; None if not all of it was kept."""
        if not set(names) <= set(self.names):
            return None
        row, col = int(window.row_off), int(window.col_off)
        down = _parts(self._rows, row, row + int(window.height))
        across = _parts(self._cols, col, col + int(window.width))
        if any((r, c) not in self._chunks for r, _, _ in down for c, _, _ in across):
            return None
        made = {name: np.empty((int(window.height), int(window.width)), np.float32) for name in names}
        for r, r0, r1 in down:
            for c, c0, c1 in across:
                for name in names:
                    number = self.names.index(name)
                    raw = self._rows_of((r, c), number, r0 - r, r1 - r)[:, c0 - c : c1 - c]
                    scaled(raw, *self.codings[number], made[name][r0 - row : r1 - row, c0 - col : c1 - col])
        return made

    def _rows_of(self, at: tuple[int, int], number: int, first: int, last: int) -> Array:
        start, planes = self._chunks[at]
        start += sum(int(np.prod(shape)) * kind.itemsize for shape, kind in planes[:number])
        shape, kind = planes[number]
        line = shape[1] * kind.itemsize
        raw = os.pread(self._file.fileno(), (last - first) * line, start + first * line)
        return np.frombuffer(raw, kind).reshape(last - first, shape[1])


def _parts(edges: Sequence[int], start: int, stop: int) -> list[tuple[int, int, int]]:
    """The pieces that a stretch lies in: where each begins, and the part of the stretch in it."""
    first = max(bisect_right(edges, start) - 1, 0)
    return [(low, max(low, start), min(high, stop)) for low, high in pairwise(edges[first:]) if low < stop]


class Keep:
    """Keeps the dates of one search in a folder, while the `with` lasts and if there is room."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._dates: list[Kept] = []

    def __enter__(self) -> "Keep":
        return self

    def __exit__(self, *_: object) -> None:
        for kept in self._dates:
            kept.close()

    def of(self, sources: list[Source], plan: Plan) -> list[Source]:
        """The sources, keeping what they read; as they are if all of it, at four bytes a number, is too much."""
        need = plan.grid.width * plan.grid.height * sum(4 * len(source.names) for source in sources)
        if need <= MOST_BYTES and SPARE * need <= shutil.disk_usage(self._folder).free:
            self._dates = [Kept(source, plan, self._folder) for source in sources]
        return [*self._dates] or sources

    def bands(self, date: int, names: Sequence[str], window: Window) -> dict[str, Floats] | None:
        """Bands of the newest date (0) or the earlier one (1) over a window of the newest one's grid, if kept."""
        return self._dates[date].bands(names, window) if date < len(self._dates) else None
