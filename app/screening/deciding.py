"""What people say of candidates: decisions one by one or by filter, outlines, notes. Each is kept, and can be taken back."""

import json
from typing import Any
from uuid import UUID, uuid4

import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor
from app.changes import service as changes
from app.errors import Conflict, InvalidInput, NotFound
from app.screening import areas, queries, rules
from app.screening.schemas import Action, Decision, Filters, NewOutline

LOCKED = """select id, code, state, version, county_code, basin_id, reason, decision_note, decided_by, decided_at
            from shuitu.candidates where id = :id for update"""
KEPT = """jsonb_build_object('state', c.state, 'reason', c.reason, 'decision_note', c.decision_note,
            'decided_by', c.decided_by, 'decided_at', c.decided_at)"""
"""What a decision changes of a candidate c."""


def decide(
    session: Session,
    actor: Actor,
    candidate_id: int,
    decision: Decision,
    reason: str,
    note: str,
    version: int,
) -> dict[str, Any]:
    """Put a person's judgement on record.

    Raises NotFound, InvalidInput for a reason that does not suit, Conflict if the candidate changed meanwhile.
    """
    rules.check_reason(decision, reason, note)
    row = _locked(session, candidate_id, version)
    state = rules.after(row.state, decision)
    session.execute(
        text(f"""with kept as (select {KEPT} as before from shuitu.candidates c where id = :id),
                 changed as (update shuitu.candidates set {SET} where id = :id returning version)
                 insert into shuitu.candidate_decisions
                   (candidate_id, decision, reason, note, actor_id, actor_name, county_code, basin_id, before, version_after)
                 select :id, :decision, :reason, :note, :actor_id, :name, :county, :basin, kept.before, changed.version
                 from kept, changed"""),
        _decision(actor, decision, state, reason, note) | _of(row),
    )
    _told(session, actor, decision, row.county_code, row.basin_id, candidate_id)
    return queries.one(session, candidate_id)


SET = """state = :state, version = version + 1, reason = :reason, decision_note = :note,
  decided_by = case when :open then null else :name end, decided_at = case when :open then null else now() end"""


def _decision(actor: Actor, decision: Decision, state: str, reason: str, note: str) -> dict[str, Any]:
    return {
        "decision": decision, "state": state, "reason": reason, "note": note, "open": state == "suspected",
        "actor_id": actor.user_id, "name": actor.username,
    }  # fmt: skip


def _of(row: Any) -> dict[str, Any]:
    return {"id": row.id, "county": row.county_code, "basin": row.basin_id}


def _locked(session: Session, candidate_id: int, version: int | None) -> Any:
    row = session.execute(text(LOCKED), {"id": candidate_id}).first()
    if row is None:
        raise NotFound(f"没有线索 {candidate_id} (no such candidate)")
    if version is not None and row.version != version:
        zh, en = rules.TITLES[row.state]
        last = queries.decisions(session, candidate_id)
        who = last[0]["actor_name"] if last else ""
        raise Conflict(
            f"线索 {row.code} 已被{who or '新的比对'}更新，现为“{zh}”，请核对后再判定 "
            f"({who or 'a run'} changed this candidate meanwhile, it is {en}: look at it again)",
            version=row.version,
            state=row.state,
            actor=who,
        )
    return row


def decide_all(
    session: Session,
    actor: Actor,
    filters: Filters,
    decision: Decision,
    reason: str,
    note: str,
    expected: int,
) -> dict[str, Any]:
    """One decision on all candidates that the filters choose and that can be decided so.

    Raises Conflict if there are not as many as the person saw, InvalidInput for a reason that does not suit.
    """
    rules.check_reason(decision, reason, note)
    which, given = queries.chosen(filters)
    ids = (
        session.execute(
            text(
                f"select c.id from shuitu.candidates c where {which} and c.state = any(:possible) order by c.id for update"
            ),
            given | {"possible": rules.before(decision)},
        )
        .scalars()
        .all()
    )
    if len(ids) != expected:
        raise Conflict(
            f"筛选结果已变为 {len(ids)} 条，与所见的 {expected} 条不同，未作判定 "
            f"(there are {len(ids)} now, not the {expected} that were seen: nothing was decided)",
            count=len(ids),
            expected=expected,
        )
    bulk = uuid4()
    counties = session.execute(
        text(f"""with kept as (select c.id, {KEPT} as before from shuitu.candidates c where c.id = any(:ids)),
                 changed as (update shuitu.candidates set {SET} where id = any(:ids) returning id, version, county_code, basin_id),
                 noted as (insert into shuitu.candidate_decisions
                   (candidate_id, decision, reason, note, actor_id, actor_name, county_code, basin_id, bulk, before, version_after)
                   select k.id, :decision, :reason, :note, :actor_id, :name, d.county_code, d.basin_id, :bulk, k.before, d.version
                   from kept k join changed d using (id))
                 select distinct county_code, basin_id from changed order by 1, 2"""),
        _decision(actor, decision, rules.after("suspected", decision), reason, note)
        | {"ids": list(ids), "bulk": bulk},
    ).all()
    for row in counties:
        _told(session, actor, decision, row.county_code, row.basin_id, None)
    return {"bulk": bulk, "count": len(ids)}


