"""What happened to some of the pilot's permits since the register was kept: entered as officers enter it, once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.actor import Actor
from app.db.engine import driver_of
from app.deps import Services
from app.registry.permits import service
from app.registry.permits.schemas import Facts, NewEvent

DOCUMENT = "示例许可〔{year}〕{number}号"
EACH = 3
"""Permits to which each kind of event happens."""
CANDIDATES = """
select p.id, p.permit_no, p.version, p.holder_name, p.annual_volume_m3, p.valid_from, p.valid_to, p.county_code,
       (select count(*) from shuitu.permit_limits l where l.permit_id = p.id and l.version = p.version) as limits
from shuitu.permits p
where p.permit_no = any(:numbers) and p.status = 'valid' and p.version = 1 and p.annual_volume_m3 > 5000 and p.valid_to > :day + 60
  and p.valid_from < :day - 400 and exists (select from shuitu.permit_intakes l where l.permit_id = p.id)
order by md5(p.permit_no)"""
HAPPENED = "select exists (select from shuitu.permit_events where actor_name = :actor and import_id is null)"


@dataclass(frozen=True)
class Happening:
    """An event of a permit, with what it says."""

    permit: Row[Any]
    event: NewEvent


def enter(services: Services, session: Session, actor: Actor, numbers: Iterable[str], day: date) -> int:
    """Enter the events; returns how many. A second call enters none."""
    if session.execute(text(HAPPENED), {"actor": actor.username}).scalar_one():
        return 0
    rows = session.execute(text(CANDIDATES), {"numbers": sorted(numbers), "day": day}).all()
    happened = list(_happenings(rows, day))
    for one in happened:
        service.record_event(session, actor, one.permit.id, one.event, lambda s, layer, ids: services.publish_features(driver_of(s), layer, ids))  # fmt: skip
    return len(happened)


def _happenings(rows: Iterable[Row[Any]], day: date) -> Iterator[Happening]:
    taken = iter([row for row in rows if row.limits == 1])
    for number, (event, days_ago) in enumerate(
        (kind, ago) for kind, ago in (("vary", 210), ("transfer", 150), ("renew", 40), ("cancel", 90), ("revoke", 60), ("annul", 30)) for _ in range(EACH)
    ):  # fmt: skip
        row = next(taken, None)
        if row is None:
            return
        on = day - timedelta(days=days_ago)
        yield Happening(row, _event(row, event, on, DOCUMENT.format(year=on.year, number=100 + number)))


def _event(row: Row[Any], event: str, on: date, document: str) -> NewEvent:
    given: dict[str, Any] = {
        "event": event,
        "version": row.version,
        "effective_on": on,
        "document_no": document,
    }
    if event == "vary":
        given["facts"] = Facts(annual_volume_m3=round(row.annual_volume_m3 * 0.8, 0))
    elif event == "transfer":
        given["facts"] = Facts(holder_name=f"{row.holder_name.removesuffix('（示例）')}（承接，示例）")
    elif event == "renew":
        given |= {
            "facts": Facts(valid_to=_years_later(row.valid_to, 5)),
            "applied_on": on - timedelta(days=25),
        }
    elif event == "cancel":
        given["ground"] = "dissolved"
    elif event == "annul":
        given["reason"] = "申请材料不实（示例）"
    return NewEvent(**given)


def _years_later(day: date, years: int) -> date:
    return date(day.year + years, day.month, min(day.day, 28))
