"""Objects against the register: which intake could serve an object, and why the others cannot."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.sparse import coo_array

from remote_sensing import position
from remote_sensing.network import Network
from remote_sensing.options import Ground, Reach

IN_USE = ("in_use", "emergency_reserve")
NO_SURFACE = "groundwater"
NOT_FOR_FIELDS = re.compile(r"domestic|supply|industr|hydro|power|aqua|fish|ecolog|生活|供水|工业|电|养殖|渔|生态", re.I)  # fmt: skip
FOR_FIELDS = re.compile(r"irrig|agri|farm|crop|灌|农|田|种植", re.I)
"""What a purpose must say, or not say, for an intake to water fields; one that says nothing may."""
IDS = ("intake_id", "intake_ids", "intake_code", "取水口", "取水口编码")
"""Columns by which an area names the intakes that serve it; without one, those that stand in it do."""
COVERED = 0.5
"""An area serves an object that lies in it by at least this share."""
Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]


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
    """The nearest that cannot: `id`, `called`, `distance_m`, and the reason's code, `why`."""
    unclaimed: float = 1.0
    """Chance that none of the intakes in use belongs to it, by what is known of their positions."""
    by: str = ""
    """How the nearest serving intake serves: "" near by, "canal", "area"."""
    nearest_called: str = ""
    """Code and name of the nearest intake; of those that could serve it, in `serving_called`."""
    serving_called: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Register:
    """The columns of a register, as arrays."""

    points: Array
    ids: Array
    error: npt.NDArray[np.float64]
    """Radius that most positions keep, m: as stated, or as large as all positions together prove."""
    in_use: Bools
    well: Bools
    for_fields: Bools
    called: Array
    """What people call each: code and name, the id where it has neither."""


def against(
    objects: gpd.GeoSeries,
    kinds: Sequence[str],
    intakes: gpd.GeoDataFrame,
    pixel_m: float,
    reach: Reach,
    ground: Ground | None = None,
) -> list[Served]:
    """Compare each object with the intakes. Both in one metric CRS.

    Water is served by the intakes that belong to it, going by their positions (`position`): a point on the shore of
    one pond says nothing of the next one. A field is served from within reach (plus a pixel and the position error)
    by an intake whose purpose fits and that no river parts from it. Both are served by an intake up a canal that
    runs by, and by the intakes of an area they lie in. Nothing is served by an intake that is out of use, and water
    by no well.
    """
    if intakes.empty:
        return [Served(None, None, None, None, (), ())] * len(objects)
    shapes, water = objects.to_numpy(), np.array([kind == "water_body" for kind in kinds], bool)
    register, claims = _register(intakes, shapes[water], pixel_m, reach)
    ground = ground or Ground()
    far = _by_canal(shapes, water, register, ground, objects.crs, reach)
    for pair in _by_area(shapes, intakes, register, ground, objects.crs):
        far.setdefault(pair, "area")
    network = _network(ground, objects.crs)
    every = shapely.STRtree(register.points)
    permitted_rows = np.flatnonzero(intakes["has_valid_permit"].to_numpy(bool))
    permitted = shapely.STRtree(register.points[permitted_rows])
    unclaimed = claims.unclaimed(register.in_use & ~register.well)
    by_water = claims.share.tocsc()
    widest = max(reach.field_m, reach.water_m) + float(register.error.max()) + pixel_m
    far_of: dict[int, dict[int, str]] = {}
    for (i, n), how in far.items():
        far_of.setdefault(i, {})[n] = how
    pairs = _pairs(every, shapes, register.points, widest, far)
    (row, metres), (allowed, allowed_m) = _nearest(every, shapes), _nearest(permitted, shapes)
    body_of = np.cumsum(water) - 1
    out: list[Served] = []
    for i, shape in enumerate(shapes):
        near, distance = (
            part[pairs.start[i] : pairs.start[i + 1]] for part in (pairs.intake, pairs.distance)
        )
        free = float(unclaimed[body_of[i]]) if water[i] else 1.0
        serving: list[int] = []
        refused: list[tuple[int, float, str]] = []
        if len(near):
            chance: dict[int, float] = {}
            if water[i]:
                part = slice(by_water.indptr[body_of[i]], by_water.indptr[body_of[i] + 1])
                chance = dict(zip(by_water.indices[part].tolist(), by_water.data[part].tolist(), strict=True))
            sorting = _Sorting(register, reach, pixel_m, bool(water[i]), far_of.get(i, {}))
            parted = network.between(register.points[near], np.repeat(shape, len(near)), register.error[near]) if network and not water[i] else np.zeros(len(near), bool)  # fmt: skip
            serving, refused = sorting.out(near, distance, chance, free, parted)
        out.append(
            Served(
                None if row[i] < 0 else int(register.ids[row[i]]),
                None if row[i] < 0 else float(metres[i]),
                None if allowed[i] < 0 else int(register.ids[permitted_rows[allowed[i]]]),
                None if allowed[i] < 0 else float(allowed_m[i]),
                tuple(serving),
                tuple(
                    {
                        "id": int(register.ids[n]),
                        "called": register.called[n],
                        "distance_m": round(float(d), 1),
                        "why": why,
                    }
                    for n, d, why in refused[:5]
                ),
                free,
                far_of.get(i, {}).get(serving[0], "") if serving else "",
                "" if row[i] < 0 else register.called[row[i]],
                tuple(register.called[n] for n in serving),
            )
        )
    return out


