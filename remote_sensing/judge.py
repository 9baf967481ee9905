"""Which objects the register does not explain, and what speaks for each: objects in, candidates out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from remote_sensing import compare, demand, doubts, evidence, kinds, season
from remote_sensing.options import Options
from remote_sensing.profile import Point
from remote_sensing.scene import Scene
from remote_sensing.search import Found

Array = npt.NDArray[Any]
Water = dict[str, Any] | None
"""Kind of water (`kinds.KINDS`), what told it (`by`), and perimeter, length and greatest width, m; None of a field."""


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
    weighed = Findings.of(group, scene, has_before, intakes, options)
    return [] if weighed is None else weighed.candidates(range(len(weighed.rows)))


@dataclass(frozen=True)
class Findings:
    """The objects of one kind that the register does not explain, weighed. Only those that are shown become candidates:
    a scene has many times more."""

    rows: Array
    """Their numbers among the objects, ascending."""
    raw: Array
    score: Array
    categories: tuple[str, ...]
    _facts: "_Facts"
    _served: list[compare.Served]
    _register: "_Permits"
    _volumes: list[tuple[float, float, float]]
    _left: list[float | None]

    @classmethod
    def of(
        cls, group: Found, scene: Scene, has_before: bool, intakes: gpd.GeoDataFrame, options: Options
    ) -> "Findings | None":
        """None if there are no objects at all."""
        if not group.polygons:
            return None
        own = gpd.GeoSeries(group.polygons, crs=scene.grid.crs)
        metric = compare.metric_crs(own)
        shapes = own.to_crs(metric).to_numpy()
        register = intakes.to_crs(metric)
        of_kind = [group.kind] * len(own)
        served = compare.against(gpd.GeoSeries(shapes, crs=metric), of_kind, register, scene.resolution_m, options.reach, options.ground)  # fmt: skip
        facts = _Facts(group, scene, has_before, shapes, metric, served, options)
        permits = _Permits.of(register)
        volumes = [evidence.volumes(group.kind, area, options.quotas) for area in facts.area.tolist()]
        left = _left(served, permits, shapes, [low for low, _, _ in volumes])
        least = options.min_water_m2 if group.kind == "water_body" else options.min_field_m2
        rows, raws, categories = [], [], []
        for i, one in enumerate(served):
            category = _category(one, permits, volumes[i][0], left[i], facts.before_share(i))
            if category is None:
                continue
            short = (left[i] or 0.0) / max(volumes[i][0], 1e-9)
            raw = evidence.score(
                group.kind,
                category,
                float(facts.area[i]),
                least,
                facts.contrast(i),
                one,
                short,
                facts.codes(i),
            )
            if raw >= options.min_score:
                rows.append(i)
                raws.append(raw)
                categories.append(category)
        raw_scores = np.array(raws, np.float64)
        return cls(
            np.array(rows, np.int64), raw_scores, chances(raw_scores, options), tuple(categories), facts, served,
            permits, volumes, left,
        )  # fmt: skip

    def candidates(self, chosen: Sequence[int]) -> list[tuple[Candidate, shapely.Geometry]]:
        """Those of the given numbers, in their order."""
        facts = self._facts
        shapes = [facts.group.polygons[i] for i in self.rows[list(chosen)].tolist()]
        placed = gpd.GeoSeries(shapes, crs=facts.scene.grid.crs).to_crs("EPSG:4326").to_numpy()
        placed = shapely.make_valid(placed)
        water = facts.water(self.rows[list(chosen)])
        return [
            (self._candidate(number, _multi(stored), told), shape)
            for number, stored, told, shape in zip(chosen, placed, water, shapes, strict=True)
        ]

    def _candidate(self, number: int, stored: shapely.MultiPolygon, water: Water) -> Candidate:
        i, category, facts = int(self.rows[number]), self.categories[number], self._facts
        options = facts.options
        kind, one, volume, left = facts.group.kind, self._served[i], self._volumes[i], self._left[i]
        area, codes, share = float(facts.area[i]), facts.codes(i), facts.before_share(i)
        permitted = self._register.volume(one.serving)
        serving = [int(self._register.ids[n]) for n in one.serving]
        measured_values = {
            "area_m2": round(area, 1),
            **facts.measured(i),
            **({"water": water} if water else {}),
            "before_share": None if share is None else round(share, 3),
            "permitted_m3": permitted,
            "left_m3": left,
            "unclaimed": round(one.unclaimed, 3),
            "serving": serving,
            "refused": list(one.refused),
            "doubts": codes,
            "assumptions": {"reach": vars(options.reach), "quotas": vars(options.quotas)},
        }
        return Candidate(
            kind, category, float(self.score[number]), area, volume[1], volume[0], volume[2], facts.scene.acquired_at,
            one.nearest_id, one.nearest_m, one.permitted_id, one.permitted_m, measured_values,
            tuple(evidence.reasons(kind, category, area, one, volume, left, share, codes, water)), stored,
            raw_score=float(self.raw[number]),
            serving_intake_ids=tuple(serving),
            permitted_m3=permitted,
            volume_method="depth" if kind == "water_body" else "norm",
        )  # fmt: skip


def best(groups: Sequence[Findings], most: int) -> list[tuple[Candidate, shapely.Geometry]]:
    """The likeliest findings of all kinds as candidates, the likeliest first."""
    score = np.concatenate([group.score for group in groups] or [np.empty(0)])
    start = np.cumsum([0, *(len(group.rows) for group in groups)])
    order = np.argsort(-score, kind="stable")[:most]
    made: dict[int, tuple[Candidate, shapely.Geometry]] = {}
    for number, group in enumerate(groups):
        mine = order[(order >= start[number]) & (order < start[number + 1])]
        made |= zip(mine.tolist(), group.candidates((mine - start[number]).tolist()), strict=True)
    return [made[at] for at in order.tolist()]


def chances(raw: Array, options: Options) -> Array:
    """The calibrated chances of raw scores, where the options hold a calibration."""
    if options.calibration is None or not len(raw):
        return raw
    return np.round(np.asarray(options.calibration.apply(raw), np.float64), 3)


def with_profile(candidate: Candidate, points: tuple[Point, ...], options: Options) -> Candidate:
    """A candidate with its dates: of a field they say whether it is watered, and with weather how much it took."""
    candidate = replace(candidate, profile=points)
    if candidate.kind == "water_body" or not points:
        return candidate
    told = season.of(points, options.climate)
    odds = evidence.log_odds(candidate.raw_score) + doubts.odds(told.codes)
    raw = round(min(0.99, evidence.squash(odds)), 3)
    values = candidate.evidence | {
        "season": {
            "dates": told.dates,
            "dry": list(told.dry),
            "greener": told.greener,
            "moister": told.moister,
        },
        "doubts": [*candidate.evidence["doubts"], *told.codes],
    }
    made = replace(
        candidate, raw_score=raw, score=float(chances(np.array([raw]), options)[0]), evidence=values,
        reasons=(*candidate.reasons, *doubts.words(told.codes)),
    )  # fmt: skip
    need = demand.need(points, options.climate) if options.climate else None
    if need is None:
        return made
    low, likely, high = need.volume_m3(candidate.area_m2)
    return replace(made, volume_m3=likely, volume_lo_m3=low, volume_hi_m3=high, volume_method="evapotranspiration")  # fmt: skip


class _Facts:
    """What was measured over the objects of one kind."""

    def __init__(
        self, group: Found, scene: Scene, has_before: bool, shapes: Array, crs: Any, served: list[compare.Served],
        options: Options,
    ) -> None:  # fmt: skip
        o = group.objects
        self.group, self.scene, self.options = group, scene, options
        self._water, self._box, self._pixels = group.kind == "water_body", o.box, o.pixels
        self._index, self._shadow, self._nir, self._red = (
            o.mean(name) for name in ("water_index", "shadow", "nir", "red")
        )
        self._clear = evidence.clearness(self._index, group.limit)
        seen = np.maximum(o.sums["seen_before"], 1)
        enough = has_before & (o.sums["seen_before"] > 0.5 * o.pixels)
        self._before = np.where(enough, o.sums["before"] / seen, np.nan)
        self.area = shapely.area(shapes)
        self._shapes, self._crs = shapes, crs
        self._adjoins = _adjoining(shapes, served, scene.resolution_m) if self._water else {}
        boxes = shapely.minimum_rotated_rectangle(shapes)
        self._even_sided, self._elongation = (
            doubts.even_sided(shapes, boxes),
            doubts.elongation(shapes, boxes),
        )
        self._dug = doubts.dug_neighbours(shapes, self._even_sided) if self._water else np.empty(0, np.int64)
        there = float((self.area * np.nan_to_num(self._before))[enough].sum())
        self._risen = float(self.area[enough].sum()) / there if there else 1.0
        self._ground_known = options.ground.network is not None or options.ground.areas is not None

    def before_share(self, i: int) -> float | None:
        """How much of an object was there at the earlier date; None if that date does not show it."""
        return None if np.isnan(self._before[i]) else float(self._before[i])

    def water(self, rows: Array) -> list[Water]:
        """What kind of water each of some objects is; None of fields. Measured only of what is shown: it takes long."""
        if not self._water or not len(rows):
            return [None] * len(rows)
        frame = gpd.GeoSeries([shapely.Polygon(self.scene.grid.corners)], crs=self.scene.grid.crs)
        known = self.options.ground
        table = kinds.told(
            self._shapes[rows], self._crs, self.scene.resolution_m, network=known.network, dams=known.dams,
            frame=frame.to_crs(self._crs).iloc[0],
        )  # fmt: skip
        lengths = table[["perimeter_m", "length_m", "widest_m"]].round(0)
        told = table[["kind", "kind_by"]].rename(columns={"kind_by": "by"}).join(lengths)
        return [dict(row) for row in told.to_dict("records")]

    def contrast(self, i: int) -> float:
        """How clearly an object is what it seems, about 0 to 1."""
        if self._water:
            return float(self._clear[i])
        nir, red = float(self._nir[i]), float(self._red[i])
        return (nir - red) / max(nir + red, 1e-6) - 0.4

    def measured(self, i: int) -> dict[str, Any]:
        """What goes on record of an object."""
        return self._known(i) | {
            "pixels": int(self._pixels[i]),
            "water_index": round(float(self._index[i]), 4),
            "nir": round(float(self._nir[i]), 4),
            "round": self._round(i),
        }

    def _known(self, i: int) -> dict[str, Any]:
        box, grid = self._box[i], self.scene.grid
        at_edge = box[0] == 0 or box[1] == 0 or box[2] >= grid.width - 1 or box[3] >= grid.height - 1
        return {
            "red": round(float(self._red[i]), 4),
            "elongation": round(float(self._elongation[i]), 2),
            "even_sided": round(float(self._even_sided[i]), 2),
            "at_edge": bool(at_edge),
            "shadow_share": round(float(self._shadow[i]), 3),
            "adjoins_served_m2": None if i not in self._adjoins else round(self._adjoins[i][1]),
        }

    def _round(self, i: int) -> float:
        return round(float(doubts.roundness(self._shapes[i : i + 1])[0]), 2)

    def codes(self, i: int) -> list[str]:
        """What speaks against a finding, or for it (`doubts`)."""
        known = self._known(i) | {"before_share": self.before_share(i), "area_m2": float(self.area[i])}
        if not self._water:
            # Of smaller fields roundness says nothing, and it takes long to measure.
            known["round"] = self._round(i) if self.area[i] >= doubts.PIVOT_M2 else 0.0
            return doubts.of_field(known, self._index[i] > NEAR_WATER, self._ground_known)
        # Numbers of a picture are no reflectance: they say nothing of brightness or shadow.
        if not self.scene.calibrated:
            known |= {"red": None, "shadow_share": 0.0}
        return doubts.of_water(i, self._shapes, self.area, known, self._risen, self._dug)


NEAR_WATER = -0.1
"""Mean water index of a field that holds water or borders on it."""
ADJOINING_PIXELS = 1.5
"""A gap this wide is one mixed pixel: a reed belt, a bridge, a low dike."""


def _adjoining(shapes: Array, served: list[compare.Served], pixel_m: float) -> dict[int, tuple[int, float]]:
    """Unserved water that all but touches larger served water: the neighbour, and its area in m²."""
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


@dataclass(frozen=True)
class _Permits:
    """What a register says of permits, as arrays."""

    ids: Array
    points: Array
    valid: npt.NDArray[np.bool_]
    exempt: npt.NDArray[np.bool_]
    permitted_m3: npt.NDArray[np.float64]

    @classmethod
    def of(cls, register: gpd.GeoDataFrame) -> "_Permits":
        return cls(
            register["id"].to_numpy(), register.geometry.to_numpy(), register["has_valid_permit"].to_numpy(bool),
            (register["permit_state"] == "exempt").to_numpy(bool), register["permitted_m3"].to_numpy(np.float64),
        )  # fmt: skip

    def volume(self, rows: Sequence[int]) -> float | None:
        """What the permits in force of some intakes allow in a year, m³; None where none does, or one says not."""
        volumes = [float(self.permitted_m3[n]) for n in rows if self.valid[n]]
        return None if not volumes or np.isnan(volumes).any() else sum(volumes)


def _left(
    served: list[compare.Served], register: _Permits, shapes: Array, lowest: list[float]
) -> list[float | None]:
    """What the permits leave for each object when the nearest are served first, each with its lowest estimate, m³.

    None where no permit in force serves an object, or one of unstated volume does.
    """
    permitted, valid, points = register.permitted_m3, register.valid, register.points
    rest = np.where(valid, permitted, 0.0)
    got: list[float | None] = [None] * len(served)
    wants = list(lowest)
    pairs = []
    for i, one in enumerate(served):
        rows = [n for n in one.serving if valid[n]]
        if rows and not np.isnan(permitted[rows]).any():
            got[i] = 0.0
            pairs += [(float(shapely.distance(points[n], shapes[i])), i, n) for n in rows]
    for _, i, n in sorted(pairs):
        given = min(wants[i], rest[n])
        wants[i] -= given
        rest[n] -= given
        got[i] = (got[i] or 0.0) + given
    return got


def _category(
    served: compare.Served, register: _Permits, lowest_m3: float, left_m3: float | None, before_share: float | None
) -> str | None:  # fmt: skip
    """Why the register does not explain an object; None: it does."""
    if not served.serving:
        return "new_since_last_date" if before_share is not None and before_share < NEW_BELOW else "no_intake"
    if any(register.exempt[n] for n in served.serving):
        return None
    if not any(register.valid[n] for n in served.serving):
        return "no_valid_permit"
    # Rounding apart, whoever gets the lowest estimate is served.
    return "permit_too_small" if left_m3 is not None and left_m3 < 0.999 * lowest_m3 else None


def _multi(geometry: shapely.Geometry) -> shapely.MultiPolygon:
    """The polygons of a valid geometry."""
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.MultiPolygon([p for part in parts for p in shapely.get_parts(part)])
