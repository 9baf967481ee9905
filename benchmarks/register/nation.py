"""The store that is measured: a nation's generated register with its permits, linked as a run of the linkage leaves it.

`app.demo.nation` makes the registers; `linked.sql` adds the permits' intakes, pairs, links and lines; what the engine
has learnt comes from a run over small made-up registers, for what a name or a distance is worth differs little.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import text

from app import wiring
from app.actor import system
from app.db import migrate
from app.db.embedded import EmbeddedCluster
from app.db.engine import scope_settings, transaction
from app.demo.nation import bare, load_nation
from app.deps import Services
from app.linkage import runs
from app.linkage.engine import LinkSettings, link
from app.settings import Settings
from benchmarks.linkage.generated import make

ACTOR = system("benchmark")
INTAKES, PERMITS = 5_900_000, 650_000
LEARNT_FROM = 10_000
"""Rows of the made-up register that the model is learnt from."""
HERE = Path(__file__).resolve().parent
TABLES = ("permit_points", "permit_intakes", "link_pairs", "link_outcomes", "review_batches", "review_items")
REASONS = [
    {"code": "distance", "zh": "相距 14 m", "en": "14 m apart", "against": False},
    {"code": "name_close", "zh": "名称相近", "en": "the names are alike", "against": False},
    {"code": "holder_same", "zh": "取水权人相同", "en": "the same holder", "against": False},
    {"code": "source_type_same", "zh": "水源类型相同", "en": "the same kind of source", "against": False},
]


@contextmanager
def store(folder: Path, intakes: int, permits: int) -> Iterator[Services]:
    """The services on a private cluster in this folder, loaded and linked if it is not yet."""
    cluster = EmbeddedCluster(folder)
    kept = cluster.is_running
    cluster.start()
    try:
        services = wiring.services(Settings(data_dir=folder, log_level="error"))
        migrate.upgrade(services.dsns)
        if not _any(services, "intakes"):
            load_nation(services, intakes, permits, _tell)
        if not _any(services, "link_runs"):
            _linked(services)
            _learnt(services)
        yield services
        services.engine.dispose()
    finally:
        if not kept:
            cluster.stop()


def _any(services: Services, table: str) -> bool:
    with transaction(services.engine, ACTOR) as session:
        return bool(session.execute(text(f"select exists (select from shuitu.{table})")).scalar_one())


def _tell(share: float, step: str) -> None:
    print(f"{share:4.0%} {step}", file=sys.stderr, flush=True)


def _linked(services: Services) -> None:
    statements = (HERE / "linked.sql").read_text("utf-8").split("-- next\n")
    with psycopg.connect(services.dsns.owner, autocommit=True) as connection:
        connection.execute("set maintenance_work_mem = '1GB'")
        connection.execute("set work_mem = '256MB'")
        for name, value in scope_settings(ACTOR).items():
            connection.execute("select set_config(%s, %s, false)", (name, value))
        with connection.transaction(), bare(connection, TABLES):
            for number, statement in enumerate(statements, 1):
                connection.execute(statement.replace("{reasons}", json.dumps(REASONS)).encode())
                _tell(number / len(statements), "对应关系 (links)")
        for table in TABLES:
            connection.execute(f"vacuum analyze shuitu.{table}".encode())
        connection.execute("vacuum analyze shuitu.intakes, shuitu.permits, shuitu.holders")


def _learnt(services: Services) -> None:
    """A run on record that is done, with its model: small sets are scored by it."""
    made = make(LEARNT_FROM)
    model: Any = link(made.a, made.b, LinkSettings()).model
    with transaction(services.engine, ACTOR) as session:
        run = runs.start(session, ACTOR, services.settings)
        session.execute(
            text("""update shuitu.link_runs set state = 'done', progress = 1, started_at = now(), finished_at = now(),
                    model = cast(:model as jsonb) where id = :id"""),
            {"id": run, "model": json.dumps({"parts": {"110000": model}})},
        )
