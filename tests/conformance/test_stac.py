"""STAC API 1.0 (core, collections, features, item search with sort, fields and filter) over the scenes."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pystac
import pystac_client
import pytest
import rasterio
from fastapi.testclient import TestClient
from rasterio.transform import from_origin
from stac_pydantic import Collection, Item
from stac_pydantic.api import ItemCollection, LandingPage

from app.actor import system
from app.db.engine import Dsns, engine, transaction
from app.imagery import service as imagery
from tests import served
from tests.served import Accounts

Ask = Callable[..., Any]
FEATURE_IDS = ["scene-2", "scene-1", "scene-0", "undated"]


@pytest.fixture(scope="module")
def catalogue(
    new_database: Callable[[], Dsns], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Dsns, Accounts]:
    """The small register, and one scene with pixels."""
    dsns = new_database()
    served.fill(dsns)
    folder = tmp_path_factory.mktemp("scenes")
    profile = {
        "driver": "COG", "width": 256, "height": 256, "count": 4, "dtype": "uint16", "crs": "EPSG:32650",
        "transform": from_origin(700_000, 3_600_000, 10, 10),
    }  # fmt: skip
    with rasterio.open(folder / "S2_20240512.tif", "w", **profile) as out:
        out.write(np.arange(4 * 256 * 256, dtype=np.uint16).reshape(4, 256, 256) % 4000)
        for i, name in enumerate(("blue", "green", "red", "nir"), 1):
            out.set_band_description(i, name)
    service = engine(dsns.service)
    with transaction(service, system("test")) as session:
        imagery.add_scenes(session, system("test"), folder)
    service.dispose()
    with psycopg.connect(dsns.admin) as connection:
        connection.execute("update shuitu.scenes set cloud_pct = 10 * id where item_id like 'scene-%'")
        connection.execute(
            "update shuitu.scenes set geom = st_geomfromtext('POLYGON((118 30, 118 31, 118.9 31, 118.9 30, 118 30))', 4490) "
            "where item_id = 'scene-0'"
        )
    return dsns, served.accounts(dsns)


@pytest.fixture(scope="module")
def web(catalogue: tuple[Dsns, Accounts], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with served.serving(catalogue[0], tmp_path_factory.mktemp("stac")) as client:
        yield client


@pytest.fixture(scope="module")
def officer(catalogue: tuple[Dsns, Accounts]) -> dict[str, str]:
    """One scene lies outside every county: the nation sees it."""
    return {"X-API-Key": catalogue[1].nation}


@pytest.fixture(scope="module")
def ask(web: TestClient, officer: dict[str, str]) -> Ask:
    def get(path: str, **parameters: object) -> Any:
        answer = web.get(f"/stac{path}", params=parameters or None, headers=officer)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture(scope="module")
def search(web: TestClient, officer: dict[str, str]) -> Ask:
    def post(**body: object) -> Any:
        answer = web.post("/stac/search", json=body, headers=officer)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return post


def ids(body: dict[str, Any]) -> list[str]:
    return [one["id"] for one in body["features"]]


def links(body: dict[str, Any], rel: str) -> list[dict[str, Any]]:
    return [link for link in body["links"] if link["rel"] == rel]


# ── core, collections, features ─────────────────────────────────────────────────────────────────


def test_core_the_landing_page_is_a_catalogue_with_classes_and_links(ask: Ask) -> None:
    body = ask("")
    LandingPage.model_validate(body)
    assert body["type"] == "Catalog"
    for rel in ("root", "self", "service-desc", "service-doc", "data", "conformance", "search", "child"):
        assert links(body, rel), rel
    assert {link["method"] for link in links(body, "search")} == {"GET", "POST"}
    assert all(link["type"] == "application/geo+json" for link in links(body, "search"))
    assert "https://api.stacspec.org/v1.0.0/core" in body["conformsTo"]
    assert ask("/conformance")["conformsTo"] == body["conformsTo"]


def test_core_the_definition_names_the_search(ask: Ask) -> None:
    body = ask("/api")
    assert body["openapi"] == "3.0.3"
    assert {"get", "post"} <= body["paths"]["/search"].keys()


def test_a_county_sees_the_scenes_over_it_alone(
    web: TestClient, officer: dict[str, str], catalogue: tuple[Dsns, Accounts]
) -> None:
    def seen(key: str) -> set[str]:
        body = web.get("/stac/search", params={"limit": 100}, headers={"X-API-Key": key}).json()
        return {one["id"] for one in body["features"]}

    assert seen(officer["X-API-Key"]) - seen(catalogue[1].county) == {"scene-0", "S2_20240512"}
    assert (
        web.get(
            "/stac/collections/scenes/items/scene-0", headers={"X-API-Key": catalogue[1].county}
        ).status_code
        == 404
    )


def test_collections_the_scenes_are_one_collection_that_pystac_reads(ask: Ask) -> None:
    listed = ask("/collections")["collections"]
    assert [one["id"] for one in listed] == ["scenes"]
    body = ask("/collections/scenes")
    Collection.model_validate(body)
    collection = pystac.Collection.from_dict(body)
    assert collection.extent.spatial.bboxes[0][0] == pytest.approx(118.0)
    assert collection.extent.temporal.intervals[0][1] is not None


def test_features_items_are_valid_by_pystac_and_found_one_by_one(ask: Ask) -> None:
    body = ask("/collections/scenes/items", limit=100)
    ItemCollection.model_validate(body)
    assert len(body["features"]) == 5
    for feature in body["features"]:
        Item.model_validate(feature)
        assert ask(f"/collections/scenes/items/{feature['id']}") == feature
        read = pystac.Item.from_dict(feature)
        assert read.bbox is not None
        # The schemas of extensions lie on another host; those of the core come with pystac.
        pystac.validation.validate_dict({**feature, "stac_extensions": []})


def test_an_undated_scene_says_between_which_instants_it_lies(ask: Ask) -> None:
    properties = ask("/collections/scenes/items/undated")["properties"]
    assert properties["datetime"] is None
    assert properties["start_datetime"] < properties["end_datetime"]


def test_assets_are_files_of_ours_read_by_range_and_never_paths(
    web: TestClient, officer: dict[str, str], ask: Ask, catalogue: tuple[Dsns, Accounts]
) -> None:
    item = next(one for one in ask("/search", limit=100)["features"] if one["assets"])
    assert "/tmp" not in json.dumps(item)
    href = item["assets"]["red"]["href"]
    assert href.startswith("http://map.test/imagery/")
    whole = web.get(href, headers=officer)
    assert whole.content[:2] == b"II"
    part = web.get(href, headers={**officer, "range": "bytes=0-99"})
    assert (part.status_code, len(part.content)) == (206, 100)
    assert part.headers["content-range"].startswith("bytes 0-99/")
    head = web.head(href, headers=officer)
    assert head.headers["accept-ranges"] == "bytes"
    assert int(head.headers["content-length"]) == len(whole.content)
    assert web.get(href).status_code == 401
    for bad in ("red/../x", "nothing", "red.tif%00", "..%2f..%2fetc%2fpasswd"):
        assert web.get(f"{href.rpartition('/')[0]}/{bad}", headers=officer).status_code == 404
    number = href.split("/")[-3]
    assert web.get(f"/imagery/9{number}/assets/red.tif", headers=officer).status_code == 404


def test_tiles_of_a_scene_are_linked(web: TestClient, officer: dict[str, str], ask: Ask) -> None:
    item = next(one for one in ask("/search", limit=100)["features"] if one["assets"])
    url = links(item, "xyz")[0]["href"]
    from tiles.matrices import WEB_MERCATOR_QUAD

    west, south, east, north = item["bbox"]
    x, _, y, _ = WEB_MERCATOR_QUAD.limits(((west + east) / 2, (south + north) / 2) * 2, 13) or (0, 0, 0, 0)
    answer = web.get(url.format(z=13, x=x, y=y), headers=officer)
    assert answer.headers["content-type"] == "image/png"


# ── item search ─────────────────────────────────────────────────────────────────────────────────


def test_item_search_get_and_post_find_the_same_newest_first(ask: Ask, search: Ask) -> None:
    found = ids(ask("/search", limit=100))
    assert [one for one in found if one in FEATURE_IDS] == FEATURE_IDS
    assert ids(search(limit=100)) == found
    assert ask("/search")["numberMatched"] == 5
    assert links(ask("/search"), "root")


CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({"ids": ["scene-1", "undated", "x"]}, {"scene-1", "undated"}),
    ({"collections": ["scenes"], "ids": ["scene-1"]}, {"scene-1"}),
    ({"collections": ["other"]}, set()),
    ({"bbox": [118, 30, 118.5, 30.5]}, {"scene-0"}),
    ({"bbox": [118, 30, -10, 118.5, 30.5, 10]}, {"scene-0"}),
    ({"bbox": [178, -5, -178, 5]}, set()),
    ({"intersects": {"type": "Point", "coordinates": [118.2, 30.2]}}, {"scene-0"}),
    ({"intersects": {"type": "LineString", "coordinates": [[118, 30.2], [118.1, 30.2]]}}, {"scene-0"}),
    ({"intersects": {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [118.2, 30.2]},
      {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}]}}, {"scene-0"}),
    ({"intersects": {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [118.2, 30.2]}]}}, {"scene-0"}),
    ({"datetime": "2026-06-01T02:30:00Z"}, {"scene-1", "undated"}),
    ({"datetime": "2026-06-01T00:00:00Z/..", "ids": FEATURE_IDS}, {"scene-1", "scene-2", "undated"}),
    ({"datetime": "../2026-06-01T02:30:00Z", "ids": FEATURE_IDS}, {"scene-0", "scene-1", "undated"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), CASES)
def test_item_search_by_ids_place_and_time(
    ask: Ask, search: Ask, body: dict[str, Any], expected: set[str]
) -> None:
    assert set(ids(search(**body))) == expected
    query = {
        name: json.dumps(value) if isinstance(value, dict)
        else ",".join(map(str, value)) if isinstance(value, list)
        else value
        for name, value in body.items()
    }  # fmt: skip
    assert set(ids(ask("/search", **query))) == expected


def test_item_search_pages_hold_every_item_once(
    web: TestClient, officer: dict[str, str], ask: Ask, search: Ask
) -> None:
    body, found = ask("/search", limit=2, sortby="id"), []
    while True:
        found += ids(body)
        following = links(body, "next")
        if not following:
            break
        assert "limit=2" in following[0]["href"]
        body = web.get(following[0]["href"], headers=officer).json()
    assert len(found) == len(set(found)) == 5
    assert found == sorted(found)
    posted, again = search(limit=2, sortby=[{"field": "id", "direction": "asc"}]), []
    while True:
        again += ids(posted)
        following = links(posted, "next")
        if not following:
            break
        assert following[0]["method"] == "POST"
        posted = web.post(following[0]["href"], json=following[0]["body"], headers=officer).json()
    assert again == found


def test_item_search_pages_lead_on_back_and_to_themselves(
    web: TestClient, officer: dict[str, str], ask: Ask, search: Ask
) -> None:
    first = ask("/search", limit=2, sortby="id")
    assert links(first, "prev") == []
    second = web.get(links(first, "next")[0]["href"], headers=officer).json()
    assert ids(second) != ids(first)
    assert ids(web.get(links(second, "self")[0]["href"], headers=officer).json()) == ids(second)
    assert ids(web.get(links(second, "prev")[0]["href"], headers=officer).json()) == ids(first)
    posted = search(limit=2, sortby=[{"field": "id", "direction": "asc"}])
    for rel, expected in (("next", second), ("prev", first)):
        (link,) = links(posted, rel)
        posted = web.post(link["href"], json=link["body"], headers=officer).json()
        assert ids(posted) == ids(expected)
    assert links(posted, "prev") == []


@pytest.mark.parametrize("sort", ["id", "+properties.datetime", "-eo:cloud_cover", "-datetime,id"])
def test_sort_orders_by_get_and_post_alike(ask: Ask, search: Ask, sort: str) -> None:
    body = [
        {"field": part.lstrip("+-"), "direction": "desc" if part.startswith("-") else "asc"}
        for part in sort.split(",")
    ]
    assert ids(ask("/search", sortby=sort)) == ids(search(sortby=body))


def test_sort_follows_the_values(ask: Ask) -> None:
    clouds = [
        one["properties"].get("eo:cloud_cover")
        for one in ask("/search", sortby="-properties.eo:cloud_cover")["features"]
    ]
    known = [value for value in clouds if value is not None]
    assert known == sorted(known, reverse=True)
    assert clouds[len(known) :] == [None] * (len(clouds) - len(known))


@pytest.mark.parametrize(
    ("fields", "there", "gone"),
    [
        (
            {"include": ["id", "properties.title"]},
            {"id", "properties.title"},
            {"assets", "geometry", "properties.datetime"},
        ),
        (
            {"exclude": ["geometry", "properties.title"]},
            {"assets", "properties.datetime"},
            {"geometry", "properties.title"},
        ),
        (
            {"include": ["properties"], "exclude": ["properties.datetime"]},
            {"properties.title"},
            {"properties.datetime", "bbox"},
        ),
        (
            {"include": ["properties.datetime"], "exclude": ["properties"]},
            {"properties.datetime"},
            {"properties.title"},
        ),
        ({}, {"geometry", "bbox", "links", "assets", "properties.datetime"}, {"properties.title"}),
        ({"include": ["nothing"]}, {"id"}, {"assets"}),
    ],
)
def test_fields_include_and_exclude(
    search: Ask, fields: dict[str, Any], there: set[str], gone: set[str]
) -> None:
    item = search(fields=fields, ids=["scene-1"])["features"][0]
    have = set(item) | {f"properties.{name}" for name in item.get("properties", {})}
    assert there <= have
    assert not gone & have


def test_fields_by_get(ask: Ask) -> None:
    item = ask("/search", fields="id,properties.title,-geometry", ids="scene-1")["features"][0]
    assert item["properties"] == {"title": "影像1"}
    assert "geometry" not in item
    assert "geometry" not in ask("/search", fields="-geometry")["features"][0]


FILTERS = [
    ("id = 'scene-1'", {"scene-1"}),
    ('"eo:cloud_cover" > 15 AND "eo:cloud_cover" <= 30', {"scene-1", "scene-2"}),
    ("properties.title LIKE '影像%' AND id <> 'scene-1'", {"scene-0", "scene-2"}),
    ("S_INTERSECTS(geometry, POINT(118.2 30.2))", {"scene-0"}),
    ("datetime > TIMESTAMP('2026-06-15T00:00:00Z')", {"scene-2"}),
    ("\"eo:cloud_cover\" IS NULL AND collection = 'scenes' AND gsd IS NULL", {"undated"}),
]


@pytest.mark.parametrize(("text", "expected"), FILTERS)
def test_filter_cql2_text_by_get(ask: Ask, text: str, expected: set[str]) -> None:
    assert set(ids(ask("/search", filter=text, limit=100))) == expected
    assert (
        set(ids(ask("/collections/scenes/items", **{"filter": text, "filter-lang": "cql2-text"}))) == expected
    )


def test_filter_cql2_json_by_post(search: Ask) -> None:
    found = search(
        **{
            "filter-lang": "cql2-json",
            "filter": {
                "op": "and",
                "args": [
                    {"op": ">=", "args": [{"property": "eo:cloud_cover"}, 10]},
                    {
                        "op": "t_after",
                        "args": [{"property": "datetime"}, {"timestamp": "2026-05-15T00:00:00Z"}],
                    },
                ],
            },
        }
    )
    assert set(ids(found)) == {"scene-1", "scene-2"}


def test_filter_every_queryable_may_be_filtered_by(ask: Ask) -> None:
    properties = ask("/queryables")["properties"]
    assert ask("/collections/scenes/queryables")["properties"] == properties
    for name in properties:
        ask("/search", filter=f'"{name}" IS NOT NULL')


# ── bad input, security ─────────────────────────────────────────────────────────────────────────

BAD: list[dict[str, Any]] = [
    {"limit": 0}, {"limit": -1}, {"limit": "x"}, {"bbox": [1, 2, 3]}, {"bbox": [1, 5, 2, 4]}, {"bbox": ["a", 1, 2, 3]},
    {"datetime": "2020"}, {"datetime": "x/y"}, {"datetime": "../.."}, {"intersects": {"type": "Nothing"}},
    {"intersects": {"type": "Point", "coordinates": ["a", 1]}}, {"intersects": {"type": "Polygon", "coordinates": []}},
    {"intersects": {"type": "Point", "coordinates": [1, 1]}, "bbox": [1, 1, 2, 2]}, {"ids": "scene-1"}, {"ids": [1]},
    {"sortby": "id"}, {"sortby": [{"field": "nothing"}]}, {"sortby": [{"field": "id", "direction": "up"}]},
    {"fields": ["id"]}, {"fields": {"include": "id"}}, {"token": "x"}, {"token": "c2tpcDotMQ=="}, {"token": 7},
    {"filter": {"op": "nothing", "args": []}}, {"filter": "id ="}, {"filter": {"op": "=", "args": [{"property": "x"}, 1]}},
    {"filter": "id = 'a'", "filter-lang": "xml"}, {"filter": "id = 'a'", "filter-crs": "x"}, {"query": {"gsd": {"lt": 5}}},
]  # fmt: skip


@pytest.mark.parametrize("body", BAD)
def test_what_is_no_search_is_a_400_problem(
    web: TestClient, officer: dict[str, str], body: dict[str, Any]
) -> None:
    answer = web.post("/stac/search", json=body, headers=officer)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=x", "limit=1e3", "bbox=1,2,3", "bbox=nan,1,2,3", "datetime=2020", "intersects=x", "intersects=[1]", "intersects={}",
     "sortby=-nothing", "filter=(((", "token=%00", "unknown=1", "limit=1&limit=2", "ids=%00a&bbox=1,2", "f=xml"],
)  # fmt: skip
def test_what_is_no_search_by_get_is_a_400_problem(
    web: TestClient, officer: dict[str, str], query: str
) -> None:
    answer = web.get(f"/stac/search?{query}", headers=officer)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_an_empty_body_searches_everything(web: TestClient, officer: dict[str, str], body: bytes) -> None:
    answer = web.post("/stac/search", content=body, headers={**officer, "content-type": "application/json"})
    assert answer.json()["numberMatched"] == 5


@pytest.mark.parametrize("body", [b"[1]", b"x", b"\xff", b"null", b'{"bbox":[' + b"[" * 2000])
def test_a_body_that_is_no_object_is_a_400(web: TestClient, officer: dict[str, str], body: bytes) -> None:
    assert web.post("/stac/search", content=body, headers=officer).status_code == 400


def test_more_than_the_most_is_cut(ask: Ask) -> None:
    assert ask("/search", limit=99_999_999)["numberReturned"] == 5


def test_what_is_not_there_is_a_404(web: TestClient, officer: dict[str, str]) -> None:
    for path in (
        "/collections/x",
        "/collections/x/items",
        "/collections/scenes/items/x",
        "/collections/scenes/items/%00",
    ):
        assert web.get(f"/stac{path}", headers=officer).status_code == 404


def test_the_public_sees_that_there_is_a_catalogue_and_no_scene(web: TestClient) -> None:
    body = web.get("/stac").json()
    assert not links(body, "child")
    assert web.get("/stac/collections").json()["collections"] == []
    for path in (
        "/search",
        "/collections/scenes",
        "/collections/scenes/items",
        "/collections/scenes/items/scene-1",
    ):
        assert web.get(f"/stac{path}").status_code == 401
    assert web.post("/stac/search", json={}).status_code == 401


def test_answers_are_tagged_and_head_and_304_work(web: TestClient, officer: dict[str, str]) -> None:
    for path in ("", "/collections/scenes", "/search", "/collections/scenes/items/scene-1"):
        answer = web.get(f"/stac{path}", headers={**officer, "accept-encoding": "identity"})
        again = web.get(f"/stac{path}", headers={**officer, "if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
        head = web.head(f"/stac{path}", headers={**officer, "accept-encoding": "identity"})
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(answer.content))
        assert web.get(f"/stac{path}", headers={**officer, "accept": "text/html"}).text.startswith(
            "<!doctype html>"
        )


# ── a real client ───────────────────────────────────────────────────────────────────────────────


def test_pystac_client_searches_pages_and_opens_assets(
    catalogue: tuple[Dsns, Accounts], tmp_path: Path
) -> None:
    dsns, keys = catalogue
    with served.process(dsns, tmp_path) as (_, address):
        client = pystac_client.Client.open(f"{address}/stac", headers={"X-API-Key": keys.nation})
        for method in ("GET", "POST"):
            found = list(client.search(method=method, limit=2, max_items=100).items())
            assert {item.id for item in found} >= set(FEATURE_IDS)
            dated = client.search(method=method, datetime="2026-05-15/2026-06-15", ids=["scene-0", "scene-1"])
            assert [item.id for item in dated.items()] == ["scene-1"]
            clear = client.search(
                method=method,
                filter={"op": "<", "args": [{"property": "eo:cloud_cover"}, 15]},
                filter_lang="cql2-json",
            )
            assert [item.id for item in clear.items()] == ["scene-0"]
            ordered = client.search(method=method, sortby="-properties.datetime", ids=["scene-0", "scene-2"])
            assert [item.id for item in ordered.items()] == ["scene-2", "scene-0"]
        assert [collection.id for collection in client.get_collections()] == ["scenes"]
        item = next(one for one in found if one.assets)
        href = f"{item.assets['red'].href}?api_key={keys.nation}"
        with rasterio.open(f"/vsicurl/{href}") as source:
            assert source.read(3).shape == (256, 256)
            assert source.crs.to_epsg() == 32650
