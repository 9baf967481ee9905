"""The example client as a province would run it: programs of their own against a served process, with breaks between."""

import csv
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app.db.engine import Dsns
from tests import served

CLIENT = Path(__file__).parents[3] / "examples" / "exchange" / "shuitu_exchange.py"
ROWS = 1_203


@pytest.fixture(scope="module")
def server(database: Dsns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A served process on a small register, as the environment that the client reads."""
    served.fill(database)
    keys = served.accounts(database)
    with served.process(database, tmp_path_factory.mktemp("served")) as (_, address):
        yield {"EXCHANGE_URL": address, "EXCHANGE_KEY": keys.county}


@pytest.fixture
def client(server: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(CLIENT), *map(str, arguments)],
            env=os.environ | server, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    return run


def write(path: Path, names: dict[int, str] | None = None, rows: int = ROWS) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow(["code", "name", "county_code", "lon", "lat", "annual_volume_m3", "permit_nos"])
        for i in range(rows):
            name = (names or {}).get(i, f"提水站{i}")
            out.writerow([f"EX-{i:05}", name, 321084, 119.6 + i / 10_000, 32.5, i * 10.5 or "", ""])
    return path


def stored(path: Path, layer: str = "intakes") -> dict[str, tuple[int, str]]:
    """Number → version and name of what the client keeps."""
    with sqlite3.connect(path) as store:
        rows = store.execute(
            "select number, version, entity from entries where layer = ?", (layer,)
        ).fetchall()
    return {number: (version, json.loads(entity).get("name", "")) for number, version, entity in rows}


def registered(database: Dsns) -> dict[str, tuple[int, str]]:
    with psycopg.connect(database.service) as session:
        session.execute(
            "select set_config('app.scope_lo', '321084', true), set_config('app.scope_hi', '321085', true)"
        )
        return {
            row[0]: (row[1], row[2])
            for row in session.execute("select code, version, name from shuitu.intakes")
        }


def test_what_is_pushed_is_registered_and_what_is_pulled_is_the_register(
    client: Callable[..., subprocess.CompletedProcess[str]], database: Dsns, tmp_path: Path
) -> None:
    copy = tmp_path / "register.sqlite"
    pushed = client("push", "intakes", write(tmp_path / "intakes.csv"))
    assert pushed.returncode == 0, pushed.stderr
    assert sum(json.loads(line)["created"] for line in pushed.stdout.splitlines()) == ROWS
    # Sent again after a break, nothing is done twice: the same batches have the same keys and answers.
    again = client("push", "intakes", tmp_path / "intakes.csv")
    assert again.stdout == pushed.stdout
    assert client("pull", copy).returncode == 0
    assert stored(copy) == registered(database)
    assert len(stored(copy, "permits")) == 0  # the permits of this world are another county's

    changed = client("push", "intakes", write(tmp_path / "later.csv", {7: "改名七", 900: "改名九百"}))
    assert [json.loads(line)["updated"] for line in changed.stdout.splitlines()] == [1, 1, 0]
    told = client("pull", copy)
    assert [json.loads(line)["entries"] for line in told.stdout.splitlines()] == [2]
    assert stored(copy) == registered(database)
    assert stored(copy)["EX-00007"] == (2, "改名七")


def test_a_pull_that_was_killed_goes_on_where_it_was(
    client: Callable[..., subprocess.CompletedProcess[str]],
    server: dict[str, str],
    database: Dsns,
    tmp_path: Path,
) -> None:
    copy = tmp_path / "register.sqlite"
    assert client("push", "intakes", write(tmp_path / "intakes.csv")).returncode == 0
    running = subprocess.Popen(
        [sys.executable, str(CLIENT), "pull", str(copy)],
        env=os.environ | server,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    running.stdout.readline()  # a page is in
    running.kill()
    running.wait()
    running.stdout.close()
    assert 0 < len(stored(copy)) <= len(registered(database))
    assert client("pull", copy).returncode == 0
    assert stored(copy) == registered(database)


def test_what_is_refused_is_told_by_row_and_the_rest_is_stored(
    client: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    file = write(tmp_path / "wrong.csv", {1: ""}, rows=3)
    told = client("push", "intakes", file)
    assert told.returncode == 1
    assert told.stderr.startswith("row 2: name: 缺少")


def test_a_wrong_key_ends_the_program_with_the_servers_sentence(
    server: dict[str, str], tmp_path: Path
) -> None:
    told = subprocess.run(
        [sys.executable, str(CLIENT), "pull", str(tmp_path / "x.sqlite")],
        env=os.environ | server | {"EXCHANGE_KEY": "sk_nobody_x"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert told.returncode == 1
    assert told.stderr.startswith("401: API 密钥无效")
