"""The OpenAPI 3.0 definition of /ogc, for the layers that the caller sees. Nothing in it points to another host."""

from collections.abc import Iterable, Sequence
from typing import Any

from app import __version__
from app.ogc.documents import DESCRIPTION, TITLE, description, title
from app.ogc.links import Addresses
from app.ogc.negotiate import GEOJSON, HTML, JSON, OPENAPI, SCHEMA
from app.ogc.parameters import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET, queryables
from app.ogc.part import Part
from layers.derive.queryables import JSON_TYPES
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
) -> Json:
    found: Json = {
        "operationId": name,
        "summary": summary,
        "tags": tags,
        "parameters": [*parameters, _ref("parameters", "f")],
        "responses": {
            "200": _ref("responses", response),
            "304": _ref("responses", "NotModified"),
            **{status: _ref("responses", f"Problem{status}") for status in (*errors, "401", "500", "503")},
        },
    }
    return {"get": found}


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _paths(layer: Layer, audience: Audience) -> Json:
    root, tags, label = f"/collections/{layer.id}", [layer.id], title(layer)
    shared = [_ref("parameters", name) for name in ("limit", "bbox", "datetime", "offset", "after")]
    own = [_queryable(field) for field in queryables(layer, audience)]
    found = {
        root: _get(f"{layer.id}.collection", label, "Collection", tags),
        f"{root}/queryables": _get(
            f"{layer.id}.queryables", f"{label}：可筛选字段 · queryables", "Schema", tags
        ),
        f"{root}/schema": _get(f"{layer.id}.schema", f"{label}：字段 · schema", "Schema", tags),
        f"{root}/items": _get(
            f"{layer.id}.items", f"{label}：要素 · features", "Features", tags, [*shared, *own]
        ),
        f"{root}/items/{{featureId}}": _get(
            f"{layer.id}.feature",
            f"{label}：单个要素 · one feature",
            "Feature",
            tags,
            [_ref("parameters", "featureId")],
            ("400", "404", "406"),
        ),
    }
    found[root]["get"]["description"] = description(layer)
    return found


def _queryable(field: Field) -> Json:
    schema: Json = dict(JSON_TYPES[field.type])
    if field.values:
        schema["enum"] = [value.value for value in field.values]
    if field.unit:
        schema["x-ogc-unit"] = field.unit
    return {
        "name": field.name,
        "in": "query",
        "description": f"{field.title.zh} · {field.title.en}",
        "required": False,
        "schema": schema,
        "style": "form",
        "explode": False,
    }


def _parameter(name: str, text: str, schema: Json, where: str = "query") -> Json:
    style = {"style": "form", "explode": False} if where == "query" else {"style": "simple"}
    return {
        "name": name,
        "in": where,
        "description": text,
        "required": where == "path",
        "schema": schema,
        **style,
    }


PARAMETERS: Json = {
    # QGIS reads its page size from components.parameters.limit.
    "limit": _parameter(
        "limit",
        "每页最多要素数，超出最大值时按最大值 · Features a page at most; more than the maximum is cut",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    "bbox": _parameter(
        "bbox",
        "CRS84 范围：西,南,东,北(或含高程的6个数)，西大于东时跨180°经线 · West, south, east, north in CRS84, "
        "or 6 numbers with heights; west beyond east crosses 180°",
        {
            "type": "array",
            "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
            "items": {"type": "number"},
        },
    ),
    "datetime": _parameter(
        "datetime",
        "RFC 3339 时间，或闭区间 起/止(.. 为无界) · An RFC 3339 date-time, or a closed interval start/end (.. is open)",
        {"type": "string"},
    ),
    "offset": _parameter(
        "offset",
        "跳过的要素数；翻页请用 next 链接 · Features to skip; to page, follow the next links",
        {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
    ),
    "after": _parameter(
        "after",
        "从此标识之后开始，由 next 链接给出 · Begin after this id; given by next links",
        {"type": "integer"},
    ),
    "f": _parameter(
        "f", "格式，优先于 Accept · Format; goes before Accept", {"type": "string", "enum": ["json", "html"]}
    ),
    "featureId": _parameter("featureId", "要素标识 · Id of the feature", {"type": "string"}, "path"),
}
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
    "ETag": {"description": "内容标识 · Tag of the content", "schema": {"type": "string"}},
    "Link": {"description": "RFC 8288", "schema": {"type": "string"}},
}


def _response(text: str, machine: str, schema: Json) -> Json:
    return {
        "description": text,
        "headers": {"ETag": _ref("headers", "ETag"), "Link": _ref("headers", "Link")},
        "content": {machine: {"schema": schema}, HTML: {"schema": {"type": "string"}}},
    }


RESPONSES: Json = {
    "LandingPage": _response("首页 · The landing page", JSON, _ref("schemas", "LandingPage")),
    "Conformance": _response("符合的标准 · Conformance classes", JSON, _ref("schemas", "Conformance")),
    "Definition": _response("接口定义 · The API definition", OPENAPI, {"type": "object"}),
    "Collections": _response("图层 · The collections", JSON, _ref("schemas", "Collections")),
    "Collection": _response("一个图层 · One collection", JSON, _ref("schemas", "Collection")),
    "Schema": _response("字段的 JSON Schema · JSON Schema of the fields", SCHEMA, {"type": "object"}),
    "Features": _response("一页要素 · A page of features", GEOJSON, _ref("schemas", "FeatureCollection")),
    "Feature": _response("一个要素 · One feature", GEOJSON, _ref("schemas", "Feature")),
    "NotModified": {"description": "内容未变 · What the client has is still true"},
}
ERRORS: Json = {
    f"Problem{status}": {"description": text, "content": {PROBLEM: {"schema": _ref("schemas", "Problem")}}}
    for status, text in {
        "400": "参数有误 · A parameter is unknown or has a bad value",
        "401": "需要登录 · Log in first",
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
