"""Points as a Mapbox Vector Tile (2.1), column by column, without a Python step a feature.

Each feature's bytes are written into a row of a matrix as wide as the longest, beside a mask of what is used;
the mask then picks the bytes in order. Held equal to ST_AsMVT by a test that decodes both.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tiles.arrays import GAP

Array = npt.NDArray[Any]
ABSENT = -1
SHORT = 125
"""Longest text, in bytes, whose wrapped length is one byte."""
FEW = 16
"""So many values are written one by one sooner than as columns."""


@dataclass(frozen=True)
class Coded:
    """A column of values that few features differ in: positions in `values`, ABSENT for none."""

    index: Array
    values: tuple[str | int | float | bool, ...]


@dataclass(frozen=True)
class Numbers:
    """A column of numbers, whole or real; NaN, or the least whole number, for none."""

    data: Array


@dataclass(frozen=True)
class Texts:
    """A column of UTF-8 texts, one after the other with a gap before each; length ABSENT for none, which has no gap."""

    spaced: bytes
    lengths: Array


Column = Coded | Numbers | Texts


@dataclass
class Encoder:
    """One MVT layer. Features come in batches of equal columns; keys and values are the layer's."""

    name: str
    extent: int = 4096
    _keys: dict[str, int] = field(default_factory=dict)
    _values: list[bytes] = field(default_factory=list)
    _count: int = 0
    _features: list[bytes] = field(default_factory=list)

    def add(self, ids: Array | None, x: Array, y: Array, columns: dict[str, Column]) -> None:
        """Add point features at tile units x, y."""
        if not len(x):
            return
        # Values that many features share come first: their numbers are short.
        found = {name: self._coded(one) for name, one in columns.items() if isinstance(one, Coded)}
        found |= self._numbers({name: one.data for name, one in columns.items() if isinstance(one, Numbers)})
        found |= {name: self._texts(one) for name, one in columns.items() if isinstance(one, Texts)}
        tags = [(self._keys.setdefault(name, len(self._keys)), found[name]) for name in columns]
        self._features.append(_features(ids, x, y, tags))

    def bytes(self) -> bytes:
        """The tile; empty if nothing was added."""
        if not self._features:
            return b""
        keys = b"".join(b"\x1a" + _sized(name.encode()) for name in self._keys)
        body = b"".join(
            [b"\x0a", _sized(self.name.encode()), *self._features, keys, *self._values, b"\x28", _varint(self.extent), b"\x78\x02"]
        )  # fmt: skip
        return b"\x1a" + _sized(body)

    def _coded(self, column: Coded) -> Array:
        """Each feature's index among the layer's values, after these were written; ABSENT for none."""
        at = np.full(len(column.values) + 1, ABSENT)  # the last stands for ABSENT, which is -1
        used = np.bincount(column.index + 1, minlength=len(at))[1:]
        for index in np.flatnonzero(used).tolist():
            at[index] = self._count
            self._values.append(_value(column.values[index]))
            self._count += 1
        found: Array = at[column.index]
        return found

    def _texts(self, column: Texts) -> Array:
        """The same of texts, which are seldom alike."""
        present = column.lengths >= 0
        lengths = column.lengths[present]
        self._values.append(_texts(column.spaced, lengths))
        return self._indexed(present, np.arange(len(lengths)), len(lengths))

    def _numbers(self, columns: dict[str, Array]) -> dict[str, Array]:
        """The same of columns of numbers: those of one type share their values, so all are looked through at once."""
        found: dict[str, Array] = {}
        for kind in sorted({data.dtype.str for data in columns.values()}):
            mine = {name: data for name, data in columns.items() if data.dtype.str == kind}
            data = np.concatenate(list(mine.values()))
            real = data.dtype.kind == "f"
            present = ~np.isnan(data) if real else data != np.iinfo(data.dtype).min
            distinct, inverse = _distinct(data[present])
            self._values.append(_reals(distinct) if real else _wholes(distinct.astype(np.int64)))
            parts = np.split(self._indexed(present, inverse, len(distinct)), len(mine))
            found |= dict(zip(mine, parts, strict=True))
        return found

    def _indexed(self, present: Array, index: Array, count: int) -> Array:
        found: Array = index + self._count
        if len(index) < len(present):
            found = np.full(len(present), ABSENT)
            found[present] = index + self._count
        self._count += count
        return found


def _distinct(values: Array) -> tuple[Array, Array]:
    """The distinct values, and each value's number among them. Neighbours are often alike: they share a county."""
    new = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=new[1:])
    count = np.count_nonzero(new)
    if count == 1:
        return values[:1], np.zeros(len(values), np.int64)
    if 2 * count > len(values):
        return np.unique(values, return_inverse=True)
    distinct, inverse = np.unique(values[new], return_inverse=True)
    return distinct, inverse[np.cumsum(new) - 1]


