"""A scene as map tiles, by rio-tiler: bands or an index, stretched the same everywhere in the scene."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import morecantile
import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp
from rasterio.warp import transform_bounds
from rio_tiler import reader
from rio_tiler.colormap import cmap
from rio_tiler.constants import WEB_MERCATOR_CRS
from rio_tiler.utils import render as encode

from app.errors import InvalidInput, NotFound, UnreadableFile
from app.imagery.looks import COMPOSITES, INDICES, renderings
from app.imagery.schemas import ENDINGS, Ending, Render
from app.imagery.service import stamp
from remote_sensing.scene import Band, Scene

SIZE = 256
GRID = morecantile.tms.get("WebMercatorQuad")
FEW = 16
"""Columns or rows of a tile; so many and more are at most an eighth wider than what the file covers of them."""
SAMPLE = 512
"""Pixels along the longer side from which the stretch is taken."""
CACHE_BYTES = 32 * 2**20
"""What GDAL keeps of files; by default it takes a twentieth of the machine's memory, in each process."""
Floats = npt.NDArray[np.float32]
Ranges = tuple[tuple[float, float], ...]


def composite(scene: Scene, render: Render) -> tuple[str, ...] | None:
    """The bands that stand for red, green and blue; None if the scene lacks them."""
    return next((names for names in COMPOSITES[render] if set(names) <= set(scene.bands)), None)


def tile(
    scene: Scene, at: tuple[int, int, int], render: Render, ending: Ending, like: Scene | None = None
) -> bytes | None:
    """A 256 × 256 picture of tile `at` (z, x, y), transparent where there is no data; None where there is none at all.

    `like`: the scene whose stretch is used, so that a difference between two dates is a difference on the ground.
    Raises InvalidInput where the scene lacks the bands, NotFound or UnreadableFile where its file is gone or damaged.
    """
    if render in INDICES:
        names, colours, end = INDICES[render]
        if not set(names) <= set(scene.bands):
            raise _lacking(scene, render)
        values, seen = _bands(scene, names, at)
        with np.errstate(all="ignore"):
            index = (values[0] - values[1]) / (values[0] + values[1])
        seen &= np.isfinite(index)
        planes = _scaled(np.nan_to_num(index)[None], ((-end, end),))
        return _encoded(planes, seen, ending, colours)
    shown = composite(scene, render)
    if shown is None:
        raise _lacking(scene, render)
    values, seen = _bands(scene, shown, at)
    # What is not calibrated, or has other bands, is only comparable with itself.
    alike = (
        like if like and like.calibrated and scene.calibrated and composite(like, render) == shown else scene
    )
    ranges = tuple(_stretch(alike.bands[name], stamp(alike.bands[name].file)) for name in shown)
    return _encoded(_scaled(values, ranges), seen, ending, None)


def _lacking(scene: Scene, render: Render) -> InvalidInput:
    possible = ", ".join(renderings(scene.bands)) or "无 none"
    return InvalidInput(
        f"影像 {scene.item_id} 缺少所需波段，不能以 {render} 显示；可用：{possible} (the scene lacks the bands)",
        field="render_as",
        value=render,
        expected=possible,
    )


def _scaled(values: Floats, ranges: Ranges) -> npt.NDArray[np.uint8]:
    lo, hi = (np.array(edge, np.float32)[:, None, None] for edge in zip(*ranges, strict=True))
    return np.asarray(np.clip((values - lo) / (hi - lo), 0, 1) * 255, np.uint8)


def _encoded(
    planes: npt.NDArray[np.uint8], seen: npt.NDArray[np.bool_], ending: Ending, colours: str | None
) -> bytes | None:
    if not seen.any():
        return None
    mask = np.where(seen, 255, 0).astype(np.uint8)
    picture: bytes = encode(
        planes, mask, img_format=ENDINGS[ending][1], colormap=cmap.get(colours) if colours else None
    )
    return picture


