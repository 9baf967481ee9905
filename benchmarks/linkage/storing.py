"""Linkage in the store: made-up registers over all counties go into a database, and a run brings them together.

Loading is not part of what is measured: rows go by COPY into tables whose indexes wait meanwhile. What is measured is
the run as the job does it: read, compare, decide, write outcomes, links and permit states, publish the map; then one
event after another, from its commit to the end of what follows from it.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from sqlalchemy import text

from app import wiring
from app.actor import system
from app.db import migrate
from app.db.embedded import EmbeddedCluster
from app.db.engine import driver_of, scope_settings, transaction
from app.demo.nation import bare
from app.deps import Services
from app.linkage import following, running, runs
from app.settings import Settings
from benchmarks import Figure
from benchmarks.linkage.generated import Registers
from benchmarks.linkage.scoring import Peak, accuracy

ACTOR = system("benchmark")
GOAL_S, GOAL_MIB, NATION_ROWS, EVENT_GOAL_S = 1_200, 12 * 1024, 5_900_000, 1.0
TABLES = ("holders", "permits", "permit_points", "intakes")
COLUMNS = (
    "id", "name", "holder", "uscc", "permit_no", "county_code", "town", "place", "water_body", "lon", "lat", "source_type", "annual_m3",
)  # fmt: skip
ARRIVING = """create temporary table arriving_{side} (id text, name text, holder text, uscc text, permit_no text, county_code integer, town text,
  place text, water_body text, lon float8, lat float8, source_type text, annual_m3 float8) on commit drop"""
SOURCE = "case x.source_type when '地下水' then 'groundwater' else 'surface_water' end"
LOAD = (
    """insert into shuitu.holders (name, uscc, county_code)
       select distinct on (coalesce(uscc, holder), county_code) holder, uscc, county_code
       from (select holder, uscc, county_code from arriving_a union all select holder, uscc, county_code from arriving_b) x
       where holder is not null order by coalesce(uscc, holder), county_code""",
    """insert into shuitu.permits (permit_no, permit_no_raw, status, holder_id, holder_name, county_code, source_type, valid_from, valid_to,
         annual_volume_m3)
       select p.permit_no, p.permit_no, 'valid', h.id, p.holder, p.county_code, p.source, current_date - 700, current_date + 1100, p.annual_m3
       from (select permit_no, coalesce(min(holder), '') as holder, min(uscc) as uscc, min(county_code) as county_code,
                    min({source}) as source, sum(annual_m3) as annual_m3 from arriving_b x group by permit_no) p
       left join shuitu.holders h on h.uscc = p.uscc and h.county_code = p.county_code""",
    """insert into shuitu.permit_points (permit_id, seq, code, name, place, geom, source_type, water_body, annual_m3, county_code)
       select p.id, row_number() over (partition by p.id order by x.id), x.id, coalesce(x.name, ''), coalesce(x.place, ''),
         st_setsrid(st_makepoint(x.lon, x.lat), 4490), {source}, coalesce(x.water_body, ''), x.annual_m3, x.county_code
       from arriving_b x join shuitu.permits p using (permit_no)""",
    """insert into shuitu.intakes (code, name, holder_id, holder_name, county_code, town, place, water_body, source_type, annual_volume_m3, geom,
         attributes)
       select x.id, coalesce(x.name, ''), h.id, coalesce(x.holder, ''), x.county_code, coalesce(x.town, ''), coalesce(x.place, ''),
         coalesce(x.water_body, ''), {source}, x.annual_m3, st_setsrid(st_makepoint(x.lon, x.lat), 4490),
         case when permit_no is null then '{{}}' else jsonb_build_object('permit_no', permit_no) end
       from arriving_a x left join shuitu.holders h on h.uscc = x.uscc and h.county_code = x.county_code
       where x.lon is not null order by x.county_code""",
)


def kept(folder: Path, make: Callable[[], Registers]) -> Registers:
    """The registers that were made for this data folder, made now if they were not: a nation's take as long as the run."""
    folder.mkdir(parents=True, exist_ok=True)
    sides, truth = {side: folder / f"register_{side}.parquet" for side in "ab"}, folder / "truth.parquet"
    if not truth.exists():
        made = make()
        for side, path in sides.items():
            pq.write_table(getattr(made, side), path)
        rows = sorted(made.truth)
        pq.write_table(pa.table({"a": [a for a, _ in rows], "b": [b for _, b in rows]}), truth)
        return made
    pairs = pq.read_table(truth)
    return Registers(
        pq.read_table(sides["a"]), pq.read_table(sides["b"]),
        set(zip(pairs["a"].to_pylist(), pairs["b"].to_pylist(), strict=True)),
    )  # fmt: skip


def load(services: Services, made: Registers) -> None:
    """Both registers into an empty store, published. An entry without a position is left out: the store takes none."""
    with psycopg.connect(services.dsns.owner, autocommit=True) as connection:
        connection.execute("set maintenance_work_mem = '1GB'")
        connection.execute("set work_mem = '256MB'")
        for name, value in scope_settings(ACTOR).items():
            connection.execute("select set_config(%s, %s, false)", (name, value))
        with connection.transaction(), bare(connection, TABLES):
            for side, table in (("a", made.a), ("b", made.b)):
                _arrive(connection, side, table)
            for number, statement in enumerate(LOAD, 1):
                connection.execute(statement.format(source=SOURCE).encode())
                print("load", number, len(LOAD), file=sys.stderr, flush=True)
        for table in TABLES:
            connection.execute(f"analyze shuitu.{table}".encode())
    with transaction(services.engine, ACTOR) as session:
        services.publish(driver_of(session), "intakes", None)


