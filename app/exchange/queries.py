"""Entries by their business key, the memory of requests, and entries as other systems read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Stored:
    id: int
    version: int


BY_KEY = {
    "intakes": """select id, version, code_scheme, code from shuitu.intakes
        where (code_scheme, code) in (select * from unnest(cast(:k0 as text[]), cast(:k1 as text[])))""",
    "permits": "select id, version, permit_no from shuitu.permits where permit_no = any(cast(:k0 as text[]))",
    # They have no versions; the transaction that wrote a row tells whether this one did.
    "permit-points": """select distinct on (k.n) l.id, l.xmin::text::bigint as version, k.permit_no, k.seq, k.name
        from unnest(cast(:k0 as text[]), cast(:k1 as integer[]), cast(:k2 as text[])) with ordinality k(permit_no, seq, name, n)
        join shuitu.permits p on p.permit_no = k.permit_no join shuitu.permit_points l on l.permit_id = p.id
          and (l.seq = k.seq or (k.seq is null and l.name = k.name and l.valid_to is null))
        order by k.n, l.seq""",
}


def stored(session: Session, kind: str, keys: Sequence[Key]) -> dict[Key, Stored]:
    """What is in the register under these business keys, of what the scope shows."""
    if not keys:
        return {}
    columns = {f"k{i}": list(column) for i, column in enumerate(zip(*keys, strict=True))}
    rows = session.execute(text(BY_KEY[kind]), columns).all()
    return {tuple(row[2:]): Stored(row.id, row.version) for row in rows}


def findings(session: Session, import_id: UUID) -> list[dict[str, Any]]:
    """Everything that was found about the rows of a batch, in their order."""
    rows = session.execute(
        text("""select row_no, severity, field, coalesce(value, '') as value, reason, message, coalesce(expected, '') as expected
                from shuitu.import_rejects where import_id = :id order by row_no, severity, field"""),
        {"id": import_id},
    )
    return [dict(row._mapping) for row in rows]


def touched_now(session: Session, table: str, counties: Sequence[int]) -> list[int]:
    """Ids of the entries that this transaction wrote in these counties."""
    return list(
        session.execute(
            text(
                f"select id from shuitu.{table} where county_code = any(:c) and recorded_at = now() order by id"
            ),
            {"c": list(counties)},
        ).scalars()
    )


# ── requests with a key ─────────────────────────────────────────────────────────────────────────────


def remember(session: Session, actor_id: int, key: str, target: str, digest: bytes) -> bool:
    """Take the key for this transaction; False if it was taken. Waits while another transaction holds it."""
    return (
        session.execute(
            text("""insert into shuitu.exchange_requests (actor_id, key, target, digest) values (:a, :k, :t, :d)
                    on conflict (actor_id, key) do nothing returning id"""),
            {"a": actor_id, "k": key, "t": target, "d": digest},
        ).first()
        is not None
    )


def remembered(session: Session, actor_id: int, key: str) -> Any:
    return session.execute(
        text(
            "select target, digest, status, answer from shuitu.exchange_requests where actor_id = :a and key = :k"
        ),
        {"a": actor_id, "k": key},
    ).one()


def answered(session: Session, actor_id: int, key: str, status: int, answer: bytes) -> None:
    session.execute(
        text("update shuitu.exchange_requests set status = :s, answer = :b where actor_id = :a and key = :k"),
        {"s": status, "b": answer, "a": actor_id, "k": key},
    )


def forget(session: Session, actor_id: int, hours: int) -> None:
    """Drop the account's requests that are older."""
    session.execute(
        text(
            "delete from shuitu.exchange_requests where actor_id = :a and at < now() - make_interval(hours => :h)"
        ),
        {"a": actor_id, "h": hours},
    )


# ── entries as they are read ────────────────────────────────────────────────────────────────────────

INTAKES = """
select i.id, i.version, i.code_scheme, i.code, i.name, i.holder_name, h.uscc, i.county_code, i.basin_id, i.zone_code, i.town, i.place,
  st_x(i.geom) as lon, st_y(i.geom) as lat, i.source_type, i.water_body_type, i.water_body, i.aquifer_layer, i.well_status,
  i.abstraction_mode, i.works_type, i.purpose, i.industry_code, i.off_stream, i.status, i.permit_state, i.annual_volume_m3,
  i.design_flow_m3s, i.well_depth_m, i.started_on, i.attributes, i.recorded_at, coalesce(l.links, '[]') as permits
from shuitu.intakes i left join shuitu.holders h on h.id = i.holder_id
left join lateral (
  select json_agg(json_build_object('permit_no', p.permit_no, 'code_scheme', i.code_scheme, 'code', i.code,
           'valid_from', nullif(pi.valid_from, '1900-01-01'), 'valid_to', pi.valid_to, 'origin', pi.origin)
         order by pi.valid_from, p.permit_no) as links
  from shuitu.permit_intakes pi join shuitu.permits p on p.id = pi.permit_id where pi.intake_id = i.id) l on true
where i.id = any(:ids)"""
PERMITS = """
select p.id, p.version, p.permit_no, p.permit_no_raw, p.previous_number, p.e_licence, p.event, p.status, p.holder_name, h.uscc,
  p.county_code, p.basin_id, p.zone_code, p.issuing_authority, p.issuing_level, p.supervising_authority, p.source_type, p.purpose,
  p.industry_code, p.annual_volume_m3, p.occupies_quota, p.valid_from, p.valid_to, p.place, p.attributes, p.recorded_at,
  coalesce(m.limits, '[]') as limits, coalesce(o.points, '[]') as points, coalesce(l.links, '[]') as intakes
from shuitu.permits p left join shuitu.holders h on h.id = p.holder_id
left join lateral (
  select json_agg(json_build_object('period', period, 'source_type', source_type, 'well_field', well_field, 'purpose', purpose,
           'annual_m3', annual_m3, 'daily_m3', daily_m3, 'flow_m3s', flow_m3s, 'condition', condition) order by seq) as limits
  from shuitu.permit_limits where permit_id = p.id and version = p.version) m on true
left join lateral (
  select json_agg(json_build_object('seq', seq, 'code', code, 'name', name, 'place', place, 'lon', st_x(geom), 'lat', st_y(geom),
           'position_error_m', position_error_m, 'source_type', source_type, 'water_body', water_body, 'purpose', purpose,
           'annual_m3', annual_m3, 'county_code', county_code, 'valid_from', nullif(valid_from, '1900-01-01'), 'valid_to', valid_to)
         order by seq) as points
  from shuitu.permit_points where permit_id = p.id) o on true
left join lateral (
  select json_agg(json_build_object('permit_no', p.permit_no, 'code_scheme', i.code_scheme, 'code', i.code,
           'valid_from', nullif(pi.valid_from, '1900-01-01'), 'valid_to', pi.valid_to, 'origin', pi.origin)
         order by pi.valid_from, i.code) as links
  from shuitu.permit_intakes pi join shuitu.intakes i on i.id = pi.intake_id where pi.permit_id = p.id) l on true
where p.id = any(:ids)"""


