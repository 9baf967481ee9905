"""Scenes of the catalogue as layers of a WMTS of their own, for GIS programs that take imagery in no other way."""

from functools import cache
from io import BytesIO
from typing import Any

from fastapi import APIRouter
from PIL import Image
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.actor import Permission
from app.db.engine import transaction
from app.errors import NotSignedIn
from app.imagery import service as imagery
from app.imagery.looks import renderings
from app.imagery.routes import MAX_ZOOM
from app.imagery.schemas import Render
from app.ogc.answering import Asked
from app.ogc.legacy.kvp import Kvp, Refused
from app.ogc.legacy.web import answer, rendered, service, templated, url
from app.ogc.legacy.wmts import GRIDS, PNG, address_of, report, requested
from tiles.address import Address
from tiles.matrices import TILE_SIZE

router = APIRouter()
BASE = "/wmts/scenes"
RESOURCE = BASE + "/1.0.0/{LAYER}/{STYLE}/{TILEMATRIXSET}/{TILEMATRIX}/{TILEROW}/{TILECOL}.png"
GRID = GRIDS["WebMercatorQuad"]
MOST = 1_000
"""Scenes that the capabilities list, the newest first; a client would show more to nobody's use. Tiles come of every scene."""
STYLES: dict[Render, str] = {
    "true": "真彩色 · True colour",
    "false_colour": "假彩色 · False colour",
    "swir": "短波红外 · Short-wave infrared",
    "ndvi": "植被指数 · NDVI",
    "ndwi": "水体指数 · NDWI",
    "mndwi": "改进水体指数 · MNDWI",
}


@service(router, BASE, report)
async def scenes(asked: Asked, kvp: Kvp) -> Response:
    request = requested(kvp)
    if request == "getcapabilities":
        return await _capabilities(asked)
    if request == "gettile":
        return await _tile(asked, kvp)
    raise Refused("OperationNotSupported", f"不支持操作 {request[:60]!r} (no such operation)", "REQUEST")


@service(router, f"{BASE}/1.0.0/WMTSCapabilities.xml", report)
async def capabilities_resource(asked: Asked, kvp: Kvp) -> Response:
    return await _capabilities(asked)


@service(router, RESOURCE, report)
async def resource(asked: Asked, kvp: Kvp) -> Response:
    return await _tile(asked, Kvp({**kvp.values, **asked.request.path_params, "FORMAT": PNG}))


async def _capabilities(asked: Asked) -> Response:
    found = await _in_scope(asked, imagery.listed)
    shown = [_described(asked, scene) for scene in found if scene["renderings"]]
    body = rendered(
        "wmts.xml",
        url=url(asked, "wmts", "scenes"),
        metadata=templated(asked, "wmts", "scenes", "1.0.0", "WMTSCapabilities.xml"),
        operations=("GetCapabilities", "GetTile"),
        formats=[PNG],
        info=[],
        sets=[Finest()],
        layers=shown[:MOST],
    )
    return answer(asked, body, "text/xml; charset=utf-8")


class Finest:
    """The set to the zoom to which scenes are drawn."""

    id, title, urn, corner = GRID.id, GRID.title, GRID.urn, GRID.corner
    scales = ""
    """Only part of a well-known set."""
    matrices = GRID.grid.matrices[: MAX_ZOOM + 1]


def _described(asked: Asked, scene: dict[str, Any]) -> dict[str, Any]:
    when = f" {scene['acquired_at']:%Y-%m-%d}" if scene["acquired_at"] else ""
    name = str(scene["id"])
    variables = ("{Style}", "{TileMatrixSet}", "{TileMatrix}", "{TileRow}", "{TileCol}.png")
    return {
        "name": name,
        "title": f"{scene['title']} · {scene['sensor']}{when}",
        "abstract": scene["item_id"],
        "box": [round(edge, 7) for edge in scene["bbox"]],
        "styles": [{"name": one, "title": STYLES[one], "legend": None} for one in scene["renderings"]],
        "templates": [(PNG, templated(asked, "wmts", "scenes", "1.0.0", name, *variables))],
    }


async def _tile(asked: Asked, kvp: Kvp) -> Response:
    kvp.one_of("FORMAT", (PNG,), PNG)
    name = kvp.needed("LAYER")
    if not (name.isascii() and name.isdigit() and len(name) < 10):
        raise Refused("InvalidParameterValue", f"没有影像 {name[:60]!r} (no such scene)", "LAYER")
    _, address = address_of(kvp, {GRID.id: GRID})
    if address.z > MAX_ZOOM:
        raise Refused("InvalidParameterValue", f"级别至多 {MAX_ZOOM} (no such tile matrix)", "TILEMATRIX")
    body = await _in_scope(asked, lambda session: _drawn(session, int(name), kvp.get("STYLE"), address))
    return answer(asked, body or _nothing(), PNG)


def _drawn(session: Session, number: int, style: str, address: Address) -> bytes | None:
    """Raises NotFound, Refused for a rendering that the scene has not, UnreadableFile."""
    scene, _ = imagery.load(session, number)
    possible = renderings(scene.bands)
    looks = possible[:1] if style in ("", "default") else [one for one in possible if one == style]
    if not looks:
        known = ", ".join(possible) or "无 none"
        raise Refused(
            "InvalidParameterValue", f"没有样式 {style[:60]!r} (styles of this scene: {known})", "STYLE"
        )
    from app.imagery import render  # with GDAL's raster part, which most processes never need

    return render.tile(scene, (address.z, address.x, address.y), looks[0], "png")


async def _in_scope(asked: Asked, work: Any) -> Any:
    """The work in a transaction in the caller's scope. Raises NotSignedIn for the public."""
    if not asked.actor.may(Permission.READ):
        raise NotSignedIn("影像需要登录 (log in to see scenes)")

    def run() -> Any:
        with transaction(asked.services.engine, asked.actor) as session:
            return work(session)

    return await run_in_threadpool(run)


@cache
def _nothing() -> bytes:
    """A clear tile: many of these clients take no 204."""
    made = BytesIO()
    Image.new("RGBA", (TILE_SIZE, TILE_SIZE), (0, 0, 0, 0)).save(made, "PNG", optimize=True)
    return made.getvalue()