def redraw(session: Session, actor: Actor, candidate_id: int, given: NewOutline) -> dict[str, Any]:
    """Give a candidate the outline that a person drew, add to it or cut from it; area and volume follow.

    Raises NotFound, InvalidInput for what is no polygon or leaves nothing, Conflict if the candidate changed meanwhile.
    """
    drawn = areas.polygon(given.geometry, "geometry")
    row = _locked(session, candidate_id, given.version)
    shape = _drawn(session, candidate_id, drawn, given.how)
    session.execute(
        text("""with kept as (
                   select jsonb_build_object('geometry', st_asgeojson(geom, 9)::jsonb, 'area_m2', area_m2, 'volume_m3', volume_m3,
                     'volume_lo_m3', volume_lo_m3, 'volume_hi_m3', volume_hi_m3, 'redrawn', redrawn) as before
                   from shuitu.candidates where id = :id),
                 drawn as (select st_multi(st_geomfromtext(:wkt, 4490)) as geom),
                 measured as (select geom, st_area(st_transform(geom, 4326)::geography) as area from drawn),
                 changed as (
                   update shuitu.candidates c set geom = m.geom, area_m2 = m.area, redrawn = true, version = c.version + 1,
                     volume_m3 = c.volume_m3 * m.area / c.area_m2, volume_lo_m3 = c.volume_lo_m3 * m.area / c.area_m2,
                     volume_hi_m3 = c.volume_hi_m3 * m.area / c.area_m2
                   from measured m where c.id = :id returning c.version)
                 insert into shuitu.candidate_decisions
                   (candidate_id, decision, note, actor_id, actor_name, county_code, basin_id, before, version_after)
                 select :id, 'redraw', :note, :actor_id, :name, :county, :basin, kept.before, changed.version from kept, changed"""),
        {"wkt": shape.wkt, "note": given.note, "actor_id": actor.user_id, "name": actor.username} | _of(row),
    )
    _told(session, actor, "redraw", row.county_code, row.basin_id, candidate_id)
    return queries.one(session, candidate_id)


def _drawn(session: Session, candidate_id: int, drawn: shapely.Geometry, how: str) -> shapely.Geometry:
    if how == "replace":
        return drawn
    wkb = session.execute(
        text("select st_asbinary(geom) from shuitu.candidates where id = :id"), {"id": candidate_id}
    ).scalar_one()
    now = shapely.from_wkb(bytes(wkb))
    made = shapely.union(now, drawn) if how == "add" else shapely.difference(now, drawn)
    if made.is_empty:
        raise InvalidInput(
            "切除后没有剩余，请改判为不属实 (nothing is left: reject the candidate instead)", field="geometry"
        )
    return areas.polygon(shapely.geometry.mapping(made), "geometry")


def add_note(session: Session, actor: Actor, candidate_id: int, note: str) -> dict[str, Any]:
    """Put a note beside a candidate; nothing else changes. Raises NotFound."""
    row = _locked(session, candidate_id, None)
    session.execute(
        text("""insert into shuitu.candidate_decisions
                  (candidate_id, decision, note, actor_id, actor_name, county_code, basin_id, before, version_after)
                values (:id, 'note', :note, :actor_id, :name, :county, :basin, '{}', :version)"""),
        {"note": note, "actor_id": actor.user_id, "name": actor.username, "version": row.version} | _of(row),
    )
    _told(session, actor, "note", row.county_code, row.basin_id, candidate_id)
    return queries.one(session, candidate_id)


STEPS = """select d.id, d.candidate_id, d.decision, d.before, c.version, c.county_code, c.basin_id,
             d.version_after + 2 * (select count(*) from shuitu.candidate_decisions l
               where l.candidate_id = d.candidate_id and l.id > d.id and l.decision not in ('note', 'undo')
                 and exists (select 1 from shuitu.candidate_decisions u where u.undoes = l.id)) as untouched,
             exists (select 1 from shuitu.candidate_decisions u where u.undoes = d.id) as undone
           from shuitu.candidate_decisions d join shuitu.candidates c on c.id = d.candidate_id
           where {which} order by d.id desc for update of c"""
