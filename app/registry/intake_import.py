"""Intakes 取水口 (the field register) as an import."""

from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.changes import service as changes
from app.imports.kind import LAT_ALIASES, LON_ALIASES, Chunk, FieldSpec, ImportKind, Issue, Outcome, Scope
from app.imports.service import reject_duplicates
from app.imports.staging import numeric
from app.imports.values import BadValue
from app.regions import locate
from app.regions.codes import BASINS
from app.registry import import_checks, links, numbers, rules

AQUIFERS = {"shallow": ("浅层", "潜水", "浅层地下水"), "deep_confined": ("深层", "承压水", "深层承压水")}
BODIES = {
    "river": ("河流",),
    "lake": ("湖泊",),
    "reservoir": ("水库",),
    "spring": ("泉",),
    "geothermal": ("地热",),
    "mineral": ("矿泉",),
    "reclaimed_water": ("再生水",),
    "mine_drainage": ("矿坑水", "矿井疏干水"),
    "other": ("其他",),
}
WORKS = {
    "sluice": ("闸",),
    "dam": ("坝",),
    "canal": ("渠道",),
    "artificial_channel": ("人工河道",),
    "siphon": ("虹吸管",),
    "pump": ("水泵", "泵站"),
    "well": ("水井", "井", "机电井"),
    "hydropower_station": ("水电站",),
    "other": ("其他",),
}


def credit(text_: str) -> tuple[Any, BadValue | None]:
    return rules.credit_code(text_), None


def _permits(text_: str) -> tuple[Any, BadValue | None]:
    """Several numbers may stand in one cell; the odd one makes a warning, for a link can be mended later."""
    found, odd = [], None
    for part in [
        p for p in text_.replace("；", ";").replace("、", ";").replace(",", ";").split(";") if p.strip()
    ]:
        try:
            number = numbers.permit_number(part)
            found.append(number.text)
            odd = odd or next(iter(number.warnings), None)
        except BadValue as bad:
            odd = BadValue(bad.reason, bad.message + "，未建立对应关系 (not linked)", bad.expected)
    return found, odd


FIELDS = (
    FieldSpec(
        "code", "取水口编码", "intake code", required=True, aliases=("编码", "取水口编号", "intake_code")
    ),
    FieldSpec("code_scheme", "编码体系", "code scheme", default="register"),
    FieldSpec("name", "取水口名称", "name", required=True, aliases=("名称",)),
    FieldSpec(
        "holder_name",
        "取用水户",
        "holder",
        default="",
        aliases=("取水权人", "用水户名称", "单位名称", "holder_name"),
    ),
    FieldSpec("uscc", "统一社会信用代码", "credit code", aliases=("信用代码",), parse=credit),
    FieldSpec(
        "county_code",
        "县级行政区划代码",
        "county code",
        "region",
        aliases=("行政区划代码", "所在县代码", "区划代码"),
    ),
    FieldSpec("basin_id", "流域机构", "basin agency", "code", values=BASINS),
    FieldSpec("zone_code", "水资源分区", "water-resource zone"),
    FieldSpec("town", "乡镇", "town", default=""),
    FieldSpec("place", "取水地点", "place", default="", aliases=("地点", "位置")),
    FieldSpec("lon", "经度", "longitude", "lon", required=True, aliases=LON_ALIASES),
    FieldSpec("lat", "纬度", "latitude", "lat", required=True, aliases=LAT_ALIASES),
    FieldSpec("source_type", "水源类型", "source type", "code", values=rules.SOURCES, default="unknown"),
    FieldSpec("water_body_type", "水源子类", "kind of water body", "code", values=BODIES),
    FieldSpec("water_body", "水源名称", "water body", default=""),
    FieldSpec("aquifer_layer", "开采层位", "aquifer layer", "code", values=AQUIFERS),
    FieldSpec(
        "well_status",
        "取水井状态",
        "well status",
        "code",
        values={k: v for k, v in rules.WELL_STATUSES.items() if k != "ended"},
        aliases=("状态",),
    ),
    # Not `status`: registers of others have a column of that name which means other things.
    FieldSpec(
        "use_status", "使用状态", "status of use", "code", values=rules.WELL_STATUSES, aliases=("取水口状态",)
    ),
    FieldSpec("abstraction_mode", "取水方式", "mode", "code", values=rules.MODES),
    FieldSpec("works_type", "工程类型", "works", "code", values=WORKS),
    FieldSpec(
        "purpose", "取水用途", "purpose", "code", values=rules.PURPOSES, default="other", aliases=("用途",)
    ),
    FieldSpec("industry_code", "行业代码", "industry code"),
    FieldSpec("off_stream", "是否河道外取水", "off-stream", "boolean", default=True, aliases=("河道外",)),
    FieldSpec("exempt", "无需办证", "exempt", "boolean", default=False),
    FieldSpec("unpermitted", "有口无证", "without the permit it needs", "boolean", default=False),
    FieldSpec(
        "annual_volume_m3",
        "年取水量",
        "annual volume",
        "volume",
        aliases=("年最大取水量", "年许可水量"),
        unit="m3",
    ),
    FieldSpec("daily_m3", "日最大取水量", "daily maximum", "volume", unit="m3"),
    FieldSpec(
        "design_flow_m3s", "设计流量", "design flow", "flow", aliases=("流量", "取水流量"), unit="m3/s"
    ),
    FieldSpec("well_depth_m", "井深", "well depth", "number", aliases=("井深(m)",)),
    FieldSpec("started_on", "启用日期", "started on", "day", aliases=("投用日期",)),
    FieldSpec("valid_from", "变更日期", "holds from", "day", aliases=("变动日期",)),
    FieldSpec(
        "permit_nos",
        "许可证编号",
        "permit number",
        parse=_permits,
        aliases=("取水许可证编号", "permit_no"),
        default=[],
    ),
)


