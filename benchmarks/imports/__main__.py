"""Rows a second of the product's import of intakes, against a raw binary COPY of the same rows.

The import reads a CSV, checks each row (position in its county, codes, volumes, dates), stages it, applies it
with history and holders, and publishes map table and overview cells. One COPY puts the same rows, ready-made,
into a table without index or check: no import can be faster. Another puts them into a table with the indexes and
foreign keys of the register: without those no row could be found again, so no import that keeps them can be faster.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
from sqlalchemy import text

from app import wiring
from app.actor import system
from app.db import migrate
from app.db.embedded import EmbeddedCluster
from app.db.engine import transaction
from app.demo import files, nation_points, sources
from app.deps import Services
from app.imports import service as imports
from app.imports.mapping import Mapping
from app.imports.models import Import
from app.settings import Settings
from benchmarks import Figure, data_folder, tell

SEED = 7
GOAL = 0.33
ACTOR = system("benchmark")
ROUNDS = 3


def table(rows: int, boundaries: sources.Boundaries) -> pd.DataFrame:
    """A register as counties keep it: rows of every county, in its order."""
    random = np.random.default_rng(SEED)
    counts = nation_points.numbers(boundaries, rows, SEED)
    spots = nation_points.scatter(boundaries, sources.waters(), counts, SEED, lambda share: None)
    codes = spots.county
    n = len(codes)
    return pd.DataFrame(
        {
            "取水口编码": [f"{code}{i:09d}" for i, code in enumerate(codes)],
            "取水口名称": [f"取水口{i}" for i in range(n)],
            "取水权人": [f"用水户{i}" for i in random.integers(0, max(1, n // 4), n)],
            "行政区划代码": codes,
            "经度": np.round(spots.lon, 6),
            "纬度": np.round(spots.lat, 6),
            "水源类型": random.choice(["地表水", "地下水"], n),
            "取水用途": random.choice(["农业灌溉", "工业", "生活"], n),
            "年取水量": np.round(np.exp(random.normal(9.1, 1.8, n)), 1),
            "启用日期": random.choice(["2009-05-01", "2015-11-20", "2021-03-08"], n),
            "井深": np.round(random.uniform(5, 200, n), 1),
            "乡镇": random.choice(["城关镇", "新集镇", "高桥乡"], n),
        }
    )


def bring_in(services: Services, kind: str, path: Path) -> Import:
    """Import a file as the command line does."""
    with transaction(services.engine, ACTOR) as session:
        record = imports.submit(session, ACTOR, imports.Submission(kind, path, path.name, Mapping()), None)
    return imports.run(services, services.parts["import_kinds"], record.id, ACTOR)


KEYED = """
create table public.copied (like shuitu.intakes including all);
alter table public.copied add foreign key (holder_id) references shuitu.holders,
  add foreign key (import_id) references shuitu.imports"""


def raw_copy(services: Services, table: str) -> float:
    """Median seconds of a binary COPY of the imported rows into a table made by this SQL, committed."""
    assert services.dsns.admin is not None
    with psycopg.connect(services.dsns.admin) as connection:
        with connection.cursor().copy("copy shuitu.intakes to stdout (format binary)") as out:
            stream = b"".join(out)
        seconds = []
        for _ in range(ROUNDS):
            connection.execute("drop table if exists public.copied")
            connection.execute(table.encode())
            connection.commit()
            begin = time.perf_counter()
            with connection.cursor().copy("copy public.copied from stdin (format binary)") as copy:
                copy.write(stream)
            connection.commit()
            seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def measure(rows: int, folder: Path) -> list[Figure]:
    """Import and COPY, on a private cluster with the settings that the product has."""
    settings = Settings(data_dir=folder)
    cluster = EmbeddedCluster(folder)
    cluster.start()
    try:
        services = wiring.services(settings)
        migrate.upgrade(services.dsns)
        boundaries = sources.boundaries()
        bring_in(services, "regions", files.write_regions(boundaries, folder / "regions.gpkg"))
        path = folder / "intakes.csv"
        table(rows, boundaries).to_csv(path, index=False, encoding="utf-8-sig")
        begin = time.perf_counter()
        done = bring_in(services, "intakes", path)
        first = time.perf_counter() - begin
        begin = time.perf_counter()
        bring_in(services, "intakes", path)
        again = time.perf_counter() - begin
        with transaction(services.engine, ACTOR) as session:
            stored = session.execute(text("select count(*) from shuitu.intakes")).scalar_one()
        bare = stored / raw_copy(services, "create table public.copied (like shuitu.intakes)")
        keyed = stored / raw_copy(services, KEYED)
        services.engine.dispose()
    finally:
        cluster.stop()
    read = done.rows_read
    told = f"{read:,} rows read, {stored:,} stored, {done.rows_rejected:,} rejected"
    return [
        _figure("import of intakes from CSV", read / first, bare, GOAL, told),
        _figure("the same", read / first, keyed, None, "with the register's indexes and foreign keys"),
        _figure("the same file again (nothing changes)", read / again, bare, None, ""),
        Figure("that COPY with indexes and foreign keys", keyed, "rows/s", PEER, bare, keyed / bare),
    ]


PEER = "raw binary COPY of the same rows"


def _figure(what: str, value: float, peer: float, goal: float | None, note: str) -> Figure:
    return Figure(what, value, "rows/s", PEER, peer, value / peer, goal, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args()
    with data_folder(None) as folder:
        tell("imports", measure(given.rows, folder), as_json=given.as_json)


if __name__ == "__main__":
    main()
