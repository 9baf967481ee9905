"""Real registers, written a second time by a careless clerk: the truth is the row they came from.

Read from the folder named by SHUITU_SHARED_DATA. The clerk's habits are written down here, apart from the code
that cleans names: about a tenth of the points 100 m and more off, two names of five written differently, one
number in thirty new.
"""

import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyogrio

from app.imports.angles import AngleError, parse_angle
from benchmarks.linkage import words as w

METRES = 111_320.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Clerk:
    """How a register is written the second time."""

    offset: float = 0.10
    far_m: float = 2_000.0
    """Points off lie between 100 m and this, most of them nearer."""
    noise_m: float = 12.0
    name: float = 0.40
    holder: float = 0.40
    new_holder: float = 0.04
    renumbered: float = 1 / 30
    number: float = 0.05
    """Numbers with a slip: a lost zero, a look-alike, another separator."""
    unplaced: float = 0.01
    without: tuple[str, ...] = ()
    """Columns that the second register does not have."""
    missing: float = 0.10
    """Rows that only one register has, on each side."""
    shift_m: tuple[float, float] = (0.0, 0.0)
    """East and north, of every point: another datum."""


def folder() -> Path | None:
    """The shared data, if they are here."""
    found = Path(os.environ.get("SHUITU_SHARED_DATA", ROOT.parent / "shared" / "data")) / "registers"
    return found if found.is_dir() else None


def california(data: Path) -> pd.DataFrame:
    """Points of diversion of 2018 with their last known holder."""
    pods = pyogrio.read_dataframe(data / "california" / "ca_pods_2018.gpkg", read_geometry=False)
    pods.columns = [c.lower() for c in pods.columns]
    past = pd.read_csv(data / "california" / "ca_past_holders_2018.csv.gz", dtype=str).drop_duplicates(
        "appl_id", keep="last"
    )
    frame = pods.merge(past[["appl_id", "name"]], on="appl_id").rename(
        columns={"name": "holder", "appl_id": "code", "long": "lon"}
    )
    return frame[["code", "holder", "lon", "lat"]].drop_duplicates()


def russian_river(data: Path) -> pd.DataFrame:
    """The rights of one river of 2022, with owner, kind, use and county."""
    frame = pd.read_csv(data / "california" / "ca_russian_river_rights_2022.csv", dtype=str)
    found = frame.rename(columns={
        "APPLICATION_NUMBER": "code", "APPLICATION_PRIMARY_OWNER": "holder", "LATITUDE": "lat", "LONGITUDE": "lon",
        "PRIMARY_USE": "purpose", "COUNTY": "county_code",
    })[["code", "holder", "lon", "lat", "purpose", "county_code"]]  # fmt: skip
    return found.assign(lon=found["lon"].astype(float), lat=found["lat"].astype(float)).drop_duplicates(
        "code"
    )


def philippines(data: Path) -> pd.DataFrame:
    """Permits of 2024: permittee, source, coordinates as typed where they can be read."""
    permits = pd.read_csv(data / "philippines" / "ph_nwrb_permits_raw.csv", dtype=str)
    people = pd.read_csv(data / "philippines" / "ph_permittees_list1.csv", dtype=str)
    people["key"] = people["PERMITNO"].str.zfill(6)
    frame = (
        permits.assign(key=permits["PERMITNO"].str.zfill(6))
        .drop_duplicates("key")
        .merge(people[["key", "PERMITTEE"]].drop_duplicates("key"), on="key")
    )
    frame["lat"], frame["lon"] = (frame[c].map(_angle) for c in ("LATITUDE", "LONGITUDE"))
    frame.loc[~frame["lat"].between(4, 22) | ~frame["lon"].between(116, 128), ["lat", "lon"]] = np.nan
    return frame.rename(
        columns={"key": "code", "PERMITTEE": "holder", "WATERSOURCE": "name", "SOURCE_TYPE": "source_type"}
    )[["code", "name", "holder", "lon", "lat", "source_type"]]


def _angle(text: object) -> float:
    try:
        return parse_angle(str(text), 180)
    except AngleError:
        return math.nan


