"""Batches and items as they are read, and the rows that every step writes."""

import json
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.actor import Actor
from app.errors import InvalidInput, NotFound
from app.review import rules

BATCH = """
select b.id, b.county_code, c.name as county_name, b.basin_id, a.name as basin_name, b.first_stage, b.first_code, b.stage,
       b.state, b.items, b.version, b.note, b.filter, b.created_by, b.created_at, b.submitted_at, b.entered_on, b.due_on,
       b.state = 'reviewing' and b.due_on < current_date as overdue, b.closed_at, b.sample_id
from shuitu.review_batches b
left join map.regions c on c.code = b.county_code
left join shuitu.basin_agencies a on a.id = b.basin_id
where {which}"""
BATCH_FILTERS = {
    "state": "b.state = :state",
    "stage": "b.stage = :stage and b.state = 'reviewing'",
    "sample": "b.sample_id = :sample",
    "overdue": "(b.state = 'reviewing' and b.due_on < current_date) = :overdue",
}
# Whose turn it is, as rules.reviewer_at says; and drafts of one's own county, or that one composed.
MINE = """(b.state = 'reviewing' and b.stage = :my_level and :my_code = case when b.stage = b.first_stage then b.first_code
  when b.stage = 'basin' then coalesce(b.basin_id, 0) when b.stage = 'province' then b.county_code / 10000 * 10000
  when b.stage = 'prefecture' then b.county_code / 100 * 100 else b.county_code end
  or b.state = 'draft' and (b.created_by = :me or :my_level = 'county' and b.county_code = :my_code))"""
ITEM = """
select i.id, i.batch_id, i.outcome_id, i.outcome_version, i.intake_id, i.permit_id, i.outcome, i.source_type, i.state, i.reason,
       i.published_on, i.facts, st_x(i.geom) as lon, st_y(i.geom) as lat, i.county_code, c.name as county_name,
       s.sample_id, s.verdict, s.note as verdict_note, s.seq
from shuitu.review_items i
left join map.regions c on c.code = i.county_code
left join shuitu.review_sample_items s on s.item_id = i.id
where {which}"""
ITEM_FILTERS = {
    "batch": "i.batch_id = :batch",
    "sample": "s.sample_id = :sample",
    "state": "i.state = :state",
    "outcome": "i.outcome = :outcome",
    "intake": "i.intake_id = :intake",
}


def _span(region: int) -> int:
    return 10_000 if region % 10_000 == 0 else 100 if region % 100 == 0 else 1


def _given(filters: dict[str, Any], known: dict[str, str]) -> tuple[list[str], dict[str, Any]]:
    given = {name: value for name, value in filters.items() if value is not None}
    return [known[name] for name in given], given


def _after(after: str, kind: str) -> int:
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise InvalidInput(
            f"after 应为上一页的 next (is the `next` of the page before): {after[:40]!r}", field="after", value=kind
        )  # fmt: skip
    return int(after)


def batches(
    session: Session,
    filters: dict[str, Any],
    region: int | None,
    after: str | None,
    limit: int,
    mine: Actor | None = None,
) -> tuple[list[Row[Any]], int]:
    """One page of batches, the newest first, with one more row than `limit` if there is another page; and the total.

    `mine`: only those that wait for this actor.
    """
    which, given = _given(filters, BATCH_FILTERS)
    if mine is not None:
        where, level = mine.jurisdiction, rules.level_of(mine.jurisdiction)
        which.append(MINE)
        # Where no basin agency is known, the nation makes the spot check.
        given |= {
            "me": mine.username,
            "my_level": "basin" if level == "nation" else level,
            "my_code": where.basin if where.basin is not None else where.lo,
        }
    if region is not None:
        which.append("b.county_code >= :lo and b.county_code < :hi")
        given |= {"lo": region, "hi": region + _span(region)}
    total = session.execute(
        text(f"select count(*) from shuitu.review_batches b where {' and '.join(which) or 'true'}"), given
    ).scalar_one()
    if after:
        which.append("b.id < :last")
        given["last"] = _after(after, "batch")
    sql = BATCH.format(which=" and ".join(which) or "true") + " order by b.id desc limit :n"
    return list(session.execute(text(sql), given | {"n": limit + 1})), int(total)


