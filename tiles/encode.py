"""Points as a Mapbox Vector Tile (2.1), column by column, without a Python step a feature.

Each feature's bytes are written into a row of a matrix as wide as the longest, beside a mask of what is used;
the mask then picks the bytes in order. Held equal to ST_AsMVT by a test that decodes both.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
ABSENT = -1


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
    """A column of UTF-8 texts one after the other; length ABSENT for none."""

    joined: bytes
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
        tags = [
            (self._keys.setdefault(name, len(self._keys)), self._tag(one)) for name, one in columns.items()
        ]
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

    def _tag(self, column: Column) -> Array:
        """Each feature's index among the layer's values, after these were written; ABSENT for none."""
        if isinstance(column, Coded):
            at = np.full(len(column.values) + 1, ABSENT)  # the last stands for ABSENT, which is -1
            used = np.bincount(column.index + 1, minlength=len(at))[1:]
            for index in np.flatnonzero(used).tolist():
                at[index] = self._count
                self._values.append(_value(column.values[index]))
                self._count += 1
            found: Array = at[column.index]
            return found
        if isinstance(column, Numbers):
            return self._numbers(column.data)
        present = column.lengths >= 0
        lengths = column.lengths[present]
        self._values.append(_texts(column.joined, lengths))
        return self._indexed(present, np.arange(len(lengths)), len(lengths))

    def _numbers(self, data: Array) -> Array:
        real = data.dtype.kind == "f"
        present = ~np.isnan(data) if real else data != np.iinfo(data.dtype).min
        distinct, inverse = np.unique(data[present], return_inverse=True)
        self._values.append(_reals(distinct) if real else _wholes(distinct.astype(np.int64)))
        return self._indexed(present, inverse, len(distinct))

    def _indexed(self, present: Array, index: Array, count: int) -> Array:
        found = np.full(len(present), ABSENT)
        found[present] = index + self._count
        self._count += count
        return found


# ── features ────────────────────────────────────────────────────────────────────────────────────────


class _Rows:
    """A matrix of bytes with a mask of those used, filled from left to right."""

    def __init__(self, rows: int, width: int) -> None:
        self.bytes = np.zeros((rows, width), np.uint8)
        self.used = np.zeros((rows, width), bool)
        self.at = 0

    def constant(self, byte: int, where: Array | None = None) -> None:
        self.bytes[:, self.at] = byte
        self.used[:, self.at] = True if where is None else where
        self.at += 1

    def taken(self) -> bytes:
        """The bytes used, row by row."""
        return self.bytes[:, : self.at][self.used[:, : self.at]].tobytes()

    def varint(self, values: Array, where: Array | None = None) -> None:
        rest, used = values, where
        for left in range(_width(int(values.max(initial=0))) - 1, -1, -1):
            more = rest > 127 if left else None
            self.bytes[:, self.at] = rest if more is None else np.where(more, rest & 127 | 128, rest)
            self.used[:, self.at] = True if used is None else used
            self.at += 1
            if more is not None:
                rest, used = rest >> 7, more if used is None else more & used


def _features(ids: Array | None, x: Array, y: Array, tags: list[tuple[int, Array]]) -> bytes:
    """Feature messages, one after the other."""
    px, py = x << 1, y << 1  # zigzag of what is not negative
    size_tags = np.zeros(len(x), np.int64)
    for key, index in tags:
        size_tags += np.where(index >= 0, _width(key) + _widths(index), 0)
    size_geometry = 1 + _widths(px) + _widths(py)
    size = 4 + size_geometry + np.where(size_tags > 0, 1 + _widths(size_tags) + size_tags, 0)
    if ids is not None:
        size = size + 1 + _widths(ids)
    width = 5 + int(size.max()) + 10 + 6 * len(tags)
    rows = _Rows(len(x), width)
    rows.constant(0x12)
    rows.varint(size)
    if ids is not None:
        rows.constant(0x08)
        rows.varint(ids)
    some = size_tags > 0
    rows.constant(0x12, some)
    rows.varint(size_tags, some)
    for key, index in tags:
        there = index >= 0
        for byte in _varint(key):
            rows.constant(byte, there)
        rows.varint(np.maximum(index, 0), there)
    for byte in (0x18, 0x01, 0x22):
        rows.constant(byte)
    rows.varint(size_geometry)
    rows.constant(0x09)
    rows.varint(px)
    rows.varint(py)
    return rows.taken()


def _width(value: int) -> int:
    return max(1, (value.bit_length() + 6) // 7)


def _widths(values: Array) -> Array:
    """Bytes that each varint takes."""
    found = np.ones(len(values), np.int64)
    most = int(values.max(initial=0))
    for i in range(1, _width(most)):
        found += values >= 1 << 7 * i
    return found


# ── values ──────────────────────────────────────────────────────────────────────────────────────────


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _value(value: str | int | float | bool) -> bytes:
    """One entry of the layer's values."""
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
    negative = values < 0
    told = np.where(negative, -2 * values - 1, values)
    rows = _Rows(len(values), 14)
    rows.constant(0x22)
    rows.varint(1 + _widths(told))
    rows.constant(0x28)
    rows.bytes[negative, rows.at - 1] = 0x30
    rows.varint(told)
    return rows.taken()


def _texts(joined: bytes, lengths: Array) -> bytes:
    """Values of texts: each its length and bytes, twice wrapped."""
    inner = 1 + _widths(lengths) + lengths
    rows = _Rows(len(lengths), 16)
    rows.constant(0x22)
    rows.varint(inner)
    rows.constant(0x0A)
    rows.varint(lengths)
    used = rows.used[:, : rows.at]
    heads = used.sum(1)
    out = np.empty(int(heads.sum() + lengths.sum()), np.uint8)
    starts = np.cumsum(heads + lengths) - heads - lengths
    out[_spans(starts, heads)] = rows.bytes[:, : rows.at][used]
    out[_spans(starts + heads, lengths)] = np.frombuffer(joined, np.uint8)
    return out.tobytes()


def _spans(starts: Array, lengths: Array) -> Array:
    """The positions of all spans, one after the other."""
    before = np.cumsum(lengths) - lengths
    found: Array = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
    return found
