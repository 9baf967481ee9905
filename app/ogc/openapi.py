"""The OpenAPI 3.0 definition of /ogc, for the layers that the caller sees. Nothing in it points to another host."""

from collections.abc import Iterable, Sequence
from typing import Any

from app import __version__
from app.ogc.asking import has_past
from app.ogc.documents import DESCRIPTION, TITLE, description, title
from app.ogc.editing import MERGE_PATCH
from app.ogc.links import Addresses
from app.ogc.negotiate import (
    COLLECTION_OF_FEATURES,
    FEATURE,
    GEOJSON,
    HTML,
    JSON,
    JSONFG,
    OPENAPI,
    SCHEMA,
    Formats,
)  # fmt: skip
from app.ogc.openapi_parameters import PARAMETERS, parameter
from app.ogc.parameters import queryables
from app.ogc.part import Part
from app.ogc.sorting import sortables
from layers.derive.queryables import JSON_TYPES, UCUM, feature_schema
from layers.model import Audience, Field, Layer

Json = dict[str, Any]
PROBLEM = "application/problem+json"


def definition(at: Addresses, layers: Iterable[Layer], audience: Audience, parts: Sequence[Part]) -> Json:
    """The whole document."""
    seen = tuple(layers)
    paths: Json = {
        "/": _get("landing", "首页 · Landing page", "LandingPage", ["service"]),
        "/conformance": _get("conformance", "符合的标准 · Conformance classes", "Conformance", ["service"]),
        "/api": _get("definition", "接口定义 · This definition", "Definition", ["service"]),
        "/functions": _get("functions", "过滤函数 · Functions for filters", "Functions", ["service"]),
        "/collections": _get("collections", "图层 · Collections", "Collections", ["service"]),
    }
    for layer in seen:
        paths |= _paths(layer, audience)
    components: Json = {
        "parameters": dict(PARAMETERS),
        "schemas": dict(SCHEMAS),
        "responses": {**RESPONSES, **ERRORS},
        "headers": dict(HEADERS),
        "securitySchemes": SECURITY,
    }
    for part in parts:
        paths |= part.paths(seen, audience)
        for kind, named in part.components.items():
            components.setdefault(kind, {}).update(named)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": TITLE,
            "description": DESCRIPTION,
            "version": __version__,
            "license": {"name": "Apache-2.0"},
        },
        "servers": [{"url": at.plain()}],
        "tags": [
            {"name": "service", "description": "服务 · The service"},
            *({"name": layer.id, "description": title(layer)} for layer in seen),
        ],
        "paths": paths,
        "security": [{}, {"key": []}, {"keyInQuery": []}, {"bearer": []}, {"session": []}],
        "components": components,
    }


def _get(
    name: str,
    summary: str,
    response: str,
    tags: list[str],
    parameters: Iterable[Json] = (),
    errors: Iterable[str] = ("400", "406"),
    f: str = "f",
) -> Json:
    found: Json = {
        "operationId": name,
        "summary": summary,
        "tags": tags,
        "parameters": [*parameters, _ref("parameters", f)],
        "responses": {
            "200": _ref("responses", response),
            "304": _ref("responses", "NotModified"),
            **{status: _ref("responses", f"Problem{status}") for status in (*errors, "401", "500", "503")},
        },
    }
    return {"get": found}


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


SHARED = (
    "limit", "bbox", "bbox-crs", "datetime", "crs", "filter", "filter-lang", "filter-crs", "skipGeometry", "offset", "after",
)  # fmt: skip
SHOWN = ("crs", "skipGeometry")


def _paths(layer: Layer, audience: Audience) -> Json:
    root, tags, label = f"/collections/{layer.id}", [layer.id], title(layer)
    own = [_queryable(field) for field in queryables(layer, audience)]
    choices = [_names("properties", "要返回的字段 · Properties to return", layer.fields_for(audience))]
    order = _names(
        "sortby",
        "排序：+升序(默认)、-降序 · Order: + ascending (default), - descending",
        sortables(layer, audience),
        "[+-]?",
    )
    past = ("known",) if has_past(layer, audience) else ()
    items = [*(_ref("parameters", name) for name in (*SHARED, *past)), order, *choices, *own]
    feature = [_ref("parameters", name) for name in ("featureId", *SHOWN)]
    found = {
        root: _get(f"{layer.id}.collection", label, "Collection", tags),
        **{
            f"{root}/{kind}": _get(f"{layer.id}.{kind}", f"{label}：{zh} · {kind}", "Schema", tags)
            for kind, zh in (("queryables", "可筛选字段"), ("sortables", "可排序字段"), ("schema", "字段"))
        },
        f"{root}/items": _get(
            f"{layer.id}.items", f"{label}：要素 · features", "Features", tags, items, f="fFeatures"
        ),
        f"{root}/items/{{featureId}}": _get(
            f"{layer.id}.feature",
            f"{label}：单个要素 · one feature",
            "Feature",
            tags,
            [*feature, *choices],
            ("400", "404", "406"),
            "fFeature",
        ),
    }
    found[root]["get"]["description"] = description(layer)
    if layer.receivable and audience == "officer":
        found[f"{root}/schema"]["get"]["parameters"].append(_ref("parameters", "schemaType"))
        found[f"{root}/items"] |= {"post": _write(layer, "create", GEOJSON, "201")}
        found[f"{root}/items/{{featureId}}"] |= {
            "put": _write(layer, "replace", GEOJSON, "200"),
            "patch": _write(layer, "update", MERGE_PATCH, "200"),
            "delete": _write(layer, "delete", None, "204"),
        }
    return found


