"""OGC API – Features: one way in for every resource, so that each is negotiated, tagged and answered alike."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import orjson
import psycopg
from fastapi import APIRouter
from isal import igzip
from psycopg_pool import PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from app import problems
from app.deps import Services, base_url, credentials_of
from app.errors import NotAcceptable, NotFound, NotReady, NotSignedIn, ShuituError
from app.ogc import documents, html, openapi, parameters
from app.ogc.links import Addresses, Link, as_header, as_json
from app.ogc.negotiate import DEFINITION, DOCUMENT, FEATURES, HTML, QUERYABLES, Formats, chosen
from app.ogc.store import Store
from app.ogc.viewer import viewer_of
from layers import catalog
from layers.model import Layer
from tiles.address import PUBLIC, Viewer
from tiles.server import etag_matches

router = APIRouter()
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Link, Content-Crs, X-Request-Id",
}
ZIP_FROM_BYTES = 1_000


@dataclass(frozen=True)
class Asked:
    """A request, understood: who asks, for which representation, from where."""

    request: Request
    viewer: Viewer
    media: str
    at: Addresses
    store: Store

    @property
    def html(self) -> bool:
        return self.media == HTML

    def layer(self) -> Layer:
        """The layer that the path names. Raises NotFound, or NotSignedIn where a log-in would show it."""
        name = self.request.path_params["layer"]
        layer = catalog.load().get(name)
        if layer is None:
            raise NotFound(f"没有图层 {name[:60]!r} (there is no collection of this name)")
        if layer.relation_for(self.viewer.audience) is None:
            raise NotSignedIn(f"图层 {name} 需要登录 (log in to see this collection)")
        return layer


@dataclass(frozen=True)
class Answer:
    """What goes back: the body and its links."""

    body: bytes
    links: list[Link]


def document(made: dict[str, Any], links: list[Link]) -> Answer:
    return Answer(orjson.dumps(made), links)


Endpoint = Callable[[Asked], Awaitable[Answer]]


def resource(path: str, formats: Formats) -> Callable[[Endpoint], Endpoint]:
    """Answer GET, HEAD and OPTIONS at this path with what the function makes."""

    def register(make: Endpoint) -> Endpoint:
        @wraps(make)
        async def endpoint(request: Request) -> Response:
            if request.method == "OPTIONS":
                return _preflight()
            try:
                return await _answered(request, formats, make)
            except NotAcceptable as error:
                return _problem(problems.BY_STATUS[406], str(error), request, dict(error.facts))
            except ShuituError as error:
                return _problem(problems.kind_of(error), str(error), request, dict(error.facts))
            except (psycopg.OperationalError, PoolTimeout) as error:
                return _problem(problems.TABLE[NotReady], _busy(error), request)

        router.add_route(f"/ogc{path}", endpoint, methods=["GET", "HEAD", "OPTIONS"], include_in_schema=False)
        return make

    return register


async def _answered(request: Request, formats: Formats, make: Endpoint) -> Response:
    services: Services = request.app.state.services
    media = chosen(formats, request.query_params.get("f"), request.headers.get("accept"))
    credentials = credentials_of(request.headers, request.cookies, request.query_params)
    identifier = services.parts["identifier"]
    actor = identifier.remembered(credentials) or await run_in_threadpool(services.identify, credentials)
    viewer = viewer_of(actor)
    at = Addresses.of(base_url(request, services.settings), request.query_params)
    answer = await make(Asked(request, viewer, media, at, _store(services)))
    return _sent(request, media, viewer, answer)


def _store(services: Services) -> Store:
    store: Store | None = services.parts.get("features")
    if store is None:
        store = Store(
            services.parts["map_pool"], services.parts["versions"].of, services.settings.public_accuracy_bits
        )
        services.parts["features"] = store
    return store


def _sent(request: Request, media: str, viewer: Viewer, answer: Answer) -> Response:
    tag = hashlib.blake2b(answer.body, digest_size=12).hexdigest()
    # What a log-in sees must never be kept by a shared cache; everybody asks again, and gets 304.
    share = "public" if viewer == PUBLIC else "private"
    zipped = len(answer.body) >= ZIP_FROM_BYTES and "gzip" in request.headers.get("accept-encoding", "")
    headers = {
        **CORS,
        "ETag": f'"{tag}-gzip"' if zipped else f'"{tag}"',
        "Cache-Control": f"{share}, no-cache",
        "Vary": "Accept, Accept-Encoding, Cookie, Authorization, X-API-Key",
        "Link": as_header(answer.links),
    }
    if media == HTML:
        headers["Content-Security-Policy"] = html.POLICY
    given = request.headers.get("if-none-match")
    if etag_matches(given, tag) or etag_matches(given, f"{tag}-gzip"):
        return Response(status_code=304, headers=headers)
    body = igzip.compress(answer.body, 1) if zipped else answer.body
    if zipped:
        headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(body))
    # Set by hand, for Starlette would add a character set to what is defined without one.
    headers["Content-Type"] = "text/html; charset=utf-8" if media == HTML else media
    return Response(b"" if request.method == "HEAD" else body, 200, headers)


def _preflight() -> Response:
    headers = {
        **CORS,
        "Allow": "GET, HEAD, OPTIONS",
        "Access-Control-Allow-Methods": "GET, HEAD",
        "Access-Control-Allow-Headers": "*",
        "Access-Control-Max-Age": "86400",
    }
    return Response(status_code=204, headers=headers)


def _problem(
    kind: problems.ProblemType, detail: str, request: Request, facts: dict[str, Any] | None = None
) -> Response:
    headers = {**CORS, "WWW-Authenticate": 'Bearer realm="shuitu"'} if kind.status == 401 else dict(CORS)
    return problems.render(kind, detail, request, facts, headers)


def _busy(error: Exception) -> str:
    if isinstance(error, psycopg.errors.QueryCanceled):
        return "查询耗时过长，请缩小范围或减少条件 (this query takes too long: narrow it)"
    return "数据库暂时无法连接，请稍后再试 (the database cannot be reached for the moment; try again later)"


@resource("", DOCUMENT)
@resource("/", DOCUMENT)
async def landing(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    made, links = documents.landing(asked.at, asked.media)
    return Answer(html.landing(made, links), links) if asked.html else document(made, links)


@resource("/conformance", DOCUMENT)
async def conformance(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    made, links = documents.conformance(asked.at, asked.media)
    return Answer(html.conformance(asked.at, made, links), links) if asked.html else document(made, links)


@resource("/api", DEFINITION)
async def definition(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    made = openapi.definition(asked.at, catalog.visible_to(asked.viewer.audience), asked.viewer.audience)
    links = documents.both(asked.at, asked.media, DEFINITION.machine, "api")
    return Answer(html.definition(asked.at, made, links), links) if asked.html else document(made, links)


@resource("/collections", DOCUMENT)
async def collections(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    found = [
        (layer, await asked.store.extent_of(layer, asked.viewer))
        for layer in reversed(catalog.visible_to(asked.viewer.audience))
    ]
    made, links = documents.collections(asked.at, asked.media, found)
    return Answer(html.collections(asked.at, made, links), links) if asked.html else document(made, links)


@resource("/collections/{layer}", DOCUMENT)
async def collection(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    layer = asked.layer()
    made, links = documents.collection(
        asked.at, asked.media, layer, await asked.store.extent_of(layer, asked.viewer)
    )
    return (
        Answer(html.collection(asked.at, layer, asked.viewer.audience, made, links), links)
        if asked.html
        else document(made, links)
    )


@resource("/collections/{layer}/queryables", QUERYABLES)
async def queryables(asked: Asked) -> Answer:
    return _fields(asked, only_filters=True)


@resource("/collections/{layer}/schema", QUERYABLES)
async def schema(asked: Asked) -> Answer:
    return _fields(asked, only_filters=False)


def _fields(asked: Asked, *, only_filters: bool) -> Answer:
    parameters.only(asked.request.query_params, ())
    layer, audience = asked.layer(), asked.viewer.audience
    made, links = documents.fields(asked.at, asked.media, layer, audience, only_filters=only_filters)
    if asked.html:
        page = html.fields(asked.at, layer, audience, links, only_filters=only_filters)
        return Answer(page, links)
    return document(made, links)


@resource("/collections/{layer}/items", FEATURES)
async def items(asked: Asked) -> Answer:
    layer = asked.layer()
    query = parameters.items_query(layer, asked.viewer.audience, asked.request.query_params)
    page = await asked.store.page(layer, asked.viewer, query)
    here = {"after": query.after, "offset": query.offset or None}
    links = documents.items_links(asked.at, asked.media, layer, query.given, here, page.last)
    if asked.html:
        return Answer(html.items(asked.at, layer, asked.viewer.audience, page, links), links)
    numbers = {} if page.matched is None else {"numberMatched": page.matched}
    tail = orjson.dumps({"links": as_json(links), **numbers, "numberReturned": len(page.features)})
    # The features are GeoJSON text already: they are joined, never parsed.
    body = '{"type":"FeatureCollection","features":[' + ",".join(page.features) + "],"
    return Answer(body.encode() + tail[1:], links)


@resource("/collections/{layer}/items/{feature}", FEATURES)
async def item(asked: Asked) -> Answer:
    layer = asked.layer()
    parameters.only(asked.request.query_params, ())
    name = asked.request.path_params["feature"]
    known = parameters.WHOLE.fullmatch(name) and -(2**63) <= int(name) < 2**63
    found = await asked.store.feature(layer, asked.viewer, int(name)) if known else None
    if found is None:
        raise NotFound(f"图层 {layer.id} 没有要素 {name[:60]!r} (no such feature, or none that you may see)")
    links = documents.item_links(asked.at, asked.media, layer, int(name))
    if asked.html:
        return Answer(html.item(asked.at, layer, asked.viewer.audience, found, links), links)
    body = found[:-1].encode() + b',"links":' + orjson.dumps(as_json(links)) + b"}"
    return Answer(body, links)
