"""OGC API – Processes – Part 1: Core (18-062r2): core, description, JSON, HTML, OpenAPI, job list and dismissal."""

import asyncio
import email
import email.policy
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import procrastinate
import pyogrio
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app import jobs as queue
from app import operate, wiring
from app.access import service as access
from app.actor import Jurisdiction, Role, system
from app.db.engine import Dsns, transaction
from app.deps import Services
from app.imagery import service as imagery
from app.ogc.processes import detecting, jobs
from app.ogc.processes.process import Dismissed
from app.settings import Settings
from app.worker import tasks
from tests import served
from tests.integration.test_screening import write_scene
from tests.served import INTAKES, Accounts

TYPES = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
REL = "http://www.opengis.net/def/rel/ogc/1.0"
EXPORT = {"inputs": {"layer": "intakes", "format": "gpkg"}}
LATER = {"Prefer": "respond-async"}
AOI = {
    "type": "Polygon",
    "coordinates": [[[119.17, 32.08], [119.22, 32.08], [119.22, 32.13], [119.17, 32.13], [119.17, 32.08]]],
}


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
    """/req/core/landingpage-op, landingpage-success, conformance-op, conformance-success, /req/job-list/job-list-op."""
    landing = web.get("/ogc").json()
    for rel in ("processes", "job-list"):
        assert web.get(links(landing, f"{REL}/{rel}")[0]["href"]).status_code == 200
    root = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/"
    declared = set(web.get("/ogc/conformance").json()["conformsTo"])
    assert {
        root + name
        for name in ["core", "ogc-process-description", "json", "html", "oas30", "job-list", "dismiss"]
    } <= declared


def test_core_process_list_summaries_limit_and_links(web: TestClient) -> None:
    """/req/core/process-list, process-list-success, pl-limit-definition, pl-limit-response, pl-links."""
    body = web.get("/ogc/processes").json()
    assert [one["id"] for one in body["processes"]] == ["export", "detect", "link"]
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


@pytest.mark.parametrize("process", ["export", "detect", "link"])
def test_core_process_description_has_inputs_and_outputs_with_schemas(web: TestClient, process: str) -> None:
    """/req/core/process, process-success, /req/ogc-process-description/inputs-def, input-def, outputs-def,
    output-def.
    """
    body = web.get(f"/ogc/processes/{process}").json()
    for group in ("inputs", "outputs"):
        assert body[group]
        assert all(one["schema"] for one in body[group].values())
    assert all({"minOccurs", "maxOccurs"} <= one.keys() for one in body["inputs"].values())
    assert links(body, f"{REL}/execute")[0]["href"].endswith(f"/processes/{process}/execution")


def test_ogc_process_description_binary_and_mixed_types_are_told(web: TestClient) -> None:
    """/req/ogc-process-description/input-mixed-type, output-mixed-type: the first is the default."""
    schema = web.get("/ogc/processes/export").json()["outputs"]["file"]["schema"]
    assert all(one["contentEncoding"] == "binary" and one["contentMediaType"] for one in schema["oneOf"])


def test_core_no_such_process_and_no_such_job_are_named_so(web: TestClient) -> None:
    """/req/core/process-exception/no-such-process, job-exception-no-such-job, job-results-exception/no-such-job."""
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
    """/req/core/process-execute-default-execution-mode (C), process-execute-sync-raw-value-one,
    job-results-success-sync.
    """
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
    """/req/core/process-execute-sync-raw-ref, process-execute-sync-document."""
    by_reference = start(web, {**EXPORT, "outputs": {"file": {"transmissionMode": "reference"}}})
    assert by_reference.status_code == 204
    assert "/results/file" in by_reference.headers["link"]
    body = start(web, {**EXPORT, "response": "document"}).json()
    assert body["file"]["type"] == "application/geopackage+sqlite3"
    assert web.get(body["file"]["href"]).content[:6] == b"SQLite"


@pytest.mark.parametrize(
    ("form", "magic"),
    [
        ("geojson", b'{"type":"FeatureCollection"'),
        ("fgb", b"fgb"),
        ("parquet", b"PAR1"),
        ("csv", b"\xef\xbb\xbfid"),
        ("gpkg", b"SQLite"),
    ],
)
def test_export_filters_and_writes_every_format(
    web: TestClient, form: str, magic: bytes, tmp_path: Path
) -> None:
    """/req/core/process-execute-input-inline-bbox."""
    box = {"bbox": [119, 32, 120, 33], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}
    inputs = {"layer": "intakes", "format": form, "filter": "source_type = 'groundwater'", "bbox": box}
    answer = start(web, {"inputs": inputs})
    assert answer.content.startswith(magic), answer.text[:300]
    if form in ("gpkg", "geojson", "fgb"):
        (tmp_path / f"x.{form}").write_bytes(answer.content)
        frame = pyogrio.read_dataframe(tmp_path / f"x.{form}")
        assert len(frame) == 310 // 4
        assert set(frame["source_type"]) == {"groundwater"}
        assert frame.total_bounds[2] <= 120


