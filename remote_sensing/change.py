"""Two dates of one place: the earlier one on the later one's grid, its shift measured and taken out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import reproject
from rasterio.windows import Window
from scipy import ndimage

from remote_sensing import clouds
from remote_sensing.scene import CLASSES, Grid, Held, Scene, readable
from remote_sensing.sources import Coding, SceneSource, Source

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
SIDE, LEAST_SIDE = 1024, 128
"""Pixels along the side of what is compared in the middle; half of it, but not less than LEAST_SIDE, around it."""
MOST_PIXELS, MOST_ALONE = 15.0, 3.0
"""A larger shift is no misregistration but a wrong match (clouds, floods): it is not applied. Nor is one of more than
MOST_ALONE that a single place speaks for, unless the edges correlate by SURE then."""
SURE = 0.4
LEAST_PIXELS = 0.15
AGREED = 1.0
"""Places agree on a shift if each measured it this exactly, in pixels; half of them must."""
BETTER = 0.01
"""Edges of the two dates correlate better by this with a shift than without, else it is none."""


class Aligned:
    """An earlier scene that reads on a later scene's grid."""

    def __init__(
        self,
        scene: Scene,
        grid: Grid,
        shift: tuple[float, float] = (0.0, 0.0),
        places: tuple[int, int] = (0, 0),
    ) -> None:
        """`shift`: rows and columns; `places`: how many agreed on it, of how many that could be compared."""
        self.scene, self.shift, self.grid, self.places = scene, shift, grid, places
        rows, cols = shift
        t = grid.transform * Affine.translation(-cols, -rows)
        self._target = {"crs": grid.crs, "transform": t, "width": grid.width, "height": grid.height}

    @property
    def as_it_is(self) -> bool:
        """Whether both dates share one grid, and nothing has to be moved."""
        return self.shift == (0.0, 0.0) and self.scene.grid == self.grid

    def read(self, name: str, window: Window) -> Floats:
        """A band over a window of the later grid, NaN where the earlier scene has nothing."""
        return self.read_bands((name,), window)[name]

    def read_bands(self, names: Sequence[str], window: Window, held: Held | None = None) -> dict[str, Floats]:
        """Bands over a window, as `read` gives each: a warp works on all bands of a file, whichever are wanted.

        `held` keeps files and warps open.
        """
        if self.as_it_is:
            return self.scene.read_bands(names, window, held=held)
        wanted = {name: self.scene.bands[name] for name in names}
        read: dict[str, Floats] = {}
        for file, nodata in dict.fromkeys((band.file, band.nodata) for band in wanted.values()):
            mine = {n: band for n, band in wanted.items() if (band.file, band.nodata) == (file, nodata)}
            with readable(file), self._warped(file, nodata, held) as warped:
                raws = warped.read([band.index for band in mine.values()], window=window)
                mask = warped.read(warped.count, window=window) > 0 if nodata is None else None
            for (name, band), raw in zip(mine.items(), raws, strict=True):
                values: Floats = raw.astype(np.float32) * np.float32(band.scale) + np.float32(band.offset)
                values[raw == nodata if mask is None else ~mask] = np.nan
                read[name] = values
        return {name: read[name] for name in wanted}

    @contextmanager
    def _warped(self, file: str, nodata: float | None, held: Held | None) -> Iterator[Any]:
        # Without a number for "no data" the warp adds an alpha band, and the last band is the mask.
        extra = {"add_alpha": True} if nodata is None else {"src_nodata": nodata, "nodata": nodata}

        def warp(source: Any) -> Any:
            return WarpedVRT(source, resampling=Resampling.bilinear, **extra, **self._target)

        if held is None:
            with rasterio.open(file) as source, warp(source) as warped:
                yield warped
            return
        with (
            held.opened(file, lambda: rasterio.open(file)) as source,
            held.opened((file, nodata, "warped"), lambda: warp(source)) as warped,
        ):
            yield warped

    def unseen(self, window: Window) -> Bools:
        """Where the earlier scene shows nothing over a window of the later grid: no data, or cloud and shadow by its
        own classes."""
        hidden = ~np.isfinite(self.read("nir", window))
        if name := next((n for n in CLASSES if n in self.scene.bands), None):
            band = self.scene.bands[name]
            with (
                readable(band.file),
                rasterio.open(band.file) as source,
                WarpedVRT(source, resampling=Resampling.nearest, **self._target) as warped,
            ):
                cloudy, shaded = clouds.told(name, warped.read(band.index, window=window))
            hidden |= cloudy | shaded
        return np.asarray(hidden)

    def source(self, names: Sequence[str]) -> Source:
        """The bands as `strips` reads them; on one grid, and with no shift between them, straight from the files."""
        if self.as_it_is:
            return SceneSource(self.scene, names)
        return AlignedSource(self, tuple(names))


@dataclass
class AlignedSource:
    """Reads an earlier scene piece by piece on the later grid."""

    aligned: Aligned
    names: tuple[str, ...]

    @property
    def codings(self) -> tuple[Coding, ...]:
        return (Coding(),) * len(self.names)

    def read(self, window: Window) -> list[Array]:
        read = self.aligned.read_bands(self.names, window)
        return [read[name] for name in self.names]


