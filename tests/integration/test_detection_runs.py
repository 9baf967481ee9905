"""A run over many places: seen as it goes, told scene by scene, stopped, killed, and gone on with."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rasterio
from sqlalchemy import text
from starlette.testclient import TestClient

from app.actor import Actor, Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Services
from app.errors import Conflict, InvalidInput
from app.imagery import service as imagery
from app.screening import queries, service
from app.screening.schemas import RunOptions
from app.settings import ROOT, Settings
from tests.scenes import write_scene

NATION = system("test")
PLACES = {
    "north_20240512": (119.02, 32.15),
    "middle_20240512": (119.10, 32.08),
    "south_20240512": (119.30, 32.02),
}
"""Two in 高邮, and one in 宝应 (east of 119.2); 2, 1 and 3 ponds."""
PONDS = {
    "north_20240512": [(60, 60), (200, 200)],
    "middle_20240512": [(150, 150)],
    "south_20240512": [(40, 40), (150, 250), (260, 60)],
}


@pytest.fixture
def scenes(services: Services, tmp_path: Path) -> dict[str, int]:
    """Three scenes at three places, on file; each test has files of its own, and no candidates of another."""
    with transaction(services.engine, NATION) as session:
        session.execute(text("delete from shuitu.detection_runs"))
        return {
            name: imagery.add_scenes(session, NATION, write_scene(tmp_path / f"{name}.tif", at, PONDS[name]))[
                0
            ]
            for name, at in PLACES.items()
        }


@pytest.fixture(scope="module")
def settings(database: Any, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Places one after another in this process, so that a test can look between them."""
    return Settings(
        database_url=database.admin,
        data_dir=tmp_path_factory.mktemp("data"),
        log_level="warning",
        detection_workers=1,
    )


def started(services: Services, ids: list[int], actor: Actor = NATION, **more: Any) -> int:
    with transaction(services.engine, actor) as session:
        return service.start(session, actor, ids, None, **more)


def read(services: Services, run_id: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    with transaction(services.engine, NATION) as session:
        return queries.run(session, run_id), queries.parts(session, run_id)


def found(services: Services) -> int:
    with transaction(services.engine, NATION) as session:
        return int(session.execute(text("select count(*) from shuitu.candidates")).scalar_one())


def test_candidates_are_seen_while_the_run_goes_on(services: Services, scenes: dict[str, int]) -> None:
    run_id = started(services, list(scenes.values()), options=RunOptions(min_score=0.2, kinds=["water_body"]))
    seen: list[tuple[int, float]] = []

    def look(share: float, step: str) -> None:
        seen.append((found(services), share))

    record = service.run(services, run_id, NATION, look)
    assert {count for count, _ in seen} >= {0, 2, 3}
    assert [share for _, share in seen] == sorted(share for _, share in seen)
    assert (record["state"], record["parts"], record["parts_done"], record["candidates"]) == ("done", 3, 3, 6)
    assert record["facts"]["new"] == 6
    assert record["options"] == {"kinds": ["water_body"], "min_score": 0.2}
    assert record["versions"]["rasterio"] == rasterio.__version__
    assert record["started_at"] <= record["finished_at"]
    _, parts = read(services, run_id)
    assert [(part["scenes"], part["candidates"]) for part in parts] == [
        (["north_20240512"], 2), (["middle_20240512"], 1), (["south_20240512"], 3),
    ]  # fmt: skip


def test_a_scene_that_is_gone_is_named_and_the_run_goes_on(
    services: Services, scenes: dict[str, int], tmp_path: Path, log_in: Callable[[str], TestClient]
) -> None:
    (tmp_path / "middle_20240512.tif").unlink()
    run_id = started(services, list(scenes.values()))
    record = service.run(services, run_id, NATION)
    assert (record["state"], record["parts_done"], record["parts_failed"], record["candidates"]) == (
        "done",
        2,
        1,
        5,
    )
    (left,) = record["facts"]["scenes_left_out"]
    assert left["scene"] == "middle_20240512"
    assert "middle_20240512.tif" in left["problem"]
    web = log_in("admin")
    told = web.get(f"/api/runs/{run_id}").json()
    failed = [place for place in told["places"] if place["state"] == "failed"]
    assert [place["scenes"] for place in failed] == [["middle_20240512"]]
    page = web.get(f"/api/runs/{run_id}/report").text
    assert "middle_20240512.tif" in page
    number = next(place["number"] for place in told["places"] if place["scenes"] == ["north_20240512"])
    assert f"/api/runs/{run_id}/places/{number}/report" in page
    assert "north_20240512" in web.get(f"/api/runs/{run_id}/places/{number}/report").text
    # The file is back: only what failed is done.
    write_scene(tmp_path / "middle_20240512.tif", PLACES["middle_20240512"], PONDS["middle_20240512"])
    before = {
        part["number"]: part["finished_at"] for part in read(services, run_id)[1] if part["state"] == "done"
    }
    assert web.post(f"/api/runs/{run_id}/resume").status_code == 202
    assert service.run(services, run_id, NATION)["candidates"] == 6
    after = {part["number"]: part["finished_at"] for part in read(services, run_id)[1]}
    assert {number: after[number] for number in before} == before
    with transaction(services.engine, NATION) as session, pytest.raises(Conflict):
        service.resume(session, run_id)


def test_a_run_without_a_scene_that_can_be_read_fails_with_its_name(
    services: Services, scenes: dict[str, int], tmp_path: Path
) -> None:
    path = tmp_path / "north_20240512.tif"
    path.write_bytes(path.read_bytes()[:4000])
    run_id = started(services, [scenes["north_20240512"]])
    with pytest.raises(InvalidInput, match="north_20240512"):
        service.run(services, run_id, NATION)
    record, _ = read(services, run_id)
    assert record["state"] == "failed"
    assert "north_20240512" in record["problem"]
    assert "unexpected" not in record["problem"]


def test_a_run_that_is_cancelled_keeps_what_it_found_and_can_go_on(
    services: Services, scenes: dict[str, int]
) -> None:
    run_id = started(services, list(scenes.values()))

    def stop(share: float, step: str) -> None:
        if found(services):
            with transaction(services.engine, NATION) as session:
                if queries.run(session, run_id)["state"] == "running":
                    service.cancel(session, run_id)
            time.sleep(1.1)  # the run looks once a second

    assert service.run(services, run_id, NATION, stop)["state"] == "cancelled"
    assert found(services) == 2
    assert (
        service.run(services, run_id, NATION)["state"] == "cancelled"
    )  # its job comes once more: nothing happens
    with transaction(services.engine, NATION) as session:
        service.resume(session, run_id)
    record = service.run(services, run_id, NATION)
    assert (record["state"], record["candidates"], record["parts_done"]) == ("done", 6, 3)


WORK = """
import sys
from app import wiring
from app.actor import system
from app.screening import service
from app.settings import Settings
def main():
    services = wiring.services(Settings())
    service.run(services, int(sys.argv[1]), system("test"))
if __name__ == "__main__":
    main()
"""


def test_a_run_that_is_killed_goes_on_with_the_places_that_are_left(
    services: Services, scenes: dict[str, int], tmp_path: Path
) -> None:
    run_id = started(services, list(scenes.values()))
    script = tmp_path / "work.py"
    script.write_text(WORK)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("SHUITU_")},
        "SHUITU_DATA_DIR": str(services.settings.data_dir), "SHUITU_DATABASE_URL": str(services.settings.database_url),
        "SHUITU_DETECTION_WORKERS": "1", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, str(script), str(run_id)], cwd=ROOT, env=environment)
    try:
        end = time.monotonic() + 120
        while found(services) == 0 and time.monotonic() < end:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    record, parts = read(services, run_id)
    done = {part["number"]: part["finished_at"] for part in parts if part["state"] == "done"}
    assert done
    assert record["state"] in ("running", "done")
    ended = service.run(services, run_id, NATION)
    assert (ended["state"], ended["candidates"], ended["parts_done"]) == ("done", 6, 3)
    again = {part["number"]: part["finished_at"] for part in read(services, run_id)[1]}
    assert {number: again[number] for number in done} == done


