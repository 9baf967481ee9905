"""What the engine found goes into the store, for some entries of the register at a time, in the caller's transaction.

Idempotent, and careful of persons: a line that a person decided, a pair that a person rejected and a link that is in
force stay as they are. Only what no person has touched is proposed anew, confirmed by rule, or called without a permit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.engine import driver_of
from app.linkage import deciding, standing
from app.linkage.engine.reasons import AGAINST
from app.registry import links
from app.registry.queries import beyond_scope

SLICE = 50_000
"""Pairs that are turned to rows at a time: their reasons are many small texts."""

STAGE = """
create temp table staged (intake_id bigint, listed text, probability real, distance_m real, sure boolean, reasons jsonb, conflicts text[],
  permit_id bigint, point_id bigint) on commit drop"""
SUBJECTS = """
create temp table subjects on commit drop as
select i.id as intake_id, i.county_code, i.basin_id, i.source_type, i.permit_state from shuitu.intakes i
where i.off_stream and i.status <> 'ended' and {which}"""
COPY = b"copy staged (intake_id, listed, probability, distance_m, sure, reasons, conflicts) from stdin"
# Permits of points; what is no longer there (or out of the actor's sight) falls away.
RESOLVE = """
update staged s set permit_id = case when s.listed like 'p%' then substr(s.listed, 2)::bigint else (select t.permit_id from shuitu.permit_points t
    where t.id = s.listed::bigint and t.valid_to is null) end,
  point_id = case when s.listed like 'p%' then null else s.listed::bigint end"""
UNRESOLVED = """
delete from staged s where s.permit_id is null or not exists (select 1 from shuitu.permits p where p.id = s.permit_id)
  or not exists (select 1 from subjects b where b.intake_id = s.intake_id)"""
LINES = """
insert into shuitu.link_outcomes as o (intake_id, outcome, ground, decided_by, decided_name, decided_at, source_type, county_code, basin_id, run_id)
select b.intake_id, case when x.is then 'exempt' else 'pending' end, case when x.is then 'registered' end, case when x.is then 'rule' end,
       case when x.is then 'rule' end, case when x.is then now() end, b.source_type, b.county_code, b.basin_id, cast(:run as bigint)
from subjects b cross join lateral (select b.permit_state = 'exempt' as is) x
on conflict (intake_id) do update set source_type = excluded.source_type, county_code = excluded.county_code, basin_id = excluded.basin_id
where (o.source_type, o.county_code, o.basin_id) is distinct from (excluded.source_type, excluded.county_code, excluded.basin_id)"""
# Lines whose links have all been ended since, by an event of the permit: what was decided has lost its object.
BROKEN = """
update shuitu.link_outcomes o set outcome = 'pending', decided_by = null, decided_name = null, decided_at = null, version = o.version + 1
from subjects b where o.intake_id = b.intake_id and o.outcome in ('one_to_one', 'n_to_one', 'one_to_n')
  and not exists (select 1 from shuitu.permit_intakes k where k.intake_id = b.intake_id and k.valid_to is null)"""
# What may be proposed for and decided by rule: no person has, and no link is in force.
FREE = """
create temp table free on commit drop as
select o.intake_id, o.id as outcome_id from shuitu.link_outcomes o join subjects b using (intake_id)
where o.decided_by is distinct from 'person' and o.outcome <> 'exempt'
  and not exists (select 1 from shuitu.permit_intakes k where k.intake_id = o.intake_id and k.valid_to is null)"""
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
STALE = """
delete from shuitu.link_pairs l using free f where l.intake_id = f.intake_id and l.decided_by is null
  and not exists (select 1 from staged s where s.intake_id = l.intake_id and s.permit_id = l.permit_id and s.point_id is not distinct from l.permit_point_id)
returning l.permit_id"""
PROPOSE = """
insert into shuitu.link_pairs as l (intake_id, permit_id, permit_point_id, probability, distance_m, reasons, conflicts, run_id, county_code, basin_id)
select s.intake_id, s.permit_id, s.point_id, s.probability, s.distance_m, s.reasons,
       s.conflicts || case when k.n > 0 then '{taken}' else '{}' end::text[] || case when r.n > 1 then '{rivals}' else '{}' end::text[],
       cast(:run as bigint), b.county_code, b.basin_id
from staged s join free f using (intake_id) join subjects b using (intake_id)
cross join lateral (select count(*) as n from shuitu.permit_intakes k where k.permit_id = s.permit_id and k.valid_to is null
                    and k.intake_id <> s.intake_id and k.permit_point_id is not distinct from s.point_id) k
cross join lateral (select count(*) as n from staged r where r.intake_id = s.intake_id) r
on conflict (intake_id, permit_id, coalesce(permit_point_id, 0)) do update set
  probability = excluded.probability, distance_m = excluded.distance_m, reasons = excluded.reasons, conflicts = excluded.conflicts,
  run_id = excluded.run_id, state = 'open', decided_by = null, decided_name = null, decided_at = null, version = l.version + 1, recorded_at = now()
