"""The limit for a tile from the cache: a bare ASGI application that sends ready bytes."""

import os
import pickle
from pathlib import Path
from typing import Any

BODIES: dict[str, bytes] = pickle.loads(Path(os.environ["SHUITU_BENCHMARK_BODIES"]).read_bytes())


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = BODIES.get(scope["path"], b"")
    headers = [
        (b"content-type", b"application/vnd.mapbox-vector-tile"),
        (b"content-encoding", b"gzip"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200 if body else 204, "headers": headers})
    await send({"type": "http.response.body", "body": body})
