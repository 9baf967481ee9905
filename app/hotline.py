"""Tiles from memory are answered where their bytes arrive, before there is a request.

A map asks for dozens of tiles at once, most of them are in memory, and what a server does around a request
(scope, task, middleware, two messages) costs eight times as much as finding and sending one. So uvicorn's protocol
looks at the bytes first: one whole plain GET for a tile by somebody who is not logged in, on a connection with
nothing else under way. Everything else goes its usual way, and so does a tile that is not in memory.
"""

import re
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.requests import Answer, quick

START, END = b"GET /tiles/", b"\r\n\r\n"
LINE = re.compile(rb"GET (/tiles/[a-z_]+/[0-9]+/[0-9]+/[0-9]+)(?:\?(v=[0-9]*))? HTTP/1\.1\r\n")
OTHERWISE = re.compile(
    rb"\r\n(?:cookie|authorization|x-api-key|x-request-id|connection|upgrade|expect|content-length|transfer-encoding|range|http2-settings)\s*:"
)
"""Headers that want more than a look: a log-in, a body, another protocol, an end."""
NONE_MATCH = re.compile(rb"\r\nif-none-match:[ \t]*([^\r\n]*)", re.IGNORECASE)
ACCEPTED = re.compile(rb"\r\naccept-encoding:[^\r\n]*gzip")
LONGEST = 4096
REMEMBERED = 2048
"""Requests whose reading is kept: a browser asks for a tile again in the same bytes."""
STATUS = {code: f"HTTP/1.1 {code} {HTTPStatus(code).phrase}\r\n".encode() for code in (200, 204, 304)}


class TilesFirst(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with a look at what arrives."""

    _idle = True  # between two requests

    def data_received(self, data: bytes) -> None:
        if data.startswith(START) and self._free() and (found := self._found(data)) is not None:
            self._unset_keepalive_if_required()
            self.server_state.total_requests += 1
            self.transport.writelines((self._head(found), found[2]))
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
            return
        super().data_received(data)

    def _free(self) -> bool:
        """Is nothing under way on this connection, in either direction?"""
        done = self.cycle is None or self.cycle.response_complete
        return self._idle and done and not self.pipeline and not self.flow.write_paused

    def _found(self, data: bytes) -> Answer | None:
        asked = _known.get(data) or _read(data)
        tiles = _tiles(self.app)
        if asked is None or tiles is None:
            return None
        path, query, zipped, tag = asked
        return quick(lambda: tiles.kept(path, query, zipped=zipped, wanted=tag))

    def _head(self, found: Answer) -> bytes:
        status, headers, _ = found
        parts = [STATUS[status]]
        for name, value in (*self.server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        return b"".join([*parts, b"\r\n"])

    def on_message_begin(self) -> None:
        self._idle = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._idle = True
        super().on_message_complete()


Asked = tuple[str, bytes, bool, str | None]
"""Path and query of a tile, whether it may come compressed, and If-None-Match."""
_known: dict[bytes, Asked] = {}


def _read(data: bytes) -> Asked | None:
    """What one whole request asks for; None: more than this looks at. Only what the public asks is remembered."""
    if len(data) > LONGEST or data.find(END) != len(data) - len(END):
        return None
    line, lower = LINE.match(data), data.lower()
    if line is None or OTHERWISE.search(lower) or b"\r\nhost:" not in lower:
        return None
    wanted = NONE_MATCH.search(data)
    zipped = ACCEPTED.search(lower) is not None
    asked = line[1].decode("ascii"), line[2] or b"", zipped, wanted[1].decode("latin-1") if wanted else None
    if len(_known) >= REMEMBERED:
        _known.clear()
    _known[data] = asked
    return asked


def _tiles(app: Any) -> Any:
    """The tile server of our application, below what uvicorn put around it."""
    while app is not None and not hasattr(app, "tiles"):
        app = getattr(app, "app", None)
    return getattr(app, "tiles", None)
