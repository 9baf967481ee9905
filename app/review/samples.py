"""The basin's spot check 抽查复核: drawn from what waits in a province, judged item by item, and what follows from it.

A sample that passes takes its lot onto the one map, but for the items found wrong, which go back. One with more wrong
than tolerated returns the whole lot: what was not looked at is no better than what was.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.actor import Actor
from app.errors import Conflict, InvalidInput, NotFound
from app.review import queries, rules, sampling, service
from app.review.rules import Reviewer
from app.review.sampling import Member
from app.review.schemas import Verdict
from app.review.service import Publish

# Drawn from: everything of a province that waits for this agency, and that the agency did not review itself in whole.
WAITING = """
b.state = 'reviewing' and b.stage = 'basin' and b.first_stage <> 'basin' and b.sample_id is null
and b.county_code >= :province and b.county_code < :province + 10000 and b.basin_id is not distinct from :basin"""
SAMPLE = """
select s.id, s.county_code, s.county_code as province_code, r.name as province_name, s.basin_id, a.name as basin_name, s.state,
       s.population, s.drawn, j.judged, coalesce(s.wrong, j.wrong) as wrong, s.rate, s.tolerance, s.due_on,
       s.state = 'open' and s.due_on < current_date as overdue, s.version, s.drawn_by, s.drawn_at, s.closed_by, s.closed_at,
       s.algorithm, s.seed, s.fingerprint, null::integer as first_code
from shuitu.review_samples s
left join map.regions r on r.code = s.county_code
left join shuitu.basin_agencies a on a.id = s.basin_id
cross join lateral (select count(verdict)::integer as judged, (count(*) filter (where verdict = 'wrong'))::integer as wrong
                    from shuitu.review_sample_items i where i.sample_id = s.id) j
where {which}"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator set for spot checks."""

    rate: float
    tolerance: float
    days: int


def draw(session: Session, actor: Actor, province: int, terms: Terms) -> int:
    """Freeze what waits in a province and draw the sample; returns its id.

    Raises NotAllowed for another authority than the basin agency, Conflict if nothing waits.
    """
    basin = actor.jurisdiction.basin
    rules.require_reviewer(actor.jurisdiction, Reviewer("basin", basin or 0))
    where = {"province": province, "basin": basin}
    lot = session.execute(
        text(f"select b.id from shuitu.review_batches b where {WAITING} order by b.id for update"), where
    )
    batch_ids = list(lot.scalars())
    rows = session.execute(
        text("""select id, source_type, outcome from shuitu.review_items
                where batch_id = any(:ids) and state = 'in_review' order by id"""),
        {"ids": batch_ids},
    )
    population = [Member(*row) for row in rows]
    if not population:
        raise Conflict("该省没有待抽查复核的成果 (nothing waits for a spot check in this province)", province=province)  # fmt: skip
    # The seed comes after the population: whoever composed the batches could not know it.
    seed = secrets.token_hex(16)
    drawn = sampling.draw(seed, population, terms.rate)
    sample_id = _insert(session, actor, where, population, seed, len(drawn), terms)
    _freeze(session, sample_id, population, drawn)
    for batch_id in batch_ids:
        queries.advance(session, batch_id, sample_id=sample_id)
        about = queries.batch(session, batch_id)
        queries.record(session, actor, "draw", about, stage="basin", sample_id=sample_id, facts={"drawn": len(drawn), "population": len(population)})  # fmt: skip
    return sample_id


