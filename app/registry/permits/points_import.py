"""证照取水口 as an import: the intakes that permits list, one a row, under the permit's number."""

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
from app.registry import numbers, rules
from app.registry.intake_import import FROM_FIRST
from app.registry.queries import beyond_scope

LARGEST_SEQ = 9_999


def _number(given: str) -> tuple[Any, BadValue | None]:
    number = numbers.permit_number(given)
    return number.text, next(iter(number.warnings), None)


FIELDS = (
    FieldSpec(
        "permit_no",
        "许可证编号",
        "permit number",
        required=True,
        aliases=("取水许可证编号", "证书编号"),
        parse=_number,
    ),
    FieldSpec("seq", "序号", "number on the permit", "whole", aliases=("取水口序号",)),
    FieldSpec("code", "取水口编码", "intake code", aliases=("编码", "取水口编号")),
    FieldSpec("name", "取水口名称", "name", required=True, aliases=("名称", "取水口")),
    FieldSpec("place", "取水地点", "place", default="", aliases=("地点", "位置")),
    FieldSpec("lon", "经度", "longitude", "lon", aliases=LON_ALIASES),
    FieldSpec("lat", "纬度", "latitude", "lat", aliases=LAT_ALIASES),
    FieldSpec("position_error_m", "位置误差", "position error", "number", aliases=("位置误差(m)",)),
    FieldSpec("source_type", "水源类型", "source type", "code", values=rules.SOURCES, default="unknown"),
    FieldSpec("water_body", "水源名称", "water body", default="", aliases=("取水水源",)),
    FieldSpec(
        "purpose", "取水用途", "purpose", "code", values=rules.PURPOSES, default="other", aliases=("用途",)
    ),
    FieldSpec(
        "annual_m3",
        "年最大取水量",
        "annual volume",
        "volume",
        aliases=("年许可水量", "年取水量"),
        unit="万m3",
    ),
    FieldSpec(
        "county_code", "县级行政区划代码", "county code", "region", aliases=("行政区划代码", "所在县代码")
    ),
)


def check(chunk: Chunk, known: Any) -> list[Issue]:
    """A position is whole or absent; where it lies is the county, whatever the row says."""
    rows, counties = chunk.rows, known.facts
    lon, lat = numeric(rows["lon"]), numeric(rows["lat"])
    issues = [
        Issue(
            int(n),
            "warning",
            "lon,lat",
            "",
            "half_a_position",
            "经纬度只有一半，按无坐标登记 (half a position: taken as none)",
        )
        for n in rows.index[np.isnan(lon) != np.isnan(lat)]
    ]
    placed = ~np.isnan(lon) & ~np.isnan(lat)
    rows.loc[~placed, ["lon", "lat"]] = np.nan
    found = np.zeros(len(rows), np.int64)
    found[placed] = counties.county_of(lon[placed], lat[placed])
    stated = numeric(rows["county_code"])
    for i in np.flatnonzero(placed & (found != 0) & ~np.isnan(stated) & (found != stated)):
        message = f"位置在 {found[i]}，不在所填的 {stated[i]:.0f}，按位置登记 (lies in another county than stated: taken by its position)"
        issues.append(
            Issue(
                int(rows.index[i]),
                "warning",
                "county_code",
                f"{stated[i]:.0f}",
                "another_county",
                message,
                str(found[i]),
            )
        )
    for i in np.flatnonzero(placed & (found == 0)):
        message = "位置不在任何县内，请核对 (the position lies in no county: check)"
        issues.append(
            Issue(
                int(rows.index[i]),
                "warning",
                "lon,lat",
                f"{lon[i]:.6f},{lat[i]:.6f}",
                "in_no_county",
                message,
            )
        )
    rows["county_code"] = [
        int(f) if f else None if np.isnan(s) else int(s) for f, s in zip(found, stated, strict=True)
    ]
    issues += [
        Issue(
            int(n),
            "reject",
            "seq",
            str(seq),
            "bad_seq",
            "序号应为1至9999 (a number from 1 to 9999)",
            "1–9999",
        )
        for n, seq in rows["seq"].items()
        if seq is not None and not 1 <= seq <= LARGEST_SEQ
    ]
    return issues


SAME = "code, name, place, lon, lat, source_type, water_body, purpose, annual_m3"
# By its number on the permit; where the file has none, by its name.
KEY = "(permit_no, coalesce(seq::text, name))"
SCOPED = "((p.county_code >= shuitu.scope_lo() and p.county_code < shuitu.scope_hi()) or p.basin_id = shuitu.scope_basin())"
REFUSED = f"""
with gone as (
  delete from staging.permit_points s where s.import_id = cast(:id as uuid)
    and not exists (select from shuitu.permits p where p.permit_no = s.permit_no and {SCOPED}) returning s.row_no, s.permit_no
)
insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected)
select cast(:id as uuid), row_no, 'reject', 'permit_no', permit_no, case when now_no is null then 'permit_not_found' else 'number_replaced' end,
  case when now_no is null then '辖区内没有这个许可证，请先导入许可证 (no such permit in your jurisdiction: import the permits first)'
       else '许可证编号已由 ' || now_no || ' 取代，请用新编号 (the number was replaced: use the new one)' end, coalesce(now_no, '')
from (select gone.*, coalesce((select p.permit_no from shuitu.permits p where p.previous_number = gone.permit_no limit 1),
        (select p.permit_no from shuitu.permit_history h join shuitu.permits p on p.id = h.id where h.permit_no = gone.permit_no limit 1)) as now_no from gone) g"""