def entities(session: Session, layer: str, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Entries by id, as other systems read them; those that the scope does not show are missing."""
    if not ids:
        return {}
    rows = session.execute(text(INTAKES if layer == "intakes" else PERMITS), {"ids": list(set(ids))})
    return {row.id: dict(row._mapping) for row in rows}


def horizon(session: Session) -> int:
    """The transaction below which everything is settled."""
    return int(session.execute(text("select pg_snapshot_xmin(pg_current_snapshot())::text")).scalar_one())


def ids_after(session: Session, layer: str, last: int, limit: int) -> list[int]:
    """The next entries of the scope, by id."""
    # A permit seen because of one of its intakes is told with the intake, and by its own county's readers.
    return list(
        session.execute(
            text(f"select id from shuitu.{layer} where id > :last order by id limit :n"),
            {"last": last, "n": limit},
        ).scalars()
    )


CHANGES = """
select xid::text as xid, id, at, actor_name, layer, action, entity_id, county_code, facts ->> 'import' as import_id
from shuitu.changes
where (xid, id) > (cast(:xid as xid8), :id) and xid < pg_snapshot_xmin(pg_current_snapshot()) and layer in ('intakes', 'permits')
order by xid, id limit :n"""
ONE = """
select xid::text as xid, id, at, actor_name, layer, action, entity_id, county_code, facts ->> 'import' as import_id
from shuitu.changes
where xid = cast(:xid as xid8) and id = :id"""
# What a bulk change wrote has its moment, for every fact of a transaction is recorded at the same instant as its change.
# What another change wrote since is told by that one. What left the county then is in the history, ended at that moment.
BULK = """
select id from (
  select id from shuitu.{layer} where county_code = :county and recorded_at = :at and id > :last
  union
  select h.id from shuitu.{one}_history h where h.recorded_until = :at and h.county_code = :county and h.id > :last
    and not exists (select from shuitu.{layer} n where n.id = h.id and n.county_code = h.county_code)
  union
  {hanging}
) found order by id limit :n"""
# What hangs on an entry may be new, or have ended, while the entry is as it was.
HANGING = {
    "intakes": """select intake_id from shuitu.permit_intakes
      where county_code = :county and intake_id > :last and (recorded_at = :at or ended_at = :at)""",
    "permits": """select p.id from shuitu.permits p where p.county_code = :county and p.id > :last and (
      exists (select from shuitu.permit_points o where o.permit_id = p.id and o.import_id = cast(:import as uuid))
      or exists (select from shuitu.permit_intakes l where l.permit_id = p.id and (l.recorded_at = :at or l.ended_at = :at)))""",
}


def changes_after(session: Session, xid: int, number: int, limit: int) -> list[Any]:
    """Settled changes of the register after one, in the order in which they were settled."""
    return list(session.execute(text(CHANGES), {"xid": str(xid), "id": number, "n": limit}))


def change(session: Session, xid: int, number: int) -> Any | None:
    return session.execute(text(ONE), {"xid": str(xid), "id": number}).first()


def written_by(session: Session, bulk: Any, last: int, limit: int) -> list[int]:
    """Entries that a bulk change wrote, or moved out of its county, after one of them."""
    statement = BULK.format(layer=bulk.layer, one=bulk.layer.removesuffix("s"), hanging=HANGING[bulk.layer])
    return list(
        session.execute(
            text(statement),
            {"county": bulk.county_code, "at": bulk.at, "import": bulk.import_id, "last": last, "n": limit},
        ).scalars()
    )


def permits_of(session: Session, kind: str, changed: Sequence[int]) -> list[int]:
    """The permits that these entries are, belong to, or are under now."""
    statement = {
        "permits": "select unnest(cast(:ids as bigint[]))",
        "permit_points": "select distinct permit_id from shuitu.permit_points where id = any(:ids)",
        "intakes": "select distinct permit_id from shuitu.permit_intakes where intake_id = any(:ids) and valid_to is null",
    }[kind]
    return list(session.execute(text(statement), {"ids": list(changed)}).scalars())
