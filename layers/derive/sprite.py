"""The sprite: one small picture a shape and colour, drawn from the declarations."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

from PIL import Image, ImageDraw

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


def sprite(layers: Iterable[Layer], ratio: int = 1, theme: str = "light") -> tuple[dict[str, Any], bytes]:
    """The sprite's index and its PNG, for displays of this pixel ratio (1 or 2) and this theme."""
    pictures = list(_pictures(layers))
    pixels = SIZE * ratio
    sheet = Image.new("RGBA", (max(1, len(pictures)) * pixels, pixels), (0, 0, 0, 0))
    index = {}
    for i, (name, shape, colour) in enumerate(pictures):
        sheet.paste(_draw(shape, colour, THEMES[theme], pixels), (i * pixels, 0))
        index[name] = {"x": i * pixels, "y": 0, "width": pixels, "height": pixels, "pixelRatio": ratio}
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True)
    return index, out.getvalue()
