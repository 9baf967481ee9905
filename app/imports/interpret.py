"""Raw texts of a chunk as typed columns of a kind, with an issue for every value that is not one."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pandas as pd
import shapely

from app.errors import InvalidInput
from app.imports import columns, values
from app.imports.angles import AngleError, coarseness_km, parse_angle
from app.imports.datums import DATUMS, to_wgs84
from app.imports.kind import Chunk, FieldSpec, ImportKind, Issue
from app.imports.mapping import Column, Mapping
from app.imports.raw import EXCESS, RawChunk
from app.imports.values import BadValue

LIST_SEPARATORS = r"[;；,，、|\s]+"
TOO_MANY = "该行的列数多于表头 (this row has more columns than the heading)"


def plan(kind: ImportKind, mapping: Mapping, headings: list[str]) -> dict[str, Column]:
    """Which column gives each field: what the mapping says, else a heading that the field is known by.

    Raises InvalidInput if the mapping names an unknown field or column, or a required field has none.
    """
    known = {_plain(heading): heading for heading in headings}
    for name, column in mapping.columns.items():
        if name not in {spec.name for spec in kind.fields}:
            raise InvalidInput(
                f"映射中的字段 {name} 不属于{kind.title} (the mapping names a field that {kind.name} has not)",
                field=name,
            )
        for wanted in (column.column, *column.columns):
            if wanted is not None and wanted not in headings:
                raise InvalidInput(
                    f"文件中没有映射所说的列 {wanted!r} (the file lacks a column that the mapping names); 列: "
                    f"{', '.join(headings[:40])}",
                    field=name,
                    value=wanted,
                )
    found: dict[str, Column] = dict(mapping.columns)
    for spec in kind.fields:
        if spec.name not in found:
            hit = next((known[_plain(h)] for h in spec.headings if _plain(h) in known), None)
            if hit is not None:
                found[spec.name] = Column(column=hit)
    return found


def _plain(heading: str) -> str:
    text = values.clean(heading).lower().replace(" ", "_")
    for unit in ("(m3)", "(m³)", "(万m3)", "(万m³)", "(m3/s)", "(m³/s)"):
        text = text.removesuffix(unit)
    return text


def unit_in(heading: str) -> str | None:
    """The unit that a heading names in brackets, as 年取水量(万m³) does."""
    text = values.clean(heading)
    if text.endswith(")") and "(" in text:
        unit = text[text.rindex("(") + 1 : -1].lower()
        return unit if unit in values.M3_PER_UNIT or unit in values.M3S_PER_UNIT else None
    return None


class Interpreter:
    """Turns chunks of one file into typed columns."""

    def __init__(self, kind: ImportKind, mapping: Mapping, headings: list[str], has_geometry: bool) -> None:
        if mapping.datum not in DATUMS:
            raise InvalidInput(
                f"datum 应为 {', '.join(sorted(DATUMS))} (is one of these)",
                field="datum",
                value=mapping.datum,
            )
        self.kind, self.mapping = kind, mapping
        self.columns = plan(kind, mapping, headings)
        used = {name for c in self.columns.values() for name in (c.column, *c.columns) if name}
        # `行号 字段 原因 …`: the columns that our own reject file adds.
        self.rest = (
            [h for h in headings if h not in used and h != EXCESS and not h.startswith("__")]
            if mapping.keep_rest
            else []
        )
        missing = [
            s
            for s in kind.fields
            if s.required and s.name not in self.columns and not (s.form in ("lon", "lat") and has_geometry)
        ]
        if missing:
            wanted = "、".join(f"{s.title} ({s.name})" for s in missing)
            there = "、".join([h for h in headings if h != EXCESS][:40])
            raise InvalidInput(
                f"文件缺少必需的列：{wanted}；文件里的列：{there} "
                f"(required columns are missing: {', '.join(s.name for s in missing)})",
                field=missing[0].name,
                expected=wanted,
            )
        self._readers = {
            spec.name: self._reader(spec, self.columns[spec.name])
            for spec in kind.fields
            if spec.name in self.columns
        }

    def chunk(self, raw: RawChunk) -> Chunk:
        """Typed rows by row number; a value that cannot be read is missing and has an issue."""
        index = pd.RangeIndex(raw.first_row, raw.first_row + len(raw.texts))
        texts = raw.texts.set_index(index)
        issues: list[Issue] = []
        typed: dict[str, Any] = {}
        for spec in self.kind.fields:
            typed[spec.name] = self._typed(spec, texts, issues)
        if "lon" in typed:
            issues = [_swapped(issue, typed["lon"][issue.row_no - raw.first_row]) for issue in issues]
        geometry = raw.geometry
        if geometry is not None and not self.kind.polygons:
            self._fill_from_points(typed, geometry)
        rows = pd.DataFrame(typed, index=index)
        if "lon" in rows and self.mapping.datum in ("GCJ-02", "BD-09"):
            _convert_datum(rows, self.mapping.datum)
        rows["attributes"] = self._attributes(texts)
        excess = texts[EXCESS][texts[EXCESS] != ""]
        issues.extend(
            Issue(int(n), "reject", "", str(value), "too_many_columns", TOO_MANY, str(len(texts.columns) - 1))
            for n, value in excess.items()
        )
        return Chunk(rows, geometry if self.kind.polygons else None, issues)

    def _texts(self, column: Column, texts: pd.DataFrame) -> list[str]:
        if column.constant is not None:
            return [column.constant] * len(texts)
        names = column.columns or (column.column,)
        parts = [texts[name].tolist() for name in names if name]
        if len(parts) == 1:
            joined = parts[0]
        else:
            joined = [column.join.join(p for p in row if p) for row in zip(*parts, strict=True)]
        return [column.prefix + text if text else "" for text in joined] if column.prefix else joined

    def _typed(self, spec: FieldSpec, texts: pd.DataFrame, issues: list[Issue]) -> Any:
        reader = self._readers.get(spec.name)
        if reader is None:
            return columns.constant(spec.form, spec.default, len(texts))
        given = self._texts(self.columns[spec.name], texts)
        column = reader.column(given)
        for i, bad, rejected in column.odd:
            issues.append(
                Issue(
                    int(texts.index[i]),
                    "reject" if rejected else "warning",
                    spec.name,
                    given[i],
                    bad.reason,
                    bad.message,
                    getattr(bad, "expected", ""),
                )
            )
        if spec.required and spec.form not in ("lon", "lat"):
            rejected_at = {i for i, _, rejected in column.odd if rejected}
            issues.extend(
                Issue(
                    int(texts.index[i]),
                    "reject",
                    spec.name,
                    given[i],
                    "missing",
                    f"缺少{spec.title} ({spec.english} is missing)",
                )
                for i in np.flatnonzero(column.missing).tolist()
                if i not in rejected_at
            )
        if spec.default is not None:
            column.values[column.missing] = columns.constant(
                spec.form, spec.default, int(column.missing.sum())
            )
        return column.values

    def _reader(self, spec: FieldSpec, column: Column) -> columns.Reader:
        parse, factor = self._parser(spec, column)
        return columns.Reader(spec.form, parse, factor, column.zero_is_empty)

    def _parser(self, spec: FieldSpec, column: Column) -> tuple[columns.Parse, float | None]:
        """How to read a text of the field, and what a plain number is multiplied by."""
        spellings = {values.clean(k).lower(): v for k, v in column.values.items()}
        unit = (column.unit or unit_in(column.column or "") or spec.unit).lower()
        table = values.M3S_PER_UNIT if spec.form == "flow" else values.M3_PER_UNIT
        if spec.form in ("volume", "flow") and unit not in table:
            raise InvalidInput(
                f"{spec.title} 的单位 {unit!r} 不认识 (unknown unit); {', '.join(table)}",
                field=spec.name,
                value=unit,
            )
        codes = {
            spelling.lower(): value for value, others in spec.values.items() for spelling in (value, *others)
        }
        codes |= {k: v for k, v in spellings.items() if k != "*"}
        other = column.values.get("*")
        simple = (
            None if spec.parse or spec.form in ("lon", "lat", "code") else _simple(spec, column, unit, table)
        )

        def parse(text: str) -> tuple[Any, BadValue | None]:
            plain = values.clean(text)
            if plain == "" and spec.form in ("lon", "lat") and not spec.required:
                return None, None
            if spec.form in ("lon", "lat"):
                degrees = parse_angle(text, 180.0 if spec.form == "lon" else 90.0)
                return degrees, _coarse(text)
            if plain == "":
                return None, None
            if spec.form == "code":
                value = codes.get(plain.lower(), other)
                if value is None:
                    raise BadValue(
                        "unknown_code",
                        f"{text!r} 不在{spec.title}代码表中 (is no {spec.english})",
                        " ".join(spec.values),
                    )
                return value, None
            if simple is None:
                assert spec.parse is not None  # noqa: S101 - all other forms are read above
                return spec.parse(text)
            return simple(spellings.get(plain.lower(), plain) if spellings else plain), None

        # Where the mapping gives spellings of its own, no text is plain.
        return parse, None if spellings else table[unit] if spec.form in ("volume", "flow") else 1.0

    def _attributes(self, texts: pd.DataFrame) -> list[str]:
        if not self.rest:
            return ["{}"] * len(texts)
        columns = [texts[name].tolist() for name in self.rest]
        return [
            orjson.dumps({n: v for n, v in zip(self.rest, row, strict=True) if v}).decode()
            for row in zip(*columns, strict=True)
        ]

    def _fill_from_points(self, typed: dict[str, Any], geometry: Any) -> None:
        """The geometry serves where no column gives the coordinates."""
        if "lon" in self.columns and "lat" in self.columns:
            return
        centre = (
            shapely.get_point(shapely.force_2d(geometry), 0)
            if (shapely.get_type_id(geometry) == 1).any()
            else geometry
        )
        present = ~(shapely.is_missing(centre) | shapely.is_empty(centre))
        for name, get in (("lon", shapely.get_x), ("lat", shapely.get_y)):
            column = np.full(len(geometry), np.nan)
            column[present] = get(centre[present])
            typed[name] = column


def _simple(spec: FieldSpec, column: Column, unit: str, table: dict[str, float]) -> Callable[[str], Any]:
    """How a form is read that needs nothing but the text."""
    if spec.form in ("volume", "flow"):

        def quantity(plain: str) -> float | None:
            value = values.quantity(plain, unit, table)
            return None if column.zero_is_empty and value == 0 else value

        return quantity
    if spec.form == "list":
        return lambda plain: [part for part in re.split(LIST_SEPARATORS, plain) if part]
    by_form: dict[str, Callable[[str], Any]] = {
        "number": values.number,
        "whole": values.whole,
        "day": values.day,
        "boolean": values.boolean,
        "region": values.region_code,
        "text": str,
    }
    return by_form[spec.form]


def _swapped(issue: Issue, lon: float) -> Issue:
    """A latitude beyond 90° beside a longitude that could be one: east of 90°E that is how swapped ones look."""
    if issue.field != "lat" or issue.reason != "angle_out_of_range" or not abs(lon) <= 90:
        return issue
    try:
        parse_angle(issue.value, 180.0)
    except AngleError:
        return issue
    return Issue(
        issue.row_no,
        "reject",
        "lon,lat",
        f"{lon:g},{issue.value}",
        "swapped_coordinates",
        "经纬度颠倒 (longitude and latitude are swapped)",
        "CGCS2000 度 (degrees)",
    )


def _coarse(text: str) -> BadValue | None:
    km = coarseness_km(text)
    if not km:
        return None
    return BadValue(
        "coarse_angle",
        f"只到整{'度' if km > 100 else '分'}，误差可达 {km:g} km (given to whole {'degrees' if km > 100 else 'minutes'}: "
        f"off by up to {km:g} km)",
        "0.0001°",
    )


def _convert_datum(rows: pd.DataFrame, datum: str) -> None:
    """Bring declared GCJ-02 or BD-09 positions to WGS 84."""
    given = rows[["lon", "lat"]].dropna()
    for row_no, lon, lat in zip(given.index, given["lon"], given["lat"], strict=True):
        rows.at[row_no, "lon"], rows.at[row_no, "lat"] = to_wgs84(lon, lat, datum)
