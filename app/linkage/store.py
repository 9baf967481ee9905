"""What the engine found goes into the store, for some entries of the register at a time, in the caller's transaction.

Idempotent, and careful of persons: a line that a person decided, a pair that a person rejected and a link that is in
force stay as they are. Only what no person has touched is proposed anew, confirmed by rule, or called without a permit.
Set by set, and each row once: a nation's register is written in minutes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.engine import driver_of
from app.linkage import deciding, standing, weakening
from app.linkage.engine.reasons import AGAINST
from app.linkage.records import NATION, Part
from app.registry import links
from app.registry.queries import beyond_scope

SLICE = 50_000
"""Pairs that are turned to rows at a time: their reasons are many small texts."""
TABLES = ("arrived", "subjects", "staged", "held", "weak", "barred", "free", "put", "verdicts")

LINKED = "('one_to_one', 'n_to_one', 'one_to_n')"
ARRIVED = """
create temp table arrived (intake_id bigint, listed text, probability real, distance_m real, sure boolean, reasons jsonb, conflicts text[])
on commit drop"""
COPY = b"copy arrived (intake_id, listed, probability, distance_m, sure, reasons, conflicts) from stdin"
SUBJECTS = """
create temp table subjects on commit drop as
select i.id as intake_id, i.county_code, i.basin_id, i.source_type, i.permit_state from shuitu.intakes i
where i.off_stream and i.status <> 'ended' and {which}"""
# Permits of points; what is no longer there (or out of the actor's sight) falls away. Step by step: under row-level security
# no index serves a comparison with what is worked out in the same step.
STAGED = """
create temp table staged on commit drop as
with read as materialized (
  select a.*, case when listed like 'p%' then substr(listed, 2)::bigint end as whole, case when listed not like 'p%' then listed::bigint end as point
  from arrived a join subjects b using (intake_id)
), placed as materialized (
  select a.*, coalesce(t.permit_id, a.whole) as of_permit, t.id as point_id from read a
  left join shuitu.permit_points t on t.id = a.point and t.valid_to is null
)
select a.intake_id, a.probability, a.distance_m, a.sure, a.reasons, a.conflicts, p.id as permit_id, a.point_id
from placed a join shuitu.permits p on p.id = a.of_permit"""
# Lines of entries that are no longer in scope: ended, or in-channel after all.
OUT_OF_SCOPE = """
delete from shuitu.link_outcomes o using shuitu.intakes i where i.id = o.intake_id and {which}
  and (not i.off_stream or i.status = 'ended') and o.decided_by is distinct from 'person'"""
# Nobody decides on a line while links are made by rule.
LOCK = """
select count(*) from (select 1 from shuitu.link_outcomes o where o.intake_id in (select intake_id from staged) order by o.id for update) l"""
# A link that names a permit only: which of its intakes it is.
FILL = """
with best as (
  select distinct on (s.point_id) k.id, s.point_id from staged s
  join shuitu.permit_intakes k on k.intake_id = s.intake_id and k.permit_id = s.permit_id and k.valid_to is null and k.permit_point_id is null
  where s.point_id is not null and not exists (select 1 from shuitu.permit_intakes m where m.permit_point_id = s.point_id and m.valid_to is null)
  order by s.point_id, s.probability desc, k.id
), one as (select distinct on (id) id, point_id from best order by id, point_id)
update shuitu.permit_intakes k set permit_point_id = one.point_id from one where k.id = one.id
returning k.permit_id"""
HELD = """
create temp table held on commit drop as
select k.id as link_id, k.intake_id, k.permit_id, k.permit_point_id as point_id, k.origin, k.recorded_at from shuitu.permit_intakes k
join subjects b using (intake_id) where k.valid_to is null"""
# What may be proposed for and decided by rule: no link is in force, and no person has decided; what was decided when there
# was a link, since ended by an event of the permit, has lost its object.
FREE = f"""
create temp table free on commit drop as
select b.intake_id from subjects b left join shuitu.link_outcomes o using (intake_id)
where not exists (select 1 from shuitu.permit_intakes k where k.intake_id = b.intake_id and k.valid_to is null)
  and case when o.id is null then b.permit_state <> 'exempt'
           else o.outcome <> 'exempt' and (o.decided_by is distinct from 'person' or o.outcome in {LINKED}) end"""
STALE = """
delete from shuitu.link_pairs l using free f where l.intake_id = f.intake_id and l.decided_by is null and not l.conflicts @> '{weakened}'
  and not exists (select 1 from staged s where s.intake_id = l.intake_id and s.permit_id = l.permit_id and s.point_id is not distinct from l.permit_point_id)
