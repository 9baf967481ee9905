"""CQL2 (21-065r2) on collections, as its abstract tests ask: for every queryable of every layer."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import mapbox_vector_tile
import pytest
from fastapi.testclient import TestClient

from app.ogc.conformance import CLASSES
from layers import catalog
from layers.cql2 import parse
from layers.cql2.objects import to_json
from layers.model import Field, Layer, ListOf
from tests.served import Accounts
from tiles.keys import world

Get = Callable[..., Any]
Status = Callable[..., int]
QUERYABLES = [(layer, field) for layer in catalog.load().values() for field in layer.fields if field.filter]
VALUES = {"string": "'foo'", "boolean": "true", "number": "3.14", "integer": "1", "date": "DATE('2022-04-14')",
          "datetime": "TIMESTAMP('2022-04-14T14:48:46Z')"}  # fmt: skip
named = pytest.mark.parametrize(
    ("layer", "field"), QUERYABLES, ids=[f"{layer.id}.{field.name}" for layer, field in QUERYABLES]
)
spatial = pytest.mark.parametrize("layer", list(catalog.load().values()), ids=lambda layer: layer.id)


@pytest.fixture
def ids(get: Get) -> Callable[[Layer, str], set[int]]:
    """The features that a filter finds, asked as text and as JSON."""

    def ask(layer: Layer, text: str) -> set[int]:
        path, asked = (
            f"/collections/{layer.id}/items",
            {"limit": 1000, "properties": layer.fields[0].name, "skipGeometry": "true"},
        )
        found = {f["id"] for f in get(path, filter=text, **asked)["features"]}
        as_json = json.dumps(to_json(parse(text)))
        assert found == {
            f["id"] for f in get(path, filter=as_json, **{"filter-lang": "cql2-json"}, **asked)["features"]
        }
        return found

    return ask


Ids = Callable[[Layer, str], set[int]]


def test_cql2_text_and_cql2_json_are_claimed_with_what_they_are_used_for() -> None:
    assert len([uri for uri in CLASSES if "/cql2/1.0/conf/" in uri]) == 14


@named
def test_basic_cql2_binary_comparison_predicate_and_property(ids: Ids, layer: Layer, field: Field) -> None:
    found = {
        sign: ids(layer, f"{field.name} {sign} {VALUES[field.type]}")
        for sign in ("=", "<>", ">", "<", ">=", "<=")
    }
    known = ids(layer, f"{field.name} is not null")
    for one, other in (("=", "<>"), (">", "<="), ("<", ">=")):
        assert not found[one] & found[other]
        assert found[one] | found[other] == known
    assert found[">="] == found[">"] | found["="]


@named
def test_basic_cql2_null_predicate(ids: Ids, layer: Layer, field: Field) -> None:
    missing, there = ids(layer, f"{field.name} IS NULL"), ids(layer, f"{field.name} is not null")
    assert not missing & there
    assert missing | there == ids(layer, "true")


@spatial
def test_basic_cql2_cql2_filter_logic_and_literals(ids: Ids, layer: Layer) -> None:
    assert ids(layer, "false") == set()
    parts = [
        *[f"{field.name} = {VALUES[field.type]}" for field in layer.fields if field.filter][:4],
        "true",
        "false",
    ]
    everything = ids(layer, "true")
    p = {part: ids(layer, part) for part in parts}
    for a, b in itertools.islice(itertools.combinations(parts, 2), 3):
        assert ids(layer, f"(({a}) and ({b})) or not (({a}) or not ({b}))") <= everything
        assert ids(layer, f"({a}) or ({b})") == p[a] | p[b]
        assert ids(layer, f"({a}) and ({b})") == p[a] & p[b]


@named
def test_advanced_comparison_operators_in_like_and_between_predicates(
    ids: Ids, layer: Layer, field: Field
) -> None:
    if field.type != "boolean" and field.type != "string":
        low = VALUES[field.type]
        assert ids(layer, f"{field.name} between {low} and {low}") == ids(layer, f"{field.name} = {low}")
    if field.type == "string":
        assert ids(layer, f"{field.name} like '%'") == ids(layer, f"{field.name} is not null")
        assert ids(layer, f"{field.name} not like '%'") == set()
    assert ids(layer, f"{field.name} in ({VALUES[field.type]})") == ids(
        layer, f"{field.name} = {VALUES[field.type]}"
    )


@named
def test_case_and_accent_insensitive_comparison_functions(ids: Ids, layer: Layer, field: Field) -> None:
    if field.type == "string":
        for fold in ("casei", "accenti"):
            assert ids(layer, f"{fold}({field.name}) = {fold}('foo')") == ids(
                layer, f"{fold}({field.name}) = {fold}('foo')"
            )
            assert ids(layer, f"{fold}({field.name}) like {fold}('%')") == ids(
                layer, f"{field.name} is not null"
            )


@named
def test_property_property_and_arithmetic(ids: Ids, layer: Layer, field: Field) -> None:
    assert ids(layer, f"{field.name} = {field.name}") == ids(layer, f"{field.name} is not null")
    assert ids(layer, f"{VALUES[field.type]} < {field.name}") == ids(
        layer, f"{field.name} > {VALUES[field.type]}"
    )
    if field.type in ("integer", "number"):
        same = f"{field.name} * 2 - {field.name} + (8 div 3) - 2 = {field.name}"
        assert ids(layer, same) == ids(layer, f"{field.name} is not null")


WORLD = "POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90))"
LITERALS = ["BBOX(-180,-90,180,90)", "POINT(119.05 32.5)", "LINESTRING(119 32, 120 33)", "MULTIPOINT((119 32),(120 33))",
            "MULTILINESTRING((119 32,120 33),(118 31,119 32))", WORLD, f"MULTIPOLYGON({WORLD[7:]})",
            "GEOMETRYCOLLECTION(POINT(119 32),POLYGON((119 32,120 32,120 33,119 32)))", "POINT Z (119.05 32.5 3)"]  # fmt: skip


@spatial
def test_basic_spatial_functions_and_plus_spatial_predicate_and_data_types(
    ids: Ids, status: Status, layer: Layer
) -> None:
    everything = ids(layer, "geometry is not null")
    assert (
        ids(layer, f"S_INTERSECTS(geometry,{LITERALS[0]})")
        == ids(layer, f"S_INTERSECTS(geometry,{WORLD})")
        == everything
    )
    for literal in LITERALS:
        inside, outside = (
            ids(layer, f"S_INTERSECTS(geometry,{literal})"),
            ids(layer, f"S_DISJOINT(geometry,{literal})"),
        )
        assert not inside & outside
        assert inside | outside == everything
        assert ids(layer, f"S_INTERSECTS({literal},geometry)") == inside
    assert status(f"/collections/{layer.id}/items", filter="S_INTERSECTS(geometry,POINT(90 180))") == 400


@spatial
def test_spatial_functions_each_answers_and_within_and_contains_are_converse(ids: Ids, layer: Layer) -> None:
    for name in ("S_EQUALS", "S_TOUCHES", "S_CROSSES", "S_OVERLAPS"):
        for literal in ("BBOX(119,32,119.5,32.5)", "LINESTRING(119 32, 120 33)", "POINT(119.05 32.5)"):
            assert ids(layer, f"{name}(geometry,{literal})") <= ids(
                layer, f"S_INTERSECTS(geometry,{literal})"
            )
    assert (
        ids(layer, f"S_WITHIN(geometry,{WORLD})")
        == ids(layer, f"S_CONTAINS({WORLD},geometry)")
        == ids(layer, "geometry is not null")
    )


TIMED = [(layer, field) for layer, field in QUERYABLES if field.type in ("date", "datetime")]


@pytest.mark.parametrize(
    ("layer", "field"), TIMED, ids=[f"{layer.id}.{field.name}" for layer, field in TIMED]
)
def test_temporal_functions_temporal_predicates(ids: Ids, status: Status, layer: Layer, field: Field) -> None:
    for literal in (
        "TIMESTAMP('2026-06-01T02:30:00Z')",
        "DATE('2021-01-11')",
        "INTERVAL('2021-01-11','2026-06-01')",
        "INTERVAL('..','2026-06-01')",
    ):
        found = {
            name: ids(layer, f"T_{name}({field.name},{literal})")
            for name in ("AFTER", "BEFORE", "DISJOINT", "EQUALS", "INTERSECTS")
        }
        assert found["DISJOINT"] == found["AFTER"] | found["BEFORE"]
        assert not found["DISJOINT"] & found["INTERSECTS"]
        assert found["EQUALS"] <= found["INTERSECTS"]
    for name in (
        "CONTAINS",
        "DURING",
        "FINISHEDBY",
        "FINISHES",
        "MEETS",
        "METBY",
        "OVERLAPPEDBY",
        "OVERLAPS",
        "STARTEDBY",
        "STARTS",
    ):
        whole = f"INTERVAL({field.name},{field.name})"
        assert ids(layer, f"T_{name}({whole},INTERVAL('2021-01-11','2026-06-01'))") <= ids(layer, "true")
        instant = f"T_{name}({field.name},INTERVAL('2021-01-11','2026-06-01'))"
        assert status(f"/collections/{layer.id}/items", filter=instant) == 400  # for intervals only


# ── array functions ─────────────────────────────────────────────────────────────────────────────

LISTS = [(layer, one) for layer in catalog.load().values() for one in layer.lists]


@pytest.mark.parametrize(("layer", "listed"), LISTS, ids=[f"{a.id}.{b.name}" for a, b in LISTS])
def test_array_functions_array_predicates(get: Get, ids: Ids, layer: Layer, listed: ListOf) -> None:
    schema = get(f"/collections/{layer.id}/queryables")["properties"][listed.name]
    assert (schema["type"], schema["items"]) == ("array", {"type": "string"})
    for function in ("A_CONTAINS", "A_CONTAINEDBY", "A_EQUALS", "A_OVERLAPS"):
        assert ids(layer, f"{function}({listed.name},('foo','bar'))") == set()


def test_array_functions_find_intakes_by_their_permits(ids: Ids) -> None:
    layer = catalog.load()["intakes"]
    one, other = "'D321002S2021-0003'", "'D321002S2021-0005'"
    assert ids(layer, f"A_CONTAINS(permit_nos, ({one}))") == {3}
    assert ids(layer, f"A_CONTAINS(permit_nos, ({one}, {other}))") == set()
    assert ids(layer, f"A_OVERLAPS(permit_nos, ({one}, {other}))") == {3, 5}
    assert ids(layer, f"A_CONTAINEDBY(permit_nos, ({one}, {other}, 'x'))") == {3, 5}
    assert ids(layer, f"A_EQUALS(permit_nos, ({other}))") == {5}
    assert ids(layer, f"A_EQUALS(({other}), permit_nos)") == {5}
    # What has no permit has no value: neither the condition nor its contrary holds.
    with_permits = ids(layer, "permit_nos IS NOT NULL")
    assert ids(layer, f"NOT A_OVERLAPS(permit_nos, ({one}))") == with_permits - {3}


def test_array_functions_hold_in_tiles_too(get: Get, client: TestClient, keys: Accounts) -> None:
    where = get("/collections/intakes/items/3")["geometry"]["coordinates"]
    tile = tile_of(*where, 14)
    for number, found in (("D321002S2021-0003", {3}), ("D321002S2021-0005", set())):
        answer = client.get(
            f"/ogc/collections/intakes/tiles/WebMercatorQuad/14/{tile[1]}/{tile[0]}",
            params={"filter": f"A_CONTAINS(permit_nos, ('{number}'))"},
            headers={"X-API-Key": keys.nation},
        )
        layers = mapbox_vector_tile.decode(answer.content) if answer.status_code == 200 else {}
        assert {f["id"] for f in layers.get("intakes", {}).get("features", [])} == found


def tile_of(lon: float, lat: float, z: int) -> tuple[int, int]:
    """Column and row of the tile of a position."""
    x, y = world([lon], [lat])
    return int(x[0]) >> (31 - z), int(y[0]) >> (31 - z)


def test_array_functions_are_for_arrays_and_for_those_who_see_them(
    status: Status, client: TestClient
) -> None:
    assert status("/collections/intakes/items", filter="A_CONTAINS(code, ('a'))") == 400
    assert status("/collections/intakes/items", filter="permit_nos = 'a'") == 400
    assert status("/collections/intakes/items", permit_nos="a") == 400
    assert (
        client.get(
            "/ogc/collections/intakes/items", params={"filter": "A_CONTAINS(permit_nos,('a'))"}
        ).status_code
        == 400
    )
    assert "permit_nos" not in client.get("/ogc/collections/intakes/queryables").json()["properties"]
