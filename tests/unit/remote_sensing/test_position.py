"""Which water an intake takes from, when positions are only so good."""

import numpy as np
import pytest
import shapely

from remote_sensing import position


def pond(x: float, y: float, radius: float = 60.0) -> shapely.Geometry:
    return shapely.Point(x, y).buffer(radius)


def claims(
    points: list[shapely.Geometry], shapes: list[shapely.Geometry], stated: float = 30.0
) -> position.Claims:
    return position.claims(
        np.array(points, object), np.array(shapes, object), np.full(len(points), stated), 50.0, 10.0, 15.0
    )


def test_an_intake_belongs_to_the_pond_at_whose_shore_it_stands() -> None:
    made = claims([shapely.Point(62, 0)], [pond(0, 0), pond(300, 0)])
    share = made.share.toarray()
    assert share[0, 0] > 0.95
    assert share[0, 1] < 0.01
    assert made.unclaimed(np.array([True])).tolist() == pytest.approx([1 - share[0, 0], 1 - share[0, 1]])


def test_an_intake_between_two_ponds_says_little_of_either() -> None:
    share = claims(
        [shapely.Point(150, 0)], [pond(0, 0, 100), pond(300, 0, 100)], stated=100.0
    ).share.toarray()
    assert share[0] == pytest.approx([0.5, 0.5], abs=0.06)


def test_an_intake_far_from_all_water_belongs_to_none() -> None:
    assert claims([shapely.Point(900, 0)], [pond(0, 0)]).share.toarray().sum() < 0.01


def test_a_pond_that_has_its_intake_leaves_the_other_one_to_the_next_pond() -> None:
    """The second intake stands between two ponds, one of which has an intake at its shore."""
    ponds = [pond(0, 0), pond(220, 0)]
    alone = claims([shapely.Point(105, 0)], ponds, stated=80.0).share.toarray()
    both = claims([shapely.Point(-60, 0), shapely.Point(105, 0)], ponds, stated=80.0).share.toarray()
    assert alone[0, 0] > alone[0, 1]
    assert both[1, 1] > 0.7 > alone[0, 1]


def test_errors_are_learnt_from_the_register_itself() -> None:
    rng = np.random.default_rng(4)
    ponds = [pond(600 * i, 600 * j) for i in range(6) for j in range(5)]
    angle = rng.uniform(0, 2 * np.pi, 30)
    at = np.array([[p.centroid.x, p.centroid.y] for p in ponds]) + 60 * np.c_[np.cos(angle), np.sin(angle)]
    good = claims(list(shapely.points(at + rng.normal(0, 5, at.shape))), ponds, stated=0.0)
    poor = claims(list(shapely.points(at + rng.normal(0, 80, at.shape))), ponds, stated=0.0)
    assert good.factor < 1 < 2.5 < poor.factor
    assert poor.scale_m[0] == pytest.approx(80, rel=0.5)
    # Poor positions do not hide most of the ponds that each has its own intake.
    assert np.median(poor.unclaimed(np.ones(30, bool))) < 0.5


def test_a_corner_shares_the_intake_of_the_water_it_belongs_to_and_a_pond_behind_a_dike_does_not() -> None:
    lake, corner, neighbour = (
        shapely.box(0, 0, 600, 600),
        shapely.box(610, 0, 650, 100),
        shapely.box(0, 610, 400, 900),
    )
    unclaimed = claims([shapely.Point(300, -2)], [lake, corner, neighbour]).unclaimed(np.array([True]))
    assert unclaimed[0] == unclaimed[1] < 0.1
    assert unclaimed[2] > 0.9


def test_nothing_claims_nothing() -> None:
    assert claims([], [pond(0, 0)]).unclaimed(np.zeros(0, bool)).tolist() == [1.0]
    assert claims([shapely.Point(0, 0)], []).unclaimed(np.ones(1, bool)).tolist() == []