def _bands(
    scene: Scene, names: tuple[str, ...], at: tuple[int, int, int]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The bands over a tile in their units, shape (bands, 256, 256), and where all of them have data."""
    z, x, y = at
    box = GRID.xy_bounds(morecantile.Tile(x, y, z))
    values = np.zeros((len(names), SIZE, SIZE), np.float32)
    seen = np.ones((SIZE, SIZE), bool)
    # The bands of one file are warped in one go.
    files: dict[tuple[str, float | None], list[int]] = {}
    for n, name in enumerate(names):
        files.setdefault((scene.bands[name].file, scene.bands[name].nodata), []).append(n)
    for (file, nodata), places in files.items():
        bands = [scene.bands[names[n]] for n in places]
        with _open(file) as source:
            there = covered(source, box)
            if not (there.width and there.height):
                return values, np.zeros((SIZE, SIZE), bool)
            found = reader.part(
                source, there.bounds, dst_crs=WEB_MERCATOR_CRS, bounds_crs=WEB_MERCATOR_CRS, width=there.width, height=there.height,
                indexes=[band.index for band in bands], nodata=nodata, vrt_options=_alpha(source, bands[0]),
                resampling_method="bilinear", reproject_method="bilinear",
            )  # fmt: skip
        columns, rows = there.columns, there.rows
        data = np.zeros((SIZE, SIZE), bool)
        data[rows, columns] = ~np.ma.getmaskarray(found.array).any(axis=0)
        seen &= data
        for n, band, plane in zip(places, bands, found.array.data, strict=True):
            values[n, rows, columns] = plane.astype(np.float32) * np.float32(band.scale) + np.float32(
                band.offset
            )
    return values, seen & np.isfinite(values).all(axis=0)


@dataclass(frozen=True)
class Covered:
    """The columns and rows of a tile on which a file has pixels, and what is read for them: a box in Web Mercator."""

    columns: slice
    rows: slice
    bounds: tuple[float, float, float, float]

    @property
    def width(self) -> int:
        return max(0, int(self.columns.stop - self.columns.start))

    @property
    def height(self) -> int:
        return max(0, int(self.rows.stop - self.rows.start))


def covered(source: rasterio.DatasetReader, box: morecantile.BoundingBox) -> Covered:
    """The part of a tile that a file covers; of a file without a place, all of it.

    The reader warps all that it is asked for in the file's own pixels, of which a wide tile has billions. So it is asked for
    whole columns and rows of the tile that the file touches; where these are few, each as wide as the file or wider, for the
    file's own extent, drawn up to a pixel of the tile out of place.
    """
    if source.crs is None:
        return Covered(slice(0, SIZE), slice(0, SIZE), (box.left, box.bottom, box.right, box.top))
    west, south, east, north = transform_bounds(source.crs, WEB_MERCATOR_CRS, *source.bounds, densify_pts=21)
    step = (box.right - box.left) / SIZE

    def within(low: float, high: float) -> tuple[slice, float, float]:
        first, last = max(0, math.floor(low / step)), min(SIZE, math.ceil(high / step))
        if last - first >= FEW:
            return slice(first, last), first * step, last * step
        return slice(first, last), max(low, 0.0), min(high, SIZE * step)

    columns, left, right = within(west - box.left, east - box.left)
    rows, up, down = within(box.top - north, box.top - south)
    return Covered(columns, rows, (box.left + left, box.top - down, box.left + right, box.top - up))


def _alpha(source: rasterio.DatasetReader, band: Band) -> dict[str, bool] | None:
    """Without a number for "no data", what lies outside is told from the rest by a band of its own."""
    marked = band.nodata is not None or source.nodata is not None or ColorInterp.alpha in source.colorinterp
    return None if marked else {"add_alpha": True}


@lru_cache(maxsize=512)
def _stretch(band: Band, stamp: float) -> tuple[float, float]:
    """The 2nd and 98th percentile of a band in its units, from a small overview of it."""
    with _open(band.file) as source:
        small = reader.read(source, indexes=[band.index], max_size=SAMPLE, nodata=band.nodata)
    values = small.array.compressed().astype(np.float32)
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    lo, hi = np.percentile(values, [2, 98]) * band.scale + band.offset
    return float(lo), float(max(hi, lo + 1e-6))


@contextmanager
def _open(file: str) -> Iterator[rasterio.DatasetReader]:
    name = file.rsplit("/", 1)[-1]
    if file.startswith("/") and not Path(file).exists():
        raise NotFound(
            f"影像文件 {name} 已不在原处，请恢复文件或重新登记影像 (the image file is gone: restore it or register the scene again)"
        )
    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), rasterio.open(file) as source:
            yield source
    except rasterio.errors.RasterioError as error:
        raise UnreadableFile(
            f"影像文件 {name} 已损坏或无法读取 (the image file is damaged or cannot be read): {error}"
        ) from None
