"""The process `export`: a layer, or the part of it that a filter and a box choose, as one file."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg_pool import AsyncConnectionPool
from starlette.datastructures import QueryParams

from app.actor import Actor, Permission
from app.deps import Services
from app.errors import InvalidInput, NotFound
from app.maps import exporting
from app.ogc import query as statements
from app.ogc.asking import MAX_DOWNLOAD, ItemsQuery, items_query
from app.ogc.downloads import LONGEST_S, Downloads
from app.ogc.forms import form_of
from app.ogc.negotiate import CSV, FLATGEOBUF, GEOJSON, GEOPARQUET
from app.ogc.processes.process import Input, Json, Output, Process, Progress, Result
from app.ogc.store import enter, evaluating
from app.ogc.viewer import viewer_of
from layers import catalog
from layers.crs import CRS84_URI, known
from layers.model import Layer, Text

GEOPACKAGE, PMTILES = "application/geopackage+sqlite3", "application/vnd.pmtiles"
FORMATS = {
    "gpkg": GEOPACKAGE, "geojson": GEOJSON, "fgb": FLATGEOBUF, "parquet": GEOPARQUET, "csv": CSV, "pmtiles": PMTILES,
}  # fmt: skip
DEFAULT = "gpkg"
BATCH_ROWS = 20_000
FEATURES_A_TIME = 500
"""Of GeoJSON; some areas are large."""


def check(services: Services, actor: Actor, inputs: Json) -> Json:
    """Raises NotFound for a layer that the actor does not see, InvalidInput for a filter or a box that cannot be used."""
    layer = _layer(actor, inputs)
    if inputs.get("format") != "pmtiles":
        query_of(services, actor, layer, inputs)
    elif chosen := [name for name in ("filter", "bbox") if name in inputs]:
        raise InvalidInput(
            f"PMTiles 只能导出整个图层，不能带 {chosen[0]} (PMTiles hold a whole layer: leave {chosen[0]} out)",
            field=chosen[0],
        )
    return inputs


def _layer(actor: Actor, inputs: Mapping[str, Any]) -> Layer:
    layer = catalog.load()[inputs["layer"]]
    if layer.relation_for(actor.audience) is None:
        raise NotFound(f"没有图层 {layer.id}，或当前账号不可见 (no such layer, or none that you may see)")
    return layer


def run(
    services: Services, actor: Actor, inputs: Mapping[str, Any], folder: Path, progress: Progress
) -> dict[str, Result]:
    """Write the file. Killed and started again, it is written anew beside what is there, and then takes its place.

    Raises NotFound for a layer that the actor does not see, InvalidInput for a filter or box that is none.
    """
    form = inputs.get("format", DEFAULT)
    layer = _layer(actor, inputs)
    target = folder / f"{layer.id}.{form}"
    progress(0.0, "导出 exporting")
    if form == "pmtiles":
        asyncio.run(_archive(services, actor, layer, target, progress))
    else:
        _table(services, actor, layer, inputs, form, target, progress)
    return {"file": Result(file=target, media=FORMATS[form])}


async def _archive(services: Services, actor: Actor, layer: Layer, target: Path, progress: Progress) -> None:
    order = exporting.order(services.settings, layer.id, viewer_of(actor))
    await exporting.run(services, order, target, progress)


def _table(
    services: Services,
    actor: Actor,
    layer: Layer,
    inputs: Mapping[str, Any],
    form: str,
    target: Path,
    progress: Progress,
) -> None:
    query = query_of(services, actor, layer, inputs)
    # GeoPackage is a database: it is made of the file that streams.
    streamed = "fgb" if form == "gpkg" else form
    partial = target.with_suffix(f".{streamed}.partial")
    write = _geojson if form == "geojson" else _download
    asyncio.run(write(services, actor, layer, query, FORMATS[streamed], partial, progress))
    if form == "gpkg":
        made = target.with_suffix(".partial.gpkg")
        made.unlink(missing_ok=True)
        progress(0.5, "写入 GeoPackage writing")
        _geopackage(layer, partial, made)
        partial.unlink()
        partial = made
    partial.replace(target)


def query_of(services: Services, actor: Actor, layer: Layer, inputs: Mapping[str, Any]) -> ItemsQuery:
    """As the same filter and box ask of the collection's items. Raises InvalidInput."""
    asked = {"limit": str(MAX_DOWNLOAD)}
    if "filter" in inputs:
        as_text = isinstance(inputs["filter"], str)
        asked["filter"] = inputs["filter"] if as_text else json.dumps(inputs["filter"])
        asked["filter-lang"] = "cql2-text" if as_text else "cql2-json"
    if "bbox" in inputs:
        asked["bbox"] = ",".join(str(edge) for edge in inputs["bbox"]["bbox"])
        asked["bbox-crs"] = inputs["bbox"].get("crs", CRS84_URI)
    hidden = services.settings.public_accuracy_bits
    return items_query(
        layer, actor.audience, QueryParams(asked), known(), hidden_bits=hidden, most=MAX_DOWNLOAD
    )


