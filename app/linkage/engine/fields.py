"""Wells of a field that the other register gives as one intake without a number: 张庄村1号井, 2号井, 3号井 are 张庄村机井.

Each of them alone is an unlikely partner: one name has a number and the other has none, the point is that of another
well, the volume is that of all. Several numbered rows of one holder that are left without a partner, beside a row of
that holder that is left as well, are likely together. How often that happens is learnt from the rows themselves.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from app.linkage.engine.comparisons import BY_NAME, Levels
from app.linkage.engine.model import LEAST, Model, kin

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
ONE_SIDED = [level.name for level in BY_NAME["number"].levels].index("one_sided")
HAS_PARTNER = 0.5
APART = np.array([0.06, 0.10, 0.14, 0.16, 0.24, 0.18, 0.12])
"""How far a well of a field lies from the point given for the field, by level of distance up to 800 m; a guess of 2026-11."""
FEW, FEWEST, MOST = 0.02, 0.002, 0.5
"""Part of the rows of the other side that are fields, before data are seen and within what bounds."""
OF_THE_PAIR = ("number", "volume", "distance")
"""What the one intake says of itself and not of each well."""


def with_fields(
    i: Ints,
    j: Ints,
    p: Floats,
    log_odds: Floats,
    levels: Mapping[str, Levels],
    model: Model,
    numbered_b: Bools,
) -> Floats:
    """Probabilities where several numbered rows may be wells of one row without a number, on either side.

    `p` are those with one partner each, `numbered_b[row]` says whether the name of a row of B has a number.
    """
    one_sided = (levels["number"] == ONE_SIDED) & kin(levels) & (levels["distance"] >= 0)
    one_sided &= levels["distance"] < len(APART)
    evidence = log_odds - model.prior_log_odds()
    related = kin(levels)
    for name in OF_THE_PAIR:
        evidence -= np.where(
            related, model.weights(name, kin=True)[levels[name]], model.weights(name)[levels[name]]
        )
    near = np.clip(levels["distance"], 0, len(APART) - 1)
    evidence += np.log(APART / np.maximum(model.u_kin["distance"][: len(APART)], LEAST))[near]
    alone = -np.log((1 - model.share) * (1 - model.share_b))
    result = p
    for row, other, of_side in ((i, j, ~numbered_b[j]), (j, i, numbered_b[j])):
        asked = np.flatnonzero(one_sided & of_side & _free(row, other, p))
        found = _together(row[asked], other[asked], evidence[asked] + alone, p[asked], len(np.unique(other)))
        result = result.copy()
        result[asked] = np.maximum(result[asked], found)
    return result


def _free(row: Ints, other: Ints, p: Floats) -> Bools:
    """Pairs whose row has no likely partner but this one."""
    taken = np.bincount(row, p)[row] - p
    return np.asarray(taken < HAS_PARTNER, bool)


def _together(row: Ints, other: Ints, evidence: Floats, p: Floats, others: int) -> Floats:
    """Probability of each pair: the field as a whole stands or falls by what its wells say on average."""
    field, of = np.unique(other, return_inverse=True)
    wells = np.bincount(of, minlength=len(field))
    several = wells > 1
    if not several.any():
        return p
    said = np.bincount(of, evidence, len(field)) / np.maximum(wells, 1)
    rate = FEW
    q = np.zeros(len(field))
    for _ in range(4):
        q = np.where(several, 1 / (1 + np.exp(-np.clip(said + np.log(rate), -30, 30))), 0.0)
        rate = float(np.clip((q.sum() + 1) / (others + 1 / FEW), FEWEST, MOST))
    # A well stands in one field: the likeliest.
    best = np.zeros(int(row.max()) + 1)
    np.maximum.at(best, row, q[of])
    return np.where(q[of] >= best[row], np.maximum(p, q[of]), p)
