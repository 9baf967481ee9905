"""Millions of places over the real counties: at random in them, around invented villages, and along real rivers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from app.demo.ground import M_PER_DEGREE
from app.demo.names import Rng, rng
from app.demo.sources import Boundaries, Waters

Floats = npt.NDArray[np.float64]
RIVERSIDE, VILLAGES = 0.35, 0.4
"""Parts of a county's intakes along its rivers (where it has one) and around villages; the rest anywhere."""
SPREAD = 0.9
"""How unlike counties are: σ of the logarithm of their intakes per root of area. A guess of 2026-11."""
RIVER_JITTER_M, VILLAGE_RADIUS_M = 250.0, 1_800.0
KM2_A_VILLAGE = 40.0


@dataclass(frozen=True)
class Places:
    """Positions in the order of their counties."""

    county: npt.NDArray[np.int32]
    lon: Floats
    lat: Floats
    by_river: npt.NDArray[np.bool_]


def numbers(boundaries: Boundaries, total: int, seed: int) -> npt.NDArray[np.int64]:
    """How many of `total` each county has, at least one: by the root of its area and by chance."""
    area = shapely.area(boundaries.counties["geometry"].to_numpy())
    weight = np.sqrt(area) * np.exp(rng(seed, "counties").normal(0, SPREAD, len(area)))
    exact = weight / weight.sum() * (total - len(area))
    counts = np.floor(exact).astype(np.int64) + 1
    short = total - int(counts.sum())
    counts[np.argsort(exact - np.floor(exact))[::-1][:short]] += 1
    return np.asarray(counts, np.int64)


def scatter(
    boundaries: Boundaries,
    waters: Waters,
    counts: npt.NDArray[np.int64],
    seed: int,
    progress: Callable[[float], None],
) -> Places:
    """So many positions in each county. All lie inside it."""
    counties = boundaries.counties
    lines = waters.lines["geometry"].to_numpy()
    tree = shapely.STRtree(lines)
    xy, wet = [], []
    for number, (code, shape, count) in enumerate(
        zip(counties["code"], counties["geometry"], counts.tolist(), strict=True)
    ):
        random = rng(seed, "places", int(code))
        points, river = _of_county(random, shape, lines[tree.query(shape, predicate="intersects")], count)
        xy.append(points)
        wet.append(river)
        if number % 100 == 0:
            progress(number / len(counties))
    both = np.concatenate(xy)
    codes = np.repeat(counties["code"].to_numpy(np.int32), counts)
    return Places(codes, both[:, 0], both[:, 1], np.concatenate(wet))


def _of_county(random: Rng, shape: Any, lines: Any, count: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    anywhere = _Uniform(shape)
    points = anywhere(random, count)
    squeeze = np.cos(np.radians(points[:, 1].mean()))
    kind = random.random(count)
    river = np.zeros(count, bool)
    banks = (
        shapely.intersection(shapely.multilinestrings(shapely.get_parts(lines)), shape)
        if len(lines)
        else None
    )
    if banks is not None and shapely.length(banks) > 0:
        river = kind < RIVERSIDE
        points[river] = _along(random, banks, int(river.sum())) + _jitter(
            random, int(river.sum()), RIVER_JITTER_M, squeeze
        )
    village = (kind >= RIVERSIDE) & (kind < RIVERSIDE + VILLAGES)
    km2 = float(shapely.area(shape)) * (M_PER_DEGREE / 1e3) ** 2 * squeeze
    centres = anywhere(random, max(3, int(km2 / KM2_A_VILLAGE)))
    chosen = centres[random.integers(len(centres), size=int(village.sum()))]
    points[village] = chosen + _jitter(random, len(chosen), VILLAGE_RADIUS_M, squeeze)
    shapely.prepare(shape)
    lost = ~shapely.contains_xy(shape, points[:, 0], points[:, 1])
    points[lost] = anywhere(random, int(lost.sum()))
    return points, river & ~lost


def _jitter(random: Rng, count: int, metres: float, squeeze: float) -> Floats:
    moved: Floats = random.normal(0, metres / M_PER_DEGREE, (count, 2)) / np.array([squeeze, 1.0])
    return moved


def _along(random: Rng, lines: Any, count: int) -> Floats:
    """Positions on the lines, each metre as likely."""
    parts = shapely.get_parts(lines)
    parts = parts[shapely.length(parts) > 0]
    chosen = parts[random.choice(len(parts), size=count, p=(n := shapely.length(parts)) / n.sum())]
    found: Floats = shapely.get_coordinates(
        shapely.line_interpolate_point(chosen, random.random(count), normalized=True)
    )
    return found


class _Uniform:
    """Positions anywhere in a polygon: a triangle by its area, then a place in it. No try is in vain."""

    def __init__(self, shape: Any) -> None:
        triangles = shapely.get_parts(shapely.constrained_delaunay_triangles(shape))
        self.corners = shapely.get_coordinates(triangles).reshape(-1, 4, 2)[:, :3]
        area = shapely.area(triangles)
        self.chance = np.cumsum(area / area.sum())

    def __call__(self, random: Rng, count: int) -> Floats:
        corners = self.corners[
            np.minimum(np.searchsorted(self.chance, random.random(count)), len(self.corners) - 1)
        ]
        u, v = random.random((2, count, 1))
        over = u + v > 1
        u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
        found: Floats = (
            corners[:, 0] + u * (corners[:, 1] - corners[:, 0]) + v * (corners[:, 2] - corners[:, 0])
        )
        return found
