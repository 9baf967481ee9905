"""Pages of features over HTTP against other servers, and against the very same rows read by plain SQL, in turns.

The other servers (`--peers DIR`) serve a plain table of the same intakes on the same database, with seven fields
and without row-level security.

The plain SQL reads the same fields of the same rows by their ids, as the same role in the same scope, and hands them
over undecoded; what is left between the two is finding them, making GeoJSON, compressing it, and HTTP.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import psycopg

from app import wiring
from app.access import service as access
from app.actor import Jurisdiction, Role, system
from app.db import migrate
from app.db.embedded import EmbeddedCluster
from app.db.engine import Dsns, transaction
from app.demo.nation import load_nation
from app.settings import Settings
from benchmarks import Figure, data_folder, peers, tell
from benchmarks.processes import Missing
from layers import catalog
from layers.derive.columns import columns, quote, relation
from layers.model import Audience

T = TypeVar("T")
LIMIT = 1000
BOXES = 40
PEER_BOXES = 12
DEEP = 5_000_000
TIMES = count(1)
THEIR_FIELDS = ("code", "name", "source_type", "permit_state", "county_code", "annual_volume_m3")
SCOPE = "select set_config('app.scope_lo', '0', false), set_config('app.scope_hi', '1000000', false)"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features", description=__doc__)
    parser.add_argument("--points", type=int, default=1_000_000, help="generated intakes")
    parser.add_argument(
        "--data", type=Path, help="a data folder to keep, or one that has the nation's register"
    )
    parser.add_argument(
        "--peers", type=Path, nargs="?", const=Path(), help="compare with tipg and pygeoapi; where they stay"
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    given = parser.parse_args()
    with data_folder(given.data) as folder:
        settings = Settings(data_dir=folder, log_level="error")
        cluster = EmbeddedCluster(folder)
        kept = cluster.is_running
        cluster.start()
        try:
            services = wiring.services(settings)
            migrate.upgrade(services.dsns)
            stored = _stored(services.dsns)
            if not stored:
                load_nation(services, given.points, given.points // 9)
                _analyse(services.dsns)
                stored = _stored(services.dsns)
            with transaction(services.engine, system("benchmark")) as session:
                name = f"bench-{time.time_ns()}"
                user = access.add_user(session, name, "a long enough one", Role.VIEWER, Jurisdiction.nation())
                key = access.add_key(session, user.id, "benchmark", 1)[1]
            services.engine.dispose()
            with _serving(folder) as address, httpx.Client(base_url=address, timeout=120) as client:
                figures = list(_measured(client, services.dsns, key, stored))
                if given.peers is not None:
                    figures += _against_peers(client, services.dsns, key, given.peers)
                tell("features", figures, as_json=given.as_json)
        finally:
            if not kept:
                cluster.stop()


def _stored(dsns: Dsns) -> int:
    with psycopg.connect(dsns.map) as connection:
        connection.execute(SCOPE)
        row = connection.execute("select count(*) from map.intake_points").fetchone()
        return int(row[0]) if row else 0


def _analyse(dsns: Dsns) -> None:
    with psycopg.connect(dsns.owner, autocommit=True) as connection:
        for table in (
            "shuitu.intakes",
            "shuitu.permits",
            "shuitu.permit_intakes",
            "map.intake_points",
            "map.intake_cells",
        ):
            connection.execute(f"analyze {table}".encode())


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """One process that serves; asked one thing at a time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "SHUITU_DATA_DIR": str(folder),
        "SHUITU_PORT": str(port),
        "SHUITU_PROCESSES": "1",
        "SHUITU_LOG_LEVEL": "error",
    }
    process = subprocess.Popen([sys.executable, "-m", "app.serve"], env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                httpx.get(f"{address}/healthz").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _boxes(dsns: Dsns) -> list[tuple[float, float, float, float]]:
    """Boxes of about a county's size around intakes drawn by lot: dense places come often, as for users."""
    with psycopg.connect(dsns.map) as connection:
        connection.execute(SCOPE)
        last = connection.execute("select max(id) from map.intakes").fetchone()
        wanted = np.random.default_rng(5).integers(1, int(last[0]) + 1 if last else 1, BOXES * 3).tolist()
        places = connection.execute(
            "select st_x(geom), st_y(geom) from map.intakes where id = any(%s) order by id", (wanted,)
        ).fetchall()
    return [(lon - 0.2, lat - 0.15, lon + 0.2, lat + 0.15) for lon, lat in places[:BOXES]]


def _wider(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """By another hair each time: no page is one that was kept."""
    more = next(TIMES) * 1e-9
    return (box[0] - more, box[1] - more, box[2] + more, box[3] + more)


def _measured(client: httpx.Client, dsns: Dsns, key: str, stored: int) -> Iterator[Figure]:
    boxes = _boxes(dsns)
    officer = {"X-API-Key": key}
    with psycopg.connect(dsns.map) as connection:
        connection.execute(SCOPE)
        asking: tuple[tuple[Audience, dict[str, str]], ...] = (("officer", officer), ("public", {}))
        for audience, headers in asking:
            yield _pages(client, connection, audience, headers, boxes, stored)
        yield from _deep(client, connection, officer)
        yield from _small(client, officer, boxes)


def _plain(connection: psycopg.Connection[Any], audience: Audience, found: list[int]) -> int:
    """Read the rows as they are; returns their number."""
    layer = catalog.load()["intakes"]
    fields = ", ".join(quote(name) for name in columns(layer, audience))
    cursor = connection.execute(
        f"select id, {fields}, st_asbinary(geom) from {relation(layer, audience)} v where id = any(%s) "
        f"order by id limit {LIMIT}".encode(),
        (found,),
        binary=True,
        prepare=False,
    )
    return cursor.pgresult.ntuples if cursor.pgresult else 0


def _clock(act: Callable[..., T], *given: object, **named: object) -> tuple[float, T]:
    """Milliseconds, and what came of it."""
    began = time.perf_counter()
    made = act(*given, **named)
    return (time.perf_counter() - began) * 1000, made


def _pages(
    client: httpx.Client,
    connection: psycopg.Connection[Any],
    audience: Audience,
    headers: dict[str, str],
    boxes: list[tuple[float, float, float, float]],
    stored: int,
) -> Figure:
    """Page and plain SQL by turns, box by box, each second visit counted: both find a warm database. The second box
    is a hair wider, so that the page is made and not one that was kept."""
    ours: list[float] = []
    plain: list[float] = []
    rows: list[int] = []
    for turn in range(2):
        for box in map(_wider, boxes):
            address = f"/ogc/collections/intakes/items?limit={LIMIT}&bbox={','.join(map(str, box))}"
            mine, answer = _clock(client.get, address, headers=headers)
            found = [feature["id"] for feature in answer.raise_for_status().json()["features"]]
            other, read = _clock(_plain, connection, audience, found)
            if read != len(found):
                raise SystemExit(f"{read} rows by plain SQL, {len(found)} features: {address}")
            if turn:
                ours.append(mine)
                plain.append(other)
                rows.append(read)
    mine, other = statistics.median(ours), statistics.median(plain)
    return Figure(
        f"items?limit={LIMIT}&bbox, p50, {audience}",
        mine,
        "ms",
        "the same rows by plain SQL (by id)",
        other,
        mine / other,
        note=f"{len(boxes)} boxes, {round(statistics.mean(rows))} rows each of {stored:,}; p95 {np.percentile(ours, 95):.1f} ms",
    )


def _against_peers(client: httpx.Client, dsns: Dsns, key: str, folder: Path) -> Iterator[Figure]:
    """The same boxes and pages asked of each peer and of us by turns; one process each."""
    table = peers.plain_table(dsns.admin or "")
    boxes = _boxes(dsns)[:PEER_BOXES]
    place = peers.folder_of(None if folder == Path() else folder)
    for name in (peers.TIPG, peers.PYGEOAPI):
        try:
            with peers.started(name, table, place, processes=1) as peer, httpx.Client(timeout=120) as theirs:
                yield from _against(client, key, peer, theirs, boxes)
        except Missing as error:
            print(f"{name}: {error}", file=sys.stderr)


def _against(
    client: httpx.Client,
    key: str,
    peer: peers.Peer,
    theirs: httpx.Client,
    boxes: list[tuple[float, float, float, float]],
) -> Iterator[Figure]:
    took: dict[str, list[float]] = {"ours": [], "whole": [], "theirs": []}
    rows = []
    for turn in range(2):
        for box in map(_wider, boxes):
            edges = ",".join(map(str, box))
            address = f"/ogc/collections/intakes/items?limit={LIMIT}&bbox={edges}"
            headers = {"X-API-Key": key}
            mine, answer = _clock(
                client.get, f"{address}&properties={','.join(THEIR_FIELDS)}", headers=headers
            )
            whole, _ = _clock(client.get, address, headers=headers)
            other, found = _clock(theirs.get, peer.items_url(limit=LIMIT, bbox=edges))
            counts = [len(one.raise_for_status().json()["features"]) for one in (answer, found)]
            if counts[0] != counts[1]:
                raise SystemExit(f"{counts[0]} features here, {counts[1]} from {peer.name}: {edges}")
            if turn:
                took["ours"].append(mine)
                took["whole"].append(whole)
                took["theirs"].append(other)
                rows.append(counts[0])
    mine, whole, other = (statistics.median(times) for times in took.values())
    note = f"{len(boxes)} boxes, {round(statistics.mean(rows))} rows each; ratio = theirs / ours"
    against = f"{peer.name} {peer.version}"
    yield Figure(
        f"items?limit={LIMIT}&bbox, p50, officer, its fields",
        mine,
        "ms",
        against,
        other,
        other / mine,
        10,
        note,
    )
    yield Figure(
        f"items?limit={LIMIT}&bbox, p50, officer, every field",
        whole,
        "ms",
        against,
        other,
        other / whole,
        None,
        note,
    )
    deep, first = (_clock(theirs.get, peer.items_url(limit=LIMIT, offset=offset))[0] for offset in (DEEP, 0))
    yield Figure(f"{peer.name}: page at offset {DEEP:,}", deep, "ms", "its first page", first, deep / first)


def _deep(
    client: httpx.Client, connection: psycopg.Connection[Any], headers: dict[str, str]
) -> Iterator[Figure]:
    """A page far down against the first one: keyset paging makes them alike."""
    row = connection.execute("select max(id) from map.intakes").fetchone()
    deep = int(row[0] * 0.9) if row else 0
    took: dict[int, list[float]] = {0: [], deep: []}
    for turn in range(15):
        for after, times in took.items():
            address = f"/ogc/collections/intakes/items?limit={LIMIT}&after={after + turn}"  # never one that was kept
            times.append(_clock(client.get, address, headers=headers)[0])
    first, far = statistics.median(took[0]), statistics.median(took[deep])
    yield Figure(f"page after {deep:,}, p50", far, "ms", "the first page", first, far / first, 1.2)


def _small(
    client: httpx.Client, headers: dict[str, str], boxes: list[tuple[float, float, float, float]]
) -> Iterator[Figure]:
    """One feature, a page asked for again, and one that the client has: against the service's emptiest answer."""
    page = f"/ogc/collections/intakes/items?limit={LIMIT}&bbox={','.join(map(str, boxes[0]))}"
    first = client.get(page, headers=headers)
    one = f"/ogc/collections/intakes/items/{first.json()['features'][0]['id']}"
    known = {**headers, "If-None-Match": first.headers["etag"]}
    times: dict[str, list[float]] = {"none": [], "one": [], "again": [], "known": []}
    for _ in range(60):
        times["none"].append(_clock(client.get, "/ogc/conformance", headers=headers)[0])
        times["one"].append(_clock(client.get, one, headers=headers)[0])
        times["again"].append(_clock(client.get, page, headers=headers)[0])
        times["known"].append(_clock(client.get, page, headers=known)[0])
    nothing = statistics.median(times["none"])
    for name, key in (
        ("one feature, p50", "one"),
        (f"the same page of {LIMIT} again, p50", "again"),
        ("a page that the client has (304), p50", "known"),
    ):
        value = statistics.median(times[key])
        yield Figure(name, value, "ms", "/ogc/conformance", nothing, value / nothing)


if __name__ == "__main__":
    main()
