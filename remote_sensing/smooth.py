"""Even and bright green: crops, whatever the crop. Crowns shade each other, so woods are uneven from pixel to pixel.

Evenness is the variation of near infrared in 5 × 5 pixels against its mean, which no scale of the numbers changes.
"""

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
EVEN = 0.05
"""Deviation of near infrared in 5 × 5 pixels, as a share of its mean. At 10 m woods lie above .06 to .09 (first quartile
to median), crops below .03 to .07 (median to third quartile), in a dry landscape and in Flanders; gardens above .1."""
BRIGHTER = 1.1
"""A field is this much brighter in near infrared than the median of the block's green."""
NEAR = 8
"""Of 5 × 5 pixels this many are even and bright: the edge of a field is uneven, its inside is not."""


@numba.njit(nogil=True, cache=True)
def _even(red, nir, least_ndvi, bright, most, seeds):  # type: ignore[no-untyped-def]
    """1 where a pixel is green, bright and even over 5 × 5; the two outermost rows and columns stay 0."""
    height, width = nir.shape
    one, two = np.empty(width, np.float32), np.empty(width, np.float32)
    n = np.float32(25)
    for row in range(2, height - 2):
        a, b, c, d, e = nir[row - 2], nir[row - 1], nir[row], nir[row + 1], nir[row + 2]
        for col in range(width):
            one[col] = a[col] + b[col] + c[col] + d[col] + e[col]
            two[col] = a[col] * a[col] + b[col] * b[col] + c[col] * c[col] + d[col] * d[col] + e[col] * e[col]
        reds, line = red[row, 2 : width - 2], seeds[row, 2 : width - 2]
        nirs = c[2 : width - 2]
        for col in range(width - 4):
            s = one[col] + one[col + 1] + one[col + 2] + one[col + 3] + one[col + 4]
            q = two[col] + two[col + 1] + two[col + 2] + two[col + 3] + two[col + 4]
            green = nirs[col] - reds[col] > least_ndvi * (nirs[col] + reds[col])
            even = n * q - s * s < most * s * s
            line[col] = np.uint8(green & even & (s > bright * n))


@numba.njit(nogil=True, cache=True)
def _grown(seeds, red, nir, least_ndvi, bright, near, mask):  # type: ignore[no-untyped-def]
    """Mark green and bright pixels that have enough even ones around; valid four pixels inside the border."""
    height, width = nir.shape
    across = np.empty(width, np.uint8)
    for row in range(4, height - 4):
        a, b, c, d, e = seeds[row - 2], seeds[row - 1], seeds[row], seeds[row + 1], seeds[row + 2]
        for col in range(width):
            across[col] = a[col] + b[col] + c[col] + d[col] + e[col]
        reds, nirs, line = red[row, 2:], nir[row, 2:], mask[row, 2:]
        for col in range(width - 4):
            count = across[col] + across[col + 1] + across[col + 2] + across[col + 3] + across[col + 4]
            green = nirs[col] - reds[col] > least_ndvi * (nirs[col] + reds[col])
            old = line[col]
            line[col] = np.uint8(1) if (old == 0) & green & (nirs[col] > bright) & (count >= near) else old


def add(red: Floats, nir: Floats, least_ndvi: float, bright: float, mask: npt.NDArray[np.uint8]) -> None:
    """Set a mask (0 nothing, 1 field, 2 no data) to 1 where green is even and brighter than `bright`.

    All arrays have one shape; what lies within four pixels of the border is left as it is.
    """
    seeds = np.zeros(mask.shape, np.uint8)
    least, limit = np.float32(least_ndvi), np.float32(bright)
    _even(red, nir, least, limit, np.float32(EVEN**2), seeds)
    _grown(seeds, red, nir, least, limit, NEAR, mask)
