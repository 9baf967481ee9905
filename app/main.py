"""The web service: features under /api and /ogc by FastAPI, tiles before it as a bare ASGI app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from app import __version__, definition, frontend, health, logging, problems, wiring
from app.deps import refuse_unknown
from app.heads import HeadsAsGets
from app.requests import RequestContext
from app.settings import Settings

HEALTH = ("/healthz", "/readyz", "/metrics", "/problems")


def create(settings: Settings | None = None) -> ASGIApp:
    """The whole service as one ASGI application; also the factory that uvicorn's processes call."""
    settings = settings or Settings()
    logging.configure(settings.log_format, settings.log_level)
    parts = wiring.build(settings)
    features = HeadsAsGets(fastapi_app(settings, parts), ("/api", "/styles", "/imagery", *HEALTH))
    app = RequestContext(_Before(parts.tiles, ("/tiles/", "/archives/"), features))
    app.tiles = parts.tiles  # for app.hotline
    return app


def fastapi_app(settings: Settings, parts: wiring.Parts | None = None) -> FastAPI:
    """Features and front end. Without `parts` it cannot answer, only describe itself (OpenAPI)."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        assert parts is not None  # noqa: S101 - a served application is wired
        async with parts.running():
            yield

    api = FastAPI(
        title="Shuitu 水图",
        version=__version__,
        summary="取水口“一张图” · The one map of water intakes",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        dependencies=[Depends(refuse_unknown)],
        lifespan=lifespan,
    )
    api.state.services = parts.services if parts else None
    problems.install(api)
    for router in wiring.routers():
        api.include_router(router)
    api.include_router(health.router)
    frontend.mount(api, settings)
    definition.install(api)
    return api


class _Before:
    """Sends some paths to a bare ASGI app before FastAPI's routing, which would cost a hot tile two
    thirds of its speed (docs/adr on tiles)."""

    def __init__(self, first: ASGIApp, prefixes: tuple[str, ...], rest: ASGIApp) -> None:
        self.first, self.prefixes, self.rest = first, prefixes, rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mine = scope["type"] == "http" and scope["path"].startswith(self.prefixes)
        await (self.first if mine else self.rest)(scope, receive, send)
