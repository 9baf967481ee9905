"""What a route may ask for: the actor, a transaction in the actor's scope, a permission."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection
from structlog.contextvars import bind_contextvars

from app.actor import PUBLIC, Actor, Permission
from app.db.engine import Dsns, transaction
from app.errors import InvalidInput, NotAllowed, NotSignedIn
from app.settings import Settings

SESSION_COOKIE = "shuitu_session"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request carries to say who asks."""

    cookie: str | None = None
    api_key: str | None = None


@dataclass(frozen=True)
class Services:
    """What the process was wired with (`app.wiring`); routes reach it as `app.state.services`."""

    settings: Settings
    dsns: Dsns
    engine: Engine
    identify: Callable[[Credentials], Actor]
    """The actor behind the credentials; PUBLIC without any. Raises NotSignedIn if they are wrong."""
    defer: Callable[..., int]
    """`defer(task, session=…, **arguments)`: a job, queued in the transaction of `session`."""
    publish: Callable[..., None] = lambda connection, layer, counties: None
    """`publish(connection, layer, counties)`: bring the map tables up to the facts, in their transaction."""
    publish_features: Callable[..., None] = lambda connection, layer, ids: None
    """`publish_features(connection, layer, ids)`: the same of single features that were created, changed or deleted."""
    parts: dict[str, Any] = field(default_factory=dict)
    """Things of single features, by name: import kinds, the live feed."""


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


def base_url(request: Request, settings: Settings) -> str:
    """The address under which the client reached us, without a slash at its end."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    headers = request.headers
    told = _forwarded(headers.get("forwarded", ""))
    scheme = (told.get("proto") or _first(headers.get("x-forwarded-proto", ""))).lower()
    if scheme not in USUAL_PORTS:
        scheme = request.url.scheme
    named = told.get("host") or _first(headers.get("x-forwarded-host", ""))
    named = named if HOST.fullmatch(named) else ""
    host = named or headers.get("host", request.url.netloc)
    port = _first(headers.get("x-forwarded-port", ""))
    # A proxy that says its name without the port says the port beside it, also where that goes without saying.
    if named and PORT.fullmatch(port) and not HAS_PORT.search(named) and port != USUAL_PORTS[scheme]:
        host = f"{host}:{port}"
    prefix = headers.get("x-forwarded-prefix", "").rstrip("/")
    return f"{scheme}://{host}{prefix if PREFIX.fullmatch(prefix) else ''}"


HOST = re.compile(r"[A-Za-z0-9._~-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
PORT, HAS_PORT = re.compile(r"[0-9]{1,5}"), re.compile(r":\d+$")
PREFIX = re.compile(r"(/[A-Za-z0-9._~%-]+)+")
USUAL_PORTS = {"http": "80", "https": "443"}
FORWARDED = re.compile(r"""(proto|host)\s*=\s*("[^"]*"|[^;,\s"]+)""", re.IGNORECASE)


def _first(text: str) -> str:
    return text.split(",", 1)[0].strip()


def _forwarded(text: str) -> dict[str, str]:
    """`proto` and `host` of the first element of a Forwarded header (RFC 7239): what the client itself reached."""
    return {match[1].lower(): match[2].strip('"') for match in FORWARDED.finditer(_first(text))}


def credentials_of(headers: Any, cookies: Any, query: Any) -> Credentials:
    """Session cookie, `X-API-Key`, `Authorization: Bearer`, or `?api_key=` (GIS clients know only URLs)."""
    scheme, _, token = (headers.get("authorization") or "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else None
    return Credentials(
        cookies.get(SESSION_COOKIE), headers.get("x-api-key") or bearer or query.get("api_key")
    )


SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def refuse_foreign_write(request: HTTPConnection, credentials: Credentials) -> None:
    """Raises NotAllowed for a write that another site sends with a browser's session."""
    # Cookies are SameSite=Strict; this also stops what a browser without that would send.
    foreign = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    if credentials.cookie and foreign and request.scope.get("method") not in SAFE_METHODS:
        raise NotAllowed("拒绝来自其他网站的写操作 (a write that another site sent is refused)")


def current_actor(request: Request, services: ServicesDep) -> Actor:
    """Who asks. Raises NotSignedIn for a wrong key, NotAllowed for a write that another site sent."""
    credentials = credentials_of(request.headers, request.cookies, request.query_params)
    refuse_foreign_write(request, credentials)
    actor = services.identify(credentials) if credentials.cookie or credentials.api_key else PUBLIC
    bind_contextvars(actor=actor.username)
    return actor


CurrentActor = Annotated[Actor, Depends(current_actor)]


def open_transaction(services: ServicesDep, actor: CurrentActor) -> Iterator[Session]:
    """One request, one transaction, in the actor's scope."""
    with transaction(services.engine, actor) as session:
        yield session


# FastAPI closes `yield` dependencies after the answer has left, unless they have function scope. Then
# a failed commit becomes an error and never a 200 (tests/integration/test_commit_before_answer.py).
Tx = Annotated[Session, Depends(open_transaction, scope="function")]


KEY = "api_key"
"""The one parameter of every address (`credentials_of`)."""


def refuse_unknown(request: Request) -> None:
    """Raises InvalidInput for a parameter that the operation does not know: a filter with a slip of the pen would be left
    out without a word, and what follows would be done to everything."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not route.path.startswith("/api/"):
        return  # tiles and health are asked with what clients add of themselves
    known = _parameters(route.dependant)
    for name in request.query_params:
        if name not in known:
            raise InvalidInput(
                f"没有参数 {name[:60]!r} (there is no such parameter)", field=name[:60], expected=" ".join(sorted(known - {KEY}))
            )  # fmt: skip


def _parameters(of: Dependant) -> frozenset[str]:
    return frozenset({KEY}).union(
        (one.alias for one in of.query_params), *(_parameters(one) for one in of.dependencies)
    )


def require(permission: Permission) -> Any:
    """Dependency: the actor, who must have this permission.

    Raises NotSignedIn for the public, NotAllowed for others without it.
    """

    def check(actor: CurrentActor) -> Actor:
        if actor.may(permission):
            return actor
        if actor.user_id is None:
            raise NotSignedIn("此操作需要登录 (log in to do this)")
        raise NotAllowed(
            f"账号 {actor.username} 的角色“{actor.role}”无权执行此操作 (role {actor.role} may not {permission})",
            permission=str(permission),
        )

    return Depends(check)
