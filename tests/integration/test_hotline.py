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

import pytest

from app.db.engine import Dsns
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


def test_a_head_has_no_body_and_an_end_is_an_end(wire: Wire) -> None:
    wire.send(get(), get(method="HEAD"), get(TILE, "Connection: close"))
    assert wire.answer()[0] == 200
    assert wire.answer(body=False)[0] == 200
    status, head, _ = wire.answer()
    assert status == 200
    assert b"connection: close" in head
    with pytest.raises(AssertionError, match="closed"):
        wire.answer()
