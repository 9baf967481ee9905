"""Intakes counted: from the map's own cells where these tell what is asked, so that the two cannot differ; else from
the entries.

The coarsest cells hold all there is of a county in a few rows, classes packed inside; single changes that are not in
them yet are read in the same statement. Five million intakes are some hundred thousand classes.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

from app.errors import TooCostly
from app.statistics import rules
from app.statistics.rules import Dimension, Key, Sum
from layers.derive.columns import quote
from layers.model import Layer
from tiles import arrays, past, points
from tiles import facets as coding
from tiles.address import Address
from tiles.keys import cell_range
from tiles.options import ALIAS, Past, TileOptions
from tiles.overview import CELL_DEPTH, PACKED
from tiles.source import Conditions, conditions, stored

Array = npt.NDArray[Any]
Connection = psycopg.Connection[Any]
TIMEOUT_S = 25
POINT_OF_PAST_S = 30e-6
"""What an entry of a past day takes to be looked up (ADR 0049)."""


@dataclass(frozen=True)
class Question:
    """Which intakes, and what they are told apart by."""

    layer: Layer
    by: Dimension
    across: Dimension | None
    region: int | None = None
    basin: int | None = None
    options: TileOptions = TileOptions()  # noqa: RUF009 - frozen
    on: date | None = None
    """A past day; None: now."""

    @property
    def told_apart(self) -> tuple[Dimension, ...]:
        return (self.by,) if self.across is None else (self.by, self.across)


def count(connection: Connection, asked: Question) -> tuple[list[tuple[Key, Key, Sum]], bool]:
    """What was counted, by row and column; and whether the map's cells told it.

    Raises TooCostly if it takes too long.
    """
    where = conditions(asked.layer, asked.options)
    told = not where.by_point and all(one.kind != "column" for one in asked.told_apart)
    try:
        connection.execute(f"set local statement_timeout = '{TIMEOUT_S}s'")
        day = _counted(connection, asked, where) if told and asked.on is not None else None
        cells = told and (asked.on is None or day is not None)
        found = (
            _from_cells(connection, asked, where, day) if cells else _from_entries(connection, asked, where)
        )
        connection.execute("set local statement_timeout = default")
    except psycopg.errors.QueryCanceled:
        raise _too_costly(asked.on) from None
    return found, cells


def _too_costly(on: date | None) -> TooCostly:
    hint = "" if on is None else "，或先在地图时间条上汇总该日"
    return TooCostly(
        f"统计超过 {TIMEOUT_S} 秒，请缩小行政区范围{hint} (this takes more than {TIMEOUT_S} s: choose a smaller region"
        f"{', or have the day counted at the time bar of the map' if hint else ''})"
    )


# ── from cells ──────────────────────────────────────────────────────────────────────────────────────

CELLS = """
select packed.*, pending.*, wanted.*
from (select array_send(array_agg({alias}.county_code)), array_send(array_agg({alias}.basin_id::integer)),
             array_send(array_agg(octet_length({alias}.packed))), string_agg({alias}.packed, '')
      from {facets} {alias} where {alias}.key >= %(lo)s and {alias}.key < %(hi)s {place}) packed,
     (select array_send(array_agg({alias}.county_code)), array_send(array_agg({alias}.basin_id::integer)),
             array_send(array_agg({alias}.class)), array_send(array_agg({alias}.n)), array_send(array_agg({alias}.volume))
      from {deltas} {alias} where true {place}) pending,
     (select array_send(array_agg(distinct {alias}.class)) from {classes} {alias} where {by_class}) wanted"""


@dataclass(frozen=True)
class Classes:
    """What is counted of each class in each county: arrays of one length."""

    county: Array
    basin: Array
    class_no: Array
    n: Array
    volume: Array


def _counted(connection: Connection, asked: Question, where: Conditions) -> int | None:
    """Number of the past day whose cells answer, as they do on the map: where there is too much to ask each.

    Raises TooCostly if each would have to be asked, and they are too many.
    """
    assert asked.layer.points is not None and asked.on is not None  # noqa: S101
    place, values = _place(asked, where)
    lo, hi = cell_range(Address(0, 0, 0), CELL_DEPTH)
    row = connection.execute(
        f"select coalesce(sum({ALIAS}.n), 0) from {quote(asked.layer.points.cells)} {ALIAS} "
        f"where {ALIAS}.key >= %(lo)s and {ALIAS}.key < %(hi)s {''.join(f' and {one}' for one in place)}".encode(),
        {**values, "lo": lo, "hi": hi},
    ).fetchone()
    if row is None or row[0] <= points.JOINED:
        return None
    day = past.counted(asked.layer, Past(asked.on))
    found = connection.execute(day.sql.encode(), day.values).fetchone()
    number = found[0] if found else None
    if number is None and float(row[0]) * POINT_OF_PAST_S > TIMEOUT_S:
        raise _too_costly(asked.on)  # at once: nobody waits for what is known to fail
    return number


def _from_cells(
    connection: Connection, asked: Question, where: Conditions, day: int | None
) -> list[tuple[Key, Key, Sum]]:
    read, wanted = _read(connection, asked, where, day)
    if where.by_class:
        kept = np.isin(read.class_no, wanted)
        read = Classes(*(getattr(read, name)[kept] for name in ("county", "basin", "class_no", "n", "volume")))  # fmt: skip
    rows = _codes(asked, asked.by, read)
    columns = np.zeros_like(rows) if asked.across is None else _codes(asked, asked.across, read)
    wide = int(columns.max(initial=0)) + 1
    places, starts, order = _grouped(rows * wide + columns)
    if not len(starts):
        return []
    n, volume = (np.add.reduceat(values[order], starts) for values in (read.n, read.volume))
    return [
        (
            _key(asked, asked.by, place // wide),
            None if asked.across is None else _key(asked, asked.across, place % wide),
            Sum(int(n[i]), int(volume[i])),
        )
        for i, place in enumerate(places.tolist())
    ]


def _read(
    connection: Connection, asked: Question, where: Conditions, day: int | None
) -> tuple[Classes, Array]:
    p = asked.layer.points
    assert p is not None  # noqa: S101 - intakes have map tables
    place, values = _place(asked, where)
    lo, hi = cell_range(Address(0, 0, 0), CELL_DEPTH)
    _, facets, deltas = stored(asked.layer, past=day is not None)
    sql = CELLS.format(
        alias=ALIAS,
        facets=facets,
        deltas=deltas,
        classes=quote(p.classes),
        by_class=where.by_class or "false",
        place="".join(f" and {one}" for one in place),
    )
    row = connection.execute(sql.encode(), {**values, **where.values, "lo": lo, "hi": hi, "day": day}, binary=True).fetchone()  # fmt: skip
    assert row is not None  # noqa: S101 - aggregates give one row
    packed = np.frombuffer(row[3] or b"", PACKED)
    entries = arrays.read(row[2], "i4") // PACKED.itemsize
    late = [arrays.read(sent, kind) for sent, kind in zip(row[4:9], ("i4", "i4", "i4", "i4", "i8"), strict=True)]  # fmt: skip
    found = Classes(
        np.concatenate([np.repeat(arrays.read(row[0], "i4"), entries), late[0]]),
        np.concatenate([np.repeat(arrays.read(row[1], "i4"), entries), late[1]]),
        np.concatenate([packed["class"], late[2]]),
        np.concatenate([packed["n"].astype(np.int64), late[3]]),
        np.concatenate([packed["volume"].astype(np.int64), late[4]]),
    )
    return found, arrays.read(row[9], "i4")


def _place(asked: Question, where: Conditions) -> tuple[list[str], dict[str, Any]]:
    """Conditions on county and basin, and their values."""
    clauses = [where.by_county] if where.by_county else []
    values: dict[str, Any] = {}
    if asked.region is not None:
        clauses.append(f"{ALIAS}.county_code >= %(region_lo)s and {ALIAS}.county_code < %(region_hi)s")
        values |= {"region_lo": asked.region, "region_hi": asked.region + rules.span(asked.region)}
    if asked.basin is not None:
        clauses.append(f"{ALIAS}.basin_id = %(basin)s")
        values["basin"] = asked.basin
    return clauses, values


def _codes(asked: Question, of: Dimension, read: Classes) -> Array:
    """A whole number for each entry's row or column."""
    if of.name == "region":
        return rules.below(read.county, asked.region)
    if of.name == "basin":
        return read.basin.astype(np.int64)
    return coding.facet(asked.layer, of.name).digits(read.class_no.astype(np.int64))


