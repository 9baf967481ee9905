"""OGC API – Processes – Part 1: Core (18-062r2): job list, dismissal, results that expire."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app import operate
from app.actor import Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Services
from app.ogc.processes import jobs
from app.ogc.processes.process import Dismissed
from tests.conformance.processes.asking import EXPORT, LATER, key_of, links, start


def test_job_list_pages_and_filters(web: TestClient) -> None:
    """/req/job-list/job-list-success, jl-limit-definition, jl-limit-response, links, processID-definition,
    processID-mandatory, processid-response, status-definition, status-response, datetime-definition,
    datetime-response, duration-definition, type-definition, type-response.
    """
    for _ in range(3):
        start(web, {"inputs": {"layer": "regions", "format": "csv"}})
    body = web.get("/ogc/jobs?limit=2").json()
    assert len(body["jobs"]) == 2
    assert all(one["processID"] and one["type"] == "process" for one in body["jobs"])
    following = web.get(links(body, "next")[0]["href"]).json()
    assert not {one["jobID"] for one in body["jobs"]} & {one["jobID"] for one in following["jobs"]}
    every = web.get("/ogc/jobs?limit=1000").json()["jobs"]
    assert [one["created"] for one in every] == sorted((one["created"] for one in every), reverse=True)

    def count(query: str) -> int:
        return len(web.get(f"/ogc/jobs?limit=1000&{query}").json()["jobs"])

    done = sum(one["status"] == "successful" for one in every)
    assert count("status=successful") == done
    assert count("status=successful,failed,accepted,running,dismissed") == len(every) == count("type=process")
    assert count("processID=nothing") == 0
    assert count("type=other") == 0
    assert count("datetime=../2020-01-01T00:00:00Z") == 0
    assert count("datetime=2020-01-01T00:00:00Z/..") == len(every)
    assert count("minDuration=3600") == 0
    assert 0 < count("maxDuration=3600") <= len(every)
    for bad in ("limit=0", "status=x", "datetime=x", "minDuration=x", "unknown=1"):
        assert web.get(f"/ogc/jobs?{bad}").status_code == 400


def test_dismiss_a_waiting_job_is_never_worked(
    web: TestClient, worked: Callable[[], None], folder: Path
) -> None:
    """/req/dismiss/job-dismiss-op, job-dismiss-success."""
    answer = start(web, EXPORT, **LATER)
    dismissed = web.delete(answer.headers["location"])
    assert (dismissed.status_code, dismissed.json()["status"]) == (200, "dismissed")
    worked()
    assert web.get(answer.headers["location"]).json()["status"] == "dismissed"
    assert web.get(f"{answer.headers['location']}/results").status_code == 404
    assert not (folder / "processes" / answer.headers["location"].rpartition("/")[2]).exists()


def test_dismiss_is_for_who_asked_and_for_administrators(
    web: TestClient, services: Services, folder: Path
) -> None:
    monitor = start(web, EXPORT).headers["link"].partition(">")[0].lstrip("<")
    colleague = key_of(services, "colleague", Role.OFFICER, Jurisdiction.nation())
    assert web.get(monitor, headers=colleague).status_code == 200
    assert web.delete(monitor, headers=colleague).status_code == 403
    assert web.get(monitor).json()["status"] == "successful"
    admin = key_of(services, "chief", Role.ADMIN, Jurisdiction.nation())
    assert web.delete(monitor, headers=admin).json()["status"] == "dismissed"


def test_results_lie_in_a_folder_that_is_known_as_ours(services: Services) -> None:
    assert jobs.folder_of(services, UUID(int=0)).parent.name in operate.OURS


def test_dismiss_an_ended_job_takes_its_results_away(web: TestClient, folder: Path) -> None:
    monitor = start(web, EXPORT).headers["link"].partition(">")[0].lstrip("<")
    made = folder / "processes" / monitor.rpartition("/")[2]
    assert made.is_dir()
    assert web.delete(monitor).json()["status"] == "dismissed"
    assert not made.exists()


def test_dismiss_a_running_job_stops_it_at_its_next_step(
    web: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.ogc.processes.registry import PROCESSES

    location = start(web, EXPORT, **LATER).headers["location"]
    reached = []

    def slow(services_: Any, actor: Any, inputs: Any, out: Path, progress: Any) -> Any:
        (out / "half").write_text("half")
        assert web.delete(location).json()["status"] == "dismissed"
        try:
            progress(1.0, "next")
        except Dismissed:
            reached.append(actor.username)
            raise
        raise AssertionError("it went on")

    process = PROCESSES["export"]
    monkeypatch.setitem(PROCESSES, "export", type(process)(**{**vars(process), "run": slow}))
    job = UUID(location.rpartition("/")[2])
    jobs.work(services, job)
    assert reached == ["nation"]
    assert not jobs.folder_of(services, job).exists()
    assert web.get(location).json()["status"] == "dismissed"


def test_a_job_whose_worker_was_killed_is_carried_out_again(
    web: TestClient, services: Services, worked: Callable[[], None]
) -> None:
    location = start(web, EXPORT, **LATER).headers["location"]
    job = location.rpartition("/")[2]
    # As a killed worker leaves it: running on record, half a file on disk.
    half = services.settings.data_dir / "processes" / job
    half.mkdir(parents=True)
    (half / "intakes.fgb.partial").write_bytes(b"half")
    with transaction(services.engine, system("test")) as session:
        session.execute(
            text("update shuitu.process_jobs set status = 'running', started = now() where id = :id"),
            {"id": job},
        )
    worked()
    assert web.get(location).json()["status"] == "successful"
    assert [path.name for path in half.iterdir()] == ["intakes.gpkg"]
    assert web.get(f"{location}/results").content[:6] == b"SQLite"


def test_results_expire(web: TestClient, services: Services) -> None:
    monitor = (
        start(web, {"inputs": {"layer": "regions", "format": "csv"}})
        .headers["link"]
        .partition(">")[0]
        .lstrip("<")
    )
    job = monitor.rpartition("/")[2]
    assert jobs.expire(services) == 0
    with transaction(services.engine, system("test")) as session:
        session.execute(
            text("update shuitu.process_jobs set finished = now() - interval '8 days' where id = :id"),
            {"id": job},
        )
    assert jobs.expire(services) == 1
    assert web.get(monitor).status_code == 404
    assert not (services.settings.data_dir / "processes" / job).exists()
