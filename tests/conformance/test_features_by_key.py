"""Pages of a box come in the order of the map table's keys: complete, each feature once, and exact at the edges."""

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from fastapi.testclient import TestClient

from app.db.engine import Dsns
from app.ogc import keyed, sheeted
from app.ogc.kept import Pages
from app.ogc.negotiate import TABLES
from tests import served
from tests.served import INTAKES, Accounts

ITEMS = "/ogc/collections/intakes/items"
WIDE, NARROW = "118.9,31,121,33.5", "119.0,32.0,119.3,33.0"


@pytest.fixture
def by_key() -> Iterator[list[str]]:
    """The layers of which pages were read in the order of keys, one by one or from sheets."""
    found: list[str] = []
    page, sheets = keyed.page, sheeted.found

    def counted(layer: Any, *given: Any) -> Any:
        found.append(layer.id)
        return page(layer, *given)

    def counted_too(layer: Any, *given: Any) -> Any:
        made = sheets(layer, *given)
        found.extend([layer.id] if made is not None else [])
        return made

    with patch.object(keyed, "page", counted), patch.object(sheeted, "found", counted_too):
        yield found


@pytest.fixture(params=["from sheets", "one by one"])
def either_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Pages as they are read while nothing waits to be folded, and as otherwise."""
    if request.param == "from sheets":
        yield
        return

    async def not_kept(*given: Any) -> None: ...

    with patch.object(sheeted, "applies", lambda *given: False), patch.object(Pages, "unchanged", not_kept):
        yield


def pages(client: TestClient, key: str, address: str) -> list[dict[str, Any]]:
    found = []
    while address:
        answer = client.get(address, headers={"X-API-Key": key})
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        address = next((link["href"] for link in found[-1]["links"] if link["rel"] == "next"), "")
    return found


def ids(bodies: list[dict[str, Any]]) -> list[int]:
    return [feature["id"] for body in bodies for feature in body["features"]]


@pytest.mark.parametrize("box", [WIDE, NARROW, "-180,-90,180,90"])
@pytest.mark.parametrize("limit", [1, 7, 50, 1000])
def test_next_links_lead_through_every_feature_of_a_box_once(
    client: TestClient, keys: Accounts, either_way: None, by_key: list[str], box: str, limit: int
) -> None:
    west, south, east, north = map(float, box.split(","))
    expected = {
        i
        for i in range(1, INTAKES + 1)
        for _, lon, lat in [served.place_of(i)]
        if west <= lon <= east and south <= lat <= north
    }
    found = pages(client, keys.nation, f"{ITEMS}?bbox={box}&limit={limit}")
    assert set(ids(found)) == expected
    assert len(ids(found)) == len(expected)
    assert found[0]["numberMatched"] == len(expected)
    assert by_key
    assert set(by_key) == {"intakes"}


def test_offsets_lead_through_the_same_order(client: TestClient, keys: Accounts) -> None:
    whole = ids(pages(client, keys.nation, f"{ITEMS}?bbox={WIDE}&limit=1000"))
    for start in range(0, len(whole) + 40, 40):
        (body,) = pages(client, keys.nation, f"{ITEMS}?bbox={WIDE}&limit=40&offset={start}")[:1]
        assert ids([body]) == whole[start : start + 40]
        assert body["numberMatched"] == len(whole)


def test_every_form_goes_on_from_a_cursor_or_is_not_offered_there(client: TestClient, keys: Accounts) -> None:
    officer = {"X-API-Key": keys.nation}
    first = client.get(f"{ITEMS}?bbox={WIDE}&limit=5", headers=officer).json()
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    second = client.get(following, headers=officer).json()
    others = [link for link in second["links"] if link["rel"] == "alternate"]
    assert others
    for link in others:
        assert link["type"] not in TABLES
        assert client.get(link["href"], headers=officer).status_code == 200


def test_a_box_is_exact_to_the_digit_that_is_stored(
    client: TestClient, keys: Accounts, either_way: None
) -> None:
    _, lon, lat = served.place_of(1)
    step = 1e-8  # a millimetre: finer than the map table
    for box, found in (
        ((lon, lat, lon, lat), [1]),
        ((lon - step, lat - step, lon + step, lat + step), [1]),
        ((lon + step, lat - step, lon + 2 * step, lat + step), []),
        ((lon - step, lat - 2 * step, lon + step, lat - step), []),
    ):
        (body,) = pages(client, keys.nation, f"{ITEMS}?bbox={','.join(repr(edge) for edge in box)}")
        assert ids([body]) == found
        assert body["numberMatched"] == len(found)


def test_what_is_only_near_the_box_ends_no_page(client: TestClient, keys: Accounts, either_way: None) -> None:
    """The box begins a millimetre beyond the first feature that the map table finds: others follow."""
    _, lon, _ = served.place_of(1)
    box = f"{lon + 1e-8!r},31,121,33.5"
    found = pages(client, keys.nation, f"{ITEMS}?bbox={box}&limit=1")
    assert 1 not in ids(found)
    assert len(ids(found)) == len(set(ids(found))) == found[0]["numberMatched"]
    assert ids(found) == [
        i for i in ids(pages(client, keys.nation, f"{ITEMS}?bbox={WIDE}&limit=400")) if i != 1
    ]


def test_narrower_viewers_read_small_boxes_so_and_see_their_own_only(
    client: TestClient, keys: Accounts, by_key: list[str]
) -> None:
    found = pages(client, keys.county, f"{ITEMS}?bbox=119.4,32.1,119.9,32.5&limit=4")
    assert sorted(ids(found)) == [i for i in range(281, 311) if served.place_of(i)[2] <= 32.5]
    assert by_key
    by_key.clear()
    assert len(ids(pages(client, keys.county, f"{ITEMS}?bbox={WIDE}&limit=7"))) == 30
    assert not by_key


@pytest.mark.parametrize(
    "query",
    [
        "after=k5.7", f"bbox={WIDE}&after=k5.7&sortby=code", f"bbox={WIDE}&after=k5.7&name=x", f"bbox={WIDE}&after=k5.7&f=csv",
        f"bbox={WIDE}&after=k99999999999999999999.1", f"bbox={WIDE}&after=k-1.2", f"bbox={WIDE}&after=k1", f"bbox={WIDE}&after=k9999999999999999999.1",
        "bbox=170,0,-170,20&after=k5.7", f"bbox={WIDE}&after=k5.7&filter=status='in_use'",
    ],
)  # fmt: skip
def test_a_cursor_of_another_order_is_refused(status: Callable[..., int], query: str) -> None:
    assert status(f"/collections/intakes/items?{query}") == 400


def test_other_layers_and_the_public_keep_their_order(
    client: TestClient, keys: Accounts, by_key: list[str]
) -> None:
    assert client.get(f"{ITEMS}?bbox={WIDE}").json()["features"]
    for layer in ("regions", "candidates"):
        answer = client.get(f"/ogc/collections/{layer}/items?bbox={WIDE}", headers={"X-API-Key": keys.nation})
        assert answer.status_code == 200
    assert not by_key
    permits = pages(client, keys.nation, f"/ogc/collections/permits/items?bbox={WIDE}&limit=7")
    assert len(set(ids(permits))) == len(ids(permits)) == permits[0]["numberMatched"] == 40
    assert by_key


def test_a_map_table_that_is_not_written_yet_hides_nothing(
    new_database: Callable[[], Dsns], tmp_path_factory: pytest.TempPathFactory
) -> None:
    dsns = new_database()
    served.fill(dsns)
    accounts = served.accounts(dsns)
    with psycopg.connect(dsns.owner) as connection:  # as an upgrade does that changes what is published
        connection.execute("truncate map.intake_points")
        connection.execute("delete from map.published where layer = 'intakes'")
    with served.serving(dsns, tmp_path_factory.mktemp("unpublished")) as client:
        found = pages(client, accounts.nation, f"{ITEMS}?bbox={NARROW}&limit=100")
    assert len(ids(found)) == len(set(ids(found))) == 280
