"""Which pairs to look at: near ones, and ones that share something rare. Never more than a bound a row."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from app.linkage.engine.codes import digits, look_alike
from app.linkage.engine.names import Name, pieces
from app.linkage.engine.sides import Side, Texts, Words

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
NEAREST, REACH_M = 6, 2_000.0
CELL_DEGREES = 0.05
"""About 5 km: rows that share a common name or holder are compared where they are as near as this."""
FEW, MANY = 10, 40
"""Rows of B that one key may bring: a word alone, and something as telling as a code."""
RARE_WORDS = 3


class Blocks:
    """Side B, ready to be asked for the candidates of rows of side A."""

    def __init__(self, b: Side) -> None:
        self._b = b
        self._frequency = _word_frequency(b)
        self._located = np.flatnonzero(np.isfinite(b.xyz[:, 0]))
        self._tree = cKDTree(b.xyz[self._located]) if len(self._located) else None
        self._keys = {kind: _sorted(rows, keys) for kind, most, rows, keys in self._kinds(b, of_b=True)}

    def candidates(self, a: Side) -> tuple[Ints, Ints]:
        """Rows of A and rows of B to compare, each pair once, in the order of A."""
        found = [*self._near(a)]
        for kind, most, rows, keys in self._kinds(a, of_b=False):
            found.append(_joined(rows, keys, *self._keys[kind], most))
        pairs = (
            np.unique(np.concatenate([i * len(self._b) + j for i, j in found]))
            if found
            else np.empty(0, np.int64)
        )
        return pairs // max(1, len(self._b)), pairs % max(1, len(self._b))

    def _near(self, a: Side) -> Iterator[tuple[Ints, Ints]]:
        located = np.flatnonzero(np.isfinite(a.xyz[:, 0]))
        if self._tree is None or not len(located):
            return
        yield _nearest(self._tree, a.xyz[located], located, self._located)
        j, i = _nearest(cKDTree(a.xyz[located]), self._b.xyz[self._located], self._located, located)
        yield i, j

    def _kinds(self, side: Side, *, of_b: bool) -> Iterator[tuple[str, int, Ints, Keys]]:
        """(kind, rows of B that a key may bring, rows, keys)."""
        every = np.arange(len(side))
        for field in ("name", "holder"):
            texts: Texts = getattr(side, field)
            rare = [_rare(value, self._frequency) for value in texts.values]
            whole = [[f"{v.core}|{'|'.join(v.numbers)}"] for v in texts.values]
            yield f"{field}-two", FEW, *_spread(texts.rows, [_hashes(_two(words)) for words in rare])
            for kind, made, most in (("whole", whole, MANY), ("rare", rare, FEW)):
                rows, keys = _spread(texts.rows, [_hashes(texts_of) for texts_of in made])
                yield f"{field}-{kind}", most // 2, rows, keys
                yield f"{field}-{kind}-cell", most, *_in_cells(rows, keys, side.lonlat, neighbours=not of_b)
        yield "uscc", MANY, *_of_words(side.uscc, lambda code: [code])
        for most, kind, make in (
            (MANY, "code", lambda code: [look_alike(code)]),
            (FEW, "digits", lambda code: [digits(code)] if digits(code) else []),
        ):
            parts = [_of_words(words, make) for words in side.codes.values()]
            yield (
                kind,
                most,
                np.concatenate([every[:0], *(p[0] for p in parts)]),
                np.concatenate([np.empty(0, np.uint64), *(p[1] for p in parts)]),
            )


def _nearest(tree: cKDTree, points: npt.NDArray[np.float64], of: Ints, to: Ints) -> tuple[Ints, Ints]:
    k = min(NEAREST, tree.n)
    metres, at = tree.query(points, k=np.arange(1, k + 1), distance_upper_bound=REACH_M)
    row, column = np.nonzero(np.isfinite(metres))
    return of[row], to[at[row, column]]


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────


def _hash(text: str) -> int:
    return hash(text) & 0xFFFFFFFFFFFFFFFF


def _hashes(texts: Sequence[str]) -> list[int]:
    return [_hash(text) for text in texts]


def _of_words(words: Words, make: Callable[[str], Sequence[str]]) -> tuple[Ints, Keys]:
    return _spread(words.rows, [[_hash(key) for key in make(value)] for value in words.values])


def _spread(rows: npt.NDArray[np.int32], keys: Sequence[Sequence[int]]) -> tuple[Ints, Keys]:
    """The keys of each value at the rows that have it."""
    lengths = np.array([len(k) for k in keys] + [0], np.int64)
    flat = np.array([key for k in keys for key in k], np.uint64)
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    known = np.flatnonzero(rows >= 0)
    value = rows[known]
    found, at = _expanded(known, starts[value], lengths[value])
    return found, flat[at]


def _expanded(rows: Ints, starts: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """Row r once for each place in start : start + length, and those places."""
    total = int(lengths.sum())
    offsets = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(rows, lengths), np.repeat(starts, lengths) + offsets


def _in_cells(
    rows: Ints, keys: Keys, lonlat: npt.NDArray[np.float64], *, neighbours: bool
) -> tuple[Ints, Keys]:
    """The key together with the cell where the row lies; with the eight around it, if asked."""
    where = lonlat[rows]
    placed = np.isfinite(where).all(axis=1)
    rows, keys = rows[placed], keys[placed]
    cells = np.floor(where[placed] / CELL_DEGREES).astype(np.int64)
    steps = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)] if neighbours else [(0, 0)]
    mixed = [
        keys
        ^ ((cells[:, 0] + x) * 1_000_003 + (cells[:, 1] + y) * 7_919).astype(np.uint64)
        * np.uint64(0x9E3779B97F4A7C15)
        for x, y in steps
    ]
    return np.tile(rows, len(steps)), np.concatenate(mixed)


def _sorted(rows: Ints, keys: Keys) -> tuple[Ints, Keys]:
    order = np.argsort(keys, kind="stable")
    return rows[order], keys[order]


def _joined(rows: Ints, keys: Keys, rows_b: Ints, keys_b: Keys, most: int) -> tuple[Ints, Ints]:
    """Pairs that share a key which brings no more than `most` rows of B."""
    first = np.searchsorted(keys_b, keys, "left")
    count = np.searchsorted(keys_b, keys, "right") - first
    count[count > most] = 0
    i, at = _expanded(rows, first, count)
    return i, rows_b[at]


def _word_frequency(b: Side) -> dict[str, int]:
    counted: dict[str, int] = {}
    for texts in (b.name, b.holder):
        for value, count in zip(texts.values, texts.counts.tolist(), strict=True):
            for word in pieces(value):
                counted[word] = counted.get(word, 0) + count
    return counted


def _rare(name: Name, frequency: dict[str, int]) -> list[str]:
    known = [word for word in pieces(name) if word in frequency]
    return sorted(known, key=lambda word: (frequency[word], word))[:RARE_WORDS]


def _two(rare: Sequence[str]) -> list[str]:
    words = sorted(rare)
    return [f"{x} {y}" for i, x in enumerate(words) for y in words[i + 1 :]]
