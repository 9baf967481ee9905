"""From probabilities to what is done: which pair is chosen, confirmed or left to a person."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.linkage.engine.comparisons import BY_NAME, Levels
from app.linkage.engine.records import LinkSettings

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
FAR_M_LEVEL = [level.name for level in BY_NAME["distance"].levels].index("10000")


@dataclass(frozen=True)
class Verdicts:
    """Per candidate pair; `order` are the pairs to report, most probable first, `chosen` those chosen."""

    probability: Floats
    outcome: npt.NDArray[np.object_]
    decision: npt.NDArray[np.object_]
    chosen: Ints
    order: Ints


def decide(
    i: Ints, j: Ints, p: Floats, log_odds: Floats, levels: Mapping[str, Levels], settings: LinkSettings
) -> Verdicts:
    """Choose pairs by probability and say what each is."""
    chosen = _chosen(i, j, p, settings)
    is_chosen = np.zeros(len(p), bool)
    is_chosen[chosen] = True
    sure = is_chosen & (p >= settings.confirm_at) & ~conflicts(levels)
    decision = np.where(sure, "confirmed", np.where(p >= settings.keep_at, "doubtful", "rejected")).astype(
        object
    )
    many_a = np.bincount(j[chosen], minlength=int(j.max(initial=0)) + 1)[j] > 1
    many_b = np.bincount(i[chosen], minlength=int(i.max(initial=0)) + 1)[i] > 1
    outcome = np.where(
        ~is_chosen, "pending", np.where(many_b, "one_to_n", np.where(many_a, "n_to_one", "one_to_one"))
    ).astype(object)
    kept = np.flatnonzero(is_chosen | (p >= settings.keep_at))
    return Verdicts(p, outcome, decision, chosen, kept[np.argsort(-p[kept], kind="stable")])


def _chosen(i: Ints, j: Ints, p: Floats, settings: LinkSettings) -> Ints:
    """Pairs of at least `choose_at`; a row that may have one partner only takes its best."""
    good = np.flatnonzero(p >= settings.choose_at)
    good = good[np.argsort(-p[good], kind="stable")]
    if settings.cardinality in ("auto", "one_to_one", "many_to_one"):
        good = good[np.unique(i[good], return_index=True)[1]]
        good = good[np.argsort(-p[good], kind="stable")]
    if settings.cardinality in ("auto", "one_to_one", "one_to_many"):
        good = good[np.unique(j[good], return_index=True)[1]]
    return np.sort(good)


def conflicts(levels: Mapping[str, Levels]) -> npt.NDArray[np.bool_]:
    """Pairs that contradict themselves: a person looks, however probable they are."""
    same_code = np.isin(levels["code"], (0, 1))
    far = levels["distance"] >= FAR_M_LEVEL
    other_number = levels["number"] == len(BY_NAME["number"].levels) - 1
    other_source = levels["source_type"] == 1
    return (same_code & far) | other_number | (other_source & (levels["name"] == 0) & (levels["code"] != 0))
