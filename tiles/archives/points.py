"""Parts of a big point layer: the tiles that the service itself would answer, made in bulk.

Up to the last zoom of cells each tile is made like any other. Below, one pass over the map table makes all tiles of
a zoom; only those too heavy to be sent are made singly, and so summarised (docs/adr/0027).
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from layers.derive.columns import quote, relation, tile_columns
from layers.model import Layer
from tiles import keys, postgis
from tiles.address import Address, Viewer
from tiles.archives.part import PartReader, PartWriter, compressed
from tiles.columns import holds, value_sql
from tiles.facets import literal
from tiles.source import SQL

Share = Callable[[float], None]
AT_ONCE = 500
"""Rows fetched at a time: tiles are small, and a heavy one is half a megabyte."""
TOGETHER = 8
"""Tiles asked for at once: the pool has fewer connections, and none of them should wait."""
ALIAS = "v"


async def write(
    pool: postgis.Pool, layer: Layer, viewer: Viewer, z: int, above: Path | None, target: Path, hidden_bits: int, share: Share
) -> None:  # fmt: skip
    """All tiles of one zoom. `above` is the part of the zoom before, if there is one: below its gaps there is nothing.

    Raises psycopg.OperationalError if the database cannot be reached.
    """
    assert layer.points is not None  # noqa: S101 - asked of big point layers
    with PartWriter(target) as part:
        if z <= layer.points.cells_to_zoom:
            await _singly(pool, layer, viewer, _below(above, z), part, hidden_bits, share)
        else:
            await _in_bulk(pool, layer, viewer, z, part, hidden_bits, share)


def _below(above: Path | None, z: int) -> list[Address]:
    if above is None:
        return [Address(z, x, y) for x in range(1 << z) for y in range(1 << z)]
    with PartReader(above) as part:
        return [
            Address(z, 2 * a.x + i, 2 * a.y + j) for a in part.addresses() for i in range(2) for j in range(2)
        ]


async def _singly(
    pool: postgis.Pool, layer: Layer, viewer: Viewer, todo: Iterable[Address], part: PartWriter, hidden_bits: int, share: Share
) -> None:  # fmt: skip
    addresses = list(todo)
    for start in range(0, len(addresses), TOGETHER):
        batch = addresses[start : start + TOGETHER]
        found = await asyncio.gather(
            *(postgis.make(pool, layer, viewer, address, hidden_bits=hidden_bits) for address in batch)
        )
        for address, made in zip(batch, found, strict=True):
            if made.plain:
                part.add(address, compressed(made.plain))
        share((start + len(batch)) / len(addresses))


async def _in_bulk(
    pool: postgis.Pool, layer: Layer, viewer: Viewer, z: int, part: PartWriter, hidden_bits: int, share: Share
) -> None:  # fmt: skip
    heavy = []
    async with pool.connection() as connection, connection.transaction():
        await postgis.enter_scope(connection, viewer)
        total, done = await _count(connection, layer), 0
        async with connection.cursor("tiles", binary=True) as cursor:
            cursor.itersize = AT_ONCE
            await cursor.execute(_statement(layer, viewer, z, hidden_bits).encode())
            while rows := await cursor.fetchmany(AT_ONCE):
                # Beside the event loop: the database makes the next tiles meanwhile.
                bodies = await asyncio.to_thread(_compress, [row[2] for row in rows])
                for (tile, count, _), body in zip(rows, bodies, strict=True):
                    done += count
                    address = _address(z, tile)
                    if len(body) > postgis.LIMIT_BYTES:
                        heavy.append(address)
                    else:
                        part.add(address, body)
                share(min(1.0, done / total))
    for address in heavy:
        made = await postgis.make(pool, layer, viewer, address, hidden_bits=hidden_bits)
        part.add(address, compressed(made.plain))


def _address(z: int, key: int) -> Address:
    """The tile that a Morton key names."""
    x = sum((key >> 2 * i & 1) << i for i in range(z))
    y = sum((key >> 2 * i + 1 & 1) << i for i in range(z))
    return Address(z, x, y)


def _compress(bodies: list[Any]) -> list[bytes]:
    return [compressed(bytes(body)) for body in bodies]


async def _count(connection: AsyncConnection[Any], layer: Layer) -> int:
    assert layer.points is not None  # noqa: S101
    cursor = await connection.execute(f"select count(*) from {quote(layer.points.table)}".encode())
    row = await cursor.fetchone()
    return max(1, row[0]) if row else 1


def _statement(layer: Layer, viewer: Viewer, z: int, hidden_bits: int) -> str:
    assert layer.points is not None  # noqa: S101
    names = tile_columns(layer, viewer.audience)
    mine = {name for name in names if holds(layer, frozenset({name}))}
    fields = [value_sql(layer, name, "p") if name in mine else f"{ALIAS}.{quote(name)}" for name in names]
    join = ""
    if len(mine) < len(names):
        join = f"join {relation(layer, viewer.audience)} {ALIAS} on {ALIAS}.{quote(layer.source.id)} = p.id"
    return (SQL / "points_by_tile.sql").read_text("utf-8").format(
        shift=2 * (keys.BITS - z),
        down=keys.BITS - 12 - z,
        bits=hidden_bits if viewer.audience == "public" else 0,
        fields="".join(f", {sql} as {quote(name)}" for sql, name in zip(fields, names, strict=True)),
        table=quote(layer.points.table),
        join=join,
        layer=literal(layer.id),
    )  # fmt: skip
