"""The one table from exception to HTTP status, and its rendering as RFC 9457 problem details."""

import json
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from app import errors
from app.logging import get
from tiles.options import BadOption, TooWide

log = get(__name__)
LANGUAGES = "zh, en"
"""Whatever is told, is told in both."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OURS = ("api", "ogc", "tiles", "archives", "imagery", "styles", "stac", "assets", "problems", "metrics")
"""First parts of addresses that are never pages of the front end."""
OPEN = ("ogc", "stac", "tiles", "archives", "imagery", "styles")
"""Those of which scripts of other sites may read what they are told."""
ANY_PAGE = "/{path:path}"
"""Where every other address leads: the front end, whose page finds its own way."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem: its address below /problems/, its status, and its title in both languages."""

    slug: str
    status: int
    title: str


TABLE: dict[type[Exception], ProblemType] = {
    errors.UnreadableFile: ProblemType("unreadable-file", 400, "文件无法读取 · The file cannot be read"),
    errors.InvalidInput: ProblemType("invalid-input", 400, "输入有误 · Invalid input"),
    errors.TooCostly: ProblemType("too-costly", 400, "查询代价过高 · The query costs too much"),
    errors.TooLarge: ProblemType("too-large", 413, "内容过大 · Content too large"),
    BadOption: ProblemType("invalid-input", 400, "输入有误 · Invalid input"),
    TooWide: ProblemType("too-costly", 400, "查询代价过高 · The query costs too much"),
    errors.NotSignedIn: ProblemType("not-signed-in", 401, "请先登录 · Please log in"),
    errors.NotAllowed: ProblemType("not-allowed", 403, "无此权限 · Not allowed"),
    errors.NotFound: ProblemType("not-found", 404, "未找到 · Not found"),
    errors.NotAcceptable: ProblemType("not-acceptable", 406, "不支持所要求的格式 · Not acceptable"),
    errors.Conflict: ProblemType("conflict", 409, "与当前状态冲突 · Conflict with the present state"),
    errors.PreconditionFailed: ProblemType("precondition-failed", 412, "内容已被改动 · Changed meanwhile"),
    errors.PreconditionRequired: ProblemType(
        "precondition-required", 428, "须指明所改的版本 · Say which version you change"
    ),
    errors.UnsupportedMedia: ProblemType(
        "unsupported-media-type", 415, "不支持此类内容 · Unsupported media type"
    ),
    errors.NotReady: ProblemType("not-ready", 503, "服务尚未就绪 · The service is not ready"),
    errors.ConfigurationError: ProblemType(
        "misconfigured", 500, "系统配置有误 · The installation is misconfigured"
    ),
    IntegrityError: ProblemType("conflict", 409, "与当前状态冲突 · Conflict with the present state"),
    DataError: ProblemType("invalid-input", 400, "输入有误 · Invalid input"),
    OperationalError: ProblemType("not-ready", 503, "服务尚未就绪 · The service is not ready"),
}
# Statuses that the framework raises by itself.
BY_STATUS: dict[int, ProblemType] = {
    404: TABLE[errors.NotFound],
    405: ProblemType("method-not-allowed", 405, "不支持此方法 · Method not allowed"),
    406: TABLE[errors.NotAcceptable],
    413: TABLE[errors.TooLarge],
    429: ProblemType("too-many-requests", 429, "请求过于频繁 · Too many requests"),
}
UNEXPECTED = ProblemType("unexpected", 500, "服务内部错误 · Unexpected error")


def problem_types() -> dict[str, ProblemType]:
    """Every problem type by slug (for /problems and the docs)."""
    kinds = [*TABLE.values(), *BY_STATUS.values(), UNEXPECTED]
    return {kind.slug: kind for kind in kinds}