# ── features ────────────────────────────────────────────────────────────────────────────────────────


class _Rows:
    """Bytes of equal rows, filled from left to right: one byte, or a byte a row, that all rows have or some."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._bytes: list[int | Array] = []
        self._where: list[Array | None] = []

    def constant(self, byte: int | Array, where: Array | None = None) -> None:
        self._bytes.append(byte)
        self._where.append(where)

    def varint(self, values: Array, most: int, where: Array | None = None) -> None:
        """Whole numbers from 0 to `most`, each in as few bytes as it takes."""
        rest, there = values, where
        for _ in range(_width(most) - 1):
            more = rest > 127
            if there is None and more.all():
                self.constant(rest & 127 | 128, there)
            else:
                self.constant(np.where(more, rest & 127 | 128, rest), there)
                there = more if there is None else more & there
            rest = rest >> 7
        self.constant(rest, there)

    def taken(self) -> bytes:
        """The bytes used, row by row."""
        shape = (self._rows, len(self._bytes))
        filled, used = np.empty(shape, np.uint8), np.empty(shape, bool)
        filled[:] = [byte if isinstance(byte, int) else 0 for byte in self._bytes]
        used[:] = True
        for i, (byte, where) in enumerate(zip(self._bytes, self._where, strict=True)):
            if not isinstance(byte, int):
                filled[:, i] = byte
            if where is not None:
                used[:, i] = where
        return filled.tobytes() if all(where is None for where in self._where) else filled[used].tobytes()


def _features(ids: Array | None, x: Array, y: Array, tags: list[tuple[int, Array]]) -> bytes:
    """Feature messages, one after the other."""
    px, py = x << 1, y << 1  # zigzag of what is not negative
    bounds = _bounds([px, py, *(index for _, index in tags), *(() if ids is None else (ids,))])
    if all(least >= 0 for least, _ in bounds):
        return _alike(ids, px, py, tags, bounds)
    most_x, most_y = _most(px), _most(py)
    size_tags = np.zeros(len(x), np.int64)
    parts = []
    for key, index in tags:
        most, there = _most(index), None if index.min() >= 0 else index >= 0
        wide = _width(key) + _widths(index, most)
        size_tags += wide if there is None else np.where(there, wide, 0)
        parts.append((_varint(key), index if there is None else np.maximum(index, 0), most, there))
    size_geometry = 1 + _widths(px, most_x) + _widths(py, most_y)
    most_tags = _most(size_tags)
    some = None if size_tags.all() else size_tags > 0
    size_part = 1 + _widths(size_tags, most_tags) + size_tags
    size = 4 + size_geometry + (size_part if some is None else np.where(some, size_part, 0))
    most_id = 0 if ids is None else _most(ids)
    if ids is not None:
        size += 1 + _widths(ids, most_id)
    rows = _Rows(len(x))
    rows.constant(0x12)
    rows.varint(size, _most(size))
    if ids is not None:
        rows.constant(0x08)
        rows.varint(ids, most_id)
    rows.constant(0x12, some)
    rows.varint(size_tags, most_tags, some)
    for key_bytes, index, most, there in parts:
        for byte in key_bytes:
            rows.constant(byte, there)
        rows.varint(index, most, there)
    for byte in (0x18, 0x01, 0x22):
        rows.constant(byte)
    if isinstance(size_geometry, int):
        rows.constant(size_geometry)
    else:
        rows.varint(size_geometry, 127)
    rows.constant(0x09)
    rows.varint(px, most_x)
    rows.varint(py, most_y)
    return rows.taken()


def _bounds(columns: list[Array]) -> list[tuple[int, int]]:
    """The least and the greatest number of each column, asked of all at once."""
    table = np.stack(columns)
    return list(zip(table.min(axis=1).tolist(), table.max(axis=1).tolist(), strict=True))


def _alike(
    ids: Array | None,
    px: Array,
    py: Array,
    tags: list[tuple[int, Array]],
    bounds: list[tuple[int, int]],
) -> bytes:
    """The same of features that all have every tag, in messages of one length: numbers take as many bytes as the
    greatest of their column, small ones with a continuation that adds nothing, which is as good a varint (a reader
    takes up to ten bytes for one, however great the number). So there is one row of bytes for all, in which just the
    numbers differ. `bounds`: of px, py, each tag, and the ids."""
    row, numbers = bytearray(), []

    def number(values: Array, bound: tuple[int, int]) -> None:
        least, most = bound
        if least == most:
            row.extend(_varint(most))
            return
        numbers.append((len(row), _width(most), values))
        row.extend(bytes(_width(most)))

    if ids is not None:
        row.append(0x08)
        number(ids, bounds[-1])
    if tags:
        row.append(0x12)
        sized = len(row)
        for (key, index), bound in zip(tags, bounds[2:], strict=False):
            row.extend(_varint(key))
            number(index, bound)
        size = _varint(len(row) - sized)
        row[sized:sized] = size
        numbers = [(at + len(size) if at >= sized else at, wide, values) for at, wide, values in numbers]
    row.extend((0x18, 0x01, 0x22))
    sized = len(row)
    row.append(0)
    row.append(0x09)
    number(px, bounds[0])
    number(py, bounds[1])
    row[sized] = len(row) - sized - 1
    head = b"\x12" + _varint(len(row))
    filled = np.empty((len(px), len(head) + len(row)), np.uint8)
    filled[:] = np.frombuffer(head + row, np.uint8)
    for at, wide, values in numbers:
        _write_alike(filled[:, len(head) + at : len(head) + at + wide], wide, values)
    return filled.tobytes()


def _write_alike(into: Array, wide: int, values: Array) -> None:
    """Varints of so many bytes, a row each."""
    for i in range(wide - 1):
        into[:, i] = values >> 7 * i & 127 | 128
    into[:, wide - 1] = values >> 7 * (wide - 1)


def _most(values: Array) -> int:
    return int(values.max(initial=0))


def _width(value: int) -> int:
    return max(1, (value.bit_length() + 6) // 7)


def _widths(values: Array, most: int) -> Array | int:
    """Bytes that each varint takes; one number, if it is the same for all."""
    if most < 128:
        return 1
    found = 1 + (values >= 128)
    for i in range(2, _width(most)):
        found += values >= 1 << 7 * i
    return found


# ── values ──────────────────────────────────────────────────────────────────────────────────────────


def _varint(value: int) -> bytes:
    if value < 128:
        return bytes((value,))
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


@lru_cache(maxsize=4096, typed=True)
def _value(value: str | int | float | bool) -> bytes:
    """One entry of the layer's values. Those of a code are in each tile."""
    if isinstance(value, bool):
        return b"\x22" + _sized(b"\x38" + (b"\x01" if value else b"\x00"))
    if isinstance(value, int):
        return b"\x22" + _sized(b"\x28" + _varint(value) if value >= 0 else b"\x30" + _varint(-2 * value - 1))
    if isinstance(value, float):
        return b"\x22" + _sized(b"\x19" + np.float64(value).tobytes())
    return b"\x22" + _sized(b"\x0a" + _sized(value.encode()))


