"""One process that keeps the service up: private database, web server, worker.

It holds a lock on `service.lock` for as long as it lives, so whether a service runs is a question to
the kernel and not to a pid that a reboot may have given to another program. Beside it,
`service.json` says where the service is. A child that dies is started again; on SIGTERM, SIGINT or
SIGHUP the children end first, the database last.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from app import logging
from app.db.embedded import EmbeddedCluster
from app.errors import ConfigurationError, NotReady, ShuituError
from app.settings import Settings

log = logging.get(__name__)

READY_WITHIN_S = 120
CHILD_STOPS_WITHIN_S = 20
STOPS_WITHIN_S = 90  # both children, then the database's shutdown
DATABASE_EVERY_S = 10
LONGEST_PAUSE_S = 30.0
STEADY_AFTER_S = 60.0
PR_SET_PDEATHSIG = 1
# -P: a folder named app where the command is typed is not ours.
CHILDREN: dict[str, tuple[str, ...]] = {
    "web": ("-P", "-m", "app.serve"),
    "worker": ("-P", "-m", "app.worker"),
}


@dataclass(frozen=True, slots=True)
class State:
    """Where a running service is, as written in `service.json`."""

    pid: int
    host: str
    port: int
    started_at: float
    """Seconds since the epoch."""

    @property
    def address(self) -> str:
        return address(self.host, self.port)


def address(host: str, port: int) -> str:
    """The URL under which this machine reaches a service that listens on `host`."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def log_file(data_dir: Path) -> Path:
    """Where a detached service writes its log."""
    return data_dir / "logs" / "service.log"


def running(data_dir: Path) -> State | None:
    """The service of this data folder, if one runs."""
    try:
        handle = (data_dir / "service.lock").open("r")
    except FileNotFoundError:
        return None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read_state(data_dir)
    return None


def _read_state(data_dir: Path) -> State | None:
    # Between taking the lock and writing the file there is a moment.
    for _ in range(20):
        with suppress(FileNotFoundError, ValueError, TypeError):
            return State(**json.loads((data_dir / "service.json").read_text("utf-8")))
        time.sleep(0.1)
    return None


def require_free_port(host: str, port: int) -> None:
    """Raises ConfigurationError with what to do if another program listens there, or we may not."""
    family, kind, protocol, _, where = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(where)
        except PermissionError:
            raise ConfigurationError(
                f"无权监听端口 {port}，请把 SHUITU_PORT 设为 1024 以上 "
                f"(no right to listen on port {port}: set SHUITU_PORT to one above 1024)"
            ) from None
        except OSError as error:
            raise ConfigurationError(
                f"无法监听 {host}:{port}（{error.strerror}）；端口可能已被其他程序占用，"
                f"请用 SHUITU_PORT 指定其他端口，例如 SHUITU_PORT={port + 1 if port < 65535 else 8000} "
                f"(cannot listen on {host}:{port}, {error.strerror}: if another program has the port, "
                "name another by SHUITU_PORT)"
            ) from None


