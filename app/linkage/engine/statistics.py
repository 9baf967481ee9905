"""How common things are: pairs of characters, and whole names. Small enough to be kept in a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.linkage.engine.grams import BITS
from app.linkage.engine.sides import Side, Texts

FIELDS = ("name", "holder", "place", "water_body")
COUNTED = ("name", "holder")
MOST = 4_000
"""What is commoner than anything else is remembered; all else counts as rare."""


@dataclass(frozen=True)
class Statistics:
    """Frequencies by field, in parts of the values (`grams`) and of the rows (`values`)."""

    grams: Mapping[str, Mapping[int, float]]
    values: Mapping[str, Mapping[str, float]]
    rare: Mapping[str, float]
    """The frequency of what is not remembered."""

    @classmethod
    def of(cls, *sides: Side) -> "Statistics":
        grams, values, rare = {}, {}, {}
        for field in FIELDS:
            texts: list[Texts] = [getattr(side, field) for side in sides]
            documents = max(1, sum(len(t.values) for t in texts))
            counted = sum(t.grams.document_frequency() for t in texts)
            top = _most(counted)
            grams[field] = {int(k): float(counted[k] / documents) for k in top}
            rare[field] = 1 / documents
        for field in COUNTED:
            values[field] = _frequencies([getattr(side, field) for side in sides])
        return cls(grams, values, rare)

    def idf(self, field: str) -> npt.NDArray[np.float32]:
        """Weight of each pair of characters, shape (2^BITS,)."""
        rare = self.rare[field]
        found = np.full(1 << BITS, -np.log(rare) + 0.1, np.float32)
        known = self.grams[field]
        found[np.fromiter(known, np.int64, len(known))] = [0.1 - np.log(min(1.0, f)) for f in known.values()]
        return found

    def common(self, texts: Texts, field: str) -> npt.NDArray[np.float64]:
        """Part of the rows that have each value of `texts`, shape (values,)."""
        known, rare = self.values[field], self.rare[field]
        return np.array([known.get(v.core, rare) for v in texts.values] or [rare])

    def repeated(self, field: str) -> float:
        """How likely two random rows have the same value."""
        known = self.values[field]
        return max(self.rare[field], float(sum(f * f for f in known.values())))

    def as_json(self) -> dict[str, Any]:
        return {"grams": {f: {str(k): round(v, 7) for k, v in g.items()} for f, g in self.grams.items()},
                "values": self.values, "rare": self.rare}  # fmt: skip

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Statistics":
        grams = {f: {int(k): v for k, v in g.items()} for f, g in kept["grams"].items()}
        return cls(grams, kept["values"], kept["rare"])


def _most(counted: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    found = np.flatnonzero(counted > 1)
    return found[np.argsort(-counted[found], kind="stable")[:MOST]]


def _frequencies(texts: list[Texts]) -> dict[str, float]:
    counted: dict[str, int] = {}
    rows = 0
    for column in texts:
        rows += int(column.counts.sum())
        for value, count in zip(column.values, column.counts.tolist(), strict=True):
            counted[value.core] = counted.get(value.core, 0) + count
    often = sorted((item for item in counted.items() if item[1] > len(texts)), key=lambda kv: (-kv[1], kv[0]))
    return {core: count / max(1, rows) for core, count in often[:MOST]}
