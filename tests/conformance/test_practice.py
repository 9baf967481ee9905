"""What no requirement says, and clients rely on: negotiation, tags, proxies, who sees what."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.errors import InvalidInput
from app.ogc.negotiate import DOCUMENT, FEATURES, NotAcceptable, chosen
from layers import catalog
from tests.served import INTAKES, Accounts
from tiles.packing import takes_gzip

Get = Callable[..., Any]
ITEMS = "/ogc/collections/intakes/items"
JSON, GEOJSON, HTML = "application/json", "application/geo+json", "text/html"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, GEOJSON), ("", GEOJSON), ("*/*", GEOJSON), ("application/*", GEOJSON), ("text/*", HTML), (HTML, HTML),
        ("text/html;q=0.5, application/geo+json;q=0.4", HTML), ("text/html;q=0.4, application/geo+json;q=0.5", GEOJSON),
        ("text/html, */*;q=0.1", HTML), ("text/html;q=0, */*", GEOJSON), ("image/webp, */*;q=0.8", GEOJSON),
        ("TEXT/HTML", HTML), ("application/json;q=0.9, text/html;q=0.9", GEOJSON), ("text/html;q=x", HTML),
    ],
)  # fmt: skip
def test_accept_is_honoured_with_its_weights(accept: str | None, expected: str) -> None:
    assert chosen(FEATURES, None, accept) == expected


def test_f_goes_before_accept_and_what_is_not_offered_is_refused() -> None:
    assert chosen(DOCUMENT, "html", JSON) == HTML
    assert chosen(DOCUMENT, "json", HTML) == JSON
    with pytest.raises(InvalidInput):
        chosen(DOCUMENT, "xml", None)
    for accept in ("image/png", "application/json;q=0", "*/*;q=0"):
        with pytest.raises(NotAcceptable):
            chosen(DOCUMENT, None, accept)


def test_what_cannot_be_sent_is_a_406_problem(client: TestClient) -> None:
    answer = client.get(ITEMS, headers={"Accept": "application/gml+xml"})
    assert answer.status_code == 406
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/collections",
        "/collections/intakes",
        "/collections/intakes/items",
        "/collections/intakes/items/1",
    ],
)
def test_a_tag_answers_304_until_the_content_differs(client: TestClient, path: str) -> None:
    first = client.get(f"/ogc{path}")
    tag = first.headers["etag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(f"/ogc{path}", headers={"If-None-Match": given})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["cache-control"] == "public, no-cache"
    assert client.get(f"/ogc{path}", headers={"If-None-Match": '"other"'}).status_code == 200
    as_html = client.get(f"/ogc{path}", headers={"If-None-Match": tag, "Accept": HTML})
    assert as_html.status_code == 200


@pytest.mark.parametrize(
    "path", ["/collections/intakes", "/collections/intakes/items", "/collections/intakes/items/1"]
)
def test_if_match_is_held_against_the_tag_of_what_is_read(client: TestClient, path: str) -> None:
    """RFC 9110, 13.1.1: the method is not performed unless a listed tag is the present one; weak ones never are."""
    tag = client.get(f"/ogc{path}").headers["etag"]
    for given, expected in (
        (tag, 200),
        ("*", 200),
        (f'"other", {tag}', 200),
        ('"other"', 412),
        (f"W/{tag}", 412),
    ):
        answer = client.get(f"/ogc{path}", headers={"If-Match": given})
        assert answer.status_code == expected, given
        assert client.head(f"/ogc{path}", headers={"If-Match": given}).status_code == expected
    assert answer.headers["content-type"] == "application/problem+json"
    both = {"If-Match": tag, "If-None-Match": tag}
    assert client.get(f"/ogc{path}", headers=both).status_code == 304


def test_gzip_only_when_asked_for_and_with_a_tag_of_its_own(client: TestClient) -> None:
    plain = client.get(ITEMS, headers={"Accept-Encoding": "identity"})
    zipped = client.get(ITEMS, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert plain.content == zipped.content
    assert plain.headers["etag"] != zipped.headers["etag"]
    assert client.get(ITEMS, headers={"If-None-Match": zipped.headers["etag"]}).status_code == 304
    assert "Accept-Encoding" in plain.headers["vary"]


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        (None, False), ("", False), ("identity", False), ("*", False), ("br, zstd", False), ("gzip;q=0", False),
        ("gzip; q=0.000", False), ("br, gzip;q=0, *", False), ("gzip", True), ("GZIP", True), ("x-gzip", True),
        ("br, gzip", True), ("gzip;q=0.5", True), ("deflate, gzip ; q=1.0, *;q=0.5", True), ("gzip;q=0.001", True),
    ],
)  # fmt: skip
def test_accept_encoding_is_honoured_with_its_weights(
    client: TestClient, accepted: str | None, zipped: bool
) -> None:
    """RFC 9110, 12.5.3, at pages of features, tiles of both addresses and the older services."""
    assert takes_gzip(accepted) is zipped
    for path in (
        ITEMS,
        "/ogc/wms?service=WMS&request=GetCapabilities",
        "/tiles/regions/6/53/25",
        "/ogc/tiles/WebMercatorQuad/6/25/53",
    ):
        answer = client.get(path, headers={"Accept-Encoding": accepted or ""})
        assert answer.status_code == 200
        assert answer.headers.get("content-encoding") == ("gzip" if zipped else None), path


def test_the_language_of_what_is_told_is_said(client: TestClient) -> None:
    for path in (
        "/ogc",
        "/ogc?f=html",
        ITEMS,
        f"{ITEMS}?limit=x",
        "/ogc/processes/export",
        "/stac",
        "/ogc/nothing",
    ):
        assert client.get(path).headers.get("content-language") == "zh, en", path


@pytest.mark.parametrize("path", ["/tiles/intakes.json", "/styles/light.json", "/tiles/intakes/6/53/25"])
def test_what_draws_the_map_is_tagged_and_open_to_scripts_of_other_sites(
    client: TestClient, path: str
) -> None:
    first = client.get(path)
    assert first.status_code == 200
    assert first.headers["access-control-allow-origin"] == "*"
    assert "ETag" in first.headers["access-control-expose-headers"]
    assert "X-API-Key" in first.headers["vary"]
    assert client.get(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    head = client.head(path)
    assert (
        head.headers["content-length"] == first.headers["content-length"]
        or "content-encoding" in first.headers
    )
    preflight = client.options(path)
    assert preflight.status_code in (200, 204)
    allowed = set(preflight.headers["allow"].split(", "))
    assert allowed == {"GET", "HEAD", "OPTIONS"}
    refused = client.post(path)
    assert (refused.status_code, set(refused.headers["allow"].split(", "))) == (405, allowed)


@pytest.mark.parametrize(
    "path", ["/tiles/", "/tiles/intakes/9/425", "/tiles/nothing.json", "/styles/nothing.json", "/archives/x"]
)
def test_an_address_where_nothing_is_is_a_404_problem(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_scene_of_which_nothing_readable_is_on_file_is_a_404_problem(
    client: TestClient, keys: Accounts
) -> None:
    """The register's scenes have an empty item."""
    own = {"X-API-Key": keys.nation}
    scene = client.get("/api/scenes", headers=own).json()[0]["id"]
    for path in (f"/imagery/{scene}/9/425/208.png", f"/imagery/{scene}/assets/B04.tif"):
        answer = client.get(path, headers=own)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), (
            answer.text
        )
    for x in (2, 10**25):
        assert client.get(f"/imagery/{scene}/1/{x}/0.png", headers=own).status_code == 400
    told = client.get(f"/imagery/{scene}/tilejson.json", headers=own)
    assert (told.status_code, told.headers["access-control-allow-origin"]) == (200, "*")
    for path in (
        f"/imagery/{scene}/9/425/208.png",
        f"/imagery/{scene}/assets/B04.tif",
        f"/imagery/{scene}/tilejson.json",
    ):
        preflight = client.options(
            path, headers={"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
        )
        assert preflight.status_code in (200, 204)
        assert (
            preflight.headers["access-control-allow-origin"]
            == preflight.headers["access-control-allow-headers"]
            == "*"
        )
        assert set(preflight.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert client.get("/stac/collections/scenes/items/scene-0", headers=own).json()["assets"] == {}


def test_links_follow_host_and_forwarded_headers(client: TestClient) -> None:
    proxied = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "water.example.cn",
        "X-Forwarded-Prefix": "/shuitu",
    }
    for path in ("", "/collections", "/collections/intakes/items?limit=1", "/api"):
        answer = client.get(f"/ogc{path}", headers=proxied)
        assert "http://map.test" not in answer.text + answer.headers["link"]
        assert "https://water.example.cn/shuitu/ogc" in answer.text
    assert "http://other.test:8000/ogc/api" in client.get("/ogc", headers={"Host": "other.test:8000"}).text


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({"Forwarded": 'for=10.0.0.1;proto=https;host="gis.example:8443", for=10.0.0.2'}, "https://gis.example:8443"),
        ({"Forwarded": "for=10.0.0.1; Proto=HTTPS; Host=gis.example"}, "https://gis.example"),
        ({"X-Forwarded-Host": "gis.example", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "8443"}, "https://gis.example:8443"),
        ({"X-Forwarded-Host": "gis.example", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"}, "https://gis.example"),
        ({"X-Forwarded-Host": "gis.example:81", "X-Forwarded-Port": "82"}, "http://gis.example:81"),
        ({"X-Forwarded-Host": "first.example, second.example"}, "http://first.example"),
        ({"X-Forwarded-Port": "9000"}, "http://map.test"),  # of a proxy that does not say its name
        # What is no host, scheme or path is not repeated.
        ({"X-Forwarded-Host": 'a"><script>'}, "http://map.test"),
        ({"X-Forwarded-Proto": "javascript"}, "http://map.test"),
        ({"X-Forwarded-Prefix": '/a"><b>'}, "http://map.test"),
    ],
)  # fmt: skip
def test_links_follow_what_a_proxy_says_of_host_scheme_and_port(
    client: TestClient, headers: dict[str, str], base: str
) -> None:
    for path in ("/ogc", f"{ITEMS}?limit=1", "/ogc/api", "/stac"):
        answer = client.get(path, headers=headers).json()
        found = [link["href"] for link in answer.get("links", [])] or [answer["servers"][0]["url"]]
        assert all(href.startswith(f"{base}/") for href in found), found


def test_f_geojson_is_another_name_of_the_usual_form(client: TestClient) -> None:
    named, usual = (client.get(ITEMS, params={"limit": 1, "f": f}) for f in ("geojson", "json"))
    assert named.content == usual.content
    assert named.headers["content-type"] == "application/geo+json"
    assert client.get("/ogc/conformance?f=geojson").status_code == 400


def test_the_link_header_says_what_the_body_says(client: TestClient) -> None:
    answer = client.get(ITEMS, params={"limit": 1})
    body = answer.json()
    following = next(link["href"] for link in body["links"] if link["rel"] == "next")
    assert f'<{following}>; rel="next"; type="application/geo+json"' in answer.headers["link"]
    assert answer.links["next"]["url"] == following


def test_scripts_of_other_sites_may_read_answers_and_errors(client: TestClient) -> None:
    for path in (
        "/ogc",
        f"{ITEMS}?limit=x",
        "/ogc/collections/nothing",
        "/ogc/nothing",
        "/stac/nothing",
        "/styles/nothing",
        "/imagery/1/1/9/9.png",
    ):
        answer = client.get(path, headers={"Origin": "https://elsewhere.example"})
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/ogc", "GET"), (ITEMS, "POST"), (f"{ITEMS}/1", "PATCH"), ("/ogc/tiles/WebMercatorQuad/0/0/0", "GET"),
        ("/ogc/wms", "GET"), ("/ogc/wfs", "POST"), ("/ogc/wmts", "GET"), ("/ogc/processes/export/execution", "POST"),
        ("/ogc/jobs/a", "DELETE"), ("/stac/search", "POST"), ("/styles/light.json", "GET"), ("/tiles/intakes.json", "GET"),
    ],
)  # fmt: skip
def test_a_preflight_tells_the_method_and_may_be_kept_for_a_day(
    client: TestClient, path: str, method: str
) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": method}
    told = client.options(path, headers=asked | {"Access-Control-Request-Headers": "x-api-key"})
    assert told.status_code in (200, 204)
    assert told.headers["access-control-allow-origin"] == told.headers["access-control-allow-headers"] == "*"
    assert method in told.headers["access-control-allow-methods"].split(", ")
    assert told.headers["access-control-max-age"] == "86400"


