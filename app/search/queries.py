"""Looking things up by name, code, number, holder or place, in the caller's scope."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db import matching
from app.errors import TooCostly

# Exact keys first, then beginnings, then the rest. Each way finds some by its own index, whatever millions it could find,
# and only these are put in order: an index of trigrams knows no order.
SOME = 300
INTAKES = """
select 'intake' as kind, i.id, i.name as title, concat_ws(' · ', i.code, nullif(i.holder_name, ''), nullif(i.place, '')) as subtitle,
       st_x(i.geom) as lon, st_y(i.geom) as lat
from (select id, min(rank) as rank from (
    (select id, 0 as rank from shuitu.intakes where code = :q limit :n)
    union all (select id, 1 from shuitu.intakes where name {like} :e limit :n)
    union all (select id, 2 from shuitu.intakes where name {like} :b limit :some)
    {anywhere}) f group by id) f
join shuitu.intakes i using (id) order by f.rank, length(i.name), i.id limit :n"""
INTAKES_ANYWHERE = """
    union all (select id, 3 from shuitu.intakes where name {like} :p limit :some)
    union all (select i.id, 3 from (select id from shuitu.holders where name {like} :p limit :some) h
               join shuitu.intakes i on i.holder_id = h.id limit :some)"""
# A number that a renewal or a correction replaced finds the permit too. Without intakes it is where it lists them, else
# in its county.
PERMITS = """
select 'permit' as kind, p.id, p.permit_no as title,
       concat_ws(' · ', p.holder_name, nullif(p.place, ''), case when p.former is not null then '原编号 ' || p.former end) as subtitle,
       st_x(g.geom) as lon, st_y(g.geom) as lat
from (
  {some_permits} where permit_no = upper(:q) limit :n)
  union {some_permits} where permit_no {like} upper(:b) limit :some)
  union {some_permits} where holder_name {like} :b limit :some)
  {anywhere}
  union {former} where p.previous_number = upper(:q) and p.permit_no <> upper(:q) limit :n)
  union {former} where p.id in (select h.id from shuitu.permit_history h where h.permit_no = upper(:q)) and p.permit_no <> upper(:q) limit :n)
) p
cross join lateral (select coalesce(
  (select st_centroid(st_collect(i.geom)) from shuitu.permit_intakes pi
     join shuitu.intakes i on i.id = pi.intake_id where pi.permit_id = p.id and pi.valid_to is null),
  (select st_centroid(st_collect(l.geom)) from shuitu.permit_points l where l.permit_id = p.id and l.valid_to is null),
  (select r.label from shuitu.regions r where r.code = p.county_code order by r.valid_from desc limit 1)) as geom) g
where g.geom is not null
order by (p.permit_no = upper(:q) or p.former is not null) desc, length(p.holder_name), p.id limit :n"""
PERMITS_ANYWHERE = """
  union {some_permits} where permit_no {like} upper(:p) limit :some)
  union {some_permits} where holder_name {like} :p limit :some)"""
# Each way by its own index: with `or` between them all permits are read.
COLUMNS = "(select p.id, p.permit_no, p.holder_name, p.place, p.county_code, {former} as former from shuitu.permits p"
PARTS = {"some_permits": COLUMNS.format(former="null::text"), "former": COLUMNS.format(former="upper(:q)")}
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


PATIENCE_MS = 700
"""So long it is looked anywhere in the names: what begins with the text is found in any case. Only one or two characters,
which no index knows, or a text made of what every name holds, can take longer, and only in a wide scope."""


def find(session: Session, words: str, limit: int, *, officer: bool) -> list[dict[str, Any]]:
    """Regions for everyone; the register, permits and candidates for officers, in their scope."""
    q, anywhere = words.strip(), matching.pattern(words.strip())
    given = {"q": q, "e": anywhere[1:-1], "b": anywhere[1:], "p": anywhere, "n": limit, "some": SOME}
    found = [_rows(session, REGIONS, given)]
    if officer:
        found += [
            _wide(session, INTAKES, INTAKES_ANYWHERE, given),
            _wide(session, PERMITS, PERMITS_ANYWHERE, given),
        ]
        found.append(_rows(session, CANDIDATES, given))
    # A few of each kind, rather than all of the first: then more of whatever there is.
    share = max(2, limit // len(found))
    first = [hit for group in found for hit in group[:share]]
    rest = [hit for group in found for hit in group[share:]]
    return (first + rest)[:limit]


Rows = list[dict[str, Any]]


def _rows(session: Session, statement: str, given: dict[str, Any]) -> Rows:
    return [dict(row._mapping) for row in session.execute(text(statement), given)]


def _wide(session: Session, statement: str, anywhere: str, given: dict[str, Any]) -> Rows:
    """Names that hold the text anywhere, or those that begin with it if that takes too long."""
    parts = PARTS | {"like": matching.operator(given["q"])}
    try:
        with session.begin_nested(), matching.within(session, PATIENCE_MS / 1000):
            return _rows(session, statement.format(anywhere=anywhere.format(**parts), **parts), given)
    except TooCostly:
        return _rows(session, statement.format(anywhere="", **parts), given)
