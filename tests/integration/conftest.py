"""Services and a web client on a database of the module's own, with two small counties in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app import wiring
from app.access import service as access
from app.actor import Jurisdiction, Role, system
from app.db.engine import Dsns, transaction
from app.deps import Services
from app.main import create
from app.settings import Settings

PASSWORD = "correct horse battery"
SQUARES = {
    320000: ("江苏省", 1, None, (119.0, 32.0, 119.4, 32.2)),
    321000: ("扬州市", 2, 320000, (119.0, 32.0, 119.4, 32.2)),
    321084: ("高邮市", 3, 321000, (119.0, 32.0, 119.2, 32.2)),
    321023: ("宝应县", 3, 321000, (119.2, 32.0, 119.4, 32.2)),
}
"""Regions with square shapes: code → name, level, parent, box."""


@pytest.fixture(scope="module")
def settings(database: Dsns, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        database_url=database.admin, data_dir=tmp_path_factory.mktemp("data"), log_level="warning"
    )


@pytest.fixture(scope="module")
def services(settings: Settings) -> Iterator[Services]:
    """Services with the square regions and one account a role."""
    made = wiring.services(settings)
    with transaction(made.engine, system("test")) as session:
        for code, (name, level, parent, box) in SQUARES.items():
            session.execute(
                text("""insert into shuitu.regions (code, name, level, parent_code, geom, label)
                        select :code, :name, :level, :parent, st_multi(g), st_centroid(g)
                        from st_makeenvelope(:w, :s, :e, :n, 4490) g"""),
                {
                    "code": code,
                    "name": name,
                    "level": level,
                    "parent": parent,
                    **dict(zip("wsen", box, strict=True)),
                },
            )
        for name, role, where in (
            ("admin", Role.ADMIN, Jurisdiction.nation()),
            ("gaoyou", Role.OFFICER, Jurisdiction.of_region("321084")),
            ("baoying", Role.OFFICER, Jurisdiction.of_region("321023")),
            ("viewer", Role.VIEWER, Jurisdiction.of_region("3210")),
        ):
            access.add_user(session, name, PASSWORD, role, where, name)
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def web(services: Services, settings: Settings) -> Iterator[TestClient]:
    """The whole service behind a client that nobody has logged in with."""
    with TestClient(create(settings)) as client:
        yield client


@pytest.fixture
def log_in(web: TestClient) -> Iterator[Callable[[str], TestClient]]:
    """Logs the client in as one of the accounts; logged out after the test."""

    def enter(username: str) -> TestClient:
        web.cookies.clear()
        answer = web.post("/api/session", json={"username": username, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return web

    yield enter
    web.cookies.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
