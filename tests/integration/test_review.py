"""The whole way from a county's decided outcomes to the one map, and back from every level."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.access import service as access
from app.actor import Jurisdiction, Role, system
from app.db.engine import driver_of, transaction
from app.deps import Services
from app.review import sampling
from tests.integration.conftest import PASSWORD

NATION = system("test")
GAOYOU, BAOYING, HUAI = 321084, 321023, 3
INTAKES = 40
OUTCOMES = ("one_to_one", "one_to_one", "n_to_one", "intake_without_permit", "exempt", "one_to_one", "one_to_n", "one_to_one")  # fmt: skip
LEVELS = ("county", "prefecture", "county", "province", "county", "basin", "county", "county")
ACCOUNTS = (
    ("yangzhou", Role.OFFICER, Jurisdiction.of_region("3210")),
    ("jiangsu", Role.OFFICER, Jurisdiction.of_region("32")),
    ("huaiwei", Role.OFFICER, Jurisdiction.of_basin(HUAI)),
    ("changwei", Role.OFFICER, Jurisdiction.of_basin(1)),
    ("analyst", Role.ANALYST, Jurisdiction.of_region("321084")),
)


@pytest.fixture(scope="module")
def people(services: Services) -> None:
    with transaction(services.engine, NATION) as session:
        for name, role, where in ACCOUNTS:
            access.add_user(session, name, PASSWORD, role, where, name)
        session.execute(
            text("insert into shuitu.basin_agencies (id, code, name) values (3, '淮委', '淮河水利委员会')")
        )


@pytest.fixture(scope="module")
def log_in(web: TestClient, people: None) -> Callable[[str], TestClient]:
    """A window of each account's own; logged in once, for that takes longest."""
    windows: dict[str, TestClient] = {}

    def window(name: str) -> TestClient:
        if name not in windows:
            windows[name] = TestClient(web.app)
            given = {"username": name, "password": PASSWORD}
            answer = windows[name].post("/api/session", json=given)
            assert answer.status_code == 200, answer.text
        return windows[name]

    return window


@pytest.fixture(autouse=True)
def outcomes(services: Services, people: None) -> Iterator[None]:
    """Forty decided outcomes of 高邮 under permits of all levels, two of them of 宝应, one still open; gone afterwards."""
    with transaction(services.engine, NATION) as session:
        for number in range(INTAKES):
            _outcome(session, number)
        services.publish(driver_of(session), "intakes", None)
    yield
    with transaction(services.engine, NATION) as session:
        session.execute(text("delete from shuitu.intakes"))
        session.execute(text("delete from shuitu.permits"))
        session.execute(text("delete from shuitu.review_sample_items"))
        session.execute(text("delete from shuitu.review_items"))
        session.execute(text("delete from shuitu.review_batches"))
        session.execute(text("delete from shuitu.review_samples"))
        services.publish(driver_of(session), "intakes", None)


def _outcome(session: Any, number: int) -> None:
    outcome, level = OUTCOMES[number % 8], LEVELS[number % 8]
    given = {
        "code": f"Q{number:04d}",
        "county": GAOYOU,
        "permit_county": BAOYING if number in (0, 8) else GAOYOU,
        "lon": 119.05 + number * 0.003,
        "outcome": outcome,
        "level": level,
        "source": ("surface_water", "groundwater")[number % 2],
        "basin": HUAI,
        "by": None if number == 1 else ("rule", "person")[number % 2],
    }
    intake = session.execute(
        text("""insert into shuitu.intakes (code, name, county_code, basin_id, source_type, geom)
                values (:code, :code, :county, :basin, :source, st_setsrid(st_makepoint(:lon, 32.1), 4490)) returning id"""),
        given,
    ).scalar_one()
    if outcome not in ("intake_without_permit", "exempt"):
        session.execute(
            text("""with p as (insert into shuitu.permits (permit_no, permit_no_raw, status, holder_name, county_code, basin_id,
                      issuing_level, issuing_authority) values (:code, :code, 'valid', '水厂', :permit_county, :basin, :level, '某局')
                      returning id)
                    insert into shuitu.permit_intakes (permit_id, intake_id, county_code, basin_id)
                    select id, :intake, :county, :basin from p"""),
            given | {"intake": intake},
        )
    session.execute(
        text("""insert into shuitu.link_outcomes (intake_id, outcome, ground, source_type, decided_by, decided_name, decided_at,
                  county_code, basin_id)
                values (:intake, :outcome, case when :outcome = 'exempt' then 'household' end, :source, :by,
                  case when :by = 'person' then '张三' end, case when :by is not null then now() end, :county, :basin)"""),
        given | {"intake": intake},
    )