def test_export_of_areas_as_geojson_is_what_the_collection_has(web: TestClient) -> None:
    made = start(web, {"inputs": {"layer": "regions", "format": "geojson"}}).json()
    assert made["features"] == web.get("/ogc/collections/regions/items?limit=100").json()["features"]
    nothing = start(web, {"inputs": {"layer": "regions", "format": "geojson", "filter": "name = 'x'"}})
    assert nothing.json() == {"type": "FeatureCollection", "features": []}


def test_a_filter_may_be_cql2_json(web: TestClient) -> None:
    condition = {"op": "=", "args": [{"property": "source_type"}, "groundwater"]}
    answer = start(web, {"inputs": {"layer": "intakes", "format": "geojson", "filter": condition}})
    assert {one["properties"]["source_type"] for one in answer.json()["features"]} == {"groundwater"}


def test_the_media_type_asked_of_an_output_is_the_one_written(web: TestClient) -> None:
    def asked(media: Any, **inputs: str) -> Any:
        outputs = {"file": {"format": {"mediaType": media}}}
        return start(web, {"inputs": {"layer": "regions", **inputs}, "outputs": outputs})

    assert asked("text/csv").headers["content-type"].startswith("text/csv")
    assert asked("application/geo+json", format="geojson").json()["type"] == "FeatureCollection"
    for wrong in (asked("image/png"), asked(7), asked("text/csv", format="gpkg")):
        assert wrong.status_code == 400, wrong.text


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
    """/req/core/process-execute-auto-execution-mode, process-execute-success-async, job, job-success, job-results,
    job-results-async-raw-value-one, job-results-exception/results-not-ready;
    /rec/core/process-execute-preference-applied.
    """
    answer = start(web, EXPORT, **LATER)
    assert answer.status_code == 201
    status = web.get(answer.headers["location"]).json()
    assert status == {**answer.json(), "links": status["links"]}
    assert status["status"] == "accepted"
    assert answer.headers["preference-applied"] == "respond-async"
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
    """/req/core/process-execute-default-execution-mode (C): no job is made of it unasked."""
    body = {"inputs": {"layer": "intakes", "format": "pmtiles"}}
    unasked = start(web, body)
    assert (unasked.status_code, unasked.json()["field"]) == (400, "Prefer")
    answer = start(web, body, **LATER)
    assert answer.status_code == 201
    worked()
    status = web.get(answer.headers["location"]).json()
    assert status["status"] == "successful", status["message"]
    results = web.get(f"{answer.headers['location']}/results")
    assert results.headers["content-type"] == "application/vnd.pmtiles"
    assert results.content[:7] == b"PMTiles"
    for more in ({"filter": "source_type = 'groundwater'"}, {"bbox": {"bbox": [119, 32, 120, 33]}}):
        refused = start(web, {"inputs": {**body["inputs"], **more}}, **LATER)
        assert (refused.status_code, refused.json()["field"]) == (400, next(iter(more)))


