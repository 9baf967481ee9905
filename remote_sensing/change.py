"""Two dates of one place: the earlier one on the later one's grid, its shift measured and taken out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window
from skimage.registration import phase_cross_correlation

from remote_sensing.scene import Grid, Scene

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
SIDE = 1024
MOST_PIXELS = 3.0
"""A larger shift is no misregistration but a wrong match (clouds, floods): it is not applied."""


class Aligned:
    """An earlier scene that reads on a later scene's grid."""

    def __init__(self, scene: Scene, grid: Grid, shift: tuple[float, float] = (0.0, 0.0)) -> None:
        self.scene, self.shift = scene, shift
        rows, cols = shift
        t = grid.transform * Affine.translation(-cols, -rows)
        self._target = {"crs": grid.crs, "transform": t, "width": grid.width, "height": grid.height}

    def read(self, name: str, window: Window) -> Floats:
        """A band over a window of the later grid, NaN where the earlier scene has nothing."""
        band = self.scene.bands[name]
        # Without a number for "no data" the warp adds an alpha band, and the last band is the mask.
        marked = band.nodata is not None
        extra = {"src_nodata": band.nodata, "nodata": band.nodata} if marked else {"add_alpha": True}
        with (
            rasterio.open(band.file) as source,
            WarpedVRT(source, resampling=Resampling.bilinear, **extra, **self._target) as warped,
        ):
            raw = warped.read(band.index, window=window)
            seen = raw != band.nodata if marked else warped.read(warped.count, window=window) > 0
        values: Floats = raw.astype(np.float32) * np.float32(band.scale) + np.float32(band.offset)
        values[~seen] = np.nan
        return values

    def source(self, names: Sequence[str]) -> "AlignedSource":
        """The bands as `strips` reads them."""
        return AlignedSource(self, tuple(names))


@dataclass
class AlignedSource:
    """Reads an earlier scene piece by piece on the later grid."""

    aligned: Aligned
    names: tuple[str, ...]

    def read(self, window: Window) -> list[Array]:
        return [self.aligned.read(name, window) for name in self.names]

    def reflectance(self, number: int, raw: Array) -> Floats:
        return raw


def align(earlier: Scene, later: Scene) -> Aligned:
    """Bring the earlier scene to the later one's grid; the shift is found by phase correlation of near infrared."""
    grid = later.grid
    side_w, side_h = min(SIDE, grid.width), min(SIDE, grid.height)
    window = Window((grid.width - side_w) // 2, (grid.height - side_h) // 2, side_w, side_h)
    plain = Aligned(earlier, grid)
    a, b = later.read("nir", window), plain.read("nir", window)
    both = np.isfinite(a) & np.isfinite(b)
    if both.mean() < 0.5:
        return plain
    a, b = np.where(both, a, np.nanmedian(a)), np.where(both, b, np.nanmedian(b))
    # Gradients, not values: fields change colour between dates, their edges stay.
    shift, *_ = phase_cross_correlation(_edges(a), _edges(b), upsample_factor=10)  # type: ignore[no-untyped-call]
    rows, cols = float(shift[0]), float(shift[1])
    if max(abs(rows), abs(cols)) > MOST_PIXELS or max(abs(rows), abs(cols)) < 0.15:
        return plain
    return Aligned(earlier, grid, (rows, cols))


def _edges(values: Floats) -> Floats:
    gy, gx = np.gradient(values)
    made: Floats = np.hypot(gx, gy).astype(np.float32)
    return made
