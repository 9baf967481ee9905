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
from layers import catalog
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
    """Server-sent events. `change` names the layers whose tiles are new, and their versions; it tells no facts,
    and only of layers that this actor sees."""
    versions: Versions = services.parts["versions"]
    layers = tuple(layer.id for layer in catalog.visible_to(actor.audience))
    return StreamingResponse(
        _events(request, versions, layers),
        media_type="text/event-stream",
        headers={
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "Access-Control-Allow-Origin": "*",
        },
    )


async def _events(request: Request, versions: Versions, layers: tuple[str, ...]) -> AsyncIterator[bytes]:
    counted, known = versions.all(), {layer: versions.of(layer) for layer in layers}
    yield b"retry: 3000\n" + _event("hello", known)
    while not await request.is_disconnected():
        try:
            await asyncio.wait_for(versions.changed_since(counted), HEARTBEAT_S)
        except TimeoutError:
            yield b": \n\n"
            continue
        if versions.stopped:
            return
        counted, now = versions.all(), {layer: versions.of(layer) for layer in layers}
        if fresh := {layer: count for layer, count in now.items() if known[layer] != count}:
            yield _event("change", fresh)
        known = now


def _event(name: str, layers: dict[str, int]) -> bytes:
    return f"event: {name}\n".encode() + b"data: " + orjson.dumps({"layers": layers}) + b"\n\n"
