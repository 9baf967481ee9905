"""Looking things up by name, code, number, holder or place, in the caller's scope."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.search.rules import pattern

# Exact keys first, then beginnings, then the rest; trigram indexes carry the ILIKE.
INTAKES = """
select 'intake' as kind, id, name as title, concat_ws(' · ', code, nullif(holder_name, ''), nullif(place, '')) as subtitle,
       st_x(geom) as lon, st_y(geom) as lat
from shuitu.intakes where name ilike :p or code = :q or holder_id in (
  select id from shuitu.holders where name ilike :p limit 200)
order by (code = :q) desc, (name ilike :b) desc, length(name), id limit :n"""
# A number that a renewal or a correction replaced finds the permit too. Without intakes it is where it lists them, else
# in its county.
PERMITS = """
select 'permit' as kind, p.id, p.permit_no as title,
       concat_ws(' · ', p.holder_name, nullif(p.place, ''), case when p.former is not null then '原编号 ' || p.former end) as subtitle,
       st_x(g.geom) as lon, st_y(g.geom) as lat
from (
  select p.id, p.permit_no, p.holder_name, p.place, p.county_code, null::text as former from shuitu.permits p
  where p.permit_no ilike :p or p.holder_name ilike :p
  union all
  select p.id, p.permit_no, p.holder_name, p.place, p.county_code, upper(:q) from shuitu.permits p
  where p.permit_no <> upper(:q) and (p.previous_number = upper(:q)
    or p.id in (select h.id from shuitu.permit_history h where h.permit_no = upper(:q)))
) p
cross join lateral (select coalesce(
  (select st_centroid(st_collect(i.geom)) from shuitu.permit_intakes pi
     join shuitu.intakes i on i.id = pi.intake_id where pi.permit_id = p.id and pi.valid_to is null),
  (select st_centroid(st_collect(l.geom)) from shuitu.permit_points l where l.permit_id = p.id and l.valid_to is null),
  (select r.label from shuitu.regions r where r.code = p.county_code order by r.valid_from desc limit 1)) as geom) g
where g.geom is not null
order by (p.permit_no = upper(:q) or p.former is not null) desc, length(p.holder_name), p.id limit :n"""
CANDIDATES = """
select 'candidate' as kind, id, code as title, kind || ' · ' || category as subtitle,
       st_x(st_pointonsurface(geom)) as lon, st_y(st_pointonsurface(geom)) as lat
from shuitu.candidates where code ilike :b order by id limit :n"""
REGIONS = """
select 'region' as kind, r.code as id, r.name as title, coalesce(up.name, '') as subtitle,
       st_x(st_pointonsurface(r.geom)) as lon, st_y(st_pointonsurface(r.geom)) as lat,
       array[st_xmin(r.geom), st_ymin(r.geom), st_xmax(r.geom), st_ymax(r.geom)] as bbox
from map.regions r left join map.regions up on up.code = r.parent_code
where r.name ilike :p or r.code::text = :q order by (r.name ilike :b) desc, r.level, r.code limit :n"""


def find(session: Session, words: str, limit: int, *, officer: bool) -> list[dict[str, Any]]:
    """Regions for everyone; the register, permits and candidates for officers, in their scope."""
    given = {"q": words.strip(), "p": pattern(words), "b": pattern(words)[1:], "n": limit}
    statements = (REGIONS, INTAKES, PERMITS, CANDIDATES) if officer else (REGIONS,)
    found: list[list[dict[str, Any]]] = [
        [dict(row._mapping) for row in session.execute(text(statement), given)] for statement in statements
    ]
    # A few of each kind, rather than all of the first: then more of whatever there is.
    share = max(2, limit // len(statements))
    first = [hit for group in found for hit in group[:share]]
    rest = [hit for group in found for hit in group[share:]]
    return (first + rest)[:limit]
