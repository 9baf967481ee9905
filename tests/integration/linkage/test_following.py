"""After a single change of an entry or a permit, what hangs on it is compared anew within a second."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from app.actor import system
from app.changes import service as changes
from app.db.engine import transaction
from app.deps import Services
from app.linkage import following, running, runs
from app.maps.publishing import publish_counties
from app.registry import service as registry
from tests.integration.linkage.test_running import fill
from tests.integration.linkage.world import BAOYING, GAOYOU, World

NATION = system("test")


@pytest.fixture(scope="module")
def world(services: Services) -> Iterator[World]:
    """A register that was linked once, with a reader that has read everything."""
    made = World(services)
    fill(made)
    with made.session() as session:
        publish_counties(session.connection().connection.driver_connection, "intakes", [GAOYOU, BAOYING])
    with transaction(services.engine, NATION) as session:
        run_id = runs.start(session, NATION, services.settings)
    running.run(services, run_id)
    caught_up(services)
    yield made


def caught_up(services: Services) -> None:
    while following.follow(services):
        pass


def publisher(services: Services) -> Any:
    return lambda session, ids: services.publish_features(
        session.connection().connection.driver_connection, "intakes", list(ids)
    )


def test_an_entry_that_is_corrected_finds_its_permit_within_a_second(
    world: World, services: Services
) -> None:
    """The permit's intake P50 has no entry; a village's well turns out to be it."""
    point = world.one(
        "select t.name, p.holder_name, t.place, t.annual_m3, st_x(t.geom) as lon, st_y(t.geom) as lat from shuitu.permit_points t "
        "join shuitu.permits p on p.id = t.permit_id where t.id = :id",
        id=world.points[f"{GAOYOU}P50.1"],
    )
    name = f"{GAOYOU}U3"
    assert world.outcome(name) == "intake_without_permit"
    with transaction(services.engine, NATION) as session:
        entry = registry.locked(session, world.intakes[name])
        values = {
            "name": point.name, "holder_name": point.holder_name, "place": point.place,
            "annual_volume_m3": point.annual_m3, "purpose": "industry",
        }  # fmt: skip
        registry.change(
            session, NATION, entry, values, (point.lon + 1e-4, point.lat), publisher(services), whole=False
        )
    following.follow(services)  # loads the engine
    assert world.links(name) == {f"{GAOYOU}P50.1"}
    assert world.permit_state(name) == world.on_the_map(name) == "linked"
    assert f"{GAOYOU}P50.1 permit_without_intake" not in world.without()


def test_reading_a_change_twice_does_no_harm_and_it_takes_less_than_a_second(
    world: World, services: Services
) -> None:
    caught_up(services)
    name = next(one for one in world.intakes if one.startswith(f"{BAOYING}I") and world.links(one))
    before = (world.links(name), world.outcome(name))
    for _ in range(2):
        with transaction(services.engine, NATION) as session:
            changes.record(session, "test", "intakes", "update", BAOYING, entity_id=world.intakes[name])
        began = time.perf_counter()
        assert following.follow(services) == 1
        assert time.perf_counter() - began < 1
        assert (world.links(name), world.outcome(name)) == before
    assert following.follow(services) == 0


def test_a_permits_change_concerns_the_entries_around_it(world: World, services: Services) -> None:
    """The permit no longer lists its intake: the entry is without a permit again."""
    name = next(one for one in world.intakes if one.startswith(f"{GAOYOU}I") and world.links(one))
    permit = world.permits[name.replace("I", "P")]
    with transaction(services.engine, NATION) as session:
        session.execute(
            text("update shuitu.permit_points set valid_to = current_date where permit_id = :id"),
            {"id": permit},
        )
        session.execute(
            text("update shuitu.permit_intakes set valid_to = current_date where permit_id = :id"),
            {"id": permit},
        )
        session.execute(
            text("update shuitu.permits set status = 'cancelled', holder_name = '他人' where id = :id"),
            {"id": permit},
        )
        changes.record(session, "test", "permits", "update", GAOYOU, entity_id=permit)
    following.follow(services)
    assert not world.links(name)
    assert world.outcome(name) in ("intake_without_permit", "pending")


def test_what_is_not_settled_yet_is_read_when_it_is(world: World, services: Services) -> None:
    caught_up(services)
    with transaction(services.engine, NATION) as slow:
        changes.record(slow, "test", "intakes", "update", GAOYOU, entity_id=world.intakes[f"{GAOYOU}U0"])
        with transaction(services.engine, NATION) as quick:
            changes.record(quick, "test", "intakes", "update", GAOYOU, entity_id=world.intakes[f"{GAOYOU}U1"])
        assert following.follow(services) == 0
    assert following.follow(services) == 2
