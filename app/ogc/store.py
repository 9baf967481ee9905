"""Collections and items out of PostGIS, as the map reader in the viewer's scope."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from app.errors import InvalidInput, TooCostly
from app.ogc import query
from app.ogc.asking import ItemsQuery
from app.ogc.query import Statement
from app.ogc.sorting import cursor as cursor_of
from layers.model import Layer
from tiles import extent, source
from tiles.address import Address, Viewer
from tiles.postgis import Pool

PAGE_BYTES = 16 * 2**20
"""A page ends here at the latest: then it has fewer features than the limit, and a `next` link."""
CHUNK = 200
STATEMENT_TIMEOUT_S = 20
COUNT_TIMEOUT_MS = 500
"""What a count of filtered features may cost; beyond that the page does not say how many there are."""
EXTENT_KEPT_S = 600


ENTER = (
    "select set_config('app.scope_lo', %s, true), set_config('app.scope_hi', %s, true), "
    "set_config('app.scope_basin', %s, true), set_config('statement_timeout', %s, true), "
    # A page is a few thousand rows at most: workers would take longer to start than to read them.
    "set_config('max_parallel_workers_per_gather', '0', true)"
)


@dataclass(frozen=True, slots=True)
class Page:
    """Features in their order."""

    text: str
    """As JSON text, with `query.SEPARATOR` between them."""
    returned: int
    after: str | None
    """Cursor of the last feature, if more follow."""
    matched: int | None
    """How many features match in all, where that is cheap to say."""

    @property
    def features(self) -> list[str]:
        """Each as JSON text."""
        return self.text.split(query.SEPARATOR) if self.returned else []


@dataclass(frozen=True, slots=True)
class Extent:
    """What a collection covers, as this viewer sees it."""

    box: tuple[float, float, float, float] | None
    times: tuple[datetime, datetime] | None


@dataclass
class Store:
    """Reads on the map pool. `version` tells how often a layer changed; `hidden_bits` what the public sees."""

    pool: Pool
    version: Callable[[str], int]
    hidden_bits: int
    _extents: dict[tuple[str, str], tuple[int, float, Extent]] = field(default_factory=dict)

    async def page(self, layer: Layer, viewer: Viewer, asked: ItemsQuery, form: str = "json") -> Page:
        """Raises InvalidInput if the filter or the CRS cannot be evaluated for some feature, TooCostly if it takes
        too long, psycopg.OperationalError if the database cannot be reached.
        """
        statement = query.page(layer, viewer.audience, asked, self.hidden_bits, form=form)
        with evaluating(asked):
            return await self._page(statement, layer, viewer, asked)

    async def _page(self, statement: Statement, layer: Layer, viewer: Viewer, asked: ItemsQuery) -> Page:
        # Points are small: they come in one go. Polygons are not: they come until the page is big enough.
        small = layer.source.kind == "point"
        async with (
            self.pool.connection() as connection,
            together(connection, small),
            connection.transaction(),
        ):
            await enter(connection, viewer)
            features, returned, after = await (_whole if small else _chunks)(
                connection, statement, asked.limit
            )
            matched = None
            if asked.after is None:
                complete = after is None and (returned > 0 or not asked.offset)
                matched = asked.offset + returned if complete else None
                if matched is None:
                    matched = await self._count(connection, layer, viewer, asked)
        return Page(features, returned, after, matched)

    async def _count(
        self, connection: psycopg.AsyncConnection[Any], layer: Layer, viewer: Viewer, asked: ItemsQuery
    ) -> int | None:
        """All points of a big layer from its cells; else counted, if it is not too many or too slow."""
        if layer.points is not None and asked.boxes is None and not asked.filters and asked.predicate is None:
            whole = source.count_in(layer, Address(0, 0, 0))
            cursor = await connection.execute(whole.sql.encode(), whole.values)
            row = await cursor.fetchone()
            return int(row[0]) if row else None
        statement = query.count(layer, viewer.audience, asked, self.hidden_bits)
        try:
            async with connection.transaction():
                if asked.predicate is not None:
                    await connection.execute(f"set local statement_timeout = '{COUNT_TIMEOUT_MS}ms'".encode())
                cursor = await connection.execute(statement.sql.encode(), statement.values, prepare=False)
                row = await cursor.fetchone()
        except psycopg.errors.QueryCanceled:
            return None
        return int(row[0]) if row and row[0] <= query.COUNT_LIMIT else None

    async def feature(
        self, layer: Layer, viewer: Viewer, identifier: int, asked: ItemsQuery, form: str = "json"
    ) -> tuple[str, str] | None:
        """The feature as JSON text and the tag of its state; None if there is none that this viewer may see."""
        statement = query.one(layer, viewer.audience, asked, identifier, form=form)
        with evaluating(asked):
            async with self.pool.connection() as connection, connection.pipeline(), connection.transaction():
                await enter(connection, viewer)
                cursor = await connection.execute(statement.sql.encode(), statement.values)
                row = await cursor.fetchone()
        return (str(row[1]), str(row[2])) if row else None

    async def extent_of(self, layer: Layer, viewer: Viewer) -> Extent:
        """Kept until the layer changes, ten minutes at most."""
        key, version = (layer.id, viewer.key), self.version(layer.id)
        kept = self._extents.get(key)
        if kept and kept[0] == version and time.monotonic() - kept[1] < EXTENT_KEPT_S:
            return kept[2]
        async with self.pool.connection() as connection, connection.transaction():
            await enter(connection, viewer)
            found = await _extent(connection, layer, viewer)
        if len(self._extents) > 5_000:
            self._extents.clear()
        self._extents[key] = (version, time.monotonic(), found)
        return found


@asynccontextmanager
async def together(connection: psycopg.AsyncConnection[Any], possible: bool) -> AsyncIterator[None]:
    """Statements go out without waiting for each other's answers, where no cursor of the server is among them."""
    if not possible:
        yield
        return
    async with connection.pipeline():
        yield