def _reals(values: Array) -> bytes:
    """Values of real numbers: float of four bytes, double of eight."""
    four = values.dtype.itemsize == 4
    out = np.zeros(len(values), np.dtype([("head", "u1", 3), ("value", "<f4" if four else "<f8")]))
    out["head"] = (0x22, 5, 0x15) if four else (0x22, 9, 0x19)
    out["value"] = values
    return out.tobytes()


def _wholes(values: Array) -> bytes:
    """Values of whole numbers: an unsigned varint each, a zigzag one of what is negative."""
    if len(values) <= FEW:
        return b"".join(map(_value, values.tolist()))
    negative = values < 0
    told = np.where(negative, -2 * values - 1, values)
    rows = _Rows(len(values))
    rows.constant(0x22)
    most = _most(told)
    wide = 1 + _widths(told, most)
    if isinstance(wide, int):
        rows.constant(wide)
    else:
        rows.varint(wide, 127)
    rows.constant(np.where(negative, 0x30, 0x28))
    rows.varint(told, most)
    return rows.taken()


def _texts(spaced: bytes, lengths: Array) -> bytes:
    """Values of texts: each its length and bytes, twice wrapped. Short ones have just room for that in their gaps."""
    starts = np.cumsum(lengths + GAP) - lengths - GAP
    if int(lengths.max(initial=0)) > SHORT:
        return _long_texts(np.frombuffer(spaced, np.uint8), starts, lengths)
    out = np.frombuffer(bytearray(spaced), np.uint8)
    out[starts], out[starts + 1] = 0x22, lengths + 2
    out[starts + 2], out[starts + 3] = 0x0A, lengths
    return out.tobytes()


def _long_texts(spaced: Array, starts: Array, lengths: Array) -> bytes:
    return b"".join(
        b"\x22" + _sized(b"\x0a" + _sized(spaced[start + GAP : start + GAP + length].tobytes()))
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
    )
