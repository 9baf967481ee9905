"""Water over time: how often each pixel was water, since when and until when, in which months; what came and what went.

Scenes of any grids and sensors are brought to the newest one's. Memory follows the window, not the scenes: what is
kept of a scene is its water as outlines.
"""

import json
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import exactextract
import geopandas as gpd
import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.features
import rasterio.shutil
import shapely
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine
from rasterio.warp import transform_geom
from rasterio.windows import Window
from scipy import ndimage

from remote_sensing import change, clouds, kinds, objects
from remote_sensing.options import Options
from remote_sensing.runs import LeftOut
from remote_sensing.scene import CLASSES, STORED, Grid, Scene, SceneError
from remote_sensing.search import find
from remote_sensing.sources import Coding

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Progress = Callable[[float, str], None]
WINDOW, HALO = 1_024, 32
"""Pixels that are worked on at once, and around them, so that no seam is seen in what changed."""
OFTEN = 0.25
"""Water in at least this share of its clear looks belongs to a body: less is a flood, or a mistake of one date."""
ALWAYS = 0.9
MOSTLY = 0.5
"""A body is new (or lost) if this share of it came (or went); a month has water if this share of its looks has."""
EPOCH = date(1970, 1, 1)
LAYERS = {
    "frequency": ("uint8", 255, "share of clear looks with water, %"),
    "looks": ("uint16", None, "clear looks"),
    "first": ("uint16", 0, "first day with water, days since 1970-01-01"),
    "last": ("uint16", 0, "last day with water, days since 1970-01-01"),
    "months": ("uint8", 255, "calendar months with water in at least half of their clear looks"),
}
"""What is written, by name: type, number for no data, meaning."""


@dataclass(frozen=True)
class History:
    """What became of the water of a place. Tables in EPSG:4490, rasters in the files named."""

    water: gpd.GeoDataFrame
    """Bodies: `kinds.told`, frequency, months, first_seen, last_seen, gained_m2, lost_m2 and state (permanent, seasonal,
    new, lost). `first_seen`: when a tenth of its pixels had been water; `last_seen` likewise."""
    changes: gpd.GeoDataFrame
    """What came or went between the earlier and the later dates: new_body, expansion, lost_body, shrinkage; area_m2."""
    rasters: dict[str, Path]
    facts: dict[str, Any]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _Look:
    """One date: its water as outlines on the common grid, in pixels, and what it does not show."""

    day: int
    month: int
    aligned: change.Aligned
    water: shapely.STRtree
    cover: shapely.STRtree

    def read(self, window: Window) -> tuple[Bools, Bools]:
        """Water, and where anything is seen, over a window."""
        seen = ~self.aligned.unseen(window) & ~_burnt(self.cover, window)
        return _burnt(self.water, window) & seen, seen


def _burnt(tree: shapely.STRtree, window: Window) -> Bools:
    """Shapes in pixels as a mask of a window."""
    shape = (int(window.height), int(window.width))
    left, top = int(window.col_off), int(window.row_off)
    near = tree.query(shapely.box(left, top, left + shape[1], top + shape[0]))
    if not len(near):
        return np.zeros(shape, bool)
    drawn = rasterio.features.rasterize(tree.geometries[near], shape, transform=Affine.translation(left, top))
    return np.asarray(drawn > 0)