def test_offsets_page_as_next_links_do(get: Get) -> None:
    whole = [f["id"] for f in get("/collections/intakes/items", limit=1000)["features"]]
    pages = [get("/collections/intakes/items", limit=100, offset=start) for start in range(0, 500, 100)]
    assert [f["id"] for page in pages for f in page["features"]] == whole
    assert pages[1]["numberMatched"] == INTAKES
    assert pages[4]["features"] == []


# ── who sees what ───────────────────────────────────────────────────────────────────────────────


def test_the_public_sees_public_layers_fields_and_places_only(client: TestClient) -> None:
    listed = {one["id"] for one in client.get("/ogc/collections").json()["collections"]}
    assert listed == {layer.id for layer in catalog.visible_to("public")}
    body = client.get(ITEMS, params={"limit": 1000}).json()
    assert body["numberReturned"] == INTAKES
    shown = {field.name for field in catalog.load()["intakes"].fields_for("public")}
    assert all(feature["properties"].keys() == shown for feature in body["features"])
    assert client.get(ITEMS, params={"name": "取水口1"}).status_code == 400
    definition = client.get("/ogc/api").text
    assert "holder_name" not in definition
    assert "/collections/permits" not in definition
    for path, more in (("queryables", {"geometry"}), ("sortables", set()), ("schema", {"geometry", "id"})):
        found = client.get(f"/ogc/collections/intakes/{path}").json()
        assert found["properties"].keys() == shown | more


