"""Pages that were sent are sent again, and answered by 304, until something in them changes: exactly until then."""

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from fastapi.testclient import TestClient

from app.actor import Jurisdiction, Role
from app.db.engine import Dsns
from app.ogc.store import Store
from layers import catalog
from tests import served
from tiles import publish

ITEMS = "/ogc/collections/intakes/items"
GAOYOU, GUANGLING = "bbox=119.7,32.1,119.9,32.5", "bbox=119.0,32.0,119.3,33.0"
"""Boxes in 321084 and 321002."""


@pytest.fixture(scope="module")
def ground(new_database: Callable[[], Dsns]) -> tuple[Dsns, dict[str, str]]:
    """A register of its own, for it is changed; and keys by account."""
    dsns = new_database()
    served.fill(dsns)
    return dsns, served.keys_of(
        dsns,
        ("nation", Role.OFFICER, Jurisdiction.nation()),
        ("gaoyou", Role.OFFICER, Jurisdiction.of_region("321084")),
    )


@pytest.fixture(scope="module")
def web(
    ground: tuple[Dsns, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    with served.serving(ground[0], tmp_path_factory.mktemp("kept")) as client:
        yield client


@pytest.fixture
def read() -> Iterator[list[str]]:
    """The layers of which pages were read from the database."""
    found: list[str] = []
    page = Store.page

    async def counted(self: Store, layer: Any, *given: Any, **named: Any) -> Any:
        found.append(layer.id)
        return await page(self, layer, *given, **named)

    with patch.object(Store, "page", counted):
        yield found


@pytest.fixture
def ask(web: TestClient, ground: tuple[Dsns, dict[str, str]]) -> Callable[..., Any]:
    def get(
        query: str, who: str | None = "nation", tag: str = "", layer: str = "intakes", **headers: str
    ) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named |= {"X-API-Key": ground[1][who]} if who else {}
        named |= {"If-None-Match": tag} if tag else {}
        return web.get(f"/ogc/collections/{layer}/items?{query}", headers=named)

    return get


def change(dsns: Dsns, code: str, what: str) -> None:
    """Another process changes an intake: its fact, and what the map shows of it."""
    with psycopg.connect(dsns.service) as connection:
        connection.execute(
            "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)"
        )
        row = connection.execute(
            f"update shuitu.intakes set {what} where code = %s returning id".encode(), (code,)
        ).fetchone()
        assert row
        publish.features(connection, catalog.load()["intakes"], [row[0]])


def test_a_page_is_read_once_however_often_it_is_asked_for(ask: Callable[..., Any], read: list[str]) -> None:
    query = f"{GAOYOU}&limit=7"
    first = ask(query)
    again, known, plain = (
        ask(query),
        ask(query, tag=first.headers["etag"]),
        ask(query, Accept_Encoding="identity"),
    )
    assert read == ["intakes"]
    assert (again.status_code, known.status_code, known.content) == (200, 304, b"")
    assert again.content == plain.content == first.content
    assert again.headers["etag"] == first.headers["etag"] == known.headers["etag"]
    for header in ("content-type", "content-crs", "link", "vary", "cache-control"):
        assert again.headers[header] == first.headers[header]


@pytest.mark.parametrize("who", ["nation", "gaoyou", None])
def test_a_change_is_in_the_very_next_answer(
    ask: Callable[..., Any], ground: tuple[Dsns, dict[str, str]], who: str | None
) -> None:

    def shown(answer: Any) -> Any:
        """QSK-0281, wherever on the page."""
        return next(one for one in answer.json()["features"] if one["id"] == 281)["properties"]

    query, of_permits = f"{GAOYOU}&limit=50", "limit=5&sortby=permit_no"
    before = ask(query, who)
    assert ask(query, who, before.headers["etag"]).status_code == 304
    # Of what each sees; the public sees no more than the state.
    state = "sealed" if shown(before)["status"] != "sealed" else "in_use"
    change(ground[0], "QSK-0281", f"status = '{state}'")
    after = ask(query, who, before.headers["etag"])
    assert after.status_code == 200
    assert shown(after)["status"] == state
    assert ask(query, who, after.headers["etag"]).status_code == 304
    if who:
        change(ground[0], "QSK-0281", f"place = 'a place that no map table holds {who}'")
        assert ask(query, who, after.headers["etag"]).status_code == 200
        assert ask(of_permits, who, layer="permits").status_code == 200


def test_a_change_elsewhere_leaves_the_page_as_it_is(
    ask: Callable[..., Any], ground: tuple[Dsns, dict[str, str]], read: list[str]
) -> None:
    query = f"{GAOYOU}&limit=9"
    tag = ask(query).headers["etag"]
    change(ground[0], "QSK-0001", "status = 'sealed'")
    assert ask(query, tag=tag).status_code == 304
    assert read == ["intakes"]


def test_a_feature_that_moves_changes_the_pages_it_leaves_and_enters(
    ask: Callable[..., Any], ground: tuple[Dsns, dict[str, str]]
) -> None:
    left, entered = ask(GAOYOU).headers["etag"], ask(GUANGLING).headers["etag"]
    change(ground[0], "QSK-0282", "geom = 'SRID=4490;POINT(119.1 32.4)', county_code = 321002")
    assert ask(GAOYOU, tag=left).status_code == 200
    assert ask(GUANGLING, tag=entered).status_code == 200


def test_what_a_change_leaves_equal_keeps_its_tag(
    ask: Callable[..., Any], ground: tuple[Dsns, dict[str, str]], read: list[str]
) -> None:
    """The public page is read anew after a change of what it does not show, and found to be the same."""
    query = f"{GAOYOU}&limit=11"
    before = ask(query, None)
    change(ground[0], "QSK-0285", "holder_name = '另一家'")
    after = ask(query, None, before.headers["etag"])
    assert (after.status_code, read) == (304, ["intakes", "intakes"])


def test_everyone_has_pages_of_their_own(ask: Callable[..., Any]) -> None:
    query = "bbox=119,31,121,34&limit=1000"
    found = {who: ask(query, who) for who in ("nation", "gaoyou", None) for _ in range(2)}
    counts = {who: len(answer.json()["features"]) for who, answer in found.items()}
    assert counts["gaoyou"] < counts["nation"] == counts[None]
    assert len({answer.headers["etag"] for answer in found.values()}) == 3
    assert ask(query, "gaoyou", found["nation"].headers["etag"]).status_code == 200


def test_links_are_those_of_the_address_that_was_asked(ask: Callable[..., Any]) -> None:
    query = f"{GAOYOU}&limit=2"
    for host in ("a.example", "b.example", "a.example"):
        body = ask(query, X_Forwarded_Host=host, X_Forwarded_Proto="https").json()
        assert all(link["href"].startswith(f"https://{host}/ogc/") for link in body["links"])


def test_the_page_asked_for_longest_ago_makes_room(
    ask: Callable[..., Any], read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ogc.kept.MOST", 3)
    for limit in (21, 22, 23, 24):
        ask(f"{GAOYOU}&limit={limit}")
    assert ask(f"{GAOYOU}&limit=24").status_code == 200
    assert len(read) == 4
    ask(f"{GAOYOU}&limit=21")
    assert len(read) == 5
