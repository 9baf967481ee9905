"""From which water does an intake take, if its position is known only so well?

A position is a point of the shore plus an error. Every metre of shore is as likely a place for an intake, so what
speaks for a body is the shore it has around the point, weighed by how likely an error of that length is. How large
errors are is learnt from all intakes together: those of a good register stand at a shore, those of a poor one do not.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
FARTHEST = 3.5
"""Deviations beyond which an intake does not belong to a water (one in 500 of two-dimensional errors)."""
FACTORS = np.geomspace(0.5, 8.0, 9)
"""How much larger than expected errors may prove to be."""
FACTOR_SPREAD = np.log(2.0)
"""Expectation against evidence: errors twice as large as expected are one deviation away."""
FEWEST, MOST = 5, 400
"""Intakes that errors are learnt from: fewer say too little, more say nothing new."""
POND_SHORE_M, SECOND = 10_000.0, 0.1
"""A pond with an intake seldom has a second one (weight SECOND); a shore this long has room for several. Judgement of 2026-11."""
PART = 0.1
"""Water of less than this share of the larger water it all but touches is a part of it; ponds behind a dike are not."""
ROUNDS = 30


@dataclass(frozen=True)
class Claims:
    """What intakes claim of waters."""

    share: Any
    """Chance that an intake takes from a water: sparse array (intakes, waters)."""
    scale_m: Floats
    """Deviation of each intake's position from its place on the shore, in each direction, m."""
    factor: float
    """How much larger errors are than the register states; 1 where nothing could be learnt."""

    def unclaimed(self, usable: npt.NDArray[np.bool_]) -> Floats:
        """The chance of each water that none of the usable intakes takes from it."""
        table = self.share.tocoo()
        kept = usable[table.row]
        logs = np.log1p(-np.minimum(table.data[kept], 1 - 1e-9))
        return np.asarray(np.exp(np.bincount(table.col[kept], logs, table.shape[1])), np.float64)


def claims(
    points: Array, shapes: Array, stated_m: Floats, shore_m: float, pixel_m: float, gap_m: float
) -> Claims:
    """Which waters intakes belong to. Points and shapes in one metric CRS.

    `stated_m`: radius that most positions keep, 0 where the register does not say; `shore_m`: how far from the shore
    an intake may stand by itself; waters nearer than `gap_m` to much larger ones are parts of them.
    """
    expected = np.hypot(stated_m / 2, np.hypot(shore_m / 3, pixel_m / 2))
    if not len(points) or not len(shapes):
        return Claims(coo_array((len(points), len(shapes))).tocsr(), expected, 1.0)
    water, joined = _joined(shapes, gap_m)
    at = _on_shore(points, joined)
    factor = _factor(at, joined, expected, pixel_m)
    scale = expected * factor
    row, col = _near(at, joined, FARTHEST * scale)
    # Outlines along pixels are ragged, and lakes more so than ponds: a circle's shore is counted.
    round_m = 2 * np.sqrt(np.pi * shapely.area(joined))
    plain = round_m / shapely.length(joined)
    weight = _shore_weight(at[row], joined[col], scale[row], pixel_m) * plain[col]
    room = np.clip(round_m / POND_SHORE_M, SECOND, 1.0)
    chance = _competing(row, col, weight, room, _elsewhere(scale), (len(points), len(joined)))
    # Parts of one water share their intakes.
    members = [np.flatnonzero(water == k) for k in range(len(joined))]
    rows = np.concatenate([np.repeat(r, len(members[c])) for r, c in zip(row, col, strict=True)] or [row])
    cols = np.concatenate([members[c] for c in col] or [col])
    data = np.concatenate(
        [np.repeat(p, len(members[c])) for p, c in zip(chance, col, strict=True)] or [chance]
    )
    return Claims(coo_array((data, (rows, cols)), shape=(len(points), len(shapes))).tocsr(), scale, factor)


def _joined(shapes: Array, gap_m: float) -> tuple[npt.NDArray[np.int64], Array]:
    """The number of the water that each shape is a part of, and the waters."""
    area = shapely.area(shapes)
    a, b = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=gap_m)
    corner = np.minimum(area[a], area[b]) < PART * np.maximum(area[a], area[b])
    a, b = a[corner], b[corner]
    links = coo_array((np.ones(len(a), bool), (a, b)), shape=(len(shapes), len(shapes)))
    count, water = connected_components(links, directed=False)
    order = np.argsort(water, kind="stable")
    parts = np.split(shapes[order], np.cumsum(np.bincount(water, minlength=count))[:-1])
    made = np.array([p[0] if len(p) == 1 else shapely.multipolygons(_polygons(p)) for p in parts], object)
    return water.astype(np.int64), made


