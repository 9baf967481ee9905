"""A first load goes in without secondary indexes; afterwards all is as it always was, whatever came of it."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from app.db.engine import transaction
from app.deps import Services
from app.registry import intake_import
from tests.integration.imports.test_imports import GAOYOU, NATION, as_csv, bring, row, stored


def dressed(services: Services) -> tuple[Any, ...]:
    """Indexes, constraints and policies of the tables that a first load bares."""
    with psycopg.connect(services.dsns.owner) as connection:
        indexes = connection.execute(
            "select tablename, indexdef from pg_indexes where schemaname = 'shuitu' and tablename in ('intakes', 'holders') order by 1, 2"
        ).fetchall()
        keys = connection.execute(
            "select conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated from pg_constraint "
            "where conrelid in ('shuitu.intakes'::regclass, 'shuitu.holders'::regclass) order by 1, 2"
        ).fetchall()
        forced = connection.execute(
            "select relname, relrowsecurity, relforcerowsecurity from pg_class "
            "where oid in ('shuitu.intakes'::regclass, 'shuitu.holders'::regclass) order by 1"
        ).fetchall()
        left = connection.execute("select count(*) from shuitu.bared").fetchone()
    return indexes, keys, forced, left


def test_a_first_load_leaves_indexes_keys_and_policies_as_they_were(
    services: Services, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_import, "FIRST_LOAD", 3)
    before = dressed(services)
    assert all(one[1:] == (True, True) for one in before[2]) and before[3] == (0,)
    rows = [row(f"N{n}", 取用水户=f"厂{n % 2}") for n in range(4)]
    # One that fails while the tables are bare: nothing of it stays.
    whole = intake_import.UPSERT
    monkeypatch.setattr(
        intake_import,
        "UPSERT",
        whole.replace("st_makepoint(s.lon, s.lat)", "st_makepoint(1 / (s.lon - s.lon), 0)"),
    )
    with pytest.raises(Exception, match="division by zero"):
        bring(services, as_csv(folder / "a.csv", rows))
    assert dressed(services) == before and not stored(services, "N%")
    monkeypatch.setattr(intake_import, "UPSERT", whole)
    done = bring(services, as_csv(folder / "b.csv", rows))
    assert (done.rows_new, done.rows_rejected) == (4, 0)
    assert dressed(services) == before and len(stored(services, "N%")) == 4
    # A register that holds rows is loaded with its indexes; someone who sees none of them finds it filled all the same.
    with transaction(services.engine, GAOYOU) as session:
        session.execute(
            text(
                "select set_config('app.scope_lo', '110000', true), set_config('app.scope_hi', '110001', true)"
            )
        )
        assert session.execute(text(intake_import.BARE)).scalar_one() is False
    again = bring(services, as_csv(folder / "c.csv", [row(f"M{n}") for n in range(4)]))
    assert again.rows_new == 4 and dressed(services) == before


def test_a_table_that_others_work_with_is_loaded_with_its_indexes(services: Services) -> None:
    with transaction(services.engine, NATION) as reading, transaction(services.engine, NATION) as session:
        reading.execute(text("select count(*) from shuitu.intakes"))
        assert session.execute(text(intake_import.BARE)).scalar_one() is False


def test_nothing_else_can_be_bared(services: Services) -> None:
    with pytest.raises(Exception, match="cannot be loaded"), transaction(services.engine, NATION) as session:
        session.execute(text("select shuitu.bare(array['users'])"))
