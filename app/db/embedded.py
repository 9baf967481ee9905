"""The private PostGIS: a cluster of our own in the data folder, reached by unix socket only.

The server never runs as root. Where we are root, it runs as the system user `postgres`, and the
cluster lives in a folder of that user. `trust` is safe because the socket's folder lets nobody else in.
"""

import hashlib
import os
import pwd
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from app.errors import ConfigurationError, NotReady
from app.logging import get

log = get(__name__)

SUPERUSER = "postgres"
SERVER_USER = "postgres"
PORT = 5432  # names the socket file; nothing listens on the network
START_ATTEMPTS = 12
"""After kill -9 of the postmaster its orphans keep the shared memory for some seconds."""
SAFE = {
    "jit": "off",
    "random_page_cost": "1.1",
    "max_connections": "60",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "shared_preload_libraries": "",
}
THROW_AWAY = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "1GB",
    # Readers of changes wait for every open transaction, and those that gather statistics come when they please.
    "autovacuum": "off",
}  # fmt: skip


def find_binaries() -> Path:
    """The folder of initdb and pg_ctl: the newest PostgreSQL (14 or later) on this machine.

    Raises ConfigurationError if there is none.
    """
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]), reverse=True
    )
    if found and int(found[0].parts[-3]) >= 15:
        return found[0].parent
    if (on_path := shutil.which("initdb")) and shutil.which("pg_ctl"):
        return Path(on_path).resolve().parent
    raise ConfigurationError(
        "未找到 PostgreSQL 15 或更高版本，请安装: apt-get install postgresql-15 postgresql-15-postgis-3 "
        "(no PostgreSQL 15 or later found; install the packages named)"
    )


def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


