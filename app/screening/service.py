"""Runs over imagery: the intakes of the footprint go in, candidates for a person to judge come out."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.geometry import shape
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor, Jurisdiction, Role
from app.changes import service as changes
from app.db.engine import transaction
from app.deps import Services
from app.errors import Conflict, InvalidInput, NotFound, ShuituError
from app.imagery import service as imagery
from app.logging import get
from app.regions import locate
from app.screening import queries, rules
from app.screening.schemas import Decision

if TYPE_CHECKING:
    import geopandas as gpd

    from remote_sensing.pipeline import Candidate, Detection, Options

log = get(__name__)
Progress = Callable[[float, str], None]
MARGIN_DEGREES = 0.05
"""Intakes this far outside the scene may still serve what lies in it (about 5 km)."""


def start(session: Session, actor: Actor, scene_ids: Sequence[int], aoi: dict[str, Any] | None) -> int:
    """Put a run on record; returns its id. Raises NotFound for a scene that is not there, InvalidInput for a bad area."""
    known = set(
        session.execute(
            text("select id from shuitu.scenes where id = any(:ids)"), {"ids": list(scene_ids)}
        ).scalars()
    )
    if missing := [i for i in scene_ids if i not in known]:
        raise NotFound(f"没有影像 {missing[0]} (no such scene)")
    j = actor.jurisdiction
    return int(
        session.execute(
            text("""insert into shuitu.detection_runs (scene_ids, aoi, actor_id, actor_name, scope_lo, scope_hi, scope_basin)
                    values (:scenes, st_multi(st_geomfromtext(:aoi, 4490)), :actor_id, :actor_name, :lo, :hi, :basin) returning id"""),
            {
                "scenes": list(scene_ids),
                "aoi": _area(aoi).wkt if aoi else None,
                "actor_id": actor.user_id,
                "actor_name": actor.username,
                "lo": j.lo,
                "hi": j.hi,
                "basin": j.basin,
            },
        ).scalar_one()
    )


def _area(geojson: dict[str, Any]) -> shapely.Geometry:
    """A polygon from GeoJSON: a geometry, a feature, or a collection whose polygons are joined."""
    try:
        if geojson.get("type") == "FeatureCollection":
            area = shapely.union_all([shape(f["geometry"]) for f in geojson["features"]])
        else:
            area = shape(geojson.get("geometry", geojson))
    except (KeyError, ValueError, TypeError, AttributeError, shapely.errors.ShapelyError):
        raise InvalidInput(
            "aoi 应为 GeoJSON 面 (the area should be a GeoJSON polygon)", field="aoi"
        ) from None
    if area.geom_type not in ("Polygon", "MultiPolygon") or area.is_empty:
        raise InvalidInput(
            f"aoi 应为面，得到 {area.geom_type} (the area should be a polygon)",
            field="aoi",
            value=area.geom_type,
        )
    return shapely.make_valid(area)


def actor_of(session: Session, run_id: int) -> Actor:
    """The one who asked for the run: it works in that scope. Raises NotFound."""
    row = session.execute(
        text(
            "select actor_id, actor_name, scope_lo, scope_hi, scope_basin from shuitu.detection_runs where id = :id"
        ),
        {"id": run_id},
    ).first()
    if row is None:
        raise NotFound(f"没有比对任务 {run_id} (no such run)")
    where = Jurisdiction(row.scope_lo, row.scope_hi, row.scope_basin)
    return Actor(row.actor_name, Role.ANALYST, where, row.actor_id)


class Cancelled(Exception):
    """Someone cancelled the run while it worked."""


def run(
    services: Services,
    run_id: int,
    actor: Actor,
    progress: Progress = lambda share, step: None,
    options: Options | None = None,
) -> dict[str, Any]:
    """Carry a run out. It can be killed and run again: candidates appear all at once at its end.

    Raises InvalidInput (the run is then `failed`, with the sentence on record) if a scene cannot be read.
    """
    # Imported here: only a run needs the detection, and a web process is a hundred megabytes lighter without it.
    from remote_sensing.pipeline import Options, detect
    from remote_sensing.scene import SceneError

    out = services.settings.data_dir / "screening" / f"run-{run_id}"
    out.mkdir(parents=True, exist_ok=True)
    with transaction(services.engine, actor) as session:
        record = queries.run(session, run_id)
        if record["state"] in ("done", "cancelled"):
            return record
        _note(session, run_id, state="running", progress=0.0, problem=None)
        scenes = [imagery.load(session, scene_id) for scene_id in record["scene_ids"]]
        wkt = session.execute(
            text("select st_astext(aoi) from shuitu.detection_runs where id = :id"), {"id": run_id}
        ).scalar_one()
        aoi = shapely.from_wkt(wkt) if wkt else None
        area = aoi if aoi is not None else shapely.union_all([scene.footprint for scene in scenes])
        intakes = intakes_near(session, area)
    report = _Reporter(services, run_id, actor, progress)
    try:
        found = detect(scenes, intakes, aoi=aoi, options=options or Options(), out=out, progress=report)
        generated = any(scene.generated for scene in scenes)
        with transaction(services.engine, actor) as session:
            counts = store(session, actor, run_id, found, out, services.settings.data_dir, generated)
            _note(
                session,
                run_id,
                state="done",
                progress=1.0,
                method=found.method,
                facts=json.dumps({**found.facts, **counts}, ensure_ascii=False),
                report_path=str((out / found.report).relative_to(services.settings.data_dir))
                if found.report
                else None,
            )
            session.execute(
                text("update shuitu.detection_runs set finished_at = now() where id = :id"), {"id": run_id}
            )
            return queries.run(session, run_id)
    except Cancelled:
        with transaction(services.engine, actor) as session:
            return queries.run(session, run_id)
    except SceneError as error:
        _fail(services, run_id, actor, str(error))
        raise InvalidInput(str(error)) from None
    except ShuituError as error:
        _fail(services, run_id, actor, str(error))
        raise
    except Exception:
        log.exception("detection failed", run_id=run_id)
        _fail(services, run_id, actor, "比对时出现未预料的错误，详见日志 (unexpected error; see the log)")
        raise


def _fail(services: Services, run_id: int, actor: Actor, problem: str) -> None:
    with transaction(services.engine, actor) as session:
        _note(session, run_id, state="failed", problem=problem)


def _note(session: Session, run_id: int, **columns: Any) -> None:
    sets = ", ".join(
        f"{name} = cast(:{name} as jsonb)" if name == "facts" else f"{name} = :{name}" for name in columns
    )
    session.execute(
        text(f"update shuitu.detection_runs set {sets} where id = :id"), {**columns, "id": run_id}
    )


class _Reporter:
    """Writes progress to the run's row, at most once a second, and stops the run when it was cancelled."""

    def __init__(self, services: Services, run_id: int, actor: Actor, then: Progress) -> None:
        self._services, self._run_id, self._actor, self._then = services, run_id, actor, then
        self._last = 0.0

    def __call__(self, share: float, step: str) -> None:
        self._then(share, step)
        if time.monotonic() - self._last < 1:
            return
        self._last = time.monotonic()
        with transaction(self._services.engine, self._actor) as session:
            state = session.execute(
                text("update shuitu.detection_runs set progress = :p where id = :id returning state"),
                {"p": min(share, 0.99), "id": self._run_id},
            ).scalar()
        if state == "cancelled":
            raise Cancelled


