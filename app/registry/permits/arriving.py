"""A file of permits becomes events: what a permit is said to be now is compared with what it was, and the rules decide.

Rows that the rules refuse go to the rejects, each with its reason; all others come in, in one transaction. A number that
a renewal changed finds its permit by `previous_number`, or by its lasting serial; a number that was replaced is told.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.changes import service as changes
from app.db.engine import driver_of
from app.imports.kind import Outcome
from app.registry import links
from app.registry.findings import sentence
from app.registry.permits import queries, register
from app.registry.queries import beyond_scope

PAGE = 5_000
LASTING = r"'^取水.*第[AB]\d{8}号$'"
SCOPED = "((p.county_code >= shuitu.scope_lo() and p.county_code < shuitu.scope_hi()) or p.basin_id = shuitu.scope_basin())"
LIMIT_ROW = "row(limit_period, limit_source, limit_well_field, limit_purpose, annual_volume_m3, daily_m3, flow_m3s, limit_condition)::text"
STORED_LIMITS = (
    "(select array_agg(row(l.period, l.source_type, l.well_field, l.purpose, l.annual_m3, l.daily_m3, l.flow_m3s, l.condition)::text order by l.seq) "
    "from shuitu.permit_limits l where l.permit_id = p.id and l.version = p.version)"
)
# The total of a permit with several limits is their sum, unless one row stands for the whole year and all uses.
ARRIVING = rf"""
create temporary table told_permits on commit drop as
with given as (
  select permit_no, min(row_no) as row_no, array_agg({LIMIT_ROW} order by row_no) as limits,
    coalesce(max(annual_volume_m3) filter (where limit_period = '' and limit_source = 'all' and limit_well_field = '' and limit_purpose = 'all'),
             sum(annual_volume_m3)) as total_m3
  from staging.permits where import_id = cast(:id as uuid) group by permit_no
)
select s.row_no, s.permit_no, s.permit_no_raw, s.previous_number, s.e_licence, s.event, s.holder_name, s.uscc, s.county_code, s.basin_id,
  s.zone_code, s.issuing_authority, s.supervising_authority, s.source_type, s.purpose, s.industry_code, s.occupies_quota, s.valid_from, s.valid_to,
  s.place, s.attributes, s.effective_on, s.document_no, s.ground, s.reason, g.limits, g.total_m3 as annual_volume_m3, h.id as holder_id,
  coalesce(s.issuing_level, case left(s.permit_no, 1) when 'A' then 'basin' when 'B' then 'province' when 'C' then 'prefecture' when 'D' then 'county' end) as issuing_level,
  coalesce(s.status, case s.event when 'cancel' then 'cancelled' when 'annul' then 'annulled' when 'revoke' then 'revoked' when 'expire' then 'expired' end) as status,
  coalesce(own.id, former.id, lasting.id) as permit_id, own.id is null as renumbered,
  case when own.id is null and former.id is null then (select min(o.id) from shuitu.permit_history o where o.permit_no = s.permit_no) end as replaced_in
