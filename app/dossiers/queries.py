"""Everything that hangs on an intake or a permit, as the scope shows it."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.errors import NotFound

Rows = list[dict[str, Any]]
NEAR_M = 500.0
"""Findings of imagery this near belong into an intake's dossier. A guess of 2026-11."""


def _many(session: Session, statement: str, **given: Any) -> Rows:
    return [dict(row._mapping) for row in session.execute(text(statement), given)]


def present(session: Session, one: str, entity_id: int) -> dict[str, Any]:
    """The entry as it is now (`one`: `intake` or `permit`). Raises NotFound if there is none in scope."""
    place = ", st_x(geom) as lon, st_y(geom) as lat" if one == "intake" else ""
    found = _many(session, f"select *{place} from shuitu.{one}s where id = :id", id=entity_id)
    if not found:
        title = "取水口" if one == "intake" else "取水许可"
        raise NotFound(
            f"没有{title} {entity_id}，或不在您的辖区内 (no such entry, or outside your jurisdiction)"
        )
    return found[0]


def counties(session: Session, codes: set[int]) -> dict[int, str]:
    rows = _many(session, "select code, name from map.regions where code = any(:codes)", codes=list(codes))
    return {row["code"]: row["name"] for row in rows}


def links_of_intake(session: Session, intake_id: int) -> Rows:
    """Permits that it is or was under, the newest first."""
    return _many(
        session,
        """select pi.permit_id, pi.valid_from, pi.valid_to, pi.origin, pi.recorded_at, pi.ended_at, p.permit_no, p.holder_name,
                  p.status, p.annual_volume_m3, p.valid_from as permit_from, p.valid_to as permit_to, o.seq, o.name as point_name,
                  o.annual_m3 as point_m3,
                  (select count(*) from shuitu.permit_intakes x where x.permit_id = p.id and x.valid_to is null) as shared
           from shuitu.permit_intakes pi join shuitu.permits p on p.id = pi.permit_id
           left join shuitu.permit_points o on o.id = pi.permit_point_id
           where pi.intake_id = :id order by pi.valid_to is not null, pi.valid_from desc, pi.recorded_at desc""",
        id=intake_id,
    )


def links_of_permit(session: Session, permit_id: int) -> Rows:
    """Intakes that are or were under it."""
    return _many(
        session,
        """select pi.intake_id, pi.valid_from, pi.valid_to, pi.origin, pi.recorded_at, pi.ended_at, i.code, i.name, i.permit_state,
                  i.annual_volume_m3, i.county_code, st_x(i.geom) as lon, st_y(i.geom) as lat, o.seq, o.name as point_name
           from shuitu.permit_intakes pi join shuitu.intakes i on i.id = pi.intake_id
           left join shuitu.permit_points o on o.id = pi.permit_point_id
           where pi.permit_id = :id order by pi.valid_to is not null, i.code, pi.valid_from desc limit 2000""",
        id=permit_id,
    )


def limits(session: Session, permits: list[int]) -> Rows:
    """The limits of the present versions of these permits."""
    return _many(
        session,
        """select p.permit_no, l.* from shuitu.permit_limits l join shuitu.permits p on p.id = l.permit_id and p.version = l.version
           where p.id = any(:ids) order by p.permit_no, l.seq""",
        ids=permits,
    )


def points(session: Session, permit_id: int) -> Rows:
    """The intakes that the permit itself lists, with the entries of the register that each one is."""
    return _many(
        session,
        """select o.*, st_x(o.geom) as lon, st_y(o.geom) as lat,
                  (select json_agg(json_build_object('id', i.id, 'code', i.code, 'name', i.name) order by i.code)
                   from shuitu.permit_intakes pi join shuitu.intakes i on i.id = pi.intake_id
                   where pi.permit_point_id = o.id and pi.valid_to is null) as linked
           from shuitu.permit_points o where o.permit_id = :id order by o.seq limit 2000""",
        id=permit_id,
    )


def events(session: Session, permit_id: int) -> Rows:
    return _many(
        session,
        """select version, event, effective_on, document_no, ground, reason, actor_name, recorded_at
           from shuitu.permit_events where permit_id = :id order by version desc""",
        id=permit_id,
    )


def candidates(session: Session, intake_id: int) -> Rows:
    """Findings of imagery that name the intake or lie near it, the nearest first."""
    return _many(
        session,
        """select c.id, c.code, c.kind, c.category, c.state, c.score, c.acquired_at, c.volume_m3, c.volume_lo_m3, c.volume_hi_m3,
                  c.decided_by, c.decided_at, st_distance(c.geom::geography, i.geom::geography) as distance_m
           from shuitu.candidates c, shuitu.intakes i
           where i.id = :id and (i.id in (c.nearest_intake_id, c.nearest_permitted_id)
             or (c.geom && st_expand(i.geom, 0.01) and st_dwithin(c.geom::geography, i.geom::geography, :near)))
           order by distance_m, c.id limit 50""",
        id=intake_id,
        near=NEAR_M,
    )


