"""The product API describes all that it answers, and answers every method as HTTP wants."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import StreamingResponse

from app import problems
from app.heads import HeadsAsGets
from app.main import fastapi_app
from app.settings import Settings


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    folder = tmp_path_factory.mktemp("frontend")
    return fastapi_app(Settings(data_dir=folder, frontend_dir=folder))


def test_every_operation_documents_its_problems_and_no_422(api: FastAPI) -> None:
    document = api.openapi()
    responses = document["components"]["responses"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            said = operation["responses"]
            assert "422" not in said, (path, method)
            assert {"400", "401", "403", "500", "503", "default"} <= said.keys(), (path, method)
            assert ("{" not in path) or "404" in said
            for status, response in said.items():
                if status[0] in "45d":
                    named = response.get("$ref", "").removeprefix("#/components/responses/")
                    assert "application/problem+json" in responses.get(named, response)["content"], (
                        path,
                        status,
                    )
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert api.openapi() is document


def client(api: FastAPI) -> TestClient:
    return TestClient(HeadsAsGets(api, ("/api", "/healthz")), raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/session", "GET, HEAD, POST, DELETE"),
        ("PATCH", "/api/review/batches", "GET, HEAD, POST"),
        ("PATCH", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/api/statistics/intakes", "GET, HEAD"),
        ("GET", "/api/exchange/intakes", "POST"),
        ("GET", "/api/session/nothing", None),
        ("DELETE", "/api/nothing/at/all", None),
        ("POST", "/ogc/nothing/at/all", None),
        ("DELETE", "/review", "GET, HEAD"),  # a page of the front end
    ],
)
def test_405_names_every_method_and_nothing_is_404(
    api: FastAPI, method: str, path: str, allowed: str | None
) -> None:
    answer = client(api).request(method, path)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == (404 if allowed is None else 405)
    if allowed is not None:
        assert sorted(answer.headers["allow"].split(", ")) == sorted(allowed.split(", "))


def test_head_is_get_without_content_and_a_stream_ends_with_its_headers() -> None:
    api = FastAPI()
    problems.install(api)
    ended = []

    @api.get("/api/value")
    def value() -> dict[str, int]:
        return {"value": 1}

    @api.get("/api/stream")
    async def stream() -> StreamingResponse:
        async def endless() -> object:
            try:
                while True:
                    yield b"more"
            finally:
                ended.append(True)

        return StreamingResponse(endless(), media_type="text/event-stream")  # type: ignore[arg-type]

    asking = client(api)
    head, get = asking.head("/api/value"), asking.get("/api/value")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == get.headers
    assert asking.head("/api/stream").headers["content-type"].startswith("text/event-stream")
    assert asking.head("/api/nothing").status_code == 404
