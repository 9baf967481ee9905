"""Push and pull for the systems of provinces, cities and basin agencies; an API key says whose they are."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from app.actor import Actor, Permission
from app.db.engine import transaction
from app.deps import CurrentActor, Services, ServicesDep, Tx, require
from app.exchange import feed, rules, service
from app.exchange.admission import Body, BodyDep, paced
from app.exchange.examples import PUSH
from app.exchange.schemas import ExchangePage, PushAnswer
from tiles.versions import Versions

router = APIRouter(prefix="/api/exchange", tags=["exchange 数据交换"])
Datum = Literal["CGCS2000", "WGS84", "GCJ-02", "BD-09"]
KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="A name of your own for this batch. Sent again with the same key within 48 hours it is not done again: the same answer leaves, with `Idempotency-Replayed: true`.",
        max_length=255,
    ),
]
WAIT_MOST_S = 30
LOOK_AGAIN_S = 2.0


def _push(
    target: str,
    actor: Actor,
    body: Body,
    services: Services,
    tx: Session,
    request: Request,
    datum: str,
    key: str | None,
) -> Response:
    push = service.Push(target, body.content, body.media_type, datum, services.settings.exchange_items)

    def work() -> bytes:
        return service.push(services, tx, actor, push).model_dump_json().encode()

    if key is None:
        return Response(work(), media_type="application/json")
    said = f"{request.url.path}?{request.url.query}"
    answer, again = service.once(tx, actor, key, said, body.content, work)
    headers = {"Idempotency-Replayed": "true"} if again else None
    return Response(answer, media_type="application/json", headers=headers)


@router.post(
    "/intakes", response_model=PushAnswer, openapi_extra=PUSH["intakes"], dependencies=[Depends(paced)]
)
def push_intakes(
    request: Request,
    actor: Annotated[Actor, require(Permission.IMPORT)],
    body: BodyDep,
    services: ServicesDep,
    tx: Tx,
    datum: Datum = "CGCS2000",
    idempotency_key: KeyHeader = None,
) -> Response:
    """Bring intakes 取水口 in, by their code: new ones are created, others replaced by what the item says.

    A JSON array, or NDJSON with an item a line. The fields are those of the import of intakes
    (`/api/import-kinds`), held to the same checks; volumes are m³. The batch is one transaction: an item that breaks a
    rule is rejected with its reasons and the others are stored, a batch that cannot be read whole leaves nothing.
    """
    return _push("intakes", actor, body, services, tx, request, datum, idempotency_key)


@router.post(
    "/permits", response_model=PushAnswer, openapi_extra=PUSH["permits"], dependencies=[Depends(paced)]
)
def push_permits(
    request: Request,
    actor: Annotated[Actor, require(Permission.IMPORT)],
    body: BodyDep,
    services: ServicesDep,
    tx: Tx,
    idempotency_key: KeyHeader = None,
) -> Response:
    """Bring permits 取水许可 in, by their number, each with its event 发放 延续 变更 转让 到期 注销 撤销 吊销 更正.

    What differs from the register makes a new version. `limits` are the permit's limits as rows; `intake_codes` the
    intakes that it names. Else as for intakes.
    """
    return _push("permits", actor, body, services, tx, request, "CGCS2000", idempotency_key)


@router.post(
    "/permit-points",
    response_model=PushAnswer,
    openapi_extra=PUSH["permit-points"],
    dependencies=[Depends(paced)],
)
def push_permit_points(
    request: Request,
    actor: Annotated[Actor, require(Permission.IMPORT)],
    body: BodyDep,
    services: ServicesDep,
    tx: Tx,
    datum: Datum = "CGCS2000",
    idempotency_key: KeyHeader = None,
) -> Response:
    """Bring the intakes that permits list themselves 证照取水口, by permit number and number on the permit (else name).

    Else as for intakes. They come with their permit when it is read.
    """
    return _push("permit-points", actor, body, services, tx, request, datum, idempotency_key)


@router.get("/changes", response_model=ExchangePage, dependencies=[Depends(paced)])
async def changes(
    actor: CurrentActor,
    services: ServicesDep,
    cursor: Annotated[
        str | None,
        Query(max_length=120, description="`next` of the page before; without it everything is read first"),
    ] = None,
    start: Annotated[
        Literal["all", "now"],
        Query(
            description="without a cursor: `all` reads everything first, `now` only what changes from here on"
        ),
    ] = "all",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    wait: Annotated[
        int, Query(ge=0, le=WAIT_MOST_S, description="seconds to wait where there is nothing to read yet")
    ] = 0,
    reader: Actor = require(Permission.READ),
) -> Any:
    """Follow the register: first every intake and permit of one's jurisdiction, then each change, as whole entries.

    Keep `next` with what you stored: from there nothing is missed and nothing told twice, however long the break.
    """
    at = rules.cursor(cursor) if cursor else None

    def read() -> dict[str, Any]:
        with transaction(services.engine, actor) as session:
            begin = feed.now(session) if at is None and start == "now" else at
            return feed.page(session, begin, limit)

    if not wait:
        return await run_in_threadpool(read)
    return await _waited_for(read, services.parts["versions"], wait)


async def _waited_for(
    read: Callable[[], dict[str, Any]], versions: Versions, seconds: float
) -> dict[str, Any]:
    """The first page with something in it; the empty one when the time is over or the process stops."""
    until = time.monotonic() + seconds
    told = asyncio.Event()
    # Listened to before the first reading: what comes between a reading and the waiting is not missed.
    forget = versions.listen(lambda touches: told.set())
    stopping = asyncio.create_task(versions.until_stopped())
    try:
        while True:
            told.clear()
            found = await run_in_threadpool(read)
            left = until - time.monotonic()
            if found["items"] or left <= 0 or stopping.done():
                return found
            waiting = asyncio.create_task(told.wait())
            # Looked at again without a word too: a change settles when the last older transaction ends.
            await asyncio.wait(
                {waiting, stopping}, timeout=min(left, LOOK_AGAIN_S), return_when=asyncio.FIRST_COMPLETED
            )
            waiting.cancel()
    finally:
        stopping.cancel()
        forget()
