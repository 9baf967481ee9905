"""TileJSON 3.0 of a layer."""

from typing import Any

from layers.derive.columns import tile_columns
from layers.model import Audience, Layer

MVT_TYPES = {
    "string": "String",
    "integer": "Number",
    "number": "Number",
    "boolean": "Boolean",
    "date": "String",
    "datetime": "String",
}


def cell_fields(layer: Layer, audience: Audience) -> dict[str, str]:
    """What overview cells carry, and `n`, which single points have too: 1."""
    if layer.points is None:
        return {}
    seen = {field.name for field in layer.fields_for(audience)}
    found = {"n": "Number", "cell": "Boolean"}
    if layer.points.summed in seen:
        found["volume"] = "Number"
    if layer.points.counted in seen:
        found |= {f"n_{value.value}": "Number" for value in layer.field(layer.points.counted).values}
    return found | {"cz": "Number", "cx": "Number", "cy": "Number"}


def vector_layer(layer: Layer, audience: Audience) -> dict[str, Any]:
    """The `vector_layers` member: one MVT layer, named like the declaration."""
    fields = {name: MVT_TYPES[layer.field(name).type] for name in tile_columns(layer, audience)}
    fields |= cell_fields(layer, audience)
    return {
        "id": layer.id,
        "description": layer.title.zh,
        "minzoom": layer.minzoom,
        "maxzoom": layer.maxzoom,
        "fields": fields,
    }


def tilejson(
    layer: Layer,
    audience: Audience,
    tiles_url: str,
    *,
    version: str,
    bounds: tuple[float, float, float, float] = (-180.0, -85.05, 180.0, 85.05),
) -> dict[str, Any]:
    """TileJSON; `tiles_url` is absolute and holds {z}, {x}, {y}."""
    return {
        "tilejson": "3.0.0",
        "name": f"{layer.title.zh} · {layer.title.en}",
        "description": layer.description.zh,
        "version": "1.0.0",
        "scheme": "xyz",
        "tiles": [tiles_url],
        "minzoom": layer.minzoom,
        "maxzoom": layer.maxzoom,
        "bounds": list(bounds),
        "vector_layers": [vector_layer(layer, audience)],
        "shuitu:version": version,
    }
