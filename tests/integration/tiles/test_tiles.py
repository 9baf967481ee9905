"""Tiles: what is drawn is what is stored, for whom it is meant, and nothing is dropped."""

import asyncio
from collections.abc import Iterator
from typing import Any

import mapbox_vector_tile as mvt
import numpy as np
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from app.actor import Jurisdiction
from app.db.engine import Dsns
from layers import catalog
from tiles import postgis, publish
from tiles.address import PUBLIC, Address, Viewer
from tiles.keys import world

INTAKES = catalog.load()["intakes"]
NATION = Viewer("officer", 0, 1_000_000)
COUNTIES = (321002, 321023, 321084)
COUNT = 30_000


@pytest.fixture(scope="module")
def stored(database: Dsns) -> Iterator[dict[str, Any]]:
    """30,000 intakes in three counties of two basins, published."""
    rng = np.random.default_rng(7)
    lon, lat = rng.normal(119.4, 0.25, COUNT), rng.normal(32.7, 0.25, COUNT)
    county = rng.choice(COUNTIES, COUNT)
    source = rng.choice(["surface_water", "groundwater"], COUNT)
    state = rng.choice(["linked", "pending", "unpermitted", "exempt", "ended"], COUNT)
    with psycopg.connect(database.service) as connection:
        connection.execute(
            "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)"
        )
        columns = "code, name, county_code, basin_id, source_type, permit_state, annual_volume_m3, geom"
        connection.execute(
            f"create temporary table given on commit drop as select {columns} from shuitu.intakes"
        )
        with connection.cursor().copy(
            "copy given (code, name, county_code, basin_id, source_type, permit_state, annual_volume_m3, geom) from stdin"
        ) as copy:
            for i in range(COUNT):
                copy.write_row(
                    (
                        f"T{i}",
                        f"取水口{i}",
                        int(county[i]),
                        5 if county[i] == 321023 else 1,
                        str(source[i]),
                        str(state[i]),
                        None if i % 10 == 0 else float(i),
                        f"SRID=4490;POINT({lon[i]} {lat[i]})",
                    )
                )
        connection.execute(f"insert into shuitu.intakes ({columns}) select * from given")
        assert publish.rebuild(connection, INTAKES) == COUNT
    yield {"lon": lon, "lat": lat, "county": county, "state": state, "database": database}


def fetch(
    database: Dsns, viewer: Viewer, z: int, x: int, y: int, layer: str = "intakes"
) -> list[dict[str, Any]]:
    async def run() -> bytes:
        async with AsyncConnectionPool(database.map, min_size=1, max_size=1, open=False) as pool:
            return await postgis.tile(pool, catalog.load()[layer], viewer, Address(z, x, y), hidden_bits=12)

    body = asyncio.run(run())
    return mvt.decode(body, default_options={"y_coord_down": True})[layer]["features"] if body else []


def tiles_holding(stored: dict[str, Any], z: int) -> set[tuple[int, int]]:
    x, y = world(stored["lon"], stored["lat"])
    return set(zip((x >> (31 - z)).tolist(), (y >> (31 - z)).tolist(), strict=True))


@pytest.mark.parametrize("z", [0, 4, 7, 9])
def test_far_out_the_cells_sum_to_all_points(stored: dict[str, Any], z: int) -> None:
    found = [f for x, y in tiles_holding(stored, z) for f in fetch(stored["database"], NATION, z, x, y)]
    assert sum(f["properties"]["n"] for f in found) == COUNT
    if z <= 4:
        assert all(f["properties"]["cell"] for f in found)
        for state in ("linked", "unpermitted"):
            told = sum(f["properties"][f"n_{state}"] for f in found)
            assert told == int((stored["state"] == state).sum())


def test_a_cell_tells_the_volume_it_stands_for(stored: dict[str, Any]) -> None:
    ((x, y),) = tiles_holding(stored, 4)
    told = sum(f["properties"]["volume"] for f in fetch(stored["database"], NATION, 4, x, y))
    assert told == pytest.approx(sum(i for i in range(COUNT) if i % 10), rel=1e-3)


