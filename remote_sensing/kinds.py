"""River, canal, lake, reservoir or pond: told apart by shape and width, and by river lines and dam points where given.

Shape tells long water from round water. It does not tell that a lake is dammed (docs/accuracy.md): without dam points a
reservoir is called a lake, or a pond. What decided is said.
"""

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from remote_sensing.network import CANAL

Array = npt.NDArray[Any]
KINDS = ("river", "canal", "lake", "reservoir", "pond")
SLENDER, BRANCHED = 8.0, 2.2
"""A river or canal reaches this many times as far as it is wide at its widest, and its length is less than this many
times that reach: what is longer has arms, as a drowned valley has. Found on the lakes and rivers of China at
1:4,000,000 (docs/accuracy.md)."""
CANAL_M, CANAL_BEND = 60.0, 1.15
"""A canal is at most this wide at its widest, and this much longer than the straight line between its ends."""
POND_M2 = 100_000.0
"""Round water of less than 10 ha is a pond."""
DAM_M = 150.0
"""From the shore to a dam point: how far off registers put dams."""
ALONG = 0.5
"""Share of its length along which a line runs through long water that is this river or canal."""


def measures(shapes: Sequence[shapely.Geometry] | Array, step_m: float) -> pd.DataFrame:
    """Area and perimeter (m², m) and shape of water drawn along pixels of `step_m`; coordinates in metres.

    `length_m`, `width_m`: of the rectangle that has the outline's area and perimeter (islands counted in);
    `widest_m`: at the widest; `reach_m`: the long side of the smallest rectangle around it; `bend`: length over reach;
    `solid`: area over that of the hull; `straight`: the longest straight side as a share of the perimeter.
    """
    drawn = np.asarray(shapes, object)
    # Steps of pixels make a slanted shore longer than it is.
    smooth = shapely.simplify(_outer(drawn), 1.1 * step_m)
    smooth = np.where(shapely.area(smooth) > 0, smooth, _outer(drawn))
    area, perimeter = shapely.area(smooth), shapely.length(smooth)
    half = perimeter / 2
    length = (half + np.sqrt(np.maximum(half * half - 4 * area, 0))) / 2
    width = area / np.maximum(length, 1e-9)
    widest = 2 * shapely.length(shapely.maximum_inscribed_circle(smooth, tolerance=step_m / 2))
    around = np.array([_sides(box) for box in shapely.minimum_rotated_rectangle(smooth)], np.float64).reshape(
        -1, 2
    )
    reach = np.maximum(around.max(axis=1, initial=0), step_m)
    return pd.DataFrame(
        {
            "area_m2": shapely.area(drawn),
            "perimeter_m": perimeter,
            "length_m": length,
            "width_m": width,
            "widest_m": np.maximum(widest, step_m),
            "reach_m": reach,
            "bend": length / reach,
            "solid": area / np.maximum(shapely.area(shapely.convex_hull(smooth)), 1e-9),
            "straight": np.array([_longest_side(shape) for shape in smooth]) / np.maximum(perimeter, 1e-9),
        }
    )


def _outer(shapes: Array) -> Array:
    """The largest part of each, without its islands."""
    made = np.empty(len(shapes), object)
    for number, shape in enumerate(shapes):
        parts = shapely.get_parts(shape)
        made[number] = shapely.Polygon(shapely.get_exterior_ring(parts[np.argmax(shapely.area(parts))]))
    return made


def _sides(box: shapely.Geometry) -> tuple[float, float]:
    points = shapely.get_coordinates(box)
    if len(points) < 4:
        return float(shapely.length(box)), 0.0
    a, b = np.hypot(*np.diff(points[:3], axis=0).T)
    return float(a), float(b)


def _longest_side(shape: shapely.Geometry) -> float:
    points = shapely.get_coordinates(shape)
    return float(np.hypot(*np.diff(points, axis=0).T).max(initial=0.0))


