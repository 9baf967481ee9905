"""A spot check: at least one per cent of every kind, never none, and drawn again by anybody."""

import hashlib
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.review.sampling import Member, draw, exactly, fingerprint, passes, rank, size

SOURCES = ("surface_water", "groundwater", "unconventional_water", "unknown")
OUTCOMES = ("one_to_one", "n_to_one", "one_to_n", "intake_without_permit", "permit_without_intake", "exempt")
populations = st.lists(
    st.builds(Member, st.integers(1, 10**12), st.sampled_from(SOURCES), st.sampled_from(OUTCOMES)),
    max_size=300,
    unique_by=lambda member: member.id,
)
seeds = st.text("0123456789abcdef", min_size=8, max_size=32)
rates = st.sampled_from((0.01, 0.015, 0.02, 0.05, 0.07, 0.1, 0.5, 1.0))


@given(seeds, populations, rates)
def test_at_least_the_rate_is_drawn_and_never_none_of_some(
    seed: str, population: list[Member], rate: float
) -> None:
    drawn = draw(seed, population, rate)
    assert len(drawn) >= len(population) * exactly(rate)
    assert bool(drawn) == bool(population)
    assert len(set(drawn)) == len(drawn) and set(drawn) <= set(population)


@given(seeds, populations, rates)
def test_every_stratum_is_covered_at_the_rate_and_not_beyond(
    seed: str, population: list[Member], rate: float
) -> None:
    there, found = (
        Counter(one.stratum for one in population),
        Counter(one.stratum for one in draw(seed, population, rate)),
    )
    assert there.keys() == found.keys()
    for stratum, n in there.items():
        assert n * exactly(rate) <= found[stratum] < n * exactly(rate) + 1


@given(seeds, populations, rates, st.randoms(use_true_random=False))
def test_the_order_in_which_the_population_comes_does_not_matter(
    seed: str, population: list[Member], rate: float, random: object
) -> None:
    shuffled = list(population)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert draw(seed, shuffled, rate) == draw(seed, population, rate)
    assert fingerprint(one.id for one in shuffled) == fingerprint(one.id for one in population)


def test_another_seed_draws_another_sample() -> None:
    population = [Member(n, "groundwater", "one_to_one") for n in range(1000)]
    assert draw("a1", population, 0.05) != draw("b2", population, 0.05)


def test_the_sample_can_be_drawn_again_by_the_words_of_the_documentation() -> None:
    """As docs/users/review.md tells it, without our code."""
    ids, seed = range(500, 1700), "5f0c"
    by_hand = sorted(ids, key=lambda i: hashlib.sha256(f"{seed}:{i}".encode()).hexdigest())[:12]
    assert [m.id for m in draw(seed, [Member(i, "surface_water", "exempt") for i in ids], 0.01)] == by_hand
    assert fingerprint(ids) == hashlib.sha256(",".join(str(i) for i in ids).encode()).hexdigest()
    assert rank(seed, 500) == hashlib.sha256(b"5f0c:500").hexdigest()


@pytest.mark.parametrize(
    ("members", "rate", "drawn"),
    [(1, 0.01, 1), (100, 0.01, 1), (101, 0.01, 2), (700, 0.01, 7), (0, 0.01, 0), (100, 0.07, 7)],
)
def test_sizes_are_rounded_up_without_the_errors_of_floating_point(
    members: int, rate: float, drawn: int
) -> None:
    assert size(members, rate) == drawn


def test_less_than_one_per_cent_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.01"):
        size(100, 0.009)


@given(st.integers(0, 500), st.integers(0, 500), st.sampled_from((0.0, 0.01, 0.05, 0.1)))
def test_a_sample_passes_with_at_most_the_tolerated_share_wrong(
    judged: int, wrong: int, tolerance: float
) -> None:
    wrong = min(wrong, judged)
    share = Fraction(wrong, judged) if judged else Fraction(0)
    assert passes(wrong, judged, tolerance) == (share <= exactly(tolerance))
