"""Folds deltas of single changes into the overview cells: a system task, run again and again by the worker.

All in one transaction: deltas are deleted and the cells take them up, so a reader, whose statement sees one
snapshot, counts each change once. Killed at any instant, nothing has happened.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

from layers.derive.columns import quote
from layers.model import Layer
from tiles import facets as coding
from tiles import overview, pgcopy
from tiles.overview import PACKED

SHAPE: pgcopy.Columns = {
    "key": "i8", "county": "i4", "basin": "i2", "class_no": "i4", "n": "i4", "volume": "i8", "sx": "i8", "sy": "i8",
}  # fmt: skip
CELLS: pgcopy.Columns = {
    "key": "i8", "county_code": "i4", "basin_id": "i2", "n": "i4", "volume": "i8", "sx": "i8", "sy": "i8",
}  # fmt: skip


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
    counted = coding.facet(layer, layer.points.counted)
    for level in overview.levels(overview.Points(**read), layer.points.cells_to_zoom):
        _add(connection, layer, level, level.counted(counted.digits(level.packed["class"]), counted.base))
        _pack(connection, layer, level)
    return len(read["key"])


def tidy(connection: psycopg.Connection[Any], layer: Layer) -> None:
    """Remove classes that were named twice."""
    assert layer.points is not None  # noqa: S101
    table = quote(layer.points.classes)
    connection.execute(
        f"delete from {table} a using {table} b where a.class = b.class and a.ctid > b.ctid".encode()
    )


def _add(connection: psycopg.Connection[Any], layer: Layer, level: overview.Cells, nc: Any) -> None:
    assert layer.points is not None  # noqa: S101
    table, base = quote(layer.points.cells), nc.shape[1]
    data = {
        "key": level.key, "county_code": level.county, "basin_id": level.basin, "n": level.n,
        "volume": level.volume, "sx": level.sx, "sy": level.sy, "nc": nc,
    }  # fmt: skip
    shape: pgcopy.Columns = {**CELLS, "nc": f"{base}i4"}
    names = ", ".join(shape)
    sums = [f"{name} = t.{name} + excluded.{name}" for name in ("n", "volume", "sx", "sy")]
    counts = ", ".join(f"t.nc[{i}] + excluded.nc[{i}]" for i in range(1, base + 1))
    with pgcopy.arriving(connection, table, shape, data) as rows:
        connection.execute(
            f"insert into {table} as t ({names}) select {names} from {rows} "
            f"on conflict (key, county_code, basin_id) do update set {', '.join(sums)}, nc = array[{counts}]".encode()
        )
        connection.execute(
            f"delete from {table} t using {rows} a where t.key = a.key and t.county_code = a.county_code "
            "and t.basin_id = a.basin_id and t.n = 0".encode()
        )


def _pack(connection: psycopg.Connection[Any], layer: Layer, level: overview.Cells) -> None:
    """Merge the level's entries into those stored."""
    assert layer.points is not None  # noqa: S101
    table = quote(layer.points.facet_cells)
    places = list(zip(level.key.tolist(), level.county.tolist(), level.basin.tolist(), strict=True))
    cursor = connection.execute(
        f"select key, county_code, basin_id, packed from {table} join unnest(%s::bigint[], %s::integer[], %s::smallint[]) "
        "u(key, county_code, basin_id) using (key, county_code, basin_id)".encode(),
        _transposed(places, 3),
        binary=True,
    )
    stored = {row[:3]: np.frombuffer(row[3], PACKED) for row in cursor}
    ends = np.append(level.starts[1:], len(level.packed))
    kept: list[tuple[Any, ...]] = []
    empty: list[tuple[Any, ...]] = []
    for place, start, end in zip(places, level.starts.tolist(), ends.tolist(), strict=True):
        merged = merge(stored.get(place), level.packed[start:end])
        (kept if len(merged) else empty).append((*place, merged.tobytes()))
    connection.execute(
        f"insert into {table} (key, county_code, basin_id, packed) "
        "select * from unnest(%s::bigint[], %s::integer[], %s::smallint[], %b::bytea[]) "
        "on conflict (key, county_code, basin_id) do update set packed = excluded.packed".encode(),
        _transposed(kept, 4),
    )
    connection.execute(
        f"delete from {table} t using unnest(%s::bigint[], %s::integer[], %s::smallint[]) u(key, county_code, basin_id) "
        "where t.key = u.key and t.county_code = u.county_code and t.basin_id = u.basin_id".encode(),
        _transposed(empty, 3),
    )


def _transposed(rows: list[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[i] for row in rows] for i in range(width)]


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
