"""OWSLib opens the service."""

import owslib.ogcapi
import pytest
from owslib.ogcapi.features import Features

from tests.clients.conftest import Service
from tests.served import INTAKES, place_of


def test_it_finds_collections_pages_by_offset_and_filters(service: Service) -> None:
    opened = Features(service.ogc, headers={"X-API-Key": service.keys.nation})
    assert {"intakes", "permits", "regions"} <= set(opened.feature_collections())
    assert opened.api()["openapi"].startswith("3.0")
    first = opened.collection_items("intakes", limit=200)
    second = opened.collection_items("intakes", limit=200, offset=200)
    found = [feature["id"] for feature in first["features"] + second["features"]]
    assert len(found) == len(set(found)) == INTAKES == first["numberMatched"]
    assert "source_type" in opened.collection_queryables("intakes")["properties"]
    wells = opened.collection_items("intakes", source_type="groundwater")
    assert wells["numberMatched"] == INTAKES // 4
    one = opened.collection_item("intakes", str(found[6]))
    assert one["geometry"]["coordinates"] == pytest.approx(place_of(7)[1:], abs=1e-6)


def test_it_sees_public_fields_without_a_key(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    # It keeps the headers that it was ever given for the whole process, in one dictionary.
    monkeypatch.delitem(owslib.ogcapi.REQUEST_HEADERS, "X-API-Key", raising=False)
    opened = Features(service.ogc)
    assert "permits" not in opened.feature_collections()
    assert "holder_name" not in opened.collection_queryables("intakes")["properties"]
