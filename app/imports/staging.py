"""Rows into staging and rejects into their table: one transaction a chunk, so that any kill leaves whole chunks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import orjson
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.engine import driver_of
from app.imports.kind import Chunk, ImportKind, Issue
from app.imports.raw import EXCESS, RawChunk

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PAGE = 10_000


def columns_of(session: Session, table: str) -> list[str]:
    """Columns of a staging table, in its order."""
    rows = session.execute(
        text(
            "select attname from pg_attribute where attrelid = cast(:t as regclass) and attnum > 0 and not attisdropped order by attnum"
        ),
        {"t": f"staging.{table}"},
    )
    return list(rows.scalars())


def stage(session: Session, kind: ImportKind, import_id: UUID, chunk: Chunk, columns: list[str]) -> int:
    """COPY the rows without a reject into staging; returns how many."""
    import pyarrow as pa  # by those that import; web processes do not
    from pyarrow import csv as arrow_csv

    bad = {issue.row_no for issue in chunk.issues if issue.severity == "reject"}
    keep = ~chunk.rows.index.isin(list(bad))
    rows = chunk.rows[keep].copy()
    if not len(rows):
        return 0
    if kind.polygons and chunk.geometry is not None:
        rows["wkb"] = shapely.to_wkb(chunk.geometry[keep], hex=True)
    rows["import_id"], rows["row_no"] = str(import_id), rows.index
    out = io.BytesIO()
    table = pa.table({name: _column(rows[name]) for name in columns})
    # Texts are quoted and what is missing is not, so an empty text and none stay apart.
    arrow_csv.write_csv(table, out, arrow_csv.WriteOptions(include_header=False))
    with driver_of(session).cursor() as cursor:
        statement = f"copy staging.{kind.staging} ({', '.join(columns)}) from stdin (format csv)"
        with cursor.copy(statement.encode()) as copy:
            copy.write(out.getbuffer())
    return len(rows)


def _column(values: pd.Series) -> pa.Array:
    """A column for COPY: what is missing is null, lists are PostgreSQL's arrays in text."""
    import pyarrow as pa

    if values.dtype != object:
        return pa.array(values.to_numpy(), from_pandas=True)
    items = values.tolist()
    if isinstance(next((item for item in items if item is not None), None), list):
        items = [None if item is None else _array(item) for item in items]
    return pa.array(items, from_pandas=True)


def _array(items: list[str]) -> str:
    quoted = ('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items)
    return "{" + ",".join(quoted) + "}"


def keep_issues(session: Session, import_id: UUID, issues: list[Issue], raw: RawChunk | None) -> None:
    """Store rejects with the row as it came, and warnings without."""
    if not issues:
        return
    with driver_of(session).cursor() as cursor:
        statement = (
            b"insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected, raw) "
            b"values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        )
        # Row-level security refuses COPY; executemany goes out in one pipeline.
        cursor.executemany(statement, [_reject(import_id, issue, raw) for issue in issues])


def _reject(import_id: UUID, issue: Issue, raw: RawChunk | None) -> tuple[Any, ...]:
    row = None
    if issue.severity == "reject" and raw is not None:
        record = raw.texts.iloc[issue.row_no - raw.first_row].to_dict()
        record.pop(EXCESS, None)
        row = orjson.dumps(record).decode().replace("\\u0000", "")
    value = (issue.value or "")[:500].replace("\0", "")
    return (
        import_id,
        issue.row_no,
        issue.severity,
        issue.field,
        value,
        issue.reason,
        issue.message.replace("\0", ""),
        issue.expected,
        row,
    )


def forget(session: Session, kind: ImportKind, import_id: UUID) -> None:
    """Take back what is staged of an import, to start again or because it is done."""
    session.execute(text(f"delete from staging.{kind.staging} where import_id = :id"), {"id": import_id})


def refresh_statistics(session: Session, kind: ImportKind) -> None:
    """Tell the planner what is staged: else it takes the table for empty, and joins it row by row."""
    session.execute(text("select staging.refresh_statistics(:table)"), {"table": kind.staging})


def staged(session: Session, kind: ImportKind, import_id: UUID) -> int:
    return int(
        session.execute(
            text(f"select count(*) from staging.{kind.staging} where import_id = :id"), {"id": import_id}
        ).scalar_one()
    )


def numeric(values: Any) -> Any:
    """A column of numbers and None as floats, NaN for None."""
    import pandas as pd

    return pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(np.float64)
