"""What held on a day, and what was known then: the register by valid time and by the time of recording."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from app.db.engine import Dsns

SCOPE = "set app.scope_lo = {lo}; set app.scope_hi = {hi}; set app.scope_basin = ''"
NATION = SCOPE.format(lo=0, hi=1_000_000)
GAOYOU = SCOPE.format(lo=321084, hi=321085)
LOADED, VARIED, ENDED = "2024-01-10 08:00+08", "2025-06-02 08:00+08", "2026-03-05 08:00+08"
"""When the register was loaded, when a variation, when a cancellation was recorded."""
# As years would have left it. Permit 1, wells 1 and 2: 200 m³ from 2021, varied to 100 without well 2 from 2025-06-01,
# cancelled from 2026-03-01. Well 3 has no permit and began in 2020. Well 4 was taken out of the register. Well 5 stands
# in another county, where it came from Gaoyou. Permit 2 of that county has its well 6 in Gaoyou.
ROWS = f"""
set session_replication_role = replica;
insert into shuitu.intakes (id, version, code, name, county_code, permit_state, geom, recorded_at, started_on) overriding system value values
  (1, 2, 'W1', '一号井', 321084, 'ended', 'SRID=4490;POINT(119.01 32.1)', '{ENDED}', null),
  (2, 1, 'W2', '二号井', 321084, 'pending', 'SRID=4490;POINT(119.02 32.1)', '{LOADED}', null),
  (3, 1, 'W3', '三号井', 321084, 'exempt', 'SRID=4490;POINT(119.03 32.1)', '{LOADED}', '2020-05-01'),
  (5, 2, 'W5', '五号井', 321023, 'pending', 'SRID=4490;POINT(119.25 32.1)', '{VARIED}', null),
  (6, 1, 'W6', '六号井', 321084, 'ended', 'SRID=4490;POINT(119.06 32.1)', '{LOADED}', null);
insert into shuitu.intake_history (id, version, code, code_scheme, name, holder_name, county_code, permit_state, geom, recorded_at, recorded_until,
    town, place, source_type, water_body, purpose, off_stream, status, declared_datum, attributes)
  select id, 1, code, 'register', name, '', 321084, state, geom::geometry, '{LOADED}', until::timestamptz,
    '', '', 'unknown', '', 'other', true, 'in_use', 'CGCS2000', '{{}}'
  from (values (1, 'W1', '一号井', 'linked', 'SRID=4490;POINT(119.5 32.1)', '{ENDED}'),
               (4, 'W4', '四号井', 'pending', 'SRID=4490;POINT(119.04 32.1)', '{VARIED}'),
               (5, 'W5', '五号井', 'pending', 'SRID=4490;POINT(119.05 32.1)', '{VARIED}')) v(id, code, name, state, geom, until);
insert into shuitu.permits (id, version, permit_no, permit_no_raw, event, status, holder_name, county_code, annual_volume_m3, valid_from, valid_to,
    effective_on, ended_on, recorded_at) overriding system value values
  (1, 3, 'D321084G2021-0001', '', 'cancel', 'cancelled', '甲公司', 321084, 100, '2021-01-01', '2030-12-31', '2026-03-01', '2026-03-01', '{ENDED}'),
  (2, 1, 'D321023G2022-0002', '', 'issue', 'expired', '乙公司', 321023, 50, '2022-01-01', '2024-12-31', '2022-01-01', null, '{LOADED}');
insert into shuitu.permit_history (id, version, permit_no, permit_no_raw, event, status, holder_name, county_code, annual_volume_m3, valid_from, valid_to,
    effective_on, recorded_at, recorded_until, issuing_authority, supervising_authority, source_type, purpose, occupies_quota, place, attributes) values
  (1, 1, 'D321084G2021-0001', '', 'issue', 'valid', '甲公司', 321084, 200, '2021-01-01', '2030-12-31', '2021-01-01', '{LOADED}', '{VARIED}', '', '', 'groundwater', 'other', true, '', '{{}}'),
  (1, 2, 'D321084G2021-0001', '', 'vary', 'valid', '甲公司', 321084, 100, '2021-01-01', '2030-12-31', '2025-06-01', '{VARIED}', '{ENDED}', '', '', 'groundwater', 'other', true, '', '{{}}');
