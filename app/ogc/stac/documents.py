"""Landing page, conformance, collection, queryables and pages of items."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from app.ogc.links import Link, as_json
from app.ogc.stac import search
from app.ogc.stac.addresses import StacAddresses, root_links
from app.ogc.stac.items import COLLECTION, EXTENSIONS, STAC_VERSION, instant
from app.ogc.stac.search import Found, Query

Json = dict[str, Any]
JSON, GEOJSON, SCHEMA = "application/json", "application/geo+json", "application/schema+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
STAC = "https://api.stacspec.org/v1.0.0"
OGC = "http://www.opengis.net/spec"
QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
CLASSES = (
    f"{STAC}/core",
    f"{STAC}/collections",
    f"{STAC}/ogcapi-features",
    f"{STAC}/ogcapi-features#sort",
    f"{STAC}/ogcapi-features#fields",
    f"{STAC}/item-search",
    f"{STAC}/item-search#sort",
    f"{STAC}/item-search#fields",
    f"{STAC}/item-search#filter",
    *(f"{OGC}/ogcapi-features-1/1.0/conf/{name}" for name in ("core", "geojson", "oas30")),
    *(f"{OGC}/ogcapi-features-3/1.0/conf/{name}" for name in ("filter", "features-filter")),
    *(
        f"{OGC}/cql2/1.0/conf/{name}"
        for name in (
            "cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators", "basic-spatial-functions",
            "basic-spatial-functions-plus", "spatial-functions", "temporal-functions", "property-property",
        )
    ),
)  # fmt: skip
TITLE = "水图影像目录 · Shuitu, the catalogue of scenes"
DESCRIPTION = "已登记的遥感影像(登录后可见)。 Satellite scenes on file, for those who are logged in: by area, time and cloud cover."


def landing(at: StacAddresses, *, shown: bool) -> tuple[Json, list[Link]]:
    """The catalogue; `shown` tells whether the caller sees its scenes."""
    links = [
        Link(at.to(), "self", JSON, TITLE),
        *root_links(at),
        Link(at.to("api"), "service-desc", OPENAPI, "接口定义 · The API definition"),
        Link(at.to("api", f="html"), "service-doc", "text/html", "接口说明 · The API documentation"),
        Link(at.to("conformance"), "conformance", JSON, "符合的标准 · Conformance classes"),
        Link(at.to("collections"), "data", JSON, "影像集 · Collections"),
        Link(at.to("queryables"), QUERYABLES, SCHEMA, "可筛选字段 · Queryables"),
    ]
    if shown:
        links.append(Link(at.to("collections", COLLECTION), "child", JSON, "遥感影像 · Scenes"))
    found = as_json(links)
    for method in ("GET", "POST"):
        found.append(
            {
                "rel": "search",
                "type": GEOJSON,
                "href": at.to("search"),
                "method": method,
                "title": "检索 · Search",
            }
        )
    made = {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": "shuitu",
        "title": TITLE,
        "description": DESCRIPTION,
        "conformsTo": list(CLASSES),
        "links": found,
    }
    return made, links


def conformance(at: StacAddresses) -> tuple[Json, list[Link]]:
    links = [Link(at.to("conformance"), "self", JSON), *root_links(at)]
    return {"conformsTo": list(CLASSES), "links": as_json(links)}, links


def collections(at: StacAddresses, found: Iterable[Json]) -> tuple[Json, list[Link]]:
    links = [Link(at.to("collections"), "self", JSON), *root_links(at)]
    return {"collections": list(found), "links": as_json(links)}, links


def collection(at: StacAddresses, covered: Mapping[str, Any]) -> tuple[Json, list[Link]]:
    """The one collection; `covered` holds what its scenes cover and which there are."""
    path = ("collections", COLLECTION)
    links = [
        Link(at.to(*path), "self", JSON),
        Link(at.to(), "parent", JSON, TITLE),
        *root_links(at),
        Link(at.to(*path, "items"), "items", GEOJSON, "影像 · Items"),
        Link(at.to(*path, "queryables"), QUERYABLES, SCHEMA, "可筛选字段 · Queryables"),
    ]
    box = covered["box"] or (-180.0, -90.0, 180.0, 90.0)
    times: Iterable[datetime | None] = (covered["first"], covered["last"])
    made = {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": EXTENSIONS[:1],
        "id": COLLECTION,
        "title": "遥感影像 · Satellite scenes",
        "description": DESCRIPTION,
        "license": "other",
        "extent": {
            "spatial": {"bbox": [[round(edge, 7) for edge in box]]},
            "temporal": {"interval": [[None if one is None else instant(one) for one in times]]},
        },
        "summaries": {"instruments": covered["sensors"]},
        "links": as_json(links),
    }
    return made, links


def queryables(at: StacAddresses, path: tuple[str, ...]) -> tuple[Json, list[Link]]:
    """What one may filter by (JSON Schema)."""
    links = [Link(at.to(*path, "queryables"), "self", SCHEMA), *root_links(at)]
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": at.plain(*path, "queryables"),
        "type": "object",
        "title": "可筛选字段 · Queryables",
        "properties": PROPERTIES,
        "additionalProperties": False,
    }
    return made, links


PROPERTIES: Json = {
    "id": {"title": "影像编号 · Item id", "type": "string"},
    "collection": {"title": "影像集 · Collection", "type": "string", "enum": [COLLECTION]},
    "geometry": {
        "title": "覆盖范围 · Footprint",
        "format": "geometry-polygon",
        "x-ogc-role": "primary-geometry",
    },
    "datetime": {"title": "成像时间 · Acquired", "type": "string", "format": "date-time"},
    "created": {"title": "登记时间 · Filed", "type": "string", "format": "date-time"},
    "title": {"title": "名称 · Title", "type": "string"},
    "instruments": {"title": "传感器 · Sensor", "type": "string"},
    "gsd": {"title": "分辨率 · Ground sample distance", "type": "number", "x-ogc-unit": "m"},
    "eo:cloud_cover": {
        "title": "云量 · Cloud cover",
        "type": "number",
        "minimum": 0,
        "maximum": 100,
        "x-ogc-unit": "%",
    },
    "shuitu:generated": {"title": "示例数据 · Generated data", "type": "boolean"},
}


PAGES = {"next": "下一页 · Next page", "prev": "上一页 · Previous page"}


def page(
    at: StacAddresses,
    path: tuple[str, ...],
    query: Query,
    found: Found,
    items: list[Json],
    parameters: Mapping[str, str] | None,
) -> tuple[Json, list[Link]]:
    """An ItemCollection; `parameters` are those of a GET, None of a POST.

    Other pages of a POST are asked by POST, with the whole body and a token.
    """
    links = [*root_links(at)]
    members: list[Json] = []
    if path[0] == "collections":
        links.append(Link(at.to("collections", COLLECTION), "collection", JSON))
    tokens = {}
    if found.more:
        tokens["next"] = search.token(query.skip + len(found.rows))
    if query.skip:
        tokens["prev"] = search.token(max(0, query.skip - query.limit))
    if parameters is None:
        posted = {"type": GEOJSON, "href": at.to(*path), "method": "POST"}
        members.append({"rel": "self", **posted})
        for rel, token in tokens.items():
            members.append({"rel": rel, **posted, "body": {**query.given, "token": token}, "merge": False})
    else:
        here = {**parameters, "token": search.token(query.skip)} if query.skip else parameters
        links.append(Link(at.with_query(path, here), "self", GEOJSON))
        for rel, token in tokens.items():
            other = at.with_query(path, {**parameters, "token": token})
            links.append(Link(other, rel, GEOJSON, PAGES[rel]))
    made = {
        "type": "FeatureCollection",
        "features": items,
        "numberMatched": found.matched,
        "numberReturned": len(items),
        "links": [*as_json(links), *members],
    }
    return made, links
