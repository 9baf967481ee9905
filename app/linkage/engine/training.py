"""A model from the data, without labels.

First Splink's expectation maximisation, pair by pair; then the same step with rivals (`rivals.py`): each row
has one partner at most, which tells far more about small and crowded registers than pairs alone do.
What is not the same is learnt from pairs *within* side B as well, for no two of its rows are the same intake:
neighbouring wells of one holder with nearly the same name, which strangers drawn at random would never show.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.linkage.engine.blocking import Blocks
from app.linkage.engine.comparisons import COMPARISONS, PRIOR_PAIRS, Levels
from app.linkage.engine.measuring import measures
from app.linkage.engine.model import Model, all_levels
from app.linkage.engine.rivals import marginals
from app.linkage.engine.sides import Side

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
ROUNDS = 12
NEGATIVE_ROWS = 6_000
LEAST_OF_PRIOR = 0.4
"""No level is taken to be rarer among true pairs than this part of what experience says: else the first rounds, which
find the easy pairs, would teach the later ones that there are no others."""


@dataclass(frozen=True)
class Sample:
    """Candidate pairs to learn from."""

    a: Side
    b: Side
    i: Ints
    j: Ints
    levels: Mapping[str, Levels]
    unlike: Mapping[str, Levels]
    """Levels of pairs within B."""


def sample(a: Side, b: Side, blocks: Blocks, model: Model, within: Side) -> Sample:
    """Candidates of `a` in `b`, and of `within` (a part of `b`) in `b`."""
    i, j = blocks.candidates(a)
    levels = all_levels(measures(a, b, i, j, model.statistics))
    x, y = blocks.candidates(within)
    other = np.asarray(within.ids.take(x)) != np.asarray(b.ids.take(y))
    unlike = all_levels(measures(within, b, x[other], y[other], model.statistics))
    return Sample(a, b, i, j, levels, _without_duplicates(unlike))


def _without_duplicates(levels: Mapping[str, Levels]) -> Mapping[str, Levels]:
    """Pairs within a side that agree in everything said are the same intake twice."""
    agree = np.ones(len(levels["name"]), bool)
    for name in ("distance", "name", "number", "holder", "code"):
        agree &= levels[name] <= 0
    return {name: found[~agree] for name, found in levels.items()}


def refined(model: Model, seen: Sample) -> Model:
    """Expectation maximisation with rivals, from the given model."""
    for _ in range(ROUNDS):
        odds = model.log_odds(seen.a, seen.b, seen.i, seen.j, seen.levels)
        p = marginals(seen.i, seen.j, odds)
        model = _maximised(model, seen, p)
    return model


def _maximised(model: Model, seen: Sample, p: Floats) -> Model:
    prior = Model.prior(model.statistics)
    m, u = {}, {}
    for comparison in COMPARISONS:
        name, size = comparison.name, len(comparison.levels)
        levels = seen.levels[name]
        known = levels >= 0
        same = np.bincount(levels[known], p[known], size)
        other = np.bincount(levels[known], 1 - p[known], size)
        within = seen.unlike[name]
        other = other + np.bincount(within[within >= 0], minlength=size)
        m[name] = np.maximum(_smoothed(same, prior.m[name]), prior.m[name] * LEAST_OF_PRIOR)
        m[name] /= m[name].sum()
        u[name] = _smoothed(other, prior.u[name])
    found = float(p.sum())
    rows = len(np.unique(seen.i))
    share = min(0.98, max(0.02, (found + 2) / (rows + 4)))
    return model.with_rates(m, u, share)


def _smoothed(counts: Floats, prior: Floats) -> Floats:
    found: Floats = (counts + PRIOR_PAIRS * prior) / (counts.sum() + PRIOR_PAIRS)
    return found
