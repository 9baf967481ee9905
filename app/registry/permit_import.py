"""Permits 取水许可 as an import: a permit a row, more rows of one number are more of its limits."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.changes import service as changes
from app.imports.kind import Chunk, FieldSpec, ImportKind, Issue, Outcome, Scope
from app.imports.service import reject_duplicates
from app.imports.values import BadValue
from app.regions import locate
from app.regions.codes import BASINS
from app.registry import import_checks, links, numbers, rules
from app.registry.intake_import import credit

EVENTS = {
    "issue": ("发放",),
    "renew": ("延续",),
    "vary": ("变更",),
    "transfer": ("转让",),
    "expire": ("到期",),
    "cancel": ("注销",),
    "annul": ("撤销",),
    "revoke": ("吊销",),
    "correct": ("更正",),
}
LIMIT_SOURCES = {"all": ("全部",), **rules.SOURCES}


def _number(text_: str) -> tuple[Any, BadValue | None]:
    number = numbers.permit_number(text_)
    return number.text, next(iter(number.warnings), None)


FIELDS = (
    FieldSpec(
        "permit_no",
        "许可证编号",
        "permit number",
        required=True,
        aliases=("取水许可证编号", "证书编号", "编号"),
        parse=_number,
    ),
    FieldSpec(
        "permit_no_raw",
        "许可证编号",
        "permit number",
        aliases=("取水许可证编号", "证书编号", "编号", "permit_no"),
    ),
    FieldSpec("previous_number", "原许可证编号", "previous number"),
    FieldSpec("e_licence", "电子证照标识", "electronic licence identifier"),
    FieldSpec("status", "许可状态", "status", "code", values=rules.PERMIT_STATUSES, aliases=("状态",)),
    FieldSpec("event", "办理事项", "event", "code", values=EVENTS, default="issue"),
    FieldSpec("holder_name", "取水权人", "holder", required=True, aliases=("取用水户", "单位名称", "持证人")),
    FieldSpec("uscc", "统一社会信用代码", "credit code", aliases=("信用代码",), parse=credit),
    FieldSpec(
        "county_code",
        "县级行政区划代码",
        "county code",
        "region",
        required=True,
        aliases=("行政区划代码", "所在县代码"),
    ),
    FieldSpec("basin_id", "流域机构", "basin agency", "code", values=BASINS),
    FieldSpec("zone_code", "水资源分区", "water-resource zone"),
    FieldSpec("issuing_authority", "审批机关", "issuing authority", default="", aliases=("发证机关",)),
    FieldSpec("issuing_level", "审批层级", "issuing level", "code", values=rules.LEVELS),
    FieldSpec("supervising_authority", "监督管理机关", "supervising authority", default=""),
    FieldSpec("source_type", "水源类型", "source type", "code", values=rules.SOURCES, default="unknown"),
    FieldSpec(
        "purpose", "取水用途", "purpose", "code", values=rules.PURPOSES, default="other", aliases=("用途",)
    ),
    FieldSpec("industry_code", "行业代码", "industry code"),
    FieldSpec(
        "annual_volume_m3",
        "年最大取水量",
        "annual volume",
        "volume",
        aliases=("年许可水量", "许可水量", "年取水量"),
        unit="万m3",
    ),
    FieldSpec("daily_m3", "日最大取水量", "daily maximum", "volume", unit="万m3"),
    FieldSpec("flow_m3s", "取水流量", "flow", "flow", aliases=("流量",), unit="m3/s"),
    FieldSpec("occupies_quota", "占用区域指标", "occupies quota", "boolean", default=True),
    FieldSpec("valid_from", "有效期起", "valid from", "day", aliases=("发证日期",)),
    FieldSpec("valid_to", "有效期止", "valid to", "day", aliases=("有效期至", "截止日期")),
    FieldSpec("place", "取水地点", "place", default=""),
    FieldSpec("intake_codes", "取水口编码", "intake codes", "list", default=[]),
    FieldSpec("limit_period", "限额时段", "limit period", default=""),
    FieldSpec("limit_source", "限额水源", "limit source", "code", values=LIMIT_SOURCES, default="all"),
    FieldSpec("limit_well_field", "水源地", "well field", default=""),
    FieldSpec(
        "limit_purpose",
        "限额用途",
        "limit purpose",
        "code",
        values={"all": ("全部",), **rules.PURPOSES},
        default="all",
    ),
    FieldSpec("limit_condition", "限额条件", "condition", default=""),
)


def check(chunk: Chunk, known: Any) -> list[Issue]:
    """County, volumes and term."""
    rows = chunk.rows
    rows["permit_no_raw"] = rows["permit_no_raw"].where(rows["permit_no_raw"].notna(), rows["permit_no"])
    if known.scope.basin is not None:
        rows["basin_id"] = known.scope.basin
    issues = import_checks.codes(rows, known.facts, known)
    issues += import_checks.volumes(rows, "annual_volume_m3", "daily_m3", "flow_m3s")
    return issues + import_checks.order_of_days(rows, "valid_from", "valid_to")


SAME = "holder_name, uscc, county_code, annual_volume_m3, valid_from, valid_to, status"
KEY = "(permit_no, limit_period, limit_source, limit_well_field, limit_purpose)"
COLUMNS = """permit_no_raw, previous_number, e_licence, event, status, holder_id, holder_name, county_code, basin_id, zone_code, issuing_authority,
  issuing_level, supervising_authority, source_type, purpose, industry_code, annual_volume_m3, occupies_quota, valid_from, valid_to, place, attributes"""
NAMES = [c.strip() for c in COLUMNS.split(",")]
# The total of a permit with several limits is their sum, unless one row stands for the whole year and all uses.
UPSERT = f"""
with given as (
  select distinct on (permit_no) s.*,
    coalesce(max(annual_volume_m3) filter (where limit_period = '' and limit_source = 'all' and limit_well_field = '' and limit_purpose = 'all') over p,
             sum(annual_volume_m3) over p) as total_m3
  from staging.permits s where import_id = cast(:id as uuid) window p as (partition by permit_no) order by permit_no, row_no
)
insert into shuitu.permits as i (permit_no, {COLUMNS}, import_id, source_row)
select s.permit_no, s.permit_no_raw, s.previous_number, s.e_licence, s.event,
  coalesce(s.status, case when s.valid_to < current_date then 'expired' else 'valid' end), h.id, s.holder_name, s.county_code, s.basin_id, s.zone_code,
  s.issuing_authority, coalesce(s.issuing_level, case left(s.permit_no, 1) when 'A' then 'basin' when 'B' then 'province' when 'C' then 'prefecture' when 'D' then 'county' end),
  s.supervising_authority, s.source_type, s.purpose, s.industry_code, s.total_m3, s.occupies_quota, s.valid_from, s.valid_to, s.place, s.attributes, s.import_id, s.row_no