def check(chunk: Chunk, known: Any) -> list[Issue]:
    """Place and volumes; a county that is not stated is that of the position."""
    rows = chunk.rows
    counties: locate.Counties = known.facts
    unstated = rows["county_code"].isna().to_numpy()
    if unstated.any():
        lon, lat = numeric(rows["lon"]), numeric(rows["lat"])
        usable = unstated & ~np.isnan(lon) & ~np.isnan(lat)
        found = counties.county_of(lon[usable], lat[usable])
        rows.loc[usable, "county_code"] = [int(code) or None for code in found]
    issues = [
        Issue(
            int(n),
            "reject",
            "county_code",
            "",
            "missing",
            "缺少行政区划代码，且位置不在任何县内 (no county stated, and the position lies in none)",
        )
        for n in rows.index[rows["county_code"].isna()]
    ]
    unread = {
        i.row_no for i in chunk.issues if i.field in ("lon", "lat", "lon,lat") and i.severity == "reject"
    }
    issues += import_checks.place(rows, counties, known, unread)
    issues += import_checks.volumes(rows, "annual_volume_m3", "daily_m3", "design_flow_m3s")
    rows["declared_datum"] = known.mapping.datum
    if known.scope.basin is not None:
        rows["basin_id"] = known.scope.basin
    return issues


SAME = "name, holder_name, uscc, county_code, source_type, purpose, annual_volume_m3, lon, lat, permit_nos"
COLUMNS = """code, code_scheme, name, holder_id, holder_name, county_code, basin_id, zone_code, town, place, source_type, water_body_type,
  water_body, aquifer_layer, well_status, abstraction_mode, works_type, purpose, industry_code, off_stream, status, annual_volume_m3,
  design_flow_m3s, well_depth_m, started_on, declared_datum, geom, attributes"""
# A version holds from the day that the file says, else from its recording (app/db/views/past.sql); that day alone is no change.
UPSERT = f"""
insert into shuitu.intakes as i ({COLUMNS}, permit_state, valid_from, import_id, source_row)
select s.code, s.code_scheme, s.name, h.id, s.holder_name, s.county_code, s.basin_id, s.zone_code, s.town, s.place, s.source_type,
  s.water_body_type, s.water_body, s.aquifer_layer, s.well_status, s.abstraction_mode, s.works_type, s.purpose, s.industry_code,
  s.off_stream, coalesce(s.use_status, s.well_status, 'in_use'), s.annual_volume_m3, s.design_flow_m3s, s.well_depth_m, s.started_on, s.declared_datum,
  st_setsrid(st_makepoint(s.lon, s.lat), 4490), s.attributes, case when s.exempt then 'exempt' when s.unpermitted then 'unpermitted' else 'pending' end, s.valid_from, s.import_id, s.row_no
from staging.intakes s {links.HOLDER_OF}
where s.import_id = cast(:id as uuid)
on conflict (code_scheme, code) do update set
  ({COLUMNS}, valid_from, import_id, source_row) = (select {", ".join("excluded." + c.strip() for c in COLUMNS.split(","))}, excluded.valid_from, excluded.import_id, excluded.source_row)
where ({", ".join("i." + c.strip() for c in COLUMNS.split(",") if c.strip() != "geom")}, st_asbinary(i.geom)) is distinct from
      ({", ".join("excluded." + c.strip() for c in COLUMNS.split(",") if c.strip() != "geom")}, st_asbinary(excluded.geom))
returning (xmax = 0) as new, id, county_code"""
FIRST_LOAD = 50_000
"""Rows from which on an empty register is filled without its secondary indexes: fewer are in before these would be made."""
BARE = "select shuitu.bare(array['holders', 'intakes'])"
FROM_FIRST = """st_distance(st_setsrid(st_makepoint(lon, lat), 4490)::geography,
  st_setsrid(st_makepoint(first_value(lon) over w, first_value(lat) over w), 4490)::geography)"""
