"""After a single change of an entry or a permit, what hangs on it is compared anew within a second."""

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


def test_reading_a_change_twice_does_no_harm(world: World, services: Services) -> None:
    caught_up(services)
    name = next(one for one in world.intakes if one.startswith(f"{BAOYING}I") and world.links(one))
    before = (world.links(name), world.outcome(name))
    for _ in range(2):
        with transaction(services.engine, NATION) as session:
            changes.record(session, "test", "intakes", "update", BAOYING, entity_id=world.intakes[name])
        assert following.follow(services) == 1
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


def test_a_model_of_another_release_weakens_nothing(world: World, services: Services) -> None:
    """After an upgrade that reads no older models links stay as they are until the next run."""
    caught_up(services)
    name = next(one for one in world.intakes if one.startswith(f"{BAOYING}I") and world.links(one))
    before = (world.links(name), world.outcome(name))
    other = (
        "update shuitu.link_runs set model = replace(model::text, '\"version\": 1', '\"version\": 0')::jsonb"
    )
    with world.session() as session:
        (model,) = session.execute(text("select model::text from shuitu.link_runs")).one()
        session.execute(text(other))
    services.parts.pop(following.READER)
    try:
        change(world, services, name, name="另一口井", degrees=0.05)
        assert following.follow(services) == 0  # what changed was passed over, as it is before the first run
        assert (world.links(name), world.outcome(name)) == before
    finally:
        with world.session() as session:
            session.execute(
                text("update shuitu.link_runs set model = cast(:model as jsonb)"), {"model": model}
            )
        services.parts.pop(following.READER)
    change(world, services, name, name="又一口井")
    assert not world.links(name)


# ── links that weaken ───────────────────────────────────────────────────────────────────────────────


def confirmed(world: World, county: int) -> str:
    """An entry that the rule has linked, and nothing since."""
    return next(
        one
        for one in reversed(world.intakes)
        if one.startswith(f"{county}I") and world.links(one) and line(world, one).decided_by == "rule"
    )


def line(world: World, name: str) -> Any:
    return world.one("select * from shuitu.link_outcomes where intake_id = :id", id=world.intakes[name])


def change(world: World, services: Services, name: str, /, degrees: float = 0.0, **values: Any) -> None:
    """An officer changes the entry; its links follow."""
    caught_up(services)
    with transaction(services.engine, NATION) as session:
        entry = registry.locked(session, world.intakes[name])
        at = world.one(
            "select st_x(geom) as x, st_y(geom) as y from shuitu.intakes where id = :id", id=entry.id
        )
        registry.change(
            session, NATION, entry, values, (at.x + degrees, at.y), publisher(services), whole=False
        )
    caught_up(services)


def flags(world: World, name: str) -> list[Any]:
    return world.many(
        "select l.state, l.reasons, l.conflicts from shuitu.link_pairs l where l.intake_id = :id and l.conflicts @> '{weakened}'",
        id=world.intakes[name],
    )


def test_a_link_of_the_rule_that_weakens_waits_for_a_person_and_says_why(
    world: World, services: Services
) -> None:
    name = confirmed(world, BAOYING)
    before = world.links(name)
    change(world, services, name, degrees=0.055, name="东大圩泵站", holder_name="东大圩村委会")
    assert not world.links(name)
    stands = line(world, name)
    assert (stands.outcome, stands.decided_by) == ("pending", None)
    assert "weakened" in stands.conflicts
    assert world.permit_state(name) == world.on_the_map(name) == "pending"
    (flag,) = flags(world, name)
    assert flag.state == "open"
    told = flag.reasons[0]
    assert (
        told["against"] and "位置移动" in told["zh"] and "东大圩泵站" in told["zh"] and "holder" in told["en"]
    )
    # The link held until today: whoever asks what was known before finds it.
    ended = world.one(
        "select valid_to from shuitu.permit_intakes where intake_id = :id and valid_to is not null",
        id=world.intakes[name],
    )
    assert ended is not None
    # Another change of something else leaves it to the person all the same, and told once.
    change(world, services, name, town="另一镇")
    (flag,) = flags(world, name)
    assert [one["code"] for one in flag.reasons].count("weakened") == 1
    assert line(world, name).outcome == "pending"
    # Corrected, it is what it was.
    (point,) = before
    place = world.one(
        "select t.name, p.holder_name from shuitu.permit_points t join shuitu.permits p on p.id = t.permit_id where t.id = :id",
        id=world.points[point],
    )
    change(world, services, name, degrees=-0.055, name=place.name, holder_name=place.holder_name)
    assert world.links(name) == before
    assert line(world, name).decided_by == "rule" and not flags(world, name)


