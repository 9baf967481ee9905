"""The map as a person sees it: drawn features, pixels, dossiers, search, state in the address."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.conftest import Visit

CLOSE = "/?at=12/32.79/119.5"
DRAWN = "() => window.__map.queryRenderedFeatures({layers: ['intakes', 'intakes-shape']}).length"


def pixels(visit: Visit) -> np.ndarray:
    picture = Image.open(io.BytesIO(visit.page.screenshot())).convert("RGB")
    return np.asarray(picture).astype(int)


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Pixels of about this colour on the map, right of the rail and the panel."""
    return int((np.abs(picture[:, 440:] - np.array(colour)).max(axis=2) < 12).sum())


def test_public_sees_intakes_drawn_in_the_colours_of_the_legend(visit: Callable[..., Visit]) -> None:
    one = visit()
    one.open("/")
    assert one.look(DRAWN) > 50
    picture = pixels(one)
    assert near(picture, (0x2C, 0x7F, 0xB8)) > 300  # linked
    assert near(picture, (0xB2, 0x18, 0x2B)) > 50  # without permit
    one.page.get_by_role("switch", name="取水口", exact=True).click()
    one.settle()
    one.until(f"() => ({DRAWN})() === 0", "intakes switched off")
    assert near(pixels(one), (0x2C, 0x7F, 0xB8)) < 30


