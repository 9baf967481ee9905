"""A model from the data, without labels.

First Splink's expectation maximisation, pair by pair; then the same step with rivals (`rivals.py`): each row
has one partner at most, which tells far more about small and crowded registers than pairs alone do.
What is not the same is learnt from pairs *within* each side, for no two of its rows are the same intake: neighbouring wells
of one holder with nearly the same name, which strangers drawn at random would never show. Pairs between the sides that are
not likely tell of it too, by the part of the rows that have a partner: where all have one, it outdoes whatever looks alike,
which then is among them; where few have one, what looks alike by chance is taken for likely and would be missed. There pairs
within A count instead: where B was copied from A, its rows lie further apart than rows of A from rows of B.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.linkage.engine import splinking
from app.linkage.engine.blocking import Blocks
from app.linkage.engine.commonness import Commonness
from app.linkage.engine.comparisons import COMPARISONS, PRIOR_PAIRS, Levels
from app.linkage.engine.measuring import Measured, measures
from app.linkage.engine.model import CONDITIONAL, Model, all_levels, kin
from app.linkage.engine.records import LinkSettings
from app.linkage.engine.rivals import marginals
from app.linkage.engine.sides import Side

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
ROUNDS = 12
NEGATIVE_ROWS = 6_000
LEAST_OF_PRIOR = 0.5
"""No level is taken to be rarer among true pairs than this part of what experience says: else the first rounds, which
find the easy pairs, would teach the later ones that there are no others."""


@dataclass(frozen=True)
class Sample:
    """Candidate pairs to learn from."""

    a: Side
    b: Side
    i: Ints
    j: Ints
    measured: Mapping[str, Measured]
    levels: Mapping[str, Levels]
    unlike: Mapping[str, Levels]
    """Levels of pairs within a side, those within B first."""
    within_b: int
    """How many of them are within B."""
    commonness: Commonness


MOST_SHARE = 0.97
MOST_PER_ROW = 1.1
UNLIKELY = 0.1
"""Pairs between the sides more probable than this teach nothing of what is not the same: half-believed true pairs would."""


def sample(a: Side, b: Side, blocks: Blocks, model: Model, within: Side, of_a: Side) -> Sample:
    """Candidates of `a` in `b`, of `within` (a part of `b`) in `b`, and of `of_a` (a part of side A) in itself."""
    i, j = blocks.candidates(a)
    measured = measures(a, b, i, j, model.statistics)
    levels = all_levels(measured)
    x, y = blocks.candidates(within)
    other = np.asarray(within.ids.take(x)) != np.asarray(b.ids.take(y))
    x, y = x[other], y[other]
    neighbours = all_levels(measures(within, b, x, y, model.statistics))
    commonness = Commonness.among(a, within, x, neighbours, model.statistics)
    x, y = Blocks(of_a).candidates(of_a)
    x, y = x[x != y], y[x != y]
    others = all_levels(measures(of_a, of_a, x, y, model.statistics))
    unlike = {name: np.concatenate([found, others[name]]) for name, found in neighbours.items()}
    return Sample(a, b, i, j, measured, levels, unlike, len(neighbours["name"]), commonness)


def estimated(model: Model, seen: Sample, settings: LinkSettings) -> Model:
    """The model as Splink estimates it; as it was, where Splink's answer cannot be.

    Pairs seen one by one, the commonest likeness of crowded registers is that of neighbours, not of the same
    intake: then Splink takes more pairs for matches than there are rows, and experience is the better start.
    """
    nothing = np.zeros(len(seen.i))
    start = _maximised(model, seen, nothing)
    matching = min(0.5, 0.5 / max(1.0, start.crowd))
    found = splinking.estimate(
        seen.measured, model.m, start.u, matching, settings.backend, settings.memory_gib, settings.scratch
    )
    rows = min(len(np.unique(seen.i)), len(np.unique(seen.j)))
    if found is None or not 0.02 * rows < found[1] * len(seen.i) < MOST_PER_ROW * rows:
        return replace(start, m=model.m, share=model.share, share_b=model.share_b)
    share = min(MOST_SHARE, found[1] * len(seen.i) / max(1, rows))
    m = {name: np.maximum(values, LEAST_OF_PRIOR * model.m[name]) for name, values in found[0].items()}
    return replace(start, m={name: v / v.sum() for name, v in m.items()}, share=share, share_b=share)


def refined(model: Model, seen: Sample) -> Model:
    """Expectation maximisation with rivals, from the given model."""
    model = replace(model, commonness=seen.commonness)
    for _ in range(ROUNDS):
        odds = model.log_odds(seen.a, seen.b, seen.i, seen.j, seen.levels)
        p = marginals(seen.i, seen.j, odds)
        model = _maximised(model, seen, p)
    return model


def _maximised(model: Model, seen: Sample, p: Floats) -> Model:
    prior = Model.prior(model.statistics)
    m, u, u_kin = {}, {}, {}
    paired = max(model.share, model.share_b)
    other = np.where(p < UNLIKELY, 1 - p, 0.0) * paired
    alike = np.where(np.arange(len(seen.unlike["name"])) < seen.within_b, 1.0, 1 - paired)
    related, unlike_kin = kin(seen.levels), kin(seen.unlike)
    with_holders = bool((seen.levels["holder"] >= 0).mean() > 0.5) if len(p) else False
    for comparison in COMPARISONS:
        name, size = comparison.name, len(comparison.levels)
        same = _counted(seen.levels[name], p, size)
        m[name] = np.maximum(_smoothed(same, prior.m[name]), prior.m[name] * LEAST_OF_PRIOR)
        m[name] /= m[name].sum()
        strangers, relatives = (
            _counted(seen.levels[name][which], other[which], size)
            + _counted(seen.unlike[name][within], alike[within], size)
            for which, within in ((~related, ~unlike_kin), (related, unlike_kin))
        )
        everyone = strangers + relatives
        # Without holders, kin are known by their name alone, which then says of strangers what it says of everyone.
        split = name in CONDITIONAL and (name != "name" or with_holders)
        u[name] = _smoothed(strangers if split else everyone, prior.u[name])
        u_kin[name] = _smoothed(relatives if split else everyone, u[name])
    rows = max(1, len(np.unique(seen.i)))
    share, share_b = (
        min(MOST_SHARE, max(0.02, (float(p.sum()) + 2) / (n + 4)))
        for n in (rows, max(1, len(np.unique(seen.j))))
    )
    crowd = max(1.0, float((1 - p).sum()) / rows)
    return replace(model, m=m, u=u, u_kin=u_kin, share=share, share_b=share_b, crowd=crowd)


def _counted(levels: Levels, weight: Floats, size: int) -> Floats:
    known = levels >= 0
    return np.bincount(levels[known], weight[known], size).astype(np.float64)


def _smoothed(counts: Floats, prior: Floats) -> Floats:
    found: Floats = (counts + PRIOR_PAIRS * prior) / (counts.sum() + PRIOR_PAIRS)
    return found
