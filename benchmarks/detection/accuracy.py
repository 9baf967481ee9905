"""Accuracy on labelled scenes, with the usual peers in the same run: the tables of docs/accuracy.md.

`python -m benchmarks.detection.accuracy` reads the folder `imagery` below SHUITU_SHARED_DATA, or
below the one given by `--data`, and prints Markdown; `--only water,change` prints some tables.
"""

import argparse
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd

from benchmarks.detection import clothes, grounds, sensors, shadows
from remote_sensing import evaluate, kinds, labels, recovery, scoring
from remote_sensing.scene import Scene, SceneError, open_scenes

PRAIRIE = "us_nd_potholes_west"
DATES = ("2009-08-18", "2012-07-31", "2015-09-26", "2017-08-27", "2020-08-31")
WATER = (
    ("es_segura_west/s2_l1c.tif", "es_segura_west/label_water.tif"),
    ("demo_spyndex_s2/s2_10m.tif", "demo_spyndex_s2/label.tif"),
    *((f"{PRAIRIE}/naip_{d}.tif", f"{PRAIRIE}/label_water_{d}.tif") for d in DATES),
    ("it_bolzano/s2_l2a.tif", "it_bolzano/label_scl.tif"),
    ("us_nc_wake/landsat7_2000-03-31.tif", "us_nc_wake/label_polygons.geojson"),
)
FIELDS = tuple(
    ("demo_spyndex_s2/s2_10m.tif", f"demo_spyndex_s2/{n}") for n in ("label.tif", "objects.geojson")
)
SKIES = (
    ("demo_spyndex_s2/s2_10m.tif", "surface"),
    ("demo_spyndex_s2/s2_10m.tif", "haze"),
    ("it_bolzano/s2_l2a.tif", "surface"),
    ("it_bolzano/s2_l2a.tif", "haze"),
    ("es_segura_west/s2_l1c.tif", "top"),
)
RIVERS, LAKES = 21012, 23010
"""Codes of rivers and of lakes and reservoirs in the map of China's waters at 1:4,000,000."""
FIGURES = ("iou", "f1", "precision", "recall")


