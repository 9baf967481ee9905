"""Tiles from memory take a short way through the server; on the wire it is the same as the long way."""

import gzip
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mapbox_vector_tile as mvt
import orjson
import psycopg
import pytest

from app.db.engine import Dsns
from app.hotline import METERED_EVERY_S
from app.maps.publishing import publish_features
from tests import served

TILE = "/tiles/intakes/6/53/25"
CHANGING = re.compile(rb"(?m)^(?:date|x-request-id): [^\r]*\r\n")


@pytest.fixture(scope="module")
def stored(database: Dsns) -> tuple[Dsns, served.Accounts]:
    served.fill(database)
    return database, served.accounts(database)


@pytest.fixture(scope="module")
def port(stored: tuple[Dsns, served.Accounts], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The server as the product starts it."""
    folder = tmp_path_factory.mktemp("served")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    told = {
        "SHUITU_DATABASE_URL": str(stored[0].admin), "SHUITU_DATA_DIR": str(folder), "SHUITU_PORT": str(number),
        "SHUITU_PROCESSES": "1", "SHUITU_LOG_LEVEL": "error", "PYTHONPATH": str(Path.cwd()),
    }  # fmt: skip
    running = subprocess.Popen([sys.executable, "-m", "app.serve"], env=os.environ | told)
    try:
        deadline = time.monotonic() + 60
        while True:
            assert running.poll() is None and time.monotonic() < deadline
            try:
                socket.create_connection(("127.0.0.1", number), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield number
    finally:
        running.terminate()
        running.wait(20)


class Wire:
    """One connection, byte by byte."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket, self._rest = connected, b""

    def send(self, *requests: bytes) -> None:
        for one in requests:
            self._socket.sendall(one)

    def answer(self, *, body: bool = True) -> tuple[int, bytes, bytes]:
        """Status, head and body of the next answer."""
        while b"\r\n\r\n" not in self._rest:
            self._more()
        head, self._rest = self._rest.split(b"\r\n\r\n", 1)
        size = re.search(rb"content-length: (\d+)", head)
        length = int(size[1]) if size and body else 0
        while len(self._rest) < length:
            self._more()
        content, self._rest = self._rest[:length], self._rest[length:]
        return int(head.split()[1]), head + b"\r\n", content

    def _more(self) -> None:
        got = self._socket.recv(65536)
        assert got, "the connection was closed"
        self._rest += got


@pytest.fixture
def wire(port: int) -> Iterator[Wire]:
    with socket.create_connection(("127.0.0.1", port), 20) as connected:
        yield Wire(connected)


def get(path: str = TILE, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: map", *headers, "", ""]).encode()


def the_same(head: bytes) -> set[bytes]:
    return set(CHANGING.sub(b"", head).splitlines())


@pytest.mark.parametrize("headers", [(), ("Accept-Encoding: gzip, br",), ('If-None-Match: "x", W/"y"',)])
def test_both_ways_say_the_same(wire: Wire, headers: tuple[str, ...]) -> None:
    wire.send(get())
    wire.answer()  # now it is in memory
    wire.send(get(TILE, *headers))
    short = wire.answer()
    wire.send(get(TILE, *headers, "X-Request-Id: told-by-client"))  # that one goes the long way
    long = wire.answer()
    assert short[0] == long[0] == 200
    assert the_same(short[1]) == the_same(long[1])
    assert short[2] == long[2] != b""
    assert re.search(rb"x-request-id: \w{16}", short[1])
    tag = re.search(rb'etag: (".*")', short[1])
    assert tag
    others = [one for one in headers if not one.startswith("If-None-Match")]
    wire.send(get(TILE, *others, f"If-None-Match: {tag[1].decode()}"))
    assert wire.answer(body=False)[0] == 304


def test_the_body_is_the_tile(wire: Wire) -> None:
    bodies = []
    for headers in ((), ("Accept-Encoding: gzip",), ("accept-encoding: GZIP",)):
        for _ in range(2):
            wire.send(get(TILE, *headers))
            status, head, body = wire.answer()
            assert status == 200
            bodies.append(gzip.decompress(body) if b"content-encoding: gzip" in head else body)
    assert len(set(bodies)) == 1


def test_requests_in_any_pieces_are_answered_in_order(wire: Wire) -> None:
    wire.send(get())
    wire.answer()
    whole = get()
    wire.send(whole + whole + get("/healthz"), whole[:30])
    time.sleep(0.1)
    wire.send(whole[30:], get("/tiles/intakes/99/0/0"), whole)
    assert [wire.answer()[0] for _ in range(6)] == [200, 200, 200, 200, 400, 200]
    post = b"POST /api/session HTTP/1.1\r\nHost: map\r\nContent-Length: 200\r\n\r\n"
    # What looks like a request inside a body is a body.
    wire.send(post, whole.ljust(200, b" "))
    assert wire.answer()[0] in (400, 401)


def test_who_is_logged_in_goes_the_long_way(wire: Wire, stored: tuple[Dsns, served.Accounts]) -> None:
    wire.send(
        get(),
        get(TILE, f"X-API-Key: {stored[1].county}"),
        get(TILE, "X-API-Key: wrong"),
        get(f"{TILE}?api_key=wrong"),
    )
    public, officer, wrong, in_query = (wire.answer() for _ in range(4))
    assert (public[0], officer[0], wrong[0], in_query[0]) == (200, 200, 401, 401)
    assert public[2] != officer[2]
    assert b"cache-control: private" in officer[1]


@pytest.mark.parametrize(
    "request_",
    [
        b"nothing\r\n\r\n",
        get(method="FOO"),
        get("/ogc/collections?x=" + "a" * 70_000),
        get(TILE, "Content-Length: x"),
    ],
    ids=["no request", "no method", "long address", "no length"],
)
def test_what_is_no_request_is_told_of_in_the_form_of_all_problems(wire: Wire, request_: bytes) -> None:
    wire.send(request_)
    status, head, body = wire.answer()
    assert status == 400
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    assert orjson.loads(body)["status"] == 400


def test_a_head_has_no_body_and_an_end_is_an_end(wire: Wire) -> None:
    wire.send(get(), get(method="HEAD"), get(TILE, "Connection: close"))
    assert wire.answer()[0] == 200
    assert wire.answer(body=False)[0] == 200
    status, head, _ = wire.answer()
    assert status == 200
    assert b"connection: close" in head
    with pytest.raises(AssertionError, match="closed"):
        wire.answer()


def test_an_answer_that_was_given_before_ends_with_a_change(
    wire: Wire, stored: tuple[Dsns, served.Accounts]
) -> None:
    where = "/tiles/regions/6/53/25"
    tags = []
    for path in (TILE, where):
        for _ in range(3):
            wire.send(get(path))
            tags.append(tag_of(wire.answer()[1]))
    with psycopg.connect(stored[0].service) as connection:
        connection.execute(
            "select set_config('app.scope_lo', '0', false), set_config('app.scope_hi', '1000000', false)"
        )
        connection.execute("update shuitu.intakes set permit_state = 'ended' where id = 1")
        publish_features(connection, "intakes", [1])
    deadline = time.monotonic() + 1
    while True:
        wire.send(get())
        status, head, body = wire.answer()
        if tag_of(head) != tags[0]:
            break
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (layer,) = mvt.decode(body).values()
    assert status == 200
    assert sum(f["properties"].get("n_ended", f["properties"].get("permit_state") == "ended") for f in layer["features"]) == 1  # fmt: skip
    wire.send(get(TILE, f'If-None-Match: "{tags[0]}"'))
    assert wire.answer()[0] == 200
    wire.send(get(where, f'If-None-Match: "{tags[-1]}"'))
    assert wire.answer(body=False)[0] == 304, "regions did not change"


def test_every_answer_is_metered(wire: Wire) -> None:
    wire.send(get())
    tag = tag_of(wire.answer()[1])
    time.sleep(METERED_EVERY_S + 0.2)  # what was answered until now is handed on
    asked = get(TILE, f'If-None-Match: "{tag}"')
    before = [metered(wire, name) for name in METERS]
    for _ in range(50):
        wire.send(asked)
        assert wire.answer(body=False)[0] == 304
    deadline = time.monotonic() + 10
    while [now - then for now, then in zip([metered(wire, name) for name in METERS], before, strict=True)] != [50] * 3:  # fmt: skip
        assert time.monotonic() < deadline
        time.sleep(0.2)


METERS = (
    'shuitu_requests_total{area="tiles",method="GET",status="304"}',
    'shuitu_request_seconds_count{area="tiles"}',
    'shuitu_request_seconds_bucket{area="tiles",le="0.005"}',
)


def metered(wire: Wire, name: str) -> float:
    wire.send(get("/metrics"))
    found = re.search(re.escape(name) + r" ([\d.e+]+)", wire.answer()[2].decode())
    return float(found[1]) if found else 0.0


def tag_of(head: bytes) -> str:
    found = re.search(rb'etag: "(.*)"', head)
    assert found
    return found[1].decode()


@pytest.mark.parametrize("query", ["filter-lang=ecql", "filter-lang=", "filter=code='x'&filter-lang=ecql"])
def test_a_filter_language_that_is_none_is_refused(wire: Wire, query: str) -> None:
    wire.send(get(f"{TILE}?{query}"))
    status, _, body = wire.answer()
    assert status == 400
    assert b"cql2-text" in body