def test_legend_counts_what_is_in_view(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open("/")
    drawn = one.look(
        "() => new Set(window.__map.queryRenderedFeatures({layers: ['intakes', 'intakes-shape']}).map(f => f.id)).size"
    )
    header = one.page.locator('[data-layer="intakes"] header .n')
    expect(header).to_have_text(str(drawn))
    assert 0 < drawn <= one.facts("select count(*) from shuitu.intakes")


def test_clicked_intake_opens_its_dossier_and_the_address_keeps_it(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open("/?at=10/32.75/119.5")
    spot = one.look(
        """() => { const m = window.__map, box = m.getContainer().getBoundingClientRect();
        const f = m.queryRenderedFeatures({layers: ['intakes']}).map(f => ({id: f.id, p: m.project(f.geometry.coordinates)}))
          .find(f => f.p.x > 450 && f.p.x < 850 && f.p.y > 130 && f.p.y < 750);
        return {id: f.id, x: f.p.x + box.left, y: f.p.y + box.top} }"""
    )
    one.page.mouse.click(spot["x"], spot["y"])
    name = one.facts("select name from shuitu.intakes where id = :id", id=spot["id"])
    heading = one.page.get_by_role("heading", name=name)
    expect(heading).to_be_visible()
    code = one.facts("select code from shuitu.intakes where id = :id", id=spot["id"])
    expect(one.page.get_by_text(code)).to_be_visible()
    assert f"sel=intakes:{spot['id']}" in one.page.url
    assert one.look("() => !!window.__map.getLayer('selection')")
    one.page.reload()
    one.settle()
    expect(heading).to_be_visible()
    one.page.go_back()
    expect(heading).to_be_hidden()


def test_public_sees_public_fields_only(visit: Callable[..., Visit]) -> None:
    one = visit()
    one.open("/?at=11/32.8/119.5")
    chosen = one.look("() => window.__map.queryRenderedFeatures({layers: ['intakes']})[0].id")
    one.open(f"/?at=11/32.8/119.5&sel=intakes:{chosen}")
    drawer = one.page.locator("aside.side")
    expect(drawer).to_contain_text("概略位置")
    expect(drawer).not_to_contain_text("运河灌区")


def test_search_by_name_by_coordinate_and_by_keyboard(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open("/")
    one.page.keyboard.press("/")
    one.page.keyboard.type("高邮")
    expect(one.page.locator("#search-hits").get_by_role("option").first).to_contain_text("高邮市")
    one.page.keyboard.press("Enter")
    expect(one.page.get_by_role("heading", name="高邮市")).to_be_visible()
    assert "region=321084" in one.page.url
    box = one.page.get_by_role("combobox", name="检索")
    box.fill("119.5, 32.8")
    expect(one.page.locator("#search-hits").get_by_role("option").first).to_contain_text("坐标")
    one.page.keyboard.press("Enter")
    one.until("() => !!window.__map.getLayer('pin')", "the pin")


def test_a_machine_without_the_internet_asks_the_service_all_the_same(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open("/")
    one.look("() => dispatchEvent(new Event('offline'))")  # as the browser says it, the service being at hand
    one.page.keyboard.press("/")
    one.page.keyboard.type("第30号提水站")
    expect(one.page.locator("#search-hits").get_by_role("option").first).to_contain_text("第30号提水站")
    one.page.keyboard.press("Escape")


def test_language_and_theme_change_words_and_ground(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open("/")
    light = int(pixels(one)[400, 460].sum())
    one.page.get_by_role("button", name="English").click()
    expect(one.page.get_by_role("heading", name="Layers and legend")).to_be_visible()
    one.page.get_by_role("button", name="Switch to dark").click()
    one.until("() => document.documentElement.dataset.theme === 'dark'", "the dark theme")
    one.page.wait_for_timeout(500)
    one.settle()
    assert int(pixels(one)[400, 460].sum()) < light - 200
    assert "lang=en" in one.page.url
    assert "theme=dark" in one.page.url


def test_no_text_runs_out_of_a_phone(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou", width=390, height=844)
    one.open("/?region=321084&open=region")
    expect(one.page.get_by_role("heading", name="高邮市")).to_be_visible()
    assert one.look("() => document.documentElement.scrollWidth") <= 390
    assert one.look(
        "() => [...document.querySelectorAll('aside.side *')].every(e => e.getBoundingClientRect().right <= 391)"
    )


def test_a_page_magnified_twofold_keeps_every_place_in_reach_and_shows_one_sheet_beside_the_map(
    visit: Callable[..., Visit],
) -> None:
    one = visit("yangzhou", width=720, height=450)
    one.open("/candidates")
    rail = one.page.get_by_role("navigation", name="功能")
    expect(rail.get_by_role("button", name="账号")).to_be_in_viewport()
    panel = one.page.get_by_role("complementary", name="疑似未登记取水")
    expect(panel.locator("[data-row]").first).to_be_visible()
    one.page.keyboard.press("ArrowDown")
    expect(one.page.locator("aside.side")).to_be_visible()
    expect(panel).to_be_hidden()
    before = one.page.url
    one.page.keyboard.press("ArrowDown")
    expect(one.page).not_to_have_url(before)  # the list is out of sight, and still walked
    one.page.locator("aside.side").get_by_role("button", name="关闭").click()
    expect(panel).to_be_visible()


def test_every_source_type_has_its_shape(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open(CLOSE.replace("12/", "9/"))
    sources = one.look(
        "() => [...new Set(window.__map.queryRenderedFeatures({layers: ['intakes', 'intakes-shape']}).map(f => f.properties.source_type))]"
    )
    assert set(sources) == {"surface_water", "groundwater", "unconventional_water"}


def test_a_basin_agency_is_named_where_it_looks(visit: Callable[..., Visit]) -> None:
    one = visit("basin")
    one.open("/?open=account")
    expect(one.page.get_by_role("navigation", name="行政区").get_by_role("button").first).to_have_text("淮委")
    expect(one.page.locator("aside.side")).to_contain_text("淮委")


def test_an_address_that_leads_nowhere_says_so_and_leads_to_the_map(visit: Callable[..., Visit]) -> None:
    one = visit()
    one.page.goto(one.site.address + "/matchign")
    expect(one.page.get_by_role("heading", name="没有这个页面")).to_be_visible()
    expect(one.page.locator("main")).to_contain_text("/matchign")
    one.page.get_by_role("link", name="到一张图").click()
    one.settle()


@pytest.mark.parametrize("path", ["/candidates", "/import"])
def test_places_that_need_an_account_say_so(visit: Callable[..., Visit], path: str) -> None:
    one = visit()
    one.open(path)
    expect(one.page.locator(".hint").first).to_contain_text("登录")