def of(
    scenes: Sequence[Scene],
    out: Path,
    *,
    since: date | None = None,
    options: Options | None = None,
    network: gpd.GeoDataFrame | None = None,
    dams: gpd.GeoDataFrame | None = None,
    progress: Progress = lambda share, step: None,
) -> History:
    """The history of water in scenes of one place, written to the folder `out` (COGs, `water.gpkg`, `history.json`).

    `since`: what is later is compared with what is earlier; without it the later half of the dates with the earlier.
    `network`, `dams`: see `kinds.told`. A scene that cannot be read, has no date or lies elsewhere is left out, and
    told. Raises SceneError if none is left.
    """
    options = options or Options()
    out.mkdir(parents=True, exist_ok=True)
    looks, left_out = _looks(scenes, options, progress)
    if not looks:
        raise SceneError(
            "没有可用的影像 (no scene can be used): " + "; ".join(f"{o.scene}: {o.problem}" for o in left_out)
        )
    grid = looks[-1].aligned.grid
    later = (
        [look.day >= (since - EPOCH).days for look in looks]
        if since
        else [2 * i >= len(looks) for i in range(len(looks))]
    )
    rasters = {name: out / f"{name}.tif" for name in LAYERS}
    bodies, changed = _accumulated(looks, later, grid, rasters, options, progress)
    water = _water(bodies, changed, grid, rasters, [look.day for look in looks], network, dams)
    changes = _placed(changed, grid)
    facts = {
        "dates": [(EPOCH + timedelta(look.day)).isoformat() for look in looks],
        "compared": {"earlier": later.count(False), "later": later.count(True)},
        "shifts": {
            look.aligned.scene.item_id: {
                "pixels": [round(v, 2) for v in look.aligned.shift], "agreed": look.aligned.places[0], "compared": look.aligned.places[1],
            }
            for look in looks
        },
        "left_out": [{"scene": one.scene, "problem": one.problem} for one in left_out],
        "bodies": {str(k): int(v) for k, v in water["kind"].value_counts().items()},
        "states": {str(k): int(v) for k, v in water["state"].value_counts().items()},
        "changes": {str(k): int(v) for k, v in changes["kind"].value_counts().items()},
    }  # fmt: skip
    file = out / "water.gpkg"
    file.unlink(missing_ok=True)
    for layer, frame in (("water", water), ("changes", changes)):
        frame.to_file(file, layer=layer, driver="GPKG")
    (out / "history.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), "utf-8")
    progress(1.0, "完成 (done)")
    return History(water, changes, rasters, facts, tuple(left_out))


def _looks(
    scenes: Sequence[Scene], options: Options, progress: Progress
) -> tuple[list[_Look], list[LeftOut]]:
    """The dates that can be used, in order."""
    ordered = sorted(scenes, key=lambda s: s.acquired_at or datetime.min.replace(tzinfo=UTC))
    all_sizes = replace(options, min_water_m2=0.0, max_water_m2=np.inf, kinds=("water_body",))
    left_out: list[LeftOut] = []
    looks: list[_Look] = []
    newest: Scene | None = None
    for number, scene in enumerate(reversed(ordered)):
        progress(0.6 * number / len(ordered), f"识别水体 (finding water): {scene.item_id}")
        try:
            if scene.acquired_at is None:
                raise SceneError("没有日期 (has no date)")
            if newest is not None and not change.overlap(scene, newest):
                raise SceneError(f"与 {newest.item_id} 不重叠 (does not overlap it)")
            found = find(scene, ("water_body",), all_sizes)[0].polygons
            aligned = change.align(scene, newest) if newest else change.Aligned(scene, scene.grid)
            cover = _outlined(clouds.cover(scene), scene)
        except (SceneError, rasterio.RasterioIOError) as error:
            left_out.append(LeftOut(scene.item_id, str(error)))
            continue
        newest = newest or scene
        day = (scene.acquired_at.date() - EPOCH).days
        trees = [shapely.STRtree(_in_pixels(shapes, aligned)) for shapes in (found, cover)]
        looks.append(_Look(day, scene.acquired_at.month, aligned, *trees))
    return looks[::-1], left_out


def _outlined(small: Bools, scene: Scene) -> list[shapely.Geometry]:
    """A mask stretched over a scene as shapes in the scene's own coordinates. Scenes with classes say it themselves."""
    if not small.any() or any(name in scene.bands for name in CLASSES):
        return []
    grid = scene.grid
    transform = grid.transform * Affine.scale(grid.width / small.shape[1], grid.height / small.shape[0])
    drawn = rasterio.features.shapes(small.astype(np.uint8), small, 8, transform)
    return [shapely.make_valid(shapely.geometry.shape(geometry)) for geometry, _ in drawn]


def _in_pixels(shapes: Sequence[shapely.Geometry], aligned: change.Aligned) -> Array:
    """Shapes of a scene in columns and rows of the common grid, the shift taken out."""
    own, grid = aligned.scene.grid, aligned.grid
    if own.crs != grid.crs:
        shapes = [
            shapely.geometry.shape(transform_geom(own.crs, grid.crs, shapely.geometry.mapping(s)))
            for s in shapes
        ]
    t = ~grid.transform
    rows, cols = aligned.shift
    matrix, move = np.array([[t.a, t.d], [t.b, t.e]]), np.array([t.c + cols, t.f + rows])
    return np.asarray(
        shapely.transform(np.asarray(shapes, object), lambda points: points @ matrix + move), object
    )


def _windows(grid: Grid) -> list[Window]:
    return [
        Window(col, row, min(WINDOW, grid.width - col), min(WINDOW, grid.height - row))
        for row in range(0, grid.height, WINDOW)
        for col in range(0, grid.width, WINDOW)
    ]


def _accumulated(
    looks: Sequence[_Look],
    later: Sequence[bool],
    grid: Grid,
    rasters: dict[str, Path],
    options: Options,
    progress: Progress,
) -> tuple[objects.Objects, dict[int, objects.Objects]]:
    """Write the rasters; give the bodies, and what came (1) and went (2)."""
    least = options.min_water_m2 / grid.pixel_area_m2(grid.height / 2)
    limits = (0.0, least, least, 0.0)
    tolerance = max(change.tolerance_pixels(look.aligned.scene, looks[-1].aligned.scene) for look in looks)
    windows = _windows(grid)
    bodies, changed = [], []
    # Pictures in memory lie nowhere: rasterio hides its own warning of that, but in one thread at a time.
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(options.workers) as pool,
        _writing(rasters, grid) as write,
    ):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        done = 0
        step = 2 * options.workers
        for some in (windows[i : i + step] for i in range(0, len(windows), step)):
            for window, planes, wet, moved, near in pool.map(
                lambda w: _window(looks, later, grid, w, tolerance, least), some
            ):
                write(window, planes)
                nothing = np.zeros(wet.shape, np.float32)
                look = objects.Look(nothing, {"nir": (nothing, Coding())}, near, np.ones(wet.shape, bool))
                bodies.append(objects.label(window, wet * np.uint8(5), replace(look, before=None), limits))
                changed.append(objects.label(window, moved, look, limits))
                done += 1
                progress(0.6 + 0.35 * done / len(windows), "逐窗口累计 (adding up)")
    return objects.collect(bodies, grid, limits)[1], objects.collect(changed, grid, limits)


