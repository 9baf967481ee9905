"""The desk for matching in the browser: walked and decided by keyboard, taken back, decided in bulk."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from app.actor import system
from app.db.engine import transaction
from tests.e2e.conftest import Site, Visit

LINES = 6
PROPOSE = """
with chosen as (
  select i.*, row_number() over (order by i.id) as n from shuitu.intakes i
  where i.permit_state = 'pending' and i.county_code = 321084 order by i.id limit :n
), permitted as (
  insert into shuitu.permits (permit_no, permit_no_raw, status, holder_name, county_code, source_type, purpose, annual_volume_m3, valid_from)
  select 'D321084G2030-' || lpad(n::text, 4, '0'), 'raw', 'valid', holder_name || '（高邮）', county_code, source_type, purpose, 20000, date '2024-03-01'
  from chosen returning id, permit_no
), listed as (
  insert into shuitu.permit_points (permit_id, seq, name, county_code, source_type, geom)
  select p.id, 1, replace(c.name, '提水站', '站'), c.county_code, c.source_type, st_translate(c.geom, 0.004, 0.002)
  from permitted p join chosen c on p.permit_no = 'D321084G2030-' || lpad(c.n::text, 4, '0')
  returning id, permit_id
), paired as (
  insert into shuitu.link_pairs (intake_id, permit_id, permit_point_id, probability, distance_m, reasons, conflicts, county_code)
  select c.id, p.id, l.id, 0.97 - c.n * 0.05, 440,
         cast('[{"code": "name_alike", "zh": "名称相近", "en": "similar names", "against": false}, {"code": "distance", "zh": "相距440米", "en": "440 m apart", "against": true}]' as jsonb),
         cast('{distance}' as text[]), c.county_code
  from permitted p join chosen c on p.permit_no = 'D321084G2030-' || lpad(c.n::text, 4, '0') join listed l on l.permit_id = p.id
  union all
  select c.id, p.id, l.id, 0.12, 900, cast('[]' as jsonb), cast('{rivals}' as text[]), c.county_code
  from chosen c join permitted p on p.permit_no = 'D321084G2030-0002' join listed l on l.permit_id = p.id where c.n = 1
  returning id
)
insert into shuitu.link_outcomes (intake_id, source_type, county_code, probability, pairs_open, conflicts)
select id, source_type, county_code, 0.97 - n * 0.05, case when n = 1 then 2 else 1 end, cast('{distance}' as text[]) from chosen"""


@pytest.fixture(scope="module")
def proposals(site: Site) -> None:
    """Six lines of 高邮市 to decide; the first has a rival."""
    with transaction(site.services.engine, system("world")) as session:
        session.execute(text(PROPOSE), {"n": LINES})


def outcome(one: Visit, code: str) -> str:
    return str(
        one.facts(
            "select o.outcome from shuitu.link_outcomes o join shuitu.intakes i on i.id = o.intake_id where i.code = :code",
            code=code,
        )
    )


def state(one: Visit, code: str) -> str:
    return str(one.facts("select permit_state from shuitu.intakes where code = :code", code=code))


def code_of(one: Visit, row: int) -> str:
    line = one.page.locator("[data-row]").nth(row).get_attribute("data-row")
    return str(one.facts("select i.code from shuitu.link_outcomes o join shuitu.intakes i on i.id = o.intake_id where o.id = :id", id=int(line or 0)))  # fmt: skip


@pytest.mark.usefixtures("proposals")
def test_lines_are_walked_decided_and_taken_back_by_keyboard(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open("/matching")
    rows, drawer = one.page.locator("[data-row]"), one.page.locator("aside.side")
    expect(rows).to_have_count(LINES)
    expect(one.page.locator(".progress")).to_contain_text("比对完成率")
    first, second = code_of(one, 0), code_of(one, 1)
    one.page.keyboard.press("ArrowDown")
    expect(drawer).to_contain_text(first)
    expect(drawer.locator(".rival")).to_have_count(2)
    expect(drawer).to_contain_text("相距440米")
    one.settle()
    # Both ends and the line between them are on the map.
    drawn = "() => window.__map.queryRenderedFeatures({layers: ['sketch-line', 'sketch-ends']}).map(f => f.geometry.type)"
    one.until(f"() => new Set(({drawn})()).size === 2", "the pair on the map")
    one.page.keyboard.press("2")
    expect(drawer.locator(".rival").nth(1)).to_have_attribute("aria-pressed", "true")
    one.page.keyboard.press("1")
    one.page.keyboard.press("a")
    expect(rows).to_have_count(LINES - 1)
    assert (outcome(one, first), state(one, first)) == ("one_to_one", "linked")
    expect(drawer).to_contain_text(second)
    one.page.keyboard.press("e")
    expect(drawer).to_contain_text("无需办证的依据")
    one.page.keyboard.press("2")
    expect(rows).to_have_count(LINES - 2)
    assert (outcome(one, second), state(one, second)) == ("exempt", "exempt")
    one.page.keyboard.press("u")
    expect(rows).to_have_count(LINES - 1)
    one.page.keyboard.press("u")
    expect(rows).to_have_count(LINES)
    assert (outcome(one, first), state(one, first)) == ("pending", "pending")
    assert (outcome(one, second), state(one, second)) == ("pending", "pending")


@pytest.mark.usefixtures("proposals")
def test_another_permit_is_found_near_by_and_taken(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open("/matching")
    rows, drawer = one.page.locator("[data-row]"), one.page.locator("aside.side")
    expect(rows).to_have_count(LINES)
    third = code_of(one, 2)
    rows.nth(2).click()
    expect(drawer).to_contain_text(third)
    one.page.keyboard.press("m")
    find = drawer.locator(".find")
    find.locator("input").fill("G2030-0005")
    expect(find.locator("li")).to_have_count(1)
    find.get_by_role("button", name="改配到此").click()
    expect(rows).to_have_count(LINES - 1)
    linked = one.facts(
        "select p.permit_no from shuitu.permit_intakes k join shuitu.permits p on p.id = k.permit_id "
        "join shuitu.intakes i on i.id = k.intake_id where i.code = :code and k.valid_to is null",
        code=third,
    )
    assert linked == "D321084G2030-0005"
    one.page.locator(".notices").get_by_role("button", name="撤销").last.click()
    expect(rows).to_have_count(LINES)


@pytest.mark.usefixtures("proposals")
def test_the_second_of_two_officers_is_told_who_decided(visit: Callable[..., Visit]) -> None:
    one, other = visit("yangzhou"), visit("admin")
    line = one.facts("select max(id) from shuitu.link_outcomes where intake_id is not null")
    for who in (one, other):
        who.open(f"/matching?sel=matches:{line}")
        expect(who.page.locator("aside.side .acts")).to_be_visible()
    # What the other's page knows must not learn of it by itself first.
    other.page.route("**/api/changes/stream", lambda route: route.abort())
    other.page.route(f"**/api/linkage/outcomes/{line}", lambda route: route.abort())
    one.page.get_by_role("button", name="有口无证").click()
    expect(one.page.locator(".notices")).to_contain_text("已判为有口无证")
    other.page.get_by_role("button", name="确认对应").click()
    expect(other.page.locator(".notices")).to_contain_text("yangzhou")
    expect(other.page.locator(".notices")).to_contain_text("有口无证")
    other.page.unroute_all()
    one.page.locator(".notices").get_by_role("button", name="撤销").last.click()
    expect(one.page.locator(".notices")).to_contain_text("已撤销")
    # The browser's own words on the refusal, and on what was kept from the page.
    assert all("409" in c or "ERR_FAILED" in c for c in other.complaints)
    other.complaints.clear()


@pytest.mark.usefixtures("proposals")
def test_a_filter_is_decided_as_a_whole_and_taken_back_as_a_whole(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    one.open("/matching?band=good")
    rows = one.page.locator("[data-row]")
    expect(rows).not_to_have_count(LINES)
    n = rows.count()
    assert n > 1
    one.page.keyboard.press("b")
    bulk = one.page.locator(".bulk")
    bulk.get_by_role("button", name="预览").click()
    expect(bulk).to_contain_text(f"将判定 {n} 条")
    bulk.get_by_role("button", name=f"确认判定 {n} 条").click()
    expect(rows).to_have_count(0)
    linked = "select count(*) from shuitu.link_decisions where action = 'accept' and batch_id = (select max(id) from shuitu.link_batches)"
    assert one.facts(linked) == n
    one.page.locator(".notices").get_by_role("button", name="整批撤销").last.click()
    expect(rows).to_have_count(n)
    assert one.facts("select state from shuitu.link_batches order by id desc limit 1") == "undone"


@pytest.mark.usefixtures("proposals")
def test_the_desk_is_free_of_barriers_in_both_themes_and_languages(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou")
    found = {}
    for lang, theme in (("zh", "light"), ("en", "dark")):
        one.open(f"/matching?theme={theme}&lang={lang}")
        expect(one.page.locator("[data-row]")).to_have_count(LINES)
        one.page.keyboard.press("ArrowDown")
        expect(one.page.locator("aside.side .acts")).to_be_visible()
        for key in ("?", "b", "e"):
            one.page.keyboard.press(key)
        expect(one.page.locator("aside.side .ask")).to_be_visible()
        expect(one.page.locator(".bulk")).to_be_visible()
        found[lang, theme] = one.barriers()
    assert found == {("zh", "light"): [], ("en", "dark"): []}


@pytest.mark.usefixtures("proposals")
def test_on_a_phone_the_list_gives_way_to_the_line_and_comes_back(visit: Callable[..., Visit]) -> None:
    one = visit("yangzhou", width=390, height=844)
    one.open("/matching")
    rows, drawer = one.page.locator("[data-row]"), one.page.locator("aside.side")
    rows.first.click()
    expect(drawer.get_by_role("button", name="确认对应")).to_be_visible()
    expect(rows).to_have_count(0)
    drawer.get_by_role("button", name="关闭").click()
    expect(rows).to_have_count(LINES)
