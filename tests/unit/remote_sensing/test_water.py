"""Water in pictures of any stretch, and where most of a picture is water or none of it is."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from remote_sensing import evaluate, water
from remote_sensing.scene import open_scenes

LAND = {"red": (0.09, 0.02), "green": (0.09, 0.015), "blue": (0.08, 0.01), "nir": (0.26, 0.05)}
POND = {"red": (0.05, 0.006), "green": (0.08, 0.006), "blue": (0.07, 0.006), "nir": (0.045, 0.01)}


def picture(path: Path, share: float, low: float, high: float) -> tuple[Path, np.ndarray]:
    """An 8-bit picture of land whose western `share` is water, stretched from `low` to `high` reflectance."""
    rng = np.random.default_rng(4)
    truth = np.zeros((200, 200), bool)
    truth[:, : round(200 * share)] = True
    planes = []
    for name in ("red", "green", "blue", "nir"):
        land, pond = (rng.normal(*of[name], truth.shape) for of in (LAND, POND))
        planes.append(np.clip((np.where(truth, pond, land) - low) / (high - low) * 255, 0, 255))
    with rasterio.open(
        path, "w", driver="GTiff", width=200, height=200, count=4, dtype="uint8", crs="EPSG:32650",
        transform=from_origin(5e5, 3.6e6, 5, 5),
    ) as target:  # fmt: skip
        target.write(np.array(planes).astype(np.uint8))
    return path, truth


@pytest.mark.parametrize("share", [0.03, 0.3, 0.9])
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.5), (0.03, 0.35)])
def test_water_is_found_whatever_part_of_a_picture_it_is(
    share: float, low: float, high: float, tmp_path: Path
) -> None:
    path, truth = picture(tmp_path / "p.tif", share, low, high)
    found = evaluate.mask_by_us(open_scenes(path)[0], "water_body")
    assert (found & truth).sum() / (found | truth).sum() > 0.95


def test_dark_soil_of_a_dry_picture_is_no_water(tmp_path: Path) -> None:
    path, _ = picture(tmp_path / "p.tif", 0.0, 0.0, 0.5)
    with rasterio.open(path, "r+") as target:
        numbers = target.read()
        # As dark in the infrared as water, and as dark in green: burnt or shaded land.
        numbers[:, 50:90, 50:150] = (numbers[:, 50:90, 50:150] * 0.35).astype(np.uint8)
        target.write(numbers)
    assert evaluate.mask_by_us(open_scenes(path)[0], "water_body").mean() < 0.002


def test_bright_land_is_land_where_most_is_water() -> None:
    values = np.concatenate([np.full(9_000, 20.0), np.full(1_000, 150.0)]).astype(np.float32)
    assert water.bright_land(values) == 150
    assert water.bright_land(np.full(10, np.nan, np.float32)) == 1
