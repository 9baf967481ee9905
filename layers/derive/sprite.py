"""The sprite: one small picture a shape and colour, and the arcs of overview cells, from the declarations."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

from PIL import Image, ImageDraw

from layers.derive.cells import PICTURE, STEPS, ring_class
from layers.derive.style import THEMES, Theme
from layers.model import ColourClass, Layer

SIZE = 20  # pixels a picture at ratio 1; a radius of 8 fills it
OVERSAMPLE = 8
POLYGONS = {
    "triangle": [(0.5, 0.06), (0.95, 0.88), (0.05, 0.88)],
    "diamond": [(0.5, 0.02), (0.98, 0.5), (0.5, 0.98), (0.02, 0.5)],
    "square": [(0.12, 0.12), (0.88, 0.12), (0.88, 0.88), (0.12, 0.88)],
}


def _pictures(layers: Iterable[Layer]) -> Iterator[tuple[str, str, ColourClass]]:
    for layer in layers:
        for shape in dict.fromkeys(entry.shape for entry in layer.symbology.shapes):
            if shape in POLYGONS:
                for colour in layer.symbology.colours:
                    yield f"{shape}-{colour.value}", shape, colour


def _draw(shape: str, colour: ColourClass, theme: Theme, pixels: int) -> Image.Image:
    big = pixels * OVERSAMPLE
    image = Image.new("RGBA", (big, big), (0, 0, 0, 0))
    corners = [(x * big, y * big) for x, y in POLYGONS[shape]]
    draw = ImageDraw.Draw(image)
    edge = max(1, big // 12)
    if colour.hollow:
        draw.polygon(corners, fill=theme.hollow, outline=colour.colour, width=edge)
    else:
        draw.polygon(corners, fill=colour.colour, outline=theme.halo, width=edge // 2)
    return image.resize((pixels, pixels), Image.Resampling.LANCZOS)


def _arc(colour: str, sixteenths: int, pixels: int) -> Image.Image:
    """A thin ring, drawn from the top clockwise as far as the share goes."""
    big = pixels * OVERSAMPLE // 2
    image = Image.new("RGBA", (big, big), (0, 0, 0, 0))
    edge = big // 64
    box = (edge, edge, big - 1 - edge, big - 1 - edge)
    ImageDraw.Draw(image).arc(box, -90, -90 + 360 * sixteenths / STEPS, fill=colour, width=big * 5 // 64)
    return image.resize((pixels, pixels), Image.Resampling.LANCZOS)


def _all(layers: list[Layer], ratio: int, theme: Theme) -> dict[str, Image.Image]:
    found = {name: _draw(shape, colour, theme, SIZE * ratio) for name, shape, colour in _pictures(layers)}
    ring = next((entry for layer in layers if layer.points and (entry := ring_class(layer))), None)
    if ring:
        found |= {f"share-{n}": _arc(ring.colour, n, PICTURE * ratio) for n in range(1, STEPS + 1)}
    return found


def sprite(layers: Iterable[Layer], ratio: int = 1, theme: str = "light") -> tuple[dict[str, Any], bytes]:
    """The sprite's index and its PNG, for displays of this pixel ratio (1 or 2) and this theme."""
    pictures = _all(list(layers), ratio, THEMES[theme])
    width = sum(picture.width for picture in pictures.values())
    height = max((picture.height for picture in pictures.values()), default=1)
    sheet = Image.new("RGBA", (max(1, width), height), (0, 0, 0, 0))
    index, x = {}, 0
    for name, picture in pictures.items():
        sheet.paste(picture, (x, 0))
        index[name] = {
            "x": x,
            "y": 0,
            "width": picture.width,
            "height": picture.height,
            "pixelRatio": ratio,
        }
        x += picture.width
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True)
    return index, out.getvalue()
