"""The log of where the map changed (`map.touched`): what is old enough is forgotten, and only counted."""

from typing import Any

import psycopg

from layers.derive.columns import quote
from layers.model import Layer

KEPT = "2 days"
"""Files with tiles are thrown away after one day (`tiles.disk`), so nobody asks for what is older than that."""


def forget(connection: psycopg.Connection[Any], kept: str = KEPT) -> int:
    """Delete what is older than `kept` (an interval), leaving versions as they are; returns how many rows went.

    In one transaction: a process that starts counts each row once, as row or as one forgotten.
    """
    row = connection.execute(
        """with gone as (delete from map.touched where at < now() - %s::interval returning layer),
           counted as (insert into map.touched_before as b (layer, n) select layer, count(*) from gone group by layer
                       on conflict (layer) do update set n = b.n + excluded.n)
           select count(*) from gone""",
        (kept,),
    ).fetchone()
    return int(row[0]) if row else 0


def everywhere(connection: psycopg.Connection[Any], layer: Layer) -> None:
    """All tiles of a big point layer are stale: one row a county, where its points are."""
    assert layer.points is not None  # noqa: S101
    connection.execute(
        "insert into map.touched (layer, county_code, basin_id, x0, y0, x1, y1) "
        "select %s, county_code, min(basin_id), min(x), min(y), max(x), max(y) "
        f"from {quote(layer.points.table)} group by county_code".encode(),
        (layer.id,),
    )
