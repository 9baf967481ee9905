"""A run over a scene leaves candidates for a person to judge; a judgement stays."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.actor import system
from app.db.engine import transaction
from app.deps import Services
from app.imagery import service as imagery
from app.screening import profiles, service
from tests.scenes import write_scene

NATION = system("test")
PLACE = (119.17, 32.08)
"""From here a scene of 600 pixels lies across the border of 高邮 (west of 119.2) and 宝应."""


@pytest.fixture(scope="module")
def scene_ids(services: Services, tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    folder = tmp_path_factory.mktemp("scenes")
    write_scene(folder / "before_20220512.tif", PLACE, [(100, 100)], 600)
    write_scene(folder / "after_20240512.tif", PLACE, [(100, 100), (300, 200), (400, 450)], 600)
    with transaction(services.engine, NATION) as session:
        return imagery.add_scenes(session, NATION, folder)


def detect(services: Services, scene_ids: list[int], actor: Any = NATION) -> dict[str, Any]:
    with transaction(services.engine, actor) as session:
        run_id = service.start(session, actor, scene_ids, None)
    return service.run(services, run_id, actor)


@pytest.fixture(scope="module")
def first(services: Services, scene_ids: list[int]) -> dict[str, Any]:
    return detect(services, scene_ids)


def test_a_run_stores_what_it_found(first: dict[str, Any], log_in: Callable[[str], TestClient]) -> None:
    assert first["state"] == "done"
    assert first["facts"]["new"] == first["candidates"] == 3
    web = log_in("admin")
    page = web.get("/api/candidates").json()
    assert page["total"] == 3
    assert [row["score"] for row in page["items"]] == sorted(
        (row["score"] for row in page["items"]), reverse=True
    )
    assert {row["category"] for row in page["items"]} == {"no_intake", "new_since_last_date"}
    assert {row["county_name"] for row in page["items"]} == {"高邮市", "宝应县"}
    one = web.get(f"/api/candidates/{page['items'][0]['id']}").json()
    assert one["has_before"] and one["has_after"] and one["reasons"][0]["zh"].startswith("影像上有水体")
    # Named on the finding itself: who sees it may not see the run, if that was the nation's.
    assert (one["evidence"]["scene"], one["evidence"]["previous"]) == (
        first["facts"]["scene"],
        first["facts"]["previous"],
    )
    for which in ("before", "after"):
        chip = web.get(f"/api/candidates/{one['id']}/chips/{which}.png")
        assert chip.content[:4] == b"\x89PNG"
    assert "疑似未登记取水比对报告" in web.get(f"/api/runs/{first['id']}/report").text


def test_pages_follow_each_other(first: dict[str, Any], log_in: Callable[[str], TestClient]) -> None:
    web = log_in("admin")
    seen, after = [], None
    for _ in range(4):
        page = web.get("/api/candidates", params={"limit": 1, **({"after": after} if after else {})}).json()
        seen += [row["id"] for row in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 3
    assert web.get("/api/candidates", params={"after": "x"}).status_code == 400


def test_each_county_sees_its_own(first: dict[str, Any], log_in: Callable[[str], TestClient]) -> None:
    counts = {
        name: log_in(name).get("/api/candidates").json()["total"] for name in ("gaoyou", "baoying", "viewer")
    }
    assert counts == {"gaoyou": 2, "baoying": 1, "viewer": 3}


def test_decisions(
    first: dict[str, Any], web: TestClient, log_in: Callable[[str], TestClient], services: Services
) -> None:
    assert web.get("/api/candidates").status_code == 401
    assert (
        log_in("viewer")
        .post("/api/candidates/1/decisions", json={"decision": "confirm", "version": 1})
        .status_code
        == 403
    )
    officer = log_in("gaoyou")
    one = officer.get("/api/candidates").json()["items"][0]
    url = f"/api/candidates/{one['id']}/decisions"
    rejected = officer.post(
        url, json={"decision": "reject", "note": "鱼塘，雨水补给", "version": one["version"]}
    )
    assert rejected.json()["state"] == "rejected"
    assert rejected.json()["decisions"][0]["note"] == "鱼塘，雨水补给"
    stale = officer.post(url, json={"decision": "confirm", "version": one["version"]})
    assert stale.status_code == 409
    assert stale.headers["content-type"].startswith("application/problem+json")
    again = officer.post(url, json={"decision": "confirm", "version": one["version"] + 1})
    assert again.status_code == 409
    assert officer.post(url, json={"decision": "maybe", "version": 1}).status_code == 400
    feed = officer.get("/api/changes", params={"limit": 1000}).json()
    assert [c["facts"] for c in feed["items"] if c["action"] == "decide"] == [{"decision": "reject"}]
    assert officer.get("/api/changes", params={"after": feed["next"]}).json()["items"] == []
    assert not [c for c in log_in("baoying").get("/api/changes").json()["items"] if c["action"] == "decide"]


def test_a_second_run_leaves_decisions_alone(
    first: dict[str, Any], services: Services, scene_ids: list[int]
) -> None:
    again = detect(services, scene_ids)
    assert (again["facts"]["new"], again["facts"]["updated"], again["facts"]["decided_before"]) == (0, 2, 1)


def test_scenes_are_drawn(scene_ids: list[int], web: TestClient, log_in: Callable[[str], TestClient]) -> None:
    assert web.get("/api/scenes").status_code == 401
    officer = log_in("viewer")
    assert [s["item_id"] for s in officer.get("/api/scenes").json()] == ["after_20240512", "before_20220512"]
    tile = officer.get(f"/imagery/{scene_ids[1]}/12/3404/1661.png")  # 119.18 E, 32.10 N
    assert tile.headers["content-type"] == "image/png"
    assert officer.get(f"/imagery/{scene_ids[1]}/12/0/0.png").status_code == 204
    assert officer.get("/imagery/999/12/0/0.png").status_code == 404


def test_a_run_can_be_asked_for_and_is_a_job(
    scene_ids: list[int], log_in: Callable[[str], TestClient], services: Services
) -> None:
    web = log_in("admin")
    answer = web.post("/api/runs", json={"scene_ids": scene_ids})
    assert answer.status_code == 202
    with transaction(services.engine, NATION) as session:
        task = session.execute(
            text("select task_name, args from jobs.procrastinate_jobs order by id desc limit 1")
        ).one()
    assert (task.task_name, task.args) == ("run_detection", {"run_id": answer.json()["id"]})
    assert web.post(f"/api/runs/{answer.json()['id']}/cancel").json()["state"] == "cancelled"
    assert web.post("/api/runs", json={"scene_ids": [999]}).status_code == 404
    assert (
        web.post(
            "/api/runs", json={"scene_ids": scene_ids, "aoi": {"type": "Point", "coordinates": [0, 0]}}
        ).status_code
        == 400
    )


def basins(services: Services) -> set[tuple[int, int | None]]:
    with transaction(services.engine, NATION) as session:
        rows = session.execute(text("select distinct county_code, basin_id from shuitu.candidates"))
        return {(row.county_code, row.basin_id) for row in rows}


def test_a_run_of_the_nation_finds_for_the_basin_agency_of_the_place(
    first: dict[str, Any], services: Services, scene_ids: list[int]
) -> None:
    """By the county's register where it names one agency only, by an agency's outline wherever there is one."""
    assert {basin for _, basin in basins(services)} == {None}
    with transaction(services.engine, NATION) as session:
        session.execute(
            text("""
            insert into shuitu.basin_agencies (id, code, name) values (1, 'CJ', '长江委'), (3, 'HW', '淮委')
            on conflict do nothing""")
        )
        session.execute(text("update shuitu.candidates set state = 'suspected', redrawn = false"))
        # One without an agency does not matter; 宝应 names two, which says nothing of a place between.
        session.execute(
            text("""insert into shuitu.intakes (code, name, county_code, basin_id, source_type, geom)
                    select 'B' || n, 'B' || n, county, basin, 'surface_water', st_setsrid(st_makepoint(lon, 32.01), 4490)
                    from (values (1, 321084, 3, 119.01), (2, 321084, null, 119.01), (3, 321023, 1, 119.39), (4, 321023, 3, 119.39))
                      as t(n, county, basin, lon)""")
        )
    detect(services, scene_ids)
    assert basins(services) == {(321084, 3), (321023, None)}
    with transaction(services.engine, NATION) as session:
        session.execute(
            text("""update shuitu.basin_agencies set geom = (
            select st_multi(geom) from shuitu.regions where code = 321023) where id = 1""")
        )
    detect(services, scene_ids)
    assert basins(services) == {(321084, 3), (321023, 1)}


def test_a_profile_says_how_many_scenes_it_left_out(
    first: dict[str, Any], log_in: Callable[[str], TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    web = log_in("admin")
    one = web.get("/api/candidates", params={"limit": 1}).json()["items"][0]
    told = web.get(f"/api/candidates/{one['id']}/profile").json()
    assert (told["scenes"], told["considered"]) == (2, 2)
    assert [point["date"] for point in told["points"]] == ["2022-05-12", "2024-05-12"]
    monkeypatch.setattr(profiles, "MOST_SCENES", 1)
    told = web.get(f"/api/candidates/{one['id']}/profile").json()
    assert (told["scenes"], told["considered"]) == (2, 1)
