"""Collections and items out of PostGIS, as the map reader in the viewer's scope."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
import psycopg

from app.errors import InvalidInput, TooCostly
from app.ogc import keyed, query, sheeted
from app.ogc.asking import ItemsQuery
from app.ogc.forms import Form, form_of
from app.ogc.query import Statement
from app.ogc.sorting import Position
from app.ogc.sorting import cursor as cursor_of
from layers.model import Layer
from tiles import extent, source
from tiles.address import Address, Viewer
from tiles.postgis import Pool

PAGE_BYTES = 16 * 2**20
"""A page ends here at the latest: then it has fewer features than the limit, and a `next` link."""
FEATURE_BYTES = 200
"""Of a feature beside its geometry, or more."""
CHUNK = 200
STATEMENT_TIMEOUT_S = 20
COUNT_TIMEOUT_MS = 500
"""What a count of filtered features may cost; beyond that the page does not say how many there are."""
EXTENT_KEPT_S = 600
LAST_ID = 2**45
"""No register has so many entries."""


ENTER = (
    "select set_config('app.scope_lo', %s, true), set_config('app.scope_hi', %s, true), "
    "set_config('app.scope_basin', %s, true), set_config('statement_timeout', %s, true), "
    # A page is a few thousand rows at most: workers would take longer to start than to read them.
    "set_config('max_parallel_workers_per_gather', '0', true), pg_current_snapshot()::text"
)


@dataclass(frozen=True, slots=True)
class Page:
    """Features in their order."""

    features: list[dict[str, Any]]
    """For orjson, with geometries that may be JSON text already."""
    after: str | None
    """Cursor of the last feature, if more follow."""
    matched: int | None
    """How many features match in all, where that is cheap to say."""
    snapshot: str = ""
    """One from before it was read: whatever that did not see may be missing."""
    text: bytes | None = None
    """The array of features as JSON, where it was written at once; then `features` is empty."""
    number: int | None = None
    """How many features the text has."""

    @property
    def returned(self) -> int:
        return len(self.features) if self.number is None else self.number


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

    async def page(
        self, layer: Layer, viewer: Viewer, asked: ItemsQuery, form: str = "json", *, written: bool = False
    ) -> Page:
        """`written`: GeoJSON may come as text already.

        Raises InvalidInput if the filter or the CRS cannot be evaluated for some feature, TooCostly if it takes
        too long, psycopg.OperationalError if the database cannot be reached.
        """
        with evaluating(asked):
            async with self.pool.connection() as connection:
                # Points are small: they come in one go. Polygons are not: they come until the page is big enough.
                small = layer.source.kind == "point"
                if keyed.applies(layer, viewer, asked):
                    found = await self._by_sheets(connection, layer, viewer, asked, form, written=written)
                    if found is None:
                        found = await self._by_key(connection, layer, viewer, asked, form)
                    if found is not None:
                        return found
                made = form_of(layer, viewer.audience, asked, form)
                rows, snapshot = await self._rows(connection, layer, viewer, asked, made)
                more = len(rows) > asked.limit or (not small and _size(rows) > PAGE_BYTES)
                rows = rows[: asked.limit]
                after = cursor_of(rows[-1][0], rows[-1][1] if asked.sort else None) if more else None
                if asked.after is not None:
                    return Page(made.make(rows), after, None, snapshot)
                if not more and (rows or not asked.offset):
                    return Page(made.make(rows), after, asked.offset + len(rows), snapshot)
                if rows and query.counts(asked):
                    return Page(made.make(rows), after, rows[0][1], snapshot)
                counting = self._count(connection, layer, viewer, asked)
                return await _while_counting(counting, made, rows, after, snapshot)

    async def _by_sheets(
        self,
        connection: psycopg.AsyncConnection[Any],
        layer: Layer,
        viewer: Viewer,
        asked: ItemsQuery,
        form: str,
        *,
        written: bool,
    ) -> Page | None:
        """The same page as `_by_key`, by fewer rows; None if it must be read there."""
        audience = viewer.audience
        if not sheeted.applies(layer, audience, asked):
            return None
        read, snapshot = await together(
            connection, viewer, sheeted.statement(layer, audience, asked), prepare=True
        )
        found = sheeted.found(layer, audience, asked, read[0])
        if found is None:
            return None
        text = found.json() if written else None
        rows = found.rows() if text is None else []
        if rows is None:
            return None
        matched = found.matched
        if matched is None and asked.after is None:
            counting = keyed.count(layer, viewer, asked)
            matched = await self._counted(connection, viewer, counting, prepare=True)
        elif matched is not None and matched > query.COUNT_LIMIT:
            matched = None
        after = None if found.after is None else found.after.text
        if text is not None:
            return Page([], after, matched, snapshot, text, len(found.at))
        return Page(form_of(layer, audience, asked, form).make(rows), after, matched, snapshot)

    async def _by_key(
        self,
        connection: psycopg.AsyncConnection[Any],
        layer: Layer,
        viewer: Viewer,
        asked: ItemsQuery,
        form: str,
    ) -> Page | None:
        """A page in the order of the map table's keys; None if that has no first one: then it may not be written yet."""
        made = form_of(layer, viewer.audience, asked, form)
        read, snapshot = await together(
            connection, viewer, keyed.page(layer, viewer, asked, made), prepare=True
        )
        if not read and asked.after is None:
            return None
        more = len(read) > asked.limit
        read = read[: asked.limit]
        after = keyed.position(read[-1]).text if more else None
        rows = keyed.inside(read)
        if asked.after is not None:
            return Page(made.make(rows), after, None, snapshot)
        if not more and not asked.offset:
            return Page(made.make(rows), after, len(rows), snapshot)
        statement = keyed.count(layer, viewer, asked)
        counting = self._counted(connection, viewer, statement, prepare=True)
        return await _while_counting(counting, made, rows, after, snapshot)

    async def _rows(
        self,
        connection: psycopg.AsyncConnection[Any],
        layer: Layer,
        viewer: Viewer,
        asked: ItemsQuery,
        form: Form,
    ) -> tuple[list[tuple[Any, ...]], str]:
        """The rows of a page, and a snapshot from before."""

        def statement(of: ItemsQuery) -> Statement:
            return query.page(layer, viewer.audience, of, self.hidden_bits, form)

        if asked.past is None or asked.boxes is not None or asked.sort or asked.offset:
            read = together if layer.source.kind == "point" else _chunks
            return await read(connection, viewer, statement(asked))
        # The past of a whole register is not in the order of its ids: it is looked up a stretch of ids at a time.
        rows: list[tuple[Any, ...]] = []
        low, width = asked.after.identifier if asked.after else 0, 4 * max(asked.limit, 250)
        while len(rows) <= asked.limit and low < LAST_ID:
            part = replace(asked, after=Position(low), upto=low + width, limit=asked.limit - len(rows))
            rows += (await together(connection, viewer, statement(part)))[0]
            low, width = low + width, 4 * width
        return rows, ""

    async def _count(
        self, connection: psycopg.AsyncConnection[Any], layer: Layer, viewer: Viewer, asked: ItemsQuery
    ) -> int | None:
        """All points of a big layer from its cells; else counted, if it is not too many or too slow."""
        whole = layer.points is not None and not (
            asked.boxes is not None or asked.filters or asked.predicate or asked.period or asked.past
        )
        if whole:
            cells = source.count_in(layer, Address(0, 0, 0))
            rows, _ = await together(connection, viewer, Statement(cells.sql, cells.values))
            return int(rows[0][0])
        statement = query.count(layer, viewer.audience, asked, self.hidden_bits)
        costly = asked.predicate is not None or asked.past is not None
        timeout = f"{COUNT_TIMEOUT_MS}ms" if costly else f"{STATEMENT_TIMEOUT_S}s"
        return await self._counted(connection, viewer, statement, timeout)

    async def _counted(
        self,
        connection: psycopg.AsyncConnection[Any],
        viewer: Viewer,
        statement: Statement,
        timeout: str = "",
        *,
        prepare: bool = False,
    ) -> int | None:
        """None if it takes too long or is too much."""
        try:
            rows, _ = await together(connection, viewer, statement, timeout, prepare=prepare)
        except psycopg.errors.QueryCanceled:
            return None
        return int(rows[0][0]) if rows[0][0] <= query.COUNT_LIMIT else None

    async def feature(
        self, layer: Layer, viewer: Viewer, identifier: int, asked: ItemsQuery, form: str = "json"
    ) -> tuple[bytes, str] | None:
        """The feature as JSON text and the tag of its state; None if there is none that this viewer may see."""
        made = form_of(layer, viewer.audience, asked, form)
        statement = query.one(layer, viewer.audience, identifier, made)
        with evaluating(asked):
            async with self.pool.connection() as connection:
                # Few statements, and each is one look-up: planning it takes longer than all else.
                rows, _ = await together(connection, viewer, statement, prepare=True)
        return (orjson.dumps(made.make(rows)[0]), str(rows[0][1])) if rows else None

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


