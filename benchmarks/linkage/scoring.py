"""Precision, recall, F1 and calibration of proposed pairs against true ones."""

import threading
from collections.abc import Iterable
from contextlib import suppress

import numpy as np
import psutil
import pyarrow as pa

Pair = tuple[str, str]


def accuracy(found: Iterable[Pair], truth: set[Pair]) -> dict[str, float]:
    """Of a set of pairs."""
    pairs = set(found)
    right = len(pairs & truth)
    return {
        "precision": right / max(1, len(pairs)),
        "recall": right / max(1, len(truth)),
        "f1": 2 * right / max(1, len(pairs) + len(truth)),
        "pairs": len(pairs),
    }


def of_linked(pairs: pa.Table, truth: set[Pair]) -> dict[str, float]:
    """Of what the engine gives: chosen pairs, confirmed pairs, and how true its probabilities are."""
    a, b = pairs["a"].to_pylist(), pairs["b"].to_pylist()
    keys = list(zip(a, b, strict=True))
    right = np.array([key in truth for key in keys], float)
    p = np.asarray(pairs["probability"], float)
    chosen = np.array([o != "pending" for o in pairs["outcome"].to_pylist()], bool)
    sure = np.array([d == "confirmed" for d in pairs["decision"].to_pylist()], bool)
    found = accuracy((key for key, yes in zip(keys, chosen, strict=True) if yes), truth)
    return found | {
        "confirmed": float(sure.sum() / max(1, chosen.sum())),
        "confirmed_precision": float(right[sure].mean()) if sure.any() else 1.0,
        "ece": calibration_error(p, right),
        "ece_chosen": calibration_error(p[chosen], right[chosen]),
    }


def calibration_error(p: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error, ten bins of equal width."""
    at = np.minimum((p * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(p[at == k].mean() - right[at == k].mean()) * (at == k).mean()
            for k in range(bins)
            if (at == k).any()
        )
    )


class Peak:
    """The most memory held at once by this process and its children, sampled; shared pages count in each share (PSS)."""

    def __enter__(self) -> "Peak":
        self.mib = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._stop.wait(1.0):
            held = 0
            for process in (own, *own.children(recursive=True)):
                with suppress(psutil.Error):
                    held += process.memory_full_info().pss
            self.mib = max(self.mib, held / 2**20)
