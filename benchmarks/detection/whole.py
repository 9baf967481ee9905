"""A whole run, a pair of dates → candidates with profiles, pictures and report, against decoding both; and what two workers give.

The pair is the scene of `benchmarks.detection` and an earlier date of it: other noise, and every fifth piece without its
water. The register has an intake at the water of three pieces in five, half of them without a permit, and others that
stand about. Each run is a process of its own. What two workers give is measured on smaller pairs (`--scaling-side`), twice:
two threads on one place, and two Dask processes on four places of a quarter of the area; the ratio is the time of one
worker over twice the time of two, by the clock, and so asks for an idle machine. What a run does in one thread alone is
told in processor time, and bounds what more threads can give on any machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import psutil
import rasterio
from scipy import ndimage

from benchmarks import Figure, data_folder, tell
from benchmarks.detection.__main__ import MIB, SIDE, decode, peak_mib, pieces, write_scene
from remote_sensing.options import Options
from remote_sensing.pipeline import detect
from remote_sensing.runs import Group, run_all
from remote_sensing.scene import Scene, open_scenes

GOAL, PLACES, SEED = 0.4, 4, 20_261_130


def pair(folder: Path, side: int) -> tuple[Path, Path]:
    """The earlier and the later date, made if they are not there."""
    earlier, later = folder / f"earlier-{side}.tif", folder / f"scene-{side}.tif"
    if not later.is_file():
        write_scene(later, side)
    if not earlier.is_file():
        write_scene(earlier, side, date="2024-02-20", seed=SEED, dry_every=5)
    return earlier, later


def register(path: Path) -> gpd.GeoDataFrame:
    """Intakes at the water of three pieces in five, and as many again anywhere."""
    rng = np.random.default_rng(SEED)
    with rasterio.open(path) as source:
        transform, crs, side = source.transform, source.crs, source.width
    points = []
    for row, col, real in pieces(side):
        if rng.random() > 0.6:
            continue
        green, nir = real[1], real[3]
        bodies, count = ndimage.label(green > nir)
        sizes = ndimage.sum_labels(np.ones_like(bodies), bodies, np.arange(1, count + 1))
        for at in np.asarray(ndimage.center_of_mass(green > nir, bodies, np.flatnonzero(sizes >= 10) + 1)):
            points.append((col + at[1] + 0.5, row + at[0] + 0.5))
    at = np.array([*points, *rng.uniform(0, side, (max(20, len(points)), 2))])
    n = len(at)
    frame = pd.DataFrame(
        {
            "id": np.arange(1, n + 1), "code": [f"C{i}" for i in range(n)], "name": "", "holder_name": "",
            "source_type": rng.choice(["surface_water", "groundwater"], n, p=[0.8, 0.2]), "status": "in_use",
            "permit_state": "", "has_valid_permit": rng.random(n) < 0.5, "permitted_m3": rng.uniform(1e3, 1e5, n),
            "purpose": "", "position_error_m": 15.0,
        }
    )  # fmt: skip
    here = gpd.points_from_xy(*(transform * at.T), crs=crs)
    return gpd.GeoDataFrame(frame, geometry=here).to_crs("EPSG:4490")


def opened(paths: tuple[Path, Path]) -> list[Scene]:
    return [open_scenes(path)[0] for path in paths]


def run_here(folder: Path, side: int, workers: int) -> dict[str, Any]:
    """One run in this process, a small one first to compile."""
    options = Options(workers=workers)
    with tempfile.TemporaryDirectory() as out:
        small, large = pair(folder, 600), pair(folder, side)
        detect(opened(small), register(small[1]), options=options, out=Path(out))
        intakes, scenes = register(large[1]), opened(large)
        before = psutil.Process().memory_info().rss
        started, used, alone = time.perf_counter(), time.process_time(), time.thread_time()
        found = detect(scenes, intakes, options=options, out=Path(out))
        alone = time.thread_time() - alone
        seconds, processor = time.perf_counter() - started, time.process_time() - used
        peak = peak_mib()
    decoded = np.sum([decode(path, workers) for path in large], axis=0)
    return {
        "seconds": seconds,
        "processor": processor,
        "alone": alone,
        "decode_seconds": float(decoded[0]),
        "decode_processor": float(decoded[1]),
        "before_mib": before / MIB,
        "peak_mib": peak,
        "facts": found.facts,
    }


def places_here(folder: Path, side: int, workers: int) -> dict[str, Any]:
    """Four places one after another, or on Dask's processes. Two small ones first, for each to compile."""
    options = Options(workers=1)
    with tempfile.TemporaryDirectory() as out:
        small, large = pair(folder, 600), pair(folder, side // 2)
        intakes = {path: register(path) for path in (small[1], large[1])}

        def all_of(paths: tuple[Path, Path], number: int) -> float:
            groups = [Group(f"p{n}", tuple(opened(paths))) for n in range(number)]
            ended = []
            started = time.perf_counter()
            for result in run_all(
                groups, lambda _: intakes[paths[1]], Path(out), options=options, workers=workers
            ):
                if result.detection is None:
                    raise RuntimeError(result.problem)
                ended.append(time.perf_counter() - started)
            return ended[-1] - ended[workers - 1]

        all_of(small, workers)
        # The start of the processes is not what is asked: from when each worker has done one.
        return {"seconds": all_of(large, workers + PLACES)}


def child(folder: Path, side: int, workers: int, what: str) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.detection.whole",
        "--data-dir",
        str(folder),
        "--side",
        str(side),
    ]
    done = subprocess.run(
        [*command, "--workers", str(workers), "--child", what], check=True, stdout=subprocess.PIPE, text=True
    )
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def measure(folder: Path, side: int, rounds: int, scaling_side: int) -> list[Figure]:
    """`scaling_side` 0: without one worker against two."""
    for length in {side, 600, *((scaling_side, scaling_side // 2) if scaling_side else ())}:
        for path in pair(folder, length):
            decode(path, os.cpu_count() or 1)  # from here on the files are read from memory
    two = [child(folder, side, 2, "run") for _ in range(rounds)]
    figures = [*_figures(two, side)]
    if scaling_side:
        # Alternating, so that what else the machine does weighs on all alike.
        every = [
            {(w, k): child(folder, scaling_side, w, k) for w in (1, 2) for k in ("run", "places")}
            for _ in range(rounds)
        ]
        for kind, name in (
            ("run", f"two threads, one pair of {scaling_side}"),
            ("places", f"two Dask workers, {PLACES} pairs of {scaling_side // 2}"),
        ):
            one, both = (statistics.median(e[w, kind]["seconds"] for e in every) for w in (1, 2))
            figures.append(Figure(name, both, "s", "one worker", one, one / both / 2, 0.9))
    return figures


def _figures(runs: list[dict[str, Any]], side: int) -> list[Figure]:
    megapixels = 2 * side * side / 1e6
    facts = runs[-1]["facts"]
    objects = ", ".join(f"{kind} {count:,}" for kind, count in facts["objects"].items())
    note = f"2 × {side} × {side}, 4 bands, 2 threads; {objects}; {facts['candidates']:,} candidates, {facts['left_out']:,} left out"
    middle = {
        key: statistics.median(run[key] for run in runs)
        for key in ("seconds", "decode_seconds", "processor", "decode_processor")
    }
    clock, processor = (
        statistics.median(run[f"decode_{key}"] / run[key] for run in runs) for key in ("seconds", "processor")
    )
    alone = statistics.median(run["alone"] / run["processor"] for run in runs)
    bound = f"more threads make it at most {1 / alone:.1f} times as fast, two {2 / (1 + alone):.2f} times"
    return [
        Figure("a pair to candidates", megapixels / middle["seconds"], "Mpx/s", "decoding both", megapixels / middle["decode_seconds"], clock, GOAL, note),
        Figure("a pair to candidates, processor time", 1e3 * middle["processor"] / megapixels, "ns/px", "decoding both", 1e3 * middle["decode_processor"] / megapixels, processor, GOAL),
        Figure("a pair to candidates, in one thread alone", 100 * alone, "% of processor time", note=bound),
        Figure("a pair to candidates, peak memory", max(run["peak_mib"] for run in runs), "MiB", "before the scenes are opened", min(run["before_mib"] for run in runs)),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection.whole",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--side", type=int, default=SIDE, help=f"pixels along a side (default {SIDE})")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--data-dir", type=Path, help="keep the scenes here for the next time")
    parser.add_argument(
        "--scaling-side",
        type=int,
        help="pixels for one worker against two (default half of --side; 0: leave it out)",
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    parser.add_argument("--child", choices=("run", "places"), help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        warnings.simplefilter("ignore")
        made = {"run": run_here, "places": places_here}[given.child](
            given.data_dir, given.side, given.workers
        )
        print(json.dumps(made))
        return
    with data_folder(given.data_dir) as folder:
        scaling = given.side // 2 if given.scaling_side is None else given.scaling_side
        figures = measure(folder, given.side, given.rounds, scaling)
    tell("detection, whole", figures, as_json=given.as_json)


if __name__ == "__main__":
    main()
