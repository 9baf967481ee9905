"""How processes and jobs answer: statuses, types of problems and forms of results that the standard names."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import orjson
from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from app import problems
from app.actor import Permission
from app.db.engine import transaction
from app.errors import NotAllowed, NotFound, NotSignedIn
from app.ogc import parameters
from app.ogc.answering import CORS, PAGES, Asked, problem, refusal, understood
from app.ogc.links import Link, as_header
from app.ogc.negotiate import DOCUMENT, HTML, JSON, chosen
from app.ogc.pages import Crumb, Row, Section, page
from app.ogc.processes import documents
from app.ogc.processes.process import Json
from app.problems import UNEXPECTED
from app.requests import preflight
from tiles.server import etag_matches

T = TypeVar("T")
EXCEPTIONS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
DEFAULT_LIMIT, MAX_LIMIT = 10, 10_000
PIECE = 256 * 1024


class Told(Exception):
    """A failure with a type of its own: one that the standard names, or that of the reason why a job failed."""

    def __init__(self, kind: str, status: int, detail: str, title: str = "") -> None:
        super().__init__(detail)
        self.type = kind if "/" in kind else f"{EXCEPTIONS}/{kind}"
        self.title, self.status = title or kind.replace("-", " "), status


def _failed(error: Exception, request: Request) -> Response:
    if not isinstance(error, Told):
        return refusal(error, request)
    body = {
        "type": error.type,
        "title": error.title,
        "status": error.status,
        "detail": str(error),
        "instance": request.url.path,
    }
    return Response(orjson.dumps(body), error.status, {**CORS, "Content-Type": "application/problem+json"})


async def in_scope(asked: Asked, work: Callable[[Session], T]) -> T:
    """The work in a transaction in the caller's scope. Raises NotSignedIn for the public."""
    if not asked.actor.may(Permission.READ):
        raise NotSignedIn("任务需要登录 (log in to run processes and see jobs)")

    def run() -> T:
        with transaction(asked.services.engine, asked.actor) as session:
            return work(session)

    return await run_in_threadpool(run)


def limits(found: Mapping[str, str]) -> tuple[int, int]:
    """`limit` and `offset`; more than the maximum is cut. Raises InvalidInput."""
    numbers = []
    for name, least, default in (("limit", 1, DEFAULT_LIMIT), ("offset", 0, 0)):
        text = found.get(name, str(default))
        if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < least:
            raise parameters.refused(name, text, f"不小于{least}的整数", f"a whole number from {least}")
        numbers.append(int(text))
    return min(numbers[0], MAX_LIMIT), numbers[1]


def special(
    router: APIRouter, path: str, methods: tuple[str, ...]
) -> Callable[[Callable[[Asked], Any]], Callable[[Asked], Any]]:
    """As `resource`, for answers with statuses, types of problems or methods of their own."""

    allowed = ", ".join((*methods, "OPTIONS"))
    # Where nothing is read, whoever tries is told what can be done there.
    refused = tuple(one for one in ("GET", "HEAD") if one not in methods)

    def register(make: Callable[[Asked], Any]) -> Callable[[Asked], Any]:
        async def endpoint(request: Request) -> Response:
            if request.method == "OPTIONS":
                return Response(status_code=200, headers=preflight(CORS, (*methods, "OPTIONS")))
            if request.method in refused:
                detail = f"此处只支持 {allowed} (only these methods are supported here)"
                return problem(problems.BY_STATUS[405], detail, request, allow=(*methods, "OPTIONS"))
            try:
                _not_foreign(request)
                made: Response = await make(await understood(request, JSON))
                return made
            except Exception as error:
                return _failed(error, request)

        router.add_route(
            f"/ogc{path}", endpoint, methods=[*methods, *refused, "OPTIONS"], include_in_schema=False
        )
        return make

    return register


def _not_foreign(request: Request) -> None:
    """Refuses what another site sends with a browser's cookie, as the product's own API does."""
    foreign = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    keyed = request.headers.get("x-api-key") or request.headers.get("authorization")
    if foreign and request.method not in ("GET", "HEAD") and not keyed:
        raise NotAllowed("拒绝来自其他网站的写操作 (a write that another site sent is refused)")


