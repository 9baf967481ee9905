"""Files come in whole or not at all; what is refused is kept, told, and can be mended and sent again."""

import csv
import io
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import psycopg
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.actor import Actor, Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput
from app.imports import report, service
from app.imports.mapping import Mapping
from app.imports.models import Import

NATION = system("test")
GAOYOU = Actor("gaoyou", Role.OFFICER, Jurisdiction.of_region("321084"))
HEADINGS = [
    "取水口编码",
    "取水口名称",
    "取用水户",
    "县级行政区划代码",
    "经度",
    "纬度",
    "水源类型",
    "年取水量(万m³)",
]


def row(code: str, **more: Any) -> dict[str, Any]:
    given = dict(
        zip(
            HEADINGS, [code, f"口{code}", "示例厂", "321084", "119.10", "32.10", "地表水", "1.5"], strict=True
        )
    )
    return given | more


def bring(
    services: Services, path: Path, kind: str = "intakes", actor: Actor = NATION, **mapping: Any
) -> Import:
    with transaction(services.engine, actor) as session:
        record = service.submit(
            session, actor, service.Submission(kind, path, path.name, Mapping(**mapping)), None
        )
    return service.run(services, services.parts["import_kinds"], record.id, actor)


def as_csv(path: Path, rows: list[dict[str, Any]], encoding: str = "utf-8") -> Path:
    pd.DataFrame(rows).to_csv(path, index=False, encoding=encoding)
    return path


def issues(services: Services, record: Import, severity: str = "reject") -> list[tuple[int, str, str]]:
    with transaction(services.engine, NATION) as session:
        return [
            (i["row_no"], i["field"], i["reason"]) for i in report.page(session, record.id, severity, 0, 1000)
        ]


def stored(services: Services, like: str) -> dict[str, Any]:
    with transaction(services.engine, NATION) as session:
        rows = session.execute(
            text(
                "select code, name, annual_volume_m3, source_type, permit_state, st_x(geom) x, st_y(geom) y from shuitu.intakes where code like :l"
            ),
            {"l": like},
        )
        return {r.code: r for r in rows}


def frame(codes: list[str]) -> gpd.GeoDataFrame:
    rows = [{k: v for k, v in row(code).items() if k not in ("经度", "纬度")} for code in codes]
    return gpd.GeoDataFrame(
        rows, geometry=gpd.points_from_xy([119.1] * len(codes), [32.1] * len(codes)), crs=4490
    )


@pytest.mark.parametrize("form", ["csv", "csv-gbk", "xlsx", "gpkg", "shp.zip", "geojson", "parquet"])
def test_every_form_of_file_says_the_same(form: str, services: Services, folder: Path) -> None:
    codes = [f"F-{form}-{n}" for n in range(3)]
    if form in ("csv", "csv-gbk"):
        path = as_csv(
            folder / "取水口.csv", [row(c) for c in codes], "gb18030" if "gbk" in form else "utf-8-sig"
        )
    elif form == "xlsx":
        path = folder / "取水口.xlsx"
        pd.DataFrame([row(c) for c in codes]).to_excel(path, index=False)
    elif form == "shp.zip":
        path = folder / "qsk.zip"
        short = {
            "取水口编码": "编码",
            "取水口名称": "名称",
            "县级行政区划代码": "code6",
            "年取水量(万m³)": "vol",
        }
        frame(codes).rename(columns=short).to_file(folder / "qsk.shp", encoding="GBK")
        (folder / "qsk.cpg").unlink()  # as the trade sends them: GBK, and nothing that says so
        subprocess.run(
            [sys.executable, "-m", "zipfile", "-c", str(path), *map(str, folder.glob("qsk.*"))], check=True
        )
    else:
        path = folder / f"qsk.{form}"
        made = frame(codes)
        made.to_parquet(path) if form == "parquet" else made.to_file(path)
    mapping: dict[str, Any] = {}
    if form == "shp.zip":
        mapping = {"columns": {"county_code": "code6", "annual_volume_m3": {"column": "vol", "unit": "万m3"}}}
    record = bring(services, path, **mapping)
    assert (record.rows_new, record.rows_rejected) == (3, 0), issues(services, record)
    found = stored(services, f"F-{form}-%")
    assert sorted(found) == codes
    assert all(i.annual_volume_m3 == 15_000 and i.source_type == "surface_water" for i in found.values())
    assert all((i.x, i.y) == (119.1, 32.1) for i in found.values())


