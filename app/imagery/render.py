"""A scene as map tiles: read at the tile's own resolution, stretched the same everywhere in the scene."""

from functools import lru_cache
from io import BytesIO

import numpy as np
import numpy.typing as npt
import rasterio
from PIL import Image
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT

from app.imagery.schemas import Render
from remote_sensing.scene import Scene

SIZE = 256
EDGE = 20037508.342789244
"""Half the width of the Web Mercator square, m."""
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
    target = {
        "crs": "EPSG:3857",
        "transform": from_origin(west, north, side / SIZE, side / SIZE),
        "width": SIZE,
        "height": SIZE,
        "resampling": Resampling.bilinear,
    }
    planes: list[npt.NDArray[np.uint8]] = []
    seen = np.ones((SIZE, SIZE), bool)
    for name in composite(scene, render):
        band = scene.bands[name]
        # Without a number for "no data" the warp adds an alpha band, and the last band is the mask.
        marked = band.nodata is not None
        extra = {"src_nodata": band.nodata, "nodata": band.nodata} if marked else {"add_alpha": True}
        with rasterio.open(band.file) as source, WarpedVRT(source, **target, **extra) as warped:
            raw = warped.read(band.index)
            seen &= raw != band.nodata if marked else warped.read(warped.count) > 0
        values = raw.astype(np.float32)
        lo, hi = _stretch(str(band.file), band.index)
        planes.append((np.clip((values - lo) / (hi - lo), 0, 1) * 255).astype(np.uint8))
    if not seen.any():
        return None
    out = BytesIO()
    alpha = np.where(seen, 255, 0).astype(np.uint8)
    Image.fromarray(np.dstack([*planes, alpha]), "RGBA").save(out, "PNG", compress_level=3)
    return out.getvalue()
