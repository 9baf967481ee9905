"""Open water: an index above a threshold that each block finds for itself only where it can.

A threshold for a whole scene collapses where water is rare (Otsu on a dry scene: IoU .002). So the
start is the index's natural zero, and a block of pixels moves it only if its own histogram has two
clear modes. Shadow is told, never used to throw a finding away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numba
import numpy as np
import numpy.typing as npt
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter1d

from remote_sensing import indices
from remote_sensing.scene import Scene

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
BINS = 256
EDGES = np.linspace(-1.0, 1.0, BINS + 1)
CENTRES = (EDGES[:-1] + EDGES[1:]) / 2
FINE_M = 8.0
"""Pixels smaller than this are smoothed by the majority of 3 × 3: a reed, a wave or a shadow is no shore. Larger
ones are not: canals and flooded plots are a pixel or two wide."""
FLOOR = 8.0
"""Smoothing, in bins, under which the floor of a valley is looked for."""
FEWEST = 1_000
"""Pixels that a histogram needs."""


@dataclass(frozen=True)
class Method:
    """How water is told apart in a scene: which index, and how far a block may move its threshold."""

    name: str
    bands: tuple[str, ...]
    start: float
    """The threshold of a block that has no clear modes."""
    lowest: float
    highest: float
    """Between these a block may set its own."""
    smallest_share: float
    """Each mode must hold this share of the block's pixels."""
    brightest: Mapping[str, float] = field(default_factory=dict)
    """Reflectance by band above which nothing is water: roofs, cloud and snow look wet to an index."""
    white: Mapping[str, float] = field(default_factory=dict)
    """For DARKNESS: what bright land reads in green and in each infrared band of this scene."""
    core: float = 0.06
    """A body must hold a pixel this far above the threshold …"""
    shore: float = 0.03
    """… and its shore may lie this far below."""
    smooth: bool = False
    """Whether a pixel follows the majority of its neighbourhood."""


DARKNESS = "infrared darkness"
HAIR = 1e-6
LAND_IN_NIR = 0.8
"""Bright land of a picture reads at least this share of its bright green in near infrared."""
DARK_ENOUGH, LEAST_DARK = 0.5, 0.35
"""Darkness of water against bright land where there are not two modes, if green speaks for it too (GREENER);
below 0.35 a valley lies between kinds of land."""


WET_LOWEST, WET_HIGHEST = -0.02, 0.12
"""How far a block may move the threshold of WET1 and WET2: their zero is a rule of others, kept to."""


def method_for(scene: Scene) -> Method:
    """The best index that the scene's bands allow."""
    fine = scene.resolution_m < FINE_M
    if not scene.calibrated:
        return replace(_darkness(scene), smooth=fine)
    # Flooded fields are brighter than lakes; snow is dark in short wave, so near infrared is asked too.
    brightest = {"nir": 0.30, "swir16": 0.25}
    for name, needed in (("WET2", "swir22"), ("WET1", "swir16")):
        if needed in scene.bands:
            name += "-TOA" if scene.top_of_atmosphere else ""
            bands = indices.bands_of(name)
            cap = {band: most for band, most in brightest.items() if band in bands}
            return Method(
                name, bands, 0.0, WET_LOWEST, WET_HIGHEST, 0.02, cap, core=0.03, shore=0.0, smooth=fine
            )
    # Haze lifts green: without it the same water reads less, and a valley may lie lower.
    lowest = -0.12 if scene.top_of_atmosphere else -0.2
    return Method("NDWI", indices.bands_of("NDWI"), 0.0, lowest, 0.12, 0.01, {"nir": 0.25}, smooth=fine)


