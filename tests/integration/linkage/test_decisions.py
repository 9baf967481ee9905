"""A person decides a line of the linkage: link, outcome, permit state, change and map follow at once, and can be undone."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.deps import Services
from app.linkage import queries, rules, standing
from app.maps.publishing import publish_counties
from tests.integration.linkage.world import BAOYING, GAOYOU, World

LogIn = Callable[[str], TestClient]


@pytest.fixture
def world(services: Services) -> Iterator[World]:
    """A1, A2 … in 高邮, B1 in 宝应; P1 lists two intakes, P2 and Q one, P3 none."""
    made = World(services)
    for number, name in enumerate(("A1", "A2", "A3")):
        made.intake(name, number=number)
    made.intake("B1", BAOYING)
    made.permit("P1", points=2)
    made.permit("P2", number=2)
    made.permit("P3", points=0)
    made.permit("Q", county=BAOYING)
    made.propose("A1", "P1.1", 0.91)
    made.propose("A1", "P1.2", 0.40, ("place",))
    made.propose("A2", "P1.2", 0.80)
    made.propose("A3", "P2.1", 0.55, ("volume",))
    made.propose("B1", "Q.1", 0.70)
    with made.session() as session:
        publish_counties(session.connection().connection.driver_connection, "intakes", [GAOYOU, BAOYING])
    yield made
    made.clear()
    with made.session() as session:
        publish_counties(session.connection().connection.driver_connection, "intakes", [GAOYOU, BAOYING])


def post(web: TestClient, world: World, name: str, action: str, **more: Any) -> Any:
    line = world.lines[name]
    version = more.pop("version", None) or web.get(f"/api/linkage/outcomes/{line}").json()["version"]
    return web.post(
        f"/api/linkage/outcomes/{line}/decisions", json={"action": action, "version": version, **more}
    )


def last_decision(web: TestClient, line: int) -> int:
    return int(web.get(f"/api/linkage/outcomes/{line}").json()["decisions"][0]["id"])


def undo(web: TestClient, line: int) -> Any:
    return web.post(f"/api/linkage/decisions/{last_decision(web, line)}/undo")


def test_the_list_shows_lines_of_ones_jurisdiction_by_probability(world: World, log_in: LogIn) -> None:
    page = log_in("gaoyou").get("/api/linkage/outcomes", params={"outcome": "pending"}).json()
    assert [row["code"] for row in page["items"]] == ["QSK-A1", "QSK-A2", "QSK-A3"]
    assert page["total"] == 3
    assert log_in("admin").get("/api/linkage/outcomes").json()["total"] == 4


def paged(web: TestClient, **filters: str) -> list[dict[str, Any]]:
    """Every page of one line each."""
    pages = [web.get("/api/linkage/outcomes", params={"limit": 1, **filters}).json()]
    while after := pages[-1]["next"]:
        pages.append(web.get("/api/linkage/outcomes", params={"limit": 1, "after": after, **filters}).json())
    return pages


def codes_of(pages: list[dict[str, Any]]) -> list[str]:
    return [row["code"] for page in pages for row in page["items"]]


def test_pages_follow_each_other_without_gap_or_repeat(world: World, log_in: LogIn) -> None:
    assert codes_of(paged(log_in("admin"))) == ["QSK-A1", "QSK-A2", "QSK-B1", "QSK-A3"]


def test_a_text_that_many_names_hold_is_paged_as_one_that_few_hold(
    world: World, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where many hold it, lines are looked through one by one, two by two, … until a page is full, and counting stops."""
    web = log_in("admin")
    few = {q: paged(web, q=q) for q in ("A", "公司", "取水", "龘")}
    assert {(page["total"], page["more"]) for page in few["A"]} == {(3, False)}
    monkeypatch.setattr(queries, "LOOKED_TO", 2)
    monkeypatch.setattr(queries, "WALKED", (1, 2))
    many = {q: paged(web, q=q) for q in few}
    assert {q: codes_of(pages) for q, pages in many.items()} == {
        "A": ["QSK-A1", "QSK-A2", "QSK-A3"],
        "公司": ["QSK-A1", "QSK-A2", "QSK-B1", "QSK-A3"],
        "取水": ["QSK-A1", "QSK-A2", "QSK-B1", "QSK-A3"],
        "龘": [],
    }
    assert {q: codes_of(pages) for q, pages in few.items()} == {q: codes_of(p) for q, p in many.items()}
    assert {(page["total"], page["more"]) for page in many["公司"]} == {(2, True)}


