"""Cells stay what the facts are: after single changes, folded or not, by one writer or many; under any filter."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import mapbox_vector_tile as mvt
import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool

from app.db.engine import Dsns
from app.maps.publishing import publish_features
from layers import catalog
from layers.derive.tilejson import cell_fields
from layers.model import Layer
from tiles import arrays, blocks, fold, postgis, publish
from tiles.address import PUBLIC, Address, Viewer
from tiles.ask import filter_of
from tiles.columns import columns
from tiles.keys import morton, world
from tiles.matrices import MATRIX_SETS
from tiles.options import DEFAULT, TileOptions, TooWide
from tiles.overview import PACKED

INTAKES, PERMITS = catalog.load()["intakes"], catalog.load()["permits"]
NATION = Viewer("officer", 0, 1_000_000)
FEW = INTAKES.model_copy(update={"points": INTAKES.points.model_copy(update={"max_points": 100})})  # type: ignore[union-attr]
"""The same layer, with cells wherever more than a hundred lie."""
COUNTIES = (321002, 321023, 510104)
SOURCES = ("surface_water", "groundwater", "unconventional_water", "unknown")
STATES = ("linked", "pending", "unpermitted", "exempt", "ended")
PURPOSES = ("domestic", "industry", "irrigation", "aquaculture")
FACTS = "code, name, county_code, basin_id, source_type, permit_state, status, purpose, annual_volume_m3, started_on, geom"
INSERT = f"insert into shuitu.intakes ({FACTS}) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::geometry) returning id"
EVERYWHERE = "select set_config('app.scope_lo', '0', false), set_config('app.scope_hi', '1000000', false)"


def connect(dsn: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(dsn)
    connection.execute(EVERYWHERE)
    connection.commit()
    return connection


def row(random: np.random.Generator, code: str) -> tuple[Any, ...]:
    lon, lat = float(random.uniform(98, 122)), float(random.uniform(24, 40))
    year = int(random.integers(1990, 1994))
    return (
        code,
        f"取水口{code}",
        int(random.choice(COUNTIES)),
        int(random.choice([1, 5])),
        str(random.choice(SOURCES)),
        str(random.choice(STATES)),
        str(random.choice(["in_use", "sealed"])),
        str(random.choice(PURPOSES)),
        None if random.random() < 0.1 else float(np.round(random.lognormal(10, 2))),
        None if random.random() < 0.3 else f"{year}-05-01",
        f"SRID=4490;POINT({lon} {lat})",
    )


@pytest.fixture(scope="module")
def stored(database: Dsns) -> Iterator[psycopg.Connection[Any]]:
    """Some two thousand intakes across the country, published."""
    random = np.random.default_rng(3)
    with connect(database.service) as connection:
        connection.cursor().executemany(INSERT, [row(random, f"C{i}") for i in range(2_000)])
        publish.rebuild(connection, INTAKES)
        connection.commit()
        yield connection


# ── what is stored ──────────────────────────────────────────────────────────────────────────────────


def cells(connection: psycopg.Connection[Any], layer: Layer) -> dict[tuple[int, int, int], tuple[Any, ...]]:
    assert layer.points
    rows = connection.execute(
        f"select key, county_code, basin_id, n, volume, sx, sy, nc from {layer.points.cells}"
    )
    return {r[:3]: (*r[3:7], tuple(r[7])) for r in rows}


def packed(connection: psycopg.Connection[Any], layer: Layer) -> dict[tuple[int, int, int], list[Any]]:
    assert layer.points
    rows = connection.execute(f"select key, county_code, basin_id, packed from {layer.points.facet_cells}")
    return {r[:3]: np.frombuffer(r[3], PACKED).tolist() for r in rows}


def through_blocks(connection: psycopg.Connection[Any], layer: Layer) -> list[tuple[Any, ...]]:
    """Every point as a tile of the world reads it, by id: key, class, county, numbers, texts."""
    kept = columns(layer)
    names = ("county_code", *kept.numbers, *kept.texts)
    statement = blocks.read(layer, names, Address(0, 0, 0))
    row = connection.execute(statement.sql.encode(), statement.values, binary=True).fetchone()
    assert row
    ids, key, class_no = (
        arrays.numbers(sent, kind) for sent, kind in zip(row, ("i8", "i8", "i4"), strict=False)
    )
    assert layer.points and kept.numbers == (layer.points.summed,)
    found = [
        ids,
        key,
        class_no,
        arrays.numbers(row[4], "i4"),
        np.nan_to_num(arrays.numbers(row[3], "f4"), nan=-1),
    ]
    return sorted(zip(*(one.tolist() for one in found), *(texts(sent) for sent in row[5:]), strict=True))


def texts(sent: bytes | None) -> list[str | None]:
    spaced, lengths = arrays.texts(sent)
    found, at = [], 0
    for length in lengths.tolist():
        at += arrays.GAP if length >= 0 else 0
        found.append(spaced[at : at + length].decode() if length >= 0 else None)
        at += max(length, 0)
    return found


def in_the_table(connection: psycopg.Connection[Any], layer: Layer) -> list[tuple[Any, ...]]:
    kept = columns(layer)
    assert layer.points
    named = [f"nullif({name}, 'NaN')" for name in kept.numbers] + [f"{name}::text" for name in kept.texts]
    rows = connection.execute(
        f"select id, key, class, county_code, {', '.join(named)} from {layer.points.table}"
    )
    return sorted((*r[:4], -1 if r[4] is None else r[4], *r[5:]) for r in rows)


def held(connection: psycopg.Connection[Any], layer: Layer) -> None:
    """Blocks hold what the map table does, folded or not; sums agree with each other, and folded cells and blocks
    with such as are written anew."""
    assert layer.points
    assert through_blocks(connection, layer) == in_the_table(connection, layer)
    while fold.fold(connection, layer):
        pass
    assert through_blocks(connection, layer) == in_the_table(connection, layer)
    every_block = f"select t::text from {layer.points.blocks} t order by block, county_code, basin_id"
    packed_points = connection.execute(every_block).fetchall()
    found, classes = cells(connection, layer), packed(connection, layer)
    assert all(sum(nc) == n > 0 for n, *_, nc in found.values())
    assert {place: n for place, (n, *_) in found.items()} == {
        place: sum(n for _, n, _ in entries) for place, entries in classes.items()
    }
    assert {place: volume for place, (_, volume, *_) in found.items()} == {
        place: sum(volume for *_, volume in entries) for place, entries in classes.items()
    }
    assert layer.points
    every = f"select t::text from {layer.points.table} t order by id"
    points = connection.execute(every).fetchall()
    publish.rebuild(connection, layer)
    assert connection.execute(every_block).fetchall() == packed_points
    assert connection.execute(every).fetchall() == points
    assert cells(connection, layer) == found
    assert packed(connection, layer) == classes


def change(connection: psycopg.Connection[Any], random: np.random.Generator, code: str) -> None:
    """One intake comes, changes, moves or goes."""
    ids = [r[0] for r in connection.execute("select id from shuitu.intakes order by random() limit 1")]
    kind = random.integers(5)
    if kind == 0 or not ids:
        ids = [connection.execute(INSERT, row(random, code)).fetchone()[0]]  # type: ignore[index]
    elif kind == 1:
        connection.execute("delete from shuitu.intakes where id = %s", ids)
    elif kind == 2:
        connection.execute(
            "update shuitu.intakes set permit_state = %s, purpose = %s, annual_volume_m3 = %s where id = %s",
            (
                str(random.choice(STATES)),
                str(random.choice(PURPOSES)),
                float(random.integers(1, 10**7)),
                *ids,
            ),
        )
    elif kind == 3:  # nothing that cells count
        connection.execute("update shuitu.intakes set name = %s where id = %s", (f"改{code}", *ids))
    else:
        _, _, county, basin, *_, geom = row(random, code)
        connection.execute(
            "update shuitu.intakes set county_code = %s, basin_id = %s, geom = %s::geometry where id = %s",
            (county, basin, geom, *ids),
        )
    publish_features(connection, "intakes", ids)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), steps=st.lists(st.sampled_from(["change", "fold", "county"]), max_size=25))
def test_after_any_changes_cells_are_as_if_written_anew(
    stored: psycopg.Connection[Any], seed: int, steps: list[str]
) -> None:
    random = np.random.default_rng(seed)
    try:
        for i, step in enumerate(steps):
            if step == "change":
                change(stored, random, f"H{seed}-{i}")
            elif step == "fold":
                fold.fold(stored, INTAKES)
            else:
                publish.rebuild(stored, INTAKES, [COUNTIES[0]])
        held(stored, INTAKES)
    finally:
        stored.rollback()


def test_many_writers_and_a_folder_at_once_lose_nothing(
    stored: psycopg.Connection[Any], database: Dsns
) -> None:
    stop, errors = threading.Event(), []

    def work(number: int) -> None:
        random = np.random.default_rng(number)
        try:
            with connect(database.service) as mine:
                for i in range(25):
                    change(mine, random, f"W{number}-{i}")
                    mine.commit()
        except psycopg.errors.DeadlockDetected:  # two changed each other's intakes: the loser's is undone
            pass
        except Exception as error:  # told by the main thread
            errors.append(error)

    def folding() -> None:
        with connect(database.service) as mine:
            while not stop.is_set():
                fold.fold(mine, INTAKES)
                mine.commit()

    def rewriting() -> None:
        with connect(database.service) as mine:
            for county in (*COUNTIES, *COUNTIES):
                publish.rebuild(mine, INTAKES, [county])
                mine.commit()

    writers = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    others = [threading.Thread(target=folding), threading.Thread(target=rewriting)]
    for thread in writers + others:
        thread.start()
    for thread in (*writers, others[1]):
        thread.join(60)
    stop.set()
    others[0].join(60)
    assert not errors
    stored.rollback()
    held(stored, INTAKES)
    stored.rollback()


def test_a_reader_sees_each_change_once_while_it_is_folded(
    stored: psycopg.Connection[Any], database: Dsns
) -> None:
    total = stored.execute("select count(*) from shuitu.intakes").fetchone()[0]  # type: ignore[index]
    some = [r[0] for r in stored.execute("select id from shuitu.intakes limit 100")]
    stored.commit()
    stop = threading.Event()

    def changing() -> None:
        with connect(database.service) as mine:
            for i in range(12):
                mine.execute(
                    "update shuitu.intakes set permit_state = %s where id = any(%s)", (STATES[i % 5], some)
                )
                publish_features(mine, "intakes", some)
                mine.commit()
                fold.fold(mine, INTAKES)
                mine.commit()
        stop.set()

    thread = threading.Thread(target=changing)
    thread.start()
    sums = set()
    while not stop.is_set():
        found = decoded(fetch(database, Address(0, 0, 0), layer=FEW))
        sums.add((sum(f["n"] for f in found), sum(f.get(f"n_{s}", 0) for f in found for s in STATES)))
    thread.join()
    assert sums == {(total, total)}


def test_sql_and_numpy_give_the_same_keys(stored: psycopg.Connection[Any]) -> None:
    random = np.random.default_rng(5)
    lon, lat = random.uniform(-180, 180, 5_000), random.uniform(-90, 90, 5_000)
    x, y = world(lon, lat)
    rows = stored.execute(
        "select map.world_x(lon), map.world_y(lat), map.morton(map.world_x(lon), map.world_y(lat)) "
        "from unnest(%s::float8[], %s::float8[]) u(lon, lat)",
        (lon.tolist(), lat.tolist()),
    ).fetchall()
    assert rows == list(zip(x.tolist(), y.tolist(), morton(x, y).tolist(), strict=True))


def test_permits_lie_where_their_intakes_do_and_move_with_them(stored: psycopg.Connection[Any]) -> None:
    two = [r[0] for r in stored.execute("select id from shuitu.intakes order by id limit 2")]
    permit = stored.execute(
        "insert into shuitu.permits (permit_no, permit_no_raw, status, holder_name, county_code, annual_volume_m3, valid_from) "
        "values ('B321002S2021-0001', 'raw', 'valid', 'x', 321002, 5000, '1985-01-01') returning id"
    ).fetchone()[0]  # type: ignore[index]
    for intake in two:
        stored.execute(
            "insert into shuitu.permit_intakes (permit_id, intake_id, county_code) select %s, id, county_code from shuitu.intakes where id = %s",
            (permit, intake),
        )
    stored.execute(
        "update shuitu.intakes set started_on = null, permit_state = 'linked' where id = any(%s)", (two,)
    )
    publish_features(stored, "permits", [permit])
    where = "select st_x(geom), st_y(geom) from map.permits where id = %s"
    before = stored.execute(where, (permit,)).fetchone()
    assert stored.execute(
        "select started_year from map.intake_points where id = %s", (two[0],)
    ).fetchone() == (1985,)
    stored.execute("update shuitu.intakes set geom = 'SRID=4490;POINT(110 30)' where id = any(%s)", (two,))
    publish_features(stored, "intakes", two)
    after = stored.execute(where, (permit,)).fetchone()
    assert before != after == pytest.approx((110, 30), abs=1e-6)
    held(stored, PERMITS)
    stored.rollback()


# ── what is drawn ───────────────────────────────────────────────────────────────────────────────────


def fetch(database: Dsns, address: Address, options: TileOptions = DEFAULT, viewer: Viewer = NATION, layer: Layer = INTAKES) -> bytes:  # fmt: skip
    async def run() -> bytes:
        async with AsyncConnectionPool(database.map, min_size=1, max_size=1, open=False) as pool:
            return await postgis.tile(pool, layer, viewer, address, hidden_bits=12, options=options)

    return asyncio.run(run())


def decoded(body: bytes) -> list[dict[str, Any]]:
    if not body:
        return []
    (layer,) = mvt.decode(body, default_options={"y_coord_down": True}).values()
    return [{**f["properties"], "at": tuple(f["geometry"]["coordinates"])} for f in layer["features"]]


def tiling(database: Dsns, tms: str, z: int, layer: Layer, options: TileOptions) -> list[dict[str, Any]]:
    """All features of a level, one connection for all of its tiles."""

    async def run() -> list[bytes]:
        limits = MATRIX_SETS[tms].limits((97, 23, 123, 41), z)
        assert limits
        x0, x1, y0, y1 = limits
        async with AsyncConnectionPool(database.map, min_size=1, max_size=1, open=False) as pool:
            return [
                await postgis.tile(
                    pool, layer, NATION, Address(z, x, y, tms), hidden_bits=12, options=options
                )
                for x in range(x0, x1 + 1)
                for y in range(y0, y1 + 1)
            ]

    return [feature for body in asyncio.run(run()) for feature in decoded(body)]


def test_a_block_shows_nobody_more_than_their_own_whether_it_waits_to_be_folded_or_not(
    stored: psycopg.Connection[Any], database: Dsns
) -> None:
    near = "SRID=4490;POINT(115.5 31.5)"
    stored.rollback()
    for i, county in enumerate(COUNTIES):
        given = list(row(np.random.default_rng(i), f"N{i}"))
        given[2], given[-1] = county, near
        made = stored.execute(INSERT, given).fetchone()
        assert made
        publish_features(stored, "intakes", [made[0]])
    stored.commit()
    (x,), (y,) = world([115.5], [31.5])
    asked = TileOptions(fields=("code", "county_code"))
    for fold_first in (False, True):
        if fold_first:
            fold.fold(stored, INTAKES)
            stored.commit()
        for z in (12, 14, 18):
            where = Address(z, int(x) >> 31 - z, int(y) >> 31 - z)
            seen = [
                {f["county_code"] for f in decoded(fetch(database, where, asked, Viewer("officer", lo, hi)))}
                for lo, hi in ((0, 1_000_000), (321002, 321003), (510000, 520000), (330000, 340000))
            ]
            assert seen == [set(COUNTIES), {321002}, {510104}, set()], (z, fold_first)
    stored.execute("delete from shuitu.intakes where code like 'N_'")
    publish.rebuild(stored, INTAKES)
    stored.commit()


FILTERS = (
    "source_type = 'groundwater'",
    "purpose IN ('irrigation', 'industry') AND status = 'in_use'",
    "started_year >= 1991 AND started_year < 1993 AND permit_state <> 'linked'",
    "NOT (volume_class = 'under_10k' OR started_year IS NULL)",
    "county_code = 321023 AND purpose = 'domestic'",
    "county_code = 321023 OR purpose = 'domestic'",
    "annual_volume_m3 > 12345.5",
    "code LIKE 'C1%' AND source_type = 'surface_water'",
    "holder_name = '' AND S_INTERSECTS(geometry, BBOX(100, 25, 115, 39))",
)


@pytest.mark.parametrize("text", FILTERS)
def test_filters_count_just_what_the_view_has_at_any_zoom(
    stored: psycopg.Connection[Any], database: Dsns, text: str
) -> None:
    asked = TileOptions(filter=filter_of(INTAKES, "officer", text, "cql2-text"))
    sql = " and ".join(p.sql for p in asked.filter.predicates)  # type: ignore[union-attr]
    values = {k: v for p in asked.filter.predicates for k, v in p.values.items()}  # type: ignore[union-attr]
    expected = stored.execute(
        f"select count(*), coalesce(sum(round(annual_volume_m3)), 0) from map.intakes f where {sql}".encode(),
        values,
    ).fetchone()
    assert expected and expected[0]
    for z in (0, 3):
        found = tiling(database, "WebMercatorQuad", z, FEW, asked)
        assert sum(f["n"] for f in found) == expected[0]
        if all("cell" in f for f in found):
            assert sum(f["volume"] for f in found) == expected[1]


@pytest.mark.parametrize("tms", MATRIX_SETS)
@pytest.mark.parametrize("text", [None, "purpose = 'irrigation'", "annual_volume_m3 > 5000"])
def test_the_tiles_of_a_level_hold_every_intake_once(
    stored: psycopg.Connection[Any], database: Dsns, tms: str, text: str | None
) -> None:
    asked = TileOptions(filter=filter_of(INTAKES, "officer", text, "cql2-text")) if text else DEFAULT
    total = stored.execute(f"select count(*) from map.intakes where {text or 'true'}".encode()).fetchone()
    for z in (1, 4, 6):
        found = tiling(database, tms, z, FEW, asked)
        assert sum(f["n"] for f in found) == total[0]  # type: ignore[index]
        kinds = Counter("cell" in f for f in found)
        assert kinds[True] or z == 6


def test_a_filter_of_single_points_is_refused_where_there_are_too_many(
    stored: psycopg.Connection[Any], database: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiles.points.SCANNED", 1_000)
    asked = TileOptions(filter=filter_of(INTAKES, "officer", "annual_volume_m3 > 5", "cql2-text"))
    with pytest.raises(TooWide):
        fetch(database, Address(0, 0, 0), asked)
    assert decoded(fetch(database, Address(5, 26, 12), asked))


def test_cells_tell_the_public_no_volumes(stored: psycopg.Connection[Any], database: Dsns) -> None:
    told, known = (cell_fields(INTAKES, audience) for audience in ("public", "officer"))
    assert "volume" in known and "volume" not in told
    found = decoded(fetch(database, Address(0, 0, 0), viewer=PUBLIC, layer=FEW))
    assert found and all("cell" in f and set(f) <= {*told, "at"} for f in found)


def test_a_cell_names_the_tile_that_holds_just_its_intakes(
    stored: psycopg.Connection[Any], database: Dsns
) -> None:
    cell = max(decoded(fetch(database, Address(0, 0, 0), layer=FEW)), key=lambda f: f["n"])
    inside = decoded(fetch(database, Address(cell["cz"], cell["cx"], cell["cy"])))
    assert sum(f["n"] for f in inside) == cell["n"] > 1


def test_any_declared_field_may_ride_on_a_point(stored: psycopg.Connection[Any], database: Dsns) -> None:
    asked = TileOptions(
        fields=("code", "name", "purpose", "started_year", "off_stream", "permit_no", "place")
    )
    found = decoded(fetch(database, Address(9, 418, 210), asked)) or decoded(
        fetch(database, Address(4, 13, 6), asked)
    )
    rows = {
        r[0]: r[1:]
        for r in stored.execute(
            "select code, name, purpose, started_year, off_stream, permit_no, place from map.intakes"
        )
    }
    assert found
    for f in found:
        told = tuple(
            f.get(k) for k in ("name", "purpose", "started_year", "off_stream", "permit_no", "place")
        )
        assert told == rows[f["code"]]


def test_st_asmvt_writes_the_same_points(stored: psycopg.Connection[Any], database: Dsns) -> None:
    """The encoder is ours; PostGIS's is the reference."""
    z, x, y = 5, 26, 12
    reference = stored.execute(
        """with q as (
             select p.id, 1 as n, v.source_type, v.permit_state, v.status, v.purpose, v.started_year, nullif(p.annual_volume_m3, 'NaN') as annual_volume_m3,
                    v.county_code, v.name, st_makepoint(p.x >> 14 & 4095, p.y >> 14 & 4095) as g
             from map.intake_points p join map.intakes v using (id) where p.x >> 26 = %s and p.y >> 26 = %s)
           select st_asmvt(q, 'intakes', 4096, 'g', 'id') from q""",
        (x, y),
    ).fetchone()[0]  # type: ignore[index]
    names = (
        "source_type",
        "permit_state",
        "status",
        "purpose",
        "started_year",
        "annual_volume_m3",
        "county_code",
        "name",
    )
    ours = mvt.decode(fetch(database, Address(z, x, y), TileOptions(fields=names)))["intakes"]
    theirs = mvt.decode(bytes(reference))["intakes"]
    assert {k: v for k, v in ours.items() if k != "features"} == {
        k: v for k, v in theirs.items() if k != "features"
    }
    by_id = [{f["id"]: f for f in tile["features"]} for tile in (ours, theirs)]
    assert len(by_id[0]) > 50
    assert by_id[0] == by_id[1]
