"""Jurisdictions: what a prefix means, and whom it covers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.actor import PUBLIC, Actor, Jurisdiction, Permission, Role
from app.errors import InvalidInput


@pytest.mark.parametrize(
    ("prefix", "lo", "hi"),
    [
        ("32", 320000, 330000),
        ("3210", 321000, 321100),
        ("321084", 321084, 321085),
        ("321000", 321000, 321100),
        ("320000", 320000, 330000),
    ],
)
def test_a_prefix_covers_all_codes_that_begin_with_it(prefix: str, lo: int, hi: int) -> None:
    assert Jurisdiction.of_region(prefix) == Jurisdiction(lo, hi)


@pytest.mark.parametrize("prefix", ["", "3", "321", "32100", "3210000", "ab", "３２", "-1"])
def test_anything_else_is_refused_with_the_value_named(prefix: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Jurisdiction.of_region(prefix)
    assert caught.value.facts["value"] == prefix


@given(county=st.integers(110101, 659999), digits=st.sampled_from([2, 4, 6]))
def test_a_county_lies_in_the_jurisdiction_of_each_of_its_prefixes(county: int, digits: int) -> None:
    assert Jurisdiction.of_region(str(county)[:digits]).covers(county)


def test_nowhere_covers_nothing_and_a_basin_only_its_own() -> None:
    assert not Jurisdiction.nowhere().covers(321084)
    assert Jurisdiction.of_basin(3).covers(321084, 3)
    assert not Jurisdiction.of_basin(3).covers(321084, 1)
    assert not Jurisdiction.of_basin(3).covers(321084, None)


def test_the_public_may_do_nothing_and_sees_public_fields() -> None:
    assert PUBLIC.audience == "public"
    assert not any(PUBLIC.may(permission) for permission in Permission)


def test_every_account_reads_and_only_an_administrator_administers() -> None:
    for role in set(Role) - {Role.PUBLIC}:
        actor = Actor("x", role, Jurisdiction.nation(), 1)
        assert actor.audience == "officer"
        assert actor.may(Permission.ADMINISTER) is (role is Role.ADMIN)
