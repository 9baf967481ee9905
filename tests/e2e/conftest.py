"""The product in a real browser: a small world on the private cluster, web server and worker as processes."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from app import wiring
from app.db import migrate
from app.db.embedded import EmbeddedCluster
from app.db.engine import Dsns, transaction
from app.deps import Services
from app.settings import ROOT, Settings
from tests.e2e import world

FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
HOOK = "addEventListener('shuitu:map', event => { window.__map = event.detail })"
PATIENCE_S = 180.0
# Other tests share the machine: what comes late has come.
expect.set_options(timeout=60_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@dataclass(frozen=True)
class Site:
    """The running product, and its services for looking at the facts."""

    address: str
    services: Services
    folder: Path


@pytest.fixture(scope="package")
def site(pg_cluster: EmbeddedCluster, new_database: Callable[[], Dsns]) -> Iterator[Site]:
    if not (ROOT / "frontend" / "dist" / "index.html").is_file():
        pytest.skip("the front end is not built: make frontend")
    dsns = new_database()
    name = dsns.admin.split("?")[0].rsplit("/", 1)[-1] if dsns.admin else ""
    folder = Path(tempfile.mkdtemp(prefix="shuitu-e2e-"))
    port = _free_port()
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("SHUITU_")},
        "SHUITU_DATA_DIR": str(folder),
        "SHUITU_DATABASE_URL": pg_cluster.dsn("postgres", name),
        "SHUITU_PORT": str(port),
        "SHUITU_PROCESSES": "1",
    }
    settings = Settings(data_dir=folder, database_url=pg_cluster.dsn("postgres", name), port=port)
    migrate.upgrade(dsns)
    services = wiring.services(settings)
    world.fill(services, folder)
    logs = (folder / "processes.log").open("wb")
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "app.cli", command], cwd=ROOT, env=environment, stdout=logs, stderr=logs
        )
        for command in ("serve", "worker")
    ]
    try:
        _await(f"http://127.0.0.1:{port}/readyz", folder)
        yield Site(f"http://127.0.0.1:{port}", services, folder)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        logs.close()
        services.engine.dispose()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _await(address: str, folder: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError("the service did not come up:\n" + (folder / "processes.log").read_text()[-4000:])


# Of this folder alone: its driver keeps an event loop running in this thread, and other tests run loops of their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))),
        None,
    )
    if found is None:
        pytest.skip("no Chromium here: scripts/install.sh browser")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@dataclass
class Visit:
    """One person's window. What it complains of is kept, and whom it asks."""

    site: Site
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def open(self, path: str) -> None:
        self.page.goto(self.site.address + path)
        self.settle()

    def look(self, expression: str) -> Any:
        # Over the protocol: the page's policy forbids to evaluate text inside it.
        return self.page.evaluate(expression)

    def until(self, expression: str, what: str) -> None:
        """Wait for the expression to hold."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.look(expression):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"never came: {what}")

    def settle(self) -> None:
        """Wait until the map has drawn all it wants to draw."""
        self.until(
            "() => !!window.__map && window.__map.loaded() && window.__map.areTilesLoaded() && !window.__map.isMoving()",
            "an idle map",
        )

    def barriers(self) -> list[str]:
        """What keeps some people from using the page as it is shown (axe, WCAG 2.1 A and AA)."""
        if not AXE.is_file():
            pytest.skip("the front end's development packages are not installed: make frontend")
        self.look(AXE.read_text("utf-8"))
        found = self.look("() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
        return [
            f"{rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    def facts(self, sql: str, **given: Any) -> Any:
        """One value out of the database, in the national scope."""
        from sqlalchemy import text

        from app.actor import system

        with transaction(self.site.services.engine, system("look")) as session:
            return session.execute(text(sql), given).scalar_one_or_none()


@pytest.fixture
def visit(site: Site, browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens windows, logged in as `who`; afterwards none may have complained or asked another host."""
    opened: list[Visit] = []

    def make(who: str | None = None, *, width: int = 1440, height: int = 900) -> Visit:
        context = browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN")
        context.add_init_script(HOOK)
        if who:
            answer = context.request.post(
                site.address + "/api/session", data={"username": who, "password": world.PASSWORD}
            )
            assert answer.ok, answer.text()
        one = Visit(site, context, context.new_page())
        one.page.on("console", lambda m: one.complaints.append(m.text) if m.type == "error" else None)
        one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
        one.page.on("request", lambda request: one.hosts.add(request.url.split("/")[2]))
        opened.append(one)
        return one

    yield make
    for one in opened:
        one.context.close()
        own = site.address.split("/")[2]
        assert one.complaints == []
        assert {host for host in one.hosts if host} <= {own}
