"""What the stream of changes tells: which layers changed, and about where; never what, and never more often than asked."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence

import orjson

from tiles.address import Viewer
from tiles.keys import WORLD, degrees
from tiles.versions import Touch, Versions

HEARTBEAT_S = 15.0
PACE_S = 0.5
"""Between two events of one stream; what happens meanwhile is told together."""
PLACES = 16
"""Most places that an event names of a layer; more of them are told as fewer, wider ones."""
STEPS = (0.01, 0.1, 1.0, 10.0, 360.0)
"""Degrees to which places are widened: at least a kilometre, so that nobody's position is told."""

Box = tuple[float, float, float, float]


class Stream:
    """The events for one viewer of these layers."""

    def __init__(self, versions: Versions, viewer: Viewer, layers: tuple[str, ...]) -> None:
        self._versions, self._viewer, self._layers = versions, viewer, frozenset(layers)
        self._news: dict[str, set[tuple[int, int, int, int]]] = {}
        self._told = asyncio.Event()

    def hear(self, touches: Sequence[Touch]) -> None:
        """Note what this viewer may know of."""
        for touch in touches:
            if touch.layer in self._layers and touch.concerns(self._viewer):
                self._news.setdefault(touch.layer, set()).add(touch.box)
                self._told.set()

    async def events(self) -> AsyncIterator[bytes]:
        """Server-sent events, until the process stops: `hello`, then `change` as things change."""
        forget = self._versions.listen(self.hear)
        stopping = asyncio.create_task(self._versions.until_stopped())
        stopping.add_done_callback(lambda _: self._told.set())
        try:
            yield b"retry: 3000\n" + event("hello", {"layers": self._known(self._layers)})
            while not self._versions.stopped:
                try:
                    # Not as a task of its own, which would be left waiting when the reader goes.
                    async with asyncio.timeout(HEARTBEAT_S):
                        await self._told.wait()
                except TimeoutError:
                    yield b": \n\n"
                    continue
                if stopping.done():
                    return
                news, self._news = self._news, {}
                self._told.clear()
                where = {layer: places(boxes) for layer, boxes in news.items()}
                yield event("change", {"layers": self._known(news), "where": where})
                await asyncio.wait({stopping}, timeout=PACE_S)
        finally:
            stopping.cancel()
            forget()

    def _known(self, layers: frozenset[str] | dict[str, set[tuple[int, int, int, int]]]) -> dict[str, int]:
        return {layer: self._versions.of(layer) for layer in sorted(layers)}


def event(name: str, data: dict[str, object]) -> bytes:
    return f"event: {name}\n".encode() + b"data: " + orjson.dumps(data) + b"\n\n"


def places(boxes: set[tuple[int, int, int, int]]) -> list[Box] | None:
    """Boxes of world units as few boxes in degrees (west, south, east, north), widened; None: anywhere."""
    if any(box[0] <= 0 and box[2] >= WORLD - 1 for box in boxes):
        return None
    exact = [(*degrees(x0, y1), *degrees(x1, y0)) for x0, y0, x1, y1 in boxes]
    for step in STEPS:
        found = {
            (
                round(math.floor(west / step) * step, 2),
                round(math.floor(south / step) * step, 2),
                round((math.floor(east / step) + 1) * step, 2),
                round((math.floor(north / step) + 1) * step, 2),
            )
            for west, south, east, north in exact
        }
        if len(found) <= PLACES:
            return sorted(found)
    return None
