"""Statistics equal the map at any filter; the two tables are never mixed; files hold what the screen shows."""

import csv
import io
from collections.abc import Callable
from datetime import date
from typing import Any

import mapbox_vector_tile
import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from starlette.testclient import TestClient

from app.access import service as access
from app.actor import Jurisdiction, Role, system
from app.db.engine import driver_of, transaction
from app.deps import Services
from app.maps import past_days
from layers import catalog
from tests.integration.conftest import PASSWORD
from tiles import facets, fold
from tiles.options import Past

NATION = system("test")
MANY = 4_200
"""More than a tile draws singly: the map shows cells."""
LAYER = catalog.load()["intakes"]
FACETS = {one.name: [value.value for value in one.field.values] for one in facets.facets(LAYER)}


@pytest.fixture(scope="module")
def filled(services: Services) -> Services:
    """Intakes of all kinds in two counties, one in none, and a county of another province; a hundred changed since
    the cells were written."""
    random = np.random.default_rng(3)

    def pick(name: str) -> str:
        return str(random.choice(FACETS[name]))

    rows = []
    for n in range(MANY):
        county, basin = ((321084, 3), (321023, 1), (110101, None), (0, None))[int(random.integers(0, 4)) if n % 50 == 0 else n % 2]  # fmt: skip
        rows.append(
            {
                "code": f"S{n:05d}",
                "county": county,
                "basin": basin,
                "source": pick("source_type"),
                "state": pick("permit_state"),
                "status": pick("status"),
                "purpose": pick("purpose"),
                "volume": None if n % 13 == 0 else float(random.integers(1, 3_000_000)) / 2,
                "year": None if n % 7 == 0 else int(random.integers(1990, 2026)),
                "aquifer": (None, "shallow", "deep_confined")[n % 3],
                "off": bool(n % 5),
                "zone": (None, "E010100", "F120200")[n % 3],
                "lon": 119.0 + float(random.random()) * 0.4,
                "lat": 32.0 + float(random.random()) * 0.2,
            }
        )
    with transaction(services.engine, NATION) as session:
        access.add_user(session, "huaiwei", PASSWORD, Role.OFFICER, Jurisdiction.of_basin(3), "淮委")
        session.execute(
            text("""insert into shuitu.intakes (code, name, county_code, basin_id, source_type, permit_state, status, purpose,
                      annual_volume_m3, started_on, aquifer_layer, off_stream, zone_code, geom)
                    values (:code, :code, :county, :basin, :source, :state, :status, :purpose, :volume,
                      make_date(:year, 6, 1), :aquifer, :off, :zone, st_setsrid(st_makepoint(:lon, :lat), 4490))"""),
            rows,
        )
        services.publish(driver_of(session), "intakes", None)
    with transaction(services.engine, NATION) as session:
        changed = session.execute(
            text("update shuitu.intakes set status = 'sealed', annual_volume_m3 = 77 where id % 42 = 0 returning id")
        ).scalars().all()  # fmt: skip
        services.publish_features(driver_of(session), "intakes", changed)
    return services