insert into shuitu.permit_intakes (permit_id, intake_id, county_code, valid_from, valid_to, recorded_at, ended_at) values
  (1, 1, 321084, '1900-01-01', null, '{LOADED}', null), (1, 2, 321084, '1900-01-01', '2025-06-01', '{LOADED}', '{VARIED}'),
  (2, 6, 321084, '1900-01-01', null, '{LOADED}', null);
set session_replication_role = default"""


@pytest.fixture(scope="module")
def past(database: Dsns) -> Iterator[psycopg.Connection[Any]]:
    """The service's connection to that register."""
    assert database.admin is not None
    with psycopg.connect(database.admin, autocommit=True) as admin:
        admin.execute(ROWS.encode())
    with psycopg.connect(database.service, row_factory=dict_row, autocommit=True) as connection:
        yield connection


def at(
    connection: psycopg.Connection[Any], layer: str, on: str, known: str | None = None, scope: str = NATION
) -> dict[int, dict[str, Any]]:
    connection.execute(scope.encode())
    moment = None if known is None else datetime.fromisoformat(known)
    rows = connection.execute(f"select * from map.{layer}_at(%s, %s)".encode(), (on, moment)).fetchall()
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def states(found: dict[int, dict[str, Any]]) -> dict[int, str]:
    return {number: row["permit_state"] for number, row in sorted(found.items())}


def test_a_day_shows_the_states_that_held_then(past: psycopg.Connection[Any]) -> None:
    expected = {
        "2019-12-31": {1: "pending", 2: "pending", 5: "pending", 6: "pending"},
        "2021-06-01": {1: "linked", 2: "linked", 3: "exempt", 5: "pending", 6: "pending"},
        "2025-05-31": {1: "linked", 2: "linked", 3: "exempt", 5: "pending", 6: "ended"},
        "2025-06-01": {1: "linked", 2: "pending", 3: "exempt", 5: "pending", 6: "ended"},
        "2026-03-01": {1: "ended", 2: "pending", 3: "exempt", 5: "pending", 6: "ended"},
    }
    assert {day: states(at(past, "intakes", day)) for day in expected} == expected


def test_what_was_known_then_is_told_apart_from_what_held_then(past: psycopg.Connection[Any]) -> None:
    """On 2026-03-03 the permit had been cancelled for two days, and nobody knew until the 5th."""
    assert states(at(past, "intakes", "2026-03-03"))[1] == "ended"
    assert states(at(past, "intakes", "2026-03-03", "2026-03-04T00:00+08:00"))[1] == "linked"
    assert at(past, "permits", "2026-03-03", "2026-03-04T00:00+08:00")[1]["status"] == "valid"
    assert at(past, "intakes", "2022-01-01", "2024-01-01T00:00+08:00") == {}
    # The variation was recorded a day after it held; before that its second well was still thought to be linked.
    assert states(at(past, "intakes", "2025-06-01", "2025-06-01T12:00+08:00"))[2] == "linked"


def test_permits_tell_their_limits_and_status_of_the_day(past: psycopg.Connection[Any]) -> None:
    def told(day: str) -> dict[int, tuple[float, str, int]]:
        found = at(past, "permits", day)
        return {n: (row["annual_volume_m3"], row["status"], row["intakes"]) for n, row in found.items()}

    past.execute(NATION.encode())
    past.execute(
        "insert into map.permit_points (key, id, x, y, county_code, basin_id, class, status, source_type, purpose, volume_class, "
        "valid_from_year, annual_volume_m3) select 1, n, 0, 0, 321084, 0, 0, 0, 0, 0, 0, 2021, 1 from generate_series(1, 2) n "
        "on conflict do nothing"
    )
    assert told("2020-12-31") == {}
    assert told("2024-06-01") == {1: (200, "valid", 2), 2: (50, "valid", 1)}
    assert told("2025-06-01") == {1: (100, "valid", 1), 2: (50, "expired", 1)}
    assert told("2026-04-01") == {1: (100, "cancelled", 1), 2: (50, "expired", 1)}