def test_the_public_is_told_to_log_in_for_other_layers(client: TestClient) -> None:
    for path in (
        "/ogc/collections/permits",
        "/ogc/collections/permits/items",
        "/ogc/collections/candidates/items/1",
    ):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_public_places_stand_in_the_middle_of_their_cell_and_boxes_tell_no_more(client: TestClient) -> None:
    for feature in client.get(ITEMS, params={"limit": 1000}).json()["features"]:
        lon, lat = feature["geometry"]["coordinates"]
        cell = (lon + 180) / 360 * 2**19
        assert cell % 1 == pytest.approx(0.5, abs=2e-3)
        box = f"{lon - 1e-6},{lat - 1e-6},{lon + 1e-6},{lat + 1e-6}"
        if feature["id"] % 40 == 0:
            found = client.get(ITEMS, params={"bbox": box}).json()["features"]
            assert feature["id"] in [f["id"] for f in found]
    # The true position of QSK-0001 is 119.001, 32.0033333: a narrow box around it must not find it.
    narrow = client.get(ITEMS, params={"bbox": "119.0009,32.0032,119.0011,32.0034"}).json()
    assert narrow["features"] == []


@pytest.mark.parametrize(
    "box", ["119,32,119.2,33", "119.05,32.1,119.06,32.4", "-180,-90,180,90", "179,0,-179,20", "0,0,1,1"]
)
def test_a_public_box_finds_just_the_places_shown_in_it(client: TestClient, box: str) -> None:
    west, south, east, north = map(float, box.split(","))
    whole = client.get(ITEMS, params={"limit": 1000}).json()["features"]

    def inside(lon: float, lat: float) -> bool:
        return south <= lat <= north and (west <= lon <= east if west <= east else lon >= west or lon <= east)

    expected = [f["id"] for f in whole if inside(*f["geometry"]["coordinates"])]
    assert [
        f["id"] for f in client.get(ITEMS, params={"bbox": box, "limit": 1000}).json()["features"]
    ] == expected


