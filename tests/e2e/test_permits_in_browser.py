"""A permit's events entered in its dossier, and a permit issued, looked up in the database."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.conftest import Visit

PERMIT = "select min(id) from shuitu.permits where version = 1 and status = 'valid'"


def test_a_cancellation_is_entered_and_the_map_follows(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    permit = one.facts(PERMIT)
    one.open(f"/?sel=permits:{permit}")
    drawer = one.page.locator("aside.side")
    drawer.get_by_role("button", name="注销", exact=True).click()
    form = drawer.locator("form.entry")
    form.get_by_label("注销情形").select_option("idle")
    form.get_by_role("button", name="登记").click()
    expect(one.page.locator(".notices")).to_contain_text("已登记“注销”")
    expect(drawer.get_by_role("button", name="更正", exact=True)).to_be_visible()
    expect(drawer.get_by_role("button", name="变更", exact=True)).to_have_count(0)
    found = one.facts("select status || ' ' || version from shuitu.permits where id = :id", id=permit)
    assert found == "cancelled 2"
    state = "select permit_state from shuitu.intakes i join shuitu.permit_intakes l on l.intake_id = i.id where l.permit_id = :id"
    assert one.facts(state, id=permit) == "ended"


def test_a_refusal_names_its_clause_and_keeps_what_was_written(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    permit = one.facts(PERMIT)
    one.open(f"/?sel=permits:{permit}")
    drawer = one.page.locator("aside.side")
    drawer.get_by_role("button", name="延续", exact=True).click()
    form = drawer.locator("form.entry")
    form.get_by_label("延续后的有效期止").fill("2045-01-01")
    form.get_by_label("新编号").fill("D32108452029-0001")
    expect(form).to_contain_text("水源代码 5→S")
    form.get_by_role("button", name="登记").click()
    expect(form.locator(".problem")).to_contain_text("超过10年〔条例25〕")
    expect(form.get_by_label("延续后的有效期止")).to_have_value("2045-01-01")
    one.complaints.clear()  # the browser's own word on the refusal
    form.get_by_role("button", name="放弃").click()
    expect(form).to_have_count(0)


def test_a_permit_is_issued_and_opens(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open("/?open=issue")
    drawer = one.page.locator("aside.side")
    drawer.get_by_label("许可证编号").fill("d321084s2026—7001")
    drawer.get_by_label("取水权人").fill("高邮示例水厂")
    drawer.get_by_label("县级行政区划代码").fill("321084")
    drawer.get_by_label("有效期起").fill("2026-01-01")
    drawer.get_by_label("有效期止").fill("2030-12-31")
    drawer.get_by_label("年最大取水量（万m³）").fill("12.5")
    drawer.get_by_role("button", name="登记").click()
    expect(drawer.get_by_role("heading", name="D321084S2026-7001")).to_be_visible()
    volume = "select annual_volume_m3 from shuitu.permits where permit_no = 'D321084S2026-7001'"
    assert one.facts(volume) == 125_000


def test_a_variation_lists_another_intake_where_the_map_looks(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    permit = one.facts(
        f"select min(id) from shuitu.permits where version = 1 and status = 'valid' and id > ({PERMIT})"
    )
    one.open(f"/?sel=permits:{permit}&at=13.00/32.80000/119.50000")
    drawer = one.page.locator("aside.side")
    drawer.get_by_role("button", name="变更", exact=True).click()
    form = drawer.locator("form.entry")
    form.get_by_role("button", name="加一个取水口").click()
    row = form.get_by_role("group", name="个证照取水口").last
    row.get_by_label("取水口名称").fill("新设泵站")
    row.get_by_role("button", name="取地图中心").click()
    # In the middle of what the sheets leave free, marked by a pin.
    lon, lat = (float(row.get_by_label(name).input_value()) for name in ("经度（度）", "纬度（度）"))
    assert abs(lon - 119.5) < 0.05 and abs(lat - 32.8) < 0.05
    one.until(f"() => location.search.includes('pin={lon}')", "the pin")
    row.get_by_label("年最大取水量（万m³）").fill("2.5")
    form.get_by_role("button", name="登记").click()
    expect(one.page.locator(".notices")).to_contain_text("已登记“变更”")
    listed = (
        "select name || ' ' || annual_m3 || ' ' || st_x(geom) || ' ' || st_y(geom) from shuitu.permit_points"
    )
    found = one.facts(f"{listed} where permit_id = :id order by seq desc limit 1", id=permit)
    assert found == f"新设泵站 25000 {lon} {lat}"


def test_a_past_day_is_in_the_address_on_the_map_and_in_the_dossier(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    permit = one.facts("select max(id) from shuitu.permits where version = 1 and valid_from = '2024-01-01'")
    intake = one.facts("select intake_id from shuitu.permit_intakes where permit_id = :id", id=permit)
    one.open(f"/?sel=intakes:{intake}")
    bar, drawer = one.page.locator("section.time"), one.page.locator("aside.side")
    bar.get_by_role("button", name="历史日期").click()
    bar.get_by_label("日期", exact=True).fill("2023-12-31")
    expect(bar).to_contain_text("2023-12-31 的登记情况")
    expect(drawer).to_contain_text("2023-12-31 的登记情况")
    expect(drawer).to_contain_text("待定")  # its permit began a day later
    assert "day=2023-12-31" in one.page.url
    asked = "() => window.__map.getSource('intakes').tiles.every(t => t.includes('datetime=2023-12-31'))"
    one.until(asked, "tiles of the day")
    bar.get_by_role("button", name="回到今天", exact=True).click()
    expect(drawer).to_contain_text("已对应")
    assert "day=" not in one.page.url
