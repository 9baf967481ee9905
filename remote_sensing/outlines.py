"""Labels to outlines: the rings around labelled pixels, walked along pixel edges."""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import shapely

from remote_sensing import memory

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rings:
    """Closed rings in pixel corners (column, row): shells run clockwise on screen, holes the other way."""

    label: Array
    """The label that each ring belongs to."""
    start: Array
    """Where each ring begins in `points`, and the end: shape (n + 1,)."""
    points: Array
    """Columns and rows, shape (m, 2), int32."""


# East, south, west, north; with the label always on the right-hand side.
_STEP_COL = np.array([1, 0, -1, 0])
_STEP_ROW = np.array([0, 1, 0, -1])


@numba.njit(nogil=True, cache=True)
def _walk(labels, wanted, seen, points, starts, owner, step_col, step_row):  # type: ignore[no-untyped-def]
    """Fill the arrays as far as they reach; returns the number of rings and points that there are."""
    height, width = labels.shape
    rings = 0
    used = 0
    for row in range(height):
        for col in range(width):
            k = labels[row, col]
            if k == 0 or not wanted[k] or seen[row, col]:
                continue
            if row > 0 and labels[row - 1, col] == k:
                continue
            # The top edge of this pixel starts a ring not walked yet.
            if rings < len(owner):
                owner[rings] = k
                starts[rings] = used
            c, r, heading = col, row, 0
            while True:
                if heading == 0:
                    seen[r, c] = 1
                c += step_col[heading]
                r += step_row[heading]
                # Pixels ahead, to the right and to the left of the heading.
                if heading == 0:
                    right_r, right_c, left_r, left_c = r, c, r - 1, c
                elif heading == 1:
                    right_r, right_c, left_r, left_c = r, c - 1, r, c
                elif heading == 2:
                    right_r, right_c, left_r, left_c = r - 1, c - 1, r, c - 1
                else:
                    right_r, right_c, left_r, left_c = r - 1, c, r - 1, c - 1
                right = 0 <= right_r < height and 0 <= right_c < width and labels[right_r, right_c] == k
                left = 0 <= left_r < height and 0 <= left_c < width and labels[left_r, left_c] == k
                turned = heading
                # Pixels that meet only at a corner are kept apart: rings stay valid.
                if not right:
                    turned = (heading + 1) % 4
                elif left:
                    turned = (heading + 3) % 4
                if turned != heading:
                    if used < len(points):
                        points[used, 0] = c
                        points[used, 1] = r
                    used += 1
                    heading = turned
                if c == col and r == row and heading == 0:
                    break
            rings += 1
    if rings < len(starts):
        starts[rings] = used
    return rings, used


