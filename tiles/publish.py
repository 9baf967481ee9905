"""Writes the map tables: the one way from a layer's facts to its points and cells, in the caller's transaction.

`rebuild` writes a layer or some counties of it anew, in bulk; `features` brings single features up to their
facts and says what that changed in cells by deltas, which `tiles.fold` folds into them.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import psycopg

from layers.derive.columns import quote
from layers.model import Layer
from tiles import facets as coding
from tiles import overview, pgcopy
from tiles.columns import BASE, columns, feed, volume_sql
from tiles.keys import morton, world

BOUNDED = 64
"""Up to so many counties are locked one by one while they are written anew; more lock the whole layer."""
LOCK = "select pg_advisory_xact_lock{shared}(hashtext(%(layer)s), %(county)s)"
CELLS: pgcopy.Columns = {
    "key": "i8", "county_code": "i4", "basin_id": "i2", "n": "i4", "volume": "i8", "sx": "i8", "sy": "i8",
}  # fmt: skip


def form(layer: Layer) -> str:
    """Names what the map tables of a layer depend on: its declaration."""
    return hashlib.blake2b(layer.model_dump_json().encode(), digest_size=12).hexdigest()


# ── in bulk ─────────────────────────────────────────────────────────────────────────────────────────


def rebuild(connection: psycopg.Connection[Any], layer: Layer, counties: list[int] | None = None) -> int:
    """Write a big point layer's map tables anew: of these counties, or of all; returns the points.

    Runs in the caller's transaction and scope. Rows go in in key order, so that a tile is one range. Single
    changes of these counties wait until the transaction ends.
    """
    if layer.points is None:
        raise ValueError(f"{layer.id} has no map table")
    _lock(connection, layer, counties)
    codes = None if counties is None else sorted({int(c) for c in counties})
    where = "" if codes is None else f"where county_code = any('{{{','.join(map(str, codes))}}}'::integer[])"
    places = _emptied(connection, layer, where)
    total = _points(connection, layer, where)
    _cells(connection, layer, where)
    _log(connection, layer, where, places)
    if counties is None:
        connection.execute(
            "insert into map.published (layer, form) values (%s, %s) "
            "on conflict (layer) do update set form = excluded.form, at = now()",
            (layer.id, form(layer)),
        )
    return total


def _lock(connection: psycopg.Connection[Any], layer: Layer, counties: list[int] | None) -> None:
    connection.execute(LOCK.format(shared=""), {"layer": f"fold:{layer.id}", "county": 0})
    whole = counties is None or len(counties) > BOUNDED
    name = f"map:{layer.id}"
    connection.execute(LOCK.format(shared="" if whole else "_shared"), {"layer": name, "county": 0})
    for county in [] if whole else sorted({int(c) for c in counties or ()}):
        connection.execute(LOCK.format(shared=""), {"layer": name, "county": county})


EXTENTS = "select county_code, min(basin_id), min(x), min(y), max(x), max(y) from {table} {where} group by county_code"
Extents = dict[int, tuple[int, ...]]


def _extents(connection: psycopg.Connection[Any], layer: Layer, where: str) -> Extents:
    assert layer.points is not None  # noqa: S101
    rows = connection.execute(EXTENTS.format(table=quote(layer.points.table), where=where).encode())
    return {row[0]: tuple(row[1:]) for row in rows}


def _emptied(connection: psycopg.Connection[Any], layer: Layer, where: str) -> Extents:
    """Empty the tables; gives where the points of each county were."""
    assert layer.points is not None  # noqa: S101
    p = layer.points
    before = _extents(connection, layer, where)
    for name in (p.table, p.cells, p.facet_cells, p.deltas):
        table = quote(name)
        connection.execute((f"delete from {table} {where}" if where else f"truncate {table}").encode())
    return before


def _points(connection: psycopg.Connection[Any], layer: Layer, where: str) -> int:
    assert layer.points is not None  # noqa: S101
    kept, geometry = columns(layer), quote(layer.source.geometry)
    digits = [one.digit_sql(f"v.{quote(one.name)}") for one in kept.facets]
    numbers = [f"coalesce(v.{quote(name)}, 'NaN')::real" for name in kept.numbers]
    select = ", ".join(
        [
            f"v.{quote(layer.source.id)}::bigint, st_x({geometry}), st_y({geometry})",
            "v.county_code::integer, coalesce(v.basin_id, 0)::smallint",
            *digits,
            *numbers,
        ]
    )
    own = {one.name: "i2" for one in kept.facets} | dict.fromkeys(kept.numbers, "f4")
    read = pgcopy.read(
        connection,
        f"select {select} from {feed(layer)} v {where}",
        {"id": "i8", "lon": "f8", "lat": "f8", "county_code": "i4", "basin_id": "i2", **own},
    )
    read["x"], read["y"] = world(read.pop("lon"), read.pop("lat"))
    read["key"] = morton(read["x"], read["y"])
    read["class"] = coding.class_numbers(layer, read)
    order = np.argsort(read["key"], kind="stable")
    shape: pgcopy.Columns = {
        "key": "i8", "id": "i8", "x": "i4", "y": "i4", "county_code": "i4", "basin_id": "i2", "class": "i4", **own,
    }  # fmt: skip
    table, texts = quote(layer.points.table), [quote(name) for name in kept.texts]
    names = ", ".join([*map(quote, shape), *texts])
    values = ", ".join([*(f"a.{quote(name)}" for name in shape), *(f"v.{name}" for name in texts)])
    join = f"join {feed(layer)} v on v.{quote(layer.source.id)} = a.id" if texts else ""
    with pgcopy.arriving(connection, table, shape, {name: read[name][order] for name in shape}) as rows:
        connection.execute(
            f"insert into {table} ({names}) select {values} from {rows} a {join} order by a.key".encode()
        )
    _name_classes(connection, layer, np.unique(read["class"]))
    return len(order)


def _name_classes(connection: psycopg.Connection[Any], layer: Layer, classes: Any) -> None:
    assert layer.points is not None  # noqa: S101
    table, faceted = quote(layer.points.classes), coding.facets(layer)
    names = ", ".join(quote(one.name) for one in faceted)
    values = ", ".join(one.value_sql(f"(c / {one.weight} %% {one.base})") for one in faceted)
    connection.execute(
        f"insert into {table} (class, {names}) select c, {values} from unnest(%s::integer[]) c "
        f"where not exists (select from {table} k where k.class = c)".encode(),
        (classes.tolist(),),
    )


def _cells(connection: psycopg.Connection[Any], layer: Layer, where: str) -> None:
    """Cells of the points just written."""
    assert layer.points is not None  # noqa: S101
    p = layer.points
    columns_read: pgcopy.Columns = {"key": "i8", "county": "i4", "basin": "i2", "class_no": "i4", "volume": "i8", "x": "i4", "y": "i4"}  # fmt: skip
    read = pgcopy.read(
        connection,
        f"select key, county_code, basin_id, class, {volume_sql(layer, 'p')}, x, y from {quote(p.table)} p {where}",
        columns_read,
    )
    sx, sy = overview.point_sums(read.pop("x"), read.pop("y"))
    points = overview.Points(n=np.ones(len(sx), np.int64), sx=sx, sy=sy, **read)
    counted = coding.facet(layer, p.counted)
    for level in overview.levels(points, p.cells_to_zoom):
        data = {
            "key": level.key, "county_code": level.county, "basin_id": level.basin, "n": level.n,
            "volume": level.volume, "sx": level.sx, "sy": level.sy,
            "nc": level.counted(counted.digits(level.packed["class"]), counted.base),
        }  # fmt: skip
        pgcopy.write(connection, quote(p.cells), {**CELLS, "nc": f"{counted.base}i4"}, data)
        pgcopy.write_owned(connection, quote(p.facet_cells), level)


def _log(connection: psycopg.Connection[Any], layer: Layer, where: str, before: Extents) -> None:
    """One row a county: its tiles are stale, where points were and where they are."""
    after = _extents(connection, layer, where)
    rows = []
    for county in before.keys() | after.keys():
        boxes = [found[county] for found in (before, after) if county in found]
        basin = boxes[-1][0]
        edges = [pick(box[i] for box in boxes) for i, pick in ((1, min), (2, min), (3, max), (4, max))]
        rows.append((layer.id, county, basin, *edges))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into map.touched (layer, county_code, basin_id, x0, y0, x1, y1) values (%s, %s, %s, %s, %s, %s, %s)",
            rows,
        )


# ── one by one ──────────────────────────────────────────────────────────────────────────────────────


def features(connection: psycopg.Connection[Any], layer: Layer, ids: Iterable[int]) -> list[int]:
    """Bring single features of a big point layer up to their facts: after these were created, changed or
    deleted, in the same transaction and scope. Returns the ids whose place on the map changed, came or went.

    Does nothing for what is as it was. Raises ValueError if the layer has no map table.
    """
    if layer.points is None:
        raise ValueError(f"{layer.id} has no map table")
    wanted = sorted({int(one) for one in ids})
    if not wanted:
        return []
    counties, rows, write = _statements(layer)
    with connection.pipeline():
        connection.execute(counties.encode(), {"ids": wanted, "layer": f"map:{layer.id}"})
        # Rows are locked before facts are read: of two changes of one feature, the later reads what the earlier wrote.
        connection.execute(rows.encode(), {"ids": wanted})
        cursor = connection.execute(write.encode(), {"ids": wanted, "layer": layer.id})
    return [row[0] for row in cursor.fetchall()]


@cache
def _statements(layer: Layer) -> tuple[str, str, str]:
    """The locks of counties (shared: a rebuild excludes) and of rows, and the change itself as one statement."""
    assert layer.points is not None  # noqa: S101
    p, kept = layer.points, columns(layer)
    table, source_id = quote(p.table), quote(layer.source.id)
    counties = f"""
