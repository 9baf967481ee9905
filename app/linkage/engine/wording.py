"""Likeness of Latin names word by word: typing slips, initials, abbreviations, other order, words left out."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import OSA

from app.linkage.engine.texts import is_chinese

EXACT, SLIP, SHORTENED, INITIAL = 1.0, 0.93, 0.9, 0.75
PART = 0.88
"""What a name is worth that is contained in a longer one."""
Words = tuple[str, ...]
WORD = re.compile(r"[^\W_]+")


def alike(
    left: Sequence[Words], right: Sequence[Words], weight: Mapping[str, float], rare: float
) -> npt.NDArray[np.float32]:
    """Likeness in 0…1 of each pair of names, given as words; words weigh what they tell (`rare` if not known)."""
    return np.array([_alike(p, q, weight, rare) for p, q in zip(left, right, strict=True)], np.float32)


def _alike(p: Words, q: Words, weight: Mapping[str, float], rare: float) -> float:
    if len(p) > len(q):
        p, q = q, p
    if not p:
        return 0.0
    weights_p, weights_q = [weight.get(x, rare) for x in p], [weight.get(x, rare) for x in q]
    free = list(range(len(q)))
    shared = matched_p = 0.0
    # The most telling words choose first.
    for k in sorted(range(len(p)), key=lambda k: -weights_p[k]):
        best, at = 0.0, -1
        for f in free:
            found = word_alike(p[k], q[f])
            if found > best:
                best, at = found, f
        if best >= 0.7:
            free.remove(at)
            shared += best * (weights_p[k] + weights_q[at])
            matched_p += best * weights_p[k]
    total_p, total_q = sum(weights_p), sum(weights_q)
    whole = shared / (total_p + total_q)
    inside = PART * matched_p / total_p if len(p) > 1 and total_p > rare else 0.0
    return max(whole, inside * min(1.0, 0.4 + 0.6 * total_p / total_q) if total_q else 0.0)


@lru_cache(maxsize=1_000_000)
def word_alike(p: str, q: str) -> float:
    """1 for the same word, less for a slip, a shortened word, an initial; 0 for another word."""
    if p == q:
        return EXACT
    if len(p) > len(q):
        p, q = q, p
    if p[0] != q[0]:
        return SLIP if len(p) >= 5 and OSA.distance(p, q, score_cutoff=1) <= 1 else 0.0
    if len(p) == 1:
        return INITIAL
    if len(p) >= 4 and OSA.distance(p, q, score_cutoff=2) <= (1 if len(q) < 8 else 2):
        return SLIP
    if q.startswith(p) or (len(p) >= 3 and len(q) > len(p) + 1 and _skips(p, q)):
        return SHORTENED if len(p) > 2 or len(q) < 5 else INITIAL
    return 0.0


@lru_cache(maxsize=100_000)
def same_kind(p: str, q: str) -> bool:
    """Whether two kinds, uses or counties are one: Irrigation and IRR., Sonoma and Sonoma County, 工业 and 工业用水."""
    if p == q:
        return True
    one, other = sorted((WORD.findall(p), WORD.findall(q)), key=len)
    if not one:
        return False
    if is_chinese(p) or is_chinese(q):
        short, long = sorted(("".join(one), "".join(other)), key=len)
        return len(short) > 1 and short in long
    free = list(other)
    for word in one:
        found = next((w for w in free if w == word or _short_form(*sorted((w, word), key=len))), None)
        if found is None:
            return False
        free.remove(found)
    return True


def _short_form(short: str, long: str) -> bool:
    return len(short) > 2 and short.isalpha() and long.startswith(short)


def _skips(p: str, q: str) -> bool:
    """Whether p is q with letters left out, as in dist, dst, wtr, assn; it keeps the consonants."""
    rest = iter(q)
    return all(letter in rest for letter in p) and not any(vowel in p[1:] and p not in q for vowel in "aeiou")
