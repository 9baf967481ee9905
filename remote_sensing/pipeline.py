"""Scene and registered intakes → candidates. Values in, values and pictures out; knows no database."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from remote_sensing import change, chips, ground, profile, report, water
from remote_sensing.judge import Candidate, judged, with_profile
from remote_sensing.options import KINDS, Options
from remote_sensing.scene import Scene, SceneError
from remote_sensing.search import find

__all__ = ["KINDS", "Candidate", "Detection", "Options", "detect"]
Floats = npt.NDArray[np.float32]
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Detection:
    """What a run found."""

    candidates: tuple[Candidate, ...]
    method: str
    facts: dict[str, Any]
    report: str | None


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
    options = ground.known(options, newest.footprint)
    progress(0.02, "配准两期影像 (aligning the dates)" if previous else "读取影像 (reading the scene)")
    earlier = change.align(previous, newest) if previous else None
    found = find(newest, options.kinds, options, aoi=aoi, earlier=earlier, progress=progress)
    masked = time.perf_counter()
    progress(0.72, "与取水口比对 (comparing with the register)")
    candidates = [c for group in found for c in judged(group, newest, earlier is not None, intakes, options)]
    candidates.sort(key=lambda c: -c[0].score)
    kept = _with_profiles(candidates[: options.max_candidates], newest, ordered, options)
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


def _with_profiles(
    candidates: Sequence[tuple[Candidate, shapely.Geometry]], newest: Scene, dates: Sequence[Scene], options: Options
) -> list[tuple[Candidate, shapely.Geometry]]:  # fmt: skip
    """The candidates with their indices on every date and what these say, the likeliest first."""
    points = profile.of_shapes(dates, newest.grid.crs, [shape for _, shape in candidates], options.workers)
    made = [(with_profile(c, p, options), s) for (c, s), p in zip(candidates, points, strict=True)]
    return sorted(made, key=lambda item: -item[0].score)


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

        def save(name: str, scene: Scene, read: chips.Read) -> str:
            pixels = chips.picture(newest, read, window, after_stretch)
            chips.save(out / name, scene.acquired_at, scene.sensor, pixels, newest, window, shape)
            return name

        after = save(f"c{number:05d}-after.png", newest, newest.read_bands)
        old = (
            save(f"c{number:05d}-before.png", before, earlier.read_bands)
            if both and before and earlier
            else None
        )
        return replace(candidate, chip_after=after, chip_before=old)

    with ThreadPoolExecutor(workers) as pool:
        finished = []
        for done in pool.map(lambda item: cut(item[0], *item[1]), enumerate(candidates, 1)):
            finished.append(done)
            progress(
                0.78 + 0.2 * len(finished) / len(candidates), "制作影像对比图 (cutting the image patches)"
            )
    return finished
