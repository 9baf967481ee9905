"""Reachability: rivers part, canals carry on, districts serve; purpose and permits left for an object."""

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from remote_sensing import compare, judge, recovery
from remote_sensing.network import Network
from remote_sensing.options import Ground, Reach

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
    intakes: gpd.GeoDataFrame, ground: Ground | None = None, shape: shapely.Geometry = FIELD, kind: str = "irrigated_land"
) -> compare.Served:  # fmt: skip
    return compare.against(gpd.GeoSeries([shape], crs=CRS), [kind], intakes, 10.0, Reach(), ground)[0]


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
    ground = Ground(lines(canal), drawn_downstream=True)
    head, below = register((-6_000, 120)), register((-100, -5_000))
    at_head = served(head, ground)
    assert (at_head.serving, at_head.by) == ((0,), "canal")
    assert served(head).serving == ()
    assert served(below, ground).serving == ()


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
    assert judge._left(rows, intakes, shapes, [800.0, 800.0]) == [800.0, 200.0]
    unknown = intakes.assign(permitted_m3=np.nan)
    assert judge._left(rows, unknown, shapes, [800.0, 800.0]) == [None, None]
