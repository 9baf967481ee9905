"""What people say of candidates: reasons, bulk, outlines, notes, all taken back; exports; the score calibrated."""

import io
from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pytest
from PIL import Image
from pypdf import PdfReader
from sqlalchemy import text
from starlette.testclient import TestClient

from app.actor import Actor, Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Services
from app.screening import calibrating

NATION = system("test")
GAOYOU, BAOYING = 321084, 321023
SIDE = 0.001


def plant(services: Services, count: int, county: int = GAOYOU, **more: Any) -> list[int]:
    """Suspected ponds of about a hectare, each with a score of its own."""
    west = 119.02 if county == GAOYOU else 119.25
    with transaction(services.engine, NATION) as session:
        run = session.execute(
            text("""insert into shuitu.detection_runs (scene_ids, state, actor_name, scope_lo, scope_hi)
                    values ('{}', 'done', 'test', 0, 1000000) returning id""")
        ).scalar_one()
        made = []
        for n in range(count):
            values = {
                "run": run, "county": county, "score": (n + 0.5) / count, "kind": "water_body", "west": west + 0.002 * (n % 20),
                "south": 32.02 + 0.002 * (n // 20), "side": SIDE, **more,
            }  # fmt: skip
            made.append(
                session.execute(
                    text("""insert into shuitu.candidates (run_id, code, kind, category, score, raw_score, area_m2, volume_m3, volume_lo_m3,
                              volume_hi_m3, county_code, acquired_at, evidence, reasons, geom)
                            select :run, 'YG-T' || :run || '-' || gen_random_uuid(), :kind, 'no_intake', :score, :score, 10000, 15000, 5000,
                              30000, :county, '2024-05-12T02:30Z', '{"scene": "s2", "previous": null}',
                              '[{"code": "area", "zh": "影像上有水体", "en": "The image shows water"}]',
                              st_multi(st_makeenvelope(:west, :south, :west + :side, :south + :side, 4490)) returning id"""),
                    values,
                ).scalar_one()
            )
        return made


@pytest.fixture(autouse=True)
def emptied(services: Services) -> None:
    with transaction(services.engine, NATION) as session:
        session.execute(text("delete from shuitu.detection_runs"))
        session.execute(text("delete from shuitu.score_calibrations"))


def decide(web: TestClient, one: dict[str, Any], decision: str, **more: Any) -> Any:
    body = {"decision": decision, "version": one["version"], **more}
    return web.post(f"/api/candidates/{one['id']}/decisions", json=body)


def get(web: TestClient, number: int) -> Any:
    return web.get(f"/api/candidates/{number}").json()


def undo(web: TestClient, step: int) -> Any:
    return web.post(f"/api/candidates/decisions/{step}/undo")


def test_a_rejection_needs_a_reason(services: Services, log_in: Callable[[str], TestClient]) -> None:
    (number,) = plant(services, 1)
    web = log_in("gaoyou")
    one = get(web, number)
    for bad in ({}, {"reason": "other"}, {"reason": "visited"}, {"reason": "nonsense", "note": "x"}):
        refused = decide(web, one, "reject", **bad)
        assert refused.status_code == 400
        assert "natural_water" in refused.json()["expected"]
    rejected = decide(web, one, "reject", reason="rain_fed").json()
    assert (rejected["state"], rejected["decisions"][0]["reason"]) == ("rejected", "rain_fed")


def test_unsure_is_no_end(services: Services, log_in: Callable[[str], TestClient]) -> None:
    (number,) = plant(services, 1)
    web = log_in("gaoyou")
    unsure = decide(web, get(web, number), "unsure", reason="needs_visit").json()
    assert unsure["state"] == "unsure"
    assert web.get("/api/candidates", params={"state": "unsure"}).json()["total"] == 1
    confirmed = decide(web, unsure, "confirm", reason="visited").json()
    assert confirmed["state"] == "confirmed"
    back = undo(web, confirmed["decisions"][0]["id"])
    assert back.json() == {"ids": [number], "kept": 0}
    assert get(web, number)["state"] == "unsure"  # as it was before, not merely open


def test_two_officers_at_one_candidate(services: Services, log_in: Callable[[str], TestClient]) -> None:
    (number,) = plant(services, 1)
    seen = get(log_in("gaoyou"), number)
    assert decide(log_in("admin"), seen, "confirm").status_code == 200
    late = decide(log_in("gaoyou"), seen, "reject", reason="exempt")
    assert late.status_code == 409
    assert late.json()["actor"] == "admin"
    assert "属实" in late.json()["detail"]
    assert get(log_in("gaoyou"), number)["state"] == "confirmed"


def test_steps_are_taken_back_one_after_another_and_in_order(
    services: Services, log_in: Callable[[str], TestClient]
) -> None:
    (number,) = plant(services, 1)
    web = log_in("gaoyou")
    first = get(web, number)
    half = {"type": "Polygon", "coordinates": [[[119.02, 32.02], [119.0205, 32.02], [119.0205, 32.021], [119.02, 32.021], [119.02, 32.02]]]}  # fmt: skip
    drawn = web.post(
        f"/api/candidates/{number}/outline", json={"geometry": half, "version": first["version"]}
    ).json()
    assert drawn["redrawn"]
    true_m2 = gpd.GeoSeries.from_wkt(
        ["POLYGON((119.02 32.02, 119.0205 32.02, 119.0205 32.021, 119.02 32.021, 119.02 32.02))"], crs=4490
    ).to_crs(4549).area.iloc[0]  # fmt: skip
    assert drawn["area_m2"] == pytest.approx(true_m2, rel=2e-3)
    assert drawn["volume_m3"] == pytest.approx(first["volume_m3"] * drawn["area_m2"] / 10_000)
    confirmed = decide(web, drawn, "confirm", reason="seen_in_image", note="泵房可见").json()
    outline_step = next(d["id"] for d in confirmed["decisions"] if d["decision"] == "redraw")
    confirm_step = next(d["id"] for d in confirmed["decisions"] if d["decision"] == "confirm")
    assert undo(web, outline_step).status_code == 409  # something followed it
    assert undo(web, confirm_step).status_code == 200
    assert undo(web, confirm_step).status_code == 409
    assert undo(web, outline_step).status_code == 200
    last = get(web, number)
    for name in ("geometry", "area_m2", "volume_m3", "state", "redrawn"):
        assert last[name] == first[name]
    assert [(d["decision"], d["undone"]) for d in last["decisions"]] == [
        ("undo", False), ("undo", False), ("confirm", True), ("redraw", True),
    ]  # fmt: skip


def test_an_outline_is_cut_and_added_to(services: Services, log_in: Callable[[str], TestClient]) -> None:
    (number,) = plant(services, 1)
    web = log_in("gaoyou")
    first = get(web, number)

    def box(west: float, east: float) -> dict[str, Any]:
        ring = [[west, 32.0], [east, 32.0], [east, 32.03], [west, 32.03], [west, 32.0]]
        return {"type": "Polygon", "coordinates": [ring]}

    def draw(version: int, how: str, geometry: dict[str, Any]) -> Any:
        body = {"geometry": geometry, "version": version, "how": how}
        return web.post(f"/api/candidates/{number}/outline", json=body)

    cut = draw(first["version"], "cut", box(119.0205, 119.03)).json()
    assert cut["bbox"][2] == pytest.approx(119.0205)
    assert cut["volume_m3"] == pytest.approx(first["volume_m3"] * cut["area_m2"] / 10_000)
    assert draw(cut["version"], "cut", box(119.0, 119.03)).status_code == 400  # nothing would be left
    assert draw(first["version"], "add", box(119.021, 119.022)).status_code == 409
    added = draw(cut["version"], "add", box(119.024, 119.025)).json()
    assert added["area_m2"] > cut["area_m2"]
    assert len(added["geometry"]["coordinates"]) == 2


def test_an_outline_must_be_one(services: Services, log_in: Callable[[str], TestClient]) -> None:
    (number,) = plant(services, 1)
    web = log_in("gaoyou")
    version = get(web, number)["version"]
    for bad in (
        {"type": "Point", "coordinates": [119, 32]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[500, 32], [501, 32], [501, 33], [500, 32]]]},
        {"type": "Polygon", "coordinates": [[[119, 32], [119, 32], [119, 32], [119, 32]]]},
        {},
    ):
        answer = web.post(f"/api/candidates/{number}/outline", json={"geometry": bad, "version": version})
        assert answer.status_code == 400, bad
        assert answer.headers["content-type"].startswith("application/problem+json")