async def _download(
    services: Services,
    actor: Actor,
    layer: Layer,
    query: ItemsQuery,
    media: str,
    target: Path,
    progress: Progress,
) -> None:
    pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] = AsyncConnectionPool(
        services.dsns.map, min_size=1, max_size=1, open=False
    )
    async with pool:
        downloads = Downloads(pool, services.dsns.map, services.settings.public_accuracy_bits)
        parts, _ = await downloads.begin(media, layer, viewer_of(actor), query)
        written = 0
        with target.open("wb") as out:
            async for part in parts:
                out.write(part)
                written += len(part)
                progress(0.0, f"已写出 {written / 2**20:.1f} MB written")


async def _geojson(
    services: Services,
    actor: Actor,
    layer: Layer,
    query: ItemsQuery,
    media: str,
    target: Path,
    progress: Progress,
) -> None:
    """The features as a page of items has them, read by a cursor of the server: memory is bounded by a few of them."""
    form = form_of(layer, actor.audience, query, "json")
    statement = statements.page(layer, actor.audience, query, services.settings.public_accuracy_bits, form)
    async with await psycopg.AsyncConnection.connect(services.dsns.map) as connection:
        await enter(connection, viewer_of(actor), LONGEST_S)
        with evaluating(query), target.open("wb") as out:
            out.write(b'{"type":"FeatureCollection","features":[')
            count = 0
            async with connection.cursor("export", binary=True) as cursor:
                await cursor.execute(statement.sql.encode(), statement.values)
                while rows := await cursor.fetchmany(FEATURES_A_TIME):
                    lines = (orjson.dumps(feature) for feature in form.make(rows))
                    out.write((b",\n" if count else b"\n") + b",\n".join(lines))
                    count += len(rows)
                    progress(0.0, f"已写出 {count} 个要素 features written")
            out.write(b"\n]}\n")


def _geopackage(layer: Layer, source: Path, target: Path) -> None:
    """In batches: memory is bounded by one of them."""
    import pyogrio

    with pyogrio.open_arrow(source, batch_size=BATCH_ROWS, use_pyarrow=True) as (meta, reader):
        pyogrio.write_arrow(
            reader,
            target,
            layer=layer.id,
            driver="GPKG",
            geometry_name=meta["geometry_name"] or "wkb_geometry",
            geometry_type=meta["geometry_type"],
            crs=meta["crs"],
        )


BBOX = {
    "type": "object",
    "required": ["bbox"],
    "properties": {
        "bbox": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6},
        "crs": {"type": "string", "format": "uri", "default": CRS84_URI},
    },
    "format": "ogc-bbox",
}
PROCESS = Process(
    "export",
    Text(zh="导出图层", en="Export a layer"),
    Text(
        zh="把一个图层(或其中符合条件的部分)写成一个文件，内容为当前账号可见的范围和字段。",
        en="Writes a layer, or what a filter and a box choose of it, to one file: the fields and the area that your account sees.",
    ),
    {
        "layer": Input(
            Text(zh="图层", en="Layer"), {"type": "string", "enum": list(catalog.load())}, required=True
        ),
        "format": Input(
            Text(zh="格式", en="Format"), {"type": "string", "enum": list(FORMATS), "default": DEFAULT}
        ),
        "filter": Input(
            Text(zh="CQL2 过滤条件(文本或 JSON)", en="CQL2 filter, as text or JSON"),
            {"oneOf": [{"type": "string", "minLength": 1, "maxLength": 20_000}, {"type": "object"}]},
        ),
        "bbox": Input(Text(zh="范围", en="Box"), BBOX),
    },
    {
        "file": Output(
            Text(zh="文件", en="File"),
            {
                "oneOf": [
                    {"type": "string", "contentEncoding": "binary", "contentMediaType": media}
                    for media in FORMATS.values()
                ]
            },
            {media: form for form, media in FORMATS.items()},
            chosen_by="format",
        )
    },
    run,
    Permission.READ,
    check,
    ("sync-execute", "async-execute"),
)
