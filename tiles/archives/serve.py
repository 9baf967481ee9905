"""An archive over HTTP: whole, or the one range that was asked for (RFC 9110, sections 13 and 14)."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tiles.address import Viewer
from tiles.archives.names import OFFICER_FOLDER, keys_for
from tiles.archives.store import Opened, Replaced, Store

MEDIA_TYPE = "application/vnd.pmtiles"
ONE_RANGE = re.compile(r"^bytes=\s*(\d{0,18})-(\d{0,18})\s*$", re.IGNORECASE)


class Unsatisfiable(Exception):
    """No such range, or several at once; the message says which."""

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


async def respond(request: Request, store: Store, name: str, viewer: Viewer) -> Response:
    """The archive of this name, for this viewer.

    Raises KeyError if there is none, Unsatisfiable (416), store.Unreachable (503).
    """
    for key in keys_for(name, viewer):
        for _ in range(3):  # it may be replaced under our hands
            opened = await store.open(key)
            if opened is None:
                break
            try:
                return await _answer(request, opened, public=not key.startswith(f"{OFFICER_FOLDER}/"))
            except Replaced:
                continue
    raise KeyError(name)


async def _answer(request: Request, opened: Opened, *, public: bool) -> Response:
    modified = formatdate(opened.modified, usegmt=True)
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "ETag, Content-Range, Accept-Ranges, Content-Length, Last-Modified",
        "Accept-Ranges": "bytes",
        # What a log-in sees must never be kept by a shared cache.
        "Cache-Control": f"{'public' if public else 'private'}, no-cache",
        "ETag": f'"{opened.tag}"',
        "Last-Modified": modified,
    }
    streaming = False
    try:
        if (status := _precondition(request, opened.tag)) is not None:
            return Response(status_code=status, headers=headers)
        part = _range(request, opened, modified)
        start, stop = part or (0, opened.size)
        headers["Content-Length"] = str(stop - start)
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{opened.size}"
        status = 206 if part else 200
        if request.method == "HEAD":
            return Response(None, status, headers, MEDIA_TYPE)
        pieces = await opened.read(start, stop)
        streaming = True
        return StreamingResponse(_closing(pieces, opened), status, headers, MEDIA_TYPE)
    finally:
        if not streaming:
            opened.close()


async def _closing(pieces: AsyncIterator[bytes], opened: Opened) -> AsyncIterator[bytes]:
    try:
        async with aclosing(pieces) as body:  # type: ignore[type-var]
            async for piece in body:
                yield piece
    finally:
        opened.close()


def _precondition(request: Request, tag: str) -> int | None:
    wanted = request.headers.get("if-match")
    if wanted and not _names(wanted, tag, weakly=False):
        return 412
    known = request.headers.get("if-none-match")
    return 304 if known and _names(known, tag, weakly=True) else None


def _names(header: str, tag: str, *, weakly: bool) -> bool:
    given = [one.strip() for one in header.split(",")]
    if weakly:
        given = [one.removeprefix("W/") for one in given]
    return header.strip() == "*" or f'"{tag}"' in given


def _range(request: Request, opened: Opened, modified: str) -> tuple[int, int] | None:
    """First byte, and the one behind the last; None for all of it."""
    header = request.headers.get("range")
    if header is None or request.method != "GET":
        return None
    # Of another state of the archive a part is of no use: then all of it.
    if (condition := request.headers.get("if-range")) and condition.strip() not in (f'"{opened.tag}"', modified):  # fmt: skip
        return None
    if "," in header and header.lower().startswith("bytes="):
        raise Unsatisfiable("一次只能请求一个范围 (one range at a time)", opened.size)
    found = ONE_RANGE.match(header)
    if found is None or not (found[1] or found[2]):
        return None  # not a range that we understand: RFC 9110 wants it ignored
    if not found[1]:
        length = min(int(found[2]), opened.size)
        start, stop = opened.size - length, opened.size
    else:
        start = int(found[1])
        stop = min(int(found[2]) + 1 if found[2] else opened.size, opened.size)
        if found[2] and int(found[2]) < start:
            return None
    if start >= opened.size or start >= stop:
        raise Unsatisfiable(
            f"文件只有 {opened.size} 字节 (the file has only {opened.size} bytes)", opened.size
        )
    return start, stop
