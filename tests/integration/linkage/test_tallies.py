"""Tallies are exact whatever happens to the rows: created, decided, moved, taken back, deleted, folded or not."""

import psycopg
from sqlalchemy import text

from app.db.engine import Dsns
from app.deps import Services
from app.linkage import queries, relinking, tallies
from tests.integration.linkage.world import BAOYING, GAOYOU, World

COUNTED = {
    "intake_tally": (
        "county_code, basin_id",
        "select county_code, basin_id, count(*) as n from shuitu.intakes where off_stream and status <> 'ended' group by 1, 2",
    ),
    "outcome_tally": (
        "county_code, basin_id, outcome, decided_by, of_permit",
        "select county_code, basin_id, outcome, decided_by, intake_id is null, count(*) as n from shuitu.link_outcomes group by 1, 2, 3, 4, 5",
    ),
    "review_tally": (
        "county_code, basin_id, first_code, batch_id, state, latest, of_intake, sampled",
        """select county_code, basin_id, first_code, batch_id, state, latest, intake_id is not null, sample_id is not null, count(*) as n
           from shuitu.review_items group by 1, 2, 3, 4, 5, 6, 7, 8""",
    ),
}


def exact(world: World) -> dict[str, set[tuple[object, ...]]]:
    """What the tallies say, which is what the rows say."""
    found = {}
    for tally, (keys, counted) in COUNTED.items():
        told = world.many(
            f"select {keys}, sum(n)::bigint from shuitu.{tally} group by {keys} having sum(n) <> 0"
        )
        found[tally] = {tuple(row) for row in told}
        assert found[tally] == {tuple(row) for row in world.many(counted)}, tally
    return found


def done(world: World, statement: str, **given: object) -> None:
    with world.session() as session:
        session.execute(text(statement), given)


def test_tallies_follow_every_change(services: Services) -> None:
    world = World(services)
    for n in range(6):
        world.intake(f"T{n}", number=n, off_stream=n != 5)
    world.permit("T1")
    world.propose("T1", "T1.1", 0.8)
    for n in (2, 3):
        with world.session() as session:
            world.line(session, f"T{n}")
    assert len(exact(world)["outcome_tally"]) == 1
    done(world, "update shuitu.intakes set status = 'ended' where id = :id", id=world.intakes["T0"])
    done(
        world,
        "update shuitu.intakes set county_code = :to where id = :id",
        to=BAOYING,
        id=world.intakes["T2"],
    )
    done(world, "update shuitu.intakes set name = 'no matter' where id = :id", id=world.intakes["T3"])
    decided = "update shuitu.link_outcomes set outcome = 'intake_without_permit', decided_by = 'person', decided_at = now() where id = :id"
    done(world, decided, id=world.lines["T3"])
    assert {row[0] for row in exact(world)["intake_tally"]} == {GAOYOU, BAOYING}
    batch = "insert into shuitu.review_batches (county_code, first_stage, first_code, stage, created_by) values (321084, 'county', 321084, 'county', 'x')"
    done(world, batch)
    item = """insert into shuitu.review_items (batch_id, outcome_id, outcome_version, intake_id, outcome, source_type, facts, county_code, first_code)
              select max(b.id), :line, 1, :intake, 'intake_without_permit', 'groundwater', '{}', 321084, 321084 from shuitu.review_batches b"""
    done(world, item, line=world.lines["T3"], intake=world.intakes["T3"])
    before = exact(world)
    assert tallies.fold(services) > 0
    assert exact(world) == before
    assert tallies.fold(services) == 0
    done(world, "update shuitu.review_items set state = 'in_review', latest = true")
    done(
        world,
        "delete from shuitu.intakes where id = any(:ids)",
        ids=[world.intakes["T1"], world.intakes["T2"]],
    )
    after = exact(world)
    assert {row[4] for row in after["review_tally"]} == {"in_review"}
    tallies.fold(services)
    assert exact(world) == after
    with world.session() as session:
        told = queries.progress(session, None)["total"]
    assert (told["in_scope"], told["by_person"]) == (2, 1)


def test_what_a_permit_may_concern_is_looked_up_by_indexes(database: Dsns) -> None:
    """With millions of entries, one that is read as a whole is felt at each event."""
    with psycopg.connect(database.service) as connection:
        connection.execute(
            "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)"
        )
        connection.execute("set local enable_seqscan = off")
        for query in (relinking.AROUND_PERMITS, relinking.RIVALS):
            literal = query
            for name, value in (
                (":permits", "'{1,2}'"),
                (":ids", "'{1,2}'"),
                (":degrees", "0.01"),
                (":most", "400"),
            ):
                literal = literal.replace(name, value)
            plan = "\n".join(str(row[0]) for row in connection.execute(f"explain {literal}".encode()))
            assert "Seq Scan" not in plan, plan
