"""Regions as they are read: the tree of 省, 市, 县, and the figures of one."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.errors import NotFound
from layers import catalog
from tiles import facets

BOX = "array[st_xmin(r.geom), st_ymin(r.geom), st_xmax(r.geom), st_ymax(r.geom)] as bbox"
SPAN = {1: 10_000, 2: 100, 3: 1}
"""How many GB/T 2260 codes a province, prefecture, county takes."""


def children(session: Session, parent: int | None) -> list[dict[str, Any]]:
    """The regions right below one; the provinces without one."""
    which = "r.parent_code = :parent" if parent is not None else "r.level = 1"
    rows = session.execute(
        text(f"""select r.code, r.name, r.level, r.parent_code, {BOX},
                        (select count(*) from map.regions c where c.parent_code = r.code) as children
                 from map.regions r where {which} order by r.code"""),
        {"parent": parent},
    )
    return [dict(row._mapping) for row in rows]


def region(session: Session, code: int) -> dict[str, Any]:
    """One region with the way down to it. Raises NotFound."""
    row = session.execute(
        text(f"select r.code, r.name, r.level, {BOX} from map.regions r where r.code = :code"), {"code": code}
    ).first()
    if row is None:
        raise NotFound(f"没有区划 {code} (no such region)")
    path = session.execute(
        text("""with recursive up as (
                  select code, name, parent_code, level from map.regions where code = :code
                  union all
                  select r.code, r.name, r.parent_code, r.level from map.regions r join up on r.code = up.parent_code)
                select code, name from up order by level"""),
        {"code": code},
    )
    return {**row._mapping, "path": [dict(step._mapping) for step in path]}


def intake_figures(session: Session, code: int, level: int, states: tuple[str, ...]) -> dict[str, Any]:
    """Intakes by permit state, from the coarsest overview cells (a few rows a county) and the changes not yet in them."""
    layer = catalog.load()["intakes"]
    digit = facets.facet(layer, "permit_state")
    folded = ", ".join(f"nc[{n + 1}]" for n in range(len(states)))
    pending = ", ".join(
        f"case when class / {digit.weight} % {digit.base} = {n} then n else 0 end" for n in range(len(states))
    )
    names = [f"c{n}" for n in range(len(states))]
    row = session.execute(
        text(f"""select coalesce(sum(n), 0)::bigint, {", ".join(f"coalesce(sum({c}), 0)::bigint" for c in names)}
                 from (select n, {folded} from map.intake_cells
                       where key >= 1024 and key < 2048 and county_code >= :lo and county_code < :hi
                       union all
                       select n, {pending} from map.intake_deltas
                       where county_code >= :lo and county_code < :hi) c(n, {", ".join(names)})"""),
        {"lo": code, "hi": code + SPAN[level]},
    ).one()
    return {"intakes": row[0], "by_permit_state": dict(zip(states, row[1:], strict=True))}


def officer_figures(session: Session, code: int, level: int) -> dict[str, Any]:
    """Permits in force, the newest cap of total use, and the candidates."""
    scope = {"code": code, "lo": code, "hi": code + SPAN[level]}
    permits = session.execute(
        text("""select count(*) as permits, coalesce(sum(annual_volume_m3) filter (where occupies_quota), 0) as licensed_m3
                from shuitu.permits where county_code >= :lo and county_code < :hi
                  and status = 'valid' and (valid_to is null or valid_to >= current_date)"""),
        scope,
    ).one()
    cap = session.execute(
        text("""select value as cap_m3, level_year, document_no from shuitu.control_indicators
                where region_code = :code and kind = 'total_use_cap' and source_type = 'all' and purpose = 'all'
                order by level_year desc, (frequency = 'mean') desc limit 1"""),
        scope,
    ).first()
    states = session.execute(
        text("""select state, count(*) as n from shuitu.candidates
                where county_code >= :lo and county_code < :hi group by state"""),
        scope,
    )
    found = {"cap_m3": None, "level_year": None, "document_no": None} if cap is None else dict(cap._mapping)
    return {**permits._mapping, **found, "candidates": {row.state: row.n for row in states}}
