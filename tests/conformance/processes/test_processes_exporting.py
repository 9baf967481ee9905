"""OGC API – Processes – Part 1: Core (18-062r2): execution, waited for and as jobs, of the export."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyogrio
import pytest
from fastapi.testclient import TestClient

from tests.conformance.processes.asking import EXPORT, LATER, REL, TYPES, links, start
from tests.served import INTAKES, Accounts


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
