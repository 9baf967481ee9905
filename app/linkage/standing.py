"""How an entry stands: its pairs, links and outcome, taken down before a decision and put back when it is undone."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.registry import links
from app.registry.queries import beyond_scope

TAKE = """
select o.id, jsonb_build_object(
  'pairs', coalesce((select jsonb_agg(jsonb_build_object('id', l.id, 'state', l.state, 'decided_by', l.decided_by,
             'decided_name', l.decided_name, 'decided_at', l.decided_at) order by l.id)
           from shuitu.link_pairs l where {mine}), '[]'),
  'links', coalesce((select jsonb_agg(jsonb_build_object('id', k.id, 'permit_id', k.permit_id, 'permit_point_id', k.permit_point_id) order by k.id)
           from shuitu.permit_intakes k where k.intake_id = o.intake_id and k.valid_to is null), '[]'),
  'outcome', jsonb_build_object('outcome', o.outcome, 'ground', o.ground, 'note', o.note, 'decided_by', o.decided_by,
             'decided_name', o.decided_name, 'decided_at', o.decided_at),
  'version', o.version) as standing
from shuitu.link_outcomes o where o.id = any(:ids)"""
MINE = {
    "intake": "l.intake_id = o.intake_id",
    "permit": "l.permit_id = o.permit_id and l.permit_point_id is not distinct from o.permit_point_id",
}


def take(session: Session, outcome_ids: Sequence[int], subject: str = "intake") -> dict[int, dict[str, Any]]:
    """All that decisions change about these lines, as JSON; `subject` as in `MINE`."""
    rows = session.execute(text(TAKE.format(mine=MINE[subject])), {"ids": list(outcome_ids)})
    return {row.id: row.standing for row in rows}


PUT_PAIRS = """
update shuitu.link_pairs l set state = g.state, decided_by = g.decided_by, decided_name = g.decided_name,
  decided_at = g.decided_at, version = l.version + 1
from jsonb_to_recordset(cast(:pairs as jsonb)) g(id bigint, state text, decided_by text, decided_name text, decided_at timestamptz)
where l.id = g.id and (l.state, l.decided_by, l.decided_name, l.decided_at)
  is distinct from (g.state, g.decided_by, g.decided_name, g.decided_at)"""
# A link that never held ends on the day on which it began: it stays for whoever asks what was known before.
END_LINKS = """
update shuitu.permit_intakes set valid_to = valid_from
where intake_id = :intake and valid_to is null and not (id = any(:kept))"""
REVIVE_LINKS = """
update shuitu.permit_intakes k set valid_to = null, permit_point_id = g.permit_point_id
from jsonb_to_recordset(cast(:links as jsonb)) g(id bigint, permit_point_id bigint)
where k.id = g.id and (k.valid_to is not null or k.permit_point_id is distinct from g.permit_point_id)"""
PUT_OUTCOME = """
update shuitu.link_outcomes o set outcome = g.outcome, ground = g.ground, note = g.note, decided_by = g.decided_by,
  decided_name = g.decided_name, decided_at = g.decided_at, version = o.version + 1, recorded_at = now()
