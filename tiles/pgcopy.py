"""PostgreSQL's binary COPY as numpy arrays: no Python step a row.

Rows of fixed-width columns without NULL have all the same length, so a whole COPY stream is one
structured array: a count of columns, then for each a length and a big-endian value.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
CHUNK_ROWS = 200_000
_OID = {"i4": 23, "f4": 700}

Columns = dict[str, str]
"""Name → numpy type without byte order: i2, i4, i8, f4, f8, or `20i4` for an array of that many."""


def _layout(columns: Columns) -> np.dtype[Any]:
    parts: list[tuple[str, Any]] = [("_count", ">i2")]
    for name, kind in columns.items():
        parts.append((f"_len_{name}", ">i4"))
        if kind[0].isdigit():
            length, item = int(kind[:-2]), kind[-2:]
            element = np.dtype([("len", ">i4"), ("value", f">{item}")])
            array = np.dtype(
                [
                    ("ndim", ">i4"),
                    ("nulls", ">i4"),
                    ("oid", ">i4"),
                    ("dim", ">i4"),
                    ("lower", ">i4"),
                    ("items", element, (length,)),
                ]
            )
            parts.append((name, array))
        else:
            parts.append((name, f">{kind}"))
    return np.dtype(parts)


def pack(columns: Columns, data: dict[str, npt.NDArray[Any]]) -> bytes:
    """The rows as a COPY stream without header and trailer; arrays have shape (rows, length)."""
    layout = _layout(columns)
    rows = np.zeros(len(next(iter(data.values()))), layout)
    rows["_count"] = len(columns)
    for name, kind in columns.items():
        rows[f"_len_{name}"] = layout[name].itemsize
        if kind[0].isdigit():
            item = kind[-2:]
            cell = rows[name]
            cell["ndim"], cell["oid"], cell["dim"], cell["lower"] = 1, _OID[item], int(kind[:-2]), 1
            cell["items"]["len"], cell["items"]["value"] = np.dtype(item).itemsize, data[name]
        else:
            rows[name] = data[name]
    return rows.tobytes()


@contextmanager
def arriving(
    connection: psycopg.Connection[Any], table: str, columns: Columns, data: dict[str, npt.NDArray[Any]]
) -> Iterator[str]:
    """The rows in a temporary table shaped like these columns of `table`; gives its name.

    PostgreSQL refuses COPY into a table under row-level security, so rows go through such a one.
    """
    total = len(next(iter(data.values())))
    names = ", ".join(columns)
    connection.execute(
        f"create temporary table arriving on commit drop as select {names} from {table} limit 0".encode()
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy arriving ({names}) from stdin (format binary)".encode()) as copy,
    ):
        copy.write(HEADER)
        for start in range(0, total, CHUNK_ROWS):
            copy.write(
                pack(columns, {name: values[start : start + CHUNK_ROWS] for name, values in data.items()})
            )
        copy.write(TRAILER)
    yield "arriving"
    connection.execute("drop table arriving")


def write(
    connection: psycopg.Connection[Any], table: str, columns: Columns, data: dict[str, npt.NDArray[Any]]
) -> int:
    """Bring the rows into `table` (a quoted identifier); returns how many."""
    names = ", ".join(columns)
    with arriving(connection, table, columns, data) as rows:
        connection.execute(f"insert into {table} ({names}) select {names} from {rows}".encode())
    return len(next(iter(data.values())))


def write_owned(connection: psycopg.Connection[Any], table: str, level: Any) -> None:
    """Bring the packed entries of a level's cells (`overview.Cells`) into `table` (a quoted identifier)."""
    shape = "key, county_code, basin_id, packed"
    connection.execute(
        f"create temporary table arriving on commit drop as select {shape} from {table} limit 0".encode()
    )
    connection.execute("alter table arriving alter packed set storage external")
    rows = len(level.key)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy arriving ({shape}) from stdin (format binary)".encode()) as copy,
    ):
        copy.write(HEADER)
        for i in range(0, rows, CHUNK_ROWS):
            part = slice(i, min(i + CHUNK_ROWS, rows))
            first = level.starts[i]
            last = level.starts[part.stop] if part.stop < rows else len(level.packed)
            copy.write(
                pack_owned(
                    level.key[part],
                    level.county[part],
                    level.basin[part],
                    level.starts[part] - first,
                    level.packed[first:last],
                )
            )
        copy.write(TRAILER)
    connection.execute(f"insert into {table} ({shape}) select {shape} from arriving".encode())
    connection.execute("drop table arriving")


def pack_owned(key: Any, county: Any, basin: Any, starts: Any, entries: npt.NDArray[Any]) -> bytes:
    """Rows (bigint, integer, smallint, bytea) as a COPY stream; the bytea of row i are the 16-byte entries from
    `starts[i]` to the next start. Header and entries are multiples of 16 bytes, so all is one array of those."""
    head = np.dtype(
        [("count", ">i2"), ("l1", ">i4"), ("key", ">i8"), ("l2", ">i4"), ("county", ">i4"), ("l3", ">i4"), ("basin", ">i2"), ("l4", ">i4")]
    )  # fmt: skip
    rows, lengths = len(key), np.diff(starts, append=len(entries))
    heads = np.zeros(rows, head)
    heads["count"], heads["l1"], heads["l2"], heads["l3"] = 4, 8, 4, 2
    heads["key"], heads["county"], heads["basin"], heads["l4"] = key, county, basin, 16 * lengths
    out = np.empty(2 * rows + len(entries), "V16")
    at = starts + 2 * np.arange(rows)
    halves = heads.view("V16").reshape(rows, 2)
    out[at], out[at + 1] = halves[:, 0], halves[:, 1]
    out[np.arange(len(entries)) + 2 * np.repeat(np.arange(1, rows + 1), lengths)] = entries.view("V16")
    return out.tobytes()


def read(connection: psycopg.Connection[Any], query: str, columns: Columns) -> dict[str, npt.NDArray[Any]]:
    """The query's rows by column, in native byte order. Its columns must have just these types and no NULL."""
    layout = _layout(columns)
    blocks = list(_blocks(connection, query, layout))
    rows = np.concatenate(blocks) if blocks else np.zeros(0, layout)
    return {name: rows[name].astype(np.dtype(kind)) for name, kind in columns.items()}


def _blocks(
    connection: psycopg.Connection[Any], query: str, layout: np.dtype[Any]
) -> Iterator[npt.NDArray[Any]]:
    rest = bytearray()
    started = False
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy ({query}) to stdout (format binary)".encode()) as copy,
    ):
        for piece in copy:
            rest += piece
            if not started:
                if len(rest) < len(HEADER):
                    continue
                del rest[: len(HEADER)]
                started = True
            if len(rest) >= 4 * 2**20:
                whole = len(rest) // layout.itemsize
                yield np.frombuffer(bytes(rest[: whole * layout.itemsize]), layout)
                del rest[: whole * layout.itemsize]
    if rest.endswith(TRAILER):
        del rest[-len(TRAILER) :]
    if rest:
        yield np.frombuffer(bytes(rest), layout)
