"""An event of a permit reaches every open map within a second; terms that ran out end by themselves."""

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import mapbox_vector_tile as mvt
import pytest
from sqlalchemy import text

from app import wiring
from app.actor import system
from app.db.engine import transaction
from app.deps import Services
from app.registry.permits import expiry
from app.settings import Settings
from app.worker import tasks
from layers import catalog
from tests import served
from tiles.keys import world

Issue = Callable[..., dict[str, Any]]


@pytest.fixture
def address(services: Services, settings: Settings) -> Iterator[str]:
    with served.listening(settings) as address:
        yield address


def told(lines: Iterator[str], event: str) -> dict[str, Any]:
    """The data of the next event of that name."""
    for line in lines:
        if line == f"event: {event}":
            found: dict[str, Any] = json.loads(next(lines).removeprefix("data: "))
            return found
    raise AssertionError("the stream ended")


def test_an_event_is_told_to_every_open_map_and_drawn(
    issue: Issue, address: str, log_in: Any, wells: dict[str, int]
) -> None:
    permit = issue(intakes=["W1"])
    cookies = dict(log_in("gaoyou").cookies)
    (x,), (y,) = world([119.05], [32.1])
    tile = f"{address}/tiles/intakes/14/{int(x) >> 17}/{int(y) >> 17}"
    with httpx.Client(cookies=cookies, timeout=20) as client:
        before = client.get(tile)
        with client.stream("GET", f"{address}/api/changes/stream") as stream:
            lines = stream.iter_lines()
            told(lines, "hello")
            with httpx.Client(cookies=cookies, timeout=20) as officer:
                body = {"event": "cancel", "version": 1, "ground": "idle"}
                entered = officer.post(f"{address}/api/permits/{permit['id']}/events", json=body)
            assert entered.status_code == 201
            layers: set[str] = set()
            places: dict[str, Any] = {}
            while not {"intakes", "permits"} <= layers:
                change = told(lines, "change")
                layers |= change["layers"].keys()
                places |= change["where"]
        west, south, east, north = places["intakes"][0]
        assert west <= 119.05 <= east and south <= 32.1 <= north
        after = client.get(tile, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    shown = {
        f["id"]: f["properties"]["permit_state"] for f in mvt.decode(after.content)["intakes"]["features"]
    }
    assert shown[wells["W1"]] == "ended"


@pytest.mark.parametrize("first", [2, 1])
def test_terms_that_ran_out_end_once_and_are_dated_by_the_term(
    issue: Issue, services: Services, wells: dict[str, int], first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one on the map, and by county where a backlog is entered."""
    monkeypatch.setattr(expiry, "BATCH", first)
    ran_out = date.today() - timedelta(days=3)
    permits = [issue(intakes=["W2"] if n == 0 else None) for n in range(5)]
    ids = [permit["id"] for permit in permits]
    with transaction(services.engine, system("test")) as session:
        statement = text("update shuitu.permits set valid_to = :day where id = any(:ids)")
        session.execute(statement, {"day": ran_out, "ids": ids[:4]})
        # The limits of the version that this made, as any event would have left them.
        session.execute(text("insert into shuitu.permit_limits (permit_id, version, seq, annual_m3, county_code) select id, 2, 1, 5, 321084 from unnest(cast(:ids as bigint[])) id"), {"ids": ids[:4]})  # fmt: skip
    assert expiry.expire(services) == 4
    assert expiry.expire(services) == 0
    with transaction(services.engine, system("test")) as session:
        rows = session.execute(text("""
            select p.status, e.event, e.effective_on, e.actor_name, l.annual_m3 from shuitu.permits p
            join shuitu.permit_events e on e.permit_id = p.id and e.version = p.version
            join shuitu.permit_limits l on l.permit_id = p.id and l.version = p.version where p.id = any(:ids) order by p.id"""), {"ids": ids}).all()  # fmt: skip
        state = session.execute(text("select permit_state from shuitu.intakes where id = :id"), {"id": wells["W2"]}).scalar()  # fmt: skip
        shown = session.execute(text("select permit_state from map.intake_points where id = :id"), {"id": wells["W2"]}).scalar_one()  # fmt: skip
    day = ran_out + timedelta(days=1)
    assert [tuple(row) for row in rows[:4]] == [("expired", "expire", day, "system:expire-permits", 5)] * 4
    assert rows[4].status == "valid" and state == "ended"
    states = next(field for field in catalog.load()["intakes"].fields if field.name == "permit_state").values
    assert states[shown].value == "ended"


def test_the_worker_knows_the_task(settings: Settings) -> None:
    made = wiring.services(settings)
    assert "expire_permits" in tasks(made).tasks
    made.engine.dispose()
