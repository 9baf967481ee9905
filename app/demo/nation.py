"""A register of the whole country, generated in bulk for benchmarks: 5.9 M intakes and 650,000 permits.

Rows do not pass the importer: they go by COPY into tables whose indexes wait meanwhile, in one transaction of
the owner. The tail of permits is that of `volumes`; an intake without a permit is small (median 9,100 m³, σ = 1).
No basin agency, zone or town is stated. Code scheme `generated` tells these rows from all others.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from sqlalchemy import text

from app.actor import system
from app.changes import service as changes
from app.db.engine import driver_of, scope_settings, transaction
from app.demo import files, nation_points, sources, volumes
from app.demo.names import rng
from app.deps import Services
from app.errors import Conflict
from app.imports import service as imports
from app.imports.mapping import Mapping
from tiles import pgcopy

ACTOR = system("nation")
SCHEME = "generated"
SEED = 20240422
Progress = Callable[[float, str], None]
HERE = Path(__file__).resolve().parent
TABLES = ("holders", "permits", "intakes", "permit_intakes")
INTAKES: pgcopy.Columns = {
    "id": "i8", "county": "i4", "serial": "i4", "permit": "i8", "source": "i2", "state": "i2", "volume": "f8",
    "lon": "f8", "lat": "f8",
}  # fmt: skip
PERMITS: pgcopy.Columns = {
    "id": "i8", "county": "i4", "serial": "i4", "source": "i2", "status": "i2", "age_days": "i4", "volume": "f8",
}  # fmt: skip
LINKED, PENDING, UNPERMITTED, EXEMPT, ENDED = range(5)
"""Positions in the layer's list of permit states."""
WITHOUT = {EXEMPT: 0.62, UNPERMITTED: 0.2, PENDING: 0.18}
IN_FORCE, EXPIRED, CANCELLED = range(3)
SMALL_SIGMA = 1.0
OLDEST_DAYS = 1_500
"""A permit of five years that is this old is in force yet."""


@dataclass(frozen=True)
class Rows:
    """Both registers as arrays by column; ids count from 1 and are moved behind what is stored."""

    intakes: dict[str, npt.NDArray[Any]]
    permits: dict[str, npt.NDArray[Any]]


def load_nation(
    services: Services,
    intakes: int = 5_900_000,
    permits: int = 650_000,
    progress: Progress = lambda share, step: None,
    *,
    seed: int = SEED,
) -> None:
    """Add the nation's register to the store, with regions where there are none, and publish it.

    Raises Conflict if it is there already, ConfigurationError if the packages of the extra `demo` are missing.
    """
    boundaries = sources.boundaries()
    with transaction(services.engine, ACTOR) as session:
        if session.execute(
            text("select exists (select from shuitu.intakes where code_scheme = :s)"), {"s": SCHEME}
        ).scalar():
            raise Conflict("全国示例数据已在库中 (the nation's generated register is there already)")
        bare = not session.execute(
            text("select exists (select from shuitu.regions where level = 3)")
        ).scalar()
    if bare:
        progress(0.0, "导入全国行政区划 (importing the regions)")
        _regions(services, boundaries)
    step = "生成全国取水口和许可 (making the nation's intakes and permits)"
    waters = sources.waters()
    rows = make(boundaries, waters, intakes, permits, seed, lambda share: progress(0.05 + 0.2 * share, step))
    with psycopg.connect(services.dsns.owner, autocommit=True) as connection:
        _store(connection, rows, lambda share: progress(0.25 + 0.6 * share, "写入数据库 (storing them)"))
    progress(0.85, "制作地图表 (making the map's tables)")
    with transaction(services.engine, ACTOR) as session:
        services.publish(driver_of(session), "intakes", None)
        for code in boundaries.counties["code"].tolist():
            changes.record(session, ACTOR.username, "intakes", "import", int(code), facts={"generated": True})
    progress(1.0, "全国示例数据就绪 (the nation's register is loaded)")


