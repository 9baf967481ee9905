"""Which band of a raster is which: by its descriptions, else by the sensor and the number of bands.

Names are STAC's common names (green, red, nir, swir16, …). A guess is said to be one, so that a person can
name the bands instead (`--bands`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SENTINEL2 = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge071", "B06": "rededge075",
    "B07": "rededge078", "B08": "nir", "B8A": "nir08", "B09": "nir09", "B10": "cirrus", "B11": "swir16", "B12": "swir22",
}  # fmt: skip
LANDSAT = {
    "8": {"1": "coastal", "2": "blue", "3": "green", "4": "red", "5": "nir", "6": "swir16", "7": "swir22"},
    "5": {"1": "blue", "2": "green", "3": "red", "4": "nir", "5": "swir16", "7": "swir22"},
}
COMMON = {*SENTINEL2.values()}
"""The names that a band may have."""
QUALITY = {"scl": "scl", "qa_pixel": "qa_pixel", "fmask_qa": "qa_pixel", "fmask": "fmask", "qa60": "qa60"}
"""Bands of classes that say where clouds are: Sentinel-2's scene classification, Landsat's QA bits, those of HLS,
and Earth Engine's."""
WORDS = (
    # The first that fits: "red edge" is no red, "near infrared" is no red either.
    (re.compile(r"red[\s_\-]?edge|红边|^re\d?$", re.I), "rededge071"),
    (re.compile(r"swir[\s_\-]*(2|22|b2|2200)\b|short.?wave.*2$|短波红外\s*2", re.I), "swir22"),
    (re.compile(r"swir|short.?wave|短波红外", re.I), "swir16"),
    (re.compile(r"nir|near.?infra|infra.?red|近红外", re.I), "nir"),
    (re.compile(r"coastal|aerosol|purple|violet|海岸", re.I), "coastal"),
    (re.compile(r"cirrus|卷云", re.I), "cirrus"),
    (re.compile(r"yellow|pan(chromatic)?\b|thermal|\btir|lwir|qa|scl|alpha|mask|黄|全色", re.I), ""),
    (re.compile(r"blue|蓝", re.I), "blue"),
    (re.compile(r"green|绿", re.I), "green"),
    (re.compile(r"\bred\b|^red|_red|红", re.I), "red"),
)
CODE = re.compile(r"(?:^|[\s_\-:./(])(?:SR_|TOA_|band[\s_]*)?B(\d{1,2}A?)\b", re.I)
SENTINEL2_HINT = re.compile(r"sentinel-?2|\bS2[ABC]?_|MSIL[12]", re.I)
RAW_HINT = re.compile(r"(?:^|[\s/_])(?:GF|ZY|HJ|CB|CBERS|BJ|SV|JL|ZKTH)[-_]?\d[0-9A-F]?[-_]", re.I)
"""Chinese satellites whose products are counts until someone calibrates them: GF1_PMS1_…, ZY3_MUX_…, HJ2A_…"""
LANDSAT_HINT = re.compile(r"\bL[COTEM]0[4-9]_|landsat|(?:_|\b)SR_B|\bETM|\bOLI|HLS\.?L30", re.I)
LATE = re.compile(r"L[CO]0[89]_|landsat[\s_\-]*[89]\b|\bOLI", re.I)
EARLY = re.compile(r"L[TE]0[457]_|landsat[\s_\-]*[457]\b|\bETM|\bTM\b", re.I)
ORDERS: Mapping[int, tuple[str, ...]] = {
    13: tuple(SENTINEL2.values()),
    12: tuple(name for name in SENTINEL2.values() if name != "cirrus"),
    10: ("blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08", "swir16", "swir22"),
    9: ("blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "swir16", "swir22"),
    6: ("blue", "green", "red", "nir", "swir16", "swir22"),
    5: ("blue", "green", "red", "rededge071", "nir"),
    4: ("blue", "green", "red", "nir"),
}  # fmt: skip
"""What rasters without descriptions usually hold: Sentinel-2 L1C, L2A, its 10 and 9 land bands; Landsat and HLS;
five bands as RapidEye has them; GF-1/2, ZY-3, PlanetScope, SPOT and Sentinel-2 at 10 m."""
EIGHT = (
    (
        re.compile(r"GF[-_]?6|WFV", re.I),
        ("blue", "green", "red", "nir", "rededge071", "rededge075", "coastal", ""),
    ),
    (
        re.compile(r"\bWV0?[23]|worldview", re.I),
        ("coastal", "blue", "green", "", "red", "rededge071", "nir", "nir09"),
    ),
    (
        re.compile(r"planet|\bPSB?\b|_8b|superdove|AnalyticMS", re.I),
        ("coastal", "blue", "", "green", "", "red", "rededge071", "nir"),
    ),
)
"""Eight bands mean nothing by themselves: GF-6 WFV, WorldView-2 and -3, SuperDove, by name."""
WAVES = (
    (400, 455, "coastal"),
    (455, 520, "blue"),
    (520, 600, "green"),
    (620, 690, "red"),
    (695, 725, "rededge071"),
    (725, 760, "rededge075"),
    (765, 800, "rededge078"),
    (800, 900, "nir"),
    (930, 960, "nir09"),
    (1360, 1390, "cirrus"),
    (1550, 1750, "swir16"),
    (2080, 2350, "swir22"),
)
"""Middles of bands, nm."""
WAVELENGTH = re.compile(
    r"(?<![\w.])(\d{3,4}(?:\.\d+)?)\s*(?:nm|nanomet)|(?<![\w.])([0-2]\.\d{2,})\s*(?:[uµμ]m|micro)", re.I
)
AERIAL = ("red", "green", "blue", "nir")
"""NAIP and other aerial cameras."""


@dataclass(frozen=True)
class Named:
    """Band numbers (from 1) by common name."""

    bands: dict[str, int]
    sensor: str = ""
    guess: str = ""
    """How the names were guessed; empty where the raster says them itself."""


def names(descriptions: Sequence[str], kind: str, hints: str = "", colours: Sequence[str] = ()) -> Named:
    """The bands of a raster.

    `descriptions`: one a band, may be empty; `kind`: its dtype; `hints`: file name and tags, where a sensor
    may be named; `colours`: GDAL's colour interpretations. No names where nothing speaks for any.
    """
    landsat = bool(LANDSAT_HINT.search(" ".join([hints, *descriptions])))
    codes = [_code(text) for text in descriptions]
    found: dict[str, int] = {}
    for index, name in enumerate(_by_code(codes, landsat, hints), 1):
        plain = name or word(descriptions[index - 1])
        if plain:
            found.setdefault(plain, index)
    sensor = _sensor(codes, landsat)
    if found:
        return Named(found, sensor)
    return _guessed(len(descriptions), kind, hints, colours, landsat)


def _code(text: str) -> str:
    """B04, B8A, B11 … as Sentinel-2 writes them, from B4, SR_B4, S2-L2A-B04, "B4 (red)"; empty if there is none."""
    match = CODE.search(text.strip())
    if not match:
        return ""
    code = match[1].upper()
    return f"B{code}" if code.endswith("A") or len(code) == 2 else f"B0{code}"


def _by_code(codes: Sequence[str], landsat: bool, hints: str) -> list[str]:
    digits = {code[2:] for code in codes if code.startswith("B0")}
    if landsat or _like_landsat(codes):
        # Band 6 of Landsat 5 and 7 is thermal and seldom kept.
        early = EARLY.search(hints) or ("6" not in digits and not LATE.search(hints))
        series = LANDSAT["5" if early else "8"]
        return [series.get(code[2:], "") if code.startswith("B0") else "" for code in codes]
    return [SENTINEL2.get(code, "") for code in codes]


def _sensor(codes: Sequence[str], landsat: bool) -> str:
    if landsat or _like_landsat(codes):
        return "Landsat"
    return "Sentinel-2" if any(code in SENTINEL2 for code in codes) else ""


def _like_landsat(codes: Sequence[str]) -> bool:
    """Sentinel-2 without B08 and B8A has no near infrared: seven bands are Landsat's."""
    digits = {code[2:] for code in codes if code.startswith("B0")}
    beyond = any(code in ("B8A", "B08", "B09", "B11", "B12") for code in codes)
    return digits >= {"3", "4", "5"} and not beyond and digits <= set("1234567")


def word(text: str) -> str:
    """The common name that a text speaks of, or nothing."""
    plain = text.strip().lower()
    if quality := QUALITY.get(re.split(r"[\s\-:]", plain)[-1]):
        return quality
    if plain in COMMON:
        return plain
    if wave := WAVELENGTH.search(plain):
        nm = float(wave[1]) if wave[1] else 1000 * float(wave[2])
        return next((name for low, high, name in WAVES if low <= nm <= high), "")
    return next((name for pattern, name in WORDS if pattern.search(plain)), "")


def names_of_files(words: Sequence[str], hints: str = "") -> Named:
    """The bands of files (or assets) of one band each, by the words of their names, blanks between.

    The last word that speaks of a band decides: places are named first (Greenland_nir).
    """
    landsat = bool(LANDSAT_HINT.search(" ".join([hints, *words])))
    codes = [_code(text) for text in words]
    found: dict[str, int] = {}
    for index, (name, text) in enumerate(zip(_by_code(codes, landsat, hints), words, strict=True), 1):
        tokens = text.lower().split()
        pairs = ["_".join(pair) for pair in pairwise(tokens)]
        quality = next((QUALITY[token] for token in [*pairs, *tokens] if token in QUALITY), "")
        spoken = (
            quality
            or name
            or ("" if codes[index - 1] else next((w for t in reversed(tokens) if (w := word(t))), ""))
        )
        if spoken:
            found.setdefault(spoken, index)
    sensor = _sensor(codes, landsat)
    return Named(found, sensor)


def _guessed(count: int, kind: str, hints: str, colours: Sequence[str], landsat: bool) -> Named:
    """Without descriptions: by colours, sensor and number of bands."""
    coloured = {name: i for i, name in enumerate(colours, 1) if name in ("red", "green", "blue")}
    if len(coloured) == 3:
        others = [i for i, name in enumerate(colours, 1) if name not in (*coloured, "alpha")]
        if others:
            return Named({**coloured, "nir": others[0]}, guess="colours of the file, then near infrared")
        return Named(coloured, guess="colours of the file")
    count -= colours[-1:] == ["alpha"]
    order = ORDERS.get(count, ())
    if count == 8:
        order = next((eight for pattern, eight in EIGHT if pattern.search(hints)), ())
    if landsat and count in (6, 7):
        series = LANDSAT["5" if EARLY.search(hints) else "8"]
        order = tuple(series.get(str(i), "") for i in range(1, 8)) if count == 7 else ORDERS[6]
    elif count == 7:
        order = tuple(LANDSAT["8"].values())
    elif count == 4 and kind == "uint8":
        order = AERIAL
    bands = {name: i for i, name in enumerate(order, 1) if name}
    sensor = "Sentinel-2" if count in (13, 12, 10) else "Landsat" if landsat else ""
    return Named(bands, sensor, f"{count} bands without names: {', '.join(order)}" if bands else "")
