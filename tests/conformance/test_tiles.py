"""OGC API – Tiles – Part 1 (20-057) and the documents of 17-083r4: one test a requirement."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import pyogrio
import pytest
from fastapi.testclient import TestClient

from app.db.engine import Dsns
from layers import catalog
from tests import served
from tests.served import Accounts, place_of, rels
from tiles.matrices import MATRIX_SETS

Get = Callable[..., Any]
Status = Callable[..., int]
REL = "http://www.opengis.net/def/rel/ogc/1.0"
MVT = "application/vnd.mapbox-vector-tile"
LAYERS = list(catalog.load())


def path(href: str) -> str:
    return href.removeprefix("http://map.test/ogc")


def tile(client: TestClient, keys: Accounts, address: str, **headers: str) -> Any:
    return client.get(f"/ogc{address}", headers={"X-API-Key": keys.nation, **headers})


def over(tms: str, level: int, lon: float, lat: float) -> str:
    """level/row/column of the tile at a place."""
    columns, _, rows, _ = MATRIX_SETS[tms].limits((lon, lat, lon, lat), level) or (0, 0, 0, 0)
    return f"{level}/{rows}/{columns}"


def positions(body: bytes, layer: str, tms: str, address: str) -> dict[int, tuple[float, float]]:
    """Degrees of the points in a tile, by id."""
    level, row, column = (int(part) for part in address.split("/"))
    west, south, east, north = MATRIX_SETS[tms].bounds(level, column, row)
    found = {}
    decoded = mapbox_vector_tile.decode(body, default_options={"y_coord_down": True})[layer]
    for feature in decoded["features"]:
        x, y = feature["geometry"]["coordinates"]
        found[feature["id"]] = (west + x / 4096 * (east - west), north - y / 4096 * (north - south))
    return found


# ── core ────────────────────────────────────────────────────────────────────────────────────────


def test_core_conformance_success_the_classes_are_listed(get: Get) -> None:
    listed = set(get("/conformance")["conformsTo"])
    tiles = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/"
    names = "core tileset tilesets-list geodata-tilesets dataset-tilesets collections-selection datetime mvt oas30"
    assert {tiles + name for name in names.split()} <= listed
    tms = "http://www.opengis.net/spec/tms/2.0/conf/"
    names = "tilematrixset json-tilematrixset json-tilematrixsetlimits json-tilesetmetadata"
    assert {tms + name for name in names.split()} <= listed


@pytest.mark.parametrize("tms", list(MATRIX_SETS))
def test_core_tc_op_and_success_a_tile_built_from_the_template_holds_what_lies_there(
    client: TestClient, keys: Accounts, get: Get, tms: str
) -> None:
    _, lon, lat = place_of(7)
    link = rels(get(f"/collections/intakes/tiles/{tms}"))["item"][0]
    address = over(tms, 13, lon, lat)
    href = link["href"]
    for name, value in zip(("tileMatrix", "tileRow", "tileCol"), address.split("/"), strict=True):
        href = href.replace(f"{{{name}}}", value)
    answer = tile(client, keys, path(href))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MVT
    at = positions(answer.content, "intakes", tms, address)[7]
    if tms == "WebMercatorQuad":
        at = at[0] / 20037508.342789244 * 180, lat
    span = MATRIX_SETS[tms].degrees(13, 0, 0)
    assert at == pytest.approx((lon, lat), abs=2 * (span[2] - span[0]) / 4096)


def test_core_tc_error_outside_the_matrix_or_the_limits_is_a_400_or_404(status: Status) -> None:
    for address in (
        "0/1/0",
        "0/0/1",
        "1/2/0",
        "99/0/0",
        "x/0/0",
        "0/-1/0",
        "0/0/1e3",
        "5/0/0",
        "14/0/0",
        "٣/0/0",
    ):
        assert status(f"/collections/intakes/tiles/WebMercatorQuad/{address}") in (400, 404), address
    assert status("/collections/regions/tiles/CGCS2000Quad/1/1/0") in (400, 404)
    assert status("/collections/intakes/tiles/NoSuchQuad/0/0/0") == 404
    assert status("/tiles/WebMercatorQuad/0/0/1") in (400, 404)
    assert status("/collections/nothing/tiles/WebMercatorQuad/0/0/0") == 404


def test_core_tc_error_an_empty_tile_within_the_limits_is_a_204(client: TestClient, keys: Accounts) -> None:
    # The register reaches across 180°, so its limits hold the empty sea between.
    answer = tile(
        client, keys, "/collections/intakes/tiles/WebMercatorQuad/" + over("WebMercatorQuad", 10, 10, 20)
    )
    assert answer.status_code == 204
    assert answer.content == b""


def test_core_tc_parameters_are_defined_as_the_standard_says(get: Get) -> None:
    parameters = get("/api")["components"]["parameters"]
    assert (parameters["tileMatrix"]["in"], parameters["tileMatrix"]["schema"]) == (
        "path",
        {"type": "string"},
    )
    for name in ("tileRow", "tileCol"):
        assert parameters[name]["in"] == "path"
        assert parameters[name]["required"] is True
        assert parameters[name]["schema"] == {"type": "integer", "minimum": 0}


# ── tileset metadata, lists, matrix sets ────────────────────────────────────────────────────────


@pytest.mark.parametrize("tms", list(MATRIX_SETS))
@pytest.mark.parametrize("root", ["", *(f"/collections/{layer}" for layer in LAYERS)])
def test_tileset_description_links_scheme_and_tiles(get: Get, root: str, tms: str) -> None:
    body = get(f"{root}/tiles/{tms}")
    found = rels(body)
    assert body["dataType"] == "vector"
    assert body["crs"] == MATRIX_SETS[tms].crs
    assert body.get("tileMatrixSetURI") == MATRIX_SETS[tms].uri
    assert path(found[f"{REL}/tiling-scheme"][0]["href"]).startswith(f"/tileMatrixSets/{tms}")
    assert path(found["self"][0]["href"]).startswith(f"{root}/tiles/{tms}")
    item = found["item"][0]
    assert item["templated"] is True
    assert item["type"] == MVT
    assert "{tileMatrix}/{tileRow}/{tileCol}" in item["href"]


def test_tilesetmetadata_model_layers_say_what_the_tiles_hold(
    client: TestClient, keys: Accounts, get: Get
) -> None:
    body = get("/collections/intakes/tiles/WebMercatorQuad")
    layer = body["layers"][0]
    assert (layer["id"], layer["dataType"], layer["geometryDimension"]) == ("intakes", "vector", 0)
    address = over("WebMercatorQuad", 13, *place_of(7)[1:])
    content = tile(client, keys, f"/collections/intakes/tiles/WebMercatorQuad/{address}").content
    decoded = mapbox_vector_tile.decode(content)["intakes"]["features"]
    assert set(decoded[0]["properties"]) <= set(layer["propertiesSchema"]["properties"])
    corners = body["boundingBox"]["lowerLeft"], body["boundingBox"]["upperRight"]
    assert corners[0][0] <= place_of(7)[1] <= corners[1][0]
    assert corners[0][1] <= place_of(7)[2] <= corners[1][1]


def test_tilematrixsetlimits_model_each_level_once_and_true(get: Get, status: Status) -> None:
    body = get("/collections/regions/tiles/WebMercatorQuad")
    limits = body["tileMatrixSetLimits"]
    levels = [one["tileMatrix"] for one in limits]
    assert len(set(levels)) == len(levels) > 10
    for one in limits:
        assert one["minTileRow"] <= one["maxTileRow"]
        assert one["minTileCol"] <= one["maxTileCol"]
    last = limits[-1]
    root = "/collections/regions/tiles/WebMercatorQuad"
    assert status(f"{root}/{last['tileMatrix']}/{last['minTileRow']}/{last['minTileCol']}") in (200, 204)
    assert status(f"{root}/{last['tileMatrix']}/{last['minTileRow'] - 1}/{last['minTileCol']}") == 404
    assert status(f"{root}/{int(last['tileMatrix']) + 1}/0/0") == 404


def test_tilesetmetadata_identifier_only_registered_sets_have_a_uri(get: Get) -> None:
    uri = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
    assert get("/tiles/WebMercatorQuad")["tileMatrixSetURI"] == uri
    assert "tileMatrixSetURI" not in get("/tiles/CGCS2000Quad")


@pytest.mark.parametrize("root", ["", "/collections/intakes"])
def test_tilesets_list_tileset_path_and_links(get: Get, root: str) -> None:
    body = get(f"{root}/tiles")
    assert len(body["tilesets"]) == len(MATRIX_SETS)
    for one in body["tilesets"]:
        assert one["dataType"] == "vector"
        assert one["crs"]
        found = rels(one)
        assert get(path(found["self"][0]["href"]))["crs"] == one["crs"]
        assert get(path(found[f"{REL}/tiling-scheme"][0]["href"]))["tileMatrices"]


def test_dataset_tilesets_landingpage_and_operation_the_list_is_linked(get: Get) -> None:
    link = rels(get(""))[f"{REL}/tilesets-vector"][0]
    assert re.fullmatch(r"/tiles(\?.*)?", path(link["href"]))
    assert get(path(link["href"]))["tilesets"]


@pytest.mark.parametrize("layer", LAYERS)
def test_geodata_tilesets_desc_links_and_operation_each_collection_links_its_list(
    get: Get, layer: str
) -> None:
    link = rels(get(f"/collections/{layer}"))[f"{REL}/tilesets-vector"][0]
    assert get(path(link["href"]))["tilesets"]


def test_json_tilematrixset_schema_and_model_sets_are_listed_and_told(get: Get) -> None:
    listed = get("/tileMatrixSets")["tileMatrixSets"]
    assert [one["id"] for one in listed] == list(MATRIX_SETS)
    for one in listed:
        body = get(path(rels(one)["self"][0]["href"]))
        assert body["id"] == one["id"]
        for matrix in body["tileMatrices"]:
            required = (
                "id scaleDenominator cellSize pointOfOrigin tileWidth tileHeight matrixHeight matrixWidth"
            )
            assert set(required.split()) <= matrix.keys()
            assert isinstance(matrix["id"], str)


@pytest.mark.parametrize(
    "address", ["/tileMatrixSets", "/tileMatrixSets/WebMercatorQuad", "/tiles", "/tiles/WebMercatorQuad"]
)
def test_json_media_type_documents_are_application_json_and_html_for_browsers(
    client: TestClient, address: str
) -> None:
    answer = client.get(f"/ogc{address}")
    assert answer.headers["content-type"] == "application/json"
    page = client.get(f"/ogc{address}", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text


# ── collections selection, datetime, MVT ────────────────────────────────────────────────────────


def test_collections_selection_response_only_those_named_in_their_order(
    client: TestClient, keys: Accounts, get: Get
) -> None:
    address = over("WebMercatorQuad", 10, *place_of(7)[1:])
    answer = tile(client, keys, f"/tiles/WebMercatorQuad/{address}?collections=intakes,regions")
    assert list(mapbox_vector_tile.decode(answer.content)) == ["intakes", "regions"]
    whole = tile(client, keys, f"/tiles/WebMercatorQuad/{address}")
    assert {"intakes", "regions", "permits", "candidates"} <= set(mapbox_vector_tile.decode(whole.content))
    metadata = get("/tiles/WebMercatorQuad", collections="regions,intakes")
    assert [layer["id"] for layer in metadata["layers"]] == ["regions", "intakes"]
    assert "collections=regions,intakes" in rels(metadata)["item"][0]["href"]


def test_collections_selection_query_collections_addresses_of_collections_are_names_too(
    client: TestClient, keys: Accounts
) -> None:
    address = over("WebMercatorQuad", 10, *place_of(7)[1:])
    uri = "http://map.test/ogc/collections/regions"
    answer = tile(client, keys, f"/tiles/WebMercatorQuad/{address}?collections={uri}")
    assert list(mapbox_vector_tile.decode(answer.content)) == ["regions"]


def test_collections_selection_unknown_or_closed_collections_are_refused(
    client: TestClient, status: Status
) -> None:
    assert status("/tiles/WebMercatorQuad/0/0/0", collections="intakes,nothing") == 400
    assert status("/tiles/WebMercatorQuad/0/0/0", collections="") == 400
    assert client.get("/ogc/tiles/WebMercatorQuad/0/0/0?collections=permits").status_code == 401
    names = [one["id"] for one in client.get("/ogc/tiles/WebMercatorQuad").json()["layers"]]
    assert "permits" not in names
    assert "intakes" in names


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("datetime=2026-06-01T02:30:00Z", {"scene-1"}),
        ("datetime=2026-06-01T00:00:00Z/..", {"scene-1", "scene-2"}),
        ("datetime=../2026-06-01T02:30:00Z", {"scene-0", "scene-1"}),
        ('subset=datetime("2026-06-01T00:00:00Z":"2026-06-30T00:00:00Z")', {"scene-1"}),
        ('subset=datetime(*:"2026-05-30T00:00:00Z")', {"scene-0"}),
    ],
)
def test_datetime_axis_and_response_tiles_hold_what_the_interval_meets(
    client: TestClient, keys: Accounts, query: str, expected: set[str]
) -> None:
    address = over("WebMercatorQuad", 8, 119.5, 32.5)
    answer = tile(client, keys, f"/collections/scenes/tiles/WebMercatorQuad/{address}?{query}")
    found = mapbox_vector_tile.decode(answer.content)["scenes"]["features"]
    # What has no time matches every time (req/collections/rc-datetime-response B).
    assert {one["properties"]["item_id"] for one in found} == expected | {"undated"}


@pytest.mark.parametrize(
    "query",
    [
        "datetime=2020",
        "datetime=x",
        "subset=Lat(1:2)",
        'subset=datetime("x")',
        "subset=datetime(1",
        "datetime=2026-06-01&subset=datetime(*:*)",
    ],
)
def test_datetime_definition_what_is_no_interval_is_a_400(status: Status, query: str) -> None:
    address = over("WebMercatorQuad", 8, 119.5, 32.5)
    assert status(f"/collections/scenes/tiles/WebMercatorQuad/{address}?{query}") == 400


def test_datetime_a_layer_without_time_matches_whole(client: TestClient, keys: Accounts) -> None:
    address = f"/collections/regions/tiles/WebMercatorQuad/{over('WebMercatorQuad', 8, 119.5, 32.5)}"
    assert (
        tile(client, keys, f"{address}?datetime=1900-01-01T00:00:00Z").content
        == tile(client, keys, address).content
    )


def test_mvt_content_is_one_tile_negotiated_by_f_and_accept(
    client: TestClient, keys: Accounts, status: Status
) -> None:
    address = "/collections/regions/tiles/WebMercatorQuad/" + over("WebMercatorQuad", 8, 119.5, 32.5)
    for accept in (
        "*/*",
        MVT,
        "application/x-protobuf",
        "application/octet-stream",
        f"{MVT};q=0.5, text/html;q=0.1",
    ):
        answer = tile(client, keys, address, accept=accept)
        assert answer.headers["content-type"] == MVT
        for feature in mapbox_vector_tile.decode(answer.content)["regions"]["features"]:
            assert feature["geometry"]["type"] in ("Polygon", "MultiPolygon")
    assert tile(client, keys, address, accept="image/png").status_code == 406
    assert status(address, f="png") == 400
    assert status(address, f="mvt") == 200
    assert status(address, unknown="1") == 400


# ── oas30 ───────────────────────────────────────────────────────────────────────────────────────


def test_oas30_completeness_every_tile_resource_is_defined(get: Get) -> None:
    definition = get("/api")
    paths = definition["paths"]
    for root in ("", *(f"/collections/{layer}" for layer in LAYERS)):
        for end in ("", "/{tileMatrixSetId}", "/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}"):
            assert f"{root}/tiles{end}" in paths
    named = {ref["$ref"].rpartition("/")[2] for ref in paths["/tiles/{tileMatrixSetId}"]["get"]["parameters"]}
    assert {"tileMatrixSetId", "collections"} <= named
    for kind, name in re.findall(r"#/components/(\w+)/([\w-]+)", str(definition)):
        assert name in definition["components"][kind]


def test_oas30_operation_id_ends_as_the_table_says(get: Get) -> None:
    operations = {
        path: item["get"]["operationId"] for path, item in get("/api")["paths"].items() if "get" in item
    }
    assert len(set(operations.values())) == len(operations)
    end = "/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}"
    assert operations["/tiles"].endswith(".dataset.vector.getTileSetsList")
    assert operations["/tiles/{tileMatrixSetId}"].endswith(".dataset.vector.getTileSet")
    assert operations[f"/tiles{end}"].endswith(".dataset.vector.getTile")
    assert operations["/collections/intakes/tiles"].endswith(".collection.vector.getTileSetsList")
    assert operations["/collections/intakes/tiles/{tileMatrixSetId}"].endswith(
        ".collection.vector.getTileSet"
    )
    assert operations[f"/collections/intakes/tiles{end}"].endswith(".collection.vector.getTile")


# ── practice ────────────────────────────────────────────────────────────────────────────────────


def test_tiles_are_tagged_compressed_only_on_request_and_answer_head_and_304(
    client: TestClient, keys: Accounts
) -> None:
    address = "/collections/regions/tiles/WebMercatorQuad/" + over("WebMercatorQuad", 8, 119.5, 32.5)
    plain = tile(client, keys, address, **{"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    zipped = tile(client, keys, address, **{"accept-encoding": "gzip"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.content == plain.content
    assert zipped.headers["etag"] != plain.headers["etag"]
    for answer in (plain, zipped):
        again = tile(client, keys, address, **{"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
        assert again.content == b""
        assert answer.headers["cache-control"] == "private, no-cache"
    head = client.head(f"/ogc{address}", headers={"X-API-Key": keys.nation, "accept-encoding": "identity"})
    assert head.headers["content-length"] == str(len(plain.content))
    assert head.content == b""
    assert client.post(f"/ogc{address}").status_code == 405


def test_tiles_are_cut_to_the_jurisdiction(client: TestClient, keys: Accounts) -> None:
    address = "/ogc/collections/intakes/tiles/WebMercatorQuad/"
    inside, outside = (
        over("WebMercatorQuad", 13, *place_of(300)[1:]),
        over("WebMercatorQuad", 13, *place_of(7)[1:]),
    )
    for key, known, found in (
        (keys.nation, outside, 200),
        (keys.county, outside, 404),
        (keys.county, inside, 200),
    ):
        answer = client.get(f"{address}{known}", headers={"X-API-Key": key})
        assert answer.status_code == found, (known, answer.text)


def test_a_key_in_the_address_stays_in_the_template_and_in_tilejson(
    client: TestClient, keys: Accounts
) -> None:
    query = {"api_key": keys.nation}
    metadata = client.get("/ogc/collections/permits/tiles/WebMercatorQuad", params=query).json()
    assert f"api_key={keys.nation}" in rels(metadata)["item"][0]["href"]
    tilejson = client.get(
        "/ogc/collections/permits/tiles/WebMercatorQuad", params={**query, "f": "tilejson"}
    ).json()
    assert f"api_key={keys.nation}" in tilejson["tiles"][0]


def test_tilejson_names_the_layers_of_the_tile(
    client: TestClient, keys: Accounts, get: Get, status: Status
) -> None:
    link = next(
        one
        for one in rels(get("/collections/intakes/tiles/WebMercatorQuad"))["describedby"]
        if "tile+json" in one["type"]
    )
    answer = tile(client, keys, path(link["href"]))
    assert answer.headers["content-type"] == "application/vnd.mapbox.tile+json"
    body = answer.json()
    assert body["tilejson"] == "3.0.0"
    level, row, column = over("WebMercatorQuad", 13, *place_of(7)[1:]).split("/")
    url = body["tiles"][0].replace("{z}", level).replace("{y}", row).replace("{x}", column)
    names = list(mapbox_vector_tile.decode(tile(client, keys, path(url)).content))
    assert names == [layer["id"] for layer in body["vector_layers"]]
    assert status("/tiles/CGCS2000Quad", f="tilejson") == 400


def test_a_tile_of_many_layers_is_one_gzip_body(client: TestClient, keys: Accounts) -> None:
    address = f"/ogc/tiles/WebMercatorQuad/{over('WebMercatorQuad', 10, *place_of(7)[1:])}"
    headers = {"X-API-Key": keys.nation, "accept-encoding": "gzip"}
    with client.stream("GET", address, headers=headers) as answer:
        raw = b"".join(answer.iter_raw())
    assert mapbox_vector_tile.decode(gzip.decompress(raw))


def test_tiles_of_a_layer_are_filtered_and_carry_the_fields_asked_for(
    client: TestClient, keys: Accounts, status: Status
) -> None:
    address = f"/collections/intakes/tiles/WebMercatorQuad/{over('WebMercatorQuad', 10, *place_of(7)[1:])}"
    answer = tile(client, keys, f"{address}?filter=source_type='groundwater'&fields=source_type")
    found = mapbox_vector_tile.decode(answer.content)["intakes"]["features"]
    assert {one["properties"]["source_type"] for one in found} == {"groundwater"}
    assert all(set(one["properties"]) <= {"source_type", "n"} for one in found)
    for bad in (
        "filter=(((",
        "filter=nothing=1",
        "fields=nothing",
        "filter=a=1&filter-lang=x",
        "filter-lang=x",
        "filter-lang=",
    ):
        assert status(f"{address}?{bad}") == 400


# ── a real client ───────────────────────────────────────────────────────────────────────────────


def test_gdal_opens_a_tileset_and_reads_its_features(
    register: tuple[Dsns, Accounts], keys: Accounts, tmp_path: Path
) -> None:
    with served.process(register[0], tmp_path) as (_, address):
        source = f"OGCAPI:{address}/ogc/collections/regions?api_key={keys.nation}"
        frame = pyogrio.read_dataframe(
            source, layer="Zoom level 6", API="TILES", bbox=(119.6, 32.2, 119.7, 32.3)
        )
        assert {"江苏省", "扬州市", "高邮市"} <= set(frame["name"])
        county = frame.set_index("name").loc[["高邮市"]].to_crs("OGC:CRS84")
        assert county.total_bounds[0] == pytest.approx(119.5, abs=0.01)


@pytest.mark.parametrize("layer", ["intakes", "permits", "indicators"])
def test_a_filter_that_overflows_is_refused_not_a_fault(status: Callable[..., int], layer: str) -> None:
    field = "cap_m3" if layer == "indicators" else "annual_volume_m3"
    parameters = {"filter": f"{field} ^ 99999 > 1"}
    assert status(f"/collections/{layer}/tiles/WebMercatorQuad/0/0/0", **parameters) == 400
    # Elsewhere the tile may be empty, or outside the limits of the layer.
    assert status(f"/collections/{layer}/tiles/WebMercatorQuad/14/6612/13605", **parameters) < 500