def rings(labels: Array, wanted: npt.NDArray[np.bool_]) -> Rings:
    """The rings of the wanted labels. `labels` shape (rows, columns), 0 is nothing; `wanted` by label."""
    room = 1 << 14
    while True:
        points = np.empty((room, 2), np.int32)
        starts, owner = np.empty(room // 4 + 1, np.int64), np.empty(room // 4, np.int64)
        seen = memory.zeros("walked", labels.shape, np.uint8)
        count, used = _walk(labels, wanted, seen, points, starts, owner, _STEP_COL, _STEP_ROW)
        if count <= len(owner) and used <= len(points):
            return Rings(owner[:count].copy(), starts[: count + 1].copy(), points[:used].copy())
        room = max(used, 4 * count) + 1


@numba.njit(nogil=True, cache=True)
def _touches_itself(points, start):  # type: ignore[no-untyped-def]
    """Which rings pass a corner twice: they turn there each time."""
    twice = np.zeros(len(start) - 1, np.bool_)
    for ring in range(len(twice)):
        corners = np.empty(start[ring + 1] - start[ring], np.int64)
        for i in range(len(corners)):
            col, row = points[start[ring] + i]
            corners[i] = (np.int64(row) << 32) | col
        corners.sort()
        for i in range(1, len(corners)):
            if corners[i] == corners[i - 1]:
                twice[ring] = True
                break
    return twice


def polygons(made: Rings) -> tuple[Array, Array]:
    """The labels, and for each one geometry (Polygon or MultiPolygon, valid) in pixel corners."""
    if not len(made.label):
        return made.label, np.empty(0, object)
    lengths = np.diff(made.start)
    # A shapely ring repeats its first point.
    index = np.repeat(np.arange(len(lengths)), lengths + 1)
    at = np.arange(len(index)) - np.repeat(np.cumsum(lengths + 1) - (lengths + 1), lengths + 1)
    at = np.where(at == np.repeat(lengths, lengths + 1), 0, at) + np.repeat(made.start[:-1], lengths + 1)
    points = made.points[at].astype(np.float64)
    x, y = points[:, 0], points[:, 1]
    area = np.bincount(
        index[:-1], (x[:-1] * y[1:] - x[1:] * y[:-1]) * (index[:-1] == index[1:]), len(lengths)
    )
    hole = area < 0
    linear = shapely.linearrings(points, indices=index)
    order = np.lexsort((hole, made.label))
    labels, first = np.unique(made.label[order], return_index=True)
    group = np.repeat(np.arange(len(labels)), np.diff([*first, len(order)]))
    shells = np.bincount(group, ~hole[order], len(labels))
    geometries = np.empty(len(labels), object)
    simple = np.flatnonzero(shells == 1)
    mine = np.isin(group, simple)
    renumbered = np.searchsorted(simple, group[mine])
    if len(simple):
        geometries[simple] = shapely.polygons(linear[order][mine], indices=renumbered)
    # Parts that meet at corners stand side by side; rings that touch themselves, or holes of several parts,
    # need their areas found from the edges.
    loose = shapely.polygons(linear)
    unsound_ring = _touches_itself(made.points, made.start)
    holed = np.bincount(group, hole[order], len(labels)) > 0
    odd = np.bincount(group, (hole | unsound_ring)[order], len(labels)) > 0
    several = shells > 1
    side_by_side = (several & ~odd)[group]
    if side_by_side.any():
        numbers, at = np.unique(group[side_by_side], return_inverse=True)
        geometries[numbers] = shapely.multipolygons(loose[order][side_by_side], indices=at)
    unsound = np.bincount(group, unsound_ring[order], len(labels)) > 0
    # A hole may touch its shell more than once: only then is the geometry as a whole to be asked.
    asked = simple[holed[simple] & ~unsound[simple]]
    unsound[asked] = ~shapely.is_valid(geometries[asked])
    for g in np.flatnonzero((several & odd) | (~several & unsound)):
        geometries[g] = _area_within(linear[order][group == g])
    return labels, geometries


def _area_within(closed: Array) -> shapely.Geometry:
    """The area that rings enclose; they may meet at corners, and share no edge."""
    points, ring = shapely.get_coordinates(closed, return_index=True)
    same = ring[:-1] == ring[1:]
    edges = np.stack([points[:-1][same], points[1:][same]], 1)
    faces = shapely.get_parts(shapely.polygonize(shapely.linestrings(edges)))
    inside = shapely.get_coordinates(shapely.point_on_surface(faces))
    # Neighbouring faces differ by one ring: those inside an odd number of rings belong to the label.
    rings_around = sum(
        shapely.contains_xy(ring, inside).astype(np.int64) for ring in shapely.polygons(closed)
    )
    return shapely.multipolygons(faces[rings_around % 2 == 1])


def without_holes(shapes: Array, least: float) -> Array:
    """The geometries without the holes that are smaller than `least` (in their own units)."""
    made = shapes.copy()
    parts, owner = shapely.get_parts(shapes, return_index=True)
    touched = np.unique(owner[shapely.get_num_interior_rings(parts) > 0])
    if not len(touched):
        return made
    of = np.isin(owner, touched)
    parts, owner = parts[of], owner[of]
    rings, part = shapely.get_rings(parts, return_index=True)
    outer = np.concatenate([[True], part[1:] != part[:-1]])
    kept = outer | (shapely.area(shapely.polygons(rings)) >= least)
    filled = shapely.polygons(rings[kept], indices=part[kept])
    several = np.bincount(owner)[owner] > 1
    made[owner[~several]] = filled[~several]
    numbers, at = np.unique(owner[several], return_inverse=True)
    if len(numbers):
        made[numbers] = shapely.multipolygons(filled[several], indices=at)
    return made
