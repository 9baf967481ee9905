"""How common things are: pairs of characters, and whole names. Small enough to be kept in a model."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.linkage.engine.grams import BITS
from app.linkage.engine.sides import Side, Texts

FIELDS = ("name", "holder", "place", "water_body")
COUNTED = ("name", "holder")
FEWEST_OTHERS = 0.2
"""What a value that no other row has is taken to be shared by at least: registers are never complete. A guess of 2026-11."""
MOST_VALUES = 20_000
MOST = 4_000
"""What is commoner than anything else is remembered; all else counts as rare."""


@dataclass(frozen=True)
class Statistics:
    """Frequencies by field, in parts of the values (`grams`) and of the rows (`values`)."""

    grams: Mapping[str, Mapping[int, float]]
    values: Mapping[str, Mapping[str, float]]
    rare: Mapping[str, float]
    """The frequency of what is not remembered."""
    words: Mapping[str, Mapping[str, float]]
    """Of words of Latin names, in parts of the values."""
    unseen: Mapping[str, float]
    """How many other rows have a value that no other row of the side has, as far as can be told (Good–Turing)."""

    @classmethod
    def of(cls, *sides: Side) -> "Statistics":
        grams, values, rare, words, unseen = {}, {}, {}, {}, {}
        for field in FIELDS:
            texts: list[Texts] = [getattr(side, field) for side in sides]
            documents = max(1, sum(len(t.values) for t in texts))
            counted = np.sum([t.grams.document_frequency() for t in texts], axis=0)
            top = _most(counted)
            grams[field] = {int(k): float(counted[k] / documents) for k in top}
            rare[field] = 1 / documents
            words[field] = _word_frequencies(texts, documents)
        for field in COUNTED:
            texts = [getattr(side, field) for side in sides]
            values[field] = _repeated(texts)
            unseen[field] = _unseen(texts)
        return cls(grams, values, rare, words, unseen)

    def idf(self, field: str) -> npt.NDArray[np.float32]:
        """Weight of each pair of characters, shape (2^BITS,)."""
        rare = self.rare[field]
        found = np.full(1 << BITS, -np.log(rare) + 0.1, np.float32)
        known = self.grams[field]
        found[np.fromiter(known, np.int64, len(known))] = [0.1 - np.log(min(1.0, f)) for f in known.values()]
        return found

    def word_weights(self, field: str) -> tuple[Mapping[str, float], float]:
        """What each remembered word tells (natural log), and what any other does."""
        rare = float(0.1 - np.log(self.rare[field]))
        return {word: float(0.1 - np.log(min(1.0, f))) for word, f in self.words[field].items()}, rare

    def sharing(self, texts: Texts, field: str) -> npt.NDArray[np.float64]:
        """How many other rows of a side have each value, shape (values,)."""
        known = self.values[field]
        return np.array([known.get(v.core, 0.0) for v in texts.values], np.float64)

    def as_json(self) -> dict[str, Any]:
        return {"grams": {f: {str(k): round(v, 7) for k, v in g.items()} for f, g in self.grams.items()},
                "values": self.values, "rare": self.rare, "words": self.words, "unseen": self.unseen}  # fmt: skip

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Statistics":
        grams = {f: {int(k): v for k, v in g.items()} for f, g in kept["grams"].items()}
        return cls(grams, kept["values"], kept["rare"], kept["words"], kept.get("unseen", {}))


def _most(counted: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    found = np.flatnonzero(counted > 1)
    return found[np.argsort(-counted[found], kind="stable")[:MOST]]


def _word_frequencies(texts: list[Texts], documents: int) -> dict[str, float]:
    counted = Counter(
        word for column in texts for value in column.values if value.latin for word in set(value.words)
    )
    return {word: round(count / documents, 7) for word, count in counted.most_common(MOST) if count > 1}


def _repeated(texts: list[Texts]) -> dict[str, float]:
    """How many other rows of a side have a value (the mean of the sides), for values that repeat."""
    shared: dict[str, float] = {}
    for column in texts:
        for core, count in _counted(column).items():
            if count > 1:
                shared[core] = shared.get(core, 0.0) + (count - 1) / len(texts)
    often = sorted(shared.items(), key=lambda item: (-item[1], item[0]))[:MOST_VALUES]
    return dict(often)


def _counted(column: Texts) -> Counter[str]:
    found: Counter[str] = Counter()
    for value, count in zip(column.values, column.counts.tolist(), strict=True):
        found[value.core] += count
    return found


def _unseen(texts: list[Texts]) -> float:
    """Of a value that one row has: how many rows of another register as large would have it, by Good and Turing's
    count of those that two rows have. Holders of two wells each turn up with one in either register."""
    once = twice = 0
    for column in texts:
        counts = Counter(_counted(column).values())
        once, twice = once + counts[1], twice + counts[2]
    return max(FEWEST_OTHERS, 2 * twice / max(once, 1)) if twice else FEWEST_OTHERS
