"""Which objects the register does not explain, and what speaks for each: objects in, candidates out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from remote_sensing import compare, evidence
from remote_sensing.options import Options
from remote_sensing.profile import Point
from remote_sensing.scene import Scene, to_stored
from remote_sensing.search import Found


@dataclass(frozen=True)
class Candidate:
    """A suspected unregistered withdrawal, for a person to judge."""

    kind: str
    """`water_body` or `irrigated_land`."""
    category: str
    """`no_intake` 无取水口, `no_valid_permit` 有口无有效许可, `permit_too_small` 许可水量明显不足, `new_since_last_date` 新增."""
    score: float
    """Chance that the finding is right, 0 to 1; calibrated where the options hold a calibration, else `raw_score`."""
    area_m2: float
    volume_m3: float | None
    """Likely yearly volume, m³, with its 90 % interval."""
    volume_lo_m3: float | None
    volume_hi_m3: float | None
    acquired_at: datetime | None
    nearest_intake_id: int | None
    nearest_intake_m: float | None
    nearest_permitted_id: int | None
    nearest_permitted_m: float | None
    evidence: dict[str, Any]
    reasons: tuple[dict[str, str], ...]
    geometry: shapely.MultiPolygon
    """EPSG:4490."""
    chip_before: str | None = None
    chip_after: str | None = None
    """File names below the run's folder."""
    raw_score: float = 0.0
    """Score before calibration: what decisions of people are later held against."""
    serving_intake_ids: tuple[int, ...] = ()
    """Intakes of the register that could serve the object (their permits are missing, ended or too small)."""
    permitted_m3: float | None = None
    """What the permits in force of those intakes allow in a year; None where none does, or none says how much."""
    volume_method: str = "depth"
    """How the volume was estimated: `depth` (filling of water), `norm` (定额), `evapotranspiration`."""
    profile: tuple[Point, ...] = ()
    """Indices of the object and its surroundings on every date that shows it, oldest first."""


def judged(
    group: Found, scene: Scene, has_before: bool, intakes: gpd.GeoDataFrame, options: Options
) -> list[tuple[Candidate, shapely.Geometry]]:
    """The objects of one kind that the register does not explain, each with its shape in the scene's coordinates."""
    if not group.polygons:
        return []
    own = gpd.GeoSeries(group.polygons, crs=scene.grid.crs)
    metric = compare.metric_crs(own)
    measured = own.to_crs(metric)
    register = intakes.to_crs(metric)
    served = compare.against(measured, [group.kind] * len(own), register, scene.resolution_m, options.reach)
    adjoining = _adjoining(measured, served, scene.resolution_m) if group.kind == "water_body" else {}
    facts = _Facts(group, scene, has_before)
    found = []
    for i, (shape, flat) in enumerate(zip(group.polygons, measured, strict=True)):
        area = float(flat.area)
        volume = evidence.volumes(group.kind, area, options.quotas)
        share = facts.before_share(i)
        category, permitted = _category(served[i], register, volume[0], share)
        if category is None:
            continue
        flags = facts.flags(i, flat, adjoining.get(i))
        value = evidence.score(
            kind=group.kind,
            area_m2=area,
            least_m2=options.min_water_m2 if group.kind == "water_body" else options.min_field_m2,
            contrast=facts.contrast(i),
            category=category,
            distance_m=served[i].nearest_m,
            reach_m=options.reach.water_m if group.kind == "water_body" else options.reach.field_m,
            flags=flags,
        )
        if value < options.min_score:
            continue
        measured_values = {
            "area_m2": round(area, 1),
            **facts.measured(i),
            "before_share": None if share is None else round(share, 3),
            "permitted_m3": permitted,
            "serving": [int(register["id"].iloc[n]) for n in served[i].serving],
            "refused": list(served[i].refused),
            "assumptions": {"reach": vars(options.reach), "quotas": vars(options.quotas)},
            **flags,
        }
        candidate = Candidate(
            group.kind, category, value, area, volume[1], volume[0], volume[2], scene.acquired_at,
            served[i].nearest_id, served[i].nearest_m, served[i].permitted_id, served[i].permitted_m, measured_values,
            tuple(evidence.reasons(group.kind, category, area, served[i], volume, permitted or 0.0, share, flags)),
            _multi(to_stored(scene.grid.crs, shape)),
            raw_score=value,
            serving_intake_ids=tuple(measured_values["serving"]),
            permitted_m3=permitted,
            volume_method="depth" if group.kind == "water_body" else "norm",
        )  # fmt: skip
        found.append((candidate, shape))
    return found


