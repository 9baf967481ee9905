"""Parts become one archive: in the order of tile ids, the layers of a tile one behind the other."""

import gzip
import heapq
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from pmtiles.tile import Compression, TileType
from pmtiles.writer import Writer

from tiles.archives.part import PartReader, compressed
from tiles.extent import Bounds

EVERY = 5_000
"""Tiles between two reports."""


def join(
    parts: Sequence[Path], target: Path, bounds: Bounds, center_zoom: int, metadata: dict[str, Any], report: Callable[[int], None]
) -> int:  # fmt: skip
    """Write the archive whole, flushed to disk; returns its number of tiles. Raises ValueError if it would have none.

    A tile that one layer alone lies in is copied; of several the messages follow each other, which is how
    protocol buffers join.
    """
    written = 0
    with ExitStack() as stack, target.open("wb") as file:
        archive: Any = Writer(file)  # type: ignore[no-untyped-call]
        readers = [stack.enter_context(PartReader(path)) for path in parts]
        for tile_id, bodies in _by_tile(readers):
            archive.write_tile(tile_id, bodies[0] if len(bodies) == 1 else _together(bodies))
            written += 1
            if written % EVERY == 0:
                report(written)
        if not written:
            raise ValueError("no tiles")
        archive.finalize(_header(bounds, center_zoom), metadata)
        file.flush()
        os.fsync(file.fileno())
    return written


def _by_tile(readers: Sequence[PartReader]) -> Iterator[tuple[int, list[bytes]]]:
    # The number of the part keeps the layers of a tile in their order.
    streams = (_numbered(number, reader) for number, reader in enumerate(readers))
    for tile_id, found in groupby(heapq.merge(*streams, key=itemgetter(0, 1)), key=itemgetter(0)):
        yield tile_id, [body for _, _, body in found]


def _numbered(number: int, reader: PartReader) -> Iterator[tuple[int, int, bytes]]:
    for tile_id, body in reader.tiles():
        yield tile_id, number, body


def _together(bodies: list[bytes]) -> bytes:
    return compressed(b"".join(gzip.decompress(body) for body in bodies))


def _header(bounds: Bounds, center_zoom: int) -> dict[str, Any]:
    west, south, east, north = bounds
    return {
        "tile_type": TileType.MVT,
        "tile_compression": Compression.GZIP,
        "min_lon_e7": int(west * 1e7),
        "min_lat_e7": int(south * 1e7),
        "max_lon_e7": int(east * 1e7),
        "max_lat_e7": int(north * 1e7),
        "center_zoom": center_zoom,
        "center_lon_e7": int((west + east) * 5e6),
        "center_lat_e7": int((south + north) * 5e6),
    }