def test_sent_again_nothing_changes_and_a_change_is_a_version(services: Services, folder: Path) -> None:
    rows = [row("I-1"), row("I-2")]
    assert bring(services, as_csv(folder / "a.csv", rows)).rows_new == 2
    again = bring(services, as_csv(folder / "a.csv", rows))
    assert (again.rows_new, again.rows_changed, again.rows_same) == (0, 0, 2)
    rows[1] |= {"取水口名称": "改名"}
    changed = bring(services, as_csv(folder / "a.csv", rows))
    assert (changed.rows_new, changed.rows_changed, changed.rows_same) == (0, 1, 1)
    with transaction(services.engine, NATION) as session:
        kept = session.execute(
            text("select name, version from shuitu.intake_history where code = 'I-2'")
        ).all()
    assert [tuple(k) for k in kept] == [("口I-2", 1)]


BAD = [
    ({"经度": ""}, "lon", "missing_coordinate"),
    ({"经度": "32.10", "纬度": "119.10"}, "lon,lat", "swapped_coordinates"),
    ({"经度": "119.30"}, "lon,lat", "outside_region"),
    ({"经度": "12° 21` 7_.__``"}, "lon", "incomplete_angle"),
    ({"县级行政区划代码": "3210"}, "county_code", "bad_region_code"),
    ({"县级行政区划代码": "321999"}, "county_code", "unknown_region"),
    ({"水源类型": "海水"}, "source_type", "unknown_code"),
    ({"年取水量(万m³)": "多"}, "annual_volume_m3", "not_a_number"),
    ({"年取水量(万m³)": "-1"}, "annual_volume_m3", "negative"),
    ({"统一社会信用代码": "91350100M000100Y44"}, "uscc", "credit_code_check"),
    ({"启用日期": "2023-02-30"}, "started_on", "impossible_date"),
    ({"取水口编码": ""}, "code", "missing"),
]


def test_each_bad_row_is_refused_with_its_reason_and_the_rest_goes_in(
    services: Services, folder: Path
) -> None:
    rows = [row(f"B-{n}", **bad) for n, (bad, *_) in enumerate(BAD)] + [row("B-good")]
    record = bring(services, as_csv(folder / "b.csv", rows))
    assert sorted(issues(services, record)) == sorted(
        (n, field, why) for n, (_, field, why) in enumerate(BAD, 1)
    )
    assert (record.rows_new, record.rows_rejected) == (1, len(BAD))
    assert list(stored(services, "B-%")) == ["B-good"]


def test_an_encrypted_datum_is_suspected_and_converted_when_declared(
    services: Services, folder: Path
) -> None:
    # 119.195 + the encryption's offset of about 500 m lies beyond the border's tolerance at 119.2.
    import geocoordinates_ffi as datums

    moved = datums.wgs84_to_gcj02(datums.Wgs84(lon=119.1999, lat=32.1))
    shifted = row("G-1", 经度=f"{moved.lon + 0.0045:.6f}", 纬度=f"{moved.lat:.6f}")
    plain = row("G-2", 经度=f"{moved.lon:.6f}", 纬度=f"{moved.lat:.6f}")
    record = bring(services, as_csv(folder / "g.csv", [shifted]))
    assert [why for *_, why in issues(services, record)] in (["suspected_gcj02"], ["outside_region"])
    done = bring(services, as_csv(folder / "g2.csv", [plain]), datum="GCJ-02")
    assert done.rows_new == 1
    assert stored(services, "G-2")["G-2"].x == pytest.approx(119.1999, abs=2e-6)


def test_duplicates_within_a_file(services: Services, folder: Path) -> None:
    rows = [row("D-1"), row("D-1"), row("D-1", 取水口名称="另一个")]
    record = bring(services, as_csv(folder / "d.csv", rows))
    assert record.rows_new == 1
    assert (3, "code", "duplicate") in issues(services, record)
    assert (2, "code", "repeated") in issues(services, record, "warning")


