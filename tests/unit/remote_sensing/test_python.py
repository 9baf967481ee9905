"""What a notebook uses: paths and arrays in, arrays and frames out, and none of the service."""

import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import xarray as xr
from rasterio.transform import from_origin

import remote_sensing as rs

NAMES = ("blue", "green", "red", "nir")
WATER, LAND = (0.05, 0.06, 0.04, 0.015), (0.08, 0.09, 0.11, 0.26)


def array(size: int = 240) -> xr.DataArray:
    """Reflectance of land with two ponds, and a corner without data."""
    rng = np.random.default_rng(3)
    values = np.array(LAND)[:, None, None] * (1 + 0.05 * rng.standard_normal((1, size, size)))
    for row, col, side in ((30, 40, 30), (150, 100, 20)):
        values[:, row : row + side, col : col + side] = np.array(WATER)[:, None, None]
    values[:, -10:, -10:] = np.nan
    return xr.DataArray(
        values.astype(np.float32),
        {"band": list(NAMES), "y": 3_600_000 - 5 - 10.0 * np.arange(size), "x": 500_005 + 10.0 * np.arange(size)},
        ("band", "y", "x"),
        attrs={"crs": "EPSG:32650", "acquired_at": "2024-05-12"},
    )  # fmt: skip


def file(tmp_path: Path, given: xr.DataArray) -> Path:
    path = tmp_path / "scene_20240512.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=4, dtype="float32", height=given.sizes["y"], width=given.sizes["x"],
        crs="EPSG:32650", transform=from_origin(500_000, 3_600_000, 10, 10), nodata=float("nan"),
    ) as target:  # fmt: skip
        target.write(given.values)
        target.descriptions = NAMES
    return path


def test_an_array_and_its_file_give_one_mask(tmp_path: Path) -> None:
    given = array()
    mask = rs.water_mask(given)
    assert mask.dims == ("y", "x")
    assert mask.dtype == np.uint8
    assert mask.attrs["crs"] == "EPSG:32650"
    np.testing.assert_allclose(mask["x"], given["x"])
    np.testing.assert_allclose(mask["y"], given["y"])
    assert int((mask == 1).sum()) == pytest.approx(30 * 30 + 20 * 20, abs=20)
    assert (mask.values[-10:, -10:] == 255).all()
    assert int((mask == 255).sum()) == 100
    for other in (file(tmp_path, given), str(file(tmp_path, given)), rs.open_scene(file(tmp_path, given))):
        np.testing.assert_array_equal(rs.water_mask(other), mask)
    np.testing.assert_array_equal(rs.water_mask(given.chunk({"band": 1, "y": 100})), mask)


def test_bodies_are_a_frame_in_the_scenes_crs(tmp_path: Path) -> None:
    bodies = rs.water_bodies(array())
    assert isinstance(bodies, gpd.GeoDataFrame)
    assert bodies.crs == "EPSG:32650"
    assert sorted(round(a, -4) for a in bodies["area_m2"]) == [40_000, 90_000]
    np.testing.assert_allclose(bodies.geometry.area, bodies["area_m2"])
    assert (bodies["nir"] < 0.05).all()
    aoi = shapely.box(*bodies.to_crs("EPSG:4490").geometry.iloc[[0]].total_bounds)
    assert len(rs.water_bodies(file(tmp_path, array()), aoi=aoi)) == 1
    assert rs.fields(array()).empty


def test_an_intake_with_nothing_but_a_place_explains_its_pond() -> None:
    pond = rs.water_bodies(array()).geometry.iloc[0]
    intakes = gpd.GeoDataFrame(geometry=[shapely.Point(pond.exterior.coords[0])], crs="EPSG:32650")
    alone = rs.candidates([array()])
    assert len(alone) == 2
    assert alone.crs == "EPSG:4490"
    assert {"category", "score", "area_m2", "reasons"} <= set(alone.columns)
    assert len(rs.candidates([array()], intakes)) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a.drop_attrs(), "CRS"),
        (lambda a: a.isel(band=0), "dims"),
        (lambda a: a.assign_coords(x=a["x"] ** 2), "evenly spaced"),
        (lambda a: a.isel(band=[0, 1]), "missing"),
    ],
)
def test_arrays_that_are_no_scene_are_told(change: object, says: str) -> None:
    with pytest.raises(rs.SceneError, match=says):
        rs.water_mask(change(array()))  # type: ignore[operator]


def test_importing_brings_neither_service_nor_database() -> None:
    """In a process of its own: and until something is asked for, next to nothing."""
    code = """
import sys, remote_sensing as rs
before = set(sys.modules)
assert not before & {"numpy", "pandas", "rasterio", "numba"}, before
rs.water_mask, rs.candidates, dir(rs)
assert not {m.split(".")[0] for m in sys.modules} & {"app", "tiles", "layers", "fastapi", "sqlalchemy", "psycopg"}
"""
    subprocess.run([sys.executable, "-c", code], check=True)