def test_what_a_person_drew_is_left_alone_by_the_next_run(
    services: Services, log_in: Callable[[str], TestClient]
) -> None:
    (number,) = plant(services, 1)
    web = log_in("gaoyou")
    one = get(web, number)
    web.post(
        f"/api/candidates/{number}/outline", json={"geometry": one["geometry"], "version": one["version"]}
    )
    from shapely.geometry import shape

    from app.screening.storing import store
    from remote_sensing.pipeline import Candidate, Detection

    again = Candidate(
        "water_body", "no_intake", 0.9, 10_000, 1.0, 1.0, 1.0, None, None, None, None, None, {}, (), shape(one["geometry"]), raw_score=0.9
    )  # fmt: skip
    found = Detection((again,), "shuitu", {"scene": "s2", "previous": None}, None)
    with transaction(services.engine, NATION) as session:
        run = session.execute(text("select max(id) from shuitu.detection_runs")).scalar_one()
        counts = store(session, NATION, run, 1, found, "screening/x", generated=False)
    assert counts["decided_before"] == 1
    assert get(web, number)["score"] == one["score"]


def test_a_note_stands_beside_and_can_be_taken_back(
    services: Services, log_in: Callable[[str], TestClient]
) -> None:
    (number,) = plant(services, 1)
    web = log_in("gaoyou")
    first = get(web, number)
    noted = web.post(f"/api/candidates/{number}/notes", json={"note": "已约镇水利站"}).json()
    assert (noted["version"], noted["state"]) == (first["version"], "suspected")
    assert noted["decisions"][0]["note"] == "已约镇水利站"
    assert undo(web, noted["decisions"][0]["id"]).status_code == 200
    assert get(web, number)["decisions"][1]["undone"]
    assert log_in("viewer").post(f"/api/candidates/{number}/notes", json={"note": "x"}).status_code == 403


