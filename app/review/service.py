"""A batch on its way: composed, submitted, approved or sent back level by level.

Every step names the version of the batch that it was decided on, locks it, writes who did what, and publishes the
intakes whose state on the map changes, all in the caller's transaction.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.actor import Actor
from app.errors import Conflict, InvalidInput, NotAllowed
from app.review import queries, ready, rules
from app.review.rules import Reviewer
from app.review.schemas import ReviewFilter

Publish = Callable[[Session, Iterable[int], int], None]
"""Brings the map up to these intakes of a county, in the same transaction."""
Days = dict[str, int]
"""Calendar days by stage (settings)."""


def compose(session: Session, actor: Actor, county: int, wanted: ReviewFilter, note: str) -> list[int]:
    """Collect what was decided in a county into drafts, one a first reviewer and basin agency; returns their ids.

    Raises NotAllowed outside the jurisdiction, Conflict if nothing is ready.
    """
    basin = actor.jurisdiction.basin
    if not rules.may_compose(actor.jurisdiction, county, basin):
        raise NotAllowed(
            f"{county} 不在您的辖区内 (lies outside your jurisdiction)", field="county_code", value=county
        )
    # Two officers who compose at once: the second finds nothing left.
    session.execute(
        text("select pg_advisory_xact_lock(hashtext('review:compose'), :county)"), {"county": county}
    )
    made = []
    for group, chosen in sorted(ready.members(session, county, wanted).items(), key=lambda one: str(one[0])):
        batch_id = ready.insert_batch(
            session, county, group, wanted.model_dump(exclude_defaults=True), note, actor.username
        )
        ready.freeze(session, batch_id, group[1].code, chosen)
        queries.record(
            session,
            actor,
            "compose",
            queries.batch(session, batch_id),
            note=note,
            facts={"items": len(chosen)},
        )
        made.append(batch_id)
    if not made:
        raise Conflict(
            "没有可送审的成果：已定结果均在审核中或已上图 (nothing is ready: what was decided is in review or published)",
            county_code=county,
        )
    return made


def remove(session: Session, actor: Actor, batch_id: int, version: int, items: list[int]) -> None:
    """Take items out of a draft. Raises Conflict if it is none any more."""
    row = opened(session, batch_id, version)
    rules.after(row.state, "withdraw")
    _require_composer(actor, row)
    gone = _close(session, row, items, "draft", "withdrawn", "")
    queries.record(session, actor, "remove", row, items=gone)
    _left(session, row, len(gone), "withdrawn")


def withdraw(session: Session, actor: Actor, batch_id: int, version: int, note: str) -> None:
    """Give a draft up; what it held is ready again. Raises Conflict once it was submitted."""
    row = opened(session, batch_id, version)
    state = rules.after(row.state, "withdraw")
    _require_composer(actor, row)
    _close(session, row, None, "draft", "withdrawn", "")
    queries.record(session, actor, "withdraw", row, note=note)
    queries.advance(session, row.id, state=state, items=0, closed_at=_now())


def submit(
    session: Session, actor: Actor, batch_id: int, version: int, note: str, days: Days, publish: Publish
) -> None:
    """Send a draft to its first reviewer. What changed since it was composed is left out, and said so.

    Raises Conflict if nothing is left of it.
    """
    row = opened(session, batch_id, version)
    state = rules.after(row.state, "submit")
    _require_composer(actor, row)
    changed = list(session.execute(text(CHANGED), {"id": row.id}).scalars())
    if changed:
        _close(session, row, changed, "draft", "withdrawn", "")
        queries.record(session, actor, "remove", row, items=changed, facts={"changed_since": True})
    if row.items == len(changed):
        raise Conflict("批次中的成果在汇集后均已变化，请重新汇集 (all of it changed since: compose it anew)")
    session.execute(text(NO_LONGER_LATEST), {"id": row.id})
    intakes = session.execute(text(INTO_REVIEW), {"id": row.id}).scalars()
    queries.record(
        session,
        actor,
        "submit",
        row,
        stage=row.stage,
        note=note,
        facts={"items": row.items - len(changed), "left_out": len(changed)},
    )
    today = _now().date()
    queries.advance(
        session,
        row.id,
        state=state,
        items=row.items - len(changed),
        submitted_at=_now(),
        entered_on=today,
        due_on=rules.due(today, days[row.stage]),
    )
    publish(session, _present(intakes), row.county_code)


def approve(
    session: Session, actor: Actor, batch_id: int, version: int, note: str, days: Days, publish: Publish
) -> None:
    """Pass a batch to the next stage. A basin agency that issued the permits itself publishes by it.

    Raises NotAllowed for another authority, Conflict where a spot check has to decide.
    """
    row = opened(session, batch_id, version)
    state = rules.after(row.state, "approve")
    rules.require_reviewer(actor.jurisdiction, reviewer_of(row))
    following = rules.stage_after(row.first_stage, row.stage, row.county_code)
    if following is None and row.first_stage != "basin":
        raise Conflict(
            "流域抽查复核阶段由抽查结果决定，请抽取样本并逐项复核 (here the spot check decides: draw a sample)",
            state=row.state,
        )
    queries.record(session, actor, "approve", row, stage=row.stage, note=note, facts={"items": row.items})
    if following is None:
        publish_batch(session, actor, queries.batch(session, row.id), publish)
        return
    today = _now().date()
    queries.advance(session, row.id, state=state, stage=following, entered_on=today, due_on=rules.due(today, days[following]))  # fmt: skip


def send_back(
    session: Session, actor: Actor, batch_id: int, version: int, reason: str, publish: Publish
) -> None:
    """Return a whole batch with its reason; everything in it may be submitted again, corrected or as it is."""
    row = opened(session, batch_id, version)
    rules.after(row.state, "return")
    rules.require_reviewer(actor.jurisdiction, reviewer_of(row))
    _require_no_sample(row)
    return_batch(session, actor, row, reason, publish)


def send_items_back(
    session: Session,
    actor: Actor,
    batch_id: int,
    version: int,
    items: list[int],
    reason: str,
    publish: Publish,
) -> None:
    """Return single items with their reason: they must be decided anew. The rest of the batch goes on.

    Raises Conflict if one is not in review any more. A batch of which nothing is left is returned.
    """
    row = opened(session, batch_id, version)
    rules.after(row.state, "return")
    rules.require_reviewer(actor.jurisdiction, reviewer_of(row))
    _require_no_sample(row)
    return_items(session, actor, row, items, reason, publish)


# ── the steps that a spot check takes too ───────────────────────────────────────────────────────────


def return_batch(
    session: Session, actor: Actor, row: Row[Any], reason: str, publish: Publish, *, note_of: str = "return"
) -> None:
    """Close a locked batch as returned."""
    intakes = _intakes(session, row)
    _close(session, row, None, "in_review", "returned", reason)
    queries.record(session, actor, note_of, row, stage=row.stage, note=reason, facts={"items": row.items})
    queries.advance(session, row.id, state="returned", items=0, closed_at=_now())
    publish(session, intakes, row.county_code)


def return_items(
    session: Session, actor: Actor, row: Row[Any], items: list[int], reason: str, publish: Publish
) -> None:
    """Close items of a locked batch as returned."""
    gone = _close(session, row, items, "in_review", "returned", reason)
    queries.record(session, actor, "return_item", row, stage=row.stage, note=reason, items=gone)
    _left(session, row, len(gone), "returned")
    publish(session, _of_items(session, gone), row.county_code)


def publish_batch(session: Session, actor: Actor, row: Row[Any], publish: Publish) -> None:
    """Take what is in a locked batch onto the one map."""
    state = rules.after(row.state, "publish")
    intakes = session.execute(text(ONTO_THE_MAP), {"id": row.id}).scalars().all()
    queries.record(session, actor, "publish", row, stage=row.stage, facts={"items": len(intakes)})
    queries.advance(session, row.id, state=state, closed_at=_now())
    publish(session, _present(intakes), row.county_code)


# ── below: how ──────────────────────────────────────────────────────────────────────────────────────

# Drafts whose outcome was decided anew, reopened or taken away since.
CHANGED = """
select r.id from shuitu.review_items r
left join shuitu.link_outcomes o on o.id = r.outcome_id and o.version = r.outcome_version
  and o.outcome <> 'pending' and o.decided_by is not null
