"""The parameters of the API definition, each under components (where QGIS looks for the page size)."""

from typing import Any

from app.ogc.asking import DEFAULT_LIMIT, MAX_DOWNLOAD, MAX_LIMIT, MAX_OFFSET
from app.ogc.negotiate import COLLECTION_OF_FEATURES, DOCUMENT, FEATURE
from layers.cql2 import LANGUAGES

Json = dict[str, Any]


def parameter(name: str, text: str, schema: Json, where: str = "query") -> Json:
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
    "limit": parameter(
        "limit",
        f"每页最多要素数，超出最大值时按最大值；fgb、parquet、csv 可到{MAX_DOWNLOAD}，即整层下载 · Features a page at most; more than the maximum is cut; fgb, parquet and csv take up to {MAX_DOWNLOAD}, a whole collection",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    "bbox": parameter(
        "bbox",
        "CRS84 范围：西,南,东,北(或含高程的6个数)，西大于东时跨180°经线 · West, south, east, north in CRS84, "
        "or 6 numbers with heights; west beyond east crosses 180°",
        {
            "type": "array",
            "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
            "items": {"type": "number"},
        },
    ),
    "datetime": parameter(
        "datetime",
        "RFC 3339 时间，或闭区间 起/止(.. 为无界) · An RFC 3339 date-time, or a closed interval start/end (.. is open)",
        {"type": "string"},
    ),
    "known": parameter(
        "known",
        "按此时刻已知的情况(RFC 3339)；datetime 说明哪一天 · As was known at this moment (RFC 3339); datetime says of which day",
        {"type": "string", "format": "date-time"},
    ),
    "offset": parameter(
        "offset",
        "跳过的要素数；翻页请用 next 链接 · Features to skip; to page, follow the next links",
        {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
    ),
    "after": parameter(
        "after",
        "从此标识之后开始，由 next 链接给出 · Begin after this id; given by next links",
        {"type": "string"},
    ),
    **{
        name: parameter(
            "f",
            "格式，优先于 Accept · Format; goes before Accept",
            {"type": "string", "enum": list(formats.names())},
        )
        for name, formats in (("f", DOCUMENT), ("fFeatures", COLLECTION_OF_FEATURES), ("fFeature", FEATURE))
    },
    "featureId": parameter("featureId", "要素标识 · Id of the feature", {"type": "string"}, "path"),
    "bbox-crs": parameter(
        "bbox-crs",
        "bbox 的坐标系，默认 CRS84 · CRS of bbox, by default CRS84",
        {"type": "string", "format": "uri"},
    ),
    "crs": parameter(
        "crs",
        "所求坐标系，见图层的 crs · CRS wanted: one of the collection's crs",
        {"type": "string", "format": "uri"},
    ),
    "filter": parameter("filter", "CQL2 过滤条件 · A filter in CQL2", {"type": "string"}),
    "filter-lang": parameter(
        "filter-lang",
        "过滤语言 · Language of the filter",
        {"type": "string", "enum": list(LANGUAGES), "default": LANGUAGES[0]},
    ),
    "filter-crs": parameter(
        "filter-crs",
        "过滤条件中几何的坐标系，默认 CRS84 · CRS of the filter's geometries, by default CRS84",
        {"type": "string", "format": "uri-reference"},
    ),
    "skipGeometry": parameter(
        "skipGeometry", "不要几何 · Leave the geometries out", {"type": "boolean", "default": False}
    ),
    "schemaType": parameter(
        "type",
        "写入时要素应满足的模式 · What a feature must be to be written",
        {"type": "string", "enum": ["create", "replace", "update"]},
    ),
    "If-Match": parameter(
        "If-Match", "所改要素的 ETag · ETag of the feature that is changed", {"type": "string"}, "header"
    ),
    "Content-Crs": parameter(
        "Content-Crs",
        "内容所用坐标系，<URI>，默认 CRS84 · CRS of the body, <URI>, by default CRS84",
        {"type": "string"},
        "header",
    ),
}
