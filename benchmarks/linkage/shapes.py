"""Registers of many shapes, as files: what two offices may hand over, with the errors of the third clerk.

    python -m benchmarks.linkage.shapes [--only WORD] [--seeds N] [--json]

Every pair goes the whole way of `shuitu link files`: two files and a mapping in, pairs.csv out. F1 stands beside that of
"mutually nearest within 100 m" on the same rows. Real registers from SHUITU_SHARED_DATA: PH the Philippines, CA California,
RR the Russian River, RE La Réunion, YZ villages of Yangzhou with wells made up.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas import DataFrame as Frame
from pyproj import Transformer

from app.imports import datums
from app.linkage import files
from app.linkage.engine import LinkSettings
from app.linkage.file_mapping import parse
from benchmarks.linkage import baselines, real, scoring, second_clerk
from benchmarks.linkage.third_clerk import Rates, blanked, second

Pairs = set[tuple[str, str]]

AF_M3 = 1233.48184
FIELDS = ("id", "code", "name", "holder", "place", "town", "water_body", "source_type", "purpose", "county_code", "annual_m3", "lon", "lat")  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """Two registers as their offices have them, and as they come in files."""

    name: str
    a: Frame
    b: Frame
    truth: Pairs
    mapping: dict[str, Any] = field(default_factory=dict)
    """Beside the columns that are called as the keys of a mapping are."""
    write: tuple[Callable[[Frame, Path], Path], Callable[[Frame, Path], Path]] = ()  # type: ignore[assignment]


# ── registers ────────────────────────────────────────────────────────────────────────────────────────


@cache
def california(data: Path) -> Frame:
    """Points of diversion with their last known holder, and the volume and kind of the right."""
    rights = pd.read_csv(data / "california" / "ca_rights_2018.csv.gz", dtype=str).drop_duplicates("appl_id")
    volume = rights.set_index("appl_id")["face_value_af_per_year"].astype(float) * AF_M3
    kind = rights.set_index("appl_id")["id_prefix"]
    found = real.california(data)
    return found.assign(
        annual_m3=found["code"].map(volume).where(lambda v: v > 0), source_type=found["code"].map(kind)
    )


@cache
def points(data: Path) -> Frame:
    """Points of diversion of rights that say a volume, without any name."""
    import pyogrio

    pods = pyogrio.read_dataframe(data / "california" / "ca_pods_2018.gpkg", read_geometry=False)
    rights = pd.read_csv(data / "california" / "ca_rights_2018.csv.gz", dtype=str).drop_duplicates("appl_id")
    found = pods.merge(rights[["appl_id", "face_value_af_per_year"]], on="appl_id")
    found = found.assign(annual_m3=found["face_value_af_per_year"].astype(float) * AF_M3)
    found = found.rename(columns={"appl_id": "code", "long": "lon"})
    return found.loc[found["annual_m3"] > 0, ["code", "annual_m3", "lon", "lat"]]


@cache
def russian_river(data: Path) -> Frame:
    """The rights of one river, all columns."""
    frame = second_clerk.russian_river(data)
    codes = pd.read_csv(
        data / "california" / "ca_russian_river_rights_2022.csv", dtype=str, usecols=["APPLICATION_NUMBER"]
    ).drop_duplicates()
    return frame.assign(code=codes["APPLICATION_NUMBER"].to_numpy())


@cache
def philippines(data: Path) -> Frame:
    """Names, permittees and numbers of permits of the Philippines."""
    return real.philippines(data)


@cache
def reunion(data: Path) -> Frame:
    """Names and communes of La Réunion."""
    frame = pd.read_csv(data / "reunion" / "reunion_point_names_aliases.csv", dtype=str).dropna(
        subset=["nom_point_prelevement"]
    )
    return pd.DataFrame(
        {"name": frame["nom_point_prelevement"], "town": frame["nom_commune"], "lon": np.nan, "lat": np.nan}
    )


# ── pairs ────────────────────────────────────────────────────────────────────────────────────────────


def twice(
    frame: Frame,
    seed: int,
    rates: Rates,
    columns: str,
    *,
    in_a: float = 0.9,
    in_b: float = 0.9,
    shared: float | None = None,
) -> tuple[Frame, Frame, Pairs]:
    """The register (A) and as the clerk wrote it (B): each with a part of the rows, or `shared` of each in common."""
    rng = np.random.default_rng(seed)
    frame = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
    rows = len(frame)
    if shared is None:
        keep_a, keep_b = rng.random(rows) < in_a, rng.random(rows) < in_b
    else:
        each = rows / (2 - shared)
        at = np.arange(rows)
        keep_a, keep_b = at < each, at >= rows - each
    wanted = [c for c in FIELDS if c in (*columns.split(), "lon", "lat") and c in frame]
    a = blanked(frame[wanted], rates.blank, rng)
    b = second(frame[wanted], rates, rng)
    a.insert(0, "id", [f"a{k}" for k in range(rows)])
    b.insert(0, "id", [f"b{k}" for k in range(rows)])
    truth = {(f"a{k}", f"b{k}") for k in np.flatnonzero(keep_a & keep_b)}
    return a[keep_a], b[keep_b].sample(frac=1, random_state=seed), truth


def several(b: Frame, truth: Pairs, part: float, rates: Rates, seed: int) -> tuple[Frame, Pairs]:
    """With a part of the rows of B in it once more, written by the clerk again: one of A is two of B."""
    rng = np.random.default_rng(seed)
    again = second(b[rng.random(len(b)) < part], rates, rng)
    new = again.assign(id=again["id"] + "x")
    mate = {y: x for x, y in truth}
    extra = {(mate[y], f"{y}x") for y in again["id"] if y in mate}
    return pd.concat([b, new]).sample(frac=1, random_state=seed), truth | extra


def turned(a: Frame, b: Frame, truth: Pairs) -> tuple[Frame, Frame, Pairs]:
    """The other way round."""
    return b, a, {(y, x) for x, y in truth}


def clusters(frame: Frame, rows: int) -> Frame:
    """The holders with most points, every point of theirs."""
    many = frame["holder"].map(frame["holder"].value_counts())
    return frame[many >= 8].sort_values(["holder", "lat"]).head(rows)


# ── files ────────────────────────────────────────────────────────────────────────────────────────────


def csv(**options: Any) -> Callable[[Frame, Path], Path]:
    def write(frame: Frame, path: Path) -> Path:
        frame.to_csv(path.with_suffix(".csv"), index=False, **options)
        return path.with_suffix(".csv")

    return write


def decimal_commas(frame: Frame, path: Path) -> Path:
    """Semicolons, decimal commas, one byte a character: as a workbook of southern Europe is saved."""
    return csv(sep=";", decimal=",", encoding="cp1252", errors="replace")(frame, path)


def degrees_minutes(frame: Frame, path: Path) -> Path:
    found = frame.assign(lon=frame["lon"].map(_dms), lat=frame["lat"].map(_dms))
    return csv()(found, path)


def _dms(value: float) -> str:
    if value != value:
        return ""
    seconds = abs(value) * 3600
    return (
        f"{'-' if value < 0 else ''}{int(seconds // 3600)}° {int(seconds // 60 % 60)}' {seconds % 60:.1f}\""
    )


def metres(crs: int, *, swapped: bool = False) -> Callable[[Frame, Path], Path]:
    def write(frame: Frame, path: Path) -> Path:
        to = Transformer.from_crs(4326, crs, always_xy=True)
        x, y = to.transform(frame["lon"].to_numpy(float), frame["lat"].to_numpy(float))
        x, y = (np.where(np.isfinite(v), np.round(v, 1), np.nan) for v in (x, y))
        found = frame.drop(columns=["lon", "lat"]).assign(x=y if swapped else x, y=x if swapped else y)
        return csv()(found, path)

    return write


def shifted(frame: Frame, path: Path) -> Path:
    """As GCJ-02."""
    places = [(x, y) if x != x else _gcj(x, y) for x, y in zip(frame["lon"], frame["lat"], strict=True)]
    return csv(encoding="gb18030")(frame.assign(lon=[p[0] for p in places], lat=[p[1] for p in places]), path)


def _gcj(lon: float, lat: float) -> tuple[float, float]:
    """The point that comes out at (lon, lat) again."""
    x, y = lon, lat
    for _ in range(8):
        back = datums.to_wgs84(x, y, "GCJ-02")
        x, y = x + lon - back[0], y + lat - back[1]
    return x, y


def workbook(frame: Frame, path: Path) -> Path:
    """Numbers as numbers: what was 00123 is 123."""
    found = frame.assign(code=pd.to_numeric(frame["code"], errors="coerce"))
    found.to_excel(path.with_suffix(".xlsx"), index=False)
    return path.with_suffix(".xlsx")


def swapped(frame: Frame, path: Path) -> Path:
    """Latitude and longitude each under the other's heading."""
    return csv()(frame.rename(columns={"lon": "lat", "lat": "lon"}), path)