def is_ready(where: str) -> bool:
    """`/readyz` answers 200."""
    try:
        with urllib.request.urlopen(f"{where}/readyz", timeout=5) as answer:  # noqa: S310 - our own http address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def stop(data_dir: Path, *, private: bool = True) -> bool:
    """Stop the service of this data folder, then its private database if it has one.

    Returns whether a service ran. Raises NotReady if it does not end.
    """
    state = running(data_dir)
    if state is not None:
        with suppress(ProcessLookupError):
            os.kill(state.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOPS_WITHIN_S
        while running(data_dir) is not None:
            if time.monotonic() > deadline:
                raise NotReady(
                    f"服务（进程 {state.pid}）在 {STOPS_WITHIN_S} 秒内没有停止，日志见 {log_file(data_dir)} "
                    f"(the service, process {state.pid}, did not stop in time; see its log)"
                )
            time.sleep(0.1)
    # A supervisor that was killed by force leaves its database running.
    if private and (data_dir / "postgres" / "data" / "PG_VERSION").exists():
        EmbeddedCluster(data_dir).stop()
    return state is not None


def detach(settings: Settings) -> State:
    """Start a supervisor that outlives this process; returns once the service answers `/readyz`.

    Raises NotReady, with the end of the log, if it does not come up.
    """
    file = log_file(settings.data_dir)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "app.supervise"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        state = running(settings.data_dir)
        if state is not None and state.pid == process.pid and is_ready(state.address):
            return state
        if process.poll() is not None:
            break
        time.sleep(0.1)
    else:
        process.terminate()
    last = "\n".join(file.read_text("utf-8", "replace").splitlines()[-8:])
    raise NotReady(
        f"服务没有就绪，日志 {file} 的末尾为 (the service did not get ready; the end of its log):\n{last}"
    )


@dataclass
class _Child:
    """One child process and its history of deaths."""

    name: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 1.0
    due: float = 0.0

    def start(self) -> None:
        # A session of its own: Ctrl-C in the terminal reaches the supervisor only, which ends all in order.
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, *CHILDREN[self.name]],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        self.started = time.monotonic()
        log.info("started", child=self.name, pid=self.process.pid)

    def look(self) -> None:
        """Start it again if it has died, after a pause that grows while it dies young."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.due:
                self.start()
        elif (code := self.process.poll()) is not None:
            self.pause = 1.0 if now - self.started > STEADY_AFTER_S else min(self.pause * 2, LONGEST_PAUSE_S)
            self.due = now + self.pause
            # The web server's own processes outlive it if it was killed, and would keep the port.
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process = None
            log.error("died; starts again", child=self.name, code=code, in_seconds=self.pause)


_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    """In the child: SIGTERM when the supervisor is gone, however it went."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Supervisor:
    """Runs in the foreground until told to stop."""

    settings: Settings
    when_ready: Callable[[State], None] = lambda state: None
    children: list[_Child] = field(default_factory=lambda: [_Child(name) for name in CHILDREN])
    _stopping: bool = False

    def run(self) -> None:
        """Start everything, keep it up, end it in order.

        Raises ConfigurationError (the service runs already, the port is taken) or NotReady.
        """
        data_dir = self.settings.data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        with (data_dir / "service.lock").open("a") as lock:
            self._take(lock.fileno())
            require_free_port(self.settings.host, self.settings.port)
            state = State(os.getpid(), self.settings.host, self.settings.port, time.time())
            draft = data_dir / "service.json.new"
            draft.write_text(json.dumps(asdict(state)), "utf-8")
            draft.replace(data_dir / "service.json")
            try:
                self._start_database()
                self._watch(state)
            finally:
                self._end()
                (data_dir / "service.json").unlink(missing_ok=True)

    def _take(self, lock: int) -> None:
        # `running` holds the lock too, for an instant: one refusal proves nothing.
        for _ in range(20):
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(0.05)
        state = _read_state(self.settings.data_dir)
        raise ConfigurationError(
            f"服务已在运行: {state.address if state else self.settings.data_dir} (the service runs already)"
        )

    def _start_database(self) -> None:
        if not self.settings.database_url:
            EmbeddedCluster(self.settings.data_dir).start()

    def _mend_database(self) -> None:
        """The private server may have been killed: start it again, or say why not."""
        if self.settings.database_url or EmbeddedCluster(self.settings.data_dir).is_running:
            return
        log.error("the private database is gone; starts again")
        try:
            self._start_database()
        except ShuituError as error:
            log.error("the private database does not start", problem=str(error))

    def _watch(self, state: State) -> None:
        announced = False
        next_database = time.monotonic() + DATABASE_EVERY_S
        while not self._stopping:
            for child in self.children:
                child.look()
            if not announced and is_ready(state.address):
                announced = True
                log.info("ready", address=state.address)
                self.when_ready(state)
            if time.monotonic() >= next_database:
                self._mend_database()
                next_database = time.monotonic() + DATABASE_EVERY_S
            time.sleep(0.2)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        self._stopping = True

    def _end(self) -> None:
        live = [child for child in self.children if child.process and child.process.poll() is None]
        for child in live:
            assert child.process is not None  # noqa: S101 - filtered above
            child.process.terminate()
        deadline = time.monotonic() + CHILD_STOPS_WITHIN_S
        for child in live:
            assert child.process is not None  # noqa: S101 - filtered above
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("killed: it did not end in time", child=child.name)
                with suppress(ProcessLookupError):
                    os.killpg(child.process.pid, signal.SIGKILL)
                child.process.wait()
        if not self.settings.database_url:
            EmbeddedCluster(self.settings.data_dir).stop()
        log.info("stopped")


def main() -> None:
    """`python -m app.supervise`: what `detach` starts."""
    settings = Settings()
    logging.configure(settings.log_format, settings.log_level)
    try:
        Supervisor(settings).run()
    except ShuituError as error:
        log.error("the service cannot run", problem=str(error))
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