def intakes_near(session: Session, area: shapely.Geometry) -> gpd.GeoDataFrame:
    """The intakes that could serve what lies in the area (EPSG:4490), with the permits in force behind them."""
    import geopandas as gpd
    import pandas as pd

    west, south, east, north = shapely.bounds(area)
    rows = session.execute(
        text("""
        select i.id, i.code, i.name, i.holder_name, i.source_type, i.status, i.permit_state, i.purpose,
               coalesce(i.position_error_m, 0) as position_error_m, st_x(i.geom) as lon, st_y(i.geom) as lat,
               coalesce(p.in_force, false) as has_valid_permit, p.permitted_m3
        from shuitu.intakes i
        left join lateral (
          select bool_or(p.status = 'valid' and (p.valid_to is null or p.valid_to >= current_date)) as in_force,
                 sum(p.annual_volume_m3) filter (where p.status = 'valid' and (p.valid_to is null or p.valid_to >= current_date))
                   as permitted_m3
          from shuitu.permit_intakes pi join shuitu.permits p on p.id = pi.permit_id
          where pi.intake_id = i.id and pi.valid_to is null) p on true
        where i.geom && st_makeenvelope(:w, :s, :e, :n, 4490)"""),
        {
            "w": west - MARGIN_DEGREES,
            "s": south - MARGIN_DEGREES,
            "e": east + MARGIN_DEGREES,
            "n": north + MARGIN_DEGREES,
        },
    )
    frame = pd.DataFrame(rows.all(), columns=list(rows.keys()))
    frame["permitted_m3"] = pd.to_numeric(frame["permitted_m3"], errors="coerce").astype(np.float64)
    frame["position_error_m"] = frame["position_error_m"].astype(np.float64)
    frame["has_valid_permit"] = frame["has_valid_permit"].astype(bool)
    return gpd.GeoDataFrame(
        frame.drop(columns=["lon", "lat"]),
        geometry=gpd.points_from_xy(frame["lon"], frame["lat"]),
        crs="EPSG:4490",
    )


