"""Tiles from memory against nginx that serves the same bytes as files: by wall clock, the client beside them."""

import gzip
import http.client
import re
import socket
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import Figure, peers
from benchmarks.processes import program, tool
from benchmarks.tiles.limits import bare
from benchmarks.tiles.serving import Ours, get, path
from tiles.address import Address

KEPT = 200
SMALL, BIG = 20_000, 80_000
CONNECTIONS, SECONDS, ROUNDS = 16, 4, 3
SCRIPT = """
local paths, tags, at = {{}}, {{}}, 0
for line in io.lines("{list}") do
  local path, tag = line:match("^(%S+) ?(.*)$")
  paths[#paths + 1] = path; tags[#tags + 1] = tag
end
request = function()
  at = at % #paths + 1
  local headers = {{ ["Accept-Encoding"] = "gzip" }}
  if tags[at] ~= "" then headers["If-None-Match"] = tags[at] end
  return wrk.format("GET", paths[at], headers)
end
done = function(summary, latency, requests)
  io.write(string.format("REQUESTS %d SECONDS %f ERRORS %d\\n", summary.requests, summary.duration / 1e6, summary.errors.status + summary.errors.read + summary.errors.timeout))
end
"""


def against_nginx(ours: Ours, tiles: Sequence[Address]) -> Iterator[Figure]:
    """Public tiles of 20 to 80 kB, two processes on each side. Raises processes.Missing without wrk or nginx."""
    wrk = program("wrk", "wrk")
    bodies = _bodies(ours, tiles)
    size = statistics.mean(len(body) for body in bodies.values()) / 1000
    with tempfile.TemporaryDirectory(prefix="shuitu-hot-") as name:
        place = Path(name)
        place.chmod(0o755)
        for where, body in bodies.items():
            file = place / "files" / where.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        served = "types {} default_type application/vnd.mapbox-vector-tile; add_header Content-Encoding gzip;"
        answer = _not_modified(ours, next(iter(bodies)))
        with peers.files(place / "files", 2, served) as nginx, bare("protocol", answer, 2) as smallest:
            for what, tagged, goal in (("hot tiles", False, 0.55), ("304", True, 0.9)):
                runs: dict[str, list[float]] = {ours.address: [], nginx.address: []}
                runs |= {smallest: []} if tagged else {}
                for turn in range(ROUNDS + 1):
                    for address in runs:
                        rate = _rate(wrk, place, address, list(bodies), tagged)
                        runs[address] += [rate] if turn else []  # the first fills each process's memory
                mine, limit, *least = (statistics.median(one) for one in runs.values())
                yield Figure(
                    f"{what}, 2 processes, wall", mine, "per second", f"nginx {nginx.version}, same bytes", limit,
                    mine / limit, goal, f"{len(bodies)} tiles, {size:.0f} kB on average, {CONNECTIONS} connections",
                )  # fmt: skip
                for one in least:
                    yield Figure(
                        f"{what} by a bare protocol, 2 processes: the limit", one, "per second", f"nginx {nginx.version}, same bytes",
                        limit, one / limit, None, "the event loop alone: the same bytes to whatever arrives",
                    )  # fmt: skip


def _bodies(ours: Ours, tiles: Sequence[Address]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for tile in tiles:
        status, body = get(ours.address, path(tile), {"Accept-Encoding": "gzip"})
        if status == 200 and SMALL <= len(body) <= BIG:
            gzip.decompress(body)
            found[path(tile)] = body
        if len(found) == KEPT:
            break
    return found


def _not_modified(ours: Ours, where: str) -> bytes:
    """Our 304, byte by byte."""
    told = f"GET {where} HTTP/1.1\r\nHost: limit\r\nAccept-Encoding: gzip\r\nIf-None-Match: {_tag(ours.address, where)}\r\n\r\n"
    host, port = ours.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as wire:
        wire.sendall(told.encode())
        found = wire.recv(4096)
    assert found.startswith(b"HTTP/1.1 304"), found
    return found


def _rate(wrk: str, place: Path, address: str, paths: Sequence[str], tagged: bool) -> float:
    """Answers a second."""
    lines = [f"{one} {_tag(address, one)}" if tagged else one for one in paths]
    (place / "list").write_text("\n".join(lines))
    (place / "script.lua").write_text(SCRIPT.format(list=place / "list"))
    told = tool([wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "-s", str(place / "script.lua"), address])
    match = re.search(r"REQUESTS (\d+) SECONDS ([\d.]+) ERRORS (\d+)", told)
    if match is None or int(match[3]):
        raise SystemExit(f"wrk: {told}")
    return int(match[1]) / float(match[2])


def _tag(address: str, where: str) -> str:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    connection.request("HEAD", where, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.getheader("etag") or ""