def test_a_small_change_leaves_a_link_alone(world: World, services: Services) -> None:
    name = confirmed(world, BAOYING)
    before, version = world.links(name), line(world, name).version
    change(world, services, name, degrees=0.0003)
    assert world.links(name) == before and line(world, name).version == version


def test_a_persons_link_that_weakens_stays_and_is_flagged(world: World, services: Services) -> None:
    name = confirmed(world, GAOYOU)
    before = world.links(name)
    with world.session() as session:
        session.execute(
            text("update shuitu.link_outcomes set decided_by = 'person', decided_name = 'wang', decided_at = now() where intake_id = :id"),
            {"id": world.intakes[name]},
        )  # fmt: skip
        session.execute(
            text("update shuitu.link_pairs set decided_by = 'person', decided_name = 'wang' where intake_id = :id and state = 'confirmed'"),
            {"id": world.intakes[name]},
        )  # fmt: skip
    change(world, services, name, degrees=0.055, name="西滩电灌站", holder_name="西滩村委会")
    assert world.links(name) == before
    stands = line(world, name)
    assert (stands.outcome, stands.decided_by, stands.decided_name) == ("one_to_one", "person", "wang")
    assert "weakened" in stands.conflicts
    (flag,) = flags(world, name)
    assert flag.state == "confirmed" and "西滩电灌站" in flag.reasons[0]["zh"]
    assert world.permit_state(name) == "linked"


# ── imports ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("whole", [False, True])
def test_what_an_import_touched_is_compared_anew(
    world: World, services: Services, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some rows one by one; many by their counties, with the same end."""
    from app.linkage import relinking

    monkeypatch.setattr(relinking, "MANY", 0 if whole else 1_000)
    caught_up(services)
    point = f"{BAOYING}P{52 + whole}.1"
    place = world.one(
        "select t.name, p.holder_name, t.place, t.annual_m3, st_x(t.geom) as lon, st_y(t.geom) as lat from shuitu.permit_points t "
        "join shuitu.permits p on p.id = t.permit_id where t.id = :id",
        id=world.points[point],
    )
    new, weak = f"{BAOYING}N{whole}", confirmed(world, BAOYING)
    untouched = next(
        one for one in world.intakes if one.startswith(f"{BAOYING}I") and one != weak and world.links(one)
    )
    before = (world.links(untouched), line(world, untouched).version)
    world.intake(
        new, BAOYING, name=place.name, holder_name=place.holder_name, place=place.place, lon=place.lon + 1e-4,
        lat=place.lat, annual_volume_m3=place.annual_m3,
    )  # fmt: skip
    with world.session() as session:
        made = session.execute(
            text("insert into shuitu.imports (kind, filename, stored_as, sha256, actor_name, scope_lo, scope_hi) "
                 "values ('intakes', 'f.csv', 'f.csv', '', 'li', 0, 1000000) returning id")
        ).scalar_one()  # fmt: skip
        session.execute(
            text("update shuitu.intakes set import_id = :made where id = :id"),
            {"made": made, "id": world.intakes[new]},
        )
        session.execute(
            text("update shuitu.intakes set import_id = :made, geom = st_translate(geom, 0.055, 0), name = '北闸', holder_name = '北闸村' where id = :id"),
            {"made": made, "id": world.intakes[weak]},
        )  # fmt: skip
        changes.record_import(session, "intakes", str(made), [BAOYING, GAOYOU])
    caught_up(services)
    assert world.links(new) == {point} and world.on_the_map(new) == "linked"
    assert f"{point} permit_without_intake" not in world.without()
    assert not world.links(weak) and line(world, weak).outcome == "pending" and flags(world, weak)
    assert (world.links(untouched), line(world, untouched).version) == before
