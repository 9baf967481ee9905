"""Candidates and imports, decided and sent in the browser, looked up in the database."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Route, expect

from tests.e2e import world
from tests.e2e.conftest import Visit


def state_of(one: Visit, code: str) -> str:
    return str(one.facts("select state from shuitu.candidates where code = :code", code=code))


def test_candidate_is_rejected_by_key_and_taken_back(visit: Callable[..., Visit]) -> None:
    one = visit("analyst")
    one.open("/candidates")
    rows = one.page.locator("[data-row]")
    waiting = one.facts("select count(*) from shuitu.candidates where state = 'suspected'")
    expect(rows).to_have_count(waiting)
    rows.first.click()
    drawer = one.page.locator("aside.side")
    expect(drawer).to_contain_text("YG-000001")
    expect(drawer).to_contain_text("800 m 范围内没有登记的取水口")
    expect(drawer.locator("img.patch")).to_have_count(2)
    expect(drawer).to_contain_text("2024-05-12")
    one.settle()
    assert one.look("() => window.__map.queryRenderedFeatures({layers: ['candidates-line']}).length") > 0
    one.page.keyboard.press("r")
    expect(drawer).to_contain_text("不属实的原因")
    assert state_of(one, "YG-000001") == "suspected"  # not before there is a reason
    one.page.keyboard.press("3")
    expect(rows).to_have_count(waiting - 1)
    assert state_of(one, "YG-000001") == "rejected"
    assert one.facts("select reason from shuitu.candidates where code = 'YG-000001'") == "rain_fed"
    expect(drawer).to_contain_text("YG-000002")
    one.page.keyboard.press("u")
    expect(rows).to_have_count(waiting)
    assert state_of(one, "YG-000001") == "suspected"


def test_all_that_a_filter_chooses_is_decided_and_taken_back_as_one(visit: Callable[..., Visit]) -> None:
    one = visit("analyst")
    one.open("/candidates?score=0.5")
    rows = one.page.locator("[data-row]")
    expect(rows.first).to_be_visible()
    some = rows.count()
    one.page.keyboard.press("b")
    form = one.page.locator("form.bulk")
    decide = form.get_by_role("button")
    form.locator("select[name=reason]").select_option("exempt")
    expect(decide).to_be_disabled()
    form.locator("input[name=sure]").check()
    decide.click()
    expect(rows).to_have_count(0)
    rejected = "select count(*) from shuitu.candidates where state = 'rejected' and reason = 'exempt'"
    assert one.facts(rejected) == some
    one.page.keyboard.press("u")
    expect(rows).to_have_count(some)
    assert one.facts(rejected) == 0


def test_a_piece_is_cut_from_an_outline_on_the_map(visit: Callable[..., Visit]) -> None:
    one = visit("analyst")
    one.open("/candidates")
    one.page.locator("[data-row]").first.click()
    one.settle()
    area = (
        "select st_area(st_transform(geom, 4326)::geography) from shuitu.candidates where code = 'YG-000001'"
    )
    before = one.facts(area)
    one.page.locator("[data-tool=cut]").click()
    expect(one.page.locator("aside.side")).to_contain_text("切除")
    one.settle()
    # What is seen of its western half and beyond, point by point, closed at the first.
    spots = one.look(
        """() => {
          const map = window.__map, box = map.getCanvas().getBoundingClientRect()
          const drawn = map.queryRenderedFeatures({layers: ['selection']})[0].geometry
          const points = drawn.coordinates.flat(Infinity)
          const xs = points.filter((_, n) => n % 2 == 0), ys = points.filter((_, n) => n % 2 == 1)
          const [w, e, s, n] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)]
          const far = 0.2 * (e - w), middle = (w + e) / 2
          return [[w - far, s - far], [middle, s - far], [middle, n + far], [w - far, n + far]].map(at => {
            const p = map.project(at)
            return [box.left + p.x, box.top + p.y]
          })
        }"""
    )
    for x, y in [*spots, spots[0]]:
        one.page.mouse.move(x, y)
        one.page.mouse.click(x, y)
    expect(one.page.locator(".notices")).to_contain_text("边界已更新")
    after = one.facts(area)
    assert 0.2 * before < after < 0.8 * before
    one.page.keyboard.press("u")
    expect(one.page.locator(".notices")).to_contain_text("已撤回")
    assert abs(one.facts(area) - before) < 1


def test_stale_decision_is_refused_and_the_note_kept(visit: Callable[..., Visit]) -> None:
    one = visit("analyst")
    one.open("/candidates?sel=candidates:4")

    def older(route: Route) -> None:
        sent = json.loads(route.request.post_data or "{}")
        route.continue_(post_data=json.dumps({**sent, "version": sent["version"] - 1}))

    one.page.route("**/decisions", older)
    note = one.page.locator("[data-note]")
    note.fill("现场为雨水塘")
    one.page.locator("[data-verdict=reject]").click()
    one.page.locator("[data-reason=rain_or_flood]").click()
    expect(one.page.locator(".notices")).to_contain_text("刚被他人改判")
    expect(note).to_have_value("现场为雨水塘")
    assert state_of(one, "YG-000004") == "suspected"
    assert all("409" in complaint for complaint in one.complaints)  # the browser's own word on the refusal
    one.complaints.clear()


def test_decision_of_another_person_arrives_by_itself(visit: Callable[..., Visit]) -> None:
    one, other = visit("analyst"), visit("admin")
    one.open("/candidates?sel=candidates:3")
    other.open("/candidates?sel=candidates:3")
    other.page.locator("[data-verdict=confirm]").click()
    other.page.locator("[data-reason=visited]").click()
    expect(one.page.locator("footer").get_by_role("button", name="撤回研判")).to_be_visible(timeout=15_000)
    assert state_of(one, "YG-000003") == "confirmed"


def test_the_scene_of_a_candidate_is_shown_by_itself_until_somebody_puts_it_away(
    visit: Callable[..., Visit],
) -> None:
    one = visit("analyst")
    one.open("/candidates")
    rows = one.page.locator("[data-row]")
    with one.page.expect_response(re.compile(r"/imagery/\d+/.*\.webp"), timeout=60_000) as answer:
        rows.first.click()
    assert answer.value.status in (200, 204)
    dates = one.page.locator(".compare .date")
    expect(dates.first).to_contain_text("2024")
    expect(dates.last).to_contain_text("2026-05-17")
    # The line crosses the object: what lies under it can be clicked all the same.
    at = one.look(
        """() => {
          const box = document.querySelector('.compare .edge').getBoundingClientRect()
          return document.elementFromPoint(box.left, box.top + box.height / 2).className
        }"""
    )
    assert "maplibregl-canvas" in at
    one.page.locator("aside.side").get_by_role("button", name="关闭").click()
    expect(one.page.locator(".compare")).to_have_count(0)
    assert "scene=" not in one.page.url
    rows.first.click()
    expect(dates.first).to_be_visible()
    one.page.keyboard.press("i")
    expect(one.page.locator(".compare")).to_have_count(0)
    one.page.keyboard.press("ArrowDown")
    expect(one.page.locator("aside.side")).to_contain_text("YG-000002")
    expect(one.page.get_by_role("button", name="在地图上显示影像")).to_be_visible()
    assert "scene=" not in one.page.url


def test_dates_are_walked_and_swiped_on_the_map(visit: Callable[..., Visit]) -> None:
    one = visit("analyst")
    one.open("/candidates?sel=candidates:2")
    one.page.get_by_role("button", name="卷帘", exact=True).click()
    expect(one.page.locator(".swipe img")).to_have_count(2)
    drawer = one.page.locator("aside.side")
    slider = drawer.locator(".slide input")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("2026-05-17"))
    expect(one.page.locator(".compare .date").first).to_be_visible()
    newer = re.search(r"scene=(\d+)", one.page.url)
    one.page.keyboard.press("c")
    expect(one.page.locator(".compare")).to_have_count(0)
    one.page.locator("canvas.maplibregl-canvas").first.focus()
    one.page.keyboard.press("[")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("2024"))
    one.page.keyboard.press("]")
    with one.page.expect_response(re.compile(r"/imagery/\d+/.*like=\d+"), timeout=60_000) as answer:
        one.page.keyboard.press("c")
    assert newer
    assert f"like={newer[1]}" in answer.value.url  # both dates with one stretch
    grip = one.page.locator(".compare .grip")
    before = float(str(grip.get_attribute("aria-valuenow")))
    grip.focus()
    one.page.keyboard.press("ArrowLeft")
    expect(grip).to_have_attribute("aria-valuenow", str(round(before - 5)))
    expect(one.page.locator(".compare .date").first).to_contain_text("2024")
    one.page.locator(".plot .pick").first.click()
    expect(slider).to_have_attribute("aria-valuetext", re.compile("2024"))


def test_import_with_a_bad_row_reports_it(visit: Callable[..., Visit], tmp_path: Path) -> None:
    one = visit("yangzhou")
    table = tmp_path / "取水口.csv"
    table.write_text(
        "取水口编码,取水口名称,行政区划代码,经度,纬度,水源类型\n"
        "NEW000001,新建提水站,321084,119.51,32.85,地表水\n"
        "NEW000002,坐标有误的提水站,321084,11.9,32.85,地表水\n",
        "utf-8",
    )
    one.open("/import")
    one.page.locator('input[name="file"]').set_input_files(table)
    one.page.get_by_role("button", name="上传并检查").click()
    record = one.page.locator("[data-import]").first
    expect(record.locator(".state")).to_have_text("已完成", timeout=60_000)
    expect(record.locator("[data-reasons]")).to_contain_text("不合格")
    assert one.facts("select count(*) from shuitu.intakes where code = 'NEW000001'") == 1
    assert one.facts("select count(*) from shuitu.intakes where code = 'NEW000002'") == 0
    with one.page.expect_download() as fetched:
        record.get_by_role("link", name="CSV").click()
    text = Path(fetched.value.path()).read_text("utf-8-sig")
    assert "NEW000002" in text
    assert "NEW000001" not in text


def test_log_in_and_out_in_the_drawer(visit: Callable[..., Visit]) -> None:
    one = visit()
    one.open("/")
    one.page.get_by_role("button", name="登录").click()
    one.page.locator('input[name="username"]').fill("yangzhou")
    one.page.locator('input[name="password"]').fill(world.PASSWORD)
    one.page.locator("form").get_by_role("button", name="登录").click()
    expect(one.page.get_by_role("link", name="导入")).to_be_visible()
    one.settle()
    one.page.get_by_role("button", name="账号").click()
    one.page.get_by_role("button", name="退出登录").click()
    expect(one.page.get_by_role("link", name="导入")).to_be_hidden()