def compose(web: TestClient, county: int = GAOYOU, **filter_: Any) -> list[dict[str, Any]]:
    answer = web.post("/api/review/batches", json={"county_code": county, "filter": filter_})
    assert answer.status_code == 201, answer.text
    batches: list[dict[str, Any]] = answer.json()["batches"]
    return batches


def step(web: TestClient, batch: dict[str, Any], action: str, **more: Any) -> Any:
    return web.post(f"/api/review/batches/{batch['id']}/{action}", json={"version": batch["version"], **more})


def done(web: TestClient, batch: dict[str, Any], action: str, **more: Any) -> dict[str, Any]:
    answer = step(web, batch, action, **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def items_of(web: TestClient, **which: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = web.get("/api/review/items", params={"limit": 500, **which}).json()["items"]
    return found


def to_the_basin(log_in: Callable[[str], TestClient]) -> list[dict[str, Any]]:
    """Everything of 高邮 composed, submitted and approved up to the basin; the batches as they are then."""
    made = compose(log_in("gaoyou"))
    sent = [done(log_in("gaoyou"), one, "submit") for one in made]
    arrived = []
    for one in sent:
        while one["stage"] != "basin":
            name = {
                "county": "gaoyou" if one["first_code"] == GAOYOU else "baoying",
                "prefecture": "yangzhou",
                "province": "jiangsu",
            }[one["stage"]]
            one = done(log_in(name), one, "approve")
        arrived.append(one)
    return arrived


def judge_all(web: TestClient, sample: dict[str, Any], wrong: int = 0) -> dict[str, Any]:
    drawn = items_of(web, sample=sample["id"])
    assert [one["verdict"] for one in drawn] == [None] * sample["drawn"]
    for number, one in enumerate(drawn):
        verdict = {"verdict": "wrong", "note": "证号不符"} if number < wrong else {"verdict": "correct"}
        sample = web.post(f"/api/review/samples/{sample['id']}/items/{one['id']}", json=verdict).json()
    return sample


def states(services: Services) -> dict[str, int]:
    with transaction(services.engine, NATION) as session:
        rows = session.execute(
            text("select review_state, count(*) from map.intakes group by review_state")
        ).all()
    return dict(tuple(row) for row in rows)


def test_a_countys_outcomes_are_collected_by_who_reviews_them_first(log_in: Callable[[str], TestClient]) -> None:  # fmt: skip
    ready = log_in("gaoyou").get("/api/review/ready", params={"county": GAOYOU}).json()
    made = compose(log_in("gaoyou"))
    assert [(one["first_stage"], one["first_code"], one["items"]) for one in ready] == [
        (one["first_stage"], one["first_code"], one["items"])
        for one in sorted(
            made,
            key=lambda one: (["county", "prefecture", "province", "basin"].index(one["first_stage"]), -one["items"]),
        )
    ]  # fmt: skip
    assert {(one["first_stage"], one["first_code"]) for one in made} == {
        ("county", GAOYOU),
        ("county", BAOYING),
        ("prefecture", 321000),
        ("basin", HUAI),
    }
    assert sum(one["items"] for one in made) == INTAKES - 1  # one is not decided
    assert {one["state"] for one in made} == {"draft"}
    nothing = log_in("gaoyou").post("/api/review/batches", json={"county_code": GAOYOU})
    assert nothing.status_code == 409 and "没有可送审的成果" in nothing.json()["detail"]


def test_only_what_the_filter_names_is_collected(log_in: Callable[[str], TestClient]) -> None:
    made = compose(log_in("gaoyou"), outcomes=["exempt"], sources=["surface_water"])
    assert [one["items"] for one in made] == [5]
    assert log_in("gaoyou").get(f"/api/review/batches/{made[0]['id']}").json()["by_outcome"] == {"exempt": 5}


def test_the_whole_way_to_the_one_map(services: Services, log_in: Callable[[str], TestClient]) -> None:
    assert states(services) == {"none": INTAKES}
    batches = to_the_basin(log_in)
    assert states(services) == {"in_review": INTAKES - 1, "none": 1}
    own = next(one for one in batches if one["first_stage"] == "basin")
    rest = [one for one in batches if one["first_stage"] != "basin"]
    basin = log_in("huaiwei")
    # What it issued itself, the agency reviews in whole.
    assert done(basin, own, "approve")["state"] == "published"
    assert step(basin, rest[0], "approve").status_code == 409
    listed = basin.get("/api/review/samples").json()
    (waiting,) = listed["waiting"]
    assert (waiting["items"], waiting["batches"], waiting["may_draw"]) == (
        INTAKES - 1 - own["items"],
        len(rest),
        True,
    )
    drawn = basin.post("/api/review/samples", json={"province_code": 320000})
    assert drawn.status_code == 201, drawn.text
    sample = drawn.json()
    assert sample["drawn"] == waiting["to_draw"] >= sample["population"] * 0.01
    assert {one["drawn"] > 0 for one in sample["strata"]} == {True}
    early = basin.post(f"/api/review/samples/{sample['id']}/close", json={"version": sample["version"]})
    assert early.status_code == 409 and "未判定" in early.json()["detail"]
    sample = judge_all(basin, sample)
    closed = basin.post(
        f"/api/review/samples/{sample['id']}/close", json={"version": sample["version"]}
    ).json()
    assert (closed["state"], closed["wrong"], closed["judged"]) == ("passed", 0, sample["drawn"])
    assert states(services) == {"published": INTAKES - 1, "none": 1}
    county = log_in("gaoyou").get(f"/api/review/batches/{rest[0]['id']}").json()
    assert county["state"] == "published" and not county["overdue"]
    told = [one["action"] for one in reversed(county["decisions"])]
    assert told[:2] == ["compose", "submit"] and told[-2:] == ["pass", "publish"] and "draw" in told
    # The county does not see the province's sample, and knows of how many its items were drawn from all the same.
    figures = log_in("gaoyou").get("/api/statistics/progress").json()["total"]["counts"]
    assert (figures["drawn"], figures["population"]) == (sample["drawn"], sample["population"])
    with transaction(services.engine, NATION) as session:
        # Everything that the map counts by, tile cells included.
        n = session.execute(
            text("select count(*) from map.intake_points where review_state = 4")
        ).scalar_one()
        on = session.execute(
            text("select distinct published_on = current_date from map.intakes where review_state = 'published'")
        ).scalars().all()  # fmt: skip
    assert (n, on) == (INTAKES - 1, [True])


def test_the_sample_can_be_drawn_again_from_what_is_on_record(log_in: Callable[[str], TestClient]) -> None:
    to_the_basin(log_in)
    basin = log_in("huaiwei")
    sample = basin.post("/api/review/samples", json={"province_code": 320000}).json()
    told = basin.get(f"/api/review/samples/{sample['id']}/population").json()
    members = [sampling.Member(m["id"], m["source_type"], m["outcome"]) for m in told["members"]]
    again = [one.id for one in sampling.draw(told["seed"], members, told["rate"])]
    assert again == [one["id"] for one in items_of(basin, sample=sample["id"])]
    assert {m["id"] for m in told["members"] if m["drawn"]} == set(again)
    assert sampling.fingerprint(one.id for one in members) == told["fingerprint"] == sample["fingerprint"]
    # The lot stays as it was frozen, and is drawn from once.
    assert basin.post("/api/review/samples", json={"province_code": 320000}).status_code == 409
    batch = basin.get("/api/review/batches", params={"sample": sample["id"]}).json()["items"][0]
    assert batch["actions"] == ["judge"]
    assert step(basin, batch, "return", reason="x").status_code == 409


def test_a_failed_sample_returns_the_lot(services: Services, log_in: Callable[[str], TestClient]) -> None:
    to_the_basin(log_in)
    basin = log_in("huaiwei")
    sample = basin.post("/api/review/samples", json={"province_code": 320000}).json()
    first = items_of(basin, sample=sample["id"])[0]
    mute = basin.post(
        f"/api/review/samples/{sample['id']}/items/{first['id']}", json={"verdict": "wrong", "note": " "}
    )
    assert mute.status_code == 400
    wrong = judge_all(basin, sample, wrong=2)
    assert wrong["wrong"] == 2
    closed = basin.post(
        f"/api/review/samples/{sample['id']}/close", json={"version": wrong["version"]}
    ).json()
    assert closed["state"] == "failed"
    assert "published" not in states(services)
    lot = basin.get("/api/review/batches", params={"sample": sample["id"], "limit": 100}).json()["items"]
    assert {one["state"] for one in lot} == {"returned"}
    # The wrong ones must be decided anew; the others may be submitted again as they are.
    again = compose(log_in("gaoyou"))
    assert sum(one["items"] for one in again) == sample["population"] - 2
    with transaction(services.engine, NATION) as session:
        session.execute(
            text("update shuitu.link_outcomes set version = version + 1 where id in "
                 "(select outcome_id from shuitu.review_items where reason = '证号不符')")
        )  # fmt: skip
    assert sum(one["items"] for one in compose(log_in("gaoyou"))) == 2


def test_a_passed_sample_sends_back_only_what_was_wrong(
    services: Services, web: TestClient, log_in: Callable[[str], TestClient]
) -> None:
    batches = to_the_basin(log_in)
    basin = log_in("huaiwei")
    sample = basin.post("/api/review/samples", json={"province_code": 320000}).json()
    with transaction(services.engine, NATION) as session:
        session.execute(text("update shuitu.review_samples set tolerance = 0.5"))
    sample = judge_all(basin, sample, wrong=1)
    closed = basin.post(
        f"/api/review/samples/{sample['id']}/close", json={"version": sample["version"]}
    ).json()
    assert closed["state"] == "passed"
    own = next(one["items"] for one in batches if one["first_stage"] == "basin")
    assert states(services) == {
        "published": sample["population"] - 1,
        "returned": 1,
        "none": 1,
        "in_review": own,
    }


def test_a_batch_is_returned_with_its_reason(services: Services, log_in: Callable[[str], TestClient]) -> None:
    officer = log_in("gaoyou")
    batch = done(
        officer, next(one for one in compose(officer) if one["first_code"] == GAOYOU), "submit", note="请审"
    )
    assert batch["actions"] == ["approve", "return", "return_item"] and batch["due_on"] > batch["entered_on"]
    assert step(officer, batch, "return", reason="  ").status_code == 400
    passed = done(officer, batch, "approve")
    assert (passed["stage"], passed["actions"]) == ("prefecture", [])
    back = done(log_in("yangzhou"), passed, "return", reason="未附现场照片")
    assert (back["state"], back["items"], back["by_state"]) == (
        "returned",
        0,
        {"returned": batch["items"]},
    )
    assert (
        back["decisions"][0]["note"] == "未附现场照片" and back["decisions"][0]["authority"] == "prefecture"
    )
    assert states(services)["returned"] == batch["items"]
    (again,) = compose(log_in("gaoyou"))
    assert again["items"] == batch["items"]
    assert step(log_in("yangzhou"), back, "approve").status_code == 409


def test_single_items_go_back_and_the_rest_goes_on(services: Services, log_in: Callable[[str], TestClient]) -> None:  # fmt: skip
    officer = log_in("gaoyou")
    batch = done(officer, next(one for one in compose(officer) if one["first_code"] == GAOYOU), "submit")
    chosen = [one["id"] for one in items_of(officer, batch=batch["id"])[:3]]
    rest = done(officer, batch, "items/return", items=chosen, reason="坐标落在取用水户单位")
    assert (rest["items"], rest["state"], rest["by_state"]["returned"]) == (
        batch["items"] - 3,
        "reviewing",
        3,
    )
    assert step(officer, rest, "items/return", items=chosen[:1], reason="再次").status_code == 409
    returned = items_of(officer, batch=batch["id"], state="returned")
    assert {one["reason"] for one in returned} == {"坐标落在取用水户单位"}
    assert done(officer, rest, "approve")["stage"] == "prefecture"
    # They must be decided anew before they can be sent again.
    assert log_in("gaoyou").post("/api/review/batches", json={"county_code": GAOYOU}).status_code == 409


def test_drafts_can_be_thinned_and_given_up(log_in: Callable[[str], TestClient]) -> None:
    officer = log_in("gaoyou")
    draft = next(one for one in compose(officer) if one["first_code"] == GAOYOU)
    item = items_of(officer, batch=draft["id"])[0]
    thinner = done(officer, draft, "items/remove", items=[item["id"]])
    assert thinner["items"] == draft["items"] - 1
    assert done(officer, thinner, "withdraw")["state"] == "withdrawn"
    assert sum(one["items"] for one in compose(officer)) == draft["items"]


def test_an_outcome_that_changes_leaves_the_review_and_the_map(
    services: Services, log_in: Callable[[str], TestClient]
) -> None:
    officer = log_in("gaoyou")
    draft = next(one for one in compose(officer) if one["first_code"] == GAOYOU)
    first, second, *_ = items_of(officer, batch=draft["id"])

    def decide_anew(outcome_id: int) -> None:
        with transaction(services.engine, NATION) as session:
            intake = session.execute(
                text("update shuitu.link_outcomes set version = version + 1 where id = :id returning intake_id"),
                {"id": outcome_id},
            ).scalar_one()  # fmt: skip
            services.publish_features(driver_of(session), "intakes", [intake])

    decide_anew(first["outcome_id"])
    sent = done(officer, draft, "submit")
    assert sent["items"] == draft["items"] - 1  # what changed since is left out
    assert sent["decisions"][0]["facts"] == {"items": sent["items"], "left_out": 1}
    decide_anew(second["outcome_id"])
    now = officer.get(f"/api/review/batches/{sent['id']}").json()
    assert (now["items"], now["by_state"]["stale"], now["version"]) == (sent["items"] - 1, 1, sent["version"] + 1)  # fmt: skip
    assert now["decisions"][0]["action"] == "stale"
    assert states(services)["stale"] == 1
    # Both are ready again.
    assert sum(one["items"] for one in compose(officer)) == 2


def test_a_published_outcome_that_changes_is_stale_on_the_map(
    services: Services, log_in: Callable[[str], TestClient]
) -> None:
    own = next(one for one in to_the_basin(log_in) if one["first_stage"] == "basin")
    done(log_in("huaiwei"), own, "approve")
    with transaction(services.engine, NATION) as session:
        row = session.execute(
            text("""update shuitu.link_outcomes set version = version + 1, outcome = 'pending', decided_by = null, decided_at = null
                    where id = (select min(outcome_id) from shuitu.review_items where state = 'published') returning intake_id""")
        ).one()
        services.publish_features(driver_of(session), "intakes", [row.intake_id])
    assert states(services) == {"published": own["items"] - 1, "stale": 1, "in_review": 34, "none": 1}
    with transaction(services.engine, NATION) as session:
        was = session.execute(
            text("select review_state, published_on from map.review_at(:id, current_date - 1)"),
            {"id": row.intake_id},
        ).all()
        session.execute(text("delete from shuitu.link_outcomes where intake_id = :id"), {"id": row.intake_id})
    assert was == []
    assert states(services)["none"] == 2


def test_levels_read_but_do_not_decide_in_anothers_stead(web: TestClient, log_in: Callable[[str], TestClient]) -> None:  # fmt: skip
    assert web.get("/api/review/batches").status_code == 401
    made = compose(log_in("gaoyou"))
    batch = done(log_in("gaoyou"), next(one for one in made if one["first_code"] == GAOYOU), "submit")
    for name in ("yangzhou", "jiangsu", "huaiwei", "admin"):
        officer = log_in(name)
        seen = officer.get(f"/api/review/batches/{batch['id']}").json()
        assert (seen["items"], seen["actions"]) == (batch["items"], [])
        refused = step(officer, batch, "approve")
        assert refused.status_code == 403 and "县级审核" in refused.json()["detail"]
    # Who may not see it, does not find it; but the issuer of another county sees what it has to review.
    assert log_in("baoying").get(f"/api/review/batches/{batch['id']}").status_code == 404
    assert log_in("changwei").get("/api/review/batches").json()["total"] == 0
    theirs = log_in("baoying").get("/api/review/batches").json()
    assert [(one["first_code"], one["items"]) for one in theirs["items"]] == [(BAOYING, 2)]
    assert len(items_of(log_in("baoying"), batch=theirs["items"][0]["id"])) == 2
    for name in ("viewer", "analyst"):
        assert step(log_in(name), batch, "approve").status_code == 403
    assert log_in("baoying").post("/api/review/batches", json={"county_code": GAOYOU}).status_code == 403


def test_each_finds_what_waits_for_it(log_in: Callable[[str], TestClient]) -> None:
    made = compose(log_in("gaoyou"))
    everybody = ("gaoyou", "baoying", "yangzhou", "jiangsu", "huaiwei", "admin")

    def waiting() -> dict[str, set[int]]:
        mine = {"mine": True, "limit": 100}
        return {
            name: {one["id"] for one in log_in(name).get("/api/review/batches", params=mine).json()["items"]}
            for name in everybody
        }

    assert waiting() == {
        name: {one["id"] for one in made} if name == "gaoyou" else set() for name in everybody
    }
    for one in made:
        done(log_in("gaoyou"), one, "submit")
    found = waiting()
    for one in made:
        turn = {GAOYOU: "gaoyou", BAOYING: "baoying", 321000: "yangzhou", HUAI: "huaiwei"}[one["first_code"]]
        assert {name for name, ids in found.items() if one["id"] in ids} == {turn}
        seen = log_in(turn).get(f"/api/review/batches/{one['id']}").json()
        assert "approve" in seen["actions"]


def test_what_the_issuer_of_another_county_approves_stays_on_the_map(
    services: Services, log_in: Callable[[str], TestClient]
) -> None:
    theirs = next(one for one in compose(log_in("gaoyou")) if one["first_code"] == BAOYING)
    sent = done(log_in("gaoyou"), theirs, "submit")
    back = done(log_in("baoying"), sent, "return", reason="不是本县审批")
    assert back["state"] == "returned"
    assert states(services) == {"returned": 2, "none": INTAKES - 2}
    with transaction(services.engine, NATION) as session:
        assert session.execute(text("select count(*) from map.intake_points")).scalar_one() == INTAKES


def test_of_two_reviewers_at_once_one_is_told(log_in: Callable[[str], TestClient]) -> None:
    made = compose(log_in("gaoyou"))
    batch = done(log_in("gaoyou"), next(one for one in made if one["first_code"] == GAOYOU), "submit")
    answers: list[int] = []
    ready = threading.Barrier(2)

    def decide(action: str, more: dict[str, Any]) -> None:
        ready.wait()
        answers.append(step(log_in("gaoyou"), batch, action, **more).status_code)

    threads = [
        threading.Thread(target=decide, args=one) for one in (("approve", {}), ("return", {"reason": "退"}))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409]
    seen = log_in("gaoyou").get(f"/api/review/batches/{batch['id']}").json()
    assert seen["version"] == batch["version"] + 1
    late = step(log_in("gaoyou"), batch, "approve")
    assert late.status_code == 409 and "刚刚已被处理：gaoyou" in late.json()["detail"]


def test_deadlines_count_and_are_told(services: Services, log_in: Callable[[str], TestClient]) -> None:
    batch = done(log_in("gaoyou"), next(one for one in compose(log_in("gaoyou")) if one["first_code"] == GAOYOU), "submit")  # fmt: skip
    assert batch["overdue"] is False
    with transaction(services.engine, NATION) as session:
        session.execute(text("update shuitu.review_batches set due_on = current_date - 1"))
    late = log_in("yangzhou").get("/api/review/batches", params={"overdue": True}).json()
    assert [one["id"] for one in late["items"]] == [batch["id"]]
    on_time = log_in("gaoyou").get("/api/review/batches", params={"overdue": False}).json()
    assert batch["id"] not in {one["id"] for one in on_time["items"]}


def test_decisions_cannot_be_changed(services: Services, log_in: Callable[[str], TestClient]) -> None:
    compose(log_in("gaoyou"))
    for statement in ("update shuitu.review_decisions set note = 'x'", "delete from shuitu.review_decisions"):
        with (
            pytest.raises(Exception, match="permission denied"),
            transaction(services.engine, NATION) as session,
        ):
            session.execute(text(statement))


def test_items_keep_what_was_submitted(services: Services, log_in: Callable[[str], TestClient]) -> None:
    made = compose(log_in("gaoyou"))
    with transaction(services.engine, NATION) as session:
        session.execute(text("update shuitu.intakes set name = '改名'"))
    page = log_in("gaoyou").get("/api/review/items", params={"batch": made[0]["id"], "limit": 2}).json()
    assert page["total"] == made[0]["items"] and len(page["items"]) == 2
    item = page["items"][0]
    assert item["facts"]["intake"]["name"] == item["facts"]["intake"]["code"] != "改名"
    following = log_in("gaoyou").get("/api/review/items", params={"batch": made[0]["id"], "after": page["next"]}).json()  # fmt: skip
    assert following["items"][0]["id"] > page["items"][1]["id"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/review/batches/999999", 404),
        ("/api/review/batches?after=x", 400),
        ("/api/review/batches?state=gone", 400),
        ("/api/review/items?after=-1", 400),
        ("/api/review/samples/999999", 404),
        ("/api/review/samples/999999/population", 404),
        ("/api/review/batches/99999999999999999999", 404),
        ("/api/review/ready?county=5", 400),
    ],
)
def test_bad_requests_are_told(log_in: Callable[[str], TestClient], path: str, status: int) -> None:
    answer = log_in("gaoyou").get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
