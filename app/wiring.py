"""Which part gets which: the one place where features, tiles and settings meet.

`app.main`, `app.cli` and `app.worker` build `Services` here and hand it down; nothing reaches up.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from fastapi import APIRouter
from psycopg_pool import AsyncConnectionPool
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

import app.access.routes
import app.changes.routes
import app.documents.routes
import app.dossiers.routes
import app.exchange.routes
import app.imagery.routes
import app.imports.routes
import app.linkage.routes
import app.maps.routes
import app.ogc.features
import app.ogc.legacy.part
import app.ogc.processes.part
import app.ogc.stac.part
import app.ogc.styles.part
import app.ogc.tilesets.part
import app.regions.routes
import app.registry.routes
import app.review.routes
import app.screening.routes
import app.screening.run_routes
import app.search.routes
import app.statistics.routes
from app import jobs
from app.access.service import Identifier
from app.changes.ending import told_of_signals
from app.db.dsns import dsns_of
from app.db.engine import engine
from app.deps import Services, base_url, credentials_of
from app.errors import NotSignedIn
from app.imports.kind import ImportKind
from app.indicators import import_kind as indicator_import
from app.maps.publishing import publish_counties, publish_features
from app.ogc.legacy.sketch import around
from app.ogc.viewer import viewer_of
from app.regions import import_kind as region_import
from app.registry import intake_import, permit_import
from app.registry.permits import points_import
from app.settings import Settings
from tiles.address import Viewer
from tiles.archives.store import store_at
from tiles.disk import Files
from tiles.keeper import Keeper
from tiles.server import NotSignedInError, TileServer
from tiles.versions import Versions

OGC = (
    app.ogc.features.PART,
    app.ogc.tilesets.part.PART,
    app.ogc.styles.part.PART,
    app.ogc.stac.part.PART,
    app.ogc.processes.part.PART,
    app.ogc.legacy.part.PART,
)
"""The OGC APIs that are served below /ogc; each stands for itself in the shared documents."""
MAP_CONNECTIONS = 4  # a process; two cores serve no more at once


def services(settings: Settings) -> Services:
    """What features need, without the web: for the command line and the worker too."""
    dsns = dsns_of(settings)
    service = engine(dsns.service)
    identifier = Identifier(service)
    return Services(
        settings,
        dsns,
        service,
        identify=identifier,
        defer=jobs.defer,
        publish=publish_counties,
        publish_features=publish_features,
        parts={"identifier": identifier, "import_kinds": import_kinds(), "ogc": OGC},
    )


def import_kinds() -> dict[str, ImportKind]:
    """Every kind of import, by name."""
    kinds = (
        region_import.KIND,
        indicator_import.KIND_OF_IMPORT,
        intake_import.KIND,
        permit_import.KIND,
        points_import.KIND,
    )
    return {kind.name: kind for kind in kinds}


def routers() -> list[APIRouter]:
    """Every feature's routes, in the order in which they are matched."""
    return [
        *(
            part.router for part in OGC
        ),  # first: a page is asked for more often than anything else behind the tiles
        app.access.routes.router,
        app.maps.routes.router,
        app.search.routes.router,
        app.regions.routes.router,
        app.registry.routes.router,
        app.imports.routes.router,
        app.imagery.routes.router,
        app.linkage.routes.router,
        app.screening.routes.router,
        app.screening.run_routes.router,
        app.review.routes.router,
        app.statistics.routes.router,
        app.changes.routes.router,
        app.exchange.routes.router,
        app.documents.routes.router,
        app.dossiers.routes.router,
    ]


@dataclass(frozen=True)
class Parts:
    """A wired process: what routes reach, the tile server, and what must run while it serves."""

    services: Services
    tiles: TileServer

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        keeper = self.tiles.keeper
        await keeper.pool.open()
        await keeper.versions.start()
        await keeper.start()
        try:
            with told_of_signals(keeper.versions.stop):
                yield
        finally:
            await keeper.versions.stop()
            await keeper.pool.close()
            self.services.engine.dispose()


def build(settings: Settings) -> Parts:
    """Wire a process that serves. The database must be there, migrated."""
    made = services(settings)
    identifier: Identifier = made.parts["identifier"]
    pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] = AsyncConnectionPool(
        made.dsns.map,
        kwargs={"autocommit": True},  # tiles take one trip to the database, without BEGIN and COMMIT
        min_size=1,
        max_size=MAP_CONNECTIONS,
        open=False,
        timeout=20,
    )

    async def identify(request: Request) -> Viewer:
        credentials = credentials_of(request.headers, request.cookies, request.query_params)
        try:
            known = identifier.remembered(credentials)
            return viewer_of(known if known else await run_in_threadpool(identifier.__call__, credentials))
        except NotSignedIn as error:
            raise NotSignedInError(str(error)) from None

    made.parts["map_pool"] = pool
    keeper = Keeper(
        pool,
        Versions(pool, made.dsns.map),
        settings.public_accuracy_bits,
        Files(settings.cache_dir / "tiles", settings.tile_cache_mb * 2**20)
        if settings.tile_cache_mb
        else None,
    )
    tiles = TileServer(
        keeper,
        identify,
        lambda request: base_url(request, settings),
        store_at(settings.archives_url, settings.archives_dir),
    )
    made.parts["versions"] = tiles.versions
    made.parts["map_picture"] = partial(around, made)
    made.parts["tiles"] = tiles
    return Parts(made, tiles)
