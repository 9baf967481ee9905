"""A tile of a big point layer: parts read from its map tables, then encoded together.

A part is what one Mercator tile gives: cells where it holds many points, else single points. Cells lie where
their label does. Filters that cells cannot answer are asked of the points, if they are not too many; their
result is gathered into cells where it would be too big to draw or to send.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.derive.columns import tile_columns
from layers.model import Audience, Layer
from tiles import arrays, blocks, past, source
from tiles import facets as coding
from tiles.address import Address
from tiles.columns import columns, holds
from tiles.encode import ABSENT, Coded, Column, Encoder, Numbers, Texts
from tiles.grid import Grid, grid, parts
from tiles.keys import BITS, morton, unmorton
from tiles.options import Past, TileOptions, TooWide
from tiles.overview import CELL_BITS, CELL_DEPTH, PACKED, volumes
from tiles.source import Conditions, Statement

Array = npt.NDArray[Any]
LOW = BITS - CELL_BITS
SCANNED, JOINED = 250_000, 50_000
"""Most points that a filter is asked of one by one: in the map table, and joined to the view."""


@dataclass(frozen=True)
class Cells:
    """Cells with the place of their label in world units."""

    key: Array
    """Leading-1 quadkeys: level and cell."""
    x: Array
    y: Array
    n: Array
    volume: Array
    counts: Array
    """n by digit of the counted facet, shape (cells, digits)."""


@dataclass(frozen=True)
class Points:
    """Points in world units: exact, or in the middle of what is hidden from the public."""

    id: Array
    x: Array
    y: Array
    class_no: Array
    real: Array
    """Their volumes in m³; NaN: not known."""
    columns: dict[str, Column]


@dataclass(frozen=True)
class Request:
    """One tile, as it is asked for."""

    layer: Layer
    audience: Audience
    grid: Grid
    names: tuple[str, ...]
    where: Conditions
    hidden_bits: int
    past: Past | None = None

    @property
    def seen(self) -> frozenset[str]:
        return frozenset(one.name for one in self.layer.fields_for(self.audience))


def request(
    layer: Layer, audience: Audience, address: Address, options: TileOptions, hidden_bits: int
) -> Request:
    names = tile_columns(layer, audience) if options.fields is None else options.fields
    bits = hidden_bits if audience == "public" else 0
    where = source.conditions(layer, options)
    return Request(layer, audience, grid(address), names, where, bits, options.past)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────


Read = Callable[[Statement], Awaitable[tuple[Any, ...]]]
"""Gives the one row of a statement, in the viewer's scope."""


async def read(row: Read, asked: Request) -> list[Cells | Points]:
    """The parts of a tile. Raises TooWide."""
    return [await _part(row, asked, block) for block in parts(asked.grid)]


async def _part(row: Read, asked: Request, block: Address) -> Cells | Points:
    assert asked.layer.points is not None  # noqa: S101 - asked of big point layers
    p, where = asked.layer.points, asked.where
    one_by_one = bool(where.by_point or asked.past)
    if one_by_one:
        if await _too_many(row, asked, block):
            return await _counted_then(row, asked, block)
    elif block.z <= p.cells_to_zoom:
        total, cells = _cells(asked, block, await row(source.cells(asked.layer, block, where)))
        if total > p.max_points:
            return cells
    single = _points(asked, await row(statement(asked, block)))
    if len(single.id) > p.max_points and (one_by_one or block.z <= p.cells_to_zoom):
        return gathered(asked, single)
    return single


async def _too_many(row: Read, asked: Request, block: Address) -> bool:
    """Are there too many points to ask each? Raises TooWide where cells of the past cannot help."""
    most = SCANNED if holds(asked.layer, asked.where.fields) and not asked.past else JOINED
    (count,) = await row(source.count_in(asked.layer, block))
    if count <= most:
        return False
    if asked.past and not asked.where.by_point and block.z <= _cells_to(asked):
        return True
    raise TooWide(
        f"此范围内有 {count} 个对象，该条件或日期需逐个判断，请放大后再试；按图例分类筛选不受此限 "
        f"(this filter, or a past day, is asked of each feature, of at most {most} a tile: zoom in, or filter by the classes of the legend)"
    )


def _cells_to(asked: Request) -> int:
    assert asked.layer.points is not None  # noqa: S101
    return asked.layer.points.cells_to_zoom


async def _counted_then(row: Read, asked: Request, block: Address) -> Cells:
    """Cells of a past day, if they were counted. Raises TooWide if not."""
    assert asked.past is not None  # noqa: S101
    (day,) = await row(past.counted(asked.layer, asked.past))
    if day is None:
        raise TooWide(
            f"{asked.past.on} 的全国概览尚未汇总，请先汇总，或放大后再试 "
            "(the overview of this day has not been counted: POST /api/past-days asks for it; or zoom in)"
        )
    return _cells(asked, block, await row(source.cells(asked.layer, block, asked.where, day)))[1]


