"""Review level by level 逐级审核 over HTTP: batches, their items, spot checks."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from app.actor import Actor, Permission
from app.db.engine import driver_of
from app.deps import Services, ServicesDep, Tx, require
from app.maps.publishing import nationwide
from app.review import queries, ready, samples, service, shown
from app.review.rules import Stage, State
from app.review.schemas import (
    BatchOut,
    BatchPage,
    Closing,
    Composed,
    ItemPage,
    ItemsRemove,
    ItemsReturn,
    ItemState,
    Judgement,
    NewBatches,
    NewSample,
    Outcome,
    Population,
    Ready,
    Return,
    ReviewFilter,
    SampleList,
    SampleOut,
    Step,
)
from app.settings import Settings

router = APIRouter(prefix="/api/review", tags=["review"])
IN_BULK = 2_000
"""More intakes than that are published county by county: one by one they would take longer."""
Limit = Annotated[int, Query(ge=1, le=500)]
Region = Annotated[int | None, Query(ge=100_000, le=999_999)]
ANY = require(Permission.READ)
OFFICER = require(Permission.REVIEW)


def publisher(services: Services) -> service.Publish:
    """How the map takes up intakes whose state in the review changed."""

    def publish(session: Session, intakes: Iterable[int], county: int) -> None:
        ids = sorted(set(intakes))
        if not ids:
            return
        connection = driver_of(session)
        # The issuer may review what lies in another county: what it cannot see must not leave the map.
        with nationwide(connection):
            if len(ids) > IN_BULK:
                services.publish(connection, "intakes", [county])
            else:
                services.publish_features(connection, "intakes", ids)

    return publish


def days(settings: Settings) -> service.Days:
    return {
        "county": settings.review_county_days,
        "prefecture": settings.review_prefecture_days,
        "province": settings.review_province_days,
        "basin": settings.review_basin_days,
    }


def terms(settings: Settings) -> samples.Terms:
    return samples.Terms(
        settings.review_sample_rate, settings.review_sample_tolerance, settings.review_basin_days
    )


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────


@router.get("/ready")
def ready_for_review(
    tx: Tx, county: Annotated[int, Query(ge=100_000, le=999_999)], actor: Actor = ANY
) -> list[Ready]:
    """What is decided in a county and in no review yet, by who would review it first 谁审批、谁负责."""
    return shown.ready(tx, county, ready.members(tx, county, ReviewFilter()))


@router.get("/batches")
def batches(
    tx: Tx,
    state: State | None = None,
    stage: Stage | None = None,
    region: Region = None,
    sample: int | None = None,
    overdue: bool | None = None,
    mine: bool = False,
    after: str | None = None,
    limit: Limit = 50,
    actor: Actor = ANY,
) -> BatchPage:
    """Batches of one's jurisdiction, the newest first; `stage` names where those in review are, `mine` those that wait
    for the one who asks."""
    filters = {"state": state, "stage": stage, "sample": sample, "overdue": overdue}
    found = queries.batches(tx, filters, region, after, limit, actor if mine else None)
    return shown.page(tx, actor, *found, limit)


@router.post("/batches", status_code=201)
def compose(given: NewBatches, tx: Tx, actor: Actor = OFFICER) -> Composed:
    """Collect what was decided in a county into drafts: one a first reviewer and basin agency."""
    made = service.compose(tx, actor, given.county_code, given.filter, given.note)
    return Composed(batches=[shown.row(tx, actor, queries.batch(tx, one)) for one in made])


@router.get("/batches/{batch_id}")
def batch(batch_id: int, tx: Tx, actor: Actor = ANY) -> BatchOut:
    """One batch with what it holds and who did what."""
    return shown.batch(tx, actor, batch_id)


@router.get("/items")
def items(
    tx: Tx,
    batch: int | None = None,
    sample: int | None = None,
    state: ItemState | None = None,
    outcome: Outcome | None = None,
    intake: int | None = None,
    after: str | None = None,
    limit: Limit = 100,
    actor: Actor = ANY,
) -> ItemPage:
    """Outcomes as they were submitted; of a sample in the order in which they were drawn."""
    filters = {"batch": batch, "sample": sample, "state": state, "outcome": outcome, "intake": intake}
    return shown.items(*queries.items(tx, filters, after, limit), limit, by_draw=sample is not None)


@router.post("/batches/{batch_id}/submit")
def submit(batch_id: int, given: Step, tx: Tx, services: ServicesDep, actor: Actor = OFFICER) -> BatchOut:
    """Send a draft to its first reviewer."""
    service.submit(tx, actor, batch_id, given.version, given.note, days(services.settings), publisher(services))  # fmt: skip
    return shown.stepped(tx, actor, batch_id, "submit")


@router.post("/batches/{batch_id}/withdraw")
def withdraw(batch_id: int, given: Step, tx: Tx, actor: Actor = OFFICER) -> BatchOut:
    """Give a draft up."""
    service.withdraw(tx, actor, batch_id, given.version, given.note)
    return shown.stepped(tx, actor, batch_id, "withdraw")


@router.post("/batches/{batch_id}/approve")
def approve(batch_id: int, given: Step, tx: Tx, services: ServicesDep, actor: Actor = OFFICER) -> BatchOut:
    """Pass a batch to the next level 审核通过."""
    service.approve(tx, actor, batch_id, given.version, given.note, days(services.settings), publisher(services))  # fmt: skip
    return shown.stepped(tx, actor, batch_id, "approve")


@router.post("/batches/{batch_id}/return")
def send_back(batch_id: int, given: Return, tx: Tx, services: ServicesDep, actor: Actor = OFFICER) -> BatchOut:  # fmt: skip
    """Return a whole batch with its reason 整批退回."""
    reason = service.require_reason(given.reason)
    service.send_back(tx, actor, batch_id, given.version, reason, publisher(services))
    return shown.stepped(tx, actor, batch_id, "return")


@router.post("/batches/{batch_id}/items/return")
def send_items_back(
    batch_id: int, given: ItemsReturn, tx: Tx, services: ServicesDep, actor: Actor = OFFICER
) -> BatchOut:
    """Return single items with their reason 逐项退回; the rest goes on."""
    reason = service.require_reason(given.reason)
    service.send_items_back(tx, actor, batch_id, given.version, given.items, reason, publisher(services))
    return shown.stepped(tx, actor, batch_id, "return_item")


@router.post("/batches/{batch_id}/items/remove")
def remove(batch_id: int, given: ItemsRemove, tx: Tx, actor: Actor = OFFICER) -> BatchOut:
    """Take items out of a draft."""
    service.remove(tx, actor, batch_id, given.version, given.items)
    return shown.stepped(tx, actor, batch_id, "remove")


# ── spot checks ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/samples")
def sample_list(tx: Tx, services: ServicesDep, limit: Limit = 50, actor: Actor = ANY) -> SampleList:
    """Spot checks of provinces, the newest first, and what waits for one."""
    return shown.sample_list(tx, actor, terms(services.settings), limit)


@router.post("/samples", status_code=201)
def draw(given: NewSample, tx: Tx, services: ServicesDep, actor: Actor = OFFICER) -> SampleOut:
    """Freeze what waits in a province, and draw at least 1 % of each of its strata."""
    sample_id = samples.draw(tx, actor, given.province_code, terms(services.settings))
    return shown.sample(tx, actor, sample_id, "draw")


@router.get("/samples/{sample_id}")
def sample(sample_id: int, tx: Tx, actor: Actor = ANY) -> SampleOut:
    """One spot check, with its seed."""
    return shown.sample(tx, actor, sample_id)


@router.get("/samples/{sample_id}/population")
def population(sample_id: int, tx: Tx, actor: Actor = ANY) -> Population:
    """The frozen population, seed and rate: whoever has these can draw the sample again."""
    row, members = samples.population(tx, sample_id)
    named: dict[str, Any] = {
        name: getattr(row, name) for name in ("algorithm", "seed", "rate", "fingerprint")
    }
    return Population(**named, members=[member._mapping for member in members])


@router.post("/samples/{sample_id}/items/{item_id}")
def judge(sample_id: int, item_id: int, given: Judgement, tx: Tx, actor: Actor = OFFICER) -> SampleOut:
    """Say whether a drawn item is right."""
    samples.judge(tx, actor, sample_id, item_id, given.verdict, given.note)
    return shown.sample(tx, actor, sample_id)


@router.post("/samples/{sample_id}/close")
def close(sample_id: int, given: Closing, tx: Tx, services: ServicesDep, actor: Actor = OFFICER) -> SampleOut:  # fmt: skip
    """Draw the consequence: the lot goes onto the one map, or back."""
    samples.close(tx, actor, sample_id, given.version, given.note, publisher(services))
    return shown.sample(tx, actor, sample_id, "close")
