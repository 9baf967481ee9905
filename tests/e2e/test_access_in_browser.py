"""Every place can be read and used by everybody: axe finds no barrier, the keyboard reaches all."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.conftest import Visit

PLACES = (
    ("/?region=321084&open=region", "aside.side table"),
    ("/?at=10/32.75/119.5&sel=intakes:3&f=intakes.permit_state.linked", "aside.side .facts"),
    ("/candidates?sel=candidates:2", "aside.side .patch"),
    ("/import", "section.desk form"),
)


def test_no_place_has_barriers_in_any_theme(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    found: dict[str, list[str]] = {}
    for path, shown in PLACES:
        one.page.goto(f"{one.site.address}{path}{'&' if '?' in path else '?'}theme=light")
        expect(one.page.locator(shown).first).to_be_visible()
        if "f=intakes" in path:
            one.page.get_by_role("button", name="筛选 取水口").click()
        found[path] = one.barriers()
        one.page.get_by_role("button", name="换为深色").first.click()
        one.until("() => document.documentElement.dataset.theme === 'dark'", "the dark theme")
        found[path] += one.barriers()
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
