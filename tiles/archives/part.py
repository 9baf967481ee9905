"""A finished part of an archive: the tiles of one layer at one zoom, or at all. It is a PMTiles file itself."""

import gzip
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import TracebackType
from typing import Any

from pmtiles.reader import Reader, all_tiles
from pmtiles.tile import Compression, TileType, tileid_to_zxy, zxy_to_tileid
from pmtiles.writer import Writer

from tiles.address import Address

LEVEL = 6
"""Made once and sent often: worth the time that a tile made on demand has not."""


def compressed(body: bytes) -> bytes:
    return gzip.compress(body, LEVEL, mtime=0)


class PartWriter(AbstractContextManager["PartWriter"]):
    """Writes a part beside its place, and moves it there when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path, self._beside = path, path.with_suffix(".writing")
        self._file = self._beside.open("wb")
        self._writer: Any = Writer(self._file)  # type: ignore[no-untyped-call]
        self.tiles = 0

    def add(self, address: Address, zipped: bytes) -> None:
        self._writer.write_tile(zxy_to_tileid(address.z, address.x, address.y), zipped)
        self.tiles += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self.tiles:
            self._writer.finalize(
                {"tile_type": TileType.MVT, "tile_compression": Compression.GZIP, **NOWHERE}, {}
            )
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
        if kind is None:
            # A part without tiles is an empty file: it is known to be done.
            self._beside.replace(self._path)


NOWHERE = {
    "min_lon_e7": 0, "min_lat_e7": 0, "max_lon_e7": 0, "max_lat_e7": 0, "center_zoom": 0, "center_lon_e7": 0, "center_lat_e7": 0,
}  # fmt: skip


class PartReader(AbstractContextManager["PartReader"]):
    """Reads a part in the order of tile ids."""

    def __init__(self, path: Path) -> None:
        self._bytes = path.open("rb")
        self._map = mmap(self._bytes.fileno(), 0, access=ACCESS_READ) if path.stat().st_size else None

    def _get(self, offset: int, length: int) -> bytes:
        assert self._map is not None  # noqa: S101 - asked of parts with tiles
        return self._map[offset : offset + length]

    def tiles(self) -> Iterator[tuple[int, bytes]]:
        """Tile id and compressed body."""
        if self._map is not None:
            for (z, x, y), body in all_tiles(self._get):  # type: ignore[no-untyped-call]
                yield zxy_to_tileid(z, x, y), body

    def addresses(self) -> list[Address]:
        return [Address(*tileid_to_zxy(tile_id)) for tile_id, _ in self.tiles()]

    def metadata(self) -> dict[str, Any]:
        if self._map is None:
            return {}
        found: dict[str, Any] = Reader(self._get).metadata()  # type: ignore[no-untyped-call]
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._map is not None:
            self._map.close()
        self._bytes.close()