select pg_advisory_xact_lock_shared(hashtext(%(layer)s), county_code) from (
  select county_code from {table} where id = any(%(ids)s) union
  select county_code from {feed(layer)} where {source_id} = any(%(ids)s) union select 0 order by 1) c"""
    rows = f"select from {table} where id = any(%(ids)s) order by id for update"
    geometry = f"v.{quote(layer.source.geometry)}"
    own = [
        *(f"{one.digit_sql(f'v.{quote(one.name)}')} as {quote(one.name)}" for one in kept.facets),
        *(f"coalesce(v.{quote(name)}, 'NaN')::real as {quote(name)}" for name in kept.numbers),
        *(f"v.{quote(name)}" for name in kept.texts),
    ]
    names = [*BASE, *kept.own]
    listed = ", ".join(quote(name) for name in names)
    classes = ", ".join(quote(one.name) for one in kept.facets)
    decoded = ", ".join(one.value_sql(f"f.{quote(one.name)}") for one in kept.facets)
    sums = f"key, county_code, basin_id, class, {volume_sql(layer, '{0}')} as volume, x >> 13 as sx, y >> 13 as sy"
    write = f"""
with old as materialized (select * from {table} where id = any(%(ids)s)),
read as materialized (
  select v.{source_id}::bigint as id, map.world_x(st_x({geometry})) as x, map.world_y(st_y({geometry})) as y,
         v.county_code::integer as county_code, coalesce(v.basin_id, 0)::smallint as basin_id, {", ".join(own)}
  from {feed(layer)} v where v.{source_id} = any(%(ids)s)
), fresh as materialized (
  select map.morton(f.x, f.y) as key, {coding.class_sql(layer, "f")} as class, f.* from read f
), gone as (
  delete from {table} t where t.id = any(%(ids)s) and not exists (select from fresh f where f.id = t.id)
), written as (
  insert into {table} as t ({listed}) select {listed} from fresh
  on conflict (id) do update set ({listed}) = row({", ".join(f"excluded.{quote(name)}" for name in names)})
  where ({", ".join(f"t.{quote(name)}" for name in names)}) is distinct from ({", ".join(f"excluded.{quote(name)}" for name in names)})
), named as (
  insert into {quote(p.classes)} (class, {classes}) select distinct on (f.class) f.class, {decoded} from fresh f
  where not exists (select from {quote(p.classes)} k where k.class = f.class)
), moved as (
  select -1 as n, {sums.format("old")} from old
  union all select 1, {sums.format("fresh")} from fresh
), changed as (
  insert into {quote(p.deltas)} (key, county_code, basin_id, class, n, volume, sx, sy)
  select key, county_code, basin_id, class, sum(n), sum(n * volume), sum(n * sx), sum(n * sy) from moved
  group by key, county_code, basin_id, class having sum(n) <> 0 or sum(n * volume) <> 0 or sum(n * sx) <> 0 or sum(n * sy) <> 0
), logged as (
  insert into map.touched (layer, county_code, basin_id, x0, y0, x1, y1)
  select distinct %(layer)s, county_code, basin_id, x, y, x, y from (
    select id, county_code, basin_id, x, y from old union all select id, county_code, basin_id, x, y from fresh) t
)
select coalesce(old.id, fresh.id) from old full join fresh using (id) where old.key is distinct from fresh.key"""
    return counties, rows, write
