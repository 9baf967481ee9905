"""`datetime` and `known` on the register: what held on a day, as it was known at a moment."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from app.db.engine import Dsns
from tests import served

# Well 1 was moved, by what was recorded in 2026, and is sealed since; well 3 came into use in 2020. The permit of well 1
# allowed 200 m³ until it was varied to 100 from June 2025; well 2 has none.
ROWS = """
set session_replication_role = replica;
insert into shuitu.intakes (id, version, code, name, county_code, permit_state, status, geom, valid_from, recorded_at, started_on) overriding system value values
  (1, 2, 'W1', '一号井', 321084, 'linked', 'sealed', 'SRID=4490;POINT(119.7 32.1)', '2026-03-01', '2026-03-05 08:00+08', null),
  (2, 1, 'W2', '二号井', 321084, 'unpermitted', 'in_use', 'SRID=4490;POINT(119.71 32.1)', null, '2024-01-10 08:00+08', null),
  (3, 1, 'W3', '三号井', 321084, 'exempt', 'in_use', 'SRID=4490;POINT(119.72 32.1)', null, '2024-01-10 08:00+08', '2020-05-01');
insert into shuitu.intake_history (id, version, code, code_scheme, name, holder_name, county_code, permit_state, geom, recorded_at, recorded_until,
    town, place, source_type, water_body, purpose, off_stream, status, declared_datum, attributes) values
  (1, 1, 'W1', 'register', '一号井', '', 321084, 'linked', 'SRID=4490;POINT(119.9 32.4)', '2024-01-10 08:00+08', '2026-03-05 08:00+08',
    '', '', 'unknown', '', 'other', true, 'in_use', 'CGCS2000', '{}');
insert into shuitu.permits (id, version, permit_no, permit_no_raw, event, status, holder_name, county_code, annual_volume_m3, valid_from, valid_to,
    effective_on, recorded_at) overriding system value values
  (1, 2, 'D321084G2021-0001', '', 'vary', 'valid', '甲公司', 321084, 100, '2021-01-01', '2030-12-31', '2025-06-01', '2025-06-02 08:00+08');
insert into shuitu.permit_history (id, version, permit_no, permit_no_raw, event, status, holder_name, county_code, annual_volume_m3, valid_from, valid_to,
    effective_on, recorded_at, recorded_until, issuing_authority, supervising_authority, source_type, purpose, occupies_quota, place, attributes) values
  (1, 1, 'D321084G2021-0001', '', 'issue', 'valid', '甲公司', 321084, 200, '2021-01-01', '2030-12-31', '2021-01-01', '2024-01-10 08:00+08',
    '2025-06-02 08:00+08', '', '', 'groundwater', 'other', true, '', '{}');
