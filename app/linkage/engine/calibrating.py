"""Probabilities brought in line with what people decided: of pairs said to be 90 %, nine in ten should be right."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
FEWEST, FEWEST_OF_EACH, ENOUGH = 30, 5, 500
"""Below ENOUGH decided pairs a curve of two parameters (Platt) is fitted, from there on any rising one (isotonic)."""
EDGE = 1e-4


def fitted(p: Floats, same: npt.NDArray[np.bool_]) -> dict[str, Sequence[float]] | None:
    """A curve as points `said` → `seen`, both rising; None where too little was decided.

    `p` are the probabilities of decided pairs, `same` what was decided of them, both of shape (pairs,).
    """
    if len(p) < FEWEST or min(same.sum(), (~same).sum()) < FEWEST_OF_EACH:
        return None
    grid = np.concatenate([[0.0], np.linspace(0.01, 0.99, 99), [1.0]])
    if len(p) < ENOUGH:
        from sklearn.linear_model import LogisticRegression

        curve = LogisticRegression().fit(_logit(p)[:, None], same)
        seen = curve.predict_proba(_logit(grid)[:, None])[:, 1]
    else:
        from sklearn.isotonic import IsotonicRegression

        curve = IsotonicRegression(y_min=EDGE, y_max=1 - EDGE, out_of_bounds="clip").fit(p, same)
        seen = curve.predict(grid)
    return {"said": grid.tolist(), "seen": np.maximum.accumulate(seen).tolist()}


def applied(p: Floats, curve: Mapping[str, Sequence[float]] | None) -> Floats:
    """The probabilities by the curve; as they are without one."""
    return p if curve is None else np.interp(p, curve["said"], curve["seen"])


def decided_among(
    i: npt.NDArray[np.int64], j: npt.NDArray[np.int64], ids_a: pa.Array, ids_b: pa.Array, decided: pa.Table
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Which candidate pairs were decided, and how. `decided` has the columns a, b, same."""
    answer: dict[tuple[Any, Any], bool] = {
        (row["a"], row["b"]): bool(row["same"]) for row in decided.to_pylist() if row["same"] is not None
    }
    first, second = {a for a, _ in answer}, {b for _, b in answer}
    in_a, in_b = (
        np.array([key in known for key in ids.to_pylist()], bool)
        for ids, known in ((ids_a, first), (ids_b, second))
    )
    found, same = [], []
    for k in np.flatnonzero(in_a[i] & in_b[j]).tolist():
        key = ids_a[int(i[k])].as_py(), ids_b[int(j[k])].as_py()
        if key in answer:
            found.append(k)
            same.append(answer[key])
    return np.array(found, np.int64), np.array(same, bool)


def _logit(p: Floats) -> Floats:
    clipped = np.clip(p, EDGE, 1 - EDGE)
    found: Floats = np.log(clipped / (1 - clipped))
    return found
