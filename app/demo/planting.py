"""Errors into the tables: which row gets which, and what follows from it."""

from collections.abc import Callable, Sequence

import shapely

from app.demo import names
from app.demo.names import Rng
from app.demo.planted import Around, Error
from app.demo.tables import Expected, Planted, Row, Table

GREAT = 10_000_000.0
"""m³ a year: without these rows the demo would not show what it is for."""


def _second_name(row: Row) -> None:
    row.values["取水口名称" if "取水口名称" in row.values else "取水权人"] += "（新）"


def _second_code(row: Row) -> None:
    row.values["取水口编码"] = row.values["取水口编码"][:6] + "9" + row.values["取水口编码"][7:]


COPIES: dict[str, Callable[[Row], None]] = {
    "duplicate": _second_name,
    "repeated": lambda row: None,
    "same_place": _second_code,
}
"""Errors that add a row: what makes the copy differ from the row that it copies."""


def plant(table: Table, errors: Sequence[Error], around: Around) -> None:
    """Spoil rows of the table, each at most once; a row that no error suits stays as it was."""
    random = names.rng(around.seed, "errors", table.kind, table.county)
    for error in errors:
        for _ in range(0 if table.county in error.not_in else error.times):
            _plant_one(table, error, random, around)


def _plant_one(table: Table, error: Error, random: Rng, around: Around) -> None:
    clean = [row for row in table.rows if not row.planted and not _kept(row)]
    for index in random.permutation(len(clean)).tolist():
        row = clean[index]
        if error.name in COPIES:
            copied = row.copy()
            COPIES[error.name](copied)
            row.planted.append(Planted("original", "accept", meant=error.name))
            copied.planted.append(Planted(error.name, error.expected, error.field, error.reason))
            table.rows.append(copied)
            return
        spoiled = error.spoil(row, random, around)
        if spoiled is not None:
            expected, reason = _judged(row, error, around)
            row.planted.append(Planted(error.name, expected, error.field, reason, *spoiled))
            return


def _kept(row: Row) -> bool:
    """Rows that stay as they are: great takes, caps of all uses, permits that fill several rows, what the scenes count on."""
    volume = row.values.get("年取水量") or row.values.get("年最大取水量(万m³)") or "0"
    unit = 1e4 if "年最大取水量(万m³)" in row.values else 1.0
    several = bool(row.values.get("限额时段")) or row.values.get("用途") == "全部"
    return row.fixed or several or float(volume) * unit > GREAT


def _judged(row: Row, error: Error, around: Around) -> tuple[Expected, str]:
    """What a shifted position looks like depends on how near the border it is."""
    if error.name not in ("gcj02", "bd09") or row.lon is None or row.lat is None:
        return error.expected, error.reason
    if shapely.contains_xy(around.shape, row.lon, row.lat):
        return "unseen", ""
    if shapely.contains_xy(around.wide, row.lon, row.lat):
        return "warning", "near_border"
    return "reject", "suspected_gcj02"


def follow(permits: Sequence[Table], intakes: Sequence[Table]) -> None:
    """What spoilt permits do to the intakes that name them: a permit that is not in the store is a warning."""
    lost = {
        row.values["许可证编号"] if planted.error != "application_number" else planted.meant
        for table in permits
        for row in table.rows
        for planted in row.planted
        if planted.expected == "reject" and planted.error != "duplicate"
    }
    for row in (row for table in intakes for row in table.rows):
        named = row.values["许可证编号"].split("；")
        if lost.intersection(named) and not any(p.expected == "reject" for p in row.planted):
            row.planted.append(
                Planted(
                    "permit_was_rejected",
                    "warning",
                    "permit_nos",
                    "permit_not_found",
                    row.values["许可证编号"],
                )
            )