class _writing:  # noqa: N801 - used as a function that opens something
    """Tiled files that become COGs when all is written."""

    def __init__(self, rasters: dict[str, Path], grid: Grid) -> None:
        self._rasters = rasters
        profile = {
            "driver": "GTiff", "count": 1, "width": grid.width, "height": grid.height, "crs": grid.crs,
            "transform": grid.transform, "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "BIGTIFF": "IF_SAFER",
        }  # fmt: skip
        self._parts = {name: file.with_suffix(".part.tif") for name, file in rasters.items()}
        self._open = {}
        for name, file in self._parts.items():
            kind, nodata, meaning = LAYERS[name]
            self._open[name] = rasterio.open(file, "w", dtype=kind, nodata=nodata, **profile)
            self._open[name].set_band_description(1, meaning)

    def __enter__(self) -> Callable[[Window, dict[str, Array]], None]:
        return self._write

    def _write(self, window: Window, planes: dict[str, Array]) -> None:
        for name, plane in planes.items():
            self._open[name].write(plane, 1, window=window)

    def __exit__(self, failed: Any, *_: Any) -> None:
        for name, file in self._parts.items():
            self._open[name].close()
            if not failed:
                rasterio.shutil.copy(file, self._rasters[name], driver="COG", compress="deflate")
            file.unlink()


