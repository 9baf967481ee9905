"""Accuracy on labelled scenes, held a little below what was measured (docs/accuracy.md)."""

import itertools
from pathlib import Path

import cc3d
import geopandas as gpd
import numpy as np
import pytest
import rasterio
from scipy import ndimage

from remote_sensing import change, compare, evaluate, recovery
from remote_sensing.pipeline import detect
from remote_sensing.scene import open_scenes

pytestmark = pytest.mark.realdata
POTHOLES = "us_nd_potholes_west"
DAYS = ("2009-08-18", "2012-07-31", "2015-09-26", "2017-08-27", "2020-08-31")


@pytest.mark.parametrize(
    ("scene", "label", "least"),
    [
        ("es_segura_west/s2_l1c.tif", "es_segura_west/label_water.tif", 0.80),
        ("demo_spyndex_s2/s2_10m.tif", "demo_spyndex_s2/label.tif", 0.85),
        *((f"{POTHOLES}/naip_{d}.tif", f"{POTHOLES}/label_water_{d}.tif", 0.945) for d in DAYS),
    ],
)
def test_water(scene: str, label: str, least: float, shared_data: Path) -> None:
    opened = open_scenes(shared_data / "imagery" / scene)[0]
    report = evaluate.masks(opened, shared_data / "imagery" / label, "water_body")
    assert report["iou"] >= least
    assert report["iou"] > max(peer["iou"] for peer in report["peers"].values())
    low, high = report["ci"]["iou"]
    assert low < report["iou"] < high


def test_fields(shared_data: Path) -> None:
    folder = shared_data / "imagery" / "demo_spyndex_s2"
    scene = open_scenes(folder / "s2_10m.tif")[0]
    # The polygons judge woods too; the label leaves "other green" out, and its own words say which class is meant.
    drawn = evaluate.masks(scene, folder / "objects.geojson", "irrigated_land")
    assert drawn["f1"] >= 0.80
    assert drawn["precision"] >= 0.82
    assert max(peer["iou"] for peer in drawn["peers"].values()) < 0.1
    raster = evaluate.masks(scene, folder / "label.tif", "irrigated_land")
    assert (raster["label"]["value"], raster["f1"] >= 0.85) == (2.0, True)


def test_hidden_intakes_are_recovered(shared_data: Path) -> None:
    folder = shared_data / "imagery" / POTHOLES
    visible, hidden, bodies = (
        gpd.read_file(folder / f"{n}.geojson")
        for n in ("register_visible", "register_hidden", "truth_bodies_2020")
    )
    scene = open_scenes(folder / "naip_2020-08-31.tif")
    report = recovery.recover(scene, visible, hidden, bodies=bodies, seeds=12)
    assert report["given"]["recall"] == report["given"]["precision"] == 1
    assert min(report["precision"], report["recall"]) >= 0.90
    assert report["ece"] < 0.1 < report["ece_raw"]
    assert report["peers"]["100 m"]["precision"] < 0.3


def test_new_bodies_are_found(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "imagery" / POTHOLES
    scenes = [open_scenes(folder / f"naip_{day}.tif")[0] for day in ("2009-08-18", "2017-08-27")]
    found = detect(scenes, compare.empty_register(), out=tmp_path)
    assert sum(c.category == "new_since_last_date" for c in found.candidates) >= 3


def test_new_water_is_found_in_every_pair_of_dates(shared_data: Path) -> None:
    """The truth of each pair is made from its labels by the rule that the drawn one (2009 to 2017) follows."""
    folder = shared_data / "imagery" / POTHOLES
    scenes = {day: open_scenes(folder / f"naip_{day}.tif")[0] for day in DAYS}
    masks = {day: evaluate.mask_by_us(scenes[day], "water_body") for day in DAYS}
    labels = {}
    for day in DAYS:
        with rasterio.open(folder / f"label_water_{day}.tif") as source:
            labels[day] = source.read(1) == 1
    square, right, findings, found, changes = np.ones((3, 3), bool), 0, 0, 0, 0
    for early, late in itertools.combinations(DAYS, 2):
        true = ndimage.binary_opening(
            labels[late] & ~ndimage.binary_dilation(labels[early], square, iterations=2), square
        )
        objects = cc3d.connected_components(true.astype(np.uint8), connectivity=8)
        true &= np.bincount(objects.ravel())[objects] >= 40
        before = change.on_grid(masks[early], change.align(scenes[early], scenes[late]))
        made = evaluate.matched(change.gained(masks[late], before, speck=40), true, 40, scenes[late])
        right, findings = right + made["right"], findings + made["findings"]
        found, changes = found + made["found"], changes + made["changes"]
    assert right / findings >= 0.85
    assert found / changes >= 0.90


def test_change_is_found(shared_data: Path) -> None:
    folder = shared_data / "imagery" / POTHOLES
    earlier, later = (open_scenes(folder / f"naip_{day}.tif")[0] for day in ("2009-08-18", "2017-08-27"))
    report = evaluate.change_between(
        earlier, later, folder / "change_new_water_2009-08-18_2017-08-27.geojson"
    )
    assert min(report["precision"], report["recall"]) >= 0.90
    assert report["changes"] == 46
    assert max(peer["precision"] for peer in report["peers"].values()) < 0.4


@pytest.mark.parametrize("place", ["us_nc_wake", "it_bolzano", "pe_pucallpa", "be_flanders_monthly"])
def test_every_scene_runs(place: str, shared_data: Path, tmp_path: Path) -> None:
    found = detect(open_scenes(shared_data / "imagery" / place), compare.empty_register(), out=tmp_path)
    assert (tmp_path / "report.html").is_file()
    assert found.facts["pixels"] > 0
