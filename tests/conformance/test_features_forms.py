"""Features in every form, read back by the libraries that people use."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import pyarrow.parquet as pq
import pyogrio
import pytest
from fastapi.testclient import TestClient

from layers import catalog
from layers.crs import EPSG
from tests.served import INTAKES, Accounts, place_of, rels

Get = Callable[..., Any]
ITEMS = "/ogc/collections/intakes/items"
MEDIA = {
    "fgb": "application/flatgeobuf",
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
}
ZONE = f"{EPSG}4549"


@pytest.fixture
def read(client: TestClient, keys: Accounts, tmp_path: Path) -> Callable[..., Any]:
    """A collection in a binary form as a data frame, read from a file."""

    def ask(layer: str, f: str, **parameters: object) -> Any:
        answer = client.get(
            f"/ogc/collections/{layer}/items",
            params={"f": f, **parameters},
            headers={"X-API-Key": keys.nation},
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == MEDIA[f]
        path = tmp_path / f"{layer}.{f}"
        path.write_bytes(answer.content)
        return geopandas.read_parquet(path) if f == "parquet" else pyogrio.read_dataframe(path)

    return ask


@pytest.mark.parametrize("f", ["fgb", "parquet"])
@pytest.mark.parametrize("limit", [1000, 100_000])
def test_binary_forms_hold_what_geojson_holds(read: Callable[..., Any], get: Get, f: str, limit: int) -> None:
    for layer in ("intakes", "permits", "regions", "scenes", "candidates", "hydro_lines", "basins"):
        features = get(f"/collections/{layer}/items", limit=1000)["features"]
        frame = read(layer, f, limit=limit)
        assert list(frame["id"]) == [one["id"] for one in features]
        assert [name for name in frame.columns if name not in ("id", "geometry")] == [
            field.name for field in catalog.load()[layer].fields
        ]
        for row, one in zip(frame.itertuples(), features, strict=True):
            expected = one["geometry"]["coordinates"]
            while isinstance(expected[0], list):
                expected = expected[0]
            assert row.geometry.distance(geopandas.points_from_xy([expected[0]], [expected[1]])[0]) < 1e-6
            for name, value in one["properties"].items():
                got = getattr(row, name)
                if value is None:
                    assert got is None or got != got or str(got) == "NaT"
                elif isinstance(value, str) and value[:4].isdigit() and value[4] == "-":
                    assert str(got)[:10] == value[:10]
                else:
                    assert got == value


def test_csv_is_read_by_spreadsheets_and_programs(client: TestClient, keys: Accounts) -> None:
    answer = client.get(ITEMS, params={"f": "csv", "limit": 1000}, headers={"X-API-Key": keys.nation})
    assert answer.content.startswith(b"\xef\xbb\xbfid,code,name,")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == INTAKES
    seventh = rows[6]
    assert (seventh["code"], seventh["name"], seventh["annual_volume_m3"], seventh["off_stream"]) == (
        "QSK-0007",
        "取水口7",
        "",
        "true",
    )
    _, lon, lat = place_of(7)
    assert (float(seventh["longitude"]), float(seventh["latitude"])) == (
        pytest.approx(lon, abs=1e-7),
        pytest.approx(lat, abs=1e-7),
    )
    assert rows[1]["holder_name"] == "苏水 & <b>公司</b>"
    scenes = client.get(
        "/ogc/collections/scenes/items", params={"f": "csv"}, headers={"X-API-Key": keys.nation}
    ).text
    assert "2026-05-01T02:30:00+00:00" in scenes
    assert "POLYGON((119 32" in scenes


def test_tables_follow_the_same_questions_as_json(read: Callable[..., Any], get: Get) -> None:
    asked = {
        "filter": "source_type = 'groundwater'",
        "sortby": "-annual_volume_m3",
        "properties": "code,annual_volume_m3",
        "limit": 11,
    }
    expected = [f["properties"]["code"] for f in get("/collections/intakes/items", **asked)["features"]]
    for f in ("fgb", "parquet"):
        frame = read("intakes", f, **asked)
        assert list(frame["code"]) == expected
        assert set(frame.columns) == {"id", "code", "annual_volume_m3", "geometry"}


def test_tables_in_another_system_have_x_before_y_and_say_which(read: Callable[..., Any]) -> None:
    for f in ("fgb", "parquet"):
        frame = read("regions", f, crs=ZONE)
        assert frame.crs.to_epsg() == 4549
        west, south, east, north = frame.total_bounds
        assert 300_000 < west < east < 700_000
        assert 3_000_000 < south < north < 4_000_000
        assert read("regions", f).crs.to_string() in ("OGC:CRS84", "EPSG:4326")


def test_geoparquet_tells_its_geometry_and_row_groups(
    client: TestClient, keys: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ogc.downloads.BLOCK_ROWS", 100)
    answer = client.get(ITEMS, params={"f": "parquet", "limit": 50_000}, headers={"X-API-Key": keys.nation})
    file = pq.ParquetFile(io.BytesIO(answer.content))
    assert file.metadata.num_row_groups == 4
    geo = json.loads(file.schema_arrow.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["columns"][geo["primary_column"]] == {"encoding": "WKB", "geometry_types": ["Point"]}


def test_flatgeobuf_of_many_blocks_is_one_file(
    client: TestClient, keys: Accounts, monkeypatch: pytest.MonkeyPatch, read: Callable[..., Any]
) -> None:
    monkeypatch.setattr("app.ogc.downloads.BLOCK_ROWS", 50)
    assert list(read("intakes", "fgb", limit=20_000)["code"]) == [
        f"QSK-{i:04}" for i in range(1, INTAKES + 1)
    ]


def test_tables_page_by_the_link_header(client: TestClient, keys: Accounts) -> None:
    address, codes = f"{ITEMS}?f=csv&limit=100&sortby=-code", []
    while address:
        answer = client.get(address, headers={"X-API-Key": keys.nation})
        codes += [row["code"] for row in csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))]
        address = answer.links.get("next", {}).get("url")
    assert codes == [f"QSK-{i:04}" for i in range(INTAKES, 0, -1)]
    streamed = client.get(f"{ITEMS}?f=csv&limit=50000", headers={"X-API-Key": keys.nation})
    assert "next" not in streamed.links
    assert "etag" not in streamed.headers
    assert 'filename="intakes.csv"' in streamed.headers["content-disposition"]


def test_a_page_as_a_table_has_a_tag_and_a_head(client: TestClient) -> None:
    for f in MEDIA:
        first = client.get(ITEMS, params={"f": f})
        again = client.get(ITEMS, params={"f": f}, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = client.head(ITEMS, params={"f": f})
        assert (head.headers["content-length"], head.content) == (first.headers["content-length"], b"")
        assert client.head(ITEMS, params={"f": f, "limit": 50_000}).status_code == 200


def test_downloads_see_what_their_viewer_sees(client: TestClient, keys: Accounts) -> None:
    for limit in (1000, 50_000):
        text = client.get(ITEMS, params={"f": "csv", "limit": limit}).text
        assert text.startswith("\ufeffid,source_type,permit_state,status,county_code,longitude,latitude\n")
        assert "公司" not in text
        county = client.get(
            ITEMS, params={"f": "csv", "limit": limit}, headers={"X-API-Key": keys.county}
        ).text
        assert county.count("\n") == 31
    assert client.get("/ogc/collections/permits/items", params={"f": "csv"}).status_code == 401


def test_an_empty_answer_is_a_file_of_its_form(read: Callable[..., Any]) -> None:
    for f in ("fgb", "parquet"):
        frame = read("intakes", f, filter="false")
        assert len(frame) == 0
        assert "code" in frame.columns


def test_too_many_downloads_are_told_to_come_back(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ogc.downloads.AT_ONCE", 0)
    answer = client.get(ITEMS, params={"f": "csv", "limit": 50_000})
    assert answer.status_code == 503
    monkeypatch.undo()
    for _ in range(4):
        assert client.get(ITEMS, params={"f": "csv", "limit": 50_000}).status_code == 200


def test_negotiation_by_media_type_reaches_every_form(client: TestClient) -> None:
    for media in (
        "application/flatgeobuf",
        "application/vnd.apache.parquet",
        "text/csv",
        "application/vnd.ogc.fg+json",
    ):
        answer = client.get(ITEMS, headers={"Accept": f"{media}, */*;q=0.1"})
        assert answer.headers["content-type"].startswith(media)
    assert client.get(f"{ITEMS}/1", params={"f": "csv"}).status_code == 400


def test_json_fg_has_time_place_and_reference_system(get: Get) -> None:
    body = get("/collections/scenes/items", f="jsonfg")
    assert body["conformsTo"] == [
        f"http://www.opengis.net/spec/json-fg-1/1.0/conf/{name}" for name in ("core", "types-schemas")
    ]
    assert (body["featureType"], body["coordRefSys"]) == (
        "scenes",
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
    )
    first = body["features"][0]
    assert first["time"] == {"timestamp": "2026-05-01T02:30:00.000000Z"}
    assert first["place"] is None
    assert first["geometry"]["type"] == "Polygon"
    assert body["features"][3]["time"] is None
    assert not any("conformsTo" in one or "coordRefSys" in one for one in body["features"])
    permit = get("/collections/permits/items/1", f="jsonfg", crs=f"{EPSG}4490")
    assert permit["time"] == {"interval": ["2021-01-02", "2030-12-31"]}
    assert permit["geometry"] is None
    _, lon, lat = place_of(1)
    assert permit["place"]["coordinates"] == pytest.approx([lat, lon], abs=2e-7)
    assert permit["featureType"] == "permits"
    assert rels(permit)["self"][0]["type"] == "application/vnd.ogc.fg+json"
