"""A file of any register as a table in the standard record, with what is odd about its rows.

No row is dropped: one without an id, a position or a name stays, with the reason in `Register.odd`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import shapely
from charset_normalizer import from_bytes
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from app.errors import InvalidInput, UnreadableFile
from app.imports import datums, reader
from app.imports.angles import AngleError, parse_angle
from app.imports.mapping import Mapping
from app.imports.raw import EXCESS
from app.linkage.engine.records import RECORD
from app.linkage.engine.texts import fold
from app.linkage.file_mapping import Columns, Section, fitting

Floats = npt.NDArray[np.float64]
PAIR = re.compile(r"^\s*[(\[]?\s*(-?\d+(?:\.\d+)?)\s*[,;\s]\s*(-?\d+(?:\.\d+)?)\s*[)\]]?\s*$")
FEWEST_PLACES = 20
MOST_DAMAGED = 0.02
GROUPED = (
    (re.compile(r"[-+]?\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|[-+]?\d{1,3}(?:\.\d{3})+,\d+"), ".", ","),
    (re.compile(r"[-+]?\d+,\d+"), "", ","),
    (re.compile(r"[-+]?\d{1,3}(?:,\d{3}){2,}(?:\.\d+)?|[-+]?\d{1,3}(?:,\d{3})+\.\d+"), ",", "."),
)
"""Numbers of coordinates as people write them, with what parts thousands and what parts decimals: 3.812.345,6; 119,5; 3,812,345.6."""
PACKED = re.compile(r"([-+]?)(\d{1,3})([0-5]\d)([0-5]\d(?:\.\d+)?)")
"""Degrees, minutes and seconds run together: 1192630.5 is 119° 26′ 30.5″."""
NEARLY_ALL, FEWEST_PACKED = 0.95, 5
NOTHING = frozenset({
    "-", "--", "---", "—", "——", "/", "?", ".", "n/a", "#n/a", "na", "n.a.", "null", "none", "nan", "nil", "unknown", "nd", "n.d.",
    "s/d", "无", "暂无", "不详", "未知", "空", "未填", "缺", "inconnu", "ninguno",
})  # fmt: skip
"""What people write into a cell that they have nothing to write into."""
NEAR_ZERO = 0.01
"""Degrees: positions nearer than this to 0°, 0° stand for none."""
VOLUMES = (
    (re.compile(r"万\s*(?:m|立?方|吨|t)"), 1e4),
    (re.compile(r"亿\s*(?:m|立?方)"), 1e8),
    (re.compile(r"acre.?f(?:ee|oo)?t|(?<![a-z])ac?[-_ .]?f[ty]?(?![a-z])"), 1233.48184),
    (re.compile(r"(?<![a-z])(?:ml|megali(?:tre|ter)s?)(?![a-z])"), 1e3),
    (re.compile(r"(?<![a-z])(?:gl|gigali(?:tre|ter)s?)(?![a-z])|hm3|hm³|mcm"), 1e6),
)
"""Units of volume by how headings write them."""
TEXT_FIELDS = ("code", "name", "holder", "uscc", "permit_no", "previous_no", "county_code", "town", "place", "water_body", "source_type", "purpose", "group")  # fmt: skip


@dataclass
class Register:
    """One file, read."""

    name: str
    frame: pd.DataFrame
    """Every value a text."""
    geometry: npt.NDArray[Any] | None
    """Points in degrees, where the file has geometries."""
    odd: dict[str, list[int]] = field(default_factory=dict)
    """Rows (from 0) by what is odd about them."""


def read(path: Path, section: Section) -> Register:
    """The whole file. Raises UnreadableFile."""
    if not path.is_file():
        raise UnreadableFile(f"没有文件 {path} (there is no such file)", file=str(path))
    encoding = section.encoding
    suffix = path.suffix.lower()
    if encoding is None and (
        suffix in (".csv", ".txt", ".tsv") or path.name.lower().endswith((".csv.gz", ".txt.gz", ".tsv.gz"))
    ):
        encoding = _encoding(path)
    layer = section.layer or _best_table(path, section)
    parts = list(reader.chunks(path, Mapping(layer=layer, encoding=encoding, undecodable="replace")))
    if not parts:
        return Register(path.name, pd.DataFrame(), None)
    frame = pd.concat([part.texts for part in parts], ignore_index=True)
    odd = {
        "多出的单元格未用 (more cells than headings, left out)": np.flatnonzero(frame[EXCESS] != "").tolist(),
        "字符损坏 (damaged characters)": _damaged(frame),
    }
    if layer != section.layer:
        odd[f"读自 {layer} (read from this sheet or layer)"] = list(range(len(frame)))
    frame = frame.drop(columns=EXCESS)
    geometry = None
    if parts[0].geometry is not None:
        geometry = np.concatenate([part.geometry for part in parts if part.geometry is not None])
    return Register(path.name, frame, geometry, odd)


def _best_table(path: Path, section: Section) -> str | None:
    """Of several sheets or layers the one whose headings fit best, the first among equals; None where there are not several."""
    names = reader.tables(path)
    return max(names, key=lambda name: fitting(section, _headings(path, name))) if len(names) > 1 else None


def _headings(path: Path, name: str) -> list[str]:
    try:
        first = next(reader.chunks(path, Mapping(layer=name)), None)
    except UnreadableFile:  # an empty sheet, or a layer without a coordinate reference system
        return []
    return [] if first is None else [str(column) for column in first.texts.columns]


def _damaged(frame: pd.DataFrame) -> list[int]:
    found = np.zeros(len(frame), bool)
    for column in frame.columns:
        found |= frame[column].str.contains("\ufffd", regex=False).to_numpy(bool)
    return np.flatnonzero(found).tolist()


def _encoding(path: Path) -> str | None:
    """UTF-8 if it is; one byte a character if bytes above 127 stand alone, as in ñ among Latin letters; else Big5 where
    the characters are then the common ones, else GB18030."""
    with reader._opened(path) as file:
        data: bytes = file.read()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        data.decode("utf-8")
        return "utf-8-sig"
    except UnicodeDecodeError:
        pass
    if _hardly_damaged(data, "utf-8"):
        return "utf-8-sig"
    high = re.findall(rb"[\x80-\xff]+", data)
    if sum(len(run) == 1 for run in high) > len(high) / 2:
        return _first_that_reads(data, ("cp1252", "latin-1"))
    best_of_both = max(("gb18030", "big5hkscs"), key=lambda encoding: _common(data, encoding))
    if _reads(data, best_of_both) or _hardly_damaged(data, best_of_both):
        return best_of_both
    best = from_bytes(data[: reader.SAMPLE]).best()
    return best.encoding if best and _reads(data, best.encoding) else "latin-1"


def _hardly_damaged(data: bytes, encoding: str) -> bool:
    """Whether nearly all of what is not ASCII is of the encoding: a few broken bytes do not make a file another's."""
    text = data.decode(encoding, "replace")
    beyond = len(text) - len(text.encode("ascii", "ignore"))
    return text.count("\ufffd") < MOST_DAMAGED * beyond


