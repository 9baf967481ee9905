"""Folds deltas of single changes into the overview cells and writes the blocks and sheets anew in which they lie: a system task,
run again and again by the worker.

All in one transaction: deltas are deleted, and cells and blocks take them up, so a reader, whose statement sees one
snapshot, counts each change once. Killed at any instant, nothing has happened. A change that is committed while blocks
are written may be in them already; its delta is still there, and says not to trust them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

from layers.derive.columns import quote
from layers.model import Layer
from tiles import blocks, overview, pgcopy, sheets
from tiles import facets as coding
from tiles.overview import PACKED

SHAPE: pgcopy.Columns = {
    "key": "i8", "county": "i4", "basin": "i2", "class_no": "i4", "n": "i4", "volume": "i8", "sx": "i8", "sy": "i8",
}  # fmt: skip
PLACE = "key, county_code, basin_id"
PLACES = "unnest(%(key)s::bigint[], %(county)s::integer[], %(basin)s::smallint[]"


def fold(connection: psycopg.Connection[Any], layer: Layer) -> int:
    """Fold what is there; returns the deltas folded. In the caller's transaction, which must be the nation's.

    Folds nothing while another process folds or rebuilds.
    """
    assert layer.points is not None  # noqa: S101 - asked of big point layers
    row = connection.execute(
        "select pg_try_advisory_xact_lock(hashtext(%s), 0)", (f"fold:{layer.id}",)
    ).fetchone()
    if row is None or not row[0]:
        return 0
    deltas = quote(layer.points.deltas)
    read = pgcopy.read(
        connection,
        f"delete from {deltas} returning key, county_code, basin_id, class, n, volume, sx, sy",
        SHAPE,
    )
    if not len(read["key"]):
        return 0
    blocks.renew(connection, layer, read["key"])
    if layer.points.sheets:
        sheets.renew(connection, layer, read["key"])
    levels = overview.levels(overview.Points(**read), layer.points.cells_to_zoom)
    _add(connection, layer, levels)
    _pack(connection, layer, levels)
    return len(read["key"])


def tidy(connection: psycopg.Connection[Any], layer: Layer) -> None:
    """Remove classes that were named twice."""
    assert layer.points is not None  # noqa: S101
    table = quote(layer.points.classes)
    connection.execute(
        f"delete from {table} a using {table} b where a.class = b.class and a.ctid > b.ctid".encode()
    )


def _add(connection: psycopg.Connection[Any], layer: Layer, levels: list[overview.Cells]) -> None:
    assert layer.points is not None  # noqa: S101
    table, counted = quote(layer.points.cells), coding.facet(layer, layer.points.counted)
    nc = np.concatenate([one.counted(counted.digits(one.packed["class"]), counted.base) for one in levels])
    digits = [f"c{i}" for i in range(counted.base)]
    values = _places(levels) | {
        name: np.concatenate([getattr(one, name) for one in levels]).tolist()
        for name in ("n", "volume", "sx", "sy")
    }
    values |= {name: nc[:, i].tolist() for i, name in enumerate(digits)}
    sums = ", ".join(f"{name} = t.{name} + excluded.{name}" for name in ("n", "volume", "sx", "sy"))
    counts = ", ".join(f"t.nc[{i}] + excluded.nc[{i}]" for i in range(1, counted.base + 1))
    given = "%(n)s::integer[], %(volume)s::bigint[], %(sx)s::bigint[], %(sy)s::bigint[]"
    connection.execute(
        f"insert into {table} as t ({PLACE}, n, volume, sx, sy, nc) "
        f"select {PLACE}, n, volume, sx, sy, array[{', '.join(digits)}] "
        f"from {PLACES}, {given}, {', '.join(f'%({name})s::integer[]' for name in digits)}) "
        f"u({PLACE}, n, volume, sx, sy, {', '.join(digits)}) "
        f"on conflict ({PLACE}) do update set {sums}, nc = array[{counts}]".encode(),
        values,
    )
    connection.execute(
        f"delete from {table} t using {PLACES}) u({PLACE}) where t.key = u.key "
        "and t.county_code = u.county_code and t.basin_id = u.basin_id and t.n = 0".encode(),
        _places(levels),
    )


def _places(levels: list[overview.Cells]) -> dict[str, list[int]]:
    return {
        name: np.concatenate([getattr(one, name) for one in levels]).tolist()
        for name in ("key", "county", "basin")
    }


def _pack(connection: psycopg.Connection[Any], layer: Layer, levels: list[overview.Cells]) -> None:
    """Merge the levels' entries into those stored."""
    assert layer.points is not None  # noqa: S101
    table, where = quote(layer.points.facet_cells), _places(levels)
    cursor = connection.execute(
        f"select {PLACE}, packed from {table} join {PLACES}) u({PLACE}) using ({PLACE})".encode(),
        where,
        binary=True,
    )
    stored = {row[:3]: np.frombuffer(row[3], PACKED) for row in cursor}
    changes = (part for one in levels for part in np.split(one.packed, one.starts[1:]))
    merged = {
        place: merge(stored.get(place), change)
        for place, change in zip(zip(*where.values(), strict=True), changes, strict=True)
    }
    _store(connection, table, {place: entries for place, entries in merged.items() if len(entries)})
    empty = [place for place, entries in merged.items() if not len(entries)]
    connection.execute(
        f"delete from {table} t using {PLACES}) u({PLACE}) where t.key = u.key "
        "and t.county_code = u.county_code and t.basin_id = u.basin_id".encode(),
        _columns(empty),
    )


def _store(connection: psycopg.Connection[Any], table: str, packed: dict[tuple[int, ...], Any]) -> None:
    connection.execute(
        f"insert into {table} ({PLACE}, packed) select * from {PLACES}, %(packed)b::bytea[]) "
        f"on conflict ({PLACE}) do update set packed = excluded.packed".encode(),
        {**_columns(list(packed)), "packed": [entries.tobytes() for entries in packed.values()]},
    )


def _columns(places: list[tuple[int, ...]]) -> dict[str, list[int]]:
    return {name: [place[i] for place in places] for i, name in enumerate(("key", "county", "basin"))}


def merge(stored: npt.NDArray[Any] | None, change: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Entries summed by class, in the order of classes, without those that sum to nothing."""
    both = change if stored is None else np.concatenate([stored, change])
    classes, at = np.unique(both["class"], return_inverse=True)
    merged = np.zeros(len(classes), PACKED)
    merged["class"] = classes
    np.add.at(merged["n"], at, both["n"])
    np.add.at(merged["volume"], at, both["volume"])
    kept: npt.NDArray[Any] = merged[(merged["n"] != 0) | (merged["volume"] != 0)]
    return kept
