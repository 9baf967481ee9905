"""Pages in the order of keys (`app.ogc.keyed`) read from sheets (`tiles.sheets`): some rows of packed columns instead
of a thousand rows held against the jurisdiction one by one. The same features in the same order, or none: then the
page is read by key, as wherever a change waits to be folded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from app.ogc.asking import ItemsQuery
from app.ogc.cover import Box, key_ranges
from app.ogc.forms import DEGREE_DECIMALS
from app.ogc.keyed import EDGE, Row
from app.ogc.query import COUNT_LIMIT, Statement
from app.ogc.sorting import Position
from layers.model import Audience, Layer
from tiles import sheets
from tiles.blocks import SHIFT
from tiles.keys import world_box

SCALE = float(10**DEGREE_DECIMALS)


@dataclass(frozen=True, slots=True)
class Found:
    """The features of a page, and where it ends if more follow."""

    sheets: sheets.Sheets
    at: npt.NDArray[np.int64]
    names: tuple[str, ...]
    query: ItemsQuery
    after: Position | None
    matched: int | None
    """How many features match in all, or more than are counted; None: not known."""

    def rows(self) -> list[Row] | None:
        """As a form wants them; None if they must be read by key."""
        read, at = self.sheets, self.at
        columns: list[list[object]] = [read.ids[at].tolist(), [None] * len(at)]
        if self.query.geometry:
            columns += [axis.tolist() for axis in self._axes()]
        for name in self.names:
            values = read.values(name, at)
            if values is None:
                return None
            columns.append(values)
        return list(zip(*columns, strict=True))

    def json(self) -> bytes | None:
        """As an array of GeoJSON: the same bytes that orjson makes of a form's features, column by column."""
        read, at = self.sheets, self.at
        if not len(at):
            return b"[]"
        columns = [sheets.numbers_json(read.ids[at])]
        if self.query.geometry:
            columns.append(sheets.numbers_json(np.stack(self._axes(), axis=1)))
        for name in self.names:
            texts = read.json(name, at)
            if texts is None:
                return None
            columns.append(texts)
        return f"[{','.join(_features(self.names, self.query.geometry)(*columns))}]".encode(sheets.BYTES)

    def _axes(self) -> list[npt.NDArray[np.float64]]:
        """Coordinates, as the form's own SQL rounds them."""
        axes = [np.rint(degrees[self.at] * SCALE) / SCALE for degrees in (self.sheets.lons, self.sheets.lats)]
        return axes[::-1] if self.query.crs.swapped else axes


@lru_cache(maxsize=512)
def _features(names: tuple[str, ...], geometry: bool) -> Callable[..., list[str]]:
    """Makes GeoJSON of columns of JSON texts. Compiled, with the names of the declaration as literals, as those of a form."""
    place = '{{"type":"Point","coordinates":[{xy}]}}' if geometry else "null"
    told = ",".join(f'"{name}":{{p{i}}}' for i, name in enumerate(names))
    text = '{{"type":"Feature","id":{id},"geometry":' + place + ',"properties":{{' + told + "}}}}"
    columns = ", ".join(["id", *(("xy",) if geometry else ()), *(f"p{i}" for i in range(len(names)))])
    source = f"lambda *columns: [f{text!r} for {columns}, in zip(*columns)]"
    made: Callable[..., list[str]] = eval(source, {})  # noqa: S307 - declared names only
    return made


def applies(layer: Layer, audience: Audience, query: ItemsQuery) -> bool:
    """Do sheets hold all that is shown? Asked of pages that are read by key; an offset is counted there."""
    if (
        layer.points is None
        or layer.points.sheets is None
        or layer.source.datetime is not None
        or query.offset
    ):
        return False
    told = sheets.fields(layer)
    plain = not query.geometry or query.crs.geographic
    return plain and all(name in told for name in _names(layer, audience, query))


def _names(layer: Layer, audience: Audience, query: ItemsQuery) -> tuple[str, ...]:
    shown = layer.fields_for(audience) if query.fields is None else query.fields
    return tuple(field.name for field in shown)


def statement(layer: Layer, audience: Audience, query: ItemsQuery) -> Statement:
    """What reads one more than the limit, and some beside."""
    assert query.boxes is not None  # noqa: S101 - asked of boxes only
    names, box = _names(layer, audience, query), _box(query.boxes[0], query.after)
    read = sheets.read(layer, names, box, query.limit + 1, COUNT_LIMIT if query.after is None else -1)
    return Statement(read.sql, read.values)


def _box(box: Box, after: Position | None) -> sheets.Box:
    x0, y0, x1, y1 = world_box(box, EDGE)
    begun = -1 if after is None or after.key is None else after.key >> SHIFT
    ranges = tuple((max(lo, begun), hi) for lo, hi in _blocks(box) if hi >= begun)
    return sheets.Box(x0, y0, x1, y1, 2 * EDGE, ranges, begun)


@lru_cache(maxsize=128)
def _blocks(box: Box) -> list[tuple[int, int]]:
    """Ranges of blocks that hold the box, each once."""
    found: list[tuple[int, int]] = []
    for lo, hi in key_ranges(box, 0, EDGE):
        first, last = lo >> SHIFT, (hi - 1) >> SHIFT
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def found(layer: Layer, audience: Audience, query: ItemsQuery, row: tuple[object, ...]) -> Found | None:
    """The page of what the statement gave; None if it must be read by key."""
    names = _names(layer, audience, query)
    read = sheets.Sheets.of(layer, names, row)
    if read is None or query.boxes is None:
        return None
    box = query.boxes[0]
    at = _near(read, world_box(box, EDGE), query.after)
    unread = read.upto < 2**62
    if unread and not len(at):
        return None
    more = unread or len(at) > query.limit
    at = at[: query.limit]
    after = Position(int(read.ids[at[-1]]), key=int(read.keys[at[-1]])) if more else None
    at = at[_inside(read.lons[at], read.lats[at], box)]
    return Found(read, at, names, query, after, _matched(read, at, query, after, box))


def _matched(
    read: sheets.Sheets, at: npt.NDArray[np.int64], query: ItemsQuery, after: Position | None, box: Box
) -> int | None:
    if query.after is not None:
        return None
    if after is None:
        return len(at)
    if read.least > COUNT_LIMIT:
        return read.least
    if read.upto < 2**62:
        return None
    return read.least + int(np.count_nonzero(_inside(read.edge_lons, read.edge_lats, box)))


def _inside(lons: npt.NDArray[np.float64], lats: npt.NDArray[np.float64], box: Box) -> npt.NDArray[np.bool_]:
    west, south, east, north = box
    found: npt.NDArray[np.bool_] = (lons >= west) & (lons <= east) & (lats >= south) & (lats <= north)
    return found


def _near(
    read: sheets.Sheets, edges: tuple[int, int, int, int], after: Position | None
) -> npt.NDArray[np.int64]:
    """Places of the features near the box, in the order of keys, from the cursor on."""
    x0, y0, x1, y1 = edges
    near = (read.x >= x0) & (read.x <= x1) & (read.y >= y0) & (read.y <= y1) & (read.keys < read.upto)
    if after is not None and after.key is not None:
        near &= (read.keys > after.key) | ((read.keys == after.key) & (read.ids > after.identifier))
    at = np.flatnonzero(near)
    return at[np.lexsort((read.ids[at], read.keys[at]))]
