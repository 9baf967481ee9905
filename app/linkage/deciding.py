"""What a decision of a person does to entries of the register: pairs, links, outcome; then what follows from them,
the record of it, the change and the map. Many entries at once, as sets, in the caller's transaction."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.actor import Actor
from app.changes import service as changes
from app.db.engine import driver_of
from app.errors import Conflict, InvalidInput
from app.linkage import queries, rules, standing
from app.linkage.schemas import Target
from app.registry.queries import beyond_scope

Publish = Callable[[psycopg.Connection[Any], str, Iterable[int]], None]
"""`publish(connection, layer, ids)`: brings the map up to these features."""
SINGLY = 200
"""Up to so many lines, each has a change of its own; beyond, one a county."""
LOCK = "select o.* from shuitu.link_outcomes o where o.id = any(:ids) order by o.id for update"


@dataclass(frozen=True)
class Given:
    """What was decided, apart from the lines on which."""

    action: str
    note: str = ""
    ground: str | None = None
    batch: int | None = None


def locked(session: Session, ids: Sequence[int]) -> Sequence[Row[Any]]:
    rows = session.execute(text(LOCK), {"ids": list(ids)}).all()
    if len(rows) < len(ids):
        raise queries.missing(next(iter(set(ids) - {row.id for row in rows})))
    return rows


def locked_intakes(session: Session, intakes: Sequence[int]) -> None:
    """Keep these entries' lines from others until the transaction ends."""
    session.execute(
        text("select id from shuitu.link_outcomes where intake_id = any(:ids) order by id for update"),
        {"ids": list(intakes)},
    ).all()


def decided_meanwhile(row: Row[Any]) -> Conflict:
    title = rules.OUTCOMES[row.outcome]
    if row.decided_by is None:
        return Conflict(
            "该条目已被更新，请核对后再处理 (this line changed meanwhile: look at it again)",
            version=row.version, outcome=row.outcome,
        )  # fmt: skip
    who = "规则" if row.decided_by == "rule" else row.decided_name
    return Conflict(
        f"该条目已由{who}于 {row.decided_at:%Y-%m-%d %H:%M} (UTC) 判定为“{title}”，您的操作未生效 "
        f"({'the rule' if row.decided_by == 'rule' else row.decided_name} decided it as {row.outcome} meanwhile; nothing of yours was changed)",
        version=row.version, outcome=row.outcome, decided_by=row.decided_by, decided_name=row.decided_name,
        decided_at=row.decided_at.isoformat(),
    )  # fmt: skip


# ── entries of the register ─────────────────────────────────────────────────────────────────────────


BEST = """
select distinct on (intake_id) id from shuitu.link_pairs
where intake_id = any(:intakes) and state = 'open' order by intake_id, probability desc nulls last, id"""


def best(session: Session, rows: Sequence[Row[Any]], *, strict: bool = False) -> list[int]:
    found = list(session.execute(text(BEST), {"intakes": [row.intake_id for row in rows]}).scalars())
    if strict and not found:
        raise InvalidInput("没有可确认的配对 (there is no open pair to accept)", field="pairs")
    return found


