"""Sheets: the features of a small tile of one county and basin as one row, with every field that a log-in sees and
its exact position, each column packed. A page of a thousand features by box reads some of them instead of looking
a thousand rows up.

Sheets are what the layer's view said when they were written. A feature that was published since has a delta until it
is folded (`tiles.functions`, `tiles.fold`): where one waits, whoever reads must ask the view instead (`read` says so).
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import psycopg

from layers.derive.columns import quote, relation
from layers.model import Field, Layer
from tiles import arrays
from tiles.blocks import SHIFT, in_parts, of_blocks
from tiles.facets import values_array
from tiles.keys import unmorton
from tiles.source import Statement

Array = npt.NDArray[Any]
HEADS = 2_000
"""Rows that a page looks at, at most, to find those that it is made of."""
BETWEEN = "\\x00"
"""Between texts: PostgreSQL has no zero in one."""
NONE = "\udcff"
"""The byte ff, which no UTF-8 has, as `surrogateescape` reads it: there is no text."""
ESCAPED = re.compile('["\\\\\x01-\x1f]')
"""What JSON wants escaped."""
BYTES = "latin-1"
"""A character for each byte: UTF-8 that is put together and sent on need not be understood."""
OTHER = 255
"""A value that the declaration does not list. What has one is read from the view."""
READ = (Path(__file__).parent / "sql" / "sheets.sql").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Packed:
    """How the values of a field are packed."""

    sql: str
    """Aggregate of the view v."""
    between: str = ""
    kind: str = ""
    """Of numbers, as numpy names it; `u1`: positions in `values`, from 1 on; empty: texts."""
    values: tuple[Any, ...] = ()


@cache
def fields(layer: Layer) -> dict[str, Packed]:
    """The fields that sheets hold by name. The county is that of the sheet."""
    told = {field.name: _packed(field) for field in layer.fields_for("officer")}
    return {name: one for name, one in told.items() if one is not None}


def _packed(field: Field) -> Packed | None:
    value = f"v.{quote(field.name)}"
    if field.name == "county_code":
        return Packed("", kind="county")
    if 0 < len(field.values) < OTHER:
        position = f"coalesce(array_position({values_array(field)}, {value}::text), {OTHER})"
        return Packed(_bytes(f"case when {value} is null then 0 else {position} end"), kind="u1", values=tuple(one.value for one in field.values))  # fmt: skip
    if field.type == "boolean":
        return Packed(_bytes(f"coalesce({value}::integer + 1, 0)"), kind="u1", values=(False, True))
    if field.type == "number":
        return Packed(arrays.numbers_sql(f"coalesce({value}::float8, 'NaN')", "f8"), kind="f8")
    if field.type == "integer":
        return Packed(arrays.numbers_sql(f"coalesce({value}::bigint, (-1::bigint) << 63)", "i8"), kind="i8")
    if field.type in ("string", "date"):
        return Packed(f"string_agg(coalesce(textsend({value}::text), '\\xff'), '{BETWEEN}')", BETWEEN)
    return None


def _bytes(small: str) -> str:
    """Numbers below 256, a byte each."""
    return f"string_agg(substr(int2send(({small})::smallint), 2), '')"


def table(layer: Layer) -> str:
    """The quoted table of a layer that has sheets."""
    assert layer.points is not None  # noqa: S101 - asked of layers that have them
    assert layer.points.sheets is not None  # noqa: S101
    return quote(layer.points.sheets)


@cache
def form(layer: Layer) -> str:
    """Names how sheets of this declaration are written (`map.published.sheets`)."""
    told = [(name, one.sql, one.values) for name, one in fields(layer).items()]
    return hashlib.blake2b(repr(told).encode(), digest_size=12).hexdigest()


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Box:
    """A box in world units, both ends its own, and wider than what is asked for by some that is less than half of
    `edge`; `ranges` of blocks cover it, in order, both ends theirs."""

    x0: int
    y0: int
    x1: int
    y1: int
    edge: int
    ranges: tuple[tuple[int, int], ...]
    begun: int = -1
    """The block of which some features were read already."""


def read(layer: Layer, names: tuple[str, ...], box: Box, wanted: int, most: int) -> Statement:
    """So many of the first features of a box by key, and some more, as one row that `Sheets.of` reads; with what
    counts all of them, if they may be no more than `most`."""
    assert layer.points is not None  # noqa: S101 - asked of big point layers
    values = {
        "layer": layer.id, "form": form(layer), "heads": HEADS, "wanted": wanted, "most": most,
        "lo": [lo for lo, _ in box.ranges], "hi": [hi for _, hi in box.ranges],
        "x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1, "edge": box.edge, "begun": box.begun,
    }  # fmt: skip
    return Statement(_read(layer, names), values, planned_once=True)


@lru_cache(maxsize=512)
def _read(layer: Layer, names: tuple[str, ...]) -> str:
    assert layer.points is not None  # noqa: S101
    told = fields(layer)
    kept = {name: told[name].between for name in names if told[name].kind != "county"}
    asked = {"ids": "", "keys": "", "lons": "", "lats": "", **kept}
    return READ.format(
        sheets=table(layer),
        deltas=quote(layer.points.deltas),
        shift=SHIFT,
        asked=", ".join(f"s.{quote(name)}" for name in asked),
        sent=", ".join(f"string_agg(h.{quote(name)}, '{between}')" for name, between in asked.items()),
    )


@dataclass(frozen=True)
class Sheets:
    """What was read: features in no order, columns of equal length."""

    layer: Layer
    names: tuple[str, ...]
    upto: int
    """Keys from here on were not read."""
    least: int
    """So many features lie inside the box for sure."""
    edge_lons: Array
    """Of the features in sheets that cross an edge of the box; none, if `least` is more than is counted."""
    edge_lats: Array
    counties: Array
    ids: Array
    keys: Array
    lons: Array
    lats: Array
    x: Array
    y: Array
    _columns: dict[str, bytes]

    @staticmethod
    def of(layer: Layer, names: tuple[str, ...], row: tuple[Any, ...]) -> "Sheets | None":
        """None if the view must be asked: sheets are not written, or a change waits to be folded into them."""
        trusted, last, inside, edge_lons, edge_lats, sizes, counties, ids, keys, lons, lats, *rest = row
        if not trusted:
            return None
        told = fields(layer)
        size = arrays.numbers(sizes, "i4")
        key = arrays.numbers(keys, "i8")
        return Sheets(
            layer,
            names,
            2**62 if last is None else int(last) << SHIFT,
            int(inside or 0),
            arrays.numbers(edge_lons, "f8"),
            arrays.numbers(edge_lats, "f8"),
            np.repeat(arrays.numbers(counties, "i4"), size),
            arrays.numbers(ids, "i8"),
            key,
            arrays.numbers(lons, "f8"),
            arrays.numbers(lats, "f8"),
            *unmorton(key),
            dict(zip((name for name in names if told[name].kind != "county"), (one or b"" for one in rest), strict=True)),
        )  # fmt: skip

    def values(self, name: str, at: Array) -> list[Any] | None:
        """Of a field, for the features at these places; None if the view must be asked."""
        one = fields(self.layer)[name]
        if one.kind == "county":
            return self.counties[at].tolist()  # type: ignore[no-any-return]
        sent = self._columns[name]
        if not one.kind:
            text = sent.decode("utf-8", "surrogateescape")
            texts: list[Any] = text.split("\0")
            if NONE in text:
                return [None if texts[i] == NONE else texts[i] for i in at.tolist()]
            return [texts[i] for i in at.tolist()]
        if one.kind == "u1":
            values = (None, *one.values)
            digits = np.frombuffer(sent, np.uint8)[at]
            return None if (digits == OTHER).any() else [values[i] for i in digits.tolist()]
        data = arrays.numbers(sent, one.kind)[at]
        missing = np.isnan(data) if one.kind == "f8" else data == np.iinfo(np.int64).min
        found: list[Any] = data.tolist()
        return [None if gone else value for value, gone in zip(found, missing.tolist(), strict=True)] if missing.any() else found  # fmt: skip

    def json(self, name: str, at: Array) -> list[str] | None:
        """The same as JSON texts, as orjson writes them, a column at a time; in the characters of `BYTES`."""
        one = fields(self.layer)[name]
        if one.kind == "county":
            return numbers_json(self.counties[at].astype(np.int64))
        sent = self._columns[name]
        if not one.kind:
            text = sent.decode(BYTES)
            if ESCAPED.search(text):
                return [orjson.dumps(value).decode(BYTES) for value in self.values(name, at) or ()]
            quoted = '"' + text.replace("\0", '"\0"') + '"'
            return _picked(quoted.replace('"\xff"', "null").split("\0"), at)
        if one.kind == "u1":
            digits = np.frombuffer(sent, np.uint8)[at]
            told = ["null", *(orjson.dumps(value).decode(BYTES) for value in one.values)]
            return None if (digits == OTHER).any() else [told[i] for i in digits.tolist()]
        data = arrays.numbers(sent, one.kind)[at]
        if one.kind == "i8":
            missing = np.iinfo(np.int64).min
            return ["null" if text == str(missing) else text for text in numbers_json(data)]
        return numbers_json(data)


def numbers_json(data: Array) -> list[str]:
    """A text each, or one of both where two numbers belong together; NaN is null."""
    text = orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY).decode(BYTES)
    return text[1:-1].split(",") if data.ndim == 1 else text[2:-2].split("],[")


def _picked(texts: list[str], at: Array) -> list[str]:
    return list(itemgetter(*at.tolist())(texts)) if len(at) > 1 else [texts[i] for i in at.tolist()]


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────


def _write(layer: Layer, source: str) -> str:
    """Writes the sheets of points; `source` follows `from … p`."""
    told = {
        "ids": arrays.numbers_sql("v.id", "i8"), "keys": arrays.numbers_sql("v.key", "i8"),
        "lons": arrays.numbers_sql("v.lon", "f8"), "lats": arrays.numbers_sql("v.lat", "f8"),
    } | {name: one.sql for name, one in fields(layer).items() if one.sql}  # fmt: skip
    shown = ", ".join(f"w.{quote(name)}" for name, one in fields(layer).items() if one.sql)
    geometry = f"w.{quote(layer.source.geometry)}"
    return (
        f"insert into {table(layer)} (block, county_code, basin_id, x0, y0, x1, y1, {', '.join(map(quote, told))}) "
        f"select v.block, v.of_county, v.of_basin, min(v.x), min(v.y), max(v.x), max(v.y), {', '.join(told.values())} "
        f"from (select p.key >> {SHIFT} as block, p.county_code as of_county, p.basin_id as of_basin, p.key, p.id, p.x, p.y, "
        f"st_x({geometry}) as lon, st_y({geometry}) as lat, {shown} "
        f"from {source} join {relation(layer, 'officer')} w on w.{quote(layer.source.id)} = p.id "
        "order by 1, 2, 3, p.key, p.id) v group by v.block, v.of_county, v.of_basin"
    )


def write(connection: psycopg.Connection[Any], layer: Layer, keys: Any, where: str) -> None:
    """Write the sheets of the points with these keys, which are in order, and for which `where` holds."""
    for source in in_parts(layer, keys, where):
        connection.execute(_write(layer, source).encode())


def renew(connection: psycopg.Connection[Any], layer: Layer, keys: Any) -> None:
    """Write the sheets of these positions anew."""
    blocks, source = of_blocks(layer, keys)
    connection.execute(f"delete from {table(layer)} where block = any(%s)".encode(), (blocks,))
    connection.execute(_write(layer, source).encode(), (blocks,))
