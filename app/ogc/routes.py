"""OGC API – Features, and the documents that all parts share: landing page, conformance, definition, collections."""

from fastapi import APIRouter

from app.ogc import documents, editing, html, items, openapi, parameters
from app.ogc.answering import Answer, Asked, document, resource
from app.ogc.negotiate import COLLECTION_OF_FEATURES, DEFINITION, DOCUMENT, FEATURE, QUERYABLES
from layers import catalog
from layers.cql2 import functions
from layers.derive.queryables import Kind

router = APIRouter()

# First, for addresses are compared one after the other, and these are asked for most.
resource(
    router,
    "/collections/{layer}/items",
    COLLECTION_OF_FEATURES,
    writers={"POST": editing.create},
    allowed=editing.allowed_on_items,
    accepted={"POST": ", ".join(editing.WHOLE)},
)(items.page)
resource(
    router,
    "/collections/{layer}/items/{feature}",
    FEATURE,
    writers={"PUT": editing.replace, "PATCH": editing.update, "DELETE": editing.delete},
    allowed=editing.allowed_on_item,
    accepted={"PATCH": editing.MERGE_PATCH},
)(items.feature)


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


@resource(router, "/functions", DOCUMENT)
async def custom_functions(asked: Asked) -> Answer:
    """The functions that filters may call (OGC 19-079r2, get-functions-operation)."""
    parameters.only(asked.request.query_params, ())
    made, links = documents.functions(asked.at, asked.media, functions.listed())
    return Answer(html.functions(asked.at, made, links), links) if asked.html else document(made, links)


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
    return _fields(asked, "queryables")


@resource(router, "/collections/{layer}/sortables", QUERYABLES)
async def sortables(asked: Asked) -> Answer:
    return _fields(asked, "sortables")


@resource(router, "/collections/{layer}/schema", QUERYABLES)
async def schema(asked: Asked) -> Answer:
    """What is returned and received; with `type`, what a feature must be to be written."""
    kind = asked.request.query_params.get("type")
    if kind is None:
        return _fields(asked, "schema")
    parameters.only(asked.request.query_params, ("type",))
    layer = asked.layer()
    made, links = documents.write_schema(asked.at, layer, kind)
    return document(made, links)


def _fields(asked: Asked, kind: Kind) -> Answer:
    parameters.only(asked.request.query_params, ())
    layer, audience = asked.layer(), asked.viewer.audience
    made, links = documents.fields(asked.at, asked.media, layer, audience, kind)
    if asked.html:
        return Answer(html.fields(asked.at, layer, audience, links, kind), links)
    return document(made, links)