WRITES = {
    "create": "新增要素 · Create a feature", "replace": "替换要素 · Replace a feature", "update": "修改要素 · Update a feature",
    "delete": "删除要素 · Delete a feature",
}  # fmt: skip


def _write(layer: Layer, verb: str, media: str | None, status: str) -> Json:
    """One of the operations of Part 4."""
    names = {"create": ("Content-Crs",), "delete": ("featureId", "If-Match")}.get(
        verb, ("featureId", "If-Match", "Content-Crs")
    )
    errors = (
        "400",
        "401",
        "403",
        "409",
        "415",
        "500",
        "503",
        *(() if verb == "create" else ("404", "412", "428")),
    )
    found: Json = {
        "operationId": f"{layer.id}.{verb}",
        "summary": f"{title(layer)}：{WRITES[verb]}",
        "tags": [layer.id],
        "parameters": [_ref("parameters", name) for name in names],
        "responses": {
            status: {"description": WRITES[verb]} if status == "204" else _ref("responses", "Written"),
            **{error: _ref("responses", f"Problem{error}") for error in sorted(errors)},
        },
    }
    if media:
        schema = _in_openapi_3_0(feature_schema(layer, patch=verb == "update"))
        found["requestBody"] = {"required": True, "content": {media: {"schema": schema}}}
    return found


def _in_openapi_3_0(schema: Json) -> Json:
    """JSON Schema 2020-12 in the dialect of OpenAPI 3.0, which knows neither `const` nor lists of types."""
    found: Json = {}
    for name, value in schema.items():
        if name == "$schema":
            continue
        if name == "const":
            found["enum"] = [value]
        elif name == "type" and isinstance(value, list):
            found |= {"type": value[0], "nullable": True}
        elif name == "properties":
            found[name] = {key: _in_openapi_3_0(one) for key, one in value.items()}
        elif isinstance(value, dict):
            found[name] = _in_openapi_3_0(value)
        else:
            found[name] = value
    return found


def _names(name: str, text: str, fields: Iterable[Field], before: str = "") -> Json:
    """A parameter that is a list of field names."""
    pattern = f"^{before}({'|'.join(field.name for field in fields)})$"
    schema = {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": pattern}}
    return parameter(name, text, schema)


def _queryable(field: Field) -> Json:
    schema: Json = dict(JSON_TYPES[field.type])
    if field.values:
        schema["enum"] = [value.value for value in field.values]
    if field.unit:
        schema["x-ogc-unit"] = UCUM.get(field.unit, field.unit)
    return parameter(field.name, f"{field.title.zh} · {field.title.en}", schema)


LINKS: Json = {"type": "array", "items": _ref("schemas", "Link")}
SCHEMAS: Json = {
    "Link": {
        "type": "object",
        "required": ["href", "rel"],
        "properties": {name: {"type": "string"} for name in ("href", "rel", "type", "hreflang", "title")},
    },
    "LandingPage": {
        "type": "object",
        "required": ["links"],
        "properties": {
            "title": {"type": "string"},
            "description": {"type": "string"},
            "conformsTo": {"type": "array", "items": {"type": "string"}},
            "links": LINKS,
        },
    },
    "Conformance": {
        "type": "object",
        "required": ["conformsTo"],
        "properties": {"conformsTo": {"type": "array", "items": {"type": "string"}}, "links": LINKS},
    },
    "Extent": {
        "type": "object",
        "properties": {
            "spatial": {
                "type": "object",
                "properties": {
                    "bbox": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}},
                    },
                    "crs": {"type": "string"},
                },
            },
            "temporal": {
                "type": "object",
                "properties": {
                    "interval": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "array",
                            "minItems": 2,
                            "maxItems": 2,
                            "items": {"type": "string", "format": "date-time", "nullable": True},
                        },
                    },
                    "trs": {"type": "string"},
                },
            },
        },
    },
    "Collection": {
        "type": "object",
        "required": ["id", "links"],
        "properties": {
            "id": {"type": "string"},
            "title": {"type": "string"},
            "description": {"type": "string"},
            "extent": _ref("schemas", "Extent"),
            "itemType": {"type": "string", "default": "feature"},
            "crs": {"type": "array", "items": {"type": "string"}},
            "storageCrs": {"type": "string"},
            "links": LINKS,
        },
    },
    "Collections": {
        "type": "object",
        "required": ["links", "collections"],
        "properties": {
            "links": LINKS,
            "collections": {"type": "array", "items": _ref("schemas", "Collection")},
        },
    },
    "Geometry": {
        "type": "object",
        "nullable": True,
        "required": ["type", "coordinates"],
        "properties": {
            "type": {
                "type": "string",
                "enum": [
                    f"{many}{one}" for one in ("Point", "LineString", "Polygon") for many in ("", "Multi")
                ],
            },
            "coordinates": {"type": "array", "items": {}},
        },
    },
    "Feature": {
        "type": "object",
        "required": ["type", "geometry", "properties"],
        "properties": {
            "type": {"type": "string", "enum": ["Feature"]},
            "id": {"type": "integer"},
            "geometry": _ref("schemas", "Geometry"),
            "properties": {"type": "object", "nullable": True},
            "links": LINKS,
        },
    },
    "FeatureCollection": {
        "type": "object",
        "required": ["type", "features", "links"],
        "properties": {
            "type": {"type": "string", "enum": ["FeatureCollection"]},
            "features": {"type": "array", "items": _ref("schemas", "Feature")},
            "links": LINKS,
            "numberMatched": {"type": "integer", "minimum": 0},
            "numberReturned": {"type": "integer", "minimum": 0},
        },
    },
    "Functions": {
        "type": "object",
        "required": ["functions"],
        "properties": {
            "functions": {"type": "array", "items": {"type": "object", "required": ["name", "returns"]}}
        },
    },
    "Problem": {
        "type": "object",
        "description": "RFC 9457",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
        },
    },
}
HEADERS: Json = {
    "Content-Crs": {"description": "坐标系 · CRS of the coordinates: <URI>", "schema": {"type": "string"}},
    "Location": {
        "description": "新要素的地址 · Address of the new feature",
        "schema": {"type": "string", "format": "uri"},
    },
    "ETag": {"description": "内容标识 · Tag of the content", "schema": {"type": "string"}},
    "Link": {"description": "RFC 8288", "schema": {"type": "string"}},
}


