"""What is ready for review: decided outcomes of a county that are in no review, or changed since."""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.review import rules
from app.review.rules import Reviewer
from app.review.schemas import ReviewFilter

# Of several permits, the one whose issuer stands highest: it reviews what it issued itself.
READY = """
select o.id, o.basin_id, p.id as permit_id, p.issuing_level, p.county_code as permit_county
from shuitu.link_outcomes o
left join lateral (
  select p.id, p.issuing_level, p.county_code from shuitu.permits p
  where p.id = any(case when o.permit_id is not null then array[o.permit_id] else array(
    select pi.permit_id from shuitu.permit_intakes pi where pi.intake_id = o.intake_id and pi.valid_to is null) end)
  order by array_position(array['basin', 'province', 'prefecture', 'county'], p.issuing_level), p.id limit 1) p on true
where o.county_code = :county and o.outcome <> 'pending' and o.decided_by is not null
  and (cast(:outcomes as text[]) = '{}' or o.outcome = any(:outcomes))
  and (cast(:sources as text[]) = '{}' or o.source_type = any(:sources))
  and (cast(:decided_by as text) is null or o.decided_by = :decided_by)
  and not exists (
    select from shuitu.review_items r where r.outcome_id = o.id and (
      r.state in ('draft', 'in_review')
      -- What was published or sent back by itself must have been decided anew.
      or (r.latest and r.outcome_version = o.version and (r.state = 'published' or (r.state = 'returned' and exists (
        select from shuitu.review_decisions d where d.item_id = r.id and d.action = 'return_item'))))))
order by o.id"""

# What was submitted is what is reviewed: names, numbers and reasons as they are now.
FREEZE = """
insert into shuitu.review_items (batch_id, outcome_id, outcome_version, intake_id, permit_id, outcome, source_type, facts,
                                 geom, county_code, basin_id, first_code)
select :batch, o.id, o.version, o.intake_id, u.permit_id, o.outcome, o.source_type,
  jsonb_strip_nulls(jsonb_build_object(
    'intake', case when i.id is not null then jsonb_build_object('code', i.code, 'name', i.name, 'holder_name', i.holder_name,
      'town', i.town, 'place', i.place, 'water_body', i.water_body, 'purpose', i.purpose, 'status', i.status,
      'permit_state', i.permit_state, 'annual_m3', i.annual_volume_m3, 'version', i.version) end,
    'permit', case when p.id is not null then jsonb_build_object('permit_no', p.permit_no, 'holder_name', p.holder_name,
      'issuing_authority', p.issuing_authority, 'issuing_level', p.issuing_level, 'status', p.status, 'purpose', p.purpose,
      'annual_m3', p.annual_volume_m3, 'valid_from', p.valid_from, 'valid_to', p.valid_to, 'version', p.version) end,
    'permits', (select jsonb_agg(q.permit_no order by q.permit_no) from shuitu.permit_intakes pi
      join shuitu.permits q on q.id = pi.permit_id where pi.intake_id = o.intake_id and pi.valid_to is null),
    'point', case when pt.id is not null then jsonb_build_object('code', pt.code, 'name', pt.name, 'place', pt.place,
      'annual_m3', pt.annual_m3, 'lon', st_x(pt.geom), 'lat', st_y(pt.geom)) end,
    'pair', (select jsonb_build_object('probability', lp.probability, 'distance_m', lp.distance_m, 'reasons', lp.reasons,
      'conflicts', to_jsonb(lp.conflicts)) from shuitu.link_pairs lp where lp.intake_id = o.intake_id and lp.state = 'confirmed'
      order by lp.probability desc nulls last, lp.id limit 1),
    'decided', jsonb_build_object('by', o.decided_by, 'name', o.decided_name, 'at', o.decided_at, 'note', o.note,
      'ground', o.ground))),
  coalesce(i.geom, pt.geom), o.county_code, o.basin_id, :first_code
from unnest(cast(:ids as bigint[]), cast(:permits as bigint[])) u(id, permit_id)
join shuitu.link_outcomes o on o.id = u.id
left join shuitu.intakes i on i.id = o.intake_id
left join shuitu.permits p on p.id = u.permit_id
left join lateral (
  select l.* from shuitu.permit_points l where l.id = coalesce(o.permit_point_id, (select pi.permit_point_id
    from shuitu.permit_intakes pi where pi.intake_id = o.intake_id and pi.permit_id = u.permit_id and pi.valid_to is null
    limit 1))) pt on true"""

Group = tuple[int | None, Reviewer]
"""Basin agency and first reviewer: what goes into one batch."""
Members = dict[Group, list[tuple[int, int | None]]]
"""By group: outcomes, each with the permit that decides the first reviewer."""


def members(session: Session, county: int, wanted: ReviewFilter) -> Members:
    """What could be reviewed of a county, by who reviews it first."""
    rows = session.execute(
        text(READY),
        {
            "county": county,
            "outcomes": list(wanted.outcomes),
            "sources": list(wanted.sources),
            "decided_by": wanted.decided_by,
        },
    )
    found: defaultdict[Group, list[tuple[int, int | None]]] = defaultdict(list)
    for row in rows:
        first = rules.first_reviewer(row.issuing_level, row.permit_county, county, row.basin_id)
        found[row.basin_id, first].append((row.id, row.permit_id))
    return dict(found)


def insert_batch(session: Session, county: int, group: Group, filter_: Mapping[str, Any], note: str, actor_name: str) -> int:  # fmt: skip
    """A new draft; returns its id."""
    basin, first = group
    return int(
        session.execute(
            text("""insert into shuitu.review_batches (county_code, basin_id, first_stage, first_code, stage, filter, note, created_by)
                    values (:county, :basin, :stage, :code, :stage, cast(:filter as jsonb), :note, :actor) returning id"""),
            {
                "county": county,
                "basin": basin,
                "stage": first.stage,
                "code": first.code,
                "filter": json.dumps(filter_, ensure_ascii=False),
                "note": note,
                "actor": actor_name,
            },
        ).scalar_one()
    )


def freeze(session: Session, batch_id: int, first_code: int, chosen: list[tuple[int, int | None]]) -> int:
    """Put outcomes into a batch as they are now; returns how many."""
    session.execute(
        text(FREEZE),
        {
            "batch": batch_id,
            "first_code": first_code,
            "ids": [outcome for outcome, _ in chosen],
            "permits": [permit for _, permit in chosen],
        },
    )
    session.execute(
        text("update shuitu.review_batches set items = :n where id = :id"),
        {"n": len(chosen), "id": batch_id},
    )
    return len(chosen)