def test_one_decision_on_all_that_a_filter_chooses(
    services: Services, log_in: Callable[[str], TestClient]
) -> None:
    numbers = plant(services, 10)
    plant(services, 3, BAOYING)
    web = log_in("gaoyou")
    low = {"max_score": 0.5, "kind": "water_body"}
    body = {"filters": low, "decision": "reject", "reason": "exempt", "expected": 5}
    assert web.post("/api/candidates/decisions", json={**body, "expected": 8}).status_code == 409
    assert web.post("/api/candidates/decisions", json={**body, "reason": ""}).status_code == 400
    assert (
        web.post("/api/candidates/decisions", json={**body, "filters": {"colour": "red"}}).status_code == 400
    )
    done = web.post("/api/candidates/decisions", json=body).json()
    assert done["count"] == 5
    states = [get(web, number)["state"] for number in numbers]
    assert states == ["rejected"] * 5 + ["suspected"] * 5
    assert log_in("baoying").get("/api/candidates", params={"state": "rejected"}).json()["total"] == 0
    # One of them is changed since: it stays as it is, the others go back.
    web = log_in("gaoyou")
    decide(web, get(web, numbers[0]), "reopen")
    back = web.post(f"/api/candidates/decisions/bulk/{done['bulk']}/undo").json()
    assert (sorted(back["ids"]), back["kept"]) == (numbers[1:5], 1)
    assert web.get("/api/candidates", params={"state": "suspected"}).json()["total"] == 10
    again = web.post(f"/api/candidates/decisions/bulk/{done['bulk']}/undo").json()
    assert again["ids"] == []


