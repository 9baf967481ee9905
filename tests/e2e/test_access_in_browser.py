"""Every place can be read and used by everybody: axe finds nothing serious, the keyboard reaches all."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from app.settings import ROOT
from tests.e2e.conftest import Visit

AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
PLACES = (
    ("/?region=321084&open=region", "aside.side table"),
    ("/?at=10/32.75/119.5&sel=intakes:3&f=intakes.permit_state.linked", "aside.side .facts"),
    ("/candidates?sel=candidates:2", "aside.side .patch"),
    ("/import", "section.desk form"),
)


def serious(one: Visit) -> list[str]:
    one.page.evaluate(AXE.read_text("utf-8"))  # over the protocol: the page's policy forbids foreign scripts
    found: dict[str, Any] = one.page.evaluate(
        "() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})"
    )
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def test_nothing_serious_is_found_in_any_place_and_theme(visit: Callable[..., Visit]) -> None:
    if not AXE.is_file():
        pytest.skip("the front end's development packages are not installed: make frontend")
    one = visit("yangzhou")
    found: dict[str, list[str]] = {}
    for path, shown in PLACES:
        one.page.goto(f"{one.site.address}{path}{'&' if '?' in path else '?'}theme=light")
        expect(one.page.locator(shown).first).to_be_visible()
        if "f=intakes" in path:
            one.page.get_by_role("button", name="筛选 取水口").click()
        found[path] = serious(one)
        one.page.get_by_role("button", name="换为深色").first.click()
        one.until("() => document.documentElement.dataset.theme === 'dark'", "the dark theme")
        found[path] += serious(one)
    assert found == {path: [] for path, _ in PLACES}


def test_map_is_used_by_keyboard_alone(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open("/?at=10/32.75/119.5")
    spot = one.look("() => window.__map.queryRenderedFeatures({layers: ['intakes']})[0].geometry.coordinates")
    one.open(f"/?at=14/{spot[1]}/{spot[0]}")
    one.page.keyboard.press("Tab")
    expect(one.page.get_by_text("跳到地图")).to_be_focused()
    one.page.keyboard.press("Enter")
    expect(one.page.locator("canvas.maplibregl-canvas")).to_be_focused()
    one.page.keyboard.press("Enter")
    expect(one.page.locator("aside.side h2")).to_contain_text("提水站")
    one.page.keyboard.press("Tab")
    outline = one.look("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
