"""Every failure is problem details: the shape is the same for all of them."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from app import errors, problems

MEMBERS = {"type", "title", "status", "detail", "instance", "request_id"}


def client_raising(error: Exception) -> TestClient:
    app = FastAPI()
    problems.install(app)

    @app.get("/broken")
    def broken() -> None:
        raise error

    @app.get("/number/{n}")
    def number(n: int) -> int:
        return n

    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInput("经度应在73–136之间", field="lon", value=321.0, expected="73…136"), 400),
        (errors.UnreadableFile("not a workbook"), 400),
        (errors.NotSignedIn("log in"), 401),
        (errors.NotAllowed("no"), 403),
        (errors.NotFound("nothing"), 404),
        (errors.Conflict("changed meanwhile"), 409),
        (errors.NotReady("wait"), 503),
        (HTTPException(405, "no"), 405),
        (ZeroDivisionError("secret detail"), 500),
    ],
)
def test_each_error_has_its_status_and_the_same_shape(error: Exception, status: int) -> None:
    answer = client_raising(error).get("/broken")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body.keys() >= MEMBERS
    assert body["status"] == status
    assert body["instance"] == "/broken"


def test_facts_say_what_and_where_but_never_replace_the_standard_members() -> None:
    body = client_raising(errors.InvalidInput("x", field="lon", value=1, status=200)).get("/broken").json()
    assert body["field"] == "lon"
    assert body["status"] == 400


def test_a_number_of_any_size_can_be_repeated() -> None:
    for number in (10**30, -(10**30), 2**63, -(2**63), 7):
        answer = client_raising(errors.InvalidInput("no such tile", value=number)).get("/broken")
        assert (answer.status_code, int(answer.json()["value"])) == (400, number)


@pytest.mark.parametrize("name", ["text", "number"])
def test_half_a_character_is_refused_and_can_be_repeated(name: str) -> None:
    """As JSON may write it; to the database and to the wire it is no text."""
    app = FastAPI()
    problems.install(app)

    class Body(BaseModel):
        text: str = ""
        number: int = 0

    @app.post("/bodies")
    def bodies(body: Body) -> int:
        return len(body.text.encode())

    web = TestClient(app, raise_server_exceptions=False)
    whole = web.post(
        "/bodies", content=b'{"text": "\\ud83d\\udca7"}', headers={"Content-Type": "application/json"}
    )
    assert (whole.status_code, whole.json()) == (200, 4)
    half = b'{"%s": "\\ud800"}' % name.encode()
    answer = web.post("/bodies", content=half, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["status"]) == (400, 400)


def test_an_unexpected_error_tells_nothing_of_its_inside() -> None:
    assert "secret detail" not in client_raising(ZeroDivisionError("secret detail")).get("/broken").text


def test_a_bad_parameter_is_400_and_never_422() -> None:
    answer = client_raising(ValueError()).get("/number/abc")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["where"] == "path.n"


def test_the_address_of_another_operation_is_no_bad_value_of_a_path() -> None:
    app = FastAPI()
    problems.install(app)

    @app.post("/number/sums")
    def sums() -> None: ...

    @app.get("/number/{n}")
    def number(n: int) -> int:
        return n

    web = TestClient(app)
    answer = web.get("/number/sums")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["type"] == "/problems/method-not-allowed"
    assert web.get("/number/x").status_code == 400
    assert web.get("/number/7").json() == 7
    assert web.post("/number/sums").status_code == 200


def test_slugs_are_unique_and_every_exception_class_is_in_the_table() -> None:
    assert all(cls in problems.TABLE for cls in errors.ShuituError.__subclasses__())
