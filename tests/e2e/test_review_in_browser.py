"""A batch goes its way in a real browser: composed, approved, sent back, spot-checked, onto the map; and is counted."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from app.access import service as access
from app.actor import Jurisdiction, Role, system
from app.db.engine import transaction
from tests.e2e import world
from tests.e2e.conftest import Site, Visit

DECIDED = 12
HUAI = 3
PEOPLE = (
    ("gaoyou", Jurisdiction.of_region("321084"), "高邮市水务局"),
    ("jiangsu", Jurisdiction.of_region("32"), "江苏省水利厅"),
    ("huaiwei", Jurisdiction.of_basin(HUAI), "淮河水利委员会"),
)


@pytest.fixture(scope="module")
def decided(site: Site) -> None:
    """Twelve intakes of 高邮 that the linkage brought to their permits, and the people who review them."""
    with transaction(site.services.engine, system("world")) as session:
        for name, where, title in PEOPLE:
            access.add_user(session, name, world.PASSWORD, Role.OFFICER, where, title)
        session.execute(
            text("""insert into shuitu.link_outcomes (intake_id, outcome, source_type, decided_by, decided_name, decided_at,
                      probability, county_code, basin_id)
                    select i.id, 'one_to_one', i.source_type, 'person', '张三', now(), 0.97, i.county_code, :basin
                    from shuitu.intakes i where i.county_code = 321084 and i.permit_state = 'linked'
                      and not exists (select from shuitu.link_outcomes o where o.intake_id = i.id) order by i.id limit :n"""),
            {"n": DECIDED, "basin": HUAI},
        )


def in_both_themes(one: Visit) -> list[str]:
    found = one.barriers()
    one.page.get_by_role("button", name="换为深色").first.click()
    one.until("() => document.documentElement.dataset.theme === 'dark'", "the dark theme")
    found += one.barriers()
    one.page.get_by_role("button", name="换为浅色").first.click()
    return found


def test_a_batch_goes_its_way(decided: None, visit: Callable[..., Visit]) -> None:
    county = visit("gaoyou")
    county.open("/review?tab=compose")
    page = county.page
    expect(page.get_by_text("首审：高邮市")).to_be_visible()
    assert in_both_themes(county) == []
    page.get_by_role("button", name="汇集成批").click()
    sheet = page.locator("aside.side")
    expect(sheet.get_by_role("heading", level=2)).to_have_text(f"高邮市 · {DECIDED} 项")
    # A draft can be thinned; then it goes to its first reviewer.
    sheet.get_by_role("checkbox").first.check()
    sheet.get_by_role("button", name="移出所选 1 项").click()
    expect(sheet.get_by_role("heading", level=2)).to_have_text(f"高邮市 · {DECIDED - 1} 项")
    sheet.get_by_role("button", name="送审", exact=True).click()
    expect(sheet.get_by_role("button", name="审核通过")).to_be_visible()
    # What is under review is ringed on the map.
    county.until(
        f"() => window.__map.getSource('sketch') && window.__map.querySourceFeatures('sketch').length >= {DECIDED - 1}",
        "rings round the batch",
    )
    # A return needs its words; one item goes back, the rest goes on by a key.
    sheet.locator("li:not(.gone) input[type=checkbox]:enabled").first.check()
    sheet.get_by_role("button", name="退回所选 1 项").click()
    expect(sheet.locator("textarea")).to_be_focused()
    sheet.locator("textarea").fill("位置落在取用水户单位")
    sheet.get_by_role("button", name="退回所选 1 项").click()
    expect(sheet.get_by_role("heading", level=2)).to_have_text(f"高邮市 · {DECIDED - 2} 项")
    assert in_both_themes(county) == []
    sheet.locator("h2").click()
    page.locator(".rows .row").first.focus()
    page.keyboard.press("a")
    expect(sheet.get_by_text("本阶段由 扬州市 办理")).to_be_visible()

    for who, following in (("yangzhou", "江苏省"), ("jiangsu", "淮河水利委员会")):
        level = visit(who)
        level.open("/review")
        level.page.locator(".rows .row").first.click()
        level.page.locator("aside.side").get_by_role("button", name="审核通过").click()
        expect(level.page.locator("aside.side").get_by_text(f"本阶段由 {following} 办理")).to_be_visible()


def test_the_spot_check_takes_it_onto_the_map(visit: Callable[..., Visit]) -> None:
    basin = visit("huaiwei")
    basin.open("/review?tab=samples")
    page = basin.page
    page.get_by_role("button", name="抽取样本").click()
    sheet = page.locator("aside.side")
    expect(sheet.get_by_role("heading", level=2)).to_contain_text("江苏省 · 抽")
    expect(sheet.locator(".items li").first).to_be_visible()
    drawn = sheet.locator(".items li").count()
    assert drawn >= 1
    expect(sheet.get_by_role("button", name="办结抽查")).to_be_disabled()
    sheet.locator(".items .head").first.click()
    for left in range(drawn - 1, -1, -1):
        page.keyboard.press("a")
        expect(sheet.get_by_text(f"已判 {drawn - left} / {drawn}")).to_be_visible()
    assert in_both_themes(basin) == []
    sheet.get_by_role("button", name="办结抽查").click()
    expect(page.get_by_text("抽查合格，成果已纳入一张图").first).to_be_visible()
    assert basin.facts("select count(*) from map.intakes where review_state = 'published'") == DECIDED - 2
    # The one map filters by it.
    county = visit("gaoyou")
    county.open("/?region=321084&f=intakes.review_state.published&at=9.3/32.85/119.5")
    county.until(
        "() => new Set(window.__map.querySourceFeatures('intakes', {sourceLayer: 'intakes'}).map(one => one.id)).size"
        f" === {DECIDED - 2}",
        "the published ones alone",
    )


def test_statistics_count_and_open_the_map_behind(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.page.goto(one.site.address + "/statistics?region=321000")
    page = one.page
    rows = page.locator(".stat-table tbody tr")
    expect(rows).to_have_count(3)
    assert in_both_themes(one) == []
    page.locator(".stat-head select").first.select_option("purpose")
    expect(rows.first.locator("th")).to_have_text("工业")
    linked = rows.first.get_by_role("button", name="在一张图上查看 工业 已对应")
    n = int(linked.inner_text().replace(",", ""))
    assert n == one.facts(
        "select count(*) from shuitu.intakes where purpose = 'industry' and permit_state = 'linked' and county_code / 100 = 3210"
    )
    linked.click()
    expect(page).to_have_url(re.compile(r"intakes\.permit_state\.linked"))
    assert "intakes.purpose.industry" in page.url
    one.settle()
    page.get_by_role("link", name="统计").click()
    expect(rows.first).to_be_visible()
    # The filter is that of the map, wherever it was set.
    expect(page.locator(".stat-table tfoot td").first).to_have_text(f"{n:,}")
    page.get_by_role("tab", name="进展通报").click()
    expect(page.get_by_text("上图率").first).to_be_visible()
    assert in_both_themes(one) == []
    page.get_by_role("tab", name="按审批机关").click()
    expect(rows.locator("th").filter(has_text="扬州市水利局")).to_be_visible()
    assert in_both_themes(one) == []
    with page.expect_download() as file:
        page.get_by_role("link", name="下载 XLSX").click()
    assert file.value.suggested_filename.startswith("取水许可统计")


def test_review_and_statistics_on_a_phone(visit: Callable[..., Visit]) -> None:
    one = visit("gaoyou", width=390, height=844)
    for path in ("/review?show=all", "/statistics"):
        one.page.goto(one.site.address + path)
        expect(one.page.locator(".rows .row, .stat-table").first).to_be_visible()
        assert one.look("() => document.documentElement.scrollWidth") <= 390
