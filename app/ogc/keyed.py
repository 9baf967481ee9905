"""Pages of a box in the order of the map table's keys, so that reading stops where the page ends.

In the order of ids every row of a box is read to find the first of them. A map table (design, §4) lies in the order
of Morton keys, in which a box is a few ranges: the page is found there, one range after the other, and only its own
features are looked up. Cells of the map table are 1.9 cm wide, so what lies within two of an edge is decided by the
feature's own position.

The nation's viewers read every box so. For others, of whom a wide box holds rows they may not see, it must be small.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from app.ogc.asking import ItemsQuery, by_key
from app.ogc.cover import Box, key_ranges
from app.ogc.forms import Form
from app.ogc.query import COUNT_LIMIT, Statement, is_small
from app.ogc.sorting import Position
from layers.derive.columns import quote, relation
from layers.model import Layer, Points
from tiles.address import Viewer
from tiles.keys import world_box

NATION = 1_000_000
EDGE = 2
"""World units; 4 cm: what rounding may move an edge by, and more."""
Row = tuple[Any, ...]
OWN = itemgetter(1)
"""The column between a row's id and its geometry."""


def applies(layer: Layer, viewer: Viewer, query: ItemsQuery) -> bool:
    """Is this page read by key? The same for each page of a query, whether a cursor or an offset leads there."""
    if not by_key(layer, query) or viewer.audience != "officer":
        return False
    if query.after is not None:
        return query.after.key is not None
    if viewer.lo <= 0 and viewer.hi >= NATION:
        return True
    # What a feed publishes need not be all that the view shows to part of the nation.
    return layer.points is not None and layer.points.feed is None and is_small(query)


def page(layer: Layer, viewer: Viewer, query: ItemsQuery, form: Form) -> Statement:
    """Rows of the form; one more than the limit, if there is one. Their own column is the key, or -1 - key of a row
    that is only near the box.

    A nested loop over an array gives its rows in the order of the array; the order of the whole is stated again
    where the features are looked up.
    """
    points, box, after = _asked(layer, query)
    values = _values(box, after)
    start = ""
    if after is not None:
        values |= {"key": after.key, "id": after.identifier}
        start = "and (p.key, p.id) > (%(key)s::bigint, %(id)s::bigint)"
    skip = query.offset if after is None else 0
    values |= {"layer": layer.id, "rows": query.limit + 1, "skip": skip, "reach": query.limit + 1 + skip}
    own = f"case when {_exact(layer)} then k.key else -1 - k.key end"
    return Statement(
        f"with k as materialized (select m.key, m.id from unnest(%(lo)s::bigint[], %(hi)s::bigint[]) r(lo, hi) "
        f"cross join lateral (select p.key, p.id from {points.table} p where p.key between r.lo and r.hi and {NEAR} {start} "
        "order by p.key, p.id limit %(reach)s) m "
        "where (select exists (select from map.published where layer = %(layer)s)) limit %(rows)s offset %(skip)s) "
        f"select {form.columns(own)} from k join {relation(layer, viewer.audience)} v on v.{quote(layer.source.id)} = k.id "
        "order by k.key, k.id",
        values,
    )


def inside(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows of a page that lie in the box."""
    return rows if min(map(OWN, rows), default=0) >= 0 else [row for row in rows if row[1] >= 0]


def position(row: Row) -> Position:
    """Of this row of a page."""
    key = row[1]
    return Position(row[0], key=key if key >= 0 else -1 - key)


def count(layer: Layer, viewer: Viewer, query: ItemsQuery) -> Statement:
    """How many features the box holds, counted to COUNT_LIMIT + 1 at most."""
    points, box, _ = _asked(layer, query)
    values = _values(box, None) | {"most": COUNT_LIMIT + 1}
    well = " and ".join(
        f"p.{axis} between %({axis}0)s::bigint + {2 * EDGE} and %({axis}1)s::bigint - {2 * EDGE}"
        for axis in "xy"
    )
    exact = (
        f"exists (select from {relation(layer, viewer.audience)} v where v.{quote(layer.source.id)} = p.id "
        f"and {_exact(layer)})"
    )
    return Statement(
        "select count(*) from (select from unnest(%(lo)s::bigint[], %(hi)s::bigint[]) r(lo, hi) "
        f"cross join lateral (select from {points.table} p where p.key between r.lo and r.hi and {NEAR} "
        f"and (({well}) or {exact}) limit %(most)s) m limit %(most)s) x",
        values,
    )


NEAR = "p.x between %(x0)s and %(x1)s and p.y between %(y0)s and %(y1)s"


def _asked(layer: Layer, query: ItemsQuery) -> tuple[Points, Box, Position | None]:
    assert layer.points is not None  # noqa: S101 - asked only where it is possible
    assert query.boxes is not None  # noqa: S101
    return layer.points, query.boxes[0], query.after


def _exact(layer: Layer) -> str:
    geometry = f"v.{quote(layer.source.geometry)}"
    return f"st_x({geometry}) between %(w)s and %(e)s and st_y({geometry}) between %(s)s and %(n)s"


def _values(box: Box, after: Position | None) -> dict[str, Any]:
    """The ranges of the box that are not done with, and its edges."""
    west, south, east, north = box
    x0, y0, x1, y1 = world_box(box, EDGE)
    begin = after.key if after is not None and after.key is not None else 0
    ranges = [(max(lo, begin), hi - 1) for lo, hi in key_ranges(box, 0, EDGE) if hi > begin]
    return {
        "lo": [lo for lo, _ in ranges],
        "hi": [hi for _, hi in ranges],
        "x0": x0,
        "x1": x1,
        "y0": y0,
        "y1": y1,
        "w": west,
        "s": south,
        "e": east,
        "n": north,
    }
