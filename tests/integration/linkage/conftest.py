"""One log-in an account for the whole module: passwords are slow to check on purpose."""

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from tests.integration.conftest import PASSWORD


@pytest.fixture(scope="module")
def sessions() -> dict[str, str]:
    return {}


@pytest.fixture
def log_in(web: TestClient, sessions: dict[str, str]) -> Iterator[Callable[[str], TestClient]]:
    """Makes the client one of the accounts."""

    def enter(username: str) -> TestClient:
        web.cookies.clear()
        if username not in sessions:
            answer = web.post("/api/session", json={"username": username, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            sessions[username] = web.cookies["shuitu_session"]
        web.cookies.clear()
        web.cookies.set("shuitu_session", sessions[username])
        return web

    yield enter
    web.cookies.clear()
