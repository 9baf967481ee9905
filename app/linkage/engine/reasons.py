"""Why two records are taken for the same intake, in words: Chinese and English."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.linkage.engine.comparisons import COMPARISONS, Levels
from app.linkage.engine.measuring import Measured
from app.linkage.engine.records import REASON

AGAINST = {
    "distance": 6, "name": 4, "number": 4, "holder": 4, "uscc": 2, "code": 4, "source_type": 1, "water_body": 2,
    "place": 3, "county": 1, "purpose": 1, "volume": 3,
}  # fmt: skip
"""From which level on a comparison speaks against the pair."""


def reasons_of(levels: Mapping[str, Levels], metres: Measured) -> pa.Array:
    """The reasons of each pair, list<REASON>; each different set of levels is put in words once."""
    rounded = _rounded(metres)
    if not len(rounded):
        return pa.array([], pa.list_(REASON))
    stacked = np.column_stack([*(levels[c.name].astype(np.int64) for c in COMPARISONS), rounded])
    different, back = np.unique(stacked, axis=0, return_inverse=True)
    told = pa.array([_told(row[:-1].tolist(), int(row[-1])) for row in different], pa.list_(REASON))
    return told.take(pa.array(back.ravel()))


def _rounded(metres: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Two significant digits; -1 for unknown."""
    known = np.nan_to_num(metres, nan=-1.0)
    step = 10 ** np.maximum(0, np.floor(np.log10(np.maximum(known, 1))) - 1)
    return np.where(known < 0, -1, np.round(known / step) * step).astype(np.int64)


def _told(levels: list[int], metres: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for comparison, level in zip(COMPARISONS, levels, strict=True):
        if level < 0:
            continue
        words = comparison.levels[level]
        code = f"{comparison.name}_{words.name}" if comparison.name != "distance" else "distance"
        found.append(
            {
                "code": code,
                "zh": words.zh.format(metres),
                "en": words.en.format(metres),
                "against": level >= AGAINST[comparison.name],
            }
        )
    return found


def sentence(reasons: list[dict[str, str]]) -> str:
    """Reasons as one line, Chinese first, English second."""
    return (
        "；".join(r["zh"] for r in reasons) + " (" + "; ".join(r["en"] for r in reasons) + ")"
        if reasons
        else ""
    )
