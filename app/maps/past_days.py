"""Overviews of past days: who asks for one has it counted for the whole nation, as a job; it is kept for a while.

A tile of a few ten thousand points asks each what it was on the day. For a wider view that takes too long: its cells
are counted once instead, and serve everybody in their own scope.
"""

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app import jobs, logging
from app.actor import Actor, system
from app.db.engine import driver_of, transaction
from app.deps import Services
from app.errors import InvalidInput
from layers import catalog
from layers.clock import CHINA
from layers.model import Layer
from tiles import log, past_cells, source
from tiles.address import Address
from tiles.options import Past
from tiles.points import JOINED

told = logging.get(__name__)
TASK = "count_past_day"
FRESH = timedelta(hours=1)
"""An overview that is older is counted anew when it is asked for: entries may have come late."""
KEPT = timedelta(days=7)
NAMED = "layer = :layer and on_date = :on and known is not distinct from cast(:known as timestamptz)"


def layer_of(name: str) -> Layer:
    """A big point layer with a past. Raises InvalidInput."""
    layer = catalog.load().get(name)
    if layer is None or layer.points is None or layer.source.past is None:
        raise InvalidInput(f"图层 {name[:40]!r} 没有历史概览 (no layer with overviews of the past)", field="layer", value=name[:40])  # fmt: skip
    return layer


def state(session: Session, layer: Layer, past: Past) -> Row[Any] | None:
    """When the day was asked for and counted; None if nobody asked."""
    found: Row[Any] | None = session.execute(
        text(f"select id, asked_at, made_at, points, problem from map.past_days where {NAMED}"),
        _named(layer, past),
    ).first()
    return found


def needed(session: Session, layer: Layer) -> bool:
    """Does whoever asks see more points than a tile asks one by one?"""
    whole = source.count_in(layer, Address(0, 0, 0))
    row = driver_of(session).execute(whole.sql.encode(), whole.values).fetchone()
    return row is not None and row[0] > JOINED


def ask(session: Session, actor: Actor, layer: Layer, past: Past) -> None:
    """Have a day counted, unless it was a short while ago or is waiting. Raises InvalidInput for a day to come."""
    if past.on > datetime.now(CHINA).date():
        raise InvalidInput("日期须在今天或以前 (a day that has been)", field="datetime", value=str(past.on))
    given = _named(layer, past) | {"by": actor.username, "fresh": FRESH}
    number = session.execute(
        text("""insert into map.past_days as d (layer, on_date, known, asked_by) values (:layer, :on, :known, :by)
                on conflict (layer, on_date, known) do update set asked_by = excluded.asked_by, asked_at = now(), problem = null
                  where d.problem is not null or (d.made_at >= d.asked_at and d.made_at < now() - cast(:fresh as interval))
                returning id"""),
        given,
    ).scalar()
    if number is not None:
        jobs.defer(TASK, session, number=number)


def count(services: Services, number: int) -> None:
    """The job: all cells of a day in one transaction; killed, it starts again and nothing was changed."""
    with transaction(services.engine, system("past-days")) as session:
        row = session.execute(
            text("select layer, on_date, known, made_at from map.past_days where id = :id"), {"id": number}
        ).first()
    if row is None:  # forgotten meanwhile
        return
    layer, past, began = catalog.load()[row.layer], Past(row.on_date, row.known), time.monotonic()
    try:
        with transaction(services.engine, system("past-days")) as session:
            points = past_cells.make(driver_of(session), layer, number, past)
            session.execute(
                text("update map.past_days set made_at = now(), points = :points, problem = null where id = :id"),
                {"id": number, "points": points},
            )  # fmt: skip
            if row.made_at is not None:  # tiles of the older count may be kept
                log.everywhere(driver_of(session), layer)
    except Exception:
        with transaction(services.engine, system("past-days")) as session:
            session.execute(
                text("update map.past_days set problem = '汇总未完成，请重试 (the count did not finish: ask again)' where id = :id"),
                {"id": number},
            )  # fmt: skip
        raise
    seconds = round(time.monotonic() - began, 1)
    told.info("a past day was counted", layer=layer.id, day=str(past.on), points=points, seconds=seconds)


def forget(session: Session) -> None:
    """Remove what nobody asked for in a week."""
    session.execute(
        text("delete from map.past_days where asked_at < :before"), {"before": datetime.now(UTC) - KEPT}
    )


def _named(layer: Layer, past: Past) -> dict[str, str | date | datetime | None]:
    return {"layer": layer.id, "on": past.on, "known": past.known}
