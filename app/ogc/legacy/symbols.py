"""The style layers of a declaration with the pictures of its sprite, and its legend as a picture."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image

from app.ogc.legacy.drawing import CIRCLE, Canvas, Icon, Style, icon, rgba
from app.ogc.legacy.views import View
from layers.derive.legend import symbology_for
from layers.derive.style import THEMES, layers_of
from layers.model import Audience, ColourClass, Layer, Symbology

ROW_PX, SWATCH_PX, MARGIN_PX, TEXT_PX = 24, 34, 8, 13


def styled(layer: Layer, audience: Audience, theme: str, lang: str) -> Iterator[Style]:
    """The style layers in drawing order; each knows the sprite's pictures by name."""
    pictures = _pictures(layer, theme)
    for style in layers_of(layer, audience, theme, lang):
        yield {**style, "metadata": {**style.get("metadata", {}), "pictures": pictures}}


def _pictures(layer: Layer, theme: str) -> Mapping[str, Icon]:
    found = {}
    for shape in layer.symbology.shapes:
        for colour in layer.symbology.colours:
            if shape.shape != "circle":
                fill, edge = _paint(colour, theme)
                found[f"{shape.shape}-{colour.value}"] = icon(shape.shape, fill, edge, hollow=colour.hollow)
    return found


def _paint(colour: ColourClass, theme: str) -> tuple[str, str]:
    """Fill and edge of a class."""
    chosen = THEMES[theme]
    return (chosen.hollow, colour.colour) if colour.hollow else (colour.colour, chosen.halo)


def legend(layer: Layer, audience: Audience, theme: str, lang: str) -> Image.Image:
    """Every class of the declaration with its title, in the order of the declaration."""
    s = symbology_for(layer, audience)
    rows = [
        *((entry.title.get(lang), "colour", entry) for entry in s.colours),
        *((entry.title.get(lang), "shape", entry) for entry in s.shapes),
        *((entry.title.get(lang), "size", entry) for entry in s.sizes),
    ]
    width = round(SWATCH_PX + MARGIN_PX * 3 + max(60.0, *(_width(title) for title, _, _ in rows)))
    view = View("mercator", 0, 0, 1, 1, width, ROW_PX * len(rows) + MARGIN_PX)
    canvas = Canvas(view)
    text = THEMES[theme].text
    for i, (title, kind, entry) in enumerate(rows):
        middle = MARGIN_PX / 2 + ROW_PX * (i + 0.5)
        _swatch(canvas, layer, s, kind, entry, theme, middle)
        at = np.array([[SWATCH_PX + MARGIN_PX * 2 + _width(title) / 2, middle]])
        canvas.lettering.place([title], at, [TEXT_PX], text, THEMES[theme].halo, 1)
    return canvas.image(None)


def _width(title: str) -> float:
    """About as wide as the text is written: Chinese characters are square."""
    return sum(TEXT_PX if ord(character) > 0x2E80 else TEXT_PX * 0.62 for character in title)


def _swatch(
    canvas: Canvas, layer: Layer, s: Symbology, kind: str, entry: Any, theme: str, middle: float
) -> None:
    x, y = MARGIN_PX + SWATCH_PX / 2, canvas.view.height - middle
    at = np.array([[x, y]])
    grey = THEMES[theme].text
    if kind == "shape" and entry.shape != "circle":
        drawn = icon(entry.shape, grey, THEMES[theme].halo, hollow=False)
        canvas.markers(drawn.path, 18, at, rgba(drawn.fill), rgba(drawn.edge), drawn.width)
    elif kind != "colour":
        radius = entry.radius if kind == "size" else 7
        canvas.markers(CIRCLE, radius, at, rgba(grey), rgba(THEMES[theme].halo), 1)
    elif layer.source.kind == "point":
        fill, edge = _paint(entry, theme)
        canvas.markers(CIRCLE, 7, at, rgba(fill), rgba(edge), 1.2)
    else:
        from matplotlib.path import Path

        clear = layer.source.kind == "line" or s.outline_only
        box = Path([(x - 14, y - 8), (x + 14, y - 8), (x + 14, y + 8), (x - 14, y + 8), (x - 14, y - 8)])
        line = Path([(x - 14, y), (x + 14, y)])
        shape = line if layer.source.kind == "line" else box
        edge = entry.colour if clear else "#ffffff"
        width = max(1.2, s.line_width)
        canvas.shape(shape, None if clear else rgba(entry.colour, s.opacity), rgba(edge), width, None)
