"""Hide and recover: part of a register is hidden; how much of it does the comparison find again?

Imagery shows water and never permission, so this is the only honest trial of "no intake serves this water": the
hidden intakes are true ones. One run judges the register as given. Then, many times, other intakes are hidden,
positions are made worse by noise, and the score is calibrated on runs that held other bodies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from scipy.optimize import linear_sum_assignment

from remote_sensing import calibration, compare, evaluate, scoring
from remote_sensing.judge import judged
from remote_sensing.options import Options
from remote_sensing.scene import Scene, SceneError
from remote_sensing.search import Found, find

Array = npt.NDArray[Any]
Progress = Callable[[int, int], None]
SEEDS = 50
NOISE_M = 15.0
"""Standard deviation of the noise on an intake's position in each direction, m, where the register states no error."""
REGISTERED, HIDDEN, NEVER, UNKNOWN = 0, 1, 2, 3


def register_of(points: gpd.GeoDataFrame, error_m: float = NOISE_M) -> gpd.GeoDataFrame:
    """A register of points as the comparison wants it; where columns are missing, permits are valid and ample."""
    made = compare.empty_register().reindex(range(len(points)))
    made["id"] = np.arange(1, len(points) + 1)
    for name, value in (
        ("source_type", "surface_water"), ("status", "in_use"), ("permit_state", "linked"), ("has_valid_permit", True),
        ("position_error_m", error_m),
    ):  # fmt: skip
        # "hidden" and the like is what a trial calls its points, not how an intake stands.
        kept = name in points.columns and name != "status" and points[name].notna().all()
        made[name] = points[name].to_numpy() if kept else value
    made["permitted_m3"] = np.nan
    shapes = points.to_crs("EPSG:4490").geometry
    return gpd.GeoDataFrame(made, geometry=shapes.representative_point().to_numpy(), crs="EPSG:4490")


@dataclass(frozen=True)
class Trial:
    """What is on the ground, in one metric CRS."""

    scene: Scene
    group: Found
    shapes: Array
    """The water that was found, one geometry an object."""
    bodies: Array
    """True bodies (shapes of `group`, where nobody drew any)."""
    body_of: npt.NDArray[np.int64]
    """The true body that each found object belongs to, -1 for none."""
    owner: npt.NDArray[np.int64]
    """The body that each intake truly takes from, -1 for none."""
    known: bool
    """Whether `bodies` are a truth: then what no intake ever served is a right finding too."""
    points: gpd.GeoDataFrame
    crs: Any


@dataclass(frozen=True)
class Outcome:
    """One register judged: the findings, and what there was to find."""

    score: Array
    state: npt.NDArray[np.int64]
    """REGISTERED (a false finding), HIDDEN, NEVER or UNKNOWN (not judged)."""
    body: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    """The found object of each finding."""
    wanted: npt.NDArray[np.int64]
    """Bodies that no visible intake serves."""
    lost: npt.NDArray[np.int64]
    """Those of them whose intakes are hidden."""

    def counts(self, chance: Array) -> scoring.Counts:
        """Bodies found, false findings and bodies missed, if findings of at least an even chance are shown."""
        shown = chance >= EVEN
        found = np.intersect1d(self.wanted, self.body[shown])
        false = int((shown & (self.state == REGISTERED)).sum())
        return scoring.Counts(float(len(found)), float(false), float(len(self.wanted) - len(found)))

    @property
    def judged(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.state != UNKNOWN)

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        return np.asarray((self.state == HIDDEN) | (self.state == NEVER))


