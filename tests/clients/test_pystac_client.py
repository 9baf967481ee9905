"""pystac-client opens the catalogue of scenes."""

import pystac_client
import pytest

from tests.clients.conftest import Service

ITEMS = {"scene-0", "scene-1", "scene-2"}


@pytest.fixture(scope="module")
def catalogue(service: Service) -> pystac_client.Client:
    return pystac_client.Client.open(f"{service.address}/stac", headers={"X-API-Key": service.keys.nation})


def test_it_may_search_and_knows_the_collections(catalogue: pystac_client.Client) -> None:
    assert catalogue.conforms_to("ITEM_SEARCH")
    assert [one.id for one in catalogue.get_collections()]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_pages_through_a_search_without_doubles(catalogue: pystac_client.Client, method: str) -> None:
    found = [item.id for item in catalogue.search(method=method, bbox=[118, 31, 121, 34], limit=1).items()]
    assert len(found) == len(set(found))
    assert set(found) >= ITEMS


def test_time_and_place_are_asked_of_the_server(catalogue: pystac_client.Client) -> None:
    late = catalogue.search(datetime="2026-06-15/..", bbox=[119.2, 32.2, 119.3, 32.3])
    found = {item.id: item for item in late.items()}
    assert "scene-2" in found and not {"scene-0", "scene-1"} & found.keys()
    assert found["scene-2"].datetime is not None
    assert found["scene-2"].datetime.isoformat() == "2026-07-01T02:30:00+00:00"
    assert found["scene-2"].bbox == pytest.approx([119, 32, 120, 33])
    assert not list(catalogue.search(bbox=[10, 10, 11, 11]).items())
