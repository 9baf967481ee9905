"""OGC API – Features – Part 4 (20-002r1): create/replace/delete, update, features, optimistic locking by ETags."""

from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import psycopg
import pytest
from fastapi.testclient import TestClient

from app.actor import Jurisdiction, Role
from app.db.engine import Dsns
from layers.crs import EPSG
from tests import served
from tests.served import Accounts

ITEMS = "/ogc/collections/intakes/items"
GEOJSON, PATCH = "application/geo+json", "application/merge-patch+json"
PLACE = [119.6, 32.5]
"""In 321084 高邮市."""


@pytest.fixture(scope="module")
def ground(new_database: Callable[[], Dsns]) -> tuple[Dsns, dict[str, str]]:
    """A register of its own, for it is changed; and keys by account."""
    dsns = new_database()
    served.fill(dsns)
    return dsns, served.keys_of(
        dsns,
        ("nation", Role.ADMIN, Jurisdiction.nation()),
        ("gaoyou", Role.OFFICER, Jurisdiction.of_region("321084")),
        ("yangzhou", Role.OFFICER, Jurisdiction.of_region("3210")),
        ("viewer", Role.VIEWER, Jurisdiction.nation()),
        ("analyst", Role.ANALYST, Jurisdiction.nation()),
    )


@pytest.fixture(scope="module")
def web(
    ground: tuple[Dsns, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    with served.serving(ground[0], tmp_path_factory.mktemp("edited")) as client:
        yield client


Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask(web: TestClient, ground: tuple[Dsns, dict[str, str]]) -> Ask:
    """Any method as any account (the officer of 高邮市 by default)."""

    def send(
        method: str,
        path: str = "",
        body: Any = None,
        who: str | None = "gaoyou",
        media: str | None = None,
        **headers: str,
    ) -> Any:
        key = {"X-API-Key": ground[1][who]} if who else {}
        kind = (
            {"Content-Type": media or (PATCH if method == "PATCH" else GEOJSON)} if body is not None else {}
        )
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = {"json": body} if body is not None else {}
        return web.request(method, f"{ITEMS}{path}", headers={**key, **kind, **named}, **content)

    return send


def rows(ground: tuple[Dsns, dict[str, str]], statement: str, *values: object) -> list[Any]:
    with psycopg.connect(ground[0].admin or "") as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


numbers = iter(range(1, 10_000))


def feature(**properties: object) -> dict[str, Any]:
    properties = {
        "code": f"NEW-{next(numbers):04}",
        "name": "新取水口",
        "source_type": "groundwater",
        **properties,
    }
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": PLACE}, "properties": properties}


def made(ask: Ask, **properties: object) -> tuple[str, str]:
    """Path and ETag of a new intake."""
    answer = ask("POST", "", feature(**properties))
    assert answer.status_code == 201, answer.text
    path = f"/{answer.json()['id']}"
    return path, ask("GET", path).headers["etag"]


# ── create, replace, delete ─────────────────────────────────────────────────────────────────────────


def test_create_replace_delete_methods_and_options_response_by_role(ask: Ask, web: TestClient) -> None:
    reading, item_writing = {"GET", "HEAD", "OPTIONS"}, {"PUT", "PATCH", "DELETE"}

    def allowed(path: str, who: str | None, root: str = ITEMS) -> set[str]:
        answer = ask("OPTIONS", path, who=who)
        assert answer.status_code == 200
        return {name.strip() for name in answer.headers["allow"].split(",")}

    for who in ("gaoyou", "nation"):
        assert allowed("", who) == reading | {"POST"}
        assert allowed("/1", who) == reading | item_writing
    for who in ("viewer", "analyst", None):
        assert allowed("", who) == allowed("/1", who) == reading
    others = web.options("/ogc/collections/permits/items")
    assert {name.strip() for name in others.headers["allow"].split(",")} == reading


def test_create_replace_delete_post_op_post_response_and_rid(ask: Ask, ground: Any) -> None:
    body = feature(holder_name="高邮灌区管理处", annual_volume_m3=12_000, off_stream=False) | {"id": 1}
    answer = ask("POST", "", body)
    assert answer.status_code == 201
    found = answer.json()
    assert found["id"] != 1
    assert answer.headers["location"] == f"http://map.test{ITEMS}/{found['id']}"
    again = ask("GET", f"/{found['id']}")
    assert again.json()["properties"] == found["properties"]
    assert again.headers["etag"] == answer.headers["etag"]
    assert found["geometry"]["coordinates"] == PLACE
    assert found["properties"] | body["properties"] == found["properties"]
    assert (found["properties"]["county_code"], found["properties"]["permit_state"]) == (321084, "pending")
    change = rows(
        ground,
        "select actor_name, layer, action, county_code, st_xmin(box), st_ymax(box) from shuitu.changes where entity_id = %s",
        found["id"],
    )
    assert change == [("gaoyou", "intakes", "create", 321084, 119.6, 32.5)]
    assert rows(
        ground, "select name from shuitu.holders where name = '高邮灌区管理处' and county_code = 321084"
    )


def test_create_the_map_shows_it_in_the_same_transaction(ask: Ask, ground: Any) -> None:
    path, _ = made(ask)
    assert rows(ground, "select county_code from map.intake_points where id = %s", int(path[1:])) == [
        (321084,)
    ]
    assert ask("GET", path, who=None).status_code == 200


@pytest.mark.parametrize("media", ["text/plain", "application/xml", PATCH])
def test_create_replace_delete_post_content_type_others_are_a_415(ask: Ask, media: str) -> None:
    answer = ask("POST", "", feature(), media=media)
    assert answer.status_code == 415
    assert answer.headers["content-type"] == "application/problem+json"


BAD = [
    {"type": "Point"}, [], {"type": "Feature"}, {"type": "Feature", "geometry": None, "properties": {"code": "x", "name": "x"}},
    {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": []}},
]  # fmt: skip


@pytest.mark.parametrize("body", BAD)
def test_create_replace_delete_post_body_what_is_no_feature_is_a_400(ask: Ask, body: Any) -> None:
    assert ask("POST", "", body).status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": None}, {"code": ""}, {"code": None}, {"nothing": 1}, {"source_type": "wine"}, {"annual_volume_m3": "much"},
        {"annual_volume_m3": -1}, {"annual_volume_m3": 1e12}, {"county_code": 1.5}, {"county_code": 999999}, {"off_stream": "yes"},
        {"name": 5}, {"name": "x" * 5000}, {"name": "a\x00b"}, {"county_code": True},
    ],
)  # fmt: skip
def test_create_a_rule_broken_is_a_400_that_says_which(ask: Ask, wrong: dict[str, Any]) -> None:
    answer = ask("POST", "", feature(**wrong))
    assert answer.status_code in (400, 403), answer.text
    assert next(iter(wrong)) in answer.text


@pytest.mark.parametrize(
    "place", [[32.5, 119.6], [200, 32], [119.6], [119.6, "x"], [119.6, 32.5, 1, 2], [100.0, 60.0]]
)
def test_create_a_place_that_cannot_be_is_a_400(ask: Ask, place: list[Any]) -> None:
    body = feature(county_code=321084)
    body["geometry"]["coordinates"] = place
    assert ask("POST", "", body).status_code == 400


def test_create_a_code_that_is_taken_is_a_409_even_where_it_cannot_be_seen(ask: Ask) -> None:
    for code in ("QSK-0290", "QSK-0001"):
        assert ask("POST", "", feature(code=code)).status_code == 409


def test_create_outside_the_jurisdiction_is_a_403_and_without_rights_a_401_or_403(
    ask: Ask, web: TestClient
) -> None:
    elsewhere = feature()
    elsewhere["geometry"]["coordinates"] = [119.2, 32.5]  # 321002
    assert ask("POST", "", elsewhere).status_code == 403
    assert ask("POST", "", elsewhere, who="yangzhou").status_code == 201
    for who, status in (("viewer", 403), ("analyst", 403), (None, 401)):
        assert ask("POST", "", feature(), who=who).status_code == status
        for method in ("PUT", "PATCH", "DELETE"):
            assert (
                ask(method, "/300", None if method == "DELETE" else feature(), who=who).status_code == status
            )


def test_other_layers_are_not_edited_here(ask: Ask, web: TestClient, ground: Any) -> None:
    for path in ("permits/items", "regions/items/1"):
        method = "POST" if path.endswith("items") else "DELETE"
        answer = web.request(method, f"/ogc/collections/{path}", headers={"X-API-Key": ground[1]["nation"]})
        assert answer.status_code == 405
        assert {"GET", "HEAD", "OPTIONS"} == {name.strip() for name in answer.headers["allow"].split(",")}


def test_create_replace_delete_put_op_put_response_and_put_rid(ask: Ask, ground: Any) -> None:
    path, tag = made(ask, water_body="三阳河", annual_volume_m3=5000)
    before = ask("GET", path).json()
    body = {
        **before,
        "id": 7,
        "properties": {**before["properties"], "name": "改名", "annual_volume_m3": None},
    }
    answer = ask("PUT", path, body, If_Match=tag)
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert after["id"] == before["id"]
    assert (after["properties"]["name"], after["properties"]["annual_volume_m3"]) == ("改名", None)
    assert after["properties"]["water_body"] == "三阳河"
    assert answer.headers["etag"] == ask("GET", path).headers["etag"] != tag
    history = rows(
        ground,
        "select version, name, annual_volume_m3 from shuitu.intake_history where id = %s",
        before["id"],
    )
    assert history == [(1, "新取水口", 5000)]
    short = {
        "type": "Feature",
        "geometry": before["geometry"],
        "properties": {"code": before["properties"]["code"], "name": "短"},
    }
    replaced = ask("PUT", path, short, If_Match="*").json()["properties"]
    assert (replaced["water_body"], replaced["source_type"]) == ("", "unknown")


def test_create_replace_delete_put_rid_exception(ask: Ask) -> None:
    assert ask("PUT", "/999999", feature()).status_code == 404
    assert ask("PUT", "/999999", feature(), If_Match="*").status_code == 412
    assert ask("PUT", "/x", feature()).status_code == 404
    assert ask("PUT", "/1", feature()).status_code == 404  # in another county


def test_create_replace_delete_put_content_type_and_put_body(ask: Ask) -> None:
    path, tag = made(ask)
    assert ask("PUT", path, feature(), media="text/csv", If_Match=tag).status_code == 415
    assert ask("PUT", path, {"type": "Feature"}, If_Match=tag).status_code == 400
    assert ask("GET", path).headers["etag"] == tag


def test_create_replace_delete_delete_op_delete_response_and_the_history_stays(ask: Ask, ground: Any) -> None:
    path, _ = made(ask, name="误登")
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", path).status_code == 404
    assert ask("DELETE", path).status_code == 404
    number = int(path[1:])
    assert rows(
        ground, "select name, recorded_until is not null from shuitu.intake_history where id = %s", number
    ) == [("误登", True)]
    actions = rows(
        ground, "select action, actor_name from shuitu.changes where entity_id = %s order by id", number
    )
    assert actions == [("create", "gaoyou"), ("delete", "gaoyou")]
    assert rows(ground, "select 1 from map.intake_points where id = %s", number) == []


def test_delete_what_a_regulator_decided_stays(ask: Ask, ground: Any) -> None:
    linked = ask("DELETE", "/5", who="nation")
    assert linked.status_code == 409
    assert "停用" in linked.json()["detail"]
    path, _ = made(ask)
    rows(
        ground,
        "update shuitu.candidates set nearest_intake_id = %s, state = 'rejected' where code = 'YG-000001' returning id",
        int(path[1:]),
    )
    assert ask("DELETE", path).status_code == 409  # though the finding lies in another county
    ended = ask("PATCH", path, {"status": "ended"}, If_Match="*")
    assert ended.json()["properties"]["status"] == "ended"


# ── update ──────────────────────────────────────────────────────────────────────────────────────────


def test_update_methods_patch_op_patch_body_and_patch_response(ask: Ask) -> None:
    path, tag = made(ask, water_body="三阳河", annual_volume_m3=5000)
    answer = ask("PATCH", path, {"name": "新名", "annual_volume_m3": None}, If_Match=tag)
    assert answer.status_code == 200
    found = answer.json()["properties"]
    assert (found["name"], found["annual_volume_m3"], found["water_body"]) == ("新名", None, "三阳河")


def test_features_update_json_merge_patch(ask: Ask) -> None:
    path, tag = made(ask)
    assert ask("PATCH", path, {"id": 5}, If_Match=tag).status_code == 400
    assert ask("PATCH", path, {"properties": {"id": 5}}, If_Match=tag).status_code == 400
    moved = ask("PATCH", path, {"geometry": {"type": "Point", "coordinates": [119.7, 32.6]}}, If_Match=tag)
    assert moved.json()["geometry"]["coordinates"] == [119.7, 32.6]
    nested = ask("PATCH", path, {"type": "Feature", "properties": {"place": "闸口"}}, If_Match="*")
    assert nested.json()["properties"]["place"] == "闸口"
    assert ask("PATCH", path, {"place": None}, If_Match="*").json()["properties"]["place"] == ""
    assert ask("PATCH", path, {"nothing": 1}, If_Match="*").status_code == 400
    assert ask("PATCH", path, {"name": None}, If_Match="*").status_code == 400
    assert ask("PATCH", path, {"geometry": None}, If_Match="*").status_code == 400
    assert ask("PATCH", path, {"place": "x"}, media="application/json", If_Match="*").status_code == 415


def test_update_a_move_to_another_county_needs_both_jurisdictions_and_is_told_to_both(
    ask: Ask, ground: Any
) -> None:
    path, _ = made(ask)
    move = {"county_code": 321002, "geometry": {"type": "Point", "coordinates": [119.2, 32.5]}}
    assert ask("PATCH", path, move, If_Match="*").status_code == 403
    assert ask("PATCH", path, move, who="yangzhou", If_Match="*").status_code == 200
    assert ask("PATCH", path, {"name": "x"}, If_Match="*").status_code == 412  # it left the county
    told = rows(
        ground,
        "select county_code from shuitu.changes where entity_id = %s and action = 'update' order by county_code",
        int(path[1:]),
    )
    assert told == [(321002,), (321084,)]


def test_update_that_changes_nothing_makes_no_version(ask: Ask, ground: Any) -> None:
    path, tag = made(ask)
    body = ask("GET", path).json()
    assert ask("PUT", path, body, If_Match=tag).headers["etag"] == tag
    assert rows(ground, "select version from shuitu.intakes where id = %s", int(path[1:])) == [(1,)]


# ── features ────────────────────────────────────────────────────────────────────────────────────────


def test_features_schema_and_representation_geojson_replace(ask: Ask, web: TestClient, ground: Any) -> None:
    for kind in ("create", "replace"):
        answer = web.get(
            "/ogc/collections/intakes/schema",
            params={"type": kind},
            headers={"Accept": "application/schema+json"},
        )
        assert answer.headers["content-type"] == "application/schema+json"
        validator = jsonschema.Draft202012Validator(answer.json())
        validator.validate(ask("GET", "/290").json())
        assert not validator.is_valid({"type": "Feature", "geometry": None, "properties": {}})
    assert web.get("/ogc/collections/intakes/schema?type=x").status_code == 400
    assert web.get("/ogc/collections/regions/schema?type=replace").status_code == 404


@pytest.mark.parametrize("uri", [f"{EPSG}4490", f"{EPSG}4326", f"{EPSG}4549", f"{EPSG}3857"])
def test_features_content_crs_header_and_crs_other_crs(ask: Ask, web: TestClient, uri: str) -> None:
    path, _ = made(ask)
    there = web.get(
        f"{ITEMS}/290", params={"crs": uri}, headers={"X-API-Key": ask("GET").request.headers["x-api-key"]}
    ).json()
    answer = ask("PATCH", path, {"geometry": there["geometry"]}, If_Match="*", Content_Crs=f"<{uri}>")
    assert answer.status_code == 200, answer.text
    expected = ask("GET", "/290").json()["geometry"]["coordinates"]
    assert answer.json()["geometry"]["coordinates"] == pytest.approx(expected, abs=2e-7)


def test_features_crs_other_crs_that_is_not_listed_is_a_400_and_the_default_is_crs84(ask: Ask) -> None:
    for value in ("<urn:x>", f"{EPSG}4490", f"<{EPSG}27700>", ""):
        assert ask("POST", "", feature(), Content_Crs=value).status_code == 400
    assert ask("POST", "", feature()).json()["geometry"]["coordinates"] == PLACE


# ── optimistic locking ──────────────────────────────────────────────────────────────────────────────


def test_optimistic_locking_etags_get_put_and_patch_answer_with_the_tag(ask: Ask) -> None:
    path, tag = made(ask)
    for method, body in (("PATCH", {"name": "一"}), ("PUT", feature())):
        answer = ask(method, path, body, If_Match=tag)
        assert answer.status_code == 200
        fresh = ask("GET", path).headers["etag"]
        assert answer.headers["etag"] == fresh != tag
        tag = fresh


def test_optimistic_locking_etags_ifmatch_put_eval_and_patch_eval(ask: Ask, ground: Any) -> None:
    path, tag = made(ask)
    assert ask("PATCH", path, {"name": "先"}, If_Match=tag).status_code == 200
    for method, body in (("PUT", feature()), ("PATCH", {"name": "后"}), ("DELETE", None)):
        for stale in (tag, '"x"', f"W/{ask('GET', path).headers['etag']}", "x", ""):
            answer = ask(method, path, body, If_Match=stale)
            assert answer.status_code == 412
            assert answer.json()["type"] == "/problems/precondition-failed"
    assert ask("GET", path).json()["properties"]["name"] == "先"
    several = f'"other", {ask("GET", path).headers["etag"]}'
    assert ask("PATCH", path, {"name": "三"}, If_Match=several).status_code == 200


def test_optimistic_locking_etags_ifmatch_put_op_and_patch_op_without_it_a_428(ask: Ask) -> None:
    path, _ = made(ask)
    for method, body in (("PUT", feature()), ("PATCH", {"name": "x"})):
        answer = ask(method, path, body)
        assert answer.status_code == 428
        assert answer.json()["type"] == "/problems/precondition-required"


def test_optimistic_locking_etags_the_tag_of_any_representation_names_the_state(
    ask: Ask, web: TestClient, ground: Any
) -> None:
    path, _ = made(ask)
    headers = {"X-API-Key": ground[1]["gaoyou"]}
    for asked in ({"f": "jsonfg"}, {"f": "html"}, {"crs": f"{EPSG}4490"}, {"properties": "name"}):
        for coding in ("gzip", "identity"):
            tag = web.get(
                f"{ITEMS}{path}", params=asked, headers={**headers, "Accept-Encoding": coding}
            ).headers["etag"]
            assert ask("PATCH", path, {"place": f"{asked}{coding}"}, If_Match=tag).status_code == 200


def test_a_write_that_another_site_sends_is_refused(web: TestClient) -> None:
    answer = web.post("/api/session", json={"username": "gaoyou", "password": "a good long pass"})
    assert answer.status_code == 200
    try:
        foreign = web.post(
            ITEMS, json=feature(), headers={"Content-Type": GEOJSON, "Sec-Fetch-Site": "cross-site"}
        )
        assert foreign.status_code == 403
    finally:
        web.cookies.clear()


def test_a_commit_that_fails_is_an_error_and_leaves_nothing(ask: Ask, ground: Any) -> None:
    rows(
        ground,
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$",
    )
    rows(
        ground,
        "create constraint trigger late after insert on shuitu.intakes deferrable initially deferred "
        "for each row when (new.name = '提交失败') execute function refuse()",
    )
    answer = ask("POST", "", feature(name="提交失败"))
    assert answer.status_code == 500
    assert rows(ground, "select 1 from shuitu.intakes where name = '提交失败'") == []


def test_options_and_415_say_what_may_be_sent(client: TestClient, keys: Accounts) -> None:
    """RFC 5789, 2.2 and 3.1: Accept-Patch; the same for POST."""
    own = {"X-API-Key": keys.nation}
    many, one = "/ogc/collections/intakes/items", "/ogc/collections/intakes/items/1"
    assert client.options(one, headers=own).headers["accept-patch"] == "application/merge-patch+json"
    assert "application/geo+json" in client.options(many, headers=own).headers["accept-post"]
    for path in (many, one):
        public = client.options(path).headers
        assert not {"accept-patch", "accept-post"} & public.keys()
    assert "accept-patch" not in client.options("/ogc/collections/permits/items/1", headers=own).headers
    wrong = {**own, "Content-Type": "application/json-patch+json", "If-Match": "*"}
    answer = client.patch(one, content="[]", headers=wrong)
    assert (answer.status_code, answer.headers["accept-patch"]) == (415, "application/merge-patch+json")
    answer = client.post(many, content="<a/>", headers={**own, "Content-Type": "application/gml+xml"})
    assert answer.status_code == 415
    assert "application/geo+json" in answer.headers["accept-post"]
