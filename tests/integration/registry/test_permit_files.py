"""Files of permits become events, and files of what permits list come in row by row; nothing is lost, nothing half done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from app.actor import Actor, Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Services
from app.imports import report, service
from app.imports.mapping import Mapping
from app.imports.models import Import

NATION = system("test")
GAOYOU = Actor("gaoyou", Role.OFFICER, Jurisdiction.of_region("321084"))
Json = dict[str, Any]
Bring = Callable[..., Import]


@pytest.fixture
def bring(services: Services, folder: Path) -> Bring:
    """Imports rows of a kind, as the officer of Gaoyou or someone else."""

    def send(kind: str, rows: list[Json], actor: Actor = GAOYOU, **mapping: Any) -> Import:
        path = folder / f"{kind}.csv"
        pd.DataFrame(rows).to_csv(path, index=False)
        with transaction(services.engine, actor) as session:
            given = service.Submission(kind, path, path.name, Mapping(**mapping))
            record = service.submit(session, actor, given, None)
        return service.run(services, services.parts["import_kinds"], record.id, actor)

    return send


def issues(services: Services, record: Import, severity: str = "reject") -> list[tuple[int, str, str]]:
    with transaction(services.engine, NATION) as session:
        return [
            (i["row_no"], i["field"], i["reason"]) for i in report.page(session, record.id, severity, 0, 1000)
        ]


def one(services: Services, statement: str, **given: Any) -> Any:
    with transaction(services.engine, NATION) as session:
        return session.execute(text(statement), given).one()


def many(services: Services, statement: str, **given: Any) -> list[tuple[Any, ...]]:
    with transaction(services.engine, NATION) as session:
        return [tuple(row) for row in session.execute(text(statement), given)]


def permit(number: str, **more: Any) -> Json:
    return {
        "许可证编号": number,
        "取水权人": "甲公司",
        "县级行政区划代码": "321084",
        "年最大取水量(万m³)": "20",
        "有效期起": "2022-01-01",
        "有效期止": "2026-12-31",
        "取水口编码": "",
    } | more


HISTORY = """select e.version, e.event, e.effective_on::text, e.actor_name from shuitu.permit_events e
join shuitu.permits p on p.id = e.permit_id where p.permit_no = :no order by e.version"""


def test_a_file_sent_again_is_no_event_and_each_change_is_one(services: Services, bring: Bring) -> None:
    number = "D321084S2022-1001"
    first = bring("permits", [permit(number)])
    again = bring("permits", [permit(number)])
    assert (first.rows_new, again.rows_new, again.rows_changed, again.rows_same) == (1, 0, 0, 1)
    for changed, event in (
        ({"年最大取水量(万m³)": "15"}, "vary"),
        ({"年最大取水量(万m³)": "15", "取水权人": "乙公司"}, "transfer"),
        (
            {
                "年最大取水量(万m³)": "15",
                "取水权人": "乙公司",
                "有效期起": "2027-01-01",
                "有效期止": "2031-12-31",
            },
            "renew",
        ),
    ):
        record = bring("permits", [permit(number, **changed)])
        assert (record.rows_changed, record.rows_rejected) == (1, 0)
        assert many(services, HISTORY, no=number)[-1][1] == event
        assert bring("permits", [permit(number, **changed)]).rows_same == 1
    assert [row[:2] for row in many(services, HISTORY, no=number)] == [(1, "issue"), (2, "vary"), (3, "transfer"), (4, "renew")]  # fmt: skip
    limits = many(services, "select l.version, l.annual_m3 from shuitu.permit_limits l join shuitu.permits p on p.id = l.permit_id where p.permit_no = :no order by 1", no=number)  # fmt: skip
    assert limits == [(1, 200_000), (2, 150_000), (3, 150_000), (4, 150_000)]


def test_a_limit_alone_is_a_variation_with_its_former_rows_kept(services: Services, bring: Bring) -> None:
    number = "D321084G2022-1002"
    rows = [
        permit(number, **{"水源地": field, "年最大取水量(万m³)": volume})
        for field, volume in (("北区", "12"), ("南区", "8"))
    ]
    bring("permits", rows)
    rows[0]["年最大取水量(万m³)"], rows[1]["年最大取水量(万m³)"] = "11", "9"
    record = bring("permits", rows)
    assert record.rows_changed == 1
    found = many(services, "select l.version, l.seq, l.annual_m3 from shuitu.permit_limits l join shuitu.permits p on p.id = l.permit_id where p.permit_no = :no order by 1, 2", no=number)  # fmt: skip
    assert found == [(1, 1, 120_000), (1, 2, 80_000), (2, 1, 110_000), (2, 2, 90_000)]
    assert many(services, HISTORY, no=number)[-1][1] == "vary"


def test_an_event_brings_its_day_its_document_and_its_ground(
    services: Services, bring: Bring, wells: dict[str, int]
) -> None:
    number = "D321084G2022-1003"
    bring("permits", [permit(number, 取水口编码="W1;没有的")])
    assert one(services, "select permit_state from shuitu.intakes where code = 'W1'").permit_state == "linked"
    ended = {
        "办理事项": "注销",
        "注销日期": "2025-03-01",
        "注销情形": "法人或者其他组织依法终止",
        "文号": "邮水许〔2025〕3号",
    }
    record = bring("permits", [permit(number, **ended)])
    assert (record.rows_changed, issues(services, record, "warning")) == (1, [])
    row = one(services, "select p.status, p.ended_on::text, e.ground, e.document_no, e.effective_on::text from shuitu.permits p join shuitu.permit_events e on e.permit_id = p.id and e.version = p.version where permit_no = :no", no=number)  # fmt: skip
    assert tuple(row) == ("cancelled", "2025-03-01", "dissolved", "邮水许〔2025〕3号", "2025-03-01")
    assert one(services, "select permit_state from shuitu.intakes where code = 'W1'").permit_state == "ended"
    # Changed after its end: refused with the reason, and the other rows of the file come in.
    more = [permit(number, **{"年最大取水量(万m³)": "30"}), permit("D321084G2022-1004")]
    record = bring("permits", more)
    assert (record.rows_new, record.rows_rejected, issues(services, record)) == (
        1,
        1,
        [(1, "event", "permit_ended")],
    )
    with transaction(services.engine, NATION) as session:
        sentence = report.page(session, record.id, "reject", 0, 1)[0]["message"]
        heading, lines = report.table(session, service.find(session, record.id))
        assert dict(zip(heading, next(lines), strict=True))["许可证编号"] == number
    assert "2025-03-01" in sentence and "注销" in sentence and "行政许可法70" in sentence


def test_a_renewal_that_changes_the_number_stays_one_permit(services: Services, bring: Bring) -> None:
    old, new = "D321084S2022-1005", "D321084S2027-0005"
    bring("permits", [permit(old)])
    renewed = permit(new, 原许可证编号=old, 有效期起="2027-01-01", 有效期止="2031-12-31")
    record = bring("permits", [renewed])
    assert (record.rows_new, record.rows_changed) == (0, 1)
    row = one(
        services,
        "select permit_no, previous_number, event, version from shuitu.permits where permit_no = :no",
        no=new,
    )
    assert tuple(row) == (new, old, "renew", 2)
    assert bring("permits", [renewed]).rows_same == 1
    # The former number is told of, in another file or in the same.
    for rows in ([permit(old)], [permit(old), renewed]):
        record = bring("permits", rows)
        assert issues(services, record) == [(1, "permit_no", "number_replaced")]


def test_a_paper_number_whose_serial_lasts_is_renewed_by_its_year(services: Services, bring: Bring) -> None:
    first, second = (f"取水（扬州）字〔{year}〕第A10840012号" for year in (2017, 2022))
    bring("permits", [permit(first, 有效期起="2017-01-01", 有效期止="2021-12-31")])
    record = bring("permits", [permit(second)])
    assert (record.rows_new, record.rows_changed) == (0, 1)
    row = one(
        services,
        "select permit_no, previous_number, event from shuitu.permits where permit_no like '取水(扬州)%'",
    )
    assert tuple(row) == ("取水(扬州)字[2022]第A10840012号", "取水(扬州)字[2017]第A10840012号", "renew")


def test_what_an_old_register_lacks_is_a_warning(services: Services, bring: Bring) -> None:
    number = "D321084S2005-1006"
    record = bring("permits", [permit(number, 有效期起="2005-01-01", 有效期止="2020-12-31")])
    assert (record.rows_new, issues(services, record, "warning")) == (1, [(1, "valid_to", "term_too_long")])
    record = bring("permits", [permit(number, 有效期起="2005-01-01", 有效期止="2020-12-31", 许可状态="吊销")])
    assert [reason for _, _, reason in issues(services, record)] == [
        "not_from_here"
    ]  # an expired permit is not revoked
    record = bring("permits", [permit(number, 有效期起="2005-01-01", 有效期止="2020-12-31", 许可状态="注销")])
    assert record.rows_changed == 1
    assert (1, "ground", "ground_missing") in issues(services, record, "warning")


def test_wells_elsewhere_and_wells_unknown_are_told(
    services: Services, bring: Bring, wells: dict[str, int]
) -> None:
    rows = [permit("D321084G2022-1007", 取水口编码="W2;B1;X9")]
    record = bring("permits", rows, NATION)
    assert issues(services, record, "warning") == [
        (1, "intake_codes", "intake_elsewhere"),
        (1, "intake_codes", "intake_not_found"),
    ]
    states = many(
        services, "select code, permit_state from shuitu.intakes where code in ('W2', 'B1') order by 1"
    )
    assert states == [("B1", "linked"), ("W2", "linked")]
    # Gaoyou's file ends it; the well in Baoying, which Gaoyou cannot see, follows, on the map too.
    bring(
        "permits",
        [permit("D321084G2022-1007", 取水口编码="W2", 办理事项="注销", 注销情形="停止取水满2年")],
        GAOYOU,
    )
    rows = [permit("D321084G2022-1007", 取水口编码="W2", 办理事项="注销", 注销情形="连续停止取水满2年")]
    bring("permits", rows, GAOYOU)
    shown = one(services, "select i.permit_state, m.permit_state as code from shuitu.intakes i join map.intake_points m on m.id = i.id where i.code = 'B1'")  # fmt: skip
    assert tuple(shown) == ("ended", 4)


def point(number: str, name: str, **more: Any) -> Json:
    return {
        "许可证编号": number,
        "序号": "",
        "取水口名称": name,
        "经度": "119.10",
        "纬度": "32.10",
        "水源类型": "地下水",
    } | more


POINTS = """select l.seq, l.name, round(st_x(l.geom)::numeric, 4)::float, l.county_code from shuitu.permit_points l
join shuitu.permits p on p.id = l.permit_id where p.permit_no = :no order by seq"""


def test_what_permits_list_comes_in_by_number_or_by_name(services: Services, bring: Bring) -> None:
    number = "D321084G2022-1008"
    bring("permits", [permit(number)])
    record = bring("permit_points", [point(number, "1号井", 序号="1"), point(number, "2号井", 经度="", 纬度=""), point(number, "3号井", 经度="119.25")])  # fmt: skip
    assert (record.rows_new, record.rows_rejected) == (3, 0)
    assert many(services, POINTS, no=number) == [(1, "1号井", 119.1, 321084), (2, "2号井", None, 321084), (3, "3号井", 119.25, 321023)]  # fmt: skip
    assert issues(services, record, "warning") == [(3, "county_code", "intake_elsewhere")]
    again = bring("permit_points", [point(number, "2号井", 经度="119.11"), point(number, "1号井", 序号="1")])
    assert (again.rows_new, again.rows_changed, again.rows_same) == (0, 1, 1)
    assert many(services, POINTS, no=number)[1] == (2, "2号井", 119.11, 321084)
    # The permit is on the map where it lists its intakes, and read where one of them lies.
    assert one(services, "select count(*) as n from map.permits where permit_no = :no", no=number).n == 1
    with transaction(
        services.engine, Actor("baoying", Role.OFFICER, Jurisdiction.of_region("321023"))
    ) as session:
        seen = session.execute(
            text("select permit_no from shuitu.permits where permit_no = :no"), {"no": number}
        )
        assert seen.scalars().all() == [number]
        listed = session.execute(text("select name from shuitu.permit_points"))
        assert listed.scalars().all() == ["3号井"]


def test_each_row_that_cannot_be_says_why_and_the_rest_comes_in(services: Services, bring: Bring) -> None:
    number = "D321084G2022-1009"
    bring("permits", [permit(number), permit("D321084S2022-1010"), permit("D321084S2027-1010", 原许可证编号="D321084S2022-1010", 有效期起="2027-01-01", 有效期止="2031-12-31")])  # fmt: skip
    rows = [
        point(number, "1号井", 序号="1"),
        point(number, "1号井", 序号="1", 经度="119.15"),
        point(number, "1号井", 序号="2", 经度="119.15"),
        point(number, "4号井", 序号="0"),
        point(number, "5号井", 纬度="北"),
        point(number, ""),
        point("D321084G1999-0000", "6号井"),
        point("(高邮)申字〔2021〕第1号", "7号井"),
        point("D321084S2022-1010", "8号井"),
        point(number, "9号井", 水源类型="海水", 经度="119.12"),
        point(number, "10号井", 经度="150.5"),
        point(number, "11号井", 纬度=""),
    ]
    record = bring("permit_points", rows)
    rejected = {(n, reason) for n, _, reason in issues(services, record)}
    assert {
        (2, "another_place"),
        (4, "bad_seq"),
        (6, "missing"),
        (7, "permit_not_found"),
        (8, "application_number"),
    } <= rejected
    assert (9, "number_replaced") in rejected and len({n for n, _ in rejected}) == record.rows_rejected
    warned = {(n, reason) for n, _, reason in issues(services, record, "warning")}
    assert {(3, "another_place"), (11, "in_no_county"), (12, "half_a_position")} <= warned
    assert record.rows_new + record.rows_rejected == len(rows)


def test_another_countys_permit_takes_no_points_from_here(services: Services, bring: Bring) -> None:
    number = "D321023G2022-1011"
    bring("permits", [permit(number, 县级行政区划代码="321023")], NATION)
    record = bring("permit_points", [point(number, "1号井")], GAOYOU)
    assert issues(services, record) == [(1, "permit_no", "permit_not_found")]


def test_errors_in_the_middle_of_many_rows(services: Services, bring: Bring) -> None:
    """The rows around them come in, and every bad one is kept with its reason; twice the file is once the facts."""
    count, bad = 6_000, range(2_000, 2_040)
    rows = [permit(f"D321084S2023-{n:05d}") for n in range(count)]
    for n in bad:
        rows[n]["有效期止"] = "2026-02-30"
    record = bring("permits", rows)
    assert (record.rows_new, record.rows_rejected) == (count - len(bad), len(bad))
    assert {reason for _, _, reason in issues(services, record)} == {"impossible_date"}
    assert bring("permits", rows).rows_same == count - len(bad)
    counted = one(services, "select count(*) as n, count(distinct permit_id) as permits from shuitu.permit_events e join shuitu.permits p on p.id = e.permit_id where p.permit_no like 'D321084S2023-0%'")  # fmt: skip
    assert counted.n == counted.permits == count - len(bad)
