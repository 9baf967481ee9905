"""Long work as jobs in PostgreSQL (procrastinate). A job is queued in the transaction that asks for it."""

import json
from typing import Any

import procrastinate
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import text
from sqlalchemy.orm import Session

QUEUE = "shuitu"


def defer(task: str, session: Session, *, priority: int = 0, **arguments: Any) -> int:
    """Queue `task` with these JSON arguments; it exists once the session's transaction commits.

    Of what waits, the highest `priority` goes first.

    Returns the job's id.
    """
    job: int = session.execute(
        text(
            "select (jobs.procrastinate_defer_jobs_v1(array[row("
            ":queue, :task, :priority, null, null, cast(:arguments as jsonb), null)::jobs.procrastinate_job_to_defer_v1]))[1]"
        ),
        {"queue": QUEUE, "task": task, "priority": priority, "arguments": json.dumps(arguments)},
    ).scalar_one()
    return job


def connect(dsn: str) -> procrastinate.App:
    """The library's application on the service role's connections; opened by `app.worker`."""
    options = f"{conninfo_to_dict(dsn).get('options') or ''} -c search_path=jobs,public".strip()
    return procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=make_conninfo(dsn, options=options))
    )