def test_close_up_every_point_is_drawn_at_its_own_place(stored: dict[str, Any]) -> None:
    z = 12
    x, y = world(stored["lon"], stored["lat"])
    tx, ty = int(x[0] >> (31 - z)), int(y[0] >> (31 - z))
    inside = np.flatnonzero((x >> (31 - z) == tx) & (y >> (31 - z) == ty))
    found = fetch(stored["database"], NATION, z, tx, ty)
    assert len(found) == len(inside)
    drawn = sorted(tuple(f["geometry"]["coordinates"]) for f in found)
    expected = sorted((int(x[i] >> 7 & 4095), int(y[i] >> 7 & 4095)) for i in inside)
    assert drawn == [tuple(p) for p in expected]
    assert all(f["id"] > 0 and f["properties"]["n"] == 1 for f in found)


def test_an_unset_scope_shows_nothing_and_a_county_only_itself(stored: dict[str, Any]) -> None:
    ((x, y),) = tiles_holding(stored, 4)
    assert fetch(stored["database"], Viewer("officer", 0, 0), 4, x, y) == []
    mine = Jurisdiction.of_region("321084")
    found = fetch(stored["database"], Viewer("officer", mine.lo, mine.hi), 4, x, y)
    assert sum(f["properties"]["n"] for f in found) == int((stored["county"] == 321084).sum())


def test_a_basin_agency_sees_its_basin(stored: dict[str, Any]) -> None:
    ((x, y),) = tiles_holding(stored, 4)
    found = fetch(stored["database"], Viewer("officer", 0, 0, basin=5), 4, x, y)
    assert sum(f["properties"]["n"] for f in found) == int((stored["county"] == 321023).sum())


def test_the_public_sees_snapped_positions_and_public_fields(stored: dict[str, Any]) -> None:
    z = 14
    x, y = world(stored["lon"], stored["lat"])
    found = fetch(stored["database"], PUBLIC, z, int(x[0] >> (31 - z)), int(y[0] >> (31 - z)))
    assert found
    for feature in found:
        assert feature["properties"].keys() <= {"n", "source_type", "permit_state", "status", "county_code"}
        # 12 hidden bits at zoom 14: tile units are 5 bits wide, so only 1 place in 128 is left
        assert all(value % 128 == 64 for value in feature["geometry"]["coordinates"])


def test_publishing_one_county_again_leaves_the_others_and_doubles_nothing(stored: dict[str, Any]) -> None:
    with psycopg.connect(stored["database"].service) as connection:
        connection.execute(
            "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)"
        )
        publish.rebuild(connection, INTAKES, [321084])
    ((x, y),) = tiles_holding(stored, 4)
    assert sum(f["properties"]["n"] for f in fetch(stored["database"], NATION, 4, x, y)) == COUNT


def test_the_map_reader_can_read_nothing_but_schema_map(database: Dsns) -> None:
    with psycopg.connect(database.map) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select * from shuitu.intakes")
    with psycopg.connect(database.map) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("delete from map.intake_points")


@pytest.mark.parametrize("layer", catalog.load().values(), ids=catalog.load().keys())
def test_each_declared_field_exists_in_the_view_with_that_type(database: Dsns, layer: Any) -> None:
    types = {
        "string": {25},
        "integer": {20, 21, 23},
        "number": {700, 701, 1700},
        "boolean": {16},
        "date": {1082},
        "datetime": {1184},
    }
    for audience in ("officer", "public"):
        view = layer.relation_for(audience)
        if view is None:
            continue
        with psycopg.connect(database.map) as connection:
            described = connection.execute(f"select * from {view} limit 0").description or []
        found = {column.name: column.type_code for column in described}
        assert layer.source.id in found
        assert layer.source.geometry in found
        for field in layer.fields_for(audience):
            assert found.get(field.name) in types[field.type], f"{view}.{field.name}"


@pytest.mark.parametrize("layer", [k for k, v in catalog.load().items() if v.source.kind != "point"])
def test_every_other_layer_answers_at_any_zoom(database: Dsns, layer: str) -> None:
    for address in ((0, 0, 0), (5, 26, 12), (14, 13600, 6600), (5, 0, 0)):
        assert isinstance(fetch(database, NATION, *address, layer=layer), list)
