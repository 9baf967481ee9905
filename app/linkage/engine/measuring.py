"""Measures of candidate pairs: how near, how alike. Every measure is NaN where a side says nothing."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein
from rapidfuzz.fuzz import partial_ratio, token_sort_ratio
from rapidfuzz.process import cpdist

from app.linkage.engine.codes import digits, look_alike
from app.linkage.engine.grams import cosines
from app.linkage.engine.names import Name
from app.linkage.engine.sides import Side, Texts, Words
from app.linkage.engine.statistics import Statistics

Ints = npt.NDArray[np.int64]
Measured = npt.NDArray[np.float32]
LONG_CODE = 6
"""Codes shorter than this differ in one character by chance."""


def measures(a: Side, b: Side, i: Ints, j: Ints, statistics: Statistics) -> dict[str, Measured]:
    """Every measure of the pairs (row i[k] of a, row j[k] of b), float32 in the order of the pairs."""
    found: dict[str, Measured] = {
        "distance": _distance(a, b, i, j),
        "number": _numbers(a.name, b.name, i, j),
        "code": _codes(a.codes, b.codes, i, j),
        "uscc": _uscc(a.uscc, b.uscc, i, j),
        "volume": _ratio(a.annual_m3[i], b.annual_m3[j]),
    }
    for field in ("name", "holder", "place", "water_body"):
        found[field] = _alike(getattr(a, field), getattr(b, field), i, j, statistics.idf(field))
    for name, field in (("source_type", "source"), ("county", "county"), ("purpose", "purpose")):
        found[name] = _equal(getattr(a, field), getattr(b, field), i, j)
    return found


def _distance(a: Side, b: Side, i: Ints, j: Ints) -> Measured:
    metres = np.linalg.norm(a.xyz[i] - b.xyz[j], axis=1)
    return metres.astype(np.float32)


def _alike(a: Texts, b: Texts, i: Ints, j: Ints, idf: Measured) -> Measured:
    """Likeness of two names in 0…1: the mean of weighted character pairs and of the edit distance."""
    found = np.full(len(i), np.nan, np.float32)
    x, y = a.rows[i], b.rows[j]
    both = np.flatnonzero((x >= 0) & (y >= 0))
    if not len(both):
        return found
    different, back = np.unique(x[both].astype(np.int64) * len(b.values) + y[both], return_inverse=True)
    x, y = (different // len(b.values)).astype(np.int32), (different % len(b.values)).astype(np.int32)
    cosine = cosines(a.grams.weighted(idf), b.grams.weighted(idf), x, y)
    left, right = [a.values[k].core for k in x.tolist()], [b.values[k].core for k in y.tolist()]
    edit = cpdist(left, right, scorer=token_sort_ratio, dtype=np.float32, workers=-1) / 100
    part = cpdist(left, right, scorer=partial_ratio, dtype=np.float32, workers=-1) / 100
    shorter = np.array([min(len(p), len(q)) for p, q in zip(left, right, strict=True)])
    same = np.array([p == q for p, q in zip(left, right, strict=True)])
    contained = np.where(shorter >= 3, part * 0.9, 0)
    alike = np.maximum((cosine + edit) / 2, np.where(part > 0.95, (contained + cosine) / 2, 0))
    alike = np.where(same, 1.0, np.minimum(alike, 0.969))
    found[both] = alike[back]
    return found


def _numbers(a: Texts, b: Texts, i: Ints, j: Ints) -> Measured:
    """3 the same numbers, 2 some the same, 1 only one name has any, 0 different; NaN where neither has."""
    vocabulary: dict[tuple[str, ...], int] = {(): 0}
    x, y = (_number_ids(texts, rows, vocabulary) for texts, rows in ((a, i), (b, j)))
    both = np.flatnonzero((x >= 0) & (y >= 0) & ((x > 0) | (y > 0)))
    found = np.full(len(i), np.nan, np.float32)
    x, y = x[both], y[both]
    values = list(vocabulary)
    result = np.where(x == y, 3.0, np.where((x == 0) | (y == 0), 1.0, 0.0)).astype(np.float32)
    unsure = np.flatnonzero(result == 0)
    different, back = np.unique(x[unsure] * len(values) + y[unsure], return_inverse=True)
    shared = np.array(
        [
            2.0 if set(values[k // len(values)]) & set(values[k % len(values)]) else 0.0
            for k in different.tolist()
        ],
        np.float32,
    )
    result[unsure] = shared[back]
    found[both] = result
    return found


def _number_ids(texts: Texts, rows: Ints, vocabulary: dict[tuple[str, ...], int]) -> Ints:
    ids = np.array(
        [vocabulary.setdefault(tuple(sorted(v.numbers)), len(vocabulary)) for v in texts.values] + [-1],
        np.int64,
    )
    return ids[texts.rows[rows]]


def _codes(a: Sequence[Words], b: Sequence[Words], i: Ints, j: Ints) -> Measured:
    """The best of every code of the one against every code of the other."""
    found = np.full(len(i), np.nan, np.float32)
    for left in a:
        for right in b:
            found = np.fmax(found, _code(left, right, i, j))
    return found


def _code(a: Words, b: Words, i: Ints, j: Ints) -> Measured:
    found = np.full(len(i), np.nan, np.float32)
    x, y = a.rows[i], b.rows[j]
    both = np.flatnonzero((x >= 0) & (y >= 0))
    if not len(both):
        return found
    different, back = np.unique(x[both].astype(np.int64) * len(b.values) + y[both], return_inverse=True)
    left = [a.values[k] for k in (different // len(b.values)).tolist()]
    right = [b.values[k] for k in (different % len(b.values)).tolist()]
    apart = cpdist(left, right, scorer=Levenshtein.distance, score_cutoff=1, dtype=np.int32, workers=-1)
    found[both] = np.array(
        [_code_level(p, q, d) for p, q, d in zip(left, right, apart.tolist(), strict=True)], np.float32
    )[back]
    return found


def _code_level(p: str, q: str, apart: int) -> float:
    if apart == 0:
        return 4.0
    if apart > 1 and len(p) != len(q) and not (p in q or q in p):
        return 0.0
    if look_alike(p) == look_alike(q):
        return 3.0
    if apart == 1 and min(len(p), len(q)) >= LONG_CODE:
        return 2.0
    return 1.0 if digits(p) and digits(p) == digits(q) else 0.0


def _uscc(a: Words, b: Words, i: Ints, j: Ints) -> Measured:
    found = _code(a, b, i, j)
    return np.where(np.isnan(found), np.nan, np.select([found == 4, found >= 2], [2.0, 1.0], 0.0)).astype(
        np.float32
    )


def _equal(a: Words, b: Words, i: Ints, j: Ints) -> Measured:
    """1 the same word, 0 another, NaN where one is missing."""
    where = {value: k for k, value in enumerate(a.values)}
    renamed = np.array([where.get(value, -2) for value in b.values] + [-1], np.int64)
    x, y = a.rows[i], renamed[b.rows[j]]
    return np.where((x < 0) | (y == -1), np.nan, x == y).astype(np.float32)


def _ratio(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Measured:
    """The smaller in parts of the larger, 0…1."""
    return (np.minimum(x, y) / np.maximum(x, y)).astype(np.float32)


def number_texts(name: Name) -> str:
    """Its numbers for a sentence."""
    return "、".join(name.numbers)
