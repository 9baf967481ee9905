"""Pages that were sent, for who asks for them again: the database is asked whether anything in them changed since,
which costs a tenth of making them. So a 304 is cheap, and exact: it follows what was committed, not what was told.

What changed is in `map.touched`, written in the transaction of the fact (`tiles.versions`); what cannot be decided
by it counts as changed. A tag names the bytes, however the page came to be: all processes give the same.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any

from app.deps import Services
from app.ogc.answering import Answer, Asked, has_already, store_of
from app.ogc.asking import ItemsQuery
from app.ogc.query import Statement
from app.ogc.store import Store, together
from layers.model import Layer
from tiles import disk
from tiles.address import PUBLIC
from tiles.keys import WORLD, world_box
from tiles.packing import packed
from tiles.versions import Snapshot

MOST, MOST_BYTES = 4_096, 24 * 2**20
BODY_BYTES = 2**20
"""Of larger pages only the tag is kept."""
EDGE = 4
"""World units; 8 cm: what rounding may move a position by, and more."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer without its plain body, and what to ask the database about it."""

    answer: Answer
    values: dict[str, Any]

    @property
    def size(self) -> int:
        return len(self.answer.zipped) + 2_000


@dataclass
class Pages:
    """The pages of one process; the one asked for longest ago makes room."""

    store: Store
    _kept: OrderedDict[Hashable, Kept] = field(default_factory=OrderedDict)
    _size: int = 0

    async def unchanged(self, asked: Asked, key: Hashable) -> Answer | None:
        """The answer as it was, if it is here and nothing in it changed.

        Raises psycopg.OperationalError if the database cannot be asked.
        """
        kept = self._kept.get(key)
        if kept is None or not (kept.answer.zipped or has_already(asked.request, kept.answer.tag)):
            return None
        async with self.store.pool.connection() as connection:
            rows, _ = await together(connection, PUBLIC, Statement(disk.STALE, kept.values))
        if rows[0][0]:
            self._drop(key)
            return None
        if key in self._kept:
            self._kept.move_to_end(key)
        return kept.answer

    def keep(
        self, asked: Asked, key: Hashable, layer: Layer, query: ItemsQuery, answer: Answer, snapshot: str
    ) -> Answer:
        """The answer with its tag and its compressed body, which are kept for the next who asks.

        The tag is the digest of the compressed bytes, a tenth of the plain ones, and names both."""
        zipped = packed(answer.body)
        tag = hashlib.blake2b(zipped, digest_size=12).hexdigest()
        made = replace(answer, tag=tag, zipped=zipped)
        without = replace(made, body=b"", zipped=zipped if len(zipped) <= BODY_BYTES else b"")
        self._drop(key)
        self._kept[key] = Kept(without, self._values(layer, query, Snapshot.parse(snapshot)))
        self._size += self._kept[key].size
        while len(self._kept) > MOST or self._size > MOST_BYTES:
            self._drop(next(iter(self._kept)))
        return made

    def _drop(self, key: Hashable) -> None:
        if (gone := self._kept.pop(key, None)) is not None:
            self._size -= gone.size

    def _values(self, layer: Layer, query: ItemsQuery, snapshot: Snapshot) -> dict[str, Any]:
        """Points change where they lie and lay. Other shapes, and what a page of them shows, may change anywhere."""
        x0, y0, x1, y1 = 0, 0, WORLD, WORLD
        if layer.points is not None and query.boxes:
            wests, souths, easts, norths = zip(*query.boxes, strict=True)
            # A public position is in the middle of a cell, wherever in that the true one is.
            wide = (1 << self.store.hidden_bits) + EDGE
            x0, y0, x1, y1 = world_box((min(wests), min(souths), max(easts), max(norths)), wide)
        return {
            "layer": layer.id,
            "at": snapshot.xmax,
            "x0": x0,
            "y0": y0,
            "x1": x1,
            "y1": y1,
            **snapshot.values,
        }


def key_of(asked: Asked, day: int) -> Hashable:
    """All that an answer depends on, but the facts. What is in force today may not be tomorrow."""
    return asked.viewer, asked.media, asked.at, asked.request.url.path, asked.request.url.query, day


def pages_of(services: Services) -> Pages:
    """The one keeper of pages of this process."""
    pages: Pages | None = services.parts.get("pages")
    if pages is None:
        pages = services.parts["pages"] = Pages(store_of(services))
    return pages
