"""More grounds to hide and recover on: semi-synthetic registers for any labelled water, made without the method.

Bodies come from a label, never from our masks. Some have an intake: a random place on their shore, then an error in
each direction; the larger a body, the likelier (each metre of shore has the same chance). Some of those are hidden,
the rest of the bodies has none.
"""

from dataclasses import dataclass

import cc3d
import geopandas as gpd
import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely

from remote_sensing.scene import Scene

SHARE, HIDDEN = 0.7, 0.15
"""Share of the bodies that have an intake, and of these that are hidden (at least three)."""
ERROR_M = 15.0


@dataclass(frozen=True)
class Made:
    """A register in two parts, and the bodies with their `status`: registered, hidden, never."""

    visible: gpd.GeoDataFrame
    hidden: gpd.GeoDataFrame
    bodies: gpd.GeoDataFrame


def make(
    water: npt.NDArray[np.bool_], scene: Scene, seed: int, least_m2: float = 400.0, most_m2: float = 2e7
) -> Made:
    """The ground of a mask of true water on the scene's grid; `least_m2` lies below what is looked for. Raises ValueError if it has too few bodies."""
    bodies = _bodies(water, scene, least_m2, most_m2)
    if len(bodies) < 8:
        raise ValueError(f"{scene.item_id}: {len(bodies)} bodies are too few to hide some")
    rng = np.random.default_rng(seed)
    shore = bodies.length.to_numpy()
    count = max(6, round(SHARE * len(bodies)))
    chosen = rng.choice(len(bodies), min(count, len(bodies) - 1), replace=False, p=shore / shore.sum())
    lost = chosen[: max(3, round(HIDDEN * len(chosen)))]
    points = shapely.line_interpolate_point(
        bodies.boundary.to_numpy()[chosen], rng.uniform(0, 1, len(chosen)), normalized=True
    )
    moved = shapely.transform(points, lambda xy: xy + rng.normal(0, ERROR_M, xy.shape))
    status = np.full(len(bodies), "never", object)
    status[chosen], status[lost] = "registered", "hidden"
    register = gpd.GeoDataFrame(geometry=moved, crs=bodies.crs)
    away = np.isin(chosen, lost)
    return Made(register[~away], register[away], bodies.assign(status=status))


def _bodies(water: npt.NDArray[np.bool_], scene: Scene, least_m2: float, most_m2: float) -> gpd.GeoDataFrame:
    labels = cc3d.connected_components(water.astype(np.uint8), connectivity=8)
    drawn = rasterio.features.shapes(labels.astype(np.int32), labels > 0, 8, scene.grid.transform)
    parts = gpd.GeoDataFrame(
        [{"number": int(n), "geometry": shapely.geometry.shape(g)} for g, n in drawn], crs=scene.grid.crs
    )
    whole = parts.dissolve("number")
    metric = whole.to_crs(whole.estimate_utm_crs())
    area = metric.area
    return metric[(area >= least_m2) & (area <= most_m2)].reset_index(drop=True)[["geometry"]]