from jsonb_to_record(cast(:outcome as jsonb)) g(outcome text, ground text, note text, decided_by text, decided_name text, decided_at timestamptz)
where o.intake_id = :intake or (o.permit_id = :permit and o.permit_point_id is not distinct from cast(:point as bigint))"""


@dataclass(frozen=True)
class Subject:
    """An entry of the register, or an intake that a permit lists."""

    intake_id: int | None
    permit_id: int | None = None
    permit_point_id: int | None = None


def put_back(session: Session, subject: Subject, former: Mapping[str, Any]) -> None:
    """Bring a subject back to how it stood; what was made since is withdrawn with it."""
    session.execute(text(PUT_PAIRS), {"pairs": json.dumps(former["pairs"])})
    if subject.intake_id is not None:
        session.execute(
            text("delete from shuitu.link_pairs where intake_id = :intake and not (id = any(:known))"),
            {"intake": subject.intake_id, "known": [pair["id"] for pair in former["pairs"]]},
        )
        kept = [link["id"] for link in former["links"]]
        session.execute(text(END_LINKS), {"intake": subject.intake_id, "kept": kept})
        session.execute(text(REVIVE_LINKS), {"links": json.dumps(former["links"])})
    session.execute(
        text(PUT_OUTCOME),
        {
            "intake": subject.intake_id,
            "permit": None if subject.intake_id else subject.permit_id,
            "point": subject.permit_point_id,
            "outcome": json.dumps(former["outcome"]),
        },
    )


# ── what follows from links ─────────────────────────────────────────────────────────────────────────

# Entries that share a permit's intake with one of these: their outcome counts them too.
AROUND = """
select distinct b.intake_id from shuitu.permit_intakes a join shuitu.permit_intakes b
  on b.permit_id = a.permit_id and coalesce(b.permit_point_id, 0) = coalesce(a.permit_point_id, 0)
where a.intake_id = any(:intakes) and b.valid_to is null"""
AROUND_PERMITS = """
select distinct intake_id from shuitu.permit_intakes where permit_id = any(:permits) and valid_to is null"""
# rules.outcome_of, for many at once.
DERIVE = """
with partners as (
  select l.intake_id, count(*) as n, max(s.n) as sharing
  from shuitu.permit_intakes l
  join lateral (select count(distinct m.intake_id) as n from shuitu.permit_intakes m
                where m.permit_id = l.permit_id and m.valid_to is null
                  and coalesce(m.permit_point_id, 0) = coalesce(l.permit_point_id, 0)) s on true
  where l.intake_id = any(:intakes) and l.valid_to is null group by l.intake_id
)
update shuitu.link_outcomes o
set outcome = case when p.n > 1 then 'one_to_n' when p.sharing > 1 then 'n_to_one' else 'one_to_one' end, ground = null
from partners p where o.intake_id = p.intake_id
  and o.outcome <> case when p.n > 1 then 'one_to_n' when p.sharing > 1 then 'n_to_one' else 'one_to_one' end"""
BEST = """
with best as (
  select o.id, coalesce(b.n, 0) as n, b.probability, coalesce(b.conflicts, '{}') as conflicts
  from shuitu.link_outcomes o
  left join lateral (
    select count(*) filter (where l.state = 'open') as n,
           max(l.probability) filter (where l.state in ('open', 'confirmed')) as probability,
           (array_agg(to_jsonb(l.conflicts) order by (l.state = 'confirmed') desc, l.probability desc nulls last)
              filter (where l.state in ('open', 'confirmed')))[1] as conflicts
    from shuitu.link_pairs l where l.intake_id = o.intake_id) b0 on true
  cross join lateral (select b0.n, b0.probability,
      (select array_agg(value) from jsonb_array_elements_text(b0.conflicts)) as conflicts) b
  where o.intake_id = any(:intakes)
)
update shuitu.link_outcomes o set pairs_open = b.n, probability = b.probability, conflicts = b.conflicts
from best b where b.id = o.id and (o.pairs_open, o.probability, o.conflicts) is distinct from (b.n::smallint, b.probability, b.conflicts)"""


def settle(session: Session, intakes: Iterable[int], permits: Iterable[int]) -> set[int]:
    """Bring up to the links what follows from them, for these entries, those that share a permit's intake with them,
    and the intakes of these permits; returns all entries concerned."""
    given, named = sorted(set(intakes)), sorted(set(permits))
    # What follows may lie in another county: a permit's wells may stand in three.
    with beyond_scope(session):
        around = set(session.execute(text(AROUND), {"intakes": given}).scalars())
        around |= set(session.execute(text(AROUND_PERMITS), {"permits": named}).scalars())
        concerned = sorted(around | set(given))
        session.execute(text(DERIVE), {"intakes": concerned})
        session.execute(text(BEST), {"intakes": given})
        links.states_of(session, concerned)
        settle_permits(session, named)
    return set(concerned)


# 有证无口: an intake listed by a permit in force to which no link leads. A link that names no point stands for all
# of the permit's: which of them it is was not said, and nobody is accused of that.
IN_FORCE = "p.status = 'valid' and (p.valid_to is null or p.valid_to >= current_date)"
WITHOUT = f"""
select p.id as permit_id, t.id as point_id, coalesce(t.county_code, p.county_code) as county_code,
       case when t.id is null then p.basin_id else t.basin_id end as basin_id,
       coalesce(nullif(t.source_type, 'unknown'), case when p.source_type in ('surface_water', 'groundwater', 'unconventional_water')
                then p.source_type end, 'unknown') as source_type
