"""The demo against its own truth file: what the importer rejects, warns of, takes and cannot see."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
import shapely
from sqlalchemy import text

from app import demo, wiring
from app.actor import PUBLIC, Actor, Jurisdiction, Role, system
from app.db.engine import Dsns, transaction
from app.demo.accounts import DemoAccount
from app.deps import Services
from app.imagery import service as imagery
from app.maps.routes import get_catalog
from app.screening import service as screening
from app.settings import Settings

DAY = date(2026, 11, 24)
NATION = system("test")
Row = tuple[str, int]


@dataclass(frozen=True)
class Demo:
    services: Services
    accounts: list[DemoAccount]
    truth: dict[str, Any]
    issues: dict[Row, set[tuple[str, str, str]]]
    """(severity, field, reason) by file and row."""

    def planted(self, expected: str) -> list[dict[str, Any]]:
        return [error for error in self.truth["errors"] if error["expected"] == expected]


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def loaded(new_database: Callable[[], Dsns], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Loaded in two goes: the first is killed in the middle of the imports."""
    folder = tmp_path_factory.mktemp("demo-data")
    database = new_database()
    services = wiring.services(Settings(database_url=database.admin, data_dir=folder, log_level="warning"))

    def kill(share: float, step: str) -> None:
        if share > 0.7:
            raise Killed

    with pytest.raises(Killed):
        demo.load(services, kill, seed=7, as_of=DAY)
    assert _rows(services, "select to_regclass('shuitu.demo')")[0][0] is None
    accounts = demo.load(services, seed=7, as_of=DAY)
    truth = json.loads((folder / "demo" / "truth.json").read_text("utf-8"))
    yield Demo(services, accounts, truth, _issues(services))
    services.engine.dispose()


def _issues(services: Services) -> dict[Row, set[tuple[str, str, str]]]:
    found: dict[Row, set[tuple[str, str, str]]] = defaultdict(set)
    for row in _rows(
        services,
        "select i.filename, r.row_no, r.severity, r.field, r.reason from shuitu.import_rejects r "
        "join shuitu.imports i on i.id = r.import_id where i.state = 'done'",
    ):
        found[row.filename, row.row_no].add((row.severity, row.field, row.reason))
    return found


def _rows(services: Services, query: str, actor: Actor = NATION, **values: Any) -> list[Any]:
    with transaction(services.engine, actor) as session:
        return list(session.execute(text(query), values).all())


def _place(error: dict[str, Any]) -> Row:
    return error["file"], error["row"]


@pytest.mark.parametrize("severity", ["reject", "warning"])
def test_every_planted_error_is_answered_in_its_field(loaded: Demo, severity: str) -> None:
    errors = loaded.planted(severity)
    assert len(errors) > 80
    missed = [
        error
        for error in errors
        if (severity, error["field"], error["reason"]) not in loaded.issues.get(_place(error), set())
    ]
    assert missed == []


def test_no_clean_row_is_rejected_or_warned_of(loaded: Demo) -> None:
    answered = {_place(e) for e in loaded.planted("reject") + loaded.planted("warning")}
    assert {place: said for place, said in loaded.issues.items() if place not in answered} == {}
    warned_only = {_place(e) for e in loaded.planted("warning")} - {
        _place(e) for e in loaded.planted("reject")
    }
    assert [p for p in warned_only if any(s == "reject" for s, *_ in loaded.issues[p])] == []


def test_every_other_row_is_in_the_store(loaded: Demo) -> None:
    for record in _rows(
        loaded.services,
        "select filename, rows_read, rows_rejected, state from shuitu.imports where kind = 'intakes'",
    ):
        planted = [e for e in loaded.truth["errors"] if e["file"] == record.filename]
        rejected = {e["row"] for e in planted if e["expected"] == "reject"}
        assert (record.state, record.rows_rejected) == ("done", len(rejected))
        repeated = sum(e["error"] == "repeated" for e in planted)
        stored = _rows(
            loaded.services, "select count(*) from shuitu.intakes i join shuitu.imports m on m.id = i.import_id "
            "where m.filename = :f", f=record.filename,
        )[0][0]  # fmt: skip
        assert stored == record.rows_read - len(rejected) - repeated


def test_odd_spellings_and_declared_datums_come_in_right(loaded: Demo) -> None:
    errors = [e for e in loaded.planted("accept") if e["kind"] == "intakes"]
    at = {
        r.code: (r.lon, r.lat)
        for r in _rows(
            loaded.services, "select code, st_x(geom) as lon, st_y(geom) as lat from shuitu.intakes"
        )
    }
    assert {e["error"] for e in errors} == {"spelt_angle", "declared_gcj02"}
    for error in errors:
        lon, lat = (float(part) for part in error["meant"].split(","))
        assert at[error["key"]] == pytest.approx((lon, lat), abs=5e-6)


