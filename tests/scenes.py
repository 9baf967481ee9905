"""Small scenes of fields with ponds, for tests that run the detection and do not ask how accurate it is."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine

STEP = 9e-5
"""Degrees a pixel, some 10 m."""


def write_scene(
    path: Path, place: tuple[float, float], ponds: list[tuple[int, int]], size: int = 330
) -> Path:
    """Blue, green, red and infrared in a square of `size` pixels whose west and south are `place`.

    `ponds` are rows and columns of their north-western corners; each has 25 pixels a side.
    """
    west, south = place
    pixels = np.empty((4, size, size), np.uint16)
    pixels[:] = np.array([800, 900, 1100, 2600])[:, None, None]
    pixels += np.random.default_rng(5).integers(0, 60, pixels.shape).astype(np.uint16)
    for row, col in ponds:
        pixels[:, row : row + 25, col : col + 25] = np.array([500, 600, 400, 150])[:, None, None]
    profile = {
        "driver": "GTiff", "count": 4, "dtype": "uint16", "width": size, "height": size, "crs": "EPSG:4326", "nodata": 0,
        "transform": Affine(STEP, 0, west, 0, -STEP, south + size * STEP),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(pixels)
        target.descriptions = ("B02", "B03", "B04", "B08")
    return path
