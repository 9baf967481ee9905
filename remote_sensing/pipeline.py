"""Scene and registered intakes → candidates. Values in, values and pictures out; knows no database."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely

from remote_sensing import change, ground, report, water
from remote_sensing.judge import Candidate, Findings, best
from remote_sensing.kept import Keep
from remote_sensing.options import KINDS, Options
from remote_sensing.scene import Scene, SceneError
from remote_sensing.search import find
from remote_sensing.shown import Evidence

__all__ = ["KINDS", "Candidate", "Detection", "Options", "detect"]
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
    ordered = sorted(scenes, key=lambda s: s.taken_s)
    if not ordered:
        raise SceneError("没有影像 (no scene)")
    newest, previous = ordered[-1], _previous(ordered)
    options = ground.known(options, newest.footprint)
    progress(0.02, "配准两期影像 (aligning the dates)" if previous else "读取影像 (reading the scene)")
    earlier = change.align(previous, newest) if previous else None
    with Keep(out) as keep:
        found = find(newest, options.kinds, options, aoi=aoi, earlier=earlier, keep=keep, progress=progress)
        masked = time.perf_counter()
        progress(0.72, "与取水口比对 (comparing with the register)")
        weighed = [Findings.of(group, newest, earlier is not None, intakes, options) for group in found]
        findings = [group for group in weighed if group is not None]
        shown = best(findings, options.max_candidates)
        progress(0.78, "制作影像对比图 (cutting the image patches)")
        finished = Evidence(newest, earlier, ordered, keep, out, options).of(shown, progress)
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
        "left_out": sum(len(group.rows) for group in findings) - len(shown),
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