returning l.permit_id"""
# Confirmed by rule: sure by the engine, and nothing in the store speaks against it.
PROPOSE = """
with written as (
  insert into shuitu.link_pairs as l (intake_id, permit_id, permit_point_id, probability, distance_m, reasons, conflicts, run_id, county_code,
    basin_id, state, decided_by, decided_name, decided_at)
  select s.intake_id, s.permit_id, s.point_id, s.probability, s.distance_m, s.reasons,
         s.conflicts || case when k.taken then '{taken}' else '{}' end::text[] || case when s.rivals > 1 then '{rivals}' else '{}' end::text[],
         cast(:run as bigint), b.county_code, b.basin_id, case when y.es then 'confirmed' else 'open' end, case when y.es then 'rule' end,
         case when y.es then 'rule' end, case when y.es then now() end
  from (select *, count(*) over (partition by intake_id) as rivals from staged) s join free f using (intake_id) join subjects b using (intake_id)
  cross join lateral (select exists (select 1 from shuitu.permit_intakes k where k.permit_id = s.permit_id and k.valid_to is null
                      and k.intake_id <> s.intake_id and k.permit_point_id is not distinct from s.point_id) as taken) k
  cross join lateral (select s.sure and not k.taken and not exists (select 1 from barred where barred.intake_id = s.intake_id) as es) y
  on conflict (intake_id, permit_id, coalesce(permit_point_id, 0)) do update set
    probability = excluded.probability, distance_m = excluded.distance_m, reasons = excluded.reasons, conflicts = excluded.conflicts,
    run_id = excluded.run_id, state = excluded.state, decided_by = excluded.decided_by, decided_name = excluded.decided_name,
    decided_at = excluded.decided_at, version = l.version + 1, recorded_at = now()
  where l.decided_by is distinct from 'person'
    and (excluded.state = 'confirmed' or (l.probability, l.distance_m, l.reasons, l.conflicts, l.state) is distinct from
        (excluded.probability, excluded.distance_m, excluded.reasons, excluded.conflicts, excluded.state))
  returning l.id, l.intake_id, l.permit_id, l.state
)
insert into put select id, intake_id, permit_id from written where state = 'confirmed'"""
PUT = "create temp table put (id bigint, intake_id bigint, permit_id bigint) on commit drop"
# rules.outcome_of and standing.BEST for many at once, and what a line without links comes to. How many entries share a
# permit's intake follows from links alone: a line that only counts them anew is not decided anew.
VERDICTS = f"""
create temp table verdicts on commit drop as
with partners as (
  select k.intake_id, count(*) as n, max(s.n) as sharing from shuitu.permit_intakes k join subjects b using (intake_id)
  cross join lateral (select count(distinct m.intake_id) as n from shuitu.permit_intakes m where m.permit_id = k.permit_id
                      and m.valid_to is null and coalesce(m.permit_point_id, 0) = coalesce(k.permit_point_id, 0)) s
  where k.valid_to is null group by 1
), best as (
  select l.intake_id, count(*) filter (where l.state = 'open') as n, max(l.probability) as probability,
         (array_agg(to_jsonb(l.conflicts) order by (l.state = 'confirmed') desc, l.probability desc nulls last))[1] as conflicts
  from shuitu.link_pairs l join subjects b using (intake_id) where l.state in ('open', 'confirmed') group by 1
)
select b.*, o.id, o.version, coalesce(t.n, 0)::smallint as pairs_open, t.probability,
       array(select jsonb_array_elements_text(coalesce(t.conflicts, '[]'))) as conflicts,
       v.outcome, case when v.outcome = 'exempt' then coalesce(o.ground, 'registered') end as ground, d.by as decided_by,
       d.by is distinct from o.decided_by or
         case when v.outcome in {LINKED} and o.outcome in {LINKED} then false
              else v.outcome is distinct from o.outcome end as new