def reunion(data: Path, rng: np.random.Generator) -> tuple[pa.Table, pa.Table, set[tuple[str, str]]]:
    """Names of points against one of their other names; placed 300 m apart in their commune, for the file has no positions."""
    frame = pd.read_csv(data / "reunion" / "reunion_point_names_aliases.csv", dtype=str).dropna(
        subset=["nom_point_prelevement"]
    )
    communes = {
        c: (55.3 + rng.random() * 0.4, -21.3 + rng.random() * 0.4) for c in frame["nom_commune"].unique()
    }
    a, b, truth = [], [], set()
    for row in frame.itertuples():
        x, y = communes[row.nom_commune]
        lon, lat = x + rng.normal() * 0.01, y + rng.normal() * 0.01
        a.append(
            {
                "id": f"a{row.Index}",
                "name": row.nom_point_prelevement,
                "town": str(row.nom_commune),
                "lon": lon,
                "lat": lat,
            }
        )
        if isinstance(row.autres_noms, str):
            name = row.autres_noms.split(",")[0]
            far = rng.exponential(60) if rng.random() > 0.1 else rng.uniform(100, 1500)
            angle = rng.random() * 6.28
            b.append(
                {
                    "id": f"b{row.Index}",
                    "name": name,
                    "town": str(row.nom_commune),
                    "lon": lon + far * math.cos(angle) / METRES,
                    "lat": lat + far * math.sin(angle) / METRES,
                }
            )
            truth.add((f"a{row.Index}", f"b{row.Index}"))
    return pa.Table.from_pylist(a), pa.Table.from_pylist(b), truth


def written_twice(
    frame: pd.DataFrame, clerk: Clerk, seed: int
) -> tuple[pa.Table, pa.Table, set[tuple[str, str]]]:
    """The register as it is (A), as the clerk wrote it (B), and which row is which."""
    rng = np.random.default_rng(seed)
    frame = frame.reset_index(drop=True)
    a = frame.assign(id=[f"a{k}" for k in range(len(frame))])
    b = frame.assign(id=[f"b{k}" for k in range(len(frame))])
    in_a, in_b = (rng.random(len(frame)) >= clerk.missing for _ in range(2))
    b["lon"], b["lat"] = _moved(frame, clerk, rng)
    if "name" in b:
        b["name"] = [
            _rewritten(str(t), rng) if t == t and rng.random() < clerk.name else t for t in b["name"]
        ]
    if "holder" in b:
        texts = [
            _rewritten(str(t), rng) if t == t and rng.random() < clerk.holder else t for t in b["holder"]
        ]
        b["holder"] = [_person(rng) if rng.random() < clerk.new_holder else t for t in texts]
    if "code" in b:
        codes = list(b["code"])
        b["code"] = [
            str(rng.choice(codes))[:-2] + f"{rng.integers(0, 99):02d}"
            if rng.random() < clerk.renumbered
            else _slip(str(c), rng)
            if rng.random() < clerk.number
            else c
            for c in codes
        ]
    b = b.drop(columns=[c for c in clerk.without if c in b])
    truth = {(f"a{k}", f"b{k}") for k in np.flatnonzero(in_a & in_b)}
    order = rng.permutation(int(in_b.sum()))
    return _table(a[in_a]), _table(b[in_b].iloc[order]), truth


def _table(frame: pd.DataFrame) -> pa.Table:
    columns = {
        c: pa.array(frame[c].astype(float), from_pandas=True)
        if c in ("lon", "lat")
        else pa.array([None if v != v else str(v) for v in frame[c]], pa.string())
        for c in frame.columns
    }
    return pa.table(columns)


def _moved(frame: pd.DataFrame, clerk: Clerk, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rows = len(frame)
    far = np.abs(rng.normal(0, clerk.noise_m, rows))
    off = rng.random(rows) < clerk.offset
    far[off] = 100 * (clerk.far_m / 100) ** (rng.random(int(off.sum())) ** 1.3)
    angle = rng.random(rows) * 2 * np.pi
    east, north = far * np.cos(angle) + clerk.shift_m[0], far * np.sin(angle) + clerk.shift_m[1]
    lat = frame["lat"].to_numpy(float)
    lon = frame["lon"].to_numpy(float) + east / METRES / np.cos(np.radians(lat))
    lat = lat + north / METRES
    gone = rng.random(rows) < clerk.unplaced
    lon[gone], lat[gone] = np.nan, np.nan
    return lon, lat


def _person(rng: np.random.Generator) -> str:
    return f"{rng.choice(w.FIRST_NAMES)} {rng.choice(w.SURNAMES)}".upper()


def _rewritten(text: str, rng: np.random.Generator) -> str:
    """One or two of the things that people do to a name."""
    for _ in range(1 + (rng.random() < 0.4)):
        text = HABITS[rng.integers(len(HABITS))](text, rng)
    return text


def _shorten(text: str, rng: np.random.Generator) -> str:
    return " ".join(
        rng.choice(w.ENGLISH_SHORT[t.strip(",.")]) if t.strip(",.") in w.ENGLISH_SHORT else t
        for t in text.upper().split()
    )


def _last_first(text: str, rng: np.random.Generator) -> str:
    parts = text.replace(",", "").split()
    return f"{parts[-1]}, {' '.join(parts[:-1])}" if 2 <= len(parts) <= 4 else text.title()


def _initials(text: str, rng: np.random.Generator) -> str:
    parts = text.split()
    return " ".join([parts[0][0] + ".", *parts[1:]]) if len(parts) > 1 and len(parts[0]) > 1 else text.lower()


def _drop_word(text: str, rng: np.random.Generator) -> str:
    parts = text.split()
    if len(parts) < 3:
        return text
    del parts[int(rng.integers(1, len(parts)))]
    return " ".join(parts)


def _typo(text: str, rng: np.random.Generator) -> str:
    if len(text) < 5:
        return text
    at = int(rng.integers(1, len(text) - 1))
    how = rng.random()
    if how < 0.35:
        return text[:at] + text[at + 1 :]
    if how < 0.7:
        return text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :]
    return text[:at] + "aeiourstln"[int(rng.integers(10))].upper() + text[at + 1 :]