def _darkness(scene: Scene) -> Method:
    """8-bit pictures: stretched colours say little, but water stays the darkest thing in the infrared."""
    names = tuple(name for name in ("green", "nir", "swir16") if name in scene.bands)
    grid = scene.grid
    scale = max(1, max(grid.width, grid.height) // 2048)
    shape = (max(1, grid.height // scale), max(1, grid.width // scale))
    small = scene.read_bands(names, Window(0, 0, grid.width, grid.height), shape)
    white = {name: bright_land(values) for name, values in small.items()}
    # Land is about as bright in near infrared as in green: where nothing is, a picture shows no land at all.
    white["nir"] = max(white["nir"], LAND_IN_NIR * white["green"])
    plain = Method(DARKNESS, names, DARK_ENOUGH, LEAST_DARK, 1.0, 0.005, {}, white)
    # A hair above the scene's valley: a block that has this valley itself is told from one that has none.
    start = threshold(plain, index(plain, small)) + HAIR
    return replace(plain, start=start, smallest_share=0.02)


def bright_land(values: Floats) -> float:
    """What bright land reads: the upper quartile of what is at least half as bright as the brightest.

    The upper quartile of everything would be water where most of a picture is.
    """
    kept = values[np.isfinite(values)]
    if not kept.size:
        return 1.0
    return max(float(np.percentile(kept[kept >= 0.5 * np.percentile(kept, 99)], 75)), 1e-6)


def index(method: Method, bands: Mapping[str, Floats], out: Floats | None = None) -> Floats:
    """The water index, about -1 to 1, higher where wetter; written to `out` if given."""
    if method.name != DARKNESS:
        return indices.compute(method.name, bands, out)
    brightness = bands["nir"] / np.float32(method.white["nir"])
    if "swir16" in method.white:
        brightness = np.maximum(brightness, bands["swir16"] / np.float32(method.white["swir16"]))
    darkness: Floats = np.subtract(np.float32(1), brightness, out=out)
    return darkness


@numba.njit(nogil=True, cache=True)
def histogram(values, step):  # type: ignore[no-untyped-def]
    """Counts of every `step`-th value of [-1, 1] in each direction, in BINS bins; others are left out."""
    counts = np.zeros(BINS, np.int64)
    for row in range(0, values.shape[0], step):
        for col in range(0, values.shape[1], step):
            value = values[row, col]
            if value >= -1.0 and value <= 1.0:
                counts[min(int((value + 1.0) * (BINS / 2)), BINS - 1)] += 1
    return counts


def valley(counts: npt.NDArray[np.int64], smallest_share: float) -> float | None:
    """The middle of the valley between the two modes of a histogram; None if there are not two clear ones.

    Two modes are clear if each holds `smallest_share` of the values, they stand at least three spreads
    apart (Ashman's D > 3), and the valley is under half of the lower.
    """
    total = counts.sum()
    if total < FEWEST:
        return None
    smooth = gaussian_filter1d(counts.astype(np.float64), 3.0)
    share = np.cumsum(smooth) / smooth.sum()
    candidates = np.flatnonzero((share > smallest_share) & (share < 1 - smallest_share))
    if len(candidates) < 3:
        return None
    # Otsu on the smoothed histogram says where to look; the valley near it is the threshold.
    mean = np.cumsum(smooth * CENTRES) / smooth.sum()
    between = (mean[-1] * share - mean) ** 2 / np.maximum(share * (1 - share), 1e-12)
    split = candidates[np.argmax(between[candidates])]
    low, high = int(np.argmax(smooth[: split + 1])), int(split + 1 + np.argmax(smooth[split + 1 :]))
    bottom = low + int(np.argmin(smooth[low : high + 1]))
    if smooth[bottom] > 0.5 * min(smooth[low], smooth[high]) or not low < bottom < high:
        return None
    below, above = _moments(counts, slice(0, bottom + 1)), _moments(counts, slice(bottom + 1, None))
    if min(below[0], above[0]) < smallest_share * total:
        return None
    if np.sqrt(2) * (above[1] - below[1]) < 3.0 * max(np.hypot(below[2], above[2]), 1e-6):
        return None
    # A wide valley has a ragged floor: its middle is a steadier threshold than its lowest bin.
    floor = gaussian_filter1d(counts.astype(np.float64), FLOOR)[low : high + 1]
    return float(CENTRES[low + np.flatnonzero(floor <= 1.5 * floor.min())].mean())


def _moments(counts: npt.NDArray[np.int64], part: slice) -> tuple[int, float, float]:
    """Number, mean and standard deviation of a part of a histogram."""
    n = int(counts[part].sum())
    if not n:
        return 0, 0.0, 0.0
    mean = float((counts[part] * CENTRES[part]).sum() / n)
    return n, mean, float(np.sqrt((counts[part] * (CENTRES[part] - mean) ** 2).sum() / n))


def threshold(method: Method, values: Floats) -> float:
    """The threshold of one block: its own valley if it lies where the method allows, else the method's start."""
    own = valley(histogram(values, 2 if values.size > 40_000 else 1), method.smallest_share)
    return own if own is not None and method.lowest <= own <= method.highest else method.start


GREEN_AGAINST_NIR = 0.7
"""In a picture, water is at least this bright in green against near infrared; dark soil and shadow are dark in both."""
GREENER = {False: 0.35, True: 0.1}
"""Where a block has no two modes: the least (green − infrared) / (green + infrared), each against bright land, by
whether the darkness in short wave is known too. A stretch changes the numbers of a band, not this."""


def green_least(method: Method, at: float) -> float:
    """Green against near infrared that water in a picture has at least, given the threshold of its block."""
    wave = "swir16" in method.white
    if at != method.start:
        # With a short-wave band it is enough that green is there: the black rim of a picture is no water.
        return 1e-6 if wave else GREEN_AGAINST_NIR
    least = GREENER[wave]
    return (1 + least) / (1 - least) * method.white["green"] / method.white["nir"]


@numba.njit(nogil=True, cache=True)
def _mark(values, nir, other, low, high, nir_most, other_most, green_least, codes):  # type: ignore[no-untyped-def]
    for row in range(values.shape[0]):
        for col in range(values.shape[1]):
            value = values[row, col]
            if not (value > low and value < np.inf):
                continue
            if nir[row, col] > nir_most or other[row, col] > other_most:
                continue
            if green_least > 0 and not other[row, col] > green_least * nir[row, col]:
                continue
            codes[row, col] = 5 if value > high else 1


@numba.njit(nogil=True, cache=True)
def _majority(marked, values, out):  # type: ignore[no-untyped-def]
    """What most of 3 × 3 pixels are; `marked` reaches one pixel beyond `out` on all sides. No data stays nothing."""
    for row in range(out.shape[0]):
        for col in range(out.shape[1]):
            count = 0
            strong = 0
            for y in range(row, row + 3):
                for x in range(col, col + 3):
                    count += marked[y, x] > 0
                    strong += marked[y, x] == 5
            if count >= 5 and values[row + 1, col + 1] == values[row + 1, col + 1]:
                out[row, col] = 5 if strong > 0 else 1


def mark(method: Method, values: Floats, bands: Mapping[str, Floats], at: float, codes: Codes) -> None:
    """Write code 1 where a pixel may belong to a body, 5 where it makes one (`objects.STRONG`).

    `values`, the index, and `bands` reach one pixel beyond `codes` on all sides if the method smooths.
    """
    made = np.zeros(values.shape, np.uint8) if method.smooth else codes
    low, high = at - method.shore, at + method.core
    nir_most = method.brightest.get("nir", np.inf)
    if method.name == DARKNESS:
        least = green_least(method, at)
        _mark(values, bands["nir"], bands["green"], low, high, nir_most, np.inf, least, made)
    else:
        other = bands.get("swir16", bands["nir"])
        other_most = method.brightest.get("swir16", np.inf)
        _mark(values, bands["nir"], other, low, high, nir_most, other_most, 0.0, made)
    if method.smooth:
        _majority(made, values, codes)
