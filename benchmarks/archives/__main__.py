"""Archives of the nation's register: how long an export takes, and how fast ranges of it are served.

Export: against tippecanoe over the same points at the same zooms, with nothing dropped, fed by CSV out of PostgreSQL;
and for polygons, which tippecanoe builds, against asking for their tiles one by one (a sample, extended to all).
Ranges: against nginx serving the same file, on one connection.
"""

import argparse
import asyncio
import gzip
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import mapbox_vector_tile as mvt
import numpy as np
import psycopg
from pmtiles.reader import MmapSource, Reader, all_tiles
from psycopg_pool import AsyncConnectionPool

from app import wiring
from app.db import migrate
from app.db.embedded import EmbeddedCluster
from app.demo import nation
from app.deps import Services
from app.maps import exporting
from app.settings import Settings
from benchmarks import Figure, data_folder, peers, tell
from benchmarks.processes import Missing, free_port, run, wait
from layers import catalog
from tiles import postgis
from tiles.address import PUBLIC, Address
from tiles.archives import points, shapes

SEED = 11
PERMITS_AN_INTAKE = 650_000 / 5_900_000
FIRST_BULK, LAST = 10, 12
SAMPLE = 200
RANGES = 2_000
PIECE = 16_384
NATION = "select set_config('app.scope_lo', '0', false), set_config('app.scope_hi', '1000000', false)"
CSV = """copy (select id, 1 as n, source_type, permit_state, status, county_code, st_x(geom) as lon, st_y(geom) as lat
         from map.intakes_public) to stdout (format csv, header)"""


