"""The log of where the map changed (`map.touched`): what is old enough is forgotten, and only counted."""

from typing import Any

import psycopg

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
