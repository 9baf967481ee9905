"""Regions: drilling down from province to county, and the figures of one."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from app.actor import system
from app.db.engine import transaction
from app.deps import CurrentActor, ServicesDep, Tx
from app.regions import queries
from app.regions.schemas import Figures, RegionOut, RegionRow
from layers import catalog

router = APIRouter(prefix="/api/regions", tags=["regions"])


@router.get("")
def regions(tx: Tx, parent: Annotated[int | None, Query(ge=100_000, le=999_999)] = None) -> list[RegionRow]:
    """The regions right below `parent`; the provinces without it."""
    return [RegionRow.model_validate(row) for row in queries.children(tx, parent)]


@router.get("/{code}")
def region(code: int, tx: Tx, actor: CurrentActor, services: ServicesDep) -> RegionOut:
    """A region and its figures. The public sees what the public layers show: intakes by permit state."""
    found = queries.region(tx, code)
    states = tuple(str(v.value) for v in catalog.load()["intakes"].field("permit_state").values)
    more = dict.fromkeys(("permits", "licensed_m3", "cap_m3", "level_year", "document_no", "candidates"))
    if actor.audience == "public":
        # These counts stand on the public map, drawn for the whole nation; so they are read in its scope.
        with transaction(services.engine, system("public-figures")) as session:
            counts = queries.intake_figures(session, code, found["level"], states)
    else:
        counts = queries.intake_figures(tx, code, found["level"], states)
        more |= queries.officer_figures(tx, code, found["level"])
    figures = Figures.model_validate({**counts, **more})
    return RegionOut(**found, figures=figures, as_of=datetime.now(UTC))