def test_a_county_sees_its_own_rows_under_every_door(client: TestClient, keys: Accounts) -> None:
    own = {"X-API-Key": keys.county}
    body = client.get(ITEMS, params={"limit": 1000}, headers=own).json()
    assert body["numberMatched"] == body["numberReturned"] == 30
    assert {f["properties"]["county_code"] for f in body["features"]} == {321084}
    first = client.get(ITEMS, params={"limit": 3}, headers=own).json()
    assert first["numberMatched"] == 30
    assert client.get(f"{ITEMS}/1", headers=own).status_code == 404
    assert client.get(f"{ITEMS}/{body['features'][0]['id']}", headers=own).status_code == 200
    ((west, _, east, _),) = client.get("/ogc/collections/intakes", headers=own).json()["extent"]["spatial"][
        "bbox"
    ]
    assert 119.7 < west < east < 119.9
    candidates = client.get("/ogc/collections/candidates/items", headers=own).json()["features"]
    assert [f["properties"]["code"] for f in candidates] == ["YG-000002"]


def test_what_a_log_in_sees_is_kept_by_no_shared_cache(client: TestClient, keys: Accounts) -> None:
    answer = client.get(ITEMS, headers={"X-API-Key": keys.county})
    assert answer.headers["cache-control"] == "private, no-cache"
    assert {"Cookie", "Authorization", "X-API-Key"} <= {
        name.strip() for name in answer.headers["vary"].split(",")
    }


def test_a_big_page_ends_early_and_goes_on_with_next(
    client: TestClient, keys: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ogc.store.PAGE_BYTES", 600)
    # A limit that no other test asks for: pages are kept, also those cut short here.
    names, address, pages = [], "/ogc/collections/regions/items?limit=998", 0
    while address:
        body = client.get(address, headers={"X-API-Key": keys.nation}).json()
        names += [f["properties"]["name"] for f in body["features"]]
        address = next((link["href"] for link in body["links"] if link["rel"] == "next"), None)
        pages += 1
    assert names == ["江苏省", "扬州市", "广陵区", "高邮市", "虎丘区"]
    assert pages == 2


@pytest.mark.parametrize(
    "path", ["/ogc", "/ogc/collections", "/ogc/collections/intakes/items", "/ogc/collections/intakes/items/1", "/stac/search"]
)  # fmt: skip
def test_405_allows_what_options_allows(client: TestClient, keys: Accounts, path: str) -> None:
    """RFC 9110, 10.2.1: the methods of the resource, whole; OPTIONS may leave out those that a caller lacks the right to."""
    own = {"X-API-Key": keys.nation}
    told = set(client.options(path, headers=own).headers["allow"].split(", "))
    for method in {"PUT", "PATCH", "POST", "DELETE", "LOCK"} - told:
        answer = client.request(method, path, headers=own)
        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == told, method