def _key(asked: Question, of: Dimension, code: int) -> Key:
    if of.kind == "place":
        return code or None
    values = list(of.values)
    if not values:  # a year
        return code or None
    return values[code] if code < len(values) else None


def _grouped(places: Array) -> tuple[Array, Array, Array]:
    """The distinct places, where each begins in their order, and that order."""
    # A stable sort of integers is a radix sort: a million entries take some ten milliseconds.
    order = np.argsort(places, kind="stable")
    there = places[order]
    starts = np.flatnonzero(np.diff(there, prepend=-1))
    return there[starts], starts, order


# ── from entries ────────────────────────────────────────────────────────────────────────────────────

ENTRIES = """
select {region} as county, coalesce({alias}.basin_id, 0)::integer as basin, {by} as by_value, {across} as across_value,
       count(*)::bigint as n, coalesce(sum(round({alias}.annual_volume_m3::real::float8)), 0)::bigint as volume
from {source} {alias} where true {where} group by 1, 2, 3, 4"""


def _from_entries(connection: Connection, asked: Question, where: Conditions) -> list[tuple[Key, Key, Sum]]:
    place, values = _place(asked, where)
    clauses = place + [one for one in (where.by_class, where.by_point) if one]
    sql = ENTRIES.format(
        alias=ALIAS,
        region=f"{ALIAS}.county_code" if any(o.name == "region" for o in asked.told_apart) else "0",
        by=_value(asked.by),
        across="null::text" if asked.across is None else _value(asked.across),
        source=quote(asked.layer.source.view) if asked.on is None else "map.intakes_at(%(on)s)",
        where="".join(f" and {one}" for one in clauses),
    )
    rows = connection.execute(
        sql.encode(), {**values, **where.values, **({} if asked.on is None else {"on": asked.on})}
    )
    return [
        (
            _entry_key(asked, asked.by, row[0], row[1], row[2]),
            None if asked.across is None else _entry_key(asked, asked.across, row[0], row[1], row[3]),
            Sum(row[4], row[5]),
        )
        for row in rows
    ]


def _value(of: Dimension) -> str:
    return "null::text" if of.kind == "place" else f"{ALIAS}.{quote(of.name)}"


def _entry_key(asked: Question, of: Dimension, county: int, basin: int, value: Any) -> Key:
    if of.name == "region":
        return int(rules.below(np.array([county]), asked.region)[0]) or None
    if of.name == "basin":
        return basin or None
    # What no list names counts as not known, as in the cells.
    if value is None or (of.values and value not in of.values):
        return None
    return value  # type: ignore[no-any-return]
