"""A tile out of PostGIS, as the map reader in the viewer's scope."""

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from layers.model import Layer
from tiles import source
from tiles.address import Address, Viewer
from tiles.source import Statement

Pool = AsyncConnectionPool[AsyncConnection[Any]]
SCOPE = (
    "select set_config('app.scope_lo', %s, true), set_config('app.scope_hi', %s, true), "
    "set_config('app.scope_basin', %s, true)"
)


async def enter_scope(connection: AsyncConnection[Any], viewer: Viewer) -> None:
    """Bind this transaction to the viewer's scope; row-level security does the rest."""
    basin = "" if viewer.basin is None else str(viewer.basin)
    await connection.execute(SCOPE, (str(viewer.lo), str(viewer.hi), basin))


async def _one(connection: AsyncConnection[Any], statement: Statement) -> Any:
    # Identifiers come from the declaration, quoted in layers.derive.columns; values are parameters.
    cursor = await connection.execute(statement.sql.encode(), statement.values, binary=True)
    row = await cursor.fetchone()
    return row[0] if row else None


async def tile(pool: Pool, layer: Layer, viewer: Viewer, address: Address, *, hidden_bits: int) -> bytes:
    """MVT bytes of one tile of one layer; empty if nothing lies in it.

    Raises psycopg.OperationalError if the database cannot be reached.
    """
    async with pool.connection() as connection, connection.transaction():
        await enter_scope(connection, viewer)
        if layer.points is None:
            found = await _one(connection, source.features(layer, viewer.audience, address))
        elif address.z <= layer.points.cells_to_zoom and (
            await _one(connection, source.count_in(layer, address)) > layer.points.max_points
        ):
            found = await _one(connection, source.cells(layer, address))
        else:
            found = await _one(connection, source.points(layer, viewer.audience, address, hidden_bits))
        return bytes(found or b"")


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
