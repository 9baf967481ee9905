"""Our server for the benchmark: started, asked, made to forget, measured."""

import http.client
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import psycopg

from benchmarks.processes import Running, free_port, run
from tiles.address import Address

NATION = "select set_config('app.scope_lo', '0', false), set_config('app.scope_hi', '1000000', false)"
UP_WITHIN_S = 120
LAYER = "intakes"


@dataclass
class Ours:
    """The running service. `key` is of a national officer: row-level security is on, and every field is seen."""

    address: str
    server: Running
    key: str
    service_dsn: str
    first_tile_s: float
    """From the start of the process to its first tile."""

    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.key, "Accept-Encoding": "gzip"}

    def forget(self) -> None:
        """Tell that all of the layer changed, as an import may; return when every process has heard of it."""
        before = self._version()
        with psycopg.connect(self.service_dsn, autocommit=True) as connection:
            connection.execute(NATION)
            connection.execute("insert into map.touched (layer, county_code) values (%s, 0)", (LAYER,))
        while self._version() <= before:
            time.sleep(0.01)
        time.sleep(0.2)  # the other process may be a notification behind

    def _version(self) -> int:
        status, body = get(self.address, f"/tiles/{LAYER}.json")
        assert status == 200, body
        return int(orjson.loads(body)["shuitu:version"])


def path(tile: Address, fields: str = "") -> str:
    return f"/tiles/{LAYER}/{tile.z}/{tile.x}/{tile.y}" + (f"?fields={fields}" if fields else "")


def get(address: str, where: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=120)
    try:
        connection.request("GET", where, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def serving(
    folder: Path, service_dsn: str, key: str, probe: str, *, processes: int, cache_mb: int
) -> Iterator[Ours]:
    """The service on this data folder, once it has given a tile; `probe` is one that is not empty."""
    port = free_port()
    told = {
        "SHUITU_DATA_DIR": str(folder), "SHUITU_PORT": str(port), "SHUITU_PROCESSES": str(processes),
        "SHUITU_LOG_LEVEL": "error", "SHUITU_TILE_CACHE_MB": str(cache_mb), "PYTHONPATH": str(Path.cwd()),
    }  # fmt: skip
    with ExitStack() as stack:
        began = time.perf_counter()
        server = run(stack, [sys.executable, "-m", "app.serve"], told)
        address = f"http://127.0.0.1:{port}"
        while time.perf_counter() - began < UP_WITHIN_S and server.process.poll() is None:
            try:
                if get(address, probe)[0] == 200:
                    break
            except OSError:
                time.sleep(0.02)
        else:
            raise SystemExit(f"the service did not come up: {server.last_words()}")
        yield Ours(address, server, key, service_dsn, time.perf_counter() - began)