# Whoever accepts a pair has seen what changed.
CONFIRM = """
update shuitu.link_pairs set state = 'confirmed', decided_by = 'person', decided_name = :who, decided_at = now(), version = version + 1,
  conflicts = array_remove(conflicts, 'weakened')
where id = any(:pairs)"""
CLOSE = """
update shuitu.link_pairs set state = :state, decided_by = case when :state = 'open' then null else 'person' end,
  decided_name = case when :state = 'open' then null else :who end, decided_at = case when :state = 'open' then null else now() end,
  version = version + 1
where intake_id = any(:intakes) and state = any(:of) and not (id = any(:but))"""
NAME_TARGETS = """
insert into shuitu.link_pairs as l (intake_id, permit_id, permit_point_id, distance_m, state, decided_by, decided_name, decided_at, county_code, basin_id)
select i.id, k.permit_id, nullif(k.point, 0), st_distance(i.geom::geography, t.geom::geography), 'confirmed', 'person', :who, now(), i.county_code, i.basin_id
from shuitu.intakes i cross join unnest(cast(:permits as bigint[]), cast(:points as bigint[])) k(permit_id, point)
left join shuitu.permit_points t on t.id = k.point
where i.id = :intake
on conflict (intake_id, permit_id, coalesce(permit_point_id, 0)) do update
  set state = 'confirmed', decided_by = 'person', decided_name = :who, decided_at = now(), version = l.version + 1
returning id"""
LINK = """
insert into shuitu.permit_intakes (permit_id, intake_id, permit_point_id, valid_from, origin, county_code, basin_id)
select distinct on (l.permit_id, l.intake_id) l.permit_id, l.intake_id, l.permit_point_id, coalesce(p.valid_from, date '1900-01-01'),
       :origin, l.county_code, l.basin_id
from shuitu.link_pairs l join shuitu.permits p on p.id = l.permit_id
where l.id = any(:pairs) order by l.permit_id, l.intake_id, l.probability desc nulls last
on conflict (permit_id, intake_id) where valid_to is null do update
  set permit_point_id = coalesce(excluded.permit_point_id, permit_intakes.permit_point_id)"""
# A link that never held ends on the day on which it began.
UNLINK = """
update shuitu.permit_intakes k set valid_to = valid_from where k.intake_id = any(:intakes) and k.valid_to is null
  and not exists (select 1 from shuitu.link_pairs l where l.id = any(:but) and l.permit_id = k.permit_id and l.intake_id = k.intake_id)"""
UNLINK_REJECTED = """
update shuitu.permit_intakes k set valid_to = valid_from from shuitu.link_pairs l
where l.id = any(:pairs) and k.intake_id = l.intake_id and k.permit_id = l.permit_id and k.valid_to is null"""
REJECT = """
update shuitu.link_pairs set state = 'rejected', decided_by = 'person', decided_name = :who, decided_at = now(), version = version + 1
where id = any(:pairs)"""
CONCLUDE = """
update shuitu.link_outcomes set outcome = :outcome, ground = :ground, note = :note, decided_by = 'person', decided_name = :who,
  decided_at = now(), version = version + 1, recorded_at = now() where id = any(:ids)"""
# What a rejection leaves: links, other proposals to decide, or an entry without a permit.
AFTER_REJECT = """
update shuitu.link_outcomes o set version = o.version + 1, recorded_at = now(), note = :note, ground = null,
  outcome = case when s.links > 0 then 'one_to_one' when s.open > 0 then 'pending' else 'intake_without_permit' end,
  decided_by = case when s.links = 0 and s.open > 0 then null else 'person' end,
  decided_name = case when s.links = 0 and s.open > 0 then null else :who end,
  decided_at = case when s.links = 0 and s.open > 0 then null else now() end
from (select x.id, (select count(*) from shuitu.permit_intakes k where k.intake_id = x.intake_id and k.valid_to is null) as links,
             (select count(*) from shuitu.link_pairs l where l.intake_id = x.intake_id and l.state = 'open') as open
      from shuitu.link_outcomes x where x.id = any(:ids)) s
where o.id = s.id"""


