"""Jobs on record: put there, worked on, looked up, dismissed. Everything runs in the scope of who asked."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor, Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Services
from app.errors import NotFound, ShuituError
from app.logging import get
from app.ogc.processes import callbacks
from app.ogc.processes.process import Dismissed, Json, Result
from app.ogc.processes.registry import PROCESSES
from app.problems import UNEXPECTED, ProblemType, kind_of

log = get(__name__)
TASK = "run_process"
TELL = "run_callback"
KEPT_DAYS = 7
"""Results are kept so long."""
NOTE_EVERY_S = 0.5


def put(
    services: Services, session: Session, actor: Actor, process: str, request: Json, *, queue: bool
) -> UUID:
    """A new job; queued in the session's transaction, or to be worked on by the caller."""
    j = actor.jurisdiction
    job: UUID = session.execute(
        text("""insert into shuitu.process_jobs (process, request, actor_id, actor_name, actor_role, scope_lo, scope_hi, scope_basin)
                values (:process, cast(:request as jsonb), :actor_id, :name, :role, :lo, :hi, :basin) returning id"""),
        {
            "process": process,
            "request": json.dumps(request, ensure_ascii=False),
            "actor_id": actor.user_id,
            "name": actor.username,
            "role": actor.role.value,
            "lo": j.lo,
            "hi": j.hi,
            "basin": j.basin,
        },
    ).scalar_one()
    if queue:
        queued = services.defer(TASK, session, job_id=str(job))
        session.execute(
            text("update shuitu.process_jobs set queued_as = :q where id = :id"), {"q": queued, "id": job}
        )
    return job


def find(session: Session, job: UUID) -> Json:
    """Raises NotFound, also for a job outside the session's scope."""
    row = session.execute(text("select * from shuitu.process_jobs where id = :id"), {"id": job}).first()
    if row is None:
        raise NotFound(f"没有任务 {job} (no such job, or none that you may see)")
    return dict(row._mapping)


FILTERS = {
    "process": "process = any(:process)",
    "status": "status = any(:status)",
    "start": "created >= :start",
    "end": "created <= :end",
    "shortest": "coalesce(finished, now()) - started >= make_interval(secs => :shortest)",
    "longest": "coalesce(finished, now()) - started <= make_interval(secs => :longest)",
}


def listed(session: Session, asked: Mapping[str, Any], limit: int, skip: int) -> list[Json]:
    """The newest first, one more than the limit if there is one."""
    given = {name: value for name, value in asked.items() if value is not None}
    where = " and ".join(FILTERS[name] for name in given) or "true"
    rows = session.execute(
        text(
            f"select * from shuitu.process_jobs where {where} order by created desc, id limit :n offset :skip"
        ),
        {**given, "n": limit + 1, "skip": skip},
    )
    return [dict(row._mapping) for row in rows]


def folder_of(services: Services, job: UUID) -> Path:
    return services.settings.data_dir / "processes" / str(job)


def actor_of(record: Mapping[str, Any]) -> Actor:
    """Who asked, with the role and the scope of then."""
    where = Jurisdiction(record["scope_lo"], record["scope_hi"], record["scope_basin"])
    return Actor(record["actor_name"], Role(record["actor_role"]), where, record["actor_id"])


class _Reporter:
    """Notes progress on record, and stops the work once the job is dismissed."""

    def __init__(self, services: Services, job: UUID, actor: Actor) -> None:
        self.services, self.job, self.actor = services, job, actor
        self._noted = 0.0

    def __call__(self, share: float, step: str) -> None:
        if time.monotonic() - self._noted < NOTE_EVERY_S and share < 1:
            return
        self._noted = time.monotonic()
        with transaction(self.services.engine, self.actor) as session:
            kept = session.execute(
                text("""update shuitu.process_jobs set progress = greatest(progress, :progress), message = :step, updated = now()
                        where id = :id and status = 'running' returning 1"""),
                {"progress": max(0, min(99, round(share * 100))), "step": step[:200], "id": self.job},
            ).first()
        if kept is None:
            raise Dismissed