def align(earlier: Scene, later: Scene) -> Aligned:
    """Bring the earlier scene to the later one's grid; the shift is found by phase correlation of near infrared.

    Places without a match (clouds, floods, other crops) do not count; without agreement no shift is applied.
    """
    grid = later.grid
    plain = Aligned(earlier, grid)
    measured = [made for window in _looked_at(grid) if (made := _shift(later, plain, window)) is not None]
    if not measured:
        return plain
    found, alike = [shift for shift, _ in measured], max(after for _, after in measured)
    middle = np.median(found, axis=0)
    near = [shift for shift in found if max(abs(shift - middle)) <= AGREED]
    places = (len(near), len(found))
    size = max(abs(middle))
    if (
        2 * len(near) < len(found)
        or size < LEAST_PIXELS
        or size > (MOST_PIXELS if len(near) > 1 or alike >= SURE else MOST_ALONE)
    ):
        return Aligned(earlier, grid, places=places)
    rows, cols = np.mean(near, axis=0).tolist()
    return Aligned(earlier, grid, (rows, cols), places)


def _looked_at(grid: Grid) -> list[Window]:
    """The middle of the scene and, unless it is very small, four places around it."""
    width, height = min(SIDE, grid.width), min(SIDE, grid.height)
    made = [Window((grid.width - width) // 2, (grid.height - height) // 2, width, height)]
    width, height = (min(SIDE, side) // 2 for side in (grid.width, grid.height))
    if min(width, height) >= LEAST_SIDE:
        # In the middle of each quarter of the scene.
        made += [
            Window(int(x * grid.width - width / 2), int(y * grid.height - height / 2), width, height)
            for x in (0.25, 0.75)
            for y in (0.25, 0.75)
        ]
    return made


def _shift(later: Scene, plain: Aligned, window: Window) -> tuple[Array, float] | None:
    """Rows and columns by which the earlier date is off in a window, and how well edges correlate then; None if it
    cannot be told there."""
    a, b = later.read("nir", window), plain.read("nir", window)
    both = np.isfinite(a) & np.isfinite(b)
    if both.mean() < 0.5:
        return None
    a, b = np.where(both, a, np.nanmedian(a)), np.where(both, b, np.nanmedian(b))
    # Imported here: it is large, and a single date does without it.
    from skimage.registration import phase_cross_correlation

    # Gradients, not values: fields change colour between dates, their edges stay.
    a, b = _edges(a), _edges(b)
    if not (a.std() > 0 and b.std() > 0):
        return None
    shift = np.asarray(phase_cross_correlation(a, b, upsample_factor=10)[0])  # type: ignore[no-untyped-call]
    if max(abs(shift)) < LEAST_PIXELS:
        return np.zeros(2), 1.0
    moved = ndimage.shift(b, shift, order=1, mode="nearest")
    before, after = (float(np.corrcoef(a.ravel(), x.ravel())[0, 1]) for x in (b, moved))
    return (shift, after) if after > before + BETTER else None


def _edges(values: Floats) -> Floats:
    gy, gx = np.gradient(values)
    made: Floats = np.hypot(gx, gy).astype(np.float32)
    return made


def overlap(earlier: Scene, later: Scene) -> bool:
    """Whether two scenes show a place in common."""
    return bool(shapely.area(shapely.intersection(earlier.footprint, later.footprint)) > 0)


def on_grid(mask: Bools, aligned: Aligned) -> Bools:
    """A mask of the earlier scene on the later one's grid, its shift taken out; off where it shows nothing."""
    own, grid = aligned.scene.grid, aligned.grid
    rows, cols = aligned.shift
    made = np.zeros((grid.height, grid.width), np.float32)
    reproject(
        mask.astype(np.float32), made, src_transform=own.transform, src_crs=own.crs,
        dst_transform=grid.transform * Affine.translation(-cols, -rows), dst_crs=grid.crs,
        # A finer mask is averaged, so that half of a pixel decides; an equal or coarser one is interpolated.
        resampling=Resampling.average if own.pixel_m < 0.6 * grid.pixel_m else Resampling.bilinear,
    )  # fmt: skip
    return np.asarray(made >= 0.5)


TOLERANCE_PIXELS = 2
"""Along a shore, what lies this near the earlier water may be a mixed pixel or a remainder of the shift."""


def tolerance_pixels(earlier: Scene, later: Scene) -> int:
    """TOLERANCE_PIXELS of the coarser scene, counted in pixels of the later one."""
    coarser = max(earlier.grid.pixel_m, later.grid.pixel_m) / later.grid.pixel_m
    return max(TOLERANCE_PIXELS, round(TOLERANCE_PIXELS * coarser))


def gained(now: Bools, before: Bools, tolerance: int = TOLERANCE_PIXELS, speck: float = 0.0) -> Bools:
    """Water that came: beyond the tolerance from earlier water, and at least three pixels wide.

    Both masks on one grid. What is narrower than three pixels is a shore that moved by less than images can tell;
    at the earlier date it is wet ground, which has no shore. Earlier bodies of less than `speck` pixels take
    away themselves, and no margin.
    """
    square = np.ones((3, 3), bool)
    before = ndimage.binary_opening(before, square)
    bodies = cc3d.connected_components(before.astype(np.uint8), connectivity=8)
    pixels = np.bincount(bodies.ravel())
    pixels[0] = 0
    near = before | ndimage.binary_dilation((pixels >= max(1.0, speck))[bodies], square, iterations=tolerance)
    return np.asarray(ndimage.binary_opening(now & ~near, square))
