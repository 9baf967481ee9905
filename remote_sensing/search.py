"""A scene's objects: read strip by strip, marked block by block, labelled piece by piece, joined at the end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
import rasterio.features
import shapely

from remote_sensing import change, memory, objects, outlines, strips
from remote_sensing.kept import Keep
from remote_sensing.masks import CODE, Masks
from remote_sensing.objects import Look, Objects, Part
from remote_sensing.options import Options
from remote_sensing.scene import Scene, from_stored, require
from remote_sensing.sources import SceneSource, Source, seen
from remote_sensing.strips import Piece, Plan

Progress = Callable[[float, str], None]
CACHE_BYTES = 16 * 2**20
TIDY = 8
"""Pieces after which free memory is given back."""


@dataclass(frozen=True)
class Found:
    """One kind of object in a scene."""

    kind: str
    objects: Objects
    polygons: list[shapely.Geometry]
    """In the scene's own coordinates, one an object."""
    limit: float = 0.0
    """The water index of this scene from which on there is water, where a block has no limit of its own."""


def find(
    scene: Scene,
    kinds: Sequence[str],
    options: Options,
    *,
    aoi: shapely.Geometry | None = None,
    earlier: change.Aligned | None = None,
    keep: Keep | None = None,
    progress: Progress = lambda share, step: None,
) -> list[Found]:
    """The objects of a scene above the smallest area, by kind. `aoi` in EPSG:4490 cuts what is looked at.

    `keep` keeps what is decoded, of the scene and of the earlier date. With an earlier date each object knows how much of it was there before: the layers `before` and
    `seen_before` are 1 for such pixels.
    """
    require(scene, ("green", "red", "nir"))
    masks = Masks(scene, kinds)
    before = Masks(earlier.scene, kinds, own_grid=False) if earlier else None
    area = from_stored(scene.grid.crs, aoi) if aoi is not None else None
    own = SceneSource(scene, masks.bands)
    sources: list[Source] = [own]
    if earlier and before:
        sources.append(earlier.source(before.bands))
    plan = Plan.of(scene.grid, options.window, own)
    if keep is not None:
        sources = keep.of(sources, plan)
    least = _least_pixels(scene, options)

    def work(read: Callable[[], list[Piece]]) -> Part:
        now, *old = read()
        codes, index = masks.codes(now)
        if area is not None:
            codes[_outside(area, scene, now)] = 0
        return objects.label(now.window, codes, _look(now, index, before, old), least)

    # Each block is decoded once: GDAL need not keep them (it would, up to a twentieth of the machine's memory).
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), ThreadPoolExecutor(options.workers) as pool:
        reading = strips.pieces(sources, plan, pool, area)
        parts = []
        total = len(plan.windows())
        for part in _in_order(pool, work, reading, 2 * options.workers):
            parts.append(part)
            if len(parts) % TIDY == 0:
                memory.give_back()
            progress(0.02 + 0.7 * len(parts) / total, "识别水体和植被 (finding water and vegetation)")
    by_kind = objects.collect(parts, scene.grid, least)
    return [_placed(kind, by_kind[CODE[kind]], scene, options, masks.water.start) for kind in masks.kinds]


def _in_order(pool: Executor, work: Callable[[Any], Part], items: Iterable[Any], most: int) -> Iterator[Part]:
    """Results in order, with only a few pieces in memory at once."""
    waiting = []
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= most:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _look(now: Piece, index: Any, before: Masks | None, old: Sequence[Piece]) -> Look:
    bands = now.planes()
    if before is None or not old:
        return Look(index, bands)
    numbers, coding = old[0].planes()["nir"]
    return Look(index, bands, before.codes(old[0])[0], seen(numbers, coding.nodata))


def _least_pixels(scene: Scene, options: Options) -> tuple[float, float, float, float]:
    """Objects of fewer pixels, by kind, cannot reach the least area anywhere in the scene."""
    largest = max(scene.grid.pixel_area_m2(row) for row in (0, scene.grid.height - 1))
    water_px, field_px = options.min_water_m2 / largest, options.min_field_m2 / largest
    return (0.0, water_px, field_px, 0.0)


def _outside(area: shapely.Geometry, scene: Scene, piece: Piece) -> Any:
    transform = rasterio.windows.transform(piece.window, scene.grid.transform)
    return rasterio.features.geometry_mask(
        [area], (int(piece.window.height), int(piece.window.width)), transform
    )


def _placed(kind: str, made: Objects, scene: Scene, options: Options, limit: float) -> Found:
    """Objects of the right size, in the scene's own coordinates."""
    rows = (made.box[:, 1] + made.box[:, 3]) / 2
    area = made.pixels * _pixel_areas(scene, rows)
    water_like = kind == "water_body"
    keep = (area >= (options.min_water_m2 if water_like else options.min_field_m2)) & (
        area <= (options.max_water_m2 if water_like else np.inf)
    )
    t = scene.grid.transform
    matrix, move = np.array([[t.a, t.d], [t.b, t.e]]), np.array([t.c, t.f])
    least = (options.min_water_m2 if water_like else options.min_field_m2) / max(
        _pixel_areas(scene, rows), default=1.0
    )
    whole = outlines.without_holes(made.shapes[keep], least)
    placed = shapely.transform(whole, lambda points: points @ matrix + move)
    kept = Objects(made.pixels[keep], {k: v[keep] for k, v in made.sums.items()}, made.box[keep], placed)
    return Found(kind, kept, list(placed), limit)


def _pixel_areas(scene: Scene, rows: Any) -> Any:
    if not scene.grid.crs.is_geographic:
        return np.full(len(rows), scene.grid.pixel_area_m2(0))
    return np.array([scene.grid.pixel_area_m2(row) for row in rows])
