"""Accuracy on labelled scenes, with the usual peers in the same run: the tables of docs/accuracy.md.

`python -m benchmarks.detection.accuracy` reads the folder `imagery` below SHUITU_SHARED_DATA, or
below the one given by `--data`, and prints Markdown.
"""

import argparse
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd

from remote_sensing import evaluate
from remote_sensing.scene import Scene, open_scenes

PRAIRIE = "us_nd_potholes_west"
DATES = ("2009-08-18", "2012-07-31", "2015-09-26", "2017-08-27", "2020-08-31")
WATER = (
    ("es_segura_west/s2_l1c.tif", "es_segura_west/label_water.tif", 1, (255, -1)),
    ("demo_spyndex_s2/s2_10m.tif", "demo_spyndex_s2/label.tif", 1, (255,)),
    *((f"{PRAIRIE}/naip_{d}.tif", f"{PRAIRIE}/label_water_{d}.tif", 1, (255,)) for d in DATES),
    ("it_bolzano/s2_l2a.tif", "it_bolzano/label_scl.tif", 6, (0,)),
)
FIELDS = (("demo_spyndex_s2/s2_10m.tif", "demo_spyndex_s2/label.tif", 2, (255,)),)


def masks(imagery: Path, cases: Sequence[Any], kind: str) -> list[dict[str, Any]]:
    rows = []
    for file, label, value, left_out in cases:
        scene = open_scenes(imagery / file)[0]
        truth = evaluate.read_label(imagery / label, scene)
        for row in evaluate.mask_agreement(scene, truth, kind, value, left_out):
            rows.append({**row, "scene": f"{Path(file).parent} {scene.item_id}"})
    return rows


def naip(imagery: Path, date: str) -> Scene:
    return open_scenes(imagery / PRAIRIE / f"naip_{date}.tif")[0]


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Rows of the same columns as a table."""
    names = [name for name in rows[0] if name != "kind"]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows:
        cells = (f"{row[n]:.3f}" if isinstance(row[n], float) else str(row[n]) for n in names)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.accuracy", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SHUITU_SHARED_DATA", "data")))
    imagery = parser.parse_args().data / "imagery"
    if not imagery.is_dir():
        parser.error(f"there is no {imagery}; name the data folder by --data or SHUITU_SHARED_DATA")
    warnings.simplefilter("ignore")
    register, bodies, changes = (
        gpd.read_file(imagery / PRAIRIE / name)
        for name in (
            "register_visible.geojson",
            "truth_bodies_2020.geojson",
            "change_new_water_2009-08-18_2017-08-27.geojson",
        )
    )
    with tempfile.TemporaryDirectory() as out:
        tables = {
            "Water": masks(imagery, WATER, "water_body"),
            "Fields": masks(imagery, FIELDS, "irrigated_land"),
            "Hide and recover": evaluate.recover(naip(imagery, "2020-08-31"), register, bodies, Path(out)),
            "Change": evaluate.change_between(
                naip(imagery, "2009-08-18"), naip(imagery, "2017-08-27"), changes
            ),
        }
    for title, rows in tables.items():
        print(f"## {title}\n\n{markdown(rows)}\n")


if __name__ == "__main__":
    main()
