"""One decision on all lines of a filter: counted first, done at once, taken back as a whole."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.deps import Services
from app.maps.publishing import publish_counties
from tests.integration.linkage.world import BAOYING, GAOYOU, World

LogIn = Callable[[str], TestClient]
LINES = 8


@pytest.fixture
def world(services: Services) -> Iterator[World]:
    """Eight lines of 高邮 from 0.90 down to 0.55, and one of 宝应."""
    made = World(services)
    for n in range(LINES):
        made.intake(f"A{n}", number=n)
        made.permit(f"P{n}", number=n)
        made.propose(f"A{n}", f"P{n}.1", 0.9 - n * 0.05)
    made.intake("B", BAOYING)
    made.permit("Q", county=BAOYING)
    made.propose("B", "Q.1", 0.9)
    with made.session() as session:
        publish_counties(session.connection().connection.driver_connection, "intakes", [GAOYOU, BAOYING])
    yield made
    made.clear()


def preview(web: TestClient, **filters: Any) -> Any:
    return web.get("/api/linkage/batches/preview", params={"action": "accept", **filters}).json()


def decide(web: TestClient, wanted: int, action: str = "accept", **more: Any) -> Any:
    return web.post("/api/linkage/batches", json={"action": action, "filter": {}, "wanted": wanted, **more})


def test_a_filter_is_counted_decided_and_undone_as_a_whole(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    seen = preview(web, min_probability=0.69)
    assert seen["count"] == 5 and len(seen["samples"]) == 5
    answer = decide(web, 5, filter={"min_probability": 0.69}, note="七成以上")
    assert answer.status_code == 201, answer.text
    assert answer.json()["decided"] == 5
    assert [world.links(f"A{n}") for n in (0, 4, 5)] == [{"P0.1"}, {"P4.1"}, set()]
    assert world.on_the_map("A4") == "linked" and world.on_the_map("A5") == "pending"
    undone = web.post(f"/api/linkage/batches/{answer.json()['id']}/undo").json()
    assert undone["state"] == "undone" and undone["decided"] == 0
    assert not any(world.links(f"A{n}") for n in range(LINES))
    assert {world.outcome(f"A{n}") for n in range(LINES)} == {"pending"}
    assert world.on_the_map("A4") == "pending"
    assert web.post(f"/api/linkage/batches/{answer.json()['id']}/undo").status_code == 409


def test_lines_of_other_counties_and_of_persons_are_left_alone(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    line = world.lines["A1"]
    version = web.get(f"/api/linkage/outcomes/{line}").json()["version"]
    web.post(
        f"/api/linkage/outcomes/{line}/decisions",
        json={"action": "postpone", "version": version, "note": "待现场"},
    )
    seen = preview(web, subject="intake")
    assert (seen["count"], seen["left_out"]) == (LINES - 1, 1)
    assert decide(web, LINES - 1, "unlicensed").json()["decided"] == LINES - 1
    assert world.outcome("A0") == "intake_without_permit" and world.permit_state("A0") == "unpermitted"
    assert world.outcome("A1") == "pending" and world.outcome("B") == "pending"


def test_a_count_that_changed_since_the_preview_stops_it(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    answer = decide(web, LINES + 1)
    assert answer.status_code == 409 and answer.json()["count"] == LINES
    assert world.value("select count(*) from shuitu.link_decisions") == 0
    assert decide(web, LINES, "exempt").status_code == 400
    assert decide(web, LINES, "exempt", ground="drought").json()["decided"] == LINES
    assert world.permit_state("A3") == "exempt"


def test_what_someone_decided_since_stays_when_the_batch_is_undone(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    batch = decide(web, LINES).json()["id"]
    line = web.get(f"/api/linkage/outcomes/{world.lines['A2']}").json()
    web.post(
        f"/api/linkage/outcomes/{line['id']}/decisions",
        json={"action": "exempt", "version": line["version"], "ground": "household"},
    )
    undone = web.post(f"/api/linkage/batches/{batch}/undo").json()
    assert undone["decided"] == 1
    assert world.outcome("A2") == "exempt" and world.outcome("A3") == "pending"


def test_a_viewer_neither_previews_nor_decides(world: World, log_in: LogIn) -> None:
    web = log_in("viewer")
    assert web.get("/api/linkage/batches/preview", params={"action": "accept"}).status_code == 403
    assert decide(web, 1).status_code == 403
    assert web.get("/api/linkage/batches").json() == []
