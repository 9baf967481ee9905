"""How a spot check 抽查复核 is drawn, so that anybody can draw it again from what is on record.

The notice wants at least 1 % (抽查复核比例不小于1%); here of every stratum, rounded up, so that none is left out:

1. The population is frozen: the ids of all items that wait for the spot check of one province.
2. Its fingerprint is SHA-256 over the ids in ascending order, written in decimal, joined by a comma.
3. A stratum is a source type and a link outcome; of its N members, ceil(N × rate) are drawn.
4. Members are put in the order of SHA-256("<seed>:<id>") in hexadecimal; the first ones of each stratum are drawn.

The seed is drawn by the server after the population was frozen, and recorded with rate and fingerprint.
Plain values in, plain values out.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

ALGORITHM = "sha256-stratified-1"
LEAST_RATE = 0.01
"""抽查复核比例不小于1% (水资管〔2024〕120号 三（一）)."""


@dataclass(frozen=True, slots=True)
class Member:
    """One item of the population."""

    id: int
    source_type: str
    outcome: str

    @property
    def stratum(self) -> str:
        return f"{self.source_type}/{self.outcome}"


def exactly(share: float) -> Fraction:
    """A share as it is written: 0.07 is seven hundredths, and 7 % of 100 are 7."""
    return Fraction(str(share))


def size(members: int, rate: float) -> int:
    """How many of so many are drawn: rounded up, never none of some. Raises ValueError below the least rate."""
    if not LEAST_RATE <= rate <= 1:
        raise ValueError(f"rate {rate} is not between {LEAST_RATE} and 1")
    return ceil(members * exactly(rate))


def fingerprint(ids: Iterable[int]) -> str:
    """SHA-256 of a population, in hexadecimal."""
    return hashlib.sha256(",".join(map(str, sorted(ids))).encode("ascii")).hexdigest()


def rank(seed: str, item_id: int) -> str:
    """The place of an item in the order of a seed."""
    return hashlib.sha256(f"{seed}:{item_id}".encode("ascii")).hexdigest()


def draw(seed: str, population: Iterable[Member], rate: float) -> list[Member]:
    """The sample, by stratum and rank: the same for the same seed, population and rate, in whatever order it came."""
    strata: defaultdict[str, list[Member]] = defaultdict(list)
    for member in population:
        strata[member.stratum].append(member)
    drawn: list[Member] = []
    for _, members in sorted(strata.items()):
        drawn += sorted(members, key=lambda one: rank(seed, one.id))[: size(len(members), rate)]
    return drawn


def passes(wrong: int, judged: int, tolerance: float) -> bool:
    """Does a sample pass: are at most this share of it wrong?"""
    return wrong <= judged * exactly(tolerance)
