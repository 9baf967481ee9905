"""From a raw score to the chance that a finding is right: isotonic regression on findings whose truth is known.

Findings on one object come back again and again (other draws, other dates), so whole groups are held out when the
error of the calibration is told. Where little is known, the raw score, which is meant as a chance, is believed too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import GroupKFold

from remote_sensing import scoring

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
FOLDS = 5
PRIOR = 20.0
"""The raw score counts as this many findings, spread over 0 to 1: a few decisions turn it little, dozens replace it."""


@dataclass(frozen=True)
class Calibration:
    """A rising line through points; between them it is straight."""

    raw: tuple[float, ...]
    chance: tuple[float, ...]
    findings: int = 0
    """Findings that it was learnt from."""
    ece: float | None = None
    """Calibration error on findings of groups that were held out; None if there were too few."""

    def apply(self, raw: Floats) -> Floats:
        """The chance of each raw score."""
        return np.asarray(np.interp(raw, self.raw, self.chance), np.float64)

    def told(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "raw": list(self.raw),
            "chance": list(self.chance),
            "findings": self.findings,
            "ece": self.ece,
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Calibration":
        """What `told` said. Raises ValueError where it is no rising line."""
        raw, chance = tuple(map(float, told["raw"])), tuple(map(float, told["chance"]))
        if (
            len(raw) != len(chance)
            or len(raw) < 2
            or list(raw) != sorted(raw)
            or list(chance) != sorted(chance)
        ):
            raise ValueError(
                "校准曲线应为递增折线 (a calibration is a rising line through at least two points)"
            )
        return cls(raw, chance, int(told.get("findings", 0)), told.get("ece"))


def fit(raw: Floats, right: Bools, groups: npt.NDArray[np.int64] | None = None) -> Calibration:
    """Learn from findings: raw scores, whether each was right, and the object each lies on (else each is its own)."""
    raw, right = np.asarray(raw, np.float64), np.asarray(right, bool)
    kept = _fitted(raw, right, groups)
    chance = held_out(raw, right, groups)
    error = None if chance is None else scoring.calibration_error(chance, right)
    return Calibration(
        tuple(kept.X_thresholds_.tolist()), tuple(kept.y_thresholds_.tolist()), len(raw), error
    )


def held_out(raw: Floats, right: Bools, groups: npt.NDArray[np.int64] | None = None) -> Floats | None:
    """The chance of each finding, learnt from other groups; None if there are fewer than FOLDS groups."""
    groups = np.arange(len(raw)) if groups is None else groups
    if len(np.unique(groups)) < FOLDS:
        return None
    chance = np.zeros(len(raw))
    for train, test in GroupKFold(FOLDS).split(raw, right, groups):
        chance[test] = _fitted(raw[train], right[train], groups[train]).predict(raw[test])
    return chance


def _fitted(raw: Floats, right: Bools, groups: npt.NDArray[np.int64] | None) -> Any:
    """Every group weighs the same, as one finding would at most, beside the raw score itself."""
    weight = np.ones(len(raw))
    if groups is not None and len(raw):
        _, of, count = np.unique(groups, return_inverse=True, return_counts=True)
        weight = weight / np.sqrt(count[of])
    steps = (np.arange(20) + 0.5) / 20
    # Each step of the prior is right as often as it says.
    x = np.concatenate([raw, steps, steps])
    y = np.concatenate([right.astype(np.float64), np.ones(20), np.zeros(20)])
    w = np.concatenate([weight, PRIOR / 20 * steps, PRIOR / 20 * (1 - steps)])
    return IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(x, y, sample_weight=w)
