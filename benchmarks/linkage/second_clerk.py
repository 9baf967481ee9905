"""A second clerk, with other habits than the first of `real.py`, and pairs that are hard for other reasons than errors.

Nothing here is read from the code that cleans names, and nothing there is trained by these pairs; how clearly a confirmed
pair must outweigh its rivals was chosen looking at such ones. Names cut off at the width of a field, keys hit beside each
other, nicknames, the first of a couple, homophones; points rounded to the minute; volumes that drift; wells that one
register gives together; registers that share a fifth of their rows, or all.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.linkage.real import METRES, california, philippines

Pairs = set[tuple[str, str]]
Case = tuple[str, pa.Table, pa.Table, Pairs]
Random = np.random.Generator
BESIDE = {"a": "sq", "c": "xv", "d": "sf", "e": "wr", "g": "fh", "i": "uo", "l": "k", "m": "n", "n": "bm", "o": "ip", "r": "et", "s": "ad", "t": "ry", "u": "yi"}  # fmt: skip
NICKNAMES = {"ROBERT": "BOB", "WILLIAM": "BILL", "JAMES": "JIM", "RICHARD": "DICK", "MICHAEL": "MIKE", "THOMAS": "TOM", "CHARLES": "CHUCK", "JOSEPH": "JOE", "DAVID": "DAVE", "DANIEL": "DAN"}  # fmt: skip
SOUND = ("东冬动", "王汪旺", "郭国果", "前钱乾", "花华化", "张章庄", "李里力", "于余鱼", "沟勾", "堂塘唐", "新心信", "林临", "河何和", "桥乔", "马麻", "周洲舟", "泉全", "井景", "站占", "村存")  # fmt: skip
SHAPE = str.maketrans("未己土王大人千园圆埸渠塘", "末已士玉太入干圆园场梁糖")
HAN = "零一二三四五六七八九"


def _one_word(change: Callable[[str, Random], str]) -> Callable[[str, Random], str]:
    def changed(text: str, rng: Random) -> str:
        words = text.split()
        k = int(rng.integers(len(words))) if words else 0
        return " ".join([*words[:k], *(change(w, rng) for w in words[k : k + 1]), *words[k + 1 :]])

    return changed


def _beside(text: str, rng: Random) -> str:
    places = [k for k, c in enumerate(text) if k and c.lower() in BESIDE]
    if not places:
        return text
    k = int(rng.choice(places))
    found = str(rng.choice(list(BESIDE[text[k].lower()])))
    return text[:k] + (found.upper() if text[k].isupper() else found) + text[k + 1 :]


def _turned(text: str, rng: Random) -> str:
    words = text.replace(",", "").split()
    return ", ".join([words[-1], " ".join(words[:-1])]) if len(words) > 1 else text


def _joined(text: str, rng: Random) -> str:
    words = text.split()
    k = int(rng.integers(max(1, len(words) - 1)))
    return " ".join([*words[:k], "".join(words[k : k + 2]), *words[k + 2 :]])


def _renumbered(text: str, rng: Random) -> str:
    ways = (lambda n: f"No.{n}", lambda n: f"# {n}", lambda n: f"-{n}", lambda n: ("", "I", "II", "III", "IV", "V")[n] if n < 6 else str(n))  # fmt: skip
    return re.sub(
        r"(?:NO\.?\s*|#\s*|-)?(\d{1,2})\b", lambda m: ways[rng.integers(4)](int(m[1])), text, flags=re.I
    )


LATIN: tuple[Callable[[str, Random], str], ...] = (
    _beside, _beside, _turned, _joined, _renumbered,
    _one_word(lambda w, rng: w[0] + re.sub("[AEIOUaeiou]", "", w[1:]) if len(w) > 5 else w),
    _one_word(lambda w, rng: w[: int(rng.integers(3, 5))] + "." if len(w) > 6 else w),
    lambda text, rng: text[: int(rng.integers(14, 24))].strip(),
    lambda text, rng: text + str(rng.choice([" ET AL", " TRUST", " FAMILY TRUST", " (OWNER)", " & SONS"])),
    lambda text, rng: re.sub(r"^(\w+) (?:AND|&) \w+ ", r"\1 ", text),
    lambda text, rng: " ".join(NICKNAMES.get(w, w) for w in text.split()),
    lambda text, rng: text.title(),
)  # fmt: skip


def _homophone(text: str, rng: Random) -> str:
    places = [(k, group) for k, c in enumerate(text) for group in SOUND if c in group]
    if not places:
        return text
    k, group = places[int(rng.integers(len(places)))]
    return text[:k] + str(rng.choice([c for c in group if c != text[k]])) + text[k + 1 :]


def _counted(text: str, rng: Random) -> str:
    ways = (
        lambda n: f"{n}#",
        lambda n: f"{HAN[n]}号",
        lambda n: f"第{n}",
        lambda n: f"{n:02d}号",
        lambda n: f"（{n}）",
    )
    return re.sub(r"(\d)号", lambda m: ways[rng.integers(5)](int(m[1])), text)


def _without_one(text: str, rng: Random) -> str:
    k = int(rng.integers(1, max(2, len(text) - 1)))
    return text if len(text) < 4 or text[k].isdigit() else text[:k] + text[k + 1 :]


CHINESE: tuple[Callable[[str, Random], str], ...] = (
    _homophone, _homophone, _counted, _counted, _without_one,
    lambda text, rng: text.translate(SHAPE),
    lambda text, rng: text.replace("机井", "井").replace("泵站", "机站").replace("电灌站", "泵站"),
    lambda text, rng: str(rng.choice(["扬州市", "高邮市", "江苏省扬州市高邮市"])) + text,
    lambda text, rng: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    lambda text, rng: text + str(rng.choice(["（灌溉）", "-取水", "取水口"])),
)  # fmt: skip


def copied(
    frame: pd.DataFrame,
    seed: int,
    habits: tuple[Callable[[str, Random], str], ...] = LATIN,
    *,
    missing: float = 0.12,
    off: float = 0.1,
) -> tuple[pd.DataFrame, pd.DataFrame, Pairs]:
    """The register, the second clerk's copy of it, and which row is which; each lacks `missing` of the rows."""
    rng = np.random.default_rng(seed)
    frame = frame.reset_index(drop=True)
    rows = len(frame)
    a, b = (frame.assign(id=[f"{side}{k}" for k in range(rows)]) for side in "ab")
    b["lon"], b["lat"] = _placed(frame, rng, off)
    for column in ("name", "holder"):
        if column in b:
            b[column] = [_rewritten(t, habits, rng) if rng.random() < 0.4 else t for t in b[column]]
    if "holder" in b:
        b["holder"] = b["holder"].where(
            rng.random(rows) >= 0.04, frame["holder"].sample(rows, random_state=1).to_numpy()
        )
    if "annual_m3" in b:
        drift = np.where(rng.random(rows) < 0.3, np.exp(rng.normal(0, 0.3, rows)), 1.0)
        b["annual_m3"] = (b["annual_m3"] * drift).where(rng.random(rows) >= 0.1)
    if "purpose" in b:
        b["purpose"] = b["purpose"].where(
            rng.random(rows) >= 0.1, frame["purpose"].sample(rows, random_state=2).to_numpy()
        )
    in_a, in_b = (rng.random(rows) >= missing for _ in range(2))
    truth = {(f"a{k}", f"b{k}") for k in np.flatnonzero(in_a & in_b)}
    return a[in_a], b[in_b].sample(frac=1, random_state=3), truth