from given g join staging.permits s on s.import_id = cast(:id as uuid) and s.permit_no = g.permit_no and s.row_no = g.row_no {links.HOLDER_OF}
left join shuitu.permits own on own.permit_no = s.permit_no
left join lateral (select p.id from shuitu.permits p where own.id is null and p.permit_no = s.previous_number and {SCOPED}) former on true
left join lateral (select p.id from shuitu.permits p where own.id is null and s.permit_no ~ {LASTING} and p.permit_no ~ {LASTING} and {SCOPED}
  and regexp_replace(p.permit_no, '\[\d{{4}}\]', '') = regexp_replace(s.permit_no, '\[\d{{4}}\]', '') order by p.id limit 1) lasting on true"""
# A number that a renewal replaced, in the store or in this very file, is not a permit of its own.
REPLACED = """
with newer as (
  select previous_number, min(permit_no) as permit_no from told_permits where previous_number <> permit_no group by previous_number
), ranked as (
  select a.row_no, a.permit_id, coalesce(n.permit_no, p.permit_no) as newer, first_value(a.permit_no) over w as kept, row_number() over w as n
  from told_permits a left join newer n on a.permit_id is null and n.previous_number = a.permit_no
  left join shuitu.permits p on p.id = a.replaced_in and a.permit_id is null
  window w as (partition by coalesce(a.permit_id, -a.row_no) order by a.renumbered desc, a.row_no desc)
), gone as (
  delete from told_permits a using ranked r where a.row_no = r.row_no and (r.n > 1 or r.newer is not null)
  returning a.row_no, a.permit_no, case when r.n > 1 then r.kept else r.newer end as newer
), unstaged as (
  delete from staging.permits s using gone where s.import_id = cast(:id as uuid) and s.permit_no = gone.permit_no
)
insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected)
select cast(:id as uuid), row_no, 'reject', 'permit_no', permit_no, 'number_replaced',
       '许可证编号已由 ' || newer || ' 取代，请用新编号 (the number was replaced: use the new one)', newer from gone"""
DIFFERENT = f"""
select a.row_no, a.permit_no as new_permit_no, a.event as new_event, a.status as new_status, a.effective_on as new_effective_on, a.document_no, a.ground, a.reason,
  {", ".join(f"a.{name} as new_{name}" for name in register.COMPARED)}, a.uscc as new_uscc, a.valid_from as new_valid_from, a.valid_to as new_valid_to,
  {", ".join(f"p.{name}" for name in register.COMPARED)}, p.permit_no, p.status, p.valid_from, p.valid_to, p.effective_on, p.ended_on,
  (select h.uscc from shuitu.holders h where h.id = p.holder_id) as uscc,
  a.limits is distinct from {STORED_LIMITS} as new_limits, not p.attributes @> a.attributes as new_attributes
from told_permits a join shuitu.permits p on p.id = a.permit_id
where ({", ".join(f"p.{name}" for name in register.COMPARED)}) is distinct from ({", ".join(f"a.{name}" for name in register.COMPARED)})
  or p.permit_no <> a.permit_no or p.status <> a.status or p.valid_from is distinct from coalesce(a.valid_from, p.valid_from)
  or p.valid_to is distinct from coalesce(a.valid_to, p.valid_to) or not p.attributes @> a.attributes
  or a.limits is distinct from {STORED_LIMITS}
  or (a.uscc is not null and a.holder_id is distinct from p.holder_id)
  or (a.e_licence is not null and a.e_licence is distinct from p.e_licence)
order by a.row_no"""
DECIDED = """create temporary table decided (row_no bigint primary key, event text not null, status text not null, effective_on date,
  ended_on date, valid_from date, valid_to date, facts jsonb not null) on commit drop"""
WRITTEN = ", ".join(
    ("permit_no", "permit_no_raw", "holder_id", *register.COMPARED)
)  # what the file says goes in as it is
REFUSED = """create temporary table refused (permit_no text not null, field text not null, value text not null, reason text not null,
  message text not null, expected text not null) on commit drop"""
# All rows of a permit that is refused go back, so that they can be mended together.
REJECT = """
with gone as (
  delete from staging.permits s using (select distinct permit_no from refused) r
  where s.import_id = cast(:id as uuid) and s.permit_no = r.permit_no returning s.row_no, s.permit_no
), out as (
  delete from told_permits a using refused r where a.permit_no = r.permit_no
)
insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected)
select cast(:id as uuid), g.row_no, 'reject', r.field, r.value, r.reason, r.message, r.expected from gone g join refused r on r.permit_no = g.permit_no"""
UPDATE = f"""
update shuitu.permits p set ({WRITTEN}) = (select {WRITTEN} from told_permits n where n.row_no = a.row_no),
  previous_number = case when a.renumbered then p.permit_no else coalesce(a.previous_number, p.previous_number) end,
  e_licence = coalesce(a.e_licence, p.e_licence), attributes = p.attributes || a.attributes, event = d.event, status = d.status,
  effective_on = d.effective_on, ended_on = d.ended_on, valid_from = d.valid_from, valid_to = d.valid_to, version = p.version + 1,
  import_id = cast(:id as uuid), source_row = a.row_no
