"""Runs over imagery: the scenes of each place go in, candidates for a person to judge come out as places are finished."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor, Jurisdiction, Role
from app.errors import Conflict, NotFound
from app.screening import areas, queries
from app.screening.running import Cancelled, note, run
from app.screening.schemas import RunOptions

__all__ = ["Cancelled", "actor_of", "cancel", "resume", "run", "start"]


def start(
    session: Session,
    actor: Actor,
    scene_ids: Sequence[int],
    aoi: dict[str, Any] | None,
    options: RunOptions | None = None,
) -> int:
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
            text("""insert into shuitu.detection_runs (scene_ids, aoi, options, actor_id, actor_name, scope_lo, scope_hi, scope_basin)
                    values (:scenes, st_multi(st_geomfromtext(:aoi, 4490)), cast(:options as jsonb), :actor_id, :actor_name,
                            :lo, :hi, :basin) returning id"""),
            {
                "scenes": list(dict.fromkeys(scene_ids)),
                "aoi": areas.polygon(aoi, "aoi").wkt if aoi else None,
                "options": (options or RunOptions()).model_dump_json(exclude_none=True),
                "actor_id": actor.user_id,
                "actor_name": actor.username,
                "lo": j.lo,
                "hi": j.hi,
                "basin": j.basin,
            },
        ).scalar_one()
    )


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


def cancel(session: Session, run_id: int) -> dict[str, Any]:
    """Stop a run that has not ended; what it found so far stays. Raises Conflict if it has ended."""
    record = queries.run(session, run_id)
    if record["state"] not in ("waiting", "running"):
        raise Conflict(f"任务已结束 (the run is {record['state']})", state=record["state"])
    note(session, run_id, state="cancelled")
    return queries.run(session, run_id)


def resume(session: Session, run_id: int) -> dict[str, Any]:
    """Let a run that was cancelled or failed go on with the places that are left or failed. Raises Conflict otherwise."""
    record = queries.run(session, run_id)
    incomplete = record["state"] == "done" and record["parts_failed"]
    if record["state"] not in ("cancelled", "failed") and not incomplete:
        raise Conflict(
            f"任务 {run_id} 没有可继续的部分 (the run is {record['state']}: nothing is left of it)",
            state=record["state"],
        )
    session.execute(
        text("update shuitu.detection_parts set state = 'waiting', problem = null, left_out = '[]' "
             "where run_id = :id and state = 'failed'"),
        {"id": run_id},
    )  # fmt: skip
    note(session, run_id, state="waiting", problem=None)
    session.execute(
        text("update shuitu.detection_runs set finished_at = null where id = :id"), {"id": run_id}
    )
    return queries.run(session, run_id)
