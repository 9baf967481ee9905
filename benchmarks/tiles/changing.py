"""Single changes: what their cells cost the writers, and how soon a tile shows them."""

import multiprocessing
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mapbox_vector_tile as mvt
import numpy as np
import psycopg

from app.maps.publishing import publish_features
from benchmarks import Figure
from benchmarks.tiles.serving import NATION, Ours, get
from layers import catalog
from tiles import fold
from tiles.keys import world

WRITERS, SECONDS, ROUNDS = 8, 6.0, 3
RATE, FRESH_S = 100, 12.0
STATES = ("linked", "pending", "unpermitted", "exempt", "ended")
CHANGE = "update shuitu.intakes set permit_state = %s where id = %s"
RECORD = (
    "insert into shuitu.changes (actor_name, layer, action, entity_id, county_code) "
    "values ('benchmark', 'intakes', 'update', %s, %s)"
)


def written(dsn: str) -> Iterator[Figure]:
    """Changes a second by eight writers in one county: the fact and its change row, without and with publishing."""
    county, ids = _crowded(dsn, WRITERS * 100)
    rates: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(ROUNDS + 1):
        for publishing in (False, True):
            with _folding(dsn):
                rate = _rate(dsn, county, ids, publishing)
            rates[publishing] += [rate] if turn else []
    bare, whole = (statistics.median(rates[one]) for one in (False, True))
    yield Figure(
        "changes with their cells, 8 writers in one county", whole, "changes/s", "the same without publishing", bare,
        whole / bare, 0.8, "cells folded meanwhile; a change: fact, history, change row, commit",
    )  # fmt: skip


def _crowded(dsn: str, count: int) -> tuple[int, list[int]]:
    with psycopg.connect(dsn) as connection:
        connection.execute(NATION)
        row = connection.execute(
            "select county_code, n from map.intake_cells where key >= 1024 and key < 4096 order by n desc limit 1"
        ).fetchone()
        assert row is not None
        rows = connection.execute(
            "select id from shuitu.intakes where county_code = %s order by id limit %s", (row[0], count)
        ).fetchall()
    return int(row[0]), [one[0] for one in rows]


@contextmanager
def _folding(dsn: str) -> Iterator[None]:
    """Fold every few seconds, as the worker does."""
    stop = threading.Event()

    def work() -> None:
        with psycopg.connect(dsn) as connection:
            connection.execute(NATION)
            connection.commit()
            while not stop.wait(5):
                fold.fold(connection, catalog.load()["intakes"])
                connection.commit()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _rate(dsn: str, county: int, ids: list[int], publishing: bool) -> float:
    share = len(ids) // WRITERS
    context = multiprocessing.get_context("spawn")
    ready, go = context.Barrier(WRITERS + 1), context.Event()
    counts: Any = context.Queue()
    workers = [
        context.Process(
            target=_write, args=(dsn, county, ids[i * share : (i + 1) * share], publishing, ready, go, counts)
        )
        for i in range(WRITERS)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    go.set()
    total = sum(counts.get() for _ in workers)
    for worker in workers:
        worker.join()
    return float(total / SECONDS)


def _write(dsn: str, county: int, ids: list[int], publishing: bool, ready: Any, go: Any, counts: Any) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(NATION)
        connection.commit()
        random = np.random.default_rng(ids[0])
        ready.wait()
        go.wait()
        done, end = 0, time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            _change(connection, county, ids[done % len(ids)], STATES[random.integers(5)], publishing)
            done += 1
        counts.put(done)


def _change(
    connection: psycopg.Connection[Any], county: int, intake: int, state: str, publishing: bool
) -> None:
    with connection.transaction():
        connection.execute(CHANGE, (state, intake))
        connection.execute(RECORD, (intake, county))
        if publishing:
            publish_features(connection, "intakes", [intake])


# ── freshness ───────────────────────────────────────────────────────────────────────────────────────


def fresh(ours: Ours, *, under_import: bool) -> Iterator[Figure]:
    """From commit to a tile that shows it, at 100 changes a second; while an import holds a transaction open."""
    county, ids = _crowded(ours.service_dsn, 400)
    watched, others = ids[:20], ids[20:]
    stop = threading.Event()
    thread = threading.Thread(target=_storm, args=(ours.service_dsn, county, others, stop))
    took: list[float] = []
    with psycopg.connect(ours.service_dsn) as connection, psycopg.connect(ours.service_dsn) as importing:
        importing.execute(NATION)
        if under_import:
            importing.execute(RECORD, (ids[0], county))  # a transaction with a number, which stays open
        else:
            importing.commit()
        connection.execute(NATION)
        connection.commit()
        places = _places(connection, watched)
        thread.start()
        began, turn = time.monotonic(), 0
        while time.monotonic() - began < FRESH_S:
            intake = watched[turn % len(watched)]
            state = STATES[turn // len(watched) % 5]
            _change(connection, county, intake, state, True)
            took.append(_until_shown(ours, places[intake], intake, state))
            turn += 1
        stop.set()
        thread.join()
        importing.rollback()
    p50, p99 = np.percentile(took, [50, 99])
    yield Figure(
        f"commit to a tile that shows it, p99{', a transaction open' if under_import else ''}", float(p99), "ms",
        "the goal", 1000.0, float(p99) / 1000, 1.0, f"at most; p50 {p50:.0f} ms of {len(took)}, {RATE} changes/s, 2 processes",
    )  # fmt: skip


def _storm(dsn: str, county: int, ids: list[int], stop: threading.Event) -> None:
    random = np.random.default_rng(1)
    with psycopg.connect(dsn) as connection:
        connection.execute(NATION)
        connection.commit()
        following = time.perf_counter()
        while not stop.is_set():
            _change(connection, county, int(random.choice(ids)), STATES[random.integers(5)], True)
            following += 1 / RATE
            time.sleep(max(0.0, following - time.perf_counter()))


def _places(connection: psycopg.Connection[Any], ids: list[int]) -> dict[int, str]:
    rows = connection.execute(
        "select id, st_x(geom), st_y(geom) from shuitu.intakes where id = any(%s)", (ids,)
    )
    found = {}
    for intake, lon, lat in rows:
        (x,), (y,) = world([lon], [lat])
        found[intake] = f"/tiles/intakes/14/{int(x) >> 17}/{int(y) >> 17}?fields=permit_state"
    connection.commit()
    return found


def _until_shown(ours: Ours, where: str, intake: int, state: str) -> float:
    began = time.perf_counter()
    while True:
        _, body = get(ours.address, where, {"X-API-Key": ours.key})
        features = mvt.decode(body)["intakes"]["features"] if body else []
        if any(f["id"] == intake and f["properties"]["permit_state"] == state for f in features):
            return (time.perf_counter() - began) * 1000
        if time.perf_counter() - began > 30:
            raise SystemExit(f"{where} never showed the change")
