"""Tile matrix sets are those of the register, and of 天地图."""

import pytest

from tiles.address import Address, BadAddress
from tiles.matrices import CGCS2000_QUAD, MATRIX_SETS, WEB_MERCATOR_QUAD, WORLD_CRS84_QUAD, MatrixSet


def test_the_registered_sets_have_the_registered_numbers() -> None:
    # OGC 17-083r4, annex D
    assert WEB_MERCATOR_QUAD.matrices[0].scale_denominator == pytest.approx(559082264.0287178, rel=1e-12)
    assert WEB_MERCATOR_QUAD.matrices[24].scale_denominator == pytest.approx(33.3238997476529, rel=1e-12)
    assert len(WEB_MERCATOR_QUAD.matrices) == 25
    assert WORLD_CRS84_QUAD.matrices[0].scale_denominator == pytest.approx(279541132.0143589, rel=1e-12)
    assert WORLD_CRS84_QUAD.matrices[17].cell_size == pytest.approx(0.00000536441802978515, rel=1e-12)
    assert (WORLD_CRS84_QUAD.matrices[3].width, WORLD_CRS84_QUAD.matrices[3].height) == (16, 8)


def test_level_n_plus_1_of_tianditu_is_level_n_of_crs84() -> None:
    for ours, theirs in zip(CGCS2000_QUAD.matrices[1:], WORLD_CRS84_QUAD.matrices, strict=True):
        assert (ours.cell_size, ours.width, ours.height) == (theirs.cell_size, theirs.width, theirs.height)
    assert CGCS2000_QUAD.bounds(0, 0, 0) == (-180, -270, 180, 90)
    assert CGCS2000_QUAD.document()["tileMatrices"][1]["pointOfOrigin"] == [90, -180]


@pytest.mark.parametrize("tms", MATRIX_SETS.values(), ids=MATRIX_SETS.keys())
def test_a_place_lies_in_the_tile_that_the_limits_name(tms: MatrixSet) -> None:
    for z in range(1, tms.max_level + 1):
        found = tms.limits((119.4321, 32.7654, 119.4321, 32.7654), z)
        assert found is not None
        x0, x1, y0, y1 = found
        assert (x0, y0) == (x1, y1)
        west, south, east, north = tms.degrees(z, x0, y0)
        assert west <= 119.4321 < east
        assert south < 32.7654 <= north
        assert Address.parse(str(z), str(x0), str(y0), tms.id).matrix_set is tms


def test_limits_are_those_of_the_world_and_none_beyond_it() -> None:
    assert WORLD_CRS84_QUAD.limits((-200, -100, 200, 100), 2) == (0, 7, 0, 3)
    assert CGCS2000_QUAD.limits((-180, -95, 180, -91), 1) is None


def test_an_address_outside_its_matrix_is_refused() -> None:
    Address.parse("0", "1", "0", "WorldCRS84Quad")
    for parts in (
        ("0", "2", "0", "WorldCRS84Quad"),
        ("1", "0", "1", "CGCS2000Quad"),
        ("0", "0", "0", "Mars"),
        ("18", "0", "0", "WorldCRS84Quad"),
    ):
        with pytest.raises(BadAddress):
            Address.parse(*parts)
