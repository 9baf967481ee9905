"""Archives over HTTP, from a folder and from a bucket: ranges, validators, and who may fetch what."""

import asyncio
import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mapbox_vector_tile as mvt
import pyogrio
import pytest
from fastapi.testclient import TestClient
from pmtiles.reader import Reader
from typer.testing import CliRunner

from app.cli import app
from app.db.engine import Dsns
from app.main import create
from app.settings import Settings
from tests import served
from tests.integration.tiles.seaweed import bucket
from tiles.archives.store import store_at

PIECE = bytes(range(256)) * 40


@dataclass(frozen=True)
class Kept:
    """Where archives are kept, the service on it, and how to put a file there."""

    web: TestClient
    keys: served.Accounts
    put: Callable[[str, bytes], None]


@pytest.fixture(scope="module")
def register(database: Dsns) -> tuple[Dsns, served.Accounts]:
    served.fill(database)
    return database, served.accounts(database)


@pytest.fixture(scope="module", params=["folder", "bucket"])
def kept(
    request: pytest.FixtureRequest, register: tuple[Dsns, served.Accounts], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kept]:  # fmt: skip
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "bucket":
            told = request.getfixturevalue("seaweed")
            for name, value in told.items():
                patch.setenv(name, value)
        url = "s3://maps/shuitu" if request.param == "bucket" else None
        patch.setenv("SHUITU_DATABASE_URL", str(register[0].admin))
        patch.setenv("SHUITU_DATA_DIR", str(folder))
        if url:
            patch.setenv("SHUITU_ARCHIVES_URL", url)
        settings = Settings(frontend_dir=folder / "none")
        store = store_at(url, settings.archives_dir)

        def put(key: str, content: bytes) -> None:
            beside = folder / "new"
            beside.write_bytes(content)
            store.put(key, beside)

        with TestClient(create(settings), raise_server_exceptions=False) as client:
            yield Kept(client, register[1], put)


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("seaweed")
    with bucket(folder) as told:
        yield told
    shutil.rmtree(folder, ignore_errors=True)


def test_an_export_is_read_back_by_ranges(kept: Kept) -> None:
    done = CliRunner().invoke(app, ["tiles", "export", "regions", "--maxzoom", "6", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    sizes = set()

    def part(offset: int, length: int) -> bytes:
        asked = {"Range": f"bytes={offset}-{offset + length - 1}"}
        answer = kept.web.get("/archives/regions.pmtiles", headers=asked)
        assert answer.status_code == 206
        first, _, rest = answer.headers["content-range"].removeprefix("bytes ").partition("-")
        last, _, whole = rest.partition("/")
        assert (int(first), int(last)) == (offset, min(offset + length, told["bytes"]) - 1)
        sizes.add(int(whole))
        return answer.content

    body = Reader(part).get(6, 53, 25)
    names = {f["properties"]["name"] for f in mvt.decode(gzip.decompress(body))["regions"]["features"]}
    assert {"江苏省", "扬州市", "广陵区"} <= names
    assert sizes == {told["bytes"]}
    assert kept.web.get("/archives/regions.pmtiles").headers["content-type"] == "application/vnd.pmtiles"


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("bytes=0-99", 206, PIECE[:100]),
        ("bytes=100-100", 206, PIECE[100:101]),
        ("bytes=10200-", 206, PIECE[10200:]),
        ("bytes=-7", 206, PIECE[-7:]),
        ("bytes=-99999999", 206, PIECE),
        ("bytes=10000-99999999", 206, PIECE[10000:]),
        ("bytes=10240-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=0-9,20-29", 416, None),
        # What is no range is to be ignored.
        ("bytes=9-2", 200, PIECE),
        ("bytes=a-b", 200, PIECE),
        ("bytes=-", 200, PIECE),
        ("lines=1-2", 200, PIECE),
    ],
)
def test_one_range_is_answered_and_several_are_refused(
    kept: Kept, asked: str, status: int, expected: bytes | None
) -> None:
    kept.put("x.pmtiles", PIECE)
    answer = kept.web.get("/archives/x.pmtiles", headers={"Range": asked})
    assert answer.status_code == status
    if expected is None:
        assert answer.headers["content-range"] == f"bytes */{len(PIECE)}"
        assert answer.headers["content-type"] == "application/problem+json"
    else:
        assert answer.content == expected
        assert int(answer.headers["content-length"]) == len(expected)


def test_head_tells_the_length_without_the_bytes(kept: Kept) -> None:
    kept.put("x.pmtiles", PIECE)
    head = kept.web.head("/archives/x.pmtiles", headers={"Range": "bytes=0-9"})
    assert head.status_code == 200
    assert int(head.headers["content-length"]) == len(PIECE)
    assert head.headers["accept-ranges"] == "bytes"
    assert head.headers["access-control-allow-origin"] == "*"
    assert "Content-Range" in head.headers["access-control-expose-headers"]
    assert head.content == b""


