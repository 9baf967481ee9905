"""Servers and tools of a benchmark: environments made once, processes that are always killed."""

import http.client
import importlib.metadata
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

UP_WITHIN_S = 120


class Missing(Exception):
    """The program cannot be had on this machine, or does not come up; the message says why."""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def memory_mb(pids: Sequence[int]) -> list[float]:
    """Memory of each process in MB; what several share is divided among them (PSS)."""
    found = []
    for pid in pids:
        with suppress(OSError):
            pss = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
            found.append(int(pss[1]) / 1000 if pss else 0.0)
    return found


def tree(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [one for child in path.read_text().split() for one in tree(int(child))]
    return found


def environment(folder: Path, name: str, *packages: str) -> tuple[str, str]:
    """Python of an environment with these packages, and the version of the first."""
    place = folder / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python = place / "bin" / "python"
    ready = place / "ready"
    if not ready.exists():
        beside = Path(sys.executable).parent / "uv"
        uv = str(beside) if beside.exists() else shutil.which("uv")
        if uv is None:
            raise Missing("没有 uv (uv is not installed)")
        print(f"{name}: 正在安装 · installing", file=sys.stderr, flush=True)
        # uv does not read pip's configuration: hand it the index that pip was told to use.
        asked = subprocess.run([sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True)  # fmt: skip
        index = {"UV_DEFAULT_INDEX": asked.stdout.strip()} if asked.returncode == 0 else {}
        tool([uv, "venv", "-q", "--clear", "--python", sys.executable, str(place)])
        tool([uv, "pip", "install", "-q", "--python", str(python), *packages], **index)
        ready.touch()
    dist = re.split(r"[=<>]", packages[0])[0]
    found = importlib.metadata.distributions(
        path=[str(path) for path in place.glob("lib/python*/site-packages")]
    )
    return str(python), next((d.version for d in found if d.metadata["Name"].lower() == dist), "?")


def program(name: str, package: str, *places: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or next(
        (place for place in places if Path(place).exists()), None
    )
    if found is None:
        raise Missing(f"请安装软件包 {package} (install the package {package})")
    return found


def tool(command: list[str], **environment: str) -> str:
    """Run to the end; raises Missing with the last line of what it said if it fails."""
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{Path(command[0]).name}: {said[-1] if said else done.returncode}")
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Running:
    """A server's process, and the file that holds what it said."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]

    @property
    def pids(self) -> list[int]:
        return tree(self.process.pid)

    def last_words(self) -> str:
        self.log.seek(0)
        said = self.log.read().decode(errors="replace").strip().splitlines()
        return " … ".join(line.strip() for line in said[-3:])

    def kill(self) -> None:
        """It and its children: it leads a process group of its own."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def run(
    stack: ExitStack, command: list[str], told: dict[str, str] | None = None, stdin: int = subprocess.DEVNULL
) -> Running:
    """Start a server, which is killed when the stack closes; `told` is added to its environment."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    # Not a pipe: one that nobody reads would stop it.
    log = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    process = subprocess.Popen(
        command,
        stdin=stdin,
        stdout=log,
        stderr=log,
        env=clean | (told or {}),
        start_new_session=True,
    )
    running = Running(process, log)
    stack.callback(running.kill)
    return running


def wait(server: Running, address: str, path: str) -> None:
    deadline = time.monotonic() + UP_WITHIN_S
    status = 0
    while time.monotonic() < deadline and server.process.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
            connection.request("GET", path)
            status = connection.getresponse().status
            connection.close()
            # A folder of files answers 403 or 404 at its root: it is up.
            if status < 300 or (path == "/" and status in (403, 404)):
                return
        time.sleep(0.2)
    raise Missing(
        f"没有启动 (it did not come up): {path} {status or 'no answer'} {server.last_words()}".strip()
    )


def nginx(stack: ExitStack, place: Path, port: int, server: str, processes: int) -> Running:
    binary = program("nginx", "nginx-light")
    as_root = "user root;" if os.geteuid() == 0 else ""
    folders = "".join(
        f"{kind}_temp_path {place}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (place / "nginx.conf").write_text(
        f"{as_root} worker_processes {processes}; pid {place}/nginx.pid; daemon off; error_log stderr crit;\n"
        f"events {{ worker_connections 1024; }}\n"
        f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; keepalive_timeout 600; {folders}\n"
        f"server {{ listen 127.0.0.1:{port}; {server} }} }}\n"
    )
    return run(stack, [binary, "-p", str(place), "-c", str(place / "nginx.conf"), "-e", "stderr"])