"""Metres from the first row with the same code."""
SAME_PLACE = """
insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected)
select import_id, row_no, 'warning', 'lon,lat', lon || ',' || lat, 'same_place',
       '与第' || first_row || '行名称、取用水户、位置都相同，疑似重复登记 (name, holder and position are those of row ' || first_row || ')', ''
from (select import_id, row_no, lon, lat, first_value(row_no) over w as first_row from staging.intakes
      where import_id = cast(:id as uuid) window w as (partition by name, holder_name, lon, lat order by row_no)) s
where row_no > first_row"""
NAMES_PERMITS = """
select exists (select from staging.intakes where import_id = cast(:id as uuid) and cardinality(permit_nos) > 0)"""
LINK = """
with named as (
  select i.id as intake_id, i.county_code, i.basin_id, unnest(s.permit_nos) as permit_no, s.row_no
  from staging.intakes s join shuitu.intakes i on i.code_scheme = s.code_scheme and i.code = s.code
  where s.import_id = cast(:id as uuid) and cardinality(s.permit_nos) > 0
), linked as (
  insert into shuitu.permit_intakes (permit_id, intake_id, county_code, basin_id, import_id)
  select distinct p.id, n.intake_id, n.county_code, n.basin_id, cast(:id as uuid) from named n join shuitu.permits p on p.permit_no = n.permit_no
  on conflict do nothing
)
insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected)
select cast(:id as uuid), n.row_no, 'warning', 'permit_nos', n.permit_no, 'permit_not_found', '许可证尚未入库，待定 (the permit is not in the store: to be decided)', ''
from named n where not exists (select 1 from shuitu.permits p where p.permit_no = n.permit_no)"""


def apply(session: Session, import_id: str, scope: Scope) -> Outcome:
    """Upsert by (scheme, code), link to the permits named, and settle the permit states."""
    reject_duplicates(
        session, KIND, import_id, "(code_scheme, code)", SAME, "code", "取水口编码", away=FROM_FIRST
    )
    links.outside(
        session, import_id, "intakes", "intakes", "f.code_scheme = s.code_scheme and f.code = s.code", "code"
    )
    session.execute(text(SAME_PLACE), {"id": import_id})
    former = (
        session.execute(
            text(
                "select distinct i.county_code from staging.intakes s join shuitu.intakes i on i.code_scheme = s.code_scheme and i.code = s.code where s.import_id = cast(:id as uuid) and i.county_code <> s.county_code"
            ),
            {"id": import_id},
        )
        .scalars()
        .all()
    )
    total = session.execute(
        text("select count(*) from staging.intakes where import_id = cast(:id as uuid)"), {"id": import_id}
    ).scalar_one()
    bare = total >= FIRST_LOAD and session.execute(text(BARE)).scalar_one()
    links.holders(session, KIND, import_id)
    counted = session.execute(
        text(
            f"with done as ({UPSERT}) select county_code, count(*) filter (where new) as new, count(*) as n from done group by county_code"
        ),
        {"id": import_id},
    ).all()
    if bare:
        session.execute(text("select shuitu.dress()"))
    if session.execute(text(NAMES_PERMITS), {"id": import_id}).scalar_one():
        session.execute(text(LINK), {"id": import_id})
    counties = (
        {row.county_code for row in counted}
        | set(former)
        | links.states(session, import_id, of_permits=False)
    )
    changes.record_import(session, "intakes", import_id, counties)
    new, touched = sum(r.new for r in counted), sum(r.n for r in counted)
    return Outcome(new, touched - new, total - touched, tuple(sorted(counties)))


KIND = ImportKind(
    "intakes", "取水口", "Water intakes", FIELDS, "intakes", locate.load, check, apply, "intakes"
)
