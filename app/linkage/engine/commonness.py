"""A name that many rows have tells less (term frequency): how much less depends on how far apart two rows are.

A holder of a hundred wells has a hundred others somewhere, but hardly more *beside* a well than a holder of two has:
within 100 m of a row stand as many wells of its holder whether it has three or sixty (counted in the registers of
California and the Philippines). How the number of others at each distance grows with the number of all others is learnt
from pairs within side B: it goes with that number to the power of `growth`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from app.linkage.engine.comparisons import BY_NAME, Levels
from app.linkage.engine.sides import Side
from app.linkage.engine.statistics import COUNTED, Statistics

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST = 3.5
"""A common name never takes, and a rare one never adds, more than this (natural log)."""
DISTANCES = len(BY_NAME["distance"].levels) + 1
"""The last is for pairs without a distance, whose others may be anywhere."""
GROWTH, BELIEVED = 0.5, 10.0
"""What is believed of the power before data are seen, and how firmly; a guess of 2026-11."""


@dataclass(frozen=True)
class Commonness:
    """For each counted field: `growth` and the mean of what it gives (natural log), by level of distance."""

    growth: Mapping[str, Floats] = field(default_factory=dict)
    mean: Mapping[str, Floats] = field(default_factory=dict)

    @classmethod
    def among(
        cls, a: Side, within: Side, rows: Ints, levels: Mapping[str, Levels], statistics: Statistics
    ) -> "Commonness":
        """From pairs of rows of `within` with others of its side, and from how common the values of `a` are."""
        growth, mean = {}, {}
        for name in COUNTED:
            unseen, many = _parts(within, name, statistics)
            same = levels[name] == 0
            powers = np.ones(DISTANCES)
            for at in range(DISTANCES - 1):
                seen = np.bincount(rows[same & (levels["distance"] == at)], minlength=len(within))
                asked = unseen >= 0  # a value that no other row has cannot have others
                powers[at] = _fitted(seen[asked].astype(float), many[asked])
            fewer, others = _parts(a, name, statistics)
            known = getattr(a, name).known()
            growth[name] = powers
            mean[name] = np.array(
                [
                    np.log(np.exp(fewer[known] + power * others[known]).mean()) if known.any() else 0.0
                    for power in powers
                ]
            )
        return cls(growth, mean)

    def of(self, a: Side, i: Ints, levels: Mapping[str, Levels], statistics: Statistics) -> Floats:
        """What to add to the natural-log odds of each pair, for values of the best level."""
        total = np.zeros(len(i))
        for name, powers in self.growth.items():
            unseen, many = _parts(a, name, statistics)
            at = levels["distance"]
            more = unseen[i] + powers[at] * many[i] - self.mean[name][at]
            total -= np.where(levels[name] == 0, np.clip(more, -MOST, MOST), 0.0)
        return total

    def as_json(self) -> dict[str, Any]:
        return {
            "growth": {name: v.tolist() for name, v in self.growth.items()},
            "mean": {name: v.tolist() for name, v in self.mean.items()},
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Commonness":
        """Nothing is added by a model that was kept before this was learnt."""
        return cls(*({n: np.array(v) for n, v in kept.get(part, {}).items()} for part in ("growth", "mean")))


def _parts(side: Side, name: str, statistics: Statistics) -> tuple[Floats, Floats]:
    """Natural logs for each row: whether others are seen at all, and how many of them."""
    texts = getattr(side, name)
    shared = np.append(statistics.sharing(texts, name), 0.0)
    unseen = statistics.unseen[name]
    return (
        np.log(np.minimum(1.0, (shared + unseen) / (1 + unseen)))[texts.rows],
        np.log(np.maximum(1.0, shared))[texts.rows],
    )


def _fitted(seen: Floats, many: Floats) -> float:
    """The power with which counts grow with exp(many): Poisson, with a belief, by bisection of the slope in 0…1."""
    total = seen.sum()
    if not total:
        return GROWTH

    def slope(power: float) -> float:
        weight = np.exp(power * many)
        return float((seen * many).sum() - total * (weight * many).sum() / weight.sum()) - BELIEVED * (
            power - GROWTH
        )

    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return (low + high) / 2