def _form(text: str, rng: np.random.Generator) -> str:
    parts = [
        p
        for p in text.replace(",", " ").split()
        if p.upper().strip(".") not in {f.strip(".") for f in w.ENGLISH_FORMS}
    ]
    return (
        " ".join(parts)
        if len(parts) < len(text.split()) and parts
        else f"{text}, {rng.choice(w.ENGLISH_FORMS)}"
    )


def _numbered(text: str, rng: np.random.Generator) -> str:
    return re.sub(
        r"(?:NO\.?\s*|#\s*)?(\d{1,2})\b",
        lambda m: str(rng.choice((f"#{m[1]}", f"No. {m[1]}", f"{int(m[1]):02d}"))),
        text,
        flags=re.I,
    )


def _damaged(text: str, rng: np.random.Generator) -> str:
    if text.isascii():
        return text.title()
    return (
        text.encode("utf-8").decode("cp1252", "replace")
        if rng.random() < 0.5
        else text.encode("ascii", "replace").decode()
    )


def _case(text: str, rng: np.random.Generator) -> str:
    return text.title() if text.isupper() else text.upper()


HABITS: tuple[Callable[[str, np.random.Generator], str], ...] = (
    _shorten, _shorten, _last_first, _initials, _drop_word, _typo, _form, _form, _numbered, _damaged, _case,
)  # fmt: skip


def _slip(code: str, rng: np.random.Generator) -> str:
    how = rng.random()
    if how < 0.4:
        return code.lstrip("0") or code
    if how < 0.6:
        return code.replace("0", "O", 1)
    if how < 0.8:
        return f"{code[:1]}-{code[1:]}"
    at = int(rng.integers(len(code)))
    return code[:at] + code[at + 1 :]


def cases(data: Path) -> Iterator[tuple[str, pa.Table, pa.Table, set[tuple[str, str]]]]:
    """Every real register with several clerks, hard ones among them."""
    usual = Clerk()
    ca, rr, ph = california(data), russian_river(data), philippines(data)
    part = ca[ca["lat"].between(38, 39.5)]
    yield "California 38–39.5° N, usual clerk", *written_twice(part, usual, 1)
    yield "California, no number in B", *written_twice(part, replace(usual, without=("code",)), 2)
    yield "California, no holder in B", *written_twice(part, replace(usual, without=("holder",)), 3)
    yield (
        "California, a quarter of the points off",
        *written_twice(part, replace(usual, offset=0.25, without=("code",)), 4),
    )
    yield (
        "California, datum off by 95 m",
        *written_twice(part, replace(usual, shift_m=(-90.0, 30.0), without=("code",)), 5),
    )
    yield "Russian River, usual clerk", *written_twice(rr, usual, 6)
    yield "Russian River, no number", *written_twice(rr, replace(usual, without=("code",)), 7)
    yield (
        "Russian River, 200 rows",
        *written_twice(rr.sample(200, random_state=1), replace(usual, without=("code",)), 8),
    )
    yield "Philippines, usual clerk", *written_twice(ph, usual, 9)
    yield "Philippines, no number", *written_twice(ph, replace(usual, without=("code",)), 10)
    yield (
        "Philippines, no permittee, no number",
        *written_twice(ph, replace(usual, without=("code", "holder")), 11),
    )
    yield "Réunion, other names", *reunion(data, np.random.default_rng(12))
