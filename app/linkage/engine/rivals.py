"""Candidates compete: the probability of a pair given every rival for either of its ends.

If each row has at most one partner, the probabilities of all pairs together are those of a random matching
whose pairs weigh their odds: the monomer-dimer model. Its marginals are found by passing messages between
the ends of each pair (belief propagation), exactly on trees and closely on what registers look like.
A pair of odds w, whose ends hear x and y from it, has the probability x·y / (w + x·y).
Rows of a side that may have several partners simply do not compete.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST_ROUNDS, SETTLED = 40, 1e-3
NO_RIVAL = -7.0
"""Pairs of lower odds (0.1 %) take nothing from others."""
DAMPING = 0.5
FEW_SECONDS, MOST_SECONDS = 0.02, 1.0
"""How often, for each pair, one of its ends has a second partner, before data are seen; a guess of 2026-11."""
MOST_LOG_ODDS = 25.0
"""Beyond it, sums of odds would lose the smaller ones to rounding."""


def marginals(
    i: Ints, j: Ints, log_odds: Floats, *, compete_a: bool = True, compete_b: bool = True
) -> Floats:
    """Probability of each pair, shape (pairs,). `log_odds` are natural, of each pair seen alone."""
    if not len(i):
        return np.empty(0)
    w = np.exp(np.clip(log_odds, -MOST_LOG_ODDS, MOST_LOG_ODDS))
    p: Floats = w / (1 + w)
    matters = np.flatnonzero(log_odds > NO_RIVAL)
    p[matters] = _competing(i[matters], j[matters], w[matters], compete_a, compete_b)
    return p


def _competing(i: Ints, j: Ints, w: Floats, compete_a: bool, compete_b: bool) -> Floats:
    a, b = _numbered(i), _numbered(j)
    from_a, from_b = w.copy(), w.copy()
    for _ in range(MOST_ROUNDS):
        to_b = w / (1 + _others(a, from_b)) if compete_a else w
        to_a = w / (1 + _others(b, to_b)) if compete_b else w
        moved = np.max(np.abs(np.log(to_b / from_a)), initial=0) + np.max(
            np.abs(np.log(to_a / from_b)), initial=0
        )
        from_a = from_a**DAMPING * to_b ** (1 - DAMPING)
        from_b = from_b**DAMPING * to_a ** (1 - DAMPING)
        if moved < SETTLED:
            break
    # What an end hears of a pair excludes the pair itself; together they tell of all rivals.
    return from_a * from_b / (w + from_a * from_b)


def seconds(
    i: Ints, j: Ints, log_odds: Floats, p: Floats, taken: npt.NDArray[np.bool_]
) -> tuple[Floats, float]:
    """Probability that row i has a partner although the partner has another one: (per pair, how often that is).

    `log_odds` are those of a pair whose other end is no rival; only pairs in `taken` (the other end has its
    partner, row i has none) are asked. How often a row is a second one is learnt from these pairs themselves.
    """
    found = np.zeros(len(i))
    at = np.flatnonzero(taken)
    if not len(at):
        return found, FEW_SECONDS
    row = _numbered(i[at])
    free = np.maximum(1 - np.bincount(i, p)[i[at]], 0.02)
    rate = FEW_SECONDS
    for _ in range(4):
        w = rate * np.exp(np.clip(log_odds[at], -MOST_LOG_ODDS, MOST_LOG_ODDS))
        q = w / (1 + np.bincount(row, w)[row])
        rate = min(MOST_SECONDS, max(FEW_SECONDS / 4, float((q * free).sum()) / max(1.0, float(p.sum()))))
    found[at] = q * free
    return found, rate


def _numbered(rows: Ints) -> Ints:
    return np.unique(rows, return_inverse=True)[1]


def _others(ends: Ints, values: Floats) -> Floats:
    """For each pair, the sum over the other pairs of that end."""
    total = np.bincount(ends, values)
    return np.maximum(total[ends] - values, 0)
