"""OGC API – Processes – Part 1: Core (18-062r2): detection as jobs that are dismissed and begun again."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.actor import Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Services
from app.imagery import service as imagery
from app.ogc.processes import detecting, jobs
from tests.conformance.processes.asking import AOI, LATER, inputs_of, key_of, parts, record_of, start
from tests.scenes import write_scene
from tests.served import Accounts


def test_detect_runs_as_a_job_only_and_its_failure_has_the_type_of_its_reason(
    web: TestClient, worked: Callable[[], None], analyst: dict[str, str], scenes: list[str]
) -> None:
    """/req/core/process-execute-default-execution-mode (A), job-results-failed."""
    body = {"inputs": {"scenes": scenes, "aoi": {"type": "Point", "coordinates": [119.2, 32.1]}}}
    assert start(web, body, "detect").status_code == 403  # an officer may not detect
    answer = start(web, body, "detect", **analyst)
    assert answer.status_code == 201  # without any preference, for it can only be run as a job
    worked()
    status = web.get(answer.headers["location"], headers=analyst).json()
    assert status["status"] == "failed"
    assert status["message"]
    assert "preference-applied" not in answer.headers
    results = web.get(f"{answer.headers['location']}/results", headers=analyst)
    assert (results.status_code, results.json()["type"]) == (400, "/problems/invalid-input")
    assert results.json()["detail"] == status["message"]
    assert web.get("/ogc/jobs?processID=detect&limit=5", headers=analyst).json()["jobs"]


@pytest.fixture(scope="module")
def scenes(services: Services, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two dates of one place as STAC items; the later one has more ponds."""
    where, place = tmp_path_factory.mktemp("scenes"), (119.17, 32.08)
    write_scene(where / "before_20220512.tif", place, [(100, 100)], 600)
    write_scene(where / "after_20240512.tif", place, [(100, 100), (300, 200), (400, 450)], 600)
    with transaction(services.engine, system("test")) as session:
        numbers = imagery.add_scenes(session, system("test"), where)
        rows = session.execute(
            text("select item_id from shuitu.scenes where id = any(:ids) order by id"), {"ids": numbers}
        )
        return list(rows.scalars())


def test_detect_finds_what_the_scenes_show_and_tells_where_the_candidates_are(
    web: TestClient, worked: Callable[[], None], analyst: dict[str, str], scenes: list[str]
) -> None:
    """/req/core/process-execute-default-outputs, job-results-async-raw-value-multi, -mixed-multi, -raw-ref, -document."""
    location = start(web, {"inputs": {"scenes": scenes}}, "detect", **analyst).headers["location"]
    worked()
    status = web.get(location, headers=analyst).json()
    assert status["status"] == "successful", status["message"]

    whole = web.get(f"{location}/results", headers=analyst)
    assert whole.headers["content-type"].startswith("multipart/related")
    found = parts(whole)
    assert set(found) == {"summary", "report"}
    summary = json.loads(found["summary"].get_payload(decode=True))
    assert summary["candidates"] == summary["new"] > 0
    page = web.get(summary["links"][0]["href"], headers=analyst).json()
    assert page["total"] == summary["candidates"]
    assert "疑似未登记取水比对报告" in found["report"].get_payload(decode=True).decode()

    one = web.get(f"{location}/results?outputs=report", headers=analyst)
    assert one.headers["content-type"].startswith("text/html")
    assert "sandbox" in one.headers["content-security-policy"]
    assert web.get(f"{location}/results?outputs=summary", headers=analyst).json() == summary
    officer = web.get(f"{location}/results")  # in the same scope
    assert set(parts(officer)) == {"summary", "report"}


