"""Ablation: the accuracy of water, change and hide-and-recover with one piece of evidence left out at a time.

`python -m benchmarks.remote_sensing` reads the folder `imagery` below SHUITU_SHARED_DATA, or below the one given by
`--data`, and prints Markdown. The whole method stands first in each table.
"""

import argparse
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import geopandas as gpd
import numpy as np
from scipy import ndimage

from benchmarks.detection.accuracy import DATES, PRAIRIE, markdown, naip
from remote_sensing import change, evaluate, indices, position, recovery, water
from remote_sensing.scene import Scene, open_scenes

FLOOD = {
    "SWIR2 and greenness (whole)": indices.OURS["WET2-TOA"],
    "without greenness": "(G - S2) / (G + S2) - 0.3",
    "without SWIR2": indices.OURS["WET1-TOA"],
    "visible against infrared alone": "(G + R - N - S1) / (G + R + N + S1)",
    "MNDWI alone": "(G - S1) / (G + S1)",
    "limits of the surface": indices.OURS["WET2"],
}


def flood(imagery: Path) -> Iterator[dict[str, Any]]:
    scene = open_scenes(imagery / "es_segura_west/s2_l1c.tif")[0]
    for name, formula in FLOOD.items():
        with patch.dict(indices.OURS, {"TRIED": formula}), told_by(scene):
            yield row(name, evaluate.masks(scene, imagery / "es_segura_west/label_water.tif", "water_body"))


@contextmanager
def told_by(scene: Scene) -> Iterator[None]:
    """Water told by the formula on trial, all else as it is."""
    indices._letters.cache_clear()
    indices._compiled.cache_clear()
    method = water.method_for(scene)
    tried = replace(method, name="TRIED", bands=tuple({*method.bands, *indices.bands_of("TRIED")}))
    with patch.object(water, "method_for", lambda scene: tried):
        yield


def ponds(imagery: Path) -> Iterator[dict[str, Any]]:
    """Means over the five dates, and the worst of them."""
    plain = water.method_for
    trials: dict[str, Any] = {
        "whole": {},
        "without the majority of 3 × 3": {"method_for": lambda scene: replace(plain(scene), smooth=False)},
        "without green against infrared": {"GREEN_AGAINST_NIR": 0.0},
        "without local thresholds": {"threshold": lambda method, values: method.start},
    }
    for name, changes in trials.items():
        with patch.multiple(water, **changes) if changes else patch.object(water, "FLOOR", water.FLOOR):
            reports = [
                evaluate.masks(naip(imagery, d), imagery / PRAIRIE / f"label_water_{d}.tif", "water_body")
                for d in DATES
            ]
        figures = {f: float(np.mean([r[f] for r in reports])) for f in ("iou", "precision", "recall")}
        yield {"evidence": name, **figures, "worst date, iou": min(r["iou"] for r in reports)}


def new_water(imagery: Path) -> Iterator[dict[str, Any]]:
    earlier, later = naip(imagery, "2009-08-18"), naip(imagery, "2017-08-27")
    truth = imagery / PRAIRIE / "change_new_water_2009-08-18_2017-08-27.geojson"
    true = evaluate._true_change(truth, later)
    now, old = (evaluate.mask_by_us(scene, "water_body") for scene in (later, earlier))
    aligned, plain = change.align(earlier, later), change.Aligned(earlier, later.grid)
    there = change.on_grid(old, aligned)
    square = np.ones((3, 3), bool)
    trials = {
        "whole": change.gained(now, there, speck=40),
        "without the shift": change.gained(now, change.on_grid(old, plain), speck=40),
        "without the margin": ndimage.binary_opening(now & ~there, square),
        "margin of one pixel": change.gained(now, there, 1, 40),
        "specks have margins too": change.gained(now, there, 2, 0),
        "without the least width": now & ~ndimage.binary_dilation(there, square, iterations=2),
    }
    for name, mask in trials.items():
        yield row(name, evaluate.matched(mask, true, 40, later))


def hidden(imagery: Path, seeds: int) -> Iterator[dict[str, Any]]:
    read = {
        n: gpd.read_file(imagery / PRAIRIE / f"{n}.geojson")
        for n in ("register_visible", "register_hidden", "truth_bodies_2020")
    }
    trials: dict[str, dict[str, Any]] = {
        "whole": {},
        "errors are believed as stated": {"_factor": lambda points, waters, expected, pixel_m: 1.0},
        "a pond is as likely to have a second intake": {"ROUNDS": 0},
        "corners are waters of their own": {"PART": 0.0},
    }
    for noise in (15.0, 60.0):
        for name, changes in trials.items():
            with patch.multiple(position, **changes) if changes else nullcontext():
                report = recovery.recover(
                    [naip(imagery, "2020-08-31")], read["register_visible"], read["register_hidden"],
                    bodies=read["truth_bodies_2020"], seeds=seeds, noise_m=noise,
                )  # fmt: skip
            figures = {f: report[f] for f in ("precision", "recall", "ece", "ece_raw")}
            yield {"evidence": name, "noise, m": noise, **figures}


def row(name: str, report: dict[str, Any]) -> dict[str, Any]:
    return {"evidence": name, **{figure: report[figure] for figure in ("iou", "precision", "recall")}}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.remote_sensing", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SHUITU_SHARED_DATA", "data")))
    parser.add_argument("--seeds", type=int, default=50)
    given = parser.parse_args()
    imagery = given.data / "imagery"
    if not imagery.is_dir():
        parser.error(f"there is no {imagery}; name the data folder by --data or SHUITU_SHARED_DATA")
    warnings.simplefilter("ignore")
    for title, table in (
        ("Flood (Segura)", flood(imagery)),
        ("Ponds (North Dakota)", ponds(imagery)),
        ("New water", new_water(imagery)),
        ("Hide and recover", hidden(imagery, given.seeds)),
    ):
        print(f"## {title}\n\n{markdown(list(table))}\n", flush=True)


if __name__ == "__main__":
    main()