def test_one_intake_at_two_places_is_told_how_far_apart(services: Services, folder: Path) -> None:
    rows = [row("E-1"), row("E-1", 经度="119.11"), row("E-2")]
    record = bring(services, as_csv(folder / "e.csv", rows))
    assert (record.rows_new, issues(services, record)) == (2, [(2, "code", "another_place")])
    with transaction(services.engine, NATION) as session:
        sentence = report.page(session, record.id, "reject", 0, 1)[0]["message"]
    assert "第1行" in sentence and "944 m" in sentence


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_reject_file_can_be_mended_and_sent_again(form: str, services: Services, folder: Path) -> None:
    rows = [row(f"R-{form}-1", 经度=""), row(f"R-{form}-2")]
    record = bring(services, as_csv(folder / "r.csv", rows))
    with transaction(services.engine, NATION) as session:
        heading, lines = report.table(session, service.find(session, record.id))
        body = report.as_csv(heading, lines) if form == "csv" else report.as_xlsx(heading, lines)
    assert heading[: len(HEADINGS)] == HEADINGS
    if form == "csv":
        read = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
        assert [(r["__行号"], r["__原因"]) for r in read] == [("1", "missing_coordinate")]
        mended = as_csv(folder / "mended.csv", [{**r, "经度": "119.1"} for r in read])
    else:
        book = openpyxl.load_workbook(io.BytesIO(body))
        sheet = book["rejects"]
        sheet.cell(2, heading.index("经度") + 1).value = "119.1"
        mended = folder / "mended.xlsx"
        book.save(mended)
    assert bring(services, mended).rows_new == 1


def test_an_officer_brings_in_only_the_own_county(services: Services, folder: Path) -> None:
    rows = [row("J-1"), row("J-2", 县级行政区划代码="321023", 经度="119.3")]
    record = bring(services, as_csv(folder / "j.csv", rows), actor=GAOYOU)
    assert record.rows_new == 1
    assert issues(services, record) == [(2, "county_code", "outside_jurisdiction")]
    bring(services, as_csv(folder / "k.csv", [rows[1]]))
    stolen = bring(services, as_csv(folder / "l.csv", [row("J-2")]), actor=GAOYOU)
    assert issues(services, stolen) == [(1, "code", "held_elsewhere")]


def test_permits_link_and_settle_the_state(services: Services, folder: Path) -> None:
    bring(services, as_csv(folder / "i.csv", [row("P-1"), row("P-2"), row("P-3")]))
    permits = [
        {"许可证编号": "C321084S2023-0001", "取水权人": "示例厂", "县级行政区划代码": "321084", "年许可水量(万m³)": "3", "有效期起": "2023-01-01", "有效期止": "2099-01-01", "取水口编码": "P-1;P-2"},
        {"许可证编号": "C321084S2013-0002", "取水权人": "示例厂", "县级行政区划代码": "321084", "年许可水量(万m³)": "3", "有效期起": "2013-01-01", "有效期止": "2018-01-01", "取水口编码": "P-3"},
        {"许可证编号": "C32108462020-0003", "取水权人": "示例厂", "县级行政区划代码": "321084", "年许可水量(万m³)": "3", "有效期起": "2030-01-01", "有效期止": "2018-01-01", "取水口编码": ""},
    ]  # fmt: skip
    record = bring(services, as_csv(folder / "p.csv", permits), "permits")
    assert (record.rows_new, record.rows_rejected) == (2, 1)
    assert issues(services, record) == [(3, "valid_to", "ends_before_it_begins")]
    states = {code: found.permit_state for code, found in stored(services, "P-%").items()}
    assert states == {"P-1": "linked", "P-2": "linked", "P-3": "ended"}
    with transaction(services.engine, NATION) as session:
        limit = session.execute(text("select annual_m3 from shuitu.permit_limits l join shuitu.permits p on p.id = l.permit_id where permit_no = 'C321084S2023-0001'")).scalar()  # fmt: skip
        on_map = session.execute(text("select count(*) from map.intake_points p join shuitu.intakes i using (id) where i.code like 'P-%' and p.permit_state = 0")).scalar()  # fmt: skip
    assert limit == 30_000
    assert on_map == 2