def _regions(services: Services, boundaries: sources.Boundaries) -> None:
    folder = services.settings.data_dir / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    path = files.write_regions(boundaries, folder / "示例_全国行政区划.gpkg")
    with transaction(services.engine, ACTOR) as session:
        given = imports.Submission("regions", path, path.name, Mapping())
        identifier = imports.submit(session, ACTOR, given, None).id
    imports.run(services, services.parts["import_kinds"], identifier, ACTOR)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────


def make(
    boundaries: sources.Boundaries,
    waters: sources.Waters,
    intakes: int,
    permits: int,
    seed: int,
    progress: Callable[[float], None] = lambda share: None,
) -> Rows:
    """Both registers. A county's permits come first among its intakes: one to four intakes each.

    Raises ValueError if there are fewer intakes than three times the permits, or fewer permits than counties.
    """
    counts = nation_points.numbers(boundaries, intakes, seed)
    if not intakes / 3 >= permits >= len(counts):
        raise ValueError(f"{intakes} intakes for {permits} permits in {len(counts)} counties")
    places = nation_points.scatter(boundaries, waters, counts, seed, progress)
    random = rng(seed, "nation")
    codes = boundaries.counties["code"].to_numpy(np.int32)
    of_permits = _share(counts, permits)
    permit = _permits(random, codes, of_permits, permits)
    linked, permit_of = _links(random, counts, of_permits)
    volume = volumes.lognormal(random.random(intakes), SMALL_SIGMA)
    number_of = np.bincount(permit_of, minlength=permits)
    volume[linked] = (permit["volume"] / number_of)[permit_of]
    without = random.choice(list(WITHOUT), size=intakes, p=list(WITHOUT.values()))
    state = without.astype(np.int16)
    state[linked] = np.where(permit["status"][permit_of] == IN_FORCE, LINKED, ENDED)
    source = np.where(places.by_river, 0, np.where(random.random(intakes) < 0.8, 1, 0)).astype(np.int16)
    source[linked] = np.where(places.by_river[linked], 0, permit["source"][permit_of])
    permit_id = np.zeros(intakes, np.int64)
    permit_id[linked] = permit_of + 1
    made = {
        "id": np.arange(1, intakes + 1),
        "county": places.county,
        "serial": _serials(counts),
        "permit": permit_id,
        "source": source,
        "state": state,
        "volume": np.round(volume),
        "lon": places.lon,
        "lat": places.lat,
    }
    return Rows({name: np.asarray(values) for name, values in made.items()}, permit)


