"""Keys: every tile is one contiguous range of positions, and of cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiles.address import Address, BadAddress
from tiles.keys import BITS, WORLD, cell_range, morton, morton_of, point_range, unmorton, world, world_box

coordinate = st.integers(0, 2**BITS - 1)


def interleaved(x: int, y: int) -> int:
    """The plain definition, bit by bit."""
    return sum(((x >> i & 1) << 2 * i) | ((y >> i & 1) << 2 * i + 1) for i in range(BITS))


@given(x=coordinate, y=coordinate)
def test_the_key_interleaves_the_bits(x: int, y: int) -> None:
    assert morton_of(x, y) == interleaved(x, y)


@given(x=coordinate, y=coordinate)
def test_a_key_gives_back_its_position(x: int, y: int) -> None:
    back = unmorton(np.array([interleaved(x, y)]))
    assert [int(one[0]) for one in back] == [x, y]


@given(x=coordinate, y=coordinate, z=st.integers(0, 22))
def test_a_position_lies_in_the_range_of_its_tile_and_in_no_other(x: int, y: int, z: int) -> None:
    key = morton_of(x, y)
    tile = Address(z, x >> (BITS - z), y >> (BITS - z))
    lo, hi = point_range(tile)
    assert lo <= key < hi
    if z:
        lo, hi = point_range(Address(z, tile.x ^ 1, tile.y))
        assert not lo <= key < hi


@given(x=coordinate, y=coordinate, z=st.integers(0, 9))
def test_a_cell_lies_in_the_range_of_its_tile_at_every_zoom(x: int, y: int, z: int) -> None:
    depth = z + 5
    cell = (1 << 2 * depth) | (morton_of(x, y) >> 2 * (BITS - depth))
    lo, hi = cell_range(Address(z, x >> (BITS - z), y >> (BITS - z)), 5)
    assert lo <= cell < hi


@given(lon=st.floats(-180, 179.999999), lat=st.floats(-85, 85))
def test_degrees_come_back_within_two_centimetres(lon: float, lat: float) -> None:
    x, y = (int(v) for v in world(lon, lat))
    back_lon = x / 2**BITS * 360 - 180
    back_lat = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * y / 2**BITS))))
    assert abs(back_lon - lon) < 2e-7
    assert abs(back_lat - lat) < 2e-7


@given(
    lons=st.tuples(st.floats(-180, 180), st.floats(-180, 180)),
    lats=st.tuples(st.floats(-90, 90), st.floats(-90, 90)),
    margin=st.sampled_from([0, 2, 4096]),
)
def test_a_box_has_the_edges_of_its_corners(
    lons: tuple[float, float], lats: tuple[float, float], margin: int
) -> None:
    west, east = sorted(lons)
    south, north = sorted(lats)
    (x0, x1), (y0, y1) = world([west, east], [north, south])
    wanted = np.clip([x0 - margin, y0 - margin, x1 + margin, y1 + margin], 0, WORLD - 1)
    found = world_box((west, south, east, north), margin)
    assert np.abs(np.array(found) - wanted).max() <= 1


def test_many_keys_at_once_are_the_same_keys() -> None:
    x, y = np.array([0, 5, 2**BITS - 1]), np.array([0, 9, 2**BITS - 1])
    assert morton(x, y).tolist() == [interleaved(int(a), int(b)) for a, b in zip(x, y, strict=True)]


@pytest.mark.parametrize(
    "parts",
    [
        ("a", "0", "0"),
        ("1", "2", "0"),
        ("1", "0", "-1"),
        ("25", "0", "0"),
        ("9", "9" * 30, "1"),
        ("１", "0", "0"),
    ],
)
def test_what_is_no_address_is_refused_in_words(parts: tuple[str, str, str]) -> None:
    with pytest.raises(BadAddress, match=r"\("):
        Address.parse(*parts)
