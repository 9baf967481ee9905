"""Where the pixels of a strip come from, and how the numbers of a file become reflectance."""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numba
import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window

from remote_sensing.memory import apart
from remote_sensing.scene import Band, Grid, Scene, hidden, readable

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


class Coding(NamedTuple):
    """Reflectance = number × scale + offset, unless the number says that there is no data (NaN: none does)."""

    scale: np.float32 = np.float32(1)
    offset: np.float32 = np.float32(0)
    nodata: np.float32 = np.float32(np.nan)


class Source(Protocol):
    """Where pixels come from: a scene, or an earlier scene on a later one's grid."""

    @property
    def names(self) -> tuple[str, ...]:
        """The bands, in the order in which they are read."""

    @property
    def codings(self) -> tuple[Coding, ...]:
        """How the numbers of each become reflectance."""

    def read(self, window: Window) -> list[Array]:
        """Numbers as they are in the files, one array a band; may be called from several threads."""


@numba.njit(nogil=True, cache=True, inline="always")
def reflectance(number, scale, offset, nodata):  # type: ignore[no-untyped-def]
    """One number of a file as float32, NaN where there is no data."""
    value = np.float32(number)
    return np.float32(np.nan) if value == nodata else value * scale + offset


@numba.njit(nogil=True, cache=True)
def scaled(raw, scale, offset, nodata, out):  # type: ignore[no-untyped-def]
    """Scale and offset applied; NaN where the file has no data."""
    _scaled(raw, 0, 0, scale, offset, nodata, out, 0, 0, out.shape[0], out.shape[1])


@numba.njit(nogil=True, cache=True)
def _scaled(raw, row0, col0, scale, offset, nodata, out, row1, col1, height, width):  # type: ignore[no-untyped-def]
    # Lines of whole arrays lie together, which a part of an array does not say: only so the loop becomes vectors.
    for row in range(height):
        numbers = raw[row0 + row, col0 : col0 + width]
        line = out[row1 + row, col1 : col1 + width]
        for col in range(width):
            line[col] = reflectance(numbers[col], scale, offset, nodata)


def scaled_part(
    raw: Array, at: tuple[slice, slice], coding: Coding, out: Floats, to: tuple[slice, slice]
) -> None:
    """`scaled` for a part of an array, written to a part of another of the same size."""
    (down, across), (down_out, across_out) = at, to
    _scaled(
        raw, down.start, across.start, *coding, out, down_out.start, across_out.start,
        down.stop - down.start, across.stop - across.start,
    )  # fmt: skip


def seen(raw: Array, nodata: np.float32) -> npt.NDArray[np.bool_]:
    """Where numbers are data."""
    return np.isfinite(raw) & (raw != nodata) if raw.dtype.kind == "f" else np.asarray(raw != nodata)


class SceneSource:
    """The files of a scene. Bands of one file are decoded together; coarser bands are interpolated."""

    def __init__(self, scene: Scene, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._grid = scene.grid
        self._bands = [scene.bands[name] for name in names]
        self._opened = threading.local()
        self._nodata = [nodata_of(band) for band in self._bands]
        self.codings = tuple(
            Coding(
                np.float32(band.scale), np.float32(band.offset), np.float32(np.nan if none is None else none)
            )
            for band, none in zip(self._bands, self._nodata, strict=True)
        )

    def read(self, window: Window) -> list[Array]:
        found: list[Array] = [np.empty(0)] * len(self.names)
        for file in dict.fromkeys(band.file for band in self._bands):
            mine = [i for i, band in enumerate(self._bands) if band.file == file]
            indexes = [self._bands[i].index for i in mine]
            masked = self._bands[mine[0]] if any(self._bands[i].mask is not None for i in mine) else None
            with readable(file):
                source = self._open(file)
                if (source.width, source.height) == (self._grid.width, self._grid.height):
                    kind = np.result_type(*(source.dtypes[index - 1] for index in indexes))
                    room = apart((len(indexes), int(window.height), int(window.width)), kind)
                    planes = source.read(indexes, window=window, out=room)
                    if masked:
                        planes = _without_hidden(planes, source, masked, window)
                else:
                    planes = _interpolated(
                        source, indexes, window, self._grid, [self._nodata[i] for i in mine], masked
                    )
            for i, plane in zip(mine, planes, strict=True):
                found[i] = plane
        return found

    def _open(self, file: str) -> Any:
        """The file, opened once by each thread: opening costs as much as decoding a block."""
        held: dict[str, Any] = self._opened.__dict__
        if file not in held:
            held[file] = rasterio.open(file)
        return held[file]

    def file_block(self) -> tuple[int, int]:
        """Rows and columns of the files' own blocks, in pixels of the grid: the tallest and the widest."""
        tall = wide = 1
        for file in dict.fromkeys(band.file for band in self._bands):
            with readable(file), rasterio.open(file) as opened:
                height, width = opened.block_shapes[0]
                tall = max(tall, height * self._grid.height // opened.height)
                wide = max(wide, width * self._grid.width // opened.width)
        return tall, wide


def _without_hidden(planes: Array, source: Any, band: Band, window: Window) -> Floats:
    """Numbers as floats, NaN where the file's own mask hides them: no number of a byte is free to stand for that."""
    made: Floats = planes.astype(np.float32)
    made[:, hidden(source, band, window, made.shape[1:])] = np.nan
    return made


def nodata_of(band: Band) -> float | None:
    """The number that means no data: the scene's word, else the file's."""
    if band.nodata is not None:
        return band.nodata
    with readable(band.file), rasterio.open(band.file) as source:
        stated: float | None = source.nodatavals[band.index - 1]
    return stated


def _interpolated(
    source: Any,
    indexes: list[int],
    window: Window,
    grid: Grid,
    nodata: list[float | None],
    masked: Band | None,
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
    if masked:
        planes = _without_hidden(planes, source, masked, whole)
    found: list[Array] = []
    for plane, missing in zip(planes, nodata, strict=True):
        made = np.empty((len(rows), len(cols)), np.float32)
        none = np.float32(np.nan if missing is None else missing)
        _between(plane, none, r0 - top, r1 - top, fr, c0 - left, c1 - left, fc, made)
        found.append(made)
    return found


def _neighbours(at: Array, length: int) -> tuple[Array, Array, Floats]:
    low = np.clip(np.floor(at).astype(np.int64), 0, length - 1)
    high = np.minimum(low + 1, length - 1)
    return low, high, np.clip(at - low, 0, 1).astype(np.float32)


@numba.njit(nogil=True, cache=True)
def _between(plane, nodata, r0, r1, fr, c0, c1, fc, out):  # type: ignore[no-untyped-def]
    """Across the columns, then down the rows. Beside a number without data there is none."""
    one = np.float32(1)
    lines = np.empty((2, out.shape[1]), np.float32)
    held = np.full(2, -1)
    for row in range(out.shape[0]):
        for side in range(2):
            source = r1[row] if side else r0[row]
            if held[side] == source:
                continue
            held[side] = source
            line, numbers = lines[side], plane[source]
            for col in range(out.shape[1]):
                a, b = np.float32(numbers[c0[col]]), np.float32(numbers[c1[col]])
                if a == nodata or b == nodata:
                    line[col] = np.nan
                else:
                    line[col] = a * (one - fc[col]) + b * fc[col]
        up, down, f = lines[0], lines[1], fr[row]
        for col in range(out.shape[1]):
            value = up[col] * (one - f) + down[col] * f
            # NaN stands for "no data" in the file's own way.
            out[row, col] = value if value == value else nodata