def statement(asked: Request, block: Address) -> Statement:
    """What reads the part, or more than it: `_points` cuts. From the points themselves, rows beyond the tile are left
    out, to the whole cell that the public does not see into; and a tile smaller than such a cell is made from all of it."""
    bits, where = asked.hidden_bits, asked.grid
    if asked.past:
        return past.points(asked.layer, asked.names, block, asked.where, asked.past)
    if blocks.answer(asked.layer, asked.names, asked.where):
        return blocks.read(asked.layer, asked.names, block)
    if block.z > BITS - bits:
        up = block.z - (BITS - bits)
        block = Address(block.z - up, block.x >> up, block.y >> up)
    rows = None
    if where.latitudes is not None:
        rows = (where.y0 >> bits << bits, -(-where.y1 >> bits) << bits)
        rows = (rows[0], min(rows[1], 2**BITS - 1 if where.y1 < 2**BITS else 2**31))
    return source.points(asked.layer, asked.audience, asked.names, block, rows, asked.where)


def _points(asked: Request, row: tuple[Any, ...]) -> Points:
    assert asked.layer.points is not None  # noqa: S101
    sent = iter(row)
    ids, key, class_no = (arrays.numbers(next(sent), kind) for kind in ("i8", "i8", "i4"))
    real = arrays.numbers(next(sent), "f4") if asked.layer.points.summed else np.full(len(ids), np.nan)
    found = _columns(asked, class_no, real, sent)
    x, y = unmorton(key)
    if bits := asked.hidden_bits:
        x, y = ((v >> bits << bits) + (1 << bits) // 2 for v in (x, y))
    inside = asked.grid.holds(x, y)
    every = Points(ids, x, y, class_no, real, found)
    return every if inside.all() else _chosen(every, inside)


def _chosen(points: Points, which: Array) -> Points:
    cut = {name: _cut(column, which) for name, column in points.columns.items()}
    return Points(
        points.id[which], points.x[which], points.y[which], points.class_no[which], points.real[which], cut
    )


def _cut(column: Column, which: Array) -> Column:
    if isinstance(column, Coded):
        return Coded(column.index[which], column.values)
    if isinstance(column, Numbers):
        return Numbers(column.data[which])
    sizes = np.where(column.lengths >= 0, column.lengths + arrays.GAP, 0)
    kept = np.frombuffer(column.spaced, np.uint8)[np.repeat(which, sizes)]
    return Texts(kept.tobytes(), column.lengths[which])


def _columns(asked: Request, class_no: Array, real: Array, rest: Iterator[Any]) -> dict[str, Column]:
    """The fields as columns, in the order in which `source.points` names them."""
    kept = columns(asked.layer)
    faceted = {one.name: one for one in kept.facets}
    assert asked.layer.points is not None  # noqa: S101
    found: dict[str, Column] = {"n": Coded(np.zeros(len(class_no), np.int64), (1,))}
    for name in asked.names:
        field = asked.layer.field(name)
        if name in faceted:
            found[name] = _facet(faceted[name], class_no)
        elif name == asked.layer.points.summed:
            found[name] = Numbers(real)
        elif name in kept.numbers:
            found[name] = Numbers(arrays.numbers(next(rest), "f4"))
        elif name == "county_code":
            found[name] = Numbers(arrays.numbers(next(rest), "i4"))
        elif name not in kept.texts and field.type == "number":
            found[name] = Numbers(arrays.numbers(next(rest), "f8"))
        elif name not in kept.texts and field.type == "integer":
            found[name] = Numbers(arrays.numbers(next(rest), "i8"))
        elif name not in kept.texts and field.type == "boolean":
            found[name] = Coded(arrays.numbers(next(rest), "i4"), (False, True))
        else:
            found[name] = Texts(*arrays.texts(next(rest)))
    return found


def _facet(facet: coding.Facet, class_no: Array) -> Column:
    digits = facet.digits(class_no).astype(np.int64)
    if facet.field.values:
        values = tuple(value.value for value in facet.field.values)
        return Coded(np.where(digits < len(values), digits, ABSENT), values)
    return Numbers(np.where(digits > 0, digits, np.iinfo(np.int64).min))


def _cells(asked: Request, block: Address, row: tuple[Any, ...]) -> tuple[int, Cells]:
    """How many points the whole block holds, and the cells that lie in the tile and meet the filter."""
    assert asked.layer.points is not None  # noqa: S101
    counted = coding.facet(asked.layer, asked.layer.points.counted)
    key, n, volume, sx, sy = (arrays.numbers(sent, "i8") for sent in row[:5])
    counts = np.array([arrays.numbers(sent, "i4") for sent in row[5 : 5 + counted.base]]).T.reshape(
        -1, counted.base
    )
    order = np.argsort(key)
    total = int(n.sum())
    whole = Cells(
        key[order],
        (sx[order] << LOW) / n[order],
        (sy[order] << LOW) / n[order],
        n[order],
        volume[order],
        counts[order],
    )
    if asked.where.by_class:
        whole = _of_classes(whole, counted, row[5 + counted.base :])
    inside = asked.grid.holds(whole.x, whole.y) & (whole.n > 0)
    return total, _picked(whole, inside)


def _picked(cells: Cells, which: Array) -> Cells:
    if which.all():
        return cells
    return Cells(*(getattr(cells, name)[which] for name in ("key", "x", "y", "n", "volume", "counts")))


def _of_classes(whole: Cells, counted: coding.Facet, row: tuple[Any, ...]) -> Cells:
    """The same cells, counting only the classes that meet the filter."""
    wanted = np.sort(arrays.numbers(row[0], "i4"))
    entries = np.frombuffer(row[3] or b"", PACKED)
    lengths = arrays.numbers(row[2], "i4") // PACKED.itemsize
    key = np.concatenate([np.repeat(arrays.numbers(row[1], "i8"), lengths), arrays.numbers(row[4], "i8")])
    class_no, n, volume = (
        np.concatenate([entries[name], arrays.numbers(sent, kind)])
        for name, sent, kind in (("class", row[5], "i4"), ("n", row[6], "i4"), ("volume", row[7], "i8"))
    )
    at = np.minimum(np.searchsorted(wanted, class_no), max(len(wanted) - 1, 0))
    meets = wanted[at] == class_no if len(wanted) else np.zeros(len(class_no), bool)
    cell = np.searchsorted(whole.key, key[meets])
    # A cell whose deltas cancel its points out is not among the whole ones; nothing of it is left to count.
    known = np.minimum(cell, max(len(whole.key) - 1, 0))
    there = whole.key[known] == key[meets] if len(whole.key) else np.zeros(len(cell), bool)
    cell, class_no, n, volume = known[there], class_no[meets][there], n[meets][there], volume[meets][there]
    size = len(whole.key)
    slot = cell * counted.base + counted.digits(class_no)
    return Cells(
        whole.key,
        whole.x,
        whole.y,
        np.rint(np.bincount(cell, n, size)).astype(np.int64),
        np.rint(np.bincount(cell, volume, size)).astype(np.int64),
        np.rint(np.bincount(slot, n, size * counted.base)).astype(np.int64).reshape(size, counted.base),
    )


def gathered(asked: Request, points: Points) -> Cells:
    """Single points of a tile as cells: what would be too much to draw or send."""
    assert asked.layer.points is not None  # noqa: S101
    counted = coding.facet(asked.layer, asked.layer.points.counted)
    depth = min(asked.grid.zoom + CELL_DEPTH, BITS - 1)
    shift = BITS - depth
    key = (np.int64(1) << np.int64(2 * depth)) | morton(points.x >> shift, points.y >> shift)
    cells, at = np.unique(key, return_inverse=True)
    size = len(cells)
    n = np.bincount(at, minlength=size)
    slot = at * counted.base + counted.digits(points.class_no)
    return Cells(
        cells,
        np.bincount(at, points.x, size) / n,
        np.bincount(at, points.y, size) / n,
        n,
        np.rint(np.bincount(at, volumes(points.real), size)).astype(np.int64),
        np.bincount(slot, minlength=size * counted.base).reshape(size, counted.base),
    )


# ── encoding ────────────────────────────────────────────────────────────────────────────────────────


def encoded(asked: Request, parts: list[Cells | Points]) -> bytes:
    """The tile's bytes; empty if nothing lies in it."""
    encoder = Encoder(asked.layer.id)
    for part in parts:
        x, y = asked.grid.place(part.x, part.y)
        if isinstance(part, Points):
            encoder.add(part.id, x, y, part.columns)
        else:
            encoder.add(None, x, y, _cell_columns(asked, part))
    return encoder.bytes()


def summarised(asked: Request, parts: list[Cells | Points]) -> list[Cells | Points]:
    """The same tile with all of its points gathered into cells."""
    return [gathered(asked, part) if isinstance(part, Points) else part for part in parts]


def _cell_columns(asked: Request, cells: Cells) -> dict[str, Column]:
    """What a cell tells: how many it stands for, of which state, their volume, and the Mercator tile that it is."""
    assert asked.layer.points is not None  # noqa: S101
    p = asked.layer.points
    same = np.zeros(len(cells.key), np.int64)
    level = int(cells.key[0]).bit_length() // 2 if len(cells.key) else 0
    column, row = _deinterleaved(cells.key)
    found: dict[str, Column] = {"cell": Coded(same, (True,)), "n": Numbers(cells.n)}
    if p.summed in asked.seen:
        found["volume"] = Numbers(cells.volume)
    if p.counted in asked.seen:
        for i, value in enumerate(asked.layer.field(p.counted).values):
            found[f"n_{value.value}"] = Numbers(cells.counts[:, i].astype(np.int64))
    return found | {"cz": Coded(same, (level,)), "cx": Numbers(column), "cy": Numbers(row)}


def _deinterleaved(key: Array) -> tuple[Array, Array]:
    """Column and row of leading-1 quadkeys of one level."""
    if not len(key):
        return key, key
    level = int(key[0]).bit_length() // 2
    found = []
    for axis in (0, 1):
        value = np.zeros_like(key)
        for bit in range(level):
            value |= ((key >> (2 * bit + axis)) & 1) << bit
        found.append(value)
    return found[0], found[1]
