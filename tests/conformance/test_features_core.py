"""OGC API – Features – Part 1: Core (17-069r4), requirements class Core: one test a requirement."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import wiring
from app.ogc.part import classes
from layers import catalog
from tests.served import INTAKES, Accounts, place_of, rels
from tiles.overview import CELL_DEPTH

Get = Callable[..., Any]
Status = Callable[..., int]
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
LAYERS = list(catalog.load())


def all_pages(get: Get, path: str, **parameters: object) -> list[dict[str, Any]]:
    """Every feature, by following `next`."""
    body = get(path, **parameters)
    features, seen = list(body["features"]), set()
    while following := rels(body).get("next"):
        href = following[0]["href"].removeprefix("http://map.test/ogc")
        assert href not in seen, "a next link leads back"
        seen.add(href)
        body = get(href)
        features += body["features"]
    return features


# ── landing page, API definition, conformance ──────────────────────────────────────────────────


def test_core_root_op_the_landing_page_answers_with_and_without_a_slash(status: Status) -> None:
    assert (status(""), status("/")) == (200, 200)


def test_core_root_success_the_landing_page_links_definition_conformance_and_data(get: Get) -> None:
    found = rels(get(""))
    assert {"service-desc", "service-doc", "conformance", "data"} <= found.keys()
    assert found["service-desc"][0]["type"] == "application/vnd.oai.openapi+json;version=3.0"


def test_core_api_definition_op_each_link_to_a_definition_answers(client: TestClient, get: Get) -> None:
    for rel in ("service-desc", "service-doc"):
        link = rels(get(""))[rel][0]
        answer = client.get(link["href"])
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(link["type"])


def test_core_api_definition_success_the_definition_describes_the_collections_seen(get: Get) -> None:
    assert {f"/collections/{layer}/items" for layer in LAYERS} <= get("/api")["paths"].keys()


def test_core_conformance_op_and_success_the_classes_are_listed(get: Get) -> None:
    assert get("/conformance")["conformsTo"] == classes(wiring.OGC)
    part_1 = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/"
    assert {f"{part_1}{name}" for name in ("core", "geojson", "html", "oas30")} <= set(classes(wiring.OGC))


def test_core_http_head_answers_as_get_without_a_body_and_other_methods_are_refused(
    client: TestClient,
) -> None:
    for path in (
        "",
        "/conformance",
        "/api",
        "/collections",
        "/collections/intakes",
        "/collections/intakes/items",
    ):
        got, head = client.get(f"/ogc{path}"), client.head(f"/ogc{path}")
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-type", "content-length", "etag", "link"):
            assert head.headers[name] == got.headers[name]
    refused = client.post("/ogc/collections")
    assert refused.status_code == 405
    assert {"GET", "HEAD"} <= {name.strip() for name in refused.headers["allow"].split(",")}


@pytest.mark.parametrize(
    "path", ["", "/conformance", "/api", "/collections", "/collections/intakes", "/collections/intakes/items",
             "/collections/intakes/items/1", "/collections/intakes/queryables", "/collections/intakes/schema"]
)  # fmt: skip
def test_core_query_param_unknown_is_a_400(status: Status, path: str) -> None:
    assert status(path, nonsense="1") == 400
    assert status(path, Limit="1") == 400


BAD = [
    ("limit", "0"), ("limit", "-1"), ("limit", "abc"), ("limit", "1.5"), ("limit", ""), ("limit", "１"),
    ("bbox", "1,2,3"), ("bbox", "1,2,3,4,5"), ("bbox", "a,b,c,d"), ("bbox", "1,2,NaN,4"), ("bbox", "1,2,inf,4"),
    ("bbox", "0,10,10,0"), ("bbox", "0,0,5,10,10,1"), ("bbox", ""), ("bbox", "1,,2,3,4"), ("bbox", "1,2,1_0,4"),
    ("datetime", "2020"), ("datetime", "yesterday"), ("datetime", "2026-13-01T00:00:00Z"), ("datetime", ""),
    ("datetime", "2026-06-01T00:00:00Z/2026-05-01T00:00:00Z"), ("datetime", "../.."), ("datetime", "/"),
    ("datetime", "2026-06-01T00:00:00"), ("datetime", "2026-06-01T00:00:00Z/2026-06-02T00:00:00Z/2026-06-03T00:00:00Z"),
    ("offset", "-1"), ("offset", "100000000000000000000"), ("after", "x"), ("after", "99999999999999999999"),
    ("county_code", "32x"), ("annual_volume_m3", "much"), ("source_type", "wine"), ("name", "a\x00b"), ("f", "xml"),
    ("crs", "http://www.opengis.net/def/crs/EPSG/0/27700"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD)
def test_core_query_param_invalid_is_a_400(status: Status, name: str, value: str) -> None:
    assert status("/collections/intakes/items", **{name: value}) == 400


def test_core_query_param_invalid_a_parameter_given_twice_is_a_400(status: Status) -> None:
    assert status("/collections/intakes/items?limit=1&limit=2") == 400


def test_core_crs84_longitude_comes_first_and_the_known_point_lies_where_it_was_put(get: Get) -> None:
    feature = get("/collections/intakes/items", code="QSK-0007")["features"][0]
    _, lon, lat = place_of(7)
    assert feature["geometry"]["coordinates"] == pytest.approx([lon, lat], abs=5e-8)
    assert "crs" not in feature["geometry"]


# ── collections ─────────────────────────────────────────────────────────────────────────────────


def test_core_fc_md_op_and_success_every_layer_is_a_collection(get: Get) -> None:
    assert {one["id"] for one in get("/collections")["collections"]} == set(LAYERS)


def test_core_fc_md_links_self_and_alternate_stand_with_their_types(get: Get) -> None:
    found = rels(get("/collections"))
    assert found["self"][0]["type"] == "application/json"
    assert found["alternate"][0]["type"] == "text/html"


def test_core_fc_md_items_the_list_holds_what_each_collection_says_of_itself(get: Get) -> None:
    for one in get("/collections")["collections"]:
        assert one == get(f"/collections/{one['id']}")


def test_core_fc_md_items_links_each_has_items_in_every_format(get: Get) -> None:
    for one in get("/collections")["collections"]:
        assert {link["type"] for link in rels(one)["items"]} == {
            "application/geo+json", "text/html", "text/csv", "application/vnd.ogc.fg+json", "application/flatgeobuf",
            "application/vnd.apache.parquet",
        }  # fmt: skip
        assert all(link["rel"] and link["type"] for link in one["links"])
        assert one["itemType"] == "feature"


def test_core_fc_md_extent_the_extent_holds_every_feature(get: Get) -> None:
    for one in get("/collections")["collections"]:
        features = get(f"/collections/{one['id']}/items", limit=10_000)["features"]
        if not features:
            assert "extent" not in one
            continue
        spatial = one["extent"]["spatial"]
        assert spatial["crs"] == CRS84
        ((west, south, east, north),) = spatial["bbox"]
        for lon, lat in positions(features):
            assert west <= lon <= east
            assert south <= lat <= north
    times = get("/collections/scenes")["extent"]["temporal"]["interval"]
    assert times == [["2026-05-01T02:30:00Z", "2026-07-01T02:30:00Z"]]


def positions(features: list[dict[str, Any]]) -> list[tuple[float, float]]:
    def walk(coordinates: Any) -> Any:
        if isinstance(coordinates[0], int | float):
            yield tuple(coordinates)
        else:
            for part in coordinates:
                yield from walk(part)

    return [place for feature in features for place in walk(feature["geometry"]["coordinates"])]


def test_core_fc_md_extent_of_points_is_no_wider_than_an_overview_cell(get: Get) -> None:
    ((west, south, east, north),) = get("/collections/intakes")["extent"]["spatial"]["bbox"]
    places = [place_of(i)[1:] for i in range(1, INTAKES + 1)]
    cell = 360 / 2 ** (9 + CELL_DEPTH)
    assert min(lon for lon, _ in places) - west <= cell
    assert east - max(lon for lon, _ in places) <= cell
    assert min(lat for _, lat in places) - south <= cell
    assert north - max(lat for _, lat in places) <= cell


def test_core_sfc_md_op_and_success_one_collection_answers_and_an_unknown_one_is_a_404(
    get: Get, status: Status
) -> None:
    for layer in LAYERS:
        assert get(f"/collections/{layer}")["id"] == layer
    assert status("/collections/nothing") == 404
    assert status("/collections/nothing/items") == 404


# ── items ───────────────────────────────────────────────────────────────────────────────────────


def test_core_fc_op_every_collection_gives_its_items(get: Get) -> None:
    for layer in LAYERS:
        assert get(f"/collections/{layer}/items")["type"] == "FeatureCollection"


def test_core_fc_limit_definition_the_definition_tells_minimum_maximum_and_default(get: Get) -> None:
    limit = get("/api")["components"]["parameters"]["limit"]
    assert (limit["name"], limit["in"], limit["required"]) == ("limit", "query", False)
    assert (limit["style"], limit["explode"]) == ("form", False)
    assert {"type": "integer", "minimum": 1}.items() <= limit["schema"].items()
    assert len(get("/collections/intakes/items")["features"]) == limit["schema"]["default"]


def test_core_fc_limit_response_1_no_more_features_than_asked_for(get: Get) -> None:
    for limit in (1, 7, 319, 320, 321):
        assert len(get("/collections/intakes/items", limit=limit)["features"]) == min(limit, INTAKES)
    assert len(get("/collections/intakes/items", limit=10**15)["features"]) == INTAKES


def test_core_fc_bbox_definition_four_or_six_numbers(get: Get) -> None:
    bbox = get("/api")["components"]["parameters"]["bbox"]
    assert (bbox["style"], bbox["explode"]) == ("form", False)
    assert bbox["schema"]["items"] == {"type": "number"}
    flat = get("/collections/intakes/items", bbox="119,32,119.2,33", limit=1000)
    high = get("/collections/intakes/items", bbox="119,32,-100,119.2,33,8848", limit=1000)
    assert ids(flat) == ids(high)


def ids(body: dict[str, Any]) -> list[int]:
    return [feature["id"] for feature in body["features"]]


BOXES = [
    (119.0, 32.0, 119.1, 32.5), (119.05, 32.1, 119.05, 32.4), (119.0019, 32.0, 119.0021, 33.0), (-180, -90, 180, 90),
    (0, 0, 10, 10), (-200, -95, 200, 95), (-1000, -90, 1000, 90), (119, 32.5, 480, 33), (-241, 32, -240.9, 33),
]  # fmt: skip


@pytest.mark.parametrize("box", BOXES)
def test_core_fc_bbox_response_just_the_points_in_the_box(get: Get, box: tuple[float, ...]) -> None:
    west, south, east, north = box

    def inside(lon: float, lat: float) -> bool:
        return south <= lat <= north and any(west <= lon + turn <= east for turn in (-720, -360, 0, 360, 720))

    expected = {f"QSK-{i:04}" for i in range(1, INTAKES + 1) if inside(*place_of(i)[1:])}
    body = get("/collections/intakes/items", bbox=",".join(map(str, box)), limit=1000)
    assert {feature["properties"]["code"] for feature in body["features"]} == expected


def test_core_fc_bbox_response_a_box_across_the_antimeridian(get: Get) -> None:
    crossing = get("/collections/intakes/items", bbox="179,0,-179,20")
    assert [f["properties"]["code"] for f in crossing["features"]] == ["QSK-0319", "QSK-0320"]
    assert ids(get("/collections/intakes/items", bbox="179,0,181,20")) == ids(crossing)
    around = get("/collections/intakes/items", bbox="120,-90,119,90", limit=1000)
    assert len(around["features"]) == sum(not 119 < place_of(i)[1] < 120 for i in range(1, INTAKES + 1))


def test_core_fc_bbox_response_polygons_that_only_touch_the_box_or_hold_it(get: Get) -> None:
    def names(box: str) -> set[str]:
        return {f["properties"]["name"] for f in get("/collections/regions/items", bbox=box)["features"]}

    assert names("119.2,32.2,119.3,32.3") == {"江苏省", "扬州市", "广陵区"}
    assert names("119.5,32.2,119.6,32.3") == {"江苏省", "扬州市", "广陵区", "高邮市"}
    assert names("0,0,1,1") == set()


def test_core_fc_time_definition_the_definition_names_datetime(get: Get) -> None:
    parameter = get("/api")["components"]["parameters"]["datetime"]
    assert parameter["schema"] == {"type": "string"}
    assert (parameter["style"], parameter["explode"], parameter["required"]) == ("form", False, False)


TIMES = [
    ("2026-06-01T02:30:00Z", {"scene-1"}), ("2026-06-01T10:30:00+08:00", {"scene-1"}), ("2026-06-01T02:30:01Z", set()),
    ("2026-05-01T02:30:00Z/2026-07-01T02:30:00Z", {"scene-0", "scene-1", "scene-2"}),
    ("2026-05-01T02:30:01Z/2026-07-01T02:29:59Z", {"scene-1"}),
    ("../2026-06-01T02:30:00Z", {"scene-0", "scene-1"}), ("/2026-06-01T02:30:00Z", {"scene-0", "scene-1"}),
    ("2026-06-01T02:30:00Z/..", {"scene-1", "scene-2"}), ("2026-06-01T02:30:00Z/", {"scene-1", "scene-2"}),
    ("2026-06-01t02:30:00.000z", {"scene-1"}), ("2026-06-01", {"scene-1"}), ("2026-05-02/2026-06-01", {"scene-1"}),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "expected"), TIMES)
def test_core_fc_time_response_closed_intervals_and_features_without_a_time(
    get: Get, asked: str, expected: set[str]
) -> None:
    found = get("/collections/scenes/items", datetime=asked)["features"]
    assert {feature["properties"]["item_id"] for feature in found} == expected | {"undated"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("2020-01-01T00:00:00Z", 0),
        ("2021-01-04T12:00:00Z", 3),  # terms begin on 2 January 2021 and each day after it
        ("../2021-01-04T12:00:00Z", 3),
        ("2021-01-03T12:00:00Z/2021-01-05T01:00:00Z", 4),
        ("2029-01-01T00:00:00Z", 40),
        ("2030-12-31T23:00:00Z", 40),  # 39 end on this day, and one has no end
        ("2031-01-01T00:00:00Z/..", 1),
    ],
)
def test_core_fc_time_response_terms_match_the_times_that_they_meet(
    get: Get, asked: str, expected: int
) -> None:
    found = get("/collections/permits/items", datetime=asked, limit=100)
    assert found["numberMatched"] == len(found["features"]) == expected


def test_core_fc_time_response_a_collection_without_time_matches_whole(get: Get) -> None:
    assert get("/collections/intakes/items", datetime="1900-01-01T00:00:00Z")["numberMatched"] == INTAKES


def test_core_fc_response_filters_hold_together(get: Get) -> None:
    found = get(
        "/collections/intakes/items",
        source_type="groundwater",
        holder_name="苏水 & <b>公司</b>",
        bbox="119,32,119.1,33",
    )
    assert len(found["features"]) == found["numberMatched"] == 25
    for feature in found["features"]:
        assert feature["properties"]["source_type"] == "groundwater"
        assert feature["geometry"]["coordinates"][0] <= 119.1


def test_core_fc_links_next_leads_through_all_features_once_and_keeps_the_filters(get: Get) -> None:
    paged = all_pages(
        get, "/collections/intakes/items", limit=33, source_type="surface_water", bbox="119,32,120,34"
    )
    whole = get("/collections/intakes/items", limit=1000, source_type="surface_water", bbox="119,32,120,34")
    assert [f["id"] for f in paged] == ids(whole)
    assert len({f["id"] for f in paged}) == len(paged) > 200
    first = get("/collections/intakes/items", limit=5, bbox="119,32,120,34")
    following = rels(first)["next"][0]["href"]
    assert "bbox=119,32,120,34" in following
    assert "limit=5" in following


def test_core_fc_links_the_last_page_has_no_next(get: Get) -> None:
    for limit in (INTAKES, INTAKES + 1):
        assert "next" not in rels(get("/collections/intakes/items", limit=limit))


def test_core_fc_rel_type_links_have_relation_and_type(get: Get) -> None:
    found = rels(get("/collections/intakes/items"))
    assert found["self"][0]["type"] == "application/geo+json"
    assert found["alternate"][0]["type"] == "text/html"
    assert all(link["rel"] and link["type"] for links in found.values() for link in links)


def test_core_fc_timestamp_is_the_time_of_the_answer_if_there_is_one(get: Get) -> None:
    stamp = get("/collections/intakes/items").get("timeStamp")
    # Without one, the same page has the same ETag: a client's copy stays good.
    assert stamp is None or abs((datetime.now(UTC) - datetime.fromisoformat(stamp)).total_seconds()) < 60


def test_core_fc_number_matched_is_the_number_of_all_that_match(get: Get) -> None:
    assert get("/collections/intakes/items", limit=3)["numberMatched"] == INTAKES
    assert (
        get("/collections/intakes/items", limit=3, source_type="groundwater")["numberMatched"] == INTAKES // 4
    )
    assert get("/collections/regions/items", limit=2)["numberMatched"] == 5
    following = rels(get("/collections/intakes/items", limit=3))["next"][0]["href"].removeprefix(
        "http://map.test/ogc"
    )
    assert get(following).get("numberMatched", INTAKES) == INTAKES


def test_core_fc_number_returned_is_the_number_of_features(get: Get) -> None:
    for limit in (1, 50, 1000):
        body = get("/collections/intakes/items", limit=limit)
        assert body["numberReturned"] == len(body["features"])


# ── one feature ─────────────────────────────────────────────────────────────────────────────────


def test_core_f_op_and_success_each_feature_is_found_by_its_id_as_in_the_page(get: Get) -> None:
    for layer in LAYERS:
        for feature in get(f"/collections/{layer}/items", limit=3)["features"]:
            one = get(f"/collections/{layer}/items/{feature['id']}")
            assert {k: v for k, v in one.items() if k != "links"} == feature


@pytest.mark.parametrize(
    "name", ["0", "-1", "99999999", "9" * 19, "9" * 30, "x", "'", "%00", "1.0", "1%20", "٣"]
)
def test_core_f_op_what_is_no_feature_is_a_404(status: Status, name: str) -> None:
    assert status(f"/collections/intakes/items/{name}") == 404


def test_core_f_links_self_alternate_and_collection(get: Get) -> None:
    first = get("/collections/intakes/items", limit=1)["features"][0]["id"]
    found = rels(get(f"/collections/intakes/items/{first}"))
    assert {"self", "alternate", "collection"} <= found.keys()
    assert re.search(rf"/ogc/collections/intakes/items/{first}\?", found["self"][0]["href"])
    assert found["collection"][0]["href"].endswith("/ogc/collections/intakes")


def test_a_key_in_the_address_stays_in_every_link(client: TestClient, keys: Accounts) -> None:
    body = client.get("/ogc/collections/permits/items", params={"limit": 1, "api_key": keys.nation}).json()
    assert all(f"api_key={keys.nation}" in link["href"] for link in body["links"])
    assert client.get(rels(body)["next"][0]["href"]).status_code == 200
