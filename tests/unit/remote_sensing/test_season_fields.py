"""Irrigated land of a season: what is green while its neighbours are dry, as fields with area and need."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from typer.testing import CliRunner

from app.screening.cli import evaluate_commands
from remote_sensing import irrigated_land
from remote_sensing.demand import Climate
from remote_sensing.options import Options
from remote_sensing.scene import Scene, SceneError, open_scenes

DRY, CROP = (900, 1100, 1600, 2200, 2600), (400, 700, 450, 4200, 1800)
SIZE = 160


def scene(folder: Path, day: str, crops: np.ndarray) -> Scene:
    """Dry land with crops where the mask says."""
    rng = np.random.default_rng(int(day[-2:]))
    pixels = np.where(crops, np.array(CROP)[:, None, None], np.array(DRY)[:, None, None])
    pixels = (pixels * rng.normal(1, 0.02, (1, SIZE, SIZE))).astype(np.uint16)
    path = folder / f"S2_{day}.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=5, dtype="uint16", width=SIZE, height=SIZE, crs="EPSG:32650",
        transform=from_origin(500_000, 3_600_000, 10, 10), nodata=0,
    ) as target:  # fmt: skip
        target.write(pixels)
        target.descriptions = ("B02", "B03", "B04", "B08", "B11")
        target.update_tags(ACQUISITION_DATE=day)
    return open_scenes(path)[0]


@pytest.fixture
def season(tmp_path: Path) -> list[Scene]:
    """A pivot in June and July, a strip in July alone, and in April nothing."""
    row, col = np.mgrid[:SIZE, :SIZE]
    pivot = np.hypot(row - 45, col - 45) < 22
    strip = (abs(row - 120) < 4) & (abs(col - 80) < 40)
    none = np.zeros((SIZE, SIZE), bool)
    days = {"2024-04-10": none, "2024-06-10": pivot, "2024-07-10": pivot | strip}
    return [scene(tmp_path, day, crops) for day, crops in days.items()]


def test_fields_of_a_season_have_form_area_and_a_volume_by_norm(season: list[Scene]) -> None:
    made = irrigated_land.irrigated(season).sort_values("area_m2", ascending=False)
    assert made["form"].tolist() == ["pivot", "strip"]
    assert made["area_m2"].iloc[0] == pytest.approx(np.pi * 220**2, rel=0.05)
    assert made["area_m2"].iloc[1] == pytest.approx(80 * 800, rel=0.25)
    assert made["watered"].tolist() == [True, True]
    assert set(made["volume_method"]) == {"norm"}
    assert (made["volume_lo_m3"] < made["volume_m3"]).all() and (
        made["volume_m3"] < made["volume_hi_m3"]
    ).all()


def test_with_the_weather_a_field_has_the_volume_of_its_season(season: list[Scene]) -> None:
    days = np.arange("2024-04-01", "2024-08-01", dtype="datetime64[D]")
    climate = Climate(days, np.full(len(days), 6.0), np.zeros(len(days)), "stated")
    made = irrigated_land.irrigated(season, Options(climate=climate)).sort_values("area_m2", ascending=False)
    assert set(made["volume_method"]) == {"evapotranspiration"}
    # The pivot grew two months longer than the strip.
    depth = (made["volume_m3"] / made["area_m2"]).tolist()
    assert depth[0] > 1.5 * depth[1] > 0


def test_a_season_of_dates_is_judged_against_a_label_by_command(tmp_path: Path) -> None:
    row, col = np.mgrid[:SIZE, :SIZE]
    pivot, wood = np.hypot(row - 45, col - 45) < 22, (abs(row - 120) < 12) & (abs(col - 110) < 12)
    days = {"2024-04-10": wood, "2024-06-10": wood | pivot, "2024-07-10": wood | pivot, "2024-10-10": wood}
    scenes = [scene(tmp_path, day, green).path for day, green in days.items()]
    label = tmp_path / "label.tif"
    with rasterio.open(scenes[0]) as source:
        profile = source.profile | {"count": 1, "dtype": "uint8", "nodata": None}
    with rasterio.open(label, "w", **profile) as target:
        target.write(pivot.astype(np.uint8), 1)
    out = tmp_path / "out.json"
    reports = []
    for dates in (scenes[2:3], scenes):
        said = CliRunner().invoke(evaluate_commands(), ["fields", *map(str, dates), str(label), "--json", str(out)])  # fmt: skip
        assert said.exit_code == 0, said.output
        reports.append(json.loads(out.read_text()))
    one, season = reports
    # A wood stands out on a dry day; over the year it is seen never to change.
    assert one["precision"] < 0.8 < 0.95 < season["precision"]
    assert season["recall"] > 0.9
    assert season["dates"] == list(days) and "dates" not in one
    assert season["peers"]["NDVI > 0.6, any date"]["precision"] < season["precision"]


def test_without_a_scene_it_says_so() -> None:
    with pytest.raises(SceneError, match="没有影像"):
        irrigated_land.irrigated([])
