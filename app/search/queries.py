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
PERMITS = """
select 'permit' as kind, p.id, p.permit_no as title, concat_ws(' · ', p.holder_name, nullif(p.place, '')) as subtitle,
       st_x(g.geom) as lon, st_y(g.geom) as lat
from shuitu.permits p
join lateral (select st_centroid(st_collect(i.geom)) as geom from shuitu.permit_intakes pi
              join shuitu.intakes i on i.id = pi.intake_id where pi.permit_id = p.id and pi.valid_to is null) g on g.geom is not null
where p.permit_no ilike :p or p.holder_name ilike :p
order by (p.permit_no = upper(:q)) desc, length(p.holder_name), p.id limit :n"""
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
