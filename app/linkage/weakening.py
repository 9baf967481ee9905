"""Links that weaken: what was confirmed, and is no longer sure since the entry or what the permit lists was changed.

One that the rule had confirmed is ended as of today, its pair is open again with the reason in words, and the line
waits for a person. One that a person decided stays in force, and its line shows the conflict. Works on the temporary
tables of `store`.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.linkage.records import Part

MOVED_M = 20.0
"""Farther than this an entry was moved; nearer, its position was measured again. A guess of 2026-11."""
# What changed since the decision: the version of the entry that held then against today's. Where the entry is as it was but
# the pair's reasons are others, the permit's side changed.
WEAK = f"""
create temp table weak on commit drop as
select k.link_id, k.intake_id, k.permit_id, coalesce(k.point_id, s.point_id) as point_id, o.decided_by = 'person' or k.origin = 'person' as stays,
       s.intake_id is not null as seen, s.probability, s.distance_m, coalesce(s.reasons, '[]') as reasons, coalesce(s.conflicts, '{{}}') as conflicts,
       jsonb_build_array(jsonb_build_object('code', 'weakened', 'against', true,
         'zh', '确认后有变更：' || coalesce(nullif(concat_ws('；', c.moved_zh, c.name_zh, c.holder_zh, c.source_zh), ''), '证照一侧的内容已变'),
         'en', 'changed since it was confirmed: ' || coalesce(nullif(concat_ws('; ', c.moved_en, c.name_en, c.holder_en, c.source_en), ''),
               'what the permit lists is another'))) as told
from held k join shuitu.link_outcomes o using (intake_id) join shuitu.intakes i on i.id = k.intake_id join shuitu.permits p on p.id = k.permit_id
left join lateral (select * from staged s where s.intake_id = k.intake_id and s.permit_id = k.permit_id
                     and (k.point_id is null or s.point_id is not distinct from k.point_id)
                   order by s.probability desc limit 1) s on true
left join lateral (select h.* from shuitu.intake_history h where h.id = i.id and h.recorded_until > greatest(o.decided_at, k.recorded_at)
                   order by h.recorded_until limit 1) h on true
left join lateral (select l.reasons from shuitu.link_pairs l where l.intake_id = k.intake_id and l.permit_id = k.permit_id
                     and l.permit_point_id is not distinct from k.point_id and l.state = 'confirmed' and l.decided_by = 'rule') l on true
cross join lateral (select st_distance(h.geom::geography, i.geom::geography) as metres) m
cross join lateral (select
  case when m.metres > {MOVED_M} then '位置移动 ' || round(m.metres) || ' m' end as moved_zh,
  case when m.metres > {MOVED_M} then 'moved by ' || round(m.metres) || ' m' end as moved_en,
  case when h.name <> i.name then '名称由“' || h.name || '”改为“' || i.name || '”' end as name_zh,
  case when h.name <> i.name then 'renamed from ' || h.name || ' to ' || i.name end as name_en,
  case when h.holder_name <> i.holder_name then '取水权人由“' || h.holder_name || '”改为“' || i.holder_name || '”' end as holder_zh,
  case when h.holder_name <> i.holder_name then 'holder changed from ' || h.holder_name || ' to ' || i.holder_name end as holder_en,
  case when h.source_type <> i.source_type then '水源类型已改' end as source_zh,
  case when h.source_type <> i.source_type then 'another kind of source' end as source_en) c
where o.decided_at is not null and not coalesce(s.sure, false)
  and (coalesce(c.moved_zh, c.name_zh, c.holder_zh, c.source_zh) is not null
       or l.reasons <> s.reasons or (l.reasons is not null and s.intake_id is null))
  and (s.intake_id is not null or (p.county_code >= :lo and p.county_code < :hi))"""
END = """
update shuitu.permit_intakes k set valid_to = greatest(k.valid_from, current_date) from weak w where k.id = w.link_id and not w.stays"""
# The pair is there to decide on, whether the engine still reports it or not; what a person decided stays, with the conflict.
FLAG = """
insert into shuitu.link_pairs as l (intake_id, permit_id, permit_point_id, probability, distance_m, reasons, conflicts, state, decided_by,
  decided_name, decided_at, county_code, basin_id)
select w.intake_id, w.permit_id, w.point_id, w.probability, coalesce(w.distance_m, st_distance(i.geom::geography, t.geom::geography)),
  w.told || w.reasons, w.conflicts || '{weakened}', case when w.stays then 'confirmed' else 'open' end, case when w.stays then 'person' end,
  case when w.stays then o.decided_name end, case when w.stays then o.decided_at end, o.county_code, o.basin_id
from weak w join shuitu.link_outcomes o using (intake_id) join shuitu.intakes i on i.id = w.intake_id
left join shuitu.permit_points t on t.id = w.point_id
on conflict (intake_id, permit_id, coalesce(permit_point_id, 0)) do update set probability = excluded.probability,
  distance_m = excluded.distance_m, reasons = excluded.reasons, conflicts = excluded.conflicts, state = excluded.state,
  decided_by = excluded.decided_by, decided_name = excluded.decided_name, decided_at = excluded.decided_at, version = l.version + 1"""
# Flagged before, and still not sure: the flag and its words stay until a person decides, or all is as it was.
STILL = """
update staged s set conflicts = s.conflicts || '{weakened}',
  reasons = (select coalesce(jsonb_agg(x), '[]') from jsonb_array_elements(l.reasons) x where x ->> 'code' = 'weakened') || s.reasons
from shuitu.link_pairs l where l.intake_id = s.intake_id and l.permit_id = s.permit_id and l.permit_point_id is not distinct from s.point_id
  and l.state = 'open' and l.conflicts @> '{weakened}' and not s.sure and not s.conflicts @> '{weakened}'"""
# Entries that wait for a person: no other pair of theirs is confirmed by rule.
BARRED = """
create temp table barred on commit drop as
select intake_id from weak where not stays union select intake_id from staged where conflicts @> '{weakened}'
union select l.intake_id from shuitu.link_pairs l join subjects b using (intake_id)
where l.state = 'open' and l.conflicts @> '{weakened}' and not exists (
  select 1 from staged s where s.intake_id = l.intake_id and s.permit_id = l.permit_id and s.point_id is not distinct from l.permit_point_id and s.sure)"""


@dataclass(frozen=True)
class Weakened:
    """Entries and permits whose link is in doubt now."""

    intakes: frozenset[int]
    permits: frozenset[int]


def weaken(session: Session, part: Part) -> Weakened:
    """Bring links in force up to what was found now. A pair with a permit of `part` was compared: where the engine does not
    report it any more, it is as good as gone."""
    session.execute(text(WEAK), part.given)
    found = session.execute(text("select intake_id, permit_id from weak")).all()
    if found:
        for statement in (END, FLAG):
            session.execute(text(statement))
    session.execute(text(STILL))
    session.execute(text(BARRED))
    session.execute(text("analyze barred"))
    return Weakened(frozenset(row.intake_id for row in found), frozenset(row.permit_id for row in found))