def test_the_tag_is_strong_and_changes_with_the_file(kept: Kept) -> None:
    kept.put("x.pmtiles", PIECE)
    first = kept.web.head("/archives/x.pmtiles").headers
    tag = first["etag"]
    assert tag.startswith('"')
    assert kept.web.get("/archives/x.pmtiles", headers={"If-None-Match": tag}).status_code == 304
    assert kept.web.get("/archives/x.pmtiles", headers={"If-Match": '"other"'}).status_code == 412
    asked = {"Range": "bytes=0-9", "If-Range": tag}
    assert kept.web.get("/archives/x.pmtiles", headers=asked).status_code == 206
    by_date = {"Range": "bytes=0-9", "If-Range": first["last-modified"]}
    assert kept.web.get("/archives/x.pmtiles", headers=by_date).status_code == 206
    kept.put("x.pmtiles", PIECE[::-1])  # as long, at the same moment
    assert kept.web.head("/archives/x.pmtiles").headers["etag"] != tag
    whole = kept.web.get("/archives/x.pmtiles", headers=asked)
    assert (whole.status_code, whole.content) == (200, PIECE[::-1])
    assert kept.web.get("/archives/x.pmtiles", headers={"If-None-Match": tag}).status_code == 200


def test_officers_read_what_their_jurisdiction_covers_and_nobody_else_does(kept: Kept) -> None:
    for name in ("nation", "3210", "321084", "320505", "basin1"):
        kept.put(f"officer/intakes-officer-{name}.pmtiles", PIECE)
    kept.put("officer/old.pmtiles", PIECE)

    def fetched(key: str | None, name: str) -> int:
        answer = kept.web.get(f"/archives/{name}.pmtiles", headers={"X-API-Key": key} if key else {})
        if answer.status_code == 200:
            assert answer.headers["cache-control"] == "private, no-cache"
        return answer.status_code

    for key, may in (
        (None, set()),
        (kept.keys.county, {"321084"}),
        (kept.keys.prefecture, {"3210", "321084"}),
        (kept.keys.nation, {"nation", "3210", "321084", "320505", "basin1"}),
    ):
        for name in ("nation", "3210", "321084", "320505", "basin1"):
            assert fetched(key, f"intakes-officer-{name}") == (200 if name in may else 404), (key, name)
    # A name that tells no jurisdiction may hold anything.
    assert fetched(kept.keys.county, "old") == 404
    assert fetched(kept.keys.nation, "old") == 200
    assert fetched("sk_wrong", "old") == 401


def test_what_is_not_there_is_a_problem(kept: Kept) -> None:
    for name in ("nothing", "officer", "a" * 200):
        answer = kept.web.get(f"/archives/{name}.pmtiles")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
    assert kept.web.get("/archives/..%2Fx.pmtiles").status_code in (400, 404)
    assert kept.web.post("/archives/x.pmtiles").status_code == 405


def test_a_reader_keeps_the_archive_that_it_began(kept: Kept, register: tuple[Dsns, served.Accounts]) -> None:
    """A long download is not mixed from two archives: it goes on with the first, or ends."""
    big = PIECE * 400
    kept.put("big.pmtiles", big)

    async def read() -> bytes:
        store = store_at(*_where(kept))
        opened = await store.open("big.pmtiles")
        assert opened is not None
        pieces = await opened.read(0, opened.size)
        first = await anext(pieces)
        await asyncio.to_thread(kept.put, "big.pmtiles", big[::-1])
        rest = [piece async for piece in pieces]
        opened.close()
        return first + b"".join(rest)

    assert asyncio.run(read()) == big


def _where(kept: Kept) -> tuple[str | None, Path]:
    settings = Settings()
    return settings.archives_url, settings.archives_dir


def test_a_bucket_out_of_reach_is_told(
    register: tuple[Dsns, served.Accounts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), ("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ALLOW_HTTP", "true"), ("AWS_REGION", "us-east-1"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    settings = Settings(
        database_url=register[0].admin,
        data_dir=tmp_path,
        archives_url="s3://maps",
        frontend_dir=tmp_path / "none",
    )
    with TestClient(create(settings), raise_server_exceptions=False) as client:
        answer = client.get("/archives/x.pmtiles")
    assert answer.status_code == 503
    assert "存储" in answer.json()["detail"]


@pytest.mark.parametrize("kept", ["bucket"], indirect=True)
def test_gdal_opens_an_archive_that_lies_in_a_bucket(
    kept: Kept, register: tuple[Dsns, served.Accounts], tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["tiles", "export", "intakes", "--maxzoom", "8"])
    assert done.exit_code == 0, done.output
    with served.process(register[0], tmp_path) as (_, address):
        layers = pyogrio.list_layers(f"/vsicurl/{address}/archives/intakes.pmtiles")
        assert [name for name, _ in layers] == ["intakes"]
        frame = pyogrio.read_dataframe(f"/vsicurl/{address}/archives/intakes.pmtiles", layer="intakes")
    assert frame["n"].sum() == served.INTAKES
    assert frame.to_crs(4326).total_bounds[0] == pytest.approx(-179.9, abs=0.01)
