"""How right are we? Masks against labels, findings against what a register hid; peers in the same run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.features
import shapely
from rasterio.windows import Window
from skimage.filters import threshold_otsu

from remote_sensing import compare, indices
from remote_sensing.judge import Candidate
from remote_sensing.options import Options
from remote_sensing.scene import Scene, from_stored
from remote_sensing.search import Found, find

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Agreement:
    """A mask against a label."""

    iou: float
    precision: float
    recall: float

    @classmethod
    def of(cls, mask: Bools, truth: Bools) -> "Agreement":
        both, either = int((mask & truth).sum()), int((mask | truth).sum())
        return cls(both / max(1, either), both / max(1, int(mask.sum())), both / max(1, int(truth.sum())))


def read_label(path: Path, scene: Scene) -> npt.NDArray[np.int32]:
    """A label raster on the scene's grid. Raises ValueError if it is on another."""
    with rasterio.open(path) as source:
        if (source.width, source.height) != (scene.grid.width, scene.grid.height):
            raise ValueError(f"{path.name} 与影像不在同一格网上 (is not on the scene's grid)")
        found: npt.NDArray[np.int32] = source.read(1).astype(np.int32)
    return found


def mask_of(found: Found, scene: Scene) -> Bools:
    """The objects as a mask of the whole scene."""
    shape = (scene.grid.height, scene.grid.width)
    if not found.polygons:
        return np.zeros(shape, bool)
    burnt = rasterio.features.rasterize(found.polygons, shape, transform=scene.grid.transform)
    return np.asarray(burnt > 0)


def mask_agreement(
    scene: Scene, label: npt.NDArray[np.int32], kind: str, value: int, left_out: Sequence[int] = (255, -1)
) -> list[dict[str, Any]]:
    """Our mask of a kind against a label, with the usual fixed and whole-scene thresholds in the same run."""
    smallest = Options(min_water_m2=0.0, min_field_m2=0.0, max_water_m2=np.inf, kinds=(kind,))
    ours = mask_of(find(scene, (kind,), smallest)[0], scene)
    whole = Window(0, 0, scene.grid.width, scene.grid.height)
    names = ("green", "red", "nir")
    bands = {name: scene.read(name, whole) for name in names}
    index = indices.compute("NDWI" if kind == "water_body" else "NDVI", bands)
    judged = ~np.isin(label, list(left_out)) & np.isfinite(index)
    truth = (label == value)[judged]
    fixed = ("NDWI > 0", 0.0) if kind == "water_body" else ("NDVI > 0.6", 0.6)
    otsu = threshold_otsu(index[np.isfinite(index)])  # type: ignore[no-untyped-call]
    masks = {
        "shuitu": ours,
        fixed[0]: index > fixed[1],
        "Otsu, whole scene": index > otsu,
    }
    return [
        {"scene": scene.item_id, "kind": kind, "method": name, **vars(Agreement.of(mask[judged], truth))}
        for name, mask in masks.items()
    ]


def change_agreement(
    candidates: Sequence[Candidate], truth: gpd.GeoDataFrame, crs: Any, new_kind: str = "new_body"
) -> dict[str, Any]:
    """New bodies between two dates: how many of the true ones a candidate of that category touches, and back."""
    new = truth[truth["kind"] == new_kind].to_crs(crs).geometry.to_numpy()
    anything = truth.to_crs(crs).geometry.to_numpy()
    ours = [from_stored(crs, c.geometry) for c in candidates if c.category == "new_since_last_date"]
    found = sum(any(shapely.intersects(t, o) for o in ours) for t in new)
    right = sum(any(shapely.intersects(t, o) for t in anything) for o in ours)
    return {
        "new_bodies": len(new),
        "found": found,
        "recall": found / max(1, len(new)),
        "findings": len(ours),
        "precision": right / max(1, len(ours)),
    }


def recovered(
    candidates: Sequence[Candidate],
    bodies: gpd.GeoDataFrame,
    crs: Any,
    *,
    hidden: str = "hidden",
    registered: str = "registered",
) -> dict[str, Any]:
    """Hide and recover: part of a register was hidden; how much of it do the candidates find again?

    `bodies`: true objects with `status` registered, hidden or never (no intake at all). A candidate on
    a registered body is a false one; on a hidden or unregistered body it is right.
    """
    bodies = bodies.to_crs(crs)
    shapes = [from_stored(crs, c.geometry) for c in candidates if c.kind == "water_body"]

    def touched(status: str) -> int:
        return sum(
            any(shapely.intersects(body, s) for s in shapes)
            for body in bodies[bodies["status"] == status].geometry
        )

    unregistered = bodies[bodies["status"] != registered].geometry.to_numpy()
    right = sum(any(shapely.intersects(body, s) for body in unregistered) for s in shapes)
    count = {status: int((bodies["status"] == status).sum()) for status in (hidden, registered, "never")}
    return {
        "hidden": count[hidden],
        "hidden_found": touched(hidden),
        "recall_hidden": touched(hidden) / max(1, count[hidden]),
        "never_registered": count["never"],
        "never_found": touched("never"),
        "findings": len(shapes),
        "precision": right / max(1, len(shapes)),
    }


def register_of(points: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """A register of points with `permitted_m3` as the comparison wants it; permits are taken as valid and ample."""
    made = compare.empty_register().reindex(range(len(points)))
    made["id"] = np.arange(1, len(points) + 1)
    for name, value in (("source_type", "surface_water"), ("status", "in_use"), ("permit_state", "linked")):
        made[name] = value
    made["has_valid_permit"], made["position_error_m"] = True, 15.0
    made["permitted_m3"] = np.nan
    return gpd.GeoDataFrame(made, geometry=points.to_crs("EPSG:4490").geometry.to_numpy(), crs="EPSG:4490")