def batch(session: Session, batch_id: int, *, lock: bool = False) -> Row[Any]:
    """One batch; locked until the transaction ends, if wanted. Raises NotFound."""
    if lock:
        session.execute(text("select from shuitu.review_batches where id = :id for update"), {"id": batch_id})
    row = session.execute(text(BATCH.format(which="b.id = :id")), {"id": batch_id}).first()
    if row is None:
        raise NotFound(
            f"没有审核批次 {batch_id}，或不在您的辖区内 (no such batch, or outside your jurisdiction)"
        )
    return row


def contents(session: Session, batch_id: int) -> dict[str, Any]:
    """What a batch holds: counts by state, outcome and source, and where."""
    rows = session.execute(
        text("""select state, outcome, source_type, count(*) as n, st_extent(geom) as box from shuitu.review_items
                where batch_id = :id group by state, outcome, source_type"""),
        {"id": batch_id},
    ).all()
    found: dict[str, dict[str, int]] = {"by_state": {}, "by_outcome": {}, "by_source": {}}
    for row in rows:
        for name, value in (
            ("by_state", row.state),
            ("by_outcome", row.outcome),
            ("by_source", row.source_type),
        ):
            found[name][value] = found[name].get(value, 0) + row.n
    box = session.execute(
        text("""select st_xmin(e), st_ymin(e), st_xmax(e), st_ymax(e)
                from (select st_extent(geom) e from shuitu.review_items where batch_id = :id) x"""),
        {"id": batch_id},
    ).one()
    return {**found, "bbox": None if box[0] is None else tuple(box)}


def decisions(session: Session, column: str, identifier: int) -> list[dict[str, Any]]:
    """The history of a batch (`batch_id`) or a sample (`sample_id`), the newest first, of single items at most 200."""
    rows = session.execute(
        text(f"""select id, item_id, sample_id, stage, action, note, facts, actor_name, authority, decided_at
                 from shuitu.review_decisions where {column} = :id order by id desc limit 200"""),
        {"id": identifier},
    )
    return [dict(row._mapping) for row in rows]


def items(
    session: Session, filters: dict[str, Any], after: str | None, limit: int
) -> tuple[list[Row[Any]], int]:
    """One page of items in their order, one more row than `limit` if there is another page; and the total."""
    which, given = _given(filters, ITEM_FILTERS)
    counted = "select count(*) from shuitu.review_items i left join shuitu.review_sample_items s on s.item_id = i.id"
    total = session.execute(text(f"{counted} where {' and '.join(which) or 'true'}"), given).scalar_one()
    # A sample is judged in the order in which it was drawn.
    order = "s.seq" if "sample" in given else "i.id"
    if after:
        which.append(f"{order} > :last")
        given["last"] = _after(after, "item")
    sql = ITEM.format(which=" and ".join(which) or "true") + f" order by {order} limit :n"
    return list(session.execute(text(sql), given | {"n": limit + 1})), int(total)


def record(
    session: Session,
    actor: Actor,
    action: str,
    about: Row[Any],
    *,
    stage: str | None = None,
    note: str = "",
    facts: dict[str, Any] | None = None,
    items: list[int] | None = None,
    sample_id: int | None = None,
) -> None:
    """Write who did what: of a batch (`about`), or of each of these items of it."""
    session.execute(
        text("""insert into shuitu.review_decisions (batch_id, item_id, sample_id, stage, action, note, facts, actor_id, actor_name,
                                                     authority, county_code, basin_id, first_code)
                select :batch, item, :sample, :stage, :action, :note, cast(:facts as jsonb), :actor_id, :actor_name, :authority,
                       :county, :basin, :first_code
                from unnest(cast(:items as bigint[])) item"""),
        {
            "batch": about.id,
            "items": [None] if items is None else items,
            "sample": sample_id,
            "stage": stage,
            "action": action,
            "note": note,
            "facts": json.dumps(facts or {}, ensure_ascii=False),
            "actor_id": actor.user_id,
            "actor_name": actor.display_name or actor.username,
            "authority": rules.level_of(actor.jurisdiction),
            "county": about.county_code,
            "basin": about.basin_id,
            "first_code": about.first_code,
        },
    )


def advance(session: Session, batch_id: int, **columns: Any) -> None:
    """Write columns of a batch, and its next version."""
    sets = ", ".join(f"{name} = :{name}" for name in columns)
    session.execute(
        text(f"update shuitu.review_batches set {sets}, version = version + 1 where id = :id"),
        columns | {"id": batch_id},
    )


def names(session: Session, codes: set[int]) -> dict[int, str]:
    """Names of regions by code."""
    rows = session.execute(
        text("select code, name from map.regions where code = any(:codes)"), {"codes": list(codes)}
    )
    return {row.code: row.name for row in rows}