def work(services: Services, job: UUID) -> None:
    """Carry a job out. It can be killed at any instant and carried out again; a job that has ended stays as it is."""
    with transaction(services.engine, system("find-job")) as session:
        actor = actor_of(find(session, job))
    with transaction(services.engine, actor) as session:
        record = session.execute(
            text("""update shuitu.process_jobs set status = 'running', started = coalesce(started, now()), updated = now()
                    where id = :id and status in ('accepted', 'running') returning *"""),
            {"id": job},
        ).first()
    if record is None:
        return
    _say_that_it_runs(services, dict(record._mapping))
    folder = folder_of(services, job)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        made = PROCESSES[record.process].run(
            services, actor, record.request["inputs"], folder, _Reporter(services, job, actor)
        )
        kept = _end(services, job, actor, "successful", results=_stored(services, made))
    except Dismissed:
        _end(services, job, actor, "dismissed")
        kept = False
    except ShuituError as error:
        kept = _end(services, job, actor, "failed", problem=_problem(kind_of(error), str(error)))
    except Exception:
        log.exception("process failed", job=str(job))
        detail = "任务出现未预料的错误，详见日志 (unexpected error; see the log)"
        kept = _end(services, job, actor, "failed", problem=_problem(UNEXPECTED, detail))
    if not kept:  # dismissed, perhaps in its last moment
        shutil.rmtree(folder, ignore_errors=True)


def _say_that_it_runs(services: Services, record: Mapping[str, Any]) -> None:
    """Now or never: when the queue comes to it, the job has ended."""
    try:
        callbacks.tell(services.settings, record)
    except callbacks.Unreached as error:
        log.info("subscriber not told that its job runs", job=str(record["id"]), problem=str(error))


def tell(services: Services, job: UUID) -> None:
    """Tell the subscriber how its job ended. Raises callbacks.Unreached if that may work later."""
    with transaction(services.engine, system("find-job")) as session:
        try:
            record = find(session, job)
        except NotFound:  # expired
            return
    callbacks.tell(services.settings, record)


def _problem(kind: ProblemType, detail: str) -> Json:
    return {"slug": kind.slug, "title": kind.title, "status": kind.status, "detail": detail}


def _stored(services: Services, made: Mapping[str, Result]) -> Json:
    data = services.settings.data_dir
    return {
        name: {"media": one.media}
        | ({"value": one.value} if one.file is None else {"file": str(one.file.relative_to(data))})
        for name, one in made.items()
    }


def _end(
    services: Services,
    job: UUID,
    actor: Actor,
    status: str,
    *,
    results: Json | None = None,
    problem: Json | None = None,
) -> bool:
    """Note how it ended; False if it had ended already, dismissed by somebody."""
    with transaction(services.engine, actor) as session:
        found = session.execute(
            text("""update shuitu.process_jobs set status = :status, results = cast(:results as jsonb), problem = cast(:problem as jsonb),
                      progress = case when :status = 'successful' then 100 else progress end, message = :message,
                      finished = now(), updated = now()
                    where id = :id and status in ('accepted', 'running') returning *"""),
            {
                "status": status,
                "results": json.dumps(results or {}, ensure_ascii=False, default=str),
                "problem": json.dumps(problem, ensure_ascii=False) if problem else None,
                "message": problem["detail"][:500] if problem else "",
                "id": job,
            },
        ).first()
        # In the same transaction: whatever is killed then, it is told, before any long job that waits.
        if found is not None and callbacks.message(dict(found._mapping)):
            services.defer(TELL, session, priority=1, job_id=str(job))
    return found is not None


def dismiss(services: Services, session: Session, job: UUID) -> Json:
    """Stop a job, or throw away what it made. Raises NotFound."""
    record = find(session, job)
    session.execute(
        text("""update shuitu.process_jobs set status = 'dismissed', results = '{}', updated = now(),
                  finished = coalesce(finished, now()) where id = :id"""),
        {"id": job},
    )
    if record["queued_as"] is not None and record["status"] == "accepted":
        session.execute(
            text("select jobs.procrastinate_cancel_job_v1(:id, false, false)"), {"id": record["queued_as"]}
        )
    if record["status"] != "running":  # a worker takes its folder away itself
        shutil.rmtree(folder_of(services, job), ignore_errors=True)
    return find(session, job)


def expire(services: Services) -> int:
    """Take away jobs that ended long ago, with their files; returns how many.

    Also those that nobody works on any more: a client's own, cut off with the server that carried it out.
    """
    with transaction(services.engine, system("expire-jobs")) as session:
        old = session.execute(
            text("delete from shuitu.process_jobs where coalesce(finished, updated) < now() - make_interval(days => :days) returning id"),
            {"days": KEPT_DAYS},
        ).scalars().all()  # fmt: skip
    for job in old:
        shutil.rmtree(folder_of(services, job), ignore_errors=True)
    return len(old)
