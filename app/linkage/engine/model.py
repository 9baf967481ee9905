"""The model: what each level is worth, and how likely a row has a partner. Plain numbers, kept as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from app.linkage.engine.commonness import Commonness
from app.linkage.engine.comparisons import BY_NAME, COMPARISONS, Levels, levels_of
from app.linkage.engine.measuring import Measured
from app.linkage.engine.sides import Side
from app.linkage.engine.statistics import Statistics

VERSION = 1
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAST = 1e-5
CONDITIONAL = (
    "distance",
    "name",
    "place",
    "water_body",
    "source_type",
    "county",
    "purpose",
    "volume",
    "uscc",
)
"""What kin have in common more often than strangers."""
KIN_LEVEL = 1
"""Holders nearly the same, or better."""


@dataclass(frozen=True)
class Model:
    """m and u of every level by comparison.

    Pairs that are not the same are strangers or kin: other intakes of the same holder (or of the same name, where
    no holder is said), which lie near each other and are called nearly the same. Each kind has its own u.
    """

    m: Mapping[str, Floats]
    u: Mapping[str, Floats]
    u_kin: Mapping[str, Floats]
    share: float
    """Part of the rows of A that have a partner in B."""
    share_b: float
    """Part of the rows of B that have a partner in A."""
    crowd: float
    """Candidates that a row has, on average."""
    statistics: Statistics
    commonness: Commonness = field(default_factory=Commonness)
    calibration: Mapping[str, Any] | None = None

    @classmethod
    def prior(cls, statistics: Statistics, share: float = 0.5) -> "Model":
        """What is believed before any data is seen."""
        return cls(
            {
                c.name: np.array([level.m for level in c.levels]) / sum(level.m for level in c.levels)
                for c in COMPARISONS
            },
            {
                c.name: np.array([level.u for level in c.levels]) / sum(level.u for level in c.levels)
                for c in COMPARISONS
            },
            {
                c.name: np.array([level.u for level in c.levels]) / sum(level.u for level in c.levels)
                for c in COMPARISONS
            },
            share,
            share,
            10.0,
            statistics,
        )

    def weights(self, name: str, *, kin: bool = False) -> Floats:
        """Natural-log Bayes factor of each level, the last entry for no evidence; never rising as levels worsen."""
        m, u = self.m[name], (self.u_kin if kin else self.u)[name]
        ratio = np.log(np.maximum(m, LEAST)) - np.log(np.maximum(u, LEAST))
        return np.append(_falling(ratio, m + u), 0.0)

    def log_odds(self, a: Side, b: Side, i: Ints, j: Ints, levels: Mapping[str, Levels]) -> Floats:
        """Natural-log odds of each pair seen alone."""
        total = np.full(len(i), self.prior_log_odds())
        related = kin(levels)
        for name, found in levels.items():
            # What makes two records kin is itself evidence, not something that kin have in common.
            own = (levels["holder"] < 0) if name == "name" else False
            total += np.where(related & ~own, self.weights(name, kin=True)[found], self.weights(name)[found])
        return total + self.commonness.of(a, i, levels, self.statistics)

    def prior_log_odds(self) -> float:
        """What a pair weighs before it is looked at.

        A row's chance of a partner is shared among its candidates; it is set against the chance that *both* ends
        have none, for that is what a matching without the pair means (`rivals.py`).
        """
        alone = (1 - self.share) * (1 - self.share_b)
        return float(np.log(self.share / self.crowd) - np.log(alone))

    def as_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "share": self.share,
            "share_b": self.share_b,
            "crowd": self.crowd,
            "comparisons": {
                c.name: {
                    "levels": [v.name for v in c.levels],
                    "m": self.m[c.name].tolist(),
                    "u": self.u[c.name].tolist(),
                    "u_kin": self.u_kin[c.name].tolist(),
                }
                for c in COMPARISONS
            },
            "statistics": self.statistics.as_json(),
            "commonness": self.commonness.as_json(),
            "calibration": self.calibration,
        }  # fmt: skip

    @classmethod
    def from_json(cls, kept: Any) -> "Model":
        """Raises ValueError for what is no model, and for a model of another version."""
        if not isinstance(kept, Mapping) or "version" not in kept:
            raise ValueError("this is no model of a linkage")
        if kept["version"] != VERSION:
            raise ValueError(f"the model is of version {kept['version']}, not {VERSION}")
        try:
            return cls._read(kept)
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no model of a linkage: {error!r}") from error

    @classmethod
    def _read(cls, kept: Mapping[str, Any]) -> "Model":
        given = kept["comparisons"]
        for name, comparison in BY_NAME.items():
            if given[name]["levels"] != [level.name for level in comparison.levels]:
                raise ValueError(f"the levels of {name} in the model are others than today's")
        return cls(
            {name: np.array(given[name]["m"]) for name in BY_NAME},
            {name: np.array(given[name]["u"]) for name in BY_NAME},
            {name: np.array(given[name]["u_kin"]) for name in BY_NAME},
            kept["share"],
            kept["share_b"],
            kept["crowd"],
            Statistics.from_json(kept["statistics"]),
            Commonness.from_json(kept.get("commonness", {})),
            kept["calibration"],
        )


def kin(levels: Mapping[str, Levels]) -> npt.NDArray[np.bool_]:
    """Pairs of the same holder, or of the same name where a holder is missing."""
    holder = levels["holder"]
    found: npt.NDArray[np.bool_] = ((holder >= 0) & (holder <= KIN_LEVEL)) | (
        (holder < 0) & (levels["name"] == 0)
    )
    return found


def all_levels(measured: Mapping[str, Measured]) -> dict[str, Levels]:
    """Levels of every comparison."""
    return {c.name: levels_of(c, measured[c.name]) for c in COMPARISONS}


def _falling(values: Floats, weights: Floats) -> Floats:
    """The nearest sequence that never rises (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append([value, max(weight, 1e-9), 1])
        while len(blocks) > 1 and blocks[-2][0] < blocks[-1][0]:
            v, w, n = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + v * w) / (last[1] + w)
            last[1] += w
            last[2] += n
    return np.concatenate([np.full(int(n), v) for v, _, n in blocks])