from given s {links.HOLDER_OF}
on conflict (permit_no) do update set ({COLUMNS}, import_id, source_row) = (select {", ".join("excluded." + n for n in NAMES)}, excluded.import_id, excluded.source_row)
where ({", ".join("i." + n for n in NAMES)}) is distinct from ({", ".join("excluded." + n for n in NAMES)})
returning (xmax = 0) as new, id, version, county_code"""
LIMITS = """
insert into shuitu.permit_limits (permit_id, version, seq, period, source_type, well_field, purpose, annual_m3, daily_m3, flow_m3s, condition, county_code, basin_id)
select p.id, p.version, row_number() over (partition by p.id order by s.row_no), s.limit_period, s.limit_source, s.limit_well_field, s.limit_purpose,
       s.annual_volume_m3, s.daily_m3, s.flow_m3s, s.limit_condition, p.county_code, p.basin_id
from staging.permits s join shuitu.permits p on p.permit_no = s.permit_no
where s.import_id = cast(:id as uuid)
on conflict (permit_id, version, seq) do update set period = excluded.period, source_type = excluded.source_type, well_field = excluded.well_field,
  purpose = excluded.purpose, annual_m3 = excluded.annual_m3, daily_m3 = excluded.daily_m3, flow_m3s = excluded.flow_m3s, condition = excluded.condition"""
LINK = """
insert into shuitu.permit_intakes (permit_id, intake_id, county_code, basin_id, import_id)
select distinct p.id, i.id, i.county_code, i.basin_id, cast(:id as uuid)
from staging.permits s join shuitu.permits p on p.permit_no = s.permit_no
cross join unnest(s.intake_codes) named(code) join shuitu.intakes i on i.code = named.code
where s.import_id = cast(:id as uuid) on conflict do nothing"""


def apply(session: Session, import_id: str, scope: Scope) -> Outcome:
    """Upsert by permit number, each change a new version with its limits; link to the intakes named."""
    reject_duplicates(session, KIND, import_id, KEY, SAME, "permit_no", "许可证编号")
    links.outside(session, import_id, "permits", "permits", "f.permit_no = s.permit_no", "permit_no")
    links.holders(session, KIND, import_id)
    total = session.execute(
        text("select count(distinct permit_no) from staging.permits where import_id = cast(:id as uuid)"),
        {"id": import_id},
    ).scalar_one()
    rows = session.execute(text(UPSERT), {"id": import_id}).all()
    session.execute(text(LIMITS), {"id": import_id})
    session.execute(text(LINK), {"id": import_id})
    counties = {row.county_code for row in rows}
    intakes = links.states(session, import_id, of_permits=True)
    changes.record_import(session, "permits", import_id, counties)
    changes.record_import(session, "intakes", import_id, intakes)
    new = sum(row.new for row in rows)
    return Outcome(new, len(rows) - new, total - len(rows), tuple(sorted(intakes)))


KIND = ImportKind(
    "permits", "取水许可", "Abstraction permits", FIELDS, "permits", locate.load, check, apply, "intakes"
)