where l.decided_by is distinct from 'person'
  and (l.probability, l.distance_m, l.reasons, l.conflicts, l.state) is distinct from
      (excluded.probability, excluded.distance_m, excluded.reasons, excluded.conflicts, 'open')"""
# Confirmed by rule: sure by the engine, and nothing in the store speaks against it.
CONFIRM = """
update shuitu.link_pairs l set state = 'confirmed', decided_by = 'rule', decided_name = 'rule', decided_at = now(), version = l.version + 1
from staged s join free f using (intake_id)
where s.sure and l.intake_id = s.intake_id and l.permit_id = s.permit_id and l.permit_point_id is not distinct from s.point_id
  and l.state = 'open' and not l.conflicts @> '{taken}'
returning l.id, l.permit_id, l.intake_id"""
CONCLUDE = """
update shuitu.link_outcomes o set outcome = s.outcome, ground = null, decided_by = s.by, decided_name = s.by, decided_at = case when s.by is not null then now() end,
  version = o.version + 1, run_id = coalesce(cast(:run as bigint), o.run_id), recorded_at = now()
from (select f.outcome_id, w.outcome, case when w.outcome <> 'pending' then 'rule' end as by
      from free f cross join lateral (select
        case when exists (select 1 from shuitu.permit_intakes k where k.intake_id = f.intake_id and k.valid_to is null) then 'one_to_one'
             when exists (select 1 from shuitu.link_pairs l where l.intake_id = f.intake_id and l.state = 'open') then 'pending'
             else 'intake_without_permit' end as outcome) w) s
where o.id = s.outcome_id and (o.outcome, o.decided_by) is distinct from (s.outcome, s.by)
returning o.intake_id"""
# Entries that came with their link: what follows from it is the rule's.
GIVEN = """
update shuitu.link_outcomes o set decided_by = 'rule', decided_name = 'rule', decided_at = now(), outcome = 'one_to_one', version = o.version + 1
from subjects b where o.intake_id = b.intake_id and o.outcome in ('pending', 'intake_without_permit') and o.decided_by is distinct from 'person'
  and exists (select 1 from shuitu.permit_intakes k where k.intake_id = b.intake_id and k.valid_to is null)"""
# Lines of entries that are no longer in scope: ended, or in-channel after all.
OUT_OF_SCOPE = """
delete from shuitu.link_outcomes o using shuitu.intakes i where i.id = o.intake_id and {which}
  and (not i.off_stream or i.status = 'ended') and o.decided_by is distinct from 'person'"""


@dataclass(frozen=True)
class Stored:
    """What was written."""

    subjects: int
    confirmed: int
    changed: frozenset[int]
    """Entries whose permit state or link is another than before."""
    permits: frozenset[int]
    """Permits that gained a link, or whose link now names a point."""


def store(
    session: Session,
    pairs: pa.Table,
    run: int | None,
    *,
    county: int | None = None,
    intakes: Sequence[int] = (),
) -> Stored:
    """Write what the engine found (schema PAIRS) for the entries of a county, or for these."""
    which, given = ("i.county_code = :county", {"county": county}) if county is not None else ("i.id = any(:ids)", {"ids": list(intakes)})  # fmt: skip

    def each(statement: str) -> Any:
        return session.execute(text(statement), {"run": run})

    session.execute(text("drop table if exists pg_temp.staged, pg_temp.subjects, pg_temp.free"))
    session.execute(text(STAGE))
    session.execute(text(SUBJECTS.format(which=which)), given)
    session.execute(text("create unique index on subjects (intake_id)"))
    _copy(driver_of(session), pairs)
    each(RESOLVE)
    each(UNRESOLVED)
    each("create index on staged (intake_id)")
    session.execute(text("analyze staged, subjects"))
    session.execute(text(OUT_OF_SCOPE.format(which=which)), given)
    each(LINES)
    each(BROKEN)
    filled = set(each(FILL).scalars())
    each(FREE)
    session.execute(text("create unique index on free (intake_id)"))
    session.execute(text("analyze free"))
    touched = set(each(STALE).scalars())
    each(PROPOSE)
    confirmed = each(CONFIRM).all()
    deciding.link(session, [row.id for row in confirmed], "linkage")
    each(CONCLUDE)
    each(GIVEN)
    subjects = list(each("select intake_id from subjects").scalars())
    changed = _follow(
        session, subjects, {row.intake_id for row in confirmed}, touched, whole=county is not None
    )
    permits = frozenset(filled | {row.permit_id for row in confirmed})
    return Stored(len(subjects), len(confirmed), frozenset(changed), permits)


def _follow(
    session: Session, subjects: Sequence[int], linked: set[int], touched: set[int], *, whole: bool
) -> set[int]:
    """Outcomes and permit states that follow; returns the entries that look different now. A county's permits are settled
    by the run, when all counties are done; those of single entries here."""
    given = {"intakes": list(subjects)}
    with beyond_scope(session):
        around = set(session.execute(text(standing.AROUND), {"intakes": sorted(linked)}).scalars())
        session.execute(text(standing.DERIVE), {"intakes": sorted(around | set(subjects))})
        session.execute(text(standing.BEST), given)
        changed = links.states_of(session, subjects)
        if not whole:
            concerned = touched | deciding.proposed(session, subjects)
            standing.settle_permits(session, sorted(concerned))
    return changed | linked


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
