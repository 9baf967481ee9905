"""What tables name, what issuers have in hand, and the counts of the briefing."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.regions.codes import BASINS
from app.statistics import rules
from app.statistics.rules import Key
from layers.model import Text

BASINS_EN = {
    1: "Changjiang (Yangtze)", 2: "Huanghe (Yellow River)", 3: "Huaihe", 4: "Haihe", 5: "Zhujiang (Pearl River)",
    6: "Songliao", 7: "Taihu",
}  # fmt: skip


def region_titles(session: Session, codes: Iterable[Key]) -> dict[Key, Text]:
    """Names of regions; a code that no region has is shown itself."""
    rows = session.execute(
        text("select code, name from map.regions where code = any(:codes)"),
        {"codes": [code for code in codes if isinstance(code, int)]},
    )
    return {row.code: Text(zh=row.name, en=row.name) for row in rows}


def basin_titles() -> dict[Key, Text]:
    return {
        int(number): Text(zh=short, en=f"{BASINS_EN[int(number)]} basin agency")
        for number, (short, _) in BASINS.items()
    }


def zone_titles(session: Session) -> dict[Key, Text]:
    rows = session.execute(text("select code, name from shuitu.water_resource_zones"))
    return {row.code: Text(zh=f"{row.name} {row.code}", en=f"{row.name} {row.code}") for row in rows}


def generated(session: Session) -> bool:
    """Is it the demo's data?"""
    return bool(session.execute(text("select to_regclass('shuitu.demo') is not null")).scalar_one())


# ── issuers ─────────────────────────────────────────────────────────────────────────────────────────

# By the permits' own place: which authority issued them is another fact.
# Links and reviews are grouped once, not looked up for each permit; nothing is written down in between.
NOW = """select p.id, p.issuing_level, p.issuing_authority, p.status, p.valid_to, p.annual_volume_m3, l.links from shuitu.permits p
         left join (select permit_id, count(*) as links from shuitu.permit_intakes where valid_to is null group by 1) l on l.permit_id = p.id
         where true {place}"""
PAST = """select v.id, q.issuing_level, v.issuing_authority, v.status, v.valid_to, v.annual_volume_m3, v.intakes as links
          from map.permits_at(:on) v join shuitu.permits q on q.id = v.id
          join lateral (select q.county_code, q.basin_id) p on true where true {place}"""
ISSUERS = """
with p as ({permits}), r as (
  select r.permit_id, count(*) filter (where r.state = 'in_review') as in_review,
         count(*) filter (where r.state in ('returned', 'stale')) as again, count(*) filter (where r.state = 'published') as published
  from shuitu.review_items r where r.latest and r.permit_id is not null group by r.permit_id)
select p.issuing_level as level, p.issuing_authority as authority, count(*) as permits,
       count(*) filter (where {in_force}) as in_force,
       coalesce(sum(p.annual_volume_m3) filter (where {in_force}), 0) as permitted_m3,
       count(*) filter (where {in_force} and p.valid_to <= cast(:day as date) + 90) as due_90,
       count(*) filter (where p.status = 'expired' or (p.status = 'valid' and p.valid_to < :day)) as expired,
       count(*) filter (where p.status in ('cancelled', 'annulled', 'revoked')) as ended,
       coalesce(sum(p.links), 0)::bigint as links, coalesce(sum(r.in_review), 0)::bigint as in_review,
       coalesce(sum(r.again), 0)::bigint as again, coalesce(sum(r.published), 0)::bigint as published
from p left join r on r.permit_id = p.id
group by p.issuing_level, p.issuing_authority
order by array_position(array['basin', 'province', 'prefecture', 'county'], p.issuing_level), permits desc, authority"""
IN_FORCE = "p.status = 'valid' and (p.valid_to is null or p.valid_to >= :day)"


def _place(region: int | None, basin: int | None, alias: str) -> tuple[str, dict[str, Any]]:
    clauses = ""
    values: dict[str, Any] = {}
    if region is not None:
        clauses += f" and {alias}.county_code >= :lo and {alias}.county_code < :hi"
        values |= {"lo": region, "hi": region + rules.span(region)}
    if basin is not None:
        clauses += f" and {alias}.basin_id = :basin"
        values["basin"] = basin
    return clauses, values


def issuers(
    session: Session, region: int | None, basin: int | None, on: date | None, today: date
) -> list[Row[Any]]:
    """Permits by who issued them, the highest level first; `on`: as of a past day."""
    place, values = _place(region, basin, "p")
    permits = (NOW if on is None else PAST).format(place=place)
    sql = ISSUERS.format(permits=permits, in_force=IN_FORCE)
    return list(session.execute(text(sql), values | {"on": on, "day": on or today}))


