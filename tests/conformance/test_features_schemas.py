"""OGC API – Features – Part 5 (23-058r2): schemas, core roles, returnables and receivables, queryables, sortables."""

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from layers import catalog
from tests.served import Accounts, rels

Get = Callable[..., Any]
KINDS = ("schema", "queryables", "sortables")
REL = "http://www.opengis.net/def/rel/ogc/1.0"


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_json_schema_each_is_a_valid_schema_with_its_own_address(
    client: TestClient, keys: Accounts, get: Get, kind: str
) -> None:
    for layer in catalog.load():
        body = get(f"/collections/{layer}/{kind}")
        jsonschema.Draft202012Validator.check_schema(body)
        assert body["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert body["type"] == "object"
        again = client.get(
            body["$id"], headers={"X-API-Key": keys.nation, "Accept": "application/schema+json"}
        )
        assert again.json() == body


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_properties_have_a_type_and_spatial_ones_a_format_instead(get: Get, kind: str) -> None:
    for layer in catalog.load():
        for name, one in get(f"/collections/{layer}/{kind}")["properties"].items():
            assert one["title"]
            if name == "geometry":
                assert kind != "sortables"
                assert one["format"].startswith("geometry-")
                assert not {"type", "$ref"} & one.keys()
            else:
                assert one["type"] in ("string", "number", "integer", "boolean", "array")


def test_schemas_additional_keywords_and_unit_are_those_of_the_standard(get: Get) -> None:
    keywords = {"x-ogc-role", "x-ogc-unit", "x-ogc-propertySeq"}
    for layer in catalog.load():
        for one in get(f"/collections/{layer}/schema")["properties"].values():
            assert {key for key in one if key.startswith("x-")} <= keywords
            assert one.get("x-ogc-unit", "m3") in ("m3", "m2", "m", "m3/s", "%")  # as UCUM writes them


def test_schemas_property_seq_counts_up(get: Get) -> None:
    for layer in catalog.load():
        properties = get(f"/collections/{layer}/schema")["properties"].values()
        assert [one["x-ogc-propertySeq"] for one in properties] == list(range(1, len(properties) + 1))


def test_core_roles_features_role_id_and_primary_geometry_are_there_once(get: Get) -> None:
    for layer in catalog.load():
        roles = [
            (one.get("x-ogc-role"), one) for one in get(f"/collections/{layer}/schema")["properties"].values()
        ]
        assert [one["type"] for role, one in roles if role == "id"] == ["integer"]
        assert len([role for role, _ in roles if role == "primary-geometry"]) == 1


def test_core_roles_features_the_primary_time_is_what_datetime_asks_about(get: Get) -> None:
    for layer, declared in catalog.load().items():
        properties = get(f"/collections/{layer}/schema")["properties"]
        times = {
            one["x-ogc-role"]: name
            for name, one in properties.items()
            if one.get("x-ogc-role", "")
            in ("primary-instant", "primary-interval-start", "primary-interval-end")
        }
        start, end = declared.source.datetime, declared.source.until
        if end:
            assert times == {"primary-interval-start": start, "primary-interval-end": end}
        else:
            assert times == ({"primary-instant": start} if start else {})


@pytest.mark.parametrize("kind", KINDS)
def test_link_and_op_each_collection_leads_to_its_schemas(
    client: TestClient, keys: Accounts, get: Get, kind: str
) -> None:
    for layer in catalog.load():
        link = rels(get(f"/collections/{layer}"))[f"{REL}/{kind}"][0]
        answer = client.get(
            link["href"], headers={"X-API-Key": keys.nation, "Accept": "application/schema+json"}
        )
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/schema+json"


def test_returnables_and_receivables_response_holds_every_feature_that_is_returned(get: Get) -> None:
    for layer in catalog.load():
        body = get(f"/collections/{layer}/schema")
        validator = jsonschema.Draft202012Validator(body)
        for feature in get(f"/collections/{layer}/items", limit=50)["features"]:
            logical = {name: value for name, value in feature["properties"].items() if value is not None}
            validator.validate({"id": feature["id"], "geometry": feature["geometry"], **logical})


def test_returnables_and_receivables_what_nobody_writes_is_read_only(get: Get) -> None:
    for layer, declared in catalog.load().items():
        properties = get(f"/collections/{layer}/schema")["properties"]
        written = {"geometry", *declared.receivable} if declared.receivable else properties.keys() - {"id"}
        assert {name for name, one in properties.items() if not one.get("readOnly")} == written


def test_queryables_and_sortables_response_others_are_a_400(client: TestClient, get: Get) -> None:
    for layer in catalog.load():
        for kind in ("queryables", "sortables"):
            assert get(f"/collections/{layer}/{kind}")["additionalProperties"] is False
    for asked in ({"sortby": "water_body"}, {"filter": "water_body = 'x'"}):
        assert client.get("/ogc/collections/intakes/items", params=asked).status_code == 400
