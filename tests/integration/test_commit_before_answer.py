"""A request is one transaction, committed before the answer leaves: if the commit fails, the answer is an error."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text

from app import problems
from app.actor import Actor, Jurisdiction, Role
from app.db.engine import Dsns, engine
from app.deps import Services, Tx
from app.settings import Settings

OFFICER = Actor("officer", Role.OFFICER, Jurisdiction.nation(), 1)


@pytest.fixture
def client(database: Dsns) -> TestClient:
    app = FastAPI()
    problems.install(app)
    service = engine(database.service)
    app.state.services = Services(
        Settings(), database, service, identify=lambda _: OFFICER, defer=lambda *_: 0
    )

    @app.post("/fails-at-commit")
    def fails(tx: Tx) -> dict[str, bool]:
        # A deferred constraint is checked at COMMIT only: every statement of the route succeeds.
        tx.execute(text("create temporary table parent (id int primary key)"))
        tx.execute(
            text("create temporary table child (id int references parent deferrable initially deferred)")
        )
        tx.execute(text("insert into child values (1)"))
        return {"saved": True}

    @app.post("/commits")
    def commits(tx: Tx) -> dict[str, bool]:
        tx.execute(text("select 1"))
        return {"saved": True}

    with TestClient(app, headers={"x-api-key": "any"}, raise_server_exceptions=False) as client:
        yield client
    service.dispose()


def test_a_failed_commit_is_an_error_and_never_a_success(client: TestClient) -> None:
    answer = client.post("/fails-at-commit")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/conflict"
    assert "saved" not in answer.text


def test_a_committed_request_answers_as_usual(client: TestClient) -> None:
    assert client.post("/commits").json() == {"saved": True}
