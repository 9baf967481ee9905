"""Reading a scene once, from north to south: each pixel is decoded once, and memory follows the strip."""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from rasterio.windows import Window

from remote_sensing import memory
from remote_sensing.scene import Grid
from remote_sensing.sources import Array, Coding, Floats, SceneSource, Source, scaled_part

__all__ = ["BLOCK", "HALO", "Piece", "Plan", "SceneSource", "Source", "pieces"]

BLOCK = 512
"""Side in pixels of a block, which decides by its own histograms; anchored to the scene's north-west corner."""
HALO = 6
"""Pixels around a block that its neighbourhood operations look at: two of 5 × 5, an erosion and a dilation of 3 × 3."""
TALLEST = 4 * BLOCK
WIDEST = 32 * BLOCK
"""Columns that are read from north to south at a time: wider scenes are read in lanes, so that memory has a bound."""
AHEAD = 2
"""Chunks that are decoded before the pieces that touch them are asked for."""


def edges(length: int) -> list[int]:
    """Block edges along one side. A rest of less than half a block joins its neighbour."""
    return [*range(0, max(1, length - BLOCK // 2), BLOCK), length]


@dataclass(frozen=True)
class Piece:
    """Part of a strip, made of whole blocks. It knows HALO pixels beyond `window` on all sides."""

    window: Window
    rows: tuple[int, ...]
    cols: tuple[int, ...]
    """Edges of the blocks, counted from the window's corner."""
    names: tuple[str, ...]
    codings: tuple[Coding, ...]
    numbers: list[Array]
    """As they are in the files, one array a band."""
    around: tuple[tuple[list[Array] | None, ...], ...]
    """The rims of its neighbours, 3 × 3 with the piece itself in the middle; None outside the scene."""

    def planes(self) -> dict[str, tuple[Array, Coding]]:
        """The numbers of each band within the window, and how they become reflectance."""
        return dict(zip(self.names, zip(self.numbers, self.codings, strict=True), strict=True))

    def block(
        self, rows: tuple[int, int], cols: tuple[int, int], names: Collection[str] | None = None
    ) -> dict[str, Floats]:
        """The bands (all, or those named) of some rows and columns with HALO pixels around, float32, NaN where there is no data.

        The arrays are this thread's own and hold until it asks for the next block.
        """
        (r0, r1), (c0, c1) = rows, cols
        shape = (r1 - r0 + 2 * HALO, c1 - c0 + 2 * HALO)
        down = _shares(r0, r1, int(self.window.height))
        across = _shares(c0, c1, int(self.window.width))
        made = {}
        for number, (name, coding) in enumerate(zip(self.names, self.codings, strict=True)):
            if names is not None and name not in names:
                continue
            values = made[name] = memory.scratch(f"band {name}", shape, np.float32)
            for y, ours_down, theirs_down in down:
                for x, ours_across, theirs_across in across:
                    part = self.around[y][x]
                    if part is None:
                        values[ours_down, ours_across] = np.nan
                    else:
                        scaled_part(
                            part[number],
                            (theirs_down, theirs_across),
                            coding,
                            values,
                            (ours_down, ours_across),
                        )
        return made


def _shares(start: int, stop: int, length: int) -> list[tuple[int, slice, slice]]:
    """Which of three neighbours give the pixels from `start` to `stop` with HALO around: where to, where from."""
    found = []
    first, last = start - HALO, stop + HALO
    for which, (low, high) in enumerate(((-HALO, 0), (0, length), (length, length + HALO))):
        a, b = max(first, low), min(last, high)
        if a < b:
            found.append((which, slice(a - first, b - first), slice(a - low, b - low)))
    return found


@dataclass(frozen=True)
class Plan:
    """How a grid is cut: strips from north to south, each in pieces of whole blocks."""

    grid: Grid
    strips: tuple[int, ...]
    pieces: tuple[int, ...]
    lanes: tuple[int, ...]
    """Numbers of the pieces where lanes begin, and of the last one's end."""

    @classmethod
    def of(cls, grid: Grid, window: int, source: SceneSource | None = None) -> "Plan":
        """Strips as tall as the file's own blocks, so that none is decoded twice."""
        tall, wide = source.file_block() if source else (BLOCK, BLOCK)
        rows, cols = edges(grid.height), edges(grid.width)
        step = max(1, min(-(-tall // BLOCK), TALLEST // BLOCK))
        span = len(cols) if wide >= grid.width else max(1, window // BLOCK, -(-wide // BLOCK))
        pieces = (*cols[:-1:span], grid.width)
        number, together = len(pieces) - 1, max(1, WIDEST // (span * BLOCK))
        return cls(grid, (*rows[:-1:step], grid.height), pieces, (*range(0, number, together), number))

    def windows(self) -> list[Window]:
        """Every piece, strip by strip."""
        return [
            Window(c0, r0, c1 - c0, r1 - r0)
            for r0, r1 in pairwise(self.strips)
            for c0, c1 in pairwise(self.pieces)
        ]


def pieces(
    sources: Sequence[Source], plan: Plan, pool: Executor, area: shapely.Geometry | None
) -> Iterator[Callable[[], list[Piece]]]:
    """Work for the pool, lane by lane, in order: each call gives one piece of every source.

    While pieces are worked on, what lies south of them is decoded. `area` (grid coordinates): pieces outside it are
    neither read nor given.
    """
    wanted = np.array([_wanted(plan, strip, area) for strip in pairwise(plan.strips)])
    for first, last in pairwise(plan.lanes):
        yield from _Lane(sources, plan, pool, wanted, first, last).pieces()


class _Lane:
    """Some columns of a scene from north to south, as chunks: one a piece, and the rim of the lanes beside."""

    def __init__(
        self, sources: Sequence[Source], plan: Plan, pool: Executor, wanted: Any, first: int, last: int
    ) -> None:
        self._sources, self._plan, self._pool = sources, plan, pool
        spans = list(pairwise(plan.pieces[first : last + 1]))
        rim = [(spans[0][0] - HALO, spans[0][0])] if first else []
        rest = [(spans[-1][1], spans[-1][1] + HALO)] if last < len(plan.pieces) - 1 else []
        self._spans = [*rim, *spans, *rest]
        self._strips = list(pairwise(plan.strips))
        columns = np.arange(len(self._spans)) - len(rim) + first
        own = (columns >= first) & (columns < last)
        self._wanted = np.zeros((len(self._strips), len(self._spans)), bool)
        self._wanted[:, own] = wanted[:, first:last]
        around = np.pad(self._wanted, 1)
        height, width = self._wanted.shape
        # A chunk is decoded if it, or one of its neighbours, is wanted.
        self._needed = np.any(
            [around[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0
        )
        self._chunks: dict[int, list[Future[list[Array]] | None]] = {}
        self._asked = 0

    def pieces(self) -> Iterator[Callable[[], list[Piece]]]:
        across = len(self._spans)
        tails: list[Any] = [None] * across
        """The last rows of the strip above, by chunk."""
        for strip in range(len(self._strips)):
            below: list[Any] = [None] * across
            for column in range(across):
                self._decode((strip + 1) * across + column + 1 + AHEAD)
                if self._wanted[strip, column]:
                    around = [self._around(strip, column, tails, k) for k in range(len(self._sources))]
                    yield lambda around=around, at=(strip, column): self._made(at, around)  # type: ignore[misc]
                if column:
                    below[column - 1] = self._let_go(strip, column - 1)
            below[-1] = self._let_go(strip, across - 1)
            tails = below

    def _decode(self, last: int) -> None:
        """Ask for the chunks up to this one, in reading order."""
        across = len(self._spans)
        while self._asked <= min(last, len(self._strips) * across - 1):
            strip, column = divmod(self._asked, across)
            (top, bottom), (left, right) = self._strips[strip], self._spans[column]
            window = Window(left, top, right - left, bottom - top)
            self._chunks[self._asked] = [
                self._pool.submit(source.read, window) if self._needed[strip, column] else None
                for source in self._sources
            ]
            self._asked += 1

    def _let_go(self, strip: int, column: int) -> list[list[Array] | None]:
        """Forget a chunk but for its last rows."""
        whole = slice(None)
        kept = [self._part((strip, column), k, slice(-HALO, None), whole) for k in range(len(self._sources))]
        del self._chunks[strip * len(self._spans) + column]
        return kept

    def _part(self, at: tuple[int, int], source: int, rows: slice, cols: slice) -> list[Array] | None:
        """A copy of a few rows or columns of a chunk, so that the chunk itself can go."""
        strip, column = at
        if not (0 <= strip < len(self._strips) and 0 <= column < len(self._spans)):
            return None
        whole = self._whole(strip, column, source)
        return None if whole is None else [plane[rows, cols].copy() for plane in whole]

    def _whole(self, strip: int, column: int, source: int) -> list[Array] | None:
        future = self._chunks[strip * len(self._spans) + column][source]
        return None if future is None else future.result()

    def _around(self, strip: int, column: int, above: Sequence[Any], k: int) -> tuple[Any, ...]:
        """A chunk of one source and what touches it, 3 × 3."""
        first, last, every = slice(0, HALO), slice(-HALO, None), slice(None)
        sides = ((-1, last), (0, every), (1, first))
        north = tuple(
            [plane[:, cols] for plane in above[column + side][k]]
            if 0 <= column + side < len(above) and above[column + side] and above[column + side][k]
            else None
            for side, cols in sides
        )
        west, east = (
            self._part((strip, column + side), k, every, cols) for side, cols in (sides[0], sides[2])
        )
        south = tuple(self._part((strip + 1, column + side), k, first, cols) for side, cols in sides)
        return north, (west, self._whole(strip, column, k), east), south

    def _made(self, at: tuple[int, int], around: Sequence[tuple[Any, ...]]) -> list[Piece]:
        strip, column = at
        (top, bottom), (left, right) = self._strips[strip], self._spans[column]
        window = Window(left, top, right - left, bottom - top)
        rows = tuple(e - top for e in edges(self._plan.grid.height) if top <= e <= bottom)
        cols = tuple(e - left for e in edges(self._plan.grid.width) if left <= e <= right)
        return [
            Piece(window, rows, cols, source.names, source.codings, parts[1][1], parts)
            for source, parts in zip(self._sources, around, strict=True)
        ]


def _wanted(plan: Plan, strip: tuple[int, int], area: shapely.Geometry | None) -> list[bool]:
    spans = list(pairwise(plan.pieces))
    if area is None:
        return [True] * len(spans)
    t = plan.grid.transform
    boxes = [
        shapely.Polygon([t * (c0, strip[0]), t * (c1, strip[0]), t * (c1, strip[1]), t * (c0, strip[1])])
        for c0, c1 in spans
    ]
    return [bool(shapely.intersects(area, box)) for box in boxes]
