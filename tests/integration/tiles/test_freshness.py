"""A change makes the tiles it lies in stale, in every process, and no others."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import mapbox_vector_tile as mvt
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from app.db.engine import Dsns
from app.maps.publishing import publish_features
from layers import catalog
from tests import served
from tiles import log
from tiles.address import Address, Viewer
from tiles.cache import Body, Lru, Place
from tiles.disk import Files
from tiles.keeper import Keeper
from tiles.keys import world
from tiles.versions import Touch, Versions

INTAKES, REGIONS = catalog.load()["intakes"], catalog.load()["regions"]
NATION = Viewer("officer", 0, 1_000_000)


@pytest.fixture(scope="module")
def stored(database: Dsns) -> Iterator[Dsns]:
    served.fill(database)
    yield database


def connect(dsns: Dsns) -> psycopg.Connection[Any]:
    connection = psycopg.connect(dsns.service, autocommit=True)
    connection.execute(
        "select set_config('app.scope_lo', '0', false), set_config('app.scope_hi', '1000000', false)"
    )
    return connection


def change(connection: psycopg.Connection[Any], intake: int, state: str) -> None:
    with connection.transaction():
        connection.execute("update shuitu.intakes set permit_state = %s where id = %s", (state, intake))
        publish_features(connection, "intakes", [intake])


@asynccontextmanager
async def process(dsns: Dsns, folder: Path) -> AsyncIterator[Keeper]:
    """What one web process keeps."""
    async with AsyncConnectionPool(dsns.map, min_size=1, max_size=2, open=False) as pool:
        keeper = Keeper(pool, Versions(pool, dsns.map), 12, Files(folder, 10 * 2**20))
        await keeper.versions.start()
        await keeper.start()
        try:
            yield keeper
        finally:
            await keeper.versions.stop()


def tile_of(connection: psycopg.Connection[Any], intake: int, z: int) -> Address:
    row = connection.execute(
        "select st_x(geom), st_y(geom) from shuitu.intakes where id = %s", (intake,)
    ).fetchone()
    assert row
    (x,), (y,) = world([row[0]], [row[1]])
    return Address(z, int(x) >> 31 - z, int(y) >> 31 - z)


def states(body: Body) -> dict[int, str]:
    return {f["id"]: f["properties"]["permit_state"] for f in mvt.decode(body.plain)["intakes"]["features"]}


async def until(fact: Any) -> None:
    async with asyncio.timeout(20):
        while not fact():
            await asyncio.sleep(0.01)


def test_a_change_is_seen_in_every_process_and_only_where_it_lies(stored: Dsns, tmp_path: Path) -> None:
    async def run() -> None:
        with connect(stored) as writer:
            near, far = tile_of(writer, 1, 12), tile_of(writer, 300, 12)
            assert near != far
            async with process(stored, tmp_path) as one, process(stored, tmp_path) as other:
                for keeper in (one, other):
                    assert states(await keeper.body(INTAKES, NATION, near))[1] == "linked"
                    await keeper.body(INTAKES, NATION, far)
                change(writer, 1, "exempt")
                for keeper in (one, other):
                    await until(lambda keeper=keeper: keeper.kept(INTAKES, NATION, near) is None)
                    assert keeper.kept(INTAKES, NATION, far) is not None
                    assert states(await keeper.body(INTAKES, NATION, near))[1] == "exempt"
                assert one.versions.of("intakes") == other.versions.of("intakes")
                change(writer, 1, "linked")

    asyncio.run(run())


def test_a_later_process_takes_files_that_are_fresh_and_no_others(
    stored: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiles.keeper.WORTH_S", 0.0)
    made: list[Address] = []

    async def run(change_between: bool) -> str:
        async with process(stored, tmp_path) as keeper:
            original = keeper._made

            async def counting(place: Place, *rest: Any) -> Body:
                made.append(place.address)
                return await original(place, *rest)

            monkeypatch.setattr(keeper, "_made", counting)
            with connect(stored) as writer:
                near, far = tile_of(writer, 1, 12), tile_of(writer, 300, 12)
            await keeper.body(INTAKES, NATION, far)
            found = states(await keeper.body(INTAKES, NATION, near))[1]
        if change_between:
            with connect(stored) as writer:  # while no process runs
                change(writer, 1, "exempt")
        return found

    with connect(stored) as writer:
        near, far = tile_of(writer, 1, 12), tile_of(writer, 300, 12)
    assert asyncio.run(run(False)) == "linked"
    assert made == [far, near]
    assert asyncio.run(run(True)) == "linked"
    assert made == [far, near]
    assert asyncio.run(run(False)) == "exempt"
    assert made == [far, near, near]
    with connect(stored) as writer:
        change(writer, 1, "linked")


def test_a_tile_made_twice_has_the_same_bytes_whenever_it_was_made(stored: Dsns, tmp_path: Path) -> None:
    async def run(folder: str) -> Body:
        async with process(stored, tmp_path / folder) as keeper:
            return await keeper.body(INTAKES, NATION, near)

    with connect(stored) as writer:
        near = tile_of(writer, 1, 12)
    first = asyncio.run(run("one"))
    time.sleep(1.1)  # gzip knows seconds
    assert asyncio.run(run("another")) == first


def test_a_torn_file_is_no_tile(stored: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiles.keeper.WORTH_S", 0.0)

    async def run() -> Body:
        async with process(stored, tmp_path) as keeper:
            return await keeper.body(INTAKES, NATION, near)

    with connect(stored) as writer:
        near = tile_of(writer, 1, 12)
    whole = asyncio.run(run())
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    for torn in (file.read_bytes()[:-3], b"", b"shuitu01", b"x" * 500):
        file.write_bytes(torn)
        assert asyncio.run(run()) == whole


def test_the_folder_is_bounded(tmp_path: Path) -> None:
    files = Files(tmp_path, 100_000)
    (tmp_path / "aa").mkdir()
    for i in range(40):
        files.write(files.path(Place("intakes", Address(9, i, 1)), "v"), bytes(5_000), "1:1:")
    files.sweep()
    assert 50_000 < sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 100_000


def test_under_an_open_import_changes_are_still_told_once(stored: Dsns, tmp_path: Path) -> None:
    """A transaction that stays open holds the horizon of all later snapshots back."""

    async def run() -> None:
        told: list[Touch] = []
        with connect(stored) as writer, connect(stored) as other, other.transaction():
            other.execute(
                "insert into shuitu.changes (actor_name, layer, action, county_code) values ('t', 'basins', 'import', 0)"
            )
            async with process(stored, tmp_path) as keeper:
                keeper.versions.listen(told.extend)
                before = keeper.versions.of("intakes")
                for i in range(20):
                    change(writer, 2, "exempt" if i % 2 else "linked")
                await until(lambda: len(told) == 20)
                assert keeper.versions.of("intakes") == before + 20
                basins = keeper.versions.of("basins")
                other.execute(
                    "insert into shuitu.changes (actor_name, layer, action, county_code) values ('t', 'basins', 'import', 0)"
                )
                change(writer, 2, "linked")
                await until(lambda: len(told) == 21)
                other.execute("commit")
                await until(lambda: len(told) == 23)
                assert keeper.versions.of("basins") == basins + 2
                other.execute("begin")
                async with process(stored, tmp_path) as later:
                    assert later.versions.of("intakes") == keeper.versions.of("intakes")

    asyncio.run(run())


def test_a_tile_that_was_read_before_a_change_is_not_kept_after_it() -> None:
    lru, place = Lru(10**6), Place("intakes", Address(5, 26, 12))
    inside = (26 << 26) + 5
    early = lru.begin(place)
    lru.evict([Touch("intakes", 1, 0, (inside, 12 << 26, inside, 12 << 26))])
    assert not lru.fresh(early)
    lru.put(early, "v", Body(b"a", b"b", "c"))
    assert lru.get(place, "v") is None
    lru.put(lru.begin(place), "v", Body(b"a", b"b", "c"))
    lru.evict([Touch("intakes", 1, 0, (inside + (1 << 26), 12 << 26, inside + (1 << 26), 12 << 26))])
    assert lru.get(place, "v") is not None
    lru.evict([Touch("permits", 1, 0, (inside, 12 << 26, inside, 12 << 26))])
    assert lru.get(place, "v") is not None


@pytest.mark.parametrize("tms", ["WebMercatorQuad", "WorldCRS84Quad", "CGCS2000Quad"])
def test_what_is_evicted_is_what_holds_the_point(tms: str) -> None:
    lru = Lru(10**6)
    (x,), (y,) = world([119.43], [32.77])
    z = 11
    from tiles.matrices import MATRIX_SETS

    x0, _, y0, _ = MATRIX_SETS[tms].limits((119.43, 32.77, 119.43, 32.77), z)  # type: ignore[misc]
    around = [Address(z, x0 + i, y0 + j, tms) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    for address in around:
        lru.put(lru.begin(Place("intakes", address)), "v", Body(b"a", b"b", "c"))
    lru.evict([Touch("intakes", 1, 0, (int(x), int(y), int(x), int(y)))])
    gone = [a for a in around if lru.get(Place("intakes", a), "v") is None]
    assert gone == [Address(z, x0, y0, tms)]


def test_forgetting_the_log_leaves_the_versions(stored: Dsns, tmp_path: Path) -> None:
    async def versions() -> int:
        async with process(stored, tmp_path) as keeper:
            return keeper.versions.of("intakes")

    before = asyncio.run(versions())
    with connect(stored) as writer:
        change(writer, 2, "exempt")
        assert log.forget(writer, "0 seconds") > 0
    assert asyncio.run(versions()) == before + 1


def test_a_cancellation_that_gets_lost_does_not_keep_a_process_from_stopping(
    stored: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(connection: psycopg.AsyncConnection[Any]) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(5)

    async def run() -> None:
        async with asyncio.timeout(10), process(stored, tmp_path):
            await asyncio.sleep(0.2)

    monkeypatch.setattr("tiles.versions._woken", deaf)
    asyncio.run(run())


def test_regions_that_change_take_their_neighbours_tiles_along(stored: Dsns, tmp_path: Path) -> None:
    async def run() -> None:
        with connect(stored) as writer:
            here, there = Address(9, 425, 206), Address(9, 10, 206)
            async with process(stored, tmp_path) as keeper:
                await keeper.body(REGIONS, NATION, here)
                await keeper.body(REGIONS, NATION, there)
                writer.execute(
                    "insert into shuitu.changes (actor_name, layer, action, county_code) values ('t', 'regions', 'import', 321084)"
                )
                await until(lambda: keeper.kept(REGIONS, NATION, here) is None)
                assert keeper.kept(REGIONS, NATION, there) is not None

    asyncio.run(run())