def json_answer(
    asked: Asked, made: Json, links: list[Link], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    found = {**({"Link": as_header(links)} if links else {}), **(headers or {})}
    return _tagged(asked, orjson.dumps(made), JSON, status, found)


def _tagged(
    asked: Asked, body: bytes, media: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer with its tag, if it was read; 304 if the client has it. Kept by nobody who does not ask again."""
    found = {
        **CORS,
        "Cache-Control": "private, no-cache",
        "Content-Type": media,
        "Content-Language": problems.LANGUAGES,
        **(headers or {}),
    }
    if asked.request.method not in ("GET", "HEAD") or status != 200:
        return Response(body, status, {**found, "Cache-Control": "private, no-store"})
    tag = hashlib.blake2b(body, digest_size=12).hexdigest()
    found |= {"ETag": f'"{tag}"', "Vary": "Accept, Cookie, Authorization, X-API-Key"}
    if etag_matches(asked.request.headers.get("if-none-match"), tag):
        del found["Content-Type"], found["Content-Language"]
        return Response(status_code=304, headers=found)
    found["Content-Length"] = str(len(body))
    return Response(b"" if asked.request.method == "HEAD" else body, 200, found)


def wants_html(asked: Asked) -> bool:
    query = asked.request.query_params
    return chosen(DOCUMENT, query.get("f"), asked.request.headers.get("accept")) == HTML


def html_page(asked: Asked, heading: str, rows: list[Row], links: list[Link], above: str) -> Response:
    crumbs = [Crumb("任务 · Jobs" if above == "jobs" else "处理 · Processes", asked.at.to(above, f="html"))]
    body = page(asked.at, heading, links, [Section("", rows)], crumbs=crumbs)
    return _tagged(asked, body, "text/html; charset=utf-8", headers={"Content-Security-Policy": PAGES})


def results_of(asked: Asked, record: Json, wanted: Mapping[str, str], links: list[Link]) -> Response:
    """What a job made, in the form that was asked for (18-062r2, 7.11.4 and 7.13)."""
    require_successful(record)
    names = [name for name in wanted if name in record["results"]]
    if record["request"]["response"] == "document" or not names:
        return json_answer(asked, documents.results(asked.at, record, names), links)
    if all(wanted[name] == "reference" for name in names):
        found = [documents.result_link(asked.at, record, name) for name in names]
        return Response(status_code=204, headers={**CORS, "Link": as_header([*links, *found])})
    if len(names) == 1:
        return output_of(asked, record, names[0], links)
    return _multipart(asked, record, {name: wanted[name] for name in names}, links)


def _multipart(asked: Asked, record: Json, wanted: Mapping[str, str], links: list[Link]) -> Response:
    """Several outputs, each a part named by its Content-ID (RFC 2387); one by reference is empty and says where it is."""
    boundary = uuid4().hex
    for name, mode in wanted.items():
        if mode == "value" and "file" in record["results"][name]:
            _file(asked, record["results"][name])

    def body() -> Iterator[bytes]:
        for name, mode in wanted.items():
            one = record["results"][name]
            head = [f"--{boundary}", f"Content-ID: <{name}>", f"Content-Type: {one['media']}"]
            if mode == "reference":
                head.append(f"Content-Location: {documents.result_link(asked.at, record, name).href}")
            yield "\r\n".join([*head, "", ""]).encode()
            if mode == "value":
                yield from _pieces(asked, one)
            yield b"\r\n"
        yield f"--{boundary}--\r\n".encode()

    first = record["results"][next(iter(wanted))]["media"]
    headers = {
        **CORS,
        "Cache-Control": "private, no-cache",
        "Content-Type": f'multipart/related; boundary={boundary}; type="{first}"',
        **({"Link": as_header(links)} if links else {}),
    }
    if asked.request.method == "HEAD":
        return Response(b"", 200, headers)
    return StreamingResponse(body(), 200, headers)


def _pieces(asked: Asked, one: Json) -> Iterator[bytes]:
    if "value" in one:
        yield orjson.dumps(documents.value(asked.at, one["value"]))
        return
    with _file(asked, one).open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _file(asked: Asked, one: Json) -> Path:
    """Raises NotFound if it was taken away."""
    path: Path = asked.services.settings.data_dir / one["file"]
    if not path.is_file():
        raise NotFound("结果文件已不在 (the file of the result is gone)")
    return path


def require_successful(record: Json) -> None:
    if record["status"] == "failed":
        told = record["problem"]
        kind = f"/problems/{told.get('slug', UNEXPECTED.slug)}"
        raise Told(kind, int(told["status"]), told["detail"], told.get("title", UNEXPECTED.title))
    if record["status"] == "dismissed":
        raise Told("no-such-job", 404, "任务已撤销，没有结果 (the job was dismissed: there are no results)")
    if record["status"] != "successful":
        raise Told(
            "result-not-ready", 404, f"结果尚未就绪 (results are not ready: the job is {record['status']})"
        )


def output_of(asked: Asked, record: Json, name: str, links: list[Link]) -> Response:
    """An output itself: its value, or its file, whole or by range."""
    one = record["results"][name]
    headers = {**CORS, "Cache-Control": "private, no-cache", **({"Link": as_header(links)} if links else {})}
    if "value" in one:
        return json_answer(asked, documents.value(asked.at, one["value"]), links)
    path = _file(asked, one)
    if one["media"].startswith("text/html"):
        headers["Content-Security-Policy"] = (
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
        )
    return FileResponse(path, media_type=one["media"], filename=path.name, headers=headers)
