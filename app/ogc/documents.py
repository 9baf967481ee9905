"""The JSON documents: landing page, conformance, collections, queryables and schemas."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.ogc.links import Addresses, Link, as_json
from app.ogc.negotiate import GEOJSON, HTML, JSON, OPENAPI, SCHEMA
from app.ogc.part import Part, classes
from app.ogc.store import Extent
from layers.derive.queryables import schema
from layers.model import Audience, Layer

TITLE = "水图：取水口“一张图” · Shuitu, the one map of water intakes"
DESCRIPTION = (
    "取水口、取水许可、管控指标及遥感疑似线索。所见内容取决于账号的角色与辖区。 "
    "Water intakes, abstraction permits, control indicators and findings from imagery. "
    "What you see depends on the role and the jurisdiction of your account."
)
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
GREGORIAN = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"
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
        Link(at.to(*path, "items", f="html"), "items", HTML, "要素 · Features"),
        # GDAL 3.6 knows the short relation only, newer clients the registered one.
        Link(at.to(*path, "queryables"), "queryables", SCHEMA, "可筛选字段 · Queryables"),
        Link(at.to(*path, "queryables"), QUERYABLES, SCHEMA, "可筛选字段 · Queryables"),
        Link(at.to(*path, "schema"), "describedby", SCHEMA, "字段 · Schema"),
        Link(at.to(*path, "schema"), SCHEMA_REL, SCHEMA, "字段 · Schema"),
        *(link for part in parts for link in part.collection(at, layer, audience)),
    ]
    body: dict[str, Any] = {
        "id": layer.id,
        "title": title(layer),
        "description": description(layer),
        "itemType": "feature",
        "crs": [CRS84],
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


def fields(
    at: Addresses, sent: str, layer: Layer, audience: Audience, *, only_filters: bool
) -> tuple[dict[str, Any], list[Link]]:
    """The queryables (those one may filter by) or the schema (all) of a collection."""
    path = ("collections", layer.id, "queryables" if only_filters else "schema")
    body = schema(layer, audience, at.plain(*path), only_filters=only_filters)
    return body, [
        *both(at, sent, SCHEMA, *path),
        Link(at.to("collections", layer.id), "collection", JSON, "所属图层 · The collection"),
    ]


def items_links(
    at: Addresses,
    sent: str,
    layer: Layer,
    given: Iterable[tuple[str, str]],
    here: Mapping[str, object],
    after: int | None,
) -> list[Link]:
    """`self`, `alternate`, `next` if there is more, `collection`. `here` holds where this page begins."""
    path = ("collections", layer.id, "items")
    chosen = dict(given)
    links = both(at, sent, GEOJSON, *path, **chosen, **here)
    if after is not None:
        f = "html" if sent == HTML else "json"
        following = at.with_query(path, {**chosen, "after": after, "f": f})
        links.append(Link(following, "next", sent, "下一页 · Next page"))
    links.append(Link(at.to("collections", layer.id), "collection", JSON, "所属图层 · The collection"))
    return links


def item_links(at: Addresses, sent: str, layer: Layer, identifier: int) -> list[Link]:
    path = ("collections", layer.id, "items", str(identifier))
    return [
        *both(at, sent, GEOJSON, *path),
        Link(at.to("collections", layer.id), "collection", JSON, "所属图层 · The collection"),
    ]