@pytest.mark.parametrize("response", ["raw", "document"])
def test_detect_results_by_reference_and_mixed(
    web: TestClient, worked: Callable[[], None], analyst: dict[str, str], scenes: list[str], response: str
) -> None:
    """/req/core/job-results-async-raw-mixed-multi, job-results-async-document."""
    body = {
        "inputs": {"scenes": scenes[1], "aoi": {"value": AOI, "mediaType": "application/geo+json"}},
        "outputs": {"summary": {}, "report": {"transmissionMode": "reference"}},
        "response": response,
    }
    location = start(web, body, "detect", **analyst).headers["location"]
    worked()
    answer = web.get(f"{location}/results", headers=analyst)
    assert answer.status_code == 200, answer.text
    if response == "document":
        made = answer.json()
        assert made["summary"]["value"]["run"]
        href = made["report"]["href"]
    else:
        found = parts(answer)
        assert json.loads(found["summary"].get_payload(decode=True))["run"]
        assert found["report"].get_payload(decode=True) == b""
        href = found["report"]["Content-Location"]
    assert web.get(href, headers=analyst).text.startswith("<!doctype html")


def test_detect_refuses_what_is_no_scene(web: TestClient, analyst: dict[str, str], scenes: list[str]) -> None:
    for wrong in (["nothing"], [2**40], [scenes[0], "nothing"]):
        answer = start(web, {"inputs": {"scenes": wrong}}, "detect", **analyst)
        assert (answer.status_code, answer.json()["field"]) == (400, "scenes")


def test_a_running_detection_that_is_dismissed_leaves_no_candidates_and_a_cancelled_run(
    web: TestClient,
    services: Services,
    analyst: dict[str, str],
    scenes: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    location = start(web, {"inputs": {"scenes": scenes}}, "detect", **analyst).headers["location"]
    job = UUID(location.rpartition("/")[2])
    before = web.get("/api/candidates", headers=analyst).json()["total"]
    note = jobs._Reporter.__call__

    def dismissed_first(reporter: Any, share: float, step: str) -> None:
        if reporter.job == job:
            web.delete(location, headers=analyst)
        note(reporter, share, step)

    monkeypatch.setattr(jobs, "NOTE_EVERY_S", 0)
    monkeypatch.setattr(jobs._Reporter, "__call__", dismissed_first)
    jobs.work(services, job)
    assert web.get(location, headers=analyst).json()["status"] == "dismissed"
    assert web.get("/api/runs?limit=1", headers=analyst).json()[0]["state"] == "cancelled"
    assert web.get("/api/candidates", headers=analyst).json()["total"] == before
    assert not jobs.folder_of(services, job).exists()


def test_a_detection_started_again_goes_on_with_the_run_it_began(
    web: TestClient, services: Services, analyst: dict[str, str], scenes: list[str]
) -> None:
    location = start(web, {"inputs": {"scenes": scenes}}, "detect", **analyst).headers["location"]
    job = UUID(location.rpartition("/")[2])
    record = {"scenes": [int(number) for number in inputs_of(services, job)["scenes"]]}
    actor = jobs.actor_of(record_of(services, job))
    folder = jobs.folder_of(services, job)
    folder.mkdir(parents=True)
    begun = detecting._run(services, actor, record, folder)
    assert detecting._run(services, actor, record, folder) == begun
    jobs.work(services, job)
    assert web.get(f"{location}/results?outputs=summary", headers=analyst).json()["run"] == begun
    # Named in the marker, but never committed: another is begun.
    (folder / "run").write_text(str(begun + 1_000))
    assert detecting._run(services, actor, record, folder) == begun + 1


def test_a_basin_agency_has_its_jobs_carried_out_and_the_nation_sees_them(
    web: TestClient, worked: Callable[[], None], services: Services, keys: Accounts
) -> None:
    agency = key_of(services, "basin", Role.VIEWER, Jurisdiction.of_basin(1))
    location = start(web, {"inputs": {"layer": "intakes", "format": "csv"}}, **LATER, **agency).headers[
        "location"
    ]
    worked()
    assert web.get(location, headers=agency).json()["status"] == "successful"
    assert web.get(location).status_code == 200
    for stranger in (
        {"X-API-Key": keys.prefecture},
        key_of(services, "other", Role.VIEWER, Jurisdiction.of_basin(2)),
    ):
        assert web.get(location, headers=stranger).status_code == 404
