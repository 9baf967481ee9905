"""Candidates and runs as they are read."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.errors import InvalidInput, NotFound
from app.screening.schemas import Filters

ROW = """
select c.id, c.code, c.kind, c.category, c.state, c.score, c.area_m2, c.volume_m3, c.volume_lo_m3, c.volume_hi_m3,
       c.county_code, r.name as county_name, c.acquired_at, st_x(p) as lon, st_y(p) as lat,
       array[st_xmin(c.geom), st_ymin(c.geom), st_xmax(c.geom), st_ymax(c.geom)] as bbox,
       c.generated, c.chip_before is not null as has_before, c.chip_after is not null as has_after, c.version
       {more}
from shuitu.candidates c
left join map.regions r on r.code = c.county_code and r.level = 3
cross join lateral st_pointonsurface(c.geom) p
{joins}
where {which}"""
FILTERS = {
    "state": "c.state = :state",
    "kind": "c.kind = :kind",
    "category": "c.category = :category",
    "run": "c.run_id = :run",
    "min_score": "c.score >= :min_score",
    "max_score": "c.score <= :max_score",
    "region": "c.county_code >= :region_lo and c.county_code < :region_hi",
}


def chosen(filters: Filters) -> tuple[str, dict[str, Any]]:
    """The filters as a condition on `shuitu.candidates c`, and its values."""
    given = filters.model_dump(exclude_none=True)
    which = " and ".join(FILTERS[name] for name in given) or "true"
    if filters.region is not None:
        code = filters.region
        span = 10_000 if code % 10_000 == 0 else 100 if code % 100 == 0 else 1
        given |= {"region_lo": code, "region_hi": code + span}
    return which, given


def count(session: Session, filters: Filters) -> int:
    which, given = chosen(filters)
    return int(
        session.execute(text(f"select count(*) from shuitu.candidates c where {which}"), given).scalar_one()
    )


def page(session: Session, filters: Filters, after: str | None, limit: int) -> dict[str, Any]:
    """Candidates by score, highest first. `after` is the `next` of the page before."""
    which, given = chosen(filters)
    total = count(session, filters)
    if after:
        score, _, last = after.partition("_")
        try:
            given |= {"score": float(score), "last": int(last)}
        except ValueError:
            raise InvalidInput(
                f"after 应为上一页的 next (is the `next` of the page before): {after!r}",
                field="after",
                value=after,
            ) from None
        which += " and (c.score, c.id) < (cast(:score as real), :last)"
    rows = session.execute(
        text(ROW.format(more="", joins="", which=which) + " order by c.score desc, c.id desc limit :n"),
        given | {"n": limit + 1},
    ).all()
    items = [dict(row._mapping) for row in rows[:limit]]
    more = len(rows) > limit
    return {
        "items": items,
        "next": f"{items[-1]['score']!r}_{items[-1]['id']}" if more else None,
        "total": total,
    }


def one(session: Session, candidate_id: int) -> dict[str, Any]:
    """Everything about one candidate. Raises NotFound."""
    row = session.execute(
        text(
            ROW.format(
                more=""", c.run_id, c.raw_score, c.reasons, c.evidence, c.profile, c.redrawn, c.serving_intake_ids,
                    st_asgeojson(c.geom, 7)::json as geometry,
                    i.id as i_id, i.code as i_code, i.name as i_name, c.nearest_intake_m,
                    q.id as q_id, q.code as q_code, q.name as q_name, c.nearest_permitted_m""",
                joins="""left join shuitu.intakes i on i.id = c.nearest_intake_id
                         left join shuitu.intakes q on q.id = c.nearest_permitted_id""",
                which="c.id = :id",
            )
        ),
        {"id": candidate_id},
    ).first()
    if row is None:
        raise NotFound(f"没有线索 {candidate_id} (no such candidate)")
    found = dict(row._mapping)
    for prefix, name, distance in (
        ("i", "nearest_intake", "nearest_intake_m"),
        ("q", "nearest_permitted", "nearest_permitted_m"),
    ):
        identifier, code, title = (found.pop(f"{prefix}_{part}") for part in ("id", "code", "name"))
        metres = found.pop(distance)
        found[name] = identifier and {"id": identifier, "code": code, "name": title, "distance_m": metres}
    found["serving"] = _serving(session, found.pop("serving_intake_ids"))
    found["decisions"] = decisions(session, candidate_id)
    return found


def _serving(session: Session, intake_ids: list[int]) -> list[dict[str, Any]]:
    """The intakes that could serve it, with the permits they are under today."""
    rows = session.execute(
        text("""
        select i.id, i.code, i.name, i.status, coalesce(p.permits, '[]') as permits
        from shuitu.intakes i
        left join lateral (
          select jsonb_agg(jsonb_build_object('id', p.id, 'permit_no', p.permit_no, 'holder_name', p.holder_name,
                   'status', p.status, 'valid_to', p.valid_to, 'annual_volume_m3', p.annual_volume_m3) order by p.permit_no) as permits
          from shuitu.permit_intakes l join shuitu.permits p on p.id = l.permit_id
          where l.intake_id = i.id and l.valid_to is null) p on true
        where i.id = any(:ids) order by i.code"""),
        {"ids": intake_ids},
    )
    return [dict(row._mapping) for row in rows]


def decisions(session: Session, candidate_id: int) -> list[dict[str, Any]]:
    """What people did with a candidate, the newest first."""
    rows = session.execute(
        text("""select d.id, d.decision, d.reason, d.note, d.actor_name, d.decided_at, d.bulk, d.undoes,
                       exists (select 1 from shuitu.candidate_decisions u where u.undoes = d.id) as undone
                from shuitu.candidate_decisions d where d.candidate_id = :id order by d.id desc"""),
        {"id": candidate_id},
    )
    return [dict(row._mapping) for row in rows]


RUN = """
select r.id, r.scene_ids, r.state, r.progress, r.method, r.options, r.versions, r.facts, r.problem, r.actor_name, r.created_at,
       r.started_at, r.finished_at, r.report_path is not null as has_report, r.report_path,
       (select count(*) from shuitu.candidates c where c.run_id = r.id) as candidates,
       coalesce(p.parts, 0) as parts, coalesce(p.done, 0) as parts_done, coalesce(p.failed, 0) as parts_failed
