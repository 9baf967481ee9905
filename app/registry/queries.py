"""Intakes and permits, one at a time: read with what hangs on them, and written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.errors import NotFound

HISTORY = """
select version, recorded_at, null::timestamptz as recorded_until from shuitu.{table}s where id = :id
union all
select version, recorded_at, recorded_until from shuitu.{table}_history where id = :id order by version desc"""


def _one(session: Session, statement: str, identifier: int, title: str) -> dict[str, Any]:
    row = session.execute(text(statement), {"id": identifier}).first()
    if row is None:
        raise NotFound(
            f"没有{title} {identifier}，或不在您的辖区内 (no such entry, or outside your jurisdiction)"
        )
    return dict(row._mapping)


def _many(session: Session, statement: str, identifier: int) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in session.execute(text(statement), {"id": identifier})]


def intake(session: Session, intake_id: int) -> dict[str, Any]:
    """One intake with its permits and versions. Raises NotFound."""
    found = _one(
        session,
        """select i.*, r.name as county_name, st_x(i.geom) as lon, st_y(i.geom) as lat from shuitu.intakes i
           left join map.regions r on r.code = i.county_code and r.level = 3 where i.id = :id""",
        intake_id,
        "取水口",
    )
    found["permits"] = _many(
        session,
        """select p.id, p.permit_no, p.holder_name, p.status, p.annual_volume_m3, p.valid_from, p.valid_to
           from shuitu.permit_intakes pi join shuitu.permits p on p.id = pi.permit_id
           where pi.intake_id = :id and pi.valid_to is null order by p.valid_to desc nulls first""",
        intake_id,
    )
    found["history"] = history(session, "intake", intake_id)
    return found


def permit(session: Session, permit_id: int) -> dict[str, Any]:
    """One permit with the limits of its present version, its intakes and versions. Raises NotFound."""
    found = _one(
        session,
        """select p.*, r.name as county_name from shuitu.permits p
           left join map.regions r on r.code = p.county_code and r.level = 3 where p.id = :id""",
        permit_id,
        "取水许可",
    )
    found["limits"] = limits(session, permit_id, found["version"])
    found["points"] = points(session, permit_id)
    found["intakes"] = _many(
        session,
        """select i.id, i.code, i.name, i.permit_state, i.county_code, st_x(i.geom) as lon, st_y(i.geom) as lat
           from shuitu.permit_intakes pi join shuitu.intakes i on i.id = pi.intake_id
           where pi.permit_id = :id and pi.valid_to is null order by i.code""",
        permit_id,
    )
    found["history"] = history(session, "permit", permit_id)
    return found


def limits(session: Session, permit_id: int, version: int) -> list[dict[str, Any]]:
    """The limits of a version of a permit."""
    rows = session.execute(
        text("select * from shuitu.permit_limits where permit_id = :id and version = :version order by seq"),
        {"id": permit_id, "version": version},
    )
    return [dict(row._mapping) for row in rows]


def points(session: Session, permit_id: int, on: date | None = None) -> list[dict[str, Any]]:
    """The intakes that a permit lists 证照取水口, or listed on a day."""
    rows = session.execute(
        text(
            """select p.*, r.name as county_name, st_x(p.geom) as lon, st_y(p.geom) as lat from shuitu.permit_points p
               left join map.regions r on r.code = p.county_code and r.level = 3
               where p.permit_id = :id and p.valid_from <= coalesce(cast(:day as date), p.valid_from)
                 and (p.valid_to is null or p.valid_to > cast(:day as date)) order by p.seq"""
        ),
        {"id": permit_id, "day": on},
    )
    return [dict(row._mapping) for row in rows]


def history(session: Session, kind: str, identifier: int) -> list[dict[str, Any]]:
    """The versions of an intake or a permit, the newest first."""
    return _many(session, HISTORY.format(table=kind), identifier)


# ── one entry, written ──────────────────────────────────────────────────────────────────────────────

WRITTEN = (
    "code", "name", "holder_name", "source_type", "status", "purpose", "annual_volume_m3", "county_code", "water_body",
    "aquifer_layer", "off_stream", "place",
)  # fmt: skip
"""The columns of an intake that an editor writes, named as the fields of the layer."""
SETTABLE = (*WRITTEN, "holder_id", "basin_id")


@dataclass(frozen=True)
class Decision:
    """What keeps an entry from being deleted, in both languages."""

    zh: str
    en: str


def locked_intake(session: Session, intake_id: int) -> Row[Any] | None:
    """The entry, locked until the transaction ends; None if there is none in scope."""
    return session.execute(
        text(
            "select i.*, st_x(i.geom) as lon, st_y(i.geom) as lat from shuitu.intakes i where i.id = :id for update"
        ),
        {"id": intake_id},
    ).first()


def code_taken(session: Session, code: str) -> bool:
    """Is there an intake in scope with this code of the register? (Beyond it, the unique index speaks.)"""
    return bool(
        session.execute(
            text(
                "select exists (select 1 from shuitu.intakes where code_scheme = 'register' and code = :code)"
            ),
            {"code": code},
        ).scalar_one()
    )


def insert_intake(session: Session, values: Mapping[str, Any], place: tuple[float, float]) -> int:
    columns = ", ".join(SETTABLE)
    marks = ", ".join(f":{name}" for name in SETTABLE)
    return int(
        session.execute(
            text(
                f"insert into shuitu.intakes ({columns}, permit_state, geom) values ({marks}, 'pending', "
                "st_setsrid(st_makepoint(:lon, :lat), 4490)) returning id"
            ),
            {**values, "lon": place[0], "lat": place[1]},
        ).scalar_one()
    )


def update_intake(
    session: Session, intake_id: int, values: Mapping[str, Any], place: tuple[float, float]
) -> None:
    """A well's own status follows, where it has one and knows the new one."""
    assignments = ", ".join(f"{name} = :{name}" for name in SETTABLE)
    session.execute(
        text(
            f"update shuitu.intakes set {assignments}, geom = st_setsrid(st_makepoint(:lon, :lat), 4490), "
            "well_status = case when well_status is null or :status = 'ended' then well_status else :status end "
            "where id = :id"
        ),
        {**values, "lon": place[0], "lat": place[1], "id": intake_id},
    )


