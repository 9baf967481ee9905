"""The truth about the demo: each planted error with what the importer must say, and what the scenes hold.

`truth.json` is for tests and programs, `truth.csv` the same list of errors for people.
"""

import csv
import io
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from app.demo import scenes, tables
from app.demo.files import Written

KEYS = {
    "permits": "许可证编号",
    "intakes": "取水口编码",
    "indicators": "区划代码",
    "permit_points": "许可证编号",
}
COLUMNS = (
    "file", "kind", "county", "row", "key", "error", "expected", "field", "reason", "written", "meant",
)  # fmt: skip
WORDS = {
    "reject": "导入时必须退回该行 (the importer must reject the row)",
    "warning": "必须提示，但仍导入 (it must warn, and take the row)",
    "accept": "写法特殊但可读，必须正确读入 (odd but readable: it must come in right)",
    "unseen": "单凭该文件看不出 (no check of the file can know)",
}


def write(
    folder: Path, written: Sequence[Written], objects: list[dict[str, Any]], seed: int, day: date
) -> None:
    """Write both files."""
    errors = [error for one in written for error in errors_of(one)]
    whole = {
        "note": tables.NOTE,
        "seed": seed,
        "as_of": day.isoformat(),
        "expected": WORDS,
        "files": [
            {"file": one.path.name, "kind": one.table.kind, "county": one.table.county, "rows": len(one.table.rows)}
            for one in written
        ],
        "errors": errors,
        "scenes": {
            "note": "真实影像，位置与日期虚构 (a real image; its place and dates are invented)",
            "crs": f"EPSG:{scenes.CRS}",
            "west": scenes.WEST,
            "north": scenes.NORTH,
            "objects": objects,
        },
    }  # fmt: skip
    (folder / "truth.json").write_text(json.dumps(whole, ensure_ascii=False, indent=1), "utf-8")
    out = io.StringIO(newline="")
    lines = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    lines.writeheader()
    lines.writerows(errors)
    (folder / "truth.csv").write_bytes(out.getvalue().encode("utf-8-sig"))


def errors_of(written: Written) -> list[dict[str, Any]]:
    """The planted errors of a file, by row; row numbers count from 1 as the importer's do."""
    found = []
    for number, row in enumerate(written.table.rows, 1):
        for one in row.planted:
            if one.error == "original":
                continue
            found.append(
                {
                    "file": written.path.name,
                    "kind": written.table.kind,
                    "county": written.table.county,
                    "row": number,
                    "key": row.values[KEYS[written.table.kind]],
                    "error": one.error,
                    "expected": one.expected,
                    "field": one.field,
                    "reason": one.reason,
                    "written": one.written,
                    "meant": one.meant,
                }
            )
    return found
