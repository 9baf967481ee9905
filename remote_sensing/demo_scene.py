"""Two dates for the demo, from the one real Sentinel-2 picture that any machine can install.

The picture (300 × 300 pixels, 10 m) comes with the `spyndex` package and says neither place nor date,
so both are invented here, and said to be. The earlier date is made from it: some ponds filled in and
some fields dried.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
import spyndex
from rasterio.transform import from_origin
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter

from remote_sensing.evaluate import mask_of
from remote_sensing.options import Options
from remote_sensing.scene import Scene, open_scenes, to_stored
from remote_sensing.search import Found, find

Array = npt.NDArray[Any]
BANDS = ("B02", "B03", "B04", "B08")
PIXEL_M = 10.0
LATER, EARLIER = datetime(2024, 5, 12, 2, 45, tzinfo=UTC), datetime(2022, 5, 18, 2, 45, tzinfo=UTC)
"""Invented dates."""
NOTE = (
    "真实 Sentinel-2 影像（spyndex 自带），位置与日期为虚构 (a real image whose place and date are invented)"
)
MADE = (
    "由同一影像改绘：填去部分水面、使部分地块干枯 (made from the same image: ponds filled in, fields dried)"
)


@dataclass(frozen=True)
class DemoScenes:
    """The two scenes' files, and what differs between them and stands in the later one."""

    earlier: Path
    later: Path
    truth: list[dict[str, Any]]
    """GeoJSON features: `kind`, `new` (not there at the earlier date), `area_m2`."""


def make(folder: Path, crs: str, west: float, north: float, seed: int = 20240512) -> DemoScenes:
    """Write both scenes to `folder`, their north-west corner at (west, north) in `crs` (metric)."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pixels = np.asarray(spyndex.datasets.open("sentinel")).astype(np.float32)
    if pixels.max() <= 2:
        pixels = pixels * 10_000
    later = _write(folder, "S2-demo-20240512", pixels, LATER, crs, west, north, NOTE)
    scene = open_scenes(later)[0]
    groups = find(scene, ("water_body", "irrigated_land"), Options(min_water_m2=600, min_field_m2=4_000))
    old = pixels.copy()
    truth = []
    for group in groups:
        for number, polygon in enumerate(group.polygons):
            # Every second object is new, the first ones among them, so that both kinds are on show.
            new = number % 2 == 0
            if new:
                mask = binary_dilation(
                    mask_of(Found(group.kind, group.objects, [polygon]), scene), iterations=2
                )
                _fill(old, mask, _dry_land(pixels), rng)
            truth.append(_feature(scene, group.kind, polygon, new))
    earlier = _write(folder, "S2-demo-20220518", old, EARLIER, crs, west, north, f"{NOTE}；{MADE}")
    return DemoScenes(earlier, later, truth)


def _dry_land(pixels: Array) -> Array:
    """Spectra of dry open land in the picture, shape (n, bands)."""
    red, nir = pixels[2], pixels[3]
    ndvi = (nir - red) / np.maximum(nir + red, 1)
    found: Array = pixels[:, (ndvi > 0.2) & (ndvi < 0.32)].T
    return found


def _fill(pixels: Array, mask: npt.NDArray[np.bool_], spectra: Array, rng: np.random.Generator) -> None:
    """Paint dry land into the mask, blended into what lies around it."""
    base = np.median(spectra, axis=0)
    grain = gaussian_filter(rng.normal(size=mask.shape), 1.2)
    weight = np.clip(distance_transform_edt(mask) / 2, 0, 1)
    for band in range(len(pixels)):
        painted = base[band] * (1 + 0.12 * grain / grain.std())
        pixels[band] = np.where(mask, weight * painted + (1 - weight) * pixels[band], pixels[band])


def _feature(scene: Scene, kind: str, polygon: shapely.Geometry, new: bool) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"kind": kind, "new": new, "area_m2": round(float(polygon.area), 1)},
        "geometry": shapely.geometry.mapping(to_stored(scene.grid.crs, polygon)),
    }


def _write(
    folder: Path, item_id: str, pixels: Array, when: datetime, crs: str, west: float, north: float, note: str
) -> Path:
    """A cloud-optimised GeoTIFF and its STAC item beside it; returns the item's path."""
    path = folder / f"{item_id}.tif"
    profile = {
        "driver": "COG", "count": len(BANDS), "dtype": "uint16", "width": pixels.shape[2], "height": pixels.shape[1],
        "crs": crs, "transform": from_origin(west, north, PIXEL_M, PIXEL_M), "nodata": 0, "compress": "deflate",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.clip(np.rint(pixels), 1, 65535).astype(np.uint16))
        target.descriptions = BANDS
        target.update_tags(
            ACQUISITION_DATE=when.date().isoformat(),
            TITLE=f"示例影像 {when.date()}",
            SENSOR="Sentinel-2",
            GENERATED="yes",
            NOTE=note,
        )
    scene = open_scenes(path)[0]
    item = scene.to_stac()
    item["properties"] |= {"datetime": when.isoformat().replace("+00:00", "Z"), "description": note}
    made = folder / f"{item_id}.json"
    made.write_text(json.dumps(item, ensure_ascii=False, indent=1), "utf-8")
    return made