where r.batch_id = :id and r.state = 'draft' and o.id is null"""
NO_LONGER_LATEST = """
update shuitu.review_items r set latest = false from shuitu.review_items mine
where mine.batch_id = :id and mine.state = 'draft' and r.outcome_id = mine.outcome_id and r.latest"""
INTO_REVIEW = "update shuitu.review_items set state = 'in_review', latest = true where batch_id = :id and state = 'draft' returning intake_id"
ONTO_THE_MAP = """
update shuitu.review_items set state = 'published', published_on = current_date, closed_at = now()
where batch_id = :id and state = 'in_review' returning intake_id"""


def _now() -> datetime:
    return datetime.now(UTC)


def opened(session: Session, batch_id: int, version: int) -> Row[Any]:
    """The batch, locked. Raises NotFound, or Conflict if it is not as the caller read it."""
    row = queries.batch(session, batch_id, lock=True)
    if row.version != version:
        last = queries.decisions(session, "batch_id", batch_id)[:1]
        who = f"：{last[0]['actor_name']} {last[0]['decided_at']:%Y-%m-%d %H:%M}" if last else ""
        raise Conflict(
            f"批次刚刚已被处理{who} (the batch was dealt with meanwhile: read it again)",
            version=row.version,
            state=row.state,
        )
    return row


def reviewer_of(row: Row[Any]) -> Reviewer:
    """Whose turn it is."""
    first = Reviewer(row.first_stage, row.first_code)
    return rules.reviewer_at(first, row.stage, row.county_code, row.basin_id)


def _require_composer(actor: Actor, row: Row[Any]) -> None:
    if not rules.may_compose(actor.jurisdiction, row.county_code, row.basin_id):
        raise NotAllowed(
            "批次由取水口所在地汇集，不由您办理 (a draft belongs to the place where its intakes lie)"
        )


def _require_no_sample(row: Row[Any]) -> None:
    """While a sample is judged the lot stays as it was frozen."""
    if row.sample_id is not None:
        raise Conflict(
            "批次正在抽查复核，请在样本中判定 (a spot check is under way: judge its sample)",
            sample_id=row.sample_id,
        )


def _close(
    session: Session, row: Row[Any], items: list[int] | None, now: str, then: str, reason: str
) -> list[int]:
    """Items of a batch (all without `items`) from one state to another. Raises Conflict if one is not in it."""
    gone = list(
        session.execute(
            text("""update shuitu.review_items set state = :then, reason = :reason, closed_at = now()
                    where batch_id = :batch and state = :now and (cast(:items as bigint[]) is null or id = any(:items))
                    returning id"""),
            {"batch": row.id, "now": now, "then": then, "reason": reason, "items": items},
        ).scalars()
    )
    if items is not None and len(gone) != len(set(items)):
        missing = sorted(set(items) - set(gone))
        raise Conflict(
            f"第 {missing[0]} 项不在本批次中，或已被处理 (item {missing[0]} is not in this batch, or was dealt with)",
            items=missing,
        )
    return gone


def _left(session: Session, row: Row[Any], gone: int, if_none: str) -> None:
    """What is left of a batch after items went; without any it is over."""
    rest = row.items - gone
    over: dict[str, Any] = {} if rest else {"state": if_none, "closed_at": _now()}
    queries.advance(session, row.id, items=rest, **over)


def _present(intakes: Iterable[int | None]) -> list[int]:
    return [one for one in intakes if one is not None]


def _intakes(session: Session, row: Row[Any]) -> list[int]:
    found = session.execute(
        text("select intake_id from shuitu.review_items where batch_id = :id and state = 'in_review'"),
        {"id": row.id},
    )
    return _present(found.scalars())


def _of_items(session: Session, items: list[int]) -> list[int]:
    found = session.execute(
        text("select intake_id from shuitu.review_items where id = any(:ids)"), {"ids": items}
    )
    return _present(found.scalars())


def require_reason(reason: str) -> str:
    """Raises InvalidInput for a reason of blanks."""
    if not reason.strip():
        raise InvalidInput("退回须写明理由 (a return needs its reason)", field="reason", expected="text")
    return reason.strip()
