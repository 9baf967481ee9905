"""Water over time, from scenes whose water is known; and which kind of water it is."""

import json
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin
from typer.testing import CliRunner

from app.cli import app
from remote_sensing import history, kinds
from remote_sensing.options import Options
from remote_sensing.scene import SceneError, open_scenes

SIZE, WEST, NORTH, CRS = 300, 500_000.0, 3_600_000.0, "EPSG:32650"
LAND, WATER, CLOUD = (0.08, 0.09, 0.11, 0.26), (0.05, 0.06, 0.04, 0.015), (0.5, 0.5, 0.5, 0.5)
PONDS = {
    "always": (40, 40, 30, 30),
    "summer": (40, 150, 20, 20),
    "new": (150, 40, 24, 24),
    "gone": (150, 150, 26, 26),
}
DATES = {
    "20190215": ("always", "gone"), "20190715": ("always", "gone", "summer"), "20200215": ("always", "gone"),
    "20220715": ("always", "new", "summer"), "20230215": ("always", "new"), "20230715": ("always", "new", "summer"),
}  # fmt: skip


def ground() -> np.ndarray:
    """Land with fields, the same on every date: edges that dates are brought together by."""
    rng = np.random.default_rng(8)
    fields = np.kron(rng.uniform(0.7, 1.3, (15, 15)), np.ones((20, 20)))
    return np.array(LAND)[:, None, None] * fields


def write(
    folder: Path, day: str, ponds: tuple[str, ...], *, hidden: str = "", moved: int = 0, west: float = WEST
) -> Path:
    """One date; `hidden`: a pond that a cloud covers, by the classes; `moved`: columns that the picture is off."""
    pixels = ground()
    classes = np.full((SIZE, SIZE), 4.0)
    for name in ponds:
        row, col, height, width = PONDS[name]
        pixels[:, row : row + height, col : col + width] = np.array(WATER)[:, None, None]
    if hidden:
        row, col, height, width = PONDS[hidden]
        at = (slice(row - 4, row + height + 4), slice(col - 4, col + width + 4))
        pixels[(slice(None), *at)] = np.array(CLOUD)[:, None, None]
        classes[at] = 9
    pixels = np.roll(pixels, moved, axis=2)
    path = folder / f"S2_{day}.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=SIZE, height=SIZE, count=5, dtype="uint16", crs=CRS,
        transform=from_origin(west, NORTH, 10, 10),
    ) as target:  # fmt: skip
        target.write(np.array([*(pixels * 1e4), classes]).astype(np.uint16))
        target.descriptions = ("B02", "B03", "B04", "B08", "SCL")
    return path


def at(pond: str) -> shapely.Geometry:
    row, col, height, width = PONDS[pond]
    return shapely.Point(WEST + 10 * (col + width / 2), NORTH - 10 * (row + height / 2))


@pytest.fixture
def made(tmp_path: Path) -> history.History:
    for day, ponds in DATES.items():
        write(
            tmp_path,
            day,
            ponds,
            hidden="always" if day == "20230215" else "",
            moved=6 if day == "20200215" else 0,
        )
    write(tmp_path, "20210101", ("always",), west=WEST + 90_000)
    return history.of(open_scenes(tmp_path), tmp_path / "out", since=date(2021, 6, 1))


def test_each_body_has_its_history(made: history.History) -> None:
    water = made.water.to_crs(CRS)
    states = {}
    for pond in PONDS:
        row = water[water.contains(at(pond))].iloc[0]
        states[pond] = (
            row["state"],
            row["kind"],
            row["first_seen"],
            row["last_seen"],
            round(row["frequency"], 2),
        )
    assert states == {
        "always": ("permanent", "pond", "2019-02-15", "2023-07-15", 1.0),
        "summer": ("seasonal", "pond", "2019-07-15", "2023-07-15", 0.5),
        "new": ("new", "pond", "2022-07-15", "2023-07-15", 0.5),
        "gone": ("lost", "pond", "2019-02-15", "2020-02-15", 0.5),
    }
    row = water[water.contains(at("always"))].iloc[0]
    assert row["area_m2"] == pytest.approx(90_000, rel=0.05)
    changes = made.changes.to_crs(CRS)
    assert {pond: changes[changes.contains(at(pond))]["kind"].tolist() for pond in PONDS} == {
        "always": [], "summer": [], "new": ["new_body"], "gone": ["lost_body"],
    }  # fmt: skip


def test_rasters_are_cogs_that_say_what_they_mean(made: history.History) -> None:
    row, col, *_ = PONDS["summer"]
    values = {}
    for name, file in made.rasters.items():
        with rasterio.open(file) as source:
            assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert source.descriptions[0] == history.LAYERS[name][2]
            values[name] = int(source.read(1)[row + 10, col + 10])
    days = [(date(*day) - history.EPOCH).days for day in ((2019, 7, 15), (2023, 7, 15))]
    assert values == {"frequency": 50, "looks": 6, "first": days[0], "last": days[1], "months": 1}
    row, col, *_ = PONDS["always"]
    with rasterio.open(made.rasters["looks"]) as source:
        assert source.read(1)[row + 10, col + 10] == 5


