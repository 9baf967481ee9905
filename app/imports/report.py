"""Rejected rows as a file that can be mended and sent again: the original columns, then what was wrong."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.errors import ShuituError
from app.imports.mapping import Mapping
from app.imports.models import Import
from app.imports.raw import EXCESS

ADDED = ("__行号", "__字段", "__原值", "__原因", "__说明")
"""Columns that the reject file adds; a heading that begins with __ is passed over when it comes back."""


def page(session: Session, import_id: UUID, severity: str, after: int, limit: int) -> list[dict[str, Any]]:
    """Issues after this row number, in the order of the file."""
    rows = session.execute(
        text("""select row_no, severity, field, value, reason, message, expected, raw from shuitu.import_rejects
                where import_id = :id and severity = :severity and row_no > :after order by row_no, field limit :limit"""),
        {"id": import_id, "severity": severity, "after": after, "limit": limit},
    )
    return [dict(row._mapping) for row in rows]


def reasons(session: Session, import_id: UUID) -> list[dict[str, Any]]:
    """How many rows for each field and reason, the most frequent first, each with an example."""
    rows = session.execute(
        text("""select severity, field, reason, count(*) as rows, min(row_no) as first_row,
                       (array_agg(value order by row_no))[1] as example, (array_agg(message order by row_no))[1] as message
                from shuitu.import_rejects where import_id = :id group by severity, field, reason order by severity, rows desc, field"""),
        {"id": import_id},
    )
    return [dict(row._mapping) for row in rows]


def table(session: Session, record: Import) -> tuple[list[str], Iterator[list[str]]]:
    """Heading and rows of the reject file: one line a rejected row, all its issues in it."""
    rows = session.execute(
        text("""select row_no, string_agg(field, '; ' order by field) as fields, string_agg(coalesce(value, ''), '; ' order by field) as given,
                       string_agg(reason, '; ' order by field) as reasons, string_agg(message, '; ' order by field) as messages, (array_agg(raw) filter (where raw is not null))[1] as raw
                from shuitu.import_rejects where import_id = :id and severity = 'reject' group by row_no order by row_no"""),
        {"id": record.id},
    ).all()
    raws = {row.row_no: row.raw for row in rows if row.raw is not None}
    # A row that only clashed with another was good by itself: its text is still in the file.
    raws |= _from_file(record, {row.row_no for row in rows} - raws.keys())
    heading = list(dict.fromkeys(name for raw in raws.values() for name in raw if not name.startswith("__")))

    def lines() -> Iterator[list[str]]:
        for row in rows:
            raw = raws.get(row.row_no, {})
            yield [
                *(raw.get(name, "") for name in heading),
                str(row.row_no),
                row.fields,
                row.given,
                row.reasons,
                row.messages,
            ]

    return [*heading, *ADDED], lines()


def _from_file(record: Import, wanted: set[int]) -> dict[int, dict[str, str]]:
    if not wanted:
        return {}
    # Here, and below: what reads and writes such files is heavy, and few reports are asked for.
    from app.imports.reader import chunks

    found = {}
    try:
        for raw in chunks(Path(record.stored_as), Mapping.model_validate(record.mapping)):
            for row_no in wanted & set(range(raw.first_row, raw.first_row + len(raw.texts))):
                found[row_no] = {
                    k: v for k, v in raw.texts.iloc[row_no - raw.first_row].to_dict().items() if k != EXCESS
                }
    except ShuituError:
        pass  # the file was moved away: the issues are still told
    return found


def as_csv(heading: list[str], lines: Iterator[list[str]]) -> bytes:
    """CSV that a Chinese spreadsheet opens rightly: UTF-8 with a byte-order mark."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(heading)
    writer.writerows([_harmless(cell) for cell in line] for line in lines)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def as_xlsx(heading: list[str], lines: Iterator[list[str]]) -> bytes:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("rejects")
    sheet.append(heading)
    for line in lines:
        sheet.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _harmless(cell: str) -> str:
    """A cell that a spreadsheet would run as a formula is shown as text; numbers stay numbers."""
    risky = cell[:1] in ("=", "@", "\t") or (cell[:1] in ("+", "-") and not cell[1:2].isdigit())
    return "'" + cell if risky else cell
