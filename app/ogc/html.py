"""The pages: quiet, Chinese first, without scripts and without any other host."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from app.ogc.documents import TITLE, description, title
from app.ogc.links import Addresses, Link
from app.ogc.pages import Crumb, rendered
from app.ogc.parameters import queryables
from app.ogc.sketch import Sketch, sketch
from app.ogc.store import Page
from layers.derive.queryables import Kind
from layers.model import Audience, Field, Layer


def _crumbs(at: Addresses, layer: Layer | None = None, *, items: bool = False) -> list[Crumb]:
    found = [Crumb("水图 · Shuitu", at.to(f="html"))]
    if layer is not None:
        found.append(Crumb("图层 · Collections", at.to("collections", f="html")))
        found.append(Crumb(title(layer), at.to("collections", layer.id, f="html")))
    if layer is not None and items:
        found.append(Crumb("要素 · Features", at.to("collections", layer.id, "items", f="html")))
    return found


def landing(made: Mapping[str, Any], links: list[Link]) -> bytes:
    return rendered("landing", TITLE, (), links, text=made["description"])


def conformance(at: Addresses, made: Mapping[str, Any], links: list[Link]) -> bytes:
    return rendered(
        "conformance", "符合的标准 · Conformance classes", _crumbs(at), links, classes=made["conformsTo"]
    )


def definition(at: Addresses, made: Mapping[str, Any], links: list[Link]) -> bytes:
    operations = [
        (method.upper(), path, operation)
        for path, found in made["paths"].items()
        for method, operation in found.items()
        if method in ("get", "post", "put", "patch", "delete")
    ]
    return rendered(
        "definition",
        "接口说明 · The API",
        _crumbs(at),
        links,
        operations=operations,
        server=made["servers"][0]["url"],
        parameters=list(made["components"]["parameters"].values()),
    )


def collections(at: Addresses, made: Mapping[str, Any], links: list[Link]) -> bytes:
    rows = [
        (one["title"], one["description"], at.to("collections", one["id"], f="html"))
        for one in made["collections"]
    ]
    return rendered("collections", "图层 · Collections", _crumbs(at), links, rows=rows)


def collection(
    at: Addresses, layer: Layer, audience: Audience, made: Mapping[str, Any], links: list[Link]
) -> bytes:
    extent = made.get("extent", {})
    return rendered(
        "collection",
        title(layer),
        _crumbs(at, layer)[:-1],
        links,
        text=description(layer),
        box=extent.get("spatial", {}).get("bbox", [None])[0],
        times=extent.get("temporal", {}).get("interval", [None])[0],
        fields=layer.fields_for(audience),
        filters={field.name for field in queryables(layer, audience)},
        items=at.to("collections", layer.id, "items", f="html"),
    )


KINDS = {
    "schema": "字段 · Schema",
    "queryables": "可筛选字段 · Queryables",
    "sortables": "可排序字段 · Sortables",
}


def fields(at: Addresses, layer: Layer, audience: Audience, links: list[Link], kind: Kind) -> bytes:
    filters = queryables(layer, audience)
    return rendered(
        "fields",
        f"{title(layer)}：{KINDS[kind]}",
        _crumbs(at, layer),
        links,
        fields=layer.fields_for(audience) if kind == "schema" else filters,
        lists=layer.lists_for(audience) if kind == "queryables" else (),
        filters={field.name for field in filters},
    )


def functions(at: Addresses, made: Mapping[str, Any], links: list[Link]) -> bytes:
    rows = [
        (
            one["name"],
            ", ".join("/".join(arg["type"]) for arg in one["args"]),
            "/".join(one["returns"]),
            one["description"],
        )
        for one in made["functions"]
    ]
    return rendered("functions", "过滤函数 · Functions for filters", _crumbs(at), links, rows=rows)


def items(at: Addresses, layer: Layer, audience: Audience, page: Page, links: list[Link]) -> bytes:
    features = orjson.loads(orjson.dumps(page.features))
    shown = layer.fields_for(audience)
    rows = [
        (
            feature["id"],
            at.to("collections", layer.id, "items", str(feature["id"]), f="html"),
            [(field, worded(field, feature["properties"][field.name])) for field in shown],
        )
        for feature in features
    ]
    return rendered(
        "items",
        f"{title(layer)}：要素 · Features",
        _crumbs(at, layer),
        links,
        fields=shown,
        rows=rows,
        matched=page.matched,
        following=next((link.href for link in links if link.rel == "next"), None),
        picture=_picture(feature["geometry"] for feature in features),
    )


def item(at: Addresses, layer: Layer, audience: Audience, feature: bytes, links: list[Link]) -> bytes:
    made = orjson.loads(feature)
    label = layer.symbology.label or "name"
    return rendered(
        "item",
        f"{title(layer)} {made['properties'].get(label) or made['id']}",
        _crumbs(at, layer, items=True),
        links,
        rows=[(field, worded(field, made["properties"][field.name])) for field in layer.fields_for(audience)],
        point=made["geometry"]["coordinates"] if layer.source.kind == "point" and made["geometry"] else None,
        picture=_picture([made["geometry"]]),
    )


def _picture(geometries: Iterable[Mapping[str, Any] | None]) -> Sketch | None:
    return sketch([geometry for geometry in geometries if geometry])


def worded(field: Field, value: object) -> str:
    """A value as people read it: codes by their titles, volumes in 万m³."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是 · yes" if value else "否 · no"
    for known in field.values:
        if known.value == value:
            return f"{known.title.zh} · {known.title.en}"
    if field.unit == "m3" and isinstance(value, int | float):
        return f"{value / 10_000:,.4f}".rstrip("0").rstrip(".") + " 万m³"
    if isinstance(value, float):
        return f"{value:,.6g} {field.unit or ''}".strip()
    return str(value)
