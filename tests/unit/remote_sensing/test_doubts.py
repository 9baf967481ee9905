"""Each usual false alarm lowers a finding and is named in its reasons; what speaks for it raises it."""

from typing import Any

import numpy as np
import pytest
import shapely

from remote_sensing import calibration, compare, doubts, evidence, season
from remote_sensing.demand import Climate
from remote_sensing.profile import Point

POND = shapely.box(0, 0, 120, 100)
PLAIN = {
    "shadow_share": 0.0, "red": 0.04, "adjoins_served_m2": None, "elongation": 1.2, "at_edge": False, "even_sided": 0.9,
    "before_share": None, "round": 0.6, "area_m2": 12_000.0,
}  # fmt: skip
FREE = compare.Served(None, None, None, None, (), (), 0.9)


def water(shape: shapely.Geometry = POND, risen: float = 1.0, others: int = 0, **change: Any) -> list[str]:
    shapes = np.array(
        [shape, *(shapely.box(130 * k, 0, 130 * k + 120, 100) for k in range(1, others + 1))], object
    )
    return doubts.of_water(
        0, shapes, shapely.area(shapes), PLAIN | change, risen, doubts.dug_neighbours(shapes)
    )


def score(codes: list[str], kind: str = "water_body") -> float:
    return evidence.score(kind, "no_intake", 30_000, 1_000, 0.3, FREE, 0.0, codes)


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("shadow", {"shadow_share": 0.6}),
        ("snow", {"red": 0.4}),
        ("adjoins_served", {"adjoins_served_m2": 90_000}),
        ("river_like", {"elongation": 12.0}),
        ("at_edge", {"at_edge": True}),
        ("flood", {"before_share": 0.0, "risen": 2.5}),
        ("regulation", {"before_share": 0.7}),
        ("natural_lake", {"shape": shapely.Point(0, 0).buffer(400), "even_sided": 0.6}),
        ("fish_ponds", {"others": 4}),
        ("village_pond", {"shape": shapely.box(0, 0, 60, 50)}),
    ],
)
def test_each_false_alarm_of_water_is_named_and_counts_against_it(code: str, given: dict[str, Any]) -> None:
    assert water() == []
    codes = water(**given)
    assert code in codes
    assert score([code]) < score([])
    told = {reason["code"]: reason for reason in doubts.words(codes)}
    assert told[code]["zh"] and told[code]["en"]


def test_a_new_pond_while_the_rest_of_the_scene_stays_is_no_flood() -> None:
    assert water(before_share=0.0, risen=1.1) == []


def test_a_large_basin_with_straight_sides_is_no_natural_lake() -> None:
    assert "natural_lake" not in water(shapely.box(0, 0, 600, 500), even_sided=0.98)


def field(near_water: bool = False, ground: bool = True, **change: Any) -> list[str]:
    return doubts.of_field(PLAIN | change, near_water, ground)


def test_false_alarms_and_signs_of_fields() -> None:
    assert field() == []
    assert field(near_water=True, elongation=6.0) == ["riparian"]
    assert field(ground=False) == ["district"]
    pivot = shapely.Point(0, 0).buffer(400)
    around = float(doubts.roundness(np.array([pivot], object))[0])
    assert field(round=around, area_m2=pivot.area) == ["pivot"]
    square = float(doubts.roundness(np.array([shapely.box(0, 0, 400, 400)], object))[0])
    assert field(round=square, area_m2=160_000.0) == []
    assert (
        score(["pivot"], "irrigated_land")
        > score([], "irrigated_land")
        > score(["riparian"], "irrigated_land")
    )


def dates(*pairs: tuple[str, float, float], ndmi: tuple[float, float] | None = None) -> tuple[Point, ...]:
    """Days with NDVI of a field and around it."""
    own, around = ndmi or (None, None)
    return tuple(Point(day, "", 1.0, ndvi, own, None, ring, around) for day, ndvi, ring in pairs)


def test_a_field_that_is_green_while_its_neighbours_are_dry_is_watered() -> None:
    told = season.of(
        dates(("2024-04-10", 0.3, 0.3), ("2024-06-10", 0.8, 0.3), ("2024-07-10", 0.8, 0.25), ndmi=(0.3, 0.0))
    )
    assert told.codes == ("dry_green",)
    assert told.greener == pytest.approx((0 + 0.5 + 0.55) / 3, abs=1e-3)
    assert told.moister == pytest.approx(0.3)


