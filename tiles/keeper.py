"""Tiles made once: from memory, else from the shared files, else from the database."""

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection

from layers import catalog
from layers.model import Layer
from tiles import disk, postgis
from tiles.address import PUBLIC, Address, Viewer
from tiles.cache import Body, Lru, Place
from tiles.disk import Files
from tiles.options import DEFAULT, TileOptions
from tiles.source import BUFFER
from tiles.versions import Versions

CACHE_BYTES = 96 * 2**20
WORTH_S = 0.004
"""A tile that took longer to make is kept in a file: writing one takes half a millisecond."""
EMPTY = Body(b"", b"", hashlib.blake2b(b"", digest_size=12).hexdigest())


def margins() -> dict[str, float]:
    """Layers whose tiles hold something beyond their edges, and how much, as a share of a tile."""
    return {
        layer.id: BUFFER[layer.source.kind] / 4096 for layer in catalog.load().values() if not layer.points
    }


@dataclass
class Keeper:
    """The tiles of one process. `start` it before it is asked."""

    pool: postgis.Pool
    versions: Versions
    hidden_bits: int = 12
    files: Files | None = None
    bodies: Lru = field(default_factory=lambda: Lru(CACHE_BYTES, margins()))
    _making: dict[tuple[Place, Any], tuple[int, asyncio.Task[Body]]] = field(default_factory=dict)
    _forms: dict[str, str] = field(default_factory=dict)

    async def start(self) -> None:
        self.versions.listen(self.bodies.evict)
        if self.files:
            async with self.pool.connection() as connection:
                await self.files.identify(connection)

    def kept(
        self, layer: Layer, viewer: Viewer, address: Address, options: TileOptions = DEFAULT
    ) -> Body | None:
        """The tile, if it is in memory."""
        return self.bodies.get(Place(layer.id, address), self._variant(layer, viewer, options))

    def number(self, layer: Layer, viewer: Viewer, address: Address) -> int | None:
        """Names the tile in `bodies`, if it is in memory. Not every layer's is that of the next day (`today`)."""
        return self.bodies.number(Place(layer.id, address), self._variant(layer, viewer, DEFAULT))

    async def body(
        self, layer: Layer, viewer: Viewer, address: Address, options: TileOptions = DEFAULT
    ) -> Body:
        """The tile. Requests for one that is being made wait for it, unless something in it changed meanwhile.

        Raises TooWide, psycopg.OperationalError, psycopg_pool.PoolTimeout.
        """
        if address.z < layer.minzoom:
            return EMPTY
        place, variant = Place(layer.id, address), self._variant(layer, viewer, options)
        if (body := self.bodies.get(place, variant)) is not None:
            return body
        under_way = self._making.get((place, variant))
        if under_way is None or not self.bodies.fresh(under_way[0]):
            number = self.bodies.begin(place)
            task = asyncio.create_task(self._fetched(number, place, variant, layer, viewer, options))
            task.add_done_callback(_heard)
            under_way = self._making[place, variant] = (number, task)
        # One who goes away does not take the tile from the others who wait for it.
        return await asyncio.shield(under_way[1])

    async def _fetched(
        self, number: int, place: Place, variant: Any, layer: Layer, viewer: Viewer, options: TileOptions
    ) -> Body:
        try:
            body = await self._from_file(place, variant) or await self._made(
                place, variant, layer, viewer, options
            )
            self.bodies.put(number, variant, body)
            return body
        finally:
            self.bodies.forget(number)
            if self._making.get((place, variant), (None,))[0] == number:
                del self._making[place, variant]

    async def _made(
        self, place: Place, variant: Any, layer: Layer, viewer: Viewer, options: TileOptions
    ) -> Body:
        began = time.perf_counter()
        made = await postgis.make(
            self.pool, layer, viewer, place.address, hidden_bits=self.hidden_bits, options=options
        )
        tag = hashlib.blake2b(made.zipped, digest_size=12).hexdigest()
        if self.files and time.perf_counter() - began > WORTH_S:
            await asyncio.to_thread(
                self.files.write, self.files.path(place, variant), made.zipped, made.snapshot
            )
        return Body(made.plain, made.zipped, tag)

    async def _from_file(self, place: Place, variant: Any) -> Body | None:
        if self.files is None:
            return None
        path = self.files.path(place, variant)
        found = await asyncio.to_thread(self.files.read, path)
        if found is None:
            return None
        async with self.pool.connection() as connection, connection.transaction():
            stale = await self._stale(connection, place, found)
        return None if stale else found.body

    async def _stale(self, connection: AsyncConnection[Any], place: Place, found: disk.Kept) -> bool:
        await postgis.enter_scope(connection, PUBLIC)
        values = disk.stale_values(place, found.snapshot, self.bodies.margins.get(place.layer))
        row = await (await connection.execute(disk.STALE.encode(), values, prepare=False)).fetchone()
        return row is None or bool(row[0])

    def _variant(self, layer: Layer, viewer: Viewer, options: TileOptions) -> Any:
        # What is in force today may not be tomorrow: views of other layers ask for the date.
        day = 0 if layer.points else today()
        form = self._forms.get(layer.id) or self._forms.setdefault(layer.id, _form(layer))
        return viewer, options.key, day, self.hidden_bits, form


def today() -> int:
    """The number of the day, by which tiles of layers with plain views are told apart."""
    return int(time.time() // 86400)


def _form(layer: Layer) -> str:
    """Names the declaration by which tiles are made: another version of the product may have another."""
    return hashlib.blake2b(layer.model_dump_json().encode(), digest_size=8).hexdigest()


def _heard(task: asyncio.Task[Body]) -> None:
    """An error is told to those who wait; if all of them went away, to nobody."""
    if not task.cancelled():
        task.exception()
