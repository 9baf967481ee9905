"""Candidates and runs as they are read."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.errors import InvalidInput, NotFound

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
}


def page(
    session: Session, filters: dict[str, Any], region: int | None, after: str | None, limit: int
) -> dict[str, Any]:
    """Candidates by score, highest first. `after` is the `next` of the page before."""
    given = {name: value for name, value in filters.items() if value is not None}
    which = [FILTERS[name] for name in given]
    if region is not None:
        span = 10_000 if region % 10_000 == 0 else 100 if region % 100 == 0 else 1
        which.append("c.county_code >= :lo and c.county_code < :hi")
        given |= {"lo": region, "hi": region + span}
    total = session.execute(
        text(f"select count(*) from shuitu.candidates c where {' and '.join(which) or 'true'}"), given
    ).scalar_one()
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
        which.append("(c.score, c.id) < (cast(:score as real), :last)")
    rows = session.execute(
        text(
            ROW.format(more="", joins="", which=" and ".join(which) or "true")
            + " order by c.score desc, c.id desc limit :n"
        ),
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
                more=""", c.run_id, c.reasons, c.evidence, st_asgeojson(c.geom, 7)::json as geometry,
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
    found["decisions"] = [
        dict(d._mapping)
        for d in session.execute(
            text(
                "select decision, note, actor_name, decided_at from shuitu.candidate_decisions "
                "where candidate_id = :id order by id desc"
            ),
            {"id": candidate_id},
        )
    ]
    return found


RUN = """
select r.id, r.scene_ids, r.state, r.progress, r.method, r.facts, r.problem, r.actor_name, r.created_at, r.finished_at,
       r.report_path is not null as has_report, r.report_path,
       (select count(*) from shuitu.candidates c where c.run_id = r.id) as candidates
from shuitu.detection_runs r"""


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


def chip(session: Session, candidate_id: int, which: str) -> str | None:
    """Path of a candidate's patch, below the data folder. Raises NotFound if there is no such candidate."""
    row = session.execute(
        text("select chip_before, chip_after from shuitu.candidates where id = :id"), {"id": candidate_id}
    ).first()
    if row is None:
        raise NotFound(f"没有线索 {candidate_id} (no such candidate)")
    found: str | None = row.chip_before if which == "before" else row.chip_after
    return found
