"""A small register on a database of its own, and the whole service on it: for tests that ask by HTTP."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import uvicorn
from fastapi.testclient import TestClient

from app.access import service as access
from app.actor import Jurisdiction, Role, system
from app.db.engine import Dsns, engine, transaction
from app.main import create
from app.settings import Settings
from layers import catalog
from tiles import publish, shapes

INTAKES = 320
"""In county 321002: 280, 321084: 30, 320505: 8, and one on either side of 180°."""
CLOCKWISE = "MULTIPOLYGON((({w} {s},{w} {n},{e} {n},{e} {s},{w} {s})))"
REGIONS = (
    (320000, "江苏省", 1, None, (119.0, 31.0, 121.0, 34.0)),
    (321000, "扬州市", 2, 320000, (119.0, 32.0, 120.0, 33.5)),
    (321002, "广陵区", 3, 321000, (119.0, 32.0, 119.5, 33.5)),
    (321084, "高邮市", 3, 321000, (119.5, 32.0, 120.0, 33.5)),
    (320505, "虎丘区", 3, 320000, (120.0, 31.0, 121.0, 31.5)),
)
ACQUIRED = ("2026-05-01T02:30:00Z", "2026-06-01T02:30:00Z", "2026-07-01T02:30:00Z")


def polygon(box: tuple[float, float, float, float]) -> str:
    west, south, east, north = box
    return "SRID=4490;" + CLOCKWISE.format(w=west, s=south, e=east, n=north)


def place_of(i: int) -> tuple[int, float, float]:
    """County, longitude and latitude of the i-th intake (from 1)."""
    if i <= 280:
        return 321002, 119.0 + i / 1000, 32.0 + i / 300
    if i <= 310:
        return 321084, 119.5 + i / 1000, 32.1 + (i - 280) / 100
    if i <= 318:
        return 320505, 120.1 + (i - 310) / 100, 31.2
    return 321002, (179.9 if i == 319 else -179.9), 10.0


def fill(dsns: Dsns) -> None:
    """Regions, intakes, permits, indicators, scenes and candidates; published as the map shows them."""
    with psycopg.connect(dsns.service) as connection:
        connection.execute(
            "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)"
        )
        run = connection.cursor()
        run.executemany(
            "insert into shuitu.regions (code, name, level, parent_code, geom, label) "
            "values (%s, %s, %s, %s, %s::geometry, st_pointonsurface(%s::geometry))",
            [(c, n, level, up, polygon(box), polygon(box)) for c, n, level, up, box in REGIONS],
        )
        run.executemany(
            "insert into shuitu.intakes (code, name, holder_name, county_code, basin_id, source_type, status, permit_state, "
            "purpose, annual_volume_m3, geom) values (%s, %s, %s, %s, 1, %s, 'in_use', %s, 'irrigation', %s, %s::geometry)",
            [
                (
                    f"QSK-{i:04}",
                    f"取水口{i}",
                    "高邮灌区管理处" if i % 2 else "苏水 & <b>公司</b>",
                    county,
                    "groundwater" if i % 4 == 0 else "surface_water",
                    "unpermitted" if i % 10 == 0 else "linked",
                    None if i % 7 == 0 else i * 1000.5,
                    f"SRID=4490;POINT({lon} {lat})",
                )
                for i in range(1, INTAKES + 1)
                for county, lon, lat in [place_of(i)]
            ],
        )
        run.execute(
            "insert into shuitu.permits (permit_no, permit_no_raw, status, holder_name, county_code, annual_volume_m3, "
            "valid_from, valid_to) select format('D321002S2021-%s', lpad(i::text, 4, '0')), 'raw', 'valid', '高邮灌区管理处', 321002, "
            "i * 500, date '2021-01-01' + i, case when i < 40 then date '2030-12-31' end from generate_series(1, 40) i"
        )
        run.execute(
            "insert into shuitu.permit_intakes (permit_id, intake_id, county_code) "
            "select p.id, i.id, i.county_code from shuitu.permits p join shuitu.intakes i on i.id = p.id"
        )
        run.execute(
            "insert into shuitu.permit_limits (permit_id, version, seq, period, annual_m3, county_code) "
            "select id, version, 1, '05-01/09-30', annual_volume_m3, county_code from shuitu.permits"
        )
        run.execute(
            "insert into shuitu.control_indicators (region_code, kind, level_year, value, unit, document_no) "
            "values (321002, 'total_use_cap', 2025, 400000, 'm3', '扬水〔2025〕1号')"
        )
        run.executemany(
            "insert into shuitu.scenes (item_id, title, sensor, acquired_at, path, item, geom) "
            "values (%s, %s, 'S2', %s, 'none', '{}', st_geometryn(%s::geometry, 1))",
            [
                (f"scene-{i}", f"影像{i}", when, polygon((119, 32, 120, 33)))
                for i, when in enumerate(ACQUIRED)
            ],
        )
        run.execute(
            "insert into shuitu.scenes (item_id, title, sensor, path, item, geom) "
            "values ('undated', '无日期', 'S2', 'none', '{}', st_geometryn(%s::geometry, 1))",
            (polygon((119, 32, 120, 33)),),
        )
        run.execute(
            "insert into shuitu.detection_runs (scene_ids, actor_name, scope_lo, scope_hi) values ('{1}', 'test', 0, 1000000)"
        )
        run.executemany(
            "insert into shuitu.candidates (run_id, code, kind, category, score, area_m2, county_code, acquired_at, evidence, "
            "reasons, geom) values (1, %s, 'water_body', 'no_intake', 0.5, 1000, %s, %s, '{}', '[]', %s::geometry)",
            [
                ("YG-000001", 321002, ACQUIRED[0], polygon((119.1, 32.1, 119.11, 32.11))),
                ("YG-000002", 321084, ACQUIRED[1], polygon((119.6, 32.1, 119.61, 32.11))),
            ],
        )
        run.execute(
            "insert into shuitu.hydro_lines (name, geom) values ('京杭运河', 'SRID=4490;MULTILINESTRING((119.4 32, 119.4 33))')"
        )
        for layer in ("intakes", "permits"):
            publish.rebuild(connection, catalog.load()[layer])
        shapes.rebuild_shapes(connection)


@dataclass(frozen=True)
class Accounts:
    """API keys of accounts with different rights."""

    nation: str
    county: str
    """Of 高邮市, 321084."""
    prefecture: str
    """Of 扬州市, 321000."""


def accounts(dsns: Dsns) -> Accounts:
    """Three accounts, each with a key."""
    return Accounts(
        **keys_of(
            dsns,
            ("nation", Role.OFFICER, Jurisdiction.nation()),
            ("county", Role.OFFICER, Jurisdiction.of_region("321084")),
            ("prefecture", Role.OFFICER, Jurisdiction.of_region("321000")),
        )
    )


def keys_of(dsns: Dsns, *accounts: tuple[str, Role, Jurisdiction]) -> dict[str, str]:
    """New accounts, and a key of each by its name."""
    service, keys = engine(dsns.service), {}
    with transaction(service, system("test")) as session:
        for name, role, where in accounts:
            user = access.add_user(session, name, "a good long pass", role, where)
            keys[name] = access.add_key(session, user.id, "test")[1]
    service.dispose()
    return keys


def rels(body: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The links of a JSON body by their relation."""
    found: dict[str, list[dict[str, Any]]] = {}
    for link in body["links"]:
        found.setdefault(link["rel"], []).append(link)
    return found


