"""Bodies of requests: JSON objects, read up to a size."""

from typing import Any

import orjson
from starlette.requests import Request

from app.errors import InvalidInput


async def whole_body(request: Request, most: int) -> bytes:
    """A body of at most `most` bytes. Raises InvalidInput if it is larger."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise InvalidInput(f"内容超过{most}字节 (the body is larger than {most} bytes)", field="body")
        parts.append(part)
    return b"".join(parts)


async def json_object(request: Request, most: int, *, or_nothing: bool = False) -> dict[str, Any]:
    """The JSON object of a body of at most `most` bytes; with `or_nothing` an empty body is an empty object.

    Raises InvalidInput if it is larger or anything else.
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
