"""JSON Schema of a layer's fields: what is returned, received, filtered and sorted by (OGC API – Features – Part 5)."""

from typing import Any, Literal

from layers.model import Audience, Field, Layer, Source

JSON_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}
GEOMETRIES = {"point": "point", "line": "linestring-or-multilinestring", "polygon": "polygon-or-multipolygon"}
UCUM = {"m3": "m3", "m2": "m2", "m": "m", "m3/s": "m3/s", "%": "%"}
"""Our units as the Unified Code for Units of Measure writes them."""
Kind = Literal["schema", "queryables", "sortables"]


def field_schema(field: Field, lang: str = "zh") -> dict[str, Any]:
    """JSON Schema of one field."""
    schema = {"title": field.title.get(lang), **JSON_TYPES[field.type]}
    if field.unit:
        schema["x-ogc-unit"] = UCUM.get(field.unit, field.unit)
    if field.values:
        schema["enum"] = [value.value for value in field.values]
    if field.description:
        schema["description"] = field.description.get(lang)
    return schema


def geometry_schema(source: Source, lang: str = "zh") -> dict[str, Any]:
    """Of the one geometry: a spatial property has a format instead of a type."""
    return {
        "title": "位置" if lang == "zh" else "Geometry",
        "x-ogc-role": "primary-geometry",
        "format": f"geometry-{GEOMETRIES[source.kind]}",
    }


def schema(
    layer: Layer, audience: Audience, url: str, *, kind: Kind = "schema", lang: str = "zh"
) -> dict[str, Any]:
    """JSON Schema (2020-12) of the fields this audience sees, or of those it may filter or sort by.

    Those that nobody can write are read-only in the schema of a layer that is edited.
    """
    fields = [f for f in layer.fields_for(audience) if f.filter or kind == "schema"]
    properties: dict[str, Any] = {}
    if kind == "schema":
        title = "标识" if lang == "zh" else "Identifier"
        properties["id"] = {"title": title, "type": "integer", "readOnly": True, "x-ogc-role": "id"}
    if kind != "sortables":
        properties["geometry"] = geometry_schema(layer.source, lang)
    for field in fields:
        properties[field.name] = field_schema(field, lang)
        if kind == "schema" and (role := _role(layer.source, field.name)):
            properties[field.name]["x-ogc-role"] = role
        if kind == "schema" and layer.receivable and field.name not in layer.receivable:
            properties[field.name]["readOnly"] = True
    if kind == "queryables":
        for listed in layer.lists_for(audience):
            items = {"type": "array", "items": {"type": "string"}}
            properties[listed.name] = {"title": listed.title.get(lang), **items}
    if kind == "schema":
        for number, one in enumerate(properties.values(), 1):
            one["x-ogc-propertySeq"] = number
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": url,
        "type": "object",
        "title": layer.title.get(lang),
        "description": layer.description.get(lang),
        "properties": properties,
        "additionalProperties": False,
    }


def _role(source: Source, name: str) -> str | None:
    """What `datetime=` asks about (OGC 23-058r1, core roles of features)."""
    if name == source.datetime:
        return "primary-instant" if source.until is None else "primary-interval-start"
    return "primary-interval-end" if name == source.until else None


def feature_schema(layer: Layer, *, patch: bool) -> dict[str, Any]:
    """JSON Schema of what a client writes: a GeoJSON feature, or the members of a merge patch side by side."""
    properties = {
        name: _nullable(field_schema(layer.field(name)), name not in layer.required)
        for name in layer.receivable
    }
    point = {
        "type": "object",
        "required": ["type", "coordinates"],
        "properties": {
            "type": {"const": "Point"},
            "coordinates": {"type": "array", "minItems": 2, "maxItems": 3, "items": {"type": "number"}},
        },
    }
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": layer.title.zh,
        "type": "object",
    }
    if patch:
        return {**head, "properties": {**properties, "geometry": point}, "additionalProperties": False}
    return {
        **head,
        "required": ["type", "geometry", "properties"],
        "properties": {
            "type": {"const": "Feature"},
            "geometry": point,
            # What is only returned may be sent back: it is not taken.
            "properties": {"type": "object", "required": list(layer.required), "properties": properties},
        },
    }


def _nullable(schema: dict[str, Any], optional: bool) -> dict[str, Any]:
    if not optional:
        return schema
    found = {**schema, "type": [schema["type"], "null"]}
    return {**found, "enum": [*schema["enum"], None]} if "enum" in schema else found
