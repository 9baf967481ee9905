"""The query plans behind the figures: ours as the map role in a national scope, the peer's own statement beside."""

import sys
from typing import Any

import psycopg

from benchmarks.tiles.making import SAME_FIELDS
from layers import catalog
from tiles import points
from tiles.address import Address
from tiles.ask import fields_of
from tiles.options import DEFAULT, TileOptions
from tiles.source import cells, conditions


def tell(connection: psycopg.Connection[Any], tiles: dict[int, tuple[Address, int]]) -> None:
    """Print them to standard error, densest tile by densest tile."""
    layer = catalog.load()["intakes"]
    for z in (4, 6, 9, 10, 12, 14):
        tile, count = tiles[z]
        if z <= 9:
            statement = cells(layer, tile, conditions(layer, DEFAULT))
        else:
            asked = points.request(
                layer, "officer", tile, TileOptions(fields=fields_of(layer, "officer", SAME_FIELDS)), 12
            )
            statement = points.statement(asked, tile)
        rows = connection.execute(
            f"explain (analyze, buffers, costs off) {statement.sql}".encode(), statement.values
        ).fetchall()
        print(
            f"\nz{z} {tile.x}/{tile.y}, {count:,} intakes",
            *(row[0] for row in rows),
            sep="\n",
            file=sys.stderr,
        )
