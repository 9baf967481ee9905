"""Accuracy on labelled scenes, held a little below what was measured (docs/accuracy.md)."""

from pathlib import Path

import geopandas as gpd
import pytest

from remote_sensing import compare, evaluate
from remote_sensing.pipeline import detect
from remote_sensing.scene import open_scenes

pytestmark = pytest.mark.realdata
POTHOLES = "us_nd_potholes_west"


@pytest.mark.parametrize(
    ("scene", "label", "least"),
    [
        ("es_segura_west/s2_l1c.tif", "es_segura_west/label_water.tif", 0.71),
        ("demo_spyndex_s2/s2_10m.tif", "demo_spyndex_s2/label.tif", 0.84),
        *(
            (f"{POTHOLES}/naip_{day}.tif", f"{POTHOLES}/label_water_{day}.tif", 0.90)
            for day in ("2009-08-18", "2012-07-31", "2015-09-26", "2017-08-27", "2020-08-31")
        ),
    ],
)
def test_water(scene: str, label: str, least: float, shared_data: Path) -> None:
    opened = open_scenes(shared_data / "imagery" / scene)[0]
    truth = evaluate.read_label(shared_data / "imagery" / label, opened)
    iou = {row["method"]: row["iou"] for row in evaluate.mask_agreement(opened, truth, "water_body", 1)}
    assert iou["shuitu"] >= least
    assert iou["shuitu"] > max(v for k, v in iou.items() if k != "shuitu")


def test_fields(shared_data: Path) -> None:
    folder = shared_data / "imagery" / "demo_spyndex_s2"
    scene = open_scenes(folder / "s2_10m.tif")[0]
    truth = evaluate.read_label(folder / "label.tif", scene)
    ours, *peers = evaluate.mask_agreement(scene, truth, "irrigated_land", 2)
    assert ours["iou"] >= 0.69
    assert ours["precision"] >= 0.82
    assert max(peer["iou"] for peer in peers) < 0.1


def test_hidden_intakes_are_recovered(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "imagery" / POTHOLES
    visible, bodies = (
        gpd.read_file(folder / f"{n}.geojson") for n in ("register_visible", "truth_bodies_2020")
    )
    ours, peer = evaluate.recover(open_scenes(folder / "naip_2020-08-31.tif")[0], visible, bodies, tmp_path)
    assert ours["recall_hidden"] == 1
    assert ours["never_found"] >= 7
    assert ours["precision"] >= 0.8 > peer["precision"]


def test_new_bodies_are_found(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "imagery" / POTHOLES
    scenes = [open_scenes(folder / f"naip_{day}.tif")[0] for day in ("2009-08-18", "2017-08-27")]
    found = detect(scenes, compare.empty_register(), out=tmp_path)
    truth = gpd.read_file(folder / "change_new_water_2009-08-18_2017-08-27.geojson")
    result = evaluate.change_agreement(found.candidates, truth, scenes[1].grid.crs)
    assert result["recall"] >= 0.75
    assert result["precision"] >= 0.75


def test_change_is_found(shared_data: Path) -> None:
    folder = shared_data / "imagery" / POTHOLES
    earlier, later = (open_scenes(folder / f"naip_{day}.tif")[0] for day in ("2009-08-18", "2017-08-27"))
    truth = gpd.read_file(folder / "change_new_water_2009-08-18_2017-08-27.geojson")
    ours, peer = evaluate.change_between(earlier, later, truth)
    assert ours["recall"] >= 0.74
    assert ours["precision"] >= 0.7 > peer["precision"]


@pytest.mark.parametrize("place", ["us_nc_wake", "it_bolzano", "pe_pucallpa", "be_flanders_monthly"])
def test_every_scene_runs(place: str, shared_data: Path, tmp_path: Path) -> None:
    found = detect(open_scenes(shared_data / "imagery" / place), compare.empty_register(), out=tmp_path)
    assert (tmp_path / "report.html").is_file()
    assert found.facts["pixels"] > 0