def test_a_missing_column_is_named(services: Services, folder: Path) -> None:
    path = as_csv(folder / "m.csv", [{"取水口编码": "M-1", "经度": "119.1"}])
    with pytest.raises(InvalidInput, match="取水口名称"):
        bring(services, path)
    with transaction(services.engine, NATION) as session:
        last = session.execute(
            text("select state, problem from shuitu.imports order by created_at desc limit 1")
        ).one()
    assert last.state == "failed"
    assert "取水口名称" in last.problem


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("x.xlsx", b"not a workbook"),
        ("x.csv", b""),
        ("x.gpkg", b"SQLite?"),
        ("x.pdf", b"%PDF"),
        ("x.csv", b"\xff\xfe\x00\xd8bad"),
    ],
)
def test_what_is_no_table_says_so(name: str, body: bytes, services: Services, folder: Path) -> None:
    (folder / name).write_bytes(body)
    with pytest.raises(InvalidInput, match=r"x\."):
        bring(services, folder / name)


def test_killed_it_leaves_nothing_half_and_goes_on(services: Services, folder: Path) -> None:
    path = as_csv(folder / "big.csv", [row(f"K-{n:06d}") for n in range(60_000)])
    with transaction(services.engine, NATION) as session:
        record = service.submit(
            session, NATION, service.Submission("intakes", path, path.name, Mapping()), None
        )
    code = (
        "from app import wiring; from app.settings import Settings; from app.imports import service; from app.actor import system\n"
        f"s = wiring.services(Settings(database_url={services.settings.database_url!r}, data_dir={str(services.settings.data_dir)!r}))\n"
        f"service.run(s, s.parts['import_kinds'], __import__('uuid').UUID({str(record.id)!r}), system('test'))"
    )
    worker = subprocess.Popen([sys.executable, "-c", code])
    read = 0
    with psycopg.connect(services.dsns.admin, autocommit=True) as watch:
        deadline = time.monotonic() + 60
        while not read and time.monotonic() < deadline and worker.poll() is None:
            got = watch.execute("select rows_read from shuitu.imports where id = %s", (record.id,)).fetchone()
            read = got[0] if got else 0
            time.sleep(0.02)
    worker.kill()
    worker.wait()
    assert 0 < read < 60_000
    assert stored(services, "K-%") == {}
    done = service.run(services, services.parts["import_kinds"], record.id, NATION)
    assert (done.state, done.rows_read, done.rows_new) == ("done", 60_000, 60_000)


def test_upload_from_the_browser(
    log_in: Callable[[str], TestClient], services: Services, folder: Path
) -> None:
    web = log_in("gaoyou")
    body = as_csv(folder / "u.csv", [row("U-1"), row("U-2", 经度="")]).read_bytes()
    answer = web.post("/api/imports", data={"kind": "intakes"}, files={"file": ("取水口.csv", body)})
    assert answer.status_code == 202, answer.text
    made = answer.json()
    with transaction(services.engine, NATION) as session:
        from uuid import UUID

        actor = service.actor_of(service.find(session, UUID(made["id"])))
    service.run(services, services.parts["import_kinds"], UUID(made["id"]), actor)
    now = web.get(f"/api/imports/{made['id']}").json()
    assert (now["state"], now["rows_new"], now["rows_rejected"]) == ("done", 1, 1)
    assert web.get(f"/api/imports/{made['id']}/reasons").json()[0]["reason"] == "missing_coordinate"
    assert "__行号" in web.get(f"/api/imports/{made['id']}/rejects.csv").text
    assert log_in("baoying").get(f"/api/imports/{made['id']}").status_code == 404
    web.cookies.clear()
    assert (
        web.post("/api/imports", data={"kind": "intakes"}, files={"file": ("a.csv", body)}).status_code == 401
    )


def test_an_indicator_tells_the_map_that_it_changed(services: Services, folder: Path) -> None:
    row = {
        "行政区划代码": "321084",
        "指标类型": "total_use_cap",
        "水平年": "2030",
        "指标值(万m³)": "9000",
        "文号": "示例〔2024〕1号",
    }
    record = bring(services, as_csv(folder / "z.csv", [row]), "indicators")
    assert (record.rows_new, record.rows_rejected) == (1, 0)
    with transaction(services.engine, NATION) as session:
        told = (
            session.execute(text("select county_code from shuitu.changes where layer = 'indicators'"))
            .scalars()
            .all()
        )
    assert told == [321084]
