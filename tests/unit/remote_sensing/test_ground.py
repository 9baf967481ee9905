"""Reachability: rivers part, canals carry on, districts serve; purpose and permits left for an object."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from remote_sensing import compare, evidence, ground, judge, recovery
from remote_sensing.network import Network
from remote_sensing.options import Ground, Options, Reach
from remote_sensing.scene import SceneError

CRS = "EPSG:32650"
X, Y = 500_000.0, 3_600_000.0
FIELD = shapely.box(X, Y, X + 200, Y + 200)


def register(*points: tuple[float, float], **columns: Any) -> gpd.GeoDataFrame:
    """Intakes at metres from the corner of FIELD."""
    shapes = [shapely.Point(X + x, Y + y) for x, y in points]
    made = recovery.register_of(gpd.GeoDataFrame(geometry=shapes, crs=CRS), error_m=10.0).to_crs(CRS)
    for name, values in columns.items():
        made[name] = values
    return made


def lines(*given: tuple[list[tuple[float, float]], str], **columns: Any) -> gpd.GeoDataFrame:
    shapes = [shapely.LineString([(X + x, Y + y) for x, y in points]) for points, _ in given]
    return gpd.GeoDataFrame({"kind": [kind for _, kind in given], **columns}, geometry=shapes, crs=CRS)


def served(
    intakes: gpd.GeoDataFrame, known: Ground | None = None, shape: shapely.Geometry = FIELD, kind: str = "irrigated_land"
) -> compare.Served:  # fmt: skip
    return compare.against(gpd.GeoSeries([shape], crs=CRS), [kind], intakes, 10.0, Reach(), known)[0]


def why(one: compare.Served) -> list[str]:
    return [refused["why"] for refused in one.refused]


RIVER = ([(400, -5_000), (400, 5_000)], "river")


def test_a_river_between_intake_and_field_parts_them() -> None:
    intakes = register((600, 100))
    assert served(intakes).serving == (0,)
    parted = served(intakes, Ground(lines(RIVER)))
    assert (parted.serving, why(parted)) == ((), ["other_bank"])
    assert served(register((300, 100)), Ground(lines(RIVER))).serving == (0,)


def test_an_intake_on_the_river_may_stand_on_either_bank() -> None:
    assert served(register((405, 100)), Ground(lines(RIVER))).serving == (0,)


def test_a_canal_parts_nothing_and_carries_water_down_to_a_field_far_away() -> None:
    canal = ([(-6_000, 100), (-3_000, 50), (-100, 100)], "canal")
    known = Ground(lines(canal), drawn_downstream=True)
    head, below = register((-6_000, 120)), register((-100, -5_000))
    at_head = served(head, known)
    assert (at_head.serving, at_head.by) == ((0,), "canal")
    assert served(head).serving == ()
    assert served(below, known).serving == ()


def test_water_does_not_flow_up_a_canal_unless_nobody_says_how_it_runs() -> None:
    canal = ([(-100, 100), (-6_000, 100)], "灌溉渠道")
    intakes = register((-6_000, 120))
    assert served(intakes, Ground(lines(canal), drawn_downstream=True)).serving == ()
    assert served(intakes, Ground(lines(canal))).serving == (0,)
    told = lines(canal, flow=["-1"])
    assert served(intakes, Ground(told, drawn_downstream=True)).serving == (0,)


def test_a_branch_is_reached_through_its_junction_and_not_a_canal_that_merely_crosses() -> None:
    main, branch = (
        ([(-6_000, 1_000), (3_000, 1_000)], "canal"),
        ([(-2_000, 1_010), (-2_000, 150), (-50, 100)], "canal"),
    )
    crossing = ([(-2_500, 3_000), (-2_500, -3_000), (-50, -200)], "canal")
    intakes = register((-6_000, 1_020))
    assert served(intakes, Ground(lines(main, branch), drawn_downstream=True)).by == "canal"
    assert served(intakes, Ground(lines(main, crossing), drawn_downstream=True)).serving == ()


def test_a_river_carries_taken_water_to_nobody() -> None:
    river = ([(-6_000, 100), (-100, 100)], "river")
    assert served(register((-6_000, 120)), Ground(lines(river), drawn_downstream=True)).serving == ()


def test_a_pond_by_a_canal_is_filled_by_the_head_of_the_canal() -> None:
    canal = ([(-6_000, 100), (-20, 100)], "canal")
    one = served(register((-6_000, 120)), Ground(lines(canal), drawn_downstream=True), kind="water_body")
    assert (one.serving, one.by) == ((0,), "canal")


def test_a_field_in_a_service_area_is_served_by_the_intakes_that_the_area_names() -> None:
    area = gpd.GeoDataFrame(
        {"intake_code": ["Q7；Q8"]}, geometry=[shapely.box(X - 900, Y - 900, X + 900, Y + 900)], crs=CRS
    )
    intakes = register((-8_000, 0), (-9_000, 0), code=["Q7", "Q9"])
    one = served(intakes, Ground(areas=area))
    assert (one.serving, one.by) == ((0,), "area")


def test_an_area_that_names_nobody_is_served_by_what_takes_surface_water_in_it() -> None:
    area = gpd.GeoDataFrame(geometry=[shapely.box(X - 9_000, Y - 900, X + 900, Y + 900)], crs=CRS).to_crs(
        "EPSG:4490"
    )
    intakes = register((-8_000, 0), (-7_000, 0), source_type=["surface_water", "groundwater"])
    assert served(intakes, Ground(areas=area)).serving == (0,)


@pytest.mark.parametrize(
    ("purpose", "serves"),
    [("irrigation", True), ("农业灌溉", True), ("", True), (None, True), ("industry", False), ("水力发电", False), ("公共供水", False), ("农业灌溉、养殖", True)],
)  # fmt: skip
def test_only_an_intake_for_irrigation_waters_a_field(purpose: str | None, serves: bool) -> None:
    one = served(register((300, 100), purpose=[purpose]))
    assert (one.serving == (0,)) is serves
    assert why(one) == ([] if serves else ["other_purpose"])


def test_a_network_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="坐标系"):
        Network.of(gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (1, 1)])]), CRS)


def test_what_a_permit_leaves_goes_to_the_nearest_first() -> None:
    intakes = register((210, 100), permitted_m3=[1_000.0])
    shapes = np.array([FIELD, shapely.box(X + 400, Y, X + 600, Y + 200)], object)
    rows = compare.against(gpd.GeoSeries(shapes, crs=CRS), ["irrigated_land"] * 2, intakes, 10.0, Reach())
    assert judge._left(rows, judge._Permits.of(intakes), shapes, [800.0, 800.0]) == [800.0, 200.0]
    unknown = intakes.assign(permitted_m3=np.nan)
    assert judge._left(rows, judge._Permits.of(unknown), shapes, [800.0, 800.0]) == [None, None]


def test_files_of_a_folder_say_more_of_the_ground(tmp_path: Path) -> None:
    """Only what lies near the scene is read; canals are drawn as they run if the file's name says so."""
    near, far = ([(-6_000, 100), (-100, 100)], "canal"), ([(-6_000, 900_000), (0, 900_000)], "canal")
    lines(near, far).to_crs("EPSG:4490").to_file(tmp_path / "network_downstream.gpkg")
    gpd.GeoDataFrame(geometry=[FIELD], crs=CRS).to_file(tmp_path / "areas.geojson")
    (tmp_path / "climate.csv").write_text("date,et0,rain\n2024-06-01,5,0\n2024-06-02,6,1\n")
    footprint = gpd.GeoSeries([FIELD], crs=CRS).to_crs("EPSG:4490").iloc[0]
    made = ground.known(Options(ground_dir=tmp_path), footprint)
    assert made.ground.network is not None and made.ground.areas is not None and made.climate is not None
    assert (len(made.ground.network), made.ground.drawn_downstream, len(made.ground.areas)) == (1, True, 1)
    assert made.climate.et0.tolist() == [5, 6]
    assert served(register((-6_000, 120)), made.ground).by == "canal"


