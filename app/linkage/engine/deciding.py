"""From probabilities to what is done: which pair is chosen, confirmed or left to a person."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.linkage.engine.comparisons import BY_NAME, Levels
from app.linkage.engine.model import Model
from app.linkage.engine.records import LinkSettings
from app.linkage.engine.rivals import seconds

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
MATCHED = 0.5
LISTED = [level.name for level in BY_NAME["number"].levels].index("listed")
LISTED_OFTEN = 50.0
"""How many times likelier than others a row is a second one whose number the other lists: 1-5号井 is five wells. A guess of 2026-11."""
SHARED_NUMBER = [level.name for level in BY_NAME["number"].levels].index("shares")
OTHER_NUMBER = len(BY_NAME["number"].levels) - 1
SAME_CODE = (0, 1)
CLEAR = 2.0
"""Natural log: what is confirmed by rule weighs at least seven times as much as any rival of either row. A pair that is
only sure because its rivals are given away to others is a person's. A guess of 2026-11, checked on registers of four countries."""
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
    many_a = np.bincount(j[chosen], minlength=int(j.max(initial=0)) + 1)[j] > 1
    many_b = np.bincount(i[chosen], minlength=int(i.max(initial=0)) + 1)[i] > 1
    # Two rows with one partner: a well of a field, the same permit, or one of them is wrong, which a person sees.
    explained = (levels["number"] == LISTED) | np.isin(levels["code"], SAME_CODE)
    alone = ~(many_a | many_b) | explained if settings.cardinality == "auto" else True
    clear = np.full(len(p), True)
    for ends, several in ((i, ("one_to_many", "many_to_many")), (j, ("many_to_one", "many_to_many"))):
        if settings.cardinality not in several:
            clear &= log_odds >= _strongest_rival(ends, log_odds) + CLEAR
    sure = is_chosen & (p >= settings.confirm_at) & ~conflicts(levels) & alone & (clear | explained)
    decision = np.where(sure, "confirmed", np.where(p >= settings.keep_at, "doubtful", "rejected")).astype(
        object
    )
    outcome = np.where(
        ~is_chosen, "pending", np.where(many_b, "one_to_n", np.where(many_a, "n_to_one", "one_to_one"))
    ).astype(object)
    kept = np.flatnonzero(is_chosen | (p >= settings.keep_at))
    return Verdicts(p, outcome, decision, chosen, kept[np.argsort(-p[kept], kind="stable")])


def _strongest_rival(ends: Ints, log_odds: Floats) -> Floats:
    """For each pair, the odds of the best other pair of that end."""
    order = np.lexsort((-log_odds, ends))
    first = np.ones(len(order), bool)
    first[1:] = ends[order][1:] != ends[order][:-1]
    best, second = (np.full(int(ends.max(initial=0)) + 1, -np.inf) for _ in range(2))
    best[ends[order[first]]] = log_odds[order[first]]
    runner_up = np.flatnonzero(~first & np.roll(first, 1))
    second[ends[order[runner_up]]] = log_odds[order[runner_up]]
    is_best = np.zeros(len(order), bool)
    is_best[order[first]] = True
    return np.where(is_best, second[ends], best[ends])


def with_seconds(
    i: Ints, j: Ints, p: Floats, log_odds: Floats, levels: Mapping[str, Levels], model: Model
) -> Floats:
    """Probabilities where a row may be a second one: wells of a field that the permit gives as one intake, an
    intake that is in the register twice. Rows that have a partner of their own keep it."""
    listed = levels["number"] == LISTED
    # A field's point and volume are not those of one of its wells.
    own = np.where(listed, -model.weights("volume")[levels["volume"]] + np.log(LISTED_OFTEN), 0.0)
    result = p
    for row, other, alone in ((i, j, 1 - model.share_b), (j, i, 1 - model.share)):
        taken = np.bincount(other, p)[other]
        best = np.zeros(int(row.max(initial=0)) + 1)
        np.maximum.at(best, row, p)
        asked = (best[row] < MATCHED) & (taken >= MATCHED) & (levels["number"] != OTHER_NUMBER)
        extra, _ = seconds(row, other, log_odds + own + np.log(alone), p, asked)
        result = np.maximum(result, np.where(asked, np.minimum(1.0, p + extra), 0.0))
    return result


def one_to_one(i: Ints, j: Ints, p: Floats, least: float) -> Ints:
    """Pairs of at least that probability, each row in one at most: the most probable first."""
    good = np.flatnonzero(p >= least)
    for ends in (i, j):
        good = good[np.argsort(-p[good], kind="stable")]
        good = good[np.unique(ends[good], return_index=True)[1]]
    return good


def _chosen(i: Ints, j: Ints, p: Floats, settings: LinkSettings) -> Ints:
    """Pairs of at least `choose_at`. A row with one partner takes its best; `auto` gives rows left over a taken one."""
    least, kind = settings.choose_at, settings.cardinality
    if kind == "many_to_many":
        return np.flatnonzero(p >= least)
    if kind in ("many_to_one", "one_to_many"):
        return _best_of(i if kind == "many_to_one" else j, p, np.flatnonzero(p >= least))
    chosen = one_to_one(i, j, p, least)
    if kind == "auto":
        for ends in (i, j):
            left = np.flatnonzero((p >= least) & ~np.isin(ends, ends[chosen]))
            chosen = np.union1d(chosen, _best_of(ends, p, left))
    return np.sort(chosen)


def _best_of(ends: Ints, p: Floats, among: Ints) -> Ints:
    """The most probable pair of each row."""
    among = among[np.argsort(-p[among], kind="stable")]
    return among[np.unique(ends[among], return_index=True)[1]]


def conflicts(levels: Mapping[str, Levels]) -> npt.NDArray[np.bool_]:
    """Pairs that contradict themselves: a person looks, however probable they are."""
    same_code = np.isin(levels["code"], SAME_CODE)
    far = levels["distance"] >= FAR_M_LEVEL
    other_number = levels["number"] == OTHER_NUMBER
    other_source = levels["source_type"] == 1
    part_of_number = (levels["number"] == SHARED_NUMBER) & ~same_code
    found: npt.NDArray[np.bool_] = (
        (same_code & far)
        | other_number
        | part_of_number
        | (other_source & (levels["name"] == 0) & (levels["code"] != 0))
    )
    return found
