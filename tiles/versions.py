"""What changed on the map, and since when: read from the table `map.touched`, never by "id > last".

A process keeps the snapshot of its last reading. New is what is visible now and was not then: rows of
transactions that began later, or were under way. That holds however long some transaction stays open, and
costs no more than what is new. A notification only wakes the reading.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from tiles.address import PUBLIC, Viewer
from tiles.postgis import Pool, enter_scope

POLL_S = 5.0
"""How long a lost notification can go unnoticed."""
GATHER_S = 0.03
"""Notifications within this time are answered by one reading."""
AGAIN_S = 0.02
"""Whoever asks for later versions has the table read no more often than that."""
WORLD = (0, 0, 2**31 - 1, 2**31 - 1)


@dataclass(frozen=True, slots=True)
class Touch:
    """A part of a layer changed: a box of world units, both ends within; where nothing is said, all of it."""

    layer: str
    county: int
    basin: int
    box: tuple[int, int, int, int]

    @property
    def is_point(self) -> bool:
        return self.box[0] == self.box[2] and self.box[1] == self.box[3]

    def concerns(self, viewer: Viewer) -> bool:
        """Does it lie in the viewer's scope? What lies in no county concerns all."""
        inside = viewer.lo <= self.county < viewer.hi or (
            viewer.basin is not None and viewer.basin == self.basin
        )
        return inside or self.county == 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a transaction saw: all below `xmax` but those under way."""

    xmax: int
    under_way: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Snapshot":
        """Of PostgreSQL's form `xmin:xmax:xip,xip`."""
        _, xmax, under_way = text.split(":")
        return cls(int(xmax), tuple(int(one) for one in under_way.split(",") if one))

    @property
    def values(self) -> dict[str, Any]:
        """Parameters of LATER."""
        return {"xmax": str(self.xmax), "under_way": [str(one) for one in self.under_way]}


LATER = "(xid >= %(xmax)s::xid8 or xid = any(%(under_way)s::xid8[]))"
"""True of rows that a snapshot did not see; an index condition."""
READ = f"""
select pg_current_snapshot()::text, null, null, null, null, null, null, null union all
select null, layer, county_code, basin_id, x0, y0, x1, y1 from map.touched where {LATER}"""
FIRST = """
select pg_current_snapshot()::text, null, null union all
select null, layer, count(*) from map.touched group by layer union all
select null, layer, n from map.touched_before"""

Listener = Callable[[Sequence[Touch]], None]


class Versions:
    """Versions of the layers: how many changes each has seen, the same number in every process."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        self._pool, self._dsn = pool, dsn
        self._counts: dict[str, int] = {}
        self._snapshot: Snapshot | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._listeners: list[Listener] = []
        self._reading = asyncio.Lock()
        self._read_at = 0.0

    @property
    def stopped(self) -> bool:
        return self._stopping.is_set()

    async def until_stopped(self) -> None:
        await self._stopping.wait()

    def of(self, layer: str) -> int:
        """The version of a layer."""
        return self._counts.get(layer, 0)

    def listen(self, told: Listener) -> Callable[[], None]:
        """Call `told` with what changed, right after each reading; returns what ends it."""
        self._listeners.append(told)
        return lambda: self._listeners.remove(told)

    async def at_least(self, layer: str, version: int) -> None:
        """Read what is new if somebody has heard of a later version, from another process."""
        if version > self.of(layer) and time.monotonic() - self._read_at > AGAIN_S:
            await self.refresh()

    async def refresh(self) -> None:
        """Read what is new, and tell it."""
        async with self._reading:
            self._read_at = time.monotonic()
            async with self._pool.connection() as connection, connection.transaction():
                await enter_scope(connection, PUBLIC)
                if self._snapshot is None:
                    rows = await (await connection.execute(FIRST)).fetchall()
                else:
                    # The values change with each reading, and with them the best plan.
                    cursor = await connection.execute(READ, self._snapshot.values, prepare=False)
                    rows = await cursor.fetchall()
            first = self._snapshot is None
            self._snapshot = Snapshot.parse(rows[0][0])
            if first:
                for _, layer, count in rows[1:]:
                    self._counts[layer] = self._counts.get(layer, 0) + count
                return
            touches = [_touch(row[1:]) for row in rows[1:]]
            for touch in touches:
                self._counts[touch.layer] = self._counts.get(touch.layer, 0) + 1
        if touches:
            for told in tuple(self._listeners):
                told(touches)

    async def start(self) -> None:
        await self.refresh()
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        self._stopping.set()
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        # Asked each time: a cancellation can get lost where a wait ends at the same moment (asyncio.wait_for before 3.12).
        while not self.stopped:
            try:
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    await connection.execute("listen shuitu_changes")
                    while not self.stopped:
                        # First read, then wait: what was told before this connection listened is not told again.
                        await self.refresh()
                        await _woken(connection)
            except psycopg.Error:
                # The database went away: what is kept stays, and the next connection reads what is new.
                await asyncio.sleep(1)


async def _woken(connection: psycopg.AsyncConnection[Any]) -> None:
    async for _ in connection.notifies(timeout=POLL_S, stop_after=1):
        await asyncio.sleep(GATHER_S)
    async for _ in connection.notifies(timeout=0):
        pass


def _touch(row: Sequence[Any]) -> Touch:
    layer, county, basin, *box = row
    return Touch(layer, county, basin, WORLD if box[0] is None else tuple(box))
