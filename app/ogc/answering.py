"""One way in for every OGC resource, so that each is negotiated, tagged and answered alike.

router = APIRouter()

@resource(router, "/conformance", DOCUMENT)
async def conformance(asked: Asked) -> Answer: ...
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import orjson
import psycopg
from fastapi import APIRouter
from psycopg_pool import PoolTimeout
from sqlalchemy.exc import IntegrityError, OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app import problems
from app.actor import Actor
from app.deps import Services, base_url, credentials_of, refuse_foreign_write
from app.errors import (
    NotAcceptable,
    NotFound,
    NotReady,
    NotSignedIn,
    PreconditionFailed,
    ShuituError,
    UnsupportedMedia,
)
from app.ogc.downloads import Downloads
from app.ogc.links import Addresses, Link, as_header
from app.ogc.negotiate import HTML, Formats, chosen
from app.ogc.part import Part
from app.ogc.store import Store
from app.ogc.viewer import viewer_of
from app.requests import preflight
from layers import catalog
from layers.model import Layer
from tiles.address import PUBLIC, Viewer
from tiles.packing import packed, takes_gzip, unpacked
from tiles.server import etag_matches

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Accept-Patch, Accept-Post, Allow, Content-Crs, ETag, Link, Location, X-Request-Id",
}
PAGES = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)
"""Our pages have no script at all, so none may run."""
ZIP_FROM_BYTES = 1_000
ZIPPED_ALREADY = ("application/vnd.apache.parquet",)
READ = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Asked:
    """A request, understood: who asks, for which representation, from where."""

    request: Request
    actor: Actor
    viewer: Viewer
    media: str
    at: Addresses
    services: Services

    @property
    def html(self) -> bool:
        return self.media == HTML

    @property
    def store(self) -> Store:
        return store_of(self.services)

    @property
    def parts(self) -> tuple[Part, ...]:
        found: tuple[Part, ...] = self.services.parts["ogc"]
        return found

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
    """What goes back: the body, its links, and headers of its own."""

    body: bytes
    links: list[Link]
    headers: Mapping[str, str] = field(default_factory=dict)
    state: str = ""
    """Tag of the resource's state, whatever its representation: what If-Match is held against."""
    tag: str = ""
    """Names the body, where that is known already."""
    zipped: bytes = b""
    """The body compressed, where it is; then there need be no plain one."""
    stream: AsyncIterator[bytes] | None = None
    """The body in parts, where it is too big to be held; then it has neither length nor tag."""


def document(made: Mapping[str, Any], links: list[Link]) -> Answer:
    """A JSON document."""
    return Answer(orjson.dumps(made), links)


Endpoint = Callable[[Asked], Awaitable[Answer]]
Writer = Callable[[Asked], Awaitable[Response]]
Allowed = Callable[[Request, Actor], tuple[str, ...]]


def resource(
    router: APIRouter,
    path: str,
    formats: Formats,
    *,
    writers: Mapping[str, Writer] | None = None,
    allowed: Allowed | None = None,
    accepted: Mapping[str, str] | None = None,
) -> Callable[[Endpoint], Endpoint]:
    """Answer GET, HEAD and OPTIONS at this path below /ogc with what the function makes.

    `writers` answer other methods; `allowed` then says which of them this actor may use there, and `accepted` which
    media types POST and PATCH take there (RFC 5789, 3.1).
    """
    others = dict(writers or {})
    methods = [*READ, *others]

    def register(make: Endpoint) -> Endpoint:
        @wraps(make)
        async def endpoint(request: Request) -> Response:
            try:
                if request.method == "OPTIONS":
                    return await _options(request, methods, allowed, accepted or {})
                if request.method in others:
                    return await _written(request, formats, others[request.method])
                return await _answered(request, formats, make)
            except Exception as error:
                return refusal(error, request)

        router.add_route(f"/ogc{path}", endpoint, methods=methods, include_in_schema=False)
        return make

    return register


def refusal(error: Exception, request: Request) -> Response:
    """The problem that an expected failure is. Raises the error again if it is not one."""
    if isinstance(error, NotAcceptable):
        return problem(problems.BY_STATUS[406], str(error), request, dict(error.facts))
    if isinstance(error, ShuituError):
        answer = problem(problems.kind_of(error), str(error), request, dict(error.facts))
        accepted = error.facts.get("accepted") if isinstance(error, UnsupportedMedia) else None
        if isinstance(accepted, list) and request.method in ("POST", "PATCH"):
            answer.headers[f"Accept-{request.method.title()}"] = ", ".join(accepted)
        return answer
    if isinstance(error, IntegrityError):
        detail = (
            "另一处改动已占用同一标识，未作任何更改 (another change holds the same key; nothing was changed)"
        )
        return problem(problems.TABLE[IntegrityError], detail, request)
    if isinstance(error, psycopg.OperationalError | OperationalError | PoolTimeout):
        return problem(problems.TABLE[NotReady], _busy(error), request)
    raise error


async def understood(request: Request, media: str) -> Asked:
    """The request with its actor. Raises NotSignedIn if the credentials are wrong."""
    services: Services = request.app.state.services
    credentials = credentials_of(request.headers, request.cookies, request.query_params)
    identifier = services.parts["identifier"]
    actor = identifier.remembered(credentials) or await run_in_threadpool(services.identify, credentials)
    at = Addresses.of(base_url(request, services.settings), request.query_params)
    return Asked(request, actor, viewer_of(actor), media, at, services)