def test_an_export_too_big_to_wait_for_is_counted_by_what_its_filter_leaves(
    web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.ogc.processes import routes

    monkeypatch.setattr(routes, "SYNC_MOST", INTAKES - 1)
    refused = start(web, EXPORT)
    assert (refused.status_code, refused.json()["field"]) == (400, "Prefer")
    part = {**EXPORT["inputs"], "format": "csv", "filter": "source_type = 'groundwater'"}
    assert len(start(web, {"inputs": part}).text.splitlines()) == 1 + INTAKES // 4


@pytest.mark.parametrize("headers", [{}, LATER])
def test_a_wrong_filter_is_told_at_once_and_puts_no_job_on_record(web: TestClient, headers: Any) -> None:
    before = len(web.get("/ogc/jobs?limit=1000").json()["jobs"])
    for inputs in ({"filter": "nothing = 1"}, {"filter": "((("}, {"filter": {"op": "?", "args": []}}):
        answer = start(web, {"inputs": {"layer": "intakes", **inputs}}, **headers)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-input")
    assert len(web.get("/ogc/jobs?limit=1000").json()["jobs"]) == before


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
def analyst(services: Services) -> dict[str, str]:
    return key_of(services, "analyst", Role.ANALYST, Jurisdiction.nation())


def key_of(services: Services, name: str, role: Role, where: Jurisdiction) -> dict[str, str]:
    with transaction(services.engine, system("test")) as session:
        user = access.add_user(session, name, "a good long pass", role, where)
        return {"X-API-Key": access.add_key(session, user.id, "test")[1]}


@pytest.fixture(scope="module")
def scenes(services: Services, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two dates of one place as STAC items; the later one has more ponds."""
    where = tmp_path_factory.mktemp("scenes")
    write_scene(where / "before_20220512.tif", [(100, 100)])
    write_scene(where / "after_20240512.tif", [(100, 100), (300, 200), (400, 450)])
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


def parts(answer: Any) -> dict[str, Any]:
    """The parts of a multipart answer by their Content-ID, as a mail reader takes them apart."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    whole = email.message_from_bytes(head + answer.content, policy=email.policy.HTTP)
    return {str(part["Content-ID"]).strip("<>"): part for part in whole.iter_parts()}  # type: ignore[attr-defined]


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


def record_of(services: Services, job: UUID) -> dict[str, Any]:
    with transaction(services.engine, system("test")) as session:
        return jobs.find(session, job)


def inputs_of(services: Services, job: UUID) -> dict[str, Any]:
    found: dict[str, Any] = record_of(services, job)["request"]["inputs"]
    return found


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


def test_core_inputs_inline_qualified_by_reference_and_in_arrays(web: TestClient) -> None:
    """/req/core/process-execute-inputs, process-execute-input-inline-object, process-execute-input-mixed-type,
    process-execute-input-array.
    """
    qualified = start(
        web,
        {"inputs": {"layer": {"value": "intakes"}, "format": {"value": "csv", "mediaType": "text/plain"}}},
    )
    assert qualified.status_code == 200
    region = web.get("/ogc/collections/regions/items?limit=1").json()["features"][0]["id"]
    href = f"http://map.test/ogc/collections/regions/items/{region}"
    told = start(web, {"inputs": {"scenes": 1, "aoi": {"href": href}}}, "detect")
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
    """/req/core/process-execute-input-validation."""
    answer = web.post(f"/ogc/processes/{process}/execution", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("content", [b"", b"x", b"\xff", b'{"inputs":' + b"[" * 3000])
def test_core_a_body_that_is_no_json_is_a_400(web: TestClient, content: bytes) -> None:
    """/req/core/process-execute-request."""
    assert web.post("/ogc/processes/export/execution", content=content).status_code == 400


def test_the_public_sees_what_there_is_and_must_log_in_to_run_it(web: TestClient) -> None:
    nobody = {"X-API-Key": ""}
    assert web.get("/ogc/processes", headers=nobody).status_code == 200
    assert start(web, EXPORT, **nobody).status_code == 401
    assert web.get("/ogc/jobs", headers=nobody).status_code == 401
    assert start(web, EXPORT, **{"sec-fetch-site": "cross-site", "X-API-Key": ""}).status_code == 403


# ── job list, dismissal, restart ────────────────────────────────────────────────────────────────


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


# ── html, oas30 ─────────────────────────────────────────────────────────────────────────────────


def test_html_every_resource_is_a_page_for_browsers(web: TestClient) -> None:
    """/req/html/definition, /req/html/content."""
    monitor = start(web, EXPORT).headers["link"].partition(">")[0].lstrip("<")
    for path in ("/ogc/processes", "/ogc/processes/export", "/ogc/jobs", monitor):
        answer = web.get(path, headers={"accept": "text/html"})
        assert answer.headers["content-type"].startswith("text/html"), path
        assert "<script" not in answer.text
        assert web.head(path).status_code == 200


def test_oas30_every_path_is_defined(web: TestClient) -> None:
    """/req/oas30/completeness, oas-impl; that the document is valid (oas-definition-1, -2) is tested for all parts
    at once.
    """
    paths = web.get("/ogc/api").json()["paths"]
    expected = {"/processes", "/processes/export", "/processes/export/execution", "/jobs", "/jobs/{jobId}",
                "/jobs/{jobId}/results", "/jobs/{jobId}/results/{outputId}"}  # fmt: skip
    assert expected <= paths.keys()
    assert "post" in paths["/processes/export/execution"]
    assert "delete" in paths["/jobs/{jobId}"]
