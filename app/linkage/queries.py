"""The desk's lines as they are read: pages, one with its rivals, what lies near, progress."""

import math
import time
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.db import matching
from app.errors import InvalidInput, NotFound
from app.linkage import rules
from app.registry import names
from app.registry.queries import beyond_scope

COUNTED_TO, LOOKED_TO = 100_000, 1_000
"""Totals of lists are counted so far, and so far where each line's name must be looked up: the desk says "more than" beyond."""
WALKED = (500, 4_000, 32_000)
"""Lines whose names are looked up at a time, in their order, until a page is full: a text that half of them hold is found among
the first."""
ROW = """
select o.id, case when o.intake_id is null then 'permit' else 'intake' end as subject, o.outcome, o.ground, o.probability,
       o.pairs_open, o.conflicts, o.source_type, o.decided_by, o.decided_name, o.decided_at, o.version, o.county_code,
       r.name as county_name, o.note, o.run_id, o.intake_id, o.permit_id, o.permit_point_id,
       coalesce(i.name, nullif(t.name, ''), nullif(t.place, ''), p.holder_name, '') as name,
       coalesce(i.code, p.permit_no) as code, coalesce(i.holder_name, p.holder_name, '') as holder_name,
       st_x(coalesce(i.geom, t.geom)) as lon, st_y(coalesce(i.geom, t.geom)) as lat
from {source} o
left join shuitu.intakes i on i.id = o.intake_id
left join shuitu.permits p on p.id = o.permit_id
left join shuitu.permit_points t on t.id = o.permit_point_id
left join map.regions r on r.code = o.county_code and r.level = 3"""
CONDITIONS = {
    "outcome": "o.outcome = :outcome",
    "source": "o.source_type = :source",
    "conflict": "o.conflicts <> '{}' and o.conflicts @> array[cast(:conflict as text)]",
    "min_probability": "coalesce(o.probability, 0) >= :min_probability",
    "max_probability": "coalesce(o.probability, 0) <= :max_probability",
    "run": "o.run_id = :run",
    "region": "o.county_code >= :lo and o.county_code < :hi",
}
STATES = {
    "open": "o.decided_by is null",
    "rule": "o.decided_by = 'rule'",
    "person": "o.decided_by = 'person'",
}
SUBJECTS = {"intake": "o.intake_id is not null", "permit": "o.permit_id is not null"}
# A text that few entries and permits hold: their lines. One that many hold, or too short for an index: the lines are looked
# through in their order, some at a time.
NAMED = "(o.intake_id = any(:named_intakes) or o.permit_id = any(:named_permits))"
HOLDING = """(
  exists (select 1 from shuitu.intakes x where x.id = o.intake_id and (x.code = :q or x.name {like} :like or x.holder_name {like} :like))
  or exists (select 1 from shuitu.permits x where x.id = o.permit_id and (x.permit_no = :q or x.holder_name {like} :like)))"""
# Entries that are paired with the permit of a number, too.
PAIRED = "select lp.intake_id from shuitu.permits p join shuitu.link_pairs lp on lp.permit_id = p.id where p.permit_no = :q"
ORDER = "order by coalesce(o.probability, 0) desc, o.id"
AFTER = "(coalesce(o.probability, 0), -o.id) < (cast(:score as real), :last)"
TIMEOUT_S = 3
OUTCOMES = (
    "one_to_one", "n_to_one", "one_to_n", "intake_without_permit", "permit_without_intake", "exempt", "pending",
)  # fmt: skip