async def _answered(request: Request, formats: Formats, make: Endpoint) -> Response:
    media = chosen(formats, request.query_params.get("f"), request.headers.get("accept"))
    asked = await understood(request, media)
    return sent(asked, await make(asked))


async def _written(request: Request, formats: Formats, write: Writer) -> Response:
    credentials = credentials_of(request.headers, request.cookies, request.query_params)
    refuse_foreign_write(request, credentials)
    return await write(await understood(request, formats.machine))


def store_of(services: Services) -> Store:
    """The one reader of features of this process."""
    store: Store | None = services.parts.get("features")
    if store is None:
        store = Store(
            services.parts["map_pool"], services.parts["versions"].of, services.settings.public_accuracy_bits
        )
        services.parts["features"] = store
    return store


def downloads_of(services: Services) -> Downloads:
    """The one sender of files of this process."""
    downloads: Downloads | None = services.parts.get("downloads")
    if downloads is None:
        bits = services.settings.public_accuracy_bits
        downloads = Downloads(services.parts["map_pool"], services.dsns.map, bits)
        services.parts["downloads"] = downloads
    return downloads


def sent(asked: Asked, answer: Answer, status: int = 200) -> Response:
    """The answer with its headers: 304 if the client has it, compressed if it wants that."""
    request, media = asked.request, asked.media
    # What a log-in sees must never be kept by a shared cache; everybody asks again, and gets 304.
    share = "public" if asked.viewer == PUBLIC else "private"
    headers = {
        **CORS,
        "Cache-Control": f"{share}, no-cache",
        "Vary": "Accept, Accept-Encoding, Cookie, Authorization, X-API-Key",
        "Link": as_header(answer.links),
        "Content-Language": problems.LANGUAGES,
        **answer.headers,
        # Set by hand, for Starlette would add a character set to what is defined without one.
        "Content-Type": f"{media}; charset=utf-8" if media.startswith("text/") else media,
    }
    if media == HTML:
        headers["Content-Security-Policy"] = PAGES
    if answer.stream is not None:
        if request.method == "HEAD":
            return Response(b"", status, headers)
        return StreamingResponse(answer.stream, status, headers)
    tag = answer.tag or hashlib.blake2b(answer.body, digest_size=12).hexdigest()
    tag = f"{answer.state}.{tag}" if answer.state else tag
    big = bool(answer.zipped) or len(answer.body) >= ZIP_FROM_BYTES
    zipped = big and media not in ZIPPED_ALREADY and takes_gzip(request.headers.get("accept-encoding"))
    headers["ETag"] = f'"{tag}-gzip"' if zipped else f'"{tag}"'
    if status == 200 and request.method in READ and wants_another(request, tag):
        detail = "内容已不是 If-Match 所指 (this is not what If-Match names any more)"
        return problem(problems.TABLE[PreconditionFailed], detail, request, {"header": "If-Match"})
    if status == 200 and request.method in READ and has_already(request, tag):
        del headers["Content-Type"], headers["Content-Language"]
        return Response(status_code=304, headers=headers)
    if zipped:
        body = answer.zipped or packed(answer.body)
        headers["Content-Encoding"] = "gzip"
    else:
        body = answer.body or (unpacked(answer.zipped) if answer.zipped else b"")
    headers["Content-Length"] = str(len(body))
    return Response(b"" if request.method == "HEAD" else body, status, headers)


def has_already(request: Request, tag: str) -> bool:
    """Does the client hold what this tag names, compressed or not?"""
    given = request.headers.get("if-none-match")
    return etag_matches(given, tag) or etag_matches(given, f"{tag}-gzip")


def wants_another(request: Request, tag: str) -> bool:
    """Does If-Match name other states than this one (RFC 9110, 13.1.1)? Weak tags match nothing."""
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return False
    return not {f'"{tag}"', f'"{tag}-gzip"'} & {part.strip() for part in given.split(",")}


async def _options(
    request: Request, known: list[str], allowed: Allowed | None, accepted: Mapping[str, str]
) -> Response:
    """What this caller may do here. A browser's preflight carries no credentials: it is told every method."""
    methods = READ if allowed is None else allowed(request, (await understood(request, "")).actor)
    headers = {
        **preflight(CORS, known),
        "Allow": ", ".join(methods),
        **{f"Accept-{method.title()}": media for method, media in accepted.items() if method in methods},
    }
    return Response(status_code=200, headers=headers)


def problem(
    kind: problems.ProblemType,
    detail: str,
    request: Request,
    facts: dict[str, Any] | None = None,
    allow: tuple[str, ...] = (),
) -> Response:
    """Problem details that scripts of other sites may read."""
    headers = dict(CORS)
    if kind.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="shuitu"'
    if allow:
        headers["Allow"] = ", ".join(allow)
    return problems.render(kind, detail, request, facts, headers)


def _busy(error: Exception) -> str:
    if isinstance(error, psycopg.errors.QueryCanceled):
        return "查询耗时过长，请缩小范围或减少条件 (this query takes too long: narrow it)"
    return "数据库暂时无法连接，请稍后再试 (the database cannot be reached for the moment; try again later)"
