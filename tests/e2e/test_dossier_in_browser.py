"""A dossier in the drawer and on its page: photos are brought, found again and withdrawn; all of it readable by everybody."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Visit
from tests.unit.documents.test_content import GPS, picture

PHOTO = {"name": "泵房外景.jpg", "mimeType": "image/jpeg", "buffer": picture(size=(640, 480), gps=GPS)}
NO_PHOTO = {"name": "说明.jpg", "mimeType": "image/jpeg", "buffer": b"<html>not a photo</html>"}


def test_photo_is_added_compared_with_the_place_and_withdrawn_with_a_reason(
    visit: Callable[..., Visit],
) -> None:
    one = visit("yangzhou")
    one.open("/?sel=intakes:7")
    drawer = one.page.locator("aside.side")
    expect(drawer.get_by_role("heading", name="附件（0）")).to_be_visible()
    drawer.get_by_label("添加照片或扫描件").set_input_files([PHOTO, NO_PHOTO])
    expect(drawer.get_by_role("alert")).to_contain_text("说明.jpg：文件不是 JPEG")
    expect(drawer.get_by_role("heading", name="附件（1）")).to_be_visible()
    card = drawer.locator(".shelf li")
    expect(card).to_contain_text("拍摄位置距登记位置")
    expect(card.locator("img")).to_have_js_property("complete", True)
    assert card.locator("img").evaluate("image => image.naturalWidth") == 480
    assert one.facts("select actor_name from shuitu.documents where entity_id = 7") == "yangzhou"
    assert all("400" in complaint for complaint in one.complaints)  # the browser's own word on the refusal
    one.complaints.clear()
    assert one.barriers() == []

    card.get_by_role("button", name="撤下").click()
    drawer.get_by_label("撤下的理由").fill("拍错了取水口")
    one.page.keyboard.press("Enter")
    expect(drawer.get_by_role("heading", name="附件（0）")).to_be_visible()
    drawer.get_by_text("已撤下（1）").click()
    expect(drawer.locator(".shelf li")).to_contain_text("拍错了取水口")
    assert one.facts("select withdrawn_why from shuitu.documents where entity_id = 7") == "拍错了取水口"


def test_files_are_chosen_by_the_keyboard_alone(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open("/?sel=intakes:9")
    # Once the dossier is whole: what is still being drawn may lose the focus.
    expect(one.page.get_by_role("heading", name="附件（0）")).to_be_visible()
    with one.page.expect_file_chooser() as chooser:
        one.page.get_by_label("添加照片或扫描件").press("Enter")
    chooser.value.set_files([PHOTO])
    expect(one.page.get_by_role("heading", name="附件（1）")).to_be_visible()


def test_who_may_only_read_adds_nothing(visit: Callable[..., Visit]) -> None:
    one = visit("analyst")
    one.open("/?sel=intakes:10")
    expect(one.page.get_by_role("heading", name="附件（0）")).to_be_visible()
    expect(one.page.get_by_label("添加照片或扫描件")).to_have_count(0)


def test_versions_tell_what_changed_and_links_lead_from_intake_to_permit_and_back(
    visit: Callable[..., Visit],
) -> None:
    one = visit("yangzhou")
    linked = one.facts(
        "select min(l.intake_id) from shuitu.permit_intakes l join shuitu.intakes i on i.id = l.intake_id where l.intake_id > 20 and i.county_code / 100 = 3210"
    )
    one.facts("update shuitu.intakes set name = '改名后的提水站' where id = :id returning id", id=linked)
    one.open(f"/?sel=intakes:{linked}")
    drawer = one.page.locator("aside.side")
    versions = drawer.locator("details", has_text="版本与变动")
    expect(versions.locator(".differences tbody tr").first).to_contain_text("改名后的提水站")
    expect(versions.locator("del").first).to_contain_text(f"第{linked}号提水站")
    drawer.get_by_role("link", name="整页查看").click()
    expect(one.page.get_by_role("heading", level=1)).to_have_text("改名后的提水站")
    one.until("() => document.querySelector('img.picture')?.naturalWidth === 1044", "the picture of the map")
    assert one.barriers() == []
    one.page.get_by_role("link", name="D3210").first.click()
    expect(one.page.get_by_text("取水许可档案")).to_be_visible()
    one.page.go_back()
    expect(one.page.get_by_role("heading", level=1)).to_have_text("改名后的提水站")
    one.page.get_by_role("link", name="在地图上查看").click()
    expect(one.page.locator("aside.side")).to_contain_text("改名后的提水站")
    one.settle()
    assert one.look("() => window.__map.getZoom()") == pytest.approx(14), "near enough to tell it from others"


def test_the_picture_of_the_place_takes_its_room_while_it_is_drawn_and_tells_if_it_cannot_be(
    visit: Callable[..., Visit],
) -> None:
    one = visit("yangzhou")
    one.page.route("**/map.png*", lambda route: (one.page.wait_for_timeout(1500), route.continue_()))
    one.page.goto(one.site.address + "/dossier/intakes/8")
    expect(one.page.locator("img.picture.shimmer")).to_be_visible()
    one.until("() => document.querySelector('img.picture')?.naturalWidth === 1044", "the picture of the map")
    expect(one.page.locator("img.picture.shimmer")).to_have_count(0)
    one.page.unroute("**/map.png*")
    one.page.route("**/map.png*", lambda route: route.abort())
    one.page.reload()
    expect(one.page.get_by_role("alert")).to_contain_text("位置图")
    one.complaints.clear()


def test_a_dossier_on_paper_opens_from_the_drawer(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open("/?sel=intakes:8")
    link = one.page.locator("aside.side").get_by_role("link", name="PDF")
    answer = one.context.request.get(one.site.address + str(link.get_attribute("href")))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.body().startswith(b"%PDF-")


def test_the_public_is_asked_to_sign_in_and_told_nothing(visit: Callable[..., Visit]) -> None:
    one = visit()
    one.page.goto(one.site.address + "/dossier/intakes/7")
    expect(one.page.get_by_role("link", name="登录")).to_be_visible()
    expect(one.page.locator("main")).not_to_contain_text("提水站")
    assert one.barriers() == []
    assert all("401" in complaint for complaint in one.complaints)
    one.complaints.clear()
