"""Tables as files in the forms that counties send: GBK text, workbooks, shapefiles, projected GeoPackages.

The same table gives the same bytes: clocks and orders that the formats would add are taken out.
"""

import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geocoordinates_ffi as datums
import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import shapely
from pyproj import Transformer

from app.demo.names import Rng, rng
from app.demo.planted import dms
from app.demo.sources import Boundaries
from app.demo.tables import Planted, Row, Table

CLOCK = "2026-01-01T00:00:00.000Z"
ZIP_TIME = (2026, 1, 1, 0, 0, 0)
NUMBERS = {
    "经度",
    "纬度",
    "年取水量",
    "年最大取水量(万m³)",
    "日最大取水量(万m³)",
    "指标值(万m³)",
    "水平年",
    "井深",
}
PROJECTED_CRS = 4549  # CGCS2000, 3-degree zone of 120°E
DATES = ("{y}-{m:02d}-{d:02d}", "{y}年{m}月{d}日", "{y}{m:02d}{d:02d}", "{y}/{m}/{d}")


@dataclass(frozen=True)
class Written:
    """A file on disk, and the table in it with its rows in the file's order."""

    path: Path
    table: Table
    mapping: dict[str, Any]


# How each county sends its intakes (form of the file, how positions are written) and its permits.
INTAKE_FORMS = {
    321002: ("xlsx", "decimal"), 321003: ("shp", "geometry"), 321012: ("gpkg", "projected"),
    321023: ("csv", "dms"), 321081: ("csv", "gcj02"), 321084: ("xlsx", "mixed"),
}  # fmt: skip
PERMIT_FORMS = {
    321002: "csv",
    321003: "xlsx",
    321012: "csv-utf8",
    321023: "xlsx",
    321081: "csv",
    321084: "xlsx",
}


def write_intakes(table: Table, folder: Path, seed: int) -> Written:
    """Write a county's intakes in that county's way."""
    form, way = INTAKE_FORMS[table.county]
    path = folder / f"示例_{table.county}_{table.county_name}_取水口.{form}"
    _spell_dates(table.rows, "启用日期", table.county)
    if way in ("geometry", "projected"):
        _geometries(table.rows, path, PROJECTED_CRS if way == "projected" else 4490)
    else:
        random = rng(seed, "spelling", table.county)
        spelt: dict[tuple[float | None, float | None], tuple[str, str]] = {}
        for row in table.rows:
            # One position one spelling: a row sent twice is sent the same twice.
            here = row.as_typed or spelt.setdefault((row.lon, row.lat), _position(row, way, random))
            row.values["经度"], row.values["纬度"] = here
            _note_spelling(row, here, way)
        _plain(table.rows, path)
    return Written(path, table, {"datum": "GCJ-02"} if way == "gcj02" else {})


def write_permits(table: Table, folder: Path) -> Written:
    """Write a county's permits in that county's way."""
    form = PERMIT_FORMS[table.county]
    path = folder / f"示例_{table.county}_{table.county_name}_取水许可.{form.partition('-')[0]}"
    for heading in ("有效期起", "有效期止"):
        _spell_dates(table.rows, heading, table.county + 1)
    _plain(table.rows, path, "utf-8-sig" if form == "csv-utf8" else "gb18030")
    return Written(path, table, {})


def write_points(table: Table, folder: Path) -> Written:
    """Write what a county's permits list: text in UTF-8, as the platform of electronic permits exports it."""
    path = folder / f"示例_{table.county}_{table.county_name}_证照取水口.csv"
    _plain(table.rows, path, "utf-8-sig")
    return Written(path, table, {})


def write_plain(table: Table, path: Path) -> Written:
    """A table without positions, as a workbook or text."""
    _plain(table.rows, path)
    return Written(path, table, {})


def write_regions(boundaries: Boundaries, path: Path) -> Path:
    """Every region as one GeoPackage layer."""
    frame = boundaries.frame
    columns = {
        "区划代码": frame["code"].astype(str),
        "名称": frame["name"],
        "级别": frame["level"],
        "上级代码": frame["parent_code"].astype("string").fillna(""),
    }
    _vector(pd.DataFrame(columns), np.asarray(frame["geometry"].to_numpy(), dtype=object), path, 4490)
    return path


# ── ways of writing ─────────────────────────────────────────────────────────────────────────────────


def _spell_dates(rows: Sequence[Row], heading: str, county: int) -> None:
    """Each county has its own way to write a date."""
    form = DATES[county % len(DATES)]
    for row in rows:
        parts = row.values[heading].split("-")
        if len(parts) == 3:
            y, m, d = (int(part) for part in parts)
            row.values[heading] = form.format(y=y, m=m, d=d)