def test_green_without_moisture_is_not_watered() -> None:
    told = season.of(dates(("2024-06-10", 0.6, 0.3), ("2024-07-10", 0.6, 0.3), ndmi=(0.01, 0.0)))
    assert "dry_green" not in told.codes


def test_rain_fed_paddy_follows_its_neighbours() -> None:
    paddy = dates(("2024-05-10", 0.2, 0.22), ("2024-07-10", 0.7, 0.68), ("2024-08-10", 0.8, 0.79))
    assert "rain_fed" in season.of(paddy).codes
    assert "neighbours_green" in season.of(paddy[1:2]).codes


def test_woods_are_green_all_year() -> None:
    woods = dates(
        ("2024-01-10", 0.6, 0.3),
        ("2024-04-10", 0.7, 0.3),
        ("2024-07-10", 0.75, 0.3),
        ("2024-10-10", 0.65, 0.3),
    )
    assert "evergreen" in season.of(woods).codes
    crop = dates(
        ("2024-01-10", 0.2, 0.3), ("2024-04-10", 0.7, 0.3), ("2024-07-10", 0.8, 0.3), ("2024-10-10", 0.2, 0.3)
    )
    assert "evergreen" not in season.of(crop).codes


def test_the_weather_says_which_date_was_dry() -> None:
    days = np.arange("2024-05-01", "2024-08-01", dtype="datetime64[D]")
    rain = np.where(days < np.datetime64("2024-06-15"), 8.0, 0.0)
    weather = Climate(days, np.full(len(days), 5.0), rain, "stated")
    points = dates(("2024-06-10", 0.8, 0.3), ("2024-07-25", 0.8, 0.5))
    assert season.of(points, weather).dry == ("2024-07-25",)
    assert season.of(points).dry == ("2024-06-10",)


def test_the_odds_follow_the_register() -> None:
    sure, torn = (evidence.score("water_body", "no_intake", 9e4, 1e3, 0.4, compare.Served(1, 5.0, None, None, (), (), free), 0, []) for free in (0.98, 0.55))  # fmt: skip
    assert sure > 0.95 > 0.7 > torn > 0.5
    short, barely = (
        evidence.score("irrigated_land", "permit_too_small", 9e4, 4e3, 0.3, FREE, s, []) for s in (0.05, 0.9)
    )
    assert short > barely


def test_a_calibration_learns_what_share_is_right_and_survives_json() -> None:
    rng = np.random.default_rng(5)
    raw = rng.uniform(0, 1, 2_000)
    right = rng.uniform(0, 1, 2_000) < raw**2
    made = calibration.fit(raw, right, np.arange(2_000) // 4)
    assert made.ece is not None and made.ece < 0.05
    assert made.apply(np.array([0.3, 0.9])).tolist() == pytest.approx([0.09, 0.81], abs=0.08)
    assert calibration.Calibration.of(made.told()) == made
    with pytest.raises(ValueError, match="递增"):
        calibration.Calibration.of({"raw": [0, 1], "chance": [1, 0]})


def test_a_few_decisions_are_not_believed_alone() -> None:
    made = calibration.fit(np.array([0.9]), np.array([False]))
    assert made.ece is None
    assert 0.0 < float(made.apply(np.array([0.9]))[0]) < 0.9
    assert float(made.apply(np.array([0.99]))[0]) > 0.0


def test_what_barely_passes_among_clear_water_is_believed_less() -> None:
    clear = evidence.clearness(np.array([0.51, 0.8, 0.82, 0.9]), 0.5)
    assert clear[0] < 0.1
    assert (clear[1:] > 0.9).all()
    faint, plain = (
        evidence.score("water_body", "no_intake", 30_000, 1_000, c, FREE, 0.0, []) for c in (clear[0], 1.0)
    )
    assert faint < plain
    # Where all water is alike, none is faint; nor is there any where the limit lies above all of it.
    assert (evidence.clearness(np.array([0.52, 0.53, 0.525]), 0.4) > 0.9).all()
    assert (evidence.clearness(np.array([0.1, np.nan]), 0.5) == 1).all()
    assert not len(evidence.clearness(np.empty(0), 0.5))
