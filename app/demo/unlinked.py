"""Entries of the pilot's register whose permit nobody wrote down: the linkage finds it, or leaves it to a person."""

from collections.abc import Iterable

from app.demo import names
from app.demo.planting import GREAT
from app.demo.tables import Table

FORGOTTEN = 0.35
"""Part of the entries that have a permit and do not say which; a guess of 2026-11."""


def forget(tables: Iterable[Table], seed: int) -> None:
    """Leave out the permit numbers of some rows in which no error is planted, and which no scene counts on."""
    for table in tables:
        random = names.rng(seed, "forgotten", table.county)
        for row in table.rows:
            forgotten = random.random() < FORGOTTEN
            if forgotten and not (row.planted or row.fixed or float(row.values["年取水量"]) > GREAT):
                row.values["许可证编号"] = ""
