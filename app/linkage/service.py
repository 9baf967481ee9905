"""Decisions of persons on lines of the linkage: taken, put on record whole, and taken back.

Two officers who decide the same line: the version of the line says so, and the second is told who decided what.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.actor import Actor
from app.db.engine import driver_of
from app.errors import Conflict, InvalidInput, NotFound
from app.linkage import deciding, queries, rules, standing
from app.linkage.deciding import Given, Publish
from app.linkage.schemas import NewIntake, NewMatch, Target
from app.linkage.standing import Subject
from app.registry import service as registry
from app.registry.queries import beyond_scope


def decide(
    session: Session, actor: Actor, outcome_id: int, decision: NewMatch, publish: Publish
) -> dict[str, Any]:
    """Decide one line; returns it as it stands then.

    Raises NotFound, Conflict if somebody decided meanwhile (it says who and what), InvalidInput if something is missing.
    """
    row = deciding.locked(session, [outcome_id])[0]
    if row.version != decision.version:
        raise deciding.decided_meanwhile(row)
    rules.check(
        decision.action,
        of_intake=row.intake_id is not None,
        ground=decision.ground,
        targets=len(decision.targets),
    )
    given = Given(decision.action, decision.note, decision.ground)
    if row.intake_id is None:
        return _decide_permit(session, actor, row, given, decision, publish)
    before = standing.take(session, [row.id])
    deciding.apply(session, actor, [row], given, _chosen(session, row, decision), decision.targets)
    deciding.finish(session, actor, [row], given, before, publish)
    return queries.one(session, outcome_id)


def decide_many(
    session: Session, actor: Actor, outcome_ids: Sequence[int], given: Given, publish: Publish
) -> int:
    """The same decision on many entries of the register: each accepts its best pair, or rejects all of its own.

    Returns how many there were to decide.
    """
    rows = [row for row in deciding.locked(session, outcome_ids) if row.intake_id is not None]
    if not rows:
        return 0
    before = standing.take(session, [row.id for row in rows])
    chosen = deciding.best(session, rows) if given.action == "accept" else []
    deciding.apply(session, actor, rows, given, chosen, [])
    deciding.finish(session, actor, rows, given, before, publish)
    return len(rows)


def _chosen(session: Session, row: Row[Any], decision: NewMatch) -> list[int]:
    """The pairs that an accept or reject means. Raises InvalidInput for a pair of another line, or none to accept."""
    if decision.action == "accept" and not decision.pairs:
        return deciding.best(session, [row], strict=True)
    known: set[int] = set(
        session.execute(
            text("select id from shuitu.link_pairs where intake_id = :intake"), {"intake": row.intake_id}
        ).scalars()
    )
    if wrong := [pair for pair in decision.pairs if pair not in known]:
        raise InvalidInput(
            f"配对 {wrong[0]} 不属于该取水口 (this pair is none of this entry's)",
            field="pairs",
            value=wrong[0],
        )
    return decision.pairs


# ── intakes that a permit lists ─────────────────────────────────────────────────────────────────────


def _decide_permit(
    session: Session, actor: Actor, row: Row[Any], given: Given, decision: NewMatch, publish: Publish
) -> dict[str, Any]:
    """Decide a permit's intake without an entry; returns its line, or the entry's that it became."""
    if given.action == "accept":
        return _accept_here(session, actor, row, decision, publish)
    if given.action == "register":
        return _register(session, actor, row, given, decision.intake or NewIntake(), publish)
    before = standing.take(session, [row.id], "permit")
    base = {"ids": [row.id], "who": actor.username, "ground": None, "note": given.note}
    intakes: list[int] = []
    if given.action in ("reject", "missing"):
        intakes = list(
            session.execute(text(REJECT_HERE), {**base, **_key(row), "pairs": decision.pairs}).scalars()
        )
    outcome = "pending" if given.action == "postpone" else "permit_without_intake"
    left = given.action == "reject" and _open_here(session, row)
    if not left:
        session.execute(text(deciding.CONCLUDE), {**base, "outcome": outcome})
    deciding.put_on_record(session, actor, [row], given, before, standing.take(session, [row.id], "permit"))
    standing.settle(session, intakes, [row.permit_id])
    deciding.tell(session, actor, [row], given.action, [], publish)
    return queries.one(session, row.id)


REJECT_HERE = """
update shuitu.link_pairs set state = 'rejected', decided_by = 'person', decided_name = :who, decided_at = now(), version = version + 1
where permit_id = :permit and permit_point_id is not distinct from cast(:point as bigint) and state = 'open'
  and (cardinality(cast(:pairs as bigint[])) = 0 or id = any(:pairs)) returning intake_id"""


def _key(row: Row[Any]) -> dict[str, Any]:
    return {"permit": row.permit_id, "point": row.permit_point_id}


def _open_here(session: Session, row: Row[Any]) -> bool:
    return bool(
        session.execute(
            text("""select exists (select 1 from shuitu.link_pairs where permit_id = :permit and state = 'open'
                    and permit_point_id is not distinct from cast(:point as bigint))"""),
            _key(row),
        ).scalar_one()
    )


def _accept_here(
    session: Session, actor: Actor, row: Row[Any], decision: NewMatch, publish: Publish
) -> dict[str, Any]:
    """The entry of a pair is this intake: decided on the entry's line. Raises InvalidInput without such a pair."""
    found = session.execute(
        text("""select l.id, o.id as outcome_id, o.version from shuitu.link_pairs l
                join shuitu.link_outcomes o on o.intake_id = l.intake_id
                where l.permit_id = :permit and l.permit_point_id is not distinct from cast(:point as bigint)
                  and l.state = 'open' and (cardinality(cast(:pairs as bigint[])) = 0 or l.id = any(:pairs))
                order by l.probability desc nulls last limit 1"""),
        {**_key(row), "pairs": decision.pairs},
    ).first()
    if found is None:
        raise InvalidInput("没有可确认的配对 (there is no open pair to accept)", field="pairs")
    there = NewMatch(action="accept", version=found.version, pairs=[found.id], note=decision.note)
    return decide(session, actor, found.outcome_id, there, publish)


