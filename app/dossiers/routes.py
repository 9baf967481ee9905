"""Dossiers by their address: for screens, and as a page to print."""

from fastapi import APIRouter

from app.actor import Actor, Permission
from app.deps import Tx, require
from app.dossiers import intake, permit
from app.dossiers.sections import Dossier, Lang, Layer

router = APIRouter(prefix="/api/dossiers", tags=["dossiers"])
MAKERS = {"intakes": intake.dossier, "permits": permit.dossier}


@router.get("/{layer}/{entity_id}")
def dossier(
    layer: Layer, entity_id: int, tx: Tx, lang: Lang = "zh", actor: Actor = require(Permission.READ)
) -> Dossier:
    """Everything known about an intake 取水口 or a permit 取水许可, worded in one language."""
    return MAKERS[layer](tx, entity_id, lang)
