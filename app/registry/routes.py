"""The dossier of one intake and of one permit."""

from fastapi import APIRouter

from app.actor import Actor, Permission
from app.deps import Tx, require
from app.registry import queries
from app.registry.schemas import IntakeOut, PermitOut

router = APIRouter(prefix="/api", tags=["registry"])


@router.get("/intakes/{intake_id}")
def intake(intake_id: int, tx: Tx, actor: Actor = require(Permission.READ)) -> IntakeOut:
    """Everything known about an intake 取水口."""
    return IntakeOut.model_validate(queries.intake(tx, intake_id))


@router.get("/permits/{permit_id}")
def permit(permit_id: int, tx: Tx, actor: Actor = require(Permission.READ)) -> PermitOut:
    """Everything known about a permit 取水许可."""
    return PermitOut.model_validate(queries.permit(tx, permit_id))