def _rewritten(text: object, habits: tuple[Callable[[str, Random], str], ...], rng: Random) -> object:
    if not isinstance(text, str) or not text:
        return text
    for _ in range(1 + int(rng.random() < 0.5)):
        for _ in range(2):
            changed = habits[int(rng.integers(len(habits)))](text, rng)
            if changed != text:
                break
        text = changed
    return text


def _placed(frame: pd.DataFrame, rng: Random, off: float) -> tuple[np.ndarray, np.ndarray]:
    rows = len(frame)
    lon, lat = (frame[c].to_numpy(float) for c in ("lon", "lat"))
    far = np.abs(rng.normal(0, 1, rows)) * np.where(rng.random(rows) < 0.7, 15, 38)
    gross = rng.random(rows) < off
    far[gross] = np.exp(rng.uniform(np.log(100), np.log(2_500), int(gross.sum())))
    angle = rng.random(rows) * 2 * np.pi
    x, y = lon + far * np.cos(angle) / METRES / np.cos(np.radians(lat)), lat + far * np.sin(angle) / METRES
    minute = gross & (rng.random(rows) < 0.2)
    x[minute], y[minute] = np.round(lon[minute] * 60) / 60, np.round(lat[minute] * 60) / 60
    gone = rng.random(rows) < 0.02
    return np.where(gone, np.nan, x), np.where(gone, np.nan, y)


