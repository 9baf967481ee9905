"""The live feed: pages by cursor, and a stream that says when to look again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from app.actor import Actor, Permission
from app.changes import queries
from app.changes.schemas import ChangePage
from app.deps import CurrentActor, ServicesDep, Tx, require
from tiles.cache import Versions

router = APIRouter(prefix="/api/changes", tags=["changes"])
HEARTBEAT_S = 15.0


@router.get("")
def changes(
    tx: Tx,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    actor: Actor = require(Permission.READ),
) -> ChangePage:
    """What changed in one's jurisdiction since a cursor."""
    return ChangePage.model_validate(queries.page(tx, after, limit))


@router.get("/stream", response_class=StreamingResponse)
async def stream(request: Request, actor: CurrentActor, services: ServicesDep) -> StreamingResponse:
    """Server-sent events. `change` names the layers whose tiles are new, and their versions; it tells no facts."""
    versions: Versions = services.parts["versions"]
    return StreamingResponse(
        _events(request, versions),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(request: Request, versions: Versions) -> AsyncIterator[bytes]:
    known = versions.all()
    yield b"retry: 3000\n" + _event("hello", known)
    while not await request.is_disconnected():
        try:
            await asyncio.wait_for(versions.changed_since(known), HEARTBEAT_S)
        except TimeoutError:
            yield b": \n\n"
            continue
        if versions.stopped:
            return
        now = versions.all()
        yield _event("change", {layer: count for layer, count in now.items() if known.get(layer) != count})
        known = now


def _event(name: str, layers: dict[str, int]) -> bytes:
    return f"event: {name}\n".encode() + b"data: " + orjson.dumps({"layers": layers}) + b"\n\n"
