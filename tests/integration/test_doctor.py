"""The doctor finds each thing that is wrong, and what it prints mends it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app import doctor
from app.db import migrate, revisions
from app.db.embedded import EmbeddedCluster
from app.db.engine import Dsns, external
from app.doctor import database as inside
from app.doctor import machine
from app.doctor.finding import Finding
from app.settings import ROOT, Settings


@pytest.fixture
def own(new_database: Callable[[], Dsns]) -> Dsns:
    return new_database()


def admin(dsns: Dsns, *statements: str) -> psycopg.Connection[tuple[object, ...]]:
    assert dsns.admin is not None
    connection = psycopg.connect(dsns.admin, autocommit=True)
    for statement in statements:
        connection.execute(statement.encode())
    return connection


def test_a_sound_database_has_no_finding(own: Dsns) -> None:
    with admin(own) as connection:
        found = [
            inside.server(connection),
            inside.encoding(connection),
            *inside.extensions(connection),
            inside.roles(connection, outside=False),
            inside.row_security(connection),
            inside.map_role(connection),
        ]
    found += [inside.logins(own), inside.schema(own), inside.unset_scope(own)]
    assert [f for f in found if f.level != "ok"] == []


def test_a_table_without_forced_security_is_named_and_the_advice_mends_it(own: Dsns) -> None:
    with admin(own, "alter table shuitu.permits no force row level security") as connection:
        finding = inside.row_security(connection)
        assert finding.level == "problem" and "shuitu.permits" in finding.says
        connection.execute(finding.mend.partition("；")[0].encode())
        assert inside.row_security(connection).level == "ok"


def test_a_policy_that_shows_rows_without_a_jurisdiction_is_found_by_trying(own: Dsns) -> None:
    add = (
        "insert into shuitu.holders (name, county_code) values ('甲', 321084)",
        "create policy careless on shuitu.holders for select using (true)",
    )
    with admin(own, *add):
        finding = inside.unset_scope(own)
    assert finding.level == "problem" and "shuitu.holders" in finding.says


def test_a_map_role_with_too_many_rights_is_named_and_the_advice_mends_it(own: Dsns) -> None:
    with admin(
        own, "grant select on shuitu.users to shuitu_map", "grant insert on map.intake_points to shuitu_map"
    ) as connection:
        finding = inside.map_role(connection)
        assert finding.level == "problem"
        assert "shuitu.users" in finding.says and "map.intake_points" in finding.says
        connection.execute("revoke insert on map.intake_points from shuitu_map")
        connection.execute("revoke all on shuitu.users from shuitu_map, public")
        assert inside.map_role(connection).level == "ok"


def test_a_role_that_can_bypass_security_is_named(own: Dsns) -> None:
    with admin(own, "alter role shuitu_map bypassrls") as connection:
        try:
            finding = inside.roles(connection, outside=True)
            assert finding.level == "problem" and "shuitu_map" in finding.says
        finally:
            connection.execute("alter role shuitu_map nobypassrls")
        assert inside.roles(connection, outside=True).level == "ok"


def test_an_old_schema_is_told_with_both_versions(own: Dsns) -> None:
    with admin(own, "update shuitu.schema_version set version_num = '0001'"):
        finding = inside.schema(own)
    assert finding.level == "problem"
    assert "0001" in finding.says and revisions.head() in finding.says and "db migrate" in finding.mend


def test_lost_leakproof_marks_are_noted(own: Dsns) -> None:
    with admin(own, "alter function geometry_overlaps(geometry, geometry) not leakproof") as connection:
        assert any(
            f.check == "leakproof" and "geometry_overlaps" in f.says for f in inside.extensions(connection)
        )


def test_waiting_jobs_without_a_worker_are_a_problem(own: Dsns) -> None:
    assert inside.worker(own, running=False).level == "note"
    assert inside.worker(own, running=True).level == "problem"
    with admin(own, "insert into jobs.procrastinate_workers default values"):
        assert inside.worker(own, running=True).level == "ok"


@pytest.fixture
def outside(pg_cluster: EmbeddedCluster) -> Iterator[Settings]:
    """An operator's database: empty, with a log-in that may do nothing."""
    with psycopg.connect(pg_cluster.dsn("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("create database operator template template0 encoding 'UTF8'")
        connection.execute('create role "water bureau" login nosuperuser nobypassrls nocreaterole')
    url = f"postgresql://water%20bureau@/operator?host={pg_cluster.socket_dir}&port=5432"
    yield Settings(database_url=url)
    with psycopg.connect(pg_cluster.dsn("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("drop database operator with (force)")
        connection.execute('revoke shuitu_owner, shuitu_service, shuitu_map from "water bureau"')
        connection.execute('drop role "water bureau"')


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_the_printed_sql_prepares_an_operators_database(
    pg_cluster: EmbeddedCluster, outside: Settings
) -> None:
    before = by_check(list(inside.checks(outside)))
    assert before["extensions"].level == "problem" and "--sql" in before["extensions"].mend
    with psycopg.connect(pg_cluster.dsn("postgres", "operator")) as connection:
        connection.execute(doctor.administrator_sql(outside).encode())
    assert outside.database_url is not None
    migrate.upgrade(external(outside.database_url))
    after = list(inside.checks(outside))
    assert [f for f in after if f.level == "problem"] == []
    assert by_check(after)["log-in"].level == "ok"


def test_an_unreachable_database_is_one_finding() -> None:
    found = list(
        inside.checks(Settings(database_url="postgresql://nobody@127.0.0.1:1/none?connect_timeout=2"))
    )
    assert [f.check for f in found] == ["database"] and found[0].level == "problem"


def test_a_missing_front_end_and_a_closed_folder_are_told(tmp_path: Path) -> None:
    assert machine.front_end(tmp_path).level == "problem"
    (tmp_path / "index.html").touch()
    assert machine.front_end(tmp_path).level == "ok"
    blocked = tmp_path / "index.html" / "data"  # below a file: nobody can write there, root included
    found = by_check(list(machine.folders(Settings(data_dir=blocked))))
    assert found["folders"].level == "problem" and str(blocked) in found["folders"].says


def test_a_cluster_of_another_version_is_told(tmp_path: Path) -> None:
    data = EmbeddedCluster(tmp_path).pgdata
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n", "ascii")
    (finding,) = machine.cluster(Settings(data_dir=tmp_path))
    assert finding.level == "problem" and "postgresql-9" in finding.mend


def test_the_command_prints_json_fails_on_a_problem_and_changes_nothing(tmp_path: Path) -> None:
    environment = os.environ | {
        "SHUITU_DATA_DIR": str(tmp_path / "data"),
        "SHUITU_FRONTEND_DIR": str(tmp_path / "none"),
    }
    environment.pop("SHUITU_DATABASE_URL", None)
    done = subprocess.run(
        [sys.executable, "-m", "app.entry", "doctor", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert '"check": "frontend"' in done.stdout
    assert list(tmp_path.iterdir()) == []
