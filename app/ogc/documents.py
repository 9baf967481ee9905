"""The JSON documents: landing page, conformance, collections, queryables and schemas."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.errors import NotFound
from app.ogc.asking import ItemsQuery
from app.ogc.links import Addresses, Link, as_json
from app.ogc.negotiate import (
    COLLECTION_OF_FEATURES,
    FEATURE,
    GEOJSON,
    HTML,
    JSON,
    OPENAPI,
    SCHEMA,
    TABLES,
    Formats,
)  # fmt: skip
from app.ogc.parameters import refused
from app.ogc.part import Part, classes
from app.ogc.store import Extent
from layers.crs import CGCS2000, Crs, covering
from layers.derive.queryables import Kind, feature_schema, schema
from layers.model import Audience, Layer

TITLE = "水图：取水口“一张图” · Shuitu, the one map of water intakes"
DESCRIPTION = (
    "取水口、取水许可、管控指标及遥感疑似线索。所见内容取决于账号的角色与辖区。 "
    "Water intakes, abstraction permits, control indicators and findings from imagery. "
    "What you see depends on the role and the jurisdiction of your account."
)
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
GREGORIAN = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"
SORTABLES = "http://www.opengis.net/def/rel/ogc/1.0/sortables"
FUNCTIONS = "http://www.opengis.net/def/rel/ogc/1.0/functions"
JSON_FG = "http://www.opengis.net/spec/json-fg-1/1.0/conf"
QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
SCHEMA_REL = "http://www.opengis.net/def/rel/ogc/1.0/schema"
CONFORMANCE = "http://www.opengis.net/def/rel/ogc/1.0/conformance"
DATA = "http://www.opengis.net/def/rel/ogc/1.0/data"
MVT = "application/vnd.mapbox-vector-tile"


def title(layer: Layer) -> str:
    return f"{layer.title.zh} · {layer.title.en}"


def description(layer: Layer) -> str:
    return f"{layer.description.zh} {layer.description.en}"


def both(at: Addresses, sent: str, machine: str, *path: str, **parameters: object) -> list[Link]:
    """`self` and `alternate`: this representation, and the other one."""
    found = []
    for kind, f in ((machine, "json"), (HTML, "html")):
        rel = "self" if kind == sent else "alternate"
        label = "本页 · This document" if rel == "self" else f"另一种格式 · As {f.upper()}"
        found.append(Link(at.with_query(path, {**parameters, "f": f}), rel, kind, label))
    return sorted(found, key=lambda link: link.rel != "self")


def representations(
    at: Addresses, sent: str, formats: Formats, *path: str, **parameters: object
) -> list[Link]:
    """`self` and an `alternate` for every other form."""
    found = []
    for f, kind in formats.by_name().items():
        rel = "self" if kind == sent else "alternate"
        label = "本页 · This document" if rel == "self" else f"另一种格式 · As {f}"
        found.append(Link(at.with_query(path, {**parameters, "f": f}), rel, kind, label))
    return sorted(found, key=lambda link: link.rel != "self")


def landing(
    at: Addresses, sent: str, parts: Sequence[Part], audience: Audience
) -> tuple[dict[str, Any], list[Link]]:
    """The landing page (req/core/root-success)."""
    links = [
        *both(at, sent, JSON),
        Link(at.to("api"), "service-desc", OPENAPI, "接口定义 · The API definition"),
        Link(at.to("api", f="html"), "service-doc", HTML, "接口说明 · The API documentation"),
        Link(at.to("conformance"), "conformance", JSON, "符合的标准 · Conformance classes"),
        Link(at.to("conformance"), CONFORMANCE, JSON, "符合的标准 · Conformance classes"),
        Link(at.to("collections"), "data", JSON, "图层 · Collections"),
        Link(at.to("collections"), DATA, JSON, "图层 · Collections"),
        Link(at.to("functions"), FUNCTIONS, JSON, "过滤函数 · Functions for filters"),
        *(link for part in parts for link in part.landing(at, audience)),
    ]
    body: dict[str, Any] = {"title": TITLE, "description": DESCRIPTION, "conformsTo": classes(parts)}
    for part in parts:
        body |= part.members
    return {**body, "links": as_json(links)}, links


def conformance(at: Addresses, sent: str, parts: Sequence[Part]) -> tuple[dict[str, Any], list[Link]]:
    links = both(at, sent, JSON, "conformance")
    return {"conformsTo": classes(parts), "links": as_json(links)}, links


def collections(
    at: Addresses,
    sent: str,
    found: Iterable[tuple[Layer, Extent]],
    parts: Sequence[Part],
    audience: Audience,
) -> tuple[dict[str, Any], list[Link]]:
    links = both(at, sent, JSON, "collections")
    members = [collection(at, None, layer, extent, parts, audience)[0] for layer, extent in found]
    return {"links": as_json(links), "collections": members}, links


def collection(
    at: Addresses,
    sent: str | None,
    layer: Layer,
    extent: Extent,
    parts: Sequence[Part],
    audience: Audience,
) -> tuple[dict[str, Any], list[Link]]:
    """One collection; `sent` None where it stands in the list (then `self` is its JSON)."""
    path = ("collections", layer.id)
    links = [
        *both(at, sent or JSON, JSON, *path),
        Link(at.to(*path, "items"), "items", GEOJSON, "要素 · Features"),
        *(
            Link(at.to(*path, "items", f=f), "items", media, f"要素 · Features ({f})")
            for f, media in COLLECTION_OF_FEATURES.by_name().items()
            if media != GEOJSON
        ),
        # GDAL 3.6 knows the short relation only, newer clients the registered one.
        Link(at.to(*path, "queryables"), "queryables", SCHEMA, "可筛选字段 · Queryables"),
        Link(at.to(*path, "queryables"), QUERYABLES, SCHEMA, "可筛选字段 · Queryables"),
        Link(at.to(*path, "sortables"), SORTABLES, SCHEMA, "可排序字段 · Sortables"),
        Link(at.to(*path, "schema"), "describedby", SCHEMA, "字段 · Schema"),
        Link(at.to(*path, "schema"), SCHEMA_REL, SCHEMA, "字段 · Schema"),
        *(link for part in parts for link in part.collection(at, layer, audience)),
    ]
    body: dict[str, Any] = {
        "id": layer.id,
        "title": title(layer),
        "description": description(layer),
        "itemType": "feature",
        "crs": [crs.uri for crs in covering(extent.box)],
        "storageCrs": CGCS2000.uri,
        "links": as_json(links),
    }
    if (covered := _extent(extent)) is not None:
        body["extent"] = covered
    return body, links


def _extent(extent: Extent) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    if extent.box is not None:
        found["spatial"] = {"bbox": [[round(edge, 7) for edge in extent.box]], "crs": CRS84}
    if extent.times is not None:
        interval = [moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in extent.times]
        found["temporal"] = {"interval": [interval], "trs": GREGORIAN}
    return found or None


def functions(
    at: Addresses, sent: str, listed: Sequence[Mapping[str, object]]
) -> tuple[dict[str, Any], list[Link]]:
    """The functions that filters may call."""
    links = both(at, sent, JSON, "functions")
    return {"functions": list(listed), "links": as_json(links)}, links


def fields(
    at: Addresses, sent: str, layer: Layer, audience: Audience, kind: Kind
) -> tuple[dict[str, Any], list[Link]]:
    """The schema of a collection (all fields), or its queryables or sortables (those one may filter or sort by)."""
    path = ("collections", layer.id, kind)
    body = schema(layer, audience, at.plain(*path), kind=kind)
    return body, [
        *both(at, sent, SCHEMA, *path),
        Link(at.to("collections", layer.id), "collection", JSON, "所属图层 · The collection"),
    ]


def write_schema(at: Addresses, layer: Layer, purpose: str) -> tuple[dict[str, Any], list[Link]]:
    """What a feature must be to be written (Part 4, representation-geojson-replace).

    Raises InvalidInput for an unknown purpose, NotFound for a layer that is not edited here.
    """
    if purpose not in ("create", "replace", "update"):
        raise refused("type", purpose, " create、replace 或 update", "create, replace or update")
    if not layer.receivable:
        raise NotFound(f"图层 {layer.id} 不在这里修改 (this collection is not edited here)")
    path = ("collections", layer.id, "schema")
    links = [
        Link(at.to(*path, type=purpose), "self", SCHEMA, "本页 · This document"),
        Link(at.to("collections", layer.id), "collection", JSON, "所属图层 · The collection"),
    ]
    return feature_schema(layer, patch=purpose == "update"), links


def items_links(
    at: Addresses, sent: str, layer: Layer, query: ItemsQuery, asked: Mapping[str, str], after: str | None
) -> list[Link]:
    """`self`, `alternate`, `next` if there is more, `collection`. `asked` says where this page begins."""
    path = ("collections", layer.id, "items")
    chosen = dict(query.given)
    here = {name: asked[name] for name in ("after", "offset") if name in asked}
    links = representations(at, sent, COLLECTION_OF_FEATURES, *path, **chosen, **here)
    if query.after is not None and query.after.key is not None:  # files are in the order of ids
        links = [link for link in links if link.type not in TABLES]
    if after is not None:
        following = at.with_query(path, {**chosen, "after": after, "f": _name_of(sent)})
        links.append(Link(following, "next", sent, "下一页 · Next page"))
    links.append(Link(at.to("collections", layer.id), "collection", JSON, "所属图层 · The collection"))
    return links


def item_links(at: Addresses, sent: str, layer: Layer, identifier: int, query: ItemsQuery) -> list[Link]:
    path = ("collections", layer.id, "items", str(identifier))
    return [
        *representations(at, sent, FEATURE, *path, **dict(query.given)),
        Link(at.to("collections", layer.id), "collection", JSON, "所属图层 · The collection"),
    ]


def _name_of(media: str) -> str:
    return next(f for f, kind in COLLECTION_OF_FEATURES.by_name().items() if kind == media)


def filename(layer: Layer, media: str) -> str:
    """What a browser should call a downloaded collection."""
    assert media in TABLES  # noqa: S101 - the other forms are shown, not saved
    return f"{layer.id}.{_name_of(media)}"


def crs_header(crs: Crs) -> dict[str, str]:
    """Part 2, ogc-crs-header: the system of the coordinates in the body."""
    return {"Content-Crs": f"<{crs.uri}>"}


def json_fg_root(layer: Layer, crs: Crs) -> dict[str, Any]:
    """Members that only the outermost object of JSON-FG has."""
    return {
        "conformsTo": [f"{JSON_FG}/core", f"{JSON_FG}/types-schemas"],
        "featureType": layer.id,
        "coordRefSys": crs.uri,
    }
