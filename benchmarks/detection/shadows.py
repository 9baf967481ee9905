"""Clouds and their shadows painted on cloudless scenes: how much shadow is taken for water, how much water is lost."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window
from scipy import ndimage

from remote_sensing import evaluate, labels, scoring
from remote_sensing.scene import Scene, open_scenes

DIFFUSE = {"blue": 0.45, "green": 0.38, "red": 0.32, "nir": 0.25, "swir16": 0.2, "swir22": 0.2}
"""Share of the light that reaches the ground without the sun itself, by band."""
HAZE = {"blue": 0.06, "green": 0.035, "red": 0.02, "nir": 0.008, "swir16": 0.002, "swir22": 0.001}
"""Light that never touched the ground: what makes a surface one seen from the top of the atmosphere."""
NAMES = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08", "swir16": "B11", "swir22": "B12"}
COVER, SEEDS = 0.06, 5


def painted(
    bands: dict[str, Any], seed: int, pixel_m: float, haze: dict[str, float]
) -> tuple[dict[str, Any], Any, Any]:
    """Bands with clouds of some hundred metres and their shadows; the clouds and the shadows."""
    rng = np.random.default_rng(seed)
    shape = bands["green"].shape
    thick = ndimage.gaussian_filter(rng.standard_normal(shape), 150 / pixel_m, mode="wrap")
    cloud = thick > np.quantile(thick, 1 - COVER)
    angle, height = rng.uniform(0, 2 * np.pi), rng.uniform(500, 1_500) / pixel_m
    moved = ndimage.shift(cloud, (height * np.sin(angle), height * np.cos(angle)), order=0)
    shadow = moved & ~cloud
    soft = ndimage.gaussian_filter(cloud.astype(float), 1.5)
    made = {}
    for name, values in bands.items():
        floor = np.minimum(values, haze.get(name, 0.0))
        shaded = np.where(shadow, (values - floor) * DIFFUSE[name] + floor, values)
        bright = 0.55 + 0.05 * ndimage.gaussian_filter(rng.standard_normal(shape), 4)
        made[name] = np.where(cloud, bright, shaded * (1 - soft) + bright * soft * (soft > 0.05))
    return made, cloud, shadow


def measured(scene: Scene, folder: Path, level: str) -> dict[str, float]:
    """Shadow taken for water as a share of the scene (mean and worst of SEEDS skies), and water kept outside.

    `level`: "surface"; "haze", put on a surface; or "top", a scene that has its haze already.
    """
    haze = {} if level == "surface" else HAZE
    grid = scene.grid
    whole = Window(0, 0, grid.width, grid.height)
    names = [n for n in NAMES if n in scene.bands]
    bands = {n: np.nan_to_num(scene.read(n, whole)) + (HAZE[n] if level == "haze" else 0) for n in names}
    plain = evaluate.mask_by_us(_written(folder / "plain.tif", bands, scene), "water_body")
    false, kept = [], []
    for seed in range(SEEDS):
        made, cloud, shadow = painted(bands, seed, grid.pixel_m, haze)
        mask = evaluate.mask_by_us(_written(folder / f"{seed}.tif", made, scene), "water_body")
        false.append(float((mask & ~plain & shadow).mean()))
        clear = plain & ~cloud & ~shadow
        kept.append(float((mask & clear).sum() / max(1, clear.sum())))
    return {"false, mean": float(np.mean(false)), "false, worst": max(false), "kept": float(np.mean(kept))}


HIDDEN = (0.3, 0.5, 0.7)


def beside(scene: Scene, truth: labels.Label, folder: Path) -> dict[str, float]:
    """IoU of what a cloud over the left part of a scene leaves in view, and of the same pixels without the cloud."""
    grid = scene.grid
    names = [n for n in NAMES if n in scene.bands]
    bands = scene.read_bands(names, Window(0, 0, grid.width, grid.height))
    plain = evaluate.mask_by_us(scene, "water_body")
    rough = 0.55 + 0.05 * ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(plain.shape), 4)
    made = {}
    for share in HIDDEN:
        cut = round(share * grid.width)
        cloudy = {n: np.concatenate([rough[:, :cut], values[:, cut:]], axis=1) for n, values in bands.items()}
        mask = evaluate.mask_by_us(_written(folder / f"{cut}.tif", cloudy, scene), "water_body")
        clear = truth.judged & (np.arange(grid.width) >= cut)
        for name, found in (("beside", mask), ("without", plain)):
            made[f"{share:.0%} {name}"] = scoring.counts(found, truth.truth, clear).figures()["iou"]
    return made


def _written(path: Path, bands: dict[str, Any], like: Scene) -> Scene:
    grid = like.grid
    with rasterio.open(
        path, "w", driver="GTiff", count=len(bands), height=grid.height, width=grid.width, dtype="float32", crs=grid.crs,
        transform=grid.transform,
    ) as target:  # fmt: skip
        target.write(np.array(list(bands.values()), np.float32))
        target.descriptions = tuple(NAMES[name] for name in bands)
    return open_scenes(path)[0]
