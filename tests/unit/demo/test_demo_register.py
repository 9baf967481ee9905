"""The register before anything is spoilt: its figures, places, codes and caps."""

from collections import Counter
from datetime import date

import numpy as np
import pytest
import shapely

from app.demo import indicators, names, register, scenes, volumes
from app.demo.ground import M_PER_DEGREE, Ground
from app.demo.register import COUNTIES, PREFECTURE, Register
from app.demo.sources import Boundaries, Waters
from app.registry import numbers as permit_numbers
from app.registry import rules


def test_permits_are_spread_as_registers_are(whole: Register) -> None:
    found = volumes.figures([permit.annual_m3 for permit in whole.permits])
    assert found["median_m3"] == pytest.approx(9_100, rel=0.03)
    assert found["ninth_decile_m3"] == pytest.approx(905_000, rel=0.03)
    assert found["top_share"] == pytest.approx(0.89, abs=0.005)


def test_one_lognormal_has_all_three_figures() -> None:
    found = volumes.figures(volumes.lognormal(volumes.ranks(100_000)))
    assert found["median_m3"] == pytest.approx(9_100, rel=0.001)
    assert found["ninth_decile_m3"] == pytest.approx(905_000, rel=0.001)
    assert found["top_share"] == pytest.approx(0.89, abs=0.03)


def test_a_body_that_cannot_sum_to_its_total_is_refused() -> None:
    assert volumes.body(891, 3e8).sum() == pytest.approx(3e8)
    with pytest.raises(ValueError, match="cannot sum"):
        volumes.body(891, 1e6)


def test_each_county_has_about_150_permits_and_more_intakes(whole: Register) -> None:
    permits = Counter(permit.county for permit in whole.permits)
    intakes = Counter(intake.county for intake in whole.intakes)
    assert set(permits) == set(COUNTIES)
    assert all(140 <= n <= 160 for n in permits.values())
    assert all(intakes[code] > permits[code] + 30 for code in COUNTIES)


def test_every_permit_has_an_intake_and_its_volume_is_theirs(whole: Register) -> None:
    by_permit: dict[str, float] = {}
    for intake in whole.intakes:
        if intake.permits:
            by_permit[intake.permits[0]] = by_permit.get(intake.permits[0], 0) + intake.annual_m3
    for permit in whole.permits:
        assert by_permit[permit.number] == pytest.approx(permit.annual_m3, abs=5)


def test_codes_numbers_and_credit_codes_are_unique_and_valid(whole: Register) -> None:
    numbers = [permit.number for permit in whole.permits]
    assert len(set(numbers)) == len(numbers)
    assert all(not permit_numbers.permit_number(number).repaired for number in numbers)
    assert len({intake.code for intake in whole.intakes}) == len(whole.intakes)
    for holder in {intake.holder for intake in whole.intakes}:
        assert rules.credit_code(holder.credit_code) == holder.credit_code


@pytest.mark.parametrize("registrar", ["91", "92", "12", "N2"])
def test_no_credit_code_can_be_a_real_one(registrar: str) -> None:
    code = names.credit_code(names.rng(1, registrar), registrar, 321084)
    assert code[8:11] == "DEM"
    assert rules.credit_code(code) == code


def test_intakes_lie_inside_their_counties_and_outside_the_scene(
    whole: Register, boundaries: Boundaries
) -> None:
    shapes = {code: boundaries.shape(code) for code in COUNTIES}
    kept_free = scenes.keep_out()
    for intake in whole.intakes:
        assert shapely.contains_xy(shapes[intake.county], intake.lon, intake.lat)
        assert not shapely.contains_xy(kept_free, intake.lon, intake.lat)


def test_intakes_of_rivers_and_lakes_stand_on_their_banks(whole: Register, waters: Waters) -> None:
    every = shapely.union_all(
        [*waters.lines["geometry"], *(shapely.boundary(area) for area in waters.areas["geometry"])]
    )
    shapely.prepare(every)
    on_shore = [
        i for i in whole.intakes if i.profile.place in ("shore", "yangtze") and not i.name.endswith("号")
    ]
    away = shapely.distance(every, shapely.points([(i.lon, i.lat) for i in on_shore])) * M_PER_DEGREE
    assert len(on_shore) > 200
    assert np.quantile(away, 0.95) < 80


def test_one_county_has_licensed_more_than_its_cap(whole: Register, grounds: dict[int, Ground]) -> None:
    share = {}
    for code in COUNTIES:
        part = indicators.of_county(code, grounds)
        cap = 1e4 * sum(part[use] for use in indicators.PUBLISHED_10K_M3)
        share[code] = sum(p.annual_m3 for p in whole.permits if p.county == code and p.status == "有效") / cap
    assert [code for code, part in share.items() if part > 1] == [321012]
    assert min(share.values()) > 0.3


def test_caps_add_up_to_the_published_use(grounds: dict[int, Ground]) -> None:
    made = indicators.make(PREFECTURE, grounds)

    def value(region: int, kind: str, purpose: str, year: int = 2025) -> float:
        return next(
            i.value_10k_m3
            for i in made
            if (i.region_code, i.kind, i.purpose, i.level_year) == (region, kind, purpose, year)
        )

    assert value(PREFECTURE, "total_use_cap", "全部") == pytest.approx(361_000 * 1.05)
    assert value(PREFECTURE, "total_use_cap", "农业") == pytest.approx(216_700 * 1.05)
    assert value(PREFECTURE, "groundwater_cap", "全部") == pytest.approx(900 * 1.05)
    for kind, purpose in {(i.kind, i.purpose) for i in made}:
        parts = sum(value(code, kind, purpose) for code in COUNTIES)
        assert parts <= value(PREFECTURE, kind, purpose)
        assert parts == pytest.approx(value(PREFECTURE, kind, purpose), rel=1e-4)


def test_permits_in_force_are_so_on_the_day_of_the_load(whole: Register) -> None:
    day = date(2026, 11, 24)
    for permit in whole.permits:
        if permit.status == "有效":
            assert permit.valid_from <= day <= permit.valid_to
        if permit.status == "到期":
            assert permit.valid_to < day


def test_the_register_follows_from_the_seed(grounds: dict[int, Ground], whole: Register) -> None:
    assert register.make(grounds, 7, date(2026, 11, 24)) == whole
    assert register.make(grounds, 8, date(2026, 11, 24)) != whole