@dataclass(frozen=True)
class EmbeddedCluster:
    """A private cluster below `data_dir`; safe to start twice, found again after a reboot or kill -9."""

    data_dir: Path
    fast: bool = False
    """A throw-away cluster: nothing is flushed to disk."""

    @property
    def folder(self) -> Path:
        return self.data_dir.resolve() / "postgres"

    @property
    def pgdata(self) -> Path:
        return self.folder / "data"

    @property
    def socket_dir(self) -> Path:
        """Beside the data, unless that path is too long for a unix socket (107 bytes)."""
        beside = self.folder / "run"
        if len(os.fsencode(beside)) <= 80:
            return beside
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        return Path("/tmp") / f"shuitu-{name}"  # noqa: S108 - made below with mode 0700, owner checked

    def dsn(self, role: str, dbname: str = "shuitu") -> str:
        """libpq URL for this role."""
        return f"postgresql://{role}@/{dbname}?host={self.socket_dir}&port={PORT}"

    @property
    def is_running(self) -> bool:
        """It answers. (A pid alone proves nothing: the process may be dying, or be another program's.)"""
        try:
            psycopg.connect(self._admin("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> None:
        """Start it, making it first if it is not there; does nothing if it runs.

        Raises ConfigurationError (no PostgreSQL, no right to use it) or NotReady (it does not come up).
        """
        self._make_folders()
        if not (self.pgdata / "PG_VERSION").exists():
            self._init()
        if not self.is_running:
            self._launch()
        self._make_database()

    def stop(self) -> None:
        """Stop it, letting running transactions roll back; does nothing if it does not run."""
        if self.is_running:
            self._pg_ctl("stop", "-m", "fast", "-w")

    # ── below: how ────────────────────────────────────────────────────────────────────────────────

    def _as_server_user(self, command: list[str]) -> list[str]:
        if os.geteuid() != 0:
            return command
        return ["setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--clear-groups", *command]

    def _run(self, command: list[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")} | {"LC_ALL": "C.UTF-8"}
        done = subprocess.run(  # noqa: S603 - our own command
            self._as_server_user(command),
            text=True,
            capture_output=True,
            env=environment,
            cwd="/",
            check=False,
        )
        if check and done.returncode:
            raise NotReady(f"{Path(command[0]).name} 失败 (failed): {(done.stderr or done.stdout).strip()}")
        return done

    def _pg_ctl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self._run([str(find_binaries() / "pg_ctl"), "-D", str(self.pgdata), *arguments], check=check)

    def _make_folders(self) -> None:
        for folder in (self.folder, self.socket_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.geteuid() == 0:
                try:
                    user = pwd.getpwnam(SERVER_USER)
                except KeyError:
                    raise ConfigurationError(
                        f"以 root 运行需要系统用户 {SERVER_USER}（随 PostgreSQL 安装包创建）"
                        f" (running as root needs the system user {SERVER_USER}, which the PostgreSQL packages make)"
                    ) from None
                os.chown(folder, user.pw_uid, user.pw_gid)
            elif folder.stat().st_uid != os.geteuid():
                raise ConfigurationError(f"{folder} 属于其他用户 (belongs to another user)")
            folder.chmod(0o700)
        self._check_reach()

    def _check_reach(self) -> None:
        """As root we drop to the server's user: it must be able to walk to its own folder."""
        if os.geteuid() == 0 and self._run(["test", "-w", str(self.folder)], check=False).returncode:
            raise ConfigurationError(
                f"用户 {SERVER_USER} 无法进入 {self.folder}；请把 SHUITU_DATA_DIR 设为其可达的目录，如 /var/lib/shuitu "
                f"(user {SERVER_USER} cannot reach {self.folder}: set SHUITU_DATA_DIR to a folder it can, "
                "such as /var/lib/shuitu)"
            )

    def _init(self) -> None:
        log.info("making the private database cluster", folder=str(self.pgdata))
        if self.pgdata.exists():
            # An initdb that was killed half-way leaves a folder without PG_VERSION: nothing of value.
            self._run(["rm", "-rf", str(self.pgdata)])
        self._run(
            [
                str(find_binaries() / "initdb"),
                "-D",
                str(self.pgdata),
                "-U",
                SUPERUSER,
                "--auth=trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                *(["--no-sync"] if self.fast else []),
            ]
        )

    def _options(self) -> str:
        memory = _memory_mb()
        settings = (
            SAFE
            | {
                "listen_addresses": "",
                "unix_socket_directories": str(self.socket_dir),
                "unix_socket_permissions": "0700",
                "port": str(PORT),
                "shared_buffers": "256MB" if self.fast else f"{max(128, min(memory // 6, 4096))}MB",
                "work_mem": f"{max(8, min(memory // 256, 96))}MB",
                "maintenance_work_mem": f"{max(64, min(memory // 16, 1024))}MB",
                "effective_cache_size": f"{memory // 2}MB",
            }
            | (THROW_AWAY if self.fast else {})
        )
        return " ".join(f"-c {name}='{value}'" for name, value in settings.items())

    def _launch(self) -> None:
        said = ""
        for _ in range(START_ATTEMPTS):
            self._forget_stale_pid()
            done = self._pg_ctl(
                "-w", "-t", "60", "-l", str(self.folder / "log"), "-o", self._options(), "start", check=False
            )
            if self.is_running:
                return
            said = (done.stderr or done.stdout).strip()
            time.sleep(1)
        raise NotReady(
            f"私有数据库未能启动，日志见 (the private database did not start, see) {self.folder / 'log'}: {said}"
        )

    def _forget_stale_pid(self) -> None:
        """After a reboot the pid in postmaster.pid may belong to some other program."""
        file = self.pgdata / "postmaster.pid"
        try:
            pid = int(file.read_text("ascii", "replace").split("\n", 1)[0])
            name = Path(f"/proc/{pid}/comm").read_text("utf-8").strip()
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return
        if not re.match(r"postgres|postmaster", name):
            log.warning("removing the pid file of a server that is gone", pid=pid, now=name)
            self._run(["rm", "-f", str(file)])

    def _make_database(self) -> None:
        with psycopg.connect(self._admin("postgres"), autocommit=True) as connection:
            there = connection.execute("select 1 from pg_database where datname = 'shuitu'").fetchone()
            if not there:
                connection.execute("create database shuitu template template0 encoding 'UTF8'")

    def _admin(self, dbname: str) -> str:
        return self.dsn(SUPERUSER, dbname)
