"""Objects against the register: which intake could serve an object, and why the others cannot."""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

IN_USE = ("in_use", "emergency_reserve")
NO_SURFACE = "groundwater"


@dataclass(frozen=True)
class Reach:
    """How far an intake serves, m. Assumptions, to be set for a region; a canal or pipe may reach further."""

    water_m: float = 50.0
    """From the shore: an intake at a pond stands at its edge."""
    field_m: float = 1_000.0
    well_m: float = 500.0


@dataclass(frozen=True)
class Served:
    """What the register says about one object."""

    nearest_id: int | None
    nearest_m: float | None
    permitted_id: int | None
    permitted_m: float | None
    serving: tuple[int, ...]
    """Rows of the register that could serve it."""
    refused: tuple[dict[str, Any], ...]
    """The nearest that cannot, with the reason's code."""


def against(
    objects: gpd.GeoSeries, kinds: list[str], intakes: gpd.GeoDataFrame, pixel_m: float, reach: Reach
) -> list[Served]:
    """Compare each object with the intakes. Both in one metric CRS.

    An intake serves if it lies within reach (plus a pixel and its own position error), is in use, and is
    of a source that can: a well does not take from a pond, though it may water a field. Of several waters
    within reach it serves the nearest: a point on the shore of one pond says nothing of the next one.
    """
    if intakes.empty:
        return [Served(None, None, None, None, (), ())] * len(objects)
    tree = shapely.STRtree(intakes.geometry.to_numpy())
    error = intakes["position_error_m"].fillna(0).to_numpy(np.float64)
    in_use = intakes["status"].isin(IN_USE).to_numpy()
    well = (intakes["source_type"] == NO_SURFACE).to_numpy()
    valid = intakes["has_valid_permit"].to_numpy(bool)
    permitted_rows = np.flatnonzero(valid)
    permitted_tree = shapely.STRtree(intakes.geometry.to_numpy()[permitted_rows])
    ids = intakes["id"].to_numpy()
    own = _nearest_water(objects, kinds, intakes, error, pixel_m)
    widest = max(reach.field_m, reach.water_m) + float(error.max(initial=0)) + pixel_m
    out = []
    for geometry, kind in zip(objects, kinds, strict=True):
        near = tree.query(geometry, predicate="dwithin", distance=widest)
        distance = shapely.distance(intakes.geometry.to_numpy()[near], geometry)
        order = np.argsort(distance)
        near, distance = near[order], distance[order]
        serving, refused = _sorted_out(near, distance, kind, error, in_use, well, own, pixel_m, reach)
        row, metres = _nearest(tree, geometry)
        permitted, permitted_m = _nearest(permitted_tree, geometry)
        out.append(
            Served(
                None if row is None else int(ids[row]),
                metres,
                None if permitted is None else int(ids[permitted_rows[permitted]]),
                permitted_m,
                tuple(serving),
                tuple(
                    {"id": int(ids[n]), "distance_m": round(float(d), 1), "why": why}
                    for n, d, why in refused[:5]
                ),
            )
        )
    return out


def _nearest(tree: shapely.STRtree, geometry: shapely.Geometry) -> tuple[int | None, float | None]:
    if not len(tree):
        return None, None
    row, distance = tree.query_nearest(geometry, return_distance=True, all_matches=False)
    return (int(row[0]), float(distance[0])) if len(row) else (None, None)


SAME_WATER_PIXELS = 1.5
"""Waters whose distances to an intake differ by less are alike near: parts of one body, or shores drawn apart."""


def _nearest_water(
    objects: gpd.GeoSeries, kinds: list[str], intakes: gpd.GeoDataFrame, error: npt.NDArray[np.float64], pixel_m: float
) -> npt.NDArray[np.float64]:  # fmt: skip
    """Up to what distance from each intake water may be its own, m.

    The nearest water, and what lies no farther beyond it than the intake's position may be wrong.
    """
    shapes = objects.to_numpy()[np.array([kind == "water_body" for kind in kinds], bool)]
    made = np.full(len(intakes), np.inf)
    if len(shapes):
        (at, _), distance = shapely.STRtree(shapes).query_nearest(
            intakes.geometry.to_numpy(), return_distance=True, all_matches=False
        )
        made[at] = distance + np.maximum(SAME_WATER_PIXELS * pixel_m, error[at])
    return made


def _sorted_out(
    near: npt.NDArray[np.int64], distance: npt.NDArray[np.float64], kind: str, error: Any, in_use: Any, well: Any, own: Any,
    pixel_m: float, reach: Reach,
) -> tuple[list[int], list[tuple[int, float, str]]]:  # fmt: skip
    serving: list[int] = []
    refused: list[tuple[int, float, str]] = []
    for n, d in zip(near.tolist(), distance.tolist(), strict=True):
        limit = reach.water_m if kind == "water_body" else reach.well_m if well[n] else reach.field_m
        if not in_use[n]:
            refused.append((n, d, "not_in_use"))
        elif kind == "water_body" and well[n]:
            refused.append((n, d, "takes_groundwater"))
        elif d > limit + error[n] + pixel_m:
            refused.append((n, d, "too_far"))
        elif kind == "water_body" and d > own[n]:
            refused.append((n, d, "serves_nearer"))
        else:
            serving.append(n)
    return serving, refused


def metric_crs(frame: gpd.GeoDataFrame | gpd.GeoSeries) -> Any:
    """A metric CRS that fits the data: its UTM zone."""
    return frame.estimate_utm_crs()


def empty_register() -> gpd.GeoDataFrame:
    """A register without a row, with every column that a comparison needs."""
    columns = {
        "id": "int64", "code": "str", "name": "str", "holder_name": "str", "source_type": "str", "status": "str",
        "permit_state": "str", "has_valid_permit": "bool", "permitted_m3": "float64", "purpose": "str", "position_error_m": "float64",
    }  # fmt: skip
    frame = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries([], crs="EPSG:4490"), crs="EPSG:4490")
