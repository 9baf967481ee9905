"""WMTS 1.0.0 (07-057r7), by key and value and by resource: tiles as pictures and as vectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from app.ogc.answering import Asked
from app.ogc.documents import MVT, description, title
from app.ogc.legacy import picture
from app.ogc.legacy.info import found_at
from app.ogc.legacy.kvp import Kvp, Refused
from app.ogc.legacy.picture import Shown
from app.ogc.legacy.views import View
from app.ogc.legacy.web import answer, covered, layer_named, rendered, service, templated, url
from app.ogc.legacy.wms import INFO, MOST_FEATURES, as_info
from app.ogc.styles.documents import TITLES
from layers import catalog
from layers.model import Layer
from tiles.address import Address, BadAddress
from tiles.matrices import CGCS2000_QUAD, TILE_SIZE, WEB_MERCATOR_QUAD, WORLD_CRS84_QUAD, MatrixSet
from tiles.server import TileServer

router = APIRouter()
PNG = "image/png"
FORMATS = {PNG: "png", MVT: "mvt"}
RESOURCE = "/wmts/1.0.0/{LAYER}/{STYLE}/{TILEMATRIXSET}/{TILEMATRIX}/{TILEROW}/{TILECOL}"


@dataclass(frozen=True)
class Grid:
    """A tile matrix set as WMTS names it."""

    id: str
    title: str
    urn: str
    corner: tuple[float, float]
    """Top left corner, in the order of the axes of the system."""
    scales: str
    grid: MatrixSet

    @property
    def matrices(self) -> Any:
        return self.grid.matrices


GRIDS = {
    grid.id: grid
    for grid in (
        Grid(
            "WebMercatorQuad", "Web Mercator (EPSG:3857)", "urn:ogc:def:crs:EPSG::3857",
            WEB_MERCATOR_QUAD.point_of_origin, "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible", WEB_MERCATOR_QUAD,
        ),
        Grid(
            "WorldCRS84Quad", "WGS 84 (CRS84)", "urn:ogc:def:crs:OGC:1.3:CRS84",
            WORLD_CRS84_QUAD.point_of_origin, "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad", WORLD_CRS84_QUAD,
        ),
        # The same tiles for clients that know only EPSG:4326: latitude stands first there.
        Grid("WGS1984Quad", "WGS 84 (EPSG:4326)", "urn:ogc:def:crs:EPSG::4326", (90.0, -180.0), "", WORLD_CRS84_QUAD),
        Grid(
            "CGCS2000Quad", "CGCS2000 (EPSG:4490, 天地图 c)", "urn:ogc:def:crs:EPSG::4490",
            CGCS2000_QUAD.point_of_origin, "", CGCS2000_QUAD,
        ),
    )
}  # fmt: skip


def report(kvp: Kvp, error: Refused) -> tuple[str, str]:
    facts = {"form": "ows", "code": error.code, "locator": error.locator, "text": str(error)}
    return rendered("exceptions.xml", version="1.0.0", **facts).decode(), "text/xml; charset=utf-8"


def requested(kvp: Kvp) -> str:
    """The operation asked for, in lower case. Raises Refused for another service or version."""
    if kvp.get("SERVICE", "WMTS").upper() != "WMTS":
        raise Refused("InvalidParameterValue", "SERVICE 应为 WMTS (SERVICE is WMTS)", "SERVICE")
    # A bare address, as people paste it, means the capabilities; a tile is asked for by name (07-057r7, table 25).
    request = (kvp.needed("REQUEST") if kvp.get("LAYER") else kvp.get("REQUEST") or "GetCapabilities").lower()
    if request == "getcapabilities":
        if (versions := kvp.texts("ACCEPTVERSIONS")) and "1.0.0" not in versions:
            raise Refused("VersionNegotiationFailed", "只支持 1.0.0 (only 1.0.0)", "AcceptVersions")
    elif kvp.get("VERSION", "1.0.0") != "1.0.0":
        raise Refused("InvalidParameterValue", "VERSION 应为 1.0.0 (VERSION is 1.0.0)", "VERSION")
    return request


@service(router, "/wmts", report)
async def wmts(asked: Asked, kvp: Kvp) -> Response:
    request = requested(kvp)
    if request == "getcapabilities":
        return await capabilities(asked)
    if request == "gettile":
        return await tile(asked, kvp)
    if request == "getfeatureinfo":
        return await feature_info(asked, kvp)
    raise Refused("OperationNotSupported", f"不支持操作 {request[:60]!r} (no such operation)", "REQUEST")


@service(router, "/wmts/1.0.0/WMTSCapabilities.xml", report)
async def capabilities_resource(asked: Asked, kvp: Kvp) -> Response:
    return await capabilities(asked)


@service(router, RESOURCE + ".{ending}", report)
async def resource(asked: Asked, kvp: Kvp) -> Response:
    """A tile by its own address; a picture's layers never change their order with its parameters."""
    path = dict(asked.request.path_params)
    by_ending = {ending: media for media, ending in FORMATS.items()}
    media = by_ending.get(path.pop("ending"))
    if media is None:
        raise Refused("InvalidParameterValue", "瓦片格式为 png 或 mvt (tiles are png or mvt)", "FORMAT")
    return await tile(asked, Kvp({**kvp.values, **path, "FORMAT": media}))