def villages(path: Path, seed: int, rows: int = 3_000) -> pd.DataFrame:
    """Wells and pumping stations of villages that exist, at places made up."""
    rng = np.random.default_rng(seed)
    names = pd.read_csv(path, dtype=str)
    towns = {t: (119.3 + rng.random() * 0.6, 32.4 + rng.random() * 0.8) for t in names["town"].unique()}
    found: list[dict[str, object]] = []
    while len(found) < rows:
        row = names.iloc[int(rng.integers(len(names)))]
        village = re.sub("村委会|社区居委会|居委会", "", str(row["village"])) or str(row["village"])
        x, y = towns[row["town"]] + rng.normal(size=2) * (0.03, 0.025)
        well = rng.random() < 0.55
        number, kind = (
            int(rng.integers(1, 7)) if well else int(rng.integers(1, 4)),
            str(rng.choice(["机井", "深井", "灌溉井"])),
        )
        for k in range(number):
            name = (
                f"{village}{k + 1}号{kind}"
                if well
                else f"{village}{rng.choice(list('东西南北'))}{rng.choice(['泵站', '电灌站', '提水站'])}"
            )
            step = rng.normal(size=2) * 0.0006 + (k * 0.0012, 0) if well else rng.normal(size=2) * 0.004
            found.append({
                "name": name, "holder": f"{row['town']}{village}村民委员会" if well else f"{row['town']}水利站", "town": row["town"],
                "lon": x + step[0], "lat": y + step[1], "source_type": "地下水" if well else "地表水",
                "annual_m3": float(np.exp(rng.normal(9 if well else 12, 1))), "field": f"{row['village_code']}-{len(found) - k}" if well else "",
            })  # fmt: skip
    return pd.DataFrame(found[:rows])


def fields_together(b: pd.DataFrame, truth: Pairs, seed: int) -> tuple[pd.DataFrame, Pairs]:
    """A third of the fields of B as one row each, without a number, amid the wells; their wells go to it."""
    rng = np.random.default_rng(seed)
    to_a = {y: x for x, y in truth}
    kept, changed = [], set(truth)
    for field, wells in b.groupby("field"):
        if field == "" or len(wells) < 2 or rng.random() > 0.35:
            kept.append(wells)
            continue
        one = wells.iloc[[0]].copy()
        one["name"] = re.sub(r"第?[0-9０-９一二三四五六七八九]+[号#＃]?|（\d）", "", str(one["name"].iloc[0]))
        for column, value in (
            ("lon", wells["lon"].mean()),
            ("lat", wells["lat"].mean()),
            ("annual_m3", wells["annual_m3"].sum()),
        ):
            one[column] = value
        changed -= {(to_a[i], i) for i in wells["id"] if i in to_a}
        changed |= {(to_a[i], one["id"].iloc[0]) for i in wells["id"] if i in to_a}
        kept.append(one)
    return pd.concat(kept), changed


