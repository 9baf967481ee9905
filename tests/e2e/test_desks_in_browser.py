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
    expect(rows).to_have_count(waiting - 1)
    assert state_of(one, "YG-000001") == "rejected"
    expect(drawer).to_contain_text("YG-000002")
    one.page.keyboard.press("u")
    expect(rows).to_have_count(waiting)
    assert state_of(one, "YG-000001") == "suspected"


def test_stale_decision_is_refused_and_the_note_kept(visit: Callable[..., Visit]) -> None:
    one = visit("analyst")
    one.open("/candidates?sel=candidates:4")

    def older(route: Route) -> None:
        sent = json.loads(route.request.post_data or "{}")
        route.continue_(post_data=json.dumps({**sent, "version": sent["version"] - 1}))

    one.page.route("**/decisions", older)
    note = one.page.locator("[data-note]")
    note.fill("现场为雨水塘")
    one.page.locator("footer").get_by_role("button", name="不属实").click()
    expect(one.page.locator(".notices")).to_contain_text("刚被他人改判")
    expect(note).to_have_value("现场为雨水塘")
    assert state_of(one, "YG-000004") == "suspected"
    assert all("409" in complaint for complaint in one.complaints)  # the browser's own word on the refusal
    one.complaints.clear()


def test_decision_of_another_person_arrives_by_itself(visit: Callable[..., Visit]) -> None:
    one, other = visit("analyst"), visit("admin")
    one.open("/candidates?sel=candidates:3")
    other.open("/candidates?sel=candidates:3")
    other.page.locator("footer").get_by_role("button", name="属实", exact=False).first.click()
    expect(one.page.locator("footer").get_by_role("button", name="撤回研判")).to_be_visible(timeout=15_000)
    assert state_of(one, "YG-000003") == "confirmed"


def test_swipe_and_imagery(visit: Callable[..., Visit]) -> None:
    one = visit("analyst")
    one.open("/candidates?sel=candidates:2")
    one.page.get_by_role("button", name="卷帘").click()
    expect(one.page.locator(".swipe img")).to_have_count(2)
    with one.page.expect_response(re.compile(r"/imagery/\d+/.*\.png")) as answer:
        one.page.get_by_role("button", name="在地图上显示影像").click()
    assert answer.value.status in (200, 204)
    assert "scene=" in one.page.url


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
