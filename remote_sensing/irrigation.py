"""Vigorous vegetation that stands out from its surroundings: what irrigation looks like in a dry season.

Woods are as green as crops (NDVI > 0.6 finds fields with precision .09 on the demo scene). Three things make a field
stand out: everything around is dry; or it reflects less green, against near infrared and red, than most of the green
around it; or it is brighter than most of it and even (`smooth`). The second measure is ln(N R / G²): leaves of some
crops hold more chlorophyll per area than crowns with their shadows. Both are compared with the block's own green,
never with a fixed number, since woods and crops differ from place to place; so they hold for pictures too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from remote_sensing import smooth, water
from remote_sensing.scene import Scene
from remote_sensing.strips import HALO

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
BANDS = ("green", "red", "nir")
LEAST_NDVI, HAZE = 0.55, 0.10
"""Greenness of a field at the surface, and how much less haze leaves of it at the top of the atmosphere."""
SPREADS = 2.0
"""How many robust spreads above the median of the block's green a field lies. On the demo scene 1.5 to 2 give an
IoU above .7, 1 and 2.5 above .55: chosen for precision, of 2026-11."""
RARE_GREEN = 0.10
"""Where less than this share of a block is green, green itself stands out."""
STEP = 8
"""Every eighth pixel in each direction is sample enough for a median."""
FEWEST = 50
"""Green pixels of the sample needed to speak of a block's own green."""


@dataclass(frozen=True)
class Limit:
    """What a pixel of a field must exceed in one block."""

    ratio: float
    """N R / G² (smoothed); 0 where green is rare."""
    ndvi: float = LEAST_NDVI
    bright: float = np.inf
    """Near infrared, for even green."""


def least_ndvi(scene: Scene) -> float | None:
    """How green a field is in a scene; None where its numbers are no reflectance, and each block must tell."""
    if not scene.calibrated:
        return None
    return LEAST_NDVI - (HAZE if scene.top_of_atmosphere else 0.0)


def limit(bands: Mapping[str, Floats], least: float | None = LEAST_NDVI) -> Limit:
    """The limit of a block, from every eighth pixel in each direction. `least`: see `least_ndvi`."""
    green, red, nir = (bands[name][::STEP, ::STEP] for name in BANDS)
    if least is None:
        least = _valley(bands)
    with np.errstate(all="ignore"):
        is_green = (nir - red) > least * (nir + red)
        values = np.log(nir[is_green] * red[is_green] / green[is_green] ** 2)
    infrared = nir[is_green]
    values = values[np.isfinite(values)]
    seen = int(np.isfinite(nir).sum())
    if len(values) < max(FEWEST, RARE_GREEN * seen):
        return Limit(0.0, least)
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return Limit(
        float(np.exp(middle + SPREADS * spread)), least, smooth.BRIGHTER * float(np.median(infrared))
    )


def _valley(bands: Mapping[str, Floats]) -> float:
    """Between what is green and what is not in a block of a picture; where it has not both, as if it were reflectance."""
    red, nir = bands["red"][::2, ::2], bands["nir"][::2, ::2]
    with np.errstate(all="ignore"):
        ndvi = ((nir - red) / (nir + red)).astype(np.float32)
    own = water.valley(water.histogram(np.where(np.isfinite(ndvi), ndvi, np.float32(-9)), 1), RARE_GREEN / 2)
    return own if own is not None and own > 0 else LEAST_NDVI


