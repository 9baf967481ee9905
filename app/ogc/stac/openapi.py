"""The OpenAPI 3.0 definition of the STAC API; nothing in it points to another host."""

from typing import Any

from app import __version__
from app.ogc.openapi import ERRORS, SCHEMAS, SECURITY
from app.ogc.openapi_parameters import parameter
from app.ogc.stac.addresses import StacAddresses
from app.ogc.stac.documents import DESCRIPTION, GEOJSON, JSON, OPENAPI, SCHEMA, TITLE
from app.ogc.stac.search import DEFAULT_LIMIT, MAX_LIMIT

Json = dict[str, Any]


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def definition(at: StacAddresses) -> Json:
    """The whole document."""
    search = [_ref("parameters", name) for name in PARAMETERS]
    items = [
        _ref("parameters", name) for name in PARAMETERS if name not in ("ids", "collections", "intersects")
    ]
    paths = {
        "/": _get("landing", "目录 · The catalogue", JSON),
        "/conformance": _get("conformance", "符合的标准 · Conformance classes", JSON),
        "/api": _get("definition", "接口定义 · This definition", OPENAPI),
        "/queryables": _get("queryables", "可筛选字段 · Queryables", SCHEMA),
        "/collections": _get("collections", "影像集 · Collections", JSON),
        "/collections/{collectionId}": _get(
            "collection", "一个影像集 · One collection", JSON, [ID["collectionId"]]
        ),
        "/collections/{collectionId}/queryables": _get(
            "collectionQueryables", "可筛选字段 · Queryables", SCHEMA, [ID["collectionId"]]
        ),
        "/collections/{collectionId}/items": _get(
            "items", "影像 · Items", GEOJSON, [ID["collectionId"], *items]
        ),
        "/collections/{collectionId}/items/{featureId}": _get(
            "item", "一景影像 · One item", GEOJSON, [ID["collectionId"], ID["featureId"]]
        ),
        "/search": {**_get("search", "检索 · Search", GEOJSON, search), **_post()},
    }
    return {
        "openapi": "3.0.3",
        "info": {
            "title": TITLE,
            "description": DESCRIPTION,
            "version": __version__,
            "license": {"name": "Apache-2.0"},
        },
        "servers": [{"url": at.plain()}],
        "paths": paths,
        "security": [{}, {"key": []}, {"keyInQuery": []}, {"bearer": []}, {"session": []}],
        "components": {
            "parameters": PARAMETERS,
            "schemas": {"Problem": SCHEMAS["Problem"]},
            "responses": ERRORS,
            "securitySchemes": SECURITY,
        },
    }


def _get(name: str, summary: str, media: str, parameters: list[Json] | None = None) -> Json:
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "parameters": parameters or [],
            "responses": _responses(media),
        }
    }


def _post() -> Json:
    body = {"content": {JSON: {"schema": {"type": "object", "properties": BODY}}}}
    return {
        "post": {
            "operationId": "postSearch",
            "summary": "检索 · Search",
            "requestBody": body,
            "responses": _responses(GEOJSON),
        }
    }


def _responses(media: str) -> Json:
    found: Json = {"200": {"description": "OK", "content": {media: {"schema": {"type": "object"}}}}}
    return found | {
        status: _ref("responses", f"Problem{status}") for status in ("400", "401", "404", "406", "503")
    }


TEXTS: Json = {"type": "array", "items": {"type": "string"}}
BOX: Json = {
    "type": "array",
    "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
    "items": {"type": "number"},
}
LIMIT: Json = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
TEXT: Json = {"type": "string"}
ID = {
    name: {"name": name, "in": "path", "required": True, "schema": TEXT, "style": "simple"}
    for name in ("collectionId", "featureId")
}
PARAMETERS: Json = {
    "limit": parameter("limit", "每页最多 · Items a page at most", LIMIT),
    "bbox": parameter("bbox", "CRS84 范围 · Box in CRS84", BOX),
    "datetime": parameter("datetime", "时间或闭区间 · Date-time or closed interval", TEXT),
    "intersects": parameter("intersects", "GeoJSON 几何 · GeoJSON geometry", TEXT),
    "ids": parameter("ids", "影像编号 · Ids of items", TEXTS),
    "collections": parameter("collections", "影像集 · Collections", TEXTS),
    "sortby": parameter("sortby", "排序，-为降序 · Order; - is descending", TEXTS),
    "fields": parameter("fields", "返回的字段，-为排除 · Fields; - leaves out", TEXTS),
    "filter": parameter("filter", "CQL2", TEXT),
    "filter-lang": parameter("filter-lang", "CQL2", {"type": "string", "enum": ["cql2-text", "cql2-json"]}),
    "filter-crs": parameter("filter-crs", "过滤几何的坐标系 · CRS of geometries in the filter", TEXT),
    "token": parameter("token", "由 next 链接给出 · Given by next links", TEXT),
}
BODY: Json = {
    "limit": LIMIT,
    "bbox": {"type": "array", "items": {"type": "number"}},
    "datetime": TEXT,
    "intersects": {"type": "object"},
    "ids": TEXTS,
    "collections": TEXTS,
    "sortby": {"type": "array", "items": {"type": "object"}},
    "fields": {"type": "object"},
    "filter": {"type": "object"},
    "filter-lang": TEXT,
    "filter-crs": TEXT,
    "token": TEXT,
}
