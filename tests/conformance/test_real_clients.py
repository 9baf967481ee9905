"""Clients that people use open the service: GDAL (in pyogrio) and OWSLib, by key where a layer is not public."""

from collections.abc import Iterator

import pyogrio
import pytest
from owslib.ogcapi.features import Features

from app.db.engine import Dsns
from tests import served
from tests.served import INTAKES, Accounts, place_of


@pytest.fixture(scope="module")
def address(register: tuple[Dsns, Accounts], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # A process of its own: GDAL holds Python's lock while it waits for an answer.
    with served.process(register[0], tmp_path_factory.mktemp("clients")) as (_, address):
        yield f"{address}/ogc"


def test_gdal_reads_every_feature_page_by_page_at_its_place(address: str, keys: Accounts) -> None:
    source = f"OAPIF:{address}?api_key={keys.nation}"
    frame = pyogrio.read_dataframe(source, layer="intakes", PAGE_SIZE=37)
    assert len(frame) == INTAKES
    assert frame["code"].is_unique
    assert frame.crs.to_epsg() == 4326
    _, lon, lat = place_of(7)
    seventh = frame.set_index("code").loc["QSK-0007"]
    assert (seventh.geometry.x, seventh.geometry.y) == pytest.approx((lon, lat), abs=1e-6)
    assert seventh["name"] == "取水口7"
    assert frame["annual_volume_m3"].dtype == "float64"
    assert frame["county_code"].dtype == "int32"
    scenes = pyogrio.read_dataframe(source, layer="scenes")
    assert str(scenes["acquired_at"].dtype).startswith("datetime64")


def test_gdal_sees_the_public_layers_without_a_key(address: str) -> None:
    layers = {name for name, _ in pyogrio.list_layers(f"OAPIF:{address}")}
    assert {"intakes", "regions", "indicators"} <= layers
    assert "permits" not in layers
    info = pyogrio.read_info(f"OAPIF:{address}", layer="intakes", force_feature_count=True)
    assert info["features"] == INTAKES
    assert "holder_name" not in info["fields"]


def test_owslib_finds_collections_pages_by_offset_and_filters(address: str, keys: Accounts) -> None:
    service = Features(address, headers={"X-API-Key": keys.nation})
    assert {"intakes", "permits", "regions"} <= set(service.feature_collections())
    assert service.api()["openapi"].startswith("3.0")
    first = service.collection_items("intakes", limit=200)
    second = service.collection_items("intakes", limit=200, offset=200)
    found = [feature["id"] for feature in first["features"] + second["features"]]
    assert len(found) == len(set(found)) == INTAKES == first["numberMatched"]
    assert "source_type" in service.collection_queryables("intakes")["properties"]
    wells = service.collection_items("intakes", source_type="groundwater")
    assert wells["numberMatched"] == INTAKES // 4
    one = service.collection_item("intakes", str(found[6]))
    assert one["geometry"]["coordinates"] == pytest.approx(place_of(7)[1:], abs=1e-6)
