"""Cells and the circles that stand for them fit together."""

import bisect
from typing import Any

import pytest

from layers.derive import cells
from tiles.overview import CELL_DEPTH

PIXELS = 512 / 2**CELL_DEPTH
"""Of a cell on a tile as the map draws it."""


def test_the_largest_circle_is_as_wide_as_a_cell() -> None:
    assert 2 * cells.LARGEST == PIXELS


@pytest.mark.parametrize(
    ("lang", "n", "told"),
    [
        ("zh", 9_999, "9999"), ("zh", 12_345, "1.2万"), ("zh", 99_500, "10万"), ("zh", 5_900_000, "590万"),
        ("en", 999, "999"), ("en", 1_234, "1.2k"), ("en", 101_234, "101k"), ("en", 1_250_001, "1.3M"),
    ],
)  # fmt: skip
def test_a_number_says_what_its_circle_has_room_for(lang: str, n: int, told: str) -> None:
    assert number(cells._number(lang), n) == told
    letters = sum(1.0 if letter == "万" else 0.3 if letter == "." else 0.56 for letter in told)
    assert 10.5 * letters < PIXELS


def number(expression: Any, n: int) -> str:
    """What the map makes of these expressions."""
    if not isinstance(expression, list):
        return str(expression)
    kind, *rest = expression
    if kind == "step":
        return number(rest[1::2][bisect.bisect_right(rest[2::2], n)], n)
    if kind == "concat":
        return "".join(number(part, n) for part in rest)
    if kind == "to-string":
        return number(rest[0], n)
    if kind == "get":
        return str(n)
    if kind == "round":
        return str(int(float(number(rest[0], n)) + 0.5))
    if kind == "/":
        return str(float(number(rest[0], n)) / rest[1])
    assert kind == "number-format"
    digits = rest[1]["max-fraction-digits"]
    assert digits, "MapLibre takes 0 for not given"
    return f"{float(number(rest[0], n)):.{digits}f}"
