"""Batches and samples as the one who asks sees them: names of authorities, and what they may do now."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from app.actor import Actor, Permission
from app.changes import service as changes
from app.db.engine import driver_of
from app.maps.publishing import nationwide
from app.regions.codes import BASINS
from app.review import queries, rules, samples, sampling, service
from app.review.ready import Members
from app.review.rules import Reviewer
from app.review.schemas import (
    BatchAction,
    BatchOut,
    BatchPage,
    BatchRow,
    ItemOut,
    ItemPage,
    Ready,
    SampleList,
    SampleOut,
    SampleRow,
    Stratum,
    Waiting,
)

MINISTRY = "水利部"


def ready(session: Session, county: int, found: Members) -> list[Ready]:
    """What could be composed, one line a group."""
    names = _names(session, [first for _, first in found], {county})
    lines = [
        Ready(
            county_code=county,
            county_name=names.get(county),
            basin_id=basin,
            first_stage=first.stage,
            first_code=first.code,
            first_name=_name(first, names),
            items=len(chosen),
        )
        for (basin, first), chosen in found.items()
    ]
    return sorted(lines, key=lambda line: (rules.STAGES.index(line.first_stage), -line.items))


def page(session: Session, actor: Actor, rows: list[Row[Any]], total: int, limit: int) -> BatchPage:
    """A page of batches; one row more than `limit` says that there is another."""
    shown = rows[:limit]
    names = _names(session, [service.reviewer_of(one) for one in shown])
    return BatchPage(
        items=[_row(actor, one, names) for one in shown],
        next=str(shown[-1].id) if len(rows) > limit else None,
        total=total,
    )


def row(session: Session, actor: Actor, found: Row[Any]) -> BatchRow:
    """One batch as a line of a list."""
    return _row(actor, found, _names(session, [service.reviewer_of(found)]))


def batch(session: Session, actor: Actor, batch_id: int) -> BatchOut:
    """One batch, whole. Raises NotFound."""
    found = queries.batch(session, batch_id)
    return BatchOut(
        **row(session, actor, found).model_dump(),
        filter=found.filter,
        **queries.contents(session, batch_id),
        decisions=queries.decisions(session, "batch_id", batch_id),
    )


def stepped(session: Session, actor: Actor, batch_id: int, action: str) -> BatchOut:
    """A batch after a step, which goes on record among the changes."""
    found = batch(session, actor, batch_id)
    # The issuer may stand in another county than the intakes: the change is told where they lie.
    with nationwide(driver_of(session)):
        changes.record(
            session,
            actor.username,
            "review",
            action,
            found.county_code,
            basin_id=found.basin_id,
            entity_id=batch_id,
            facts={"state": found.state, "stage": found.stage},
        )
    return found


def items(rows: list[Row[Any]], total: int, limit: int, *, by_draw: bool) -> ItemPage:
    """A page of items."""
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    return ItemPage(
        items=[ItemOut.model_validate(one._mapping) for one in shown],
        next=None if last is None else str(last.seq if by_draw else last.id),
        total=total,
    )


def sample(session: Session, actor: Actor, sample_id: int, action: str | None = None) -> SampleOut:
    """One sample, whole; after a step (`action`) it goes on record among the changes. Raises NotFound."""
    found, members = samples.population(session, sample_id)
    if action:
        changes.record(
            session,
            actor.username,
            "review",
            action,
            found.province_code,
            basin_id=found.basin_id,
            entity_id=sample_id,
            facts={"sample": sample_id, "state": found.state},
        )
    strata: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for member in members:
        counts = strata[f"{member.source_type}/{member.outcome}"]
        counts[0] += 1
        counts[1] += member.drawn
    return SampleOut(
        **_sample_row(actor, found).model_dump(),
        algorithm=found.algorithm,
        seed=found.seed,
        fingerprint=found.fingerprint,
        strata=[Stratum(stratum=s, population=n, drawn=d) for s, (n, d) in sorted(strata.items())],
        batches=samples.batches_of(session, sample_id),
        decisions=queries.decisions(session, "sample_id", sample_id),
    )


def sample_list(session: Session, actor: Actor, terms: samples.Terms, limit: int) -> SampleList:
    """Samples, and what waits for one."""
    groups: defaultdict[tuple[int, int | None], list[Row[Any]]] = defaultdict(list)
    for one in samples.waiting(session):
        groups[one.province_code, one.basin_id].append(one)
    names = queries.names(session, {province for province, _ in groups})
    waiting = [
        Waiting(
            province_code=province,
            province_name=names.get(province),
            basin_id=basin,
            basin_name=_basin(basin),
            batches=len({b for one in strata for b in one.batches}),
            items=sum(one.n for one in strata),
            to_draw=sum(sampling.size(one.n, terms.rate) for one in strata),
            may_draw=_may(actor, Reviewer("basin", basin or 0)),
        )
        for (province, basin), strata in groups.items()
    ]
    return SampleList(
        waiting=waiting, samples=[_sample_row(actor, one) for one in samples.listed(session, limit)]
    )


# ── below: how ──────────────────────────────────────────────────────────────────────────────────────


def _row(actor: Actor, found: Row[Any], names: dict[int, str]) -> BatchRow:
    reviewer = service.reviewer_of(found)
    return BatchRow(
        **{name: value for name, value in found._mapping.items() if name != "filter"},
        way=list(rules.path(found.first_stage, found.county_code)),
        reviewer_code=reviewer.code,
        reviewer_name=_name(reviewer, names),
        actions=_actions(actor, found, reviewer),
    )


def _actions(actor: Actor, found: Row[Any], reviewer: Reviewer) -> list[BatchAction]:
    if not actor.may(Permission.REVIEW):
        return []
    if found.state == "draft":
        may = rules.may_compose(actor.jurisdiction, found.county_code, found.basin_id)
        return ["submit", "remove", "withdraw"] if may else []
    if found.state != "reviewing" or not rules.acts_as(actor.jurisdiction, reviewer):
        return []
    if found.sample_id is not None:
        return ["judge"]
    if found.stage == "basin" and found.first_stage != "basin":
        return ["draw", "return", "return_item"]
    return ["approve", "return", "return_item"]


def _may(actor: Actor, reviewer: Reviewer) -> bool:
    return actor.may(Permission.REVIEW) and rules.acts_as(actor.jurisdiction, reviewer)


def _sample_row(actor: Actor, found: Row[Any]) -> SampleRow:
    values = {name: found._mapping[name] for name in SampleRow.model_fields if name != "may_judge"}
    may = found.state == "open" and _may(actor, Reviewer("basin", found.basin_id or 0))
    return SampleRow(**values, may_judge=may)


def _names(session: Session, reviewers: list[Reviewer], more: set[int] | None = None) -> dict[int, str]:
    codes = {one.code for one in reviewers if one.stage != "basin"} | (more or set())
    return queries.names(session, codes)


def _basin(number: int | None) -> str | None:
    return BASINS[str(number)][1] if str(number) in BASINS else None


def _name(reviewer: Reviewer, names: dict[int, str]) -> str:
    if reviewer.stage == "basin":
        return _basin(reviewer.code) or MINISTRY
    return names.get(reviewer.code, str(reviewer.code))
