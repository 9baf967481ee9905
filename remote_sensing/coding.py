"""How a raster's numbers become reflectance, where the raster itself states no scale and offset."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from remote_sensing import naming
from remote_sensing.scene import Band, Scene, hidden, readable

BASELINE = re.compile(r"_N(\d{2})(\d{2})_")
BOA_ADD_OFFSET = -1000
"""Sentinel-2 since processing baseline 04.00 (2022-01-25): reflectance = (DN - 1000) / 10000."""
DN_PER_REFLECTANCE = 10_000
LANDSAT_NAME = re.compile(r"SR_B([1-7])")
LANDSAT_SURFACE = (2.75e-05, -0.2)
"""Surface reflectance of Landsat Collection 2 (USGS): number × 0.0000275 − 0.2."""

LANDSAT_DARKEST = 5_000
"""Collection 2 counts reflectance 0 as 7273: its darkest land and water lie near there."""
BRIGHTEST = 25_000
"""No reflectance × 10000 is as bright in one pixel of two hundred: the numbers are a stretched picture."""
TEN_BITS = 1_100
"""Counts of ten bits (GF-1 and GF-2 before calibration) end at 1023."""


LANDSAT_TOP = (2.0e-05, -0.1)
"""Reflectance at the top of the atmosphere, before the sun's height, where the metadata do not say it."""
RAW_BITS = 4_100
"""Counts of twelve bits: the most that GF, ZY and their kin deliver before calibration."""
REFLECTANCE = re.compile(r"reflect|_SR|_BOA|_TOA|_ref|FLAASH|反射率|大气校正|atm", re.I)
NO_DATA = {
    "u": (65535.0, 0.0),
    "i": (-9999.0, -32768.0, 0.0),
    "f": (-9999.0, -32768.0, -99999.0, float(np.finfo(np.float32).min), 0.0),
}
"""Numbers that stand for "no data" where nobody says so, by the kind of number."""
BLACK = 0.005
"""In 8 bits 0 is a colour too: it is no data only if it stands in all bands over this share of the picture."""
Pairs = Sequence[tuple[str, int]]
"""Files and band numbers."""


@dataclass(frozen=True)
class Coding:
    """How a file's numbers become reflectance, where the file itself states no scale."""

    scale: float
    offset: float
    calibrated: bool = True
    said: Mapping[str, Any] = field(default_factory=dict)
    nodata: float | None = None
    """The number of pixels without data, where the file does not state it."""


def sensible(scale: float, offset: float) -> bool:
    """Whether a stated scale and offset can turn numbers into reflectance: some files state nonsense."""
    return bool(np.isfinite([scale, offset]).all()) and 1e-6 <= scale <= 1e2 and abs(offset) <= 1e4


def coding_of(
    pairs: Pairs, name: str, kind: str, tags: Mapping[str, str], sensor: str, descriptions: Sequence[str]
) -> Coding:
    """Scale and offset of the bands of a scene: by its tags and names, else by what its numbers look like.

    `name`: of the file or folder; `sensor`: as `naming.names` says it. 8-bit numbers, floating ones that run to
    255, and counts of ten, twelve or the full sixteen bits, are a picture: not reflectance.
    """
    seen = _look(pairs)
    if kind in ("uint8", "int8"):
        hole = _unsaid(seen, "u", BLACK)
        said = {} if hole is None else {"shuitu:nodata": f"assumed: {hole:g}"}
        return Coding(1.0, 0.0, calibrated=False, said=said, nodata=hole)
    hole = _unsaid(seen, np.dtype(kind).kind)
    low, high = _range(seen, hole)
    made = _by_range(low, high, name, kind, tags, sensor, descriptions)
    if hole is None:
        return made
    return replace(made, nodata=hole, said={**made.said, "shuitu:nodata": f"assumed: {hole:g}"})


