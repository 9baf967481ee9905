"""Pages from sheets are the pages that are read one by one, byte for byte, and a change shows at once and after its folding."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from fastapi.testclient import TestClient

from app.db.engine import Dsns
from app.maps.publishing import publish_counties, publish_features
from app.ogc import sheeted
from app.ogc.kept import Pages
from layers import catalog
from layers.crs import CRS84_URI
from tests import served
from tests.served import Accounts
from tiles import fold, publish

ITEMS = "/ogc/collections/intakes/items"
WIDE, NARROW, COUNTY = "118.9,31,121,33.5", "119.0,32.0,119.3,33.0", "119.4,32.1,119.9,32.5"
NATION = "select set_config('app.scope_lo', '0', false), set_config('app.scope_hi', '1000000', false)"
FACTS = """
update shuitu.intakes set
  name = case id % 11 when 0 then '' when 1 then e'一\\n"\\x07二' else name end, water_body = case when id % 3 = 0 then '京杭运河"\\/' else '' end,
  off_stream = id % 3 = 0, started_on = case when id % 5 = 0 then date '1998-05-01' end,
  aquifer_layer = case when id % 4 = 0 then 'shallow' end, place = case when id % 6 = 0 then '送桥镇' else '' end"""


@pytest.fixture(scope="module")
def own(
    new_database: Callable[[], Dsns], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TestClient, Accounts, Dsns]]:
    """A register of its own that has every kind of value, for it is changed."""
    dsns = new_database()
    served.fill(dsns)
    with psycopg.connect(dsns.service) as connection:
        connection.execute(NATION)
        connection.execute(FACTS.encode())
        publish.rebuild(connection, catalog.load()["intakes"])
    with served.serving(dsns, tmp_path_factory.mktemp("sheets")) as client:
        yield client, served.accounts(dsns), dsns


@contextmanager
def watched() -> Iterator[list[bool]]:
    """Of each page that could come from sheets: did it?"""
    found: list[bool] = []
    read = sheeted.found

    def told(*given: Any) -> Any:
        made = read(*given)
        found.append(made is not None)
        return made

    with patch.object(sheeted, "found", told):
        yield found


def both(client: TestClient, key: str, query: str) -> tuple[Any, Any, list[bool]]:
    """The page as it comes, and read one by one."""
    answers = []
    with watched() as used, patch.object(Pages, "unchanged", not_kept):
        for applies in (sheeted.applies, lambda *given: False):
            with patch.object(sheeted, "applies", applies):
                answer = client.get(f"{ITEMS}?{query}", headers={"X-API-Key": key})
            assert answer.status_code == 200, answer.text
            answers.append(answer.content)
    return answers[0], answers[1], used


async def not_kept(*given: Any) -> None:
    """Every page is made."""


@pytest.mark.parametrize(
    "query",
    [
        f"bbox={WIDE}&limit=1000", f"bbox={WIDE}&limit=7", f"bbox={NARROW}&limit=100&properties=code,annual_volume_m3,off_stream",
        f"bbox={WIDE}&limit=50&skipGeometry=true&properties=published_on,permit_no", f"bbox={WIDE}&limit=1000&f=jsonfg",
        f"bbox={WIDE}&limit=9&crs=http://www.opengis.net/def/crs/EPSG/0/4490", f"bbox={WIDE}&crs={CRS84_URI}&limit=3",
        "bbox=0,0,1,1&limit=5", "bbox=-180,-90,180,90&limit=200", f"bbox={WIDE}&limit=20&properties=county_code",
    ],
)  # fmt: skip
def test_pages_are_equal_byte_for_byte(own: tuple[TestClient, Accounts, Dsns], query: str) -> None:
    client, keys, _ = own
    mine, reference, used = both(client, keys.nation, query)
    assert mine == reference
    assert used == [True]


def test_all_are_counted_also_where_the_page_ends_before_them(
    own: tuple[TestClient, Accounts, Dsns],
) -> None:
    """With edges just at positions, which lie in the box."""
    client, keys, dsns = own
    with psycopg.connect(dsns.service) as connection:
        connection.execute(NATION)
        places = connection.execute(
            "select st_x(geom), st_y(geom) from shuitu.intakes order by id"
        ).fetchall()
    for (west, south), (east, north) in itertools.combinations(places[::97], 2):
        box = min(west, east), min(south, north), max(west, east), max(south, north)
        mine, reference, used = both(client, keys.nation, f"bbox={','.join(map(str, box))}&limit=1")
        assert mine == reference
        assert used == [True]
        lying = sum(box[0] <= x <= box[2] and box[1] <= y <= box[3] for x, y in places)
        assert json.loads(mine)["numberMatched"] == lying >= 2


@pytest.mark.parametrize(
    "query", [f"bbox={COUNTY}&limit=4", f"bbox={COUNTY}&limit=100", f"bbox={NARROW}&limit=300"]
)
def test_a_jurisdiction_sees_its_own_only(own: tuple[TestClient, Accounts, Dsns], query: str) -> None:
    client, keys, _ = own
    for key in (keys.county, keys.prefecture):
        mine, reference, used = both(client, key, query)
        assert mine == reference
        assert used == [True]
    assert b'"county_code":321002' not in both(client, keys.county, query)[0]


def test_a_projected_page_is_read_one_by_one(own: tuple[TestClient, Accounts, Dsns]) -> None:
    client, keys, _ = own
    query = f"bbox={WIDE}&limit=9&crs=http://www.opengis.net/def/crs/EPSG/0/3857"
    assert both(client, keys.nation, query)[2] == []


@pytest.mark.parametrize(
    "change",
    [
        "update shuitu.intakes set holder_name = '改名' where id = 5",  # the map table does not hold it
        "update shuitu.intakes set place = 'x', permit_state = 'pending', annual_volume_m3 = 16777217.25 where id = 6",
        "update shuitu.intakes set geom = st_setsrid(st_makepoint(119.123456789, 32.5), 4490) where id = 7",
        "update shuitu.intakes set geom = st_translate(geom, 0.001, 0) where id = 8",
    ],
)
def test_a_change_shows_at_once_and_after_its_folding(
    own: tuple[TestClient, Accounts, Dsns], change: str
) -> None:
    client, keys, dsns = own
    query = f"bbox={WIDE}&limit=1000"
    before = both(client, keys.nation, query)[0]
    intake = int(change.rsplit(" ", 1)[1])
    with psycopg.connect(dsns.service) as connection:
        connection.execute(NATION)
        connection.execute(change.encode())
        publish_features(connection, "intakes", [intake])
    waiting, reference, used = both(client, keys.nation, query)
    assert waiting == reference != before
    assert used == [False]
    with psycopg.connect(dsns.service) as connection:
        connection.execute(NATION)
        fold.fold(connection, catalog.load()["intakes"])
    folded, _, used = both(client, keys.nation, query)
    assert folded == waiting
    assert used == [True]


def test_a_county_written_anew_shows(own: tuple[TestClient, Accounts, Dsns]) -> None:
    client, keys, dsns = own
    with psycopg.connect(dsns.service) as connection:
        connection.execute(NATION)
        connection.execute("update shuitu.intakes set place = '新址' where county_code = 321084")
        connection.execute("delete from shuitu.intakes where id = 300")
        publish_counties(connection, "intakes", [321084])
    mine, reference, used = both(client, keys.nation, f"bbox={WIDE}&limit=1000")
    assert mine == reference
    assert used == [True]
    assert mine.count("新址".encode()) == 29


def test_sheets_of_another_declaration_are_not_read_and_written_anew(
    own: tuple[TestClient, Accounts, Dsns],
) -> None:
    client, keys, dsns = own
    query = f"bbox={WIDE}&limit=1000"
    with psycopg.connect(dsns.service) as connection:
        connection.execute(NATION)
        connection.execute("update map.published set sheets = null where layer = 'intakes'")
        connection.execute("delete from map.intake_sheets")
    mine, reference, used = both(client, keys.nation, query)
    assert mine == reference
    assert used == [False]
    with psycopg.connect(dsns.service) as connection:
        connection.execute(NATION)
        publish.rewrite_sheets(connection, catalog.load()["intakes"])
    again, _, used = both(client, keys.nation, query)
    assert again == mine
    assert used == [True]
