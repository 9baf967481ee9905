"""JSON Schema of a layer's fields: queryables and schema documents of the OGC APIs."""

from typing import Any

from layers.model import Audience, Field, Layer

JSON_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}


def _property(field: Field, lang: str) -> dict[str, Any]:
    schema = {"title": field.title.get(lang), **JSON_TYPES[field.type]}
    if field.unit:
        schema["x-ogc-unit"] = field.unit
    if field.values:
        schema["enum"] = [value.value for value in field.values]
    if field.description:
        schema["description"] = field.description.get(lang)
    return schema


def schema(
    layer: Layer, audience: Audience, url: str, *, only_filters: bool, lang: str = "zh"
) -> dict[str, Any]:
    """JSON Schema (2020-12) of the fields this audience sees, or of those it may filter by."""
    fields = [f for f in layer.fields_for(audience) if f.filter or not only_filters]
    geometry = {
        "title": "位置" if lang == "zh" else "Geometry",
        "x-ogc-role": "primary-geometry",
        "format": f"geometry-{layer.source.kind}",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": url,
        "type": "object",
        "title": layer.title.get(lang),
        "description": layer.description.get(lang),
        "properties": {"geometry": geometry, **{f.name: _property(f, lang) for f in fields}},
        "additionalProperties": False,
    }