def delete_intake(session: Session, intake_id: int) -> None:
    """Its last version goes to the history first."""
    session.execute(
        text("insert into shuitu.intake_history select i.*, now() from shuitu.intakes i where i.id = :id"),
        {"id": intake_id},
    )
    session.execute(text("delete from shuitu.intakes where id = :id"), {"id": intake_id})


def move_links(session: Session, intake_id: int, county: int) -> None:
    """Links to permits lie where their intake does."""
    session.execute(
        text("update shuitu.permit_intakes set county_code = :county where intake_id = :id"),
        {"id": intake_id, "county": county},
    )


def holder(session: Session, name: str, county: int, basin: int | None) -> int:
    """The holder of this name in the county without a credit code; made if there is none."""
    return int(
        session.execute(
            text(
                "insert into shuitu.holders (name, county_code, basin_id) values (:name, :county, :basin) "
                "on conflict (name, county_code) where uscc is null do update set name = excluded.name returning id"
            ),
            {"name": name, "county": county, "basin": basin},
        ).scalar_one()
    )


DECIDED = """
select (select exists (select 1 from shuitu.permit_intakes where intake_id = :id)) as permitted,
       (select exists (select 1 from shuitu.candidates where state <> 'suspected'
                       and :id in (nearest_intake_id, nearest_permitted_id))) as named"""


def decided_on(session: Session, intake_id: int) -> Decision | None:
    """What was decided about an intake, anywhere in the nation; None if nothing was."""
    with beyond_scope(session):
        row = session.execute(text(DECIDED), {"id": intake_id}).one()
    if row.permitted:
        return Decision("已对应取水许可", "is linked to a permit")
    return Decision("是已核定线索的依据", "is named by a decision on a finding") if row.named else None


@contextmanager
def beyond_scope(session: Session) -> Iterator[None]:
    """Looks at the whole nation, as a system task; what it finds must tell nothing but that it is there."""
    names = ("app.scope_lo", "app.scope_hi", "app.scope_basin")
    setting = text("select set_config(:name, :value, true)")
    former = {
        name: session.execute(text("select current_setting(:name, true)"), {"name": name}).scalar_one() or ""
        for name in names
    }
    for name, value in zip(names, ("0", "1000000", ""), strict=True):
        session.execute(setting, {"name": name, "value": value})
    try:
        yield
    except (DBAPIError, psycopg.Error):
        raise  # the transaction is over, and its settings with it
    except BaseException:
        _restore(session, former)
        raise
    _restore(session, former)


def _restore(session: Session, former: Mapping[str, str]) -> None:
    for name, value in former.items():
        session.execute(text("select set_config(:name, :value, true)"), {"name": name, "value": value})