@contextmanager
def evaluating(asked: ItemsQuery) -> Iterator[None]:
    """Says whose fault it is if PostgreSQL cannot evaluate what a client asked."""
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        if asked.predicate is None and not asked.sort:
            raise
        raise TooCostly(
            "过滤或排序耗时过长，请缩小范围或减少条件 (this filter or order takes too long: narrow it)",
            seconds=STATEMENT_TIMEOUT_S,
        ) from error
    except (psycopg.DataError, psycopg.errors.InternalError_) as error:
        if asked.predicate is not None:
            raise InvalidInput(
                "过滤条件对某些要素无法计算 (the filter cannot be evaluated for some feature)", field="filter"
            ) from error
        if not asked.crs.geographic or asked.plane is not None:
            raise InvalidInput(
                "某些要素距该坐标系的适用范围太远 (some feature lies too far outside the area of this CRS)",
                field="crs",
            ) from error
        raise


async def enter(
    connection: psycopg.AsyncConnection[Any], viewer: Viewer, timeout_s: int | None = None
) -> None:
    """Bind this transaction to the viewer's scope, and to a time for each statement."""
    basin = "" if viewer.basin is None else str(viewer.basin)
    timeout = f"{timeout_s or STATEMENT_TIMEOUT_S}s"
    await connection.execute(ENTER, (str(viewer.lo), str(viewer.hi), basin, timeout))


async def _whole(
    connection: psycopg.AsyncConnection[Any], page: Statement, limit: int
) -> tuple[str, int, str | None]:
    """The features, how many they are, and the cursor of the last if more follow."""
    statement = query.joined(page, limit)
    # The plan depends on the box, so nothing is prepared.
    cursor = await connection.execute(statement.sql.encode(), statement.values, prepare=False)
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - an aggregate is one row
    features, returned, last, keys, more = row
    return features or "", returned, cursor_of(last, keys) if more else None


async def _chunks(
    connection: psycopg.AsyncConnection[Any], page: Statement, limit: int
) -> tuple[str, int, str | None]:
    """The same, read by a cursor until they would be too many bytes for a page."""
    rows: list[tuple[int, str, str | None]] = []
    size = 0
    async with connection.cursor("page") as cursor:
        await cursor.execute(page.sql.encode(), page.values)
        while size <= PAGE_BYTES and (chunk := await cursor.fetchmany(CHUNK)):
            for row in chunk:
                rows.append(row)
                size += len(row[1])
                if size > PAGE_BYTES:
                    break
    more = size > PAGE_BYTES or len(rows) > limit
    rows = rows[:limit]
    after = cursor_of(rows[-1][0], rows[-1][2]) if more else None
    return query.SEPARATOR.join(row[1] for row in rows), len(rows), after


async def _extent(connection: psycopg.AsyncConnection[Any], layer: Layer, viewer: Viewer) -> Extent:
    box = await extent.bounds(connection, layer, viewer.audience)
    statement = query.times(layer, viewer.audience)
    if box is None or statement is None:
        return Extent(box, None)
    cursor = await connection.execute(statement.sql.encode())
    row = await cursor.fetchone()
    return Extent(box, (row[0], row[1]) if row and row[0] is not None else None)
