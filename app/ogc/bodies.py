"""Bodies of requests: JSON objects, read up to a size."""

from typing import Any

import orjson
from starlette.requests import Request

from app.errors import InvalidInput
from app.requests import whole_body


async def json_object(request: Request, most: int, *, or_nothing: bool = False) -> dict[str, Any]:
    """The JSON object of a body of at most `most` bytes; with `or_nothing` an empty body is an empty object.

    Raises InvalidInput if it is anything else, and as `whole_body`.
    """
    given = await whole_body(request, most)
    if or_nothing and not given:
        return {}
    try:
        body = orjson.loads(given)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"内容不是 JSON (the body is not JSON): {error}", field="body") from None
    if not isinstance(body, dict):
        raise InvalidInput("内容应为一个 JSON 对象 (the body must be a JSON object)", field="body")
    return body