"""Steps with the version that the candidate has if all that followed was taken back (which is two versions each)."""
BACK = """update shuitu.candidates c set
    state = coalesce(b ->> 'state', c.state),
    reason = case when b ? 'state' then coalesce(b ->> 'reason', '') else c.reason end,
    decision_note = case when b ? 'state' then b ->> 'decision_note' else c.decision_note end,
    decided_by = case when b ? 'state' then b ->> 'decided_by' else c.decided_by end,
    decided_at = case when b ? 'state' then (b ->> 'decided_at')::timestamptz else c.decided_at end,
    geom = case when b ? 'geometry' then st_setsrid(st_geomfromgeojson(b -> 'geometry'), 4490) else c.geom end,
    area_m2 = coalesce((b ->> 'area_m2')::float8, c.area_m2),
    volume_m3 = case when b ? 'geometry' then (b ->> 'volume_m3')::float8 else c.volume_m3 end,
    volume_lo_m3 = case when b ? 'geometry' then (b ->> 'volume_lo_m3')::float8 else c.volume_lo_m3 end,
    volume_hi_m3 = case when b ? 'geometry' then (b ->> 'volume_hi_m3')::float8 else c.volume_hi_m3 end,
    redrawn = coalesce((b ->> 'redrawn')::boolean, c.redrawn),
    version = c.version + 1
  from (select cast(:before as jsonb) as b) given where c.id = :id returning c.version"""


def undo(session: Session, actor: Actor, decision_id: int) -> dict[str, Any]:
    """Take one step back: the candidate is again as it was before it.

    Raises NotFound, Conflict if it was taken back already or somebody changed the candidate since.
    """
    step = session.execute(text(STEPS.format(which="d.id = :id")), {"id": decision_id}).first()
    if step is None or step.decision == "undo":
        raise NotFound(f"没有可撤回的操作 {decision_id} (no such step)")
    if step.undone:
        raise Conflict("该操作已撤回 (it was taken back already)", decision=decision_id)
    if step.decision != "note" and step.version != step.untouched:
        raise Conflict(
            "此后线索又有变动，不能直接撤回，请先撤回后来的操作 (the candidate changed since: take the later steps back first)",
            version=step.version,
        )
    _back(session, actor, step, None)
    _told(session, actor, "undo", step.county_code, step.basin_id, step.candidate_id)
    return {"ids": [step.candidate_id], "kept": 0}


def undo_all(session: Session, actor: Actor, bulk: UUID) -> dict[str, Any]:
    """Take a decision by filter back, of each candidate that nobody changed since. Raises NotFound."""
    steps = session.execute(
        text(STEPS.format(which="d.bulk = :bulk and d.decision <> 'undo'")), {"bulk": bulk}
    ).all()
    if not steps:
        raise NotFound(f"没有批量判定 {bulk} (no such decision by filter)")
    ids = []
    for step in steps:
        if not step.undone and step.version == step.untouched:
            _back(session, actor, step, bulk)
            ids.append(step.candidate_id)
    for county, basin in sorted({(step.county_code, step.basin_id) for step in steps}, key=str):
        _told(session, actor, "undo", county, basin, None)
    return {"ids": ids, "kept": len(steps) - len(ids)}


def _back(session: Session, actor: Actor, step: Any, bulk: UUID | None) -> None:
    version = step.version
    if step.decision != "note":
        version = session.execute(
            text(BACK), {"before": json.dumps(step.before), "id": step.candidate_id}
        ).scalar_one()
    session.execute(
        text("""insert into shuitu.candidate_decisions
                  (candidate_id, decision, actor_id, actor_name, county_code, basin_id, bulk, before, version_after, undoes)
                values (:id, 'undo', :actor_id, :name, :county, :basin, :bulk, '{}', :version, :undoes)"""),
        {
            "id": step.candidate_id, "actor_id": actor.user_id, "name": actor.username, "county": step.county_code,
            "basin": step.basin_id, "bulk": bulk, "version": version, "undoes": step.id,
        },
    )  # fmt: skip


def _told(
    session: Session, actor: Actor, action: Action, county: int, basin: int | None, candidate_id: int | None
) -> None:
    changes.record(
        session,
        actor.username,
        "candidates",
        "decide",
        county,
        basin_id=basin,
        entity_id=candidate_id,
        facts={"decision": action},
    )
