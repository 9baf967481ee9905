"""What happens to a permit, by HTTP: one transaction from the entry to the map."""

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.actor import system
from app.db.engine import Dsns, transaction
from app.deps import Services
from layers.clock import CHINA

Json = dict[str, Any]
Issue = Callable[..., Json]
Enter = Callable[..., Any]
TODAY = datetime.now(CHINA).date()


def state(services: Services, intake: int) -> str:
    with transaction(services.engine, system("test")) as session:
        return str(session.execute(text("select permit_state from shuitu.intakes where id = :i"), {"i": intake}).scalar_one())  # fmt: skip


def on_the_map(database: Dsns, intake: int) -> int:
    """Position of the permit state in the layer's list, as the map table has it."""
    with psycopg.connect(database.map) as connection:
        connection.execute("set app.scope_lo = 0; set app.scope_hi = 1000000")
        row = connection.execute(
            "select permit_state from map.intake_points where id = %s", (intake,)
        ).fetchone()
        assert row is not None
        return int(row[0])


def test_a_permit_is_issued_with_its_limits_its_points_and_its_wells(
    issue: Issue, wells: dict[str, int], services: Services, database: Dsns
) -> None:
    limits = [
        {"period": "06-01/09-30", "well_field": "北区", "annual_m3": 120_000, "daily_m3": 1000},
        {"period": "10-01/05-31", "well_field": "北区", "annual_m3": 80_000},
    ]
    points = [{"name": "1号井", "lon": 119.05, "lat": 32.1, "source_type": "groundwater"}, {"name": "2号井"}]
    permit = issue(limits=limits, annual_volume_m3=None, points=points, intakes=[wells["W1"], "W2"])
    assert (permit["version"], permit["event"], permit["status"], permit["annual_volume_m3"]) == (1, "issue", "valid", 200_000)  # fmt: skip
    assert [(row["seq"], row["period"], row["annual_m3"]) for row in permit["limits"]] == [
        (1, "06-01/09-30", 120_000),
        (2, "10-01/05-31", 80_000),
    ]
    assert [(p["seq"], p["name"], p["lon"], p["county_code"]) for p in permit["points"]] == [
        (1, "1号井", 119.05, 321084),
        (2, "2号井", None, 321084),
    ]
    assert [i["code"] for i in permit["intakes"]] == ["W1", "W2"]
    assert permit["number"]["source_type"] == "groundwater" and permit["issuing_level"] == "county"
    assert state(services, wells["W1"]) == "linked" and on_the_map(database, wells["W1"]) == 0


def test_each_event_leads_where_it_should(
    issue: Issue, enter: Enter, wells: dict[str, int], services: Services
) -> None:
    permit = issue(intakes=[wells["W3"]], valid_from="2022-01-01", valid_to="2026-12-31")
    answer = enter(
        permit, "vary", facts={"annual_volume_m3": 150_000, "purpose": "industry"}, effective_on="2024-05-01"
    )
    varied = answer.json()
    assert answer.status_code == 201 and answer.headers["ETag"] == '"2"'
    assert (varied["version"], varied["annual_volume_m3"], varied["limits"][0]["annual_m3"]) == (
        2,
        150_000,
        150_000,
    )
    moved = enter(varied, "transfer", facts={"holder_name": "新公司"}, effective_on="2025-01-01").json()
    assert (moved["holder_name"], moved["version"], moved["limits"][0]["annual_m3"]) == ("新公司", 3, 150_000)
    renewed = enter(
        moved, "renew", facts={"valid_to": "2031-12-31", "permit_no": "D321084G2026-9001"}, effective_on="2026-06-01",
        applied_on="2026-05-01",
    ).json()  # fmt: skip
    assert (renewed["permit_no"], renewed["previous_number"]) == ("D321084G2026-9001", permit["permit_no"])
    assert (renewed["valid_from"], renewed["valid_to"], renewed["status"]) == (
        "2027-01-01",
        "2031-12-31",
        "valid",
    )
    assert state(services, wells["W3"]) == "linked"
    ended = enter(renewed, "cancel", ground="dissolved", effective_on="2026-10-01").json()
    assert (ended["status"], ended["ended_on"], ended["events_allowed"]) == (
        "cancelled",
        "2026-10-01",
        ["correct"],
    )
    assert state(services, wells["W3"]) == "ended"
    back = enter(ended, "correct", reason="误登", reinstate=True).json()
    assert (back["status"], back["ended_on"]) == ("valid", None)
    assert state(services, wells["W3"]) == "linked"


