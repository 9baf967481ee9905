"""Candidates for the analyst's desk, and the runs that find them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse

from app.actor import Actor, Permission
from app.deps import ServicesDep, Tx, require
from app.errors import NotFound
from app.screening import queries, service
from app.screening.schemas import (
    CandidateOut,
    CandidatePage,
    Category,
    Kind,
    NewDecision,
    NewRun,
    RunOut,
    State,
)

router = APIRouter(prefix="/api", tags=["screening"])
PRIVATE = {"Cache-Control": "private, max-age=3600"}
# A report is our own page, but what it shows came out of files: it gets no rights.
REPORT = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox",
}


@router.get("/candidates")
def candidates(
    tx: Tx,
    state: State | None = None,
    kind: Kind | None = None,
    category: Category | None = None,
    region: Annotated[int | None, Query(ge=100_000, le=999_999)] = None,
    run: int | None = None,
    min_score: Annotated[float | None, Query(ge=0, le=1)] = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    actor: Actor = require(Permission.READ),
) -> CandidatePage:
    """Suspected unregistered withdrawals 疑似未登记取水, by score."""
    filters = {"state": state, "kind": kind, "category": category, "run": run, "min_score": min_score}
    return CandidatePage.model_validate(queries.page(tx, filters, region, after, limit))


@router.get("/candidates/{candidate_id}")
def candidate(candidate_id: int, tx: Tx, actor: Actor = require(Permission.READ)) -> CandidateOut:
    """One candidate with its evidence, reasons and decisions."""
    return CandidateOut.model_validate(queries.one(tx, candidate_id))


@router.post("/candidates/{candidate_id}/decisions")
def decide(
    candidate_id: int, given: NewDecision, tx: Tx, actor: Actor = require(Permission.DECIDE)
) -> CandidateOut:
    """Confirm 属实, reject 不属实, or take a decision back."""
    return CandidateOut.model_validate(
        service.decide(tx, actor, candidate_id, given.decision, given.note, given.version)
    )


@router.get("/candidates/{candidate_id}/chips/{which}.png", response_class=FileResponse)
def chip(
    candidate_id: int,
    which: Literal["before", "after"],
    tx: Tx,
    services: ServicesDep,
    actor: Actor = require(Permission.READ),
) -> FileResponse:
    """The image patch of the candidate."""
    return _file(services, queries.chip(tx, candidate_id, which), "image/png", PRIVATE)


@router.get("/runs")
def runs(
    tx: Tx, limit: Annotated[int, Query(ge=1, le=200)] = 30, actor: Actor = require(Permission.READ)
) -> list[RunOut]:
    """Detection runs of one's jurisdiction, the newest first."""
    return [RunOut.model_validate(row) for row in queries.runs(tx, limit)]


@router.post("/runs", status_code=202)
def start(given: NewRun, tx: Tx, services: ServicesDep, actor: Actor = require(Permission.DETECT)) -> RunOut:
    """Compare scenes with the register, in the background."""
    run_id = service.start(tx, actor, given.scene_ids, given.aoi)
    services.defer("run_detection", tx, run_id=run_id)
    return RunOut.model_validate(queries.run(tx, run_id))


@router.get("/runs/{run_id}")
def run(run_id: int, tx: Tx, actor: Actor = require(Permission.READ)) -> RunOut:
    """Where a run stands."""
    return RunOut.model_validate(queries.run(tx, run_id))


@router.post("/runs/{run_id}/cancel")
def cancel(run_id: int, tx: Tx, actor: Actor = require(Permission.DETECT)) -> RunOut:
    """Stop a run; it leaves no candidates."""
    return RunOut.model_validate(service.cancel(tx, run_id))


@router.get("/runs/{run_id}/report", response_class=FileResponse)
def report(
    run_id: int, tx: Tx, services: ServicesDep, actor: Actor = require(Permission.READ)
) -> FileResponse:
    """The run's report, as a page."""
    return _file(services, queries.run(tx, run_id)["report_path"], "text/html; charset=utf-8", REPORT)


def _file(
    services: ServicesDep, stored: str | None, media_type: str, headers: dict[str, Any]
) -> FileResponse:
    path = services.settings.data_dir / stored if stored else None
    if path is None or not path.is_file():
        raise NotFound("文件不存在 (there is no such file)")
    return FileResponse(path, media_type=media_type, headers=headers)