def narrowed(session: Session, filters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The condition on `link_outcomes o` for these filters, and its parameters."""
    which, holding, given = _conditions(session, filters)
    return f"{which} and {holding}" if holding else which, given


def _conditions(session: Session, filters: Mapping[str, Any]) -> tuple[str, str | None, dict[str, Any]]:
    """The condition that a line itself tells; that which takes its name, if there is one; and the parameters of both."""
    holding = None
    given = {name: value for name, value in filters.items() if value is not None and value != ""}
    which = [CONDITIONS[name] for name in given if name in CONDITIONS]
    if "state" in given:
        which.append(STATES[given["state"]])
    if "subject" in given:
        which.append(SUBJECTS[given["subject"]])
    if "region" in given:
        code = given["region"]
        span = 10_000 if code % 10_000 == 0 else 100 if code % 100 == 0 else 1
        given |= {"lo": code, "hi": code + span}
    if "q" in given:
        found = names.holding(session, given["q"])
        if found is None:
            holding = HOLDING.format(like=matching.operator(given["q"]))
            given["like"] = matching.pattern(given["q"])
        else:
            paired = session.execute(text(PAIRED), {"q": given["q"]}).scalars()
            which.append(NAMED)
            given |= {"named_intakes": [*found.intakes, *paired], "named_permits": list(found.permits)}
    return " and ".join(which) or "true", holding, given


def page(session: Session, filters: Mapping[str, Any], after: str | None, limit: int) -> dict[str, Any]:
    """Lines by probability, highest first. `after` is the `next` of the page before. Raises InvalidInput."""
    keyset, last = "true", {}
    if after:
        keyset = AFTER
        score, _, before = after.partition("_")
        try:
            last = {"score": float(score), "last": -int(before)}
        except ValueError:
            raise InvalidInput(
                f"after 应为上一页的 next (is the `next` of the page before): {after!r}",
                field="after",
                value=after,
            ) from None
    with matching.within(session, TIMEOUT_S):
        which, holding, given = _conditions(session, filters)
        asked = given | last | {"n": limit + 1}
        if holding:
            rows, total, beyond = _looked_up(session, which, holding, keyset, asked)
        else:
            total = count(session, which, given, COUNTED_TO + 1)
            total, beyond = min(total, COUNTED_TO), total > COUNTED_TO
            source = _cut(session, which, keyset, given)
            rows = session.execute(text(f"{ROW.format(source=source)} {ORDER}"), asked).all()
    items = [dict(row._mapping) for row in rows[:limit]]
    more = len(rows) > limit
    return {
        "items": items,
        "next": f"{items[-1]['probability'] or 0.0!r}_{items[-1]['id']}" if more else None,
        "total": total,
        "more": beyond,
    }


LINES = f"{ROW.format(source='shuitu.link_outcomes')} where o.id = any(:lines)"


def _looked_up(
    session: Session, which: str, holding: str, keyset: str, given: Mapping[str, Any]
) -> tuple[Sequence[Row[Any]], int, bool]:
    """A page of the lines whose names hold a text, how many there are, and whether there are more. Raises TooCostly.

    Where they are few, all were found by counting them. Where they are many, the page is among the first lines that are
    looked through in their order.
    """
    ends = time.monotonic() + TIMEOUT_S
    those = f"select o.id from shuitu.link_outcomes o where {which} and {holding} limit {LOOKED_TO + 1}"
    lines = session.execute(text(those), given).scalars().all()
    if len(lines) <= LOOKED_TO:
        page = text(f"{LINES} and {keyset} {ORDER} limit :n")
        return session.execute(page, {**given, "lines": lines}).all(), len(lines), False
    page, rows, place = text(f"{LINES} and {holding} {ORDER} limit :n"), list[Row[Any]](), {**given}
    for n in chain(WALKED, repeat(WALKED[-1])):
        cut = _cut(session, which, keyset, given)
        walked = session.execute(
            text(f"select o.id, coalesce(o.probability, 0) as score from {cut} o {ORDER}"), place | {"n": n}
        ).all()
        rows += session.execute(page, {**given, "lines": [row.id for row in walked]}).all()
        if len(rows) >= given["n"] or len(walked) < n:
            break
        if time.monotonic() > ends:
            raise matching.too_long(TIMEOUT_S)
        keyset, place = AFTER, {**given, "score": walked[-1].score, "last": -walked[-1].id}
    return rows, LOOKED_TO, True


# Which outcomes there are in which counties of the caller's scope.
KINDS = """
select o.county_code, o.outcome from shuitu.outcome_tally o where {which} group by 1, 2 having sum(o.n) > 0 limit :n"""
OF_TALLY = ("outcome", "region")
KINDS_MOST = 2_000


def _cut(session: Session, which: str, keyset: str, given: Mapping[str, Any]) -> str:
    """The lines of a page, cut before anything is joined to them.

    An index has each county's lines of an outcome in this order: a page of each, and the first of all those. Where that is
    most of the nation, the index over all counties is gone through, which finds others' lines first where the scope is small.
    """
    order = f"{ORDER} limit :n"
    kinds = " and ".join(CONDITIONS[name] for name in OF_TALLY if name in given) or "true"
    n = len(session.execute(text(KINDS.format(which=kinds)), {**given, "n": KINDS_MOST + 1}).all())
    if n <= KINDS_MOST:
        each = f"select * from shuitu.link_outcomes o where o.county_code = k.county_code and o.outcome = k.outcome and {which} and {keyset} {order}"
        return f"(select o.* from ({KINDS.format(which=kinds).replace(':n', str(KINDS_MOST))}) k cross join lateral ({each}) o {order})"
    if "outcome" in given:
        return f"(select * from shuitu.link_outcomes o where {which} and {keyset} {order})"
    each_outcome = (
        f"(select * from shuitu.link_outcomes o where o.outcome = '{one}' and {which} and {keyset} {order})"
        for one in OUTCOMES
    )
    return f"(select * from ({' union all '.join(each_outcome)}) o {order})"


def count(session: Session, which: str, given: Mapping[str, Any], most: int = COUNTED_TO) -> int:
    """How many lines there are, counted up to `most`."""
    counted = f"select count(*) from (select 1 from shuitu.link_outcomes o where {which} limit {most}) n"
    return int(session.execute(text(counted), given).scalar_one())


# ── one line, whole ─────────────────────────────────────────────────────────────────────────────────

INTAKE = """
select i.id, i.code, i.name, i.holder_name, h.uscc, i.county_code, r.name as county_name, i.town, i.place, i.water_body,
       i.source_type, i.purpose, i.status, i.permit_state, i.annual_volume_m3 as annual_m3, st_x(i.geom) as lon, st_y(i.geom) as lat,
       i.position_error_m, coalesce(i.attributes ->> 'permit_no', j.value) as permit_no
from shuitu.intakes i left join shuitu.holders h on h.id = i.holder_id
left join map.regions r on r.code = i.county_code and r.level = 3
left join lateral (select value from shuitu.import_rejects j where j.import_id = i.import_id and j.severity = 'warning'
                   and j.row_no = i.source_row and j.reason = 'permit_not_found' limit 1) j on true
where i.id = any(:ids)"""
PLACES = """
select k.permit_id, k.permit_point_id, p.permit_no, p.status, p.valid_from, p.valid_to, p.holder_name, h.uscc,
       coalesce(t.name, '') as name, t.code, coalesce(t.county_code, p.county_code) as county_code, r.name as county_name,
       coalesce(nullif(t.place, ''), p.place) as place, coalesce(t.water_body, '') as water_body,
       coalesce(nullif(t.source_type, 'unknown'), p.source_type) as source_type,
       coalesce(nullif(t.purpose, 'other'), p.purpose) as purpose,
       t.annual_m3, p.annual_volume_m3 as permit_m3, st_x(t.geom) as lon, st_y(t.geom) as lat, t.geom
from unnest(cast(:permits as bigint[]), cast(:points as bigint[])) k(permit_id, permit_point_id)
join shuitu.permits p on p.id = k.permit_id
left join shuitu.permit_points t on t.id = nullif(k.permit_point_id, 0)
left join shuitu.holders h on h.id = p.holder_id
left join map.regions r on r.code = coalesce(t.county_code, p.county_code) and r.level = 3"""
TAKEN = """
select pi.permit_id, coalesce(pi.permit_point_id, 0) as point, array_agg(i.code order by i.code) as codes
from shuitu.permit_intakes pi join shuitu.intakes i on i.id = pi.intake_id
where pi.valid_to is null and pi.permit_id = any(:permits) group by 1, 2"""


def one(session: Session, outcome_id: int) -> dict[str, Any]:
    """A line with its subject, the pairs proposed for it, links and decisions. Raises NotFound."""
    row = session.execute(
        text(ROW.format(source="shuitu.link_outcomes") + " where o.id = :id"), {"id": outcome_id}
    ).first()
    if row is None:
        raise missing(outcome_id)
    found = dict(row._mapping)
    found["intake"] = next(iter(intakes(session, [row.intake_id]).values()), None) if row.intake_id else None
    found["permit"] = None
    if row.permit_id:
        found["permit"] = next(iter(places(session, [(row.permit_id, row.permit_point_id)]).values()), None)
    found["pairs"] = pairs(session, found)
    found["links"] = _many(
        session,
        """select pi.permit_id, pi.permit_point_id, p.permit_no, p.status, p.holder_name, pi.origin
           from shuitu.permit_intakes pi join shuitu.permits p on p.id = pi.permit_id
           where pi.intake_id = :id and pi.valid_to is null order by p.permit_no""",
        row.intake_id or 0,
    )
    found["decisions"] = decisions(session, row.intake_id, row.permit_id, row.permit_point_id)
    return found


def line_of(session: Session, intake_id: int) -> int:
    """The line of an entry of the register. Raises NotFound."""
    found = session.execute(
        text("select id from shuitu.link_outcomes where intake_id = :id"), {"id": intake_id}
    ).scalar()
    if found is None:
        raise NotFound(
            f"取水口 {intake_id} 尚未比对，或不在您的辖区内 (not compared yet, or outside your jurisdiction)"
        )
    return int(found)


def missing(outcome_id: int) -> NotFound:
    return NotFound(
        f"没有比对条目 {outcome_id}，或不在您的辖区内 (no such line of the linkage, or outside your jurisdiction)"
    )


def pairs(session: Session, line: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Pairs proposed for a line, the most probable first, each attribute side by side."""
    which = (
        "lp.intake_id = :intake_id"
        if line["intake_id"]
        else "lp.permit_id = :permit_id and lp.permit_point_id is not distinct from cast(:permit_point_id as bigint)"
    )
    rows = session.execute(
        text(f"""select lp.*, o.id as outcome_id from shuitu.link_pairs lp
                 left join shuitu.link_outcomes o on o.intake_id = lp.intake_id
                 where {which} order by lp.state <> 'confirmed', lp.probability desc nulls last, lp.id limit 50"""),
        {key: line[key] for key in ("intake_id", "permit_id", "permit_point_id")},
    ).all()
    there = places(session, [(row.permit_id, row.permit_point_id) for row in rows])
    here = intakes(session, [row.intake_id for row in rows])
    found = []
    for row in rows:
        place, intake = there.get((row.permit_id, row.permit_point_id)), here.get(row.intake_id)
        if place is None or intake is None:
            continue
        mine = intake["code"]
        found.append(
            {
                **row._mapping,
                "permit": {**place, "taken_by": [code for code in place["taken_by"] if code != mine]},
                "comparison": rules.compare(intake, compared(place)),
                "intake": None if line["intake_id"] else intake,
            }
        )
    return found


def compared(place: Mapping[str, Any]) -> dict[str, Any]:
    """A permit's intake under the names of the register's attributes; a point without a volume of its own has the permit's."""
    return {
        **place,
        "annual_m3": place["annual_m3"] if place["annual_m3"] is not None else place["permit_m3"],
    }


def intakes(session: Session, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Entries of the register by id."""
    if not ids:
        return {}
    rows = session.execute(text(INTAKE), {"ids": list(set(ids))})
    return {row.id: dict(row._mapping) for row in rows}


def places(
    session: Session, keys: Sequence[tuple[int, int | None]]
) -> dict[tuple[int, int | None], dict[str, Any]]:
    """Permits' intakes by (permit, point). A permit that is paired with an entry here may be another county's: whoever
    must decide on the pair sees it."""
    if not keys:
        return {}
    wanted = list(dict.fromkeys(keys))
    given = {"permits": [key[0] for key in wanted], "points": [key[1] or 0 for key in wanted]}
    with beyond_scope(session):
        rows = session.execute(text(PLACES), given).all()
        taken = session.execute(text(TAKEN), {"permits": given["permits"]}).all()
    by = {(row.permit_id, row.point): row.codes for row in taken}
    found = {}
    for row in rows:
        point = row.permit_point_id or None
        values = {name: value for name, value in row._mapping.items() if name != "geom"}
        found[(row.permit_id, point)] = {
            **values,
            "permit_point_id": point,
            "taken_by": by.get((row.permit_id, point or 0), []),
        }
    return found


def decisions(
    session: Session, intake_id: int | None, permit_id: int | None, point_id: int | None
) -> list[dict[str, Any]]:
    """Decisions of persons on an entry or on a permit's intake, the newest first."""
    which = (
        "d.intake_id = :intake"
        if intake_id
        else "d.permit_id = :permit and d.permit_point_id is not distinct from cast(:point as bigint)"
    )
    rows = session.execute(
        text(f"""select d.id, d.action, d.note, d.actor_name, d.decided_at, d.batch_id, d.undone_by is not null as undone,
                        coalesce((select array_agg(p.permit_no order by p.permit_no) from shuitu.permits p
                                  where p.id in (select (x ->> 'permit_id')::bigint
                                                 from jsonb_array_elements(coalesce(d.after -> 'links', '[]')) x)), '{{}}') as permit_nos
                 from shuitu.link_decisions d where {which} order by d.id desc limit 100"""),
        {"intake": intake_id, "permit": permit_id, "point": point_id},
    )
    return [dict(row._mapping) for row in rows]


def _many(session: Session, statement: str, identifier: int) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in session.execute(text(statement), {"id": identifier})]


# ── permits' intakes near by, or by number ──────────────────────────────────────────────────────────

NEAR = """
select t.permit_id, t.id as point, st_distance(t.geom::geography, st_setsrid(st_makepoint(:lon, :lat), 4490)::geography) as metres
from shuitu.permit_points t
where t.valid_to is null and t.geom && st_expand(st_setsrid(st_makepoint(:lon, :lat), 4490), :degrees)
order by t.geom <-> st_setsrid(st_makepoint(:lon, :lat), 4490) limit :n"""
NUMBERED = """
select p.id as permit_id, coalesce(t.id, 0) as point, null::double precision as metres
from (select * from ((select * from shuitu.permits where permit_no = :q limit :n)
        union (select * from shuitu.permits where permit_no {like} :like or previous_number {like} :like limit :most)
        union (select * from shuitu.permits where holder_name {like} :like limit :most)) f
      order by permit_no = :q desc, permit_no limit :n) p
left join shuitu.permit_points t on t.permit_id = p.id and t.valid_to is null
order by p.permit_no = :q desc, p.permit_no, t.seq limit :n"""


def near(session: Session, lon: float, lat: float, metres: float, limit: int) -> list[dict[str, Any]]:
    """Permits' intakes around a place, the nearest first."""
    degrees = metres / 111_320 / max(0.2, math.cos(math.radians(lat)))
    rows = session.execute(text(NEAR), {"lon": lon, "lat": lat, "degrees": degrees, "n": limit}).all()
    return _placed(session, rows)


def numbered(session: Session, q: str, limit: int) -> list[dict[str, Any]]:
    """Permits' intakes whose permit number or holder holds these characters."""
    given = {"q": q, "like": matching.pattern(q), "n": limit, "most": names.MOST}
    rows = session.execute(text(NUMBERED.format(like=matching.operator(q))), given).all()
    return _placed(session, rows)


def _placed(session: Session, rows: Sequence[Any]) -> list[dict[str, Any]]:
    there = places(session, [(row.permit_id, row.point or None) for row in rows])
    return [
        {**there[key], "distance_m": row.metres}
        for row in rows
        if (key := (row.permit_id, row.point or None)) in there
    ]


# ── progress ────────────────────────────────────────────────────────────────────────────────────────

DENOMINATOR = (
    "辖区内河道外在册取水口（不含已停用）；有最终结果者计为完成，待定不计 "
    "(off-stream entries of the register that are not ended; a line counts as decided unless it is pending)"
)
# From the tallies that the database keeps: a nation's millions are not counted while somebody waits.
SCOPE = """
select county_code / :span * :span as code, sum(n)::bigint as n from shuitu.intake_tally
where county_code >= :lo and county_code < :hi group by 1 having sum(n) <> 0"""
CAME = """
select county_code / :span * :span as code, outcome, decided_by, of_permit, sum(n)::bigint as n
from shuitu.outcome_tally where county_code >= :lo and county_code < :hi group by 1, 2, 3, 4 having sum(n) <> 0"""


def progress(session: Session, region: int | None) -> dict[str, Any]:
    """How far matching is: below a region by what lies right under it, the provinces without one."""
    lo, hi, span = (
        (0, 1_000_000, 10_000)
        if region is None
        else (region, region + 10_000, 100)
        if region % 10_000 == 0
        else (region, region + 100, 1)
        if region % 100 == 0
        else (region, region + 1, 1)
    )
    given = {"lo": lo, "hi": hi, "span": span}
    found: dict[int, dict[str, Any]] = {}
    for row in session.execute(text(SCOPE), given):
        _of(found, row.code)["in_scope"] = row.n
    for row in session.execute(text(CAME), given):
        into = _of(found, row.code)
        if row.of_permit:
            into["permit_points_without_intake"] += row.n if row.outcome == "permit_without_intake" else 0
            continue
        into["by_outcome"][row.outcome] = into["by_outcome"].get(row.outcome, 0) + row.n
        if row.outcome != "pending":
            into["decided"] += row.n
            into["by_person" if row.decided_by == "person" else "by_rule"] += row.n
    named = session.execute(
        text("select code, name from map.regions where code = any(:codes)"),
        {"codes": [*found, region or 0]},
    )
    names = {row.code: row.name for row in named}
    rows = [{**row, "name": names.get(code)} for code, row in sorted(found.items())]
    return {
        "denominator": DENOMINATOR,
        "total": _sum(rows, region or 0, names.get(region or 0)),
        "regions": rows,
    }


COUNTED = ("in_scope", "decided", "by_rule", "by_person", "permit_points_without_intake")


def _of(found: dict[int, dict[str, Any]], code: int) -> dict[str, Any]:
    return found.setdefault(code, {"county_code": code, "by_outcome": {}, **dict.fromkeys(COUNTED, 0)})


def _sum(rows: Sequence[Mapping[str, Any]], code: int, name: str | None) -> dict[str, Any]:
    by: dict[str, int] = {}
    for row in rows:
        for outcome, n in row["by_outcome"].items():
            by[outcome] = by.get(outcome, 0) + n
    return {
        "county_code": code,
        "name": name,
        "by_outcome": by,
        **{key: sum(row[key] for row in rows) for key in COUNTED},
    }
