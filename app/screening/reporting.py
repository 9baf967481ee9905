"""The report of a run: one page that says what was asked, what came of each place, and what was left out and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

NAME = "report.html"


def write(out: Path, run: dict[str, Any], parts: Sequence[dict[str, Any]]) -> Path:
    """Write the report to `out`; returns its path. A single place that went well has a report of its own: that one."""
    whole = len(parts) == 1 and not parts[0]["left_out"] and parts[0]["report_path"]
    if whole:
        return out.parents[1] / str(parts[0]["report_path"])
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
    )
    page = environment.get_template("report.html").render(run=run, parts=parts)
    (out / NAME).write_text(page, "utf-8")
    return out / NAME
