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

from remote_sensing import change, compare, indices
from remote_sensing.judge import Candidate
from remote_sensing.options import Options
from remote_sensing.pipeline import detect
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
    found = find(scene, (kind,), smallest)
    whole = Window(0, 0, scene.grid.width, scene.grid.height)
    bands = {n: scene.read(n, whole) for n in ("green", "red", "nir", "swir16") if n in scene.bands}
    index = indices.compute("NDWI" if kind == "water_body" else "NDVI", bands)
    judged = ~np.isin(label, list(left_out)) & np.isfinite(index)
    truth = (label == value)[judged]
    fixed = ("NDWI > 0", 0.0) if kind == "water_body" else ("NDVI > 0.6", 0.6)
    otsu = threshold_otsu(index[np.isfinite(index)])  # type: ignore[no-untyped-call]
    masks = {
        # Where nothing of the kind can be told (fields in 8-bit pictures), nothing is marked.
        "shuitu": mask_of(found[0], scene) if found else np.zeros(label.shape, bool),
        fixed[0]: index > fixed[1],
        "Otsu, whole scene": index > otsu,
    }
    if kind == "water_body" and "swir16" in bands:
        masks["MNDWI > 0"] = indices.compute("MNDWI", bands) > 0
    return [
        {"scene": scene.item_id, "kind": kind, "method": name, **vars(Agreement.of(mask[judged], truth))}
        for name, mask in masks.items()
    ]


def bodies_by_ndwi(scene: Scene, options: Options) -> list[shapely.Geometry]:
    """The peer: objects of NDWI > 0 of the sizes that ours may have, in the scene's coordinates."""
    whole = Window(0, 0, scene.grid.width, scene.grid.height)
    bands = {name: scene.read(name, whole) for name in ("green", "nir")}
    mask = indices.compute("NDWI", bands) > 0
    drawn = rasterio.features.shapes(mask.astype(np.uint8), mask, 8, scene.grid.transform)
    shapes = [shapely.make_valid(shapely.geometry.shape(geometry)) for geometry, _ in drawn]
    metric = gpd.GeoSeries(shapes, crs=scene.grid.crs)
    area = metric.to_crs(compare.metric_crs(metric)).area.to_numpy() if shapes else np.zeros(0)
    keep = (area >= options.min_water_m2) & (area <= options.max_water_m2)
    return [shape for shape, wanted in zip(shapes, keep, strict=True) if wanted]


def recover(
    scene: Scene,
    points: gpd.GeoDataFrame,
    bodies: gpd.GeoDataFrame,
    out: Path,
    options: Options | None = None,
) -> list[dict[str, Any]]:
    """Hide and recover (see `recovered`), by `detect` and by NDWI > 0 with the same rule of distance.

    `points`: the part of the register that is not hidden; `bodies`: true water with `status`. Pictures
    of the run go to `out`.
    """
    options = options or Options()
    register = register_of(points)
    found = detect([scene], register, options=options, out=out)
    ours = [from_stored(scene.grid.crs, c.geometry) for c in found.candidates if c.kind == "water_body"]
    theirs = bodies_by_ndwi(scene, options)
    metric = gpd.GeoSeries(theirs, crs=scene.grid.crs)
    flat = metric.to_crs(compare.metric_crs(metric)) if theirs else metric
    served = compare.against(
        flat, ["water_body"] * len(theirs), register.to_crs(flat.crs), scene.resolution_m, options.reach
    )
    unserved = [shape for shape, one in zip(theirs, served, strict=True) if not one.serving]
    crs = scene.grid.crs
    return [
        {"scene": scene.item_id, "method": name, **_recovered(shapes, bodies.to_crs(crs))}
        for name, shapes in (("shuitu", ours), ("NDWI > 0", unserved))
    ]


GROWN_BEYOND_PIXELS = 2.0
"""Along a shore, what lies this near the earlier water may be a mixed pixel or a remainder of the shift."""


def change_between(
    earlier: Scene, later: Scene, truth: gpd.GeoDataFrame, options: Options | None = None
) -> list[dict[str, Any]]:
    """Water that came between two dates against true changes (`kind` new_body or expansion), with NDWI > 0 beside.

    A true change is found, and a finding right, if at least half of its area is covered by the others.
    """
    options = options or Options()
    smallest = Options(min_water_m2=0.0, max_water_m2=np.inf, kinds=("water_body",))
    crs, pixel = later.grid.crs, later.resolution_m
    t = later.grid.transform
    rows, cols = change.align(earlier, later).shift
    true = truth.to_crs(crs)
    answers = []
    for name, now, old in (
        ("shuitu", *(find(scene, ("water_body",), smallest)[0].polygons for scene in (later, earlier))),
        ("NDWI > 0", *(bodies_by_ndwi(scene, smallest) for scene in (later, earlier))),
    ):
        there = gpd.GeoSeries(old, crs=earlier.grid.crs).to_crs(crs).translate(cols * t.a, rows * t.e)
        scale = abs(t.a) / pixel
        # A speck at the earlier date is no shore: it takes away itself, and no margin.
        least = options.min_water_m2 * scale * scale
        margin = np.where(there.area >= least, GROWN_BEYOND_PIXELS * abs(t.a), 0.0)
        known = shapely.union_all(shapely.buffer(there.to_numpy(), margin))
        gained = shapely.get_parts(shapely.difference(shapely.union_all(now), known))
        gained = gained[shapely.area(gained) >= least]
        everything, ours = shapely.union_all(true.geometry.to_numpy()), shapely.union_all(gained)
        recall = _half_covered(true.geometry.to_numpy(), ours)
        is_new = (true["kind"] == "new_body").to_numpy()
        answers.append(
            {
                "scene": f"{earlier.item_id} → {later.item_id}",
                "method": name,
                "changes": len(true),
                "found": int(recall.sum()),
                "recall": float(recall.mean()),
                "recall_new_bodies": float(recall[is_new].mean()) if is_new.any() else None,
                "findings": len(gained),
                "precision": float(_half_covered(gained, everything).mean()) if len(gained) else 0.0,
            }
        )
    return answers


def _half_covered(shapes: npt.NDArray[Any], by: shapely.Geometry) -> Bools:
    made: Bools = shapely.area(shapely.intersection(shapes, by)) >= 0.5 * shapely.area(shapes)
    return made


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
    shapes = [from_stored(crs, c.geometry) for c in candidates if c.kind == "water_body"]
    return _recovered(shapes, bodies.to_crs(crs), hidden=hidden, registered=registered)


def _recovered(
    shapes: Sequence[shapely.Geometry],
    bodies: gpd.GeoDataFrame,
    hidden: str = "hidden",
    registered: str = "registered",
) -> dict[str, Any]:
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