from subjects b
left join shuitu.link_outcomes o using (intake_id) left join partners p using (intake_id) left join best t using (intake_id)
left join free f using (intake_id)
cross join lateral (select
  case when p.n > 1 then 'one_to_n' when p.sharing > 1 then 'n_to_one' when p.n = 1 then 'one_to_one'
       when f.intake_id is null then coalesce(o.outcome, 'exempt')
       when t.n > 0 then 'pending' else 'intake_without_permit' end as outcome,
  case when o.id is null or f.intake_id is not null then true
       else p.n > 0 and o.decided_by is distinct from 'person' and o.outcome in ('pending', 'intake_without_permit') end as ours) v
cross join lateral (select case when not v.ours then o.decided_by when v.outcome <> 'pending' then 'rule' end as by) d"""
NEW_LINES = """
insert into shuitu.link_outcomes (intake_id, outcome, ground, decided_by, decided_name, decided_at, source_type, county_code, basin_id,
  pairs_open, probability, conflicts, run_id)
select intake_id, outcome, ground, decided_by, decided_by, case when decided_by is not null then now() end, source_type, county_code, basin_id,
  pairs_open, probability, conflicts, cast(:run as bigint)
from verdicts where id is null order by intake_id on conflict (intake_id) do nothing"""
# What a person decided meanwhile has another version, and stays.
CONCLUDE = """
update shuitu.link_outcomes o set outcome = v.outcome, ground = v.ground, decided_by = v.decided_by,
  decided_name = case when v.decided_by is not distinct from o.decided_by then o.decided_name else v.decided_by end,
  decided_at = case when v.decided_by is null then null when v.decided_by is not distinct from o.decided_by and o.decided_by = 'person' then o.decided_at
                    else now() end,
  version = o.version + 1, run_id = coalesce(cast(:run as bigint), o.run_id), recorded_at = now(), source_type = v.source_type,
  county_code = v.county_code, basin_id = v.basin_id, pairs_open = v.pairs_open, probability = v.probability, conflicts = v.conflicts
from verdicts v where o.id = v.id and v.new and o.version = v.version"""
FIGURES = """
update shuitu.link_outcomes o set outcome = v.outcome, ground = v.ground, source_type = v.source_type, county_code = v.county_code, basin_id = v.basin_id, pairs_open = v.pairs_open,
  probability = v.probability, conflicts = v.conflicts
