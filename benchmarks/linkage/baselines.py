"""What everyone would do first: the nearest within 100 m, and likeness of names by trigrams in plain SQL."""

import duckdb
import numpy as np
import pyarrow as pa
from scipy.spatial import cKDTree

from benchmarks.linkage.scoring import Pair

EARTH_M = 6_371_008.8


def nearest(a: pa.Table, b: pa.Table, within_m: float = 100.0) -> set[Pair]:
    """Each row of B goes to the nearest row of A, if it is its nearest too and no further than `within_m`."""
    x, y = _sphere(a), _sphere(b)
    in_a, in_b = (np.flatnonzero(np.isfinite(v[:, 0])) for v in (x, y))
    to_b, at_b = cKDTree(y[in_b]).query(x[in_a])
    _, at_a = cKDTree(x[in_a]).query(y[in_b])
    mutual = (at_a[at_b] == np.arange(len(in_a))) & (to_b <= within_m)
    ids_a, ids_b = a["id"].to_pylist(), b["id"].to_pylist()
    return {(ids_a[in_a[k]], ids_b[in_b[at_b[k]]]) for k in np.flatnonzero(mutual)}


def _sphere(t: pa.Table) -> np.ndarray:
    lon, lat = (np.radians(t[c].cast(pa.float64()).to_numpy(zero_copy_only=False)) for c in ("lon", "lat"))
    return EARTH_M * np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


TRIGRAMS = """
with a as (select id, name, lon, lat, floor(lon * 100) as cx, floor(lat * 100) as cy,
                  list_transform(range(1, greatest(2, length(name) - 1)), lambda k: substr(name, k::int, 3)) as t from left_side where name <> '' and lon is not null),
     b as (select id, name, lon, lat, floor(lon * 100) as cx, floor(lat * 100) as cy,
                  list_transform(range(1, greatest(2, length(name) - 1)), lambda k: substr(name, k::int, 3)) as t from right_side where name <> '' and lon is not null),
     near as (select unnest([-1, 0, 1]) as dx), step as (select n.dx, m.dx as dy from near n, near m),
     pair as (select a.id as a, b.id as b,
                     length(list_intersect(a.t, b.t)) / length(list_distinct(list_concat(a.t, b.t))) as alike,
                     pow((a.lon - b.lon) * cos(radians(a.lat)), 2) + pow(a.lat - b.lat, 2) as far
              from a, step, b where b.cx = a.cx + dx and b.cy = a.cy + dy),
     good as (select *, row_number() over (partition by a order by alike desc, far) as ra,
                     row_number() over (partition by b order by alike desc, far) as rb from pair where alike >= 0.3)
select a, b from good where ra = 1 and rb = 1"""


def trigrams(a: pa.Table, b: pa.Table) -> set[Pair]:
    """Within about 1 km, the pair whose names share most trigrams (0.3 at least, pg_trgm's own threshold)."""
    with duckdb.connect() as db:
        db.register("left_side", a)
        db.register("right_side", b)
        return {(x, y) for x, y in db.execute(TRIGRAMS).fetchall()}
