"""Features as they are sent: a page in any form, a whole collection as a stream, one feature."""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import orjson

from app.errors import NotFound
from app.ogc import documents, html
from app.ogc.answering import Answer, Asked, downloads_of
from app.ogc.asking import MAX_DOWNLOAD, MAX_LIMIT, ItemsQuery, items_query, needs_systems, shown_query
from app.ogc.kept import key_of, pages_of
from app.ogc.links import Link, as_json
from app.ogc.negotiate import HTML, JSONFG, TABLES
from app.ogc.parameters import WHOLE
from app.ogc.store import Page
from layers.crs import CRS84, Crs, covering, known
from layers.model import Layer


async def systems_for(asked: Asked, layer: Layer) -> Mapping[str, Crs]:
    """The reference systems that the collection lists; the extent is asked for only if another than CRS84 is named."""
    if not needs_systems(asked.request.query_params):
        return known()
    extent = await asked.store.extent_of(layer, asked.viewer)
    return {crs.uri: crs for crs in covering(extent.box)}


async def page(asked: Asked) -> Answer:
    """The features of a collection."""
    layer = asked.layer()
    query = items_query(
        layer,
        asked.viewer.audience,
        asked.request.query_params,
        await systems_for(asked, layer),
        hidden_bits=asked.store.hidden_bits,
        most=MAX_DOWNLOAD if asked.media in TABLES else MAX_LIMIT,
    )
    if asked.media in TABLES:
        return await _table(asked, layer, query)
    if asked.html:
        query = replace(query, crs=CRS84, geometry=True, fields=None)
    if query.past is not None:  # what was changed since may have lain elsewhere then
        return (await _made(asked, layer, query))[0]
    pages, key = pages_of(asked.services), key_of(asked, int(time.time() // 86_400))
    if (kept := await pages.unchanged(asked, key)) is not None:
        return kept
    answer, snapshot = await _made(asked, layer, query)
    return pages.keep(asked, key, layer, query, answer, snapshot)


async def _made(asked: Asked, layer: Layer, query: ItemsQuery) -> tuple[Answer, str]:
    """A page, and a snapshot from before it was read."""
    form = "jsonfg" if asked.media == JSONFG else "json"
    written = form == "json" and not asked.html
    found = await asked.store.page(layer, asked.viewer, query, form, written=written)
    links = documents.items_links(
        asked.at, asked.media, layer, query, asked.request.query_params, found.after
    )
    headers = documents.crs_header(query.crs)
    if asked.html:
        body = html.items(asked.at, layer, asked.viewer.audience, found, links)
    else:
        body = _collection(asked, layer, query, found, links)
    return Answer(body, links, headers), found.snapshot


def _collection(asked: Asked, layer: Layer, query: ItemsQuery, found: Page, links: list[Link]) -> bytes:
    root = documents.json_fg_root(layer, query.crs) if asked.media == JSONFG else {}
    numbers = {} if found.matched is None else {"numberMatched": found.matched}
    return orjson.dumps(
        {
            "type": "FeatureCollection",
            **root,
            "features": found.features if found.text is None else orjson.Fragment(found.text),
            "links": as_json(links),
            **numbers,
            "numberReturned": found.returned,
        }
    )


async def _table(asked: Asked, layer: Layer, query: ItemsQuery) -> Answer:
    """A page as a file; one of more features than a page has is streamed."""
    downloads = downloads_of(asked.services)
    name = documents.filename(layer, asked.media)
    headers = {**documents.crs_header(query.crs), "Content-Disposition": f'attachment; filename="{name}"'}
    given = asked.request.query_params
    if query.limit <= MAX_LIMIT:
        body, after = await downloads.page(asked.media, layer, asked.viewer, query)
        return Answer(body, documents.items_links(asked.at, asked.media, layer, query, given, after), headers)
    if asked.request.method == "HEAD":
        links = documents.items_links(asked.at, asked.media, layer, query, given, None)
        return Answer(b"", links, headers, stream=_nothing())
    stream, after = await downloads.begin(asked.media, layer, asked.viewer, query)
    links = documents.items_links(asked.at, asked.media, layer, query, given, after)
    return Answer(b"", links, headers, stream=stream)


async def feature(asked: Asked) -> Answer:
    """One feature."""
    layer = asked.layer()
    query = shown_query(
        layer, asked.viewer.audience, asked.request.query_params, await systems_for(asked, layer)
    )
    if asked.html:
        query = ItemsQuery(given=query.given)
    return await representation(asked, layer, query, asked.request.path_params["feature"])


async def representation(asked: Asked, layer: Layer, query: ItemsQuery, name: str) -> Answer:
    """The representation of a feature. Raises NotFound."""
    identifier = identifier_of(layer, name)
    form = "jsonfg" if asked.media == JSONFG else "json"
    found = await asked.store.feature(layer, asked.viewer, identifier, query, form)
    if found is None:
        raise not_found(layer, name)
    text, state = found
    links = documents.item_links(asked.at, asked.media, layer, identifier, query)
    headers = documents.crs_header(query.crs)
    if asked.media == HTML:
        return Answer(html.item(asked.at, layer, asked.viewer.audience, text, links), links, headers, state)
    root = documents.json_fg_root(layer, query.crs) if asked.media == JSONFG else {}
    tail = orjson.dumps({**root, "links": as_json(links)})
    body = text[:-1] + b"," + tail[1:]
    return Answer(body, links, headers, state)


def identifier_of(layer: Layer, name: str) -> int:
    """The id that a path names. Raises NotFound if it can be none."""
    if not WHOLE.fullmatch(name) or not -(2**63) <= int(name) < 2**63:
        raise not_found(layer, name)
    return int(name)


def not_found(layer: Layer, name: str) -> NotFound:
    return NotFound(f"图层 {layer.id} 没有要素 {name[:60]!r} (no such feature, or none that you may see)")


async def _nothing() -> AsyncIterator[bytes]:
    """What HEAD is answered with."""
    return
    yield b""