def _common(data: bytes, encoding: str) -> float:
    """Part of the Chinese characters, so read, that are among the common ones of that encoding (its first level)."""
    text = data[: 4 * reader.SAMPLE].decode(encoding, "ignore")
    characters = "".join(c for c in text if "\u4e00" <= c <= "\u9fff")
    level, low, high = ("gb2312", 0xB0, 0xD7) if encoding == "gb18030" else ("big5", 0xA4, 0xC6)
    first = characters.encode(level, "ignore")[::2]
    return sum(low <= byte <= high for byte in first) / max(1, len(characters))


def _first_that_reads(data: bytes, encodings: Sequence[str]) -> str:
    return next(encoding for encoding in encodings if _reads(data, encoding))


def _reads(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def table(register: Register, section: Section) -> pa.Table:
    """The register in the standard record; `id` is the row's number, for ids of files may repeat or be empty."""
    frame = register.frame
    rows = len(frame)
    columns: dict[str, Any] = {"id": pa.array([str(i) for i in range(rows)])}
    given = _codes_apart(section.columns)
    for name in TEXT_FIELDS:
        if name in given:
            columns[name] = pa.array(_said(_text(frame, given[name])), pa.string())
    lon, lat = _positions(register, section)
    columns["lon"], columns["lat"] = pa.array(lon), pa.array(lat)
    for name, unit in (("annual_m3", _cubic_metres), ("position_error_m", lambda heading: 1.0)):
        if name in given:
            columns[name] = pa.array(_amounts(frame[given[name][0]]) * unit(given[name][0]))
    _note_empty(register, section, columns)
    return pa.table([columns.get(f.name, pa.nulls(rows, f.type)) for f in RECORD], schema=RECORD)


def ids(register: Register, section: Section) -> list[str]:
    """The id of each row as it stands in the file."""
    return _text(register.frame, section.columns["id"])


def _codes_apart(columns: Any) -> dict[str, Columns]:
    """Several columns of codes are several codes, not one code in parts."""
    found = dict(columns)
    extra = list(found.get("code", ()))[1:]
    if extra:
        found["code"] = found["code"][:1]
        for name in ("permit_no", "previous_no"):
            if extra and name not in found:
                found[name] = (extra.pop(0),)
    return found


def _text(frame: pd.DataFrame, columns: Columns) -> list[str]:
    if len(columns) == 1:
        return [str(v) for v in frame[columns[0]].tolist()]
    return [
        " ".join(v for v in row if v.strip())
        for row in zip(*(frame[c].tolist() for c in columns), strict=True)
    ]


def _said(texts: Sequence[str]) -> list[str]:
    """Texts, empty where the cell says that there is nothing to say: 无, N/A, NULL, -."""
    memory = {text: "" if text.strip().casefold() in NOTHING else text for text in set(texts)}
    return [memory[text] for text in texts]


def _numbers(column: pd.Series) -> Floats:
    plain = pd.to_numeric(column.str.replace(",", "", regex=False).str.strip(), errors="coerce")
    return np.asarray(plain, np.float64)


def _amounts(column: pd.Series) -> Floats:
    """Numbers of a column in which a comma parts either thousands or decimals, which the column as a whole tells."""
    texts = column.str.strip().str.replace(r"(?<=\d)[\s\u00a0\u202f'’](?=\d{3})", "", regex=True)
    last = texts.str.contains(r"\.\d*,\d+$") | texts.str.contains(r",(?:\d{1,2}|\d{4,})$")
    if last.sum() > texts.str.contains(r",\d*\.\d+$").sum():
        texts = texts.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    return _numbers(texts)


def _cubic_metres(heading: str) -> float:
    """What one of the unit that a heading names is in m³: 许可水量(万m³), volume_af, Licensed ML; 1 where it names none."""
    return next((m3 for unit, m3 in VOLUMES if unit.search(fold(heading))), 1.0)


def _note_empty(register: Register, section: Section, columns: dict[str, Any]) -> None:
    texts = pd.Series(ids(register, section))
    register.odd["编码为空 (no id)"] = np.flatnonzero(texts.str.strip() == "").tolist()
    register.odd["编码重复 (the id is given twice)"] = np.flatnonzero(
        texts.duplicated(keep=False) & (texts.str.strip() != "")
    ).tolist()
    where = columns["lon"].to_numpy(zero_copy_only=False)
    if len(where) and (np.isfinite(where).any() or {"lon", "x", "geometry"} & set(section.columns)):
        register.odd["没有可用坐标 (no usable position)"] = np.flatnonzero(~np.isfinite(where)).tolist()


# ── positions ────────────────────────────────────────────────────────────────────────────────────────


def _positions(register: Register, section: Section) -> tuple[Floats, Floats]:
    frame, columns, rows = register.frame, section.columns, len(register.frame)
    nowhere = np.full(rows, np.nan)
    if "lon" in columns and "lat" in columns:
        lon, lat = _degrees(frame, columns["lon"]), _degrees(frame, columns["lat"])
        packed = None if section.crs else _unpacked(frame, columns["lon"], columns["lat"], register)
        if packed is not None:
            lon, lat = packed
        elif section.crs or _beyond(lon) or _beyond(lat):
            lon, lat = _projected(frame, columns["lon"], columns["lat"], section, register.name)
    elif "x" in columns and "y" in columns:
        if section.crs or _beyond(_plain_numbers(frame, columns["x"])):
            lon, lat = _projected(frame, columns["x"], columns["y"], section, register.name)
        else:
            lon, lat = _degrees(frame, columns["x"]), _degrees(frame, columns["y"])
    elif "geometry" in columns and columns["geometry"][0] in frame:
        lon, lat = _of_texts(_text(frame, columns["geometry"]), section)
    elif register.geometry is not None:
        lon, lat = _of_shapes(register.geometry)
    else:
        return nowhere, nowhere.copy()
    lon, lat = _usable(lon, lat, register)
    if section.datum.upper() in ("GCJ-02", "GCJ02", "BD-09", "BD09"):
        lon, lat = _shifted_back(lon, lat, section.datum.upper())
    return lon, lat


def both_of(section: Section, name: str) -> None:
    """Raises InvalidInput where a mapping names half of a position."""
    for one, other in (("lon", "lat"), ("x", "y")):
        given = {one, other} & set(section.columns)
        if len(given) == 1:
            have = given.pop()
            lack = other if have == one else one
            raise InvalidInput(
                f"{name} 的映射有 {have} 而没有 {lack}，位置需要两者 (the mapping names {have} and no {lack}: a position needs both)",
                field=lack,
            )


def _unpacked(
    frame: pd.DataFrame, x: Columns, y: Columns, register: Register
) -> tuple[Floats, Floats] | None:
    """Degrees whose minutes and seconds are run together, if nearly all values of both columns can be read so."""
    if len(x) > 1 or len(y) > 1:
        return None
    found = []
    for columns, most in ((x, 180), (y, 90)):
        texts = frame[columns[0]].str.strip()
        parts = texts.str.extract(rf"^{PACKED.pattern}$")
        degrees = pd.to_numeric(parts[1]) + pd.to_numeric(parts[2]) / 60 + pd.to_numeric(parts[3]) / 3600
        good = (degrees <= most).to_numpy(bool)
        known = int((texts != "").sum())
        if good.sum() < max(FEWEST_PACKED, NEARLY_ALL * known):
            return None
        found.append(np.where(good, degrees.to_numpy(float), np.nan) * np.where(parts[0] == "-", -1.0, 1.0))
    register.odd["坐标按度分秒连写读取 (read as degrees, minutes and seconds run together)"] = np.flatnonzero(
        np.isfinite(found[0])
    ).tolist()
    return found[0], found[1]


def _plain_numbers(frame: pd.DataFrame, columns: Columns) -> Floats:
    texts = frame[columns[0]].str.strip().str.replace(r"(?<=\d)[\s\u00a0\u202f'’](?=\d{3})", "", regex=True)
    for pattern, thousands, decimals in GROUPED:
        so = texts.str.fullmatch(pattern.pattern).fillna(False)
        plain = texts.str.replace(thousands, "", regex=False) if thousands else texts
        texts = texts.where(~so, plain.str.replace(decimals, ".", regex=False))
    return _numbers(texts)


def _beyond(values: Floats) -> bool:
    """Whether most values cannot be degrees."""
    known = values[np.isfinite(values)]
    return bool(len(known)) and float(np.mean(np.abs(known) > 360)) > 0.5


def _degrees(frame: pd.DataFrame, columns: Columns) -> Floats:
    """Decimal degrees, or degrees, minutes and seconds in one column or in several."""
    texts = pd.Series(_text(frame, columns))
    found = (
        _plain_numbers(pd.DataFrame({"t": texts}), ("t",)).copy()
        if len(columns) == 1
        else np.full(len(texts), np.nan)
    )
    rest = np.flatnonzero(~np.isfinite(found) & (texts.str.strip() != "").to_numpy())
    memory: dict[str, float] = {}
    for i in rest.tolist():
        text = texts[i]
        if text not in memory:
            try:
                memory[text] = parse_angle(text, 180)
            except AngleError:
                memory[text] = np.nan
        found[i] = memory[text]
    return found


def _projected(
    frame: pd.DataFrame, x: Columns, y: Columns, section: Section, name: str
) -> tuple[Floats, Floats]:
    if not section.crs:
        raise InvalidInput(
            f"{name} 的 {x[0]}、{y[0]} 不是度；请在映射中写明坐标系，如 crs: EPSG:4547 "
            "(these are no degrees: name the coordinate reference system in the mapping, such as crs: EPSG:32610)",
            field="crs",
        )
    crs = _crs(section.crs)
    transformer = Transformer.from_crs(crs, 4326, always_xy=True)
    east, north = _plain_numbers(frame, x), _plain_numbers(frame, y)
    ways = [(east, north), (north, east)]  # Chinese surveys call the northing X
    ways += [
        (np.mod(first, ZONE), second) for first, second in ways
    ]  # an easting with the number of its zone before it
    placed = [transformer.transform(*way) for way in ways]
    inside = [_within(crs, *place) for place in placed]
    best = inside.index(max(inside)) if max(inside) > 2 * inside[0] else 0
    lon, lat = (np.asarray(v, np.float64) for v in placed[best])
    return np.where(np.isfinite(lon), lon, np.nan), np.where(np.isfinite(lat), lat, np.nan)


UTM = re.compile(r"(?:wgs\s*-?84\s*[/,]?\s*)?utm\s*(?:zone)?\s*(\d{1,2})\s*([ns])", re.IGNORECASE)


def _crs(text: str) -> CRS:
    """The coordinate reference system of a mapping; UTM 50N, as people write it, too. Raises InvalidInput."""
    match = UTM.fullmatch(text.strip())
    try:
        return CRS.from_user_input(32600 + int(match[1]) + 100 * (match[2] in "sS") if match else text)
    except CRSError as error:
        raise InvalidInput(
            f"不认识坐标系 {text!r} (no such coordinate reference system): {error}", field="crs"
        ) from None


ZONE = 1e6


def _within(crs: CRS, lon: Floats, lat: Floats) -> int:
    """How many places lie where the coordinate reference system is used, or a degree beside it."""
    area = crs.area_of_use
    if area is None:
        return 0
    return int(
        (
            (lon > area.west - 1) & (lon < area.east + 1) & (lat > area.south - 1) & (lat < area.north + 1)
        ).sum()
    )


def _of_texts(texts: Sequence[str], section: Section) -> tuple[Floats, Floats]:
    """WKT, or two numbers: `lon lat`, or `lat, lon` where only that can be."""
    lon, lat = np.full(len(texts), np.nan), np.full(len(texts), np.nan)
    pairs = {i: (float(m[1]), float(m[2])) for i, t in enumerate(texts) if (m := PAIR.match(t))}
    for i, (first, second) in pairs.items():
        lon[i], lat[i] = first, second
    rest = [i for i, t in enumerate(texts) if i not in pairs and t.strip()]
    shapes = (
        shapely.from_wkt([texts[i].split(";", 1)[-1] for i in rest], on_invalid="ignore")
        if rest
        else np.array([])
    )
    if len(rest):
        lon[rest], lat[rest] = _of_shapes(np.asarray(shapes, object))
    if pairs and not rest and np.nanmax(np.abs(lon)) <= 90 < np.nanmax(np.abs(lat)):
        lon, lat = lat, lon
    if section.crs and (crs := _crs(section.crs)).is_projected:
        transformer = Transformer.from_crs(crs, 4326, always_xy=True)
        lon, lat = (np.asarray(v, np.float64) for v in transformer.transform(lon, lat))
    return lon, lat


def _of_shapes(shapes: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Points as they are, of other shapes a point on them; NaN of empty ones."""
    points = np.where(shapely.get_type_id(shapes) == 0, shapes, shapely.point_on_surface(shapes))
    points[shapely.is_empty(points)] = None
    return shapely.get_x(points), shapely.get_y(points)


def _usable(lon: Floats, lat: Floats, register: Register) -> tuple[Floats, Floats]:
    """Swapped coordinates turned, zero ones and impossible ones taken out."""
    lon, lat = lon.copy(), lat.copy()
    turned = np.flatnonzero((np.abs(lat) > 90) & (np.abs(lon) <= 90) & (np.abs(lat) <= 180))
    lon[turned], lat[turned] = lat[turned], lon[turned]
    unusable = (np.abs(lon) < NEAR_ZERO) & (np.abs(lat) < NEAR_ZERO)
    unusable |= (np.abs(lat) > 90) | (np.abs(lon) > 180) | (lat == 0) | (lon == 0)
    lon[unusable], lat[unusable] = np.nan, np.nan
    missing = ~(np.isfinite(lon) & np.isfinite(lat))
    lon[missing], lat[missing] = np.nan, np.nan
    register.odd["经纬度颠倒，已换回 (longitude and latitude were swapped)"] = turned.tolist()
    return lon, lat


def _shifted_back(lon: Floats, lat: Floats, datum: str) -> tuple[Floats, Floats]:
    name = "GCJ-02" if datum.startswith("GCJ") else "BD-09"
    for i in np.flatnonzero(np.isfinite(lon)).tolist():
        lon[i], lat[i] = datums.to_wgs84(lon[i], lat[i], name)
    return lon, lat


def agree_on_places(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> tuple[int, int]:
    """Mend positions of two registers of one region, in place: swapped, or without the minus of west or south.

    A row is mended only if it lies outside where the bulk of the rows lie and would lie inside; a whole register
    that lies elsewhere is mended by the other's. Returns how many rows of each were.
    """
    if min(np.isfinite(first[0]).sum(), np.isfinite(second[0]).sum()) < FEWEST_PLACES:
        return 0, 0
    own = _bulk(*first)
    mended = _mended(first, own, own)
    others = _bulk(*second)
    trial = second[0].copy(), second[1].copy()
    known = np.isfinite(trial[0]).sum()
    elsewhere = _inside(*trial, own).sum() < known / 10 and _mended(trial, own, own) > known / 2
    return mended, _mended(second, own, own if elsewhere else others)


def lie_apart(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> bool:
    """Whether hardly a place of the one lies near any of the other: a wrong crs, another unit, another country."""
    a, b = ({(int(x), int(y)) for x, y in zip(*(np.floor(v[np.isfinite(v)] / APART_DEGREES) for v in side), strict=True)}
            for side in (first, second))  # fmt: skip
    if min(np.isfinite(first[0]).sum(), np.isfinite(second[0]).sum()) < FEWEST_PLACES:
        return False
    around = {(x + dx, y + dy) for x, y in b for dx in (-1, 0, 1) for dy in (-1, 0, 1)}
    return len(a & around) < len(a) / 20


APART_DEGREES = 0.25
Box = tuple[tuple[float, float], tuple[float, float]]


def _bulk(lon: Floats, lat: Floats) -> Box:
    """Around the median, generously: half of the rows may be wrong and it still holds the rest."""
    found = []
    for values in (lon, lat):
        middle = float(np.nanmedian(values))
        reach = 8 * float(np.nanmedian(np.abs(values - middle))) + 1
        found.append((middle - reach, middle + reach))
    return found[0], found[1]


def _inside(lon: Floats, lat: Floats, box: Box) -> npt.NDArray[np.bool_]:
    (west, east), (south, north) = box
    found: npt.NDArray[np.bool_] = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return found


def _mended(place: tuple[Floats, Floats], into: Box, own: Box) -> int:
    lon, lat = place
    out = np.isfinite(lon) & ~_inside(lon, lat, into) & (~_inside(lon, lat, own) | (own is into))
    count = 0
    for x, y in ((lat.copy(), lon.copy()), (-lon, lat.copy()), (lon.copy(), -lat), (-lon, -lat)):
        turned = out & _inside(x, y, into)
        lon[turned], lat[turned] = x[turned], y[turned]
        out &= ~turned
        count += int(turned.sum())
    return count