@dataclass(frozen=True)
class _Pairs:
    """Objects and the intakes that may serve them, the nearest first."""

    start: Array
    """Where each object's begin, and the end of the last one's."""
    intake: Array
    distance: Array


def _pairs(
    tree: shapely.STRtree, shapes: Array, points: Array, widest: float, far: Iterable[tuple[int, int]]
) -> _Pairs:
    near = tree.query(shapes, predicate="dwithin", distance=widest)
    more = np.array(list(far), np.int64).reshape(-1, 2).T
    of, intake = np.unique(np.concatenate([near, more], axis=1), axis=1).astype(np.int64)
    distance = shapely.distance(points[intake], shapes[of])
    order = np.lexsort((intake, distance, of))
    start = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=len(shapes)))])
    return _Pairs(start, intake[order], distance[order])


def _register(
    intakes: gpd.GeoDataFrame, waters: Array, pixel_m: float, reach: Reach
) -> tuple[_Register, position.Claims]:
    points = intakes.geometry.to_numpy()
    stated = intakes["position_error_m"].fillna(0).to_numpy(np.float64)
    well = (intakes["source_type"] == NO_SURFACE).to_numpy()
    # A well belongs to no water; it would only teach that positions are poor.
    surface = np.flatnonzero(~well)
    claims = position.claims(points[surface], waters, stated[surface], reach.water_m, pixel_m, max(SAME_WATER_PIXELS * pixel_m, SAME_WATER_M))  # fmt: skip
    scale = np.zeros(len(points))
    scale[surface] = claims.scale_m
    share = claims.share.tocoo()
    whole = coo_array((share.data, (surface[share.row], share.col)), shape=(len(points), len(waters))).tocsr()
    # Where positions prove worse than stated, they are so for fields too.
    error = stated * max(1.0, claims.factor)
    purpose = intakes["purpose"].fillna("").astype(str)
    fits = ~purpose.str.contains(NOT_FOR_FIELDS) | purpose.str.contains(FOR_FIELDS)
    register = _Register(points, intakes["id"].to_numpy(), error, intakes["status"].isin(IN_USE).to_numpy(), well, fits.to_numpy(bool), _called(intakes))  # fmt: skip
    return register, position.Claims(whole, scale, claims.factor)


def _called(intakes: gpd.GeoDataFrame) -> Array:
    parts = [intakes[name].fillna("").astype(str).str.strip() for name in ("code", "name")]
    made = (parts[0] + " " + parts[1]).str.strip()
    return np.asarray(made.where(made != "", intakes["id"].astype(str)).to_numpy(object))


SAME_WATER_PIXELS, SAME_WATER_M = 1.5, 15.0
"""A corner this near to much larger water is a part of it: a reed belt, a bridge or a low dike lies between, or a mixed pixel."""
CLAIMED = 0.5
"""Water is explained if it is likelier than not that one of the intakes in use belongs to it …"""
OF_SOME = 0.1
"""… and then by all that belong to it with at least this chance."""