def test_a_run_sees_and_stores_what_is_in_the_scope_of_who_asked(
    services: Services, scenes: dict[str, int], log_in: Callable[[str], TestClient]
) -> None:
    county = Actor("gaoyou", Role.ANALYST, Jurisdiction.of_region("321084"))
    with transaction(services.engine, county) as session:
        assert {one["item_id"] for one in imagery.listed(session)} == {"north_20240512", "middle_20240512"}
    run_id = started(services, [scenes["north_20240512"], scenes["middle_20240512"]], county)
    assert service.run(services, run_id, county)["candidates"] == 3
    assert log_in("gaoyou").get(f"/api/runs/{run_id}").status_code == 200
    assert log_in("baoying").get(f"/api/runs/{run_id}").status_code == 404
    assert log_in("baoying").get("/api/candidates").json()["total"] == 0


def test_parallel_places_give_what_serial_ones_give(services: Services, scenes: dict[str, int]) -> None:
    def rows() -> list[tuple[Any, ...]]:
        with transaction(services.engine, NATION) as session:
            found = session.execute(
                text(
                    "select kind, category, score, area_m2, st_astext(geom), reasons::text from shuitu.candidates order by 5"
                )
            )
            return [tuple(row) for row in found]

    service.run(services, started(services, list(scenes.values())), NATION)
    serial = rows()
    with transaction(services.engine, NATION) as session:
        session.execute(text("delete from shuitu.candidates"))
    many = Services(
        **{**vars(services), "settings": services.settings.model_copy(update={"detection_workers": 2})}
    )
    record = service.run(many, started(services, list(scenes.values())), NATION)
    assert record["state"] == "done"
    assert rows() == serial
    assert len(serial) == 6


def test_options_that_cannot_be_are_refused(
    scenes: dict[str, int], log_in: Callable[[str], TestClient]
) -> None:
    web = log_in("admin")
    ids = list(scenes.values())
    good = web.post("/api/runs", json={"scene_ids": ids, "options": {"min_score": 0.4}})
    assert good.json()["options"] == {"min_score": 0.4}
    for options in ({"min_score": 4}, {"kinds": []}, {"magic": 1}):
        assert web.post("/api/runs", json={"scene_ids": ids, "options": options}).status_code == 400