def _share(counts: npt.NDArray[np.int64], permits: int) -> npt.NDArray[np.int64]:
    """Permits a county, in proportion to its intakes, never more than half of them."""
    exact = counts / counts.sum() * permits
    shares = np.floor(exact).astype(np.int64)
    room = np.flatnonzero(shares + 1 <= counts // 2)
    order = room[np.argsort((exact - np.floor(exact))[room])[::-1]]
    short = permits - int(shares.sum())
    shares[order[:short]] += 1
    return np.asarray(shares, np.int64)


def _serials(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """1, 2, 3 … anew in each county."""
    first = np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.arange(int(counts.sum())) - first + 1, np.int64)


def _permits(random: Any, codes: Any, of_permits: npt.NDArray[np.int64], permits: int) -> dict[str, Any]:
    return {
        "id": np.arange(1, permits + 1),
        "county": np.repeat(codes, of_permits),
        "serial": _serials(of_permits),
        "source": (random.random(permits) < 0.6).astype(np.int16),
        "status": random.choice([IN_FORCE, EXPIRED, CANCELLED], size=permits, p=[0.85, 0.1, 0.05]).astype(np.int16),
        "age_days": random.integers(0, OLDEST_DAYS, permits),
        "volume": np.round(random.permutation(volumes.lognormal(volumes.ranks(permits)))),
    }  # fmt: skip


def _links(
    random: Any, counts: npt.NDArray[np.int64], of_permits: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of intakes that have a permit, and the row of each one's permit."""
    permits = int(of_permits.sum())
    county = np.repeat(np.arange(len(counts)), of_permits)
    number = 1 + random.choice(4, size=permits, p=[0.7, 0.17, 0.08, 0.05])
    # A county whose permits ask for more intakes than it has gives each one only.
    asked = np.bincount(county, weights=number, minlength=len(counts))
    number[(asked > counts)[county]] = 1
    permit_of = np.repeat(np.arange(permits), number)
    taken = np.bincount(county[permit_of], minlength=len(counts))
    start = np.repeat(np.cumsum(counts) - counts, taken)
    return start + _serials(taken) - 1, permit_of


# ── storing ─────────────────────────────────────────────────────────────────────────────────────────


def _store(connection: psycopg.Connection[Any], rows: Rows, progress: Callable[[float], None]) -> None:
    """Everything in one transaction: all of it is there afterwards, or nothing."""
    connection.execute("set maintenance_work_mem = '1GB'")
    connection.execute("set work_mem = '256MB'")
    for name, value in scope_settings(ACTOR).items():
        connection.execute("select set_config(%s, %s, false)", (name, value))
    with connection.transaction(), bare(connection, TABLES, progress):
        _arrive(connection, "arriving_permits", PERMITS, rows.permits)
        _arrive(connection, "arriving_intakes", INTAKES, rows.intakes)
        progress(0.1)
        for number, statement in enumerate((HERE / "nation.sql").read_text("utf-8").split("-- next\n"), 1):
            connection.execute(statement.encode())
            progress(0.1 + 0.12 * number)
    connection.execute("analyze shuitu.intakes, shuitu.permits, shuitu.permit_intakes, shuitu.holders")


@contextmanager
def bare(
    connection: psycopg.Connection[Any],
    tables: Sequence[str],
    progress: Callable[[float], None] = lambda share: None,
) -> Iterator[None]:
    """Tables of the facts without their secondary indexes, foreign keys and forced row-level security, until all rows are in."""
    oids = [f"shuitu.{table}" for table in tables]
    keys = connection.execute(
        "select conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) from pg_constraint "
        "where contype = 'f' and conrelid = any(%s::regclass[]) order by 1, 2",
        (oids,),
    ).fetchall()
    indexes = connection.execute(
        "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index i "
        "where indrelid = any(%s::regclass[]) and not indisprimary and not exists "
        "(select from pg_constraint c where c.conindid = i.indexrelid) order by 1",
        (oids,),
    ).fetchall()
    for table, name, _ in keys:
        connection.execute(f"alter table {table} drop constraint {name}".encode())
    for name, _ in indexes:
        connection.execute(f"drop index {name}".encode())
    for table in tables:
        connection.execute(f"alter table shuitu.{table} no force row level security".encode())
    yield
    for number, (_, definition) in enumerate(indexes):
        progress(0.6 + 0.35 * number / len(indexes))
        connection.execute(definition.encode())
    for table, name, definition in keys:
        connection.execute(f"alter table {table} add constraint {name} {definition}".encode())
    for table in tables:
        connection.execute(f"alter table shuitu.{table} force row level security".encode())


def _arrive(
    connection: psycopg.Connection[Any], table: str, columns: pgcopy.Columns, data: dict[str, Any]
) -> None:
    kinds = {"i2": "smallint", "i4": "integer", "i8": "bigint", "f8": "double precision"}
    declared = ", ".join(f"{name} {kinds[kind]}" for name, kind in columns.items())
    connection.execute(f"create temporary table {table} ({declared}) on commit drop".encode())
    names = ", ".join(columns)
    total = len(data["id"])
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy {table} ({names}) from stdin (format binary)".encode()) as copy,
    ):
        copy.write(pgcopy.HEADER)
        for start in range(0, total, pgcopy.CHUNK_ROWS):
            part = slice(start, start + pgcopy.CHUNK_ROWS)
            copy.write(pgcopy.pack(columns, {name: data[name][part] for name in columns}))
        copy.write(pgcopy.TRAILER)
