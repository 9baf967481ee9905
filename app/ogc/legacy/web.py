"""What the older services share on the web: who asks, answers with tags, exceptions as XML, pages of capabilities."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping

import psycopg
from fastapi import APIRouter
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from app.errors import NotSignedIn, ShuituError
from app.ogc.answering import CORS, ZIP_FROM_BYTES, Asked, understood
from app.ogc.documents import DESCRIPTION, TITLE
from app.ogc.legacy.kvp import Kvp, Refused
from app.ogc.pages import environment
from app.problems import kind_of
from app.requests import preflight
from layers import catalog
from layers.model import Layer
from tiles.address import PUBLIC
from tiles.packing import packed, takes_gzip
from tiles.server import etag_matches

Endpoint = Callable[[Asked, Kvp], Awaitable[Response]]
Report = Callable[[Kvp, Refused], tuple[str, str]]
"""Makes an exception document of a failure: its text and its media type."""
Posted = Callable[[Request], Awaitable[Kvp]]
METHODS = ["GET", "HEAD", "OPTIONS"]


def rendered(name: str, **facts: object) -> bytes:
    """A document of the templates beside this module; values are escaped."""
    template = environment("app.ogc.legacy").get_template(name)
    return template.render(title=TITLE, abstract=DESCRIPTION, **facts).encode()


def service(
    router: APIRouter, path: str, report: Report, posted: Posted | None = None
) -> Callable[[Endpoint], Endpoint]:
    """Answer requests at this path below /ogc; whatever fails is told as this service's exceptions.

    `posted` reads the parameters of a request by POST, where there are such.
    """
    methods = [*METHODS, *(["POST"] if posted else [])]

    def register(make: Endpoint) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            if request.method == "OPTIONS":
                return Response(status_code=200, headers=preflight(CORS, methods))
            kvp = Kvp({})
            try:
                kvp = Kvp.of(request.query_params)
                if request.method == "POST" and posted:
                    kvp = Kvp({**kvp.values, **(await posted(request)).values})
                return await make(await _asked(request, kvp), kvp)
            except Refused as error:
                return _told(kvp, error, report)
            except ShuituError as error:
                return _told(kvp, _of_ours(error), report)
            except (psycopg.OperationalError, PoolTimeout) as error:
                return _told(kvp, _busy(error), report)

        router.add_route(f"/ogc{path}", endpoint, methods=methods, include_in_schema=False)
        return make

    return register


async def _asked(request: Request, kvp: Kvp) -> Asked:
    """The request with its actor. A key in the address may be written in any case, as all parameters here."""
    asked = await understood(request, "text/xml")
    key = kvp.get("API_KEY")
    if key and "api_key" not in request.query_params:
        scope = {**request.scope, "query_string": f"api_key={key}".encode()}
        keyed = await understood(Request(scope), "text/xml")
        return Asked(request, keyed.actor, keyed.viewer, keyed.media, keyed.at, keyed.services)
    return asked


def _of_ours(error: ShuituError) -> Refused:
    status = kind_of(error).status
    code = "NoApplicableCode" if isinstance(error, NotSignedIn) or status >= 500 else "InvalidParameterValue"
    return Refused(code, str(error), str(error.facts.get("field", "")), status)


def _busy(error: Exception) -> Refused:
    if isinstance(error, psycopg.errors.QueryCanceled):
        text = "查询耗时过长，请缩小范围或减少条件 (this query takes too long: narrow it)"
    else:
        text = (
            "数据库暂时无法连接，请稍后再试 (the database cannot be reached for the moment; try again later)"
        )
    return Refused("NoApplicableCode", text, status=503)


def _told(kvp: Kvp, error: Refused, report: Report) -> Response:
    body, media = report(kvp, error)
    headers = {**CORS, "Cache-Control": "no-store", "Content-Type": media}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="shuitu"'
    return Response(body.encode(), error.status, headers)


def answer(asked: Asked, body: bytes, media: str, headers: Mapping[str, str] | None = None) -> Response:
    """The body with its tag; 304 if the client has it, compressed if it wants that and it helps."""
    request = asked.request
    tag = hashlib.blake2b(body, digest_size=12).hexdigest()
    zipped = (
        not media.startswith("image/")
        and len(body) >= ZIP_FROM_BYTES
        and takes_gzip(request.headers.get("accept-encoding"))
    )
    share = "public" if asked.viewer == PUBLIC else "private"
    found = {
        **CORS,
        **(headers or {}),
        "ETag": f'"{tag}-gzip"' if zipped else f'"{tag}"',
        "Cache-Control": f"{share}, no-cache",
        "Vary": "Accept-Encoding, Cookie, Authorization, X-API-Key",
    }
    given = request.headers.get("if-none-match") if request.method != "POST" else None
    if etag_matches(given, tag) or etag_matches(given, f"{tag}-gzip"):
        return Response(status_code=304, headers=found)
    content = packed(body) if zipped else body
    if zipped:
        found["Content-Encoding"] = "gzip"
    found |= {"Content-Length": str(len(content)), "Content-Type": media}
    return Response(b"" if request.method == "HEAD" else content, 200, found)


def url(asked: Asked, *path: str) -> str:
    """Our address, ready for parameters to be added, with the key that must survive."""
    plain, _, query = asked.at.with_query(path, {}).partition("?")
    return f"{plain}?{query}&" if query else f"{plain}?"


def templated(asked: Asked, *path: str) -> str:
    """Our address with {variables} in its path, and the key that must survive."""
    plain, _, query = asked.at.with_query(path, {}).partition("?")
    plain = plain.replace("%7B", "{").replace("%7D", "}")
    return f"{plain}?{query}" if query else plain


def layer_named(asked: Asked, name: str, code: str, locator: str) -> Layer:
    """Raises Refused for a layer that is not there, or NotSignedIn where a log-in would show it."""
    layer = catalog.load().get(name)
    if layer is None:
        raise Refused(code, f"没有图层 {name[:60]!r} (there is no layer of this name)", locator)
    if layer.relation_for(asked.viewer.audience) is None:
        raise NotSignedIn(f"图层 {layer.id} 需要登录 (log in to see this layer)")
    return layer


async def covered(asked: Asked, layers: tuple[Layer, ...]) -> dict[str, tuple[float, float, float, float]]:
    """West, south, east, north of each layer as the caller sees it; of an empty one, the whole country's."""
    found: dict[str, tuple[float, float, float, float]] = {}
    for layer in layers:
        box = (await asked.store.extent_of(layer, asked.viewer)).box
        found[layer.id] = box or EVERYWHERE
    return found


EVERYWHERE = (73.0, 3.0, 136.0, 54.0)
