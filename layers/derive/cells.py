"""Overview cells as the map draws them: area follows the count, a tint and an arc tell the share of one class.

Within a zoom the area is in proportion to the count. From zoom to zoom the scale doubles as the ground
does, so equal density looks alike at every zoom; a dense cell stops growing at the width of its neighbours.
"""

from typing import Any

from layers.model import ColourClass, Layer

Expression = Any

RING = "unpermitted"
"""The class whose share the arc tells (look: 有口无证)."""
STEPS = 16
"""Arcs are drawn in sixteenths, rounded up: a share is never drawn as none."""
PICTURE = 64
"""Pixels of an arc's picture at ratio 1."""
SMALLEST, LARGEST = 3.5, 16.0
SCALE_AT_4 = 0.09
"""Radius in pixels of a cell of one intake at zoom 4, before the limits: two intakes a km² (at 33° N) just touch."""
READABLE = 11.0
"""From this radius on a circle holds its number, and an arc can be read."""
TO_ZOOM = 9


def ring_class(layer: Layer) -> ColourClass | None:
    """The class that the arc tells, if this layer has it."""
    return next((entry for entry in layer.symbology.colours if entry.value == RING), None)


def _scale(zoom: int) -> float:
    return SCALE_AT_4 * 2.0 ** (zoom - 4)


def _by_zoom(of: Any) -> Expression:
    """An expression by whole zoom, as cells are: `of` makes it from a zoom's scale."""
    steps: list[Expression] = [of(_scale(0))]
    for zoom in range(1, TO_ZOOM + 1):
        steps += [zoom, of(_scale(zoom))]
    return ["step", ["zoom"], *steps]


def _radius(scale: float) -> Expression:
    return ["min", LARGEST, ["max", SMALLEST, ["*", scale, ["sqrt", ["get", "n"]]]]]


def _number(lang: str) -> Expression:
    """1.2万, 12万: Chinese groups by ten thousand; 1.2k, 12k, 1.2M: English by thousand. No wider than its circle."""
    units = ((10_000, "万"),) if lang.startswith("zh") else ((1_000, "k"), (1_000_000, "M"))
    steps: list[Expression] = [["to-string", ["get", "n"]]]
    for size, unit in units:
        many: Expression = ["/", ["get", "n"], size]
        steps += [size, ["concat", ["number-format", many, {"max-fraction-digits": 1}], unit]]
        steps += [9.95 * size, ["concat", ["to-string", ["round", many]], unit]]
    return ["step", ["get", "n"], *steps]


SHARE: Expression = ["/", ["coalesce", ["get", f"n_{RING}"], 0], ["max", ["get", "n"], 1]]


def _readable() -> Expression:
    return [">=", ["get", "n"], _by_zoom(lambda scale: (READABLE / scale) ** 2)]


def _arc(common: dict[str, Any], layer_id: str) -> dict[str, Any]:
    return {
        "id": f"{layer_id}-cells-share",
        "type": "symbol",
        **common,
        "filter": ["all", ["has", "cell"], [">", ["coalesce", ["get", f"n_{RING}"], 0], 0], _readable()],
        "layout": {
            "icon-image": ["concat", "share-", ["to-string", ["ceil", ["*", STEPS, SHARE]]]],
            "icon-size": _by_zoom(lambda scale: ["/", ["+", _radius(scale), 3], PICTURE / 2]),
            "icon-allow-overlap": True,
            "icon-ignore-placement": True,
        },
    }


def cell_layers(layer: Layer, theme: Any, lang: str) -> list[dict[str, Any]]:
    """The style layers of a layer's overview cells, in drawing order."""
    common: dict[str, Any] = {
        "source": layer.id,
        "source-layer": layer.id,
        "metadata": {"shuitu:layer": layer.id, "shuitu:part": "cells"},
        "filter": ["has", "cell"],
    }
    ring = ring_class(layer)
    # Too small for an arc, a circle still shows where the share is high.
    tint: Expression = (
        ["interpolate", ["linear"], SHARE, 0, theme.cell, 0.6, ring.colour] if ring else theme.cell
    )
    circle: dict[str, Any] = {
        "id": f"{layer.id}-cells",
        "type": "circle",
        **common,
        # Small ones lie upon large ones.
        "layout": {"circle-sort-key": ["-", 0, ["get", "n"]]},
        "paint": {
            "circle-radius": _by_zoom(_radius),
            "circle-color": tint,
            "circle-opacity": 0.85,
            "circle-stroke-color": theme.halo,
            "circle-stroke-width": 0.8,
        },
    }
    number: dict[str, Any] = {
        "id": f"{layer.id}-cells-number",
        "type": "symbol",
        **common,
        "filter": ["all", ["has", "cell"], _readable()],
        "layout": {
            "text-field": _number(lang),
            "text-size": 10.5,
            "text-padding": 0,
            "symbol-sort-key": ["-", 0, ["get", "n"]],
        },
        "paint": {"text-color": "#ffffff", "text-halo-color": "rgba(0,0,0,0.55)", "text-halo-width": 1},
    }
    arcs: list[dict[str, Any]] = [_arc(common, layer.id)] if ring else []
    return [circle, *arcs, number]
