"""The one way files come in: read, check, stage, apply. Killed at any instant, it goes on where it was."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor, Jurisdiction, Role
from app.db.engine import driver_of, transaction
from app.deps import Services
from app.errors import Conflict, InvalidInput, NotAllowed, NotFound, ShuituError
from app.imports import staging
from app.imports.kind import Chunk, ImportKind, Scope
from app.imports.mapping import Mapping as FileMapping
from app.imports.models import Import
from app.imports.raw import EXCESS, RawChunk
from app.logging import get

if TYPE_CHECKING:
    import pandas as pd

log = get(__name__)
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Submission:
    """A file that someone wants imported."""

    kind: str
    path: Path
    filename: str
    mapping: FileMapping


def submit(session: Session, actor: Actor, submission: Submission, uploads: Path | None) -> Import:
    """Put an import on record, waiting to run; with `uploads` the file is moved there first.

    Raises NotAllowed if the actor has no jurisdiction.
    """
    if actor.jurisdiction == Jurisdiction.nowhere():
        raise NotAllowed("导入需要辖区 (an import needs a jurisdiction)")
    identifier = uuid4()
    stored = submission.path.resolve()
    if uploads is not None:
        folder = uploads / str(identifier)
        folder.mkdir(parents=True)
        stored = folder / Path(submission.filename).name
        shutil.move(submission.path, stored)
    if not stored.is_file():
        raise InvalidInput(f"没有文件 {submission.path} (there is no such file)", file=submission.filename)
    j = actor.jurisdiction
    made = Import(
        id=identifier,
        kind=submission.kind,
        filename=submission.filename,
        stored_as=str(stored),
        sha256=_digest(stored),
        mapping=submission.mapping.model_dump(mode="json"),
        actor_id=actor.user_id,
        actor_name=actor.username,
        scope_lo=j.lo,
        scope_hi=j.hi,
        scope_basin=j.basin,
    )
    session.add(made)
    session.flush()
    session.refresh(made)
    return made


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find(session: Session, import_id: UUID) -> Import:
    """Raises NotFound if there is none, or none that the scope shows."""
    found = session.get(Import, import_id)
    if found is None:
        raise NotFound(f"没有导入批次 {import_id} (no such import)")
    return found


def actor_of(record: Import) -> Actor:
    """The one who asked for it: the import runs in that scope."""
    return Actor(
        record.actor_name,
        Role.OFFICER,
        Jurisdiction(record.scope_lo, record.scope_hi, record.scope_basin),
        record.actor_id,
    )


def run(
    services: Services,
    kinds: Mapping[str, ImportKind],
    import_id: UUID,
    actor: Actor,
    progress: Progress = lambda done, total: None,
) -> Import:
    """Carry an import to its end, from wherever it stands.

    An expected failure ends it as `failed` with the sentence on record, and is raised.
    """
    with transaction(services.engine, actor) as session:
        record = find(session, import_id)
        if record.state in ("done", "cancelled"):
            return record
        record.state, record.problem = "staging", None
        record.started_at = record.started_at or datetime.now(UTC)
    kind = kinds[record.kind]
    try:
        _read(services, kind, record, actor, progress)
        return _apply(services, kind, record, actor)
    except Cancelled:
        return _end(services, record, actor, "cancelled", "已取消 (cancelled)")
    except ShuituError as error:
        _end(services, record, actor, "failed", str(error))
        raise
    except Exception as error:
        log.exception("import failed", import_id=str(import_id))
        _end(
            services,
            record,
            actor,
            "failed",
            "导入时出现未预料的错误，未作任何更改，详见日志 (unexpected error; nothing was changed; see the log)",
        )
        raise error


class Cancelled(Exception):
    """Someone cancelled the import while it ran."""


def _read(services: Services, kind: ImportKind, record: Import, actor: Actor, progress: Progress) -> None:
    # Here, for what reads files is 200 MB, and web processes only take uploads.
    from app.imports.interpret import Interpreter
    from app.imports.reader import chunks, count_rows

    """Stage all rows that are not staged yet."""
    mapping = FileMapping.model_validate(record.mapping)
    path = Path(record.stored_as)
    total = count_rows(path, mapping)
    with transaction(services.engine, actor) as session:
        done = _resume_point(session, kind, record)
        session.execute(
            text("update shuitu.imports set rows_total = :n where id = :id"), {"n": total, "id": record.id}
        )
        known = kind.prepare(session)
        columns = staging.columns_of(session, kind.staging)
    scope = Scope(record.scope_lo, record.scope_hi, record.scope_basin)
    lookup = _lookup(mapping, path)
    interpreter: Interpreter | None = None
    for raw in chunks(path, mapping, done):
        joined = _joined(raw, mapping, lookup)
        interpreter = interpreter or Interpreter(
            kind, mapping, list(joined.texts.columns), joined.geometry is not None
        )
        chunk = interpreter.chunk(joined)
        chunk.issues.extend(kind.check(chunk, Known(known, scope, mapping)))
        with transaction(services.engine, actor) as session:
            _store(session, kind, record, joined, chunk, columns)
        progress(raw.first_row + len(raw.texts) - 1, total)
    if interpreter is None and not done:
        raise InvalidInput(f"{record.filename} 没有数据行 (has no rows)", file=record.filename)


@dataclass(frozen=True)
class Known:
    """What a check may look at beside the rows: what its kind prepared, whose import it is, and the mapping."""

    facts: object
    scope: Scope
    mapping: FileMapping


def _resume_point(session: Session, kind: ImportKind, record: Import) -> int:
    """Rows that need not be read again. Staging is unlogged: if the server crashed, everything starts anew."""
    rejected = session.execute(
        text(
            "select count(distinct row_no) from shuitu.import_rejects where import_id = :id and severity = 'reject'"
        ),
        {"id": record.id},
    ).scalar_one()
    if record.rows_read and staging.staged(session, kind, record.id) + rejected == record.rows_read:
        return record.rows_read
    staging.forget(session, kind, record.id)
    session.execute(text("delete from shuitu.import_rejects where import_id = :id"), {"id": record.id})
    session.execute(
        text("update shuitu.imports set rows_read = 0, rows_rejected = 0, rows_warned = 0 where id = :id"),
        {"id": record.id},
    )
    return 0


def _store(
    session: Session, kind: ImportKind, record: Import, raw: RawChunk, chunk: Chunk, columns: list[str]
) -> None:
    staged = staging.stage(session, kind, record.id, chunk, columns)
    staging.keep_issues(session, record.id, chunk.issues, raw)
    row = session.execute(
        text(
            "update shuitu.imports set rows_read = rows_read + :read, rows_rejected = rows_rejected + :bad, "
            "rows_warned = rows_warned + :warned, heartbeat_at = now() where id = :id returning state"
        ),
        {
            "read": len(raw.texts),
            "bad": len(raw.texts) - staged,
            "id": record.id,
            "warned": sum(issue.severity == "warning" for issue in chunk.issues),
        },
    ).one()
    if row.state == "cancelled":
        raise Cancelled


def _lookup(mapping: FileMapping, path: Path) -> pd.DataFrame | None:
    """The file that gives more columns, whole, by its key (first row wins)."""
    import pandas as pd

    from app.imports.reader import chunks

    if mapping.lookup is None:
        return None
    beside = path.parent / mapping.lookup.file
    frame = pd.concat([c.texts for c in chunks(beside, FileMapping())])
    if mapping.lookup.key not in frame:
        raise InvalidInput(
            f"{mapping.lookup.file} 没有列 {mapping.lookup.key} (lacks the key column)",
            file=mapping.lookup.file,
        )
    return frame.drop_duplicates(mapping.lookup.key).set_index(mapping.lookup.key).drop(columns=EXCESS)


def _joined(raw: RawChunk, mapping: FileMapping, lookup: pd.DataFrame | None) -> RawChunk:
    import pandas as pd

    if mapping.lookup is None or lookup is None:
        return raw
    extra = lookup.reindex(raw.texts[mapping.lookup.match]).fillna("")
    extra = extra[[c for c in extra.columns if c not in raw.texts]]
    extra.index = raw.texts.index
    return RawChunk(raw.first_row, pd.concat([raw.texts, extra], axis=1), raw.geometry)


def _apply(services: Services, kind: ImportKind, record: Import, actor: Actor) -> Import:
    """Everything at once: facts, changes, map tables, and the end of the import. Other imports of the kind wait."""
    with transaction(services.engine, actor) as session:
        session.execute(text("select pg_advisory_xact_lock(hashtext(:k))"), {"k": f"import:{kind.name}"})
        current = session.get(Import, record.id, with_for_update=True)
        if current is None or current.state == "cancelled":
            raise Cancelled
        current.state = "applying"
        staging.refresh_statistics(session, kind)
        outcome = kind.apply(
            session, str(record.id), Scope(record.scope_lo, record.scope_hi, record.scope_basin)
        )
        services.publish(driver_of(session), kind.publishes, outcome.counties)
        staging.forget(session, kind, record.id)
        current.rows_new, current.rows_changed, current.rows_same = outcome.new, outcome.changed, outcome.same
        current.rows_rejected = session.execute(
            text(
                "select count(distinct row_no) from shuitu.import_rejects where import_id = :id and severity = 'reject'"
            ),
            {"id": record.id},
        ).scalar_one()
        current.rows_total = current.rows_read
        current.state, current.finished_at = "done", datetime.now(UTC)
        session.flush()
    return current


def _end(services: Services, record: Import, actor: Actor, state: str, problem: str) -> Import:
    with transaction(services.engine, actor) as session:
        current = find(session, record.id)
        current.state, current.problem, current.finished_at = state, problem, datetime.now(UTC)
    return current


def cancel(session: Session, import_id: UUID) -> Import:
    """Stop an import before it is applied. Raises Conflict if it has ended."""
    record = find(session, import_id)
    if record.state not in ("waiting", "staging"):
        raise Conflict(
            f"导入已{record.state}，不能取消 (the import is {record.state}: it cannot be cancelled)",
            state=record.state,
        )
    record.state, record.finished_at = "cancelled", datetime.now(UTC)
    return record


def reject_duplicates(
    session: Session,
    kind: ImportKind,
    import_id: str,
    key: str,
    same: str,
    field: str,
    title: str,
    *,
    away: str = "null::float8",
) -> None:
    """Of staged rows with one key the first stays; the others go to the rejects, unless they say the very same.

    `key` and `same` are SQL expressions over the staging table, from the kind's own code; `field` is
    the one that the report names. `away` may say how many metres a row lies from the first, by its window `w`.
    """
    session.execute(
        text(f"""
        with repeated as materialized (
          select row_no, first_row, same, away from (
            select row_no, first_value(row_no) over w as first_row, row_number() over w as n,
                   md5(row({same})::text) = first_value(md5(row({same})::text)) over w as same, {away} as away
            from (select *, count(*) over (partition by {key}) as times from staging.{kind.staging} where import_id = :id) s
            where times > 1 window w as (partition by {key} order by row_no)
          ) ranked where n > 1
        ), dropped as (
          delete from staging.{kind.staging} s using repeated r
          where s.import_id = :id and s.row_no = r.row_no returning r.row_no, s.{field}::text as shown, r.first_row, r.same, r.away
        )
        insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected, raw)
        select :id, row_no, case when same then 'warning' else 'reject' end, :field, shown,
               case when same then 'repeated' when away > 1 then 'another_place' else 'duplicate' end,
               case when same then '与第' || first_row || '行相同，只计一次 (says the same as row ' || first_row || '; counted once)'
                    when away > 1 then :title || '与第' || first_row || '行相同，坐标却相差约 ' || round(away) || ' m，请核对后重报 (is that of row ' || first_row || ', but lies elsewhere)'
                    else :title || '与第' || first_row || '行重复但内容不同 (is that of row ' || first_row || ', which says otherwise)' end,
               '', null
        from dropped"""),
        {"id": import_id, "field": field, "title": title},
    )