insert into shuitu.permit_intakes (permit_id, intake_id, county_code, valid_from, recorded_at) values (1, 1, 321084, '1900-01-01', '2024-01-10 08:00+08');
set session_replication_role = default"""
NOW_AT, THEN_AT = "bbox=119.65,32.05,119.75,32.15", "bbox=119.85,32.35,119.95,32.45"


@pytest.fixture(scope="module")
def ground(new_database: Callable[[], Dsns]) -> tuple[Dsns, served.Accounts]:
    dsns = new_database()
    assert dsns.admin is not None
    with psycopg.connect(dsns.admin, autocommit=True) as admin:
        admin.execute(ROWS.encode())
    with psycopg.connect(dsns.service) as connection:
        connection.execute(
            "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)"
        )
        for layer in ("intakes", "permits"):
            served.publish.rebuild(connection, served.catalog.load()[layer])
    return dsns, served.accounts(dsns)


@pytest.fixture(scope="module")
def web(
    ground: tuple[Dsns, served.Accounts], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    with served.serving(ground[0], tmp_path_factory.mktemp("past")) as client:
        yield client


@pytest.fixture
def found(web: TestClient, ground: tuple[Dsns, served.Accounts]) -> Callable[..., dict[int, dict[str, Any]]]:
    def ask(query: str, layer: str = "intakes", key: str | None = None) -> dict[int, dict[str, Any]]:
        headers = {"X-API-Key": key or ground[1].nation}
        answer = web.get(f"/ogc/collections/{layer}/items?{query}", headers=headers)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["numberMatched"] == len(body["features"])
        return {feature["id"]: feature["properties"] for feature in body["features"]}

    return ask


Found = Callable[..., dict[int, dict[str, Any]]]


def test_a_past_day_shows_what_held_then_and_where(found: Found) -> None:
    assert {number: one["status"] for number, one in found("").items()} == {
        1: "sealed",
        2: "in_use",
        3: "in_use",
    }
    assert found("datetime=2025-12-31T00:00:00Z")[1]["status"] == "in_use"
    assert found("datetime=2019-01-01").keys() == {1, 2}
    assert found(NOW_AT).keys() == {1, 2, 3}
    assert found(f"{NOW_AT}&datetime=2025-12-31").keys() == {2, 3}
    assert found(f"{THEN_AT}&datetime=2025-12-31").keys() == {1}
    assert found("status=sealed&datetime=2025-12-31") == {}


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("2026-02-28T15:59:59Z", "in_use"),  # the last second of February in China
        ("2026-02-28T16:00:00Z", "sealed"),
        ("2026-02-28", "in_use"),
        ("2026-03-01", "sealed"),
        ("../2026-02-28", "in_use"),
        ("2026-01-01/2026-03-02", "sealed"),  # an interval is told as it was at its end
        ("2020-01-01/..", "sealed"),
    ],
)
def test_days_are_those_of_china(found: Found, moment: str, status: str) -> None:
    assert found(f"datetime={moment}")[1]["status"] == status


def test_what_was_recorded_later_was_not_known(found: Found) -> None:
    assert found("datetime=2026-03-02&known=2026-03-04T00:00:00Z")[1]["status"] == "in_use"
    assert found("datetime=2026-03-02&known=2026-03-05")[1]["status"] == "sealed"
    assert found("known=2025-01-01")[1]["status"] == "in_use"
    assert found("known=2023-12-31") == {}


def test_permits_show_the_version_in_force_and_only_terms_that_meet_the_time(found: Found) -> None:
    def volume(query: str) -> float | None:
        permits = found(query, "permits")
        return permits[1]["annual_volume_m3"] if permits else None

    assert volume("") == volume("datetime=2026-01-01") == 100
    assert volume("datetime=2025-05-31") == 200
    assert volume("datetime=2025-06-01&known=2025-06-01") == 200
    assert volume("datetime=2020-12-31") is None
    assert volume("datetime=2031-01-01") is None
    assert volume("datetime=2031-01-01/..") is None


def test_pages_sorts_filters_and_files_go_into_the_past(
    web: TestClient, ground: tuple[Dsns, served.Accounts], found: Found
) -> None:
    key = {"X-API-Key": ground[1].nation}
    assert list(found("datetime=2025-12-31&sortby=-name")) == [2, 3, 1]  # by code points
    assert found(
        "datetime=2025-12-31&filter=status='in_use' AND S_INTERSECTS(geometry,POINT(119.9 32.4))"
    ).keys() == {1}
    page = web.get(
        "/ogc/collections/intakes/items?datetime=2025-12-31&known=2025-12-31&limit=2", headers=key
    ).json()
    following = next(link["href"] for link in page["links"] if link["rel"] == "next")
    assert "datetime=2025-12-31" in following
    assert "known=2025-12-31" in following
    assert [one["id"] for one in web.get(following, headers=key).json()["features"]] == [3]
    table = web.get("/ogc/collections/intakes/items?datetime=2025-12-31&f=csv", headers=key).text
    assert "119.9" in table
    assert "119.7000000" not in table


def test_pages_of_the_past_skip_what_is_missing_among_the_ids(
    web: TestClient, ground: tuple[Dsns, served.Accounts]
) -> None:
    """Ids lie far apart where entries were taken out: 100,000 beyond the last, another one."""
    admin = ground[0].admin or ""
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(
            "insert into shuitu.intakes (id, code, name, county_code, permit_state, geom) overriding system value "
            "values (100003, 'FAR', '远', 321084, 'exempt', 'SRID=4490;POINT(119.7 32.1)')"
        )
    seen, address = [], "/ogc/collections/intakes/items?datetime=2025-12-31&limit=1"
    while address:
        body = web.get(address, headers={"X-API-Key": ground[1].nation}).json()
        seen += [one["id"] for one in body["features"]]
        address = next((link["href"] for link in body["links"] if link["rel"] == "next"), "")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("delete from shuitu.intakes where id = 100003")
    assert seen == [1, 2, 3, 100003]


def test_scope_holds_in_the_past_too(found: Found, ground: tuple[Dsns, served.Accounts]) -> None:
    assert found("datetime=2025-12-31", key=ground[1].county).keys() == {1, 2, 3}
    elsewhere = served.engine(ground[0].service)
    with served.transaction(elsewhere, served.system("test")) as session:
        where = served.Jurisdiction.of_region("320505")
        user = served.access.add_user(session, "elsewhere", "a good long pass", served.Role.OFFICER, where)
        key = served.access.add_key(session, user.id, "test")[1]
    elsewhere.dispose()
    assert found("datetime=2025-12-31", key=key) == {}


def test_the_public_sees_the_present_and_bad_moments_are_refused(
    web: TestClient, ground: tuple[Dsns, served.Accounts]
) -> None:
    items = "/ogc/collections/intakes/items"
    assert web.get(f"{items}?datetime=2025-12-31").json()["features"][0]["properties"]["status"] == "sealed"
    assert web.get(f"{items}?known=2025-12-31").status_code == 400
    key = {"X-API-Key": ground[1].nation}
    for wrong in (
        "",
        "2025",
        "yesterday",
        "2025-02-30",
        "2025-01-01T00:00:00",
        "..",
        "2025-01-01/2025-02-01",
    ):
        answer = web.get(items, params={"known": wrong}, headers=key)
        assert answer.status_code == 400, wrong
        assert answer.json()["field"] == "known"
    assert web.get("/ogc/collections/regions/items?known=2025-12-31", headers=key).status_code == 400
