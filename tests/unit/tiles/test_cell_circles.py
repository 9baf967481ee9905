"""Cells and the circles that stand for them fit together."""

from layers.derive import cells
from tiles.overview import CELL_DEPTH

PIXELS = 512 / 2**CELL_DEPTH
"""Of a cell on a tile as the map draws it."""


def test_the_largest_circle_is_as_wide_as_a_cell() -> None:
    assert 2 * cells.LARGEST == PIXELS


def test_a_cell_leaves_room_for_a_number_of_four_digits() -> None:
    digit = 0.56 * 12  # of the map's letters at their size
    assert 4 * digit < PIXELS
