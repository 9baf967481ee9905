"""The profile of an object: its indices on every date that shows it, beside its surroundings."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import Affine, from_origin

from remote_sensing import around, compare, profile
from remote_sensing.options import Options
from remote_sensing.pipeline import detect
from remote_sensing.scene import Grid, Scene, open_scenes

WEST, NORTH = 500_000.0, 3_600_000.0
BARE, CROP, POND = (900, 1100, 1600, 2200, 2600), (500, 800, 500, 4000, 1800), (500, 600, 400, 150, 100)
FIELD = shapely.box(WEST + 200, NORTH - 500, WEST + 500, NORTH - 200)


def scene(folder: Path, day: str, field: tuple[int, ...], bands: int = 5, hidden: bool = False) -> Scene:
    """100 × 100 pixels of bare land with one field of 30 × 30."""
    pixels = np.repeat(np.repeat(np.array(BARE, np.uint16)[:bands, None, None], 100, 1), 100, 2)
    pixels[:, 70:80, 60:90] += 300  # a road, or there is nothing to align two dates by
    pixels[:, 20:50, 20:50] = np.array(field[:bands], np.uint16)[:, None, None]
    if hidden:
        pixels[:, 20:45, 20:50] = 0
    path = folder / f"S2_{day}_{bands}.tif"
    names = ("B02", "B03", "B04", "B08", "B11")[:bands]
    with rasterio.open(
        path, "w", driver="GTiff", count=bands, dtype="uint16", width=100, height=100, crs="EPSG:32650",
        transform=from_origin(WEST, NORTH, 10, 10), nodata=0,
    ) as target:  # fmt: skip
        target.write(pixels)
        target.descriptions = names
        target.update_tags(ACQUISITION_DATE=day)
    return open_scenes(path)[0]


def test_each_date_has_the_indices_of_the_object_and_of_what_lies_around(tmp_path: Path) -> None:
    dates = [scene(tmp_path, "2024-07-01", CROP), scene(tmp_path, "2024-04-01", BARE)]
    (points,) = profile.of_shapes(dates, "EPSG:32650", [FIELD])
    assert [p.date for p in points] == ["2024-04-01", "2024-07-01"]
    april, july = points
    assert april.ndvi == april.around_ndvi == pytest.approx((2200 - 1600) / 3800, abs=1e-3)
    assert july.ndvi == pytest.approx((4000 - 500) / 4500, abs=1e-3)
    assert july.ndmi == pytest.approx((4000 - 1800) / 5800, abs=1e-3)
    assert july.around_ndmi == pytest.approx((2200 - 2600) / 4800, abs=1e-3)
    assert july.ndwi == pytest.approx((800 - 4000) / 4800, abs=1e-3)


def test_without_a_band_its_index_is_not_told(tmp_path: Path) -> None:
    (points,) = profile.of_shapes([scene(tmp_path, "2024-07-01", CROP, bands=4)], "EPSG:32650", [FIELD])
    assert (points[0].ndmi, points[0].around_ndmi) == (None, None)
    assert points[0].ndvi is not None


def test_a_date_that_hides_the_object_is_left_out(tmp_path: Path) -> None:
    dates = [scene(tmp_path, "2024-07-01", CROP, hidden=True)]
    assert profile.of_shapes(dates, "EPSG:32650", [FIELD]) == [()]
    elsewhere = shapely.box(0, 0, 100, 100)
    assert profile.of_shapes(dates, "EPSG:32650", [elsewhere]) == [()]


def test_a_shape_in_degrees_finds_its_pixels(tmp_path: Path) -> None:
    made = scene(tmp_path, "2024-07-01", CROP)
    stored = gpd.GeoSeries([FIELD], crs="EPSG:32650").to_crs("EPSG:4326")
    (points,) = profile.of_shapes([made], stored.crs, list(stored))
    assert points[0].ndvi == pytest.approx((4000 - 500) / 4500, abs=0.01)


def test_what_is_narrower_than_a_pixel_has_the_pixel_it_lies_in(tmp_path: Path) -> None:
    ditch = shapely.box(WEST + 303, NORTH - 500, WEST + 304, NORTH - 200)
    (points,) = profile.of_shapes([scene(tmp_path, "2024-07-01", CROP)], "EPSG:32650", [ditch])
    assert points[0].ndvi == pytest.approx((4000 - 500) / 4500, abs=1e-3)


def test_a_run_gives_each_candidate_its_profile(tmp_path: Path) -> None:
    dates = [scene(tmp_path, "2024-07-01", POND), scene(tmp_path, "2024-04-01", BARE)]
    found = detect(
        dates, compare.empty_register(), out=tmp_path, options=Options(kinds=("water_body",))
    ).candidates
    assert [len(c.profile) for c in found] == [2]
    before, after = found[0].profile
    assert before.ndwi is not None and after.ndwi is not None
    assert before.ndwi < 0 < after.ndwi
    assert found[0].raw_score == found[0].score
    assert found[0].volume_method == "depth"


@pytest.mark.parametrize("turn", [0.0, 20.0])
def test_pixels_in_and_around_a_shape_are_those_that_geometry_tells(turn: float) -> None:
    t = from_origin(WEST, NORTH, 10, 10) * Affine.rotation(turn)
    grid = Grid(rasterio.CRS.from_epsg(32650), t, 80, 70)
    pond = shapely.box(20, 20, 35, 45).difference(shapely.box(25, 25, 30, 33))
    parts = shapely.MultiPolygon([pond, shapely.box(35, 45, 50, 52)])
    shape = shapely.transform(parts, lambda at: np.array([t * tuple(point) for point in at]))
    corner, size = (5, 8), (60, 55)
    inside, away = around.pixels(shape, grid, corner, size, 12.0)
    cols, rows = np.meshgrid(np.arange(55) + 8.5, np.arange(60) + 5.5)
    middles = shapely.points(cols, rows)
    assert (inside == shapely.contains(parts, middles)).all()
    true = shapely.distance(parts.boundary, middles)
    near = true < 11.99
    np.testing.assert_allclose(away[near], true[near], atol=1e-3)
    assert np.isinf(away[true > 12.01]).all()
