"""Which ranges of keys cover a box: how a box is found in a map table, which has no geometry."""

from functools import lru_cache

from tiles.keys import BITS, spread, world_box

MAX_CELLS = 64
Box = tuple[float, float, float, float]


@lru_cache(maxsize=128)
def key_ranges(box: Box, hidden_bits: int, margin: int = 0) -> list[tuple[int, int]]:
    """Ranges [lo, hi) of Morton keys that together hold every position in the box, and some around it.

    The box is widened to whole cells of `hidden_bits`: a public position stands for all of its cell,
    so that which features are found tells nothing that their positions do not; and by `margin` world units.
    """
    x0, y0, x1, y1 = world_box(box, margin)
    shift = hidden_bits
    while shift < BITS and _cells(x0, x1, shift) * _cells(y0, y1, shift) > MAX_CELLS:
        shift += 1
    columns = [spread(x) for x in range(x0 >> shift, (x1 >> shift) + 1)]
    rows = [spread(y) << 1 for y in range(y0 >> shift, (y1 >> shift) + 1)]
    found: list[tuple[int, int]] = []
    for key in sorted(row | column for row in rows for column in columns):
        lo, hi = key << 2 * shift, (key + 1) << 2 * shift
        if found and found[-1][1] == lo:
            found[-1] = (found[-1][0], hi)
        else:
            found.append((lo, hi))
    return found


def _cells(low: int, high: int, shift: int) -> int:
    return (high >> shift) - (low >> shift) + 1