def _polygons(shapes: Array) -> Array:
    return np.asarray(shapely.get_parts(shapes))


def _on_shore(points: Array, waters: Array) -> Array:
    """Points in a water, moved to its shore: a register likes the middle of a pond."""
    moved = points.copy()
    for water, point in zip(*shapely.STRtree(points).query(waters, predicate="contains"), strict=True):
        moved[point] = shapely.get_point(
            shapely.shortest_line(points[point], shapely.boundary(waters[water])), 1
        )
    return moved


def _near(points: Array, waters: Array, reach_m: Floats) -> tuple[Array, Array]:
    """Pairs of point and water nearer than each point's reach."""
    row, col = shapely.STRtree(waters).query(points, predicate="dwithin", distance=reach_m)
    return row, col


def _shore_weight(points: Array, waters: Array, scale: Floats, pixel_m: float) -> Floats:
    """The shore around each point, m, weighed by a normal density of each direction (1/m² × m)."""
    if not len(points):
        return np.zeros(0)
    boxes = shapely.box(*(shapely.get_coordinates(points) - (FARTHEST + 1) * scale[:, None]).T, *(shapely.get_coordinates(points) + (FARTHEST + 1) * scale[:, None]).T)  # fmt: skip
    shore = shapely.intersection(shapely.boundary(waters), boxes)
    step = np.maximum(scale / 2, pixel_m)
    dense = shapely.segmentize(shore, step)
    lines, pair = shapely.get_parts(dense, return_index=True)
    kept = shapely.get_type_id(lines) == 1  # a box may touch a shore in a point
    xy, line = shapely.get_coordinates(lines[kept], return_index=True)
    same = line[1:] == line[:-1]
    middle, length = (xy[1:] + xy[:-1])[same] / 2, np.hypot(*(xy[1:] - xy[:-1])[same].T)
    of = pair[kept][line[1:][same]]
    away = ((middle - shapely.get_coordinates(points)[of]) ** 2).sum(axis=1)
    density = np.exp(-away / (2 * scale[of] ** 2)) / (2 * np.pi * scale[of] ** 2)
    return np.asarray(np.bincount(of, density * length, len(points)), np.float64)


def _elsewhere(scale: Floats) -> Floats:
    """What a straight shore FARTHEST deviations away would weigh: an intake with less takes from none of the waters."""
    return np.asarray(np.exp(-(FARTHEST**2) / 2) / (np.sqrt(2 * np.pi) * scale), np.float64)


def _competing(
    row: Array, col: Array, weight: Floats, room: Floats, elsewhere: Floats, shape: tuple[int, int]
) -> Floats:
    """The chance of each pair. A water that others claim already has less room for one more."""
    chance = weight / (np.bincount(row, weight, shape[0]) + elsewhere)[row]
    for _ in range(ROUNDS):
        free = np.log1p(-np.minimum(chance, 1 - 1e-9))
        by_others = 1 - np.exp(np.bincount(col, free, shape[1])[col] - free)
        wanted = weight * (1 - by_others + by_others * room[col])
        chance = wanted / (np.bincount(row, wanted, shape[0]) + elsewhere)[row]
    return np.asarray(chance, np.float64)


def _factor(points: Array, waters: Array, expected: Floats, pixel_m: float) -> float:
    """How much larger errors are than expected: most likely over all intakes, with the expectation as prior."""
    chosen = np.linspace(0, len(points) - 1, min(MOST, len(points))).astype(np.int64)
    points, expected = points[chosen], expected[chosen]
    likelihood = []
    used = 0
    for factor in FACTORS:
        scale = expected * factor
        row, col = _near(points, waters, FARTHEST * scale)
        weight = np.bincount(row, _shore_weight(points[row], waters[col], scale[row], pixel_m), len(points))
        used = max(used, int((weight > 0).sum()))
        prior = -0.5 * (np.log(factor) / FACTOR_SPREAD) ** 2
        likelihood.append(prior + np.log(weight + _elsewhere(expected)).sum())
    return float(FACTORS[int(np.argmax(likelihood))]) if used >= FEWEST else 1.0
