"""The tile server: a bare ASGI app for /tiles and /archives."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from layers import catalog
from layers.derive.tilejson import tilejson
from layers.model import Layer
from tiles import postgis
from tiles.address import Address, BadAddress, Viewer
from tiles.archives import serve
from tiles.archives.store import Store, Unreachable
from tiles.cache import Body, Lru, Versions
from tiles.options import DEFAULT, TileOptions

MVT = "application/vnd.mapbox-vector-tile"
TILE = re.compile(r"^/tiles/(?P<layer>[a-z_]+)/(?P<z>[^/]+)/(?P<x>[^/]+)/(?P<y>[^/.]+)(?:\.(?:mvt|pbf))?$")
TILEJSON = re.compile(r"^/tiles/(?P<layer>[a-z_]+)\.json$")
ARCHIVE = re.compile(r"^/archives/(?P<name>[A-Za-z0-9_-]+)\.pmtiles$")
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Content-Range, X-Request-Id",
}
CACHE_BYTES = 128 * 2**20


class NotSignedInError(Exception):
    """The credentials are wrong or ended."""


@dataclass
class TileServer:
    """ASGI app. `identify` tells who asks; `base_url` the address under which the client reached us."""

    pool: postgis.Pool
    versions: Versions
    identify: Callable[[Request], Awaitable[Viewer]]
    base_url: Callable[[Request], str]
    archives: Store
    hidden_bits: int = 12
    bodies: Lru = field(default_factory=lambda: Lru(CACHE_BYTES))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(
                status_code=204,
                headers={
                    **CORS,
                    "Access-Control-Allow-Methods": "GET, HEAD",
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
                {"Allow": "GET, HEAD"},
            )
        try:
            return await self._route(request)
        except BadAddress as error:
            return problem(400, "invalid-input", str(error), request)
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
            return self._send(
                request, await self.body(_layer(match["layer"], viewer), viewer, address), viewer
            )
        if match := TILEJSON.match(path):
            viewer = await self.identify(request)
            return self._tilejson(request, _layer(match["layer"], viewer), viewer)
        if match := ARCHIVE.match(path):
            viewer = await self.identify(request)
            return await serve.respond(request, self.archives, match["name"], viewer)
        raise BadAddress(
            "地址应为 /tiles/{layer}/{z}/{x}/{y}、/tiles/{layer}.json 或 /archives/{name}.pmtiles "
            "(addresses are those three)"
        )

    async def body(
        self, layer: Layer, viewer: Viewer, address: Address, options: TileOptions = DEFAULT
    ) -> Body:
        """The tile as this viewer sees it, from the cache where that is fresh; empty bytes if nothing lies in it.

        Raises TooWide if a filter cannot be answered exactly for so wide a tile, psycopg.OperationalError
        or PoolTimeout if the database cannot be reached.
        """
        key = (layer.id, viewer.key, address, options.key, self.versions.of(layer.id))
        if (body := self.bodies.get(key)) is None:
            made = postgis.Made(b"", b"")
            if layer.minzoom <= address.z:
                made = await postgis.make(
                    self.pool, layer, viewer, address, hidden_bits=self.hidden_bits, options=options
                )
            tag = hashlib.blake2b(made.plain, digest_size=12).hexdigest()
            body = Body(made.plain, made.zipped, tag)
            self.bodies.put(key, body)
        return body

    def _send(self, request: Request, body: Body, viewer: Viewer) -> Response:
        # What a log-in sees must never be kept by a shared cache; everybody asks again, and gets 304.
        share = "public" if viewer.audience == "public" else "private"
        headers = {
            **CORS,
            "ETag": f'"{body.etag}"',
            "Cache-Control": f"{share}, no-cache",
            "Vary": "Accept-Encoding, Cookie, Authorization, X-API-Key",
        }
        if etag_matches(request.headers.get("if-none-match"), body.etag):
            return Response(status_code=304, headers=headers)
        if not body.plain:
            return Response(status_code=204, headers=headers)
        zipped = "gzip" in request.headers.get("accept-encoding", "")
        content = body.zipped if zipped else body.plain
        if zipped:
            headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(content))
        return Response(b"" if request.method == "HEAD" else content, 200, headers, MVT)

    def _tilejson(self, request: Request, layer: Layer, viewer: Viewer) -> Response:
        version = str(self.versions.of(layer.id))
        url = f"{self.base_url(request)}/tiles/{layer.id}/{{z}}/{{x}}/{{y}}?v={version}"
        body = orjson.dumps(tilejson(layer, viewer.audience, url, version=version))
        headers = {**CORS, "Cache-Control": "no-cache", "Content-Length": str(len(body))}
        return Response(b"" if request.method == "HEAD" else body, 200, headers, "application/json")


def _layer(name: str, viewer: Viewer) -> Layer:
    layer = catalog.load()[name]
    if layer.relation_for(viewer.audience) is None:
        raise KeyError(name)
    return layer


def etag_matches(header: str | None, etag: str) -> bool:
    """Does If-None-Match name this tag (weakly compared, as RFC 9110 wants for GET)?"""
    if not header:
        return False
    return header.strip() == "*" or f'"{etag}"' in {
        tag.strip().removeprefix("W/") for tag in header.split(",")
    }


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