def test_what_no_check_can_see_is_in_the_store_as_written(loaded: Demo) -> None:
    unseen = [e for e in loaded.planted("unseen") if e["kind"] == "permits"]
    stored = {
        r.permit_no: r
        for r in _rows(
            loaded.services, "select permit_no, status, valid_to, annual_volume_m3 from shuitu.permits"
        )
    }
    slips = [e for e in unseen if e["error"] == "unit_slip_unseen"]
    assert len(slips) == 6
    for error in slips:
        number = _plain(error["key"])
        assert stored[number].annual_volume_m3 == pytest.approx(float(error["written"]) * 1e4)
    late = [e for e in unseen if e["error"] == "expired_yet_valid"]
    assert len(late) == 12
    assert all(
        stored[_plain(e["key"])].status == "valid" and stored[_plain(e["key"])].valid_to < DAY for e in late
    )


def _plain(number: str) -> str:
    return number.translate(str.maketrans("（）〔〕", "()[]"))


def test_every_permit_state_is_on_the_map(loaded: Demo) -> None:
    states = dict(
        tuple(r)
        for r in _rows(loaded.services, "select permit_state, count(*) from shuitu.intakes group by 1")
    )
    assert set(states) == {"linked", "pending", "unpermitted", "exempt", "ended"}
    assert states["linked"] > 0.5 * sum(states.values())
    assert _rows(loaded.services, "select count(*) from map.intake_points")[0][0] == sum(states.values())


def test_entries_whose_permit_nobody_wrote_down_are_linked_or_left_to_a_person(loaded: Demo) -> None:
    """A permit's holder is the register's, whole or by half: a link to another holder's permit is wrong."""
    made = _rows(
        loaded.services,
        """select count(*), count(*) filter (where strpos(p.holder_name, i.holder_name) > 0), count(k.permit_point_id)
           from shuitu.permit_intakes k join shuitu.intakes i on i.id = k.intake_id join shuitu.permits p on p.id = k.permit_id
           where k.origin = 'linkage' and k.valid_to is null""",
    )[0]
    assert made[0] > 150
    assert made[1] >= 0.995 * made[0]
    assert made[2] > 0.5 * made[0]
    lines = dict(
        tuple(r)
        for r in _rows(loaded.services, "select outcome, count(*) from shuitu.link_outcomes group by 1")
    )
    assert lines["pending"] > 5 and lines["permit_without_intake"] > 5 and lines["exempt"] > 50
    assert _rows(loaded.services, "select state, facts ->> 'intakes' from shuitu.link_runs")[0][0] == "done"


def test_a_killed_load_goes_on_and_a_second_one_changes_nothing(loaded: Demo) -> None:
    count = "select (select count(*) from shuitu.changes), (select count(*) from shuitu.imports), (select count(*) from shuitu.hydro_lines)"
    before = _rows(loaded.services, count)
    states = dict(
        tuple(r) for r in _rows(loaded.services, "select filename, count(*) from shuitu.imports group by 1")
    )
    assert set(states.values()) == {1}
    assert demo.load(loaded.services, seed=7, as_of=DAY) == loaded.accounts
    assert _rows(loaded.services, count) == before


def test_accounts_log_in_and_see_their_own(loaded: Demo) -> None:
    roles = {account.username: account.role for account in loaded.accounts}
    assert roles["admin"] is Role.ADMIN and roles["gaoyou"] is Role.OFFICER and roles["viewer"] is Role.VIEWER
    folder = loaded.services.settings.data_dir / "demo"
    assert (folder / "accounts.json").stat().st_mode & 0o077 == 0
    gaoyou = Actor("gaoyou", Role.OFFICER, Jurisdiction.of_region("321084"))
    assert {
        r[0] for r in _rows(loaded.services, "select distinct county_code from shuitu.intakes", gaoyou)
    } == {321084}


def test_the_map_opens_on_the_pilot(loaded: Demo) -> None:
    with transaction(loaded.services.engine, PUBLIC) as session:
        west, south, east, north = get_catalog(PUBLIC, loaded.services, session)["map"]["bounds"]
    assert 118.9 < west < 119.1 and 119.8 < east < 120.0
    assert 32.1 < south < 32.3 and 33.3 < north < 33.6


def test_the_detection_says_of_each_object_what_the_truth_says(loaded: Demo) -> None:
    services, folder = loaded.services, loaded.services.settings.data_dir / "demo" / "scenes"
    with transaction(services.engine, NATION) as session:
        run_id = screening.start(session, NATION, imagery.add_scenes(session, NATION, folder), None)
    screening.run(services, run_id, NATION)
    found = [
        (r.kind, r.category, shapely.from_wkt(r.wkt))
        for r in _rows(services, "select kind, category, st_astext(geom) as wkt from shuitu.candidates")
    ]
    said = {}
    for one in loaded.truth["scenes"]["objects"]:
        point = shapely.Point(one["lon"], one["lat"])
        at = [category for kind, category, shape in found if kind == one["kind"] and shape.contains(point)]
        expected = [] if one["expected"] in ("explained", "below_smallest_area") else [one["expected"]]
        said[one["lon"], one["lat"]] = at == expected
    assert all(said.values()) and len(said) >= 12
    assert len(found) == sum(
        one["expected"] not in ("explained", "below_smallest_area")
        for one in loaded.truth["scenes"]["objects"]
    )
