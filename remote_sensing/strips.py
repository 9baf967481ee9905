"""Reading a scene once, from north to south: each pixel is decoded once, and memory follows the strip."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, Protocol

import numba
import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from rasterio.windows import Window

from remote_sensing.scene import Band, Grid, Scene, readable

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
BLOCK = 512
"""Side in pixels of a block, which decides by its own histograms; anchored to the scene's north-west corner."""
HALO = 3
"""Pixels around a block that its neighbourhood operations look at: a mean, an erosion and a dilation of 3 × 3."""
TALLEST = 4 * BLOCK


def edges(length: int) -> list[int]:
    """Block edges along one side. A rest of less than half a block joins its neighbour."""
    return [*range(0, max(1, length - BLOCK // 2), BLOCK), length]


@dataclass(frozen=True)
class Piece:
    """Part of a strip, made of whole blocks, with its bands as float32 (NaN: no data).

    Arrays reach HALO pixels beyond `window` on all sides, NaN outside the scene.
    """

    window: Window
    rows: tuple[int, ...]
    cols: tuple[int, ...]
    """Edges of the blocks, counted from the window's corner."""
    bands: Mapping[str, Floats]


class Source(Protocol):
    """Where pixels come from: a scene, or an earlier scene on a later one's grid."""

    names: tuple[str, ...]

    def read(self, window: Window) -> list[Array]:
        """Numbers as they are in the files, one array a band; may be called from several threads."""

    def reflectance(self, number: int, raw: Array) -> Floats:
        """The numbers of a band as float32, NaN where there is no data."""


class SceneSource:
    """The files of a scene. Bands of one file are decoded together; coarser bands are interpolated."""

    def __init__(self, scene: Scene, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._grid = scene.grid
        self._bands = [scene.bands[name] for name in names]
        self._nodata = [nodata_of(band) for band in self._bands]

    def read(self, window: Window) -> list[Array]:
        found: list[Array] = [np.empty(0)] * len(self.names)
        for file in dict.fromkeys(band.file for band in self._bands):
            mine = [i for i, band in enumerate(self._bands) if band.file == file]
            indexes = [self._bands[i].index for i in mine]
            with readable(file), rasterio.open(file) as source:
                if (source.width, source.height) == (self._grid.width, self._grid.height):
                    planes = source.read(indexes, window=window)
                else:
                    planes = _interpolated(
                        source, indexes, window, self._grid, [self._nodata[i] for i in mine]
                    )
            for i, plane in zip(mine, planes, strict=True):
                found[i] = plane
        return found

    def reflectance(self, number: int, raw: Array) -> Floats:
        return to_reflectance(raw, self._bands[number], self._nodata[number])


def nodata_of(band: Band) -> float | None:
    """The number that means no data: the scene's word, else the file's."""
    if band.nodata is not None:
        return band.nodata
    with rasterio.open(band.file) as source:
        stated: float | None = source.nodatavals[band.index - 1]
    return stated


@numba.njit(nogil=True, cache=True)
def _scaled(raw, scale, offset, nodata, out):  # type: ignore[no-untyped-def]
    for row in range(raw.shape[0]):
        for col in range(raw.shape[1]):
            number = np.float32(raw[row, col])
            out[row, col] = np.float32(np.nan) if number == nodata else number * scale + offset


def to_reflectance(raw: Array, band: Band, nodata: float | None) -> Floats:
    """Scale and offset applied; NaN where the file has no data."""
    made: Floats = np.empty(raw.shape, np.float32)
    missing = np.float32(np.nan if nodata is None else nodata)
    _scaled(raw, np.float32(band.scale), np.float32(band.offset), missing, made)
    return made


def _interpolated(
    source: Any, indexes: list[int], window: Window, grid: Grid, nodata: list[float | None]
) -> list[Array]:
    """Bilinear, by position: a pixel's value does not depend on the window it is read with."""
    rows, cols = (
        (np.arange(start, start + count) + 0.5) * theirs / ours - 0.5
        for start, count, theirs, ours in (
            (int(window.row_off), int(window.height), source.height, grid.height),
            (int(window.col_off), int(window.width), source.width, grid.width),
        )
    )
    (r0, r1, fr), (c0, c1, fc) = _neighbours(rows, source.height), _neighbours(cols, source.width)
    top, left = int(r0.min()), int(c0.min())
    whole = Window(left, top, int(c1.max()) - left + 1, int(r1.max()) - top + 1)
    planes = source.read(indexes, window=whole)
    r0, r1, c0, c1 = r0 - top, r1 - top, c0 - left, c1 - left
    found: list[Array] = []
    for plane, missing in zip(planes, nodata, strict=True):
        values = plane.astype(np.float32)
        if missing is not None:
            values[plane == missing] = np.nan
        across = values[:, c0] * (1 - fc) + values[:, c1] * fc
        made = across[r0] * (1 - fr)[:, None] + across[r1] * fr[:, None]
        found.append(np.where(np.isnan(made), np.float32(missing or 0), made).astype(np.float32))
    return found


def _neighbours(at: Array, length: int) -> tuple[Array, Array, Floats]:
    low = np.clip(np.floor(at).astype(np.int64), 0, length - 1)
    high = np.minimum(low + 1, length - 1)
    return low, high, np.clip(at - low, 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Plan:
    """How a grid is cut: strips from north to south, each in pieces of whole blocks."""

    grid: Grid
    strips: tuple[int, ...]
    pieces: tuple[int, ...]

    @classmethod
    def of(cls, grid: Grid, window: int, source: SceneSource | None = None) -> "Plan":
        """Strips as tall as the file's own blocks, so that none is decoded twice."""
        tall, wide = _file_block(source, grid) if source else (BLOCK, BLOCK)
        rows, cols = edges(grid.height), edges(grid.width)
        step = max(1, min(-(-tall // BLOCK), TALLEST // BLOCK))
        span = len(cols) if wide >= grid.width else max(1, window // BLOCK, -(-wide // BLOCK))
        return cls(grid, (*rows[:-1:step], grid.height), (*cols[:-1:span], grid.width))

    def windows(self) -> list[Window]:
        """Every piece, strip by strip."""
        return [
            Window(c0, r0, c1 - c0, r1 - r0)
            for r0, r1 in zip(self.strips, self.strips[1:], strict=False)
            for c0, c1 in zip(self.pieces, self.pieces[1:], strict=False)
        ]


def _file_block(source: SceneSource, grid: Grid) -> tuple[int, int]:
    tall = wide = 1
    for file in dict.fromkeys(band.file for band in source._bands):
        with rasterio.open(file) as opened:
            height, width = opened.block_shapes[0]
            tall, wide = (
                max(tall, height * grid.height // opened.height),
                max(wide, width * grid.width // opened.width),
            )
    return tall, wide


def pieces(
    sources: Sequence[Source], plan: Plan, pool: Executor, area: shapely.Geometry | None
) -> Iterator[Callable[[], list[Piece]]]:
    """Work for the pool, in order: each call gives one piece of every source.

    While a strip is worked on, the next one is decoded. `area` (grid coordinates): pieces outside it are
    neither read nor given.
    """
    strips = list(zip(plan.strips, plan.strips[1:], strict=False))
    wanted = [_wanted(plan, strip, area) for strip in strips]

    def decode(number: int) -> list[list[Future[list[Array]] | None]]:
        top, bottom = strips[number]
        return [
            [
                pool.submit(source.read, Window(c0, top, c1 - c0, bottom - top))
                if any(wanted[n][i] for n in (number - 1, number, number + 1) if 0 <= n < len(strips))
                or (i and wanted[number][i - 1])
                or (i + 2 < len(plan.pieces) and wanted[number][i + 1])
                else None
                for i, (c0, c1) in enumerate(zip(plan.pieces, plan.pieces[1:], strict=False))
            ]
            for source in sources
        ]

    before: list[Any] | None = None
    here = decode(0)
    for number, strip in enumerate(strips):
        after = decode(number + 1) if number + 1 < len(strips) else None
        whole = (
            [_rows(kind, slice(-HALO, None)) for kind in before] if before else [None] * len(sources),
            [[future.result() if future else None for future in kind] for kind in here],
            [_rows(kind, slice(0, HALO)) for kind in after] if after else [None] * len(sources),
        )
        for column, want in enumerate(wanted[number]):
            if want:
                yield lambda whole=whole, strip=strip, column=column: [  # type: ignore[misc]
                    _piece(source, plan, strip, column, (whole[0][k], whole[1][k], whole[2][k]))
                    for k, source in enumerate(sources)
                ]
        before, here = whole[1], after or []


def _rows(kind: Sequence[Any], part: slice) -> list[Any]:
    """A few rows of every chunk of a strip, copied so that the strip itself can go."""
    chunks = [chunk.result() if isinstance(chunk, Future) else chunk for chunk in kind]
    return [None if chunk is None else [plane[part].copy() for plane in chunk] for chunk in chunks]


def _wanted(plan: Plan, strip: tuple[int, int], area: shapely.Geometry | None) -> list[bool]:
    spans = list(zip(plan.pieces, plan.pieces[1:], strict=False))
    if area is None:
        return [True] * len(spans)
    t = plan.grid.transform
    boxes = [
        shapely.Polygon([t * (c0, strip[0]), t * (c1, strip[0]), t * (c1, strip[1]), t * (c0, strip[1])])
        for c0, c1 in spans
    ]
    return [bool(shapely.intersects(area, box)) for box in boxes]


def _piece(
    source: Source, plan: Plan, strip: tuple[int, int], column: int, rows: tuple[Any, Any, Any]
) -> Piece:
    """One piece with its halo, put together from the strip and the few rows above and below it."""
    c0, c1 = plan.pieces[column], plan.pieces[column + 1]
    height, width = strip[1] - strip[0], c1 - c0
    bands: dict[str, Floats] = {}
    for number, name in enumerate(source.names):
        values = np.empty((height + 2 * HALO, width + 2 * HALO), np.float32)
        values[:HALO] = values[-HALO:] = values[:, :HALO] = values[:, -HALO:] = np.nan
        for part, at in zip(
            rows, (slice(0, HALO), slice(HALO, HALO + height), slice(-HALO, None)), strict=True
        ):
            if part is None:
                continue
            for shift, chunk_cols, own_cols in (
                (-1, slice(-HALO, None), slice(0, HALO)),
                (0, slice(None), slice(HALO, HALO + width)),
                (1, slice(0, HALO), slice(-HALO, None)),
            ):
                i = column + shift
                if 0 <= i < len(part) and part[i] is not None:
                    values[at, own_cols] = source.reflectance(number, part[i][number][:, chunk_cols])
        bands[name] = values
    rows_at = tuple(e - strip[0] for e in edges(plan.grid.height) if strip[0] <= e <= strip[1])
    cols_at = tuple(e - c0 for e in edges(plan.grid.width) if c0 <= e <= c1)
    return Piece(Window(c0, strip[0], width, height), rows_at, cols_at, bands)