def test_bulk_stays_in_the_jurisdiction(services: Services, log_in: Callable[[str], TestClient]) -> None:
    plant(services, 2)
    plant(services, 3, BAOYING)
    body = {"filters": {}, "decision": "confirm", "reason": "visited", "expected": 3}
    assert log_in("baoying").post("/api/candidates/decisions", json=body).json()["count"] == 3
    assert log_in("gaoyou").get("/api/candidates", params={"state": "suspected"}).json()["total"] == 2


@pytest.mark.parametrize("ending", ["gpkg", "parquet", "xlsx"])
def test_what_is_filtered_leaves_as_a_file(
    ending: str, services: Services, log_in: Callable[[str], TestClient], tmp_path: Any
) -> None:
    numbers = plant(services, 6)
    web = log_in("gaoyou")
    decide(web, get(web, numbers[-1]), "confirm", reason="visited", note="=1+1 现场有泵")
    answer = web.get(f"/api/candidates/export.{ending}", params={"min_score": 0.5})
    assert answer.status_code == 200
    path = tmp_path / f"out.{ending}"
    path.write_bytes(answer.content)
    if ending == "xlsx":
        sheet = openpyxl.load_workbook(path).active
        rows = list(sheet.values)
        assert len(rows) == 4
        first = dict(zip(rows[0], rows[1], strict=True))
        assert (first["研判状态"], first["研判理由"], first["说明"]) == ("属实", "现场核实", "'=1+1 现场有泵")
        assert first["估算水量(m³)"] == 15_000
        english = web.get(f"/api/candidates/export.{ending}", params={"min_score": 0.5, "lang": "en"})
        book = openpyxl.load_workbook(io.BytesIO(english.content)).active
        assert dict(zip(*list(book.values)[:2], strict=True))["State"] == "Confirmed"
        return
    frame = gpd.read_file(path) if ending == "gpkg" else gpd.read_parquet(path)
    assert len(frame) == 3
    assert frame.crs.to_epsg() == 4490
    assert frame.geometry.iloc[0].geom_type == "MultiPolygon"
    assert list(frame["state"]) == ["confirmed", "suspected", "suspected"]
    assert frame["volume_m3"].iloc[0] == 15_000
    empty = web.get(f"/api/candidates/export.{ending}", params={"state": "unsure"})
    path.write_bytes(empty.content)
    frame = gpd.read_file(path) if ending == "gpkg" else gpd.read_parquet(path)
    assert len(frame) == 0


def test_the_score_follows_what_people_decide(
    services: Services, log_in: Callable[[str], TestClient]
) -> None:
    """The detection is overconfident: of what it gives s, s² is right."""
    numbers = plant(services, 200)
    fresh = plant(services, 50)
    random = np.random.default_rng(3)
    with transaction(services.engine, NATION) as session:
        for n, number in enumerate(numbers):
            right = random.random() < ((n + 0.5) / 200) ** 2
            session.execute(
                text("update shuitu.candidates set state = :state, decided_at = now() where id = :id"),
                {"state": "confirmed" if right else "rejected", "id": number},
            )
    web = log_in("admin")
    before = web.get("/api/calibrations").json()
    assert (before["current"], before["decided"], before["possible"]) == (None, 200, True)
    made = web.post("/api/calibrations").json()
    assert made["decided"] == made["confirmed"] + made["rejected"] == 200
    assert made["ece_after"] < made["ece_before"]
    assert made["brier_after"] < made["brier_before"]
    assert sum(one["count"] for one in made["bins_after"]) == 200
    assert made["changed"] > 40
    ys = [y for _, y in made["curve"]]
    assert ys == sorted(ys)
    scores = [get(web, number)["score"] for number in fresh]
    truth = [((n + 0.5) / 50) ** 2 for n in range(50)]
    assert scores == sorted(scores)
    assert np.abs(np.array(scores) - truth).mean() < np.abs(np.arange(50) / 50 - truth).mean() / 2
    assert get(web, numbers[0])["score"] == pytest.approx(
        0.5 / 200
    )  # what was decided keeps what the person saw
    now = web.get("/api/calibrations").json()
    assert (now["current"]["id"], now["since"]) == (made["id"], 0)
    # A run of a county without a calibration of its own takes the nation's.
    county = Jurisdiction.of_region("321084")
    with transaction(services.engine, Actor("gaoyou", Role.ANALYST, county)) as session:
        assert calibrating.in_use(session, county)(0.5, 0.9) == pytest.approx(np.interp(0.5, *zip(*made["curve"], strict=True)))  # fmt: skip
    assert log_in("baoying").get("/api/calibrations").json()["current"]["id"] == made["id"]


