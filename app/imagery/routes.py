"""Scenes, and their pixels as map tiles."""

import hashlib
import math
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from app.actor import Actor, Permission
from app.deps import ServicesDep, Tx, base_url, require
from app.errors import InvalidInput
from app.imagery import service, warming
from app.imagery.schemas import ENDINGS, Ending, Render, SceneOut, TileJson
from app.requests import preflight

router = APIRouter(tags=["imagery"])
MAX_ZOOM = 22
PLACE = r"^-?\d{1,3}(\.\d+)?,-?\d{1,2}(\.\d+)?$"
"""A longitude and a latitude in degrees."""
OPEN = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, X-Request-Id"}
"""Scripts of other sites may read what a key of theirs opens; cookies are not sent along."""


@router.options("/imagery/{path:path}", include_in_schema=False)
def may_be_read(path: str) -> Response:
    """A browser asks first, where a script of another site sends a key in a header."""
    return Response(status_code=204, headers=preflight(OPEN))


@router.get("/api/scenes")
def scenes(
    tx: Tx,
    covers: Annotated[
        str | None, Query(pattern=PLACE, description="lon,lat: only scenes over this place")
    ] = None,
    actor: Actor = require(Permission.READ),
) -> list[SceneOut]:
    """The catalogue of scenes over one's jurisdiction, the newest first."""
    at = None
    if covers is not None:
        lon, lat = (float(part) for part in covers.split(","))
        at = (lon, lat)
    found = [SceneOut.model_validate(row) for row in service.listed(tx, at)]
    if found:
        warming.begin()
    return found


@router.get("/imagery/{scene_id}/tilejson.json")
def tilejson(
    scene_id: int,
    tx: Tx,
    request: Request,
    response: Response,
    services: ServicesDep,
    render_as: Render = "true",
    actor: Actor = require(Permission.READ),
) -> TileJson:
    """How to draw the scene in a GIS program."""
    response.headers.update(OPEN)
    scene = service.one(tx, scene_id)
    # The zoom whose pixels are as fine as the scene's, 156543 m at zoom 0 on the equator.
    lat = math.radians((scene["bbox"][1] + scene["bbox"][3]) / 2)
    finest = math.log2(156543.034 * math.cos(lat) / max(float(scene["resolution_m"] or 10), 0.05))
    root = base_url(request, services.settings)
    return TileJson(
        name=scene["title"],
        attribution=f"{scene['sensor']} {scene['acquired_at']:%Y-%m-%d}"
        if scene["acquired_at"]
        else scene["sensor"],
        tiles=[f"{root}/imagery/{scene_id}/{{z}}/{{x}}/{{y}}.webp?render_as={render_as}"],
        bounds=scene["bbox"],
        minzoom=max(0, min(MAX_ZOOM, math.floor(finest) - 8)),
        maxzoom=max(0, min(MAX_ZOOM, math.ceil(finest))),
    )


@router.get(
    "/imagery/{scene_id}/{z}/{x}/{y}.{ending}",
    responses={
        200: {"content": {media: {} for media, _ in ENDINGS.values()}, "description": "the tile"},
        204: {"description": "the scene has nothing there"},
    },
    response_class=Response,
)
def tile(
    scene_id: int,
    z: Annotated[int, Path(ge=0, le=MAX_ZOOM)],
    x: Annotated[int, Path(ge=0)],
    y: Annotated[int, Path(ge=0)],
    ending: Ending,
    tx: Tx,
    request: Request,
    render_as: Render = "true",
    like: Annotated[int | None, Query(description="scene whose stretch is used, for comparing dates")] = None,
    actor: Actor = require(Permission.READ),
) -> Response:
    """A tile of a scene as bands or as an index; 204 where the scene has nothing."""
    if max(x, y) >= 2**z:
        raise InvalidInput(
            f"瓦片 {z}/{x}/{y} 不存在，x、y 应小于 {2**z} (there is no such tile)", field="x", value=max(x, y), expected=f"< {2**z}"
        )  # fmt: skip
    scene, version = service.load(tx, scene_id)
    other = service.load(tx, like) if like is not None and like != scene_id else None
    asked = f"{version} {other[1] if other else ''} {z}/{x}/{y}.{ending} {render_as}"
    etag = f'"{hashlib.sha256(asked.encode()).hexdigest()[:24]}"'
    headers = {
        "Cache-Control": "private, max-age=3600",
        "ETag": etag,
        "Vary": "Cookie, Authorization, X-API-Key",
        **OPEN,
    }
    if etag in (
        part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")
    ):
        return Response(None, 304, headers=headers)
    from app.imagery import render  # with GDAL's raster part, which most processes never need

    made = render.tile(scene, (z, x, y), render_as, ending, other[0] if other else None)
    if made is None:
        return Response(None, 204, headers=headers)
    return Response(made, media_type=ENDINGS[ending][0], headers=headers)
