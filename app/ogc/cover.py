"""Which ranges of keys cover a box: how a box is found in a map table, which has no geometry."""

from functools import lru_cache

import numpy as np

from tiles.keys import BITS, WORLD, Int64s, morton, world

MAX_CELLS = 64
Box = tuple[float, float, float, float]


@lru_cache(maxsize=128)
def key_ranges(box: Box, hidden_bits: int, margin: int = 0) -> list[tuple[int, int]]:
    """Ranges [lo, hi) of Morton keys that together hold every position in the box, and some around it.

    The box is widened to whole cells of `hidden_bits`: a public position stands for all of its cell,
    so that which features are found tells nothing that their positions do not; and by `margin` world units.
    """
    west, south, east, north = box
    xs, ys = (_wider(edges, margin) for edges in world([west, east], [north, south]))
    level = BITS - hidden_bits
    while level > 0 and _cells(xs, level) * _cells(ys, level) > MAX_CELLS:
        level -= 1
    shift = BITS - level
    columns = np.arange(int(xs[0]) >> shift, (int(xs[1]) >> shift) + 1)
    rows = np.arange(int(ys[0]) >> shift, (int(ys[1]) >> shift) + 1)
    x, y = (part.ravel() for part in np.meshgrid(columns, rows))
    keys = np.sort(morton(x, y))
    first = np.flatnonzero(np.diff(keys, prepend=-2) != 1)
    last = np.append(first[1:], len(keys)) - 1
    return [
        (int(lo) << 2 * shift, (int(hi) + 1) << 2 * shift)
        for lo, hi in zip(keys[first], keys[last], strict=True)
    ]


def _wider(edges: Int64s, margin: int) -> Int64s:
    wider: Int64s = np.clip(edges + np.array([-margin, margin]), 0, WORLD - 1)
    return wider


def _cells(edges: np.ndarray, level: int) -> int:
    return (int(edges[1]) >> (BITS - level)) - (int(edges[0]) >> (BITS - level)) + 1
