"""Dossiers by their address: for screens, and on paper."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from app.actor import Actor, Permission
from app.db.engine import transaction
from app.deps import CurrentActor, Services, ServicesDep, Tx, base_url, require
from app.documents import queries as documents
from app.documents.files import Store
from app.dossiers import candidate, intake, paper, permit
from app.dossiers.sections import Dossier, Lang, Layer
from app.errors import NotFound

router = APIRouter(prefix="/api/dossiers", tags=["dossiers"])
MAKERS = {"intakes": intake.dossier, "permits": permit.dossier, "candidates": candidate.dossier}
MapPicture = Callable[[Actor, paper.Box, tuple[int, int], Lang], Awaitable[bytes | None]]
"""Draws the map as an actor sees it, as PNG: a box in Web Mercator, width and height in pixels; None where it cannot.
In `services.parts`."""


@router.get("/{layer}/{entity_id}.pdf", response_class=Response)
async def on_paper(
    layer: Layer,
    entity_id: int,
    request: Request,
    caller: CurrentActor,
    services: ServicesDep,
    lang: Lang = "zh",
    actor: Actor = require(Permission.READ),
) -> Response:
    """The dossier as PDF, with the map, photos, and a code that leads back to it."""
    found, pictures = await run_in_threadpool(_read, services, caller, layer, entity_id, lang)
    box = paper.box_of(found.points)
    draw: MapPicture = services.parts["map_picture"]
    sheet = paper.Sheet(
        lang=lang,
        printed_by=caller.display_name or caller.username,
        address=base_url(request, services.settings) + _address(layer, entity_id),
        map_png=None if box is None else await draw(caller, box, paper.MAP_PX, lang),
        pictures=pictures,
    )
    content = await run_in_threadpool(paper.pdf, found, sheet)
    name = quote(f"{found.kind}-{found.number}.pdf".replace("/", "-"))
    headers = {
        "Content-Disposition": f"inline; filename*=UTF-8''{name}",
        "Cache-Control": "private, no-store",
    }
    return Response(content, media_type="application/pdf", headers=headers)


@router.get("/{layer}/{entity_id}/map.png", response_class=Response)
async def on_the_map(
    layer: Layer,
    entity_id: int,
    caller: CurrentActor,
    services: ServicesDep,
    lang: Lang = "zh",
    actor: Actor = require(Permission.READ),
) -> Response:
    """Where it lies, as a picture of the one map."""
    found, _ = await run_in_threadpool(_read, services, caller, layer, entity_id, lang)
    box = paper.box_of(found.points)
    if box is None:
        raise NotFound("没有位置可画 (there is no position to draw)")
    draw: MapPicture = services.parts["map_picture"]
    picture = await draw(caller, box, paper.MAP_PX, lang)
    if picture is None:
        raise NotFound("范围过大，无法成图 (the place is too wide for a picture)")
    content = await run_in_threadpool(paper.ringed, picture, found.points, box)
    return Response(content, media_type="image/png", headers={"Cache-Control": "private, no-store"})


def _address(layer: Layer, entity_id: int) -> str:
    """Where it is found again: a finding at the analysts' desk."""
    if layer == "candidates":
        return f"/candidates?sel=candidates:{entity_id}"
    return f"/dossier/{layer}/{entity_id}"


def _read(
    services: Services, actor: Actor, layer: Layer, entity_id: int, lang: Lang
) -> tuple[Dossier, list[paper.Picture]]:
    """The dossier, and the photos in it that are in use."""
    store = Store(services.settings.documents_dir)
    with transaction(services.engine, actor) as session:
        found = MAKERS[layer](session, entity_id, lang)
        if layer == "candidates":
            pictures = candidate.pictures(session, entity_id, lang, services.settings.data_dir)
            return found, [one for one in pictures if one.file.is_file()]
        pictures = [
            paper.Picture(store.thumbnail(row["digest"]), row["title"] or row["filename"])
            for row in documents.of(session, layer, entity_id)
            if row["has_thumbnail"] and row["withdrawn_at"] is None
        ]
    return found, [one for one in pictures if one.file.is_file()]


@router.get("/{layer}/{entity_id}")
def dossier(
    layer: Layer, entity_id: int, tx: Tx, lang: Lang = "zh", actor: Actor = require(Permission.READ)
) -> Dossier:
    """Everything known about an intake 取水口, a permit 取水许可 or a finding 疑似线索, worded in one language."""
    return MAKERS[layer](tx, entity_id, lang)
