"""How a raster's numbers become reflectance, where the raster itself states no scale and offset."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.windows import Window

if TYPE_CHECKING:
    from remote_sensing.scene import Scene

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


@dataclass(frozen=True)
class Coding:
    """How a file's numbers become reflectance, where the file itself states no scale."""

    scale: float
    offset: float
    calibrated: bool = True
    said: Mapping[str, Any] = field(default_factory=dict)


def sensible(scale: float, offset: float) -> bool:
    """Whether a stated scale and offset can turn numbers into reflectance: some files state nonsense."""
    return bool(np.isfinite([scale, offset]).all()) and 1e-6 <= scale <= 1e2 and abs(offset) <= 1e4


def coding_of(
    path: Path,
    indexes: list[int],
    kind: str,
    tags: Mapping[str, str],
    sensor: str,
    descriptions: list[str],
) -> Coding:
    """Scale and offset of a raster: by its tags and names, else by what its numbers look like.

    `sensor`: as `naming.names` says it. 8-bit numbers, floating ones that run to 255, and counts of ten bits
    or of the full sixteen, are a picture: not reflectance.
    """
    if kind in ("uint8", "int8"):
        return Coding(1.0, 0.0, calibrated=False)
    low, high = _range(path, indexes)
    if kind.startswith("float"):
        # Reflectance seldom exceeds 2 (clouds, glint); 0–255 is a stretched picture, more is scaled by 10000.
        if high <= 255 or high > BRIGHTEST:
            return Coding(1.0, 0.0, calibrated=high <= 2)
        return Coding(1e-4, 0.0)
    named = any(LANDSAT_NAME.fullmatch(d) for d in descriptions) or "L2SP" in path.name
    if sensor == "Landsat" and kind == "uint16" and (named or low >= LANDSAT_DARKEST):
        return Coding(*LANDSAT_SURFACE)
    if high > BRIGHTEST or (not sensor and high <= TEN_BITS):
        return Coding(1.0, 0.0, calibrated=False)
    sentinel = sensor != "Landsat"
    stated = "BOA_ADD_OFFSET" in tags or "PROCESSING_BASELINE" in tags or BASELINE.search(path.name)
    offset = _sentinel_offset(tags, path.name) if sentinel else 0.0
    if sentinel and not stated and low >= -BOA_ADD_OFFSET:
        # Some dark pixel of some band is below 1000 in any land scene, unless every number carries the offset.
        return Coding(1e-4, BOA_ADD_OFFSET * 1e-4, said={"shuitu:offset": "assumed: no value below 1000"})
    return Coding(1e-4, offset * 1e-4)


def plausible(path: Path, indexes: list[int], scale: float, offset: float) -> bool:
    """Whether a stated scale and offset turn the bands' numbers into something like reflectance."""
    low, high = _range(path, indexes)
    return low * scale + offset >= -0.5 and 0.01 <= high * scale + offset <= 3


def _range(path: Path, indexes: list[int]) -> tuple[float, float]:
    """Darkest (0.5 %) and brightest (99.5 %) numbers of the bands, from a small reading."""
    if not indexes:
        return 0.0, 0.0
    with rasterio.open(path) as source:
        scale = max(1, max(source.width, source.height) // 512)
        shape = (len(indexes), max(1, source.height // scale), max(1, source.width // scale))
        numbers = source.read(indexes, out_shape=shape, masked=True)
    kept = [band.compressed()[np.isfinite(band.compressed()) & (band.compressed() != 0)] for band in numbers]
    kept = [band for band in kept if band.size]
    if not kept:
        return 0.0, 0.0
    return min(float(np.percentile(band, 0.5)) for band in kept), max(
        float(np.percentile(band, 99.5)) for band in kept
    )


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


def top_of_atmosphere(scene: "Scene") -> bool:
    """Whether reflectance is that at the top of the atmosphere: by names, by the cirrus band, else by its haze."""
    files = {Path(band.file).name for band in scene.bands.values()}
    said = " ".join([scene.item_id, scene.title, *sorted(files)])
    if TOP.search(said) or SURFACE.search(said):
        return not SURFACE.search(said)
    if "cirrus" in scene.bands:
        return True
    if "blue" not in scene.bands:
        return False
    blue, red = (_darkest(scene, name) for name in ("blue", "red"))
    return blue > HAZE_BLUE and blue > BLUER * red


def _darkest(scene: "Scene", name: str) -> float:
    grid = scene.grid
    scale = max(1, max(grid.width, grid.height) // 1024)
    shape = (max(1, grid.height // scale), max(1, grid.width // scale))
    values = scene.read(name, Window(0, 0, grid.width, grid.height), shape)
    kept = values[np.isfinite(values)]
    return float(np.percentile(kept, 0.1)) if kept.size else 0.0
