"""Writes the map tables: the one way from a layer's facts to its points, blocks and cells, in the caller's transaction.

`rebuild` writes a layer or some counties of it anew, in bulk; `features` brings single features up to their
facts and says what that changes by deltas, which `tiles.fold` folds into cells and blocks (`tiles.functions`).
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import psycopg
from psycopg.types.numeric import Int8

from layers.derive.columns import quote
from layers.model import Layer
from tiles import blocks, functions, overview, pgcopy, sheets
from tiles import facets as coding
from tiles.columns import columns, feed, volume_sql
from tiles.keys import morton, world
from tiles.overview import CELL_DEPTH

BOUNDED = 64
"""Up to so many counties are locked one by one while they are written anew; more lock the whole layer."""
LOCK = "select pg_advisory_xact_lock{shared}(hashtext(%(layer)s), %(county)s)"
CELLS: pgcopy.Columns = {
    "key": "i8", "county_code": "i4", "basin_id": "i2", "n": "i4", "volume": "i8", "sx": "i8", "sy": "i8",
}  # fmt: skip


def form(layer: Layer) -> str:
    """Names what of a declaration the map tables of a layer are made by."""
    assert layer.points is not None  # noqa: S101 - asked of big point layers only
    kept, p = columns(layer), layer.points
    codes = [(one.name, [value.value for value in one.field.values]) for one in kept.facets]
    told = (
        codes,
        kept.numbers,
        kept.texts,
        p.prefix,
        p.feed,
        p.counted,
        p.summed,
        p.cells_to_zoom,
        CELL_DEPTH,
    )
    return hashlib.blake2b(repr(told).encode(), digest_size=12).hexdigest()


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
            "insert into map.published (layer, form, sheets) values (%s, %s, %s) "
            "on conflict (layer) do update set form = excluded.form, sheets = excluded.sheets, at = now()",
            (layer.id, form(layer), sheets.form(layer)),
        )
    return total


def rewrite_sheets(connection: psycopg.Connection[Any], layer: Layer) -> None:
    """Write the sheets of a layer anew, whose map tables are as they should be: beside single changes, whose deltas
    wait meanwhile. In the caller's transaction and scope, which must be the nation's."""
    assert layer.points is not None  # noqa: S101 - asked of big point layers only
    assert layer.points.sheets is not None  # noqa: S101
    connection.execute(LOCK.format(shared=""), {"layer": f"fold:{layer.id}", "county": 0})
    keys = pgcopy.read(connection, f"select key from {quote(layer.points.table)}", {"key": "i8"})["key"]
    connection.execute(f"delete from {quote(layer.points.sheets)}".encode())
    sheets.write(connection, layer, np.sort(keys), "")
    connection.execute(
        "update map.published set sheets = %s where layer = %s", (sheets.form(layer), layer.id)
    )


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
    for name in (p.table, p.blocks, p.sheets, p.cells, p.facet_cells, p.deltas):
        if name is None:
            continue
        table = quote(name)
        connection.execute((f"delete from {table} {where}" if where else f"truncate {table}").encode())
    return before


def _points(connection: psycopg.Connection[Any], layer: Layer, where: str) -> int:
    assert layer.points is not None  # noqa: S101
    kept = columns(layer)
    read = facts(connection, layer, f"{feed(layer)} v {where}")
    order = np.argsort(read["key"], kind="stable")
    shape: pgcopy.Columns = {
        "key": "i8", "id": "i8", "x": "i4", "y": "i4", "county_code": "i4", "basin_id": "i2", "class": "i4", **_own(layer),
    }  # fmt: skip
    table, texts = quote(layer.points.table), [quote(name) for name in kept.texts]
    names = ", ".join([*map(quote, shape), *texts])
    values = ", ".join([*(f"a.{quote(name)}" for name in shape), *(f"v.{name}" for name in texts)])
    join = f"join {feed(layer)} v on v.{quote(layer.source.id)} = a.id" if texts else ""
    with pgcopy.arriving(connection, table, shape, {name: read[name][order] for name in shape}) as rows:
        connection.execute(
            f"insert into {table} ({names}) select {values} from {rows} a {join} order by a.key".encode()
        )
    blocks.write(connection, layer, read["key"][order], where)
    if layer.points.sheets:
        sheets.write(connection, layer, read["key"][order], where)
    name_classes(connection, layer, np.unique(read["class"]))
    return len(order)


def _own(layer: Layer) -> dict[str, str]:
    kept = columns(layer)
    return {one.name: "i2" for one in kept.facets} | dict.fromkeys(kept.numbers, "f4")


def facts(connection: psycopg.Connection[Any], layer: Layer, rows: str) -> dict[str, Any]:
    """What the map table says of points, by column, from rows `v` like those of the view that feeds it: id, county,
    basin, digits of the facets, numbers; world coordinates x and y, the key and the class that follow from them."""
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
    read = pgcopy.read(
        connection,
        f"select {select} from {rows}",
        {"id": "i8", "lon": "f8", "lat": "f8", "county_code": "i4", "basin_id": "i2", **_own(layer)},
    )
    read["x"], read["y"] = world(read.pop("lon"), read.pop("lat"))
    read["key"] = morton(read["x"], read["y"])
    read["class"] = coding.class_numbers(layer, read)
    return read


def name_classes(connection: psycopg.Connection[Any], layer: Layer, classes: Any) -> None:
    """Spell out classes, so that filters find them."""
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
    for level in overview.levels(points, p.cells_to_zoom):
        pgcopy.write(connection, quote(p.cells), cell_columns(layer), cell_rows(layer, level))
        pgcopy.write_owned(connection, quote(p.facet_cells), level)


def cell_columns(layer: Layer) -> pgcopy.Columns:
    """Columns of a table of cells."""
    assert layer.points is not None  # noqa: S101
    return {**CELLS, "nc": f"{coding.facet(layer, layer.points.counted).base}i4"}


def cell_rows(layer: Layer, level: overview.Cells) -> dict[str, Any]:
    """One level of cells as such a table holds them."""
    assert layer.points is not None  # noqa: S101
    counted = coding.facet(layer, layer.points.counted)
    return {
        "key": level.key, "county_code": level.county, "basin_id": level.basin, "n": level.n,
        "volume": level.volume, "sx": level.sx, "sy": level.sy,
        "nc": level.counted(counted.digits(level.packed["class"]), counted.base),
    }  # fmt: skip


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

    What is as it was on the map is left alone, but its tiles are stale: they may carry any field. Raises
    ValueError if the layer has no map table.
    """
    if layer.points is None:
        raise ValueError(f"{layer.id} has no map table")
    # In the order of their ids, so that of two transactions one waits, and they do not block each other.
    wanted = sorted({int(one) for one in ids})
    if not wanted:
        return []
    publish = functions.name(layer)
    if len(wanted) == 1:
        row = connection.execute(f"select {publish}(%s)".encode(), (Int8(wanted[0]),)).fetchone()
        return wanted if row and row[0] else []
    rows = connection.execute(
        f"select u.id from unnest(%s::bigint[]) with ordinality u(id, n) where {publish}(u.id)".encode(),
        (wanted,),
    )
    return [row[0] for row in rows]
