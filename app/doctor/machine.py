"""Checks of the machine and the installation: everything but the database's inside."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app import supervise
from app.db.embedded import EmbeddedCluster, find_binaries
from app.doctor.finding import Finding
from app.errors import ConfigurationError
from app.settings import ROOT, Settings

OLDEST_PYTHON = (3, 11)
OLDEST_POSTGIS = (3, 3)
PROBLEM_BELOW_GB, NOTE_BELOW_GB = 2, 10
APT = "apt-get install --no-install-recommends postgresql postgresql-postgis"


def checks(settings: Settings) -> Iterator[Finding]:
    """All checks of the machine."""
    yield python()
    yield packages()
    yield encoding()
    yield from folders(settings)
    yield disk(settings.data_dir)
    yield front_end(settings.frontend_dir)
    yield port(settings)
    if not settings.database_url:
        yield from binaries()
        yield from cluster(settings)


def python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON or sys.maxsize < 2**32:
        return Finding(
            "python",
            "problem",
            "Python",
            f"{version}，需要 64 位 3.11 或更高版本 (64-bit 3.11 or later is needed)",
            "apt-get install python3 python3-venv && make clean && make dev",
        )
    return Finding("python", "ok", "Python", version)


def packages() -> Finding:
    """Every run-time dependency is there, and is the locked one."""
    title = "Python 软件包 · packages"
    needed = [Requirement(line) for line in metadata.requires("shuitu") or []]
    needed = [need for need in needed if need.marker is None or need.marker.evaluate({"extra": ""})]
    installed = {canonicalize_name(d.metadata["Name"]): d.version for d in metadata.distributions()}
    missing = [
        str(need)
        for need in needed
        if not need.specifier.contains(installed.get(canonicalize_name(need.name), "0"), prereleases=True)
        or canonicalize_name(need.name) not in installed
    ]
    if missing:
        return Finding(
            "packages",
            "problem",
            title,
            f"缺少或版本不符 (missing or wrong): {', '.join(missing)}",
            "make dev",
        )
    locked = _locked()
    other = [f"{n} {v}≠{locked[n]}" for n, v in sorted(installed.items()) if locked.get(n, v) != v]
    if other:
        return Finding(
            "packages",
            "note",
            title,
            f"与锁定版本不同 (not as locked): {', '.join(other)}",
            "make dev",
        )
    return Finding(
        "packages", "ok", title, f"{len(needed)} 个直接依赖，均与锁定一致 (direct ones, all as locked)"
    )


def _locked() -> dict[str, str]:
    """Locked versions for this Python and machine: one package may have several lines."""
    file = ROOT / "requirements.lock"
    text = file.read_text("utf-8") if file.is_file() else ""
    versions: dict[str, str] = {}
    for line in re.findall(r"^([\w.-]+==[^\\\n]+)", text, re.MULTILINE):
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate():
            versions[canonicalize_name(need.name)] = next(iter(need.specifier)).version
    return versions


def encoding() -> Finding:
    title = "字符编码 · encoding"
    if sys.getfilesystemencoding().lower() not in ("utf-8", "utf8"):
        return Finding(
            "encoding",
            "problem",
            title,
            f"文件名编码为 {sys.getfilesystemencoding()}，中文文件名会出错 (Chinese file names will fail)",
            "export LC_ALL=C.UTF-8",
        )
    return Finding("encoding", "ok", title, "UTF-8")


def folders(settings: Settings) -> Iterator[Finding]:
    """The data folder and what is below it can be written."""
    title = "数据目录 · data folder"
    below = (settings.uploads_dir, settings.archives_dir, settings.imagery_dir, settings.cache_dir)
    bad = [folder for folder in (settings.data_dir, *below) if not _writable(folder)]
    if bad:
        yield Finding(
            "folders",
            "problem",
            title,
            f"不可写 (cannot be written): {', '.join(map(str, bad))}",
            "修改目录属主，或设置 SHUITU_DATA_DIR (change its owner, or set SHUITU_DATA_DIR)",
        )
    else:
        yield Finding("folders", "ok", title, str(settings.data_dir.resolve()))
    if settings.basemap is not None and not settings.basemap.is_file():
        yield Finding(
            "basemap",
            "problem",
            "底图 · base map",
            f"没有文件 {settings.basemap} (no such file)",
            "修改 SHUITU_BASEMAP (change SHUITU_BASEMAP)",
        )


def _nearest(folder: Path) -> Path:
    """The folder, or the first above it that exists: there it will be made."""
    folder = folder.resolve()
    return next(place for place in (folder, *folder.parents) if place.exists())


def _writable(folder: Path) -> bool:
    place = _nearest(folder)
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)


def disk(folder: Path) -> Finding:
    title = "磁盘空间 · disk space"
    free = shutil.disk_usage(_nearest(folder)).free / 1e9
    says = f"剩余 {free:.1f} GB (free)"
    mend = (
        "清理磁盘，或把 SHUITU_DATA_DIR 移到更大的磁盘 (free some, or move SHUITU_DATA_DIR to a larger disk)"
    )
    if free < PROBLEM_BELOW_GB:
        return Finding("disk", "problem", title, says, mend)
    if free < NOTE_BELOW_GB:
        return Finding("disk", "note", title, says, mend)
    return Finding("disk", "ok", title, says)


def front_end(folder: Path) -> Finding:
    title = "前端 · front end"
    if not (folder / "index.html").is_file():
        return Finding("frontend", "problem", title, f"{folder} 中没有构建结果 (not built)", "make frontend")
    return Finding("frontend", "ok", title, str(folder))


def port(settings: Settings) -> Finding:
    title = "服务 · service"
    state = supervise.running(settings.data_dir)
    if state is not None:
        if supervise.is_ready(state.address):
            return Finding("service", "ok", title, f"{state.address} 已就绪 (ready), pid {state.pid}")
        return Finding(
            "service",
            "problem",
            title,
            f"{state.address} 没有就绪 (does not answer /readyz)",
            f"查看 (see) {supervise.log_file(settings.data_dir)}",
        )
    try:
        supervise.require_free_port(settings.host, settings.port)
    except (ConfigurationError, socket.gaierror) as error:
        return Finding("service", "problem", title, str(error), "SHUITU_PORT, SHUITU_HOST")
    return Finding(
        "service",
        "note",
        title,
        f"没有运行；端口 {settings.port} 空闲 (not running; the port is free)",
        "shuitu start",
    )


def binaries() -> Iterator[Finding]:
    """PostgreSQL and PostGIS for the private cluster."""
    title = "PostgreSQL"
    try:
        folder = find_binaries()
    except ConfigurationError as error:
        yield Finding("postgresql", "problem", title, str(error), APT)
        return
    yield Finding("postgresql", "ok", title, f"{_version(folder)} ({folder})")
    found = _postgis_control(folder)
    version = re.search(r"default_version\s*=\s*'(\d+)\.(\d+)", found.read_text("utf-8")) if found else None
    if version is None:
        yield Finding(
            "postgis", "problem", "PostGIS", f"{folder} 的 PostgreSQL 没有 PostGIS (lacks PostGIS)", APT
        )
    elif (int(version[1]), int(version[2])) < OLDEST_POSTGIS:
        yield Finding(
            "postgis", "problem", "PostGIS", f"{version[1]}.{version[2]}，需要 3.3 (3.3 is needed)", APT
        )
    else:
        yield Finding("postgis", "ok", "PostGIS", f"{version[1]}.{version[2]}")
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        yield Finding(
            "setpriv",
            "problem",
            "setpriv",
            "没有 setpriv，数据库不能以 root 运行 (needed: it never runs as root)",
            "apt-get install util-linux",
        )


def _version(folder: Path) -> str:
    done = subprocess.run(  # noqa: S603 - found by ourselves
        [str(folder / "postgres"), "--version"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip().removeprefix("postgres (PostgreSQL) ").split(" ")[0]


def _postgis_control(folder: Path) -> Path | None:
    places = [
        Path("/usr/share/postgresql") / folder.parent.name / "extension",
        folder.parent / "share" / "postgresql" / "extension",
        folder.parent / "share" / "extension",
    ]
    return next(
        (place / "postgis.control" for place in places if (place / "postgis.control").is_file()), None
    )


def cluster(settings: Settings) -> Iterator[Finding]:
    """The private cluster: there, of this PostgreSQL's version, running."""
    title = "私有数据库 · private database"
    private = EmbeddedCluster(settings.data_dir)
    # As another user than the server's, its folder of mode 0700 is closed to us.
    try:
        made = (private.pgdata / "PG_VERSION").read_text("ascii").strip()
    except FileNotFoundError:
        yield Finding("cluster", "note", title, "尚未创建 (not made yet)", "shuitu start")
        return
    except PermissionError:
        yield Finding(
            "cluster", "problem", title, f"{private.folder} 属于其他用户 (belongs to another user)", ""
        )
        return
    try:
        present = _version(find_binaries())
    except ConfigurationError:
        present = ""
    if present and present.split(".")[0] != made:
        yield Finding(
            "cluster",
            "problem",
            title,
            f"数据为 PostgreSQL {made} 所建，现装为 {present} (made by {made}, installed is {present})",
            f"安装 postgresql-{made}，或用 pg_upgrade 升级 (install postgresql-{made}, or upgrade by pg_upgrade; "
            "docs/operators/database.md)",
        )
    elif not private.is_running:
        yield Finding("cluster", "note", title, "没有运行 (not running)", "shuitu db start")
    else:
        yield Finding("cluster", "ok", title, f"正在运行 (running), PostgreSQL {made}, {private.socket_dir}")
