"""Systems push batches and follow what changes: whole or not at all, once, and nothing is missed."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.access import service as access
from app.actor import system
from app.changes import service as changes
from app.db.engine import Dsns, transaction
from app.deps import Services

INTAKE = {"name": "提水站", "county_code": 321084, "lon": 119.1, "lat": 32.1, "source_type": "surface_water"}
PERMIT = {
    "permit_no": "D321084S2024-0001",
    "holder_name": "高邮灌区管理处",
    "county_code": 321084,
    "annual_volume_m3": 412000,
    "valid_from": "2024-01-01",
    "valid_to": "2034-12-31",
}


@pytest.fixture(scope="module")
def keys(services: Services) -> dict[str, str]:
    """An API key of each account."""
    with transaction(services.engine, system("test")) as session:
        return {
            name: access.add_key(session, access.find_user(session, name).id, "test")[1]
            for name in ("admin", "gaoyou", "baoying", "viewer")
        }


@pytest.fixture
def send(web: TestClient, keys: dict[str, str]) -> Callable[..., Any]:
    """Pushes a batch as an account; returns the answer."""

    def push(path: str, batch: Any, who: str = "gaoyou", **headers: str) -> Any:
        content = batch if isinstance(batch, bytes) else json.dumps(batch).encode()
        return web.post(
            f"/api/exchange/{path}",
            content=content,
            headers={"X-API-Key": keys[who], "Content-Type": "application/json"} | headers,
        )

    return push


def intake(code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, **INTAKE, **more}


def results(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["result"] for one in answer.json()["results"]]


def count(services: Services, like: str) -> int:
    with transaction(services.engine, system("test")) as session:
        return int(
            session.execute(
                text("select count(*) from shuitu.intakes where code like :l"), {"l": like}
            ).scalar_one()
        )


def test_each_item_is_told_what_became_of_it(send: Callable[..., Any]) -> None:
    batch = [intake("A1"), intake("A2", annual_volume_m3=12000.5), intake("A3", lon=32.1, lat=119.1)]
    first = send("intakes", batch)
    assert results(first) == ["created", "created", "rejected"]
    assert first.json()["results"][2]["problems"][0]["field"] in ("lat", "lon,lat")
    again = send("intakes", [intake("A1"), intake("A2", annual_volume_m3=13000), intake("A3")])
    assert results(again) == ["unchanged", "updated", "created"]
    updated = again.json()["results"][1]
    assert (updated["key"], updated["version"]) == ({"code_scheme": "register", "code": "A2"}, 2)
    assert again.json() | {"results": [], "batch": ""} == {
        "batch": "", "received": 3, "created": 1, "updated": 1, "unchanged": 1, "rejected": 0, "results": [],
    }  # fmt: skip


def test_what_cannot_be_is_rejected_with_field_reason_and_what_was_expected(send: Callable[..., Any]) -> None:
    wrong = [
        ("unknown_field", "colour", intake("B1", colour="red")),
        ("unknown_code", "source_type", intake("B2", source_type="moon")),
        ("impossible_date", "started_on", intake("B3", started_on="2024-02-30")),
        ("outside_jurisdiction", "county_code", intake("B4", county_code=321023, lon=119.3)),
        ("missing", "name", intake("B5", name=None)),
        ("bad_value", "name", intake("B6", name={"a": 1})),
        ("bad_value", "name", intake("B7", name="a\0b")),
        ("not_an_object", "", "B8"),
        ("duplicate", "", intake("B9", name="another")),
        ("bad_value", "attributes", intake("B10", attributes=[1])),
    ]
    answer = send("intakes", [intake("B9"), *(item for *_, item in wrong)])
    assert results(answer) == ["created"] + ["rejected"] * len(wrong)
    told = [
        {(problem["reason"], problem["field"]) for problem in one["problems"]}
        for one in answer.json()["results"][1:]
    ]
    for (reason, field, _), found in zip(wrong, told, strict=True):
        assert (reason, field) in found
    assert (
        "地表水" in answer.text or "surface_water" in answer.json()["results"][2]["problems"][0]["expected"]
    )


def test_lines_of_json_say_the_same_as_an_array(send: Callable[..., Any]) -> None:
    lines = "\n".join(json.dumps(intake(f"C{i}")) for i in range(3)).encode() + b"\n\n"
    answer = send("intakes", lines, **{"Content-Type": "application/x-ndjson"})
    assert results(answer) == ["created"] * 3


@pytest.mark.parametrize(
    "cut", [b'[{"code": "D1", "name"', b'{"code": "D1"}', b"", b"[]", b"\xff\xfe", b"[1"]
)
def test_half_a_batch_leaves_nothing(send: Callable[..., Any], services: Services, cut: bytes) -> None:
    answer = send("intakes", cut)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert count(services, "D%") == 0


def test_a_cut_line_takes_the_whole_batch_with_it(send: Callable[..., Any], services: Services) -> None:
    lines = json.dumps(intake("E1")).encode() + b"\n" + json.dumps(intake("E2")).encode()[:-9]
    answer = send("intakes", lines, **{"Content-Type": "application/x-ndjson"})
    assert (answer.status_code, answer.json()["line"]) == (400, 2)
    assert count(services, "E%") == 0


def test_a_body_shorter_than_it_says_leaves_nothing(send: Callable[..., Any], services: Services) -> None:
    whole = json.dumps([intake("F1")]).encode()
    answer = send("intakes", whole, **{"Content-Length": str(len(whole) + 10)})
    assert answer.status_code == 400
    assert count(services, "F%") == 0


def test_the_same_key_is_done_once_and_answered_alike(send: Callable[..., Any], services: Services) -> None:
    first = send("intakes", [intake("G1")], **{"Idempotency-Key": "batch-1"})
    again = send("intakes", [intake("G1")], **{"Idempotency-Key": "batch-1"})
    assert first.content == again.content
    assert results(again) == ["created"]
    assert again.headers["idempotency-replayed"] == "true"
    other = send("intakes", [intake("G2")], **{"Idempotency-Key": "batch-1"})
    assert other.status_code == 409
    assert count(services, "G%") == 1
    # Another account's key is another key.
    theirs = send(
        "intakes", [intake("G3", county_code=321023, lon=119.3)], "baoying", **{"Idempotency-Key": "batch-1"}
    )
    assert results(theirs) == ["created"]


def test_a_request_that_failed_may_be_sent_again_with_its_key(send: Callable[..., Any]) -> None:
    key = {"Idempotency-Key": "batch-2"}
    assert send("intakes", b"[{", **key).status_code == 400
    assert results(send("intakes", [intake("H1")], **key)) == ["created"]


def test_who_may_not_push_is_told_so(web: TestClient, send: Callable[..., Any]) -> None:
    assert send("intakes", [intake("I1")], "viewer").status_code == 403
    assert web.post("/api/exchange/intakes", json=[intake("I1")]).status_code == 401
    assert web.get("/api/exchange/changes").status_code == 401


def test_too_much_is_refused_before_it_is_read(
    send: Callable[..., Any], services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = send("intakes", [intake("J")] * (services.settings.exchange_items + 1))
    assert (answer.status_code, answer.json()["value"]) == (400, services.settings.exchange_items + 1)
    large = b"[" + b" " * (services.settings.exchange_limit_mb * 2**20) + b"]"
    assert send("intakes", large).status_code == 413
    assert send("intakes", b"x", **{"Content-Type": "text/csv"}).status_code == 415
    assert send("intakes", b"x", **{"Content-Encoding": "gzip"}).status_code == 415


def test_permits_come_with_their_limits_and_links(send: Callable[..., Any], pull: Callable[..., Any]) -> None:
    assert results(send("intakes", [intake("K1")])) == ["created"]
    limits = [
        {"period": "05-01/09-30", "annual_m3": 330000, "daily_m3": 4000},
        {"period": "10-01/04-30", "annual_m3": 82000},
    ]
    answer = send("permits", [{**PERMIT, "limits": limits, "intake_codes": ["K1"]}])
    assert results(answer) == ["created"]
    told = everything(pull)
    permit = told["permits", answer.json()["results"][0]["id"]]
    assert [(one["period"], one["annual_m3"]) for one in permit["limits"]] == [
        ("", 412000), ("05-01/09-30", 330000), ("10-01/04-30", 82000),
    ]  # fmt: skip
    assert permit["annual_volume_m3"] == 412000
    assert [link["code"] for link in permit["intakes"]] == ["K1"]
    linked = next(one for (layer, _), one in told.items() if layer == "intakes" and one["code"] == "K1")
    assert (linked["permit_state"], linked["permits"][0]["permit_no"]) == ("linked", PERMIT["permit_no"])


def test_a_permit_with_one_wrong_limit_is_rejected_whole(send: Callable[..., Any]) -> None:
    wrong = {
        **PERMIT,
        "permit_no": "D321084S2024-0009",
        "limits": [{"annual_m3": 10}, {"period": "x", "annual_m3": -1}],
    }
    answer = send("permits", [wrong])
    assert results(answer) == ["rejected"]
    assert [(p["field"], p["reason"]) for p in answer.json()["results"][0]["problems"]] == [
        ("annual_volume_m3", "negative")
    ]


def test_what_a_permit_lists_comes_by_its_number_or_name(
    send: Callable[..., Any], pull: Callable[..., Any]
) -> None:
    number = "D321084S2024-0011"
    permit = send("permits", [{**PERMIT, "permit_no": number}]).json()["results"][0]["id"]
    cursor = list(pages(pull, limit=1000))[-1]["next"]
    one = {"permit_no": number, "seq": 1, "name": "一号井", "lon": 119.1, "lat": 32.1, "annual_m3": 12000}
    two = {"permit_no": number, "name": "二号井"}
    nowhere = {"permit_no": "D321084S2024-9999", "seq": 1, "name": "x"}
    answer = send("permit-points", [one, two, nowhere, two | {"place": "twice"}, one | {"seq": 2}])
    assert results(answer) == ["created", "created", "rejected", "rejected", "created"]
    assert answer.json()["results"][2]["problems"][0]["reason"] == "permit_not_found"
    again = send("permit-points", [one, two | {"place": "河东"}])
    assert results(again) == ["unchanged", "updated"]
    told = [item for page in pages(pull, cursor) for item in page["items"]]
    assert {item["id"] for item in told} == {permit}
    points = {point["name"]: point for point in told[-1]["permit"]["points"]}
    assert (points["一号井"]["annual_m3"], points["二号井"]["place"]) == (12000, "河东")


def test_a_renewal_under_another_number_is_an_update(send: Callable[..., Any]) -> None:
    first = {**PERMIT, "permit_no": "D321084S2020-0021", "valid_from": "2020-01-01", "valid_to": "2027-12-31"}
    assert results(send("permits", [first])) == ["created"]
    renewed = first | {
        "permit_no": "D321084S2027-0021", "previous_number": "D321084S2020-0021", "event": "renew", "valid_to": "2032-12-31",
    }  # fmt: skip
    answer = send("permits", [renewed])
    assert results(answer) == ["updated"], answer.text


def test_what_the_rules_of_a_permits_life_forbid_is_rejected(send: Callable[..., Any]) -> None:
    ended = {
        **PERMIT,
        "permit_no": "D321084S2024-0031",
        "status": "cancelled",
        "event": "cancel",
        "ground": "dissolved",
    }
    assert results(send("permits", [{**PERMIT, "permit_no": "D321084S2024-0031"}])) == ["created"]
    first = send("permits", [ended])
    changed = send("permits", [ended | {"event": "vary", "status": "valid", "annual_volume_m3": 1000}])
    assert results(changed) == ["rejected"], (first.text, changed.text)
    assert changed.json()["results"][0]["problems"][0]["detail"]


def test_an_intake_is_ended_and_told_so(send: Callable[..., Any], pull: Callable[..., Any]) -> None:
    send("intakes", [intake("X1", status="in_use")])
    assert results(send("intakes", [intake("X1", status="停用")])) == ["updated"]
    (found,) = [one for one in everything(pull, limit=1000).values() if one.get("code") == "X1"]
    assert found["status"] == "ended"
    assert results(send("intakes", [found])) == ["unchanged"]


def test_a_link_is_told_though_intake_and_permit_are_as_they_were(
    send: Callable[..., Any], pull: Callable[..., Any], services: Services
) -> None:
    (made,) = send("intakes", [intake("Y1", permit_nos=[PERMIT["permit_no"]])]).json()["results"]
    cursor = list(pages(pull, limit=1000))[-1]["next"]
    with transaction(services.engine, system("test")) as session:
        ended = text("update shuitu.permit_intakes set valid_to = current_date where intake_id = :id")
        session.execute(ended, {"id": made["id"]})
        changes.record(session, "test", "intakes", "link", 321084)
    told = [item for page in pages(pull, cursor) for item in page["items"]]
    assert [item["id"] for item in told] == [made["id"]]
    assert told[0]["intake"]["permits"][0]["valid_to"] is not None


@pytest.mark.parametrize("layer", ["intakes", "permits"])
def test_what_was_pulled_can_be_pushed_and_changes_nothing(
    send: Callable[..., Any], pull: Callable[..., Any], layer: str
) -> None:
    send(
        "intakes", [intake("L1", annual_volume_m3=1234.5, started_on="2020-05-01", attributes={"泵": "3台"})]
    )
    send("permits", [{**PERMIT, "permit_no": "D321084S2024-0002", "intake_codes": ["L1"]}])
    told = [one for (of, _), one in everything(pull).items() if of == layer]
    assert told
    assert set(results(send(layer, told))) == {"unchanged"}


# ── following ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def pull(web: TestClient, keys: dict[str, str]) -> Callable[..., Any]:
    """One page as an account."""

    def read(who: str = "gaoyou", **query: Any) -> Any:
        answer = web.get("/api/exchange/changes", params=query, headers={"X-API-Key": keys[who]})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return read


def pages(pull: Callable[..., Any], cursor: str | None = None, **query: Any) -> Iterator[dict[str, Any]]:
    more = True
    while more:
        page = pull(**query, **({"cursor": cursor} if cursor else {}))
        yield page
        cursor, more = page["next"], page["more"]


def everything(pull: Callable[..., Any], **query: Any) -> dict[tuple[str, int], Any]:
    """The entries that a reader has who applies every page."""
    kept: dict[tuple[str, int], Any] = {}
    for page in pages(pull, **query):
        for item in page["items"]:
            kept[item["layer"], item["id"]] = item["intake"] or item["permit"]
    return {key: entity for key, entity in kept.items() if entity}


def test_a_reader_has_what_the_register_has_however_small_the_pages(
    send: Callable[..., Any], pull: Callable[..., Any], services: Services
) -> None:
    send("intakes", [intake(f"M{i}") for i in range(25)])
    small, large = everything(pull, limit=3), everything(pull, limit=1000)
    assert small == large
    codes = {one["code"] for (layer, _), one in large.items() if layer == "intakes"}
    with transaction(services.engine, system("test")) as session:
        assert codes == set(
            session.execute(text("select code from shuitu.intakes where county_code = 321084")).scalars()
        )


def test_each_change_is_told_once_and_in_order(send: Callable[..., Any], pull: Callable[..., Any]) -> None:
    cursor = list(pages(pull, limit=1000))[-1]["next"]
    assert pull(cursor=cursor)["items"] == []
    send("intakes", [intake(f"N{i}") for i in range(7)])
    send("intakes", [intake("N3", name="改名")])
    items = [item for page in pages(pull, cursor, limit=2) for item in page["items"]]
    told = [item["intake"]["code"] for item in items]
    # N3 was changed since by the second batch, which tells it.
    assert told == ["N0", "N1", "N2", "N4", "N5", "N6", "N3"]
    assert items[-1]["intake"]["name"] == "改名"
    assert {item["action"] for item in items} == {"import"}
    assert list(pages(pull, cursor, limit=2))[-1]["more"] is False


def test_a_reader_of_another_county_is_told_nothing(
    send: Callable[..., Any], pull: Callable[..., Any]
) -> None:
    cursor = list(pages(pull, who="baoying", limit=1000))[-1]["next"]
    send("intakes", [intake("O1")])
    assert pull(who="baoying", cursor=cursor)["items"] == []
    assert all(e["county_code"] == 321023 for e in everything(pull, who="baoying", limit=1000).values())


def test_an_entry_that_moves_away_is_gone_for_its_former_county(
    send: Callable[..., Any], pull: Callable[..., Any]
) -> None:
    answer = send("intakes", [intake("P1")])
    cursor = list(pages(pull, limit=1000))[-1]["next"]
    moved = send("intakes", [intake("P1", county_code=321023, lon=119.3)], "admin")
    assert results(moved) == ["updated"]
    items = [item for page in pages(pull, cursor) for item in page["items"]]
    assert [(item["id"], item["gone"], item["intake"]) for item in items] == [
        (answer.json()["results"][0]["id"], True, None)
    ]


def test_nothing_is_missed_that_was_begun_before_and_ends_after_a_reading(
    send: Callable[..., Any], pull: Callable[..., Any], database: Dsns
) -> None:
    """A transaction that is open while others are read is told when it ends, though its number is lower."""
    cursor = list(pages(pull, limit=1000))[-1]["next"]
    with psycopg.connect(database.service) as slow:
        slow.execute(
            "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)"
        )
        (slow_id,) = slow.execute(
            "insert into shuitu.intakes (code, name, county_code, geom) values ('Q1', 'slow', 321084, 'SRID=4490;POINT(119.1 32.1)') returning id"
        ).fetchone() or (0,)
        slow.execute(
            "insert into shuitu.changes (actor_name, layer, action, entity_id, county_code) values ('x', 'intakes', 'create', %s, 321084)",
            (slow_id,),
        )
        send("intakes", [intake("Q2")])
        held = pull(cursor=cursor)
        assert held["items"] == []
    told = [item["intake"]["code"] for page in pages(pull, held["next"]) for item in page["items"]]
    assert told == ["Q1", "Q2"]


def test_who_starts_now_is_told_what_changes_from_now_on(
    send: Callable[..., Any], pull: Callable[..., Any]
) -> None:
    page = pull(start="now")
    assert page["items"] == []
    send("intakes", [intake("R1")])
    assert [item["intake"]["code"] for item in pull(cursor=page["next"])["items"]] == ["R1"]


def test_a_waiting_reader_is_told_as_soon_as_something_changes(
    send: Callable[..., Any], pull: Callable[..., Any]
) -> None:
    cursor = list(pages(pull, limit=1000))[-1]["next"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(pull, cursor=cursor, wait=25)
        time.sleep(0.5)
        send("intakes", [intake("V1")])
        page = waiting.result(20)
    assert [item["intake"]["code"] for item in page["items"]] == ["V1"]
    assert pull(cursor=page["next"], wait=1)["items"] == []


def test_a_waiting_reader_waits_on_after_a_change_that_is_not_its_own(
    send: Callable[..., Any], pull: Callable[..., Any], services: Services
) -> None:
    cursor = list(pages(pull, limit=1000))[-1]["next"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(pull, cursor=cursor, wait=25)
        time.sleep(0.5)
        with transaction(services.engine, system("test")) as session:
            changes.record(session, "x", "candidates", "create", 321023)
        time.sleep(1)
        send("intakes", [intake("V2")])
        assert [item["intake"]["code"] for item in waiting.result(20)["items"]] == ["V2"]


def test_two_batches_with_one_key_at_once_are_done_once(send: Callable[..., Any], services: Services) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(send, "intakes", [intake("W1")], **{"Idempotency-Key": "twins"}) for _ in range(2)
        ]
        answers = [one.result(60) for one in both]
    assert answers[0].content == answers[1].content
    assert sorted("idempotency-replayed" in answer.headers for answer in answers) == [False, True]
    assert count(services, "W1") == 1


@pytest.mark.parametrize("cursor", ["x", "YQ", "cy4xLjEuMQ==", "🙂", "c.1.1.1", "cy4xLjkuMQ"])
def test_what_is_no_cursor_of_ours_is_a_400(web: TestClient, keys: dict[str, str], cursor: str) -> None:
    answer = web.get(
        "/api/exchange/changes", params={"cursor": cursor}, headers={"X-API-Key": keys["gaoyou"]}
    )
    assert (answer.status_code, answer.json()["field"]) == (400, "cursor")


def test_a_batch_is_on_record_among_the_imports(
    send: Callable[..., Any], web: TestClient, keys: dict[str, str]
) -> None:
    answer = send("intakes", [intake("S1"), intake("S2", source_type="moon")])
    batch = answer.json()["batch"]
    record = web.get(f"/api/imports/{batch}", headers={"X-API-Key": keys["gaoyou"]}).json()
    assert (record["state"], record["rows_new"], record["rows_rejected"]) == ("done", 1, 1)
    rejects = web.get(f"/api/imports/{batch}/rejects.csv", headers={"X-API-Key": keys["gaoyou"]})
    assert "moon" in rejects.text and rejects.status_code == 200


def test_the_map_shows_a_pushed_intake_at_once(send: Callable[..., Any], services: Services) -> None:
    answer = send("intakes", [intake("T1")])
    with transaction(services.engine, system("test")) as session:
        assert session.execute(
            text("select count(*) from map.intake_points where id = :id"),
            {"id": answer.json()["results"][0]["id"]},
        ).scalar_one() == 1  # fmt: skip


def test_who_asks_too_often_is_told_when_to_come_again(
    send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.exchange import admission as door

    monkeypatch.setattr(door.pace, "wait_s", lambda account, per_minute: 12.0)
    answer = send("intakes", [intake("U1")])
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "12")
    assert answer.headers["content-type"] == "application/problem+json"
