"""The MapLibre style of the one map: base map colours and each layer's paint, from the declarations.

No glyph server is named: clients draw labels from their own fonts (`localIdeographFontFamily`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from layers.derive.cells import cell_layers
from layers.derive.columns import tile_columns
from layers.derive.legend import symbology_for
from layers.model import Audience, Layer, Symbology

Expression = Any


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours that belong to no layer."""

    land: str
    water: str
    river: str
    text: str
    halo: str
    hollow: str
    cell: str


THEMES = {
    "light": Theme("#f6f7f5", "#cfe3ee", "#a9cfe3", "#3b4046", "#ffffff", "#ffffff", "#46596b"),
    "dark": Theme("#1d2226", "#22384a", "#2f5168", "#d5dade", "#15181b", "#1d2226", "#587188"),
}


def _in_theme(s: Symbology, theme: str) -> Symbology:
    """The symbology with the colours of this theme."""
    if theme != "dark":
        return s
    dark = tuple(entry.model_copy(update={"colour": entry.dark or entry.colour}) for entry in s.colours)
    return s.model_copy(update={"colours": dark})


def colour_expression(s: Symbology) -> Expression:
    """Colour of a feature: a match on values, or steps on numbers (`upto` includes its number)."""
    if s.colour_by is None:
        return s.colours[0].colour
    if s.colours[0].upto is None:
        pairs = [part for entry in s.colours for part in (entry.value, entry.colour)]
        return ["match", ["get", s.colour_by], *pairs, "#969696"]
    cases: list[Expression] = []
    for entry in s.colours[:-1]:
        cases += [["<=", ["get", s.colour_by], entry.upto], entry.colour]
    return ["case", ["!", ["has", s.colour_by]], "#d0d3d6", *cases, s.colours[-1].colour]


def hollow_expression(s: Symbology, filled: Expression, hollow: str) -> Expression:
    """The fill: the class colour, or the ground where the class is drawn hollow."""
    values = [entry.value for entry in s.colours if entry.hollow]
    if not values or s.colour_by is None:
        return filled
    return ["match", ["get", s.colour_by], values, hollow, filled]


def radius_expression(s: Symbology, scale: float = 1.0) -> Expression:
    """Radius in pixels by class of size."""

    def sized(scale: float) -> Expression:
        if s.size_by is None:
            return 4.5 * scale
        steps: list[Expression] = []
        for entry, following in zip(s.sizes, s.sizes[1:], strict=False):
            steps += [entry.below, following.radius * scale]
        return ["step", ["coalesce", ["get", s.size_by], 0], s.sizes[0].radius * scale, *steps]

    # Far out a whole prefecture is a thumb's breadth: symbols shrink with it.
    return ["interpolate", ["linear"], ["zoom"], 4, sized(0.4 * scale), 9, sized(scale)]


def _label(layer: Layer, s: Symbology, theme: Theme, layout: dict[str, Any]) -> list[dict[str, Any]]:
    if s.label is None:
        return []
    return [
        {
            "id": f"{layer.id}-label",
            "type": "symbol",
            "source": layer.id,
            "source-layer": layer.id,
            "minzoom": s.label_minzoom,
            "metadata": {"shuitu:layer": layer.id, "shuitu:part": "label"},
            "layout": {"text-field": ["coalesce", ["get", s.label], ""], "text-size": 12, **layout},
            "paint": {"text-color": theme.text, "text-halo-color": theme.halo, "text-halo-width": 1.4},
        }
    ]


def _polygons(layer: Layer, s: Symbology, theme: Theme) -> list[dict[str, Any]]:
    common = {"source": layer.id, "source-layer": layer.id, "metadata": {"shuitu:layer": layer.id}}
    colour = theme.water if layer.basemap else colour_expression(s)
    parts: list[dict[str, Any]] = [
        {
            "id": layer.id,
            "type": "fill",
            **common,
            # Outlined layers keep a nearly clear fill, so that a click inside hits them.
            "paint": {"fill-color": colour, "fill-opacity": 0.02 if s.outline_only else s.opacity},
        }
    ]
    if s.line_width:
        line = colour if s.outline_only else "#ffffff"
        parts.append(
            {
                "id": f"{layer.id}-line",
                "type": "line",
                **common,
                "layout": {"line-join": "round"},
                "paint": {"line-color": line, "line-width": _line_width(layer, s)},
            }
        )
    return parts + _label(layer, s, theme, {"symbol-placement": "point", "text-max-width": 8})


def _line_width(layer: Layer, s: Symbology) -> Expression:
    if layer.id == "regions":  # ranks: a province's boundary is heavier than a county's
        return [
            "interpolate",
            ["linear"],
            ["zoom"],
            4,
            ["match", ["get", "level"], 1, 1.2, 2, 0.5, 0],
            6,
            ["match", ["get", "level"], 1, 1.6, 2, 0.9, 0.3],
            10,
            ["match", ["get", "level"], 1, 2.6, 2, 1.8, 1.1],
        ]
    return s.line_width