def test_an_entry_taken_out_is_on_no_day_but_was_known(past: psycopg.Connection[Any]) -> None:
    assert 4 not in at(past, "intakes", "2024-06-01")
    assert 4 in at(past, "intakes", "2024-06-01", "2025-01-01T00:00+08:00")


def test_a_version_that_says_no_day_holds_from_its_recording(past: psycopg.Connection[Any]) -> None:
    def lon(day: str) -> float:
        past.execute(NATION.encode())
        row = past.execute("select st_x(geom) as x from map.intakes_at(%s) where id = 1", (day,)).fetchone()
        return float(row["x"])

    assert (lon("2026-03-04"), lon("2026-03-05")) == (119.5, 119.01)


def test_the_past_is_read_in_the_readers_jurisdiction(past: psycopg.Connection[Any]) -> None:
    """A well that left the county is not theirs on any day; what they saw before stays theirs to look up."""
    assert sorted(at(past, "intakes", "2025-01-01", scope=GAOYOU)) == [1, 2, 3, 6]
    assert sorted(at(past, "intakes", "2025-01-01", "2025-01-01T00:00+08:00", scope=GAOYOU)) == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    # The permit of another county is read where its well stands.
    assert sorted(at(past, "permits", "2023-01-01", scope=GAOYOU)) == [1, 2]
    past.execute(SCOPE.format(lo=0, hi=0).encode())
    assert past.execute("select count(*) as n from map.intakes_at('2025-01-01')").fetchone() == {"n": 0}


def test_today_is_what_the_map_shows(past: psycopg.Connection[Any]) -> None:
    past.execute(NATION.encode())
    for layer in ("intakes", "permits"):
        today = past.execute(f"select * from map.{layer}_at(current_date) order by id".encode()).fetchall()
        now = past.execute(f"select * from map.{layer} order by id".encode()).fetchall()
        assert [list(row) for row in today] == [list(row) for row in now]
        assert today == now


def test_a_box_of_the_past_is_looked_up_in_the_indexes(past: psycopg.Connection[Any]) -> None:
    past.execute(NATION.encode())
    with past.transaction():
        past.execute("set local enable_seqscan = off")
        plan = past.execute(
            "explain select id from map.intakes_at('2025-01-01') where geom && st_makeenvelope(119, 32, 119.1, 32.2, 4490)"
        ).fetchall()
    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "intakes_geom_idx" in text and "intake_history_geom" in text and "Function Scan" not in text


def test_the_maps_role_reads_the_past_too(database: Dsns, past: psycopg.Connection[Any]) -> None:
    with psycopg.connect(database.map) as connection:
        connection.execute(NATION.encode())
        assert connection.execute("select count(*) from map.intakes_at('2021-06-01')").fetchone() == (5,)


def test_a_page_of_the_past_is_read_in_the_order_of_the_indexes(past: psycopg.Connection[Any]) -> None:
    """Present and history merged, no sort of the whole register (5.9 million intakes: seconds, else)."""
    past.execute(NATION.encode())
    with past.transaction():
        past.execute("set local enable_seqscan = off")
        past.execute("set local enable_sort = off")
        plan = past.execute(
            "explain select * from map.intakes_at('2025-01-01') where id > 1 order by id limit 10"
        ).fetchall()
    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "Merge Append" in text and "intakes_pkey" in text and "intake_history_pkey" in text
