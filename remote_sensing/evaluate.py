"""How right are we? Masks and new water against a truth, with the usual peers in the same run.

Every report holds `iou`, `f1`, `precision`, `recall`, `by_size` and `ci` (95 %), what was taken for what in scene
and label, and the same figures of its peers. Hiding and recovering part of a register: `recovery`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cc3d
import geopandas as gpd
import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.features
import shapely
from rasterio.windows import Window
from skimage.filters import threshold_otsu

from remote_sensing import change, clouds, indices, irrigated_land, labels, scoring
from remote_sensing.options import Options
from remote_sensing.scene import Scene, SceneError
from remote_sensing.search import Found, find

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
LARGEST = 400_000_000
"""Pixels of a scene that is evaluated: masks are held whole."""


def mask_of(found: Found, scene: Scene) -> Bools:
    """The objects as a mask of the whole scene."""
    return burnt(found.polygons, scene)


def burnt(shapes: Sequence[shapely.Geometry], scene: Scene) -> Bools:
    """Shapes in the scene's own coordinates as a mask of the whole scene."""
    shape = (scene.grid.height, scene.grid.width)
    if not len(shapes):
        return np.zeros(shape, bool)
    return np.asarray(rasterio.features.rasterize(shapes, shape, transform=scene.grid.transform) > 0)


def mask_by_us(scene: Scene, kind: str) -> Bools:
    """Our mask of a kind, of objects of any size."""
    if scene.grid.width * scene.grid.height > LARGEST:
        raise SceneError(
            f"{scene.item_id} 过大，请裁出有标注的部分 (too large to evaluate: cut out what is labelled)"
        )
    smallest = Options(min_water_m2=0.0, min_field_m2=0.0, max_water_m2=np.inf, kinds=(kind,))
    found = find(scene, (kind,), smallest)
    # Where nothing of the kind can be told, nothing is marked.
    return mask_of(found[0], scene) if found else burnt([], scene)


def mask_of_season(scenes: Sequence[Scene]) -> Bools:
    """The irrigated fields of several dates as a mask of the last one, fields of any size."""
    fields = irrigated_land.irrigated(scenes, Options(min_field_m2=0.0))
    return burnt(list(fields.to_crs(scenes[-1].grid.crs).geometry), scenes[-1])


def _day(scene: Scene) -> str:
    return scene.acquired_at.date().isoformat() if scene.acquired_at else scene.item_id


def masks_by_peers(scene: Scene, kind: str) -> tuple[dict[str, Bools], Bools]:
    """What fixed and whole-scene thresholds mark, and where the scene has data."""
    whole = Window(0, 0, scene.grid.width, scene.grid.height)
    bands = {n: scene.read(n, whole) for n in ("green", "red", "nir", "swir16") if n in scene.bands}
    index = indices.compute("NDWI" if kind == "water_body" else "NDVI", bands)
    seen = np.logical_and.reduce([np.isfinite(band) for band in bands.values()])
    if not seen.any():
        raise SceneError(f"{scene.item_id} 没有有效像元 (no pixel of the scene has data)")
    name, fixed = ("NDWI > 0", 0.0) if kind == "water_body" else ("NDVI > 0.6", 0.6)
    kept = index[seen & np.isfinite(index)]
    otsu = threshold_otsu(kept) if kept.size and np.ptp(kept) else np.inf  # type: ignore[no-untyped-call]
    masks = {name: index > fixed, "Otsu, whole scene": index > otsu}
    if kind == "water_body" and "swir16" in bands:
        masks["MNDWI > 0"] = indices.compute("MNDWI", bands) > 0
    return masks, seen


