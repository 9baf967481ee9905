"""The service as one supervised whole: up, found, mended when a part dies, down in order."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from app import supervise
from app.db.embedded import EmbeddedCluster
from app.errors import ConfigurationError
from app.settings import ROOT

PATIENCE_S = 180


def shuitu(folder: Path, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SHUITU_")} | {
        "SHUITU_DATA_DIR": str(folder),
        "SHUITU_PORT": str(port),
        "SHUITU_PROCESSES": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "app.entry", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def up() -> Iterator[tuple[Path, supervise.State]]:
    """A service of its own, started by the command line."""
    folder = Path(tempfile.mkdtemp(prefix="shuitu-test-"))
    folder.chmod(0o711)
    port = free_port()
    try:
        done = shuitu(folder, port, "start", "--detach")
        assert done.returncode == 0, done.stderr
        assert f"http://127.0.0.1:{port}" in done.stdout
        state = supervise.running(folder)
        assert state is not None
        yield folder, state
    finally:
        supervise.stop(folder)
        subprocess.run(["rm", "-rf", str(folder)], check=False)


def child(state: supervise.State, module: str) -> psutil.Process | None:
    for process in psutil.Process(state.pid).children():
        with suppress(psutil.Error):  # a dead one that nobody has buried yet
            if module in process.cmdline():
                return process
    return None


def test_detached_returns_once_it_is_ready(up: tuple[Path, supervise.State]) -> None:
    assert supervise.is_ready(up[1].address)


def test_a_second_start_says_where_it_runs_and_starts_nothing(up: tuple[Path, supervise.State]) -> None:
    folder, state = up
    done = shuitu(folder, state.port, "start", "--detach")
    assert done.returncode == 0 and state.address in done.stdout
    assert supervise.running(folder) == state


@pytest.mark.parametrize("module", ["app.serve", "app.worker"])
def test_a_child_that_is_killed_comes_back(up: tuple[Path, supervise.State], module: str) -> None:
    until(lambda: child(up[1], module))
    before = child(up[1], module)
    assert before is not None
    before.kill()
    until(lambda: (now := child(up[1], module)) is not None and now.pid != before.pid)
    until(lambda: supervise.is_ready(up[1].address))


def test_a_database_that_is_killed_comes_back(up: tuple[Path, supervise.State]) -> None:
    cluster = EmbeddedCluster(up[0])
    os.kill(int((cluster.pgdata / "postmaster.pid").read_text("ascii").split("\n")[0]), signal.SIGKILL)
    until(lambda: not cluster.is_running)
    until(lambda: supervise.is_ready(up[1].address))


def test_stop_ends_the_children_and_the_database(up: tuple[Path, supervise.State]) -> None:
    folder, state = up
    family = [psutil.Process(state.pid), *psutil.Process(state.pid).children(recursive=True)]
    done = shuitu(folder, state.port, "stop")
    assert done.returncode == 0, done.stderr
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)
    assert supervise.running(folder) is None
    assert not EmbeddedCluster(folder).is_running
    assert shuitu(folder, state.port, "stop").returncode == 0, "stopping twice is no error"


def test_a_taken_port_is_said_in_a_sentence_that_names_the_setting() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigurationError, match="SHUITU_PORT"):
            supervise.require_free_port("127.0.0.1", other.getsockname()[1])


def test_nothing_runs_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert supervise.running(tmp_path / "none") is None
    assert supervise.stop(tmp_path / "none") is False


def test_a_state_left_by_a_dead_service_is_not_taken_for_a_live_one(tmp_path: Path) -> None:
    (tmp_path / "service.lock").touch()
    # The pid is alive (it is ours), as after a reboot that gave it to another program.
    (tmp_path / "service.json").write_text(
        f'{{"pid": {os.getpid()}, "host": "127.0.0.1", "port": 1, "started_at": 0}}', "utf-8"
    )
    assert supervise.running(tmp_path) is None
    assert supervise.stop(tmp_path) is False


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80"), ("10.0.0.5", "http://10.0.0.5:80")],
)
def test_the_address_is_one_that_can_be_opened(host: str, url: str) -> None:
    assert supervise.address(host, 80) == url