def _arrive(connection: psycopg.Connection[Any], side: str, table: pa.Table) -> None:
    connection.execute(ARRIVING.format(side=side).encode())
    columns = [_nulls(table[name]) for name in COLUMNS]
    options = pyarrow.csv.WriteOptions(include_header=False)
    with connection.cursor().copy(f"copy arriving_{side} from stdin (format csv)".encode()) as copy:
        for batch in pa.table(columns, list(COLUMNS)).to_batches(max_chunksize=200_000):
            sink = pa.BufferOutputStream()
            pyarrow.csv.write_csv(pa.Table.from_batches([batch]), sink, options)
            copy.write(sink.getvalue().to_pybytes())
    connection.execute(f"analyze arriving_{side}".encode())


def _nulls(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_string(column.type):
        return column
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


# ── what is measured ────────────────────────────────────────────────────────────────────────────────


def measure(made: Registers, folder: Path) -> list[Figure]:
    """A run over everything, how right its links are, and single events after it."""
    settings = Settings(data_dir=folder, log_level="error")
    cluster = EmbeddedCluster(folder)
    kept = cluster.is_running
    cluster.start()
    try:
        services = wiring.services(settings)
        migrate.upgrade(services.dsns)
        if not _counted(services, "intakes"):
            load(services, made)
        figures = [*_run(services, made), *_events(services)]
        services.engine.dispose()
    finally:
        if not kept:
            cluster.stop()
    return figures


def _counted(services: Services, table: str) -> int:
    with transaction(services.engine, ACTOR) as session:
        return int(session.execute(text(f"select count(*) from shuitu.{table}")).scalar_one())


LINKED = """
select i.code as a, t.code as b from shuitu.permit_intakes k join shuitu.intakes i on i.id = k.intake_id
join shuitu.permit_points t on t.id = k.permit_point_id where k.valid_to is null"""


def _run(services: Services, made: Registers) -> list[Figure]:
    with transaction(services.engine, ACTOR) as session:
        run_id = runs.start(session, ACTOR, services.settings)
    began, cpu = time.perf_counter(), time.process_time()
    with Peak() as peak:
        record = running.run(
            services, run_id, lambda share, step: print(f"{share:.3f} {step}", file=sys.stderr, flush=True)
        )
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    with transaction(services.engine, ACTOR) as session:
        links = {(row.a, row.b) for row in session.execute(text(LINKED))}
    stored, listed = _counted(services, "intakes"), _counted(services, "permit_points")
    placed = set(made.a.filter(pc.is_valid(made.a["lon"]))["id"].to_pylist())
    found = accuracy(links, {pair for pair in made.truth if pair[0] in placed})
    where = f"{stored:,} × {listed:,}"
    share = stored / NATION_ROWS
    return [
        Figure("a run in the store", seconds, "s", "goal, in proportion", GOAL_S * share, note=f"{where}; {cpu:.0f} s of processor in this process, beside the database's"),
        Figure("its rows a second", stored / seconds, "rows/s", note=f"{record['facts']}"),
        Figure("its memory, without the database's", peak.mib, "MiB", "goal", GOAL_MIB),
        Figure("links confirmed by rule, precision", found["precision"], "", "goal", 0.995, note=f"{len(links):,} links; recall by rule alone {found['recall']:.4f}"),
    ]  # fmt: skip


EVENTS = 20
TOUCH = """
select i.id, i.county_code, i.basin_id, st_x(i.geom) as x, st_y(i.geom) as y from shuitu.intakes i
join shuitu.permit_intakes k on k.intake_id = i.id and k.valid_to is null order by md5(i.id::text) limit :n"""


def _events(services: Services) -> list[Figure]:
    """An entry is moved five kilometres; the reader of changes compares it anew."""
    from app.changes import service as changes

    with transaction(services.engine, ACTOR) as session:
        rows = session.execute(text(TOUCH), {"n": EVENTS}).all()
    following.follow(services)
    took = []
    for row in rows:
        with transaction(services.engine, ACTOR) as session:
            session.execute(
                text("update shuitu.intakes set geom = st_translate(geom, 0.05, 0) where id = :id"),
                {"id": row.id},
            )
            changes.record(
                session, ACTOR.username, "intakes", "update", row.county_code,
                entity_id=row.id, box=(row.x, row.y, row.x, row.y),
            )  # fmt: skip
        began = time.perf_counter()
        while not following.follow(services):
            pass
        took.append(time.perf_counter() - began)
        while following.follow(services):
            pass
    took.sort()
    return [
        Figure("an event, what follows from it", took[len(took) // 2], "s", "goal", EVENT_GOAL_S, note=f"{len(took)} entries moved 5 km, worst {took[-1]:.2f} s")
    ]  # fmt: skip
