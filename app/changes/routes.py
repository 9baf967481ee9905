"""The live feed: pages by cursor, and a stream that says when to look again."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from app.actor import Actor, Permission
from app.changes import queries
from app.changes.schemas import ChangePage
from app.changes.stream import Stream
from app.deps import CurrentActor, ServicesDep, Tx, require
from layers import catalog
from tiles.address import PUBLIC, Viewer
from tiles.versions import Versions

router = APIRouter(prefix="/api/changes", tags=["changes"])


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
async def stream(actor: CurrentActor, services: ServicesDep) -> StreamingResponse:
    """Server-sent events that tell no facts, and only of layers and places that this actor sees.

    `hello` comes first: `{"layers": {"intakes": 17, …}}`, the version of each layer. `change` follows whenever
    something changed, at most twice a second: the new versions of the layers that changed, and `where`, for each
    of them boxes (west, south, east, north in degrees, widened to a kilometre at least) that hold all that
    changed, or null if it may be anywhere.
    """
    versions: Versions = services.parts["versions"]
    layers = tuple(layer.id for layer in catalog.visible_to(actor.audience))
    j = actor.jurisdiction
    viewer = PUBLIC if actor.audience == "public" else Viewer("officer", j.lo, j.hi, j.basin)
    return StreamingResponse(
        Stream(versions, viewer, layers).events(),
        media_type="text/event-stream",
        headers={
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "Access-Control-Allow-Origin": "*",
        },
    )
