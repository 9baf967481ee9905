"""The tile server: a bare ASGI app for /tiles and /archives."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import orjson
import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from layers import catalog
from layers.derive.tilejson import tilejson
from layers.model import Layer
from tiles.address import PUBLIC, Address, BadAddress, Viewer
from tiles.archives import serve
from tiles.archives.store import Store, Unreachable
from tiles.ask import options_of
from tiles.cache import Body
from tiles.keeper import Keeper
from tiles.options import DEFAULT, BadOption, TileOptions, TooWide
from tiles.packing import takes_gzip
from tiles.versions import Versions

MVT = "application/vnd.mapbox-vector-tile"
TILE = re.compile(r"^/tiles/(?P<layer>[a-z_]+)/(?P<z>[^/]+)/(?P<x>[^/]+)/(?P<y>[^/.]+)(?:\.(?:mvt|pbf))?$")
TILEJSON = re.compile(r"^/tiles/(?P<layer>[a-z_]+)\.json$")
ARCHIVE = re.compile(r"^/archives/(?P<name>[A-Za-z0-9_-]+)\.pmtiles$")
VERSION = re.compile(rb"(?:^|&)v=([0-9]{1,15})(?:&|$)")
PLAIN_QUERY = re.compile(rb"(?:v=[0-9]*)?")
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Content-Range, X-Request-Id",
}
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers, content."""
ALLOWED = "GET, HEAD, OPTIONS"
VARY = "Accept-Encoding, Cookie, Authorization, X-API-Key"


class NotSignedInError(Exception):
    """The credentials are wrong or ended."""


class NothingThere(Exception):
    """The address is of no kind that is answered here."""


@dataclass(eq=False)
class TileServer:
    """ASGI app. `identify` tells who asks; `base_url` the address under which the client reached us."""

    keeper: Keeper
    identify: Callable[[Request], Awaitable[Viewer]]
    base_url: Callable[[Request], str]
    archives: Store

    @property
    def versions(self) -> Versions:
        return self.keeper.versions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    def kept(self, path: str, query: bytes) -> int | None:
        """Names what a GET by the public is answered with (`kept_answer`), if the tile is in memory; None: take the long way."""
        if query and not PLAIN_QUERY.fullmatch(query):
            return None
        named = _named(path)
        if named is None or not self._knows(named[0], query):
            return None
        return self.keeper.number(named[0], PUBLIC, named[1])

    def kept_answer(self, number: int, *, zipped: bool, wanted: str | None) -> Answer | None:
        body = self.keeper.bodies.again(number)
        return None if body is None else answer(body, PUBLIC, zipped=zipped, wanted=wanted)

    def _knows(self, layer: Layer, query: bytes) -> bool:
        """Has this process seen the version that the client has heard of?"""
        match = VERSION.search(query) if query else None
        return match is None or int(match[1]) <= self.versions.of(layer.id)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(
                status_code=204,
                headers={
                    **CORS,
                    "Allow": ALLOWED,
                    "Access-Control-Allow-Methods": ALLOWED,
                    "Access-Control-Allow-Headers": "*",
                    "Access-Control-Max-Age": "86400",
                },
            )
        if request.method not in ("GET", "HEAD"):
            return problem(
                405,
                "method-not-allowed",
                "只支持 GET 和 HEAD (only GET and HEAD)",
                request,
                {"Allow": ALLOWED},
            )
        try:
            return await self._route(request)
        except NothingThere as error:
            return problem(404, "not-found", str(error), request)
        except (BadAddress, BadOption) as error:
            return problem(400, "invalid-input", str(error), request)
        except TooWide as error:
            return problem(400, "too-costly", str(error), request)
        except KeyError as error:
            return problem(
                404,
                "not-found",
                f"没有图层 {error.args[0]}，或当前账号不可见 (no such layer, or not for you)",
                request,
            )
        except NotSignedInError as error:
            return problem(401, "not-signed-in", str(error), request)
        except serve.Unsatisfiable as error:
            told = {"Content-Range": f"bytes */{error.size}", "Accept-Ranges": "bytes"}
            return problem(416, "range-not-satisfiable", str(error), request, told)
        except Unreachable:
            return problem(
                503,
                "not-ready",
                "存放档案的存储暂时无法连接 (the archives' storage cannot be reached)",
                request,
            )
        except (psycopg.OperationalError, PoolTimeout):
            return problem(503, "not-ready", "数据库暂时无法连接 (the database cannot be reached)", request)

    async def _route(self, request: Request) -> Response:
        path = request.scope["path"]
        if match := TILE.match(path):
            address = Address.parse(match["z"], match["x"], match["y"])
            viewer = await self.identify(request)
            layer = _layer(match["layer"], viewer)
            query = request.scope["query_string"]
            if heard := VERSION.search(query):
                await self.versions.at_least(layer.id, int(heard[1]))
            asked = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
            options = options_of(layer, viewer.audience, asked)
            return self._send(request, await self.body(layer, viewer, address, options), viewer)
        if match := TILEJSON.match(path):
            viewer = await self.identify(request)
            return self._tilejson(request, _layer(match["layer"], viewer), viewer)
        if match := ARCHIVE.match(path):
            viewer = await self.identify(request)
            return await serve.respond(request, self.archives, match["name"], viewer)
        raise NothingThere(
            "此处没有内容，地址应为 /tiles/{layer}/{z}/{x}/{y}、/tiles/{layer}.json 或 /archives/{name}.pmtiles "
            "(there is nothing at this address: it is one of those three)"
        )

    async def body(
        self, layer: Layer, viewer: Viewer, address: Address, options: TileOptions = DEFAULT
    ) -> Body:
        """The tile as this viewer sees it, from the cache where that is fresh; empty bytes if nothing lies in it.

        Raises TooWide if a filter cannot be answered exactly for so wide a tile, psycopg.OperationalError
        or PoolTimeout if the database cannot be reached.
        """
        return await self.keeper.body(layer, viewer, address, options)

    def _send(self, request: Request, body: Body, viewer: Viewer) -> Response:
        zipped = takes_gzip(request.headers.get("accept-encoding"))
        status, headers, content = answer(
            body, viewer, zipped=zipped, wanted=request.headers.get("if-none-match")
        )
        response = Response(b"" if request.method == "HEAD" else content, status)
        response.raw_headers = headers
        return response

    def _tilejson(self, request: Request, layer: Layer, viewer: Viewer) -> Response:
        version = str(self.versions.of(layer.id))
        url = f"{self.base_url(request)}/tiles/{layer.id}/{{z}}/{{x}}/{{y}}?v={version}"
        body = orjson.dumps(tilejson(layer, viewer.audience, url, version=version))
        tag = hashlib.blake2b(body, digest_size=12).hexdigest()
        share = "public" if viewer.audience == "public" else "private"
        headers = {**CORS, "Cache-Control": f"{share}, no-cache", "ETag": f'"{tag}"', "Vary": VARY}
        if etag_matches(request.headers.get("if-none-match"), tag):
            return Response(status_code=304, headers=headers)
        headers["Content-Length"] = str(len(body))
        return Response(b"" if request.method == "HEAD" else body, 200, headers, "application/json")