def _window(
    looks: Sequence[_Look], later: Sequence[bool], grid: Grid, window: Window, tolerance: int, least: float
) -> tuple[Window, dict[str, Array], Bools, Array, Array]:
    """What a window adds: its planes, bodies, what changed, and where change lies beside water of the other date."""
    row, col = max(0, int(window.row_off) - HALO), max(0, int(window.col_off) - HALO)
    bottom = min(grid.height, int(window.row_off + window.height) + HALO)
    right = min(grid.width, int(window.col_off + window.width) + HALO)
    around = Window(col, row, right - col, bottom - row)
    shape = (bottom - row, right - col)
    first, last = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
    counts = np.zeros((2, 2, *shape), np.uint16)  # earlier and later; seen and wet
    months: dict[int, Array] = {}
    for look, is_later in zip(looks, later, strict=True):
        wet, seen = look.read(around)
        counts[int(is_later)] += np.array([seen, wet], np.uint16)
        month = months.setdefault(look.month, np.zeros((2, *shape), np.uint16))
        month += np.array([seen, wet], np.uint16)
        first[wet & (first == 0)] = look.day
        last[wet] = look.day
    seen_all, wet_all = counts.sum(axis=0)
    share = wet_all / np.maximum(seen_all, 1)
    with_water = sum((m[1] >= np.maximum(MOSTLY * m[0], 1)).astype(np.uint8) for m in months.values())
    planes = {
        "frequency": np.where(seen_all > 0, np.round(100 * share), 255).astype(np.uint8),
        "looks": seen_all.astype(np.uint16), "first": first, "last": last,
        "months": np.where(seen_all > 0, with_water, 255).astype(np.uint8),
    }  # fmt: skip
    moved, near = _moved(counts, tolerance, least)
    top, left = int(window.row_off) - row, int(window.col_off) - col
    at = (slice(top, top + int(window.height)), slice(left, left + int(window.width)))
    cut = {name: np.ascontiguousarray(plane[at]) for name, plane in planes.items()}
    wet_often = (wet_all > 0) & (share >= OFTEN)
    return window, cut, *(np.ascontiguousarray(plane[at]) for plane in (wet_often, moved, near))


def _moved(counts: Array, tolerance: int, least: float) -> tuple[Array, Array]:
    """Codes of what came (1) and went (2) between the earlier and the later dates, and the same code where water of
    the other side lies near, so that each change knows whether it is a part of older (or remaining) water."""
    (seen_before, wet_before), (seen_now, wet_now) = counts
    both = (seen_before > 0) & (seen_now > 0)
    (before, was), (now, is_) = (
        tuple(w >= np.maximum(least_share * s, 1) for least_share in (MOSTLY, OFTEN))
        for s, w in ((seen_before, wet_before), (seen_now, wet_now))
    )
    square = np.ones((3, 3), bool)
    # What a season leaves dry was there nevertheless: only what was seldom water before can be new.
    came = change.gained(now, was, tolerance, least) & both
    went = change.gained(before, is_, tolerance, least) & both
    wide = tolerance + 2
    beside_old, beside_new = (
        ndimage.binary_dilation(ndimage.binary_opening(w, square), square, iterations=wide)
        for w in (was, is_)
    )
    moved = (came * np.uint8(5)) | (went * np.uint8(6))
    near = np.where(came & beside_old, 1, np.where(went & beside_new, 2, 0)).astype(np.uint8)
    return moved.astype(np.uint8), near


