"""The service on a small register, asked by HTTP as any client would."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db.engine import Dsns
from tests import served


@pytest.fixture(scope="session")
def register(new_database: Callable[[], Dsns]) -> tuple[Dsns, served.Accounts]:
    dsns = new_database()
    served.fill(dsns)
    return dsns, served.accounts(dsns)


@pytest.fixture(scope="session")
def client(
    register: tuple[Dsns, served.Accounts], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    with served.serving(register[0], tmp_path_factory.mktemp("served")) as client:
        yield client


@pytest.fixture(scope="session")
def keys(register: tuple[Dsns, served.Accounts]) -> served.Accounts:
    return register[1]


@pytest.fixture(scope="session")
def get(client: TestClient, keys: served.Accounts) -> Callable[..., Any]:
    """The JSON body of a path below /ogc, as an officer of the whole nation."""

    def ask(path: str, **parameters: object) -> Any:
        answer = client.get(f"/ogc{path}", params=parameters or None, headers={"X-API-Key": keys.nation})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


@pytest.fixture(scope="session")
def status(client: TestClient, keys: served.Accounts) -> Callable[..., int]:
    """The status of a path below /ogc; any error must be a problem."""

    def ask(path: str, **parameters: object) -> int:
        answer = client.get(f"/ogc{path}", params=parameters or None, headers={"X-API-Key": keys.nation})
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            problem = answer.json()
            assert problem["status"] == answer.status_code
            assert problem["type"].startswith("/problems/")
            assert problem["detail"]
            assert answer.headers["access-control-allow-origin"] == "*"
        return answer.status_code

    return ask
