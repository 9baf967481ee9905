"""Scene and registered intakes → candidates. Values in, values and pictures out; knows no database."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from rasterio.windows import Window

from remote_sensing import change, chips, compare, evidence, irrigation, report, water
from remote_sensing.compare import Reach
from remote_sensing.evidence import Quotas
from remote_sensing.objects import Labeller, Objects, windows
from remote_sensing.scene import Scene, SceneError, from_stored, require, to_stored

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Progress = Callable[[float, str], None]
KINDS = ("water_body", "irrigated_land")


@dataclass(frozen=True)
class Options:
    """What a run may be told. Distances and quotas are assumptions for the operator to set."""

    kinds: tuple[str, ...] = KINDS
    min_water_m2: float = 1_000.0
    min_field_m2: float = 4_000.0
    max_water_m2: float = 2e7
    """Larger water is a lake or river, which is no unregistered withdrawal by itself."""
    min_score: float = 0.15
    max_candidates: int = 2_000
    reach: Reach = field(default_factory=Reach)
    quotas: Quotas = field(default_factory=Quotas)
    window: int = 1_024
    """Side in pixels of the piece in memory; a multiple of the block of `water`."""
    workers: int = 2


@dataclass(frozen=True)
class Candidate:
    """A suspected unregistered withdrawal, for a person to judge."""

    kind: str
    category: str
    score: float
    area_m2: float
    volume_m3: float | None
    volume_lo_m3: float | None
    volume_hi_m3: float | None
    acquired_at: datetime | None
    nearest_intake_id: int | None
    nearest_intake_m: float | None
    nearest_permitted_id: int | None
    nearest_permitted_m: float | None
    evidence: dict[str, Any]
    reasons: tuple[dict[str, str], ...]
    geometry: shapely.MultiPolygon
    """EPSG:4490."""
    chip_before: str | None = None
    chip_after: str | None = None
    """File names below the run's folder."""


@dataclass(frozen=True)
class Detection:
    """What a run found."""

    candidates: tuple[Candidate, ...]
    method: str
    facts: dict[str, Any]
    report: str | None


@dataclass(frozen=True)
class Found:
    """One kind of object in a scene."""

    kind: str
    objects: Objects
    polygons: list[shapely.Geometry]
    """In the scene's own coordinates, one an object."""


