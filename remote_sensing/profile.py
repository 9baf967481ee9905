"""What an object looked like on every date that shows it: greenness, moisture and water, beside its surroundings.

Greenness is NDVI (Rouse et al. 1974), moisture NDMI (Gao 1996: near infrared against short wave, 1.6 µm), water is
NDWI (McFeeters 1996). The surroundings are a ring around the object: what the weather alone does to the neighbours.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.warp import transform_geom
from rasterio.windows import Window

from remote_sensing import around, clouds, indices
from remote_sensing.scene import Grid, Held, Scene

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
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
    ordered = sorted(scenes, key=lambda s: s.taken_s)
    with Held() as held, ThreadPoolExecutor(workers) as pool:

        def read(scene: Scene, names: Sequence[str], window: Window) -> Mapping[str, Floats]:
            return scene.read_bands(names, window, held=held)

        return list(pool.map(lambda shape: of_shape(ordered, crs, shape, read), shapes))


Read = Callable[[Scene, Sequence[str], Window], Mapping[str, Floats]]
"""Gives bands of a scene over a window of its own grid."""


def of_shape(ordered: Sequence[Scene], crs: Any, shape: shapely.Geometry, read: Read) -> tuple[Point, ...]:
    """The profile of one shape over scenes in order of date."""
    points: list[Point] = []
    place: _Place | None = None
    for scene in ordered:
        # Dates of one grid see the shape in the same pixels.
        if place is None or place.grid != scene.grid:
            place = _Place.of(scene.grid, crs, shape)
        if place.window is not None and (point := _point(scene, place, place.window, read)) is not None:
            points.append(point)
    return tuple(points)


@dataclass(frozen=True)
class _Place:
    """The pixels of a grid that are a shape, and those around it."""

    grid: Grid
    window: Window | None
    """None where the grid does not reach the shape."""
    inside: Bools
    ring: Bools

    @classmethod
    def of(cls, grid: Grid, crs: Any, shape: shapely.Geometry) -> "_Place":
        own = shape if crs == grid.crs else shapely.geometry.shape(transform_geom(crs, grid.crs, shapely.geometry.mapping(shape)))  # fmt: skip
        window = _window(grid, own)
        if window is None:
            return cls(grid, None, np.zeros((0, 0), bool), np.zeros((0, 0), bool))
        corner, size = (int(window.row_off), int(window.col_off)), (int(window.height), int(window.width))
        inside, away = around.pixels(own, grid, corner, size, RING_PIXELS)
        ring = ~inside & (away >= GAP_PIXELS) & np.isfinite(away)
        if not inside.any():  # narrower than a pixel
            middle = shapely.point_on_surface(own)
            spot = shapely.box(middle.x, middle.y, middle.x, middle.y)
            inside = around.pixels(spot, grid, corner, size, RING_PIXELS)[1] <= 0.75
        return cls(grid, window, inside, ring)


def _point(scene: Scene, place: _Place, window: Window, read: Read) -> Point | None:
    names = [n for n in ("green", "red", "nir", "swir16") if n in scene.bands]
    whole = read(scene, names, window)
    told = clouds.quality(scene, window)
    own, ring = (_Seen.of(whole, where, told) for where in (place.inside, place.ring))
    if not own.count or own.share < LEAST_SEEN:
        return None
    date = scene.acquired_at.date().isoformat() if scene.acquired_at else ""
    return Point(
        date, scene.item_id, round(own.share, 3),
        *(own.over(INDICES[name], np.mean) for name in ("ndvi", "ndmi", "ndwi")),
        *(ring.over(INDICES[name], np.median) for name in ("ndvi", "ndmi")),
    )  # fmt: skip


@dataclass(frozen=True)
class _Seen:
    """The pixels of a place that a date shows: one entry each."""

    bands: Mapping[str, Floats]
    count: int
    """Pixels of the place, seen or not."""
    share: float

    @classmethod
    def of(cls, whole: Mapping[str, Floats], where: Bools, told: tuple[Bools, Bools] | None) -> "_Seen":
        bands = {name: values[where] for name, values in whole.items()}
        seen = np.logical_and.reduce([np.isfinite(values) for values in bands.values()])
        if told:
            seen &= ~told[0][where]
        share = float(seen.mean()) if seen.size else 0.0
        return cls({name: values[seen] for name, values in bands.items()}, seen.size, share)

    def over(self, code: str, of: Any) -> float | None:
        """The mean or median of an index; None where a band for it is missing, or nothing is seen."""
        if not all(name in self.bands for name in indices.bands_of(code)):
            return None
        values = indices.compute(code, self.bands)
        kept = values[np.isfinite(values)]
        return round(float(of(kept)), 4) if kept.size else None


def _window(grid: Grid, shape: shapely.Geometry) -> Window | None:
    """The pixels around a shape in the grid's own coordinates; None if the grid does not reach it."""
    margin = (RING_PIXELS + 1) * grid.step
    west, south, east, north = shapely.bounds(shape) + np.array([-margin, -margin, margin, margin])
    middle, most = shapely.point_on_surface(shape), MOST_PIXELS / 2 * grid.step
    west, east = max(west, middle.x - most), min(east, middle.x + most)
    south, north = max(south, middle.y - most), min(north, middle.y + most)
    corners = [~grid.transform * at for at in ((west, south), (west, north), (east, south), (east, north))]
    cols, rows = zip(*corners, strict=True)
    c0, r0 = max(0, int(np.floor(min(cols)))), max(0, int(np.floor(min(rows))))
    c1, r1 = min(grid.width, int(np.ceil(max(cols)))), min(grid.height, int(np.ceil(max(rows))))
    return Window(c0, r0, c1 - c0, r1 - r0) if c1 > c0 and r1 > r0 else None
