"""What an object looked like on every date that shows it: greenness, moisture and water, beside its surroundings.

Greenness is NDVI (Rouse et al. 1974), moisture NDMI (Gao 1996: near infrared against short wave, 1.6 µm), water is
NDWI (McFeeters 1996). The surroundings are a ring around the object: what the weather alone does to the neighbours.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.transform import Affine
from rasterio.warp import transform_geom
from rasterio.windows import Window

from remote_sensing import clouds, indices
from remote_sensing.scene import Scene

Floats = npt.NDArray[np.float32]
INDICES = {"ndvi": "NDVI", "ndmi": "NDMI", "ndwi": "NDWI"}
RING_PIXELS = 12
"""Width of the ring of neighbours: wide enough for another field, near enough for the same soil and weather."""
GAP_PIXELS = 2
"""Mixed pixels between an object and its ring."""
MOST_PIXELS = 512
"""Of what is larger, this much around a point inside is enough for a mean."""
LEAST_SEEN = 0.5
"""A date that shows less than this share of an object says nothing about it."""


@dataclass(frozen=True)
class Point:
    """One date of one object. Indices are means over the object, None where the scene lacks a band for them."""

    date: str
    """ISO date, empty where the scene does not say."""
    scene: str
    seen: float
    """Share of the object that the date shows (not cloud, not outside), 0 to 1."""
    ndvi: float | None
    ndmi: float | None
    ndwi: float | None
    around_ndvi: float | None
    """Median of the ring around."""
    around_ndmi: float | None

    def told(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)


def of_shapes(
    scenes: Sequence[Scene], crs: Any, shapes: Sequence[shapely.Geometry], workers: int = 2
) -> list[tuple[Point, ...]]:
    """The profile of each shape (in `crs`) over the scenes, oldest first; dates that do not show it are left out."""
    ordered = sorted(scenes, key=lambda s: s.acquired_at.timestamp() if s.acquired_at else 0.0)

    def one(shape: shapely.Geometry) -> tuple[Point, ...]:
        points = (_point(scene, crs, shape) for scene in ordered)
        return tuple(point for point in points if point is not None)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, shapes))


def _point(scene: Scene, crs: Any, shape: shapely.Geometry) -> Point | None:
    grid = scene.grid
    same = crs == grid.crs
    own = shape if same else shapely.geometry.shape(transform_geom(crs, grid.crs, shapely.geometry.mapping(shape)))  # fmt: skip
    window = _window(scene, own)
    if window is None:
        return None
    # rasterio's own burning silences warnings for all threads at once, and not safely: points it is.
    cols, rows = np.meshgrid(*(np.arange(int(n)) + 0.5 for n in (window.width, window.height)))
    t = grid.transform * Affine.translation(window.col_off, window.row_off)
    x, y = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
    inside = shapely.contains_xy(own, x, y)
    if not inside.any():  # narrower than a pixel
        middle = shapely.point_on_surface(own)
        inside = np.hypot(x - middle.x, y - middle.y) <= grid.step * 0.75
    near, close = (shapely.buffer(own, pixels * grid.step) for pixels in (RING_PIXELS, GAP_PIXELS))
    ring = shapely.contains_xy(near, x, y) & ~shapely.contains_xy(close, x, y)
    names = [n for n in ("green", "red", "nir", "swir16") if n in scene.bands]
    bands = scene.read_bands(names, window)
    seen = np.logical_and.reduce([np.isfinite(values) for values in bands.values()])
    if told := clouds.quality(scene, window):
        seen &= ~told[0]
    share = float(seen[inside].mean()) if inside.any() else 0.0
    if share < LEAST_SEEN:
        return None
    made = {name: _index(code, bands) for name, code in INDICES.items()}
    date = scene.acquired_at.date().isoformat() if scene.acquired_at else ""
    return Point(
        date, scene.item_id, round(share, 3),
        *(_over(made[name], inside & seen, np.mean) for name in ("ndvi", "ndmi", "ndwi")),
        *(_over(made[name], ring & seen, np.median) for name in ("ndvi", "ndmi")),
    )  # fmt: skip


def _index(code: str, bands: Mapping[str, Floats]) -> Floats | None:
    return indices.compute(code, bands) if all(name in bands for name in indices.bands_of(code)) else None


def _over(values: Floats | None, where: npt.NDArray[np.bool_], of: Any) -> float | None:
    if values is None:
        return None
    kept = values[where & np.isfinite(values)]
    return round(float(of(kept)), 4) if kept.size else None


def _window(scene: Scene, shape: shapely.Geometry) -> Window | None:
    """The pixels around a shape in the scene's own coordinates; None if the scene does not reach it."""
    grid, margin = scene.grid, (RING_PIXELS + 1) * scene.grid.step
    west, south, east, north = shapely.bounds(shapely.buffer(shape, margin))
    middle, most = shapely.point_on_surface(shape), MOST_PIXELS / 2 * grid.step
    west, east = max(west, middle.x - most), min(east, middle.x + most)
    south, north = max(south, middle.y - most), min(north, middle.y + most)
    corners = [~grid.transform * at for at in ((west, south), (west, north), (east, south), (east, north))]
    cols, rows = zip(*corners, strict=True)
    c0, r0 = max(0, int(np.floor(min(cols)))), max(0, int(np.floor(min(rows))))
    c1, r1 = min(grid.width, int(np.ceil(max(cols)))), min(grid.height, int(np.ceil(max(rows))))
    return Window(c0, r0, c1 - c0, r1 - r0) if c1 > c0 and r1 > r0 else None
