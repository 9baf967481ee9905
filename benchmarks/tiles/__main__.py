"""Latency of intake tiles by zoom, over HTTP, as the public sees them.

Three passes over the same tiles on one server process: one warms the database; the server then starts anew with
an empty cache, and the second measures tiles that are made; the third measures tiles from the cache. Against:
reading the tile's rows plainly, by one key range, and a bare ASGI application that sends the same bytes.
"""

import argparse
import http.client
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psycopg
from sqlalchemy import text

from app import supervise, wiring
from app.actor import system
from app.db import migrate
from app.db.embedded import EmbeddedCluster
from app.db.engine import transaction
from app.demo import nation
from app.deps import Services
from app.settings import Settings
from benchmarks import Figure, data_folder, tell
from tiles.address import Address
from tiles.keys import BITS, cell_range, point_range

SEED = 11
ZOOMS = range(3, 15)
TILES = 30
"""Distinct tiles a zoom: those of points drawn at random, so dense places weigh more."""
CELL_DEPTH = 5
PERMITS_AN_INTAKE = 650_000 / 5_900_000
NATION = "select set_config('app.scope_lo', '0', false), set_config('app.scope_hi', '1000000', false)"
UP_WITHIN_S = 120


def fill(services: Services, points: int) -> int:
    """Generate the nation's register where there is none; returns how many intakes are there."""
    with transaction(services.engine, system("benchmark")) as session:
        there = int(session.execute(text("select count(*) from map.intake_points")).scalar_one())
    if there:
        return there
    nation.load_nation(services, points, max(3_000, int(points * PERMITS_AN_INTAKE)))
    return points


def choose(connection: psycopg.Connection[tuple[int, int]], total: int) -> dict[int, list[Address]]:
    """The tiles of each zoom to ask for."""
    share = min(100.0, 100.0 * 4_000 / total)
    rows = connection.execute(
        f"select x, y from map.intake_points tablesample bernoulli ({share}) repeatable ({SEED})".encode()
    ).fetchall()
    random = np.random.default_rng(SEED)
    spots = [rows[i] for i in random.permutation(len(rows))]
    chosen = {}
    for z in ZOOMS:
        found = dict.fromkeys(Address(z, x >> (BITS - z), y >> (BITS - z)) for x, y in spots)
        chosen[z] = list(found)[:TILES]
    return chosen


def path(tile: Address) -> str:
    return f"/tiles/intakes/{tile.z}/{tile.x}/{tile.y}"