@pytest.mark.parametrize(("event", "given", "status"), [
    ("cancel", {"ground": "idle"}, "cancelled"),
    ("annul", {"reason": "超越职权"}, "annulled"),
    ("revoke", {"document_no": "邮水罚〔2026〕3号"}, "revoked"),
])  # fmt: skip
def test_three_ends_are_three_things_and_no_ended_permit_changes(
    issue: Issue, enter: Enter, event: str, given: Json, status: str
) -> None:
    ended = enter(issue(), event, **given).json()
    assert ended["status"] == status
    for later, facts in (("vary", {"purpose": "industry"}), ("renew", {"valid_to": "2033-12-31"}), ("transfer", {"holder_name": "乙"})):  # fmt: skip
        answer = enter(ended, later, facts=facts)
        problem = answer.json()
        assert answer.status_code == 409 and problem["errors"][0]["reason"] == "permit_ended"
        assert ended["permit_no"] in problem["detail"] and "70" in problem["errors"][0]["clause"]
    struck_off = enter(ended, "cancel", ground="taken_back")
    assert struck_off.status_code == (409 if status == "cancelled" else 201)
    if status != "cancelled":
        assert struck_off.json()["status"] == status


@pytest.mark.parametrize(("event", "given", "reason"), [
    ("vary", {}, "nothing_changes"),
    ("vary", {"facts": {"purpose": "industry"}, "effective_on": str(TODAY + timedelta(days=1))}, "in_the_future"),
    ("vary", {"facts": {"purpose": "industry"}, "effective_on": "2023-12-31"}, "before_the_last_event"),
    ("vary", {"facts": {"valid_to": "2029-12-31"}}, "is_a_renewal"),
    ("transfer", {}, "holder_missing"),
    ("transfer", {"facts": {"holder_name": "高邮自来水公司"}}, "same_holder"),
    ("renew", {}, "term_missing"),
    ("renew", {"facts": {"valid_to": "2028-12-31"}}, "term_not_longer"),
    ("renew", {"facts": {"valid_to": "2040-01-01"}}, "term_too_long"),
    ("expire", {}, "not_yet_expired"),
    ("cancel", {}, "ground_missing"),
    ("cancel", {"ground": "taken_back"}, "ground_of_another_state"),
    ("cancel", {"ground": "expired"}, "not_yet_expired"),
    ("revoke", {}, "document_missing"),
    ("annul", {}, "reason_missing"),
    ("correct", {"facts": {"purpose": "industry"}}, "reason_missing"),
    ("correct", {"facts": {"valid_to": "2023-01-01"}, "reason": "误"}, "ends_before_it_begins"),
])  # fmt: skip
def test_what_breaks_a_rule_is_refused_with_its_reason_and_changes_nothing(
    issue: Issue, enter: Enter, log_in: Any, event: str, given: Json, reason: str
) -> None:
    permit = issue()
    answer = enter(permit, event, **given)
    assert answer.status_code == 400, answer.text
    assert reason in [error["reason"] for error in answer.json()["errors"]]
    now = log_in("gaoyou").get(f"/api/permits/{permit['id']}").json()
    assert now["version"] == 1 and len(now["history"]) == 1