def test_what_was_off_is_brought_back_and_what_lies_elsewhere_left_out(made: history.History) -> None:
    assert made.facts["shifts"]["S2_20200215"]["pixels"] == [
        pytest.approx(0, abs=0.2),
        pytest.approx(-6, abs=0.2),
    ]
    assert [one.scene for one in made.left_out] == ["S2_20210101"]
    assert "不重叠" in made.left_out[0].problem


def test_windows_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day, ponds in DATES.items():
        write(tmp_path, day, ponds)
    scenes = open_scenes(tmp_path)
    whole = history.of(scenes, tmp_path / "a")
    monkeypatch.setattr(history, "WINDOW", 48)
    pieces = history.of(scenes, tmp_path / "b", options=Options(workers=3))
    for name in whole.rasters:
        with rasterio.open(whole.rasters[name]) as a, rasterio.open(pieces.rasters[name]) as b:
            np.testing.assert_array_equal(a.read(1), b.read(1))
    for one, other in ((whole.water, pieces.water), (whole.changes, pieces.changes)):
        assert one["kind"].tolist() == other["kind"].tolist()
        apart = shapely.symmetric_difference(
            one.to_crs(CRS).geometry.values, other.to_crs(CRS).geometry.values
        )
        assert shapely.area(apart).max() < 5


def test_no_scene_is_told(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="没有可用的影像"):
        history.of([], tmp_path)


def test_the_command_goes_on_with_what_can_be_read(tmp_path: Path) -> None:
    for day in ("20190715", "20230715"):
        write(tmp_path, day, DATES[day])
    bad = tmp_path / "bad" / "S2_20210715.tif"
    bad.parent.mkdir()
    bad.write_bytes((tmp_path / "S2_20190715.tif").read_bytes()[:5_000])
    out = tmp_path / "out"
    said = CliRunner().invoke(app, ["water", "history", str(tmp_path), str(bad), "--out", str(out)])
    assert said.exit_code == 0, said.output
    facts = json.loads((out / "history.json").read_text())
    assert facts["dates"] == ["2019-07-15", "2023-07-15"]
    assert facts["changes"] == {"new_body": 1, "lost_body": 1}
    assert str(bad) in [one["scene"] for one in facts["left_out"]]
    assert set(gpd.list_layers(out / "water.gpkg")["name"]) == {"water", "changes"}


def curve(width: float) -> shapely.Geometry:
    x = np.linspace(0, 6_000, 200)
    return shapely.LineString(np.c_[x, 500 * np.sin(x / 500)]).buffer(width / 2)


SHAPES = {
    "river": curve(90),
    "canal": shapely.LineString([(0, 0), (3_000, 400)]).buffer(15, cap_style="flat"),
    "lake": shapely.Point(0, 0).buffer(400),
    "pond": shapely.Point(0, 0).buffer(60),
    "drowned valley": shapely.union_all([shapely.Point(0, 0).buffer(500), *(shapely.LineString([(0, 0), (2_000 * np.cos(a), 2_000 * np.sin(a))]).buffer(60) for a in range(6))]),
}  # fmt: skip


def test_shape_tells_long_water_from_round_water() -> None:
    told = kinds.told(list(SHAPES.values()), CRS, 10.0)
    assert dict(zip(SHAPES, told["kind"], strict=True)) == {
        "river": "river", "canal": "canal", "lake": "lake", "pond": "pond", "drowned valley": "lake",
    }  # fmt: skip
    assert set(told["kind_by"]) == {"shape"}
    pond = told.iloc[3]
    assert (pond["area_m2"], pond["perimeter_m"]) == (
        pytest.approx(11_300, rel=0.02),
        pytest.approx(377, rel=0.03),
    )
    assert told.iloc[1]["widest_m"] == pytest.approx(30, abs=6)


def test_dams_and_lines_tell_more() -> None:
    dams = gpd.GeoDataFrame(geometry=[shapely.Point(0, 450)], crs=CRS)
    lines = gpd.GeoDataFrame(
        {"name": ["东风渠", "大河"]},
        geometry=[shapely.LineString(np.c_[np.linspace(0, 6_000, 200), 500 * np.sin(np.linspace(0, 12, 200))]), shapely.LineString([(0, 0), (3_000, 400)])],
        crs=CRS,
    )  # fmt: skip
    told = kinds.told(
        [SHAPES[n] for n in ("river", "canal", "lake")], CRS, 10.0, network=lines, dams=dams.iloc[:0]
    )
    assert list(zip(told["kind"], told["kind_by"], strict=True)) == [
        ("canal", "network"),
        ("river", "network"),
        ("lake", "shape"),
    ]
    told = kinds.told([SHAPES["lake"], SHAPES["pond"]], CRS, 10.0, dams=dams)
    assert list(zip(told["kind"], told["kind_by"], strict=True)) == [("reservoir", "dam"), ("pond", "shape")]


def test_water_across_a_picture_is_a_river_however_it_branches() -> None:
    arms = shapely.union_all([curve(90), *(shapely.LineString([(x, 0), (x + 300, 420 * (-1) ** i)]).buffer(45) for i, x in enumerate(range(300, 5_800, 450)))])  # fmt: skip
    frame = shapely.box(50, -2_000, 5_950, 2_000)
    inside = shapely.intersection(arms, frame)
    assert kinds.told([inside], CRS, 10.0, frame=frame)["kind"].tolist() == ["river"]
