"""Intakes and permits as they are read, one at a time, with what hangs on them."""

from typing import Any

from sqlalchemy import text
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
    found["history"] = _many(session, HISTORY.format(table="intake"), intake_id)
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
    found["limits"] = _many(
        session,
        """select l.* from shuitu.permit_limits l join shuitu.permits p on p.id = l.permit_id and p.version = l.version
           where p.id = :id order by l.seq""",
        permit_id,
    )
    found["intakes"] = _many(
        session,
        """select i.id, i.code, i.name, i.permit_state, st_x(i.geom) as lon, st_y(i.geom) as lat
           from shuitu.permit_intakes pi join shuitu.intakes i on i.id = pi.intake_id
           where pi.permit_id = :id and pi.valid_to is null order by i.code""",
        permit_id,
    )
    found["history"] = _many(session, HISTORY.format(table="permit"), permit_id)
    return found