from shuitu.permits p left join shuitu.permit_points t on t.permit_id = p.id and t.valid_to is null
where {{which}} and {IN_FORCE} and not exists (
  select 1 from shuitu.permit_intakes l where l.permit_id = p.id and l.valid_to is null
    and (l.permit_point_id = t.id or l.permit_point_id is null or t.id is null))"""
DROP_WITHOUT = """
delete from shuitu.link_outcomes o where {which} and not exists (
  select 1 from ({without}) w where w.permit_id = o.permit_id and coalesce(w.point_id, 0) = coalesce(o.permit_point_id, 0))"""
# While a pair is open for it, nobody can say yet that it has no entry.
PUT_WITHOUT = """
insert into shuitu.link_outcomes as o (permit_id, permit_point_id, outcome, decided_by, decided_name, decided_at, source_type,
  county_code, basin_id, pairs_open, probability, run_id)
select w.permit_id, w.point_id, case when b.n > 0 then 'pending' else 'permit_without_intake' end,
       case when b.n > 0 then null else 'rule' end, case when b.n > 0 then null else 'rule' end, case when b.n > 0 then null else now() end,
       w.source_type, w.county_code, w.basin_id, b.n, b.probability, cast(:run as bigint)
from ({without}) w
cross join lateral (select count(*)::smallint as n, max(l.probability) as probability from shuitu.link_pairs l
  where l.permit_id = w.permit_id and l.permit_point_id is not distinct from w.point_id and l.state = 'open') b
on conflict (permit_id, coalesce(permit_point_id, 0)) where permit_id is not null do update set
  outcome = case when o.decided_by = 'person' then o.outcome else excluded.outcome end,
  decided_by = case when o.decided_by = 'person' then o.decided_by else excluded.decided_by end,
  decided_name = case when o.decided_by = 'person' then o.decided_name else excluded.decided_name end,
  decided_at = case when o.decided_by = 'person' or o.outcome = excluded.outcome then o.decided_at else excluded.decided_at end,
  pairs_open = excluded.pairs_open, probability = excluded.probability, county_code = excluded.county_code, basin_id = excluded.basin_id
where (o.pairs_open, o.probability, o.county_code) is distinct from (excluded.pairs_open, excluded.probability, excluded.county_code)
   or (o.decided_by is distinct from 'person' and o.outcome <> excluded.outcome)"""


def settle_permits(session: Session, permits: Sequence[int], run: int | None = None) -> None:
    """Intakes listed by these permits to which no entry belongs: a line each, and none for the others."""
    which, given = "p.id = any(:permits)", {"permits": list(permits), "run": run}
    _settle_without(session, which, "o.permit_id = any(:permits)", given)


def settle_counties(session: Session, counties: Sequence[int], run: int | None) -> None:
    """The same for all that lies in these counties."""
    which = "coalesce(t.county_code, p.county_code) = any(:counties)"
    mine = "o.permit_id is not null and o.county_code = any(:counties)"
    _settle_without(session, which, mine, {"counties": list(counties), "run": run})


def _settle_without(session: Session, which: str, mine: str, given: Mapping[str, Any]) -> None:
    without = WITHOUT.format(which=which)
    session.execute(text(DROP_WITHOUT.format(which=mine, without=without)), given)
    session.execute(text(PUT_WITHOUT.format(without=without)), given)