@pytest.mark.parametrize("facts", [
    {"permit_no": "D321084G2024-7777"},
    {"limits": [{"annual_m3": 1e9, "daily_m3": 1}]},
    {"limits": [{"annual_m3": 1}, {"annual_m3": 2}]},
    {"limits": [{"period": "02-30/03-01", "annual_m3": 1}]},
    {"limits": [{"annual_m3": 5}], "annual_volume_m3": 900},
    {"annual_volume_m3": -1}, {"annual_volume_m3": "NaN"}, {"valid_to": "2025-02-30"}, {"purpose": "swimming"},
    {"colour": "red"}, {"intakes": [987654321]}, {"intakes": [2**70]}, {"intakes": ["没有"]}, {"points": [{"name": "x", "lon": 119}]},
    {"points": [{"seq": 7, "name": "x"}]}, {"uscc": "123"}, {"holder_name": ""},
])  # fmt: skip
def test_impossible_facts_are_bad_input(issue: Issue, enter: Enter, facts: Json) -> None:
    answer = enter(issue(), "vary", facts=facts)
    assert answer.status_code == 400 and answer.headers["Content-Type"] == "application/problem+json"


def test_warnings_name_their_clause_and_do_not_hinder(issue: Issue, enter: Enter) -> None:
    permit = issue(valid_from="2020-01-01", valid_to="2024-12-31", effective_on="2020-01-01")
    assert permit["status"] == "expired"
    answer = enter(
        permit, "renew", facts={"valid_to": "2032-12-31"}, effective_on="2025-02-01", applied_on="2024-12-20"
    )
    found = {flag["code"]: flag["clause"] for flag in answer.json()["flags"]}
    assert found == {"asked_late": "条例25", "decided_late": "行政许可法50", "term_unusual": "条例25"}


def test_two_officers_at_once_one_is_told_who_was_first(
    issue: Issue, services: Services, web: TestClient
) -> None:
    permit = issue()
    cookies = dict(web.cookies)
    answers: list[Any] = []

    def enter(purpose: str) -> None:
        body = {"event": "vary", "version": 1, "facts": {"purpose": purpose}}
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}
        answers.append(web.post(f"/api/permits/{permit['id']}/events", json=body, headers=headers))

    both = [threading.Thread(target=enter, args=(purpose,)) for purpose in ("industry", "irrigation")]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert "gaoyou" in refused["detail"] and "变更" in refused["detail"] and refused["expected"] == 2


def test_the_version_may_come_as_an_etag(issue: Issue, enter: Enter, log_in: Any) -> None:
    permit = issue()
    web = log_in("gaoyou")
    tag = web.get(f"/api/permits/{permit['id']}").headers["ETag"]
    address, body = f"/api/permits/{permit['id']}/events", {"event": "vary", "facts": {"purpose": "industry"}}
    assert web.post(address, json=body).status_code == 428
    assert web.post(address, json=body, headers={"If-Match": "x"}).status_code == 400
    assert web.post(address, json=body, headers={"If-Match": tag}).status_code == 201
    assert web.post(address, json=body, headers={"If-Match": tag}).status_code == 412


def test_an_old_number_finds_its_permit_and_cannot_be_given_again(
    issue: Issue, enter: Enter, log_in: Any
) -> None:
    permit = issue()
    enter(permit, "renew", facts={"valid_to": "2033-12-31", "permit_no": "D321084G2028-0700"})
    web = log_in("gaoyou")
    for typed, former in ((permit["permit_no"], True), ("d321084g2028—0700", False)):
        found = web.get("/api/permits", params={"number": typed}).json()
        assert [(one["id"], one["former"]) for one in found] == [(permit["id"], former)]
    again = web.post("/api/permits", json={"permit_no": permit["permit_no"], "holder_name": "乙", "county_code": 321084, "valid_to": "2030-01-01"})  # fmt: skip
    assert again.status_code == 409 and "已登记" in again.json()["detail"]
    assert web.get("/api/permits", params={"number": "12"}).status_code == 400
    hits = web.get("/api/search", params={"q": permit["permit_no"]}).json()["items"]
    assert permit["id"] in [hit["id"] for hit in hits if hit["kind"] == "permit"]


