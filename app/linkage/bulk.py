"""One decision on all lines of a filter: counted first, done in one transaction, taken back as a whole."""

import json
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor
from app.errors import Conflict, InvalidInput, NotFound
from app.linkage import deciding, queries, service
from app.linkage.deciding import Given, Publish
from app.linkage.schemas import BulkAction, MatchFilter, NewMatchBatch

MOST = 5_000
"""Lines a batch: as many as one transaction keeps from others for some seconds."""
SAMPLES = 5
# What a person decided is never decided in bulk.
FITS = {
    "accept": "o.pairs_open > 0",
    "reject": "o.pairs_open > 0",
    "unlicensed": "o.outcome = 'pending'",
    "exempt": "o.outcome in ('pending', 'intake_without_permit')",
    "postpone": "o.outcome = 'intake_without_permit'",
}
OPEN_TO_BULK = "o.intake_id is not null and o.decided_by is distinct from 'person'"


def preview(session: Session, action: BulkAction, wanted: MatchFilter) -> dict[str, Any]:
    """How many lines the action would decide, how many of the filter it leaves out, and some of them."""
    which, given = queries.narrowed(session, wanted.model_dump())
    fitting = f"{which} and {OPEN_TO_BULK} and {FITS[action]}"
    n = queries.count(session, fitting, given)
    rows = session.execute(
        text(
            queries.ROW.format(
                source=f"(select * from shuitu.link_outcomes o where {fitting} "
                f"order by coalesce(o.probability, 0) desc, o.id limit {SAMPLES})"
            )
        ),
        given,
    )
    return {
        "count": n,
        "left_out": queries.count(session, which, given) - n,
        "samples": [dict(row._mapping) for row in rows],
    }


def run(session: Session, actor: Actor, wanted: NewMatchBatch, publish: Publish) -> dict[str, Any]:
    """Decide them all. Raises Conflict if there are not as many as was confirmed, InvalidInput if there are too many."""
    if (wanted.action == "exempt") != (wanted.ground is not None):
        raise InvalidInput("无需办证须写明依据 (exempt needs its ground)", field="ground")
    which, given = queries.narrowed(session, wanted.filter.model_dump())
    ids = list(
        session.execute(
            text(
                f"select o.id from shuitu.link_outcomes o where {which} and {OPEN_TO_BULK} and {FITS[wanted.action]} "
                f"order by o.id limit {MOST + 1} for update"
            ),
            given,
        ).scalars()
    )
    if len(ids) > MOST:
        raise InvalidInput(
            f"一次最多 {MOST} 条，请缩小范围 (at most {MOST} lines at a time: narrow the filter)",
            field="filter",
        )
    if len(ids) != wanted.wanted:
        raise Conflict(
            f"符合条件的已由 {wanted.wanted} 条变为 {len(ids)} 条，请重新确认 (there are {len(ids)} lines by now, not {wanted.wanted}: look again)",
            wanted=wanted.wanted,
            count=len(ids),
        )
    j = actor.jurisdiction
    batch = session.execute(
        text("""insert into shuitu.link_batches (action, filter, wanted, ground, note, actor_id, actor_name, scope_lo, scope_hi, scope_basin)
                values (:action, cast(:filter as jsonb), :wanted, :ground, :note, :actor_id, :who, :lo, :hi, :basin) returning id"""),
        {
            "action": wanted.action, "filter": json.dumps(wanted.filter.model_dump(exclude_none=True)), "wanted": wanted.wanted,
            "ground": wanted.ground, "note": wanted.note, "actor_id": actor.user_id, "who": actor.username,
            "lo": j.lo, "hi": j.hi, "basin": j.basin,
        },
    ).scalar_one()  # fmt: skip
    done = service.decide_many(
        session, actor, ids, Given(wanted.action, wanted.note, wanted.ground, batch), publish
    )
    session.execute(
        text(
            "update shuitu.link_batches set decided = :n, state = 'done', finished_at = clock_timestamp() where id = :id"
        ),
        {"n": done, "id": batch},
    )
    return one(session, batch)


def undo(session: Session, actor: Actor, batch_id: int, publish: Publish) -> dict[str, Any]:
    """Take a batch back, except the lines that someone has decided since.

    Raises NotFound, and Conflict if it is undone already.
    """
    found = one(session, batch_id, lock=True)
    if found["state"] == "undone":
        raise Conflict("该批判定已被撤销 (this batch is undone already)", batch=batch_id)
    rows = session.execute(
        text("""select d.* from shuitu.link_decisions d where d.batch_id = :id and d.action <> 'undo' and d.undone_by is null
                and not exists (select 1 from shuitu.link_decisions l where l.intake_id = d.intake_id and l.id > d.id
                                and l.action <> 'undo' and l.undone_by is null)"""),
        {"id": batch_id},
    ).all()
    deciding.locked_intakes(session, [row.intake_id for row in rows])
    if rows:
        service.take_back(session, actor, rows, publish)
    session.execute(text("update shuitu.link_batches set state = 'undone' where id = :id"), {"id": batch_id})
    return {**one(session, batch_id), "decided": found["decided"] - len(rows)}


def one(session: Session, batch_id: int, *, lock: bool = False) -> dict[str, Any]:
    row = session.execute(
        text(f"select * from shuitu.link_batches where id = :id {'for update' if lock else ''}"),
        {"id": batch_id},
    ).first()
    if row is None:
        raise NotFound(f"没有批量判定 {batch_id} (no such batch)")
    return dict(row._mapping)


def latest(session: Session, limit: int) -> list[dict[str, Any]]:
    """Batches, the newest first."""
    rows = session.execute(text("select * from shuitu.link_batches order by id desc limit :n"), {"n": limit})
    return [dict(row._mapping) for row in rows]
