"""OGC API – Processes – Part 1: Core (18-062r2): core, description, inputs, JSON, HTML, OpenAPI."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.conformance.processes.asking import EXPORT, REL, TYPES, links, start


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


def test_whoever_reads_where_nothing_is_read_is_told_what_can_be_done(web: TestClient) -> None:
    for method in ("GET", "HEAD"):
        answer = web.request(method, "/ogc/processes/export/execution")
        assert answer.status_code == 405
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("path", ["/processes/export", "/jobs", "/processes/export?f=html"])
def test_what_a_client_has_is_not_sent_again(web: TestClient, path: str) -> None:
    first = web.get(f"/ogc{path}")
    again = web.get(f"/ogc{path}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    head = web.head(f"/ogc{path}")
    assert head.headers["etag"] == first.headers["etag"]
    assert head.headers["content-length"] == first.headers["content-length"]