def _shapes(made: objects.Objects, grid: Grid) -> Array:
    t = grid.transform
    matrix, move = np.array([[t.a, t.d], [t.b, t.e]]), np.array([t.c, t.f])
    return np.asarray(shapely.transform(made.shapes, lambda points: points @ matrix + move), object)


def _areas(made: objects.Objects, grid: Grid) -> Array:
    rows = (made.box[:, 1] + made.box[:, 3]) / 2
    return np.asarray(made.pixels * np.array([grid.pixel_area_m2(row) for row in rows]), np.float64)


def _placed(changed: dict[int, objects.Objects], grid: Grid) -> gpd.GeoDataFrame:
    """What came and went, as a table."""
    kind, area, shape = [], [], []
    for code, names in ((1, ("new_body", "expansion")), (2, ("lost_body", "shrinkage"))):
        made = changed[code]
        kind += [names[int(beside > 0)] for beside in made.sums["before"]]
        area += _areas(made, grid).tolist()
        shape += list(_shapes(made, grid))
    return gpd.GeoDataFrame({"kind": kind, "area_m2": area}, geometry=shape, crs=grid.crs).to_crs(STORED)


def _water(
    bodies: objects.Objects,
    changed: dict[int, objects.Objects],
    grid: Grid,
    rasters: dict[str, Path],
    days: Sequence[int],
    network: gpd.GeoDataFrame | None,
    dams: gpd.GeoDataFrame | None,
) -> gpd.GeoDataFrame:
    """The bodies with what is known of them."""
    shapes = _shapes(bodies, grid)
    frame = shapely.Polygon(grid.corners)
    table = kinds.told(shapes, grid.crs, grid.pixel_m, network=network, dams=dams, frame=frame)
    table["area_m2"] = _areas(bodies, grid)
    for code, name in ((1, "gained_m2"), (2, "lost_m2")):
        table[name] = _common(shapes, _shapes(changed[code], grid)) * (
            grid.pixel_area_m2(grid.height / 2) / grid.step**2
        )
    placed = gpd.GeoDataFrame(table, geometry=list(shapes), crs=grid.crs)
    for name, (raster, how) in {
        "frequency": ("frequency", "mean"), "months": ("months", "mean"),
        "first_seen": ("first", "quantile(q=0.1)"), "last_seen": ("last", "quantile(q=0.9)"),
    }.items():  # fmt: skip
        placed[name] = _over(rasters[raster], placed, how)
    placed["frequency"] /= 100
    placed["months"] = placed["months"].round(1)
    for name in ("first_seen", "last_seen"):
        placed[name] = _nearest(placed[name].to_numpy(), days)
    came, went = (placed[name] >= MOSTLY * placed["area_m2"] for name in ("gained_m2", "lost_m2"))
    placed["state"] = np.select(
        [came, went, placed["frequency"] >= ALWAYS], ["new", "lost", "permanent"], "seasonal"
    )
    return placed.to_crs(STORED)


def _nearest(found: Array, days: Sequence[int]) -> list[str | None]:
    """The dates of looks nearest to days: a share of a body's pixels may point between two dates."""
    known = np.asarray(days)
    return [
        (EPOCH + timedelta(int(known[np.argmin(abs(known - day))]))).isoformat() if np.isfinite(day) else None
        for day in found
    ]


def _over(raster: Path, shapes: gpd.GeoDataFrame, how: str) -> Array:
    """A figure of a raster over each shape."""
    if shapes.empty:
        return np.zeros(0)
    found = exactextract.exact_extract(str(raster), shapes[["geometry"]], [how], output="pandas")
    return np.asarray(found.iloc[:, 0], np.float64)


def _common(shapes: Array, others: Array) -> Array:
    """The area that each shape has in common with any of the others."""
    if not len(others):
        return np.zeros(len(shapes))
    number, other = shapely.STRtree(others).query(shapes, "intersects")
    common = shapely.area(shapely.intersection(shapes[number], others[other]))
    return np.asarray(np.bincount(number, common, len(shapes)), np.float64)