@dataclass(frozen=True)
class _Sorting:
    """Tells which intakes serve one object, and why the others do not."""

    register: _Register
    reach: Reach
    pixel_m: float
    water: bool
    far: dict[int, str]

    def out(
        self, near: Array, distance: Array, chance: dict[int, float], free: float, parted: Bools
    ) -> tuple[list[int], list[tuple[int, float, str]]]:
        serving: list[int] = []
        refused: list[tuple[int, float, str]] = []
        for n, d, apart in zip(near.tolist(), distance.tolist(), parted.tolist(), strict=True):
            why = self._why_not(n, d, chance.get(n, 0.0), free, apart)
            if why:
                refused.append((n, d, why))
            else:
                serving.append(n)
        return serving, refused

    def _why_not(self, n: int, d: float, chance: float, free: float, parted: bool) -> str:
        r, reach = self.register, self.reach
        if not r.in_use[n]:
            return "not_in_use"
        if self.water and r.well[n]:
            return "takes_groundwater"
        if not self.water and not r.for_fields[n]:
            return "other_purpose"
        if n in self.far:
            return ""
        limit = reach.water_m if self.water else reach.well_m if r.well[n] else reach.field_m
        if self.water:
            if free < CLAIMED and chance >= OF_SOME:
                return ""
            return "serves_nearer" if d <= limit + r.error[n] + self.pixel_m else "too_far"
        if d > limit + r.error[n] + self.pixel_m:
            return "too_far"
        return "other_bank" if parted else ""


def _nearest(tree: shapely.STRtree, shapes: Array) -> tuple[Array, Array]:
    """The nearest point of the tree to each shape, and its distance; -1 where there is none."""
    number, away = np.full(len(shapes), -1, np.int64), np.full(len(shapes), np.nan)
    if len(tree) and len(shapes):
        (of, found), distance = tree.query_nearest(shapes, return_distance=True, all_matches=False)
        number[of], away[of] = found, distance
    return number, away


def _network(ground: Ground, crs: Any) -> Network | None:
    if ground.network is None or ground.network.empty:
        return None
    return Network.of(ground.network, crs, drawn_downstream=ground.drawn_downstream)


def _by_canal(
    shapes: Array, water: Bools, register: _Register, ground: Ground, crs: Any, reach: Reach
) -> dict[tuple[int, int], str]:
    """Pairs of object and intake where a canal below the intake runs by the object."""
    network = _network(ground, crs)
    if network is None or not len(shapes):
        return {}
    tree = shapely.STRtree(shapes)
    rows = np.flatnonzero(~register.well & register.in_use)
    limit = np.where(water, reach.canal_pond_m, reach.canal_m)
    made: dict[tuple[int, int], str] = {}
    for n, lines in zip(rows, network.below(register.points[rows], reach.water_m + register.error[rows]), strict=True):  # fmt: skip
        if not len(lines):
            continue
        line, i = tree.query(lines, predicate="dwithin", distance=float(limit.max()))
        for at in np.unique(i[shapely.distance(lines[line], shapes[i]) <= limit[i]]).tolist():
            made[at, int(n)] = "canal"
    return made


def _by_area(
    shapes: Array, intakes: gpd.GeoDataFrame, register: _Register, ground: Ground, crs: Any
) -> list[tuple[int, int]]:
    """Pairs of object and intake where the object lies in an area that the intake serves."""
    if ground.areas is None or ground.areas.empty or not len(shapes):
        return []
    areas = ground.areas.to_crs(crs).reset_index(drop=True)
    polygons = shapely.make_valid(areas.geometry.to_numpy())
    column = next((name for name in IDS if name in areas), None)
    area, i = shapely.STRtree(shapes).query(polygons, predicate="intersects")
    inside = shapely.area(shapely.intersection(polygons[area], shapes[i])) >= COVERED * shapely.area(
        shapes[i]
    )
    area, i = area[inside], i[inside]
    of: dict[int, Array] = {}
    for a in np.unique(area).tolist():
        named = _named(areas[column].iloc[a], intakes) if column else None
        stand = shapely.dwithin(register.points, polygons[a], register.error) & ~register.well
        of[a] = np.flatnonzero(stand if named is None else named)
    return [(at, int(n)) for a, at in zip(area.tolist(), i.tolist(), strict=True) for n in of[a]]


def _named(told: Any, intakes: gpd.GeoDataFrame) -> Bools | None:
    """The intakes that an area names, by id or code; None if it names none."""
    words = set(re.split(r"[,;，；、\s]+", str(told))) - {"", "nan", "None", "<NA>"}
    words |= {word.removesuffix(".0") for word in words}
    if not words:
        return None
    hit = intakes["id"].astype(str).isin(words) | intakes["code"].astype(str).isin(words)
    return np.asarray(hit.to_numpy(bool))


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
