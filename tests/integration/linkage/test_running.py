"""A run brings entries to their permits by rule, leaves the doubtful to a person, and can be killed and run again."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.access import service as access
from app.actor import Actor, system
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput
from app.linkage import running, runs, store
from app.maps.publishing import publish_counties
from tests.integration.linkage.world import BAOYING, GAOYOU, World

NATION = system("test")
TOWNS = ("三垛镇", "临泽镇", "界首镇", "甘垛镇", "送桥镇", "汤庄镇")
TRADES = ("纺织", "化工", "食品", "建材", "印染", "造纸", "酿造", "制药")
NAMES = [a + b for a in "华兴隆盛鼎泰恒昌金玉德仁" for b in "源丰达祥瑞和茂通利康宁安"]
EACH = 60
"""Permits a county; the first 40 have their entry in the register, of the next ones nobody registered any."""


def fill(world: World) -> None:
    draw = random.Random(7)
    for county in (GAOYOU, BAOYING):
        names = draw.sample(NAMES, EACH + 15)
        for n in range(EACH):
            trade, town = draw.choice(TRADES), draw.choice(TOWNS)
            holder = f"{names[n]}{trade}有限公司"
            volume = float(draw.randint(8, 400) * 1000)
            name = f"{county}P{n}"
            world.permit(
                name, county=county, number=0, holder_name=holder, annual_volume_m3=volume, place=town
            )
            lon, lat = (
                119.03 + draw.random() * 0.13 + (0.2 if county == BAOYING else 0),
                32.02 + draw.random() * 0.15,
            )
            with world.session() as session:
                session.execute(
                    text("update shuitu.permit_points set name = :name, place = :town, annual_m3 = :m3, geom = st_setsrid(st_makepoint(:lon, :lat), 4490) where id = :id"),
                    {"name": f"{holder}自备井", "town": town, "m3": volume, "lon": lon, "lat": lat, "id": world.points[f"{name}.1"]},
                )  # fmt: skip
            if n < 40:
                world.intake(
                    f"{county}I{n}", county, name=f"{holder}自备井", holder_name=holder, town=town, place=town,
                    lon=lon + draw.uniform(-2e-4, 2e-4), lat=lat + draw.uniform(-2e-4, 2e-4), annual_volume_m3=volume,
                )  # fmt: skip
        for n in range(15):
            lon, lat = (
                119.03 + draw.random() * 0.13 + (0.2 if county == BAOYING else 0),
                32.02 + draw.random() * 0.15,
            )
            world.intake(f"{county}U{n}", county, name=f"{names[EACH + n]}村机井", holder_name=f"{names[EACH + n]}村委会",
                         purpose="irrigation", lon=lon, lat=lat, annual_volume_m3=float(draw.randint(1, 9) * 777))  # fmt: skip


@pytest.fixture
def world(services: Services) -> Iterator[World]:
    made = World(services)
    fill(made)
    with made.session() as session:
        publish_counties(session.connection().connection.driver_connection, "intakes", [GAOYOU, BAOYING])
    yield made
    made.clear()


def run(services: Services, actor: Actor = NATION, **more: Any) -> dict[str, Any]:
    with transaction(services.engine, actor) as session:
        run_id = runs.start(session, actor, services.settings, **more)
    return running.run(services, run_id)


def named(services: Services, username: str) -> Actor:
    with transaction(services.engine, NATION) as session:
        return access.find_user(session, username).actor()


def outcomes(world: World) -> dict[str, int]:
    rows = world.many("select outcome, count(*) from shuitu.link_outcomes group by 1")
    return {row[0]: row[1] for row in rows}


def right(world: World) -> tuple[int, int]:
    """Entries linked to the permit that is theirs, and all that are linked."""
    good = 0
    rows = world.many("select intake_id, permit_point_id from shuitu.permit_intakes where valid_to is null")
    names = {id_: name for name, id_ in world.intakes.items()}
    for intake, point in rows:
        good += world.points.get(f"{names[intake].replace('I', 'P')}.1") == point
    return good, len(rows)


def test_a_run_confirms_what_is_sure_and_accuses_nobody_else(world: World, services: Services) -> None:
    record = run(services)
    assert (
        record["state"] == "done" and record["facts"]["intakes"] == 110 and record["facts"]["listed"] == 120
    )
    good, linked = right(world)
    assert linked >= 70 and good == linked
    found = outcomes(world)
    assert sum(n for name, n in found.items() if name != "permit_without_intake") >= 110
    # The villages' wells that no permit lists, and what the linkage thinks of them, on the map too.
    assert world.outcome(f"{GAOYOU}U0") == "intake_without_permit"
    assert world.permit_state(f"{GAOYOU}U0") == world.on_the_map(f"{GAOYOU}U0") == "unpermitted"
    linked_one = next(name for name in world.intakes if world.links(name))
    assert world.on_the_map(linked_one) == "linked"
    assert found["permit_without_intake"] >= 30
    change = world.one("select count(*), min(action) from shuitu.changes where layer = 'intakes'")
    assert tuple(change) == (2, "link")


def test_a_second_run_changes_nothing(world: World, services: Services) -> None:
    run(services)

    def told() -> Any:
        return world.many(
            "select intake_id, permit_id, permit_point_id, outcome, decided_by, version from shuitu.link_outcomes order by id"
        ), world.many(
            "select intake_id, permit_point_id, valid_to, recorded_at from shuitu.permit_intakes order by id"
        )

    before = told()
    run(services)
    assert told() == before


def test_a_killed_run_goes_on_where_it_was(
    world: World, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction(services.engine, NATION) as session:
        run_id = runs.start(session, NATION, services.settings)
    whole, calls = store.store, list[list[int]]()
    monkeypatch.setattr(running, "AT_ONCE", 1)

    def dying(session: Any, pairs: Any, run: int | None, **which: Any) -> Any:
        calls.append(which["counties"])
        stored = whole(session, pairs, run, **which)
        if len(calls) == 2:
            raise KeyboardInterrupt  # after its rows were written, before they were committed
        return stored

    monkeypatch.setattr(store, "store", dying)
    with pytest.raises(KeyboardInterrupt):
        running.run(services, run_id)
    assert calls == [[BAOYING], [GAOYOU]]
    assert {row[0] for row in world.many("select distinct county_code from shuitu.link_outcomes")} == {
        BAOYING
    }
    monkeypatch.setattr(store, "store", whole)
    from app.linkage import engine

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("what was found is in a file")

    monkeypatch.setattr(engine, "link", never)
    assert running.run(services, run_id)["state"] == "done"
    good, linked = right(world)
    assert linked >= 70 and good == linked
    assert not (services.settings.data_dir / "linkage" / f"run-{run_id}").exists()


def test_a_person_is_never_overruled(
    world: World, services: Services, log_in: Callable[[str], TestClient]
) -> None:
    run(services)
    web = log_in("gaoyou")
    rows = web.get("/api/linkage/outcomes", params={"outcome": "one_to_one", "limit": 2}).json()["items"]
    for row, action in zip(rows, ("unlicensed", "postpone"), strict=True):
        answer = web.post(
            f"/api/linkage/outcomes/{row['id']}/decisions", json={"action": action, "version": row["version"]}
        )
        assert answer.status_code == 200, answer.text
    run(services)
    found = [web.get(f"/api/linkage/outcomes/{row['id']}").json() for row in rows]
    assert [one["outcome"] for one in found] == ["intake_without_permit", "pending"]
    assert not found[0]["links"] and not found[1]["links"]


def test_a_link_that_came_with_the_register_stays_and_learns_its_point(
    world: World, services: Services
) -> None:
    intake, permit = f"{GAOYOU}I3", f"{GAOYOU}P3"
    with world.session() as session:
        session.execute(
            text("insert into shuitu.permit_intakes (permit_id, intake_id, county_code) values (:p, :i, :c)"),
            {"p": world.permits[permit], "i": world.intakes[intake], "c": GAOYOU},
        )
    run(services)
    row = world.one(
        "select permit_point_id, origin from shuitu.permit_intakes where intake_id = :i",
        i=world.intakes[intake],
    )
    assert tuple(row) == (world.points[f"{permit}.1"], "import")
    assert world.outcome(intake) == "one_to_one" and world.permit_state(intake) == "linked"


def test_a_ground_on_which_no_permit_is_needed_is_kept(world: World, services: Services) -> None:
    with world.session() as session:
        session.execute(
            text("update shuitu.intakes set permit_state = 'exempt' where code = :c"),
            {"c": f"QSK-{GAOYOU}U1"},
        )
    run(services)
    assert world.outcome(f"{GAOYOU}U1") == "exempt" and world.permit_state(f"{GAOYOU}U1") == "exempt"


def test_a_run_works_in_the_scope_of_who_asked(world: World, services: Services) -> None:
    run(services, named(services, "gaoyou"))
    assert {row[0] for row in world.many("select distinct county_code from shuitu.link_outcomes")} == {GAOYOU}
    with transaction(services.engine, named(services, "gaoyou")) as session:
        with pytest.raises(InvalidInput, match="辖区"):
            runs.start(session, named(services, "gaoyou"), services.settings, region="321023")
        with pytest.raises(InvalidInput, match="下限"):
            runs.start(session, named(services, "gaoyou"), services.settings, confirm_at=0.5, doubt_at=0.6)
    run(services, region="321023")
    assert world.value("select count(*) from shuitu.link_outcomes where county_code = :c", c=BAOYING) > 0


def test_a_cancelled_run_stops_and_keeps_what_is_whole(
    world: World, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "AT_ONCE", 1)
    with transaction(services.engine, NATION) as session:
        run_id = runs.start(session, NATION, services.settings)

    def stop(share: float, step: str) -> None:
        if step.startswith("写入 321084"):
            with psycopg.connect(services.dsns.service) as other:
                other.execute(
                    "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)"
                )
                other.execute("update shuitu.link_runs set state = 'cancelled' where id = %s", (run_id,))

    assert running.run(services, run_id, stop)["state"] == "cancelled"
    assert {row[0] for row in world.many("select distinct county_code from shuitu.link_outcomes")} == {
        BAOYING
    }