def apply(
    session: Session,
    actor: Actor,
    rows: Sequence[Row[Any]],
    given: Given,
    chosen: Sequence[int],
    targets: Sequence[Target],
) -> None:
    """Pairs, links and outcomes of these entries, as decided. Settles nothing that follows from them."""
    intakes = [row.intake_id for row in rows]
    base: dict[str, Any] = {
        "ids": [row.id for row in rows],
        "intakes": intakes,
        "who": actor.username,
        "ground": given.ground,
        "note": given.note,
    }

    def run(statement: str, **more: Any) -> None:
        session.execute(text(statement), {**base, **more})

    if given.action == "reject":
        pairs = list(chosen) or _open(session, intakes)
        run(REJECT, pairs=pairs)
        run(UNLINK_REJECTED, pairs=pairs)
        run(AFTER_REJECT)
        return
    if given.action == "accept":
        run(CONFIRM, pairs=chosen)
        run(CLOSE, state="withdrawn", of=["open"], but=chosen)
        link(session, chosen, "person")
        run(CONCLUDE, outcome="one_to_one")
        return
    named = _named(session, actor, rows[0], targets) if targets else []
    if given.action in ("reassign", "split"):
        run(CLOSE, state="withdrawn", of=["open", "confirmed"], but=named)
        run(UNLINK, but=named)
        link(session, named, "person")
        run(CONCLUDE, outcome="one_to_one")
        return
    # Without a permit, exempt, or postponed: no link holds.
    run(CLOSE, state="open" if given.action == "postpone" else "rejected",
        of=["confirmed"] if given.action == "postpone" else ["open", "confirmed"], but=[])  # fmt: skip
    run(UNLINK, but=[])
    outcome = {"unlicensed": "intake_without_permit", "exempt": "exempt", "postpone": "pending"}[given.action]
    run(CONCLUDE, outcome=outcome)


def link(session: Session, pairs: Sequence[int], origin: str) -> None:
    """Links in force by these pairs. A pair's permit may be another county's: when it began is read all the same."""
    with beyond_scope(session):
        session.execute(text(LINK), {"pairs": list(pairs), "origin": origin})


def _open(session: Session, intakes: Sequence[int]) -> list[int]:
    return list(
        session.execute(
            text("select id from shuitu.link_pairs where intake_id = any(:intakes) and state = 'open'"),
            {"intakes": list(intakes)},
        ).scalars()
    )


def _named(session: Session, actor: Actor, row: Row[Any], targets: Sequence[Target]) -> list[int]:
    """Pairs of an entry with permits' intakes that a person named. Raises InvalidInput where there is none such."""
    keys = [(target.permit_id, target.permit_point_id) for target in targets]
    there = _visible(session, row, keys)
    if wrong := [key for key in keys if key not in there]:
        raise InvalidInput(
            f"没有证照取水口 {wrong[0][0]}/{wrong[0][1] or ''} (a permit does not list this intake, or it is outside your jurisdiction)",
            field="targets",
        )
    return list(
        session.execute(
            text(NAME_TARGETS),
            {
                "permits": [key[0] for key in keys],
                "points": [key[1] or 0 for key in keys],
                "intake": row.intake_id,
                "who": actor.username,
            },
        ).scalars()
    )


def _visible(
    session: Session, row: Row[Any], keys: Sequence[tuple[int, int | None]]
) -> set[tuple[int, int | None]]:
    """Those of the permits' intakes that exist and that the actor sees, or that were proposed for this entry."""
    rows = session.execute(
        text("""select k.permit_id, nullif(k.point, 0) as point from unnest(cast(:permits as bigint[]), cast(:points as bigint[])) k(permit_id, point)
                where exists (select 1 from shuitu.link_pairs l where l.intake_id = :intake and l.permit_id = k.permit_id
                              and coalesce(l.permit_point_id, 0) = k.point)
                   or case when k.point = 0 then exists (select 1 from shuitu.permits p where p.id = k.permit_id)
                      else exists (select 1 from shuitu.permit_points t where t.id = k.point and t.permit_id = k.permit_id) end"""),
        {
            "permits": [key[0] for key in keys],
            "points": [key[1] or 0 for key in keys],
            "intake": row.intake_id,
        },
    )
    return {(row.permit_id, row.point) for row in rows}


# ── what follows, the record and the map ────────────────────────────────────────────────────────────