# ── shapes ───────────────────────────────────────────────────────────────────────────────────────────

ROWS = 2_000
USUAL = Rates()
TINY = (5, 10, 20, 50)


def shapes(data: Path, seed: int = 0) -> dict[str, Callable[[], Shape]]:
    """Every shape of every register by name, made when it is called; `#k` are several small pairs of one shape."""
    found: dict[str, Callable[[], Shape]] = {}
    s = 100 * seed

    def some(rows: int = ROWS) -> Frame:
        return philippines(data).sample(rows, random_state=seed)

    def manila() -> Frame:
        ph = philippines(data)
        near = ph[ph["lat"].between(14, 15.6) & ph["lon"].between(120, 121.6)]
        return near.sort_values("lon").iloc[: ROWS + 500]

    def north() -> Frame:
        ca = california(data)
        return ca[ca["lat"].between(38.2, 38.6)]

    def river() -> Frame:
        return russian_river(data)

    def villages() -> Frame:
        return second_clerk.villages(
            data.parent / "boundaries" / "yangzhou_villages_codes.csv", 71 + seed, ROWS
        )

    def add(
        name: str, frame: Callable[[], Frame], at: int, columns: str, *, rates: Rates = USUAL, mapping: dict[str, Any] | None = None,
        write: Any = (), change: Callable[[tuple[Frame, Frame, Pairs]], tuple[Frame, Frame, Pairs]] | None = None, **options: Any,
    ) -> None:  # fmt: skip
        def made() -> Shape:
            pair = twice(frame(), s + at, rates, columns, **options)
            return Shape(name, *(change(pair) if change else pair), mapping or {}, write)

        found[name] = made

    add("PH name", some, 1, "name")
    add("PH name, permittee", manila, 2, "name holder")
    add(
        "PH all columns, DMS | decimal comma",
        some,
        3,
        "code name holder source_type",
        write=(degrees_minutes, decimal_commas),
    )
    add("PH around Manila, name", manila, 4, "name")
    add("PH name, permittee, no points in B", some, 5, "name holder", change=_without_point)
    for share in (1.0, 0.5, 0.2, 0.05):
        add(f"PH name, permittee, {share} in common", manila, 6, "name holder", shared=share)
        add(f"CA holder, volume, {share} in common", north, 7, "holder annual_m3", shared=share)
        add(f"PH name, {share} in common", some, 8, "name", shared=share)
    add(
        "CA holder, metres | swapped metres",
        north,
        9,
        "holder",
        mapping={"a": {"x": "x", "y": "y", "crs": 3310}, "b": {"x": "x", "y": "y", "crs": 26910}},
        write=(metres(3310), metres(26910, swapped=True)),
    )
    add("CA holder, kind, volume", north, 10, "holder source_type annual_m3")
    add("CA volume", lambda: points(data).query("36 < lat < 37.5"), 11, "annual_m3")
    add("CA points alone", north, 12, "")
    add("CA number; degrees swapped", north, 13, "code", write=(swapped, csv()))
    add("CA clusters, holder", lambda: clusters(california(data), ROWS), 14, "holder")
    add("CA clusters, holder, volume", lambda: clusters(california(data), ROWS), 14, "holder annual_m3")
    add(
        "PH name, number 00123 | 123.0",
        lambda: _with_numbers(some()),
        15,
        "code name",
        write=(csv(), workbook),
    )
    everything = "code holder purpose county_code annual_m3"
    add("RR all columns", river, 16, everything)
    add("RR all columns, 30 % blank", river, 17, everything, rates=replace(USUAL, blank=0.3))
    add("RR holder, use, county", river, 18, "holder purpose county_code")
    add("RE name, commune, no points", lambda: reunion(data), 19, "name town")
    add(
        "YZ name, GCJ-02",
        villages,
        20,
        "name",
        mapping={"b": {"datum": "GCJ-02"}},
        write=(csv(encoding="gb18030"), shifted),
    )
    add("YZ name, GCJ-02 unsaid", villages, 20, "name", write=(csv(), shifted))
    add(
        "YZ name, holder, volume, metres with zone",
        villages,
        21,
        "name holder annual_m3",
        mapping={"b": {"x": "x", "y": "y", "crs": 4528}},
        write=(csv(), metres(4528, swapped=True)),
    )
    add("PH name, permittee, 1:n", manila, 22, "name holder", change=_several(s + 22))
    add(
        "PH name, permittee, n:1",
        manila,
        22,
        "name holder",
        change=lambda pair: turned(*_several(s + 22)(pair)),
    )
    add(
        "PH name, permittee, 60 | 3,000", lambda: some(3_300), 23, "name holder", change=_few(60, s), in_a=1.0
    )
    add(
        "PH name, permittee, 3,000 | 60",
        lambda: some(3_300),
        24,
        "name holder",
        change=lambda pair: turned(*_few(60, s)(pair)),
        in_a=1.0,
    )
    add(
        "RR holder, use, county, 40 | 2,000",
        river,
        25,
        "holder purpose county_code",
        change=_few(40, s),
        in_a=1.0,
    )
    for size in TINY:
        for what, frame, columns in (
            ("PH", manila, "name holder"), ("RR", river, "holder annual_m3"), ("YZ", villages, "name"), ("CA", north, "holder"),
        ):  # fmt: skip
            for k in range(max(2, 30 // size)):
                add(
                    f"{what} {size} rows, {columns}#{k}",
                    partial(_around, frame, size, s + k),
                    30 + k,
                    columns,
                )
    return found


def _around(frame: Callable[[], Frame], size: int, seed: int) -> Frame:
    """One row and those nearest to it."""
    placed = frame().dropna(subset=["lon"])
    middle = placed.sample(1, random_state=seed).iloc[0]
    far = np.hypot(placed["lon"] - middle["lon"], placed["lat"] - middle["lat"])
    return placed.loc[far.nsmallest(size).index]


def _with_numbers(frame: Frame) -> Frame:
    numbers = np.random.default_rng(len(frame)).permutation(10 * len(frame))
    return frame.assign(code=[f"{k:06d}" for k in numbers[: len(frame)]])


def _several(seed: int) -> Callable[[tuple[Frame, Frame, Pairs]], tuple[Frame, Frame, Pairs]]:
    def change(pair: tuple[Frame, Frame, Pairs]) -> tuple[Frame, Frame, Pairs]:
        a, b, truth = pair
        return a, *several(b, truth, 0.15, USUAL, seed)

    return change


def _few(rows: int, seed: int) -> Callable[[tuple[Frame, Frame, Pairs]], tuple[Frame, Frame, Pairs]]:
    """A of few rows."""

    def change(pair: tuple[Frame, Frame, Pairs]) -> tuple[Frame, Frame, Pairs]:
        a, b, truth = pair
        a = a.sample(rows, random_state=seed)
        kept = set(a["id"])
        return a, b, {p for p in truth if p[0] in kept}

    return change


def _without_point(pair: tuple[Frame, Frame, Pairs]) -> tuple[Frame, Frame, Pairs]:
    a, b, truth = pair
    return a, b.drop(columns=["lon", "lat"]), truth


# ── measuring ────────────────────────────────────────────────────────────────────────────────────────


def mapping_of(shape: Shape) -> dict[str, Any]:
    """The mapping that a person would write."""
    found = {}
    for side, frame in (("a", shape.a), ("b", shape.b)):
        own = {c: c for c in frame if c in FIELDS} | shape.mapping.get(side, {})
        if "x" in own:
            own = {key: c for key, c in own.items() if key not in ("lon", "lat")}
        found[side] = own
    return found


def judged(shape: Shape, folder: Path) -> dict[str, Any]:
    """Everything that is told of a shape."""
    write = shape.write or (csv(), csv())
    a, b = write[0](shape.a, folder / "a"), write[1](shape.b, folder / "b")
    started = time.process_time()
    answer = files.run(a, b, parse(mapping_of(shape)), LinkSettings())
    seconds = time.process_time() - started
    lines = [(x, y, p, decision) for x, y, p, _, decision, _ in answer.rows if x and y]
    right = np.array([(x, y) in shape.truth for x, y, _, _ in lines], float)
    said = np.array([p for _, _, p, _ in lines], float)
    sure = np.array([d == "confirmed" for _, _, _, d in lines], bool)
    found = scoring.accuracy([(x, y) for x, y, _, _ in lines], shape.truth)
    where = {"lon", "lat"} <= set(shape.a) & set(shape.b) and shape.a["lon"].notna().any()
    near = (
        scoring.accuracy(baselines.nearest(_table(shape.a), _table(shape.b)), shape.truth)["f1"]
        if where
        else 0.0
    )
    return {
        "name": shape.name, "a": len(shape.a), "b": len(shape.b), "true": len(shape.truth), "nearest": near, **found,
        "right": int(right.sum()), "confirmed": int(sure.sum()), "confirmed_right": int(right[sure].sum()),
        "said": said.round(4).tolist(), "was": right.astype(int).tolist(), "seconds": seconds,
    }  # fmt: skip


def _table(frame: Frame) -> pa.Table:
    return pa.table({
        "id": frame["id"].tolist(), **{c: pa.array(frame[c].astype(float), from_pandas=True) for c in ("lon", "lat")}
    })  # fmt: skip


def together(told: list[dict[str, Any]]) -> dict[str, Any]:
    """Several pairs of one shape as one: counts added up."""
    total = {
        k: sum(t[k] for t in told)
        for k in ("a", "b", "true", "pairs", "right", "confirmed", "confirmed_right", "seconds")
    }
    said, was = (np.array([v for t in told for v in t[k]], float) for k in ("said", "was"))
    return total | {
        "name": told[0]["name"].split("#")[0],
        "f1": 2 * total["right"] / max(1, total["pairs"] + total["true"]),
        "precision": total["right"] / max(1, total["pairs"]),
        "recall": total["right"] / max(1, total["true"]),
        "nearest": float(np.average([t["nearest"] for t in told], weights=[max(1, t["true"]) for t in told])),
        "sure": total["confirmed_right"] / max(1, total["confirmed"]),
        "ece": scoring.calibration_error(said, was) if len(said) else 0.0,
        "mean_said": float(said.mean()) if len(said) else 0.0,
    }


HEAD = f"{'':36} {'rows':>13} {'true':>6} {'near':>6} {'F1':>6} {'prec':>6} {'rec':>6} {'sure':>7} {'part':>5} {'ECE':>6} {'said':>5} {'s':>5}"


def line(t: dict[str, Any]) -> str:
    """One line of the table."""
    return (
        f"{t['name']:36} {t['a']:>6}×{t['b']:<6} {t['true']:>6} {t['nearest']:6.3f} {t['f1']:6.3f} {t['precision']:6.3f} "
        f"{t['recall']:6.3f} {t['sure']:7.4f} {t['confirmed'] / max(1, t['pairs']):5.2f} {t['ece']:6.3f} {t['mean_said']:5.2f} {t['seconds']:5.0f}"
    )


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.linkage.shapes", description="Registers of many shapes, as files."
    )
    parser.add_argument("--only", help="shapes whose name has this word")
    parser.add_argument("--seeds", type=int, default=1, help="how many times each is written (default 1)")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON, a line a shape")
    given = parser.parse_args()
    if (data := real.folder()) is None:
        sys.exit("real registers: no data here (set SHUITU_SHARED_DATA)")
    groups: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.seeds):
            for name, made in shapes(data, seed).items():
                if given.only and given.only.lower() not in name.lower():
                    continue
                told = judged(made(), Path(folder))
                groups.setdefault(name.split("#")[0], []).append(told)
                print(line(together([told])), file=sys.stderr, flush=True)
    if not given.as_json:
        print(HEAD)
    for several_told in groups.values():
        t = together(several_told)
        print(json.dumps(t) if given.as_json else line(t), flush=True)


if __name__ == "__main__":
    main()