def test_a_county_cannot_change_the_permits_of_another(
    issue: Issue, enter: Enter, log_in: Any, wells: dict[str, int]
) -> None:
    permit = issue()
    assert enter(permit, "vary", who="baoying", facts={"purpose": "industry"}).status_code == 404
    assert enter(permit, "vary", who="viewer", facts={"purpose": "industry"}).status_code == 403
    body = {
        "permit_no": "D321084G2024-8888",
        "holder_name": "乙",
        "county_code": 321084,
        "valid_to": "2030-01-01",
    }
    assert log_in("baoying").post("/api/permits", json=body).status_code == 403
    web = log_in("gaoyou")
    web.cookies.clear()
    assert web.post("/api/permits", json=body).status_code == 401


def test_a_well_in_another_county_is_allowed_and_flagged_and_follows(
    issue: Issue, enter: Enter, wells: dict[str, int], services: Services, log_in: Any
) -> None:
    permit = issue()
    varied = enter(permit, "vary", who="admin", facts={"intakes": [wells["B1"]], "points": [{"name": "宝应井", "lon": 119.25, "lat": 32.1}]}).json()  # fmt: skip
    assert {(flag["code"], flag["field"]) for flag in varied["flags"]} == {("intake_elsewhere", "intakes"), ("intake_elsewhere", "points")}  # fmt: skip
    assert state(services, wells["B1"]) == "linked"
    # Baoying reads it, and may not change it; Gaoyou's cancellation reaches the well in Baoying.
    assert log_in("baoying").get(f"/api/permits/{permit['id']}").json()["permit_no"] == permit["permit_no"]
    assert enter(varied, "cancel", who="baoying", ground="idle").status_code == 403
    assert enter(varied, "cancel", ground="idle").status_code == 201
    assert state(services, wells["B1"]) == "ended"
    changes = log_in("baoying").get("/api/changes", params={"limit": 1000}).json()["items"]
    assert changes[-1]["entity_id"] == wells["B1"] and changes[-1]["facts"]["permit_state"] == "ended"


def test_wells_come_under_a_permit_and_leave_it(issue: Issue, enter: Enter, log_in: Any, services: Services, wells: dict[str, int]) -> None:  # fmt: skip
    permit = issue(intakes=["W1", "W2"])
    changed = enter(permit, "vary", facts={"intakes": ["W2", "W3"]}, effective_on="2025-07-01").json()
    assert [i["code"] for i in changed["intakes"]] == ["W2", "W3"]
    web = log_in("gaoyou")

    def codes(day: str) -> list[str]:
        then = web.get(f"/api/permits/{permit['id']}", params={"datetime": day}).json()
        return [i["code"] for i in then["intakes"]]

    assert (codes("2025-06-30"), codes("2025-07-01")) == (["W1", "W2"], ["W2", "W3"])
    # What was known before the variation was entered shows the former wells on every day.
    known = {"datetime": "2025-07-01", "known": permit["recorded_at"]}
    then = web.get(f"/api/permits/{permit['id']}", params=known).json()
    assert [i["code"] for i in then["intakes"]] == ["W1", "W2"]