@numba.njit(nogil=True, cache=True)
def _standing_out(green, red, nir, row0, col0, least_ndvi, least_ratio, lines, sums, out):  # type: ignore[no-untyped-def]
    """1 where a pixel is green and its 3 × 3 mean stands out, 2 where there is no data.

    Works on the part of the bands at (row0, col0) that is as large as `out`. Sums of three rows, then of
    three columns: plain loops over rows, which the compiler turns into vectors.
    """
    height, width = out.shape
    nothing, infinite = np.float32(0), np.float32(np.inf)
    for row in range(-1, height):
        now = lines[(row + 1) % 3]
        g3, r3, n3 = now[0], now[1], now[2]
        if row + 1 < height:
            greens = green[row + 1 + row0, col0 : col0 + width]
            reds = red[row + 1 + row0, col0 : col0 + width]
            nirs = nir[row + 1 + row0, col0 : col0 + width]
            for col in range(width):
                g, r, n = greens[col], reds[col], nirs[col]
                seen = g + r + n < infinite
                g3[col] = g if seen else nothing
                r3[col] = r if seen else nothing
                n3[col] = n if seen else nothing
        else:
            now[:] = nothing
        if row < 0:
            continue
        for band in range(3):
            a, b, c, total = lines[0, band], lines[1, band], lines[2, band], sums[band]
            for col in range(width):
                total[col] = a[col] + b[col] + c[col]
        greens = green[row + row0, col0 + 1 : col0 + width - 1]
        reds = red[row + row0, col0 + 1 : col0 + width - 1]
        nirs = nir[row + row0, col0 + 1 : col0 + width - 1]
        g3, r3, n3 = sums[0], sums[1], sums[2]
        line = out[row, 1 : width - 1]
        for col in range(width - 2):
            gs = g3[col] + g3[col + 1] + g3[col + 2]
            rs = r3[col] + r3[col + 1] + r3[col + 2]
            ns = n3[col] + n3[col + 1] + n3[col + 2]
            g, n, r = greens[col], nirs[col], reds[col]
            standing = (n - r > least_ndvi * (n + r)) & (ns * rs > least_ratio * gs * gs)
            line[col] = np.uint8(standing) if g + r + n < infinite else np.uint8(2)


@numba.njit(nogil=True, cache=True)
def _opened(mask, inset, code, codes):  # type: ignore[no-untyped-def]
    """Erosion and dilation by 3 × 3 (no data resists neither), written inside `inset` (at least 2) as `code`.

    Three rows of the eroded mask are held at a time; plain loops over rows, which become vectors.
    """
    height, width = mask.shape
    eroded, across = np.zeros((3, width), np.uint8), np.empty(width, np.uint8)
    for row in range(inset - 1, height - inset + 1):
        north, here, south = mask[row - 1], mask[row], mask[row + 1]
        for col in range(width):
            across[col] = np.uint8(min(north[col], here[col], south[col]) != 0)
        whole, middle = eroded[row % 3][1:], here[1:]
        for col in range(width - 2):
            kept = across[col] & across[col + 1] & across[col + 2]
            whole[col] = np.uint8(kept) if middle[col] == 1 else np.uint8(0)
        if row <= inset:
            continue
        a, b, c = eroded[0], eroded[1], eroded[2]
        for col in range(width):
            across[col] = a[col] | b[col] | c[col]
        middle, line, near = mask[row - 1][inset:], codes[row - 1 - inset], across[inset - 1 :]
        for col in range(width - 2 * inset):
            grown = near[col] | near[col + 1] | near[col + 2]
            old = line[col]
            line[col] = code if (grown == 1) & (middle[col] == 1) & (old == 0) else old


def mark(bands: Mapping[str, Floats], at: tuple[int, int], least: Limit, codes: Codes) -> None:
    """Write code 6 (kind 2, strong) where fields are, into the `codes` of a block that lies at (row, column).

    `bands` reach HALO pixels beyond the blocks on all sides; `at` counts without them. A field is at least
    three pixels wide: what is narrower is a hedge, a verge or a speckle in a wood.
    """
    green, red, nir = (bands[name] for name in BANDS)
    mask = np.empty((codes.shape[0] + 2 * HALO, codes.shape[1] + 2 * HALO), np.uint8)
    mask[:, 0] = mask[:, -1] = 2
    lines, sums = np.zeros((3, 3, mask.shape[1]), np.float32), np.empty((3, mask.shape[1]), np.float32)
    _standing_out(green, red, nir, *at, np.float32(least.ndvi), np.float32(least.ratio), lines, sums, mask)
    if np.isfinite(least.bright):
        part = slice(at[0], at[0] + mask.shape[0]), slice(at[1], at[1] + mask.shape[1])
        smooth.add(red[part], nir[part], least.ndvi, least.bright, mask)
    _opened(mask, HALO, np.uint8(6), codes)
