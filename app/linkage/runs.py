"""Runs of the linkage on record: asked for, read, stopped. What a run does is `running`, which web processes do not need."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor, Jurisdiction, Role
from app.errors import Conflict, InvalidInput, NotFound
from app.settings import Settings


def start(
    session: Session,
    actor: Actor,
    settings: Settings,
    region: str = "",
    confirm_at: float | None = None,
    doubt_at: float | None = None,
) -> int:
    """Put a run on record; returns its id. Thresholds that are not given are those of the settings.

    Raises InvalidInput for thresholds out of order or a region outside the scope.
    """
    upper = settings.link_confirm_at if confirm_at is None else confirm_at
    lower = min(settings.link_doubt_at, upper) if doubt_at is None else doubt_at
    if lower > upper:
        raise InvalidInput(
            f"下限 {lower} 高于上限 {upper} (the lower threshold is above the upper one)",
            field="doubt_at",
            value=lower,
        )
    j = _within(actor, region)
    return int(
        session.execute(
            text("""insert into shuitu.link_runs (region, confirm_at, doubt_at, actor_id, actor_name, actor_role, scope_lo, scope_hi, scope_basin)
                    values (:region, :upper, :lower, :actor_id, :who, :role, :lo, :hi, :basin) returning id"""),
            {
                "region": region, "upper": upper, "lower": lower, "actor_id": actor.user_id, "who": actor.username,
                "role": actor.role, "lo": j.lo, "hi": j.hi, "basin": j.basin,
            },
        ).scalar_one()
    )  # fmt: skip


def _within(actor: Actor, region: str) -> Jurisdiction:
    """The part of the actor's jurisdiction that is asked for."""
    mine = actor.jurisdiction
    if not region:
        return mine
    wanted = Jurisdiction.of_region(region)
    if mine.basin is None and not (mine.lo <= wanted.lo and wanted.hi <= mine.hi):
        raise InvalidInput(
            f"{region} 不在您的辖区内 (lies outside your jurisdiction)", field="region", value=region
        )
    return mine if mine.basin is not None else wanted


def actor_of(session: Session, run_id: int) -> Actor:
    """The one who asked for the run, in the scope that was asked for. Raises NotFound."""
    row = find(session, run_id)
    where = Jurisdiction(row["scope_lo"], row["scope_hi"], row["scope_basin"])
    return Actor(row["actor_name"], Role(row["actor_role"]), where, row["actor_id"])


COLUMNS = """id, state, progress, step, region, confirm_at, doubt_at, facts, problem, actor_name, actor_id, actor_role, scope_lo, scope_hi,
  scope_basin, counties_done, created_at, finished_at"""


def find(session: Session, run_id: int) -> dict[str, Any]:
    """One run, without its model. Raises NotFound."""
    row = session.execute(
        text(f"select {COLUMNS} from shuitu.link_runs where id = :id"), {"id": run_id}
    ).first()
    if row is None:
        raise NotFound(f"没有比对任务 {run_id} (no such run of the linkage)")
    return dict(row._mapping)


def latest(session: Session, limit: int) -> list[dict[str, Any]]:
    """Runs, the newest first."""
    rows = session.execute(
        text(f"select {COLUMNS} from shuitu.link_runs order by id desc limit :n"), {"n": limit}
    )
    return [dict(row._mapping) for row in rows]


def cancel(session: Session, run_id: int) -> dict[str, Any]:
    """Stop a run; counties that are written stay. Raises Conflict if it has ended."""
    record = find(session, run_id)
    if record["state"] not in ("waiting", "running"):
        raise Conflict(f"任务已结束 (the run is {record['state']})", state=record["state"])
    note(session, run_id, state="cancelled")
    return find(session, run_id)


def note(session: Session, run_id: int, **columns: Any) -> None:
    sets = ", ".join(
        f"{name} = cast(:{name} as jsonb)" if name in ("facts", "model") else f"{name} = :{name}"
        for name in columns
    )
    session.execute(text(f"update shuitu.link_runs set {sets} where id = :id"), {**columns, "id": run_id})
