"""OGC API – Tiles: matrix sets, tilesets of the dataset and of each collection, and their tiles."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.errors import InvalidInput, NotSignedIn
from app.ogc import parameters
from app.ogc.answering import CORS, Answer, Asked, document, refusal, resource, understood
from app.ogc.documents import MVT
from app.ogc.negotiate import DOCUMENT, accepted
from app.ogc.tilesets import documents, pages
from app.ogc.tilesets.documents import TILEJSON, Root
from app.ogc.tilesets.tileset import Tileset, grid_named, joined
from app.ogc.tilesets.times import Interval, interval
from app.requests import preflight
from layers import catalog
from layers.model import Layer
from tiles.address import PUBLIC, Address, BadAddress, Viewer
from tiles.ask import options_of
from tiles.cache import Body
from tiles.matrices import MATRIX_SETS
from tiles.options import BadOption, TileOptions, TooWide
from tiles.packing import packed, takes_gzip
from tiles.server import TileServer, etag_matches

router = APIRouter()
TILESET = DOCUMENT.with_others(tilejson=TILEJSON)
MVT_NAMES = (MVT, "application/x-protobuf", "application/octet-stream", "application/vnd.mapbox-vector-tile")
MOST_COLLECTIONS = 50


@resource(router, "/tileMatrixSets", DOCUMENT)
async def matrix_sets(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    made, links = documents.matrix_sets(asked.at, asked.media, MATRIX_SETS.values())
    return Answer(pages.matrix_sets(asked.at, made, links), links) if asked.html else document(made, links)


@resource(router, "/tileMatrixSets/{tms}", DOCUMENT)
async def matrix_set(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    grid = grid_named(asked.request.path_params["tms"])
    made, links = documents.matrix_set(asked.at, asked.media, grid)
    return Answer(pages.matrix_set(asked.at, made, links), links) if asked.html else document(made, links)


@resource(router, "/tiles", DOCUMENT)
async def of_dataset(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    return _listed(asked, Root.of_dataset())


@resource(router, "/collections/{layer}/tiles", DOCUMENT)
async def of_collection(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    return _listed(asked, Root.of_layer(asked.layer()))


def _listed(asked: Asked, root: Root) -> Answer:
    made, links = documents.tilesets(asked.at, asked.media, root, MATRIX_SETS.values())
    return Answer(pages.tilesets(asked.at, root, made, links), links) if asked.html else document(made, links)


@resource(router, "/tiles/{tms}", TILESET)
async def dataset_tileset(asked: Asked) -> Answer:
    given = parameters.only(asked.request.query_params, ("collections",)).get("collections")
    return await _described(asked, Root.of_dataset(given), _chosen(asked, given))


@resource(router, "/collections/{layer}/tiles/{tms}", TILESET)
async def collection_tileset(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    layer = asked.layer()
    return await _described(asked, Root.of_layer(layer), (layer,))


async def _described(asked: Asked, root: Root, layers: Sequence[Layer]) -> Answer:
    grid = grid_named(asked.request.path_params["tms"])
    boxes = [(await asked.store.extent_of(layer, asked.viewer)).box for layer in layers]
    tiled, audience = Tileset(tuple(layers), grid, joined(boxes)), asked.viewer.audience
    made, links = documents.tileset(asked.at, asked.media, root, tiled, boxes, audience)
    if asked.media == TILEJSON:
        if grid.id != "WebMercatorQuad":
            raise InvalidInput(
                "TileJSON 只能描述 WebMercatorQuad (TileJSON knows only the WebMercatorQuad)", field="f"
            )
        return Answer(orjson.dumps(documents.tilejson(asked.at, root, tiled, audience)), links)
    return Answer(pages.tileset(asked.at, root, made, links), links) if asked.html else document(made, links)


def _chosen(asked: Asked, given: str | None) -> tuple[Layer, ...]:
    """The layers of a dataset's tiles: those named, in that order, or all that the viewer sees.

    A name is that of a collection, or its address (req/collections-selection/query-collections).
    Raises InvalidInput, or NotSignedIn where a log-in would show one.
    """
    if given is None:
        return catalog.visible_to(asked.viewer.audience)
    root, found = asked.at.plain("collections", ""), []
    for name in dict.fromkeys(part.strip() for part in given.split(",")[:MOST_COLLECTIONS]):
        layer = catalog.load().get(name.removeprefix(root))
        if layer is None:
            raise InvalidInput(
                f"collections 中没有图层 {name[:60]!r} (collections names none that is there)",
                field="collections",
                value=name[:60],
                expected=" ".join(one.id for one in catalog.visible_to(asked.viewer.audience)),
            )
        if layer.relation_for(asked.viewer.audience) is None:
            raise NotSignedIn(f"图层 {layer.id} 需要登录 (log in to see this collection)")
        found.append(layer)
    return tuple(found)


ONE_LAYER = ("datetime", "subset", "fields", "filter", "filter-lang")
TILE = "/ogc/tiles/{tms}/{z}/{row}/{column}"
TILE_OF = "/ogc/collections/{layer}/tiles/{tms}/{z}/{row}/{column}"


async def tile(request: Request) -> Response:
    """A tile, of the layers that the path or `collections` names; 204 where it is empty."""
    if request.method == "OPTIONS":
        return _preflight()
    try:
        _negotiate(request)
        asked = await understood(request, MVT)
        return await _tile(asked)
    except Exception as error:
        return refusal(error, request)


for path in (TILE, TILE_OF):
    router.add_route(path, tile, methods=["GET", "HEAD", "OPTIONS"], include_in_schema=False)


def _negotiate(request: Request) -> None:
    """Raises InvalidInput or NotAcceptable unless the client takes MVT."""
    f = request.query_params.get("f")
    if f not in (None, "mvt", "pbf"):
        raise InvalidInput(
            f"瓦片格式 f 应为 mvt，得到 {f[:40]!r} (tiles are mvt)", field="f", value=f[:40], expected="mvt"
        )
    if f is None:
        accepted(request.headers.get("accept"), MVT_NAMES)


async def _tile(asked: Asked) -> Response:
    path, one_layer = asked.request.path_params, "layer" in asked.request.path_params
    allowed = ONE_LAYER if one_layer else ("collections", "datetime", "subset")
    given = parameters.only(asked.request.query_params, allowed)
    layers = (asked.layer(),) if one_layer else _chosen(asked, given.get("collections"))
    address = _address(path)
    boxes = [(await asked.store.extent_of(layer, asked.viewer)).box for layer in layers]
    Tileset(layers, address.matrix_set, joined(boxes)).check(address)
    when = interval(given)
    server: TileServer = asked.services.parts["tiles"]
    try:
        bodies = [
            await server.body(layer, asked.viewer, address, _options(asked, layer, given, when))
            for layer in layers
        ]
    except (BadOption, TooWide) as error:
        raise InvalidInput(str(error), field="filter") from None
    return _sent(asked.request, asked.viewer, _one(bodies))


def _options(asked: Asked, layer: Layer, given: Mapping[str, str], when: Interval | None) -> TileOptions:
    """Fields and filter as of the fast tiles, and the interval where the layer has a time. Raises BadOption."""
    # `datetime` means an interval here, and a past day there.
    said = {name: text for name, text in given.items() if name != "datetime"}
    options = options_of(layer, asked.viewer.audience, said)
    return replace(options, datetime=when) if when and layer.source.datetime else options


def _address(path: Any) -> Address:
    """Raises NotFound for no matrix set, InvalidInput for what is no tile of it."""
    grid = grid_named(path["tms"])
    try:
        return Address.parse(path["z"], path["column"], path["row"], grid.id)
    except BadAddress as error:
        raise InvalidInput(str(error)) from None


def _one(bodies: Sequence[Body]) -> Body:
    """The tile of all layers: MVT layers stand one after another, so tiles are joined as they are."""
    if len(bodies) == 1:
        return bodies[0]
    plain = b"".join(body.plain for body in bodies)
    return Body(
        plain,
        packed(plain),
        hashlib.blake2b("/".join(body.etag for body in bodies).encode(), digest_size=12).hexdigest(),
    )


def _sent(request: Request, viewer: Viewer, body: Body) -> Response:
    zipped = takes_gzip(request.headers.get("accept-encoding"))
    headers = {
        **CORS,
        # A compressed body is another sequence of bytes, so its strong tag is another one.
        "ETag": f'"{body.etag}-gzip"' if zipped and body.plain else f'"{body.etag}"',
        "Cache-Control": ("public" if viewer == PUBLIC else "private") + ", no-cache",
        "Vary": "Accept, Accept-Encoding, Cookie, Authorization, X-API-Key",
    }
    given = request.headers.get("if-none-match")
    if etag_matches(given, body.etag) or etag_matches(given, f"{body.etag}-gzip"):
        return Response(status_code=304, headers=headers)
    if not body.plain:
        return Response(status_code=204, headers=headers)
    content = body.zipped if zipped else body.plain
    if zipped:
        headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(content))
    return Response(b"" if request.method == "HEAD" else content, 200, headers, MVT)


def _preflight() -> Response:
    return Response(status_code=200, headers=preflight(CORS))
