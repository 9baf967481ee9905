"""Measures of candidate pairs: how near, how alike. Every measure is NaN where a side says nothing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import OSA
from rapidfuzz.fuzz import ratio
from rapidfuzz.process import cpdist

from app.linkage.engine import wording
from app.linkage.engine.codes import digits, look_alike
from app.linkage.engine.grams import cosines
from app.linkage.engine.names import Name
from app.linkage.engine.sides import Side, Texts, Words
from app.linkage.engine.statistics import Statistics

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Measured = npt.NDArray[np.float32]
USUAL_ERROR_M = 30.0
LONG_CODE = 6
"""Codes shorter than this differ in one character by chance."""
HOPELESS = 0.12
"""Names that share less of their characters than this are not looked at more closely."""
MOST_KINDS = 40_000
"""Pairs of different words up to which short forms are looked for; beyond it the words are no kinds but texts."""
SAME = np.float32(0.969)
"""As near as names come that are not the same."""


def measures(a: Side, b: Side, i: Ints, j: Ints, statistics: Statistics) -> dict[str, Measured]:
    """Every measure of the pairs (row i[k] of a, row j[k] of b), float32 in the order of the pairs."""
    found: dict[str, Measured] = {
        "metres": _metres(a, b, i, j),
        "number": _numbers(a.name, b.name, i, j),
        "code": _codes(a.codes, b.codes, i, j),
        "uscc": _uscc(a.uscc, b.uscc, i, j),
        "volume": _ratio(a.annual_m3[i], b.annual_m3[j]),
    }
    found["distance"] = _for_its_accuracy(found["metres"], np.maximum(a.error_m[i], b.error_m[j]))
    for field in ("name", "holder", "place", "water_body"):
        found[field] = _alike(
            getattr(a, field), getattr(b, field), i, j, statistics.idf(field), *statistics.word_weights(field)
        )
    found["place"] = _with_numbers(found["place"], a.place, b.place, i, j)
    for name, field in (("source_type", "source"), ("county", "county"), ("purpose", "purpose")):
        found[name] = _equal(getattr(a, field), getattr(b, field), i, j)
    return found


def _metres(a: Side, b: Side, i: Ints, j: Ints) -> Measured:
    found: Measured = np.linalg.norm(a.xyz[i] - b.xyz[j], axis=1).astype(np.float32)
    return found


def _for_its_accuracy(metres: Measured, error_m: Floats) -> Measured:
    """Metres as they would count if both positions were as good as usual: a stated error of 300 m takes 200 m for 20."""
    found: Measured = (metres * USUAL_ERROR_M / np.maximum(error_m, USUAL_ERROR_M)).astype(np.float32)
    return found


def _alike(
    a: Texts, b: Texts, i: Ints, j: Ints, idf: Measured, weights: Mapping[str, float], rare: float
) -> Measured:
    """Likeness of two names in 0…1: character pairs and edit distance, and word by word for Latin ones."""
    found = np.full(len(i), np.nan, np.float32)
    x, y = a.rows[i], b.rows[j]
    both = np.flatnonzero((x >= 0) & (y >= 0))
    if not len(both):
        return found
    different, back = np.unique(x[both].astype(np.int64) * len(b.values) + y[both], return_inverse=True)
    x, y = (different // len(b.values)).astype(np.int32), (different % len(b.values)).astype(np.int32)
    alike = cosines(a.grams.weighted(idf), b.grams.weighted(idf), x, y)
    close = np.flatnonzero(alike > HOPELESS)
    one, other = [a.values[k] for k in x[close].tolist()], [b.values[k] for k in y[close].tolist()]
    alike[close] = _closer(alike[close], one, other, weights, rare)
    found[both] = alike[back]
    return found


def _closer(
    cosine: Measured, one: Sequence[Name], other: Sequence[Name], weights: Mapping[str, float], rare: float
) -> Measured:
    # Spaces come and go: Deepwell, Deep Well.
    left, right = [v.core.replace(" ", "") for v in one], [v.core.replace(" ", "") for v in other]
    edit = cpdist(left, right, scorer=ratio, dtype=np.float32) / 100
    alike = (cosine + edit) / 2
    inside = np.array(
        [len(p) > 2 < len(q) and (p in q or q in p) for p, q in zip(left, right, strict=True)], bool
    )
    alike = np.where(inside, np.maximum(alike, (0.9 + cosine) / 2), alike)
    latin = [
        k for k, (v, w) in enumerate(zip(one, other, strict=True)) if v.latin and w.latin and alike[k] < SAME
    ]
    if latin:
        words = wording.alike([one[k].words for k in latin], [other[k].words for k in latin], weights, rare)
        alike[latin] = np.maximum(alike[latin], words)
    same = np.array([p == q for p, q in zip(left, right, strict=True)], bool)
    return np.where(same, 1.0, np.minimum(alike, SAME)).astype(np.float32)


def _numbers(a: Texts, b: Texts, i: Ints, j: Ints) -> Measured:
    """3 the same numbers, 2.5 one of several, 2 some the same, 1 only one name has any, 0 different; NaN where neither has."""
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
        [_overlap(values[k // len(values)], values[k % len(values)]) for k in different.tolist()],
        np.float32,
    )
    result[unsure] = shared[back]
    found[both] = result
    return found


def _with_numbers(alike: Measured, a: Texts, b: Texts, i: Ints, j: Ints) -> Measured:
    """Likeness of addresses whose numbers count: T12N R9W S14 is not S15, 1200 Elm Street is not 3400."""
    asked = np.flatnonzero(alike > 0)
    x, y = a.rows[i[asked]].astype(np.int64), b.rows[j[asked]].astype(np.int64)
    different, back = np.unique(x * len(b.values) + y, return_inverse=True)
    part = np.array(
        [
            _shared_numbers(a.values[k // len(b.values)].numbers, b.values[k % len(b.values)].numbers)
            for k in different.tolist()
        ],
        np.float32,
    )
    result = alike.copy()
    result[asked] = alike[asked] * part[back.ravel()]
    return result


def _shared_numbers(x: tuple[str, ...], y: tuple[str, ...]) -> float:
    """1 for the same numbers in any order, or where only one address has any; else down to 0.4 as fewer are the same."""
    if not x or not y:
        return 1.0
    shared = sum((Counter(x) & Counter(y)).values())
    return 0.4 + 0.6 * (shared / max(len(x), len(y))) ** 2


def _overlap(x: tuple[str, ...], y: tuple[str, ...]) -> float:
    """2.5 where one name lists several numbers and the other is one of them: a well of a field; 2 for a shared number."""
    shared = set(x) & set(y)
    if not shared:
        return 0.0
    return 2.5 if min(len(x), len(y)) == 1 else 2.0


def _number_ids(texts: Texts, rows: Ints, vocabulary: dict[tuple[str, ...], int]) -> Ints:
    ids = np.array(
        [vocabulary.setdefault(tuple(sorted(v.numbers)), len(vocabulary)) for v in texts.values] + [-1],
        np.int64,
    )
    return ids[texts.rows[rows]]


def _codes(a: Mapping[str, Words], b: Mapping[str, Words], i: Ints, j: Ints) -> Measured:
    """The best of every number of the one against every number of the other.

    Numbers of the same kind may differ; a register's own code that is not the permit's number says nothing, and
    former numbers only ever agree. Where the sides have no kind in common, what they have is taken for the same kind.
    """
    common = (a.keys() & b.keys()) - {"previous_no"}
    found = np.full(len(i), np.nan, np.float32)
    for kind, left in a.items():
        for other, right in b.items():
            level = _code(left, right, i, j)
            if common and (kind != other or kind not in common):
                level[level == 0] = np.nan
            found = np.fmax(found, level)
    return found


def _code(a: Words, b: Words, i: Ints, j: Ints) -> Measured:
    found = np.full(len(i), np.nan, np.float32)
    x, y = a.rows[i], b.rows[j]
    both = np.flatnonzero((x >= 0) & (y >= 0))
    if not len(both):
        return found
    x, y = x[both], y[both]
    level = np.zeros(len(both), np.float32)
    for worth, form in ((1.0, digits), (3.0, look_alike), (4.0, str)):
        p, q = _numbered(a.values, b.values, form)
        level[(p[x] == q[y]) & (p[x] >= 0)] = worth
    lengths_a, lengths_b = (np.array([len(v) for v in words.values]) for words in (a, b))
    slip = (
        (level <= 1)
        & (np.minimum(lengths_a[x], lengths_b[y]) >= LONG_CODE)
        & (abs(lengths_a[x] - lengths_b[y]) <= 1)
    )
    unsure = np.flatnonzero(slip)
    left, right = [a.values[k] for k in x[unsure].tolist()], [b.values[k] for k in y[unsure].tolist()]
    apart = cpdist(left, right, scorer=OSA.distance, score_cutoff=1, dtype=np.int32)
    level[unsure[apart == 1]] = 2.0
    found[both] = level
    return found


def _numbered(a: Sequence[str], b: Sequence[str], form: Callable[[str], str]) -> tuple[Ints, Ints]:
    """The values of both under one numbering of their forms; -1 for an empty form."""
    where: dict[str, int] = {"": -1}
    p, q = (np.array([where.setdefault(form(v), len(where)) for v in values], np.int64) for values in (a, b))
    return p, q


def _uscc(a: Words, b: Words, i: Ints, j: Ints) -> Measured:
    found = _code(a, b, i, j)
    return np.where(np.isnan(found), np.nan, np.select([found == 4, found >= 2], [2.0, 1.0], 0.0)).astype(
        np.float32
    )


def _equal(a: Words, b: Words, i: Ints, j: Ints) -> Measured:
    """1 the same word or its short form, 0 another, NaN where one is missing."""
    if len(a.values) * len(b.values) <= MOST_KINDS:
        same = np.array([[wording.same_kind(p, q) for q in [*b.values, ""]] for p in [*a.values, ""]], bool)
        row, other = a.rows[i], b.rows[j]
        return np.where((row < 0) | (other < 0), np.nan, same[row, other]).astype(np.float32)
    where = {value: k for k, value in enumerate(a.values)}
    renamed = np.array([where.get(value, -2) for value in b.values] + [-1], np.int64)
    x, y = a.rows[i], renamed[b.rows[j]]
    return np.where((x < 0) | (y == -1), np.nan, x == y).astype(np.float32)


def _ratio(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Measured:
    """The smaller in parts of the larger, 0…1."""
    return (np.minimum(x, y) / np.maximum(x, y)).astype(np.float32)
