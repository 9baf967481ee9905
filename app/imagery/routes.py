"""Scenes, and their pixels as map tiles."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from app.actor import Actor, Permission
from app.deps import Tx, require
from app.imagery import service
from app.imagery.schemas import Render, SceneOut

router = APIRouter(tags=["imagery"])


@router.get("/api/scenes")
def scenes(tx: Tx, actor: Actor = require(Permission.READ)) -> list[SceneOut]:
    """The catalogue of scenes, the newest first."""
    return [SceneOut.model_validate(row) for row in service.listed(tx)]


@router.get("/imagery/{scene_id}/{z}/{x}/{y}.png", responses={200: {"content": {"image/png": {}}}})
def tile(
    scene_id: int,
    z: Annotated[int, Path(ge=0, le=22)],
    x: int,
    y: int,
    tx: Tx,
    render_as: Render = "true",
    actor: Actor = require(Permission.READ),
) -> Response:
    """A tile of a scene in natural or false colour; 204 where the scene has nothing."""
    from app.imagery import render  # with GDAL's raster part, which most processes never need

    made = render.tile(service.load(tx, scene_id), z, x, y, render_as)
    headers = {"Cache-Control": "private, max-age=3600"}
    return (
        Response(made, media_type="image/png", headers=headers)
        if made
        else Response(None, 204, headers=headers)
    )
