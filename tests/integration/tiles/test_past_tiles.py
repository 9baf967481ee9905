"""Tiles of a past day show what the register had on that day, as it was known at a moment."""

import asyncio
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import mapbox_vector_tile as mvt
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from app.db.engine import Dsns
from layers import catalog
from layers.model import Layer
from tests.integration.registry.test_past_dates import NATION, ROWS
from tiles import past_cells, postgis, publish
from tiles.address import PUBLIC, Address, Viewer
from tiles.ask import options_of
from tiles.matrices import MATRIX_SETS
from tiles.options import BadOption, Past, TooWide

INTAKES, PERMITS = catalog.load()["intakes"], catalog.load()["permits"]
OFFICER, GAOYOU = Viewer("officer", 0, 1_000_000), Viewer("officer", 321084, 321085)
SPOT = Address(7, 106, 51)
"""Holds all of that register."""


@pytest.fixture(scope="module")
def past(database: Dsns) -> Iterator[psycopg.Connection[Any]]:
    assert database.admin is not None
    with psycopg.connect(database.admin, autocommit=True) as admin:
        admin.execute(ROWS.encode())
    with psycopg.connect(database.service, autocommit=True) as connection:
        connection.execute(NATION.encode())
        with connection.transaction():
            publish.rebuild(connection, INTAKES)
            publish.rebuild(connection, PERMITS)
        yield connection


def fetch(database: Dsns, layer: Layer, asked: dict[str, str], viewer: Viewer = OFFICER, tile: Address = SPOT) -> dict[int, dict[str, Any]]:  # fmt: skip
    options = options_of(layer, viewer.audience, asked)

    async def run() -> bytes:
        async with AsyncConnectionPool(database.map, min_size=1, max_size=1, open=False) as pool:
            return await postgis.tile(pool, layer, viewer, tile, hidden_bits=12, options=options)

    body = asyncio.run(run())
    features = mvt.decode(body)[layer.id]["features"] if body else []
    return {f.get("id") or -n: f["properties"] for n, f in enumerate(features)}  # cells have no id


@pytest.mark.parametrize("known", [None, "2024-06-01", "2025-12-01"])
@pytest.mark.parametrize("day", ["2020-01-01", "2022-03-01", "2025-07-01", "2026-03-02"])
def test_a_tile_shows_what_the_register_tells_of_that_day(
    past: psycopg.Connection[Any], database: Dsns, day: str, known: str | None
) -> None:
    asked = {"datetime": day} | ({"known": known} if known else {})
    until = Past(date.fromisoformat(day)) if known is None else options_of(INTAKES, "officer", asked).past
    assert until is not None
    for layer, field in ((INTAKES, "permit_state"), (PERMITS, "status")):
        rows = past.execute(
            f"select id, {field} from {layer.source.past}(%s, %s) where geom is not null".encode(),
            (until.on, until.known),
        )
        found = fetch(database, layer, {**asked, "fields": field})
        assert {number: told[field] for number, told in found.items()} == dict(rows.fetchall())


def test_there_was_something_to_tell(past: psycopg.Connection[Any], database: Dsns) -> None:
    then = fetch(database, INTAKES, {"datetime": "2022-03-01", "fields": "permit_state"})
    now = fetch(database, INTAKES, {"fields": "permit_state"})
    assert then[1]["permit_state"] == "linked" != now[1]["permit_state"]


def test_filters_and_jurisdiction_hold_in_the_past(past: psycopg.Connection[Any], database: Dsns) -> None:
    asked = {"datetime": "2022-03-01", "filter": "permit_state = 'linked' AND county_code = 321084"}
    found = fetch(database, INTAKES, asked)
    rows = past.execute(
        "select id from map.intakes_at('2022-03-01') where permit_state = 'linked' and county_code = 321084"
    )
    assert set(found) == {row[0] for row in rows} != set()
    # Well 5 was in the county then, and is another's to tell of now.
    theirs = fetch(database, INTAKES, {"datetime": "2022-03-01"}, GAOYOU)
    assert set(theirs) < set(fetch(database, INTAKES, {"datetime": "2022-03-01"}))


