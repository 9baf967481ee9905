"""Whole collections as files: streamed out of one COPY, with a bounded part of it in memory.

A download has a connection of its own, so that slow clients take none of those that tiles and pages share;
there are few at a time, and each ends after an hour at the latest.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

import psycopg
from starlette.concurrency import run_in_threadpool

from app.errors import NotReady
from app.ogc import query as statements
from app.ogc.asking import ItemsQuery
from app.ogc.query import Statement
from app.ogc.sorting import cursor as cursor_of
from app.ogc.store import enter, evaluating
from layers.model import Layer
from tiles.address import Viewer
from tiles.postgis import Pool

if TYPE_CHECKING:
    from app.ogc import tables

BLOCK_ROWS = 20_000
BLOCK_BYTES = 8 * 2**20
AT_ONCE = 2
"""Downloads of one process; the next ones are told to come back."""
LONGEST_S = 3_600


class Downloads:
    """The downloads of this process."""

    def __init__(self, pool: Pool, dsn: str, hidden_bits: int) -> None:
        self._pool, self._dsn, self._hidden_bits = pool, dsn, hidden_bits
        self._running = 0

    async def page(
        self, media: str, layer: Layer, viewer: Viewer, asked: ItemsQuery
    ) -> tuple[bytes, str | None]:
        """A page as a file, and the cursor of its last feature if more follow."""
        parts = []
        with evaluating(asked):
            async with self._pool.connection() as connection, connection.transaction():
                await enter(connection, viewer)
                after = await self._edge(connection, layer, viewer, asked)
                async for part in self._parts(connection, media, layer, viewer, asked):
                    parts.append(part)
        return b"".join(parts), after

    async def begin(
        self, media: str, layer: Layer, viewer: Viewer, asked: ItemsQuery
    ) -> tuple[AsyncIterator[bytes], str | None]:
        """A file in parts, and the cursor of its last feature if the limit cuts it.

        Raises NotReady if there are too many downloads already.
        """
        stream = self._download(media, layer, viewer, asked)
        # Begun before it is handed out, so that it ends properly even if nobody reads it.
        after = await anext(stream)
        return stream, after

    async def _download(
        self, media: str, layer: Layer, viewer: Viewer, asked: ItemsQuery
    ) -> AsyncGenerator[Any, None]:
        """First the cursor, then the parts."""
        if self._running >= AT_ONCE:
            raise NotReady("同时下载过多，请稍后再试 (too many downloads at the moment: try again later)")
        self._running += 1
        try:
            async with await psycopg.AsyncConnection.connect(self._dsn) as connection:
                # One snapshot for all of it: the features, and where they end.
                await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
                await enter(connection, viewer, LONGEST_S)
                with evaluating(asked):
                    after = await self._edge(connection, layer, viewer, asked)
                yield after
                async for part in self._parts(connection, media, layer, viewer, asked):
                    yield part
        finally:
            self._running -= 1

    async def _parts(
        self,
        connection: psycopg.AsyncConnection[Any],
        media: str,
        layer: Layer,
        viewer: Viewer,
        asked: ItemsQuery,
    ) -> AsyncIterator[bytes]:
        made, select = await run_in_threadpool(_writing, media, layer, viewer, asked)
        statement = statements.rows(layer, viewer.audience, asked, self._hidden_bits, select)
        yield made.head()
        async for rows in _blocks(connection, statement):
            yield await run_in_threadpool(made.block, rows)
        yield made.tail()

    async def _edge(
        self, connection: psycopg.AsyncConnection[Any], layer: Layer, viewer: Viewer, asked: ItemsQuery
    ) -> str | None:
        statement = statements.edge(layer, viewer.audience, asked, self._hidden_bits)
        cursor = await connection.execute(statement.sql.encode(), statement.values, prepare=False)
        found = await cursor.fetchall()
        return cursor_of(*found[0]) if len(found) == 2 else None


def _writing(media: str, layer: Layer, viewer: Viewer, asked: ItemsQuery) -> tuple["tables.Encoder", str]:
    """What writes the file, and the columns that it wants. Beside the event loop: the first download loads Arrow
    and GDAL, which takes a second."""
    from app.ogc import tables

    return tables.encoder(media, layer, viewer.audience, asked), tables.select(
        media, layer, viewer.audience, asked
    )


async def _blocks(connection: psycopg.AsyncConnection[Any], statement: Statement) -> AsyncIterator[bytes]:
    """CSV rows, whole ones, a block at a time."""
    sql = psycopg.AsyncClientCursor(connection).mogrify(statement.sql.encode(), statement.values)
    parts: list[bytes] = []
    size = 0
    async with (
        connection.cursor() as cursor,
        cursor.copy(f"copy ({sql}) to stdout (format csv)".encode()) as copy,
    ):
        async for row in copy:
            parts.append(bytes(row))
            size += len(row)
            if len(parts) >= BLOCK_ROWS or size >= BLOCK_BYTES:
                yield b"".join(parts)
                parts, size = [], 0
                # A fast copy never waits: let others have their turn.
                await asyncio.sleep(0)
    if parts:
        yield b"".join(parts)