def timed(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


async def _with_pool(services: Services, work: Callable[[postgis.Pool], Any]) -> Any:
    pool: postgis.Pool = AsyncConnectionPool(services.dsns.map, min_size=1, max_size=2, open=False)
    async with pool:
        return await work(pool)


def fill(services: Services, count: int) -> int:
    """Generate the nation's register where there is none; returns how many intakes are there."""
    with psycopg.connect(services.dsns.map) as connection:
        connection.execute(NATION)
        row = connection.execute("select count(*) from map.intake_points").fetchone()
    if row and row[0]:
        return int(row[0])
    nation.load_nation(services, count, max(3_000, int(count * PERMITS_AN_INTAKE)))
    return count


def bulk_points(services: Services, folder: Path) -> float:
    """Seconds for the tiles of single points, as an export makes them."""
    layer, bits = catalog.load()["intakes"], services.settings.public_accuracy_bits

    async def work(pool: postgis.Pool) -> None:
        for z in range(FIRST_BULK, LAST + 1):
            await points.write(pool, layer, PUBLIC, z, None, folder / f"{z}.part", bits, lambda share: None)

    return timed(lambda: asyncio.run(_with_pool(services, work)))


def built_points(services: Services, folder: Path) -> float:
    """Seconds for the same by tippecanoe."""
    rows, target = folder / "points.csv", folder / "points.pmtiles"

    def work() -> None:
        with psycopg.connect(services.dsns.map) as connection, rows.open("wb") as file:
            connection.execute(NATION)
            with connection.cursor().copy(CSV) as copy:
                for data in copy:
                    file.write(data)
        subprocess.run(
            [
                shapes.PROGRAM, f"--output={target}", "--force", "--quiet", f"--minimum-zoom={FIRST_BULK}",
                f"--maximum-zoom={LAST}", "--drop-rate=1", "--no-feature-limit", "--no-tile-size-limit", "--buffer=0",
                "--use-attribute-for-id=id", "--no-tile-stats", f"--temporary-directory={folder}",
                f"--named-layer={json.dumps({'file': str(rows), 'layer': 'intakes', 'format': 'csv'})}",
            ],
            check=True,
        )  # fmt: skip

    return timed(work)


def polygons(services: Services, folder: Path) -> tuple[float, float, int]:
    """Seconds to build the regions' tiles, and to ask for as many one by one; how many there are."""
    layer = catalog.load()["regions"]
    part = folder / "regions.part"

    async def build(pool: postgis.Pool) -> None:
        await shapes.write(pool, layer, PUBLIC, LAST, part, lambda share: None)

    built = timed(lambda: asyncio.run(_with_pool(services, build)))
    with part.open("rb") as file:
        found = [address for address, _ in all_tiles(MmapSource(file))]
    random = np.random.default_rng(SEED)
    sample = [Address(*found[i]) for i in random.choice(len(found), min(SAMPLE, len(found)), replace=False)]

    async def ask(pool: postgis.Pool) -> None:
        for address in sample:
            await postgis.make(
                pool, layer, PUBLIC, address, hidden_bits=services.settings.public_accuracy_bits
            )

    singly = timed(lambda: asyncio.run(_with_pool(services, ask)))
    return built, singly / len(sample) * len(found), len(found)


def ranges(address: str, path: str, size: int) -> float:
    """Ranges a second on one connection."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    random = np.random.default_rng(SEED)
    starts = random.integers(0, size - PIECE, RANGES).tolist()

    def ask() -> None:
        for start in starts:
            connection.request("GET", path, headers={"Range": f"bytes={start}-{start + PIECE - 1}"})
            answer = connection.getresponse()
            if answer.status != 206 or len(answer.read()) != PIECE:
                raise SystemExit(f"{path}: {answer.status}")

    taken = timed(ask)
    connection.close()
    return RANGES / taken


def complete(archive: Path, total: int) -> bool:
    """Does every zoom tell of every intake? (Zooms 0, 5 and 9 are read; tests hold the others to it.)"""
    told: dict[int, int] = {}
    with archive.open("rb") as file:
        for (z, _, _), body in all_tiles(MmapSource(file)):
            if z in (0, 5, 9):
                features = mvt.decode(gzip.decompress(body))["intakes"]["features"]
                told[z] = told.get(z, 0) + sum(feature["properties"]["n"] for feature in features)
    return set(told.values()) == {total}


def measure(given: argparse.Namespace, folder: Path) -> list[Figure]:
    settings = Settings(data_dir=folder, log_level="error")
    cluster = EmbeddedCluster(folder)
    running = cluster.is_running
    cluster.start()
    try:
        services = wiring.services(settings)
        migrate.upgrade(services.dsns)
        total = fill(services, given.points)
        work = folder / "benchmark-archives"
        work.mkdir(exist_ok=True)
        bulk, built = bulk_points(services, work), built_points(services, work)
        shaped, singly, tiles = polygons(services, work)
        out = work / "intakes.pmtiles"
        wanted = exporting.order(settings, "intakes", PUBLIC, LAST)
        whole = timed(lambda: asyncio.run(exporting.run(services, wanted, out, lambda share, step: None)))
        services.engine.dispose()
        size = out.stat().st_size
        with out.open("rb") as file:
            held = Reader(MmapSource(file)).header()["addressed_tiles_count"]
        every = complete(out, total)
        figures = [
            Figure("intakes in the register", float(total), "points"),
            Figure("export of all intakes, z0–12", whole, "s", note=f"{held:,} tiles, {size / 1e6:.0f} MB; every zoom tells of all: {every}"),
            Figure(f"points z{FIRST_BULK}–{LAST}", bulk, "s", "tippecanoe, nothing dropped", built, built / bulk),
            Figure("regions z0–12 by tippecanoe", shaped, "s", "their tiles one by one", singly, singly / shaped, None, f"{tiles:,} tiles; {SAMPLE} asked"),
        ]  # fmt: skip
        figures += _served(folder, out, size)
        for path in work.iterdir():
            path.unlink()
        work.rmdir()
        return figures
    finally:
        if not running:
            cluster.stop()


def _served(folder: Path, archive: Path, size: int) -> list[Figure]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    kept = folder / "archives" / "benchmark.pmtiles"
    kept.parent.mkdir(exist_ok=True)
    os.link(archive, kept)
    environment = {
        "SHUITU_DATA_DIR": str(folder), "SHUITU_PORT": str(port), "SHUITU_PROCESSES": "1", "SHUITU_LOG_LEVEL": "error",
    }  # fmt: skip
    try:
        with ExitStack() as stack:
            server = run(stack, [sys.executable, "-P", "-m", "app.serve"], environment)
            wait(server, address, "/readyz")
            ours = ranges(address, "/archives/benchmark.pmtiles", size)
        try:
            with peers.files(kept.parent, 1) as nginx:
                limit = ranges(nginx.address, "/benchmark.pmtiles", size)
        except Missing as reason:
            print(f"nginx: {reason}", file=sys.stderr)
            return [Figure("ranges of 16 kB, one connection", ours, "1/s", note=f"nginx could not be had: {reason}")]  # fmt: skip
        return [Figure("ranges of 16 kB, one connection", ours, "1/s", f"nginx {nginx.version}, same file", limit, ours / limit)]  # fmt: skip
    finally:
        kept.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=5_900_000)
    parser.add_argument("--data-dir", type=Path, help="keep the data here, and use what is there already")
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args()
    with data_folder(given.data_dir) as folder:
        tell("archives", measure(given, folder.resolve()), as_json=given.as_json)


if __name__ == "__main__":
    main()
