"""Around every request: an id, one log line, metrics, headers that keep browsers strict; and its body, whole."""

import re
import secrets
import time
from bisect import bisect_left
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from app.errors import InvalidInput, TooLarge
from app.logging import get

log = get("shuitu.request")
REQUEST_ID = re.compile(rb"^[A-Za-z0-9._-]{8,64}$")
COUNT = Counter("shuitu_requests_total", "Requests answered", ["area", "method", "status"])
SECONDS = Histogram(
    "shuitu_request_seconds",
    "Time to answer",
    ["area"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
PROCESS, NUMBERS = secrets.token_hex(4), count()
"""Request ids: random for the process, then counted; asking the system for random bytes each time costs a tenth of a tile."""
RAW_PROCESS = PROCESS.encode()
QUIET = ("tiles", "assets")
AREAS = {"api", "ogc", "tiles", "archives", "imagery", "styles", "assets"}
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]


def preflight(
    shared: Mapping[str, str], methods: Sequence[str] = ("GET", "HEAD", "OPTIONS")
) -> dict[str, str]:
    """What a browser is told that asks first, before a script of another site sends a key in a header; `shared`: what
    every answer there says to such scripts."""
    allowed = ", ".join(methods)
    return {
        **shared,
        "Allow": allowed,
        "Access-Control-Allow-Methods": allowed,
        "Access-Control-Allow-Headers": "*",
        "Access-Control-Max-Age": "86400",
    }


class RequestContext:
    """ASGI middleware, outermost; knows nothing of the routes beneath."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.tiles: Any = None
        """The tile server behind it, which `app.hotline` asks first."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given.decode() if given and REQUEST_ID.match(given) else f"{PROCESS}{next(NUMBERS):08x}"
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        status, began = 500, time.perf_counter()

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, request_id)
            await send(message)

        try:
            await self.app(scope, receive, stamped)
        finally:
            _account(scope, status, time.perf_counter() - began)


def next_id() -> bytes:
    """The id of an answer that needs no request."""
    return b"%s%08x" % (RAW_PROCESS, next(NUMBERS))


@dataclass(slots=True)
class Tally:
    """Answers that need no request, counted here and metered together: a meter that all processes share takes
    three times as long as to give such an answer."""

    area: str
    status: int
    count: int = 0
    seconds: float = 0.0

    def meter(self) -> None:
        """Hand on what was counted since the last time."""
        if not self.count:
            return
        counted, observed = _meters(self.area, "GET", self.status)
        mean = self.seconds / self.count
        counted.inc(self.count)
        # What Histogram.observe does, for all of them at once: it has no public way to.
        observed._sum.inc(self.seconds)
        observed._buckets[bisect_left(observed._upper_bounds, mean)].inc(self.count)
        self.count, self.seconds = 0, 0.0


def _add_headers(message: MutableMapping[str, Any], request_id: str) -> None:
    present = {name for name, _ in message.get("headers", ())}
    added = [pair for pair in HEADERS if pair[0] not in present]
    message["headers"] = [*message.get("headers", ()), *added, (b"x-request-id", request_id.encode())]


def _account(scope: Scope, status: int, seconds: float) -> None:
    area = scope["path"].split("/", 2)[1]
    counted, observed = _meters(area if area in AREAS else "other", scope["method"], status)
    counted.inc()
    observed.observe(seconds)
    # Tiles come by the thousand: they are counted, and logged where something is wrong. The query is not
    # logged: it may carry an API key.
    if area not in QUIET or status >= 400:
        log.info(
            "request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 1)
        )


@lru_cache(maxsize=512)
def _meters(area: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """The meters with these labels: finding them costs more than counting."""
    return COUNT.labels(area, method, status), SECONDS.labels(area)


async def whole_body(request: Request, most: int) -> bytes:
    """All of a request's body, of at most `most` bytes.

    Raises TooLarge if it is larger, InvalidInput if the connection broke off before its end.
    """
    shown = f"{most / 2**20:g} MB" if most >= 2**20 else f"{most / 1024:g} kB"
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise TooLarge(f"内容超过 {shown} (larger than {shown})")
            parts.append(part)
    except ClientDisconnect:
        raise InvalidInput(
            "连接中断，未写入任何数据 (the connection broke off; nothing was written)"
        ) from None
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) != size:
        raise InvalidInput(
            "内容长度与 Content-Length 不符，未写入任何数据 (the body is not as long as its Content-Length; nothing was written)",
            value=size,
            expected=declared,
        )
    return b"".join(parts)
