"""Tables as files for a desk: XLSX with its words above, CSV with a byte-order mark that a Chinese spreadsheet opens.

Volumes are in 万m³, as on screen; every file says what is counted, its day and its unit.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from app.statistics.schemas import About, BriefingOut, IssuersOut, TableOut
from layers.clock import CHINA

Cell = str | int | float | None
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LEVELS = {
    "basin": ("流域", "Basin"),
    "province": ("省级", "Province"),
    "prefecture": ("市级", "Prefecture"),
    "county": ("县级", "County"),
}
UNIT = {"zh": "万m³", "en": "10⁴ m³"}
ISSUER_COLUMNS = (
    ("permits", "许可证(本)", "Permits"),
    ("in_force", "其中有效(本)", "In force"),
    ("permitted_m3", "有效许可水量", "Permitted, in force"),
    ("due_90", "90日内到期(本)", "Expiring within 90 days"),
    ("expired", "已到期未延续(本)", "Expired, not renewed"),
    ("ended", "注销/撤销/吊销(本)", "Cancelled, annulled, revoked"),
    ("links", "对应取水口(个)", "Linked intakes"),
    ("in_review", "审核中成果", "Outcomes in review"),
    ("again", "须重办成果", "Outcomes to be done again"),
    ("published", "已上图成果", "Outcomes on the one map"),
)


@dataclass(frozen=True)
class Sheet:
    """A table ready to be written: `formats` by column, in the language of spreadsheets."""

    about: About
    heading: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    formats: Sequence[str]


COUNT, VOLUME, SHARE, TEXT = "#,##0", "#,##0.####", "0.0%", "@"


def ten_thousands(m3: float) -> float:
    """m³ in 万m³, at most four decimals."""
    return round(m3 / 10_000, 4)


def table(made: TableOut, lang: str) -> Sheet:
    n, volume = ("取水口(个)", f"年取水量({UNIT['zh']})") if lang == "zh" else ("Intakes", f"Annual volume ({UNIT['en']})")  # fmt: skip
    heading = ["代码" if lang == "zh" else "Code", made.by.title.get(lang), n, volume]
    for column in made.columns:
        heading += [f"{column.title.get(lang)} {n}", f"{column.title.get(lang)} {volume}"]
    rows: list[list[Cell]] = []
    for line in [*made.rows, made.total]:
        key = "" if line.key is None else str(line.key)
        row: list[Cell] = [key, line.title.get(lang), line.n, ten_thousands(line.volume_m3)]
        for cell in line.cells:
            row += [cell.n, ten_thousands(cell.volume_m3)]
        rows.append(row)
    return Sheet(made, heading, rows, [TEXT, TEXT, *([COUNT, VOLUME] * (1 + len(made.columns)))])


def issuers(made: IssuersOut, lang: str) -> Sheet:
    at = 1 if lang == "zh" else 2
    heading = ["层级", "审批机关"] if lang == "zh" else ["Level", "Issuing authority"]
    for column in ISSUER_COLUMNS:
        heading.append(column[at] + (f"({UNIT[lang]})" if column[0] == "permitted_m3" else ""))
    unknown, total = ("不详", "合计") if lang == "zh" else ("Unknown", "Total")
    rows: list[list[Cell]] = []
    for line in [*made.rows, made.total]:
        last = line is made.total
        level = "" if last else LEVELS[line.level][at - 1] if line.level else unknown
        values: list[Cell] = []
        for name, *_ in ISSUER_COLUMNS:
            value = getattr(line, name)
            values.append(ten_thousands(value) if name == "permitted_m3" else value)
        rows.append([level, total if last else line.authority or unknown, *values])
    formats = [VOLUME if name == "permitted_m3" else COUNT for name, *_ in ISSUER_COLUMNS]
    return Sheet(made, heading, rows, [TEXT, TEXT, *formats])


def briefing(made: BriefingOut, lang: str) -> Sheet:
    heading = ["代码", "地区"] if lang == "zh" else ["Code", "Place"]
    for rate in made.rates:
        heading.append(f"{rate.title.get(lang)}（{'占' if lang == 'zh' else 'of '}{rate.of.get(lang)}）")
    heading += [count.title.get(lang) for count in made.counts]
    rows: list[list[Cell]] = [
        [
            "" if line.key is None else str(line.key),
            line.title.get(lang),
            *(line.rates[rate.name] for rate in made.rates),
            *(line.counts[count.name] for count in made.counts),
        ]
        for line in [*made.rows, made.total]
    ]
    return Sheet(made, heading, rows, [TEXT, TEXT, *([SHARE] * len(made.rates)), *([COUNT] * len(made.counts))])  # fmt: skip


def words(about: About, lang: str) -> list[str]:
    """What stands above the table."""
    zh = lang == "zh"
    place = about.region_name or ("辖区全部" if zh else "all of the jurisdiction")
    if about.basin:
        place += f" · {about.basin.get(lang)}"
    day = _day(about, lang)
    found = [about.title.get(lang), f"{'范围' if zh else 'Place'}：{place}", day]
    if about.filter:
        found.append(f"{'筛选' if zh else 'Filter'}：{about.filter}")
    found.append(f"{'口径' if zh else 'Counted'}：{about.counted.get(lang)}")
    if about.generated:
        found.append(_note(lang))
    return found


def as_xlsx(sheet: Sheet, lang: str) -> bytes:
    """A workbook of one sheet; texts are texts, whatever they begin with."""
    # Here: what writes such files is heavy, and few are asked for.
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    book = Workbook()
    page = book.active
    page.title = "统计表" if lang == "zh" else "Table"
    above = words(sheet.about, lang)
    for number, line in enumerate(above, 1):
        page.cell(number, 1, line).data_type = "s"
        page.cell(number, 1).font = Font(bold=number == 1, size=14 if number == 1 else 11)
    first = len(above) + 2
    for column, name in enumerate(sheet.heading, 1):
        cell = page.cell(first, column, name)
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="FFE3EFF6")
        cell.alignment = Alignment(wrap_text=True, vertical="center", horizontal="center")
        page.column_dimensions[get_column_letter(column)].width = 24 if column == 2 else 14
    for number, row in enumerate(sheet.rows, first + 1):
        for column, value in enumerate(row, 1):
            cell = page.cell(number, column, value)
            cell.number_format = sheet.formats[column - 1]
            if isinstance(value, str):
                cell.data_type = "s"
            if number == first + len(sheet.rows):
                cell.font = Font(bold=True)
    page.freeze_panes = page.cell(first + 1, 3)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_csv(sheet: Sheet, lang: str) -> bytes:
    """One heading, one line a row; the day and the note stand in columns of their own, so that a program reads it too."""
    out = io.StringIO()
    writer = csv.writer(out)
    noted = [_note(lang)] if sheet.about.generated else []
    added = (["截至", *(["说明"] if noted else [])]) if lang == "zh" else ["As of", *(["Note"] if noted else [])]  # fmt: skip
    writer.writerow([*sheet.heading, *added])
    day = _day(sheet.about, lang).split("：", 1)[-1]
    for row in sheet.rows:
        writer.writerow([*(_harmless(value) for value in row), day, *noted])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _day(about: About, lang: str) -> str:
    zh = lang == "zh"
    if about.on:
        return f"{'截至' if zh else 'As of'}：{about.on.isoformat()}"
    return f"{'截至' if zh else 'As of'}：{about.as_of.astimezone(CHINA):%Y-%m-%d %H:%M}"


def _note(lang: str) -> str:
    return "示例数据：由程序生成，仅供演示" if lang == "zh" else "示例数据: generated, for demonstration only"


def _harmless(cell: Cell) -> Cell:
    """A text that a spreadsheet would run as a formula is shown as text."""
    return "'" + cell if isinstance(cell, str) and cell[:1] in ("=", "@", "+", "-", "\t") else cell