def told(
    shapes: Sequence[shapely.Geometry] | Array,
    crs: Any,
    step_m: float,
    *,
    network: gpd.GeoDataFrame | None = None,
    dams: gpd.GeoDataFrame | None = None,
    frame: shapely.Geometry | None = None,
) -> pd.DataFrame:
    """`measures` of water, with its `kind` (KINDS) and `kind_by`: network, dam or shape.

    `crs` of the shapes, any; `step_m`: their pixel. `network`: lines of rivers and canals (a canal's words say so);
    `dams`: points. `frame`: the outline of the scene, in `crs`.
    """
    metric = gpd.GeoSeries(list(shapes), crs=crs)
    if crs is not None and metric.crs.is_geographic:
        metric = metric.to_crs(metric.estimate_utm_crs())
    table = measures(metric.to_numpy(), step_m)
    # Arms that leave the picture belong to a river that comes in on one side and leaves on another.
    through = _through(metric, frame, crs, step_m)
    long = (table.reach_m > SLENDER * table.widest_m).to_numpy() & (
        (table.bend < BRANCHED) | through
    ).to_numpy()
    canal = long & (table.widest_m <= CANAL_M).to_numpy() & (table.bend <= CANAL_BEND).to_numpy()
    small = table.area_m2 < POND_M2
    kind = np.select([canal, long, small], ["canal", "river", "pond"], "lake").astype(object)
    by = np.full(len(table), "shape", object)
    at_dam = _near(metric, dams)
    kind[at_dam & ~canal], by[at_dam & ~canal] = "reservoir", "dam"
    for name, run in _along(metric, network).items():
        lies = (run >= ALONG * table.reach_m.to_numpy()) & long & ~at_dam
        kind[lies], by[lies] = name, "network"
    return table.assign(kind=kind.astype(str), kind_by=by.astype(str))


def _through(shapes: gpd.GeoSeries, frame: shapely.Geometry | None, crs: Any, step_m: float) -> Array:
    """Which shapes reach the edge of the scene at two places apart."""
    if frame is None:
        return np.zeros(len(shapes), bool)
    edge = (
        gpd.GeoSeries([frame], crs=crs).to_crs(shapes.crs).iloc[0].boundary
        if crs is not None
        else frame.boundary
    )
    return np.array([_places(shape, edge, step_m) > 1 for shape in shapes], bool)


def _places(shape: shapely.Geometry, edge: shapely.Geometry, step_m: float) -> int:
    at = shapely.intersection(shapely.buffer(shape, 2 * step_m), edge)
    return 0 if shapely.is_empty(at) else len(shapely.get_parts(shapely.line_merge(at)))


def _near(shapes: gpd.GeoSeries, dams: gpd.GeoDataFrame | None) -> npt.NDArray[np.bool_]:
    near = np.zeros(len(shapes), bool)
    if dams is not None and len(dams):
        points = dams.geometry.to_crs(shapes.crs).to_numpy()
        near[np.unique(shapely.STRtree(points).query(shapes.to_numpy(), "dwithin", distance=DAM_M)[0])] = True
    return near


def _along(shapes: gpd.GeoSeries, network: gpd.GeoDataFrame | None) -> dict[str, Array]:
    """How far lines of rivers, and of canals, run through each shape, m."""
    nothing = np.zeros(len(shapes), np.float64)
    if network is None or network.empty:
        return {"river": nothing, "canal": nothing}
    lines = network.geometry.to_crs(shapes.crs).to_numpy()
    words = network.drop(columns=network.geometry.name).astype(str).agg(" ".join, axis=1)
    canal = words.str.contains(CANAL).to_numpy()
    number, line = shapely.STRtree(lines).query(shapes.to_numpy(), "intersects")
    inside = shapely.length(shapely.intersection(shapes.to_numpy()[number], lines[line]))
    return {
        name: np.bincount(number, np.where(mine[line], inside, 0.0), len(shapes))
        for name, mine in (("canal", canal), ("river", ~canal))
    }
