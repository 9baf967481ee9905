"""Blocks: the points of a small tile of one county and basin as one row, each column packed as tiles want it sent.

A tile then reads some rows instead of some thousand, and row-level security is asked once a block. A block holds
what the map table holds, except where a change waits to be folded (`tiles.fold`): such a block is read from the
map table, in the same statement, so what a tile shows is exact at any moment.
"""

import itertools
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import psycopg

from layers.derive.columns import quote
from layers.model import Layer
from tiles import arrays
from tiles.address import Address
from tiles.columns import columns
from tiles.facets import facets
from tiles.keys import BITS, point_range
from tiles.source import Conditions, Statement

DEPTH = 14
"""Level of the tiles that are blocks: the densest hold a thousand points, and none is split for most of its use."""
SHIFT = 2 * (BITS - DEPTH)
AT_ONCE = 200_000
"""Points whose blocks are written by one statement, which sorts them in memory."""
READ = (Path(__file__).parent / "sql" / "blocks.sql").read_text("utf-8")


@cache
def stored(layer: Layer) -> dict[str, tuple[str, str]]:
    """Columns by name: how one is made of points `p`, and how several are put together."""
    kept = columns(layer)
    fixed = {"ids": ("p.id", "i8"), "keys": ("p.key", "i8"), "classes": ("p.class", "i4"), "counties": ("p.county_code", "i4")}  # fmt: skip
    fixed |= {name: (f"p.{quote(name)}", "f4") for name in kept.numbers}
    made = {name: (arrays.numbers_sql(*one), _joined(name, "")) for name, one in fixed.items()}
    between = f"\\x{'00' * arrays.GAP}"
    return made | {name: (arrays.texts_sql(f"p.{quote(name)}"), _joined(name, between)) for name in kept.texts}  # fmt: skip


def _joined(name: str, between: str) -> str:
    return f"string_agg(q.{quote(name)}, '{between}')"


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────


def answer(layer: Layer, names: tuple[str, ...], where: Conditions) -> bool:
    """Do blocks hold all that is asked? Conditions are asked of points."""
    asked = where.by_class or where.by_county or where.by_point
    return not asked and {*names} <= {*stored(layer), *(one.name for one in facets(layer)), "county_code"}


def read(layer: Layer, names: tuple[str, ...], tile: Address) -> Statement:
    """The points of a Mercator tile, as `source.points` gives them; of one smaller than a block, of the whole block."""
    up = max(0, tile.z - DEPTH)
    low, high = point_range(Address(tile.z - up, tile.x >> up, tile.y >> up))
    sql = _read(layer, names)
    return Statement(
        sql, {"low": low, "high": high, "first": low >> SHIFT, "end": high >> SHIFT}, planned_once=True
    )


@lru_cache(maxsize=512)
def _read(layer: Layer, names: tuple[str, ...]) -> str:
    assert layer.points is not None  # noqa: S101 - asked of big point layers
    p, told = layer.points, stored(layer)
    faceted = {one.name for one in facets(layer)}
    own = [
        "counties" if name == "county_code" else name for name in names if name not in (*faceted, p.summed)
    ]
    asked = ["ids", "keys", "classes", *([p.summed] if p.summed else []), *own]
    return READ.format(
        points=quote(p.table),
        blocks=quote(p.blocks),
        deltas=quote(p.deltas),
        shift=SHIFT,
        names=", ".join(f"b.{quote(name)}" for name in asked),
        made=", ".join(f"{told[name][0]} as {quote(name)}" for name in asked),
        sent=", ".join(told[name][1] for name in asked),
    )


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────


def _write(layer: Layer, source: str) -> str:
    """Writes the blocks of points; `source` follows `from … p`."""
    assert layer.points is not None  # noqa: S101
    told = stored(layer)
    return (
        f"insert into {quote(layer.points.blocks)} (block, county_code, basin_id, {', '.join(map(quote, told))}) "
        f"select p.block, p.county_code, p.basin_id, {', '.join(made for made, _ in told.values())} "
        f"from (select p.key >> {SHIFT} as block, p.* from {source} order by 1, p.county_code, p.basin_id, p.key, p.id) p "
        "group by p.block, p.county_code, p.basin_id"
    )


def in_parts(layer: Layer, keys: Any, where: str) -> Iterator[str]:
    """The points with these keys, which are in order, for which `where` holds: so many at once as can be sorted in
    memory, each part whole blocks, to follow `from`."""
    assert layer.points is not None  # noqa: S101
    edges = [0, *(int(key) >> SHIFT << SHIFT for key in keys[AT_ONCE::AT_ONCE]), 1 << 2 * BITS]
    among = f"{where} and" if where else "where"
    for low, high in itertools.pairwise(edges):
        if low < high:
            yield f"(select * from {quote(layer.points.table)} {among} key >= {low} and key < {high}) p"


def of_blocks(layer: Layer, keys: Any) -> tuple[list[int], str]:
    """The blocks of these positions, and their points, to follow `from`; the blocks are its parameter."""
    assert layer.points is not None  # noqa: S101
    # Apart from the list, so that each block is one range of the index: joined, all points would be looked through.
    source = (
        "unnest(%s::bigint[]) u(block) cross join lateral "
        f"(select * from {quote(layer.points.table)} t where t.key >= u.block << {SHIFT} "
        f"and t.key < (u.block + 1) << {SHIFT} offset 0) p"
    )
    return sorted({int(key) >> SHIFT for key in keys.tolist()}), source


def write(connection: psycopg.Connection[Any], layer: Layer, keys: Any, where: str) -> None:
    """Write the blocks of the points with these keys, which are in order, and for which `where` holds."""
    for source in in_parts(layer, keys, where):
        connection.execute(_write(layer, source).encode())


def renew(connection: psycopg.Connection[Any], layer: Layer, keys: Any) -> None:
    """Write the blocks of these positions anew."""
    assert layer.points is not None  # noqa: S101
    blocks, source = of_blocks(layer, keys)
    connection.execute(f"delete from {quote(layer.points.blocks)} where block = any(%s)".encode(), (blocks,))
    connection.execute(_write(layer, source).encode(), (blocks,))
