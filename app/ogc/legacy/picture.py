"""Pictures of layers, and what lies under a pixel: tiles as the caller sees them, drawn as the map draws them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import shapely
from starlette.concurrency import run_in_threadpool

from app.deps import Services
from app.ogc.legacy.decode import Tile, decoded
from app.ogc.legacy.expressions import chosen, numbers
from app.ogc.legacy.kvp import Refused
from app.ogc.legacy.views import EDGE, TooWide, View
from layers.derive.style import layers_of
from layers.model import Audience, Layer
from tiles.address import Viewer
from tiles.options import DEFAULT, TileOptions
from tiles.options import TooWide as Unanswerable
from tiles.server import TileServer

SYMBOL_PX = 36
"""A symbol whose middle lies this far outside may still reach into a picture."""


@dataclass(frozen=True)
class Shown:
    """A layer, in a theme of the style, of what interval."""

    layer: Layer
    theme: str
    options: TileOptions = DEFAULT


@dataclass(frozen=True)
class Loaded:
    """The tiles of a layer in a view."""

    shown: Shown
    tiles: list[tuple[Tile, int]]


class Looking(Protocol):
    """Whoever looks at the map, and with what it is drawn."""

    @property
    def services(self) -> Services: ...
    @property
    def viewer(self) -> Viewer: ...


async def _loaded(asked: Looking, shown: Shown, view: View) -> Loaded:
    """Raises Refused if the view needs too many tiles."""
    server: TileServer = asked.services.parts["tiles"]
    layer = shown.layer
    around = SYMBOL_PX if layer.source.kind == "point" else 0
    found = []
    try:
        addresses = list(view.tiles(layer.minzoom, layer.maxzoom, around))
    except TooWide:
        raise Refused(
            "InvalidParameterValue", "范围过大或图像形状过于极端 (too wide a box for this picture)", "BBOX"
        ) from None
    for address, turns in addresses:
        try:
            body = await server.body(layer, asked.viewer, address, shown.options)
        except Unanswerable as error:
            raise Refused("InvalidDimensionValue", str(error), "TIME") from None
        tile = decoded(body.plain, layer.id, address.z, address.x, address.y)
        if tile is not None:
            found.append((tile, turns))
    return Loaded(shown, found)


async def drawn(
    asked: Looking, layers: Sequence[Shown], view: View, *, ground: str | None, lang: str, media: str
) -> bytes:
    """The encoded picture. Raises Refused if the view is too wide to be drawn."""
    loaded = [await _loaded(asked, shown, view) for shown in layers]
    return await run_in_threadpool(_draw, loaded, view, asked.viewer.audience, ground, lang, media)


def _draw(
    loaded: Sequence[Loaded], view: View, audience: Audience, ground: str | None, lang: str, media: str
) -> bytes:
    # Loaded when a picture is first asked for: it takes a second, and most processes draw none.
    from app.ogc.legacy import drawing, symbols

    canvas = drawing.Canvas(view)
    for one in loaded:
        layer, theme = one.shown.layer, one.shown.theme
        placed = [drawing.Placed(tile, view, turns) for tile, turns in one.tiles]
        canvas.draw(symbols.styled(layer, audience, theme, lang), placed)
    return drawing.encoded(canvas.image(ground), media)


@dataclass(frozen=True)
class Hit:
    """A feature under a pixel, as its tile has it."""

    layer: Layer
    id: int
    properties: dict[str, Any]
    lon: float
    lat: float


async def hits(
    asked: Looking, layers: Sequence[Shown], view: View, column: int, row: int, most: int, slack_px: float = 3
) -> list[Hit]:
    """What is drawn at a pixel, the topmost layer first, at most so many of each layer."""
    x, y = view.world(column + 0.5, row + 0.5)
    found: list[Hit] = []
    for shown in reversed(layers):
        loaded = await _loaded(asked, shown, view)
        found += _hit(loaded, view, x, y, slack_px, asked.viewer.audience)[:most]
    return found


def _hit(loaded: Loaded, view: View, x: float, y: float, slack_px: float, audience: Audience) -> list[Hit]:
    layer = loaded.shown.layer
    # Pixels a unit of the world square, across: lines and points are as far away as they look.
    whole = 2 * EDGE if view.axes == "mercator" else 360.0
    scale = whole / (view.east - view.west) * view.width
    found: dict[tuple[int, int, int], tuple[float, Hit]] = {}
    for tile, turns in loaded.tiles:
        side = 1 << tile.z
        at = np.array([(x - turns) * side - tile.x, y * side - tile.y])
        away = _distances(tile, at) * scale / side
        reach = _reach(layer, audience, tile, view.zoom) + slack_px
        for i in np.flatnonzero(away <= reach).tolist():
            hit = Hit(layer, int(tile.ids[i]), _properties(tile, i), *_place(tile, i, side))
            # A polygon in several tiles is one feature; cells have no id of their own.
            key = (i, tile.x, tile.y) if "cell" in hit.properties else (hit.id, -1, -1)
            if key not in found or away[i] < found[key][0]:
                found[key] = (float(away[i]), hit)
    return [hit for _, hit in sorted(found.values(), key=lambda pair: pair[0])]


def _distances(tile: Tile, at: Any) -> Any:
    """From a position in the tile (0–1) to each feature; 0 inside a polygon."""
    point = shapely.Point(at[0] * 4096, (1 - at[1]) * 4096)
    return shapely.distance(tile.geometries, point) / 4096


def _reach(layer: Layer, audience: Audience, tile: Tile, zoom: float) -> Any:
    """How far from its middle each symbol reaches, in pixels, as the style draws it."""
    features = tile.features(zoom)
    reach = np.zeros(features.count)
    if layer.source.kind == "point":
        for style in layers_of(layer, audience):
            if style["type"] == "circle":
                kept = chosen(style.get("filter"), features)
                radius = numbers(style["paint"]["circle-radius"], features)
                reach = np.where(kept, np.maximum(reach, radius), reach)
    return reach


def _properties(tile: Tile, i: int) -> dict[str, Any]:
    return {name: column[i] for name, column in tile.columns.items() if column[i] is not None}


def _place(tile: Tile, i: int, side: int) -> tuple[float, float]:
    share = tile.middles(np.array([i]))[0]
    x, y = (tile.x + share[0]) / side, (tile.y + share[1]) / side
    return x * 360 - 180, math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * y))))


def notice(width: int, height: int, text: str, media: str) -> bytes:
    """A picture of nothing but a sentence: why there is no map."""
    from app.ogc.legacy import drawing

    canvas = drawing.Canvas(View("mercator", 0, 0, 1, 1, width, height))
    if text:
        at = np.array([[width / 2, height / 2]])
        canvas.lettering.place([text], at, [12.0], "#b2182b", "#ffffff", 1)
    return drawing.encoded(canvas.image("#ffffff" if media == "image/jpeg" else None), media)


def legend(layer: Layer, audience: Audience, theme: str, lang: str, media: str) -> bytes:
    """The legend of a layer as a picture."""
    from app.ogc.legacy import drawing, symbols

    return drawing.encoded(symbols.legend(layer, audience, theme, lang), media)