from verdicts v where o.id = v.id and not v.new and o.version = v.version and (o.outcome, o.source_type, o.county_code, o.basin_id, o.pairs_open, o.probability, o.conflicts)
  is distinct from (v.outcome, v.source_type, v.county_code, v.basin_id, v.pairs_open, v.probability, v.conflicts)"""


@dataclass(frozen=True)
class Stored:
    """What was written."""

    subjects: int
    confirmed: int
    weakened: int
    """Links that were in force and no longer hold, or that a person should look at again."""
    changed: Mapping[int, int]
    """Entries whose permit state or link is another than before, with their county."""
    permits: frozenset[int]
    """Permits that gained or lost a link, or whose link now names a point."""


def store(
    session: Session,
    pairs: pa.Table,
    run: int | None,
    *,
    counties: Sequence[int] = (),
    part: Part = NATION,
    intakes: Sequence[int] = (),
) -> Stored:
    """Write what the engine found (schema PAIRS) for the entries of these counties, or for these entries, which were held
    against the permits of `part`."""
    which, given = ("i.county_code = any(:ids)", {"ids": list(counties)}) if counties else ("i.id = any(:ids)", {"ids": list(intakes)})  # fmt: skip

    def each(statement: str) -> Any:
        return session.execute(text(statement), {"run": run})

    session.execute(text(f"drop table if exists {', '.join(f'pg_temp.{name}' for name in TABLES)}"))
    session.execute(text(ARRIVED))
    _copy(driver_of(session), pairs)
    session.execute(text(SUBJECTS.format(which=which)), given)
    _ready(session, "subjects", unique=True)
    each(STAGED)
    _ready(session, "staged")
    session.execute(text(OUT_OF_SCOPE.format(which=which)), given)
    # A permit's other entries may stand in another county. From here on only subjects are written, which are in scope.
    with beyond_scope(session):
        each(LOCK)
        filled = set(each(FILL).scalars())
        each(HELD)
        _ready(session, "held")
        weakened = weakening.weaken(session, part)
        each(FREE)
        _ready(session, "free", unique=True)
        touched = set(each(STALE).scalars())
        each(PUT)
        each(PROPOSE)
        deciding.link(session, list(each("select id from put").scalars()), "linkage")
        linked = {row.intake_id: row.permit_id for row in each("select intake_id, permit_id from put")}
        each(VERDICTS)
        _ready(session, "verdicts", unique=True)
        for statement in (NEW_LINES, CONCLUDE, FIGURES):
            each(statement)
        _around(session, linked.keys() | weakened.intakes, weakened.permits)
        changed = links.settle(session, "i.id in (select intake_id from subjects)")
        if not counties:
            subjects = list(each("select intake_id from subjects").scalars())
            standing.settle_permits(session, sorted(touched | deciding.proposed(session, subjects)))
        told = session.execute(
            text("select intake_id, county_code from subjects where intake_id = any(:ids)"),
            {"ids": list(linked.keys() | weakened.intakes)},
        )
        changed |= {row.intake_id: row.county_code for row in told}
        total = int(each("select count(*) from subjects").scalar_one())
        permits = frozenset(filled | weakened.permits | set(each("select permit_id from put").scalars()))
        return Stored(total, len(linked), len(weakened.intakes), changed, permits)


def _ready(session: Session, table: str, *, unique: bool = False) -> None:
    session.execute(text(f"create {'unique' if unique else ''} index on {table} (intake_id)"))
    session.execute(text(f"analyze {table}"))


def _around(session: Session, intakes: Sequence[int] | set[int], permits: frozenset[int]) -> None:
    """Outcomes of other entries that share a permit's intake with these, or did."""
    if not intakes:
        return
    around = set(session.execute(text(standing.AROUND), {"intakes": sorted(intakes)}).scalars())
    around |= set(session.execute(text(standing.AROUND_PERMITS), {"permits": sorted(permits)}).scalars())
    if others := sorted(around - set(intakes)):
        session.execute(text(standing.DERIVE), {"intakes": others})


# ── from Arrow to rows ──────────────────────────────────────────────────────────────────────────────


def _copy(connection: psycopg.Connection[Any], pairs: pa.Table) -> None:
    with connection.cursor().copy(COPY) as copy:
        for row in _rows(pairs):
            copy.write_row(row)


def _rows(pairs: pa.Table) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(pairs), SLICE):
        part = pairs.slice(start, SLICE)
        sure = pc.equal(part["decision"], "confirmed")
        for a, b, p, metres, is_sure, reasons in zip(
            *(part[name].to_pylist() for name in ("a", "b", "probability", "distance_m")),
            sure.to_pylist(),
            part["reasons"].to_pylist(),
            strict=True,
        ):
            against = sorted({kind_of(one["code"]) for one in reasons if one["against"]})
            yield int(a), b, p, metres, is_sure, orjson.dumps(reasons).decode(), against


def kind_of(code: str) -> str:
    """What a reason speaks of: name, holder, distance … (a reason's code adds how much)."""
    return next((name for name in AGAINST if code == name or code.startswith(f"{name}_")), code)