@contextmanager
def serving(dsns: Dsns, folder: Path) -> Iterator[TestClient]:
    """The whole service on this database, as uvicorn would run it."""
    settings = Settings(database_url=dsns.admin, data_dir=folder, frontend_dir=folder / "none")
    with TestClient(create(settings), base_url="http://map.test", raise_server_exceptions=False) as client:
        yield client


@contextmanager
def listening(settings: Settings) -> Iterator[str]:
    """The whole service on a socket, and its address: streams do not pass through the test client."""
    server = uvicorn.Server(uvicorn.Config(create(settings), port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(15)
    assert not thread.is_alive(), "an open answer kept the service from ending"


@contextmanager
def process(dsns: Dsns, folder: Path, patience_s: int = 10) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """One web process of its own, as in service, and its address; at its end it waits so long for open answers."""
    log = folder / "log"
    environment = os.environ | {"SHUITU_DATABASE_URL": str(dsns.admin), "SHUITU_DATA_DIR": str(folder)}
    command = f"import uvicorn; uvicorn.run('app.main:create', factory=True, port=0, timeout_graceful_shutdown={patience_s})"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-c", command], env=environment, stdout=output, stderr=output
        )
    try:
        address = None
        while address is None:
            assert running.poll() is None, log.read_text()
            time.sleep(0.1)
            address = re.search(r"running on (http://[\d.:]+)", log.read_text())
        yield running, address[1]
    finally:
        running.kill()
        running.wait()