def store(
    session: Session,
    actor: Actor,
    run_id: int,
    found: Detection,
    out: Path,
    data_dir: Path,
    generated: bool,
) -> dict[str, int]:
    """Write the candidates that are new; bring up to date those still suspected; leave alone those decided."""
    counties = locate.load(session)
    points = [shapely.point_on_surface(c.geometry) for c in found.candidates]
    codes = counties.county_of(
        np.array([p.x for p in points], np.float64), np.array([p.y for p in points], np.float64)
    )
    known = _known(session, found.candidates)
    counts = {"new": 0, "updated": 0, "decided_before": 0, "outside_jurisdiction": 0}
    touched: set[int] = set()
    folder = out.relative_to(data_dir)
    j = actor.jurisdiction
    for candidate, code in zip(found.candidates, codes.tolist(), strict=True):
        if not (j.lo <= code < j.hi or j.basin is not None):
            counts["outside_jurisdiction"] += 1
            continue
        before = known(candidate)
        if before is not None and before.state != "suspected":
            counts["decided_before"] += 1
            continue
        values = _values(candidate, folder, found.facts) | {"run_id": run_id, "generated": generated}
        if before is not None:
            session.execute(text(UPDATE), values | {"id": before.id})
            counts["updated"] += 1
        else:
            session.execute(text(INSERT), values | {"county_code": code, "basin_id": j.basin})
            counts["new"] += 1
        touched.add(code)
    for code in sorted(touched):
        changes.record(
            session, actor.username, "candidates", "detect", code, basin_id=j.basin, facts={"run": run_id}
        )
    return counts


COLUMNS = [
    "run_id",
    "kind",
    "category",
    "score",
    "area_m2",
    "volume_m3",
    "volume_lo_m3",
    "volume_hi_m3",
    "acquired_at",
    "nearest_intake_id",
    "nearest_intake_m",
    "nearest_permitted_id",
    "nearest_permitted_m",
    "evidence",
    "reasons",
    "chip_before",
    "chip_after",
    "generated",
]
CAST = {"evidence": "cast(:evidence as jsonb)", "reasons": "cast(:reasons as jsonb)"}
SHAPE = "st_multi(st_geomfromtext(:wkt, 4490))"
INSERT = f"""
insert into shuitu.candidates (id, code, county_code, basin_id, {", ".join(COLUMNS)}, geom) overriding system value
select n, 'YG-' || lpad(n::text, 6, '0'), :county_code, :basin_id, {", ".join(CAST.get(c, ":" + c) for c in COLUMNS)}, {SHAPE}
from nextval(pg_get_serial_sequence('shuitu.candidates', 'id')) n"""
UPDATE = f"""
update shuitu.candidates set {", ".join(f"{c} = {CAST.get(c, ':' + c)}" for c in COLUMNS)}, geom = {SHAPE},
  version = version + 1, recorded_at = now() where id = :id"""