ENDED = """
insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected)
select cast(:id as uuid), s.row_no, 'warning', 'permit_no', s.permit_no, 'permit_ended', '许可证已终止，仍登记其取水口 (the permit has ended; its intakes are taken all the same)', ''
from staging.permit_points s join shuitu.permits p on p.permit_no = s.permit_no
where s.import_id = cast(:id as uuid) and p.status in ('cancelled', 'annulled', 'revoked')"""
# The same intake twice with different coordinates: both stay, each row is told of the other.
TWO_PLACES = """
insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected)
select cast(:id as uuid), row_no, 'warning', 'lon,lat', lon || ',' || lat, 'another_place',
  '与第' || first_row || '行同证同名，坐标相差约 ' || round(away) || ' m，请核对 (same permit and name as row ' || first_row || ', but elsewhere: check)', ''
from (select row_no, lon, lat, first_row,
        st_distance(st_setsrid(st_makepoint(lon, lat), 4490)::geography, st_setsrid(st_makepoint(first_lon, first_lat), 4490)::geography) as away
      from (select row_no, lon, lat, first_value(row_no) over w as first_row, first_value(lon) over w as first_lon, first_value(lat) over w as first_lat
            from staging.permit_points where import_id = cast(:id as uuid) and lon is not null
            window w as (partition by permit_no, name order by row_no)) n where row_no > first_row) f
where away > 1"""
# Rows without a number get the next free ones of their permit; one of the same name keeps the number that it has.
NUMBERED = """
update staging.permit_points s set seq = n.seq
from (select s.row_no, coalesce(l.seq, m.most + row_number() over (partition by s.permit_no, l.seq is null order by s.row_no)) as seq
      from staging.permit_points s join shuitu.permits p on p.permit_no = s.permit_no
      left join lateral (select min(l.seq) as seq from shuitu.permit_points l where l.permit_id = p.id and l.name = s.name and l.valid_to is null) l on true
      cross join lateral (select greatest((select coalesce(max(x.seq), 0) from shuitu.permit_points x where x.permit_id = p.id),
                                          (select coalesce(max(y.seq), 0) from staging.permit_points y where y.import_id = s.import_id and y.permit_no = s.permit_no)) as most) m
      where s.import_id = cast(:id as uuid) and s.seq is null) n
where s.import_id = cast(:id as uuid) and s.row_no = n.row_no"""
COLUMNS = "code, name, place, geom, position_error_m, source_type, water_body, purpose, annual_m3, county_code, attributes"
NAMES = [name.strip() for name in COLUMNS.split(",")]
UPSERT = f"""
insert into shuitu.permit_points as l (permit_id, seq, {COLUMNS}, basin_id, import_id, source_row)
select p.id, s.seq, s.code, s.name, s.place, case when s.lon is not null then st_setsrid(st_makepoint(s.lon, s.lat), 4490) end, s.position_error_m,
  s.source_type, s.water_body, s.purpose, s.annual_m3, coalesce(s.county_code, p.county_code), s.attributes, p.basin_id, s.import_id, s.row_no
from staging.permit_points s join shuitu.permits p on p.permit_no = s.permit_no where s.import_id = cast(:id as uuid)
on conflict (permit_id, seq) do update set ({COLUMNS}, import_id, source_row, valid_to) =
  (select {", ".join("excluded." + name for name in NAMES)}, excluded.import_id, excluded.source_row, null::date)
where ({", ".join("l." + n for n in NAMES if n != "geom")}, st_asbinary(l.geom), l.valid_to) is distinct from
      ({", ".join("excluded." + n for n in NAMES if n != "geom")}, st_asbinary(excluded.geom), null::date)
returning (xmax = 0) as new, permit_id, county_code"""
ELSEWHERE = """
insert into shuitu.import_rejects (import_id, row_no, severity, field, value, reason, message, expected)
select cast(:id as uuid), s.row_no, 'warning', 'county_code', s.county_code::text, 'intake_elsewhere',
  '取水口位于 ' || s.county_code || '，不在许可证所在县 ' || p.county_code || ' (the intake lies in another county than the permit)', ''
from staging.permit_points s join shuitu.permits p on p.permit_no = s.permit_no
where s.import_id = cast(:id as uuid) and s.county_code <> p.county_code"""


def apply(session: Session, import_id: str, scope: Scope) -> Outcome:
    """Upsert by permit and number on the permit; every row that cannot be is told why, the rest comes in."""
    given = {"id": import_id}
    reject_duplicates(session, KIND, import_id, KEY, SAME, "permit_no", "同一许可证的取水口", away=FROM_FIRST)
    for statement in (REFUSED, TWO_PLACES, ENDED, ELSEWHERE, NUMBERED):
        session.execute(text(statement), given)
    total = session.execute(
        text("select count(*) from staging.permit_points where import_id = cast(:id as uuid)"), given
    ).scalar_one()
    # A listed intake may lie in another county than its permit: it is matched there.
    with beyond_scope(session):
        rows = session.execute(text(UPSERT), given).all()
        homes = session.execute(
            text("select distinct county_code from shuitu.permits where id = any(:ids)"),
            {"ids": list({row.permit_id for row in rows})},
        ).scalars()
        counties = {*homes} | {row.county_code for row in rows}
        changes.record_import(session, "permits", import_id, counties)
    new = sum(row.new for row in rows)
    return Outcome(new, len(rows) - new, total - len(rows), tuple(sorted(counties)))


KIND = ImportKind(
    "permit_points",
    "证照取水口",
    "Intakes listed by permits",
    FIELDS,
    "permit_points",
    locate.load,
    check,
    apply,
    "permits",
)
