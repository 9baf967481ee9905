"""Regions 行政区划 as an import: polygons with GB/T 2260 codes."""

from datetime import date
from typing import Any

import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.changes import service as changes
from app.imports.kind import Chunk, FieldSpec, ImportKind, Issue, Outcome, Scope
from app.imports.service import reject_duplicates

FIELDS = (
    FieldSpec(
        "code",
        "区划代码",
        "code",
        "region",
        required=True,
        aliases=("adcode", "行政区划代码", "PAC", "XZQDM", "XZDM"),
    ),
    FieldSpec("name", "名称", "name", required=True, aliases=("XZQMC", "NAME", "行政区名称")),
    FieldSpec("level", "级别", "level", "whole"),
    FieldSpec("parent_code", "上级代码", "parent code", "region"),
    FieldSpec("aliases", "曾用名", "aliases", "list", default=[]),
    FieldSpec("valid_from", "启用日期", "valid from", "day", default=date(1900, 1, 1)),
    FieldSpec("valid_to", "停用日期", "valid to", "day"),
)


def level_of(code: int) -> int:
    """1 province, 2 prefecture, 3 county, by the zeros of the code (GB/T 2260)."""
    return 1 if code % 10_000 == 0 else 2 if code % 100 == 0 else 3


def check(chunk: Chunk, known: Any) -> list[Issue]:
    """Geometry is a valid polygon, the code lies in the jurisdiction; level and parent follow from the code."""
    issues: list[Issue] = []
    rows, shapes = chunk.rows, chunk.geometry
    if shapes is None:
        return [
            Issue(
                int(n),
                "reject",
                "geometry",
                "",
                "missing_geometry",
                "缺少边界 (the boundary is missing)",
                "polygon",
            )
            for n in rows.index
        ]
    shapes[:] = shapely.force_2d(shapes)
    for i, row_no in enumerate(rows.index):
        code, shape = rows.at[row_no, "code"], shapes[i]
        if shape is None or shapely.is_empty(shape) or shape.geom_type not in ("Polygon", "MultiPolygon"):
            issues.append(
                Issue(
                    row_no,
                    "reject",
                    "geometry",
                    getattr(shape, "geom_type", ""),
                    "not_a_polygon",
                    "边界不是面 (the boundary is no polygon)",
                    "MultiPolygon",
                )
            )
            continue
        if not shape.is_valid:
            issues.append(
                Issue(
                    row_no,
                    "warning",
                    "geometry",
                    "",
                    "repaired_geometry",
                    f"边界无效，已修复: {shapely.is_valid_reason(shape)} (repaired)",
                )
            )
            shape = shapely.make_valid(shape, method="structure", keep_collapsed=False)
        shapes[i] = shape if shape.geom_type == "MultiPolygon" else shapely.MultiPolygon([shape])
        if code is not None:
            if not known.scope.covers(int(code)):
                issues.append(
                    Issue(
                        row_no,
                        "reject",
                        "code",
                        str(code),
                        "outside_jurisdiction",
                        f"{code} 不在辖区内 (is outside your jurisdiction)",
                    )
                )
            rows.at[row_no, "level"] = rows.at[row_no, "level"] or level_of(int(code))
            rows.at[row_no, "parent_code"] = rows.at[row_no, "parent_code"] or _parent(int(code))
    return issues


def _parent(code: int) -> int | None:
    return {1: None, 2: code // 10_000 * 10_000, 3: code // 100 * 100}[level_of(code)]


def apply(session: Session, import_id: str, scope: Scope) -> Outcome:
    """Upsert by (code, valid_from)."""
    reject_duplicates(
        session, KIND, import_id, "(code, valid_from)", "code, name, level, valid_to, wkb", "code", "区划代码"
    )
    rows = session.execute(
        text("""
        insert into shuitu.regions as r (code, name, level, parent_code, aliases, valid_from, valid_to, geom, label, import_id)
        select code, name, level, parent_code, aliases, valid_from, valid_to, g, st_pointonsurface(g), import_id
        from (select *, st_setsrid(st_multi(wkb::geometry), 4490) as g from staging.regions where import_id = :id) s
        on conflict (code, valid_from) do update set name = excluded.name, level = excluded.level, parent_code = excluded.parent_code,
          aliases = excluded.aliases, valid_to = excluded.valid_to, geom = excluded.geom, label = excluded.label, import_id = excluded.import_id
        where (r.name, r.level, r.parent_code, r.aliases, r.valid_to) is distinct from (excluded.name, excluded.level, excluded.parent_code, excluded.aliases, excluded.valid_to)
           or not (r.geom ~= excluded.geom and st_equals(r.geom, excluded.geom))
        returning (xmax = 0) as new, code"""),
        {"id": import_id},
    ).all()
    total = session.execute(
        text("select count(*) from staging.regions where import_id = :id"), {"id": import_id}
    ).scalar_one()
    changes.record_import(session, "regions", import_id, {row.code for row in rows})
    new = sum(row.new for row in rows)
    return Outcome(new, len(rows) - new, total - len(rows), tuple(sorted({row.code for row in rows})))


KIND = ImportKind(
    "regions",
    "行政区划",
    "Administrative regions",
    FIELDS,
    "regions",
    lambda session: None,
    check,
    apply,
    "regions",
    polygons=True,
)