def rows(name: str, report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A report as rows of a table: ours, then the peers."""
    low, high = report["ci"].get("iou") or report["ci"]["recall"]
    yield {
        "scene": name,
        "method": "shuitu",
        **{f: report[f] for f in FIGURES},
        "95 %": f"{low:.2f}–{high:.2f}",
    }
    for peer, figures in report["peers"].items():
        yield {"scene": name, "method": peer, **{f: figures[f] for f in FIGURES}, "95 %": ""}


def masks(imagery: Path, cases: Sequence[tuple[str, str]], kind: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for file, label in cases:
        report = evaluate.masks(open_scenes(imagery / file)[0], imagery / label, kind)
        made += rows(f"{Path(file).parent} {report['scene']} · {Path(label).name}", report)
    return made


def naip(imagery: Path, date: str) -> Scene:
    return open_scenes(imagery / PRAIRIE / f"naip_{date}.tif")[0]


def markdown(table: Sequence[dict[str, Any]]) -> str:
    """Rows of the same columns as a table."""
    lines = ["| " + " | ".join(table[0]) + " |", "|" + "---|" * len(table[0])]
    for row in table:
        cells = (f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values())
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def hidden(imagery: Path) -> list[dict[str, Any]]:
    """Hide and recover under three kinds of noise, with the drawn bodies and without."""
    visible, taken, bodies = (
        gpd.read_file(imagery / PRAIRIE / f"{name}.geojson")
        for name in ("register_visible", "register_hidden", "truth_bodies_2020")
    )
    made = []
    for drawn, noise in ((b, n) for b in (bodies, None) for n in (15.0, 30.0, 60.0)):
        report = recovery.recover([naip(imagery, "2020-08-31")], visible, taken, bodies=drawn, noise_m=noise)
        made.append(
            {
                "truth": report["truth"],
                "noise, m": noise,
                "precision": report["precision"],
                "recall": report["recall"],
                "ece": report["ece"],
                "ece, not calibrated": report["ece_raw"],
                "as given": f"{report['given']['precision']:.2f} / {report['given']['recall']:.2f}",
                "100 m": " / ".join(f"{report['peers']['100 m'][f]:.2f}" for f in ("precision", "recall")),
            }
        )
    return made


def other_grounds(imagery: Path, seeds: int = 20) -> list[dict[str, Any]]:
    """Hide and recover on every other labelled scene, with registers made from its label (`grounds`)."""
    made = []
    for file, label in WATER:
        scene = open_scenes(imagery / file)[0]
        try:
            ground = grounds.make(labels.read(imagery / label, scene, "water_body").truth, scene, 7)
        except ValueError:
            continue
        for drawn, noise in ((ground.bodies, 15.0), (ground.bodies, 60.0), (None, 15.0)):
            report = recovery.recover([scene], ground.visible, ground.hidden, bodies=drawn, seeds=seeds, noise_m=noise)  # fmt: skip
            figures = {f: report[f] for f in ("precision", "recall", "ece", "ece_raw")}
            peer = " / ".join(f"{report['peers']['100 m'][f]:.2f}" for f in ("precision", "recall"))
            made.append({"scene": report["scene"], "bodies": len(ground.bodies), "truth": report["truth"], "noise, m": noise, **figures, "100 m": peer})  # fmt: skip
    return made


def other_sensors(imagery: Path) -> list[dict[str, Any]]:
    """The same place and label as other sensors would show them."""
    made = []
    for file, label in WATER[:2]:
        with tempfile.TemporaryDirectory() as folder:
            for name, path in sensors.variants(open_scenes(imagery / file)[0], Path(folder)).items():
                report = evaluate.masks(open_scenes(path)[0], imagery / label, "water_body")
                best = max(peer["iou"] for peer in report["peers"].values())
                figures = {f: report[f] for f in FIGURES}
                made.append({"scene": str(Path(file).parent), "as": name, **figures, "best peer": best})
    return made


DRESSED = (0, 1, 3, 5)
"""Of WATER: a flood in thirteen bands, a dry scene in four, pictures of 8 bits of a wet and of a dry year."""
CHIPS = (256, 128, 64)


def dressed(imagery: Path) -> list[dict[str, Any]]:
    """Each scene, and its label, in the clothes of users' files (`clothes`), and cut into chips that are judged together."""
    made = []
    for file, label in (WATER[i] for i in DRESSED):
        with tempfile.TemporaryDirectory() as folder:
            w = clothes.Wardrobe(imagery / file, imagery / label, Path(folder))
            cases = [(f"scene: {name}", write) for name, write in clothes.scenes(w)]
            cases += [
                (f"label: {n}", lambda put=put, file=file: (imagery / file, put()))
                for n, put in clothes.labels(w)
            ]
            for name, write in cases:
                made.append({"scene": Path(file).stem, "as": name, "iou": _iou(*write())})
            for side in CHIPS:
                parts = [_counts(*chip) for chip in clothes.chips(w, side)]
                whole = scoring.Counts(
                    *(sum(getattr(p, n) for p in parts) for n in ("right", "false", "missed"))
                )
                made.append({"scene": Path(file).stem, "as": f"{len(parts)} chips of {side}", "iou": whole.figures()["iou"]})  # fmt: skip
    return made


def _iou(scene: Path, label: Path) -> float | str:
    try:
        return float(evaluate.masks(open_scenes(scene)[0], label, "water_body")["iou"])
    except SceneError as error:
        return f"refused: {error}"


def _counts(scene: Path, label: Path) -> scoring.Counts:
    opened = open_scenes(scene)[0]
    truth = labels.read(label, opened, "water_body")
    return scoring.counts(evaluate.mask_by_us(opened, "water_body"), truth.truth, truth.judged)


def skies(imagery: Path) -> list[dict[str, Any]]:
    """Clouds and shadows painted on cloudless scenes, in %."""
    made = []
    for file, level in SKIES:
        with tempfile.TemporaryDirectory() as folder:
            found = shadows.measured(open_scenes(imagery / file)[0], Path(folder), level)
        made.append(
            {"scene": str(Path(file).parent), "level": level} | {k: 100 * v for k, v in found.items()}
        )
    return made


def cloudy(imagery: Path) -> list[dict[str, Any]]:
    """What a large cloud leaves in view, judged alone: a cloud must not turn what lies beside it into its shadow."""
    made = []
    for file, label in (*WATER[:2], WATER[7]):
        scene = open_scenes(imagery / file)[0]
        truth = labels.read(imagery / label, scene, "water_body")
        with tempfile.TemporaryDirectory() as folder:
            found = shadows.beside(scene, truth, Path(folder))
        made.append({"scene": str(Path(file).parent), **found})
    return made


def waters(boundaries: Path) -> list[dict[str, Any]]:
    """Rivers and lakes of China's map told apart by shape alone."""
    drawn = gpd.read_file(boundaries / "cn_hydro_4m_ngcc.gpkg", layer="water_polygons").to_crs("+proj=aea +lat_1=25 +lat_2=47 +lon_0=105")  # fmt: skip
    drawn = drawn[drawn.GBCODE.isin((RIVERS, LAKES)) & (drawn.area > 3e6)]
    found = kinds.told(drawn.geometry.to_numpy(), drawn.crs, 300.0)["kind"].to_numpy() == "river"
    river = (drawn.GBCODE == RIVERS).to_numpy()
    right = int((found & river).sum())
    return [{"waters": len(river), "rivers": int(river.sum()), "taken for rivers": int(found.sum()), "right": right, "accuracy": float((found == river).mean())}]  # fmt: skip


def changes(imagery: Path) -> list[dict[str, Any]]:
    """New water between two dates."""
    truth = imagery / PRAIRIE / "change_new_water_2009-08-18_2017-08-27.geojson"
    changed = evaluate.change_between(naip(imagery, "2009-08-18"), naip(imagery, "2017-08-27"), truth)
    return list(rows(changed["scene"], changed))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.accuracy", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SHUITU_SHARED_DATA", "data")))
    parser.add_argument("--only", default="", help="names of tables, comma between")
    given = parser.parse_args()
    imagery = given.data / "imagery"
    if not imagery.is_dir():
        parser.error(f"there is no {imagery}; name the data folder by --data or SHUITU_SHARED_DATA")
    warnings.simplefilter("ignore")
    tables: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "water": lambda: masks(imagery, WATER, "water_body"),
        "sensors": lambda: other_sensors(imagery),
        "clothes": lambda: dressed(imagery),
        "shadow": lambda: skies(imagery),
        "cloud": lambda: cloudy(imagery),
        "kinds": lambda: waters(given.data / "boundaries"),
        "fields": lambda: masks(imagery, FIELDS, "irrigated_land"),
        "change": lambda: changes(imagery),
        "recover": lambda: hidden(imagery),
        "grounds": lambda: other_grounds(imagery),
    }
    wanted = [name for name in given.only.split(",") if name] or list(tables)
    if unknown := set(wanted) - set(tables):
        parser.error(f"there is no table {', '.join(sorted(unknown))}; there are {', '.join(tables)}")
    for name in wanted:
        print(f"## {name}\n\n{markdown(tables[name]())}\n", flush=True)


if __name__ == "__main__":
    main()
