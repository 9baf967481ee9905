"""OGC API – Processes – Part 1: Core (18-062r2): core, description, JSON, HTML, OpenAPI, job list and dismissal."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import procrastinate
import pyogrio
import pytest
from fastapi.testclient import TestClient

from app import jobs as queue
from app import wiring
from app.actor import system
from app.db.engine import Dsns, transaction
from app.deps import Services
from app.ogc.processes import jobs
from app.ogc.processes.process import Dismissed
from app.settings import Settings
from app.worker import tasks
from tests import served
from tests.served import INTAKES, Accounts

TYPES = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
REL = "http://www.opengis.net/def/rel/ogc/1.0"
EXPORT = {"inputs": {"layer": "intakes", "format": "gpkg"}}
LATER = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
def database_and_keys(new_database: Callable[[], Dsns]) -> tuple[Dsns, Accounts]:
    dsns = new_database()
    served.fill(dsns)
    return dsns, served.accounts(dsns)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def web(database_and_keys: tuple[Dsns, Accounts], folder: Path) -> Iterator[TestClient]:
    with served.serving(database_and_keys[0], folder) as client:
        client.headers["X-API-Key"] = database_and_keys[1].nation
        yield client


@pytest.fixture(scope="module")
def keys(database_and_keys: tuple[Dsns, Accounts]) -> Accounts:
    return database_and_keys[1]


@pytest.fixture(scope="module")
def services(database_and_keys: tuple[Dsns, Accounts], folder: Path) -> Iterator[Services]:
    made = wiring.services(Settings(database_url=database_and_keys[0].admin, data_dir=folder))
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def worked(services: Services) -> Callable[[], None]:
    """Lets a worker do all that waits in the queue."""

    async def run() -> None:
        app = queue.connect(services.dsns.service)
        blueprint = procrastinate.Blueprint()
        blueprint.tasks = {
            name: task for name, task in tasks(services).tasks.items() if name.startswith("run_")
        }
        app.add_tasks_from(blueprint, namespace="")
        async with app.open_async():
            await app.run_worker_async(queues=[queue.QUEUE], wait=False, install_signal_handlers=False)

    def work() -> None:
        failed: list[BaseException] = []

        def inside() -> None:
            try:
                asyncio.run(run())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        assert not failed, failed

    return work


def links(body: dict[str, Any], rel: str) -> list[dict[str, Any]]:
    return [link for link in body["links"] if link["rel"] == rel]


def start(web: TestClient, body: dict[str, Any], process: str = "export", **headers: str) -> Any:
    return web.post(f"/ogc/processes/{process}/execution", json=body, headers=headers)


# ── core: what there is ─────────────────────────────────────────────────────────────────────────


def test_core_landingpage_and_conformance_name_the_processes(web: TestClient) -> None:
    landing = web.get("/ogc").json()
    for rel in ("processes", "job-list"):
        assert web.get(links(landing, f"{REL}/{rel}")[0]["href"]).status_code == 200
    root = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/"
    declared = set(web.get("/ogc/conformance").json()["conformsTo"])
    assert {
        root + name for name in ["core", "ogc-process-description", "json", "html", "oas30", "job-list", "dismiss"]
    } <= declared


def test_core_process_list_summaries_limit_and_links(web: TestClient) -> None:
    body = web.get("/ogc/processes").json()
    assert [one["id"] for one in body["processes"]] == ["export", "detect"]
    for one in body["processes"]:
        assert one["version"]
        assert set(one["jobControlOptions"]) <= {"sync-execute", "async-execute", "dismiss"}
    assert links(body, "self")
    assert links(body, "alternate")
    first = web.get("/ogc/processes?limit=1").json()
    assert len(first["processes"]) == 1
    assert [one["id"] for one in web.get(links(first, "next")[0]["href"]).json()["processes"]] == ["detect"]
    for bad in ("limit=0", "limit=x", "offset=-1", "unknown=1"):
        assert web.get(f"/ogc/processes?{bad}").status_code == 400


@pytest.mark.parametrize("process", ["export", "detect"])
def test_core_process_description_has_inputs_and_outputs_with_schemas(web: TestClient, process: str) -> None:
    body = web.get(f"/ogc/processes/{process}").json()
    for group in ("inputs", "outputs"):
        assert body[group]
        assert all(one["schema"] for one in body[group].values())
    assert all({"minOccurs", "maxOccurs"} <= one.keys() for one in body["inputs"].values())
    assert links(body, f"{REL}/execute")[0]["href"].endswith(f"/processes/{process}/execution")


def test_ogc_process_description_binary_and_mixed_types_are_told(web: TestClient) -> None:
    schema = web.get("/ogc/processes/export").json()["outputs"]["file"]["schema"]
    assert all(one["contentEncoding"] == "binary" and one["contentMediaType"] for one in schema["oneOf"])


def test_core_no_such_process_and_no_such_job_are_named_so(web: TestClient) -> None:
    for method, path, kind in (
        ("GET", "/processes/nothing", "no-such-process"), ("POST", "/processes/nothing/execution", "no-such-process"),
        ("GET", "/jobs/x", "no-such-job"), ("GET", "/jobs/7b7e1b56-0000-4000-8000-000000000000", "no-such-job"),
        ("GET", "/jobs/x/results", "no-such-job"), ("DELETE", "/jobs/x", "no-such-job"),
    ):  # fmt: skip
        answer = web.request(method, f"/ogc{path}", json={} if method == "POST" else None)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"{TYPES}/{kind}"


# ── core: execution ─────────────────────────────────────────────────────────────────────────────


def test_core_execute_sync_without_a_preference_answers_with_the_file_itself(
    web: TestClient, tmp_path: Path
) -> None:
    answer = start(web, EXPORT)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geopackage+sqlite3"
    (tmp_path / "x.gpkg").write_bytes(answer.content)
    frame = pyogrio.read_dataframe(tmp_path / "x.gpkg")
    assert len(frame) == INTAKES
    assert frame["code"].is_unique
    monitor = answer.headers["link"].partition(">")[0].lstrip("<")
    status = web.get(monitor).json()
    assert (status["status"], status["type"], status["processID"]) == ("successful", "process", "export")


def test_core_execute_sync_by_reference_and_as_document(web: TestClient) -> None:
    by_reference = start(web, {**EXPORT, "outputs": {"file": {"transmissionMode": "reference"}}})
    assert by_reference.status_code == 204
    assert "/results/file" in by_reference.headers["link"]
    body = start(web, {**EXPORT, "response": "document"}).json()
    assert body["file"]["type"] == "application/geopackage+sqlite3"
    assert web.get(body["file"]["href"]).content[:6] == b"SQLite"


@pytest.mark.parametrize(
    ("form", "magic"),
    [("fgb", b"fgb"), ("parquet", b"PAR1"), ("csv", b"\xef\xbb\xbfid"), ("gpkg", b"SQLite")],
)
def test_export_filters_and_writes_every_format(
    web: TestClient, form: str, magic: bytes, tmp_path: Path
) -> None:
    box = {"bbox": [119, 32, 120, 33], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}
    inputs = {"layer": "intakes", "format": form, "filter": "source_type = 'groundwater'", "bbox": box}
    answer = start(web, {"inputs": inputs})
    assert answer.content.startswith(magic), answer.text[:300]
    if form == "gpkg":
        (tmp_path / "x.gpkg").write_bytes(answer.content)
        frame = pyogrio.read_dataframe(tmp_path / "x.gpkg")
        assert set(frame["source_type"]) == {"groundwater"}
        assert frame.total_bounds[2] <= 120


def test_export_is_cut_to_the_jurisdiction_and_the_job_is_not_seen_elsewhere(
    web: TestClient, keys: Accounts, tmp_path: Path
) -> None:
    county = {"X-API-Key": keys.county}
    answer = start(web, EXPORT, **county)
    (tmp_path / "x.gpkg").write_bytes(answer.content)
    assert len(pyogrio.read_dataframe(tmp_path / "x.gpkg")) == 30
    whole = start(web, EXPORT)
    monitor = whole.headers["link"].partition(">")[0].lstrip("<")
    assert web.get(monitor, headers=county).status_code == 404
    assert web.get(f"{monitor}/results/file", headers=county).status_code == 404
    assert web.delete(monitor, headers=county).status_code == 404
    assert monitor.rpartition("/")[2] not in web.get("/ogc/jobs?limit=100", headers=county).text


def test_core_execute_async_is_created_worked_and_fetched(
    web: TestClient, worked: Callable[[], None]
) -> None:
    answer = start(web, EXPORT, **LATER)
    assert answer.status_code == 201
    status = web.get(answer.headers["location"]).json()
    assert status == {**answer.json(), "links": status["links"]}
    assert status["status"] == "accepted"
    early = web.get(f"{answer.headers['location']}/results")
    assert (early.status_code, early.json()["type"]) == (404, f"{TYPES}/result-not-ready")
    worked()
    done = web.get(answer.headers["location"]).json()
    assert (done["status"], done["progress"]) == ("successful", 100)
    assert done["created"] <= done["started"] <= done["finished"]
    results = links(done, f"{REL}/results")[0]["href"]
    assert web.get(results).content[:6] == b"SQLite"
    part = web.get(f"{answer.headers['location']}/results/file", headers={"range": "bytes=0-5"})
    assert (part.status_code, part.content) == (206, b"SQLite")
    assert web.get(f"{results}?outputs=nothing").status_code == 400
    assert web.get(f"{results}?outputs=file").status_code == 200
    assert web.get(f"{answer.headers['location']}/results/nothing").status_code == 404


def test_export_to_pmtiles_is_a_job(web: TestClient, worked: Callable[[], None]) -> None:
    answer = start(web, {"inputs": {"layer": "intakes", "format": "pmtiles"}})
    assert answer.status_code == 201  # though nobody asked for it: it takes too long to wait for
    worked()
    status = web.get(answer.headers["location"]).json()
    assert status["status"] == "successful", status["message"]
    results = web.get(f"{answer.headers['location']}/results")
    assert results.headers["content-type"] == "application/vnd.pmtiles"
    assert results.content[:7] == b"PMTiles"


def test_core_a_failed_job_says_why_with_the_status_of_the_reason(
    web: TestClient, worked: Callable[[], None]
) -> None:
    answer = start(web, {"inputs": {"layer": "intakes", "filter": "nothing = 1"}}, **LATER)
    worked()
    status = web.get(answer.headers["location"]).json()
    assert status["status"] == "failed"
    assert "nothing" in status["message"]
    results = web.get(f"{answer.headers['location']}/results")
    assert results.status_code == 400
    assert "nothing" in results.json()["detail"]


def test_detect_runs_as_a_job_only_and_fails_with_words_where_a_scene_cannot_be_read(
    web: TestClient, worked: Callable[[], None], database_and_keys: tuple[Dsns, Accounts], services: Services
) -> None:
    refused = start(web, {"inputs": {"scenes": [1]}}, "detect")
    assert refused.status_code == 403  # an officer may not detect
    from app.access import service as access
    from app.actor import Jurisdiction, Role

    with transaction(services.engine, system("test")) as session:
        user = access.add_user(session, "analyst", "a good long pass", Role.ANALYST, Jurisdiction.nation())
        key = access.add_key(session, user.id, "test")[1]
    analyst = {"X-API-Key": key}
    answer = start(web, {"inputs": {"scenes": [1]}}, "detect", **analyst)
    assert answer.status_code == 201  # without any preference, for it can only be run as a job
    worked()
    status = web.get(answer.headers["location"], headers=analyst).json()
    assert status["status"] == "failed"
    assert status["message"]
    assert web.get("/ogc/jobs?processID=detect&limit=5", headers=analyst).json()["jobs"]


def test_core_inputs_inline_qualified_by_reference_and_in_arrays(web: TestClient) -> None:
    qualified = start(
        web,
        {"inputs": {"layer": {"value": "intakes"}, "format": {"value": "csv", "mediaType": "text/plain"}}},
    )
    assert qualified.status_code == 200
    region = web.get("/ogc/collections/regions/items?limit=1").json()["features"][0]["id"]
    href = f"http://map.test/ogc/collections/regions/items/{region}"
    told = start(web, {"inputs": {"scenes": 1, "area": {"href": href}}}, "detect")
    assert told.status_code == 403  # the input was resolved and held good; the role is wrong


BAD: list[tuple[str, Any]] = [
    ("export", {"inputs": {}}), ("export", {"inputs": {"layer": "nothing"}}), ("export", {"inputs": {"layer": 7}}),
    ("export", {"inputs": {"layer": "intakes", "format": "docx"}}), ("export", {"inputs": {"layer": "intakes", "more": 1}}),
    ("export", {"inputs": {"layer": "intakes", "bbox": {"bbox": [1, 2]}}}), ("export", {"inputs": {"layer": "intakes", "bbox": [1, 2, 3, 4]}}),
    ("export", {"inputs": []}), ("export", {**EXPORT, "outputs": {"nothing": {}}}), ("export", {**EXPORT, "outputs": []}),
    ("export", {**EXPORT, "outputs": {"file": {"transmissionMode": "x"}}}), ("export", {**EXPORT, "response": "x"}), ("export", []),
    ("export", {"inputs": {"layer": {"href": "http://127.0.0.1:1/x"}}}), ("export", {"inputs": {"layer": {"href": "file:///etc/passwd"}}}),
    ("export", {"inputs": {"layer": {"href": "http://map.test/ogc/collections/regions/items/99999999"}}}),
]  # fmt: skip


@pytest.mark.parametrize(("process", "body"), BAD, ids=lambda value: json.dumps(value)[:60])
def test_core_input_validation_what_does_not_fit_is_a_400(web: TestClient, process: str, body: Any) -> None:
    answer = web.post(f"/ogc/processes/{process}/execution", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("content", [b"", b"x", b"\xff", b'{"inputs":' + b"[" * 3000])
def test_core_a_body_that_is_no_json_is_a_400(web: TestClient, content: bytes) -> None:
    assert web.post("/ogc/processes/export/execution", content=content).status_code == 400


def test_a_bad_filter_is_told_while_the_client_waits(web: TestClient) -> None:
    answer = start(web, {"inputs": {"layer": "intakes", "filter": "((("}})
    assert answer.status_code == 400


def test_the_public_sees_what_there_is_and_must_log_in_to_run_it(web: TestClient) -> None:
    nobody = {"X-API-Key": ""}
    assert web.get("/ogc/processes", headers=nobody).status_code == 200
    assert start(web, EXPORT, **nobody).status_code == 401
    assert web.get("/ogc/jobs", headers=nobody).status_code == 401
    assert start(web, EXPORT, **{"sec-fetch-site": "cross-site", "X-API-Key": ""}).status_code == 403


# ── job list, dismissal, restart ────────────────────────────────────────────────────────────────


def test_job_list_pages_and_filters(web: TestClient) -> None:
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
    answer = start(web, EXPORT, **LATER)
    dismissed = web.delete(answer.headers["location"])
    assert (dismissed.status_code, dismissed.json()["status"]) == (200, "dismissed")
    worked()
    assert web.get(answer.headers["location"]).json()["status"] == "dismissed"
    assert web.get(f"{answer.headers['location']}/results").status_code == 404
    assert not (folder / "processes" / answer.headers["location"].rpartition("/")[2]).exists()


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
    from uuid import UUID

    job = UUID(location.rpartition("/")[2])
    jobs.work(services, job)
    assert reached == ["nation"]
    assert not jobs.folder_of(services, job).exists()
    assert web.get(location).json()["status"] == "dismissed"


def test_a_job_whose_worker_was_killed_is_carried_out_again(
    web: TestClient, services: Services, worked: Callable[[], None]
) -> None:
    from sqlalchemy import text

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
    from sqlalchemy import text

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


# ── html, oas30 ─────────────────────────────────────────────────────────────────────────────────


def test_html_every_resource_is_a_page_for_browsers(web: TestClient) -> None:
    monitor = start(web, EXPORT).headers["link"].partition(">")[0].lstrip("<")
    for path in ("/ogc/processes", "/ogc/processes/export", "/ogc/jobs", monitor):
        answer = web.get(path, headers={"accept": "text/html"})
        assert answer.headers["content-type"].startswith("text/html"), path
        assert "<script" not in answer.text
        assert web.head(path).status_code == 200


def test_oas30_every_path_is_defined(web: TestClient) -> None:
    paths = web.get("/ogc/api").json()["paths"]
    expected = {"/processes", "/processes/export", "/processes/export/execution", "/jobs", "/jobs/{jobId}",
                "/jobs/{jobId}/results", "/jobs/{jobId}/results/{outputId}"}  # fmt: skip
    assert expected <= paths.keys()
    assert "post" in paths["/processes/export/execution"]
    assert "delete" in paths["/jobs/{jobId}"]