def _register(
    session: Session, actor: Actor, row: Row[Any], given: Given, wanted: NewIntake, publish: Publish
) -> dict[str, Any]:
    """A new entry of the register for a permit's intake, linked to it. Raises InvalidInput without a position."""
    key = (row.permit_id, row.permit_point_id)
    listed = queries.places(session, [key])[key]
    lon, lat = (
        getattr(wanted, name) if getattr(wanted, name) is not None else listed[name]
        for name in ("lon", "lat")
    )
    if lon is None or lat is None:
        raise InvalidInput(
            "证照上没有坐标，请给出位置 (the permit gives no position: say where it is)",
            field="intake.lon",
            expected="lon, lat",
        )
    name = wanted.name or listed["name"] or f"{listed['holder_name']}取水口"
    source = listed["source_type"] if listed["source_type"] in SOURCES else "unknown"
    intake_id = registry.create(
        session,
        actor,
        {
            "code": wanted.code or listed["code"] or f"{listed['permit_no']}-{row.permit_point_id or 0}",
            "name": name, "holder_name": listed["holder_name"], "county_code": row.county_code, "place": listed["place"],
            "water_body": listed["water_body"], "source_type": source, "purpose": listed["purpose"],
            "annual_volume_m3": queries.compared(listed)["annual_m3"],
        },
        (lon, lat),
        lambda _session, _ids: None,  # published below, with its link
    )  # fmt: skip
    made = session.execute(text(NEW_LINE), {"intake": intake_id}).one()
    before = standing.take(session, [made.id])
    line = deciding.locked(session, [made.id])
    target = [Target(permit_id=row.permit_id, permit_point_id=row.permit_point_id)]
    deciding.apply(session, actor, line, Given("split", given.note), [], target)
    deciding.finish(session, actor, line, given, before, publish)
    return queries.one(session, made.id)


