"""Which basin agency 流域管理机构 a place is of."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

PLACES = """
with agreed as (
  select county_code, min(basin_id) as basin_id from shuitu.intakes
  where county_code = any(:counties) and basin_id is not null
  group by county_code having min(basin_id) = max(basin_id))
select coalesce(
  (select b.id from shuitu.basin_agencies b where st_covers(b.geom, st_setsrid(st_makepoint(p.lon, p.lat), 4490)) order by b.id limit 1),
  a.basin_id)
from unnest(cast(:lons as float8[]), cast(:lats as float8[]), cast(:counties as integer[])) with ordinality p(lon, lat, county_code, n)
left join agreed a using (county_code) order by p.n"""


def of_places(
    session: Session, lons: Sequence[float], lats: Sequence[float], counties: Sequence[int]
) -> list[int | None]:
    """The agency of each position (degrees, CGCS2000) in its county.

    That whose outline holds it; without one, the agency that the register names for the county's intakes, if it is one
    only: a county may lie in two, and a guess would show the place to the wrong one. Else None.
    """
    given = {"lons": list(lons), "lats": list(lats), "counties": list(counties)}
    return list(session.execute(text(PLACES), given).scalars())