def test_the_past_of_one_entry_and_what_each_version_changed(issue: Issue, enter: Enter, log_in: Any, wells: dict[str, int]) -> None:  # fmt: skip
    permit = issue(intakes=["W1"])
    varied = enter(permit, "vary", facts={"annual_volume_m3": 90_000}, effective_on="2025-01-01", document_no="邮水〔2025〕1号").json()  # fmt: skip
    enter(varied, "cancel", ground="idle", effective_on="2026-02-01")
    web = log_in("gaoyou")
    address = f"/api/permits/{permit['id']}"

    def then(day: str) -> tuple[str, float, float]:
        found = web.get(address, params={"datetime": day}).json()
        return found["status"], found["annual_volume_m3"], found["limits"][0]["annual_m3"]

    assert then("2024-06-01") == ("valid", 200_000, 200_000)
    assert then("2025-01-01T08:00:00+08:00") == ("valid", 90_000, 90_000)
    assert then("2026-03-01") == ("cancelled", 90_000, 90_000)
    assert web.get(address, params={"datetime": "2023-12-31"}).status_code == 404
    for bad in ({"datetime": "gestern"}, {"known": "2024-13-01"}, {"datetime": "../2024-01-01"}, {"datetime": "9999-12-31"}, {"datetime": "0001-01-01T00:00:00+14:00"}):  # fmt: skip
        assert web.get(address, params=bad).status_code == 400, bad
    versions = web.get(f"{address}/versions").json()
    assert [(v["version"], v["event"], v["actor_name"], v["effective_on"]) for v in versions] == [
        (3, "cancel", "gaoyou", "2026-02-01"),
        (2, "vary", "gaoyou", "2025-01-01"),
        (1, "issue", "gaoyou", "2024-01-01"),
    ]
    assert {"field": "annual_volume_m3", "old": 200_000.0, "new": 90_000.0} in versions[1]["differences"]
    assert {d["field"] for d in versions[0]["differences"]} == {"status", "ended_on"}
    intake = web.get(f"/api/intakes/{wells['W1']}", params={"datetime": "2025-03-01"}).json()
    assert (
        permit["permit_no"] in [p["permit_no"] for p in intake["permits"]]
        and intake["permit_state"] == "linked"
    )
    changed = web.get(f"/api/intakes/{wells['W1']}/versions").json()
    assert any(d["field"] == "permit_state" for d in changed[0]["differences"])
    assert web.get("/api/permits/999999/versions").status_code == web.get("/api/intakes/999999/versions").status_code == 404  # fmt: skip


def test_numbers_are_read_into_parts(log_in: Any) -> None:
    web = log_in("gaoyou")
    told = web.get("/api/numbers/permit", params={"text": "C15030362021-0093"}).json()
    assert (
        told["number"]["text"] == "C150303G2021-0093"
        and told["number"]["repaired"]
        and told["number"]["warnings"]
    )
    assert web.get("/api/numbers/permit", params={"text": "(粤穗埔)申字〔2021〕第00001号"}).json()["problem"]
    licence = "1.2.156.3005.2.11100000000013338W002.11320482014138860P.201807250201.001.M"
    assert (
        web.get("/api/numbers/licence", params={"text": licence}).json()["licence"]["issuer"]
        == "11320482014138860P"
    )
    assert web.get("/api/numbers/licence", params={"text": licence[:-1] + "X"}).json()["expected"] == "M"


def test_a_wrong_licence_identifier_is_kept_and_flagged(issue: Issue) -> None:
    wrong = "1.2.156.3005.2.11100000000013338W002.11320482014138860P.201807250201.001.X"
    permit = issue(e_licence=wrong)
    assert permit["e_licence"] == wrong and permit["licence"] is None
    assert [flag["code"] for flag in permit["flags"]] == ["licence_check"]
    assert issue(e_licence=wrong[:-1] + "M")["licence"]["type_serial"] == "002"


def test_terms_are_days_of_the_law(issue: Issue, enter: Enter) -> None:
    """以下 includes the number (民法典 1259): ten years to the day are not more than ten years."""
    assert issue(valid_from="2024-01-01", valid_to="2034-01-01")["flags"][0]["code"] == "term_unusual"
    assert date(2034, 1, 1)  # and a day more is refused
    permit = issue(valid_from="2024-01-01", valid_to="2028-12-31")
    assert enter(permit, "correct", reason="误", facts={"valid_to": "2034-01-02"}).status_code == 400
