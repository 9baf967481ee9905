"""Encoded tiles in memory, and the versions that make them stale.

A version is the number of changes to a layer that this process has seen committed. It is read from
the change log; a notification only wakes the reading.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import psycopg

from tiles.address import PUBLIC
from tiles.postgis import Pool, enter_scope

POLL_S = 5.0
"""How long a lost notification can go unnoticed."""


@dataclass(frozen=True, slots=True)
class Body:
    """A tile as it is sent: plain and compressed, with the tag of its content."""

    plain: bytes
    zipped: bytes
    etag: str


class Lru:
    """The least recently used bodies make room when the bytes exceed the limit."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit, self._size = limit_bytes, 0
        self._bodies: OrderedDict[Hashable, Body] = OrderedDict()

    def get(self, key: Hashable) -> Body | None:
        body = self._bodies.get(key)
        if body is not None:
            self._bodies.move_to_end(key)
        return body

    def put(self, key: Hashable, body: Body) -> None:
        if key in self._bodies:
            return
        self._bodies[key] = body
        self._size += len(body.plain) + len(body.zipped) + 200
        while self._size > self._limit and self._bodies:
            _, old = self._bodies.popitem(last=False)
            self._size -= len(old.plain) + len(old.zipped) + 200


class Versions:
    """Counts the committed changes of each layer since this process started."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        self._pool, self._dsn = pool, dsn
        self._counts: dict[str, int] = {}
        self._horizon: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()
        self.stopped = False

    def all(self) -> dict[str, int]:
        """The changes counted so far, by layer."""
        return dict(self._counts)

    async def changed_since(self, known: dict[str, int]) -> None:
        """Return once the counts differ from these, or the process stops."""
        async with self._news:
            await self._news.wait_for(lambda: self.stopped or self._counts != known)

    def of(self, layer: str) -> int:
        """The version of a layer; every layer that regions or permits feed counts their changes too."""
        return (
            sum(self._counts.values()) if layer in ("indicators", "permits") else self._counts.get(layer, 0)
        )

    async def refresh(self) -> None:
        """Read the counts anew. Changes are told by transaction id, never by "id > last": ids commit
        out of order, but a transaction below the first horizon was settled when we started."""
        async with self._pool.connection() as connection, connection.transaction():
            await enter_scope(connection, PUBLIC)
            if self._horizon is None:
                row = await (
                    await connection.execute("select pg_snapshot_xmin(pg_current_snapshot())::text")
                ).fetchone()
                self._horizon = str(row[0]) if row else "0"
            cursor = await connection.execute(
                "select layer, count(*) from map.change_log where xid >= %s::xid8 group by layer",
                (self._horizon,),
            )
            counts = {str(layer): int(count) for layer, count in await cursor.fetchall()}
        async with self._news:
            self._counts = counts
            self._news.notify_all()

    async def start(self) -> None:
        await self.refresh()
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        async with self._news:
            self.stopped = True
            self._news.notify_all()
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    await connection.execute("listen shuitu_changes")
                    while True:
                        await _woken(connection)
                        await self.refresh()
            except psycopg.Error:
                # The database went away: the counts stay, and the next connection reads them anew.
                await asyncio.sleep(1)


async def _woken(connection: psycopg.AsyncConnection[Any]) -> None:
    async for _ in connection.notifies(timeout=POLL_S, stop_after=1):
        pass