def _lines(layer: Layer, s: Symbology, theme: Theme) -> list[dict[str, Any]]:
    common = {"source": layer.id, "source-layer": layer.id, "metadata": {"shuitu:layer": layer.id}}
    colour = theme.river if layer.basemap else colour_expression(s)
    line = {
        "id": layer.id,
        "type": "line",
        **common,
        "layout": {"line-join": "round", "line-cap": "round"},
        "paint": {"line-color": colour, "line-width": s.line_width},
    }
    return [line, *_label(layer, s, theme, {"symbol-placement": "line"})]


def _names(layer: Layer, s: Symbology, theme: Theme) -> list[dict[str, Any]]:
    """Names of the base map, one a region (a polygon's own label repeats in every tile): the rank follows the zoom."""
    size = ["match", ["get", "level"], 1, 15, 2, 13.5, 12]
    found = _label(layer, s, theme, {"text-size": size, "text-max-width": 8, "text-padding": 6})
    for part in found:
        part["filter"] = ["==", ["get", "level"], ["step", ["zoom"], 1, 5.5, 2, 7.8, 3]]
    return found


def _points(layer: Layer, s: Symbology, theme: Theme) -> list[dict[str, Any]]:
    common = {"source": layer.id, "source-layer": layer.id, "metadata": {"shuitu:layer": layer.id}}
    single: Expression = ["!", ["has", "cell"]]
    colour = colour_expression(s)
    round_shapes = [entry.value for entry in s.shapes if entry.shape == "circle"]
    is_round: Expression = ["match", ["get", s.shape_by], round_shapes, True, False] if s.shapes else True
    parts: list[dict[str, Any]] = [
        {
            "id": layer.id,
            "type": "circle",
            **common,
            "filter": ["all", single, is_round],
            "paint": {
                "circle-color": hollow_expression(s, colour, theme.hollow),
                "circle-radius": radius_expression(s),
                "circle-stroke-color": hollow_expression(s, theme.halo, "#5b6770")
                if s.colour_by
                else theme.halo,
                "circle-stroke-width": 1.2,
            },
        }
    ]
    if s.shapes:
        parts.append(
            {
                "id": f"{layer.id}-shape",
                "type": "symbol",
                **common,
                "filter": ["all", single, ["!", is_round]],
                "layout": {
                    "icon-image": [
                        "concat",
                        [
                            "match",
                            ["get", s.shape_by],
                            *[part for entry in s.shapes for part in (entry.value, entry.shape)],
                            "square",
                        ],
                        "-",
                        ["to-string", ["get", s.colour_by]],
                    ],
                    "icon-size": radius_expression(s, 1 / 8),
                    "icon-allow-overlap": True,
                    "icon-ignore-placement": True,
                },
            }
        )
    return parts


def layers_of(
    layer: Layer, audience: Audience, theme_name: str = "light", lang: str = "zh"
) -> list[dict[str, Any]]:
    """The style layers of one declaration, in drawing order."""
    theme, s = THEMES[theme_name], _in_theme(symbology_for(layer, audience), theme_name)
    if layer.source.kind == "polygon":
        found = _polygons(layer, s, theme)
    elif layer.source.kind == "line":
        found = _lines(layer, s, theme)
    elif layer.basemap:
        found = _names(layer, s, theme)
    else:
        found = _points(layer, s, theme) + (cell_layers(layer, theme, lang) if layer.points else [])
    hidden = {"visibility": "none"}
    if not layer.visible:
        for part in found:
            part["layout"] = {**part.get("layout", {}), **hidden}
    return found


def style(
    layers: Iterable[Layer],
    audience: Audience,
    base_url: str,
    *,
    theme: str = "light",
    lang: str = "zh",
    version: str = "",
) -> dict[str, Any]:
    """A whole MapLibre style (version 8) with a source a layer; `base_url` has no slash at its end.

    Raises KeyError if there is no such theme.
    """
    chosen = [
        layer for layer in layers if tile_columns(layer, audience) or layer.is_public or audience == "officer"
    ]
    suffix = f"?v={version}" if version else ""
    return {
        "version": 8,
        "name": "水图" if lang.startswith("zh") else "Shuitu",
        "center": [119.45, 32.75],
        "zoom": 8,
        "sprite": f"{base_url}/styles/sprite" + ("" if theme == "light" else f"-{theme}"),
        "sources": {
            layer.id: {
                "type": "vector",
                "tiles": [f"{base_url}/tiles/{layer.id}/{{z}}/{{x}}/{{y}}{suffix}"],
                "minzoom": layer.minzoom,
                "maxzoom": layer.maxzoom,
            }
            for layer in chosen
        },
        "layers": [
            {"id": "land", "type": "background", "paint": {"background-color": THEMES[theme].land}},
            *[part for layer in chosen for part in layers_of(layer, audience, theme, lang)],
        ],
    }