def _by_range(
    low: float,
    high: float,
    name: str,
    kind: str,
    tags: Mapping[str, str],
    sensor: str,
    descriptions: Sequence[str],
) -> Coding:
    if kind.startswith("float"):
        # Reflectance seldom exceeds 2 (clouds, glint); 0–255 is a stretched picture, more is scaled by 10000.
        if high <= 255 or high > BRIGHTEST:
            return Coding(1.0, 0.0, calibrated=high <= 2)
        return Coding(1e-4, 0.0)
    surface = any(LANDSAT_NAME.search(d) for d in descriptions) or "L2SP" in name or "_SR_B" in name
    if sensor == "Landsat" and kind == "uint16" and "HLS" not in name and (surface or low >= LANDSAT_DARKEST):
        return Coding(*(LANDSAT_TOP if re.search(r"_L1(TP|GT|GS)", name) else LANDSAT_SURFACE))
    counts = bool(naming.RAW_HINT.search(name)) and not REFLECTANCE.search(name) and high <= RAW_BITS
    if high > BRIGHTEST or counts or (not sensor and high <= TEN_BITS):
        return Coding(1.0, 0.0, calibrated=False)
    sentinel = sensor != "Landsat"
    stated = "BOA_ADD_OFFSET" in tags or "PROCESSING_BASELINE" in tags or BASELINE.search(name)
    offset = _sentinel_offset(tags, name) if sentinel else 0.0
    if sentinel and not stated and low >= -BOA_ADD_OFFSET:
        # Some dark pixel of some band is below 1000 in any land scene, unless every number carries the offset.
        return Coding(1e-4, BOA_ADD_OFFSET * 1e-4, said={"shuitu:offset": "assumed: no value below 1000"})
    return Coding(1e-4, offset * 1e-4)


