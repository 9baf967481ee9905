"""Control indicators 管控指标 as an import."""

import math
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.changes import service as changes
from app.imports.kind import Chunk, FieldSpec, ImportKind, Issue, Outcome, Scope
from app.imports.service import reject_duplicates
from app.regions.codes import BASINS

KINDS = {
    "total_use_cap": ("用水总量", "用水总量指标", "用水总量控制指标"),
    "licensing_cap": ("取水许可总量", "许可总量"),
    "surface_cap": ("地表取水", "地表水取水量", "水量分配"),
    "groundwater_cap": ("地下取水总量", "地下水取水总量"),
    "groundwater_level": ("地下水位",),
    "environmental_flow": ("生态流量",),
    "unconventional_min": ("非常规最低利用量", "非常规水利用量"),
}
SOURCES = {
    "all": ("全部", "合计"),
    "surface_water": ("地表水",),
    "groundwater": ("地下水",),
    "unconventional_water": ("非常规水", "再生水"),
}
PURPOSES = {
    "all": ("全部", "合计"),
    "agriculture": ("农业",),
    "industry": ("工业",),
    "domestic": ("生活",),
    "ecology": ("生态", "生态环境"),
}
FREQUENCIES = {
    "mean": ("多年平均", "平水年"),
    "P50": ("50%",),
    "P75": ("75%",),
    "P90": ("90%",),
    "P95": ("95%",),
}
FLOWS, LEVELS = {"environmental_flow"}, {"groundwater_level"}

FIELDS = (
    FieldSpec("region_code", "区划代码", "region code", "region", aliases=("行政区划代码", "code")),
    FieldSpec("basin_id", "流域机构", "basin agency", "code", values=BASINS, aliases=("basin",)),
    FieldSpec("kind", "指标类型", "kind", "code", required=True, values=KINDS, aliases=("指标",)),
    FieldSpec(
        "source_type", "水源", "source type", "code", values=SOURCES, default="all", aliases=("水源类型",)
    ),
    FieldSpec("purpose", "用途", "purpose", "code", values=PURPOSES, default="all"),
    FieldSpec("river", "河流", "river", default=""),
    FieldSpec("level_year", "水平年", "level year", "whole", required=True),
    FieldSpec("frequency", "来水频率", "frequency", "code", values=FREQUENCIES, default="mean"),
    FieldSpec("volume", "指标值", "value", "volume", aliases=("指标值(万m³)", "指标量"), unit="万m3"),
    FieldSpec("number", "数值", "number", "number"),
    FieldSpec("document_no", "文号", "document number", default="", aliases=("批复文号", "文件号")),
    FieldSpec("valid_from", "生效日期", "valid from", "day"),
    FieldSpec("valid_to", "失效日期", "valid to", "day"),
)


def check(chunk: Chunk, known: Any) -> list[Issue]:
    """One of region and basin, inside the jurisdiction; a volume, or for levels and flows a number."""
    issues: list[Issue] = []
    rows = chunk.rows
    rows["value"], rows["unit"] = np.nan, "m3"
    for n in rows.index:
        row = rows.loc[n]
        if (row["region_code"] is None) == (row["basin_id"] is None):
            issues.append(
                Issue(
                    n,
                    "reject",
                    "region_code",
                    str(row["region_code"] or ""),
                    "region_or_basin",
                    "应填区划代码或流域机构之一 (give either a region or a basin agency)",
                )
            )
        elif row["region_code"] is not None and not known.scope.covers(int(row["region_code"])):
            issues.append(
                Issue(
                    n,
                    "reject",
                    "region_code",
                    str(row["region_code"]),
                    "outside_jurisdiction",
                    "不在辖区内 (outside your jurisdiction)",
                )
            )
        elif row["region_code"] is not None and int(row["region_code"]) not in known.facts:
            issues.append(
                Issue(
                    n,
                    "reject",
                    "region_code",
                    str(row["region_code"]),
                    "unknown_region",
                    "区划代码不存在 (no such region)",
                )
            )
        wanted = "number" if row["kind"] in FLOWS | LEVELS else "volume"
        if math.isnan(row[wanted]):
            issues.append(
                Issue(
                    n,
                    "reject",
                    wanted,
                    "",
                    "missing",
                    f"缺少{'数值' if wanted == 'number' else '指标值'} (the value is missing)",
                )
            )
        rows.at[n, "value"] = row[wanted]
        rows.at[n, "unit"] = "m3/s" if row["kind"] in FLOWS else "m" if row["kind"] in LEVELS else "m3"
        if row["level_year"] is not None and not 2000 <= int(row["level_year"]) <= 2100:
            issues.append(
                Issue(
                    n,
                    "reject",
                    "level_year",
                    str(row["level_year"]),
                    "impossible_year",
                    "水平年应在2000–2100之间 (out of range)",
                    "2000…2100",
                )
            )
    return issues


def prepare(session: Session) -> Any:
    return frozenset(session.execute(text("select distinct code from shuitu.regions")).scalars())


KEY = "(region_code, basin_id, kind, source_type, purpose, river, level_year, frequency)"


def apply(session: Session, import_id: str, scope: Scope) -> Outcome:
    """Upsert by region or basin × kind × source × use × river × level year × frequency."""
    reject_duplicates(
        session,
        KIND_OF_IMPORT,
        import_id,
        KEY,
        "value, unit, document_no, valid_from, valid_to",
        "value",
        "指标",
    )
    rows = session.execute(
        text("""
        insert into shuitu.control_indicators as c (region_code, basin_id, kind, source_type, purpose, river, level_year, frequency,
          value, unit, document_no, valid_from, valid_to, import_id)
        select region_code, basin_id, kind, source_type, purpose, river, level_year, frequency, value, unit, document_no, valid_from, valid_to, import_id
        from staging.indicators where import_id = :id
        on conflict (coalesce(region_code, 0), coalesce(basin_id, 0::smallint), kind, source_type, purpose, river, level_year, frequency)
        do update set value = excluded.value, unit = excluded.unit, document_no = excluded.document_no, valid_from = excluded.valid_from,
          valid_to = excluded.valid_to, import_id = excluded.import_id, recorded_at = now()
        where (c.value, c.unit, c.document_no, c.valid_from, c.valid_to) is distinct from
              (excluded.value, excluded.unit, excluded.document_no, excluded.valid_from, excluded.valid_to)
        returning (xmax = 0) as new, region_code"""),
        {"id": import_id},
    ).all()
    total = session.execute(
        text("select count(*) from staging.indicators where import_id = :id"), {"id": import_id}
    ).scalar_one()
    changes.record_import(session, "indicators", import_id, {row.region_code or 0 for row in rows})
    new = sum(row.new for row in rows)
    return Outcome(
        new,
        len(rows) - new,
        total - len(rows),
        tuple(sorted({row.region_code for row in rows if row.region_code})),
    )


KIND_OF_IMPORT = ImportKind(
    "indicators", "管控指标", "Control indicators", FIELDS, "indicators", prepare, check, apply, "indicators"
)