class Masks:
    """The masks of a scene, window by window; the same for any size of window."""

    def __init__(self, scene: Scene, read: Callable[[str, Window], Floats] | None = None) -> None:
        self.scene, self.read = scene, read or scene.read
        self.water = water.method_for(scene)
        self.fallback = self._whole_scene() if self.water.name == "NIR" else None
        wanted = {*self.water.bands, *irrigation.BANDS, "blue"}
        self.bands = tuple(name for name in sorted(wanted) if name in scene.bands)

    def _whole_scene(self) -> float | None:
        """A threshold from a small reading of everything, for pictures whose numbers mean nothing by themselves."""
        grid = self.scene.grid
        scale = max(1, max(grid.width, grid.height) // 2048)
        shape = (max(1, grid.height // scale), max(1, grid.width // scale))
        window = Window(0, 0, grid.width, grid.height)
        bands = {name: self.scene.read(name, window, shape) for name in self.water.bands}
        return water.valley(water.index(self.water, bands), 0.005)

    def of(
        self, window: Window, kinds: Sequence[str]
    ) -> tuple[dict[str, tuple[Bools, Bools]], dict[str, Floats]]:
        """Strong and weak pixels by kind, and the bands and indices behind them."""
        bands = {name: self.read(name, window) for name in self.bands}
        seen = np.isfinite(bands["nir"]) & np.isfinite(bands["green"])
        masks = {}
        values = dict(bands)
        values["water_index"] = water.index(self.water, bands)
        if "water_body" in kinds:
            masks["water_body"] = self._by_block(values["water_index"], bands, self._water_block)
        if "irrigated_land" in kinds and self.scene.calibrated:
            masks["irrigated_land"] = self._by_block(values["water_index"], bands, self._field_block)
        values["shadow"] = water.shadow(bands).astype(np.float32)
        return {kind: (strong & seen, weak & seen) for kind, (strong, weak) in masks.items()}, values

    def _water_block(self, index: Floats, bands: Mapping[str, Floats]) -> tuple[Bools, Bools]:
        at = water.threshold(self.water, index, self.fallback)
        return water.strong_and_weak(self.water, index, bands, at)

    def _field_block(self, index: Floats, bands: Mapping[str, Floats]) -> tuple[Bools, Bools]:
        found = irrigation.fields(bands, irrigation.background(bands))
        return found, found

    def _by_block(
        self, index: Floats, bands: Mapping[str, Floats], decide: Callable[..., tuple[Bools, Bools]]
    ) -> tuple[Bools, Bools]:
        """Blocks are anchored to the scene, and windows are whole blocks: windows do not matter."""
        strong, weak = np.zeros(index.shape, bool), np.zeros(index.shape, bool)
        for row in range(0, index.shape[0], water.BLOCK):
            for col in range(0, index.shape[1], water.BLOCK):
                at = (slice(row, row + water.BLOCK), slice(col, col + water.BLOCK))
                strong[at], weak[at] = decide(index[at], {name: values[at] for name, values in bands.items()})
        return strong, weak


def find(
    scene: Scene,
    kinds: Sequence[str],
    options: Options,
    *,
    aoi: shapely.Geometry | None = None,
    earlier: change.Aligned | None = None,
    folder: Path | None = None,
    progress: Progress = lambda share, step: None,
) -> list[Found]:
    """The objects of a scene above the smallest area. `aoi` in EPSG:4490."""
    require(scene, ("green", "red", "nir"))
    if options.window % water.BLOCK:
        raise ValueError(f"window is a multiple of {water.BLOCK}")
    masks = Masks(scene)
    before = Masks(earlier.scene, earlier.read) if earlier else None
    kinds = [kind for kind in kinds if kind != "irrigated_land" or scene.calibrated]
    area = from_stored(scene.grid.crs, aoi) if aoi is not None else None
    pieces = windows(scene.grid, options.window)
    layers = ("water_index", "shadow", "before", "seen_before", "nir", "red")

    def work(window: Window) -> Any:
        found, values = masks.of(window, kinds)
        inside = _inside(area, scene, window)
        zero = np.zeros((int(window.height), int(window.width)), np.float32)
        old = before.of(window, kinds)[0] if before else {}
        seen = np.isfinite(before.read("nir", window)).astype(np.float32) if before else zero
        return window, {
            kind: (
                strong & inside,
                weak & inside,
                {
                    **values,
                    "before": old[kind][1] * np.float32(1) if kind in old else zero,
                    "seen_before": seen,
                },
            )
            for kind, (strong, weak) in found.items()
        }

    found: list[Found] = []
    labellers = {kind: Labeller(scene.grid, layers, folder) for kind in kinds}
    with ThreadPoolExecutor(options.workers) as pool:
        for labeller in labellers.values():
            labeller.__enter__()
        try:
            for done, (window, by_kind) in enumerate(_in_order(pool, work, pieces, options.workers), 1):
                for kind, (strong, weak, values) in by_kind.items():
                    labellers[kind].add(window, strong, weak, {name: values[name] for name in layers})
                progress(0.7 * done / len(pieces), "识别水体和植被 (finding water and vegetation)")
            for kind in kinds:
                found.append(_drawn(kind, labellers[kind], scene, options))
        finally:
            for labeller in labellers.values():
                labeller.__exit__(None, None, None)
    return found


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[Window], Any], pieces: Sequence[Window], workers: int
) -> Iterator[Any]:
    """Results in order, with only a few windows in memory at once."""
    waiting = []
    for piece in pieces:
        waiting.append(pool.submit(work, piece))
        if len(waiting) > workers:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _inside(area: shapely.Geometry | None, scene: Scene, window: Window) -> Any:
    if area is None:
        return True
    transform = rasterio.windows.transform(window, scene.grid.transform)
    return rasterio.features.geometry_mask(
        [area], (int(window.height), int(window.width)), transform, invert=True
    )


def _drawn(kind: str, labeller: Labeller, scene: Scene, options: Options) -> Found:
    objects, final = labeller.finish(options.window)
    least = options.min_water_m2 if kind == "water_body" else options.min_field_m2
    most = options.max_water_m2 if kind == "water_body" else np.inf
    rows = (objects.box[:, 1] + objects.box[:, 3]) / 2
    area = objects.pixels * _pixel_areas(scene, rows)
    keep = (area >= least) & (area <= most)
    wanted = objects.number[keep]
    shapes = labeller.shapes(final, wanted, options.window)
    kept = Objects(
        wanted, objects.pixels[keep], {k: v[keep] for k, v in objects.sums.items()}, objects.box[keep]
    )
    return Found(kind, kept, [shapes[int(number)] for number in wanted])


def _pixel_areas(scene: Scene, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if not scene.grid.crs.is_geographic:
        return np.full(len(rows), scene.grid.pixel_area_m2(0))
    return np.array([scene.grid.pixel_area_m2(row) for row in rows])


def detect(
    scenes: Sequence[Scene],
    intakes: gpd.GeoDataFrame,
    *,
    aoi: shapely.Geometry | None = None,
    options: Options | None = None,
    out: Path,
    progress: Progress = lambda share, step: None,
) -> Detection:
    """Find what takes water in the newest scene and which of it no registered intake explains.

    `scenes`: one, or several dates of one place; the one before the newest gives change. `intakes`:
    points in EPSG:4490 with the columns of `compare.empty_register`. Pictures and the report are
    written to `out`. Raises SceneError if a scene cannot be used.
    """
    options = options or Options()
    started = time.perf_counter()
    ordered = sorted(scenes, key=lambda s: s.acquired_at.timestamp() if s.acquired_at else 0.0)
    if not ordered:
        raise SceneError("没有影像 (no scene)")
    newest, previous = ordered[-1], _previous(ordered)
    progress(0.02, "配准两期影像 (aligning the dates)" if previous else "读取影像 (reading the scene)")
    earlier = change.align(previous, newest) if previous else None
    found = find(newest, options.kinds, options, aoi=aoi, earlier=earlier, folder=out, progress=progress)
    masked = time.perf_counter()
    progress(0.72, "与取水口比对 (comparing with the register)")
    candidates = [c for group in found for c in _judged(group, newest, earlier is not None, intakes, options)]
    candidates.sort(key=lambda c: -c[0].score)
    kept = candidates[: options.max_candidates]
    progress(0.78, "制作影像对比图 (cutting the image patches)")
    finished = _with_chips(kept, newest, earlier, out, options.workers, progress)
    grid = newest.grid
    facts = {
        "scene": newest.item_id,
        "previous": previous.item_id if previous else None,
        "pixels": grid.width * grid.height,
        "resolution_m": newest.resolution_m,
        "shift_pixels": [round(v, 2) for v in earlier.shift] if earlier else None,
        "water_index": water.method_for(newest).name,
        "objects": {group.kind: len(group.polygons) for group in found},
        "registered_intakes": len(intakes),
        "candidates": len(finished),
        "left_out": len(candidates) - len(kept),
        "seconds_masks": round(masked - started, 2),
        "seconds": round(time.perf_counter() - started, 2),
    }
    name = report.write(out, newest, previous, finished, facts)
    progress(1.0, "完成 (done)")
    return Detection(tuple(finished), f"shuitu {facts['water_index']}", facts, name)


def _previous(ordered: Sequence[Scene]) -> Scene | None:
    """The scene before the newest that overlaps it."""
    for scene in reversed(ordered[:-1]):
        if scene.footprint.intersects(ordered[-1].footprint):
            return scene
    return None


def _judged(
    group: Found, scene: Scene, has_before: bool, intakes: gpd.GeoDataFrame, options: Options
) -> list[tuple[Candidate, shapely.Geometry]]:
    """The objects of one kind that the register does not explain, each with its shape in the scene's coordinates."""
    if not group.polygons:
        return []
    own = gpd.GeoSeries(group.polygons, crs=scene.grid.crs)
    metric = compare.metric_crs(own)
    measured = own.to_crs(metric)
    register = intakes.to_crs(metric)
    served = compare.against(measured, [group.kind] * len(own), register, scene.resolution_m, options.reach)
    o = group.objects
    index, shadow = o.mean("water_index"), o.mean("shadow")
    before = (
        np.where(o.sums["seen_before"] > 0.5 * o.pixels, o.mean("before"), np.nan) if has_before else None
    )
    found = []
    for i, (shape, flat) in enumerate(zip(group.polygons, measured, strict=True)):
        area = float(flat.area)
        volume = evidence.volumes(group.kind, area, options.quotas)
        share = None if before is None or np.isnan(before[i]) else float(before[i])
        category, permitted = _category(served[i], register, volume[0], share)
        if category is None:
            continue
        at_edge = _at_edge(o.box[i], scene)
        flags: dict[str, Any] = {
            "elongation": round(_elongation(flat), 2),
            "at_edge": at_edge,
            "shadow_share": round(float(shadow[i]), 3),
        }
        water_like = group.kind == "water_body"
        nir, red = float(o.mean("nir")[i]), float(o.mean("red")[i])
        contrast = abs(float(index[i])) if water_like else (nir - red) / max(nir + red, 1e-6) - 0.4
        value = evidence.score(
            area_m2=area,
            least_m2=options.min_water_m2 if water_like else options.min_field_m2,
            contrast=contrast,
            elongation=flags["elongation"] if water_like else 1.0,
            at_edge=at_edge,
            category=category,
            distance_m=served[i].nearest_m,
            reach_m=options.reach.water_m if water_like else options.reach.field_m,
            shadow_share=flags["shadow_share"],
        )
        if value < options.min_score:
            continue
        measured_values = {
            "area_m2": round(area, 1),
            "pixels": int(o.pixels[i]),
            "water_index": round(float(index[i]), 4),
            "nir": round(nir, 4),
            "red": round(red, 4),
            "before_share": None if share is None else round(share, 3),
            "permitted_m3": permitted,
            "serving": [int(register["id"].iloc[n]) for n in served[i].serving],
            "refused": list(served[i].refused),
            "assumptions": {"reach": vars(options.reach), "quotas": vars(options.quotas)},
            **flags,
        }
        candidate = Candidate(
            group.kind, category, value, area, volume[1], volume[0], volume[2], scene.acquired_at,
            served[i].nearest_id, served[i].nearest_m, served[i].permitted_id, served[i].permitted_m, measured_values,
            tuple(evidence.reasons(group.kind, category, area, served[i], volume, permitted or 0.0, share, flags)),
            _multi(to_stored(scene.grid.crs, shape)),
        )  # fmt: skip
        found.append((candidate, shape))
    return found


NEW_BELOW = 0.4
"""An object of which less than this share was there at the earlier date is new."""


def _category(
    served: compare.Served, register: gpd.GeoDataFrame, lowest_m3: float, before_share: float | None
) -> tuple[str | None, float | None]:
    """Why the register does not explain an object (None: it does), and what its intakes may take, m³."""
    if not served.serving:
        is_new = before_share is not None and before_share < NEW_BELOW
        return ("new_since_last_date" if is_new else "no_intake"), None
    rows = register.iloc[list(served.serving)]
    if (rows["permit_state"] == "exempt").any():
        return None, None
    permitted = rows[rows["has_valid_permit"]]
    if permitted.empty:
        return "no_valid_permit", None
    if permitted["permitted_m3"].isna().any():
        return None, None
    total = float(permitted["permitted_m3"].sum())
    return ("permit_too_small" if total < lowest_m3 else None), total


def _elongation(shape: shapely.Geometry) -> float:
    """Length over width of the smallest rectangle around, corrected for how much of it is filled."""
    box = shapely.minimum_rotated_rectangle(shape)
    if box.geom_type != "Polygon" or not shape.area:
        return 1.0
    x, y = box.exterior.coords.xy
    sides = sorted((float(np.hypot(x[1] - x[0], y[1] - y[0])), float(np.hypot(x[2] - x[1], y[2] - y[1]))))
    return float(sides[1] ** 2 / shape.area)


def _at_edge(box: npt.NDArray[np.int64], scene: Scene) -> bool:
    return bool(
        box[0] == 0 or box[1] == 0 or box[2] >= scene.grid.width - 1 or box[3] >= scene.grid.height - 1
    )


def _multi(geometry: shapely.Geometry) -> shapely.MultiPolygon:
    parts = [
        part
        for part in shapely.get_parts(shapely.make_valid(geometry))
        if part.geom_type in ("Polygon", "MultiPolygon")
    ]
    return shapely.MultiPolygon([p for part in parts for p in shapely.get_parts(part)])


def _with_chips(
    candidates: Sequence[tuple[Candidate, shapely.Geometry]],
    newest: Scene,
    earlier: change.Aligned | None,
    out: Path,
    workers: int,
    progress: Progress,
) -> list[Candidate]:
    if not candidates:
        return []
    after_stretch = chips.stretch_of(newest)
    # Both dates are cut from the newer grid and stretched alike, so that a difference is a difference.
    before = earlier.scene if earlier else None
    both = before is not None and earlier is not None and chips.same_bands(before, newest)

    def cut(number: int, candidate: Candidate, shape: shapely.Geometry) -> Candidate:
        window = chips.window_around(newest, shape)

        def save(name: str, scene: Scene, read: Callable[[str, Window], Floats]) -> str:
            pixels = chips.picture(newest, read, window, after_stretch)
            chips.save(out / name, scene.acquired_at, scene.sensor, pixels, newest, window, shape)
            return name

        after = save(f"c{number:05d}-after.png", newest, newest.read)
        old = save(f"c{number:05d}-before.png", before, earlier.read) if both and before and earlier else None
        return replace(candidate, chip_after=after, chip_before=old)

    with ThreadPoolExecutor(workers) as pool:
        finished = []
        for done in pool.map(lambda item: cut(item[0], *item[1]), enumerate(candidates, 1)):
            finished.append(done)
            progress(
                0.78 + 0.2 * len(finished) / len(candidates), "制作影像对比图 (cutting the image patches)"
            )
    return finished
