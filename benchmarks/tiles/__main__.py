"""Tiles of the nation's intakes over HTTP, with row-level security on, against tipg and nginx in the same run.

tipg serves a plain table of the same intakes with the same seven fields, cut at 10,000 features a tile, without
security; nginx serves the very bytes of our tiles as files. What cannot be had here is said and left out.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from sqlalchemy import text

from app import wiring
from app.access import service as access
from app.actor import Jurisdiction, Role, system
from app.db import migrate
from app.db.embedded import EmbeddedCluster
from app.db.engine import transaction
from app.demo import nation
from app.deps import Services
from app.maps.upkeep import Upkeep
from app.settings import Settings
from benchmarks import Figure, data_folder, peers, tell
from benchmarks.processes import Missing, memory_mb
from benchmarks.tiles import changing, choosing, hot, making, plans
from benchmarks.tiles.serving import NATION, path, serving

PERMITS_AN_INTAKE = 650_000 / 5_900_000
MIXED = 1_500


def fill(services: Services, points: int) -> int:
    """Generate the nation's register where there is none; returns how many intakes are on the map."""
    with transaction(services.engine, system("benchmark")) as session:
        there = int(session.execute(text("select count(*) from shuitu.intakes")).scalar_one())
    if not there:
        nation.load_nation(services, points, max(3_000, int(points * PERMITS_AN_INTAKE)))
    Upkeep(services).run()  # map tables of an older layout are written anew
    with psycopg.connect(services.dsns.owner, autocommit=True) as connection:
        for table in ("points", "blocks", "cells", "facets"):
            connection.execute(f"vacuum analyze map.intake_{table}".encode())
    with transaction(services.engine, system("benchmark")) as session:
        return int(session.execute(text("select count(*) from map.intake_points")).scalar_one())


def officer(services: Services) -> str:
    """The API key of a new national officer."""
    with transaction(services.engine, system("benchmark")) as session:
        name = f"bench-{time.time_ns()}"
        user = access.add_user(session, name, "a long enough one", Role.VIEWER, Jurisdiction.nation())
        return access.add_key(session, user.id, "benchmark", 1)[1]


def measure(points: int, folder: Path, peers_at: Path | None, with_plans: bool) -> Iterator[Figure]:
    """Everything on one private cluster with the settings that the product has."""
    cluster = EmbeddedCluster(folder)
    kept = cluster.is_running
    cluster.start()
    try:
        services = wiring.services(Settings(data_dir=folder, log_level="error"))
        migrate.upgrade(services.dsns)
        yield Figure("intakes on the map", float(fill(services, points)), "points")
        key = officer(services)
        services.engine.dispose()
        with psycopg.connect(services.dsns.map, autocommit=True) as connection:
            connection.execute(NATION)
            tiles = choosing.densest(connection, range(15))
            many = choosing.mixed(connection, range(5, 15), MIXED)
            if with_plans:
                plans.tell(connection, tiles)
        probe, service = path(tiles[6][0]), services.dsns.service
        place = peers.folder_of(peers_at)
        try:
            table = peers.plain_table(services.dsns.admin or "")
            with serving(folder, service, key, probe, processes=1, cache_mb=0) as ours:
                with peers.started(peers.TIPG, table, place, processes=1) as tipg:
                    yield from making.dense(ours, tipg, tiles)
                start = ours.first_tile_s
            with serving(folder, service, key, probe, processes=2, cache_mb=0) as ours:
                with peers.started(peers.TIPG, table, place, processes=2) as tipg:
                    yield from making.mix(ours, tipg, many)
                memory = memory_mb(ours.server.pids)
        except Missing as reason:
            print(f"tipg: {reason}", file=sys.stderr)
            with serving(folder, service, key, probe, processes=2, cache_mb=0) as ours:
                yield from making.dense(ours, None, tiles)
                yield from making.mix(ours, None, many)
                start, memory = ours.first_tile_s, memory_mb(ours.server.pids)
        with serving(folder, service, key, probe, processes=2, cache_mb=1024) as ours:
            try:
                yield from hot.against_nginx(ours, many)
            except Missing as reason:
                print(f"hot tiles: {reason}", file=sys.stderr)
            for under_import in (False, True):
                yield from changing.fresh(ours, under_import=under_import)
            memory = [max(pair) for pair in zip(memory, memory_mb(ours.server.pids), strict=False)] or memory
        yield Figure("memory of a process under load", max(memory), "MB", "the goal", 300.0, max(memory) / 300, 1.0, "at most; shared pages divided")  # fmt: skip
        yield Figure("start to first tile", start, "s", "the goal", 3.0, start / 3, 1.0, "at most; one process, database running")  # fmt: skip
        yield from changing.written(service)
    finally:
        if not kept:
            cluster.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tiles", description=__doc__)
    parser.add_argument("--points", type=int, default=5_900_000, help="generated intakes")
    parser.add_argument("--data-dir", type=Path, help="keep the data here, and use what is there already")
    parser.add_argument("--peers", type=Path, help="where the peers' environments stay")
    parser.add_argument("--plans", action="store_true", help="print the query plans to standard error")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    given = parser.parse_args()
    with data_folder(given.data_dir) as folder:
        figures = []
        for figure in measure(given.points, folder.resolve(), given.peers, given.plans):
            print(f"{figure.what}: {figure.value:.4g} {figure.unit}", file=sys.stderr, flush=True)
            figures.append(figure)
        tell("tiles", figures, as_json=given.as_json)


if __name__ == "__main__":
    main()
