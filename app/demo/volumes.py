"""How volumes are spread: a lognormal body and a heavy top, as registers show them.

Median 9,100 m³, ninth decile 905,000 m³, and the largest hundredth holds 89 % of the whole: one lognormal
of σ = 3.59 has all three (its largest hundredth holds Φ(σ − 2.33) = 90 %). The pilot's total is bound
to its control indicators, so there only the body below the ninth decile is that lognormal.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Floats = npt.NDArray[np.float64]
MEDIAN_M3, NINTH_DECILE_M3 = 9_100.0, 905_000.0
TOP, TOP_SHARE = 0.01, 0.89
Z90 = 1.2815515655446004
SIGMA = math.log(NINTH_DECILE_M3 / MEDIAN_M3) / Z90
LARGEST_M3 = 2.5e10
"""No draw is larger: three quarters of what the South–North transfer and the largest plants take. A guess of 2026-11."""


def ranks(n: int) -> Floats:
    """The middle of each of `n` equal parts of (0, 1)."""
    ranks_: Floats = (np.arange(n) + 0.5) / n
    return ranks_


def lognormal(rank: Floats, sigma: float = SIGMA) -> Floats:
    """Volume in m³ at each rank in (0, 1) of the lognormal with the median of the registers."""
    drawn: Floats = np.minimum(MEDIAN_M3 * np.exp(sigma * ndtri(rank)), LARGEST_M3)
    return drawn


def body(n: int, total_m3: float) -> Floats:
    """The `n` smaller volumes of a register whose largest hundredth is apart, ascending, that sum to `total_m3`.

    Lognormal to the ninth decile; above it the slope that gives the sum. Raises ValueError if none does.
    """
    z = ndtri((np.arange(n) + 0.5) / n * (1 - TOP))
    low = MEDIAN_M3 * np.exp(SIGMA * z)

    def spread(slope: float) -> Floats:
        high = NINTH_DECILE_M3 * np.exp(slope * (z - Z90))
        both: Floats = np.where(z < Z90, low, high)
        return both

    least, most = 0.0, 12.0
    if not spread(least).sum() <= total_m3 <= spread(most).sum():
        raise ValueError(f"{n} volumes of this spread cannot sum to {total_m3:.6g} m³")
    for _ in range(80):
        middle = (least + most) / 2
        least, most = (middle, most) if spread(middle).sum() < total_m3 else (least, middle)
    return spread(least)


def figures(volumes_m3: Any) -> dict[str, float]:
    """Median, ninth decile, and the share of the largest hundredth (at least one)."""
    volume = np.sort(np.asarray(volumes_m3, np.float64))
    top = max(1, math.ceil(len(volume) * TOP))
    return {
        "n": float(len(volume)),
        "median_m3": float(np.median(volume)),
        "ninth_decile_m3": float(np.quantile(volume, 0.9)),
        "top_share": float(volume[-top:].sum() / volume.sum()),
        "total_m3": float(volume.sum()),
    }