def test_looking_through_lines_ends_with_a_reason(
    world: World, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("LOOKED_TO", 0), ("WALKED", (1,)), ("TIMEOUT_S", 0.0)):
        monkeypatch.setattr(queries, name, value)
    answer = log_in("admin").get("/api/linkage/outcomes", params={"q": "B", "limit": 1})
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/too-costly"


@pytest.mark.parametrize(
    ("filters", "codes"),
    [
        ({"conflict": "volume"}, ["QSK-A3"]),
        ({"min_probability": 0.6, "max_probability": 0.85}, ["QSK-A2", "QSK-B1"]),
        ({"region": BAOYING}, ["QSK-B1"]),
        ({"region": 321000}, ["QSK-A1", "QSK-A2", "QSK-B1", "QSK-A3"]),
        ({"source": "surface_water"}, []),
        ({"q": "QSK-A2"}, ["QSK-A2"]),
        ({"q": "A3公"}, ["QSK-A3"]),
        ({"q": "3公"}, ["QSK-A3"]),
        ({"q": "100%_"}, []),
        ({"state": "person"}, []),
    ],
)
def test_filters_narrow_the_list(
    world: World, log_in: LogIn, filters: dict[str, Any], codes: list[str]
) -> None:
    items = log_in("admin").get("/api/linkage/outcomes", params=filters).json()["items"]
    assert [row["code"] for row in items] == codes


