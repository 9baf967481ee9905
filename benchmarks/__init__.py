"""Runnable comparisons: each a ratio against a peer or a limit in the same run. `docs/benchmarks.md` says how."""

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app import logging

# Standard output is for the figures.
logging.configure("console", "warning")


@dataclass(frozen=True)
class Figure:
    """One measured thing, what it is measured against, and the ratio that is wanted."""

    what: str
    value: float
    unit: str
    against: str = ""
    other: float | None = None
    """The peer's or limit's value, in the same unit."""
    ratio: float | None = None
    goal: float | None = None
    note: str = ""


def machine() -> str:
    """What the figures were measured on, to be quoted with them."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )


def tell(name: str, figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print the figures: a table for people, one JSON document for programs."""
    if as_json:
        print(json.dumps({"benchmark": name, "machine": machine(), "figures": [asdict(f) for f in figures]}))
        return
    show(name, [asdict(f) for f in figures], machine())


def show(name: str, figures: Sequence[dict[str, object]], where: str) -> None:
    """Print one benchmark's table."""
    table = Table(title=f"{name} · {where}", title_justify="left")
    for heading in ("what", "value", "unit", "against", "its value", "ratio", "goal", "note"):
        table.add_column(
            heading, justify="right" if heading in ("value", "its value", "ratio", "goal") else "left"
        )
    for figure in figures:
        cells = [
            figure.get(key) for key in ("what", "value", "unit", "against", "other", "ratio", "goal", "note")
        ]
        table.add_row(
            *(("" if c is None else f"{c:,.4g}" if isinstance(c, float) else str(c)) for c in cells)
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@contextmanager
def data_folder(kept: Path | None) -> Iterator[Path]:
    """A data folder of its own that is removed at the end, or the one given, which stays."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    folder = Path(tempfile.mkdtemp(prefix="shuitu-benchmark-"))
    folder.chmod(0o711)  # the database's server, another user, walks through it
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
