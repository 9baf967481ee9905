"""Encoded tiles in memory: what changed is taken out, so whatever is there is fresh."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from tiles.address import Address
from tiles.grid import Grid, grid
from tiles.keys import BITS
from tiles.versions import Touch

Variant = Hashable
"""For whom, and with which options."""
SPREAD = 12
"""Low bits that may be hidden from the public: a point may be drawn anywhere in so wide a cell."""
MANY = 200
"""More changes than this at once empty what would have to be looked through: that costs more than making tiles."""


@dataclass(frozen=True, slots=True)
class Body:
    """A tile as it is sent: plain and compressed, with the tag of its content."""

    plain: bytes
    zipped: bytes
    etag: str

    @property
    def size(self) -> int:
        return len(self.plain) + len(self.zipped) + 400


@dataclass(frozen=True, slots=True)
class Place:
    """A tile of a layer, whoever sees it."""

    layer: str
    address: Address


@dataclass
class Lru:
    """The least recently used bodies make room when the bytes exceed the limit.

    A tile that is being made while something in it changes must not be kept: `begin` before it is read from
    the database, and `put` with what that gave.
    """

    limit_bytes: int
    margins: dict[str, float] = field(default_factory=dict)
    """Of layers whose tiles hold something beyond their edges: how much, as a share of a tile."""
    _bodies: OrderedDict[int, tuple[Place, Variant, Body]] = field(default_factory=OrderedDict)
    """By number: that of the reading which gave it."""
    _places: dict[Place, dict[Variant, int]] = field(default_factory=dict)
    _others: set[Place] = field(default_factory=set)
    """Places that a changed point does not name: they are looked through."""
    _making: dict[int, tuple[Place, bool]] = field(default_factory=dict)
    _size: int = 0
    _next: int = 0

    def get(self, place: Place, variant: Variant) -> Body | None:
        number = self.number(place, variant)
        return None if number is None else self.again(number)

    def number(self, place: Place, variant: Variant) -> int | None:
        """Names the body that is kept of a tile, for `again`."""
        return self._places.get(place, {}).get(variant)

    def again(self, number: int) -> Body | None:
        """The body that was found under this number before, if it is still there: to ask for a tile by its name
        takes ten times as long."""
        kept = self._bodies.get(number)
        if kept is None:
            return None
        self._bodies.move_to_end(number)
        return kept[2]

    def begin(self, place: Place) -> int:
        """A tile is about to be read; returns a number for `put` or `forget`."""
        self._next += 1
        self._making[self._next] = (place, True)
        return self._next

    def fresh(self, number: int) -> bool:
        """Has nothing in the tile changed since it was begun?"""
        return self._making[number][1]

    def forget(self, number: int) -> None:
        """The tile that was begun is done with."""
        self._making.pop(number, None)

    def put(self, number: int, variant: Variant, body: Body) -> None:
        """Keep a tile, unless something in it changed since it was begun."""
        place, fresh = self._making.pop(number)
        if not fresh or self.number(place, variant) is not None:
            return
        self._bodies[number] = place, variant, body
        self._places.setdefault(place, {})[variant] = number
        if not place.address.is_web or place.address.z > BITS - SPREAD:
            self._others.add(place)
        self._size += body.size
        while self._size > self.limit_bytes and self._bodies:
            self._drop(next(iter(self._bodies)))

    def evict(self, touches: Sequence[Touch]) -> None:
        """Take out every tile in which something changed."""
        for number, (place, fresh) in self._making.items():
            if fresh and self._stale(place, touches):
                self._making[number] = (place, False)
        by_layer: dict[str, list[Touch]] = {}
        for touch in touches:
            by_layer.setdefault(touch.layer, []).append(touch)
        for layer, found in by_layer.items():
            if layer in self.margins or not all(one.is_point for one in found):
                mine = [place for place in self._places if place.layer == layer]
            else:
                self._remove(Place(layer, address) for touch in found for address in _web_tiles(touch))
                mine = [place for place in self._others if place.layer == layer]
            self._remove(place for place in mine if len(found) > MANY or self._stale(place, found))

    def _stale(self, place: Place, touches: Iterable[Touch]) -> bool:
        where = grid(place.address)
        margin = self.margins.get(place.layer)
        return any(one.layer == place.layer and _meets(where, one, margin) for one in touches)

    def _remove(self, places: Iterable[Place]) -> None:
        for place in list(places):
            for number in tuple(self._places.get(place, {}).values()):
                self._drop(number)

    def _drop(self, number: int) -> None:
        place, variant, body = self._bodies.pop(number)
        self._size -= body.size
        del self._places[place][variant]
        if not self._places[place]:
            del self._places[place]
            self._others.discard(place)


def world_box(touch: Touch, margin: float | None, where: Grid) -> tuple[int, int, int, int]:
    """What a change may have changed the drawing of: a point all of its public cell, a shape its margin."""
    x0, y0, x1, y1 = touch.box
    if margin is None:
        return x0 >> SPREAD << SPREAD, y0 >> SPREAD << SPREAD, x1 | (1 << SPREAD) - 1, y1 | (1 << SPREAD) - 1
    wide = int(margin * (where.x1 - where.x0)) + 1
    return x0 - wide, y0 - wide, x1 + wide, y1 + wide


def _meets(where: Grid, touch: Touch, margin: float | None) -> bool:
    x0, y0, x1, y1 = world_box(touch, margin, where)
    return x0 < where.x1 and x1 >= where.x0 and y0 < where.y1 and y1 >= where.y0


def _web_tiles(touch: Touch) -> Iterable[Address]:
    """The Web Mercator tiles that a point lies in, as far as none is smaller than what the public sees of it."""
    x, y = touch.box[:2]
    return (Address(z, x >> BITS - z, y >> BITS - z) for z in range(BITS - SPREAD + 1))
