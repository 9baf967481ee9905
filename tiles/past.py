"""Points as they were on a past day: from the history, where the map tables have only today."""

from layers.derive.columns import quote
from layers.model import Layer
from tiles import arrays, source
from tiles import facets as coding
from tiles.address import Address
from tiles.columns import columns
from tiles.keys import point_range
from tiles.options import ALIAS, Past
from tiles.source import Conditions, Statement


def points(layer: Layer, names: tuple[str, ...], block: Address, where: Conditions, past: Past) -> Statement:
    """The same columns as `source.points`, from the function that gives the view's rows of that day."""
    assert layer.points is not None  # noqa: S101 - asked of big point layers
    assert layer.source.past is not None  # noqa: S101 - of those with a past
    kept, p = columns(layer), layer.points
    geometry = f"{ALIAS}.{quote(layer.source.geometry)}"
    own = [
        *(f"{one.digit_sql(f'{ALIAS}.{quote(one.name)}')} as {quote(one.name)}" for one in kept.facets),
        *(f"coalesce({ALIAS}.{quote(name)}, 'NaN')::real as {quote(name)}" for name in kept.numbers),
        *(f"{ALIAS}.{quote(name)}" for name in kept.texts),
    ]
    sent = [
        arrays.numbers_sql("p.id", "i8"),
        arrays.numbers_sql("p.key", "i8"),
        arrays.numbers_sql(f"({coding.class_sql(layer, 'p')})::integer", "i4"),
        *([arrays.numbers_sql(f"p.{quote(p.summed)}", "f4")] if p.summed else []),
        *source.sent(layer, names),
    ]
    west, south, east, north = block.matrix_set.degrees(block.z, block.x, block.y)
    lo, hi = point_range(block)
    # What lies beyond Web Mercator is kept in its first and last rows, as on the map of today.
    south, north = (-90.0 if south < -85 else south), (90.0 if north > 85 else north)
    clauses = [f"({one})" for one in (where.by_class, where.by_county, where.by_point) if one]
    sql = f"""select {", ".join(sent)}
from (select * from {quote(layer.source.past)}(%(on)s, %(known)s) {ALIAS}
      where {geometry} && st_expand(st_makeenvelope(%(w)s, %(s)s, %(e)s, %(n)s, 4490), 1e-6) {"".join(f" and {one}" for one in clauses)}) {ALIAS}
cross join lateral (
  select {ALIAS}.{quote(layer.source.id)}::bigint as id, {ALIAS}.county_code::integer as county_code, {", ".join(own)},
         map.morton(map.world_x(st_x({geometry})), map.world_y(st_y({geometry}))) as key offset 0) p
where p.key >= %(lo)s and p.key < %(hi)s"""
    values = {
        "on": past.on,
        "known": past.known,
        "w": west,
        "s": south,
        "e": east,
        "n": north,
        "lo": lo,
        "hi": hi,
    }
    return Statement(sql, values | where.values)


def counted(layer: Layer, past: Past) -> Statement:
    """The number of the day under which its cells are kept; null if they were not counted."""
    return Statement(
        "select max(id) from map.past_days where layer = %(layer)s and on_date = %(on)s "
        "and known is not distinct from %(known)s::timestamptz and made_at is not null",
        {"layer": layer.id, "on": past.on, "known": past.known},
    )
