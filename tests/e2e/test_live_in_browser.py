"""An open map follows the facts by itself: one change, a storm of them, a lost connection."""

import json
import time
from collections.abc import Callable, Iterable

from playwright.sync_api import expect
from sqlalchemy import text

from app.actor import system
from app.changes import service as changes
from app.db.engine import transaction
from tests.e2e.conftest import Site, Visit

HERE = "/?at=10/32.75/119.5"
PICK = """() => window.__map.queryRenderedFeatures({layers: ['intakes']})
    .find(f => f.properties.permit_state === 'linked').id"""


def change(site: Site, ids: Iterable[int], state: str) -> None:
    """Decide the permit state of these intakes, each in a transaction of its own, as the register does."""
    for intake in ids:
        with transaction(site.services.engine, system("tests")) as session:
            county = session.execute(
                text("update shuitu.intakes set permit_state = :state where id = :id returning county_code"),
                {"state": state, "id": intake},
            ).scalar_one()
            connection = session.connection().connection.driver_connection
            site.services.publish_features(connection, "intakes", [intake])
            changes.record(session, "tests", "intakes", "update", county, entity_id=intake)


def drawn_as(intake: int, field: str, value: str) -> str:
    return (
        "() => window.__map.queryRenderedFeatures({layers: ['intakes', 'intakes-shape']})"
        f".some(f => f.id === {intake} && f.properties.{field} === '{value}')"
    )


def edit(one: Visit, intake: int, **properties: str) -> None:
    """Change an intake by the API, as another client of this account would."""
    item = f"{one.site.address}/ogc/collections/intakes/items/{intake}"
    tag = one.context.request.get(item, headers={"Accept": "application/geo+json"}).headers["etag"]
    answer = one.context.request.patch(
        item,
        data=json.dumps({"properties": properties}),
        headers={"Content-Type": "application/merge-patch+json", "If-Match": tag},
    )
    assert answer.ok, answer.text()


def test_change_is_drawn_and_told_without_reload(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open(HERE)
    intake = one.look(PICK)
    one.open(f"{HERE}&sel=intakes:{intake}")
    drawer = one.page.locator("aside.side")
    expect(drawer).to_contain_text("在用")
    one.look("() => { window.__same = true }")
    asked: list[str] = []
    one.page.on("request", lambda request: asked.append(request.url))
    edit(one, intake, status="sealed")
    one.until(drawn_as(intake, "status", "sealed"), "the changed intake, drawn anew")
    expect(drawer).to_contain_text("有更新，已读入")
    expect(drawer).to_contain_text("封存")
    assert one.look("() => window.__same")
    # A place that lies on an edge concerns its neighbours too; the rest of the view is left alone.
    assert 1 <= len({url for url in asked if "/tiles/intakes/" in url}) <= 4
    edit(one, intake, status="in_use")


def test_storm_of_changes_costs_one_redraw_a_second_and_no_flicker(
    visit: Callable[..., Visit], site: Site
) -> None:
    one = visit("yangzhou")
    one.open(HERE)
    intake = one.look(PICK)
    asked: list[str] = []
    one.page.on("request", lambda request: asked.append(request.url.split("?")[0]))
    one.look(
        """() => { window.__least = 1e9; window.__map.on('render', () => {
        const n = window.__map.queryRenderedFeatures({layers: ['intakes', 'intakes-shape']}).length;
        window.__least = Math.min(window.__least, n) }) }"""
    )
    before = one.look(
        "() => window.__map.queryRenderedFeatures({layers: ['intakes', 'intakes-shape']}).length"
    )
    begun = time.monotonic()
    for _ in range(20):
        change(site, [intake], "pending")
        change(site, [intake], "linked")
    change(site, [intake], "pending")
    one.until(drawn_as(intake, "permit_state", "pending"), "the last of many changes")
    seconds = time.monotonic() - begun
    tiles = [url for url in asked if "/tiles/intakes/" in url]
    busiest = max(tiles.count(url) for url in set(tiles))
    assert busiest <= seconds + 2
    assert one.look("() => window.__least") >= before * 0.9
    change(site, [intake], "linked")


def test_lost_connection_is_told_and_what_was_missed_is_drawn(
    visit: Callable[..., Visit], site: Site
) -> None:
    one = visit("yangzhou")
    one.page.route("**/api/changes/stream", lambda route: route.abort())
    one.open(HERE)
    expect(one.page.get_by_text("实时更新中断，正在重连")).to_be_visible()
    intake = one.look(PICK)
    one.page.unroute("**/api/changes/stream")
    expect(one.page.get_by_text("实时更新中断，正在重连")).to_be_hidden(timeout=15_000)
    change(site, [intake], "pending")
    one.until(drawn_as(intake, "permit_state", "pending"), "a change after the connection came back")
    change(site, [intake], "linked")
    assert all(
        "ERR_FAILED" in complaint for complaint in one.complaints
    )  # the browser's own word on the loss
    one.complaints.clear()