def render(
    kind: ProblemType,
    detail: str,
    request: Request,
    facts: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Problem details as `application/problem+json`; facts never replace the standard members."""
    body: dict[str, Any] = {
        **(facts or {}),
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
    }
    told = {"Content-Language": LANGUAGES, **(headers or {})}
    if request.url.path.split("/")[1] in OPEN:
        told.setdefault("Access-Control-Allow-Origin", "*")
    return Response(_written(body), kind.status, told, media_type="application/problem+json")


def _written(body: dict[str, Any]) -> bytes:
    """Clients send numbers of any size and halves of characters, which are repeated to them: orjson writes neither."""
    try:
        return orjson.dumps(body, default=str)
    except TypeError:
        return json.dumps(body, default=str).encode()


def kind_of(error: Exception) -> ProblemType:
    """The problem type of an exception: the nearest class in its family."""
    return next((TABLE[cls] for cls in type(error).__mro__ if cls in TABLE), UNEXPECTED)


def _expected(request: Request, error: Exception) -> Response:
    kind = kind_of(error)
    if kind.status >= 500:
        log.error("request failed", error=str(error), problem=kind.slug)
    facts = dict(error.facts) if isinstance(error, errors.ShuituError) else None
    headers = {"WWW-Authenticate": 'Bearer realm="shuitu"'} if kind.status == 401 else None
    return render(kind, str(error), request, facts, headers)


def _database(request: Request, error: Exception) -> Response:
    # The driver's words may hold data of rows that the actor may not see.
    kind = kind_of(error)
    log.error("database error", error=str(error), problem=kind.slug)
    detail = {
        400: "某个值超出可存储的范围，未作任何更改 (a value is beyond what can be stored; nothing was changed)",
        409: "另一处改动已占用同一标识，未作任何更改 (another change holds the same key; nothing was changed)",
        503: "数据库暂时无法连接，请稍后再试 (the database cannot be reached for the moment; try again later)",
    }[kind.status]
    return render(kind, detail, request)


def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    if error.errors()[0]["loc"][0] == "path" and (other := _named_methods(request)):
        return _not_allowed(request, other)
    found = [
        {
            "where": ".".join(str(part) for part in item["loc"]),
            "reason": item["msg"],
            "value": _short(item.get("input")),
        }
        for item in error.errors()
    ]
    detail = "; ".join(f"{item['where']}: {item['reason']}" for item in found)
    return render(TABLE[errors.InvalidInput], detail, request, {"errors": found})


def _named_methods(request: Request) -> list[str]:
    """The methods of an address that is itself that of an operation, and was taken for the value of another's path:
    /things/sums with POST beside /things/{number} with GET."""
    described = request.app.openapi()["paths"].get(request.url.path, {})
    return _with_head([method for method in METHODS if method.lower() in described])


def _with_head(methods: list[str]) -> list[str]:
    """HEAD is answered wherever GET is (`app.heads`), and described nowhere."""
    return ["GET", "HEAD", *methods[1:]] if methods[:1] == ["GET"] else methods


def _not_allowed(request: Request, methods: list[str]) -> Response:
    allowed = ", ".join(methods)
    detail = f"{request.url.path} 只接受 {allowed} (only these methods are known here)"
    return render(BY_STATUS[405], detail, request, headers={"Allow": allowed})


def _half_a_character(request: Request, error: Exception) -> Response:
    """JSON may write one half of a surrogate pair (`\\ud800`), which is text for Python and for nothing after it."""
    if not isinstance(error, UnicodeEncodeError) or error.reason != "surrogates not allowed":
        return _unexpected(request, error)
    detail = "文本含有不完整的字符，未作任何更改 (a text holds half a character; nothing was changed)"
    return render(TABLE[errors.InvalidInput], detail, request)


def _short(value: object) -> str | None:
    text = None if value is None else str(value)
    return text if text is None or len(text) <= 120 else text[:117] + "…"


def _of_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    status, headers, detail = error.status_code, dict(error.headers or {}), str(error.detail)
    if status == 405:
        if allowed := methods_at(request):
            return _not_allowed(request, allowed)
        if request.url.path.split("/")[1] in OURS:
            status, headers, detail = 404, {}, f"没有 {request.url.path} (there is nothing at this address)"
    kind = BY_STATUS.get(status) or ProblemType("http", status, detail)
    return render(kind, detail, request, headers=headers)


def methods_at(request: Request) -> list[str]:
    """Every method that is answered at this address, whichever routes do; none where only a page may lie, or where just
    the questions of browsers before a request are answered."""
    if named := _named_methods(request):
        return named
    routes = [route for route in request.app.routes if getattr(route, "path", None) != ANY_PAGE]
    found = [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    if found == ["OPTIONS"]:
        return []
    return _with_head(found)


def _unexpected(request: Request, error: Exception) -> Response:
    log.exception("unexpected error", exc_info=error)
    return render(
        UNEXPECTED,
        "出现未预料的错误，已记入日志，未作任何更改；请把 request_id 告知管理员 "
        "(something unexpected happened and was logged; nothing was changed; give request_id to your operator)",
        request,
    )


def install(app: FastAPI) -> None:
    """Give the application these answers, and no others."""
    app.add_exception_handler(errors.ShuituError, _expected)
    app.add_exception_handler(IntegrityError, _database)
    app.add_exception_handler(DataError, _database)
    app.add_exception_handler(OperationalError, _database)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(UnicodeEncodeError, _half_a_character)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(Exception, _unexpected)
