"""The demo goes only where there is nothing else, and its removal takes only what is its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.db.embedded import EmbeddedCluster
from app.settings import ROOT


def shuitu(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SHUITU_")} | {
        "SHUITU_DATA_DIR": str(folder), "SHUITU_PORT": "18765",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "app.entry", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder with a migrated database that holds one account, and somebody's note beside it."""
    made = Path(tempfile.mkdtemp(prefix="shuitu-test-"))
    made.chmod(0o711)
    (made / "note.txt").write_text("not Shuitu's", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "db", "migrate"],
        cwd=ROOT, env=os.environ | {"SHUITU_DATA_DIR": str(made)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with psycopg.connect(EmbeddedCluster(made).dsn("postgres")) as connection:
        connection.execute(
            "insert into shuitu.users (username, password_hash, role, scope_lo, scope_hi) values ('chen', 'x', 'admin', 0, 1000000)"
        )
    yield made
    EmbeddedCluster(made).stop()
    subprocess.run(["rm", "-rf", str(made)], check=False)


def accounts(folder: Path) -> list[str]:
    cluster = EmbeddedCluster(folder)
    cluster.start()
    with psycopg.connect(cluster.dsn("postgres")) as connection:
        return [row[0] for row in connection.execute("select username from shuitu.users").fetchall()]


def test_real_data_are_neither_mixed_with_the_demo_nor_removed(folder: Path) -> None:
    loaded = shuitu(folder, "demo", "--detach")
    assert loaded.returncode == 1 and "SHUITU_DATA_DIR" in loaded.stderr
    removed = shuitu(folder, "demo", "--remove")
    assert removed.returncode == 1 and "Traceback" not in removed.stderr
    assert accounts(folder) == ["chen"]


def test_the_demo_is_removed_and_what_is_not_ours_stays(folder: Path) -> None:
    with psycopg.connect(EmbeddedCluster(folder).dsn("postgres")) as connection:
        connection.execute("create table shuitu.demo (seed integer)")
    assert shuitu(folder, "demo", "--remove").returncode == 0
    assert [path.name for path in folder.iterdir()] == ["note.txt"]
    assert shuitu(folder, "demo", "--remove").returncode == 0, "removing twice is no error"