from told_permits a join decided d on d.row_no = a.row_no where p.id = a.permit_id
returning p.id, p.version, p.permit_no, p.county_code, false as new"""
INSERT = f"""
insert into shuitu.permits ({WRITTEN}, previous_number, e_licence, attributes, event, status, effective_on, ended_on, valid_from, valid_to, import_id, source_row)
select {WRITTEN}, previous_number, e_licence, attributes,
  coalesce(event, case status when 'cancelled' then 'cancel' when 'annulled' then 'annul' when 'revoked' then 'revoke' else 'issue' end),
  coalesce(status, case when valid_to < :today then 'expired' else 'valid' end), coalesce(valid_from, case when status in ('cancelled', 'annulled', 'revoked') then null else effective_on end),
  case when status in ('cancelled', 'annulled', 'revoked') then effective_on end, valid_from, valid_to, cast(:id as uuid), row_no
from told_permits where permit_id is null
returning id, version, permit_no, county_code, true as new"""
LIMITS = """
insert into shuitu.permit_limits (permit_id, version, seq, period, source_type, well_field, purpose, annual_m3, daily_m3, flow_m3s, condition, county_code, basin_id)
select t.id, t.version, row_number() over (partition by t.id order by s.row_no), s.limit_period, s.limit_source, s.limit_well_field, s.limit_purpose,
       s.annual_volume_m3, s.daily_m3, s.flow_m3s, s.limit_condition, s.county_code, s.basin_id
from staging.permits s join touched t on t.permit_no = s.permit_no where s.import_id = cast(:id as uuid)"""
EVENTS = """
insert into shuitu.permit_events (permit_id, version, event, effective_on, document_no, ground, reason, actor_id, actor_name, import_id, county_code, basin_id, facts)
select t.id, t.version, p.event, case when t.new then coalesce(a.effective_on, p.effective_on) else p.effective_on end, a.document_no, a.ground, a.reason,
       i.actor_id, i.actor_name, i.id, p.county_code, p.basin_id, coalesce(d.facts, '{}')
from touched t join shuitu.permits p on p.id = t.id join told_permits a on a.permit_no = t.permit_no left join decided d on d.row_no = a.row_no
join shuitu.imports i on i.id = cast(:id as uuid)"""
# An intake may lie in another county than the permit: that is allowed, and told.
LINK = """
with named as (
  select p.id as permit_id, p.county_code as home, p.effective_on, coalesce(t.new, false) as new, s.row_no, code
  from staging.permits s join shuitu.permits p on p.permit_no = s.permit_no left join touched t on t.id = p.id
  cross join unnest(s.intake_codes) c(code) where s.import_id = cast(:id as uuid)
), linked as (
  insert into shuitu.permit_intakes (permit_id, intake_id, valid_from, county_code, basin_id, import_id)
  select distinct on (n.permit_id, i.id) n.permit_id, i.id, case when n.new then '1900-01-01' else coalesce(n.effective_on, '1900-01-01') end,
         i.county_code, i.basin_id, cast(:id as uuid)
  from named n join shuitu.intakes i on i.code = n.code on conflict do nothing
)
insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected)
select cast(:id as uuid), n.row_no, 'warning', 'intake_codes', n.code,
       case when i.id is null then 'intake_not_found' else 'intake_elsewhere' end,
       case when i.id is null then '取水口尚未入库，待定 (the intake is not in the store: to be decided)'
            else '取水口位于 ' || i.county_code || '，不在许可证所在县 ' || n.home || ' (the intake lies in another county than the permit)' end, ''