def alpha_of(file: str) -> int:
    """The number of the band that says where the picture is, 0 if there is none.

    Four bands of 8 bits are written as colours with an alpha unless the writer says otherwise: what holds more than
    "there" and "not there" is near infrared.
    """
    with readable(file), rasterio.open(file) as source:
        index = next((i for i, c in enumerate(source.colorinterp, 1) if c.name == "alpha"), 0)
        if not index:
            return 0
        scale = max(1, max(source.width, source.height) // 512)
        shape = (max(1, source.height // scale), max(1, source.width // scale))
        values = np.unique(source.read(index, out_shape=shape))
    full = 1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max
    return index if np.isin(values, (0, 1, 255, full)).all() else 0


def _mask_of(source: Any, index: int) -> int | None:
    """What says where a band has data (`Band.mask`), where no number does."""
    if source.nodatavals[index - 1] is not None:
        return None
    # GDAL itself takes an alpha for a mask beside one or three bands only, and then even one of near infrared.
    if alpha := alpha_of(source.name):
        return alpha
    flags = source.mask_flag_enums[index - 1]
    return 0 if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags else None


def band(file: str, index: int, how: Coding) -> Band:
    """A band with the scale, offset and no-data number that its file states, else with those of `how`."""
    with readable(file), rasterio.open(file) as source:
        mask = _mask_of(source, index)
        scale, offset = float(source.scales[index - 1]), float(source.offsets[index - 1])
        nodata = source.nodatavals[index - 1]
    if (scale, offset) == (1.0, 0.0) or not believed(file, index, scale, offset):
        scale, offset = how.scale, how.offset
    return Band(file, index, scale, offset, how.nodata if nodata is None else nodata, mask)


def believed(file: str, index: int, scale: float, offset: float) -> bool:
    """Whether a stated scale and offset turn the band's numbers into something like reflectance."""
    if not sensible(scale, offset):
        return False
    low, high = _range(_look([(file, index)]), None)
    return low * scale + offset >= -0.5 and 0.01 <= high * scale + offset <= 3


def _look(pairs: Pairs) -> list[Any]:
    """The bands, small; numbers that the files say are no data are masked."""
    seen: dict[tuple[str, int], Any] = {}
    for file in dict.fromkeys(file for file, _ in pairs):
        # Bands of one file are decoded together.
        indexes = [index for other, index in pairs if other == file]
        with readable(file), rasterio.open(file) as source:
            scale = max(1, max(source.width, source.height) // 512)
            shape = (len(indexes), max(1, source.height // scale), max(1, source.width // scale))
            planes = np.ma.asarray(source.read(indexes, out_shape=shape))
            for place, index in enumerate(indexes):
                stated = source.nodatavals[index - 1]
                hides = planes.data[place] == stated if stated is not None else np.zeros(shape[1:], bool)
                if (mask := _mask_of(source, index)) is not None:
                    whole = Window(0, 0, source.width, source.height)
                    hides |= hidden(source, Band(file, index, mask=mask), whole, shape[1:])
                planes[place] = np.ma.masked_where(hides, planes.data[place])
        seen |= {(file, index): plane for index, plane in zip(indexes, planes, strict=True)}
    return [seen[pair] for pair in pairs]


def _unsaid(seen: Sequence[Any], kind: str, least: float = 0.0) -> float | None:
    """A number that stands in all bands at the same pixels, and hardly anywhere alone: no data that nobody stated."""
    same = [band.data for band in seen if band.shape == seen[0].shape and not band.mask.any()] if seen else []
    if len(same) < 2:
        return None
    for number in NO_DATA.get(kind, ()):
        if not _holds(same[0].dtype, number):
            continue
        hits = np.array([band == band.dtype.type(number) for band in same])
        together, alone = int(hits.all(axis=0).sum()), int((hits.any(axis=0) & ~hits.all(axis=0)).sum())
        if together >= max(4, 10 * alone, least * same[0].size):
            return number
    return None


def _holds(kind: np.dtype[Any], number: float) -> bool:
    return kind.kind == "f" or np.iinfo(kind).min <= number <= np.iinfo(kind).max


def _range(seen: Sequence[Any], hole: float | None) -> tuple[float, float]:
    """Darkest (0.5 %) and brightest (99.5 %) numbers of the bands."""
    kept = []
    for band in seen:
        numbers = band.compressed()
        numbers = numbers[np.isfinite(numbers) & (numbers != 0)]
        if hole is not None:
            numbers = numbers[numbers != hole]
        if numbers.size:
            kept.append((float(np.percentile(numbers, 0.5)), float(np.percentile(numbers, 99.5))))
    return (min(low for low, _ in kept), max(high for _, high in kept)) if kept else (0.0, 0.0)


def _sentinel_offset(tags: Mapping[str, str], name: str) -> float:
    """The offset in DN that a Sentinel-2 file still carries."""
    if "BOA_ADD_OFFSET" in tags:
        return float(tags["BOA_ADD_OFFSET"])
    stated = tags.get("PROCESSING_BASELINE") or baseline_in(name)
    return float(BOA_ADD_OFFSET) if stated and float(stated) >= 4 else 0.0


def baseline_in(name: str) -> str:
    """The processing baseline in a product's name (…_N0510_…), or nothing."""
    match = BASELINE.search(name)
    return f"{match[1]}.{match[2]}" if match else ""


TOP = re.compile(r"MSIL1C|[_\-.]L1(?:C|TP|GT|GS)?(?=[_\-.]|$)|\bTOA|_toa", re.I)
SURFACE = re.compile(r"MSIL2A|[_\-.]L2(?:A|SP|SR)?(?=[_\-.]|$)|_SR[_\-.]|\bBOA|_boa|_sr\b|surface", re.I)
HAZE_BLUE, BLUER = 0.06, 1.3
"""At the top of the atmosphere the darkest blue exceeds this, and the darkest red this many times: scattered light."""


def top_of_atmosphere(scene: Scene) -> bool:
    """Whether reflectance is that at the top of the atmosphere: by names, by the cirrus band, else by its haze."""
    files = {Path(band.file).name for band in scene.bands.values()}
    said = " ".join([scene.item_id, scene.title, *sorted(files)])
    if TOP.search(said) or SURFACE.search(said):
        return not SURFACE.search(said)
    if "cirrus" in scene.bands:
        return True
    if "blue" not in scene.bands:
        return False
    blue, red = _darkest(scene, ("blue", "red"))
    return blue > HAZE_BLUE and blue > BLUER * red


def _darkest(scene: Scene, names: tuple[str, ...]) -> list[float]:
    grid = scene.grid
    scale = max(1, max(grid.width, grid.height) // 1024)
    shape = (max(1, grid.height // scale), max(1, grid.width // scale))
    read = scene.read_bands(names, Window(0, 0, grid.width, grid.height), shape)
    kept = [values[np.isfinite(values)] for values in read.values()]
    return [float(np.percentile(values, 0.1)) if values.size else 0.0 for values in kept]
