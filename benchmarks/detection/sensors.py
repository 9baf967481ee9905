"""One labelled scene as other sensors would show it: fewer bands, the surface, coarser pixels, eight bits."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

from benchmarks.detection.shadows import HAZE, NAMES
from remote_sensing.scene import Scene

FOUR = ("blue", "green", "red", "nir")
AERIAL = ("red", "green", "blue", "nir")
DISPLAY = 0.45
"""Reflectance that an 8-bit picture shows as white where all bands are stretched alike."""


def variants(scene: Scene, folder: Path) -> dict[str, Path]:
    """Files by what they imitate. `scene`: reflectance, at the top of the atmosphere if it has short wave."""
    grid = scene.grid
    whole = Window(0, 0, grid.width, grid.height)
    top = {n: scene.read(n, whole) for n in NAMES if n in scene.bands}
    made: dict[str, tuple[dict[str, Any], str, int]] = {"as it is": (top, "uint16", 1)}
    if "swir16" in top:
        # The darkest of each band is haze but for half a percent.
        surface = {n: v - max(0.0, float(np.nanpercentile(v, 0.1)) - 0.005) for n, v in top.items()}
        made["at the surface"] = (surface, "int16", 1)
        made["without SWIR2"] = ({n: v for n, v in top.items() if n != "swir22"}, "uint16", 1)
        made["at the surface, four bands"] = ({n: surface[n] for n in FOUR}, "int16", 1)
    else:
        made["with haze"] = ({n: v + HAZE[n] for n, v in top.items()}, "uint16", 1)
    made["four bands"] = ({n: top[n] for n in FOUR}, "uint16", 1)
    made["half as fine"] = ({n: _coarser(v) for n, v in top.items()}, "uint16", 2)
    made["8 bits, stretched alike"] = ({n: top[n] / DISPLAY for n in AERIAL}, "uint8", 1)
    each = {n: _stretched(top[n]) for n in AERIAL}
    made["8 bits, each band stretched"] = (each, "uint8", 1)
    return {name: _written(folder / f"{name}.tif", *how, scene) for name, how in made.items()}


def _coarser(values: Any) -> Any:
    height, width = (2 * (side // 2) for side in values.shape)
    return values[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))


def _stretched(values: Any) -> Any:
    low, high = np.nanpercentile(values, [1, 99])
    return (values - low) / (high - low)


def _written(path: Path, bands: dict[str, Any], kind: str, factor: int, like: Scene) -> Path:
    eight = kind == "uint8"
    numbers = np.array(list(bands.values()))
    numbers = np.clip(numbers * 254 + 1, 1, 255) if eight else np.round(numbers * 1e4)
    with rasterio.open(
        path, "w", driver="GTiff", count=len(bands), height=numbers.shape[1], width=numbers.shape[2], dtype=kind,
        crs=like.grid.crs, transform=like.grid.transform * Affine.scale(factor), nodata=None if eight else -9999 if kind == "int16" else 0,
    ) as target:  # fmt: skip
        target.write(np.nan_to_num(numbers).astype(kind))
        if not eight:
            target.descriptions = tuple(NAMES[name] for name in bands)
    return path
