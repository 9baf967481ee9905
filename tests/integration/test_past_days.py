"""The overview of a past day: asked for by anybody, counted once by the worker, kept for a while."""

from collections.abc import Callable

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.actor import system
from app.db.engine import transaction
from app.deps import Services
from app.maps import past_days

NATION = system("test")


def test_a_day_is_counted_once_by_the_worker(services: Services, log_in: Callable[[str], TestClient]) -> None:
    web = log_in("viewer")
    asked = {"datetime": "2023-12-31"}
    before = web.get("/api/past-days", params=asked).json()
    assert (before["state"], before["needed"], before["day"]) == ("none", False, "2023-12-31")
    for _ in range(2):  # who asks twice waits for the same count
        answer = web.post("/api/past-days", json=asked)
        assert (answer.status_code, answer.json()["state"]) == (202, "counting")
    with transaction(services.engine, NATION) as session:
        jobs = session.execute(
            text("select args->>'number' from jobs.procrastinate_jobs where task_name = :task"), {"task": past_days.TASK}
        ).scalars().all()  # fmt: skip
    assert len(jobs) == 1
    past_days.count(services, int(jobs[0]))
    done = web.get("/api/past-days", params=asked).json()
    assert (done["state"], done["problem"]) == ("ready", None) and done["counted_at"]
    assert web.post("/api/past-days", json=asked).json()["state"] == "ready"
    with transaction(services.engine, NATION) as session:
        session.execute(text("update map.past_days set asked_at = now() - interval '8 days'"))
        past_days.forget(session)
    assert web.get("/api/past-days", params=asked).json()["state"] == "none"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"datetime": "yesterday"}, "2024-06-30"),
        ({"datetime": "2150-01-01"}, "今天或以前"),
        ({"datetime": "2023-01-01", "layer": "regions"}, "历史概览"),
        ({"datetime": "2023-01-01", "known": "x"}, "known"),
    ],
)
def test_what_is_no_day_is_refused(
    log_in: Callable[[str], TestClient], asked: dict[str, str], says: str
) -> None:
    answer = log_in("viewer").post("/api/past-days", json=asked)
    assert answer.status_code == 400 and says in answer.json()["detail"]


def test_the_public_has_no_past(web: TestClient) -> None:
    assert web.get("/api/past-days", params={"datetime": "2023-01-01"}).status_code in (401, 403)
