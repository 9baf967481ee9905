"""The score of findings held against what people decided: a score of 0.7 should be right seven times in ten.

Isotonic regression (scikit-learn) over the detection's own score, of the candidates that are confirmed or rejected. How
well it holds is measured on candidates that the fit has not seen (cross-validation), and kept with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor, Jurisdiction
from app.changes import service as changes
from app.errors import Conflict

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

LEAST = 30
"""Decisions that a calibration needs. A guess of 2026-11: below it a step of the curve rests on one or two of them."""
LEAST_SHARE = 0.2
"""Of them, this share at least of each answer: otherwise the curve is flat."""
AGAIN_AFTER = 20
"""New decisions after which the end of a run calibrates anew."""
FOLDS, BINS = 5, 10
METHOD = "isotonic"
MINE = "scope_lo = :lo and scope_hi = :hi and scope_basin is not distinct from :basin"
DECIDED = "state in ('confirmed', 'rejected') and raw_score is not null"


def in_use(session: Session, where: Jurisdiction) -> Callable[[float, float], float]:
    """Turns a detection's own score into the score in use; without a calibration the second value is taken.

    The newest of the jurisdiction counts, else the newest of the nation.
    """
    curve = session.execute(
        text(f"""select curve from shuitu.score_calibrations where ({MINE}) or (scope_lo <= 0 and scope_hi >= 1000000)
                 order by ({MINE}) desc, id desc limit 1"""),
        _scope(where),
    ).scalar_one_or_none()
    if curve is None:
        return lambda raw, otherwise: otherwise
    return lambda raw, otherwise: _on(curve, raw)


def _on(curve: Sequence[Sequence[float]], raw: float) -> float:
    import numpy as np

    xs, ys = zip(*curve, strict=True)
    return float(np.interp(raw, xs, ys))


def _scope(where: Jurisdiction) -> dict[str, Any]:
    return {"lo": where.lo, "hi": where.hi, "basin": where.basin}


def state(session: Session, where: Jurisdiction) -> dict[str, Any]:
    """The calibration in use, and what another would rest on."""
    row = session.execute(
        text(f"""select id, made_at, actor_name, method, curve, report from shuitu.score_calibrations
                 where ({MINE}) or (scope_lo <= 0 and scope_hi >= 1000000) order by ({MINE}) desc, id desc limit 1"""),
        _scope(where),
    ).first()
    counts = session.execute(
        text(f"""select count(*) as decided, count(*) filter (where state = 'confirmed') as confirmed,
                        count(*) filter (where decided_at > coalesce(cast(:since as timestamptz), '-infinity')) as since
                 from shuitu.candidates where {DECIDED}"""),
        {"since": row.made_at if row else None},
    ).one()
    rejected = counts.decided - counts.confirmed
    return {
        "current": None if row is None else _told(row),
        "decided": counts.decided,
        "confirmed": counts.confirmed,
        "rejected": rejected,
        "since": counts.since,
        "least": LEAST,
        "possible": _enough(counts.confirmed, rejected),
    }


def _enough(confirmed: int, rejected: int) -> bool:
    return confirmed + rejected >= LEAST and min(confirmed, rejected) >= LEAST_SHARE * LEAST


def _told(row: Any) -> dict[str, Any]:
    return {
        **row.report,
        **{name: getattr(row, name) for name in ("id", "made_at", "actor_name", "method", "curve")},
    }


def refresh(session: Session, actor: Actor) -> None:
    """Calibrate anew where enough was decided since the last time."""
    now = state(session, actor.jurisdiction)
    if now["possible"] and now["since"] >= AGAIN_AFTER:
        calibrate(session, actor)


def calibrate(session: Session, actor: Actor) -> dict[str, Any]:
    """Fit the score to the decisions of the jurisdiction, and give its candidates the new one.

    Raises Conflict if too little was decided, or all to one answer.
    """
    import numpy as np

    rows = session.execute(
        text(
            f"select raw_score, score, state = 'confirmed' as right from shuitu.candidates where {DECIDED} order by id"
        )
    ).all()
    raw = np.array([row.raw_score for row in rows], np.float64)
    shown = np.array([row.score for row in rows], np.float64)
    right = np.array([row.right for row in rows], np.float64)
    confirmed = int(right.sum())
    if not _enough(confirmed, len(rows) - confirmed):
        raise Conflict(
            f"已判定 {len(rows)} 条（属实 {confirmed}，不属实 {len(rows) - confirmed}）；校准至少需要 {LEAST} 条，且两种结论各不少于 "
            f"{int(LEAST_SHARE * LEAST)} 条 (too little was decided to calibrate the score)",
            decided=len(rows), confirmed=confirmed, least=LEAST,
        )  # fmt: skip
    curve, unseen = fit(raw, right)
    report = {
        "decided": len(rows), "confirmed": confirmed, "rejected": len(rows) - confirmed,
        **figures("before", shown, right), **figures("after", unseen, right),
    }  # fmt: skip
    report["changed"] = _apply(session, actor, curve)
    j = actor.jurisdiction
    row = session.execute(
        text("""insert into shuitu.score_calibrations (actor_id, actor_name, scope_lo, scope_hi, scope_basin, method, curve, report)
                values (:actor_id, :actor_name, :lo, :hi, :basin, :method, cast(:curve as jsonb), cast(:report as jsonb))
                returning id, made_at, actor_name, method, curve, report"""),
        _scope(j) | {
            "actor_id": actor.user_id, "actor_name": actor.username, "method": METHOD,
            "curve": json.dumps(curve), "report": json.dumps(report),
        },
    ).one()  # fmt: skip
    return _told(row)


def fit(raw: Floats, right: Floats) -> tuple[list[list[float]], Floats]:
    """The curve (pairs: score before, score after; rising), and for each decision the score of a fit without it."""
    import numpy as np
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    # IsotonicRegression takes one column.
    unseen = np.asarray(cross_val_predict(_isotonic(len(raw)), raw[:, None], right, cv=folds), np.float64)
    fitted = _isotonic(len(raw)).fit(raw, right)
    pairs = zip(fitted.X_thresholds_, fitted.y_thresholds_, strict=True)
    return [[round(float(x), 6), round(float(y), 6)] for x, y in pairs], unseen


def _isotonic(decisions: int) -> Any:
    from sklearn.isotonic import IsotonicRegression

    # Nothing is certain: the ends stay off 0 and 1 by what so many decisions can tell.
    edge = 1 / (decisions + 2)
    return IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip")


def figures(when: str, score: Floats, right: Floats) -> dict[str, Any]:
    """Reliability: bins of the score with what people said, expected calibration error, Brier score."""
    import numpy as np

    which = np.minimum((score * BINS).astype(int), BINS - 1)
    bins = [
        {
            "lo": n / BINS, "hi": (n + 1) / BINS, "count": int((which == n).sum()),
            "mean_score": float(score[which == n].mean()), "confirmed_share": float(right[which == n].mean()),
        }
        for n in np.unique(which).tolist()
    ]  # fmt: skip
    error = sum(one["count"] * abs(one["mean_score"] - one["confirmed_share"]) for one in bins) / len(score)
    return {
        f"bins_{when}": bins,
        f"ece_{when}": round(float(error), 4),
        f"brier_{when}": round(float(np.mean((score - right) ** 2)), 4),
    }


def _apply(session: Session, actor: Actor, curve: list[list[float]]) -> int:
    """Give the open candidates of the jurisdiction their score by the curve; returns how many changed.

    Those that are decided keep the score that the person saw.
    """
    import numpy as np

    rows = session.execute(
        text(
            "select id, raw_score from shuitu.candidates where raw_score is not null and not ("
            + DECIDED
            + ")"
        )
    ).all()
    xs, ys = zip(*curve, strict=True)
    scores = np.interp([row.raw_score for row in rows], xs, ys)
    counties = (
        session.execute(
            text("""update shuitu.candidates c set score = s.score
                    from unnest(cast(:ids as bigint[]), cast(:scores as float8[])) s(id, score)
                    where c.id = s.id and abs(c.score - s.score) > 1e-4 returning c.county_code"""),
            {"ids": [row.id for row in rows], "scores": scores.tolist()},
        )
        .scalars()
        .all()
    )
    for code in sorted(set(counties)):
        changes.record(
            session, actor.username, "candidates", "calibrate", code, basin_id=actor.jurisdiction.basin
        )
    return len(counties)