def ask(port: int, tiles: list[Address], rounds: int = 1) -> tuple[list[float], dict[str, bytes]]:
    """Milliseconds of each answer, and the bodies."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took, bodies = [], {}
    for _ in range(rounds):
        for tile in tiles:
            begin = time.perf_counter()
            connection.request("GET", path(tile), headers={"Accept-Encoding": "gzip"})
            answer = connection.getresponse()
            body = answer.read()
            took.append((time.perf_counter() - begin) * 1000)
            if answer.status not in (200, 204):
                raise SystemExit(f"{path(tile)}: {answer.status} {body[:200]!r}")
            bodies[path(tile)] = body
    connection.close()
    return took, bodies


@contextmanager
def served(command: list[str], port: int, probe: str, **environment: str) -> Iterator[None]:
    """A server process, once it answers."""
    process = subprocess.Popen(
        [sys.executable, *command],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", probe)
                if connection.getresponse().status < 300:
                    break
            time.sleep(0.2)
        else:
            raise SystemExit(f"the server did not come up: {command}")
        yield
    finally:
        process.terminate()
        process.wait(30)


def plain(connection: psycopg.Connection[tuple[int, int]], tile: Address, cells: bool) -> float:
    """Milliseconds to read the rows of the tile, as they are stored, by one range of keys."""
    low, high = cell_range(tile, CELL_DEPTH) if cells else point_range(tile)
    table = "map.intake_cells" if cells else "map.intake_points"
    begin = time.perf_counter()
    connection.execute(
        f"select * from {table} where key >= %s and key < %s".encode(), (low, high), binary=True
    ).fetchall()
    return (time.perf_counter() - begin) * 1000


def figures_of(
    z: int, made: list[float], kept: list[float], read: list[float], bare: list[float], size: float
) -> list[Figure]:
    p50, other, hit, limit = (float(np.median(x)) for x in (made, read, kept, bare))
    return [
        Figure(f"z{z} made, p50", p50, "ms", "reading its rows plainly", other, p50 / other, None, f"{size / 1000:.0f} kB, p95 {np.percentile(made, 95):.1f} ms"),
        Figure(f"z{z} from the cache, p50", hit, "ms", "bare ASGI, same bytes", limit, hit / limit, None, f"p95 {np.percentile(kept, 95):.2f} ms"),
    ]  # fmt: skip


def measure(points: int, folder: Path, port: int) -> list[Figure]:
    """All passes on a private cluster with the settings that the product has."""
    settings = Settings(data_dir=folder)
    cluster = EmbeddedCluster(folder)
    cluster.start()
    environment = {
        "SHUITU_DATA_DIR": str(folder), "SHUITU_PORT": str(port), "SHUITU_PROCESSES": "1", "SHUITU_LOG_LEVEL": "error",
    }  # fmt: skip
    try:
        services = wiring.services(settings)
        migrate.upgrade(services.dsns)
        total = fill(services, points)
        services.engine.dispose()
        supervise.require_free_port("127.0.0.1", port)
        with psycopg.connect(services.dsns.map, autocommit=True) as connection:
            connection.execute(NATION)
            chosen = choose(connection, total)
            with served(["-P", "-m", "app.serve"], port, "/readyz", **environment):
                for tiles in chosen.values():
                    ask(port, tiles)
            made: dict[int, list[float]] = {}
            kept: dict[int, list[float]] = {}
            bodies: dict[str, bytes] = {}
            with served(["-P", "-m", "app.serve"], port, "/readyz", **environment):
                ask(port, [Address(0, 0, 0)])
                for z, tiles in chosen.items():
                    made[z], found = ask(port, tiles)
                    kept[z], _ = ask(port, tiles, 5)
                    bodies |= found
            # Cells are drawn where a tile holds many: told by what the tiles hold, not by the zoom alone.
            limit = {z: _cells(connection, tiles) for z, tiles in chosen.items()}
            read = {z: [plain(connection, t, limit[z][t]) for t in tiles] for z, tiles in chosen.items()}
        with tempfile.NamedTemporaryFile(suffix=".pickle") as file:
            Path(file.name).write_bytes(pickle.dumps(bodies))
            command = ["-m", "uvicorn", "benchmarks.tiles.bare:app", "--port", str(port), "--no-access-log"]
            probe = path(next(iter(chosen[ZOOMS[0]])))
            with served(command, port, probe, SHUITU_BENCHMARK_BODIES=file.name):
                bare = {z: ask(port, tiles, 5)[0] for z, tiles in chosen.items()}
    finally:
        cluster.stop()
    figures = [Figure("intakes on the map", float(total), "points")]
    for z, tiles in chosen.items():
        size = float(np.median([len(bodies[path(tile)]) for tile in tiles]))
        figures += figures_of(z, made[z], kept[z], read[z], bare[z], size)
    return figures


def _cells(connection: psycopg.Connection[tuple[int, int]], tiles: list[Address]) -> dict[Address, bool]:
    from layers import catalog

    points = catalog.load()["intakes"].points
    assert points is not None
    answer = {}
    for tile in tiles:
        low, high = cell_range(tile, CELL_DEPTH)
        row = connection.execute(
            b"select coalesce(sum(n), 0) from map.intake_cells where key >= %s and key < %s", (low, high)
        ).fetchone()
        answer[tile] = tile.z <= points.cells_to_zoom and row is not None and row[0] > points.max_points
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=5_900_000)
    parser.add_argument("--data-dir", type=Path, help="keep the data here, and use what is there already")
    parser.add_argument("--port", type=int, default=8190)
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args()
    with data_folder(given.data_dir) as folder:
        tell("tiles", measure(given.points, folder.resolve(), given.port), as_json=given.as_json)


if __name__ == "__main__":
    main()