async def capabilities(asked: Asked) -> Response:
    layers = tuple(reversed(catalog.visible_to(asked.viewer.audience)))
    boxes = await covered(asked, layers)
    body = rendered(
        "wmts.xml",
        url=url(asked, "wmts"),
        metadata=templated(asked, "wmts", "1.0.0", "WMTSCapabilities.xml"),
        operations=("GetCapabilities", "GetTile", "GetFeatureInfo"),
        formats=list(FORMATS),
        info=INFO,
        sets=list(GRIDS.values()),
        layers=[_described(asked, layer, boxes[layer.id]) for layer in layers],
    )
    return answer(asked, body, "text/xml; charset=utf-8")


def _described(asked: Asked, layer: Layer, box: tuple[float, float, float, float]) -> dict[str, Any]:
    variables = ("{Style}", "{TileMatrixSet}", "{TileMatrix}", "{TileRow}")
    legend = f"{url(asked, 'wms')}SERVICE=WMS&VERSION=1.3.0&REQUEST=GetLegendGraphic&FORMAT=image/png&LAYER={layer.id}"
    return {
        "name": layer.id,
        "title": title(layer),
        "abstract": description(layer),
        "box": box,
        "styles": [
            {"name": name, "title": label, "legend": f"{legend}&STYLE={name}"}
            for name, label in TITLES.items()
        ],
        "templates": [
            (media, templated(asked, "wmts", "1.0.0", layer.id, *variables, f"{{TileCol}}.{ending}"))
            for media, ending in FORMATS.items()
        ],
    }


def _asked_for(asked: Asked, kvp: Kvp) -> tuple[Shown, Grid, Address]:
    """Raises Refused for whatever names no tile."""
    layer = layer_named(asked, kvp.needed("LAYER"), "InvalidParameterValue", "LAYER")
    theme = kvp.get("STYLE") or "light"
    theme = "light" if theme.lower() == "default" else theme
    if theme not in TITLES:
        raise Refused("InvalidParameterValue", f"没有样式 {theme[:60]!r} (no such style)", "STYLE")
    return Shown(layer, theme), *address_of(kvp, GRIDS)


def address_of(kvp: Kvp, grids: Mapping[str, Grid]) -> tuple[Grid, Address]:
    """The tile of one of these sets. Raises Refused."""
    grid = grids.get(kvp.needed("TILEMATRIXSET"))
    if grid is None:
        raise Refused(
            "InvalidParameterValue",
            f"切片方案为 {'、'.join(grids)} 之一 (one of these sets)",
            "TILEMATRIXSET",
        )
    level = kvp.needed("TILEMATRIX")
    if level not in {matrix.id for matrix in grid.grid.matrices}:
        raise Refused("InvalidParameterValue", f"没有级别 {level[:40]!r} (no such tile matrix)", "TILEMATRIX")
    matrix = grid.grid.matrices[int(level)]
    column, row = kvp.needed("TILECOL"), kvp.needed("TILEROW")
    try:
        address = Address.parse(level, column, row, grid.grid.id)
    except BadAddress as error:
        whole = all(text.isascii() and text.isdigit() for text in (column, row))
        wrong = "TILEROW" if not row.isdigit() or (whole and int(row) >= matrix.height) else "TILECOL"
        code = "TileOutOfRange" if whole else "InvalidParameterValue"
        raise Refused(code, str(error), wrong) from None
    return grid, address


async def tile(asked: Asked, kvp: Kvp) -> Response:
    media = kvp.one_of("FORMAT", tuple(FORMATS), PNG)
    shown, _, address = _asked_for(asked, kvp)
    if media == MVT:
        return await _vector(asked, shown.layer, address)
    body = await picture.drawn(asked, [shown], _view(address), ground=None, lang="zh", media=media)
    return answer(asked, body, media)


async def _vector(asked: Asked, layer: Layer, address: Address) -> Response:
    server: TileServer = asked.services.parts["tiles"]
    body = await server.body(layer, asked.viewer, address)
    # Nothing here: an empty tile, for many of these clients take no 204.
    return answer(asked, body.plain, MVT)


def _view(address: Address) -> View:
    grid = address.matrix_set
    west, south, east, north = grid.bounds(address.z, address.x, address.y)
    return View(grid.kind, west, south, east, north, TILE_SIZE, TILE_SIZE)


async def feature_info(asked: Asked, kvp: Kvp) -> Response:
    media = kvp.one_of("INFOFORMAT", INFO, "application/json")
    shown, _, address = _asked_for(asked, kvp)
    column, row = kvp.whole("I", 0, 10**9), kvp.whole("J", 0, 10**9)
    for name, value in (("I", column), ("J", row)):
        if value >= TILE_SIZE:
            raise Refused(
                "PointIJOutOfRange", f"{name} 应小于 {TILE_SIZE} ({name} is below {TILE_SIZE})", name
            )
    found = await found_at(asked, [shown], _view(address), column, row, MOST_FEATURES)
    return as_info(asked, found, media, "zh")
