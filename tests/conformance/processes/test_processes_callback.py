"""OGC API – Processes – Part 1: Core (18-062r2), class callback: told by a worker, heard by a server of ours."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.actor import system
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput
from app.ogc.processes import callbacks, jobs
from app.ogc.processes.process import Process
from app.ogc.processes.registry import PROCESSES
from app.settings import Settings
from tests.conformance.processes.asking import EXPORT, LATER, record_of, start
from tests.conformance.processes.listening import Receiver
from tests.served import Accounts


@pytest.fixture
def receiver(listening: Receiver) -> Receiver:
    """With nothing heard yet. The operator allows it, and example.cn."""
    listening.heard.clear()
    listening.answers.clear()
    return listening


def job_of(answer: Any) -> UUID:
    assert answer.status_code == 201, answer.text
    return UUID(answer.headers["location"].partition("?")[0].rpartition("/")[2])


def test_callback_tells_the_start_and_the_results(
    web: TestClient, receiver: Receiver, worked: Callable[[], None]
) -> None:
    """/req/callback/job-callback: results.yaml to successUri, statusInfo.yaml to inProgressUri."""
    answer = start(web, {**EXPORT, "subscriber": receiver.subscriber()}, **LATER)
    job = job_of(answer)
    assert receiver.heard == []
    worked()
    assert receiver.paths() == ["/inProgressUri?x=1", "/successUri?x=1"]
    (_, headers, began), (_, _, results) = receiver.heard
    assert headers["content-type"] == "application/json"
    assert not {"x-api-key", "authorization", "cookie"} & headers.keys()
    assert (began["jobID"], began["status"], began["processID"]) == (str(job), "running", "export")
    assert results["file"]["href"] == f"http://map.test/ogc/jobs/{job}/results/file"
    assert web.get(results["file"]["href"]).content[:6] == b"SQLite"


def test_callback_tells_a_failure(
    web: TestClient, receiver: Receiver, worked: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """/req/callback/job-callback: statusInfo.yaml to failedUri."""

    def broken(*_: object) -> Any:
        raise ZeroDivisionError("secret")

    process: Process = PROCESSES["export"]
    monkeypatch.setitem(PROCESSES, "export", Process(**{**vars(process), "run": broken}))
    job = job_of(
        start(web, {**EXPORT, "subscriber": receiver.subscriber("successUri", "failedUri")}, **LATER)
    )
    worked()
    ((path, _, told),) = receiver.heard
    assert path.startswith("/failedUri")
    assert (told["jobID"], told["status"]) == (str(job), "failed")
    assert "secret" not in json.dumps(told)


def test_callback_names_no_key_of_who_asked(
    web: TestClient, receiver: Receiver, worked: Callable[[], None], keys: Accounts
) -> None:
    answer = web.post(
        f"/ogc/processes/export/execution?api_key={keys.nation}",
        json={**EXPORT, "subscriber": receiver.subscriber()},
        headers=LATER,
    )
    job_of(answer)
    worked()
    assert len(receiver.heard) == 2
    assert keys.nation not in json.dumps(receiver.heard)


def test_callback_that_meets_a_busy_server_is_tried_again_later(
    web: TestClient, services: Services, receiver: Receiver, worked: Callable[[], None]
) -> None:
    receiver.answers = [503]
    job = job_of(start(web, {**EXPORT, "subscriber": receiver.subscriber("successUri")}, **LATER))
    worked()
    assert record_of(services, job)["status"] == "successful"
    with transaction(services.engine, system("test")) as session:
        waiting = session.execute(
            text(
                "update jobs.procrastinate_jobs set scheduled_at = now() where task_name = :task and status = 'todo' "
                "and args->>'job_id' = :job and scheduled_at > now() returning attempts"
            ),
            {"task": jobs.TELL, "job": str(job)},
        ).scalars().all()  # fmt: skip
    assert waiting == [1]
    worked()
    assert receiver.paths() == ["/successUri?x=1"] * 2


@pytest.mark.parametrize("status", [302, 400, 404, 410])
def test_callback_that_is_refused_or_sent_on_is_not_followed(
    web: TestClient, services: Services, receiver: Receiver, worked: Callable[[], None], status: int
) -> None:
    receiver.answers = [status]
    job_of(start(web, {**EXPORT, "subscriber": receiver.subscriber("successUri")}, **LATER))
    worked()
    worked()
    assert receiver.paths() == ["/successUri?x=1"]


def test_callback_to_a_host_that_is_no_longer_allowed_is_not_made(
    web: TestClient, services: Services, receiver: Receiver, worked: Callable[[], None]
) -> None:
    job = job_of(start(web, {**EXPORT, "subscriber": receiver.subscriber("successUri")}, **LATER))
    worked()
    assert len(receiver.heard) == 1
    callbacks.tell(
        services.settings.model_copy(update={"callback_hosts": "example.cn"}), record_of(services, job)
    )
    assert len(receiver.heard) == 1
    callbacks.tell(services.settings, record_of(services, job))
    assert len(receiver.heard) == 2


def test_a_job_whose_start_cannot_be_told_runs_all_the_same(
    web: TestClient, services: Services, receiver: Receiver, worked: Callable[[], None]
) -> None:
    receiver.answers = [500]
    job_of(start(web, {**EXPORT, "subscriber": receiver.subscriber()}, **LATER))
    worked()
    assert receiver.paths() == ["/inProgressUri?x=1", "/successUri?x=1"]


def test_who_waits_for_the_answer_is_not_called(
    web: TestClient, receiver: Receiver, worked: Callable[[], None]
) -> None:
    assert start(web, {**EXPORT, "subscriber": receiver.subscriber()}).status_code == 200
    worked()
    assert receiver.heard == []


@pytest.mark.parametrize(
    "subscriber",
    [
        "http://example.cn/", [], {}, {"failedUri": "http://example.cn/"}, {"successUri": 7}, {"successUri": None},
        {"successUri": "http://example.cn/", "other": "http://example.cn/"}, {"successUri": ""}, {"successUri": "/here"},
        {"successUri": "ftp://example.cn/"}, {"successUri": "file:///etc/passwd"}, {"successUri": "http://me:secret@example.cn/"},
        {"successUri": "http://example.cn:0/"}, {"successUri": "http://example.cn:99999/"}, {"successUri": "http://[::1/"},
        {"successUri": "http://example.cn:8080/"}, {"successUri": "https://example.cn.evil.test/"}, {"successUri": "http://169.254.169.254/"},
        {"successUri": "http://localhost/"}, {"successUri": "http://example.cn\\@evil.test/"}, {"successUri": "http://evil.test#@example.cn/"},
        {"successUri": "http://evil.test/?http://example.cn/"}, {"successUri": "http://example.cn/\r\nX: y"},
        {"successUri": "http://example.cn/", "failedUri": "http://evil.test/"}, {"successUri": "http://example.cn/" + "a" * 3000},
    ],
    ids=str,
)  # fmt: skip
def test_callback_to_anywhere_else_is_refused_and_makes_no_job(web: TestClient, subscriber: Any) -> None:
    before = len(web.get("/ogc/jobs?limit=1000").json()["jobs"])
    answer = start(web, {**EXPORT, "subscriber": subscriber}, **LATER)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), (
        answer.text
    )
    assert answer.json()["field"].startswith("subscriber")
    assert len(web.get("/ogc/jobs?limit=1000").json()["jobs"]) == before


def test_without_a_setting_nothing_is_called(receiver: Receiver) -> None:
    with pytest.raises(InvalidInput) as caught:
        callbacks.subscriber(Settings(callback_hosts=None), receiver.subscriber(), "http://map.test")
    assert caught.value.facts["field"] == "subscriber.successUri"


def test_hosts_stand_for_their_usual_port_or_name_another() -> None:
    settings = Settings(callback_hosts="a.cn, B.cn:8080 [::1]:9000")
    for address in (
        "http://a.cn/x",
        "https://a.cn/",
        "http://A.CN:80",
        "https://a.cn:443/",
        "http://b.cn:8080/y",
    ):
        assert callbacks.allowed(settings, address), address
    for address in (
        "http://a.cn:8080/",
        "https://a.cn:80/",
        "http://b.cn/",
        "http://a.cn.x/",
        "http://xa.cn/",
        "//a.cn/",
    ):
        assert not callbacks.allowed(settings, address), address
    assert not callbacks.allowed(Settings(callback_hosts=None), "http://a.cn/")


def test_callback_is_claimed_and_described(web: TestClient) -> None:
    """/conf/callback; the callbacks stand in the API definition."""
    assert (
        "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/callback"
        in web.get("/ogc/conformance").json()["conformsTo"]
    )
    post = web.get("/ogc/api").json()["paths"]["/processes/export/execution"]["post"]
    schema = post["requestBody"]["content"]["application/json"]["schema"]["properties"]["subscriber"]
    assert set(schema["properties"]) == set(callbacks.NAMES) == set(post["callbacks"])
    assert schema["required"] == ["successUri"]
    assert set(post["callbacks"]["successUri"]) == {"{$request.body#/subscriber/successUri}"}