def test_too_few_decisions_calibrate_nothing(services: Services, log_in: Callable[[str], TestClient]) -> None:
    plant(services, 5)
    web = log_in("admin")
    refused = web.post("/api/calibrations")
    assert refused.status_code == 409
    assert refused.json()["least"] == calibrating.LEAST


def test_the_end_of_a_run_calibrates_when_enough_is_new(services: Services) -> None:
    numbers = plant(services, 60)
    with transaction(services.engine, NATION) as session:
        for n, number in enumerate(numbers):
            session.execute(
                text("update shuitu.candidates set state = :s, decided_at = now() where id = :id"),
                {"s": "confirmed" if n > 40 else "rejected", "id": number},
            )
        calibrating.refresh(session, NATION)
        calibrating.refresh(session, NATION)
        made = session.execute(text("select count(*) from shuitu.score_calibrations")).scalar_one()
    assert made == 1


def test_the_evidence_is_printed_with_pictures_permits_and_decisions(
    services: Services, log_in: Callable[[str], TestClient]
) -> None:
    (number,) = plant(services, 1)
    chips = services.settings.data_dir / "chips"
    chips.mkdir(exist_ok=True)
    for which in ("before", "after"):
        Image.new("RGB", (300, 320), "#33566e").save(chips / f"{which}.png")
    with transaction(services.engine, NATION) as session:
        intake = session.execute(
            text("""insert into shuitu.intakes (code, name, county_code, source_type, geom)
                    values ('320000', '丰沟镇鱼塘取水口', 321084, 'surface_water', st_setsrid(st_makepoint(119.02, 32.02), 4490)) returning id""")
        ).scalar_one()
        session.execute(
            text("""update shuitu.candidates set chip_before = 'chips/before.png', chip_after = 'chips/after.png',
                      serving_intake_ids = array[cast(:intake as bigint)],
                      profile = '[{"date": "2024-05-12", "scene": "s2", "seen": 1, "ndvi": 0.61, "ndmi": null, "ndwi": -0.3,
                                   "around_ndvi": 0.2, "around_ndmi": null}]' where id = :id"""),
            {"intake": intake, "id": number},
        )
    web = log_in("gaoyou")
    one = decide(web, get(web, number), "unsure", reason="needs_visit", note="约镇水利站").json()
    answer = web.get(f"/api/dossiers/candidates/{number}.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    book = PdfReader(io.BytesIO(answer.content))
    words = "".join("".join(page.extract_text() for page in book.pages).split())
    for said in (one["code"], "疑似", "0.5万m³", "3万m³", "影像上有水体", "丰沟镇鱼塘取水口", "没有许可", "须现场核实", "约镇水利站", "0.61"):  # fmt: skip
        assert said in words, said
    sizes = {image.image.size for page in book.pages for image in page.images if image.image}
    assert (300, 320) in sizes
    english = web.get(f"/api/dossiers/candidates/{number}.pdf", params={"lang": "en"})
    assert "Suspected" in PdfReader(io.BytesIO(english.content)).pages[0].extract_text()
    assert log_in("baoying").get(f"/api/dossiers/candidates/{number}.pdf").status_code == 404