class _Facts:
    """What was measured over the objects of one kind."""

    def __init__(self, group: Found, scene: Scene, has_before: bool) -> None:
        o = group.objects
        self._water, self._scene, self._box, self._pixels = group.kind == "water_body", scene, o.box, o.pixels
        self._index, self._shadow, self._nir, self._red = (
            o.mean(name) for name in ("water_index", "shadow", "nir", "red")
        )
        seen = np.maximum(o.sums["seen_before"], 1)
        enough = has_before & (o.sums["seen_before"] > 0.5 * o.pixels)
        self._before = np.where(enough, o.sums["before"] / seen, np.nan)

    def before_share(self, i: int) -> float | None:
        """How much of an object was there at the earlier date; None if that date does not show it."""
        return None if np.isnan(self._before[i]) else float(self._before[i])

    def contrast(self, i: int) -> float:
        """How clearly an object is what it seems, about 0 to 1."""
        if self._water:
            return abs(float(self._index[i]))
        nir, red = float(self._nir[i]), float(self._red[i])
        return (nir - red) / max(nir + red, 1e-6) - 0.4

    def measured(self, i: int) -> dict[str, Any]:
        return {
            "pixels": int(self._pixels[i]),
            "water_index": round(float(self._index[i]), 4),
            "nir": round(float(self._nir[i]), 4),
            "red": round(float(self._red[i]), 4),
        }

    def flags(self, i: int, flat: shapely.Geometry, adjoins: tuple[int, float] | None) -> dict[str, Any]:
        """What speaks against a finding, or asks for care."""
        box, grid = self._box[i], self._scene.grid
        at_edge = box[0] == 0 or box[1] == 0 or box[2] >= grid.width - 1 or box[3] >= grid.height - 1
        return {
            "elongation": round(_elongation(flat), 2),
            "at_edge": bool(at_edge),
            "shadow_share": round(float(self._shadow[i]), 3),
            "adjoins_served_m2": None if adjoins is None else round(adjoins[1]),
        }


ADJOINING_PIXELS = 1.5
"""A gap this wide is one mixed pixel: a reed belt, a bridge, a low dike."""


def _adjoining(
    measured: gpd.GeoSeries, served: list[compare.Served], pixel_m: float
) -> dict[int, tuple[int, float]]:
    """Unserved water that all but touches larger served water: the neighbour, and its area in m²."""
    shapes = measured.to_numpy()
    rows = np.array([i for i, one in enumerate(served) if one.serving], np.int64)
    others = np.array([i for i, one in enumerate(served) if not one.serving], np.int64)
    if not len(rows) or not len(others):
        return {}
    tree = shapely.STRtree(shapes[rows])
    pairs = tree.query(shapes[others], predicate="dwithin", distance=ADJOINING_PIXELS * pixel_m)
    found: dict[int, tuple[int, float]] = {}
    for other, row in zip(others[pairs[0]].tolist(), rows[pairs[1]].tolist(), strict=True):
        area = float(shapes[row].area)
        if area > max(shapes[other].area, found.get(other, (0, 0.0))[1]):
            found[other] = (row, area)
    return found


NEW_BELOW = 0.3
"""An object of which less than this share was there at the earlier date is new."""


def _category(
    served: compare.Served, register: gpd.GeoDataFrame, lowest_m3: float, before_share: float | None
) -> tuple[str | None, float | None]:
    """Why the register does not explain an object (None: it does), and what its intakes may take, m³."""
    if not served.serving:
        is_new = before_share is not None and before_share < NEW_BELOW
        return ("new_since_last_date" if is_new else "no_intake"), None
    rows = register.iloc[list(served.serving)]
    if (rows["permit_state"] == "exempt").any():
        return None, None
    permitted = rows[rows["has_valid_permit"]]
    if permitted.empty:
        return "no_valid_permit", None
    if permitted["permitted_m3"].isna().any():
        return None, None
    total = float(permitted["permitted_m3"].sum())
    return ("permit_too_small" if total < lowest_m3 else None), total


def _elongation(shape: shapely.Geometry) -> float:
    """Length over width of the smallest rectangle around, corrected for how much of it is filled."""
    box = shapely.minimum_rotated_rectangle(shape)
    if box.geom_type != "Polygon" or not shape.area:
        return 1.0
    x, y = box.exterior.coords.xy
    sides = sorted((float(np.hypot(x[1] - x[0], y[1] - y[0])), float(np.hypot(x[2] - x[1], y[2] - y[1]))))
    return float(sides[1] ** 2 / shape.area)


def _multi(geometry: shapely.Geometry) -> shapely.MultiPolygon:
    parts = [
        part
        for part in shapely.get_parts(shapely.make_valid(geometry))
        if part.geom_type in ("Polygon", "MultiPolygon")
    ]
    return shapely.MultiPolygon([p for part in parts for p in shapely.get_parts(part)])
