"""Permits and intakes meet: links that files name, and what they mean for an intake's permit state."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.imports.kind import ImportKind

HOLDERS = """
insert into shuitu.holders (name, uscc, kind, county_code, basin_id, import_id)
select distinct on ({key}) holder_name, uscc, 'unknown', county_code, basin_id, cast(:id as uuid)
from staging.{table} where import_id = :id and holder_name <> '' and uscc is {present}
order by {key}, row_no
on conflict {conflict} do nothing"""


def holders(session: Session, kind: ImportKind, import_id: str) -> None:
    """A holder a credit code and county, or a name and county where there is no code."""
    for key, present, conflict in (
        ("uscc, county_code", "not null", "(uscc, county_code) where uscc is not null"),
        ("holder_name, county_code", "null", "(name, county_code) where uscc is null"),
    ):
        session.execute(
            text(HOLDERS.format(key=key, table=kind.staging, present=present, conflict=conflict)),
            {"id": import_id},
        )


# Two joins rather than one with `or`: each can be hashed, however many holders a county has.
HOLDER_OF = """left join shuitu.holders hu on s.uscc is not null and hu.uscc = s.uscc and hu.county_code = s.county_code
    and s.holder_name <> ''
  left join shuitu.holders hn on s.uscc is null and hn.uscc is null and hn.name = s.holder_name
    and hn.county_code = s.county_code and s.holder_name <> ''
  cross join lateral (select coalesce(hu.id, hn.id) as id) h"""

WANTED = """
with touched as (
  select i.id, i.permit_state,
         bool_or(p.status = 'valid' and (p.valid_to is null or p.valid_to >= current_date)) as in_force,
         count(p.id) as permits
  from shuitu.intakes i
  left join shuitu.permit_intakes pi on pi.intake_id = i.id and pi.valid_to is null
  left join shuitu.permits p on p.id = pi.permit_id
  where {which}
  group by i.id
), wanted as (
  select t.id, case when in_force then 'linked' when permits > 0 then 'ended'
                    when o.outcome = 'exempt' then 'exempt' when o.outcome = 'intake_without_permit' then 'unpermitted'
                    when o.outcome is null and permit_state in ('exempt', 'unpermitted') then permit_state
                    else 'pending' end as state
  from touched t left join shuitu.link_outcomes o on o.intake_id = t.id
)"""
STATES = (
    WANTED
    + """
update shuitu.intakes i set permit_state = w.state
from wanted w where w.id = i.id and i.permit_state <> w.state
returning i.id, i.county_code"""
)
# The same, with the history of all rows in one statement: a trigger for each row costs more than the update.
SETTLE = (
    WANTED
    + """
, before as materialized (
  select i.*, w.state as wanted from shuitu.intakes i join wanted w on w.id = i.id where i.permit_state <> w.state
  order by i.id for no key update of i
), kept as (
  insert into shuitu.intake_history ({columns}, recorded_until) select {columns}, now() from before
)
update shuitu.intakes i set permit_state = b.wanted, version = b.version + 1, recorded_at = now()
from before b where b.id = i.id
returning i.id, i.county_code"""
)
COLUMNS = """
select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
where attrelid = 'shuitu.intakes'::regclass and attnum > 0 and not attisdropped"""
BY_SET = "select set_config('app.history', :how, true)"


def states(session: Session, import_id: str, *, of_permits: bool) -> set[int]:
    """Bring the permit state of the touched intakes up to their links; returns the counties changed.

    A permit in force makes an intake 已对应; permits that have all ended make it 已注销/到期; without any it is
    无需办证 or 有口无证 where the linkage came to that (or, before it ran, the register says so), and 待定 otherwise.
    """
    which = (
        "i.id in (select pi.intake_id from shuitu.permit_intakes pi join shuitu.permits p on p.id = pi.permit_id where p.import_id = cast(:id as uuid))"
        if of_permits
        else """i.import_id = cast(:id as uuid) and (i.permit_state in ('linked', 'ended')
                or exists (select from shuitu.permit_intakes l where l.intake_id = i.id))"""
    )
    rows = session.execute(text(STATES.format(which=which)), {"id": import_id})
    return {row.county_code for row in rows}


def states_of(session: Session, intake_ids: Sequence[int]) -> set[int]:
    """The same for these intakes; returns the ids of those whose state changed."""
    found = session.execute(text(STATES.format(which="i.id = any(:ids)")), {"ids": list(intake_ids)})
    return {row.id for row in found}


def settle(session: Session, which: str) -> dict[int, int]:
    """The same for many intakes, those of an SQL condition on `i`; returns the ids of those whose state changed, with
    their county."""
    columns = session.execute(text(COLUMNS)).scalar_one()
    session.execute(text(BY_SET), {"how": "by set"})
    rows = session.execute(text(SETTLE.format(which=which, columns=columns))).all()
    session.execute(text(BY_SET), {"how": ""})
    return {row.id: row.county_code for row in rows}


def outside(session: Session, import_id: str, table: str, fact: str, join: str, field: str) -> None:
    """Staged rows whose business key belongs to a fact in another jurisdiction: to the rejects.

    The check looks beyond the actor's scope, as a system task, and tells nothing but that.
    """
    session.execute(
        text(
            "select set_config('app.import_lo', current_setting('app.scope_lo'), true), set_config('app.import_hi', current_setting('app.scope_hi'), true), "
            "set_config('app.import_basin', current_setting('app.scope_basin'), true)"
        )
    )
    session.execute(
        text(
            "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true), set_config('app.scope_basin', '', true)"
        )
    )
    rows = session.execute(
        text(f"""select s.row_no, s.{field} as key from staging.{table} s join shuitu.{fact} f on {join}
                 where s.import_id = cast(:id as uuid)
                   and not (f.county_code >= current_setting('app.import_lo')::integer and f.county_code < current_setting('app.import_hi')::integer)
                   and coalesce(f.basin_id <> nullif(current_setting('app.import_basin'), '')::smallint, true)"""),
        {"id": import_id},
    ).all()
    session.execute(
        text(
            "select set_config('app.scope_lo', current_setting('app.import_lo'), true), set_config('app.scope_hi', current_setting('app.import_hi'), true), "
            "set_config('app.scope_basin', current_setting('app.import_basin'), true)"
        )
    )
    if not rows:
        return
    session.execute(
        text(f"delete from staging.{table} where import_id = cast(:id as uuid) and row_no = any(:rows)"),
        {"id": import_id, "rows": [r.row_no for r in rows]},
    )
    session.execute(
        text("""insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected)
                values (cast(:id as uuid), :row_no, 'reject', :field, :value, 'held_elsewhere', '该编号已登记在辖区之外 (this key is registered outside your jurisdiction)', '')"""),
        [{"id": import_id, "row_no": r.row_no, "field": field, "value": r.key} for r in rows],
    )
