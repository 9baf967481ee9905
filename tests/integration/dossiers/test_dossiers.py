"""A dossier tells all that is known, to those who may know it, in either language."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.actor import system
from app.db.engine import transaction
from app.deps import Services

CODE, NUMBER = "321084-0001", "D321084S2024-0007"
INTAKE = {
    "code": CODE, "name": "三垛镇第一提水站", "holder_name": "高邮灌区管理处", "county_code": 321084, "lon": 119.1, "lat": 32.1,
    "source_type": "surface_water", "purpose": "irrigation", "annual_volume_m3": 412345.6, "attributes": {"泵站": "3台"},
}  # fmt: skip
PERMIT = {
    "permit_no": NUMBER, "holder_name": "高邮灌区管理处", "county_code": 321084, "annual_volume_m3": 500000, "status": "valid",
    "issuing_authority": "高邮市水利局", "valid_from": "2024-01-01", "valid_to": "2034-12-31",
    "limits": [{"period": "05-01/09-30", "annual_m3": 400000, "daily_m3": 4000}], "intake_codes": [CODE],
}  # fmt: skip


@pytest.fixture(scope="module")
def entry(web: TestClient, services: Services) -> dict[str, int]:
    """An intake that changed twice and its permit, a finding beside it, a proposal and an outcome of the linkage."""
    from tests.integration.conftest import PASSWORD

    web.post("/api/session", json={"username": "gaoyou", "password": PASSWORD})

    def push(path: str, item: dict[str, Any]) -> int:
        answer = web.post(f"/api/exchange/{path}", content=json.dumps([item]))
        assert answer.json()["rejected"] == 0, answer.text
        return int(answer.json()["results"][0]["id"])

    intake = push("intakes", INTAKE)
    push(
        "intakes", INTAKE | {"name": "三垛镇一站", "annual_volume_m3": 420000, "attributes": {"泵站": "4台"}}
    )
    permit = push("permits", PERMIT)
    with transaction(services.engine, system("test")) as session:
        session.execute(
            text("insert into shuitu.detection_runs (scene_ids, actor_name, scope_lo, scope_hi) values ('{1}', 'test', 0, 1000000)")
        )  # fmt: skip
        session.execute(
            text("""insert into shuitu.candidates (run_id, code, kind, category, score, area_m2, county_code, evidence, reasons, geom, acquired_at)
                    select max(id), 'YG-000001', 'water_body', 'no_intake', 0.9, 1000, 321084, '{}', '[]',
                    st_multi(st_makeenvelope(119.101, 32.1, 119.102, 32.101, 4490)), '2026-05-17T02:00:00Z' from shuitu.detection_runs""")
        )  # fmt: skip
        session.execute(
            text("""insert into shuitu.link_pairs (intake_id, permit_id, probability, reasons, county_code)
                    values (:i, :p, 0.934, '[{"code": "name", "zh": "名称相同", "en": "same name"}]', 321084)"""),
            {"i": intake, "p": permit},
        )
        session.execute(
            text("insert into shuitu.link_outcomes (intake_id, outcome, decided_by, decided_name, decided_at, county_code) values (:i, 'one_to_one', 'person', 'gaoyou', now(), 321084) on conflict (intake_id) do update set outcome = excluded.outcome, decided_by = excluded.decided_by, decided_name = excluded.decided_name, decided_at = now()"),
            {"i": intake},
        )  # fmt: skip
    web.cookies.clear()
    return {"intake": intake, "permit": permit}


def read(client: TestClient, path: str, **query: str) -> dict[str, Any]:
    answer = client.get(f"/api/dossiers/{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found | {"by": {section["id"]: section for section in found["sections"]}}


def cells(section: dict[str, Any]) -> list[list[str]]:
    return [[cell["text"] for cell in row] for row in section["table"]["rows"]]


def test_an_intake_tells_facts_permits_limits_volumes_findings_linkage_and_versions(
    log_in: Callable[[str], TestClient], entry: dict[str, int]
) -> None:
    found = read(log_in("gaoyou"), f"intakes/{entry['intake']}")
    assert (found["name"], found["number"], found["state"]) == ("三垛镇一站", CODE, "linked")
    facts = {fact["title"]: fact["text"] for fact in found["by"]["facts"]["facts"]}
    assert facts["取水用途"] == "农业灌溉"
    assert facts["泵站"] == "4台"
    assert "高邮市 321084" in facts.values()
    (link,) = cells(found["by"]["links"])
    assert link[:4] == [NUMBER, "高邮灌区管理处", "有效", "50万m³"]
    assert found["by"]["links"]["table"]["rows"][0][0]["to"] == {"layer": "permits", "id": entry["permit"]}
    assert cells(found["by"]["limits"])[-1][:4] == [NUMBER, "05-01/09-30", "40万m³", "0.4万m³"]
    assert [fact["text"] for fact in found["by"]["volumes"]["facts"]] == ["42万m³", "50万m³"]
    assert cells(found["by"]["candidates"])[0][0] == "YG-000001"
    assert found["by"]["linkage"]["facts"][0]["text"].startswith("一口一证 · gaoyou")
    assert cells(found["by"]["linkage"])[0][1:] == ["93.4%", "待核", "名称相同"]
    newest, renamed, first = found["by"]["versions"]["entries"]
    assert {d["title"] for d in newest["differences"]} == {"许可对应"}
    assert {(d["title"], d["before"], d["after"]) for d in renamed["differences"]} == {
        ("取水口名称", "三垛镇第一提水站", "三垛镇一站"), ("年取水量(许可或登记)", "41.2346万m³", "42万m³"), ("泵站", "3台", "4台"),
    }  # fmt: skip
    assert first["differences"] == []
    assert "第1行" in renamed["text"] and "gaoyou" in renamed["text"]
    assert len(cells(found["by"]["imports"])) == 2


def test_a_permit_tells_facts_limits_and_its_intakes(
    log_in: Callable[[str], TestClient], entry: dict[str, int]
) -> None:
    found = read(log_in("gaoyou"), f"permits/{entry['permit']}")
    assert (found["number"], found["state_text"]) == (NUMBER, "有效")
    assert cells(found["by"]["links"])[0][:3] == ["三垛镇一站", CODE, "高邮市 321084"]
    assert cells(found["by"]["limits"])[-1][:2] == ["05-01/09-30", "40万m³"]
    assert "42万m³（1个取水口中1个有登记水量）" in found["by"]["volumes"]["facts"][1]["text"]
    assert found["points"] == [{"lon": 119.1, "lat": 32.1, "label": "三垛镇一站"}]
    assert cells(found["by"]["linkage"])[0][0] == f"三垛镇一站 {CODE}"


def test_english_readers_read_english(log_in: Callable[[str], TestClient], entry: dict[str, int]) -> None:
    for path in (f"intakes/{entry['intake']}", f"permits/{entry['permit']}"):
        found = read(log_in("gaoyou"), path, lang="en")
        titles = [s["title"] + s["empty"] + s["note"] for s in found["sections"]]
        titles += [f["title"] for s in found["sections"] for f in s["facts"] if f["title"] != "泵站"]
        titles += [c for s in found["sections"] if s["table"] for c in s["table"]["columns"]]
        assert not [title for title in titles if any("\u4e00" <= c <= "\u9fff" for c in title)]


def test_a_dossier_is_for_officers_who_see_the_place(
    log_in: Callable[[str], TestClient], entry: dict[str, int], web: TestClient
) -> None:
    for path in (
        f"intakes/{entry['intake']}",
        f"permits/{entry['permit']}",
        "intakes/999999",
        "permits/999999",
    ):
        assert log_in("baoying").get(f"/api/dossiers/{path}").status_code == 404
    web.cookies.clear()
    assert web.get(f"/api/dossiers/intakes/{entry['intake']}").status_code == 401
    assert log_in("viewer").get(f"/api/dossiers/intakes/{entry['intake']}").status_code == 200
    assert log_in("viewer").get("/api/dossiers/regions/1").status_code == 400
