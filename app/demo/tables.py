"""The register as rows of text under the headings that people use, one table a county and kind."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from app.demo import indicators, register
from app.demo.ground import Ground
from app.demo.register import Intake, Permit, Register

Expected = Literal["reject", "warning", "accept", "unseen"]
NOTE = "示例数据（程序生成，非真实登记）"
SOUTH_OF_THE_DIVIDE = 32.45
"""Latitude that parts 长江 from 淮河 here, roughly the line of 通扬运河: enough for a demo."""


@dataclass(frozen=True)
class Planted:
    """One error put into a table, and what the importer must do about it."""

    error: str
    expected: Expected
    field: str = ""
    reason: str = ""
    written: str = ""
    meant: str = ""


@dataclass
class Row:
    """A row of a table. Positions stay numbers until the file's own way of writing them is known."""

    values: dict[str, str]
    lon: float | None = None
    lat: float | None = None
    as_typed: tuple[str, str] | None = None
    """Longitude and latitude as someone typed them, instead of the file's way."""
    fixed: bool = False
    planted: list[Planted] = field(default_factory=list)

    def copy(self) -> "Row":
        return Row(dict(self.values), self.lon, self.lat, self.as_typed)


@dataclass
class Table:
    """The rows of one file. Row numbers count from 1."""

    kind: str
    county: int
    county_name: str
    rows: list[Row]


def permit_tables(made: Register, grounds: Mapping[int, Ground]) -> dict[int, Table]:
    """Each county's permits; a permit with seasons has a row for each."""
    tables = {code: Table("permits", code, ground.name, []) for code, ground in grounds.items()}
    for permit in made.permits:
        tables[permit.county].rows += permit_rows(permit)
    return tables


def permit_rows(permit: Permit) -> list[Row]:
    rows = []
    for period, part in permit.seasons or (("", 1.0),):
        values = {
            "许可证编号": permit.number,
            "原许可证编号": permit.previous,
            "许可状态": permit.status,
            "办理事项": permit.event,
            "取水权人": permit.holder.name,
            "统一社会信用代码": permit.holder.credit_code,
            "县级行政区划代码": str(permit.county),
            "流域机构": "长江委" if permit.level == "A" else "",
            "审批机关": permit.authority,
            "审批层级": {"A": "流域", "B": "省", "C": "市", "D": "县"}[permit.level],
            "监督管理机关": "扬州市水利局",
            "水源类型": permit.profile.source,
            "取水用途": permit.profile.purpose,
            "行业代码": permit.industry,
            "年最大取水量(万m³)": f"{permit.annual_m3 * part / 1e4:.4f}",
            "日最大取水量(万m³)": _ten_thousands(permit.daily_m3),
            "取水流量(m³/s)": f"{permit.flow_m3s:.3f}" if permit.flow_m3s else "",
            "有效期起": permit.valid_from.isoformat(),
            "有效期止": permit.valid_to.isoformat(),
            "取水地点": permit.town,
            "限额时段": period,
            "数据说明": NOTE,
        }
        rows.append(Row(values, fixed=permit.fixed))
    return rows


def _ten_thousands(daily_m3: float | None) -> str:
    """A daily limit in 万m³ with four decimals; below 50 m³ a day such limits are not written."""
    return f"{math.ceil(daily_m3) / 1e4:.4f}" if daily_m3 and daily_m3 >= 50 else ""


def intake_tables(made: Register, grounds: Mapping[int, Ground]) -> dict[int, Table]:
    """Each county's intakes."""
    tables = {code: Table("intakes", code, ground.name, []) for code, ground in grounds.items()}
    for intake in made.intakes:
        tables[intake.county].rows.append(intake_row(intake))
    return tables


def intake_row(intake: Intake) -> Row:
    exempt = intake.without not in ("", "无证")
    yangtze = intake.water == indicators.YANGTZE or intake.lat < SOUTH_OF_THE_DIVIDE
    values = {
        "取水口编码": intake.code,
        "取水口名称": intake.name,
        "取用水户": intake.holder.name,
        "信用代码": intake.holder.credit_code,
        "区划代码": str(intake.county),
        "流域机构": "长江委" if yangtze else "淮委",
        "水资源分区": "F000000" if yangtze else "E000000",
        "乡镇": intake.town,
        "取水地点": f"{intake.town}{intake.water}" if intake.water else intake.town,
        "水源类型": intake.profile.source,
        "水源子类": intake.water_kind,
        "水源名称": intake.water,
        "开采层位": intake.aquifer,
        "取水井状态": intake.well_status if intake.depth_m else "",
        "取水方式": intake.profile.mode,
        "工程类型": intake.profile.works,
        "取水用途": intake.profile.purpose,
        "行业代码": intake.industry,
        "河道外": "是",
        "无需办证": "是" if exempt else "否",
        "有口无证": "是" if intake.without == "无证" else "否",
        "无证依据": intake.without if exempt else "",
        "年取水量": f"{intake.annual_m3:.0f}",
        "设计流量": f"{intake.flow_m3s:.3f}" if intake.flow_m3s else "",
        "井深": f"{intake.depth_m:.0f}" if intake.depth_m else "",
        "启用日期": intake.started.isoformat(),
        "许可证编号": "；".join(intake.permits),
        "数据说明": NOTE,
    }
    return Row(values, intake.lon, intake.lat, fixed=intake.fixed)


def indicator_table(grounds: Mapping[int, Ground]) -> Table:
    """The pilot's control indicators."""
    rows = []
    for one in indicators.make(register.PREFECTURE, grounds):
        values = {
            "区划代码": str(one.region_code),
            "指标类型": indicators.KINDS[one.kind],
            "水源": one.source,
            "用途": one.purpose,
            "水平年": str(one.level_year),
            "来水频率": "多年平均",
            "指标值(万m³)": f"{one.value_10k_m3:.2f}",
            "文号": indicators.DOCUMENTS[one.level_year],
            "数据说明": NOTE,
        }
        rows.append(Row(values))
    return Table("indicators", register.PREFECTURE, "扬州市", rows)
