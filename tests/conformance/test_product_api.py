"""The product API under requests that nobody thought of: every answer is documented, and none is a fault.

Requests are made of the OpenAPI document itself: values by its schemas, and values that are none. The same ones each
time, so that a failure can be repeated.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.access import service as access
from app.actor import Jurisdiction, Role, system
from app.db.engine import Dsns, engine, transaction
from tests import served

Json = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
LEFT_OUT = {
    ("delete", "/api/keys/{key_id}"),  # would take the key away that asks
    ("get", "/api/changes/stream"),  # does not end
    ("get", "/readyz"),  # a fault by design where the database is not there
}
HOSTILE: tuple[Any, ...] = (
    "", "x", "-1", "0", "1e999", "NaN", "null", "2020-13-45", "9" * 25, "'; drop table x; --", "../../etc/passwd", "\u0000", "％００",
    "a" * 5_000, "true", "[]", "{}", "水", "1,2,3", "0,0,0", "-76655.3.,1,2,3", "179,89,-179,-89",
)  # fmt: skip
STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**63,
    1e308,
    "",
    "x",
    "\u0000",
    [],
    {},
    [[]],
    "9" * 400,
    "2020-13-45",
)


@pytest.fixture(scope="module")
def web(
    new_database: Callable[[], Dsns], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TestClient, str]]:
    """The service on a register of its own, for it is written to; and the key of an administrator."""
    dsns = new_database()
    served.fill(dsns)
    service = engine(dsns.service)
    with transaction(service, system("test")) as session:
        user = access.add_user(session, "admin", "a good long pass", Role.ADMIN, Jurisdiction.nation())
        key = access.add_key(session, user.id, "test")[1]
    service.dispose()
    with served.serving(dsns, tmp_path_factory.mktemp("asked")) as client:
        yield client, key


def values(schema: Json, document: Json, depth: int = 0) -> st.SearchStrategy[Any]:
    """What the schema allows, roughly; now and then something else."""
    if "$ref" in schema:
        return values(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], document, depth)
    either = schema.get("anyOf") or schema.get("oneOf")
    if either:
        return st.one_of([values(one, document, depth) for one in either])
    if "enum" in schema or "const" in schema:
        fitting: st.SearchStrategy[Any] = st.sampled_from(schema.get("enum") or [schema["const"]])
    else:
        fitting = _of_type(schema, document, depth)
    # Most are what they should be, so that requests come through the first checks.
    return st.integers(0, 9).flatmap(lambda n: st.sampled_from(STRANGE) if n == 0 else fitting)


def _of_type(schema: Json, document: Json, depth: int) -> st.SearchStrategy[Any]:
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {}) if depth < 4 else {}
        needed = set(schema.get("required", ()))
        made = {name: values(one, document, depth + 1) for name, one in fields.items()}
        return st.fixed_dictionaries(
            {name: one for name, one in made.items() if name in needed},
            optional={name: one for name, one in made.items() if name not in needed},
        )
    if kind == "array":
        return st.lists(values(schema.get("items", {}), document, depth + 1), max_size=3)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        "integer": st.integers(0, 400),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
        "null": st.none(),
        "string": st.one_of(
            st.text(max_size=12), st.sampled_from(("2026-05-01", "321084", "QSK-0001", "intakes"))
        ),
    }
    return plain.get(kind, st.sampled_from(STRANGE))


def text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@st.composite
def requests(draw: st.DrawFn, document: Json) -> tuple[str, str, str, Json]:
    """Method, path as documented, path as asked, and what httpx is to send."""
    operations = [
        (method, path)
        for path, methods in document["paths"].items()
        for method in METHODS
        if method in methods and (method, path) not in LEFT_OUT
    ]
    method, path = draw(st.sampled_from(operations))
    operation = document["paths"][path][method]
    sent: Json = {"params": {}, "headers": {}}
    places: dict[str, str] = {}
    for parameter in operation.get("parameters", ()):
        name, where = parameter["name"], parameter["in"]
        if where == "header" or name == "wait" or not (parameter.get("required") or draw(st.booleans())):
            continue
        hostile = draw(st.integers(0, 3)) == 0
        value = text_of(draw(st.sampled_from(HOSTILE) if hostile else values(parameter["schema"], document)))
        if where == "path":
            places[name] = quote(value.replace("/", ""), safe="", errors="replace") or "_"
        else:
            sent["params"][name] = value.encode("utf-8", "replace").decode()
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        if "json" in media:
            sent["json"] = draw(values(content.get("schema", {}), document))
        else:
            sent |= {"content": draw(st.binary(max_size=40)), "headers": {"Content-Type": media}}
        break
    asked = re.sub(r"{(\w+)}", lambda match: places.get(match[1], "1"), path)
    return method, path, asked, sent


def test_whatever_is_asked_the_answer_is_documented_and_no_fault(web: tuple[TestClient, str]) -> None:
    client, key = web
    document = client.get("/api/openapi.json").json()
    seen: set[int] = set()

    @settings(
        max_examples=500,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(document))
    def ask(request: tuple[str, str, str, Json]) -> None:
        method, path, asked, sent = request
        headers = {"X-API-Key": key, **sent.pop("headers")}
        answer = client.request(method, asked, headers=headers, **sent)
        seen.add(answer.status_code)
        said = document["paths"][path][method]["responses"]
        assert answer.status_code < 500, answer.text
        assert str(answer.status_code) in said, (answer.status_code, sorted(said))
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code

    ask()
    assert {200, 400, 404} <= seen


def test_the_address_of_another_operation_is_a_405(client: TestClient, keys: served.Accounts) -> None:
    """It would be read as the number of a candidate, too."""
    for method in ("GET", "OPTIONS"):
        answer = client.request(method, "/api/candidates/decisions", headers={"X-API-Key": keys.nation})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/api/statistics/intakes", {"datetime": "0"}),
        ("/api/statistics/issuers", {"datetime": "86400"}),
        ("/api/scenes", {"covers": ".178.3,52"}),
        ("/api/candidates", {"catgory": "permit_too_small"}),
        ("/api/linkage/outcomes", {"regoin": "321084"}),
        ("/api/catalog", {"lang": "zh"}),
    ],
)
def test_what_is_no_day_no_place_or_no_parameter_is_refused_and_named(
    client: TestClient, keys: served.Accounts, path: str, given: dict[str, str]
) -> None:
    answer = client.get(path, params=given, headers={"X-API-Key": keys.nation})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert next(iter(given)) in answer.json()["detail"]


def test_numbers_are_no_days_and_what_is_true_or_false_no_probability(
    client: TestClient, keys: served.Accounts
) -> None:
    own = {"X-API-Key": keys.nation}
    expired = client.post("/api/permits/1/events", json={"event": "annul", "version": 1, "effective_on": 0}, headers=own)  # fmt: skip
    assert (expired.status_code, "effective_on" in expired.text) == (400, True)
    run = client.post("/api/linkage/runs", json={"doubt_at": False}, headers=own)
    assert (run.status_code, "doubt_at" in run.text) == (400, True)


def test_a_key_in_the_address_is_known_everywhere(client: TestClient, keys: served.Accounts) -> None:
    assert client.get("/api/session", params={"api_key": keys.nation}).json()["role"] != "public"


def test_a_filter_language_that_is_none_is_refused_also_without_a_filter(
    client: TestClient, keys: served.Accounts
) -> None:
    asked = {"by": "region", "filter-lang": "ecql"}
    answer = client.get("/api/statistics/intakes", params=asked, headers={"X-API-Key": keys.nation})
    assert answer.status_code == 400


def test_half_a_character_is_a_bad_request(client: TestClient) -> None:
    answer = client.post(
        "/api/session",
        content=b'{"username": "\\ud800", "password": "x"}',
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
