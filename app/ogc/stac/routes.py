"""The STAC API: every resource negotiated, tagged and answered as those of /ogc are."""

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from app.actor import Actor, Permission
from app.db.engine import transaction
from app.errors import InvalidInput, NotFound, NotSignedIn
from app.ogc import parameters
from app.ogc.answering import CORS, Answer, Asked, refusal, sent, understood
from app.ogc.bodies import json_object
from app.ogc.negotiate import HTML, Formats, chosen
from app.ogc.pages import Row, Section, page
from app.ogc.stac import documents, openapi, search
from app.ogc.stac.addresses import StacAddresses, root_links
from app.ogc.stac.documents import GEOJSON, JSON, OPENAPI, SCHEMA
from app.ogc.stac.filters import condition
from app.ogc.stac.items import COLLECTION, MEDIA_TYPES, item, with_fields
from app.requests import preflight

router = APIRouter()
Json = dict[str, Any]
T = TypeVar("T")
DOCUMENT, ITEMS = Formats(JSON), Formats(GEOJSON, (JSON,))
FIELDS = Formats(SCHEMA, (JSON,))
DEFINITION = Formats(OPENAPI, (JSON, "application/vnd.oai.openapi+json", "application/openapi+json"))
PARAMETERS = (
    "limit", "bbox", "datetime", "intersects", "ids", "collections", "sortby", "fields", "filter", "filter-lang",
    "filter-crs", "token",
)  # fmt: skip
MOST_BYTES = 2 * 2**20
ASSET = re.compile(r"(?P<name>[A-Za-z0-9_-]{1,60})(?P<suffix>\.[a-z0-9]{1,5})?")
Endpoint = Callable[[Asked, StacAddresses], Awaitable[Answer]]


def resource(path: str, formats: Formats, *, post: Endpoint | None = None) -> Callable[[Endpoint], Endpoint]:
    """Answer GET, HEAD and OPTIONS at this path below /stac with what the function makes, and POST with `post`."""
    methods = ["GET", "HEAD", "OPTIONS", *(["POST"] if post else [])]

    def register(make: Endpoint) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                if request.method == "OPTIONS":
                    return _options(methods)
                media = chosen(formats, request.query_params.get("f"), request.headers.get("accept"))
                asked = await understood(request, media)
                at = StacAddresses.below(asked.at)
                maker = post if request.method == "POST" and post else make
                return sent(asked, await maker(asked, at))
            except Exception as error:
                return refusal(error, request)

        router.add_route(f"/stac{path}", endpoint, methods=methods, include_in_schema=False)
        return make

    return register


def _options(methods: list[str]) -> Response:
    return Response(status_code=200, headers=preflight(CORS, methods))


def document(asked: Asked, at: StacAddresses, made: Json, links: list[Any], title: str) -> Answer:
    """The document, or a page that shows it."""
    if asked.media != HTML:
        return Answer(orjson.dumps(made), links)
    rows = [
        Row(link.get("title") or link["rel"], link["rel"], _as_html(link["href"]))
        for link in made.get("links", [])
        if link["rel"] not in ("self", "root", "alternate")
    ]
    parts = [Section("", rows)]
    if "features" in made:
        own = [
            Row(
                one["id"],
                one.get("properties", {}).get("datetime") or "",
                at.to("collections", COLLECTION, "items", one["id"], f="html"),
            )
            for one in made["features"]
        ]
        parts.insert(0, Section("影像 · Scenes", own))
    if "assets" in made:
        parts.insert(
            0, Section("文件 · Assets", [Row(n, a["type"], a["href"]) for n, a in made["assets"].items()])
        )
    if isinstance(made.get("properties"), dict):
        parts.insert(0, Section("", [Row(name, str(value)) for name, value in made["properties"].items()]))
    return Answer(page(asked.at, title, links, parts, text=str(made.get("description", ""))), links)


def _as_html(href: str) -> str:
    return href if "{" in href or "f=html" in href else f"{href}{'&' if '?' in href else '?'}f=html"


def _reader(asked: Asked) -> Actor:
    """Raises NotSignedIn unless the caller may see scenes."""
    if not asked.actor.may(Permission.READ):
        raise NotSignedIn("影像目录需要登录 (log in to see the catalogue of scenes)")
    return asked.actor


async def _read(asked: Asked, work: Callable[[Session], T]) -> T:
    actor = _reader(asked)

    def run() -> T:
        with transaction(asked.services.engine, actor) as session:
            return work(session)

    return await run_in_threadpool(run)


@resource("", DOCUMENT)
@resource("/", DOCUMENT)
async def landing(asked: Asked, at: StacAddresses) -> Answer:
    parameters.only(asked.request.query_params, ())
    made, links = documents.landing(at, shown=asked.actor.may(Permission.READ))
    return document(asked, at, made, links, documents.TITLE)


@resource("/conformance", DOCUMENT)
async def conformance(asked: Asked, at: StacAddresses) -> Answer:
    parameters.only(asked.request.query_params, ())
    made, links = documents.conformance(at)
    if asked.html:
        rows = [Row(uri) for uri in made["conformsTo"]]
        return Answer(page(asked.at, "符合的标准 · Conformance classes", links, [Section("", rows)]), links)
    return document(asked, at, made, links, "")


@resource("/api", DEFINITION)
async def definition(asked: Asked, at: StacAddresses) -> Answer:
    parameters.only(asked.request.query_params, ())
    made = openapi.definition(at)
    links = root_links(at)
    if asked.html:
        rows = [
            Row(path, operation["summary"])
            for path, item_ in made["paths"].items()
            for operation in item_.values()
        ]
        return Answer(page(asked.at, "接口说明 · The API", links, [Section("", rows)]), links)
    return document(asked, at, made, links, "")


