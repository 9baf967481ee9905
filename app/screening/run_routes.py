"""Detection runs: ask for one, watch it, stop it, let it go on, read its report."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse

from app.actor import Actor, Permission
from app.deps import ServicesDep, Tx, require
from app.screening import queries, service
from app.screening.files import kept
from app.screening.schemas import NewRun, PartOut, RunDetail, RunOut

router = APIRouter(prefix="/api/runs", tags=["screening"])
# A report is our own page, but what it shows came out of files: it gets no rights.
REPORT = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox",
}
HTML = "text/html; charset=utf-8"


@router.get("")
def runs(
    tx: Tx, limit: Annotated[int, Query(ge=1, le=200)] = 30, actor: Actor = require(Permission.READ)
) -> list[RunOut]:
    """Detection runs of one's jurisdiction, the newest first."""
    return [RunOut.model_validate(row) for row in queries.runs(tx, limit)]


@router.post("", status_code=202)
def start(given: NewRun, tx: Tx, services: ServicesDep, actor: Actor = require(Permission.DETECT)) -> RunOut:
    """Compare scenes with the register, in the background."""
    run_id = service.start(tx, actor, given.scene_ids, given.aoi, given.options)
    services.defer("run_detection", tx, run_id=run_id)
    return RunOut.model_validate(queries.run(tx, run_id))


@router.get("/{run_id}")
def run(run_id: int, tx: Tx, actor: Actor = require(Permission.READ)) -> RunDetail:
    """Where a run stands, place by place."""
    places = [PartOut.model_validate(row) for row in queries.parts(tx, run_id)]
    return RunDetail.model_validate({**queries.run(tx, run_id), "places": places})


@router.post("/{run_id}/cancel")
def cancel(run_id: int, tx: Tx, actor: Actor = require(Permission.DETECT)) -> RunOut:
    """Stop a run; the candidates of the places that are finished stay."""
    return RunOut.model_validate(service.cancel(tx, run_id))


@router.post("/{run_id}/resume", status_code=202)
def resume(run_id: int, tx: Tx, services: ServicesDep, actor: Actor = require(Permission.DETECT)) -> RunOut:
    """Let a run go on with the places that are left or that failed."""
    record = service.resume(tx, run_id)
    services.defer("run_detection", tx, run_id=run_id)
    return RunOut.model_validate(record)


@router.get("/{run_id}/report", response_class=FileResponse)
def report(
    run_id: int, tx: Tx, services: ServicesDep, actor: Actor = require(Permission.READ)
) -> FileResponse:
    """The run's report, as a page."""
    return kept(services, queries.run(tx, run_id)["report_path"], HTML, REPORT)


@router.get("/{run_id}/places/{number}/report", response_class=FileResponse)
def place_report(
    run_id: int, number: int, tx: Tx, services: ServicesDep, actor: Actor = require(Permission.READ)
) -> FileResponse:
    """The report of one place of the run, as a page."""
    return kept(services, queries.part_report(tx, run_id, number), HTML, REPORT)
