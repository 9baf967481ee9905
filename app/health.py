"""Is the service alive, is it ready, how does it do, and what do its problem types mean."""

import os

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess
from sqlalchemy import text
from starlette.responses import Response

from app import __version__
from app.db import revisions
from app.deps import ServicesDep
from app.errors import NotFound, NotReady
from app.problems import problem_types

router = APIRouter()


@router.get("/healthz", tags=["operation"])
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok", "version": __version__}


@router.get("/readyz", tags=["operation"])
def readyz(services: ServicesDep) -> dict[str, str]:
    """The database answers and has the present schema."""
    with services.engine.connect() as connection:
        level = connection.execute(text("select version_num from shuitu.schema_version")).scalar()
    newest = revisions.head()
    if level != newest:
        raise NotReady(
            f"数据库结构版本为 {level}，程序需要 {newest}；请运行 shuitu db migrate "
            f"(the database is at {level}, this program needs {newest}: run shuitu db migrate)"
        )
    return {"status": "ready", "schema": str(level)}


@router.get("/metrics", tags=["operation"], include_in_schema=False)
def metrics() -> Response:
    """Prometheus metrics of all processes of this service."""
    registry = None
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    body = generate_latest(registry) if registry else generate_latest()
    return Response(body, media_type=CONTENT_TYPE_LATEST)


@router.get("/problems/{slug}", tags=["operation"])
def problem(slug: str) -> dict[str, object]:
    """What a problem type means."""
    kind = problem_types().get(slug)
    if kind is None:
        raise NotFound(f"没有名为 {slug} 的问题类型 (no problem type {slug})")
    return {"type": f"/problems/{kind.slug}", "status": kind.status, "title": kind.title}
