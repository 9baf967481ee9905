"""What a run found becomes candidates: new ones, or the ones that are known already."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor
from app.changes import service as changes
from app.regions import agencies, locate
from app.screening import calibrating, rules

if TYPE_CHECKING:
    from remote_sensing.pipeline import Candidate, Detection

COUNTED = ("new", "updated", "decided_before", "outside_jurisdiction")


def store(
    session: Session, actor: Actor, run_id: int, part: int, found: Detection, folder: str, *, generated: bool
) -> dict[str, int]:
    """Write the candidates that are new; bring up to date those still open; leave alone what people decided or drew.

    `folder`: of the pictures, below the data folder. Returns how many became what (`COUNTED`).
    """
    counties = locate.load(session)
    points = [shapely.point_on_surface(c.geometry) for c in found.candidates]
    codes = counties.county_of(
        np.array([p.x for p in points], np.float64), np.array([p.y for p in points], np.float64)
    )
    basins = agencies.of_places(session, [p.x for p in points], [p.y for p in points], codes.tolist())
    known = _known(session, found.candidates)
    calibrated = calibrating.in_use(session, actor.jurisdiction)
    counts = dict.fromkeys(COUNTED, 0)
    touched: set[tuple[int, int]] = set()
    j = actor.jurisdiction
    for candidate, code, basin in zip(found.candidates, codes.tolist(), basins, strict=True):
        if not (j.lo <= code < j.hi or j.basin is not None):
            counts["outside_jurisdiction"] += 1
            continue
        before = known(candidate)
        if before is not None and (before.state != "suspected" or before.redrawn):
            counts["decided_before"] += 1
            continue
        values = _values(candidate, folder, found.facts) | {
            "run_id": run_id, "run_part": part, "generated": generated,
            "score": calibrated(candidate.raw_score, candidate.score),
            # What an agency finds is its own; others find for the agency of the place.
            "basin_id": j.basin or basin,
        }  # fmt: skip
        if before is not None:
            session.execute(text(UPDATE), values | {"id": before.id})
            counts["updated"] += 1
        else:
            session.execute(text(INSERT), values | {"county_code": code})
            counts["new"] += 1
        touched.add((code, values["basin_id"] or 0))
    for code, agency in sorted(touched):
        changes.record(
            session,
            actor.username,
            "candidates",
            "detect",
            code,
            basin_id=agency or None,
            facts={"run": run_id},
        )
    return counts


COLUMNS = [
    "run_id", "run_part", "kind", "category", "score", "raw_score", "area_m2", "volume_m3", "volume_lo_m3", "volume_hi_m3",
    "volume_method", "acquired_at", "nearest_intake_id", "nearest_intake_m", "nearest_permitted_id", "nearest_permitted_m",
    "serving_intake_ids", "permitted_m3", "evidence", "reasons", "profile", "chip_before", "chip_after", "generated",
]  # fmt: skip
CAST = {name: f"cast(:{name} as jsonb)" for name in ("evidence", "reasons", "profile")}
SHAPE = "st_multi(st_geomfromtext(:wkt, 4490))"
INSERT = f"""
insert into shuitu.candidates (id, code, county_code, basin_id, {", ".join(COLUMNS)}, geom) overriding system value
select n, 'YG-' || lpad(n::text, 6, '0'), :county_code, :basin_id, {", ".join(CAST.get(c, ":" + c) for c in COLUMNS)}, {SHAPE}
from nextval(pg_get_serial_sequence('shuitu.candidates', 'id')) n"""
UPDATE = f"""
update shuitu.candidates set {", ".join(f"{c} = {CAST.get(c, ':' + c)}" for c in COLUMNS)}, geom = {SHAPE},
  basin_id = coalesce(basin_id, :basin_id), version = version + 1, recorded_at = now() where id = :id"""


def _values(c: Candidate, folder: str, run: dict[str, Any]) -> dict[str, Any]:
    # Whoever sees the candidate must know what its pictures show, even if the run was the nation's.
    scenes = {"scene": run["scene"], "previous": run["previous"]}

    def number(value: float | None) -> float | None:
        return None if value is None or math.isnan(value) else float(value)

    def words(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    return {
        "kind": c.kind,
        "category": c.category,
        "raw_score": float(c.raw_score),
        "area_m2": float(c.area_m2),
        "volume_m3": number(c.volume_m3),
        "volume_lo_m3": number(c.volume_lo_m3),
        "volume_hi_m3": number(c.volume_hi_m3),
        "volume_method": c.volume_method,
        "acquired_at": c.acquired_at,
        "nearest_intake_id": c.nearest_intake_id,
        "nearest_intake_m": number(c.nearest_intake_m),
        "nearest_permitted_id": c.nearest_permitted_id,
        "nearest_permitted_m": number(c.nearest_permitted_m),
        "serving_intake_ids": list(c.serving_intake_ids),
        "permitted_m3": number(c.permitted_m3),
        "evidence": words({**c.evidence, **scenes}),
        "reasons": words(list(c.reasons)),
        "profile": words([point.told() for point in c.profile]),
        "chip_before": str(Path(folder) / c.chip_before) if c.chip_before else None,
        "chip_after": str(Path(folder) / c.chip_after) if c.chip_after else None,
        "wkt": c.geometry.wkt,
    }


def _known(session: Session, candidates: Sequence[Candidate]) -> Callable[[Candidate], Any]:
    """Looks up the earlier finding that a candidate is, by kind and overlap."""
    if not candidates:
        return lambda candidate: None
    west, south, east, north = shapely.total_bounds([c.geometry for c in candidates])
    rows = session.execute(
        text("""select id, kind, state, redrawn, st_asbinary(geom) as wkb from shuitu.candidates
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
