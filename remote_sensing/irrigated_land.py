"""Irrigated land of a season: fields of all dates, judged by their profiles, with area and need of water."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from remote_sensing import demand, doubts, profile, season
from remote_sensing.evidence import M2_PER_MU, volumes
from remote_sensing.options import Options
from remote_sensing.scene import Scene, SceneError
from remote_sensing.search import find

NOT_WATERED = ("rain_fed", "evergreen")
OVERLAP = 0.5
"""Fields of two dates that cover half of the smaller one are one field."""


def irrigated(scenes: Sequence[Scene], options: Options | None = None) -> gpd.GeoDataFrame:
    """The irrigated fields that any of the dates shows, in a metric CRS, one row each.

    Columns: `area_m2`, `area_mu`, `form` (pivot, strip or field), `dates`, `dry_dates`, `greener` and `moister`
    (than the neighbours on dry dates), `watered` (seen green while these were dry), `volume_m3` with `volume_lo_m3`
    and `volume_hi_m3`, `volume_method`. What follows its neighbours on every date, or is green all year, is left
    out. Raises SceneError if there is no scene.
    """
    if not scenes:
        raise SceneError("没有影像 (no scene)")
    options = replace(options or Options(), kinds=("irrigated_land",))
    crs = scenes[0].grid.crs
    drawn = [gpd.GeoSeries(found.polygons, crs=scene.grid.crs).to_crs(crs) for scene in scenes for found in find(scene, options.kinds, options)]  # fmt: skip
    shapes = _merged([shape for series in drawn for shape in series])
    flat = gpd.GeoSeries(shapes, crs=crs)
    metric = flat.to_crs(flat.estimate_utm_crs()) if len(flat) else flat
    rows = []
    for points, shape in zip(profile.of_shapes(scenes, crs, shapes, options.workers), metric, strict=True):
        told = season.of(points, options.climate)
        if not set(told.codes) & set(NOT_WATERED):
            rows.append(_row(points, told, shape, options))
    return gpd.GeoDataFrame(rows, columns=COLUMNS, geometry="geometry", crs=metric.crs)


COLUMNS = [
    "area_m2", "area_mu", "form", "dates", "dry_dates", "greener", "moister", "watered", "volume_m3", "volume_lo_m3",
    "volume_hi_m3", "volume_method", "geometry",
]  # fmt: skip


def _row(points: tuple[profile.Point, ...], told: season.Season, shape: shapely.Geometry, options: Options) -> dict[str, Any]:  # fmt: skip
    area = float(shape.area)
    need = demand.need(points, options.climate) if options.climate else None
    low, likely, high = need.volume_m3(area) if need else volumes("irrigated_land", area, options.quotas)
    return {
        "area_m2": area, "area_mu": area / M2_PER_MU, "form": _form(shape), "dates": told.dates, "dry_dates": len(told.dry),
        "greener": told.greener, "moister": told.moister, "watered": "dry_green" in told.codes, "volume_m3": likely,
        "volume_lo_m3": low, "volume_hi_m3": high, "volume_method": "evapotranspiration" if need else "norm",
        "geometry": shape,
    }  # fmt: skip


def _form(shape: shapely.Geometry) -> str:
    one = np.array([shape], object)
    if shape.area >= doubts.PIVOT_M2 and doubts.roundness(one)[0] >= doubts.ROUND:
        return "pivot"
    box = shapely.minimum_rotated_rectangle(shape)
    sides = sorted(np.hypot(*np.diff(shapely.get_coordinates(box)[:3], axis=0).T)) if box.geom_type == "Polygon" else [1, 1]  # fmt: skip
    return "strip" if sides[1] > doubts.STRIP * sides[0] else "field"


def _merged(shapes: Sequence[shapely.Geometry]) -> list[shapely.Geometry]:
    """Fields of several dates, those that cover each other drawn as one (the larger extent of the season)."""
    kept: list[shapely.Geometry] = []
    for shape in sorted(shapes, key=lambda s: -s.area):
        over = [i for i, one in enumerate(kept) if one.intersects(shape) and one.intersection(shape).area >= OVERLAP * shape.area]  # fmt: skip
        if over:
            kept[over[0]] = kept[over[0]].union(shape)
        else:
            kept.append(shape)
    return kept