def _values(c: Candidate, folder: Path, run: dict[str, Any]) -> dict[str, Any]:
    # Whoever sees the candidate must know what its pictures show, even if the run was the nation's.
    scenes = {"scene": run["scene"], "previous": run["previous"]}

    def number(value: float | None) -> float | None:
        return None if value is None or math.isnan(value) else float(value)

    return {
        "kind": c.kind,
        "category": c.category,
        "score": float(c.score),
        "area_m2": float(c.area_m2),
        "volume_m3": number(c.volume_m3),
        "volume_lo_m3": number(c.volume_lo_m3),
        "volume_hi_m3": number(c.volume_hi_m3),
        "acquired_at": c.acquired_at,
        "nearest_intake_id": c.nearest_intake_id,
        "nearest_intake_m": number(c.nearest_intake_m),
        "nearest_permitted_id": c.nearest_permitted_id,
        "nearest_permitted_m": number(c.nearest_permitted_m),
        "evidence": json.dumps({**c.evidence, **scenes}, ensure_ascii=False),
        "reasons": json.dumps(list(c.reasons), ensure_ascii=False),
        "chip_before": str(folder / c.chip_before) if c.chip_before else None,
        "chip_after": str(folder / c.chip_after) if c.chip_after else None,
        "wkt": c.geometry.wkt,
    }


def _known(session: Session, candidates: Sequence[Candidate]) -> Callable[[Candidate], Any]:
    """Looks up the earlier finding that a candidate is, by kind and overlap."""
    if not candidates:
        return lambda candidate: None
    west, south, east, north = shapely.total_bounds([c.geometry for c in candidates])
    rows = session.execute(
        text("""select id, kind, state, st_asbinary(geom) as wkb from shuitu.candidates
                where geom && st_makeenvelope(:w, :s, :e, :n, 4490)"""),
        {"w": west, "s": south, "e": east, "n": north},
    ).all()
    shapes = np.array([shapely.from_wkb(bytes(row.wkb)) for row in rows], dtype=object)
    tree = shapely.STRtree(shapes)

    def lookup(candidate: Candidate) -> Any:
        best, share = None, rules.SAME_PLACE
        for i in tree.query(candidate.geometry):
            if rows[i].kind == candidate.kind:
                common = shapely.intersection(shapes[i], candidate.geometry).area
                union = shapes[i].area + candidate.geometry.area - common
                if union and common / union > share:
                    best, share = rows[i], common / union
        return best

    return lookup


def decide(
    session: Session, actor: Actor, candidate_id: int, decision: Decision, note: str, version: int
) -> dict[str, Any]:
    """Put a person's judgement on record. Raises NotFound, and Conflict if the candidate changed meanwhile."""
    row = session.execute(
        text("select state, version, county_code, basin_id from shuitu.candidates where id = :id for update"),
        {"id": candidate_id},
    ).first()
    if row is None:
        raise NotFound(f"没有线索 {candidate_id} (no such candidate)")
    if row.version != version:
        raise Conflict(
            "线索已被他人更新，请刷新后再判定 (someone changed this candidate meanwhile: load it again)",
            version=row.version,
        )
    state = rules.after(row.state, decision)
    session.execute(
        text("""update shuitu.candidates set state = :state, version = version + 1, decision_note = :note,
                  decided_by = case when :reopen then null else :name end,
                  decided_at = case when :reopen then null else now() end where id = :id"""),
        {
            "state": state,
            "note": note,
            "reopen": decision == "reopen",
            "name": actor.username,
            "id": candidate_id,
        },
    )
    session.execute(
        text("""insert into shuitu.candidate_decisions (candidate_id, decision, note, actor_id, actor_name, county_code, basin_id)
                values (:id, :decision, :note, :actor_id, :actor_name, :county, :basin)"""),
        {
            "id": candidate_id,
            "decision": decision,
            "note": note,
            "actor_id": actor.user_id,
            "actor_name": actor.username,
            "county": row.county_code,
            "basin": row.basin_id,
        },
    )
    changes.record(
        session,
        actor.username,
        "candidates",
        "decide",
        row.county_code,
        basin_id=row.basin_id,
        entity_id=candidate_id,
        facts={"decision": decision},
    )
    return queries.one(session, candidate_id)


def cancel(session: Session, run_id: int) -> dict[str, Any]:
    """Stop a run that has not ended. Raises Conflict if it has."""
    record = queries.run(session, run_id)
    if record["state"] not in ("waiting", "running"):
        raise Conflict(f"任务已结束 (the run is {record['state']})", state=record["state"])
    _note(session, run_id, state="cancelled")
    return queries.run(session, run_id)