SOURCES = ("surface_water", "groundwater", "unconventional_water")
NEW_LINE = """
insert into shuitu.link_outcomes (intake_id, source_type, county_code, basin_id)
select id, source_type, county_code, basin_id from shuitu.intakes where id = :intake returning id"""


# ── taking back ─────────────────────────────────────────────────────────────────────────────────────

LAST = """
select d.* from shuitu.link_decisions d
where d.undone_by is null and d.action <> 'undo' and (d.intake_id = :intake
  or (d.intake_id is null and d.permit_id = :permit and d.permit_point_id is not distinct from cast(:point as bigint)))
order by d.id desc limit 1"""


def undo(session: Session, actor: Actor, decision_id: int, publish: Publish) -> None:
    """Take a decision back: its subject stands again as before.

    Raises NotFound; Conflict if it is undone already, or if there is a later one on the same line.
    """
    row = session.execute(
        text("select * from shuitu.link_decisions where id = :id for update"), {"id": decision_id}
    ).first()
    if row is None or row.action == "undo":
        raise NotFound(
            f"没有判定 {decision_id}，或不在您的辖区内 (no such decision, or outside your jurisdiction)"
        )
    if row.undone_by is not None:
        raise Conflict("该判定已被撤销 (this decision is undone already)", decision=decision_id)
    key = {"intake": row.intake_id, "permit": row.permit_id, "point": row.permit_point_id}
    last = session.execute(text(LAST), key).one()
    if last.id != row.id:
        raise Conflict(
            f"{last.actor_name} 其后又作了判定，请先撤销该判定 ({last.actor_name} decided later: undo that first)",
            decision=last.id, actor=last.actor_name, action=last.action,
        )  # fmt: skip
    take_back(session, actor, [row], publish)


def take_back(session: Session, actor: Actor, rows: Sequence[Row[Any]], publish: Publish) -> None:
    """Take back decisions, each of which is the last one on its line."""
    for row in rows:
        standing.put_back(session, Subject(row.intake_id, row.permit_id, row.permit_point_id), row.before)
    permits = {
        link["permit_id"]
        for row in rows
        for state in (row.before, row.after)
        for link in state.get("links", ())
    }
    permits |= {row.permit_id for row in rows if row.permit_id}
    intakes = [row.intake_id for row in rows if row.intake_id]
    standing.settle(session, intakes, permits | deciding.proposed(session, intakes))
    session.execute(
        text(UNDONE), {"ids": [row.id for row in rows], "actor_id": actor.user_id, "who": actor.username}
    )
    gone = [row for row in rows if row.action == "register"]
    deciding.tell(session, actor, rows, "undo", permits, publish)
    for row in gone:
        _unregister(session, actor, row, publish)


UNDONE = """
with told as (
  insert into shuitu.link_decisions (action, intake_id, permit_id, permit_point_id, batch_id, before, after, actor_id, actor_name, county_code, basin_id)
  select 'undo', intake_id, permit_id, permit_point_id, batch_id, after, before, :actor_id, :who, county_code, basin_id
  from shuitu.link_decisions where id = any(:ids) returning id, intake_id, permit_id, permit_point_id
)
update shuitu.link_decisions d set undone_by = t.id from told t
where d.id = any(:ids) and d.intake_id is not distinct from t.intake_id and d.permit_id is not distinct from t.permit_id
  and d.permit_point_id is not distinct from t.permit_point_id"""


def _unregister(session: Session, actor: Actor, row: Row[Any], publish: Publish) -> None:
    """An entry that was made for a permit's intake goes with the decision that made it; its version stays in the history."""
    with beyond_scope(session):
        session.execute(
            text("delete from shuitu.permit_intakes where intake_id = :id"), {"id": row.intake_id}
        )
    entry = registry.locked(session, row.intake_id)
    registry.delete(session, actor, entry, lambda within, ids: publish(driver_of(within), "intakes", ids))
    permits = [link["permit_id"] for link in row.after["links"]]
    standing.settle(session, [], permits)
