"""Overview cells and filters: what a circle stands for, where it leads, what is left under a filter."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from playwright.sync_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.world import CROWD, CROWDED

FAR = f"/?at=6/{CROWD[1]}/{CROWD[0]}"
LARGEST = """() => {
    const m = window.__map, box = m.getContainer().getBoundingClientRect();
    const found = m.queryRenderedFeatures({layers: ['intakes-cells']})
        .map(f => ({...f.properties, p: m.project(f.geometry.coordinates)})).sort((a, b) => b.n - a.n)[0];
    return {...found, x: found.p.x + box.left, y: found.p.y + box.top};
}"""
STATES = """() => [...new Set(window.__map.queryRenderedFeatures({layers: ['intakes', 'intakes-shape']})
    .map(f => f.properties.permit_state))].sort()"""


def test_cell_says_what_it_stands_for_and_leads_there_and_back(visit: Callable[..., Visit]) -> None:
    one = visit("nation")
    one.open(FAR)
    header = one.page.locator('[data-layer="intakes"] header .n')
    expect(header).to_have_text(re.compile(r"1\.2万"))
    cell = one.look(LARGEST)
    assert 100 < cell["n"] <= CROWDED
    one.page.mouse.move(cell["x"], cell["y"])
    tip = one.page.locator(".tip")
    expect(tip).to_contain_text(f"取水口 {cell['n']:,}")
    expect(tip).to_contain_text("万m³")
    share = one.page.locator(".tip tr").filter(has_text="有口无证")
    expect(share).to_contain_text(f"{cell['n_unpermitted']:,}")
    one.page.mouse.click(cell["x"], cell["y"])
    one.until("() => window.__map.getZoom() > 8 && !window.__map.isMoving()", "the ground of the cell")
    one.settle()
    # All that the cell stands for is in view, one by one.
    ids = "new Set(window.__map.queryRenderedFeatures({layers: ['intakes', 'intakes-shape']}).map(f => f.id)).size"
    one.until(f"() => {ids} >= {cell['n']}", "every intake of the cell")
    one.page.go_back()
    one.until("() => Math.abs(window.__map.getZoom() - 6) < 0.01", "the view before")
    assert f"at=6.00/{CROWD[1]:.5f}/{CROWD[0]:.5f}" in one.page.url


def test_filter_is_in_the_address_on_chips_and_in_the_tiles(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    asked: list[str] = []
    one.page.on("request", lambda request: asked.append(unquote(request.url)))
    one.open("/?at=9/32.7/119.5")
    assert len(one.look(STATES)) > 3
    one.page.get_by_role("button", name="筛选 取水口").click()
    panel = one.page.locator('[data-filters="intakes"]')
    panel.get_by_role("button", name="有口无证").click()
    panel.get_by_role("button", name="地下水").click()
    assert "f=intakes.permit_state.unpermitted~intakes.source_type.groundwater" in one.page.url
    one.until(f"() => JSON.stringify(({STATES})()) === '[\"unpermitted\"]'", "only what was chosen")
    one.settle()
    wanted = "filter=source_type IN ('groundwater') AND permit_state IN ('unpermitted')"
    assert any(url.endswith(wanted) and "/tiles/intakes/" in url for url in asked)
    one.until(
        """() => document.querySelector('[data-layer="intakes"] header .n').textContent.trim() === String(new Set(
            window.__map.queryRenderedFeatures({layers: ['intakes', 'intakes-shape']}).map(f => f.id)).size)""",
        "the legend counting what is drawn",
    )
    one.page.reload()
    one.settle()
    assert one.look(STATES) == ["unpermitted"]
    one.page.get_by_role("button", name="去掉筛选：许可对应").click()
    one.until(f"() => ({STATES})().length > 1", "the other states again")
    one.page.get_by_role("button", name="清除全部筛选").click()
    expect(one.page.get_by_role("list", name="当前筛选")).to_be_hidden()
    assert "f=" not in one.page.url.split("?")[1]


def test_cells_count_under_the_filter_what_the_register_counts(visit: Callable[..., Visit]) -> None:
    one = visit("nation")
    one.open(FAR + "&f=intakes.permit_state.unpermitted")
    total = "() => window.__map.queryRenderedFeatures({layers: ['intakes-cells']}).reduce((n, f) => n + f.properties.n, 0)"
    seen = one.look(total) + one.look(
        "() => window.__map.queryRenderedFeatures({layers: ['intakes', 'intakes-shape']}).filter(f => f.properties.permit_state === 'unpermitted').length"
    )
    there = one.facts(
        "select count(*) from shuitu.intakes where permit_state = 'unpermitted' and county_code = 420106"
    )
    assert there == CROWDED // 4
    assert seen >= there
    assert seen <= one.facts("select count(*) from shuitu.intakes where permit_state = 'unpermitted'")
