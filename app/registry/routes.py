"""The dossier of one intake and of one permit, today or on a past day."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.actor import Actor, Permission
from app.deps import Tx, require
from app.registry import past, queries
from app.registry.permits import queries as permit_queries
from app.registry.permits import reading
from app.registry.permits import routes as permit_routes
from app.registry.schemas import IntakeOut, PermitOut

router = APIRouter()
dossiers = APIRouter(prefix="/api", tags=["registry"])
On = Annotated[
    str | None,
    Query(
        alias="datetime",
        max_length=40,
        description="As it held on this day (a day of China, or a moment in it)",
    ),
]
Known = Annotated[
    str | None, Query(max_length=40, description="As it was known at this moment, or at the end of this day")
]


@dossiers.get("/intakes/{intake_id}")
def intake(
    intake_id: int, tx: Tx, on: On = None, known: Known = None, actor: Actor = require(Permission.READ)
) -> IntakeOut:
    """Everything known about an intake 取水口; with `datetime`, as it was on that day."""
    at = past.moment(on, known)
    row = queries.intake(tx, intake_id) if at is None else past.intake(tx, intake_id, at)
    return IntakeOut.model_validate(row)


@dossiers.get("/permits/{permit_id}")
def permit(
    permit_id: int,
    tx: Tx,
    response: Response,
    on: On = None,
    known: Known = None,
    actor: Actor = require(Permission.READ),
) -> PermitOut:
    """Everything known about a permit 取水许可; with `datetime`, as it was on that day."""
    at = past.moment(on, known)
    if at is not None:
        return PermitOut.model_validate(reading.shown(past.permit(tx, permit_id, at), at.on))
    row = queries.permit(tx, permit_id)
    response.headers["ETag"] = f'"{row["version"]}"'
    return PermitOut.model_validate(reading.shown(row, permit_queries.today(tx)))


router.include_router(dossiers)
router.include_router(permit_routes.router)
