"""Figures that say how far masks and objects agree with a truth, with intervals; values in, values out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]
SIZES_M2 = (0.0, 1_000.0, 5_000.0, 20_000.0, 100_000.0, float("inf"))
"""Classes of area that objects are reported by, m²."""
HALF = 0.5
"""An object is found, and a finding right, if at least half of its area is covered."""
REPEATS, SEED, LEVEL = 1_000, 20_261_124, 0.95
BLOCKS = 8
"""Blocks along the longer side of a scene that the bootstrap draws from: neighbouring pixels err together."""


@dataclass(frozen=True)
class Counts:
    """Right, false and missed ones. Adds up."""

    right: float
    false: float
    missed: float

    def figures(self) -> dict[str, float]:
        """IoU, F1, precision and recall; 0 where nothing can be said, 1 where there was nothing and nothing was found."""
        if not self.right + self.false + self.missed:
            return dict.fromkeys(("iou", "f1", "precision", "recall"), 1.0)
        return {
            "iou": self.right / (self.right + self.false + self.missed),
            "f1": 2 * self.right / (2 * self.right + self.false + self.missed),
            "precision": self.right / max(self.right + self.false, 1e-12),
            "recall": self.right / max(self.right + self.missed, 1e-12),
        }


def counts(mask: Bools, truth: Bools, judged: Bools) -> Counts:
    """Pixels of a mask against a truth, where judged."""
    return Counts(
        int((mask & truth & judged).sum()),
        int((mask & ~truth & judged).sum()),
        int((~mask & truth & judged).sum()),
    )


def interval(parts: Sequence[Counts]) -> dict[str, list[float]]:
    """95 % intervals of the figures, by drawing parts (blocks of a scene, objects, seeds) with replacement."""
    if not parts:
        return {}
    table = np.array([[p.right, p.false, p.missed] for p in parts], np.float64)
    drawn = np.random.default_rng(SEED).integers(0, len(table), (REPEATS, len(table)))
    right, false, missed = table[drawn].sum(axis=1).T
    with np.errstate(invalid="ignore", divide="ignore"):
        figures = {
            "iou": right / (right + false + missed),
            "f1": 2 * right / (2 * right + false + missed),
            "precision": right / (right + false),
            "recall": right / (right + missed),
        }
    tail = (1 - LEVEL) / 2
    return {
        name: [round(float(np.nanquantile(v, q)), 4) for q in (tail, 1 - tail)]
        for name, v in figures.items()
        if np.isfinite(v).any()
    }


def by_blocks(mask: Bools, truth: Bools, judged: Bools) -> list[Counts]:
    """Counts of each block of a scene, for `interval`."""
    side = max(1, -(-max(mask.shape) // BLOCKS))
    return [
        counts(mask[at], truth[at], judged[at])
        for row in range(0, mask.shape[0], side)
        for col in range(0, mask.shape[1], side)
        if judged[at := (slice(row, row + side), slice(col, col + side))].any()
    ]


def sizes(area: Array) -> npt.NDArray[np.int64]:
    """The class of SIZES_M2 of each area."""
    return np.searchsorted(SIZES_M2, area, side="right") - 1


def size_name(number: int) -> str:
    """How a class of area is called: "1000-5000" (m²), "100000+"."""
    low, high = SIZES_M2[number], SIZES_M2[number + 1]
    return f"{low:.0f}+" if high == float("inf") else f"{low:.0f}-{high:.0f}"


def by_size(
    true_area: Array, found: Bools, found_area: Array, right: Bools, **more: Mapping[int, float]
) -> dict[str, dict[str, float | int | None]]:
    """Objects by class of area: how many true ones were found, and how many findings are right."""
    true_class, found_class = sizes(true_area), sizes(found_area)
    made: dict[str, dict[str, float | int | None]] = {}
    for number in range(len(SIZES_M2) - 1):
        truths, findings = true_class == number, found_class == number
        if not truths.any() and not findings.any():
            continue
        made[size_name(number)] = {
            "truth": int(truths.sum()),
            "found": int(found[truths].sum()),
            "recall": float(found[truths].mean()) if truths.any() else None,
            "findings": int(findings.sum()),
            "right": int(right[findings].sum()),
            "precision": float(right[findings].mean()) if findings.any() else None,
            **{name: values.get(number) for name, values in more.items()},
        }
    return made


def bodies(mask: Bools, other: Bools, judged: Bools) -> tuple[Array, Bools]:
    """The 8-connected objects of a mask: pixels of each that are judged, and whether `other` covers half of them."""
    labels = cc3d.connected_components((mask & judged).astype(np.uint8), connectivity=8)
    pixels = np.bincount(labels.ravel())[1:]
    covered = np.bincount(labels[other & judged], minlength=len(pixels) + 1)[1:]
    return pixels, np.asarray(covered >= HALF * pixels, bool)


def calibration_error(score: Array, right: Bools, bins: int = 10) -> float:
    """Expected calibration error: mean of |score − share that is right| over bins of equal width, by their number."""
    if not len(score):
        return 0.0
    which = np.minimum((score * bins).astype(np.int64), bins - 1)
    number = np.bincount(which, minlength=bins)
    gap = np.abs(np.bincount(which, score, bins) - np.bincount(which, right, bins))
    return float(gap.sum() / number.sum())