def masks(
    scene: Scene,
    label: Path,
    kind: str,
    value: str | None = None,
    left_out: Sequence[float] = (),
    *,
    dates: Sequence[Scene] = (),
) -> dict[str, Any]:
    """Our mask of a kind against a label of any grid, and those of the peers.

    `dates`: more dates of the place, for fields: then what any of them shows counts, but for what follows its
    neighbours or is green all year (`irrigated_land`). The label is judged where `scene` has data.
    Raises SceneError if scene or label cannot be used, or nothing is left to judge by.
    """
    truth = labels.read(label, scene, kind, value, left_out)
    ours = mask_of_season([*dates, scene]) if dates else mask_by_us(scene, kind)
    peers, seen = masks_by_peers(scene, kind)
    same = [date for date in dates if date.grid == scene.grid]
    if same:
        each = [masks_by_peers(date, kind)[0]["NDVI > 0.6"] for date in same]
        peers["NDVI > 0.6, any date"] = np.logical_or.reduce([peers["NDVI > 0.6"], *each])
    judged = truth.judged & seen
    if not judged.any():
        raise SceneError(
            f"{label.name} 与影像没有可比的像元 (no pixel has both data and a label): {truth.said}"
        )
    return {
        "kind": kind,
        "scene": scene.item_id,
        **({"dates": [_day(date) for date in (*dates, scene)]} if dates else {}),
        **scoring.counts(ours, truth.truth, judged).figures(),
        "by_size": _sizes(ours, truth.truth, judged, scene),
        "ci": scoring.interval(scoring.by_blocks(ours, truth.truth, judged)),
        "judged_pixels": int(judged.sum()),
        "label_share": float((truth.truth & judged).sum() / judged.sum()),
        "label": truth.said,
        **_said(scene),
        "peers": {n: scoring.counts(m, truth.truth, judged).figures() for n, m in peers.items()},
    }


def _said(scene: Scene) -> dict[str, Any]:
    assumed = {k.removeprefix("shuitu:"): v for k, v in scene.properties.items() if k.startswith("shuitu:")}
    return {
        "bands": {name: band.index for name, band in scene.bands.items()},
        "calibrated": scene.calibrated,
        "assumed": assumed,
    }


def _sizes(mask: Bools, truth: Bools, judged: Bools, scene: Scene) -> dict[str, Any]:
    pixel_m2 = scene.grid.pixel_m**2
    true_pixels, found = scoring.bodies(truth, mask, judged)
    our_pixels, right = scoring.bodies(mask, truth, judged)
    return scoring.by_size(true_pixels * pixel_m2, found, our_pixels * pixel_m2, right)


def change_between(
    earlier: Scene,
    later: Scene,
    truth: Path | gpd.GeoDataFrame,
    options: Options | None = None,
    value: str | None = None,
    left_out: Sequence[float] = (),
) -> dict[str, Any]:
    """Water that came between two dates against true changes, as objects of at least `options.min_water_m2`.

    `truth`: polygons of new water (those that their words call lost are none), or a raster of it, whose class `value`
    and `left_out` name as for `masks`. A true change is found, and a finding right, if at
    least half of its area is covered by the others. IoU and its kin of pixels stand under `pixels`.
    """
    options = options or Options()
    aligned = change.align(earlier, later)
    if not change.overlap(earlier, later):
        raise SceneError(f"{earlier.item_id} 与 {later.item_id} 不重叠 (the scenes do not overlap)")
    drawn = _true_change(truth, later, value, left_out)
    true = drawn.truth
    least = options.min_water_m2 / later.grid.pixel_m**2
    now, seen_now = mask_by_us(later, "water_body"), _seen(later)
    old = change.on_grid(mask_by_us(earlier, "water_body"), aligned)
    seen = seen_now & change.on_grid(_seen(earlier), aligned) & drawn.judged
    tolerance = change.tolerance_pixels(earlier, later)
    ours = change.gained(now, old, tolerance, least) & seen
    naive_now, naive_old = (masks_by_peers(s, "water_body")[0]["NDWI > 0"] for s in (later, earlier))
    naive = naive_now & ~change.on_grid(naive_old, aligned) & seen
    return {
        "kind": "change",
        "scene": f"{earlier.item_id} → {later.item_id}",
        **matched(ours, true & seen, least, later),
        "by_kind": _by_kind(ours, truth, later),
        "pixels": scoring.counts(ours, true, seen).figures(),
        "shift_pixels": [round(v, 2) for v in aligned.shift],
        "shift_places": {"agreed": aligned.places[0], "compared": aligned.places[1]},
        "tolerance_pixels": tolerance,
        "label": {"min_area_m2": options.min_water_m2, **drawn.said},
        "earlier": _said(earlier),
        "later": _said(later),
        "peers": {
            "NDWI > 0, difference": matched(naive, true & seen, least, later),
            "our masks, plain difference": matched(now & ~old & seen, true & seen, least, later),
        },
    }


