"""Which part gets which: the one place where features, tiles and settings meet.

`app.main`, `app.cli` and `app.worker` build `Services` here and hand it down; nothing reaches up.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.types import ASGIApp

from app import jobs
from app.actor import PUBLIC, Actor
from app.db.embedded import EmbeddedCluster
from app.db.engine import Dsns, as_role, engine, external
from app.deps import Credentials, Services
from app.settings import Settings


def dsns_of(settings: Settings) -> Dsns:
    """Connection strings: of the operator's database, or of the private cluster (which must run)."""
    if settings.database_url:
        return external(settings.database_url, settings.database_owner_url)
    cluster = EmbeddedCluster(settings.data_dir)
    return Dsns(
        owner=as_role(cluster.dsn("shuitu_owner"), "shuitu_owner"),
        service=as_role(cluster.dsn("shuitu_service"), "shuitu_service"),
        map=as_role(cluster.dsn("shuitu_map"), "shuitu_map"),
        admin=cluster.dsn("postgres"),
    )


@dataclass(frozen=True)
class Parts:
    """A wired process: what routes reach, the tile server, and what must run while it serves."""

    services: Services
    tiles: ASGIApp

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield
        self.services.engine.dispose()


def services(settings: Settings) -> Services:
    """What features need, without the web: for the command line and the worker too."""
    dsns = dsns_of(settings)
    return Services(settings, dsns, engine(dsns.service), identify=_nobody, defer=jobs.defer)


def routers() -> list[APIRouter]:
    """Every feature's routes, in the order in which they are matched."""
    return []


def _nobody(credentials: Credentials) -> Actor:
    return PUBLIC
