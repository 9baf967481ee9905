"""Counts the overview cells of a past day, which tiles read that hold too many points to ask each what it was then."""

from typing import Any

import numpy as np
import psycopg

from layers.derive.columns import quote
from layers.model import Layer
from tiles import overview, pgcopy, publish
from tiles.facets import literal
from tiles.options import Past


def make(connection: psycopg.Connection[Any], layer: Layer, number: int, past: Past) -> int:
    """Count the cells of a day and keep them under this number, instead of those that are there; returns the points.

    In the caller's transaction, which must be the nation's: 40 s and 1.7 GB for 5.9 million points.
    """
    assert layer.points is not None  # noqa: S101 - asked of big point layers
    assert layer.source.past is not None  # noqa: S101 - of those with a past
    p = layer.points
    known = "null" if past.known is None else literal(past.known.isoformat())
    rows = f"{quote(layer.source.past)}({literal(past.on.isoformat())}, {known}) v"
    read = publish.facts(connection, layer, rows)
    sx, sy = overview.point_sums(read["x"], read["y"])
    total = len(sx)
    points = overview.Points(
        key=read["key"], county=read["county_code"], basin=read["basin_id"], class_no=read["class"],
        n=np.ones(total, np.int64), sx=sx, sy=sy,
        volume=overview.volumes(read[p.summed]) if p.summed else np.zeros(total, np.int64),
    )  # fmt: skip
    cells, facets = quote(p.past_cells), quote(p.past_facet_cells)
    for table in (cells, facets):
        connection.execute(f"delete from {table} where day = %s".encode(), (number,))
    shape = {"day": "i4", **publish.cell_columns(layer)}
    connection.execute(
        f"create temporary table packed_cells (like {quote(p.facet_cells)} including storage) on commit drop".encode()
    )
    for level in overview.levels(points, p.cells_to_zoom) if total else []:
        data = {"day": np.full(len(level.key), number), **publish.cell_rows(layer, level)}
        pgcopy.write(connection, cells, shape, data)
        pgcopy.write_owned(connection, "packed_cells", level)
    connection.execute(f"insert into {facets} select %s, * from packed_cells".encode(), (number,))
    connection.execute("drop table packed_cells")
    publish.name_classes(connection, layer, np.unique(read["class"]))
    return total
