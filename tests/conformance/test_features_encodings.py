"""OGC API – Features – Part 1, classes GeoJSON, HTML and OpenAPI 3.0, and Part 3, queryables: one test a requirement."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openapi_spec_validator import validate

from layers import catalog
from tests.served import Accounts

Get = Callable[..., Any]
Status = Callable[..., int]
LAYERS = list(catalog.load())
PATHS = [
    "", "/conformance", "/api", "/collections", "/collections/intakes", "/collections/intakes/items",
    "/collections/intakes/items/1", "/collections/intakes/queryables", "/collections/intakes/schema",
    "/collections/regions/items", "/collections/permits/items", "/collections/scenes/items/4", "/collections/basins/items",
]  # fmt: skip


# ── GeoJSON ─────────────────────────────────────────────────────────────────────────────────────


def test_geojson_definition_items_and_features_come_as_geojson(client: TestClient) -> None:
    for path in ("/collections/intakes/items", "/collections/intakes/items/1"):
        for accept in (
            "*/*",
            "application/geo+json",
            "application/geo+json, application/json",
            "application/json",
            "",
        ):
            answer = client.get(f"/ogc{path}", headers={"Accept": accept})
            assert answer.headers["content-type"] == "application/geo+json"


def test_geojson_content_is_rfc_7946(get: Get) -> None:
    for layer in LAYERS:
        body = get(f"/collections/{layer}/items", limit=50)
        assert body["type"] == "FeatureCollection"
        for feature in body["features"]:
            assert {"type", "id", "geometry", "properties"} <= feature.keys()
            assert feature["type"] == "Feature"
            assert "crs" not in feature["geometry"]
            for ring_no, ring in rings(feature["geometry"]):
                assert ring[0] == ring[-1]
                assert (area(ring) > 0) == (ring_no == 0), "exterior rings turn counter-clockwise"


def rings(geometry: dict[str, Any]) -> Iterator[tuple[int, list[list[float]]]]:
    polygons = {"Polygon": [geometry["coordinates"]], "MultiPolygon": geometry["coordinates"]}
    for polygon in polygons.get(geometry["type"], []):
        yield from enumerate(polygon)


def area(ring: list[list[float]]) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring)) / 2


def test_geojson_content_numbers_are_numbers_and_times_have_a_zone(get: Get) -> None:
    intake = get("/collections/intakes/items", code="QSK-0001")["features"][0]["properties"]
    assert intake["annual_volume_m3"] == 1000.5
    assert intake["county_code"] == 321002
    assert intake["off_stream"] is True
    assert intake["name"] == "取水口1"
    assert (
        get("/collections/intakes/items", code="QSK-0007")["features"][0]["properties"]["annual_volume_m3"]
        is None
    )
    scene = get("/collections/scenes/items", item_id="scene-0")["features"][0]["properties"]
    assert re.fullmatch(r"2026-05-01T02:30:00(\+00:00|Z)", scene["acquired_at"])


def test_a_number_shows_a_decimal_so_that_clients_which_guess_types_take_it_for_one(
    client: TestClient, keys: Accounts
) -> None:
    text = client.get("/ogc/collections/intakes/items?code=QSK-0002", headers={"X-API-Key": keys.nation}).text
    assert '"annual_volume_m3":2001.0,' in text
    assert '"county_code":321002,' in text


def test_geojson_content_each_declared_field_is_there_and_no_other(get: Get) -> None:
    for layer, declared in catalog.load().items():
        for feature in get(f"/collections/{layer}/items", limit=5)["features"]:
            assert list(feature["properties"]) == [field.name for field in declared.fields]


# ── HTML ────────────────────────────────────────────────────────────────────────────────────────


class Page(HTMLParser):
    """Tags left open, addresses, and the text."""

    VOID = ("meta", "link", "br", "circle", "path", "input", "img")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action")]

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(client: TestClient, keys: Accounts, path: str) -> tuple[Page, str]:
    answer = client.get(f"/ogc{path}", headers={"Accept": "text/html", "X-API-Key": keys.nation})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page()
    page.feed(answer.text)
    return page, answer.text


@pytest.mark.parametrize("path", PATHS)
def test_html_definition_every_resource_comes_as_html(client: TestClient, keys: Accounts, path: str) -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
    for headers, suffix in (({"Accept": browser}, ""), ({"Accept": "application/json"}, "?f=html")):
        answer = client.get(f"/ogc{path}{suffix}", headers={**headers, "X-API-Key": keys.nation})
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", PATHS)
def test_html_content_is_well_formed_and_needs_no_script_and_no_other_host(
    client: TestClient, keys: Accounts, path: str
) -> None:
    page, text = page_of(client, keys, path)
    assert page.open == []
    assert "script" not in page.tags
    assert text.startswith("<!doctype html>")
    assert 'lang="zh-CN"' in text
    assert all(address.startswith("http://map.test/") for address in page.addresses)
    policy = client.get(f"/ogc{path}?f=html", headers={"X-API-Key": keys.nation}).headers[
        "content-security-policy"
    ]
    assert "default-src 'none'" in policy


def test_html_content_every_link_of_a_page_answers(client: TestClient, keys: Accounts) -> None:
    seen: set[str] = set()
    todo = ["http://map.test/ogc?f=html"]
    while todo and len(seen) < 150:
        address = todo.pop(0)
        if address in seen or "after=" in address:
            continue
        seen.add(address)
        answer = client.get(address, headers={"X-API-Key": keys.nation})
        assert answer.status_code == 200, address
        if answer.headers["content-type"].startswith("text/html"):
            page = Page()
            page.feed(answer.text)
            todo += page.addresses
    assert len(seen) > 60


def test_html_content_shows_the_values_in_words_and_escapes_them(client: TestClient, keys: Accounts) -> None:
    page, text = page_of(client, keys, "/collections/intakes/items?code=QSK-0002")
    assert "苏水 &amp; &lt;b&gt;公司&lt;/b&gt;" in text
    assert "b" not in page.tags
    assert "地表水 · Surface water" in page.text
    assert "0.2001 万m³" in page.text


# ── OpenAPI 3.0 ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def definition(get: Get) -> Any:
    return get("/api")


def resolved(definition: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = definition
    assert node["$ref"].startswith("#/"), "a definition points to no other document"
    for part in node["$ref"][2:].split("/"):
        found = found[part]
    return resolved(definition, found)


def _readable(definition: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, found) for path, found in definition["paths"].items() if "get" in found]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_oas30_oas_common_and_definition_1_the_definition_is_openapi_3_0_of_its_media_type(
    client: TestClient,
) -> None:
    for accept in (
        "application/vnd.oai.openapi+json;version=3.0", "application/json", "*/*",
        "application/vnd.oai.openapi+json;version=3.0, application/openapi+json;version=3.0, application/json",
    ):  # fmt: skip
        answer = client.get("/ogc/api", headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/vnd.oai.openapi+json;version=3.0"
        assert answer.json()["openapi"].startswith("3.0.")


def test_oas30_oas_definition_2_every_reference_resolves_and_names_are_unique(
    definition: dict[str, Any],
) -> None:
    for reference in references(definition):
        assert resolved(definition, {"$ref": reference})
    operations = [
        one["operationId"]
        for path in definition["paths"].values()
        for name, one in path.items()
        if name != "parameters"
    ]
    assert len(set(operations)) == len(operations)
    for path, found in _readable(definition):
        parameters = [resolved(definition, one) for one in found["get"]["parameters"]]
        assert {one["name"] for one in parameters if one["in"] == "path"} == set(re.findall(r"{(\w+)}", path))
        assert len({one["name"] for one in parameters}) == len(parameters)
        assert all(one["required"] for one in parameters if one["in"] == "path")


def test_oas30_oas_definition_2_the_definition_is_valid(
    client: TestClient, definition: dict[str, Any]
) -> None:
    for found in (definition, client.get("/ogc/api").json()):
        validate(found)


def test_oas30_oas_impl_every_path_answers_as_the_definition_says(
    client: TestClient, keys: Accounts, get: Get, definition: dict[str, Any]
) -> None:
    root = definition["servers"][0]["url"]
    for path, found in _readable(definition):
        if "{featureId}" in path:
            features = get(path.removesuffix("/{featureId}"), limit=1)["features"]
            if not features:
                continue
            path = path.replace("{featureId}", str(features[0]["id"]))
        if "{" in path:
            continue  # other parts' resources have tests of their own
        answer = client.get(root + ("" if path == "/" else path), headers={"X-API-Key": keys.nation})
        response = resolved(definition, found["get"]["responses"]["200"])
        schema = response["content"][answer.headers["content-type"]]["schema"]
        check(definition, schema, answer.json())


def check(definition: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """The few words of JSON Schema that our definition uses."""
    schema = resolved(definition, schema)
    known = {"type", "required", "properties", "items", "enum", "minimum", "minItems", "maxItems", "nullable", "format",
             "default", "description"}  # fmt: skip
    assert schema.keys() <= known
    if value is None and schema.get("nullable"):
        return
    types = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": int | float,
        "boolean": bool,
    }
    if "type" in schema:
        assert isinstance(value, types[schema["type"]])
    if "enum" in schema:
        assert value in schema["enum"]
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= value.keys()
        for name, part in schema.get("properties", {}).items():
            if name in value:
                check(definition, part, value[name])
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        for part in value:
            check(definition, schema.get("items", {}), part)


def test_oas30_completeness_each_operation_tells_its_answers_and_parameters(
    definition: dict[str, Any],
) -> None:
    for layer, declared in catalog.load().items():
        operation = definition["paths"][f"/collections/{layer}/items"]["get"]
        names = {resolved(definition, one)["name"] for one in operation["parameters"]}
        own = {field.name for field in declared.fields if field.filter}
        shared = {
            "limit", "bbox", "bbox-crs", "datetime", "crs", "filter", "filter-lang", "filter-crs", "sortby", "properties",
            "skipGeometry", "offset", "after", "f",
        }  # fmt: skip
        assert names == shared | own | ({"known"} if declared.source.past else set())
        assert {"200", "304", "400", "401", "406", "500"} <= operation["responses"].keys()


def test_oas30_exception_codes_the_statuses_that_happen_are_in_the_definition(
    client: TestClient, definition: dict[str, Any]
) -> None:
    described = definition["paths"]["/collections/intakes/items/{featureId}"]["get"]["responses"]
    path = "/ogc/collections/intakes/items"
    happened = {
        client.get(f"{path}/1?x=1").status_code,
        client.get(f"{path}/0").status_code,
        client.get(f"{path}/1", headers={"Accept": "image/png"}).status_code,
        client.get(f"{path}/1", headers={"X-API-Key": "sk_no_no"}).status_code,
    }
    assert happened == {400, 404, 406, 401}
    assert {str(status) for status in happened} <= described.keys()


def test_oas30_security_the_ways_to_sign_in_are_described(definition: dict[str, Any]) -> None:
    schemes = definition["components"]["securitySchemes"]
    assert {name for one in definition["security"] for name in one} == schemes.keys()
    assert schemes["keyInQuery"] == {"type": "apiKey", "in": "query", "name": "api_key"}


# ── Part 3: queryables, queryables as query parameters ──────────────────────────────────────────


def test_queryables_link_both_relations_lead_there(get: Get, client: TestClient, keys: Accounts) -> None:
    for layer in LAYERS:
        links = {link["rel"]: link for link in get(f"/collections/{layer}")["links"]}
        for rel in ("queryables", "http://www.opengis.net/def/rel/ogc/1.0/queryables"):
            answer = client.get(links[rel]["href"], headers={"X-API-Key": keys.nation})
            assert answer.headers["content-type"] == "application/schema+json" == links[rel]["type"]


def test_queryables_get_queryables_op_and_response_is_a_schema_of_an_object(get: Get) -> None:
    for layer in LAYERS:
        body = get(f"/collections/{layer}/queryables")
        assert body["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert body["$id"] == f"http://map.test/ogc/collections/{layer}/queryables"
        assert body["type"] == "object"
        assert all("type" in one or "format" in one for one in body["properties"].values())


def test_queryables_query_parameters_every_queryable_filters_on_the_server(get: Get) -> None:
    for layer, declared in catalog.load().items():
        features = get(f"/collections/{layer}/items", limit=1000)["features"]
        simple = {
            name
            for name, one in get(f"/collections/{layer}/queryables")["properties"].items()
            if one.get("type") not in (None, "array")
        }
        assert simple
        for name in simple:
            value = next((f["properties"][name] for f in features if f["properties"][name] is not None), None)
            if value is None:
                continue
            asked = str(value).lower() if isinstance(value, bool) else value
            found = get(f"/collections/{layer}/items", limit=1000, **{name: asked})["features"]
            expected = [f["id"] for f in features if f["properties"][name] == value]
            assert [f["id"] for f in found] == expected, f"{layer}.{name} ({declared.field(name).type})"


def test_a_field_that_is_no_queryable_is_an_unknown_parameter(status: Status) -> None:
    assert status("/collections/intakes/items", water_body="x") == 400


def test_oas30_the_forms_that_are_listed_are_those_that_are_sent(
    get: Get, client: TestClient, keys: Accounts
) -> None:
    definition = get("/api")
    examples = {"{featureId}": "1", "{tileMatrixSetId}": "WebMercatorQuad", "{styleId}": "map"}
    tried = 0
    for path, found in definition["paths"].items():
        one = next(
            (
                resolved(definition, p)
                for p in found.get("get", {}).get("parameters", ())
                if resolved(definition, p)["name"] == "f"
            ),
            None,
        )
        for name, value in examples.items():
            path = path.replace(name, value)
        if one is None or "{" in path:
            continue
        for form in one["schema"]["enum"]:
            answer = client.get(f"/ogc{path}?f={form}", headers={"X-API-Key": keys.nation})
            no_such_form = form == "tilejson" and "WebMercatorQuad" not in path
            assert answer.status_code in ({400} if no_such_form else {200, 204, 404}), (path, form)
            tried += answer.status_code == 200
    assert tried > 100