def recover(
    scenes: Sequence[Scene],
    visible: gpd.GeoDataFrame,
    hidden: gpd.GeoDataFrame,
    *,
    bodies: gpd.GeoDataFrame | None = None,
    seeds: int = SEEDS,
    noise_m: float = NOISE_M,
    options: Options | None = None,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Hide and recover on the newest scene (see the module). Points in any CRS; `bodies`: true water, if drawn.

    The figures at the top are the means of `seeds` draws, `ci` their 2.5 and 97.5 %; `given` is the register as it
    was handed in. A finding on water of which nobody knows whether an intake takes from it is not judged, and
    counted (`unknown`). Raises SceneError if nothing can be compared.
    """
    if not len(visible) + len(hidden):
        raise SceneError("没有取水口 (both registers are empty)")
    options = replace(options or Options(), min_score=0.0, max_water_m2=np.inf)
    scene = max(scenes, key=lambda s: s.taken_s)
    handed_in = len(visible) + len(hidden)
    visible, hidden = (_in_scene(points, name, scene) for points, name in ((visible, "visible"), (hidden, "hidden")))  # fmt: skip
    trial = _trial(scene, visible, hidden, bodies, options)
    count = len(hidden)
    taken_out = np.arange(len(trial.points)) >= len(visible)
    given = _judge(trial, taken_out, np.zeros((len(trial.points), 2)), options, 0.0)
    outcomes = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        out = np.zeros(len(trial.points), bool)
        out[rng.permutation(len(trial.points))[:count]] = True
        moved = rng.normal(0.0, noise_m, (len(trial.points), 2))
        outcomes.append(_judge(trial, out, moved, options, noise_m))
        progress(seed + 1, seeds)
    outcomes = outcomes or [given]
    chances, told = _calibrated(outcomes)
    plain = given.counts(np.ones(len(given.score)))
    return {
        "kind": "recover",
        "scene": scene.item_id,
        **_summary(outcomes, chances),
        **told,
        "by_size": _by_size(trial, outcomes, chances),
        "given": {
            **plain.figures(),
            "hidden": len(given.lost),
            "hidden_found": int(np.isin(given.lost, given.body).sum()),
            "findings": int(plain.right + plain.false),
            "unknown": int((~given.judged).sum()),
        },
        "all_shown": {
            k: v
            for k, v in _summary(outcomes, [np.ones(len(o.score)) for o in outcomes]).items()
            if k in ("precision", "recall", "f1")
        },
        "seeds": seeds,
        "noise_m": noise_m,
        "intakes": {"visible": len(visible), "hidden": count, "outside": handed_in - len(visible) - count},
        "truth": "bodies as drawn" if trial.known else "water near the intakes",
        "peers": {"100 m": _peer(trial, taken_out)},
    }


AROUND_DEGREES = 0.01
"""Intakes this far outside the scene may still stand at water that it shows (about 1 km)."""


def _in_scene(given: gpd.GeoDataFrame, name: str, scene: Scene) -> gpd.GeoDataFrame:
    """The intakes of a list that the scene shows, as points. Raises SceneError if it shows none of some."""
    points = given.to_crs("EPSG:4490")
    points = points.set_geometry(points.representative_point())
    kept = points[points.intersects(scene.footprint.buffer(AROUND_DEGREES)).to_numpy()]
    if len(points) and kept.empty:
        raise SceneError(
            f"{scene.item_id} 范围内没有取水口：{name} 的 {len(points)} 处都在影像以外，请核对坐标系和经纬度次序 "
            f"(no intake of `{name}` lies in the scene: check the CRS and the order of longitude and latitude)"
        )
    return kept


def _trial(
    scene: Scene, visible: gpd.GeoDataFrame, hidden: gpd.GeoDataFrame, bodies: gpd.GeoDataFrame | None, options: Options
) -> Trial:  # fmt: skip
    found = find(scene, ("water_body",), options)
    group = found[0] if found else None
    own = gpd.GeoSeries(group.polygons if group else [], crs=scene.grid.crs)
    points = gpd.GeoSeries([*visible.geometry, *hidden.geometry], crs="EPSG:4490")
    crs = compare.metric_crs(points)
    if group is None or own.empty:
        raise SceneError(f"{scene.item_id} 未发现水体 (no water is found in the scene)")
    shapes = own.to_crs(crs).to_numpy()
    flat = points.to_crs(crs)
    known = bodies is not None and len(bodies) > 0
    true = bodies.to_crs(crs).geometry.to_numpy() if known and bodies is not None else shapes
    reach = options.reach.water_m + NOISE_M + scene.grid.pixel_m
    takes = np.concatenate([_source_types(visible), _source_types(hidden)])
    frame = gpd.GeoDataFrame({"source_type": takes}, geometry=flat.to_numpy(), crs=crs)
    # A well takes from no water that is seen from above.
    owner = np.where(
        takes == compare.NO_SURFACE,
        -1,
        _nearest(flat.to_numpy(), true, reach, compare.SAME_WATER_PIXELS * scene.grid.pixel_m),
    )
    if known and bodies is not None and "status" in bodies:
        # Who drew the bodies says which of them are registered: neighbours are not mistaken for each other.
        told = bodies["status"].astype(str).to_numpy()
        for name, rows in (
            ("registered", np.arange(len(visible))),
            ("hidden", np.arange(len(visible), len(flat))),
        ):
            if (these := np.flatnonzero(told == name)).size and rows.size:
                owner[rows] = _one_each(flat.to_numpy()[rows], true[these], these, owner[rows])
    return Trial(scene, group, shapes, true, _belongs(shapes, true), owner, known, frame, crs)


def _source_types(points: gpd.GeoDataFrame) -> npt.NDArray[np.str_]:
    """groundwater or surface_water, by whatever words the register has; surface water where it has none."""
    if "source_type" not in points:
        return np.full(len(points), "surface_water")
    well = points["source_type"].astype(str).str.contains("ground|well|地下|井", case=False)
    return np.where(well, compare.NO_SURFACE, "surface_water")


def _belongs(shapes: Array, bodies: Array) -> npt.NDArray[np.int64]:
    """The body that each shape shares most area with, -1 for none."""
    made = np.full(len(shapes), -1)
    most = np.zeros(len(shapes))
    for body, i in zip(*shapely.STRtree(shapes).query(bodies, predicate="intersects"), strict=True):
        common = shapely.area(shapely.intersection(shapes[i], bodies[body]))
        if common > most[i]:
            made[i], most[i] = body, common
    return made


def _nearest(points: Array, bodies: Array, reach_m: float, alike_m: float) -> npt.NDArray[np.int64]:
    """The body that each point stands at, -1 for none: the nearest, and of those as near (within `alike_m`) the largest.

    A point does not tell a pond from a puddle beside it; intakes stand at ponds.
    """
    made = np.full(len(points), -1)
    tree = shapely.STRtree(bodies)
    (at, _), least = tree.query_nearest(points, max_distance=reach_m, return_distance=True, all_matches=False)
    for point, metres in zip(at.tolist(), least.tolist(), strict=True):
        near = tree.query(points[point], predicate="dwithin", distance=metres + alike_m)
        made[point] = near[np.argmax(shapely.area(bodies[near]))]
    return made


def _one_each(points: Array, bodies: Array, numbers: Array, otherwise: Array) -> npt.NDArray[np.int64]:
    """The body of each intake so that the sum of distances is least and no body goes without if there are enough."""
    distance = shapely.distance(points[:, None], bodies[None, :])
    rows, columns = linear_sum_assignment(distance)
    made = np.where(np.isin(otherwise, numbers), otherwise, numbers[distance.argmin(axis=1)])
    made[rows] = numbers[columns]
    return np.asarray(made, np.int64)


def _judge(trial: Trial, hidden: Array, moved: Array, options: Options, noise_m: float) -> Outcome:
    """One register: `hidden` marks what is taken out, `moved` (m) is added to the positions of the rest."""
    served = np.unique(trial.owner[~hidden & (trial.owner >= 0)])
    lost = np.setdiff1d(np.unique(trial.owner[hidden & (trial.owner >= 0)]), served)
    points = trial.points[~hidden]
    shifted = shapely.transform(points.geometry.to_numpy(), lambda xy: xy + moved[~hidden])
    # A register states its error as a radius that most positions keep: twice the deviation of one direction.
    error = max(2 * noise_m, NOISE_M)
    kept = gpd.GeoDataFrame(
        {"source_type": points["source_type"].to_numpy()}, geometry=shifted, crs=trial.crs
    )
    register = register_of(kept, error)
    candidates = judged(trial.group, trial.scene, False, register, options)
    row = {id(shape): i for i, shape in enumerate(trial.group.polygons)}
    rows = np.array([row[id(shape)] for _, shape in candidates], np.int64)
    score = np.array([candidate.score for candidate, _ in candidates], np.float64)
    body = trial.body_of[rows] if len(rows) else rows
    state = np.array([_state(b, served, lost, trial.known) for b in body], np.int64)
    # Who draws bodies draws none below some size: smaller water outside them is not judged.
    if trial.known and len(rows):
        area = shapely.area(trial.shapes[rows])
        state[(body < 0) & (area < shapely.area(trial.bodies).min())] = UNKNOWN
    never = np.setdiff1d(np.arange(len(trial.bodies)), np.union1d(served, lost)) if trial.known else lost[:0]
    looked_for = np.flatnonzero(shapely.area(trial.bodies) >= options.min_water_m2)
    lost, never = np.intersect1d(lost, looked_for), np.intersect1d(never, looked_for)
    shown = score >= Options().min_score
    return Outcome(score[shown], state[shown], body[shown], rows[shown], np.union1d(lost, never), lost)


EVEN = 0.5
"""Findings of a smaller calibrated chance are not shown to anybody in this trial."""


def _state(body: int, served: Array, lost: Array, known: bool) -> int:
    if body in served:
        return REGISTERED
    if body in lost:
        return HIDDEN
    # On drawn water that no intake ever served a finding is right; where no water is drawn it is wrong.
    return (NEVER if body >= 0 else REGISTERED) if known else UNKNOWN


def _summary(outcomes: Sequence[Outcome], chances: Sequence[Array]) -> dict[str, Any]:
    counts = [outcome.counts(chance) for outcome, chance in zip(outcomes, chances, strict=True)]
    names = ("iou", "f1", "precision", "recall")
    table = {name: np.array([c.figures()[name] for c in counts]) for name in names}
    found = [np.isin(o.lost, o.body[c >= EVEN]).sum() for o, c in zip(outcomes, chances, strict=True)]
    return {
        **{name: float(values.mean()) for name, values in table.items()},
        "ci": {
            name: [round(float(np.quantile(v, q)), 4) for q in (0.025, 0.975)] for name, v in table.items()
        },
        "findings": float(np.mean([c.right + c.false for c in counts])),
        "unknown": float(np.mean([int((~o.judged).sum()) for o in outcomes])),
        "recall_hidden": float(sum(found) / max(1, sum(len(o.lost) for o in outcomes))),
    }


def _calibrated(outcomes: Sequence[Outcome]) -> tuple[list[Array], dict[str, Any]]:
    """The chance of each finding, learnt on what held other bodies, and the calibration error.

    The same bodies come back in every draw, so whole bodies are held out, never single findings.
    """
    score = np.concatenate([o.score for o in outcomes])
    judged_here = np.concatenate([o.judged for o in outcomes])
    right = np.concatenate([o.right for o in outcomes])
    # Findings beside all bodies are told apart by the object that was found.
    body = np.concatenate([np.where(o.body >= 0, o.body, -1 - o.row) for o in outcomes])
    chance = score.copy()
    known, truth, group = score[judged_here], right[judged_here], body[judged_here]
    made = calibration.held_out(known, truth, group) if len(known) else None
    if made is not None:
        chance[judged_here] = made
        chance[~judged_here] = calibration.fit(known, truth, group).apply(score[~judged_here])
    ends = np.cumsum([len(o.score) for o in outcomes])[:-1]
    figures = {
        "ece": scoring.calibration_error(chance[judged_here], truth),
        "ece_raw": scoring.calibration_error(known, truth),
        "scored": int(judged_here.sum()),
    }
    return np.split(chance, ends), figures


def _by_size(trial: Trial, outcomes: Sequence[Outcome], chances: Sequence[Array]) -> dict[str, Any]:
    """Bodies without a visible intake, and findings on bodies, by the area of the body; over all draws."""
    area = shapely.area(trial.bodies)
    wanted = np.concatenate([o.wanted for o in outcomes])
    found = np.concatenate(
        [np.isin(o.wanted, o.body[c >= EVEN]) for o, c in zip(outcomes, chances, strict=True)]
    )
    shown = [(c >= EVEN) & (o.body >= 0) & o.judged for o, c in zip(outcomes, chances, strict=True)]
    on = np.concatenate([o.body[s] for o, s in zip(outcomes, shown, strict=True)])
    right = np.concatenate([o.right[s] for o, s in zip(outcomes, shown, strict=True)])
    return scoring.by_size(area[wanted], found, area[on], right)


def _peer(trial: Trial, given_hidden: Array) -> dict[str, float]:
    """The usual rule: water of NDWI > 0 with no intake within 100 m."""
    scene = trial.scene
    mask = evaluate.masks_by_peers(scene, "water_body")[0]["NDWI > 0"]
    drawn = evaluate.water_bodies(mask, scene, Options().min_water_m2, np.inf)
    shapes = gpd.GeoSeries(drawn, crs=scene.grid.crs).to_crs(trial.crs).to_numpy()
    if not len(shapes):
        return scoring.Counts(0, 0, float(len(trial.bodies))).figures()
    visible = trial.points.geometry.to_numpy()[~given_hidden]
    near, _ = shapely.STRtree(visible).query(shapes, predicate="dwithin", distance=100.0)
    free = np.setdiff1d(np.arange(len(shapes)), near)
    body = _belongs(shapes, trial.bodies)[free]
    served = np.unique(trial.owner[~given_hidden & (trial.owner >= 0)])
    lost = np.setdiff1d(np.unique(trial.owner[given_hidden & (trial.owner >= 0)]), served)
    wanted = np.setdiff1d(np.arange(len(trial.bodies)), served) if trial.known else lost
    states = np.array([_state(b, served, lost, trial.known) for b in body])
    found = np.intersect1d(wanted, body)
    return scoring.Counts(len(found), int((states == REGISTERED).sum()), len(wanted) - len(found)).figures()