def judge(session: Session, actor: Actor, sample_id: int, item_id: int, verdict: Verdict, note: str) -> None:
    """Say whether a drawn item is right; it can be said anew until the sample is closed.

    Raises InvalidInput for a wrong one without words, NotFound if the item was not drawn.
    """
    row = _open(session, actor, sample_id, None)
    if verdict == "wrong" and not note.strip():
        raise InvalidInput("判为不合格须写明理由 (say what is wrong)", field="note", expected="text")
    found = session.execute(
        text("""update shuitu.review_sample_items set verdict = :verdict, note = :note, judged_by = :actor, judged_at = now()
                where sample_id = :sample and item_id = :item returning item_id"""),
        {"verdict": verdict, "note": note.strip(), "actor": actor.username, "sample": sample_id, "item": item_id},
    ).first()  # fmt: skip
    if found is None:
        raise NotFound(f"第 {item_id} 项不在样本中 (the item was not drawn)")
    item = session.execute(
        text("""select b.id, i.county_code, i.basin_id, i.first_code from shuitu.review_items i
                join shuitu.review_batches b on b.id = i.batch_id where i.id = :id"""),
        {"id": item_id},
    ).one()
    queries.record(session, actor, "judge", item, stage="basin", note=note.strip(), facts={"verdict": verdict}, items=[item_id], sample_id=row.id)  # fmt: skip


def close(session: Session, actor: Actor, sample_id: int, version: int, note: str, publish: Publish) -> None:
    """Draw the consequence, once every item is judged that is still in review.

    Raises Conflict if one is missing, or the sample was closed meanwhile.
    """
    row = _open(session, actor, sample_id, version)
    left = session.execute(
        text("""select count(*) from shuitu.review_sample_items s join shuitu.review_items i on i.id = s.item_id
                where s.sample_id = :id and s.verdict is null and i.state = 'in_review'"""),
        {"id": sample_id},
    ).scalar_one()
    if left:
        raise Conflict(f"样本还有 {left} 项未判定 ({left} of the sample are not judged yet)", left=left)
    wrong = _wrong(session, sample_id)
    passed = sampling.passes(row.wrong, row.judged, row.tolerance)
    session.execute(
        text("""update shuitu.review_samples set state = :state, wrong = :wrong, closed_by = :actor, closed_at = now(),
                version = version + 1 where id = :id"""),
        {"state": "passed" if passed else "failed", "wrong": row.wrong, "actor": actor.username, "id": sample_id},
    )  # fmt: skip
    verdict = f"抽查 {row.judged} 项，不合格 {row.wrong} 项，容许 {row.tolerance:.2%}"
    for batch_id in _batches(session, sample_id):
        _follow(session, actor, batch_id, wrong.get(batch_id, {}), passed, f"{verdict}。{note}".rstrip("。"), sample_id, publish)  # fmt: skip


def one(session: Session, sample_id: int) -> Row[Any]:
    """One sample. Raises NotFound."""
    row = session.execute(text(SAMPLE.format(which="s.id = :id")), {"id": sample_id}).first()
    if row is None:
        raise NotFound(f"没有抽查样本 {sample_id} (no such sample)")
    return row


def listed(session: Session, limit: int) -> list[Row[Any]]:
    """Samples, the newest first."""
    return list(
        session.execute(text(SAMPLE.format(which="true") + " order by s.id desc limit :n"), {"n": limit})
    )


def waiting(session: Session) -> list[Row[Any]]:
    """What waits for a spot check, by province and basin agency; sizes by stratum, from which the draw follows."""
    return list(
        session.execute(
            text("""select b.county_code / 10000 * 10000 as province_code, b.basin_id, i.source_type || '/' || i.outcome as stratum,
                           count(*)::integer as n, array_agg(distinct b.id) as batches
                    from shuitu.review_batches b join shuitu.review_items i on i.batch_id = b.id and i.state = 'in_review'
                    where b.state = 'reviewing' and b.stage = 'basin' and b.first_stage <> 'basin' and b.sample_id is null
                    group by 1, 2, 3 order by 1, 2, 3""")
        )
    )


def population(session: Session, sample_id: int) -> tuple[Row[Any], list[Row[Any]]]:
    """A sample, and the members of its frozen population with the fact whether each was drawn. Raises NotFound."""
    row = one(session, sample_id)
    members = session.execute(
        text("""select i.id, i.source_type, i.outcome, d.item_id is not null as drawn
                from shuitu.review_items i
                left join shuitu.review_sample_items d on d.sample_id = i.sample_id and d.item_id = i.id
                where i.sample_id = :id order by i.id"""),
        {"id": sample_id},
    )
    return row, list(members)


def batches_of(session: Session, sample_id: int) -> list[int]:
    return _batches(session, sample_id)


