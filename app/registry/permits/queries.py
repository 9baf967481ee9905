"""Permits in SQL: locked, written, with limits, listed intakes, links and events."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

WRITTEN = (
    "permit_no", "permit_no_raw", "previous_number", "e_licence", "event", "status", "holder_id", "holder_name",
    "county_code", "basin_id", "issuing_authority", "issuing_level", "supervising_authority", "source_type", "purpose",
    "industry_code", "annual_volume_m3", "occupies_quota", "valid_from", "valid_to", "place", "effective_on", "ended_on",
)  # fmt: skip
LIMIT = ("period", "source_type", "well_field", "purpose", "annual_m3", "daily_m3", "flow_m3s", "condition")
POINT = ("code", "name", "place", "position_error_m", "source_type", "water_body", "purpose", "annual_m3")


def today(session: Session) -> date:
    """The day in China, by the database's clock."""
    day: date = session.execute(text("select (now() at time zone 'Asia/Shanghai')::date")).scalar_one()
    return day


def locked(session: Session, permit_id: int) -> Row[Any] | None:
    """The permit, which nobody else can change until the transaction ends; None if it is not in scope."""
    return session.execute(
        text(
            "select p.*, (select h.uscc from shuitu.holders h where h.id = p.holder_id) as uscc "
            "from shuitu.permits p where p.id = :id for update"
        ),
        {"id": permit_id},
    ).first()


def seen(session: Session, permit_id: int) -> bool:
    """Is it visible, if only because one of its intakes lies here?"""
    return bool(
        session.execute(
            text("select exists (select from shuitu.permits where id = :id)"), {"id": permit_id}
        ).scalar_one()
    )


BY_NUMBER = """
select id, permit_no, holder_name, status, false as former from shuitu.permits where permit_no = :no
union
select p.id, p.permit_no, p.holder_name, p.status, true from shuitu.permits p
where p.permit_no <> :no and (p.previous_number = :no
  or p.id in (select h.id from shuitu.permit_history h where h.permit_no = :no)) order by former, id"""


def by_number(session: Session, number: str) -> list[Row[Any]]:
    """The permits that have this number or had it."""
    return list(session.execute(text(BY_NUMBER), {"no": number}))


def latest_event(session: Session, permit_id: int) -> Row[Any] | None:
    return session.execute(
        text(
            "select event, version, actor_name, recorded_at from shuitu.permit_events "
            "where permit_id = :id order by version desc limit 1"
        ),
        {"id": permit_id},
    ).first()


def insert(session: Session, values: Mapping[str, Any]) -> int:
    names = ", ".join(WRITTEN)
    marks = ", ".join(f":{name}" for name in WRITTEN)
    return int(
        session.execute(
            text(f"insert into shuitu.permits ({names}) values ({marks}) returning id"), dict(values)
        ).scalar_one()
    )


def update(session: Session, permit_id: int, values: Mapping[str, Any]) -> int:
    """A new version, whatever changed; returns its number."""
    sets = ", ".join(f"{name} = :{name}" for name in WRITTEN)
    return int(
        session.execute(
            text(f"update shuitu.permits set {sets}, version = version + 1 where id = :id returning version"),
            {**values, "id": permit_id},
        ).scalar_one()
    )


def holder(session: Session, name: str, uscc: str | None, county: int, basin: int | None) -> int:
    """The holder in the county, by credit code or else by name; made if there is none."""
    key = "(uscc, county_code) where uscc is not null" if uscc else "(name, county_code) where uscc is null"
    return int(
        session.execute(
            text(
                f"insert into shuitu.holders (name, uscc, county_code, basin_id) values (:name, :uscc, :county, :basin) "
                f"on conflict {key} do update set name = excluded.name returning id"
            ),
            {"name": name, "uscc": uscc, "county": county, "basin": basin},
        ).scalar_one()
    )


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────


def limits(session: Session, permit_id: int, version: int) -> list[dict[str, Any]]:
    """The limits of a version, in their order."""
    rows = session.execute(
        text(
            f"select {', '.join(LIMIT)} from shuitu.permit_limits where permit_id = :id and version = :version order by seq"
        ),
        {"id": permit_id, "version": version},
    )
    return [dict(row._mapping) for row in rows]


def write_limits(
    session: Session,
    permit_id: int,
    version: int,
    rows: Sequence[Mapping[str, Any]],
    county: int,
    basin: int | None,
) -> None:
    if not rows:
        return
    names, marks = ", ".join(LIMIT), ", ".join(f":{name}" for name in LIMIT)
    session.execute(
        text(
            f"insert into shuitu.permit_limits (permit_id, version, seq, county_code, basin_id, {names}) "
            f"values (:id, :version, :seq, :county, :basin, {marks})"
        ),
        [
            {**row, "id": permit_id, "version": version, "seq": n, "county": county, "basin": basin}
            for n, row in enumerate(rows, 1)
        ],
    )


# ── the intakes that a permit lists ─────────────────────────────────────────────────────────────────


def points(session: Session, permit_id: int) -> list[dict[str, Any]]:
    """Those listed now, by their number."""
    rows = session.execute(
        text(
            f"select id, seq, county_code, basin_id, st_x(geom) as lon, st_y(geom) as lat, {', '.join(POINT)} from shuitu.permit_points "
            "where permit_id = :id and valid_to is null order by seq"
        ),
        {"id": permit_id},
    )
    return [dict(row._mapping) for row in rows]