def finish(
    session: Session,
    actor: Actor,
    rows: Sequence[Row[Any]],
    given: Given,
    before: Mapping[int, Mapping[str, Any]],
    publish: Publish,
) -> None:
    after = standing.take(session, [row.id for row in rows])
    permits = {link["permit_id"] for state in (*before.values(), *after.values()) for link in state["links"]}
    permits |= proposed(session, [row.intake_id for row in rows])
    standing.settle(session, [row.intake_id for row in rows], permits)
    after = standing.take(session, [row.id for row in rows])
    put_on_record(session, actor, rows, given, before, after)
    linked = {link["permit_id"] for state in (*before.values(), *after.values()) for link in state["links"]}
    tell(session, actor, rows, given.action, linked, publish)


def proposed(session: Session, intakes: Sequence[int]) -> set[int]:
    """Permits whose lines may change because pairs with these entries did."""
    return set(
        session.execute(
            text("select distinct permit_id from shuitu.link_pairs where intake_id = any(:intakes)"),
            {"intakes": list(intakes)},
        ).scalars()
    )


RECORD = """
insert into shuitu.link_decisions (batch_id, action, intake_id, permit_id, permit_point_id, before, after, note, actor_id, actor_name, county_code, basin_id)
select :batch, :action, g.intake_id, g.permit_id, g.permit_point_id, g.before, g.after, :note, :actor_id, :actor_name, g.county_code, g.basin_id
from jsonb_to_recordset(cast(:rows as jsonb))
  g(intake_id bigint, permit_id bigint, permit_point_id bigint, before jsonb, after jsonb, county_code integer, basin_id smallint)
returning id"""


def put_on_record(
    session: Session,
    actor: Actor,
    rows: Sequence[Row[Any]],
    given: Given,
    before: Mapping[int, Mapping[str, Any]],
    after: Mapping[int, Mapping[str, Any]],
) -> int:
    told = [
        {
            "intake_id": row.intake_id,
            "permit_id": row.permit_id,
            "permit_point_id": row.permit_point_id,
            "before": before.get(row.id, {}),
            "after": after.get(row.id, {}),
            "county_code": row.county_code,
            "basin_id": row.basin_id,
        }
        for row in rows
    ]
    made = session.execute(
        text(RECORD),
        {
            "rows": json.dumps(told),
            "batch": given.batch,
            "action": given.action,
            "note": given.note,
            "actor_id": actor.user_id,
            "actor_name": actor.username,
        },
    ).scalars()
    return int(list(made)[-1])


def tell(
    session: Session,
    actor: Actor,
    rows: Sequence[Row[Any]],
    action: str,
    permits: Iterable[int],
    publish: Publish,
) -> None:
    """Changes for whoever reads them, and the map brought up, in the transaction of the decision."""
    intakes = [row.intake_id for row in rows if row.intake_id is not None]
    if len(rows) <= SINGLY:
        places = _places(session, intakes)
        for row in rows:
            changes.record(
                session, actor.username, "intakes" if row.intake_id else "permits", "link", row.county_code,
                basin_id=row.basin_id, entity_id=row.intake_id or row.permit_id,
                box=places.get(row.intake_id), facts={"decision": action},
            )  # fmt: skip
    else:
        for county, basin in {(row.county_code, row.basin_id) for row in rows}:
            changes.record(
                session, actor.username, "intakes", "link", county, basin_id=basin, facts={"decision": action}
            )
    connection = driver_of(session)
    with beyond_scope(session):
        # Permits bring the intakes that were ever linked to them.
        publish(connection, "permits", sorted(permits)) if permits else None
        publish(connection, "intakes", intakes)


def _places(session: Session, intakes: Sequence[int]) -> dict[int | None, tuple[float, float, float, float]]:
    rows = session.execute(
        text("select id, st_x(geom) as x, st_y(geom) as y from shuitu.intakes where id = any(:ids)"),
        {"ids": list(intakes)},
    )
    return {row.id: (row.x, row.y, row.x, row.y) for row in rows}
