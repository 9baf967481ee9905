"""The life of permits by HTTP: issue, events, versions with their differences, numbers read into parts."""

import re
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from sqlalchemy.orm import Session

from app.actor import Actor, Permission
from app.db.engine import driver_of
from app.deps import Services, ServicesDep, Tx, require
from app.errors import InvalidInput
from app.imports.values import BadValue
from app.registry import numbers, past
from app.registry import queries as registry
from app.registry.findings import Finding
from app.registry.permits import queries, reading, service
from app.registry.permits.schemas import Changed, Found, NewEvent, NewPermit, Read
from app.registry.schemas import PermitOut

router = APIRouter(prefix="/api", tags=["registry"])
TAG = re.compile(r'(?:W/)?"?(\d{1,9})"?')


@router.get("/permits")
def permits_by_number(
    tx: Tx,
    number: Annotated[str, Query(min_length=1, max_length=100)],
    actor: Actor = require(Permission.READ),
) -> list[Found]:
    """The permits that have a number, or had it before a renewal or correction; spelling does not matter."""
    try:
        wanted = numbers.permit_number(number).text
    except BadValue as bad:
        raise InvalidInput(bad.message, field="number", value=number, expected=bad.expected) from None
    return [Found.model_validate(dict(row._mapping)) for row in queries.by_number(tx, wanted)]


@router.post("/permits", status_code=201)
def issue_permit(
    given: NewPermit,
    tx: Tx,
    services: ServicesDep,
    response: Response,
    actor: Actor = require(Permission.IMPORT),
) -> PermitOut:
    """发放: a permit that is not in the register yet."""
    permit_id, findings = service.issue(tx, actor, given, _publishing(services))
    response.headers["Location"] = f"/api/permits/{permit_id}"
    return _shown(tx, permit_id, response, findings)


@router.post("/permits/{permit_id}/events", status_code=201)
def enter_event(
    permit_id: int,
    given: NewEvent,
    tx: Tx,
    services: ServicesDep,
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
    actor: Actor = require(Permission.IMPORT),
) -> PermitOut:
    """延续 变更 转让 到期 注销 撤销 吊销 更正: what happened to a permit, entered on the version that was seen."""
    version = None
    if if_match is not None:
        match = TAG.fullmatch(if_match.strip())
        if match is None:
            raise InvalidInput("If-Match 应为所见版本的 ETag (is the ETag of the version seen)", field="If-Match", value=if_match)  # fmt: skip
        version = int(match[1])
    findings = service.record_event(tx, actor, permit_id, given, _publishing(services), if_match=version)
    return _shown(tx, permit_id, response, findings)


@router.get("/permits/{permit_id}/versions")
def permit_versions(permit_id: int, tx: Tx, actor: Actor = require(Permission.READ)) -> list[Changed]:
    """Every version of a permit, the newest first: the event, who entered it, and what changed."""
    return [Changed.model_validate(row) for row in past.versions(tx, "permit", permit_id)]


@router.get("/intakes/{intake_id}/versions")
def intake_versions(intake_id: int, tx: Tx, actor: Actor = require(Permission.READ)) -> list[Changed]:
    """Every version of an intake, the newest first: who made it, and what changed."""
    return [Changed.model_validate(row) for row in past.versions(tx, "intake", intake_id)]


@router.get("/numbers/permit")
def read_permit_number(
    text: Annotated[str, Query(max_length=200)], actor: Actor = require(Permission.READ)
) -> Read:
    """What a permit number says, old or new, or why it is none."""
    return reading.read_number(text)


@router.get("/numbers/licence")
def read_licence_identifier(
    text: Annotated[str, Query(max_length=200)], actor: Actor = require(Permission.READ)
) -> Read:
    """What an electronic licence's identifier says (GB/T 36904), or why it is none."""
    return reading.read_licence(text)


def _publishing(services: Services) -> service.Publish:
    def publish(session: Session, layer: str, ids: Iterable[int]) -> None:
        services.publish_features(driver_of(session), layer, ids)

    return publish


def _shown(tx: Session, permit_id: int, response: Response, findings: list[Finding]) -> PermitOut:
    row = registry.permit(tx, permit_id)
    response.headers["ETag"] = f'"{row["version"]}"'
    return PermitOut.model_validate(reading.shown(row, queries.today(tx), findings))
