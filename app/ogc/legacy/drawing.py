"""A picture of tiles, drawn by the very style layers that browsers use, with Agg (in matplotlib).

The style comes from `layers.derive.style`, the features from the vector tiles; this module holds no colour,
no size and no field name of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import shapely
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox, IdentityTransform
from PIL import Image, ImageColor

from app.ogc.legacy.decode import Tile
from app.ogc.legacy.expressions import Features, chosen, evaluate, numbers
from app.ogc.legacy.lettering import Lettering
from app.ogc.legacy.views import Floats, View
from layers.derive.sprite import OVERSAMPLE, POLYGONS, SIZE

Style = Mapping[str, Any]
Rgba = tuple[float, float, float, float]
mpl.rcParams["path.simplify"] = False
CLEAR: Rgba = (0.0, 0.0, 0.0, 0.0)


@dataclass
class Placed:
    """A tile in the view: where its features come to lie, and the rectangle that it fills."""

    tile: Tile
    view: View
    turns: int

    def pixels(self, positions: Floats) -> Floats:
        """Pixel positions, y upwards as Agg wants them, of positions in the tile (0–1)."""
        side = 1 << self.tile.z
        x = (self.tile.x + positions[:, 0]) / side + self.turns
        y = (self.tile.y + positions[:, 1]) / side
        across, down = self.view.pixels(x, y)
        return np.column_stack([across, self.view.height - down])

    def frame(self) -> Bbox:
        corners = self.pixels(np.array([[0.0, 0.0], [1.0, 1.0]]))
        return Bbox([[corners[0, 0], corners[1, 1]], [corners[1, 0], corners[0, 1]]])


@dataclass
class Canvas:
    """Pixels to draw on."""

    view: View
    renderer: Any = field(init=False)
    lettering: Lettering = field(init=False)

    def __post_init__(self) -> None:
        # 72 dots an inch: then a point, in which widths are given, is a pixel.
        self.renderer = RendererAgg(self.view.width, self.view.height, 72)  # type: ignore[no-untyped-call]
        self.lettering = Lettering(self.view.width, self.view.height)

    def draw(self, styles: Iterable[Style], tiles: Sequence[Placed]) -> None:
        """Draw the style layers of one layer in their order, each over all tiles."""
        for style in styles:
            if style.get("minzoom", 0) > self.view.zoom or style.get("maxzoom", 99) <= self.view.zoom:
                continue
            for placed in tiles:
                features = placed.tile.features(self.view.zoom)
                kept = chosen(style.get("filter"), features)
                if kept.any():
                    DRAWN[style["type"]](self, style, placed, features, np.flatnonzero(kept))

    def image(self, ground: str | None) -> Image.Image:
        """The picture, on a ground of this colour or on none."""
        pixels = np.asarray(self.renderer.buffer_rgba())
        image = Image.frombytes("RGBA", (self.view.width, self.view.height), pixels.tobytes())
        image = self.lettering.on(image)
        if ground is None:
            return image
        backed = Image.new("RGBA", image.size, ground)
        backed.alpha_composite(image)
        return backed.convert("RGB")

    def pen(self, colour: Rgba, width: float, clip: Bbox | None = None) -> GraphicsContextBase:
        pen: GraphicsContextBase = self.renderer.new_gc()
        pen.set_snap(False)
        pen.set_antialiased(True)
        pen.set_joinstyle("round")
        pen.set_capstyle("round")
        # Agg draws no line of width 0, whatever its colour.
        pen.set_linewidth(width)
        pen.set_foreground(colour, isRGBA=True)
        if clip is not None:
            pen.set_clip_rectangle(clip)
        return pen

    def shape(self, path: Path, fill: Rgba | None, edge: Rgba, width: float, clip: Bbox | None) -> None:
        self.renderer.draw_path(self.pen(edge, width, clip), path, IdentityTransform(), fill)

    def markers(self, path: Path, scale: float, at: Floats, fill: Rgba, edge: Rgba, width: float) -> None:
        pen = self.pen(edge, width)
        move = Affine2D().scale(scale).get_affine()
        self.renderer.draw_markers(pen, path, move, Path(at), IdentityTransform(), fill)


def rgba(colour: object, opacity: float = 1.0) -> Rgba:
    """A CSS colour as Agg takes it."""
    if not isinstance(colour, str):
        return CLEAR
    if colour.startswith("rgba("):
        *channels, alpha = colour[5:-1].split(",")
        red, green, blue = (int(channel) / 255 for channel in channels)
        return red, green, blue, float(alpha) * opacity
    red, green, blue = (channel / 255 for channel in ImageColor.getrgb(colour)[:3])
    return red, green, blue, opacity


def _values(value: Any, features: Features, rows: npt.NDArray[np.intp]) -> list[Any]:
    return list(evaluate(value, features)[rows])


def _numbers(value: Any, features: Features, rows: npt.NDArray[np.intp]) -> list[float]:
    found: list[float] = numbers(value, features)[rows].tolist()
    return found


def _grouped(keys: Iterable[Any]) -> Iterator[tuple[Any, list[int]]]:
    """Runs of what is drawn alike, so that each is one call; in the order of their first."""
    groups: dict[Any, list[int]] = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    yield from groups.items()


def _fill(
    canvas: Canvas, style: Style, placed: Placed, features: Features, rows: npt.NDArray[np.intp]
) -> None:
    paint = style["paint"]
    opacities = _numbers(paint.get("fill-opacity", 1), features, rows)
    colours = _values(paint["fill-color"], features, rows)
    frame = placed.frame()
    for row, colour, opacity in zip(rows.tolist(), colours, opacities, strict=True):
        path = _path(placed, row)
        if path is not None:
            canvas.shape(path, rgba(colour, opacity), CLEAR, 0.0, frame)


def _line(
    canvas: Canvas, style: Style, placed: Placed, features: Features, rows: npt.NDArray[np.intp]
) -> None:
    paint = style["paint"]
    colours = _values(paint["line-color"], features, rows)
    widths = _numbers(paint.get("line-width", 1), features, rows)
    opacities = _numbers(paint.get("line-opacity", 1), features, rows)
    # Beyond its own edge a tile holds the cut of its buffer, which is no line of the map.
    frame = placed.frame()
    for row, colour, width, opacity in zip(rows.tolist(), colours, widths, opacities, strict=True):
        path = _path(placed, row)
        if path is not None and width > 0:
            canvas.shape(path, None, rgba(colour, opacity), width, frame)


def _path(placed: Placed, row: int) -> Path | None:
    """All rings or lines of a feature as one path."""
    geometry = placed.tile.geometries[row]
    parts = shapely.get_parts(geometry)
    rings = shapely.get_rings(parts) if geometry.geom_type.endswith("Polygon") else parts
    positions, owners = shapely.get_coordinates(rings, return_index=True)
    if len(positions) < 2:
        return None
    codes = np.full(len(positions), Path.LINETO, Path.code_type)
    codes[np.flatnonzero(np.diff(owners, prepend=-1))] = Path.MOVETO
    return Path(placed.pixels(placed.tile.shares(positions)), codes)


CIRCLE = Path.unit_circle()


def _circle(
    canvas: Canvas, style: Style, placed: Placed, features: Features, rows: npt.NDArray[np.intp]
) -> None:
    paint = style["paint"]
    at = placed.pixels(placed.tile.points()[rows])
    looks = zip(
        _values(paint["circle-color"], features, rows),
        _numbers(paint["circle-radius"], features, rows),
        _values(paint.get("circle-stroke-color", "#000000"), features, rows),
        _numbers(paint.get("circle-stroke-width", 0), features, rows),
        _numbers(paint.get("circle-opacity", 1), features, rows),
        strict=True,
    )
    for (fill, radius, edge, width, opacity), members in _grouped(looks):
        # MapLibre draws the stroke around the circle, Agg along its edge.
        canvas.markers(
            CIRCLE,
            radius + width / 2,
            at[members],
            rgba(fill, opacity),
            rgba(edge) if width else CLEAR,
            width,
        )


def _symbol(
    canvas: Canvas, style: Style, placed: Placed, features: Features, rows: npt.NDArray[np.intp]
) -> None:
    layout = style["layout"]
    if "icon-image" in layout:
        _icons(canvas, style, placed, features, rows)
    if "text-field" in layout:
        _texts(canvas, style, placed, features, rows)


def _icons(
    canvas: Canvas, style: Style, placed: Placed, features: Features, rows: npt.NDArray[np.intp]
) -> None:
    """The pictures of the sprite, as shapes: they stay sharp at every size."""
    layout = style["layout"]
    at = placed.pixels(placed.tile.points()[rows])
    looks = zip(
        _values(layout["icon-image"], features, rows),
        _numbers(layout.get("icon-size", 1), features, rows),
        strict=True,
    )
    pictures: Mapping[str, Icon] = style["metadata"]["pictures"]
    for (name, size), members in _grouped(looks):
        icon = pictures.get(name)
        if icon is not None:
            canvas.markers(
                icon.path, SIZE * size, at[members], rgba(icon.fill), rgba(icon.edge), icon.width * size
            )


@dataclass(frozen=True)
class Icon:
    """A picture of the sprite: its outline in a square of side 1 around its middle."""

    path: Path
    fill: str
    edge: str
    width: float


def icon(shape: str, fill: str, edge: str, *, hollow: bool) -> Icon:
    """As `layers.derive.sprite` draws it."""
    corners = [(x - 0.5, 0.5 - y) for x, y in POLYGONS[shape]]
    width = SIZE * OVERSAMPLE // 12 / OVERSAMPLE
    # The sprite's outline lies inside its corners.
    return Icon(Path([*corners, corners[0]], closed=True), fill, edge, width if hollow else width / 2)


def _texts(
    canvas: Canvas, style: Style, placed: Placed, features: Features, rows: npt.NDArray[np.intp]
) -> None:
    layout, paint = style["layout"], style["paint"]
    at = placed.pixels(placed.tile.middles(rows))
    canvas.lettering.place(
        [str(text or "") for text in _values(layout["text-field"], features, rows)],
        np.column_stack([at[:, 0], canvas.view.height - at[:, 1]]),
        _numbers(layout.get("text-size", 16), features, rows),
        str(paint.get("text-color", "#000000")),
        str(paint.get("text-halo-color", "#00000000")),
        float(paint.get("text-halo-width", 0)),
    )


DRAWN = {"fill": _fill, "line": _line, "circle": _circle, "symbol": _symbol}


PILLOW = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}


def encoded(image: Image.Image, media: str) -> bytes:
    """The picture in this form, compressed as far as is quick."""
    out = BytesIO()
    if media == "image/jpeg":
        image.convert("RGB").save(out, "JPEG", quality=88)
    else:
        image.save(out, PILLOW[media], compress_level=3)
    return out.getvalue()