def _response(text: str, machine: str, schema: Json) -> Json:
    return {
        "description": text,
        "headers": {"ETag": _ref("headers", "ETag"), "Link": _ref("headers", "Link")},
        "content": {machine: {"schema": schema}, HTML: {"schema": {"type": "string"}}},
    }


def _features(text: str, schema: Json, formats: Formats) -> Json:
    """In every form: JSON by its schema, the others as what they are."""
    found = _response(text, GEOJSON, schema)
    found["headers"]["Content-Crs"] = _ref("headers", "Content-Crs")
    for media in formats.by_name().values():
        binary = {"type": "string", "format": "binary"}
        found["content"].setdefault(media, {"schema": {"type": "object"} if media == JSONFG else binary})
    return found


RESPONSES: Json = {
    "LandingPage": _response("首页 · The landing page", JSON, _ref("schemas", "LandingPage")),
    "Conformance": _response("符合的标准 · Conformance classes", JSON, _ref("schemas", "Conformance")),
    "Definition": _response("接口定义 · The API definition", OPENAPI, {"type": "object"}),
    "Collections": _response("图层 · The collections", JSON, _ref("schemas", "Collections")),
    "Collection": _response("一个图层 · One collection", JSON, _ref("schemas", "Collection")),
    "Schema": _response("字段的 JSON Schema · JSON Schema of the fields", SCHEMA, {"type": "object"}),
    "Features": _features(
        "一页要素 · A page of features", _ref("schemas", "FeatureCollection"), COLLECTION_OF_FEATURES
    ),
    "Feature": _features("一个要素 · One feature", _ref("schemas", "Feature"), FEATURE),
    "Functions": _response("过滤函数 · Functions for filters", JSON, _ref("schemas", "Functions")),
    "Written": {
        "description": "写入后的要素 · The feature as it is now",
        "headers": {"ETag": _ref("headers", "ETag"), "Location": _ref("headers", "Location")},
        "content": {GEOJSON: {"schema": _ref("schemas", "Feature")}},
    },
    "NotModified": {"description": "内容未变 · What the client has is still true"},
}
ERRORS: Json = {
    f"Problem{status}": {"description": text, "content": {PROBLEM: {"schema": _ref("schemas", "Problem")}}}
    for status, text in {
        "400": "参数有误 · A parameter is unknown or has a bad value",
        "401": "需要登录 · Log in first",
        "403": "无此权限 · Not allowed",
        "409": "与当前状态冲突 · Conflict with the present state",
        "412": "内容已被改动 · Changed meanwhile",
        "415": "不支持此类内容 · Unsupported media type",
        "428": "须以 If-Match 指明所改的版本 · Say in If-Match which version you change",
        "404": "没有此要素或图层 · No such feature or collection",
        "406": "不支持所要求的格式 · None of the accepted formats is offered",
        "500": "服务内部错误 · Unexpected error",
        "503": "服务尚未就绪 · The service is not ready",
    }.items()
}
SECURITY: Json = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "keyInQuery": {"type": "apiKey", "in": "query", "name": "api_key"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "session": {"type": "apiKey", "in": "cookie", "name": "shuitu_session"},
}