@resource("/collections", DOCUMENT)
async def collections(asked: Asked, at: StacAddresses) -> Answer:
    parameters.only(asked.request.query_params, ())
    found = []
    if asked.actor.may(Permission.READ):
        found.append(documents.collection(at, await _read(asked, search.covered))[0])
    made, links = documents.collections(at, found)
    return document(asked, at, made, links, "影像集 · Collections")


@resource("/collections/{collection}", DOCUMENT)
async def collection(asked: Asked, at: StacAddresses) -> Answer:
    parameters.only(asked.request.query_params, ())
    _named(asked)
    made, links = documents.collection(at, await _read(asked, search.covered))
    return document(asked, at, made, links, made["title"])


@resource("/queryables", FIELDS)
@resource("/collections/{collection}/queryables", FIELDS)
async def queryables(asked: Asked, at: StacAddresses) -> Answer:
    parameters.only(asked.request.query_params, ())
    path: tuple[str, ...] = ()
    if "collection" in asked.request.path_params:
        _named(asked)
        path = ("collections", COLLECTION)
    made, links = documents.queryables(at, path)
    return document(asked, at, made, links, made["title"])


def _named(asked: Asked) -> None:
    name = asked.request.path_params["collection"]
    if name != COLLECTION:
        raise NotFound(f"没有影像集 {name[:60]!r} (no such collection; there is {COLLECTION})")


@resource("/collections/{collection}/items", ITEMS)
async def items(asked: Asked, at: StacAddresses) -> Answer:
    allowed = tuple(name for name in PARAMETERS if name not in ("ids", "collections", "intersects"))
    found = parameters.only(asked.request.query_params, allowed)
    _named(asked)
    return await _asked_by_get(asked, at, ("collections", COLLECTION, "items"), found)


@resource("/collections/{collection}/items/{item}", ITEMS)
async def one(asked: Asked, at: StacAddresses) -> Answer:
    parameters.only(asked.request.query_params, ())
    _named(asked)
    name = asked.request.path_params["item"]
    row = await _read(asked, lambda session: search.one(session, name))
    if row is None:
        raise NotFound(f"没有影像 {name[:60]!r} (no such item)")
    return document(asked, at, item(row, at), [], row["title"])


async def posted(asked: Asked, at: StacAddresses) -> Answer:
    """A search by POST. Raises InvalidInput for what is no search."""
    parameters.only(asked.request.query_params, ())
    body = await json_object(asked.request, MOST_BYTES, or_nothing=True)
    if unknown := [name for name in body if name not in PARAMETERS]:
        raise InvalidInput(
            f"检索不认识 {unknown[0][:60]!r} (unknown member; known: {', '.join(PARAMETERS)})",
            field=unknown[0][:60],
        )
    return await _page(asked, at, ("search",), body, None)


@resource("/search", ITEMS, post=posted)
async def get_search(asked: Asked, at: StacAddresses) -> Answer:
    found = parameters.only(asked.request.query_params, PARAMETERS)
    return await _asked_by_get(asked, at, ("search",), found)


async def _asked_by_get(
    asked: Asked, at: StacAddresses, path: tuple[str, ...], found: Mapping[str, str]
) -> Answer:
    kept = {name: text for name, text in found.items() if name not in ("token", *parameters.ANYWHERE)}
    return await _page(asked, at, path, search.of_query(found), kept)


async def _page(
    asked: Asked, at: StacAddresses, path: tuple[str, ...], given: Json, kept: Mapping[str, str] | None
) -> Answer:
    query = search.understood(given, condition(given, "cql2-json" if kept is None else "cql2-text"))
    found = await _read(asked, lambda session: search.run(session, query))
    shown = [with_fields(item(row, at), query.include, query.exclude) for row in found.rows]
    made, links = documents.page(at, path, query, found, shown, kept)
    return document(asked, at, made, links, "影像 · Scenes")


async def asset(request: Request) -> Response:
    """A file of a scene, whole or by range: COGs are read by their parts."""
    try:
        if request.method == "OPTIONS":
            return _options(["GET", "HEAD", "OPTIONS"])
        asked = await understood(request, JSON)
        parameters.only(request.query_params, ())
        path = await _read(asked, lambda session: _file(session, request.path_params))
        headers = {
            **CORS,
            "Access-Control-Expose-Headers": "ETag, Content-Range, Accept-Ranges, Content-Length",
            "Cache-Control": "private, no-cache",
        }
        media = MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")
        return FileResponse(path, media_type=media, headers=headers)
    except Exception as error:
        return refusal(error, request)


router.add_route(
    "/imagery/{scene}/assets/{asset}", asset, methods=["GET", "HEAD", "OPTIONS"], include_in_schema=False
)


def _file(session: Session, named: Mapping[str, str]) -> Path:
    """The file of an asset: only what the catalogue names, never a path that a client gives. Raises NotFound."""
    match = ASSET.fullmatch(named["asset"])
    known = named["scene"].isascii() and named["scene"].isdigit() and len(named["scene"]) < 19
    row = search.by_number(session, int(named["scene"])) if match and known else None
    stored = row["item"].get("assets", {}).get(match["name"]) if row and match else None
    path = Path(str(row["path"])).parent / str(stored["href"]) if row and stored else None
    if path is None or not path.is_file():
        raise NotFound("没有此影像文件 (no such file of a scene)")
    return path
