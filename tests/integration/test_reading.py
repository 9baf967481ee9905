"""Search, regions, dossiers and the live feed: what each caller may see, and no more."""

import itertools
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.actor import system
from app.changes import service as changes
from app.db.engine import driver_of, transaction
from app.deps import Services
from app.search.rules import coordinate
from app.settings import Settings
from tests import served

NATION = system("test")


@pytest.fixture(scope="module")
def filled(services: Services) -> Services:
    """Two intakes a county, a permit over one of them, a cap."""
    with transaction(services.engine, NATION) as session:
        session.execute(
            text("""insert into shuitu.intakes (code, name, holder_name, county_code, source_type, permit_state, annual_volume_m3, geom)
                    select c || '-' || n, '第' || n || '取水口', '高邮水厂', c, 'surface_water', case n when 1 then 'linked' else 'pending' end,
                           10000 * n, st_setsrid(st_makepoint(case c when 321084 then 119.1 else 119.3 end + n * 0.001, 32.1), 4490)
                    from unnest(array[321084, 321023]) c, generate_series(1, 2) n""")
        )
        session.execute(
            text("""with p as (insert into shuitu.permits (permit_no, permit_no_raw, status, holder_name, county_code, annual_volume_m3)
                      values ('C321084S2023-0001', 'C321084S2023-0001', 'valid', '高邮水厂', 321084, 50000) returning id)
                    insert into shuitu.permit_intakes (permit_id, intake_id, county_code)
                    select p.id, i.id, i.county_code from p, shuitu.intakes i where i.code = '321084-1'""")
        )
        session.execute(
            text("""insert into shuitu.control_indicators (region_code, kind, level_year, value, unit, document_no)
                    values (321084, 'total_use_cap', 2025, 500000, 'm3', '扬水资〔2022〕1号')""")
        )
        services.publish(driver_of(session), "intakes", None)
    return services


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("119.44, 32.39", (119.44, 32.39)),
        ("32.39 119.44", (119.44, 32.39)),
        ("119°26′24″ 32°23′24″", (119.44, 32.39)),
        ("32°23'24\"N 119°26'24\"E", (119.44, 32.39)),
        ("C321084S2023-0001", None),
        ("高邮", None),
        ("321084", None),
        ("1 2", None),
    ],
)
def test_coordinates_are_told_from_words(words: str, place: tuple[float, float] | None) -> None:
    assert coordinate(words) == (pytest.approx(place) if place else None)


def search(web: TestClient, words: str) -> list[tuple[str, str]]:
    return [
        (hit["kind"], hit["title"]) for hit in web.get("/api/search", params={"q": words}).json()["items"]
    ]


def test_search(filled: Services, log_in: Callable[[str], TestClient]) -> None:
    web = log_in("gaoyou")
    assert search(web, "高邮") == [("region", "高邮市"), ("permit", "C321084S2023-0001")]
    assert search(web, "321084-2") == [("intake", "第2取水口")]
    assert search(web, "C321084S2023") == [("permit", "C321084S2023-0001")]
    assert len([hit for hit in search(web, "取水口") if hit[0] == "intake"]) == 2
    assert search(web, "%") == []
    assert search(web, "119.1,32.1")[0][0] == "coordinate"
    web.cookies.clear()
    assert search(web, "高邮") == [("region", "高邮市")]
    assert web.get("/api/search").status_code == 400


def test_drilling_down(filled: Services, web: TestClient) -> None:
    provinces = web.get("/api/regions").json()
    assert [(r["code"], r["children"]) for r in provinces] == [(320000, 1)]
    assert [r["code"] for r in web.get("/api/regions", params={"parent": 321000}).json()] == [321023, 321084]
    assert web.get("/api/regions/999999").status_code == 404


def figures(web: TestClient, code: int) -> dict[str, Any]:
    found: dict[str, Any] = web.get(f"/api/regions/{code}").json()["figures"]
    return found


def test_figures_follow_the_jurisdiction(
    filled: Services, web: TestClient, log_in: Callable[[str], TestClient]
) -> None:
    public = figures(web, 321000)
    assert public["intakes"] == 4
    assert public["by_permit_state"] == {"linked": 2, "pending": 2, "unpermitted": 0, "exempt": 0, "ended": 0}
    assert public["permits"] is public["licensed_m3"] is public["candidates"] is None
    mine = figures(log_in("gaoyou"), 321084)
    assert (mine["intakes"], mine["permits"], mine["licensed_m3"], mine["cap_m3"]) == (2, 1, 50_000, 500_000)
    assert figures(log_in("gaoyou"), 321000)["intakes"] == 2
    assert figures(log_in("admin"), 320000)["intakes"] == 4


def test_dossiers(filled: Services, web: TestClient, log_in: Callable[[str], TestClient]) -> None:
    with transaction(filled.engine, NATION) as session:
        mine, other = session.execute(text("select min(id) filter (where county_code = 321084), min(id) filter (where county_code = 321023) from shuitu.intakes")).one()  # fmt: skip
        session.execute(text("update shuitu.intakes set name = '改名' where id = :id"), {"id": mine})
    assert web.get(f"/api/intakes/{mine}").status_code == 401
    officer = log_in("gaoyou")
    intake = officer.get(f"/api/intakes/{mine}").json()
    assert [p["permit_no"] for p in intake["permits"]] == ["C321084S2023-0001"]
    assert [v["version"] for v in intake["history"]] == [2, 1]
    assert intake["county_name"] == "高邮市"
    permit = officer.get(f"/api/permits/{intake['permits'][0]['id']}").json()
    assert [i["id"] for i in permit["intakes"]] == [mine]
    assert officer.get(f"/api/intakes/{other}").status_code == 404


def test_the_feed_misses_nothing_that_commits_late(filled: Services) -> None:
    """A transaction that began first and commits last is read once it has settled, and only once."""
    from app.changes import queries

    def read(after: str | None) -> tuple[list[str], str]:
        with transaction(filled.engine, NATION) as session:
            page = queries.page(session, after, 1000)
        return [c["action"] for c in page["items"]], page["next"]

    _, start = read(None)
    with transaction(filled.engine, NATION) as slow:
        changes.record(slow, "test", "intakes", "slow", 321084)
        with transaction(filled.engine, NATION) as quick:
            changes.record(quick, "test", "intakes", "quick", 321084)
        first, middle = read(start)
    second, end = read(middle)
    assert sorted(first + second) == ["quick", "slow"]
    assert read(end)[0] == []


def test_the_stream_tells_of_a_change(filled: Services, settings: Settings) -> None:
    with (
        served.listening(settings) as address,
        httpx.stream("GET", f"{address}/api/changes/stream", timeout=20) as answer,
    ):
        lines = answer.iter_lines()
        assert "event: hello" in [next(lines), next(lines), next(lines)]
        with transaction(filled.engine, NATION) as session:
            changes.record(session, "test", "regions", "update", 321084)
        # Not for ever: a stream that has nothing to tell still beats.
        assert "event: change" in itertools.islice(lines, 10)
        assert '"regions"' in next(lines)