# ── below: how ──────────────────────────────────────────────────────────────────────────────────────


def _open(session: Session, actor: Actor, sample_id: int, version: int | None) -> Row[Any]:
    session.execute(text("select from shuitu.review_samples where id = :id for update"), {"id": sample_id})
    row = one(session, sample_id)
    rules.require_reviewer(actor.jurisdiction, Reviewer("basin", row.basin_id or 0))
    if row.state != "open" or (version is not None and row.version != version):
        raise Conflict(
            "该样本已办结，或刚刚被他人处理 (the sample was closed, or dealt with meanwhile)", state=row.state
        )
    return row


def _insert(
    session: Session,
    actor: Actor,
    where: dict[str, int | None],
    population: list[Member],
    seed: str,
    drawn: int,
    terms: Terms,
) -> int:
    ids = [member.id for member in population]
    return int(
        session.execute(
            text("""insert into shuitu.review_samples (county_code, basin_id, algorithm, seed, rate, tolerance, population,
                      fingerprint, drawn, due_on, drawn_by)
                    values (:province, :basin, :algorithm, :seed, :rate, :tolerance, :n, :fingerprint, :drawn, :due_on, :actor)
                    returning id"""),
            where
            | {
                "algorithm": sampling.ALGORITHM,
                "seed": seed,
                "rate": terms.rate,
                "tolerance": terms.tolerance,
                "n": len(ids),
                "fingerprint": sampling.fingerprint(ids),
                "drawn": drawn,
                "due_on": rules.due(datetime.now(UTC).date(), terms.days),
                "actor": actor.username,
            },
        ).scalar_one()
    )


def _freeze(session: Session, sample_id: int, population: list[Member], drawn: list[Member]) -> None:
    """What the sample was drawn from, and what was drawn."""
    session.execute(
        text("update shuitu.review_items set sample_id = :sample where id = any(:ids)"),
        {"sample": sample_id, "ids": [member.id for member in population]},
    )
    session.execute(
        text("""insert into shuitu.review_sample_items (sample_id, item_id, seq, county_code, basin_id)
                select :sample, i.id, d.seq, i.county_code, i.basin_id
                from unnest(cast(:ids as bigint[])) with ordinality d(id, seq) join shuitu.review_items i on i.id = d.id"""),
        {"sample": sample_id, "ids": [member.id for member in drawn]},
    )


def _batches(session: Session, sample_id: int) -> list[int]:
    return list(
        session.execute(
            text("select id from shuitu.review_batches where sample_id = :id order by id"), {"id": sample_id}
        ).scalars()
    )


def _wrong(session: Session, sample_id: int) -> dict[int, dict[int, str]]:
    """Items judged wrong that are still in review, with what is wrong, by batch."""
    rows = session.execute(
        text("""select i.batch_id, i.id, s.note from shuitu.review_sample_items s join shuitu.review_items i on i.id = s.item_id
                where s.sample_id = :id and s.verdict = 'wrong' and i.state = 'in_review' order by i.id"""),
        {"id": sample_id},
    )
    found: dict[int, dict[int, str]] = {}
    for row in rows:
        found.setdefault(row.batch_id, {})[row.id] = row.note
    return found


def _follow(
    session: Session,
    actor: Actor,
    batch_id: int,
    wrong: dict[int, str],
    passed: bool,
    words: str,
    sample_id: int,
    publish: Publish,
) -> None:
    """One batch of the lot: wrong items go back by themselves, the rest is published or returned."""
    row = queries.batch(session, batch_id, lock=True)
    if row.state != "reviewing":  # all of it changed meanwhile
        return
    about = {"stage": "basin", "note": words, "sample_id": sample_id}
    queries.record(session, actor, "pass" if passed else "fail", row, **about)  # type: ignore[arg-type]
    for item_id, reason in wrong.items():
        service.return_items(session, actor, queries.batch(session, batch_id), [item_id], reason, publish)
    row = queries.batch(session, batch_id)
    if row.state != "reviewing":
        return
    if passed:
        service.publish_batch(session, actor, row, publish)
    else:
        service.return_batch(session, actor, row, f"抽查不合格：{words}", publish)