def table(frame: pd.DataFrame, *without: str) -> pa.Table:
    """In the engine's columns, less those named."""
    numbers = ("lon", "lat", "annual_m3")
    return pa.table({
        c: pa.array(frame[c].astype(float), from_pandas=True) if c in numbers else pa.array([None if v != v else str(v) for v in frame[c]], pa.string())
        for c in frame.columns if c not in (*without, "field")
    })  # fmt: skip


def russian_river(data: Path) -> pd.DataFrame:
    """With use, county and the volume of a mean year."""
    frame = pd.read_csv(data / "california" / "ca_russian_river_rights_2022.csv", dtype=str).drop_duplicates(
        "APPLICATION_NUMBER"
    )
    months = frame[[c for c in frame if c.endswith("_MEAN_DIV")]].astype(float)
    return pd.DataFrame({
        "holder": frame["APPLICATION_PRIMARY_OWNER"], "lon": frame["LONGITUDE"].astype(float), "lat": frame["LATITUDE"].astype(float),
        "purpose": frame["PRIMARY_USE"], "county_code": frame["COUNTY"], "annual_m3": months.sum(axis=1) * 1233.48184,
    })  # fmt: skip


def cases(data: Path) -> Iterator[Case]:
    """(name, A, B, truth) of every hard pair."""
    rivers = russian_river(data)
    for what, without in (("owner, use, county", ("annual_m3",)), ("owner, use, county, volume", ())):
        a, b, truth = copied(rivers, 31)
        yield f"Russian River, {what}", table(a, *without), table(b, *without), truth
    north = california(data)
    a, b, truth = copied(north[north["lat"].between(40.2, 41.2)], 32)
    yield "California 40.2–41.2° N, owner", table(a, "code"), table(b, "code"), truth
    wells = philippines(data)
    a, b, truth = copied(wells.sample(6_000, random_state=1), 33)
    yield (
        "Philippines, name",
        table(a, "code", "holder", "source_type"),
        table(b, "code", "holder", "source_type"),
        truth,
    )
    a, b, truth = copied(wells[wells["lat"].between(14, 15.2) & wells["lon"].between(120, 121.5)], 34)
    yield "Philippines around Manila, name, permittee", table(a, "code"), table(b, "code"), truth
    part = wells[wells["lat"].between(14, 16)].reset_index(drop=True)
    a, b, truth = copied(part, 35, missing=0.0)
    cut = int(len(part) * 0.55), int(len(part) * 0.45)
    a, b = a[a.index < cut[0]], b[b.index >= cut[1]]
    yield (
        "Philippines, a fifth in common",
        table(a, "code"),
        table(b, "code"),
        truth & {(x, y) for x in a["id"] for y in [f"b{x[1:]}"] if y in set(b["id"])},
    )
    a, b, truth = copied(wells.sample(3_000, random_state=10), 36, missing=0.0)
    yield "Philippines, all in common", table(a, "code"), table(b, "code"), truth
    names = data.parent / "boundaries" / "yangzhou_villages_codes.csv"
    a, b, truth = copied(villages(names, 37), 37, CHINESE)
    yield (
        "Yangzhou, name",
        table(a, "holder", "town", "source_type", "annual_m3"),
        table(b, "holder", "town", "source_type", "annual_m3"),
        truth,
    )
    a, b, truth = copied(villages(names, 38), 38, CHINESE, off=0.25)
    yield "Yangzhou, a quarter of the points off", table(a), table(b), truth
    a, b, truth = copied(villages(names, 39), 39, CHINESE)
    b, truth = fields_together(b, truth, 39)
    yield "Yangzhou, fields together", table(a), table(b), truth