# ── the briefing ────────────────────────────────────────────────────────────────────────────────────

FINAL = "outcome <> 'pending' and decided_by is not null"
# Has this item passed a level? Those above the level at which its batch stands, and all once it is on the map.
PASSED = "(i.state = 'published' or (i.state = 'in_review' and b.stage = any(array[{above}])))"
MUNICIPAL = "i.county_code / 10000 in (11, 12, 31, 50) or i.county_code / 100 % 100 = 90"
DUE = {
    "county": "b.first_stage = 'county'",
    "prefecture": f"(b.first_stage = 'prefecture' or (b.first_stage = 'county' and not ({MUNICIPAL})))",
    "province": "b.first_stage in ('county', 'prefecture', 'province')",
}
ABOVE = {
    "county": "'prefecture', 'province', 'basin'",
    "prefecture": "'province', 'basin'",
    "province": "'basin'",
}
COUNT = "coalesce(sum(i.n) filter (where {which}), 0)::bigint as {name}"
LEVELS = ", ".join(
    COUNT.format(which=DUE[level], name=f"{level}_due")
    + ", "
    + COUNT.format(which=f"{DUE[level]} and {PASSED.format(above=ABOVE[level])}", name=f"{level}_passed")
    for level in DUE
)


def _counts(**which: str) -> str:
    return ", ".join(COUNT.format(which=one, name=name) for name, one in which.items())


# From the tallies that the database keeps (app/db/migrations/sql/0059_tallies.sql), as far as there are millions.
BRIEFS = (
    f"select i.county_code, i.basin_id, {_counts(in_scope='true')} from shuitu.intake_tally i where true {{place}} group by 1, 2",
    f"""select i.county_code, i.basin_id, {
        _counts(
            compared="not of_permit",
            decided=f"not of_permit and {FINAL}",
            without_permit=f"outcome = 'intake_without_permit' and {FINAL}",
            without_intake=f"outcome = 'permit_without_intake' and {FINAL}",
            reviewable=FINAL,
        )
    } from shuitu.outcome_tally i where true {{place}} group by 1, 2""",
    f"""select i.county_code, i.basin_id, {
        _counts(
            submitted="true",
            in_review="i.state = 'in_review'",
            returned="i.state = 'returned'",
            stale="i.state = 'stale'",
            published="i.state = 'published'",
            published_intakes="i.state = 'published' and i.of_intake",
        )
    }, {LEVELS}
        from shuitu.review_tally i join shuitu.review_batches b on b.id = i.batch_id
        where i.latest {{place}} group by 1, 2""",
    """select i.county_code, i.basin_id, count(*) as drawn, count(i.verdict) as judged,
         count(*) filter (where i.verdict = 'correct') as correct
       from shuitu.review_sample_items i where true {place} group by 1, 2""",
    # An item says itself what it was drawn from: who stands below the province does not see its samples.
    f"""select i.county_code, i.basin_id, {_counts(population="true")}
       from shuitu.review_tally i where i.sampled {{place}} group by 1, 2""",
    """select i.county_code, i.basin_id, count(*) as batches_open, count(*) filter (where i.due_on < current_date) as batches_overdue
       from shuitu.review_batches i where i.state = 'reviewing' {place} group by 1, 2""",
    """select i.county_code, i.basin_id,
         count(*) filter (where status = 'valid' and (valid_to is null or valid_to >= current_date)) as permits_valid,
         count(*) filter (where status = 'valid' and valid_to between current_date and current_date + 90) as permits_due_90,
         count(*) filter (where status = 'valid' and valid_to between current_date and current_date + 45) as permits_due_45,
         count(*) filter (where status = 'expired' or (status = 'valid' and valid_to < current_date)) as permits_expired
       from shuitu.permits i where true {place} group by 1, 2""",
)


def briefs(session: Session, by: str, region: int | None, basin: int | None) -> list[tuple[Key, dict[str, int]]]:  # fmt: skip
    """All counts by the regions right below one (`by` "region") or by basin agency; several entries a place."""
    place, values = _place(region, basin, "i")
    found: list[tuple[Key, dict[str, int]]] = []
    for query in BRIEFS:
        for row in session.execute(text(query.format(place=place)), values):
            counts = dict(row._mapping)
            county, agency = counts.pop("county_code"), counts.pop("basin_id")
            key = agency if by == "basin" else int(rules.below(np.array([county]), region)[0])
            found.append((key or None, counts))
    return found
