"""Encoded tiles in files that all processes of a machine share.

A file holds the snapshot in which its tile was read, so any process, also one started later, can ask the
database whether something in the tile changed since. A file appears whole or not at all (it is written beside
and renamed), and what a power failure tore its digest tells. A full folder loses its oldest files.
"""

import hashlib
import os
import secrets
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isal import igzip
from psycopg import AsyncConnection

from layers.derive.columns import quote
from tiles.cache import SPREAD, Body, Place
from tiles.grid import grid
from tiles.versions import LATER, Snapshot

HEAD = struct.Struct("<8sdHI12s")
MAGIC = b"shuitu01"
KEPT_S = 24 * 3600
"""Older files are stale: what changed before is forgotten after some days (`tiles.log`)."""
FAR = 100_000
"""Transactions since the snapshot: to look through what more of them changed costs more than making the tile."""
SWEEP_EVERY = 500
TABLE = quote("map.touched")
STALE = f"""
select pg_snapshot_xmax(pg_current_snapshot())::text::bigint - %(at)s not between 0 and {FAR} or exists (
  select from {TABLE} where layer = %(layer)s and {LATER}
  and (x0 is null or (x0 < %(x1)s and x1 >= %(x0)s and y0 < %(y1)s and y1 >= %(y0)s)))"""
IDENTITY = """
select (select system_identifier from pg_control_system()) || '.' || (select timeline_id from pg_control_checkpoint())
       || '.' || (select oid from pg_database where datname = current_database())"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A tile from a file, and the snapshot in which it was read."""

    body: Body
    snapshot: Snapshot


@dataclass
class Files:
    """The shared folder, for one database."""

    folder: Path
    limit_bytes: int
    identity: str = ""
    """Names the database; files of another one, or of this one restored, are never found."""
    _written: int = field(default=0)

    async def identify(self, connection: AsyncConnection[Any]) -> None:
        row = await (await connection.execute(IDENTITY)).fetchone()
        self.identity = str(row[0]) if row else secrets.token_hex(8)

    def path(self, place: Place, variant: Any) -> Path:
        """The file of a tile for some viewer, options and day."""
        name = hashlib.blake2b(repr((self.identity, place, variant)).encode(), digest_size=16).hexdigest()
        return self.folder / name[:2] / name[2:]

    def read(self, path: Path) -> Kept | None:
        """None if there is no such file, or it is too old or torn."""
        try:
            raw = path.read_bytes()
        except OSError:
            return None
        if len(raw) < HEAD.size:
            return None
        magic, made, length, _, digest = HEAD.unpack_from(raw)
        zipped = raw[HEAD.size + length :]
        if magic != MAGIC or not 0 <= time.time() - made < KEPT_S or _digest(zipped) != digest:
            return None
        snapshot = Snapshot.parse(raw[HEAD.size : HEAD.size + length].decode("ascii"))
        plain: bytes = igzip.decompress(zipped) if zipped else b""  # type: ignore[no-untyped-call]
        return Kept(Body(plain, zipped, digest.hex()), snapshot)

    def write(self, path: Path, zipped: bytes, snapshot: str) -> None:
        """Keep a tile; a disk that is full or closed to us keeps none."""
        if len(snapshot) > 0xFFFF:
            return
        head = HEAD.pack(MAGIC, time.time(), len(snapshot), 0, _digest(zipped))
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(head + snapshot.encode("ascii") + zipped)
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            return
        self._written += 1
        if self._written % SWEEP_EVERY == 1:
            self.sweep()

    def sweep(self) -> None:
        """Remove the oldest files until a fifth of the limit is free, and what a killed process left half-written."""
        found = sorted(_files(self.folder))
        total = sum(size for _, size, _ in found)
        goal = self.limit_bytes if total <= self.limit_bytes else self.limit_bytes * 4 // 5
        for made, size, path in found:
            left = path.name.startswith(".") and time.time() - made > 60
            if total <= goal and not left:
                continue
            path.unlink(missing_ok=True)
            total -= size


def stale_values(place: Place, snapshot: Snapshot, margin: float | None) -> dict[str, Any]:
    """Parameters of STALE: the tile's box, widened by what changes beyond it may change in it."""
    where = grid(place.address)
    edges = (where.x0, where.y0, where.x1, where.y1)
    if margin is None:
        x0, y0, x1, y1 = (
            *(v >> SPREAD << SPREAD for v in edges[:2]),
            *(-(-v >> SPREAD) << SPREAD for v in edges[2:]),
        )
    else:
        wide = int(margin * (where.x1 - where.x0)) + 1
        x0, y0, x1, y1 = (*(v - wide for v in edges[:2]), *(v + wide for v in edges[2:]))
    box = {"x0": x0, "y0": y0, "x1": x1, "y1": y1}
    return {"layer": place.layer, "at": snapshot.xmax, **box, **snapshot.values}


def _digest(zipped: bytes) -> bytes:
    return hashlib.blake2b(zipped, digest_size=12).digest()


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for shelf in _listed(folder):
        for entry in _listed(shelf):
            try:
                told = entry.stat()
            except OSError:  # another process was faster
                continue
            yield told.st_mtime, told.st_size, entry


def _listed(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder)]
    except OSError:
        return []
