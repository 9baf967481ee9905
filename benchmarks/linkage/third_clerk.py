"""A third clerk: the errors that registers of any country are said to have, made without a list of words.

About a tenth of the points 100 m and more off, two names in five written differently, one number in thirty new. Words
are changed by what can be done to letters and by what other rows of the same column have, so that the same code writes
English, Spanish, French and Chinese; it shares nothing with the cleaning code, nor with the other two clerks.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

Random = np.random.Generator
EARTH_M = 6_371_000.0
TEXTS = ("name", "holder", "place", "water_body")


@dataclass(frozen=True)
class Rates:
    """How often the clerk errs."""

    off: float = 0.10
    """Points 100 m and more off: evenly in the logarithm up to `far_m`."""
    far_m: float = 3_000.0
    noise_m: float = 20.0
    """Of the other points."""
    renamed: float = 0.40
    new_holder: float = 0.02
    renumbered: float = 1 / 30
    blank: float = 0.0
    """Cells left empty, of any column but the id."""
    drift: float = 0.15
    """Volumes that are others."""


def second(frame: pd.DataFrame, rates: Rates, rng: Random) -> pd.DataFrame:
    """The frame as the clerk writes it, row by row; columns `lon`, `lat` in degrees, `annual_m3` in m³, other columns texts."""
    found = frame.copy()
    found["lon"], found["lat"] = moved(frame["lon"].to_numpy(float), frame["lat"].to_numpy(float), rates, rng)
    for column in set(TEXTS) & set(found):
        others = [t for t in frame[column].dropna().unique().tolist() if t]
        found[column] = [
            rewritten(t, others, rng) if isinstance(t, str) and t and rng.random() < rates.renamed else t
            for t in found[column]
        ]
    if "holder" in found:
        found["holder"] = found["holder"].where(
            rng.random(len(found)) >= rates.new_holder, rng.permutation(frame["holder"].to_numpy())
        )
    if "code" in found:
        found["code"] = [
            _another(str(c), rng) if rng.random() < rates.renumbered else c for c in found["code"]
        ]
    if "annual_m3" in found:
        drift = np.where(rng.random(len(found)) < rates.drift, np.exp(rng.normal(0, 0.5, len(found))), 1.0)
        found["annual_m3"] = found["annual_m3"].to_numpy(float) * drift
    return blanked(found, rates.blank, rng)


def blanked(frame: pd.DataFrame, part: float, rng: Random) -> pd.DataFrame:
    """With that part of the cells empty; a position loses both its numbers."""
    if not part:
        return frame
    found = frame.copy()
    for column in set(found) - {"id", "lon", "lat", "row"}:
        found[column] = found[column].where(rng.random(len(found)) >= part)
    gone = rng.random(len(found)) < part
    found.loc[gone, ["lon", "lat"]] = np.nan
    return found


def moved(lon: np.ndarray, lat: np.ndarray, rates: Rates, rng: Random) -> tuple[np.ndarray, np.ndarray]:
    """Points somewhere else."""
    rows = len(lon)
    off = rng.random(rows) < rates.off
    metres = np.where(
        off,
        np.exp(rng.uniform(np.log(100), np.log(rates.far_m), rows)),
        rates.noise_m * rng.rayleigh(0.7, rows),
    )
    way = rng.uniform(0, 2 * np.pi, rows)
    north, east = np.degrees(metres * np.sin(way) / EARTH_M), np.degrees(metres * np.cos(way) / EARTH_M)
    return lon + east / np.cos(np.radians(lat)), lat + north


def rewritten(text: str, others: Sequence[str], rng: Random) -> str:
    """Written differently: one habit, sometimes two; another habit where the first changes nothing."""
    result = text
    for _ in range(1 + int(rng.random() < 0.3)):
        for k in rng.permutation(len(HABITS)):
            changed = HABITS[k](result, others, rng)
            if changed != result and changed.strip():
                result = changed
                break
    return result


def _another(code: str, rng: Random) -> str:
    """A number of the same form that has nothing to do with the old one."""
    return "".join(str(rng.integers(10)) if c.isdigit() else c for c in code)


def _letter(text: str, others: Sequence[str], rng: Random) -> str:
    places = [k for k, c in enumerate(text) if c.isalpha() and k]
    if not places:
        return text
    k = int(rng.choice(places))
    pool = str(rng.choice(others)) if others else text
    letters = [c for c in pool if c.isalpha()] or ["e"]
    how = rng.integers(4)
    if how == 0:
        return text[:k] + text[k + 1 :]
    if how == 1:
        return text[:k] + str(rng.choice(letters)) + text[k:]
    if how == 2 and k + 1 < len(text):
        return text[:k] + text[k + 1] + text[k] + text[k + 2 :]
    return text[:k] + str(rng.choice(letters)) + text[k + 1 :]


def _short(text: str, others: Sequence[str], rng: Random) -> str:
    """A long word cut to its beginning, with or without a full stop."""
    words = text.split()
    long = [k for k, w in enumerate(words) if len(w) > 5 and w.isalpha() and w.isascii()]
    if not long:
        return text
    k = int(rng.choice(long))
    words[k] = words[k][: int(rng.integers(3, 5))] + str(rng.choice([".", ""]))
    return " ".join(words)


def _initial(text: str, others: Sequence[str], rng: Random) -> str:
    words = text.split()
    if len(words) < 3:
        return text
    k = int(rng.integers(0, len(words) - 1))
    return " ".join([*words[:k], words[k][0] + ".", *words[k + 1 :]]) if words[k].isalpha() else text


def _left_out(text: str, others: Sequence[str], rng: Random) -> str:
    words = text.split()
    if len(words) < 3:
        return text if len(words) > 1 or len(text) < 5 or text.isascii() else text[:1] + text[2:]
    k = int(rng.integers(1, len(words)))
    return " ".join(words[:k] + words[k + 1 :]) if not any(c.isdigit() for c in words[k]) else text


def _added(text: str, others: Sequence[str], rng: Random) -> str:
    """A word that other rows have."""
    words = str(rng.choice(others)).split() if others else []
    plain = [w for w in words if w.isalpha() and len(w) > 2]
    return f"{text} {rng.choice(plain)}" if plain and not any(c >= "\u4e00" for c in text) else text


def _order(text: str, others: Sequence[str], rng: Random) -> str:
    words = text.replace(",", " ").split()
    return " ".join([words[-1] + ",", *words[:-1]]) if 1 < len(words) < 5 and words[-1].isalpha() else text


def _plain(text: str, others: Sequence[str], rng: Random) -> str:
    apart = unicodedata.normalize("NFD", text)
    return "".join(c for c in apart if not unicodedata.combining(c)).translate(str.maketrans("", "", ".,'-"))


def _case(text: str, others: Sequence[str], rng: Random) -> str:
    return text.upper() if text != text.upper() else text.title()


def _joined(text: str, others: Sequence[str], rng: Random) -> str:
    words = text.split()
    k = int(rng.integers(len(words))) if words else 0
    return " ".join([*words[:k], "".join(words[k : k + 2]), *words[k + 2 :]])


HABITS: tuple[Callable[[str, Sequence[str], Random], str], ...] = (
    _letter, _letter, _short, _initial, _left_out, _added, _order, _plain, _case, _joined,
)  # fmt: skip