from named n left join shuitu.intakes i on i.code = n.code where i.id is null or i.county_code <> n.home"""


TOUCHED = f"""
with changed as ({UPDATE}), added as ({INSERT})
insert into touched select * from changed union all select * from added"""
TEMPORARY = """create temporary table touched (id bigint primary key, version integer not null, permit_no text not null unique,
  county_code integer not null, new boolean not null) on commit drop"""


def take_in(session: Session, import_id: str) -> Outcome:
    """Each staged permit that is new or changed gets an event, a version and its limits; the intakes named come under it."""
    today = queries.today(session)
    given = {"id": import_id, "today": today}
    for statement in (ARRIVING, REPLACED):
        session.execute(text(statement), given)
    _decide(session, import_id, today)
    total = session.execute(text("select count(*) from told_permits")).scalar_one()
    for statement in (TEMPORARY, "analyze told_permits", "analyze decided", TOUCHED, "analyze touched"):
        session.execute(text(statement), given)
    for statement in (LIMITS, EVENTS, LINK):
        session.execute(text(statement), given)
    rows = session.execute(
        text("select new, county_code, count(*) as n from touched group by new, county_code")
    ).all()
    counties = {row.county_code for row in rows}
    changes.record_import(session, "permits", import_id, counties)
    with beyond_scope(session):
        # States follow wherever the intakes lie, also in another county than the permit.
        intakes = links.states(session, import_id, of_permits=True)
        changes.record_import(session, "intakes", import_id, intakes)
    new, done = sum(row.n for row in rows if row.new), sum(row.n for row in rows)
    return Outcome(new, done - new, total - done, tuple(sorted(intakes | counties)))


def _decide(session: Session, import_id: str, today: date) -> None:
    """The event of every permit that is not as it was; what the rules refuse goes to the rejects."""
    session.execute(text(DECIDED))
    session.execute(text(REFUSED))
    rows = session.execute(text(DIFFERENT), {"id": import_id}, execution_options={"yield_per": PAGE})
    for page in rows.partitions():
        read = [dict(row._mapping) for row in page]
        decided = [(row, register.decide(row, today)) for row in read]
        _keep(session, import_id, [(row, one) for row, one in decided if not one.refused])
        _refuse(session, [(row, one) for row, one in decided if one.refused])
    session.execute(text(REJECT), {"id": import_id})


Pairs = Sequence[tuple[dict[str, Any], register.Decided]]


def _keep(session: Session, import_id: str, decided: Pairs) -> None:
    """Put the decisions beside the rows, and tell what is odd about them."""
    with driver_of(session).cursor() as cursor:
        columns = "row_no, event, status, effective_on, ended_on, valid_from, valid_to, facts"
        with cursor.copy(f"copy decided ({columns}) from stdin".encode()) as copy:
            for row, one in decided:
                after = (
                    one.after.status,
                    one.after.effective_on,
                    one.after.ended_on,
                    one.after.valid_from,
                    one.after.valid_to,
                )
                copy.write_row((row["row_no"], one.event.event, *after, orjson.dumps(one.facts).decode()))
    told = [(row["row_no"], odd) for row, one in decided for odd in one.warned]
    if told:
        session.execute(
            text(
                "insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected) "
                "values (cast(:id as uuid), :row_no, 'warning', :field, '', :code, :message, :expected)"
            ),
            [
                {
                    "id": import_id,
                    "row_no": n,
                    "field": o.field,
                    "code": o.code,
                    "message": sentence([o]),
                    "expected": o.expected,
                }
                for n, o in told
            ],
        )


def _refuse(session: Session, decided: Pairs) -> None:
    found = [
        {
            "no": row["new_permit_no"],
            "field": o.field,
            "value": _value(row, o.field),
            "code": o.code,
            "message": sentence([o]),
            "expected": o.expected,
        }
        for row, one in decided
        for o in one.refused
    ]
    if found:
        session.execute(
            text("insert into refused values (:no, :field, :value, :code, :message, :expected)"), found
        )


def _value(row: dict[str, Any], name: str) -> str:
    given = row.get(f"new_{name}", row.get(name))
    return "" if given is None else str(given)