def next_seq(session: Session, permit_id: int) -> int:
    return int(
        session.execute(
            text("select coalesce(max(seq), 0) + 1 from shuitu.permit_points where permit_id = :id"),
            {"id": permit_id},
        ).scalar_one()
    )


PLACE = "case when cast(:lon as float8) is null then null else st_setsrid(st_makepoint(cast(:lon as float8), cast(:lat as float8)), 4490) end"


def insert_points(session: Session, permit_id: int, since: date, rows: Sequence[Mapping[str, Any]]) -> None:
    """Points with `seq`, `county_code`, `basin_id`."""
    if not rows:
        return
    names, marks = ", ".join(POINT), ", ".join(f":{name}" for name in POINT)
    session.execute(
        text(
            f"insert into shuitu.permit_points (permit_id, seq, county_code, basin_id, valid_from, geom, {names}) "
            f"values (:id, :seq, :county_code, :basin_id, :since, {PLACE}, {marks})"
        ),
        [{**row, "id": permit_id, "since": since} for row in rows],
    )


def correct_point(session: Session, point_id: int, row: Mapping[str, Any]) -> None:
    sets = ", ".join(f"{name} = :{name}" for name in POINT)
    session.execute(
        text(
            f"update shuitu.permit_points set {sets}, geom = {PLACE}, county_code = :county_code, basin_id = :basin_id where id = :id"
        ),
        {**row, "id": point_id},
    )


def drop_points(session: Session, ids: Sequence[int], on: date) -> None:
    """No longer listed from that day."""
    session.execute(
        text("update shuitu.permit_points set valid_to = greatest(valid_from, :day) where id = any(:ids)"),
        {"ids": list(ids), "day": on},
    )


# ── links to the register ───────────────────────────────────────────────────────────────────────────


def intakes_named(session: Session, ids: Sequence[int], codes: Sequence[str]) -> list[Row[Any]]:
    """The intakes in scope with these ids or codes."""
    return list(
        session.execute(
            text(
                "select id, code, name, county_code, basin_id, st_x(geom) as lon, st_y(geom) as lat from shuitu.intakes "
                "where id = any(:ids) or code = any(:codes) order by id"
            ),
            {"ids": list(ids), "codes": list(codes)},
        )
    )


def linked(session: Session, permit_id: int) -> dict[int, int]:
    """Intake → county of the links in force that the scope shows."""
    rows = session.execute(
        text(
            "select intake_id, county_code from shuitu.permit_intakes where permit_id = :id and valid_to is null"
        ),
        {"id": permit_id},
    )
    return {row.intake_id: row.county_code for row in rows}


def link(session: Session, permit_id: int, intakes: Iterable[Row[Any]], since: date) -> None:
    rows = [{"p": permit_id, "i": i.id, "c": i.county_code, "b": i.basin_id, "since": since} for i in intakes]
    if rows:
        session.execute(
            text(
                "insert into shuitu.permit_intakes (permit_id, intake_id, valid_from, origin, county_code, basin_id) "
                "values (:p, :i, :since, 'person', :c, :b) on conflict do nothing"
            ),
            rows,
        )


def unlink(session: Session, permit_id: int, intakes: Sequence[int], on: date) -> None:
    """The links end on that day; one that began later never held."""
    session.execute(
        text(
            "update shuitu.permit_intakes set valid_to = greatest(valid_from, :day) "
            "where permit_id = :id and intake_id = any(:intakes) and valid_to is null"
        ),
        {"id": permit_id, "intakes": list(intakes), "day": on},
    )


def intakes_of(session: Session, permit_ids: Sequence[int]) -> list[int]:
    """Every intake that is or was under these permits."""
    return list(
        session.execute(
            text("select distinct intake_id from shuitu.permit_intakes where permit_id = any(:ids)"),
            {"ids": list(permit_ids)},
        ).scalars()
    )


# ── events ──────────────────────────────────────────────────────────────────────────────────────────


def insert_event(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(
        text(
            "insert into shuitu.permit_events (permit_id, version, event, effective_on, document_no, ground, reason, actor_id, "
            "actor_name, county_code, basin_id, facts) values (:permit_id, :version, :event, :effective_on, :document_no, :ground, "
            ":reason, :actor_id, :actor_name, :county_code, :basin_id, cast(:facts as jsonb))"
        ),
        dict(values),
    )


CHANGED_INTAKES = """
insert into shuitu.changes (actor_name, layer, action, entity_id, county_code, basin_id, box, facts)
select :actor, 'intakes', 'update', id, county_code, basin_id, geom::box2d,
       jsonb_build_object('fields', jsonb_build_array('permit_state'), 'permit_state', permit_state, 'event', cast(:event as text))
from shuitu.intakes where id = any(:ids) order by id"""


def record_states(session: Session, actor: str, event: str, intake_ids: Iterable[int]) -> None:
    """A change for each of these intakes, whose permit state an event of a permit changed."""
    ids = sorted(intake_ids)
    if ids:
        session.execute(text(CHANGED_INTAKES), {"actor": actor, "event": event, "ids": ids})