@pytest.mark.parametrize("tms", MATRIX_SETS)
def test_each_tile_of_a_level_holds_its_part(past: psycopg.Connection[Any], database: Dsns, tms: str) -> None:
    limits = MATRIX_SETS[tms].limits((118.9, 32.0, 119.6, 32.2), 9)
    assert limits
    x0, x1, y0, y1 = limits
    asked = {"datetime": "2022-03-01"}
    found = [
        number
        for x in range(x0, x1 + 1)
        for y in range(y0, y1 + 1)
        for number in fetch(database, INTAKES, asked, tile=Address(9, x, y, tms))
    ]
    assert len(found) == len(set(found))
    assert set(found) == set(fetch(database, INTAKES, asked))


def test_what_is_too_much_to_look_up_is_refused(
    past: psycopg.Connection[Any], database: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiles.points.JOINED", 2)
    with pytest.raises(TooWide):
        fetch(database, INTAKES, {"datetime": "2022-03-01"}, tile=Address(0, 0, 0))


def test_a_wide_tile_of_a_past_day_is_made_of_cells_that_were_counted(
    past: psycopg.Connection[Any], database: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiles.points.JOINED", 0)
    for layer, field in ((INTAKES, "permit_state"), (PERMITS, "status")):
        for day, known in (("2022-03-01", None), ("2022-03-01", "2024-06-01"), ("2026-03-02", None)):
            asked = {"datetime": day} | ({"known": known} if known else {})
            when = options_of(layer, "officer", asked).past
            assert when is not None
            with pytest.raises(TooWide, match="past-days"):
                fetch(database, layer, asked)
            with past.transaction():
                number = past.execute(
                    "insert into map.past_days (layer, on_date, known, asked_by) values (%s, %s, %s, 'test') returning id",
                    (layer.id, when.on, when.known),
                ).fetchone()
                assert number is not None
                past_cells.make(past, layer, number[0], when)
                past.execute("update map.past_days set made_at = now() where id = %s", number)
            then = f"select {field}, county_code, count(*) from {layer.source.past}(%s, %s) group by 1, 2"
            rows = past.execute(then.encode(), (when.on, when.known)).fetchall()
            assert _cells(fetch(database, layer, asked), layer) == _states(rows)
            first = rows[0][0]
            some = fetch(database, layer, asked | {"filter": f"{field} = '{first}'"})
            assert _cells(some, layer) == {first: _states(rows)[first]}
            theirs = [row for row in rows if row[1] == 321084]
            assert _cells(fetch(database, layer, asked, GAOYOU), layer) == _states(theirs)
    with pytest.raises(TooWide):  # asked of each: cells cannot tell
        fetch(database, INTAKES, {"datetime": "2022-03-01", "filter": "name LIKE '1%'"})


def _states(rows: list[tuple[Any, ...]]) -> dict[str, int]:
    return {state: sum(n for one, _, n in rows if one == state) for state in {row[0] for row in rows}}


def _cells(found: dict[int, dict[str, Any]], layer: Layer) -> dict[str, int]:
    """What the cells of a tile count by the value of the counted facet."""
    assert layer.points is not None
    assert all(told["cell"] for told in found.values())
    values = [one.value for one in layer.field(layer.points.counted).values]
    counts = {str(value): sum(told.get(f"n_{value}", 0) for told in found.values()) for value in values}
    assert sum(counts.values()) == sum(told["n"] for told in found.values())
    return {value: n for value, n in counts.items() if n}


@pytest.mark.parametrize("asked", [{"datetime": "yesterday"}, {"datetime": "0001-01-01"}, {"known": "2024-13-01"}, {"datetime": ""}])  # fmt: skip
def test_days_that_are_none_are_refused(asked: dict[str, str]) -> None:
    with pytest.raises(BadOption):
        options_of(INTAKES, "officer", asked)


def test_the_public_and_layers_without_history_have_no_past() -> None:
    for layer, audience in ((INTAKES, PUBLIC.audience), (catalog.load()["regions"], "officer")):
        with pytest.raises(BadOption):
            options_of(layer, audience, {"datetime": "2024-01-01"})  # type: ignore[arg-type]


def test_a_day_for_known_means_to_its_end() -> None:
    past = options_of(INTAKES, "officer", {"datetime": "2024-01-01", "known": "2024-06-30"}).past
    assert past == Past(date(2024, 1, 1), datetime.fromisoformat("2024-07-01T00:00:00+08:00"))