@pytest.mark.parametrize(
    "query", ["after=x", "after=0.5_x", "min_probability=2", "outcome=none", "conflict=A;b"]
)
def test_a_filter_that_says_nothing_is_refused(world: World, log_in: LogIn, query: str) -> None:
    answer = log_in("admin").get(f"/api/linkage/outcomes?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_line_has_its_rivals_side_by_side(world: World, log_in: LogIn) -> None:
    line = log_in("gaoyou").get(f"/api/linkage/outcomes/{world.lines['A1']}").json()
    assert [pair["permit"]["name"] for pair in line["pairs"]] == ["P1取水口1", "P1取水口2"]
    first = {one["field"]: one["agreement"] for one in line["pairs"][0]["comparison"]}
    assert first["source_type"] == "same" and first["holder_name"] == "differs" and first["uscc"] == "missing"
    assert line["pairs"][0]["reasons"][0]["zh"] == "相距 21 m"


def test_accepting_links_and_shows_at_once(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    answer = post(web, world, "A1", "accept")
    assert answer.status_code == 200, answer.text
    assert answer.json()["outcome"] == "one_to_one" and answer.json()["decided_name"] == "gaoyou"
    assert world.links("A1") == {"P1.1"}
    assert world.permit_state("A1") == world.on_the_map("A1") == "linked"
    assert [pair["state"] for pair in answer.json()["pairs"]] == ["confirmed", "withdrawn"]
    change = world.one(
        "select layer, action, entity_id, actor_name from shuitu.changes order by id desc limit 1"
    )
    assert tuple(change) == ("intakes", "link", world.intakes["A1"], "gaoyou")


def test_two_entries_for_one_listed_intake_are_n_to_one(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    post(web, world, "A2", "accept")
    assert world.outcome("A2") == "one_to_one"
    pair = world.pairs["A1-P1.2"]
    post(web, world, "A1", "accept", pairs=[pair])
    assert world.outcome("A1") == world.outcome("A2") == "n_to_one"
    undo(web, world.lines["A1"])
    assert world.outcome("A1") == "pending" and world.outcome("A2") == "one_to_one"


def test_rejecting_the_last_proposal_leaves_an_intake_without_permit(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    post(web, world, "A1", "reject", pairs=[world.pairs["A1-P1.1"]])
    assert world.outcome("A1") == "pending"
    answer = post(web, world, "A1", "reject").json()
    assert answer["outcome"] == "intake_without_permit" and answer["decided_by"] == "person"
    assert world.permit_state("A1") == world.on_the_map("A1") == "unpermitted"


def test_reassigning_takes_another_permit_than_was_proposed(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    post(web, world, "A1", "accept")
    target = {"permit_id": world.permits["P3"], "permit_point_id": None}
    answer = post(web, world, "A1", "reassign", targets=[target])
    assert answer.status_code == 200, answer.text
    assert world.links("A1") == {"P3"}
    undo(web, world.lines["A1"])
    assert world.links("A1") == {"P1.1"}


def test_splitting_links_one_entry_to_several_permits(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    targets = [
        {"permit_id": world.permits["P1"], "permit_point_id": world.points["P1.1"]},
        {"permit_id": world.permits["P2"], "permit_point_id": world.points["P2.1"]},
    ]
    assert post(web, world, "A1", "split", targets=targets).json()["outcome"] == "one_to_n"
    assert world.links("A1") == {"P1.1", "P2.1"}


def test_exempt_needs_its_ground(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    assert post(web, world, "A1", "exempt").status_code == 400
    answer = post(web, world, "A1", "exempt", ground="household", note="菜地")
    assert answer.json()["outcome"] == "exempt" and answer.json()["ground"] == "household"
    assert world.permit_state("A1") == world.on_the_map("A1") == "exempt"
    undo(web, world.lines["A1"])
    assert world.outcome("A1") == "pending" and world.permit_state("A1") == "pending"
    assert {
        pair["state"] for pair in web.get(f"/api/linkage/outcomes/{world.lines['A1']}").json()["pairs"]
    } == {"open"}


def test_a_link_that_never_held_is_kept_for_who_asks_what_was_known(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    post(web, world, "A1", "accept")
    post(web, world, "A1", "unlicensed", note="已现场核实")
    row = world.one(
        "select valid_to = valid_from, ended_at is not null from shuitu.permit_intakes where intake_id = :id",
        id=world.intakes["A1"],
    )
    assert tuple(row) == (True, True)
    assert world.permit_state("A1") == "unpermitted"


def test_everything_can_be_undone_step_by_step(world: World, log_in: LogIn) -> None:
    web, line = log_in("gaoyou"), world.lines["A1"]
    told = []
    for action, more in (("accept", {}), ("reject", {"pairs": [world.pairs["A1-P1.1"]]}), ("exempt", {"ground": "drought"}), ("postpone", {})):  # fmt: skip
        told.append((world.outcome("A1"), world.links("A1"), world.permit_state("A1")))
        assert post(web, world, "A1", action, **more).status_code == 200
    ids = [d["id"] for d in web.get(f"/api/linkage/outcomes/{line}").json()["decisions"]]
    assert web.post(f"/api/linkage/decisions/{ids[-1]}/undo").status_code == 409
    for decision in ids:
        assert web.post(f"/api/linkage/decisions/{decision}/undo").status_code == 204
        assert (world.outcome("A1"), world.links("A1"), world.permit_state("A1")) == told.pop()
    assert world.on_the_map("A1") == "pending"
    assert web.post(f"/api/linkage/decisions/{ids[0]}/undo").status_code == 409


def test_the_second_officer_is_told_who_decided_what(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    seen = web.get(f"/api/linkage/outcomes/{world.lines['A1']}").json()["version"]
    post(web, world, "A1", "accept", version=seen)
    answer = log_in("admin")
    answer = post(web, world, "A1", "exempt", ground="household", version=seen)
    assert answer.status_code == 409
    body = answer.json()
    assert "gaoyou" in body["detail"] and "一口一证" in body["detail"]
    assert body["decided_name"] == "gaoyou" and body["outcome"] == "one_to_one"
    assert world.outcome("A1") == "one_to_one"


def test_of_two_at_the_same_moment_one_wins(world: World, services: Services, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    seen = web.get(f"/api/linkage/outcomes/{world.lines['A1']}").json()["version"]
    found: list[int] = []

    def decide(action: str) -> None:
        more = {"ground": "household"} if action == "exempt" else {}
        found.append(post(web, world, "A1", action, version=seen, **more).status_code)

    threads = [threading.Thread(target=decide, args=(action,)) for action in ("accept", "exempt")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200, 409]


def test_an_officer_decides_in_ones_jurisdiction_only(world: World, log_in: LogIn) -> None:
    web = log_in("baoying")
    assert web.get(f"/api/linkage/outcomes/{world.lines['A1']}").status_code == 404
    assert post(web, world, "A1", "accept", version=1).status_code == 404
    assert web.post("/api/linkage/decisions/1/undo").status_code == 404
    viewer = log_in("viewer")
    assert viewer.get(f"/api/linkage/outcomes/{world.lines['A1']}").status_code == 200
    assert post(viewer, world, "A1", "accept").status_code == 403
    viewer.cookies.clear()
    assert viewer.get("/api/linkage/outcomes").status_code == 401


def test_a_proposed_permit_of_another_county_is_seen_and_can_be_accepted(world: World, log_in: LogIn) -> None:
    world.propose("A3", "Q.1", 0.9, ("county",))
    web = log_in("gaoyou")
    line = web.get(f"/api/linkage/outcomes/{world.lines['A3']}").json()
    assert line["pairs"][0]["permit"]["county_code"] == BAOYING
    assert post(web, world, "A3", "accept").status_code == 200
    assert world.links("A3") == {"Q.1"} and world.permit_state("A3") == "linked"


def test_a_permits_intake_nobody_registered_becomes_an_entry_and_back(world: World, log_in: LogIn) -> None:
    with world.session() as session:
        standing.settle_counties(session, [GAOYOU], None)
    assert world.without() == {
        "P1.1 pending", "P1.2 pending", "P2.1 pending", "P3 permit_without_intake",
    }  # fmt: skip
    web = log_in("gaoyou")
    post(web, world, "A3", "reject")
    assert "P2.1 permit_without_intake" in world.without()
    page = web.get("/api/linkage/outcomes", params={"outcome": "permit_without_intake"}).json()["items"]
    world.lines |= {row["name"]: row["id"] for row in page}
    answer = post(web, world, "P2取水口1", "register", intake={"code": "QSK-NEW"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["intake"]["code"] == "QSK-NEW" and answer.json()["outcome"] == "one_to_one"
    new = answer.json()["intake"]["id"]
    world.intakes["NEW"] = new
    assert world.permit_state("NEW") == world.on_the_map("NEW") == "linked"
    assert not any(line.startswith("P2.1") for line in world.without())
    assert undo(web, answer.json()["id"]).status_code == 204
    assert world.value("select count(*) from shuitu.intakes where id = :id", id=new) == 0
    assert world.on_the_map("NEW") is None
    assert "P2.1 permit_without_intake" in world.without()
    without = next(row for row in page if row["name"] == "P3公司")
    world.lines["P3"] = without["id"]
    assert post(web, world, "P3", "register").status_code == 400


def test_nearby_and_numbered_permits_can_be_looked_up(world: World, log_in: LogIn) -> None:
    web = log_in("gaoyou")
    near = web.get("/api/linkage/permit-points", params={"lon": 119.05, "lat": 32.05, "metres": 150}).json()
    assert [one["name"] for one in near] == ["P1取水口1", "P1取水口2"] and near[0][
        "distance_m"
    ] == pytest.approx(18.9, abs=0.5)
    found = web.get("/api/linkage/permit-points", params={"q": "G2021-0002"}).json()
    assert [one["name"] for one in found] == ["P2取水口1"]
    assert web.get("/api/linkage/permit-points").status_code == 400


def test_progress_counts_decided_of_in_scope_by_county(world: World, log_in: LogIn) -> None:
    world.intake("IN-CHANNEL", off_stream=False)
    web = log_in("admin")
    post(web, world, "A1", "accept")
    post(web, world, "B1", "unlicensed")
    found = web.get("/api/linkage/progress", params={"region": 321000}).json()
    assert found["total"]["in_scope"] == 4 and found["total"]["decided"] == 2
    by = {row["county_code"]: row for row in found["regions"]}
    assert by[GAOYOU]["name"] == "高邮市" and by[GAOYOU]["in_scope"] == 3
    assert by[GAOYOU]["by_outcome"] == {"one_to_one": 1, "pending": 2}
    assert by[BAOYING]["by_outcome"] == {"intake_without_permit": 1} and by[BAOYING]["by_person"] == 1
    assert "河道外" in found["denominator"]


def test_many_outcomes_at_once_are_those_of_the_rule(world: World) -> None:
    """Every way in which three entries may be linked to a permit's two intakes and a permit without any."""
    keys = [("P1", "P1.1"), ("P1", "P1.2"), ("P3", None)]
    names = ("A1", "A2", "A3")
    for code in range(4**3):
        # Each entry: no link, P1.1, P1.2 with P3, or P3.
        chosen = [((), (0,), (1, 2), (2,))[code // 4**n % 4] for n in range(3)]
        with world.session() as session:
            session.execute(text("delete from shuitu.permit_intakes"))
            session.execute(
                text("update shuitu.link_outcomes set outcome = 'pending' where intake_id is not null")
            )
            for name, links in zip(names, chosen, strict=True):
                for link in links:
                    permit, point = keys[link]
                    session.execute(
                        text("insert into shuitu.permit_intakes (permit_id, intake_id, permit_point_id, county_code) values (:p, :i, :t, :c)"),
                        {"p": world.permits[permit], "i": world.intakes[name], "t": world.points[point] if point else None, "c": GAOYOU},
                    )  # fmt: skip
            standing.settle(session, [world.intakes[name] for name in names], [])
        for name, links in zip(names, chosen, strict=True):
            sharing = [sum(link in others for others in chosen) for link in links]
            assert world.outcome(name) == rules.outcome_of(sharing), chosen
