"""The desk for matching 比对: lines to decide, decisions, batches, progress, runs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.actor import Actor, Permission
from app.deps import ServicesDep, Tx, require
from app.errors import InvalidInput
from app.linkage import bulk, queries, runs, service
from app.linkage.schemas import (
    BulkAction,
    LinkRunOut,
    MatchBatchOut,
    MatchFilter,
    MatchPreview,
    NewLinkRun,
    NewMatch,
    NewMatchBatch,
    OutcomeOut,
    OutcomePage,
    PermitPlace,
    ProgressOut,
)

router = APIRouter(prefix="/api/linkage", tags=["linkage"])
MatchFilterDep = Annotated[MatchFilter, Depends()]
Reader = require(Permission.READ)
Officer = require(Permission.MATCH)


@router.get("/outcomes")
def outcomes(
    tx: Tx,
    wanted: MatchFilterDep,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    actor: Actor = Reader,
) -> OutcomePage:
    """Lines of one's jurisdiction, the most probable first: entries of the register, and permits' intakes without one."""
    return OutcomePage.model_validate(queries.page(tx, wanted.model_dump(), after, limit))


@router.get("/outcomes/{outcome_id}")
def outcome(outcome_id: int, tx: Tx, actor: Actor = Reader) -> OutcomeOut:
    """A line with the pairs that compete for it, attribute by attribute, its links and decisions."""
    return OutcomeOut.model_validate(queries.one(tx, outcome_id))


@router.get("/intakes/{intake_id}")
def of_intake(intake_id: int, tx: Tx, actor: Actor = Reader) -> OutcomeOut:
    """The line of an entry of the register."""
    return OutcomeOut.model_validate(queries.one(tx, queries.line_of(tx, intake_id)))


@router.post("/outcomes/{outcome_id}/decisions")
def decide(
    outcome_id: int, given: NewMatch, tx: Tx, services: ServicesDep, actor: Actor = Officer
) -> OutcomeOut:
    """Decide a line: accept, reject, re-assign, split, without a permit, exempt, register, postpone. 409 if someone did meanwhile."""
    return OutcomeOut.model_validate(service.decide(tx, actor, outcome_id, given, services.publish_features))


@router.post("/decisions/{decision_id}/undo", status_code=204)
def undo(decision_id: int, tx: Tx, services: ServicesDep, actor: Actor = Officer) -> None:
    """Take a decision back: all stands as before it."""
    service.undo(tx, actor, decision_id, services.publish_features)


@router.get("/permit-points")
def permit_points(
    tx: Tx,
    lon: Annotated[float | None, Query(ge=-180, le=180)] = None,
    lat: Annotated[float | None, Query(ge=-90, le=90)] = None,
    metres: Annotated[float, Query(gt=0, le=20_000)] = 2_000,
    q: Annotated[str | None, Query(min_length=2, max_length=80)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    actor: Actor = Reader,
) -> list[PermitPlace]:
    """Permits' intakes near a place, or by number or holder: to re-assign an entry to."""
    if q is not None:
        found = queries.numbered(tx, q, limit)
    elif lon is not None and lat is not None:
        found = queries.near(tx, lon, lat, metres, limit)
    else:
        raise InvalidInput("请给出 q，或 lon 与 lat (give q, or lon and lat)", field="q")
    return [PermitPlace.model_validate(one) for one in found]


@router.get("/progress")
def progress(
    tx: Tx,
    region: Annotated[int | None, Query(ge=100_000, le=999_999)] = None,
    actor: Actor = Reader,
) -> ProgressOut:
    """比对完成率 by county: how many entries have a final outcome, of how many in scope."""
    return ProgressOut.model_validate(queries.progress(tx, region))


# ── in bulk ─────────────────────────────────────────────────────────────────────────────────────────


@router.get("/batches/preview")
def preview(tx: Tx, action: BulkAction, wanted: MatchFilterDep, actor: Actor = Officer) -> MatchPreview:
    """How many lines a decision by filter would touch."""
    return MatchPreview.model_validate(bulk.preview(tx, action, wanted))


@router.get("/batches")
def batches(
    tx: Tx, limit: Annotated[int, Query(ge=1, le=100)] = 20, actor: Actor = Reader
) -> list[MatchBatchOut]:
    """Decisions by filter, the newest first."""
    return [MatchBatchOut.model_validate(row) for row in bulk.latest(tx, limit)]


@router.post("/batches", status_code=201)
def decide_many(given: NewMatchBatch, tx: Tx, services: ServicesDep, actor: Actor = Officer) -> MatchBatchOut:
    """One decision on every line of a filter, in one transaction. 409 if there are not as many as were counted."""
    return MatchBatchOut.model_validate(bulk.run(tx, actor, given, services.publish_features))


@router.post("/batches/{batch_id}/undo")
def undo_batch(batch_id: int, tx: Tx, services: ServicesDep, actor: Actor = Officer) -> MatchBatchOut:
    """Take a batch back as a whole, but for the lines that someone has decided since."""
    return MatchBatchOut.model_validate(bulk.undo(tx, actor, batch_id, services.publish_features))


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/runs")
def all_runs(
    tx: Tx, limit: Annotated[int, Query(ge=1, le=100)] = 10, actor: Actor = Reader
) -> list[LinkRunOut]:
    """Runs of the linkage in one's jurisdiction, the newest first."""
    return [LinkRunOut.model_validate(row) for row in runs.latest(tx, limit)]


@router.post("/runs", status_code=202)
def start(given: NewLinkRun, tx: Tx, services: ServicesDep, actor: Actor = Officer) -> LinkRunOut:
    """Bring the register to its permits, in the background. What persons decided stays."""
    run_id = runs.start(tx, actor, services.settings, given.region, given.confirm_at, given.doubt_at)
    services.defer("run_linkage", tx, run_id=run_id)
    return LinkRunOut.model_validate(runs.find(tx, run_id))


@router.get("/runs/{run_id}")
def run(run_id: int, tx: Tx, actor: Actor = Reader) -> LinkRunOut:
    """Where a run stands."""
    return LinkRunOut.model_validate(runs.find(tx, run_id))


@router.post("/runs/{run_id}/cancel")
def cancel(run_id: int, tx: Tx, actor: Actor = Officer) -> LinkRunOut:
    """Stop a run; counties that are written stay so."""
    return LinkRunOut.model_validate(runs.cancel(tx, run_id))