@pytest.fixture(scope="module")
def log_in(web: TestClient, filled: Services) -> Callable[[str], TestClient]:
    windows: dict[str, TestClient] = {}

    def window(name: str) -> TestClient:
        if name not in windows:
            windows[name] = TestClient(web.app)
            answer = windows[name].post("/api/session", json={"username": name, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
        return windows[name]

    return window


def counted(web: TestClient, **asked: Any) -> dict[str, Any]:
    answer = web.get("/api/statistics/intakes", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def on_the_map(web: TestClient, filter_: str | None) -> tuple[int, int]:
    """Number and volume of what the map's one tile of the world shows."""
    answer = web.get("/tiles/intakes/0/0/0", params={"filter": filter_} if filter_ else {})
    if answer.status_code == 204:
        return 0, 0
    assert answer.status_code == 200, answer.text
    features = [one["properties"] for one in mapbox_vector_tile.decode(answer.content)["intakes"]["features"]]
    if any("cell" in one for one in features):
        return sum(one["n"] for one in features), sum(one["volume"] for one in features)
    return len(features), sum(round(one.get("annual_volume_m3") or 0) for one in features)


def _condition(name: str) -> st.SearchStrategy[str]:
    if name == "started_year":
        return st.tuples(st.integers(1985, 2010), st.integers(2010, 2026)).map(
            lambda years: f"{name} >= {years[0]} AND {name} <= {years[1]}"
        )
    several = st.lists(st.sampled_from(FACETS[name]), min_size=1, max_size=3, unique=True)
    return several.map(lambda chosen: f"{name} IN ({','.join(repr(one) for one in chosen)})")


filters = st.lists(st.sampled_from(sorted(FACETS)), max_size=3, unique=True).flatmap(
    lambda names: st.tuples(*[_condition(name) for name in names]).map(" AND ".join)
)
dimensions = st.sampled_from([*sorted(FACETS), "region", "basin"])
columns = st.sampled_from(["zone_code", "off_stream", "works_type"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters, dimensions, st.sampled_from(("admin", "gaoyou", "huaiwei", "viewer")))
def test_statistics_equal_the_map_at_any_filter(
    log_in: Callable[[str], TestClient], filter_: str, by: str, who: str
) -> None:
    web = log_in(who)
    found = counted(web, by=by, **({"filter": filter_} if filter_ else {}))
    assert found["from_map"] is True
    assert sum(row["n"] for row in found["rows"]) == found["total"]["n"]
    n, volume = on_the_map(web, filter_ or None)
    assert found["total"]["n"] == n
    assert abs(found["total"]["volume_m3"] - volume) <= n  # a tile's single numbers are rounded one by one


@settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(filters, dimensions, columns)
def test_what_is_counted_from_entries_sums_to_what_cells_say(
    log_in: Callable[[str], TestClient], filter_: str, by: str, column: str
) -> None:
    given_ = {"filter": filter_} if filter_ else {}
    cells = counted(log_in("admin"), by=by, **given_)
    entries = counted(log_in("admin"), by=by, across=column, **given_)
    assert (cells["from_map"], entries["from_map"]) == (True, False)
    assert [(r["key"], r["n"], r["volume_m3"]) for r in cells["rows"]] == [
        (r["key"], r["n"], r["volume_m3"]) for r in entries["rows"]
    ]
    for row in entries["rows"]:
        assert sum(cell["n"] for cell in row["cells"]) == row["n"]


def test_folding_changes_nothing(filled: Services, log_in: Callable[[str], TestClient]) -> None:
    before = counted(log_in("admin"), by="status", across="region")
    with transaction(filled.engine, NATION) as session:
        assert fold.fold(driver_of(session), LAYER) > 0
    after = counted(log_in("admin"), by="status", across="region")
    assert before["rows"] == after["rows"]


def test_regions_are_drilled_down(log_in: Callable[[str], TestClient]) -> None:
    web = log_in("admin")
    nation = counted(web, by="region")
    assert [row["key"] for row in nation["rows"]] == [110000, 320000, None]
    assert nation["rows"][1]["title"]["zh"] == "江苏省" and nation["rows"][2]["title"]["zh"] == "不详"
    province = counted(web, by="region", region=320000)
    assert [row["key"] for row in province["rows"]] == [321000]
    assert province["total"] == nation["rows"][1] | {"key": None, "title": province["total"]["title"], "cells": []}  # fmt: skip
    prefecture = counted(web, by="region", region=321000)
    assert [row["title"]["zh"] for row in prefecture["rows"]] == ["宝应县", "高邮市"]
    assert [row["key"] for row in counted(web, by="region", region=110000)["rows"]] == [110101]
    basin = counted(web, by="basin")
    assert [row["key"] for row in basin["rows"]] == [1, 3, None]
    assert counted(web, by="region", basin=3)["total"]["n"] == basin["rows"][1]["n"]


def test_each_sees_the_numbers_of_its_own(log_in: Callable[[str], TestClient], web: TestClient) -> None:
    web.cookies.clear()
    assert web.get("/api/statistics/intakes").status_code == 401
    whole = counted(log_in("admin"), by="region", region=321000)["rows"]
    for name, key in (("gaoyou", 321084), ("baoying", 321023)):
        (row,) = counted(log_in(name), by="region", region=321000)["rows"]
        assert row == next(one for one in whole if one["key"] == key)
    huai = counted(log_in("huaiwei"), by="basin")
    assert [row["key"] for row in huai["rows"]] == [3]


def test_a_filter_beyond_the_facets_is_asked_of_the_entries(log_in: Callable[[str], TestClient]) -> None:
    found = counted(log_in("admin"), by="source_type", filter="name LIKE 'S000%'")
    assert (found["from_map"], found["total"]["n"]) == (False, 100)


def test_a_past_day_counts_what_held_then(filled: Services, log_in: Callable[[str], TestClient]) -> None:
    today = counted(log_in("admin"), by="permit_state", datetime="2099-01-01")
    assert today["on"] == "2099-01-01" and today["total"]["n"] == MANY
    # Entries without any date were always there; those started later were not.
    past = counted(log_in("admin"), by="region", datetime="2005-01-01")
    with transaction(filled.engine, NATION) as session:
        n = session.execute(
            text("select count(*) from shuitu.intakes where started_on is null or started_on <= '2005-01-01'")
        ).scalar_one()
    assert past["total"]["n"] == n < MANY
    zones = counted(log_in("admin"), by="zone_code", datetime="2005-01-01")
    assert zones["total"]["n"] == n and len(zones["rows"]) > 1


def test_a_past_day_of_many_is_told_by_the_cells_that_the_map_counted(
    filled: Services, log_in: Callable[[str], TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"by": "region", "across": "permit_state", "datetime": "2005-01-01"}
    one_by_one = counted(log_in("admin"), **asked)
    monkeypatch.setattr("tiles.points.JOINED", 100)
    assert counted(log_in("admin"), **asked)["from_map"] is False  # nobody had it counted
    with monkeypatch.context() as slower:  # what would take too long is refused at once
        slower.setattr("app.statistics.counting.POINT_OF_PAST_S", 10.0)
        refused = log_in("admin").get("/api/statistics/intakes", params=asked)
        assert refused.status_code == 400 and "too-costly" in refused.text, refused.text[:500]
    with transaction(filled.engine, NATION) as session:
        past_days.ask(session, NATION, LAYER, Past(date(2005, 1, 1)))
        number = session.execute(
            text("select id from map.past_days where on_date = '2005-01-01'")
        ).scalar_one()
    past_days.count(filled, number)
    for narrowed in ({}, {"filter": "status = 'sealed'"}, {"region": 321000}):
        monkeypatch.setattr("tiles.points.JOINED", 10**9)
        singly = counted(log_in("admin"), **asked, **narrowed)
        monkeypatch.setattr("tiles.points.JOINED", 100)
        told = counted(log_in("admin"), **asked, **narrowed)
        assert told["from_map"] is True
        assert (told["rows"], told["total"]) == (singly["rows"], singly["total"])
    assert one_by_one["total"]["n"] == counted(log_in("admin"), **asked)["total"]["n"]


def test_the_workbook_holds_what_the_screen_shows(log_in: Callable[[str], TestClient]) -> None:
    asked = {"by": "source_type", "across": "permit_state", "region": 321000}
    shown = counted(log_in("admin"), **asked)
    answer = log_in("admin").get("/api/statistics/intakes", params=asked | {"f": "xlsx"})
    assert answer.headers["content-type"].startswith("application/vnd.openxmlformats")
    assert "filename*=UTF-8''%E5%8F%96%E6%B0%B4%E5%8F%A3" in answer.headers["content-disposition"]
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert rows[0][0] == "取水口统计：按水源类型、许可对应"
    assert [row[0].split("：")[0] for row in rows[1:4]] == ["范围", "截至", "口径"]
    heading = next(i for i, row in enumerate(rows) if row[0] == "代码")
    assert rows[heading][:4] == ["代码", "水源类型", "取水口(个)", "年取水量(万m³)"]
    assert rows[heading][4] == "已对应 取水口(个)"
    for row, line in zip(rows[heading + 1 :], [*shown["rows"], shown["total"]], strict=True):
        assert (row[1], row[2]) == (line["title"]["zh"], line["n"])
        assert row[3] == pytest.approx(line["volume_m3"] / 10_000, abs=1e-4)
        assert row[4::2] == [cell["n"] for cell in line["cells"]]
    assert rows[-1][1] == "合计" and "示例数据" not in str(rows)


def test_csv_opens_in_a_chinese_spreadsheet(log_in: Callable[[str], TestClient]) -> None:
    answer = log_in("admin").get("/api/statistics/intakes", params={"by": "region", "region": 321000, "f": "csv"})  # fmt: skip
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0] == ["代码", "行政区", "取水口(个)", "年取水量(万m³)", "截至"]
    assert [row[1] for row in rows[1:]] == ["宝应县", "高邮市", "合计"]
    english = log_in("admin").get("/api/statistics/progress", params={"f": "csv", "lang": "en"})
    assert english.content.decode("utf-8-sig").splitlines()[0].startswith("Code,Place,Linkage completed")


def test_issuers_are_another_table(filled: Services, log_in: Callable[[str], TestClient]) -> None:
    with transaction(filled.engine, NATION) as session:
        session.execute(
            text("""insert into shuitu.permits (permit_no, permit_no_raw, status, holder_name, county_code, basin_id, issuing_level,
                      issuing_authority, annual_volume_m3, valid_from, valid_to)
                    values ('a', 'a', 'valid', 'x', 321084, 3, 'county', '高邮市水利局', 10000, '2020-01-01', current_date + 30),
                      ('b', 'b', 'valid', 'x', 321084, 3, 'county', '高邮市水利局', 20000, '2020-01-01', current_date - 1),
                      ('c', 'c', 'revoked', 'x', 321084, 3, 'county', '高邮市水利局', 40000, '2020-01-01', null),
                      ('d', 'd', 'valid', 'x', 321023, 1, 'basin', '=长江水利委员会', 5000000, '2020-01-01', null)""")
        )
        session.execute(
            text("""insert into shuitu.permit_intakes (permit_id, intake_id, county_code, basin_id)
                    select p.id, i.id, i.county_code, i.basin_id from shuitu.permits p, shuitu.intakes i
                    where p.permit_no = 'a' and i.code in ('S00000', 'S00002')""")
        )
    found = log_in("admin").get("/api/statistics/issuers").json()
    assert [(row["level"], row["authority"], row["permits"]) for row in found["rows"]] == [
        ("basin", "=长江水利委员会", 1),
        ("county", "高邮市水利局", 3),
    ]
    county = found["rows"][1]
    assert (county["in_force"], county["permitted_m3"], county["due_90"], county["expired"], county["ended"], county["links"]) == (1, 10000, 1, 1, 1, 2)  # fmt: skip
    assert found["total"]["permits"] == 4 and "工作量" in found["counted"]["zh"]
    # A name that a spreadsheet would run stays a name.
    sheet = openpyxl.load_workbook(
        io.BytesIO(log_in("admin").get("/api/statistics/issuers", params={"f": "xlsx"}).content)
    ).active
    cell = next(c for row in sheet.iter_rows() for c in row if c.value == "=长江水利委员会")
    assert cell.data_type == "s"
    text_ = log_in("admin").get("/api/statistics/issuers", params={"f": "csv"}).content.decode("utf-8-sig")
    assert "'=长江水利委员会" in text_


def test_the_briefing_names_every_denominator(filled: Services, log_in: Callable[[str], TestClient]) -> None:
    with transaction(filled.engine, NATION) as session:
        session.execute(
            text("""insert into shuitu.link_outcomes (intake_id, outcome, decided_by, decided_at, county_code, basin_id)
                    select id, case when id % 3 = 0 then 'pending' else 'one_to_one' end, case when id % 3 = 0 then null else 'rule' end,
                      case when id % 3 = 0 then null else now() end, county_code, basin_id
                    from shuitu.intakes where off_stream and county_code = 321084""")
        )
    found = log_in("admin").get("/api/statistics/progress", params={"region": 321000}).json()
    assert {rate["part"] for rate in found["rates"]} | {rate["whole"] for rate in found["rates"]} <= found["total"]["counts"].keys()  # fmt: skip
    assert all(rate["of"]["zh"] and rate["of"]["en"] for rate in found["rates"])
    by_key = {row["key"]: row for row in found["rows"]}
    gaoyou = by_key[321084]
    with transaction(filled.engine, NATION) as session:
        scope, decided = session.execute(
            text("""select (select count(*) from shuitu.intakes where off_stream and status <> 'ended' and county_code = 321084),
                           (select count(*) from shuitu.link_outcomes where decided_by is not null)""")
        ).one()
    assert (gaoyou["counts"]["in_scope"], gaoyou["counts"]["decided"]) == (scope, decided)
    assert gaoyou["rates"]["compared"] == pytest.approx(decided / scope)
    assert by_key[321023]["rates"]["submitted"] is None  # nothing to be a share of
    total = found["total"]
    assert total["counts"]["in_scope"] == sum(row["counts"]["in_scope"] for row in found["rows"])
    basins = log_in("admin").get("/api/statistics/progress", params={"by": "basin"}).json()
    assert [row["key"] for row in basins["rows"]] == [1, 3]


def test_an_officer_sees_what_lies_right_below_its_own_region(
    filled: Services, log_in: Callable[[str], TestClient]
) -> None:
    found = counted(log_in("viewer"), by="region")
    assert found["region_code"] == 321000 and {row["key"] for row in found["rows"]} == {321023, 321084}
    assert {row["key"] for row in counted(log_in("admin"), by="region")["rows"]} >= {110000, 320000}


@pytest.mark.parametrize(
    "asked",
    [
        {"by": "colour"},
        {"by": "region", "across": "region"},
        {"by": "region", "filter": "colour = 1"},
        {"by": "region", "filter": "status = "},
        {"by": "region", "region": 5},
        {"by": "region", "datetime": "yesterday"},
        {"by": "region", "f": "pdf"},
    ],
)
def test_bad_questions_are_told(log_in: Callable[[str], TestClient], asked: dict[str, Any]) -> None:
    answer = log_in("admin").get("/api/statistics/intakes", params=asked)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_the_dimensions_are_told(log_in: Callable[[str], TestClient]) -> None:
    found = {one["name"]: one for one in log_in("viewer").get("/api/statistics/dimensions").json()}
    wanted = {"region", "basin", "zone_code", "purpose", "aquifer_layer", "status", "permit_state", "review_state", "source_type"}  # fmt: skip
    assert wanted <= found.keys()
    assert found["purpose"]["exact"] and not found["zone_code"]["exact"]
