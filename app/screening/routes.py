"""Candidates for the analyst's desk, and what people decide."""

import tempfile
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from app.actor import Actor, Permission
from app.deps import ServicesDep, Tx, require
from app.screening import calibrating, deciding, exporting, queries
from app.screening.files import PRIVATE, kept
from app.screening.profiles import at_dates
from app.screening.schemas import (
    CalibrationOut,
    CalibrationState,
    CandidateOut,
    CandidatePage,
    Category,
    Decided,
    Filters,
    Kind,
    NewDecision,
    NewDecisions,
    NewNote,
    NewOutline,
    ProfileOut,
    State,
    Undone,
)

router = APIRouter(prefix="/api", tags=["screening"])


def filters(
    state: State | None = None,
    kind: Kind | None = None,
    category: Category | None = None,
    region: Annotated[int | None, Query(ge=100_000, le=999_999)] = None,
    run: int | None = None,
    min_score: Annotated[float | None, Query(ge=0, le=1)] = None,
    max_score: Annotated[float | None, Query(ge=0, le=1)] = None,
) -> Filters:
    return Filters(
        state=state, kind=kind, category=category, region=region, run=run, min_score=min_score, max_score=max_score
    )  # fmt: skip


Chosen = Annotated[Filters, Depends(filters)]


@router.get("/candidates")
def candidates(
    tx: Tx,
    which: Chosen,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    actor: Actor = require(Permission.READ),
) -> CandidatePage:
    """Suspected unregistered withdrawals 疑似未登记取水, by score."""
    return CandidatePage.model_validate(queries.page(tx, which, after, limit))


@router.get("/candidates/export.{ending}", response_class=FileResponse)
def export(
    ending: exporting.Ending,
    tx: Tx,
    which: Chosen,
    lang: exporting.Lang = "zh",
    actor: Actor = require(Permission.READ),
) -> FileResponse:
    """The candidates that the filters choose, as a GeoPackage, GeoParquet or XLSX file."""
    folder = tempfile.TemporaryDirectory(prefix="shuitu-export-")
    target = Path(folder.name) / f"candidates.{ending}"
    try:
        exporting.write(tx, which, ending, lang, target)
    except BaseException:
        folder.cleanup()
        raise
    name = quote(f"疑似线索.{ending}" if lang == "zh" else f"candidates.{ending}")
    return FileResponse(
        target,
        media_type=exporting.MEDIA[ending],
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "Cache-Control": "private, no-store",
        },
        background=BackgroundTask(folder.cleanup),
    )


@router.post("/candidates/decisions")
def decide_all(given: NewDecisions, tx: Tx, actor: Actor = require(Permission.DECIDE)) -> Decided:
    """One decision on all candidates that filters choose."""
    return Decided.model_validate(
        deciding.decide_all(
            tx, actor, given.filters, given.decision, given.reason, given.note, given.expected
        )
    )


@router.post("/candidates/decisions/{decision_id}/undo")
def undo(decision_id: int, tx: Tx, actor: Actor = require(Permission.DECIDE)) -> Undone:
    """Take one step back: a decision, an outline, a note."""
    return Undone.model_validate(deciding.undo(tx, actor, decision_id))


@router.post("/candidates/decisions/bulk/{bulk}/undo")
def undo_all(bulk: UUID, tx: Tx, actor: Actor = require(Permission.DECIDE)) -> Undone:
    """Take a decision by filter back, of those candidates that nobody changed since."""
    return Undone.model_validate(deciding.undo_all(tx, actor, bulk))


@router.get("/candidates/{candidate_id}")
def candidate(candidate_id: int, tx: Tx, actor: Actor = require(Permission.READ)) -> CandidateOut:
    """One candidate with its evidence, reasons and decisions."""
    return CandidateOut.model_validate(queries.one(tx, candidate_id))


@router.post("/candidates/{candidate_id}/decisions")
def decide(
    candidate_id: int, given: NewDecision, tx: Tx, actor: Actor = require(Permission.DECIDE)
) -> CandidateOut:
    """Confirm 属实, reject 不属实, call it unsure 存疑待查, or take a decision back."""
    return CandidateOut.model_validate(
        deciding.decide(tx, actor, candidate_id, given.decision, given.reason, given.note, given.version)
    )


@router.post("/candidates/{candidate_id}/notes")
def note(
    candidate_id: int, given: NewNote, tx: Tx, actor: Actor = require(Permission.DECIDE)
) -> CandidateOut:
    """Put a note beside a candidate."""
    return CandidateOut.model_validate(deciding.add_note(tx, actor, candidate_id, given.note))


@router.post("/candidates/{candidate_id}/outline")
def redraw(
    candidate_id: int, given: NewOutline, tx: Tx, actor: Actor = require(Permission.DECIDE)
) -> CandidateOut:
    """Draw or cut its outline; area and volume follow."""
    return CandidateOut.model_validate(deciding.redraw(tx, actor, candidate_id, given))


@router.get("/candidates/{candidate_id}/profile")
def profile(candidate_id: int, tx: Tx, actor: Actor = require(Permission.READ)) -> ProfileOut:
    """Indices of the object and its surroundings on the newest 60 scenes on file that show it, oldest first."""
    return ProfileOut.model_validate(at_dates(tx, candidate_id))


@router.get("/candidates/{candidate_id}/chips/{which}.png", response_class=FileResponse)
def chip(
    candidate_id: int,
    which: Literal["before", "after"],
    tx: Tx,
    services: ServicesDep,
    v: Annotated[
        str | None, Query(description="any text: another address for a patch that has changed")
    ] = None,
    actor: Actor = require(Permission.READ),
) -> FileResponse:
    """The image patch of the candidate."""
    return kept(services, queries.chip(tx, candidate_id, which), "image/png", PRIVATE)


@router.get("/calibrations")
def calibration(tx: Tx, actor: Actor = require(Permission.READ)) -> CalibrationState:
    """How far the score holds, and whether enough was decided to calibrate it anew."""
    return CalibrationState.model_validate(calibrating.state(tx, actor.jurisdiction))


@router.post("/calibrations", status_code=201)
def calibrate(tx: Tx, actor: Actor = require(Permission.DECIDE)) -> CalibrationOut:
    """Fit the score to what was decided in one's jurisdiction; the open candidates get the new score."""
    return CalibrationOut.model_validate(calibrating.calibrate(tx, actor))
