"""A scene as map tiles: read at the tile's own resolution, stretched the same everywhere in the scene."""

from functools import lru_cache
from io import BytesIO
from typing import Literal

import numpy as np
import numpy.typing as npt
import rasterio
from PIL import Image
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import from_bounds

from remote_sensing.scene import Scene

SIZE = 256
EDGE = 20037508.342789244
"""Half the width of the Web Mercator square, m."""
Render = Literal["true", "false_colour"]
COMPOSITES: dict[str, tuple[tuple[str, ...], ...]] = {
    "true": (("red", "green", "blue"), ("nir", "red", "green")),
    "false_colour": (("nir", "red", "green"), ("swir16", "nir", "red"), ("red", "green", "blue")),
}
"""Bands for red, green and blue on screen; the first composite that the scene has."""


def composite(scene: Scene, render: Render) -> tuple[str, ...]:
    """The bands that stand for red, green and blue; one band three times where there are not three."""
    for names in COMPOSITES[render]:
        if all(name in scene.bands for name in names):
            return names
    return (next(iter(scene.bands)),) * 3


@lru_cache(maxsize=256)
def _stretch(file: str, index: int) -> tuple[float, float]:
    """The 2nd and 98th percentile of a band, from a small overview of it."""
    with rasterio.open(file) as source:
        scale = max(1, max(source.width, source.height) // 512)
        small = source.read(index, out_shape=(source.height // scale, source.width // scale), masked=True)
    values = small.compressed()
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    lo, hi = np.percentile(values, [2, 98])
    return float(lo), float(max(hi, lo + 1e-6))


def tile(scene: Scene, z: int, x: int, y: int, render: Render) -> bytes | None:
    """A 256 × 256 PNG with what lies outside the scene transparent; None where the tile holds nothing."""
    side = 2 * EDGE / 2**z
    west, north = -EDGE + x * side, EDGE - y * side
    bounds = (west, north - side, west + side, north)
    planes: list[npt.NDArray[np.uint8]] = []
    seen = np.ones((SIZE, SIZE), bool)
    for name in composite(scene, render):
        band = scene.bands[name]
        with (
            rasterio.open(band.file) as source,
            WarpedVRT(source, crs="EPSG:3857", resampling=Resampling.bilinear, add_alpha=True) as warped,
        ):
            window = from_bounds(*bounds, transform=warped.transform)
            read = {"window": window, "boundless": True, "out_shape": (SIZE, SIZE)}
            values = warped.read(band.index, fill_value=0, **read).astype(np.float32)
            seen &= warped.read(warped.count, fill_value=0, **read) > 0
        lo, hi = _stretch(str(band.file), band.index)
        planes.append((np.clip((values - lo) / (hi - lo), 0, 1) * 255).astype(np.uint8))
    if not seen.any():
        return None
    out = BytesIO()
    alpha = np.where(seen, 255, 0).astype(np.uint8)
    Image.fromarray(np.dstack([*planes, alpha]), "RGBA").save(out, "PNG", compress_level=3)
    return out.getvalue()