PAIRS = """
select p.id, p.probability, p.distance_m, p.reasons, p.state, p.decided_by, p.decided_name, p.decided_at, p.intake_id, p.permit_id,
       i.code, i.name, q.permit_no, q.holder_name, o.seq, o.name as point_name
from shuitu.link_pairs p join shuitu.intakes i on i.id = p.intake_id join shuitu.permits q on q.id = p.permit_id
left join shuitu.permit_points o on o.id = p.permit_point_id
where p.{which} = :id order by p.state = 'withdrawn', p.probability desc, p.id limit 100"""


def pairs(session: Session, one: str, entity_id: int) -> Rows:
    """What the linkage proposed."""
    return _many(session, PAIRS.format(which=f"{one}_id"), id=entity_id)


def outcomes(session: Session, one: str, entity_id: int) -> Rows:
    return _many(
        session,
        f"""select r.outcome, r.ground, r.note, r.probability, r.decided_by, r.decided_name, r.decided_at, o.seq, o.name as point_name
            from shuitu.link_outcomes r left join shuitu.permit_points o on o.id = r.permit_point_id
            where r.{one}_id = :id order by o.seq nulls first""",
        id=entity_id,
    )


def link_decisions(session: Session, one: str, entity_id: int) -> Rows:
    return _many(
        session,
        f"""select action, note, actor_name, decided_at, undone_by is not null as undone from shuitu.link_decisions
            where {one}_id = :id order by id desc limit 100""",
        id=entity_id,
    )


def reviews(session: Session, one: str, entity_id: int) -> Rows:
    """Where it stands and stood in review, the newest first."""
    return _many(
        session,
        f"""select r.id, r.batch_id, r.outcome, r.state, r.reason, r.published_on, r.recorded_at, b.stage, b.state as batch_state,
                   b.due_on from shuitu.review_items r join shuitu.review_batches b on b.id = r.batch_id
            where r.{one}_id = :id order by r.id desc limit 50""",
        id=entity_id,
    )


def review_decisions(session: Session, batches: list[int], items: list[int]) -> Rows:
    return _many(
        session,
        """select batch_id, action, stage, note, actor_name, authority, decided_at from shuitu.review_decisions
           where item_id = any(:items) or (item_id is null and batch_id = any(:batches)) order by id desc limit 100""",
        batches=batches,
        items=items,
    )


def is_demo(session: Session) -> bool:
    return bool(session.execute(text("select to_regclass('shuitu.demo') is not null")).scalar_one())


def candidate(session: Session, candidate_id: int) -> dict[str, Any]:
    """A finding with its scenes and its run; of a run that is wider than the scope, only what the finding says of it.

    Raises NotFound if there is none in scope.
    """
    found = _many(
        session,
        """select c.*, st_x(p) as lon, st_y(p) as lat, r.actor_name as run_actor, r.method, r.versions,
                  c.evidence ->> 'scene' as scene_after, a.acquired_at as acquired_after, a.sensor as sensor_after,
                  c.evidence ->> 'previous' as scene_before, b.acquired_at as acquired_before, b.sensor as sensor_before
           from shuitu.candidates c cross join lateral st_pointonsurface(c.geom) p
           left join shuitu.detection_runs r on r.id = c.run_id
           left join shuitu.scenes a on a.item_id = c.evidence ->> 'scene'
           left join shuitu.scenes b on b.item_id = c.evidence ->> 'previous' where c.id = :id""",
        id=candidate_id,
    )
    if not found:
        raise NotFound(
            f"没有线索 {candidate_id}，或不在您的辖区内 (no such finding, or outside your jurisdiction)"
        )
    return found[0]


def serving(session: Session, candidate_id: int) -> Rows:
    """The intakes that could serve a finding, a row for each permit they are under today."""
    return _many(
        session,
        """select i.id, i.code, i.name, p.permit_no, p.holder_name, p.status as permit_status, p.valid_to, p.annual_volume_m3
           from shuitu.candidates c join shuitu.intakes i on i.id = any(c.serving_intake_ids)
           left join shuitu.permit_intakes l on l.intake_id = i.id and l.valid_to is null
           left join shuitu.permits p on p.id = l.permit_id where c.id = :id order by i.code, p.permit_no""",
        id=candidate_id,
    )


def candidate_decisions(session: Session, candidate_id: int) -> Rows:
    """What people did with a finding, the newest first."""
    return _many(
        session,
        """select d.decision, d.reason, d.note, d.actor_name, d.decided_at,
                  exists (select 1 from shuitu.candidate_decisions u where u.undoes = d.id) as undone
           from shuitu.candidate_decisions d where d.candidate_id = :id order by d.id desc""",
        id=candidate_id,
    )