@lru_cache(maxsize=65_536)
def _named(path: str) -> tuple[Layer, Address] | None:
    """The public layer and the tile that a path names; None: no such tile, or more to say about it."""
    parts = path.split("/")
    layer = catalog.load().get(parts[2]) if len(parts) == 6 and parts[1] == "tiles" else None
    if layer is None or not layer.is_public:
        return None
    try:
        return layer, Address.parse(*parts[3:])
    except BadAddress:
        return None


def _layer(name: str, viewer: Viewer) -> Layer:
    layer = catalog.load()[name]
    if layer.relation_for(viewer.audience) is None:
        raise KeyError(name)
    return layer


def answer(body: Body, viewer: Viewer, *, zipped: bool, wanted: str | None) -> Answer:
    """Status, headers and content of a tile; `wanted` is If-None-Match."""
    tag, common = _common(body.etag, viewer.audience == "public", zipped and bool(body.plain))
    headers = [*common]
    if wanted and (etag_matches(wanted, tag) or etag_matches(wanted, body.etag)):
        return 304, headers, b""
    if not body.plain:
        return 204, headers, b""
    content = body.zipped if zipped else body.plain
    if zipped:
        headers.append((b"content-encoding", b"gzip"))
    headers += [(b"content-length", str(len(content)).encode()), (b"content-type", MVT.encode())]
    return 200, headers, content


@lru_cache(maxsize=4096)
def _common(etag: str, public: bool, zipped: bool) -> tuple[str, tuple[tuple[bytes, bytes], ...]]:
    """The tag of what is sent, and the headers of every answer with it."""
    # What a log-in sees must never be kept by a shared cache; everybody asks again, and gets 304.
    share = b"public" if public else b"private"
    # A compressed body is another sequence of bytes, so its strong tag is another one.
    tag = f"{etag}-gzip" if zipped else etag
    control = (b"cache-control", share + b", no-cache")
    return tag, (*RAW_CORS, (b"etag", f'"{tag}"'.encode()), control, RAW_VARY)


RAW_CORS = [(name.lower().encode(), value.encode()) for name, value in CORS.items()]
RAW_VARY = (b"vary", VARY.encode())


def etag_matches(header: str | None, etag: str) -> bool:
    """Does If-None-Match name this tag (weakly compared, as RFC 9110 wants for GET)?"""
    if not header:
        return False
    mine = f'"{etag}"'
    return (
        header == mine
        or header.strip() == "*"
        or mine in {tag.strip().removeprefix("W/") for tag in header.split(",")}
    )


def problem(
    status: int, slug: str, detail: str, request: Request, headers: dict[str, str] | None = None
) -> Response:
    """Problem details (RFC 9457), of the same shape as the rest of the service."""
    body: dict[str, Any] = {
        "type": f"/problems/{slug}",
        "title": slug.replace("-", " "),
        "status": status,
        "detail": detail,
        "instance": request.scope["path"],
    }
    return Response(orjson.dumps(body), status, {**CORS, **(headers or {})}, "application/problem+json")
