"""OGC API – Features, and the documents that all parts share: landing page, conformance, definition, collections."""

import orjson
from fastapi import APIRouter

from app.errors import NotFound
from app.ogc import documents, html, openapi, parameters
from app.ogc.answering import Answer, Asked, document, resource
from app.ogc.links import as_json
from app.ogc.negotiate import DEFINITION, DOCUMENT, FEATURES, QUERYABLES
from layers import catalog

router = APIRouter()


@resource(router, "", DOCUMENT)
@resource(router, "/", DOCUMENT)
async def landing(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    made, links = documents.landing(asked.at, asked.media, asked.parts, asked.viewer.audience)
    return Answer(html.landing(made, links), links) if asked.html else document(made, links)


@resource(router, "/conformance", DOCUMENT)
async def conformance(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    made, links = documents.conformance(asked.at, asked.media, asked.parts)
    return Answer(html.conformance(asked.at, made, links), links) if asked.html else document(made, links)


@resource(router, "/api", DEFINITION)
async def definition(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    audience = asked.viewer.audience
    made = openapi.definition(asked.at, catalog.visible_to(audience), audience, asked.parts)
    links = documents.both(asked.at, asked.media, DEFINITION.machine, "api")
    return Answer(html.definition(asked.at, made, links), links) if asked.html else document(made, links)


@resource(router, "/collections", DOCUMENT)
async def collections(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    found = [
        (layer, await asked.store.extent_of(layer, asked.viewer))
        for layer in reversed(catalog.visible_to(asked.viewer.audience))
    ]
    made, links = documents.collections(asked.at, asked.media, found, asked.parts, asked.viewer.audience)
    return Answer(html.collections(asked.at, made, links), links) if asked.html else document(made, links)


@resource(router, "/collections/{layer}", DOCUMENT)
async def collection(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    layer, audience = asked.layer(), asked.viewer.audience
    extent = await asked.store.extent_of(layer, asked.viewer)
    made, links = documents.collection(asked.at, asked.media, layer, extent, asked.parts, audience)
    if asked.html:
        return Answer(html.collection(asked.at, layer, audience, made, links), links)
    return document(made, links)


@resource(router, "/collections/{layer}/queryables", QUERYABLES)
async def queryables(asked: Asked) -> Answer:
    return _fields(asked, only_filters=True)


@resource(router, "/collections/{layer}/schema", QUERYABLES)
async def schema(asked: Asked) -> Answer:
    return _fields(asked, only_filters=False)


def _fields(asked: Asked, *, only_filters: bool) -> Answer:
    parameters.only(asked.request.query_params, ())
    layer, audience = asked.layer(), asked.viewer.audience
    made, links = documents.fields(asked.at, asked.media, layer, audience, only_filters=only_filters)
    if asked.html:
        page = html.fields(asked.at, layer, audience, links, only_filters=only_filters)
        return Answer(page, links)
    return document(made, links)


@resource(router, "/collections/{layer}/items", FEATURES)
async def items(asked: Asked) -> Answer:
    layer = asked.layer()
    query = parameters.items_query(layer, asked.viewer.audience, asked.request.query_params)
    page = await asked.store.page(layer, asked.viewer, query)
    here = {"after": query.after, "offset": query.offset or None}
    links = documents.items_links(asked.at, asked.media, layer, query.given, here, page.last)
    if asked.html:
        return Answer(html.items(asked.at, layer, asked.viewer.audience, page, links), links)
    numbers = {} if page.matched is None else {"numberMatched": page.matched}
    tail = orjson.dumps({"links": as_json(links), **numbers, "numberReturned": len(page.features)})
    # The features are GeoJSON text already: they are joined, never parsed.
    body = '{"type":"FeatureCollection","features":[' + ",".join(page.features) + "],"
    return Answer(body.encode() + tail[1:], links)


@resource(router, "/collections/{layer}/items/{feature}", FEATURES)
async def item(asked: Asked) -> Answer:
    layer = asked.layer()
    parameters.only(asked.request.query_params, ())
    name = asked.request.path_params["feature"]
    known = parameters.WHOLE.fullmatch(name) and -(2**63) <= int(name) < 2**63
    found = await asked.store.feature(layer, asked.viewer, int(name)) if known else None
    if found is None:
        raise NotFound(f"图层 {layer.id} 没有要素 {name[:60]!r} (no such feature, or none that you may see)")
    links = documents.item_links(asked.at, asked.media, layer, int(name))
    if asked.html:
        return Answer(html.item(asked.at, layer, asked.viewer.audience, found, links), links)
    body = found[:-1].encode() + b',"links":' + orjson.dumps(as_json(links)) + b"}"
    return Answer(body, links)
