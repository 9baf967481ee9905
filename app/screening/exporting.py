"""Candidates as a file: GeoPackage, GeoParquet, XLSX."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.errors import TooLarge
from app.screening import queries
from app.screening.schemas import Filters
from layers import catalog
from layers.clock import CHINA
from layers.model import Text

Ending = Literal["gpkg", "parquet", "xlsx"]
Lang = Literal["zh", "en"]
MEDIA: Mapping[Ending, str] = {
    "gpkg": "application/geopackage+sqlite3",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MOST = 200_000
CRS = "EPSG:4490"
ROWS = """
select c.code, c.kind, c.category, c.state, c.score, c.area_m2, c.volume_m3, c.volume_lo_m3, c.volume_hi_m3, c.permitted_m3,
       c.county_code, r.name as county, c.acquired_at, c.evidence ->> 'scene' as scene, c.evidence ->> 'previous' as scene_before,
       i.code as nearest_intake, c.nearest_intake_m, q.code as nearest_permitted, c.nearest_permitted_m,
       (select string_agg(e ->> '{lang}', '{comma}') from jsonb_array_elements(c.reasons) e) as findings,
       c.reason, c.decision_note as note, c.decided_by, c.decided_at, c.generated, c.redrawn,
       round(st_x(st_pointonsurface(c.geom))::numeric, 6)::float8 as lon,
       round(st_y(st_pointonsurface(c.geom))::numeric, 6)::float8 as lat, st_asbinary(c.geom) as wkb
from shuitu.candidates c
left join map.regions r on r.code = c.county_code and r.level = 3
left join shuitu.intakes i on i.id = c.nearest_intake_id
left join shuitu.intakes q on q.id = c.nearest_permitted_id
where {which} order by c.score desc, c.id desc"""
NAMES = (
    "code", "kind", "category", "state", "score", "area_m2", "volume_m3", "volume_lo_m3", "volume_hi_m3", "permitted_m3", "county_code",
    "county", "acquired_at", "scene", "scene_before", "nearest_intake", "nearest_intake_m", "nearest_permitted", "nearest_permitted_m",
    "findings", "reason", "note", "decided_by", "decided_at", "generated", "redrawn", "lon", "lat",
)  # fmt: skip
TITLES = {
    "score": ("疑似程度", "Score"), "area_m2": ("面积(m²)", "Area (m²)"), "volume_m3": ("估算水量(m³)", "Estimated volume (m³)"),
    "volume_lo_m3": ("水量下限(m³)", "Volume, low (m³)"), "volume_hi_m3": ("水量上限(m³)", "Volume, high (m³)"),
    "permitted_m3": ("在效许可水量(m³)", "Permitted (m³)"), "county": ("所在县", "County"), "scene": ("影像", "Scene"),
    "scene_before": ("上期影像", "Scene before"), "nearest_intake": ("最近取水口", "Nearest intake"),
    "nearest_intake_m": ("距最近取水口(m)", "Distance to it (m)"), "nearest_permitted": ("最近有证取水口", "Nearest permitted intake"),
    "nearest_permitted_m": ("距最近有证取水口(m)", "Distance to it (m)"), "findings": ("依据", "Findings"),
    "note": ("说明", "Note"), "decided_by": ("判定人", "Decided by"),
    "decided_at": ("判定时间", "Decided at"), "redrawn": ("人工勾绘", "Outline drawn by a person"), "lon": ("经度", "Longitude"),
    "lat": ("纬度", "Latitude"),
}  # fmt: skip
"""Titles of what the layer does not declare, or without the unit that a sheet needs."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def write(session: Session, filters: Filters, ending: Ending, lang: Lang, target: Path) -> int:
    """Write the candidates that the filters choose to `target`; returns how many. Raises TooLarge for too many."""
    count = queries.count(session, filters)
    if count > MOST:
        raise TooLarge(
            f"共 {count} 条，一次最多导出 {MOST} 条，请缩小筛选 (too many candidates for one file: narrow the filter)", count=count, most=MOST
        )  # fmt: skip
    rows = _rows(session, filters, lang)
    if ending == "xlsx":
        _sheet(rows, lang, target)
    else:
        _table(list(rows), ending, target)
    return count


def _rows(session: Session, filters: Filters, lang: Lang) -> Iterator[dict[str, Any]]:
    which, given = queries.chosen(filters)
    statement = text(ROWS.format(which=which, lang=lang, comma="；" if lang == "zh" else "; "))
    found = session.execute(statement, given, execution_options={"yield_per": 2_000})
    return (dict(row._mapping) for row in found)


def _table(rows: list[dict[str, Any]], ending: Ending, target: Path) -> None:
    """Codes stay codes and volumes m³: for programs."""
    import geopandas as gpd
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(NAMES))
    for name in ("score", "area_m2", "volume_m3", "volume_lo_m3", "volume_hi_m3", "permitted_m3", "nearest_intake_m", "nearest_permitted_m", "lon", "lat"):  # fmt: skip
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    for name in ("acquired_at", "decided_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    for name in ("generated", "redrawn"):
        frame[name] = frame[name].astype(bool)
    shapes = gpd.GeoSeries.from_wkb([bytes(row["wkb"]) for row in rows], crs=CRS)
    made = gpd.GeoDataFrame(frame, geometry=shapes, crs=CRS)
    if ending == "gpkg":
        made.to_file(target, layer="candidates", driver="GPKG", geometry_type="MultiPolygon")
    else:
        made.to_parquet(target, index=False)


def _sheet(rows: Iterator[dict[str, Any]], lang: Lang, target: Path) -> None:
    """Words instead of codes, in one language: for people."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    sheet = book.create_sheet("疑似线索" if lang == "zh" else "Candidates")
    sheet.freeze_panes = "B2"
    for n, name in enumerate(NAMES, 1):
        sheet.column_dimensions[get_column_letter(n)].width = 60 if name == "findings" else 16
    heads = []
    for name in NAMES:
        cell = WriteOnlyCell(sheet, _title(name, lang))
        cell.font = Font(bold=True)
        heads.append(cell)
    sheet.append(heads)
    for row in rows:
        sheet.append([_worded(name, row[name], lang) for name in NAMES])
    book.save(target)


def _fields() -> dict[str, Any]:
    return {field.name: field for field in catalog.load()["candidates"].fields}


def _title(name: str, lang: Lang) -> str:
    if name in TITLES:
        return TITLES[name][lang == "en"]
    title: Text = _fields()[name].title
    return title.zh if lang == "zh" else title.en


def _worded(name: str, value: Any, lang: Lang) -> Any:
    if value is None:
        return None
    if isinstance(value, bool):
        return ("是" if value else "否") if lang == "zh" else ("yes" if value else "no")
    if name in ("acquired_at", "decided_at"):
        return value.astimezone(CHINA).replace(tzinfo=None)
    if isinstance(value, str):
        declared = _fields().get(name)
        for entry in declared.values if declared is not None else ():
            if entry.value == value:
                return entry.title.zh if lang == "zh" else entry.title.en
        # A text that begins like a formula stays a text.
        clean = _CONTROL.sub("", value)
        return f"'{clean}" if clean[:1] in "=+-@" else clean
    return value