def _by_kind(ours: Bools, truth: Path | gpd.GeoDataFrame, later: Scene) -> dict[str, Any]:
    """How many changes of each `kind` (new_body, expansion) were found, where the truth tells them apart."""
    if isinstance(truth, Path):
        if truth.suffix.lower() not in labels.VECTORS:
            return {}
        truth = labels.polygons(truth)
    if "kind" not in truth:
        return {}
    kinds: dict[str, Any] = {}
    for name, group in truth.to_crs(later.grid.crs).groupby("kind"):
        drawn = [burnt([shape], later) for shape in group.geometry]
        covered = [bool((ours & one).sum() >= scoring.HALF * max(one.sum(), 1)) for one in drawn]
        kinds[str(name)] = {"truth": len(covered), "found": sum(covered), "recall": float(np.mean(covered))}
    return kinds


LOST = re.compile(r"\b(?:lost|loss|shr[iu]nk|decreas|dried|drying|gone\b)|消失|减少|缩小|退水", re.I)
"""Words by which a truth calls changes that are no new water."""


def _true_change(
    truth: Path | gpd.GeoDataFrame, later: Scene, value: str | None, left_out: Sequence[float]
) -> labels.Label:
    if isinstance(truth, Path) and truth.suffix.lower() not in labels.VECTORS:
        return labels.read(truth, later, "water_body", value, left_out)
    frame = labels.polygons(truth) if isinstance(truth, Path) else truth
    words = frame.drop(columns=frame.geometry.name).select_dtypes(exclude="number").astype(str).agg(" ".join, axis=1)  # fmt: skip
    lost = words.str.contains(LOST) if len(words) else np.zeros(len(frame), bool)
    mask = burnt(list(frame[~lost].to_crs(later.grid.crs).geometry), later)
    return labels.Label(mask, np.ones(mask.shape, bool), {"polygons": int((~lost).sum()), "called lost": int(lost.sum())})  # fmt: skip


def _seen(scene: Scene) -> Bools:
    whole = Window(0, 0, scene.grid.width, scene.grid.height)
    seen = np.isfinite(scene.read("nir", whole)) & np.isfinite(scene.read("green", whole))
    told = clouds.quality(scene, whole)
    return np.asarray(seen & ~told[0] if told else seen)


def matched(ours: Bools, true: Bools, least: float, scene: Scene) -> dict[str, Any]:
    """Objects of at least `least` pixels against each other, by halves of their areas.

    What is smaller may answer for what is larger. IoU is that of objects: matched over all.
    """
    pixel_m2 = scene.grid.pixel_m**2
    everywhere = np.ones(ours.shape, bool)
    true_pixels, found = scoring.bodies(true, ours, everywhere)
    our_pixels, right = scoring.bodies(ours, true, everywhere)
    large_true, large_ours = true_pixels >= least, our_pixels >= least
    f, r = found[large_true], right[large_ours]
    precision, recall = (float(v.mean()) if v.size else 1.0 for v in (r, f))
    parts = [scoring.Counts(float(v), 0.0, float(not v)) for v in f]
    findings = [scoring.Counts(float(v), float(not v), 0.0) for v in r]
    unmatched = int((~f).sum()) + int((~r).sum())
    return {
        "iou": float(f.sum() / max(1, f.sum() + unmatched)),
        "f1": 2 * precision * recall / max(precision + recall, 1e-12),
        "precision": precision,
        "recall": recall,
        "by_size": scoring.by_size(
            true_pixels[large_true] * pixel_m2, f, our_pixels[large_ours] * pixel_m2, r
        ),
        "ci": {
            "precision": scoring.interval(findings).get("precision"),
            "recall": scoring.interval(parts).get("recall"),
        },
        "changes": len(f),
        "found": int(f.sum()),
        "findings": len(r),
        "right": int(r.sum()),
    }


def water_bodies(mask: Bools, scene: Scene, least_m2: float, most_m2: float) -> list[shapely.Geometry]:
    """The 8-connected objects of a mask between two areas, in the scene's own coordinates."""
    labelled = cc3d.connected_components(mask.astype(np.uint8), connectivity=8)
    area = np.bincount(labelled.ravel()) * scene.grid.pixel_m**2
    keep = (area >= least_m2) & (area <= most_m2)
    keep[0] = False
    chosen = np.where(keep[labelled], labelled, 0).astype(np.int32)
    drawn = rasterio.features.shapes(chosen, chosen > 0, 8, scene.grid.transform)
    return [shapely.make_valid(shapely.geometry.shape(geometry)) for geometry, _ in drawn]
