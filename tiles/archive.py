"""PMTiles: a layer written to one file, and files served with range requests."""

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from layers.derive.tilejson import vector_layer
from layers.model import Layer
from tiles import postgis
from tiles.address import Address, Viewer

OFFICER_FOLDER = "officer"
"""Archives with more than public fields lie in this folder, and only log-ins may fetch them."""


def respond(request: Request, folder: Path, name: str, *, officer: bool) -> Response:
    """The archive, whole or the range asked for (206, 416), with a strong ETag; raises KeyError if there is none."""
    for path in [
        folder / f"{name}.pmtiles",
        *([folder / OFFICER_FOLDER / f"{name}.pmtiles"] if officer else []),
    ]:
        if path.is_file():
            share = "private" if OFFICER_FOLDER in path.parts else "public"
            return FileResponse(
                path,
                media_type="application/vnd.pmtiles",
                headers={
                    "Access-Control-Allow-Origin": "*",
                    "Cache-Control": f"{share}, no-cache",
                    "Access-Control-Expose-Headers": "ETag, Content-Range, Accept-Ranges, Content-Length",
                },
            )
    raise KeyError(name)


def addresses(bounds: tuple[float, float, float, float], minzoom: int, maxzoom: int) -> Iterator[Address]:
    """The tiles of these zooms that touch the bounds (west, south, east, north in degrees), in archive order."""
    from tiles.keys import BITS, world

    west, south, east, north = bounds
    xs, ys = world([west, east], [north, south])
    for z in range(minzoom, maxzoom + 1):
        x0, x1 = (int(v) >> (BITS - z) for v in xs)
        y0, y1 = (int(v) >> (BITS - z) for v in ys)
        tiles = [Address(z, x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)]
        yield from sorted(tiles, key=lambda a: zxy_to_tileid(a.z, a.x, a.y))


async def write(
    pool: postgis.Pool,
    layer: Layer,
    viewer: Viewer,
    target: Path,
    bounds: tuple[float, float, float, float],
    maxzoom: int,
    *,
    hidden_bits: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write one layer, as this viewer sees it, to `target`; returns the number of tiles.

    Where nothing touches a tile, nothing below it is asked for. The file appears only when it is
    whole: it is written beside the target and moved over it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    empty: set[Address] = set()
    written = done = 0
    todo = list(addresses(bounds, layer.minzoom, maxzoom))
    with partial.open("wb") as file:
        archive: Any = Writer(file)  # type: ignore[no-untyped-call]
        for address in todo:
            done += 1
            parent = Address(address.z - 1, address.x >> 1, address.y >> 1)
            if parent in empty:
                empty.add(address)
                continue
            body = await postgis.tile(pool, layer, viewer, address, hidden_bits=hidden_bits)
            if body:
                archive.write_tile(
                    zxy_to_tileid(address.z, address.x, address.y), gzip.compress(body, 6, mtime=0)
                )
                written += 1
            elif not await postgis.touched(pool, layer, viewer, address):
                empty.add(address)
            progress(done, len(todo))
        west, south, east, north = bounds
        archive.finalize(
            {
                "tile_type": TileType.MVT,
                "tile_compression": Compression.GZIP,
                "min_lon_e7": int(west * 1e7),
                "min_lat_e7": int(south * 1e7),
                "max_lon_e7": int(east * 1e7),
                "max_lat_e7": int(north * 1e7),
                "center_zoom": layer.minzoom,
                "center_lon_e7": int((west + east) * 5e6),
                "center_lat_e7": int((south + north) * 5e6),
            },
            {
                "name": layer.title.zh,
                "description": layer.description.zh,
                "vector_layers": [vector_layer(layer, viewer.audience)],
            },
        )
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)
    return written
