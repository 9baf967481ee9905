"""Open water: an index above a threshold that each block finds for itself only where it can.

A threshold for a whole scene collapses where water is rare (Otsu on a dry scene: IoU .002). So the
start is the index's natural zero, and a block of pixels moves it only if its own histogram has two
clear modes. Shadow is told, never used to throw a finding away.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from remote_sensing import indices
from remote_sensing.scene import Scene

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
BLOCK = 512
"""Side in pixels of a block with a threshold of its own; anchored to the scene, so windows do not matter."""
BINS = 256
HYSTERESIS = 0.06
"""A body must hold a pixel this far above the threshold; its shore may lie as far below."""


@dataclass(frozen=True)
class Method:
    """How water is told apart in a scene: which index, and how far a block may move its threshold."""

    name: str
    bands: tuple[str, ...]
    base: float
    reach: float
    smallest_share: float
    """Each mode must hold this share of the block's pixels."""


def method_for(scene: Scene) -> Method:
    """The best index that the scene's bands allow."""
    if not scene.calibrated and "swir16" not in scene.bands:
        # 8-bit pictures: stretched colours say little, but water stays the darkest thing in near infrared.
        return Method("NIR", ("nir", "green"), 0.0, 1.0, 0.02)
    if "swir16" in scene.bands:
        return Method("VISIR", indices.bands_of("VISIR"), 0.0, 0.15 if scene.calibrated else 0.3, 0.02)
    return Method("NDWI", indices.bands_of("NDWI"), 0.0, 0.12, 0.01)


def index(method: Method, bands: Mapping[str, Floats]) -> Floats:
    """The water index, about -1 to 1, higher where wetter."""
    if method.name == "NIR":
        return (1.0 - bands["nir"] / np.float32(127.5)).astype(np.float32)
    return indices.compute(method.name, bands)


def valley(values: Floats, smallest_share: float) -> float | None:
    """The deepest point between the two modes of a histogram; None if there are not two clear ones.

    `values` in [-1, 1], NaN left out. Two modes are clear if each holds `smallest_share` of the values,
    they stand at least three spreads apart (Ashman's D > 3), and the valley is under half of the lower.
    """
    kept = values[np.isfinite(values)]
    if kept.size < 1000:
        return None
    counts, edges = np.histogram(kept, BINS, (-1.0, 1.0))
    smooth = gaussian_filter1d(counts.astype(np.float64), 3.0)
    total = smooth.sum()
    if not total:
        return None
    centres = (edges[:-1] + edges[1:]) / 2
    share = np.cumsum(smooth) / total
    candidates = np.flatnonzero((share > smallest_share) & (share < 1 - smallest_share))
    if len(candidates) < 3:
        return None
    # Otsu on the smoothed histogram says where to look; the valley near it is the threshold.
    mean = np.cumsum(smooth * centres) / total
    between = (mean[-1] * share - mean) ** 2 / np.maximum(share * (1 - share), 1e-12)
    split = candidates[np.argmax(between[candidates])]
    dry, wet = smooth[: split + 1], smooth[split + 1 :]
    low, high = int(np.argmax(dry)), split + 1 + int(np.argmax(wet))
    bottom = low + int(np.argmin(smooth[low : high + 1]))
    if smooth[bottom] > 0.5 * min(smooth[low], smooth[high]) or not low < bottom < high:
        return None
    below, above = kept[kept <= centres[bottom]], kept[kept > centres[bottom]]
    if min(below.size, above.size) < smallest_share * kept.size:
        return None
    spread = np.hypot(below.std(), above.std())
    if np.sqrt(2) * (above.mean() - below.mean()) < 3.0 * max(spread, 1e-6):
        return None
    return float(centres[bottom])


def threshold(method: Method, values: Floats, fallback: float | None) -> float:
    """The threshold of one block: its own valley within reach, else `fallback`, else the index's zero."""
    start = method.base if fallback is None else fallback
    own = valley(values[::2, ::2] if values.size > 40_000 else values, method.smallest_share)
    if own is None or (method.name != "NIR" and abs(own - start) > method.reach):
        return start
    return own


def strong_and_weak(
    method: Method, values: Floats, bands: Mapping[str, Floats], at: float
) -> tuple[Bools, Bools]:
    """Pixels that make a body (strong), and those that belong to one if they touch it (weak)."""
    strong = values > at + HYSTERESIS
    weak = values > at - HYSTERESIS / 2
    if method.name == "NIR":
        # Dark soil and shadow are dark in green too; water is at least as bright there as in infrared.
        wet = bands["green"] > 0.85 * bands["nir"]
        strong, weak = strong & wet, weak & wet
    return strong, weak


def shadow(bands: Mapping[str, Floats]) -> Bools:
    """Dark in every visible band: may be shadow of cloud, hill or building. A flag only."""
    dark = np.ones(bands["green"].shape, bool)
    for name in ("blue", "green", "red", "nir"):
        if name in bands:
            dark &= bands[name] < 0.03
    return dark
