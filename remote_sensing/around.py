"""Which pixels of a window lie in a shape, and how far the others are from its outline."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import shapely

from remote_sensing.scene import Grid

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


def pixels(
    shape: shapely.Geometry, grid: Grid, corner: tuple[int, int], size: tuple[int, int], far: float
) -> tuple[Bools, Floats]:
    """Whether the middle of each pixel lies in the shape, and its distance from the outline in pixels.

    `shape` in the grid's coordinates; `corner` (row, column) and `size` (rows, columns) of the window. Distances of
    more than `far` are infinite.
    """
    lines, line = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(shape)), return_index=True)
    t = ~grid.transform
    x, y = lines.T
    points = np.stack([t.a * x + t.b * y + t.c - corner[1], t.d * x + t.e * y + t.f - corner[0]], axis=1)
    t = grid.transform
    across, down = np.hypot(t.a, t.d) / grid.step, np.hypot(t.b, t.e) / grid.step
    crossed, away = np.zeros((size[0], size[1] + 1), np.uint8), np.full(size, far * far, np.float32)
    _edges(points, line, across, down, far, crossed, away)
    inside = np.bitwise_xor.accumulate(crossed[:, :-1], axis=1).view(np.bool_)
    away[away >= far * far] = np.inf
    return inside, np.sqrt(away, out=away)


@numba.njit(nogil=True, cache=True)
def _edges(points: Any, line: Any, across: float, down: float, far: float, crossed: Any, away: Any) -> None:
    """Flip `crossed` where a row of middles passes an edge, and keep the least square of the distance.

    Only pixels within `far` of an edge's box are looked at, so that long outlines take no longer by the pixel.
    """
    height, width = away.shape
    for k in range(len(points) - 1):
        if line[k] != line[k + 1]:
            continue
        x0, y0, x1, y1 = points[k, 0], points[k, 1], points[k + 1, 0], points[k + 1, 1]
        low, high = min(y0, y1), max(y0, y1)
        for row in range(max(0, int(np.ceil(low - 0.5))), min(height, int(np.ceil(high - 0.5)))):
            at = x0 + (row + 0.5 - y0) / (y1 - y0) * (x1 - x0)
            col = min(max(int(np.ceil(at - 0.5)), 0), width)
            crossed[row, col] ^= 1
        dx, dy = (x1 - x0) * across, (y1 - y0) * down
        square = dx * dx + dy * dy
        first, last = max(0, int(low - far / down - 0.5)), min(height, int(high + far / down + 1.5))
        left = max(0, int(min(x0, x1) - far / across - 0.5))
        right = min(width, int(max(x0, x1) + far / across + 1.5))
        for row in range(first, last):
            py = (row + 0.5 - y0) * down
            for col in range(left, right):
                px = (col + 0.5 - x0) * across
                share = min(max((px * dx + py * dy) / square, 0.0), 1.0) if square > 0 else 0.0
                gx, gy = px - share * dx, py - share * dy
                away[row, col] = min(away[row, col], np.float32(gx * gx + gy * gy))