from shuitu.detection_runs r
left join lateral (
  select count(*) as parts, count(*) filter (where state = 'done') as done, count(*) filter (where state = 'failed') as failed
  from shuitu.detection_parts where run_id = r.id) p on true"""


def runs(session: Session, limit: int) -> list[dict[str, Any]]:
    """Runs, the newest first."""
    rows = session.execute(text(RUN + " order by r.id desc limit :n"), {"n": limit})
    return [dict(row._mapping) for row in rows]


def run(session: Session, run_id: int) -> dict[str, Any]:
    """One run. Raises NotFound."""
    row = session.execute(text(RUN + " where r.id = :id"), {"id": run_id}).first()
    if row is None:
        raise NotFound(f"没有比对任务 {run_id} (no such run)")
    return dict(row._mapping)


def parts(session: Session, run_id: int) -> list[dict[str, Any]]:
    """The places of a run, each with the names of its scenes."""
    rows = session.execute(
        text("""select p.number, p.scene_ids, p.state, p.problem, p.left_out, p.facts, p.report_path, p.finished_at,
                  p.report_path is not null as has_report,
                  (select count(*) from shuitu.candidates c where c.run_id = p.run_id and c.run_part = p.number) as candidates,
                  array(select coalesce(s.item_id, '#' || i.id) from unnest(p.scene_ids) with ordinality i(id, n)
                        left join shuitu.scenes s on s.id = i.id order by i.n) as scenes
                from shuitu.detection_parts p where p.run_id = :id order by p.number"""),
        {"id": run_id},
    )
    return [dict(row._mapping) for row in rows]


def part_report(session: Session, run_id: int, number: int) -> str | None:
    """Path of the report of a place, below the data folder. Raises NotFound if the run has no such place."""
    row = session.execute(
        text("select report_path from shuitu.detection_parts where run_id = :run and number = :number"),
        {"run": run_id, "number": number},
    ).first()
    if row is None:
        raise NotFound(f"任务 {run_id} 没有第 {number} 处 (the run has no such place)")
    found: str | None = row.report_path
    return found


def chip(session: Session, candidate_id: int, which: str) -> str | None:
    """Path of a candidate's patch, below the data folder. Raises NotFound if there is no such candidate."""
    row = session.execute(
        text("select chip_before, chip_after from shuitu.candidates where id = :id"), {"id": candidate_id}
    ).first()
    if row is None:
        raise NotFound(f"没有线索 {candidate_id} (no such candidate)")
    found: str | None = row.chip_before if which == "before" else row.chip_after
    return found
