"""Water that a field needs: reference evapotranspiration, crop coefficient, rain, efficiency."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray

from remote_sensing import demand
from remote_sensing.demand import Climate
from remote_sensing.profile import Point
from remote_sensing.scene import SceneError

DAYS = np.arange("2024-04-01", "2024-10-01", dtype="datetime64[D]")


def season(*ndvi: float) -> list[Point]:
    """Dates thirty days apart from 1 April on."""
    first = date(2024, 4, 1)
    days = [(first + timedelta(days=30 * i)).isoformat() for i in range(len(ndvi))]
    return [Point(day, "", 1.0, value, None, None, None, None) for day, value in zip(days, ndvi, strict=True)]


def dry(et0: float = 5.0, rain: float = 0.0) -> Climate:
    return Climate(DAYS, np.full(len(DAYS), et0), np.full(len(DAYS), rain), "stated")


def test_a_green_dry_season_needs_what_the_book_says() -> None:
    made = demand.need(season(0.8, 0.8, 0.8, 0.8), dry(5.0))
    assert made is not None
    # 91 days × Kc 1.2 × 5 mm, over the mean efficiency of the triangle (0.592).
    assert made.depth_mm[1] == pytest.approx(91 * 1.2 * 5 / 0.592, rel=0.05)
    assert made.depth_mm[0] < made.depth_mm[1] < made.depth_mm[2]
    assert made.volume_m3(10_000)[1] == pytest.approx(10 * made.depth_mm[1])
    assert (made.first, made.last) == (date(2024, 4, 1), date(2024, 6, 30))


def test_rain_lessens_the_need_and_enough_of_it_ends_it() -> None:
    none, some, plenty = (
        demand.need(season(0.8, 0.8, 0.8, 0.8), dry(5.0, rain)) for rain in (0.0, 3.0, 12.0)
    )
    assert none is not None and some is not None and plenty is not None
    assert none.depth_mm[1] > some.depth_mm[1] > plenty.depth_mm[1]
    assert plenty.depth_mm[1] == pytest.approx(0, abs=40)


def test_bare_months_need_nothing() -> None:
    assert demand.need(season(0.15, 0.15, 0.15), dry()).depth_mm == (0, 0, 0)  # type: ignore[union-attr]


def test_without_enough_dates_or_weather_there_is_no_need_to_tell() -> None:
    assert demand.need(season(0.8, 0.8), dry()) is None
    old = Climate(DAYS - np.timedelta64(365, "D"), np.full(len(DAYS), 5.0), np.zeros(len(DAYS)), "stated")
    assert demand.need(season(0.8, 0.8, 0.8), old) is None


def test_effective_rain_follows_the_manual() -> None:
    assert demand.effective_rain(np.array([10.0, 50.0, 100.0])).tolist() == pytest.approx([0, 20, 55])


def test_hargreaves_agrees_with_the_example_of_fao_56(tmp_path: Path) -> None:
    # FAO 56, example 20: Lyon (45.72 N), July, 14.8 and 26.6 °C: 5.0 mm a day (monthly mean, mid month).
    path = tmp_path / "lyon.csv"
    pd.DataFrame({"date": ["2015-07-15"], "tmin": [14.8], "tmax": [26.6]}).to_csv(path, index=False)
    made = demand.read(path, 4.85, 45.72)
    assert made.method == "Hargreaves"
    assert made.et0[0] == pytest.approx(5.0, abs=0.1)


def test_a_table_in_chinese_and_a_grid_in_kelvin_and_metres_say_the_same(tmp_path: Path) -> None:
    table = tmp_path / "气象.csv"
    days = pd.date_range("2024-06-01", periods=30)
    pd.DataFrame({"日期": days, "平均气温": 25.0, "降水量": 4.0}).to_csv(table, index=False)
    grid = tmp_path / "era5.nc"
    xarray.Dataset(
        {
            "t2m": (("time", "latitude", "longitude"), np.full((30, 2, 2), 298.15)),
            "tp": (("time", "latitude", "longitude"), np.full((30, 2, 2), 0.004)),
        },
        {"time": days, "latitude": [33.0, 32.75], "longitude": [119.25, 119.5]},
    ).to_netcdf(grid, engine="h5netcdf")
    a, b = demand.read(table, 119.4, 32.8), demand.read(grid, 119.4, 32.8)
    assert (a.method, len(a)) == (b.method, len(b)) == ("Oudin", 30)
    np.testing.assert_allclose(a.et0, b.et0, rtol=1e-5)
    np.testing.assert_allclose(b.rain, 4.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "x,et0\n1,5\n", "日期"),
        ("b.csv", "date,wind\n2024-01-01,5\n", "气温"),
        ("c.csv", "date,et0\nnever,5\n", "日期无法识别"),
        ("d.nc", "no grid", "无法读取"),
    ],
)
def test_what_is_missing_in_a_file_of_weather_is_told(
    name: str, text: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SceneError, match=says):
        demand.read(tmp_path / name, 119.4, 32.8)
    with pytest.raises(SceneError, match="没有气象文件"):
        demand.read(tmp_path / "none.csv", 119.4, 32.8)


def test_a_grid_that_does_not_cover_the_place_is_told(tmp_path: Path) -> None:
    path = tmp_path / "far.nc"
    xarray.Dataset(
        {"et0": (("time", "lat", "lon"), np.full((3, 2, 2), 5.0))},
        {"time": pd.date_range("2024-06-01", periods=3), "lat": [10.0, 11.0], "lon": [20.0, 21.0]},
    ).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(SceneError, match="不覆盖"):
        demand.read(path, 119.4, 32.8)
