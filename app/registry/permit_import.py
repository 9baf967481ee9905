"""Permits 取水许可 as an import: a permit a row, more rows of one number are more of its limits; what changed is an event."""

from typing import Any

from sqlalchemy.orm import Session

from app.imports.kind import Chunk, FieldSpec, ImportKind, Issue, Outcome, Scope
from app.imports.service import reject_duplicates
from app.imports.values import BadValue
from app.regions import locate
from app.regions.codes import BASINS
from app.registry import import_checks, lifecycle, links, numbers, rules
from app.registry.intake_import import credit
from app.registry.permits import arriving

EVENTS = {event: (title,) for event, title in lifecycle.EVENTS.items()}
GROUNDS = {code: (zh, clause) for code, (zh, _, clause) in lifecycle.GROUNDS.items()}
LIMIT_SOURCES = {"all": ("全部",), **rules.SOURCES}


def _number(text_: str) -> tuple[Any, BadValue | None]:
    number = numbers.permit_number(text_)
    return number.text, next(iter(number.warnings), None)


def _former(text_: str) -> tuple[Any, BadValue | None]:
    """A number that cannot be read is kept as it is: it only helps to find the permit's past."""
    try:
        return _number(text_)
    except BadValue as bad:
        return text_, bad


def _licence(text_: str) -> tuple[Any, BadValue | None]:
    """An identifier that does not hold is kept as it is, with a warning."""
    try:
        return numbers.licence_identifier(text_).text, None
    except BadValue as bad:
        return text_, bad


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
    FieldSpec("previous_number", "原许可证编号", "previous number", parse=_former),
    FieldSpec("e_licence", "电子证照标识", "electronic licence identifier", parse=_licence),
    FieldSpec("status", "许可状态", "status", "code", values=rules.PERMIT_STATUSES, aliases=("状态",)),
    FieldSpec("event", "办理事项", "event", "code", values=EVENTS),
    FieldSpec(
        "effective_on", "生效日期", "effective on", "day", aliases=("办理日期", "注销日期", "批准日期")
    ),
    FieldSpec("document_no", "批准文号", "document number", default="", aliases=("文号", "决定书文号")),
    FieldSpec("ground", "注销情形", "ground of cancellation", "code", values=GROUNDS),
    FieldSpec("reason", "办理原因", "reason", default="", aliases=("原因", "注销原因")),
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
    issues += import_checks.order_of_days(rows, "valid_from", "valid_to")
    return issues + import_checks.length_of_terms(rows, "valid_from", "valid_to")


SAME = "holder_name, uscc, county_code, annual_volume_m3, valid_from, valid_to, status"
KEY = "(permit_no, limit_period, limit_source, limit_well_field, limit_purpose)"


def apply(session: Session, import_id: str, scope: Scope) -> Outcome:
    """Of rows that clash, the first; what belongs elsewhere goes back; all others become events of permits."""
    reject_duplicates(session, KIND, import_id, KEY, SAME, "permit_no", "许可证编号")
    links.outside(session, import_id, "permits", "permits", "f.permit_no = s.permit_no", "permit_no")
    links.holders(session, KIND, import_id)
    return arriving.take_in(session, import_id)


KIND = ImportKind(
    "permits", "取水许可", "Abstraction permits", FIELDS, "permits", locate.load, check, apply, "intakes"
)
