"""A tile out of PostGIS, as the map reader in the viewer's scope."""

import asyncio
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from layers.model import Layer
from tiles import points, source
from tiles.address import Address, Viewer
from tiles.options import DEFAULT, BadOption, TileOptions, TooWide
from tiles.packing import packed
from tiles.source import Statement

Pool = AsyncConnectionPool[AsyncConnection[Any]]
SCOPE = (
    "select set_config('app.scope_lo', %s, true), set_config('app.scope_hi', %s, true), "
    "set_config('app.scope_basin', %s, true)"
)
ENTER = (
    SCOPE + ", set_config('statement_timeout', %s, true), set_config('plan_cache_mode', %s, true), "
    "set_config('enable_seqscan', %s, true), pg_current_snapshot()::text"
)
# A plan that is kept must not be one for tables that were still empty.
PLANNED_ONCE, PLANNED_EACH = ("force_generic_plan", "off"), ("auto", "on")
LIMIT_BYTES = 500_000
"""Of a tile as it is sent, compressed: what would be more is summarised."""
EXTENTS = (4096, 2048, 1024, 512, 256)
"""Grids on which lines and polygons are drawn, until they fit."""
TIMEOUT_S = 10
AT_ONCE = 20_000
"""Fewer features are encoded right away, in some milliseconds: to hand them to a thread would cost as much."""


@dataclass(frozen=True, slots=True)
class Made:
    """A tile's bytes, plain and compressed; empty if nothing lies in it."""

    plain: bytes
    zipped: bytes
    snapshot: str = ""
    """One from before it was read: whatever that did not see may be missing."""


async def enter_scope(connection: AsyncConnection[Any], viewer: Viewer) -> None:
    """Bind this transaction to the viewer's scope; row-level security does the rest."""
    basin = "" if viewer.basin is None else str(viewer.basin)
    await connection.execute(SCOPE, (str(viewer.lo), str(viewer.hi), basin))


async def tile(
    pool: Pool, layer: Layer, viewer: Viewer, address: Address, *, hidden_bits: int, options: TileOptions = DEFAULT
) -> bytes:  # fmt: skip
    """MVT bytes of one tile of one layer; empty if nothing lies in it.

    Raises TooWide if a filter cannot be answered exactly for so wide a tile, psycopg.OperationalError if the
    database cannot be reached.
    """
    return (await make(pool, layer, viewer, address, hidden_bits=hidden_bits, options=options)).plain


async def make(
    pool: Pool, layer: Layer, viewer: Viewer, address: Address, *, hidden_bits: int, options: TileOptions = DEFAULT
) -> Made:  # fmt: skip
    """One tile, plain and compressed, held under LIMIT_BYTES by summarising. Raises as `tile`, and BadOption if the
    filter cannot be evaluated for some feature."""
    try:
        if layer.points is None:
            return await _plain(pool, layer, viewer, address, options)
        return await _points(pool, layer, viewer, address, options, hidden_bits)
    except psycopg.errors.QueryCanceled:
        raise TooWide(
            f"该条件在此范围内计算超过 {TIMEOUT_S} 秒，请放大后再试 (this took more than {TIMEOUT_S} s: zoom in)"
        ) from None
    except (psycopg.DataError, psycopg.errors.InternalError_):
        if options.filter is None:
            raise
        raise BadOption(
            "过滤条件对某些要素无法计算 (the filter cannot be evaluated for some feature)"
        ) from None


async def _points(
    pool: Pool, layer: Layer, viewer: Viewer, address: Address, options: TileOptions, hidden_bits: int
) -> Made:
    wanted = points.request(layer, viewer.audience, address, options, hidden_bits)
    async with pool.connection() as connection:
        reader = Reader(connection, viewer)
        parts = await points.read(reader.row, wanted)
    if sum(len(part.x) for part in parts) < AT_ONCE:
        made = _fitting(wanted, parts)
    else:  # beside the event loop, so that tiles from the cache need not wait
        made = await asyncio.to_thread(_fitting, wanted, parts)
    return Made(made.plain, made.zipped, reader.snapshot)


def _fitting(asked: points.Request, parts: list[Any]) -> Made:
    made = zipped(points.encoded(asked, parts))
    if len(made.zipped) > LIMIT_BYTES:
        made = zipped(points.encoded(asked, points.summarised(asked, parts)))
    return made


async def _plain(pool: Pool, layer: Layer, viewer: Viewer, address: Address, options: TileOptions) -> Made:
    made = Made(b"", b"")
    async with pool.connection() as connection:
        reader = Reader(connection, viewer)
        for extent in EXTENTS:
            (found,) = await reader.row(source.features(layer, viewer.audience, address, options, extent))
            made = zipped(bytes(found or b""))
            if len(made.zipped) <= LIMIT_BYTES:
                break
    return Made(made.plain, made.zipped, reader.snapshot)


def zipped(plain: bytes) -> Made:
    return Made(plain, packed(plain))


@dataclass
class Reader:
    """Reads rows in the viewer's scope, each by one trip to the database: what is sent in one pipeline is one
    transaction, so the scope holds for the statement that follows it, and for nothing else."""

    connection: AsyncConnection[Any]
    viewer: Viewer
    snapshot: str = ""
    """One older than all that was read."""

    async def row(self, statement: Statement) -> tuple[Any, ...]:
        """The one row of a statement. Its identifiers come from the declaration; values are parameters."""
        v = self.viewer
        planning = PLANNED_ONCE if statement.planned_once else PLANNED_EACH
        scope = (str(v.lo), str(v.hi), "" if v.basin is None else str(v.basin), f"{TIMEOUT_S}s", *planning)
        async with self.connection.pipeline():
            entered = await self.connection.execute(ENTER, scope, prepare=True)
            cursor = await self.connection.execute(
                statement.sql.encode(), statement.values, prepare=statement.planned_once or None, binary=True
            )
        row: tuple[Any, ...] | None = await cursor.fetchone()
        if not self.snapshot:
            self.snapshot = str((await entered.fetchone() or ("",))[-1])
        assert row is not None  # noqa: S101 - aggregates give one row
        return row


async def _one(connection: AsyncConnection[Any], statement: Statement) -> Any:
    # Identifiers come from the declaration, quoted in layers.derive.columns; values are parameters.
    cursor = await connection.execute(statement.sql.encode(), statement.values, binary=True)
    row = await cursor.fetchone()
    return row[0] if row else None


async def touched(pool: Pool, layer: Layer, viewer: Viewer, address: Address) -> bool:
    """Could a tile below this one hold something, although this one is empty? What is too small to be drawn
    here may be large enough there; points are drawn at every zoom.

    Raises psycopg.OperationalError if the database cannot be reached.
    """
    if layer.points is not None:
        return False
    async with pool.connection() as connection, connection.transaction():
        await enter_scope(connection, viewer)
        return bool(await _one(connection, source.touches(layer, viewer.audience, address)))
