"""The OpenAPI document of the product API: what FastAPI finds in the routes, and every problem that may come back.

FastAPI documents 422 for a bad parameter, which this service never answers (`app.problems`), and nothing of the
other refusals; they are the same for all operations, so they are said once, here.
"""

from typing import Any

from fastapi import FastAPI

from app.problems import BY_STATUS, TABLE

Json = dict[str, Any]
PROBLEM = "application/problem+json"
ALWAYS = (400, 401, 403, 500, 503)
"""A bad or unknown value; wrong credentials, or none; a role or a place without this right; our own failures."""
WITH_PLACE = (404,)
WITH_WRITE = (404, 409, 413, 415, 429)
WRITES = ("post", "put", "patch", "delete")
TITLES = {kind.status: kind.title for kind in (*TABLE.values(), *BY_STATUS.values())} | {
    400: "输入有误 · Invalid input",
    500: "服务内部错误 · Unexpected error",
}
CONTENT: Json = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
SCHEMA: Json = {
    "type": "object",
    "description": "RFC 9457; further members tell what was wrong, where, and what was expected",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": ["string", "null"]},
        "field": {"type": "string"},
        "expected": {},
        "value": {},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "where": {"type": "string"},
                    "reason": {"type": "string"},
                    "value": {"type": ["string", "null"]},
                },
            },
        },
    },
}


def with_problems(document: Json) -> Json:
    """The document with the refusals of each operation, and HEAD and the schema that they share. Changes it in place."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = SCHEMA
    used: set[int] = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            responses = operation["responses"]
            responses.pop("422", None)
            statuses = {
                *ALWAYS,
                *(WITH_PLACE if "{" in path else ()),
                *(WITH_WRITE if method in WRITES else ()),
            }
            for status in sorted(statuses):
                responses.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
            for status, said in responses.items():
                if status[0] in "45" and "$ref" not in said:  # what a route says itself is more exact
                    said.setdefault("content", CONTENT)
            used |= statuses
            responses.setdefault("default", {"$ref": "#/components/responses/Problem"})
    components["responses"] = {f"Problem{status}": _response(TITLES[status]) for status in sorted(used)}
    components["responses"]["Problem"] = _response("其他问题 · Any other problem")
    return document


def _response(title: str) -> Json:
    return {"description": title, "content": CONTENT}


def install(api: FastAPI) -> None:
    """Let the application describe itself so."""
    described = api.openapi
    made: list[Json] = []

    def openapi() -> Json:
        if not made:
            made.append(with_problems(described()))
        return made[0]

    api.openapi = openapi  # type: ignore[method-assign]