@contextmanager
def evaluating(asked: ItemsQuery) -> Iterator[None]:
    """Says whose fault it is if PostgreSQL cannot evaluate what a client asked."""
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        if asked.predicate is None and not asked.sort and asked.past is None:
            raise
        raise TooCostly(
            "过滤、排序或历史日期的查询耗时过长，请缩小范围或减少条件 (this filter, order or past day takes too long: narrow it)",
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


async def together(
    connection: psycopg.AsyncConnection[Any],
    viewer: Viewer,
    statement: Statement,
    timeout: str = "",
    *,
    prepare: bool = False,
) -> tuple[list[tuple[Any, ...]], str]:
    """All rows of a statement in the viewer's scope, and a snapshot from before, by one trip to the database: what is
    sent in one pipeline is one transaction, so the scope holds for this statement and nothing else.
    """
    async with connection.pipeline():
        entered = await connection.execute(ENTER, _scope(viewer, timeout or f"{STATEMENT_TIMEOUT_S}s"))
        # Where the plan depends on the box, nothing is prepared.
        cursor = await connection.execute(
            statement.sql.encode(), statement.values, prepare=prepare, binary=True
        )
    return await cursor.fetchall(), str((await entered.fetchone() or ("",))[-1])


async def enter(
    connection: psycopg.AsyncConnection[Any], viewer: Viewer, timeout_s: int | None = None
) -> str:
    """Bind this transaction to the viewer's scope, and to a time for each statement; returns its snapshot."""
    entered = await connection.execute(ENTER, _scope(viewer, f"{timeout_s or STATEMENT_TIMEOUT_S}s"))
    return str((await entered.fetchone() or ("",))[-1])


def _scope(viewer: Viewer, timeout: str) -> tuple[str, ...]:
    basin = "" if viewer.basin is None else str(viewer.basin)
    return str(viewer.lo), str(viewer.hi), basin, timeout


async def _chunks(
    connection: psycopg.AsyncConnection[Any], viewer: Viewer, page: Statement
) -> tuple[list[tuple[Any, ...]], str]:
    """The same, read by a cursor until they would be too many bytes for a page."""
    rows: list[tuple[Any, ...]] = []
    async with connection.transaction():
        snapshot = await enter(connection, viewer)
        size = 0
        async with connection.cursor("page", binary=True) as cursor:
            await cursor.execute(page.sql.encode(), page.values)
            while size <= PAGE_BYTES and (chunk := await cursor.fetchmany(CHUNK)):
                for row in chunk:
                    rows.append(row)
                    size += _size([row])
                    if size > PAGE_BYTES:
                        break
    return rows, snapshot


async def _while_counting(
    counting: Coroutine[Any, Any, int | None],
    form: Form,
    rows: Sequence[tuple[Any, ...]],
    after: str | None,
    snapshot: str,
) -> Page:
    """The page of these rows: the database counts while the features are made here."""
    counted = asyncio.create_task(counting)
    await asyncio.sleep(0)
    features = form.make(rows)
    return Page(features, after, await counted, snapshot)


def _size(rows: list[tuple[Any, ...]]) -> int:
    """About the bytes of their JSON: geometries are text already."""
    return sum(
        FEATURE_BYTES + (len(row[2]) if len(row) > 2 and isinstance(row[2], str) else 0) for row in rows
    )


async def _extent(connection: psycopg.AsyncConnection[Any], layer: Layer, viewer: Viewer) -> Extent:
    box = await extent.bounds(connection, layer, viewer.audience)
    statement = query.times(layer, viewer.audience)
    if box is None or statement is None:
        return Extent(box, None)
    cursor = await connection.execute(statement.sql.encode())
    row = await cursor.fetchone()
    return Extent(box, (row[0], row[1]) if row and row[0] is not None else None)