def _note_spelling(row: Row, here: tuple[str, str], way: str) -> None:
    """A position that is not plain degrees of CGCS2000 must come in right all the same: that is part of the truth."""
    spelt = way == "gcj02" or not here[0].replace(".", "").isdigit()
    if not row.planted and spelt:
        error = "declared_gcj02" if way == "gcj02" else "spelt_angle"
        row.planted.append(Planted(error, "accept", "lon,lat", "", ",".join(here), f"{row.lon},{row.lat}"))


def _position(row: Row, way: str, random: Rng) -> tuple[str, str]:
    if row.lon is None or row.lat is None:
        return "", ""
    if way == "gcj02":
        there = datums.wgs84_to_gcj02(datums.Wgs84(lon=row.lon, lat=row.lat))
        return f"{there.lon:.7f}", f"{there.lat:.7f}"
    if (
        max(abs(row.lon), abs(row.lat)) > 180
        or way == "decimal"
        or (way == "mixed" and random.random() < 0.6)
    ):
        return f"{row.lon:.6f}", f"{row.lat:.6f}"
    spelling = int(random.integers(8))
    return spelled(row.lon, spelling, "东经", "E"), spelled(row.lat, spelling, "北纬", "N")


def spelled(degrees: float, spelling: int, word: str, letter: str) -> str:
    """One of the spellings of an angle that registers hold."""
    usual = dms(degrees)
    if spelling == 1:
        return usual.replace("°", "度").replace("′", "分").replace("″", "秒")
    if spelling == 2:
        return usual.replace("°", "-").replace("′", "-").replace("″", "")
    if spelling == 3:
        return word + usual
    if spelling == 4:
        return usual.replace("′", "'").replace("″", '"') + letter
    if spelling == 5:
        return usual.replace("°", " ").replace("′", " ").replace("″", "")
    if spelling == 6:
        return f"{int(degrees)}°{degrees % 1 * 60:.4f}′"
    if spelling == 7:
        return usual.replace("°", "`").replace("′", "`").replace("″", "``")
    return usual


def _plain(rows: Sequence[Row], path: Path, encoding: str = "gb18030") -> None:
    headings = list(rows[0].values)
    lines = [[row.values[heading] for heading in headings] for row in rows]
    if path.suffix == ".xlsx":
        path.write_bytes(_workbook(headings, lines))
        return
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([headings, *lines])
    path.write_bytes(out.getvalue().encode(encoding))


def _workbook(headings: list[str], lines: list[list[str]]) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("示例数据")
    sheet.append(headings)
    for line in lines:
        sheet.append([_cell(heading, text) for heading, text in zip(headings, line, strict=True)])
    made = io.BytesIO()
    book.save(made)
    # openpyxl stamps the hour into the properties and into each member of the archive.
    out = io.BytesIO()
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = CORE.encode()
            target.writestr(zipfile.ZipInfo(name, ZIP_TIME), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


CORE = (
    '<?xml version="1.0" encoding="UTF-8"?><cp:coreProperties '
    'xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>示例数据</dc:title></cp:coreProperties>'
)


def _cell(heading: str, text: str) -> str | float | None:
    """A number where the column holds numbers and the text is one, as a spreadsheet would make of it."""
    if text == "":
        return None
    if heading in NUMBERS:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _geometries(rows: Sequence[Row], path: Path, epsg: int) -> None:
    frame = pd.DataFrame([row.values for row in rows])
    points = np.full(len(rows), None, object)
    there = [i for i, row in enumerate(rows) if row.lon is not None]
    lon = np.array([rows[i].lon for i in there], np.float64)
    lat = np.array([rows[i].lat for i in there], np.float64)
    if epsg != 4490:
        lon, lat = Transformer.from_crs(4490, epsg, always_xy=True).transform(lon, lat)
    points[there] = shapely.points(lon, lat)
    _vector(frame, points, path, epsg)


def _vector(frame: pd.DataFrame, shapes: Any, path: Path, epsg: int) -> None:
    """GeoPackage, or a Shapefile in GBK without the .cpg that would say so."""
    for old in path.parent.glob(f"{path.stem}.*"):
        old.unlink()
    layer = gpd.GeoDataFrame(frame, geometry=shapes, crs=epsg)
    # A GeoPackage notes when it was written; this fixes the clock for it.
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": CLOCK})
    try:
        if path.suffix == ".shp":
            kind = {"encoding": "GBK", "DBF_DATE_LAST_UPDATE": CLOCK[:10], "geometry_type": "Point"}
        else:
            kind = {"layer": "示例数据"}
        pyogrio.write_dataframe(layer, path, use_arrow=False, **kind)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    path.with_suffix(".cpg").unlink(missing_ok=True)
