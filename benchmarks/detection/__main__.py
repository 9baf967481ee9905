"""Detection (masks and objects) in megapixels a second, against merely decoding the same scene.

The scene is a Sentinel-2 tile in size: 10980 × 10980 pixels, four bands, uint16, a COG, made of the real
300 × 300 picture of the `spyndex` package, mirrored and varied so that no two pieces are the same bytes.
Decoding reads every band of every window on as many threads and does nothing with it. Each detection is a
process of its own, so that its peak of memory is its own. The ratio is told twice: by the clock, and by processor
time, which says the same on a machine that has nothing else to do and still means something on one that has.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rasterio
import rasterio.shutil
import spyndex
from rasterio.transform import from_origin
from rasterio.windows import Window

from benchmarks import Figure, data_folder, tell
from remote_sensing.options import KINDS, Options
from remote_sensing.scene import open_scenes
from remote_sensing.search import find

SIDE, WINDOW, SEED = 10_980, 1_024, 20240512
BANDS = ("B02", "B03", "B04", "B08")
GOAL = 0.8
MIB = 2**20


def pieces(side: int) -> Iterator[tuple[int, int, Any]]:
    """The mirrored pieces that a scene is made of: row, column, and the real picture's four bands."""
    real = np.asarray(spyndex.datasets.open("sentinel")).astype(np.float32)
    n = real.shape[1]
    for row in range(0, side, n):
        for col in range(0, side, n):
            yield row, col, real[:, :: (-1) ** (row // n), :: (-1) ** (col // n)]


def write_scene(
    path: Path, side: int, *, date: str = "2024-05-12", seed: int = SEED, dry_every: int = 0
) -> None:
    """A COG of `side` × `side` pixels at 10 m; every so many pieces the water is dry land, if asked for."""
    rng = np.random.default_rng(seed)
    profile = {
        "driver": "GTiff", "count": len(BANDS), "dtype": "uint16", "width": side, "height": side, "crs": "EPSG:32650",
        "transform": from_origin(600_000, 3_700_000, 10, 10), "nodata": 0, "tiled": True, "BIGTIFF": "YES",
    }  # fmt: skip
    plain = path.with_suffix(".plain.tif")
    with rasterio.open(plain, "w", **profile) as target:
        target.descriptions = BANDS
        target.update_tags(ACQUISITION_DATE=date)
        made = enumerate(pieces(side))
        for row, line in groupby(made, lambda one: one[1][0]):
            tiles = [
                _varied(_dry(real) if dry_every and k % dry_every == 0 else real, rng)
                for k, (_, _, real) in line
            ]
            strip = np.concatenate(tiles, axis=2)
            height = min(strip.shape[1], side - row)
            target.write(strip[:, :height, :side], window=Window(0, row, side, height))
    rasterio.shutil.copy(
        plain, path, driver="COG", compress="deflate", predictor=2, blocksize=512, num_threads="all_cpus"
    )
    plain.unlink()


def _dry(tile: Any) -> Any:
    """The piece with the median of its land where it shows water."""
    water = tile[1] > tile[3]
    made = tile.copy()
    made[:, water] = np.median(tile[:, ~water], axis=1)[:, None]
    return made


def _varied(tile: Any, rng: np.random.Generator) -> Any:
    noise = rng.uniform(0.95, 1.05) + rng.normal(0, 0.004, tile.shape)
    return np.clip(tile * noise, 1, 10_000).astype(np.uint16)


def decode(path: Path, workers: int) -> tuple[float, float]:
    """Seconds to read every band of every window, by the clock and of the processor."""
    with rasterio.open(path) as source:
        height, width = source.shape
    opened = threading.local()

    def read(at: tuple[int, int]) -> int:
        if not hasattr(opened, "source"):
            opened.source = rasterio.open(path)
        row, col = at
        window = Window(col, row, min(WINDOW, width - col), min(WINDOW, height - row))
        return int(opened.source.read(window=window)[0, 0, 0])

    corners = [(row, col) for row in range(0, height, WINDOW) for col in range(0, width, WINDOW)]
    started, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(read, corners))
    return time.perf_counter() - started, time.process_time() - used


def detect_here(path: Path, small: Path, workers: int, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Seconds, peak memory and counts of one detection in this process; a small scene first, to compile."""
    options = Options(kinds=kinds, workers=workers)
    find(open_scenes(small)[0], kinds, options)
    scene = open_scenes(path)[0]
    before = psutil.Process().memory_info().rss
    started, used = time.perf_counter(), time.process_time()
    found = find(scene, kinds, options)
    seconds, processor = time.perf_counter() - started, time.process_time() - used
    peak = peak_mib()
    decode_seconds, decode_processor = decode(path, workers)
    return {
        "seconds": seconds,
        "processor": processor,
        "decode_seconds": decode_seconds,
        "decode_processor": decode_processor,
        "before_mib": before / MIB,
        "peak_mib": peak,
        "objects": {group.kind: len(group.polygons) for group in found},
    }


def peak_mib() -> float:
    """Most memory that this process ever held. (`ru_maxrss` would tell the parent's, if that was more at the fork.)"""
    status = Path("/proc/self/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def measure(folder: Path, side: int, workers: int, rounds: int) -> list[Figure]:
    path, small = folder / f"scene-{side}.tif", folder / "scene-600.tif"
    for file, length in ((path, side), (small, 600)):
        if not file.is_file():
            write_scene(file, length)
    decode(path, workers)  # from here on both read the file from memory
    return [
        figure
        for kinds in (("water_body",), KINDS)
        for figure in _of(kinds, path, small, side, workers, rounds)
    ]


def _of(
    kinds: tuple[str, ...], path: Path, small: Path, side: int, workers: int, rounds: int
) -> list[Figure]:
    command = [sys.executable, "-m", "benchmarks.detection", "--child", str(path), "--small", str(small)]
    runs = [
        json.loads(
            subprocess.run(
                [*command, "--workers", str(workers), "--kinds", ",".join(kinds)],
                check=True, stdout=subprocess.PIPE, text=True,
            ).stdout
        )
        for _ in range(rounds)
    ]  # fmt: skip
    megapixels = side * side / 1e6
    # Each round's ratio is of its own minute: what else the machine does then weighs on both alike.
    ratio = statistics.median(run["decode_seconds"] / run["seconds"] for run in runs)
    decoding = megapixels / statistics.median(run["decode_seconds"] for run in runs)
    detecting = megapixels / statistics.median(run["seconds"] for run in runs)
    peak, before = max(run["peak_mib"] for run in runs), min(run["before_mib"] for run in runs)
    objects = ", ".join(f"{kind} {count:,}" for kind, count in runs[-1]["objects"].items())
    where = f"{side} × {side}, 4 bands, {workers} threads"
    name = "water to polygons" if kinds == ("water_body",) else "water and fields to polygons"
    nanoseconds = [
        statistics.median(run[which] for run in runs) * 1e3 / megapixels
        for which in ("processor", "decode_processor")
    ]
    return [
        Figure(name, detecting, "Mpx/s", "decoding", decoding, ratio, GOAL, f"{where}; {objects}"),
        Figure(
            f"{name}, processor time", nanoseconds[0], "ns/px", "decoding", nanoseconds[1],
            statistics.median(run["decode_processor"] / run["processor"] for run in runs), GOAL,
        ),
        Figure(
            f"{name}, peak memory", peak, "MiB", "before the scene is opened", before,
            note=f"the scene decoded is {megapixels * 8e6 / MIB:,.0f} MiB",
        ),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--side", type=int, default=SIDE, help=f"pixels along a side (default {SIDE})")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="threads")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, help="keep the scene here for the next time")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--small", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kinds", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        warnings.simplefilter("ignore")
        print(json.dumps(detect_here(given.child, given.small, given.workers, tuple(given.kinds.split(",")))))
        return
    with data_folder(given.data_dir) as folder:
        figures = measure(folder, given.side, given.workers, given.rounds)
    tell("detection", figures, as_json=given.as_json)


if __name__ == "__main__":
    main()
