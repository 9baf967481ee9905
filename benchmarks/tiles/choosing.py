"""Which tiles are asked for: the densest of each zoom, and many, drawn by where intakes are."""

from typing import Any

import numpy as np
import psycopg

from tiles.address import Address
from tiles.keys import BITS
from tiles.overview import CELL_DEPTH

SEED = 11


def densest(connection: psycopg.Connection[Any], zooms: range) -> dict[int, tuple[Address, int]]:
    """The tile with the most intakes of each zoom, and how many; below zoom 9 within the densest above it."""
    found: dict[int, tuple[Address, int]] = {}
    low, high = 0, 1 << 2 * BITS
    for z in zooms:
        if z <= 9:
            first = 1 << 2 * (z + CELL_DEPTH)
            row = connection.execute(
                f"select (key >> {2 * CELL_DEPTH}) - {1 << 2 * z}, sum(n) from map.intake_cells "
                f"where key >= {first} and key < {4 * first} group by 1 order by 2 desc limit 1".encode()
            ).fetchone()
        else:
            row = connection.execute(
                f"select key >> {2 * (BITS - z)}, count(*) from map.intake_points "
                "where key >= %s and key < %s group by 1 order by 2 desc limit 1".encode(),
                (low, high),
            ).fetchone()
        assert row is not None
        number = int(row[0])
        low, high = number << 2 * (BITS - z), number + 1 << 2 * (BITS - z)
        found[z] = (Address(z, *_deinterleaved(number, z)), int(row[1]))
    return found


def _deinterleaved(number: int, bits: int) -> tuple[int, int]:
    x = sum((number >> 2 * i & 1) << i for i in range(bits))
    y = sum((number >> 2 * i + 1 & 1) << i for i in range(bits))
    return x, y


def mixed(connection: psycopg.Connection[Any], zooms: range, count: int) -> list[Address]:
    """Distinct tiles of all these zooms alike, each one of an intake drawn by lot: dense places come often."""
    row = connection.execute("select max(id) from map.intake_points").fetchone()
    random = np.random.default_rng(SEED)
    ids = random.integers(1, int(row[0]) + 1 if row else 2, 40 * count).tolist()
    spots = connection.execute("select x, y from map.intake_points where id = any(%s)", (ids,)).fetchall()
    spots = [spots[i] for i in random.permutation(len(spots))]
    by_zoom = {
        z: list(dict.fromkeys(Address(z, x >> BITS - z, y >> BITS - z) for x, y in spots)) for z in zooms
    }
    share = -(-count // len(zooms))
    chosen = [tile for tiles in by_zoom.values() for tile in tiles[:share]]
    return [chosen[i] for i in random.permutation(len(chosen))][:count]
