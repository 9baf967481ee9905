"""Tiles from memory are answered where their bytes arrive, before there is a request.

A map asks for dozens of tiles at once, most of them are in memory, and what a server does around a request
(scope, task, middleware, two messages) costs eight times as much as finding and sending one. So uvicorn's protocol
looks at the bytes first: one whole plain GET for a tile by somebody who is not logged in, on a connection with
nothing else under way. Everything else goes its usual way, and so does a tile that is not in memory.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import InvalidInput
from app.problems import LANGUAGES, TABLE
from app.requests import HEADERS, Tally, next_id
from tiles.keeper import today
from tiles.packing import takes_gzip
from tiles.server import TileServer

START, END = b"GET /tiles/", b"\r\n\r\n"
LINE = re.compile(rb"GET (/tiles/[a-z_]+/[0-9]+/[0-9]+/[0-9]+)(?:\?(v=[0-9]*))? HTTP/1\.1\r\n")
OTHERWISE = re.compile(
    rb"\r\n(?:cookie|authorization|x-api-key|x-request-id|connection|upgrade|expect|content-length|transfer-encoding|range|http2-settings)\s*:"
)
"""Headers that want more than a look: a log-in, a body, another protocol, an end."""
NONE_MATCH = re.compile(rb"\r\nif-none-match:[ \t]*([^\r\n]*)", re.IGNORECASE)
ACCEPTED = re.compile(rb"\r\naccept-encoding:([^\r\n]*)")
LONGEST = 4096
REMEMBERED = 2048
"""Requests whose answer is kept: a browser asks for a tile again in the same bytes."""
METERED_EVERY_S = 1.0
_INVALID = TABLE[InvalidInput]
NOT_UNDERSTOOD = orjson.dumps(
    {
        "type": f"/problems/{_INVALID.slug}",
        "title": _INVALID.title,
        "status": 400,
        "detail": "无法识别的 HTTP 请求，或地址过长 (this is no HTTP request, or its address is too long)",
    }
)
NOT_UNDERSTOOD_HEADERS = (
    (b"content-type", b"application/problem+json"),
    (b"content-language", LANGUAGES.encode()),
    (b"content-length", str(len(NOT_UNDERSTOOD)).encode()),
    (b"access-control-allow-origin", b"*"),
)


class TilesFirst(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with a look at what arrives."""

    _idle = True  # between two requests
    _answered_at = 0.0  # when the short way was last taken

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        tiles = _tiles(self.app)
        self._shelf = None if tiles is None else shelf(tiles)

    def data_received(self, data: bytes) -> None:
        if (
            data.startswith(START)
            and self._free()
            and self._shelf is not None
            and (found := self._shelf.answer(data, self.server_state.default_headers)) is not None
        ):
            self.server_state.total_requests += 1
            self.transport.writelines(found)
            self._answered_at = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._close_after(self.timeout_keep_alive)
            return
        super().data_received(data)

    def _free(self) -> bool:
        """Is nothing under way on this connection, in either direction?"""
        done = self.cycle is None or self.cycle.response_complete
        return self._idle and done and not self.pipeline and not self.flow.write_paused

    def timeout_keep_alive_handler(self) -> None:
        """The short way leaves the clock running: to set it anew with each answer costs as much as one."""
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._close_after(left)
        else:
            super().timeout_keep_alive_handler()

    def _close_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def send_400_response(self, msg: str) -> None:
        """What is no request, or has an address of 64 KiB and more, is told of in the form of all problems."""
        head = [(b"connection", b"close"), *HEADERS, *self.server_state.default_headers]
        lines = _lines([*NOT_UNDERSTOOD_HEADERS, *head])
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + lines + b"\r\n" + NOT_UNDERSTOOD)
        self.transport.close()

    def on_message_begin(self) -> None:
        self._idle = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._idle = True
        super().on_message_complete()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the bytes of a request ask for."""

    path: str
    query: bytes
    zipped: bool
    """May it come compressed?"""
    wanted: str | None
    """If-None-Match."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer that was given before, which is right as long as the tile's number holds."""

    number: int
    line: bytes
    head: bytes
    zipped: bool
    tally: Tally


class Shelf:
    """What requests were answered with, by their bytes; of one tile server."""

    def __init__(self, tiles: TileServer) -> None:
        self._tiles, self._again = tiles, tiles.keeper.bodies.again
        self._ready: dict[bytes, Ready] = {}
        self._tallies: dict[int, Tally] = {}
        self._defaults: Sequence[tuple[bytes, bytes]] | None = None
        self._lines, self._day, self._counting = b"", 0, False

    def answer(self, data: bytes, defaults: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, ...] | None:
        """Head and content; None: take the long way. `defaults` are the server's headers, new ones each second."""
        began = time.perf_counter()
        if defaults is not self._defaults:
            self._begin(defaults)
        ready = self._ready.get(data)
        body = None if ready is None else self._again(ready.number)
        if ready is None or body is None:
            ready = self._found(data)
            if ready is None or (body := self._again(ready.number)) is None:
                return None
        head = b"".join((ready.line, self._lines, ready.head, next_id(), END))
        ready.tally.count += 1
        ready.tally.seconds += time.perf_counter() - began
        if not self._counting:
            self._counting = True
            asyncio.get_running_loop().call_later(METERED_EVERY_S, self.meter)
        if ready.tally.status != 200:
            return (head,)
        return head, body.zipped if ready.zipped else body.plain

    def meter(self) -> None:
        """Hand on what was counted."""
        self._counting = False
        for one in self._tallies.values():
            one.meter()

    def _begin(self, defaults: Sequence[tuple[bytes, bytes]]) -> None:
        self._defaults, self._lines = defaults, _lines(defaults)
        if self._day != today():
            self._day = today()
            self._ready.clear()

    def _found(self, data: bytes) -> Ready | None:
        asked = _read(data)
        number = None if asked is None else self._tiles.kept(asked.path, asked.query)
        if asked is None or number is None:
            return None
        told = self._tiles.kept_answer(number, zipped=asked.zipped, wanted=asked.wanted)
        if told is None:
            return None
        status, headers, _ = told
        line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
        tally = self._tallies.setdefault(status, Tally("tiles", status))
        ready = Ready(number, line, _lines([*headers, *HEADERS]) + b"x-request-id: ", asked.zipped, tally)
        if len(self._ready) >= REMEMBERED:
            self._ready.clear()
        self._ready[data] = ready
        return ready


def _lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"".join(part for name, value in headers for part in (name, b": ", value, b"\r\n"))


@lru_cache(maxsize=8)
def shelf(tiles: TileServer) -> Shelf:
    """The one of this tile server: all connections share it."""
    return Shelf(tiles)


def _read(data: bytes) -> Asked | None:
    """What one whole request asks for; None: more than this looks at."""
    if len(data) > LONGEST or data.find(END) != len(data) - len(END):
        return None
    line, lower = LINE.match(data), data.lower()
    if line is None or OTHERWISE.search(lower) or b"\r\nhost:" not in lower:
        return None
    wanted, accepted = NONE_MATCH.search(data), ACCEPTED.search(lower)
    return Asked(
        line[1].decode("ascii"),
        line[2] or b"",
        takes_gzip(accepted[1].decode("latin-1")) if accepted else False,
        wanted[1].decode("latin-1") if wanted else None,
    )


def _tiles(app: Any) -> TileServer | None:
    """The tile server of our application, below what uvicorn put around it."""
    while app is not None and not hasattr(app, "tiles"):
        app = getattr(app, "app", None)
    return getattr(app, "tiles", None)
