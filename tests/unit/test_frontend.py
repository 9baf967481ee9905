"""The built front end as it is served."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app import frontend
from app.settings import Settings


@pytest.fixture
def web(tmp_path: Path) -> TestClient:
    assets = tmp_path / "assets"
    assets.mkdir()
    for name, content in (
        ("a.js", b"plain"),
        ("a.js.gz", b"zipped"),
        ("a.js.br", b"brotli"),
        ("b.css", b"css"),
    ):
        (assets / name).write_bytes(content)
    (tmp_path / "index.html").write_text("<!doctype html>")
    api = FastAPI()
    frontend.mount(api, Settings(frontend_dir=tmp_path))
    return TestClient(api)


def raw(web: TestClient, path: str, accepted: str) -> tuple[bytes, str | None, str]:
    with web.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
        body = b"".join(answer.iter_raw())
        return body, answer.headers.get("content-encoding"), answer.headers["content-type"]


@pytest.mark.parametrize(
    ("accepted", "body", "coding"),
    [("br, gzip", b"brotli", "br"), ("gzip", b"zipped", "gzip"), ("identity", b"plain", None)],
)
def test_scripts_come_in_the_smallest_form_that_the_browser_takes(
    web: TestClient, accepted: str, body: bytes, coding: str | None
) -> None:
    found = raw(web, "/assets/a.js", accepted)
    assert found[:2] == (body, coding)
    assert "javascript" in found[2]


def test_what_was_not_compressed_comes_plain(web: TestClient) -> None:
    assert raw(web, "/assets/b.css", "br, gzip")[:2] == (b"css", None)


def test_assets_are_kept_for_ever_and_the_page_never(web: TestClient) -> None:
    assert "immutable" in web.get("/assets/b.css").headers["cache-control"]
    assert web.get("/").headers["cache-control"] == "no-cache"
