"""An export: parts first, each of which stays when the process is killed, then the archive, all at once.

The work lies in a folder named by everything that decides its content; whoever starts the same export again goes on
with the parts that are there, unless they are older than a day.
"""

import asyncio
import fcntl
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from layers.derive.tilejson import vector_layer
from layers.model import Layer
from tiles import extent, postgis
from tiles.address import Viewer
from tiles.archives import points, shapes
from tiles.archives.join import join
from tiles.archives.names import key_of
from tiles.archives.store import Store, move_over
from tiles.extent import Bounds

FORMAT = 1
"""Goes up when parts are made differently: those of before are then not used."""
STALE_S = 24 * 3600
JOINING = 0.1
"""Share of the work that joining the parts is taken for."""
Progress = Callable[[float, str], None]


class NothingToExport(Exception):
    """No layer of the export holds anything."""


class AlreadyRunning(Exception):
    """The same export is being made by another process."""


@dataclass(frozen=True)
class Order:
    """What to export, for whom, and how it is named."""

    name: str
    """The archive's name, without the ending."""
    layers: tuple[Layer, ...]
    viewer: Viewer
    maxzoom: int
    hidden_bits: int
    title: str
    description: str
    attribution: str

    @property
    def fingerprint(self) -> str:
        told = [FORMAT, self.viewer.key, self.maxzoom, self.hidden_bits, *(one.model_dump_json() for one in self.layers)]  # fmt: skip
        return hashlib.blake2b(json.dumps(told).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Done:
    """What was written."""

    place: str
    tiles: int
    size: int
    """Bytes."""
    version: str
    made_at: str
    resumed: int
    """Parts that were there already."""


@dataclass(frozen=True)
class _Begun:
    """What was true when the first part was begun: everything committed before is in the archive."""

    version: str
    at: str
    bounds: dict[str, Bounds]


async def export(
    pool: postgis.Pool, order: Order, work: Path, store: Store, out: Path | None, progress: Progress
) -> Done:
    """Make the archive and put it into the store, or into the file `out`.

    Raises NothingToExport, AlreadyRunning, shapes.BuilderFailed, store.Unreachable, psycopg.OperationalError.
    """
    folder = work / f"{order.name}-{order.fingerprint}"
    with _alone(folder):
        _drop_stale(work)
        begun = await _begin(pool, order, folder)
        parts, resumed = await _parts(pool, order, folder, begun, progress)
        whole = folder / "archive.whole"
        tiles = await asyncio.to_thread(_join, order, parts, whole, begun, progress)
        size = whole.stat().st_size
        progress(1.0, "存放 (putting it in its place)")
        place = await asyncio.to_thread(_put, whole, order, store, out)
        shutil.rmtree(folder)
    return Done(place, tiles, size, begun.version, begun.at, resumed)


# ── the folder of an export ─────────────────────────────────────────────────────────────────────────


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; the lock ends with it, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(folder.name) from None
        yield


def _drop_stale(work: Path) -> None:
    """Remove what exports that nobody took up again left behind."""
    for folder in work.iterdir():
        begun = folder / "begun.json"
        if begun.exists() and time.time() - begun.stat().st_mtime > STALE_S:
            with suppress(AlreadyRunning), _alone(folder):
                shutil.rmtree(folder)


async def _begin(pool: postgis.Pool, order: Order, folder: Path) -> _Begun:
    folder.mkdir(exist_ok=True)
    path = folder / "begun.json"
    if path.exists():
        return _Begun(**json.loads(path.read_text()))
    async with pool.connection() as connection, connection.transaction():
        await postgis.enter_scope(connection, order.viewer)
        cursor = await connection.execute("select pg_snapshot_xmin(pg_current_snapshot())::text")
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - a plain select
        found = {one.id: await extent.bounds(connection, one, order.viewer.audience) for one in order.layers}
    bounds = {name: box for name, box in found.items() if box is not None}
    if not bounds:
        raise NothingToExport(order.name)
    begun = _Begun(row[0], datetime.now(UTC).isoformat(timespec="seconds"), bounds)
    beside = path.with_suffix(".writing")
    beside.write_text(json.dumps(begun.__dict__))
    beside.replace(path)
    return begun


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────


async def _parts(
    pool: postgis.Pool, order: Order, folder: Path, begun: _Begun, progress: Progress
) -> tuple[list[Path], int]:
    """Make the parts that are not there yet; returns all of them, and how many were there."""
    planned = [
        (layer, z, folder / f"{layer.id}-{'all' if z is None else z}.part")
        for layer in order.layers
        if layer.id in begun.bounds
        for z in (range(layer.minzoom, order.maxzoom + 1) if layer.points else (None,))
    ]
    resumed, before = 0, None
    for number, (layer, z, path) in enumerate(planned):
        label = f"{layer.title.zh} {'' if z is None else f'z{z}'}".strip()

        def share(part: float, number: int = number, label: str = label) -> None:
            progress((1 - JOINING) * (number + part) / len(planned), label)

        share(0)
        if path.exists():
            resumed += 1
        elif z is None:
            await shapes.write(pool, layer, order.viewer, order.maxzoom, path, share)
        else:
            above = before if z > layer.minzoom else None
            await points.write(pool, layer, order.viewer, z, above, path, order.hidden_bits, share)
        before = path
    return [path for _, _, path in planned], resumed


def _join(order: Order, parts: list[Path], whole: Path, begun: _Begun, progress: Progress) -> int:
    progress(1 - JOINING, "合并 (joining the parts)")
    boxes = list(begun.bounds.values())
    bounds = (
        min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes),
    )  # fmt: skip
    made = [one for one in order.layers if one.id in begun.bounds]
    minzoom = min(one.minzoom for one in made)

    def report(tiles: int) -> None:
        progress(1 - JOINING, f"合并 · joining: {tiles}")

    try:
        return join(parts, whole, bounds, minzoom, _metadata(order, made, begun), report)
    except ValueError:
        raise NothingToExport(order.name) from None


def _metadata(order: Order, made: list[Layer], begun: _Begun) -> dict[str, Any]:
    def described(layer: Layer) -> dict[str, Any]:
        zooms = {"minzoom": layer.minzoom, "maxzoom": max(order.maxzoom, layer.minzoom)}
        return vector_layer(layer, order.viewer.audience) | zooms

    return {
        "name": order.title,
        "description": order.description,
        "attribution": order.attribution,
        "type": "overlay",
        "version": begun.version,
        "vector_layers": [described(layer) for layer in made],
        "shuitu:audience": order.viewer.audience,
        "shuitu:jurisdiction": order.viewer.key,
        "shuitu:made_at": begun.at,
    }


def _put(whole: Path, order: Order, store: Store, out: Path | None) -> str:
    if out is None:
        return store.put(key_of(order.name, order.viewer), whole)
    move_over(whole, out)
    return str(out)
