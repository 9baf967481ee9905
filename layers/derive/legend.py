"""The legend: the classes of the declaration, as the front end draws them."""

from typing import Any

from layers.derive.cells import ring_class
from layers.model import Audience, ColourClass, Layer, Symbology


def symbology_for(layer: Layer, audience: Audience) -> Symbology:
    """The declared symbology without what this audience may not see: then the first colour serves for all."""
    seen = {field.name for field in layer.fields_for(audience)}
    s = layer.symbology
    hidden: dict[str, Any] = {}
    if s.colour_by and s.colour_by not in seen:
        first = s.colours[0]
        hidden |= {"colour_by": None, "colours": (ColourClass(title=layer.title, colour=first.colour),)}
    if s.shape_by and s.shape_by not in seen:
        hidden |= {"shape_by": None, "shapes": ()}
    if s.size_by and s.size_by not in seen:
        hidden |= {"size_by": None, "sizes": ()}
    if s.label and s.label not in seen:
        hidden |= {"label": None}
    return s.model_copy(update=hidden)


def legend(layer: Layer, audience: Audience) -> list[dict[str, Any]]:
    """Groups of entries (colour, shape, size), in declared order, with titles in both languages."""
    s = symbology_for(layer, audience)
    groups: list[dict[str, Any]] = [
        {
            "field": s.colour_by,
            "kind": "colour",
            "outline": s.outline_only,
            "entries": [entry.model_dump(exclude_none=True) for entry in s.colours],
        }
    ]
    if s.shapes:
        groups.append(
            {
                "field": s.shape_by,
                "kind": "shape",
                "entries": [entry.model_dump(exclude_none=True) for entry in s.shapes],
            }
        )
    if s.sizes:
        groups.append(
            {
                "field": s.size_by,
                "kind": "size",
                "entries": [entry.model_dump(exclude_none=True) for entry in s.sizes],
            }
        )
    for group in groups:
        if group["field"]:
            group["title"] = layer.field(group["field"]).title.model_dump()
    return groups


def facets(layer: Layer, audience: Audience) -> list[str]:
    """Fields by which this audience can filter the map at every zoom: those that cells tell apart, else coded ones."""
    fields = {field.name: field for field in layer.fields_for(audience) if field.filter}
    if layer.points:
        return [name for name in fields if name in layer.points.facets]
    return [name for name, field in fields.items() if field.values]


def _ring(layer: Layer) -> dict[str, Any] | None:
    """The class whose share the arc around an overview cell tells."""
    entry = ring_class(layer) if layer.points else None
    return entry.model_dump(exclude_none=True) if entry else None


def panel(layer: Layer, audience: Audience) -> dict[str, Any]:
    """Everything that the front end's layer panel and drawer need to know of a layer."""
    return {
        "id": layer.id,
        "title": layer.title.model_dump(),
        "description": layer.description.model_dump(),
        "kind": layer.source.kind,
        "basemap": layer.basemap,
        "order": layer.order,
        "visible": layer.visible,
        "minzoom": layer.minzoom,
        "maxzoom": layer.maxzoom,
        "cells": layer.points is not None,
        "past": layer.source.past is not None and audience == "officer",
        "ring": _ring(layer),
        "fields": [f.model_dump(exclude={"audience"}, exclude_none=True) for f in layer.fields_for(audience)],
        "legend": legend(layer, audience),
        "facets": facets(layer, audience),
        "tilejson": f"/tiles/{layer.id}.json",
        "features": f"/ogc/collections/{layer.id}",
    }