def test_a_folder_without_files_says_nothing_and_a_broken_file_is_told(tmp_path: Path) -> None:
    plain = Options(ground_dir=tmp_path)
    assert ground.known(plain, shapely.box(119, 32, 120, 33)) == plain
    (tmp_path / "areas.geojson").write_text("no map")
    with pytest.raises(SceneError, match=r"areas\.geojson"):
        ground.known(plain, shapely.box(119, 32, 120, 33))


def test_reasons_call_an_intake_by_its_code_and_name_and_only_one_without_them_by_its_number() -> None:
    intakes = register((2_000, 100), (2_500, 100), code=["321003000012", ""], name=["江都西闸", ""])
    one = served(intakes)
    intakes["status"] = "stopped"
    told = evidence.reasons(
        "irrigated_land",
        "no_intake",
        4e4,
        served(intakes, shape=FIELD.buffer(1_500)),
        (1, 2, 3),
        None,
        None,
        [],
    )
    assert one.nearest_called == "321003000012 江都西闸"
    assert "321003000012 江都西闸" in told[1]["zh"] and "321003000012 江都西闸" in told[1]["en"]
    assert "取水口 321003000012 江都西闸（300 m）不能供水" in told[2]["zh"]
    assert told[3]["en"].startswith("Intake 2 (800 m)")


def test_reasons_name_two_of_the_intakes_without_a_permit_and_count_the_rest() -> None:
    intakes = register((300, 100), (400, 100), (500, 100), name=["甲", "乙", "丙"], has_valid_permit=False)
    told = evidence.reasons(
        "irrigated_land", "no_valid_permit", 4e4, served(intakes), (1, 2, 3), None, None, []
    )
    assert "（甲、乙 等 3 处）" in told[1]["zh"] and "(甲, 乙 and 1 more)" in told[1]["en"]
