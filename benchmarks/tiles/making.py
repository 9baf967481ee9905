"""Tiles that are made: the densest of each zoom one at a time, and a mix by eight at once; against a peer's."""

import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue

import mapbox_vector_tile as mvt
import numpy as np

from benchmarks import Figure
from benchmarks.peers import Peer
from benchmarks.tiles.limits import bare
from benchmarks.tiles.serving import Ours, path
from tiles.address import Address

SAME_FIELDS = "code,name,source_type,permit_state,county_code,annual_volume_m3"
"""With the id these are the seven that the peers serve."""
ROUNDS, PEER_ROUNDS = 15, 9
LIMITED, REPEATED = (12, 14), 100
"""Zooms at which what cannot be beaten is measured too, and how often."""
CONNECTIONS = 8
GOALS = {**dict.fromkeys(range(4, 10), 20.0), 10: 4.0, 12: 6.0, 14: 6.0}


class Client:
    """Requests one after another on one connection."""

    def __init__(self, address: str, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=300)
        self._headers = headers

    def get(self, where: str) -> tuple[float, bytes, bool]:
        """Milliseconds, the body as it came, and whether it is compressed."""
        try:
            began, answer = self._asked(where)
        except (http.client.RemoteDisconnected, ConnectionError):  # closed while the other side had its turn
            self._connection.close()
            began, answer = self._asked(where)
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status not in (200, 204):
            raise SystemExit(f"{where}: {answer.status} {body[:200]!r}")
        return took, body, answer.getheader("content-encoding") == "gzip"

    def _asked(self, where: str) -> tuple[float, http.client.HTTPResponse]:
        began = time.perf_counter()
        self._connection.request("GET", where, headers=self._headers)
        return began, self._connection.getresponse()


def dense(ours: Ours, peer: Peer | None, tiles: dict[int, tuple[Address, int]]) -> Iterator[Figure]:
    """Each densest tile by turns: the first round warms the database and is not counted. Each side is asked for a
    neighbour first, which is not counted either: a processor that slept is slow at first, whoever wakes it."""
    mine = Client(ours.address, ours.headers())
    theirs = Client(peer.address, {"Accept-Encoding": "gzip"}) if peer else None
    for z, goal in GOALS.items():
        tile, points = tiles[z]
        where = path(tile, SAME_FIELDS if z >= 10 else "")
        took: list[float] = []
        other: list[float] = []
        body = their_body = b""
        for turn in range(ROUNDS + 1):
            ours.forget()
            mine.get(path(Address(tile.z, tile.x + 1, tile.y), SAME_FIELDS if z >= 10 else ""))
            ms, body, _ = mine.get(where)
            took += [ms] if turn else []
            if theirs and peer and turn <= PEER_ROUNDS:
                theirs.get(peer.tile.format(z=tile.z, x=tile.x + 1, y=tile.y))
                ms, their_body, _ = theirs.get(peer.tile.format(z=tile.z, x=tile.x, y=tile.y))
                other += [ms] if turn else []
        told = _contents(body)
        note = f"{points:,} intakes: {told}, {len(body) / 1000:.0f} kB; p99 {np.percentile(took, 99):.1f} ms"
        if peer:
            note += f"; theirs {_contents(their_body)}, {len(their_body) / 1000:.0f} kB"
        p50, their_p50 = float(np.median(took)), float(np.median(other)) if other else None
        yield Figure(
            f"z{z} made, densest, p50{', same 7 fields' if z >= 10 else ''}", p50, "ms", _named(peer), their_p50,
            their_p50 / p50 if their_p50 else None, goal, note,
        )  # fmt: skip
        if z in LIMITED:
            yield from _limits(mine, where, body, their_p50, peer)


def _limits(
    mine: Client, where: str, body: bytes, their_p50: float | None, peer: Peer | None
) -> Iterator[Figure]:
    """The same tile when nothing is made: from our memory, and by the smallest server that sends the same bytes."""
    with bare("asgi", body, processes=1) as address:
        smallest = Client(address, {"Accept-Encoding": "gzip"})
        for what, client in (
            ("from memory, logged in", mine),
            ("by a bare ASGI application: the limit", smallest),
        ):
            took = [client.get(where)[0] for _ in range(REPEATED + 10)][10:]
            p50 = float(np.median(took))
            yield Figure(
                f"{where.split('?')[0]} {what}, p50", p50, "ms", _named(peer), their_p50,
                their_p50 / p50 if their_p50 else None, None, f"{len(body) / 1000:.0f} kB, one after the other",
            )  # fmt: skip


def _contents(body: bytes) -> str:
    import gzip

    if not body:
        return "empty"
    plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    (layer,) = mvt.decode(plain).values()
    features = layer["features"]
    cells = sum("cell" in f["properties"] for f in features)
    total = sum(f["properties"].get("n", 1) for f in features)
    return f"{cells} cells for {total:,}" if cells else f"{len(features):,} features"


def mix(ours: Ours, peer: Peer | None, tiles: Sequence[Address]) -> Iterator[Figure]:
    """Distinct tiles of z5 to z14, eight connections, two processes on each side; each tile once."""
    ours.forget()
    mine = _all_at_once(ours.address, ours.headers(), [path(tile, SAME_FIELDS) for tile in tiles])
    rate = len(mine[1]) / mine[0]
    their_rate, note = None, ""
    if peer:
        few = tiles[: max(60, len(tiles) // 12)]
        other = _all_at_once(
            peer.address, {"Accept-Encoding": "gzip"}, [peer.tile.format(z=t.z, x=t.x, y=t.y) for t in few]
        )
        their_rate = len(other[1]) / other[0]
        note = f"; theirs p99 {np.percentile(other[1], 99):,.0f} ms, {len(few)} tiles"
    p99 = float(np.percentile(mine[1], 99))
    yield Figure(
        "mix z5–z14, same 7 fields, 8 connections, 2 processes", rate, "tiles/s", _named(peer), their_rate,
        rate / their_rate if their_rate else None, 20.0, f"{len(tiles)} tiles, p50 {np.median(mine[1]):.1f} ms{note}",
    )  # fmt: skip
    yield Figure("mix, p99", p99, "ms", "the goal", 150.0, p99 / 150.0, 1.0, "at most")


def _all_at_once(address: str, headers: dict[str, str], paths: Sequence[str]) -> tuple[float, list[float]]:
    """Seconds that all took, and the milliseconds of each."""
    left: SimpleQueue[str] = SimpleQueue()
    for one in paths:
        left.put(one)
    took: list[float] = []

    def work() -> None:
        client = Client(address, headers)
        while True:
            try:
                took.append(client.get(left.get_nowait())[0])
            except Empty:
                return

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began, took


def _named(peer: Peer | None) -> str:
    return f"{peer.name} {peer.version}, cut to 10,000 features" if peer else ""
