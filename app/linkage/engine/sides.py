"""A side of the linkage, cleaned once: each different text is cleaned once and rows point at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from app.linkage.engine.codes import clean_code
from app.linkage.engine.grams import Grams
from app.linkage.engine.names import EMPTY, Name, clean_name
from app.linkage.engine.records import RECORD
from app.linkage.engine.texts import fold

EARTH_M = 6_371_008.8
CODES = ("code", "permit_no", "previous_no")
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Texts:
    """A column of names: `rows[i]` says which of the different values row i has, -1 for none."""

    rows: Ints
    values: Sequence[Name]
    counts: npt.NDArray[np.int64]
    """How many rows have each value."""
    grams: Grams

    def known(self) -> npt.NDArray[np.bool_]:
        return self.rows >= 0


@dataclass(frozen=True)
class Words:
    """A column of plain words or codes, compared for equality: -1 for none."""

    rows: Ints
    values: Sequence[str]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """One side, cleaned. Every array has a row a record."""

    ids: pa.Array
    xyz: Floats
    """Metres on the sphere, shape (rows, 3); NaN without a usable position."""
    lonlat: Floats
    error_m: Floats
    name: Texts
    holder: Texts
    place: Texts
    water_body: Texts
    codes: Mapping[str, Words]
    """`code`, `permit_no`, `previous_no`, those that the side gives."""
    uscc: Words
    county: Words
    source: Words
    purpose: Words
    annual_m3: Floats
    group: Words

    def __len__(self) -> int:
        return len(self.ids)


def cleaned(table: pa.Table) -> Side:
    """The table in the standard record, cleaned. Raises ValueError without a column `id`."""
    table = standard(table)
    lon, lat = (table[c].to_numpy(zero_copy_only=False) for c in ("lon", "lat"))
    return Side(
        ids=table["id"].combine_chunks(),
        xyz=sphere(lon, lat),
        lonlat=np.column_stack([lon, lat]),
        error_m=np.nan_to_num(table["position_error_m"].to_numpy(zero_copy_only=False)),
        name=_texts(table["name"]),
        holder=_texts(table["holder"]),
        place=_texts(_joined(table["town"], table["place"])),
        water_body=_texts(table["water_body"]),
        codes={c: _words(table[c], clean_code) for c in CODES if table[c].null_count < len(table)},
        uscc=_words(table["uscc"], clean_code),
        county=_words(table["county_code"], fold),
        source=_words(table["source_type"], fold),
        purpose=_words(table["purpose"], fold),
        annual_m3=_positive(table["annual_m3"].to_numpy(zero_copy_only=False)),
        group=_words(table["group"], str),
    )


def standard(table: pa.Table) -> pa.Table:
    """Every column of RECORD, in its type, missing ones empty."""
    if "id" not in table.column_names:
        raise ValueError("the table has no column id")
    columns = []
    for field in RECORD:
        if field.name not in table.column_names:
            columns.append(pa.nulls(len(table), field.type))
            continue
        column = table[field.name]
        columns.append(column if column.type == field.type else pc.cast(column, field.type))
    return pa.table(columns, schema=RECORD)


def floats(table: pa.Table, name: str) -> Floats:
    """A column of numbers, NaN where there is none."""
    if name not in table.column_names:
        return np.full(len(table), np.nan)
    return np.asarray(pc.cast(table[name], pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def sphere(lon: Floats, lat: Floats) -> Floats:
    """Points in metres on the sphere, whose straight distances are distances on the ground for what is near."""
    usable = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90) & (np.abs(lon) <= 360)
    a, b = np.radians(np.where(usable, lon, np.nan)), np.radians(np.where(usable, lat, np.nan))
    return EARTH_M * np.column_stack([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)])


def _joined(first: pa.ChunkedArray, second: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(
        pc.fill_null(first, ""), pc.fill_null(second, ""), " ", null_handling="replace"
    )


def _different(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], list[str | None]]:
    encoded = column.combine_chunks().dictionary_encode()
    return pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()


def _texts(column: pa.ChunkedArray) -> Texts:
    rows, texts = _different(column)
    names = [clean_name(text) if text else EMPTY for text in texts]
    where: dict[tuple[str, str, tuple[str, ...]], int] = {}
    values: list[Name] = []
    renamed = np.full(len(names) + 1, -1, np.int32)
    for i, name in enumerate(names):
        if not (name.core or name.numbers):
            continue
        key = (name.core, name.full, name.numbers)
        if key not in where:
            where[key] = len(values)
            values.append(name)
        renamed[i] = where[key]
    found = renamed[rows]
    return Texts(found, values, _counts(found, len(values)), Grams.of([v.core for v in values]))


def _words(column: pa.ChunkedArray, clean: Any) -> Words:
    rows, texts = _different(column)
    where: dict[str, int] = {}
    renamed = np.full(len(texts) + 1, -1, np.int32)
    for i, text in enumerate(texts):
        word = clean(text) if text else ""
        if word:
            renamed[i] = where.setdefault(word, len(where))
    found = renamed[rows]
    return Words(found, list(where), _counts(found, len(where)))


def _counts(rows: Ints, values: int) -> npt.NDArray[np.int64]:
    return np.bincount(rows[rows >= 0], minlength=values)


def _positive(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)
