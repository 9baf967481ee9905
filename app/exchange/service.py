"""A batch of entries: checked as an import's rows are, applied in one transaction, answered item by item."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.actor import Actor, Jurisdiction
from app.db.engine import driver_of
from app.deps import Services
from app.errors import Conflict, InvalidInput, NotAllowed, NotReady
from app.exchange import queries, rules
from app.exchange.schemas import Finding, ItemResult, PushAnswer, Result
from app.imports import staging
from app.imports.kind import Chunk, ImportKind, Scope
from app.imports.models import Import
from app.imports.service import Known

KEEP_HOURS = 48
"""How long a request's answer is kept for the same key."""
PATIENCE_S = 10
"""How long a batch waits for another one, or for an import that is being applied."""
FEW = 500
"""Up to so many entries are published one by one, more of them by county."""


def _all(key: queries.Key) -> queries.Key | None:
    return key if all(part not in (None, "") for part in key) else None


def _of_point(key: queries.Key) -> queries.Key | None:
    """An intake that a permit lists is known by its number on the permit, else by its name."""
    permit_no, seq, name = key
    return _all((permit_no, name if seq is None else seq))


@dataclass(frozen=True)
class Target:
    """A kind of entry that can be pushed."""

    kind: str
    """Name of the import kind whose checks it passes."""
    key: tuple[str, ...]
    """Fields of the business key."""
    identity: Callable[[queries.Key], queries.Key | None] = _all
    """What two items of one entry have in common; None where the key is not whole."""
    versioned: bool = True


TARGETS: Mapping[str, Target] = {
    "intakes": Target("intakes", ("code_scheme", "code")),
    "permits": Target("permits", ("permit_no",)),
    "permit-points": Target("permit_points", ("permit_no", "seq", "name"), _of_point, versioned=False),
}


@dataclass(frozen=True)
class Push:
    """What a system sent."""

    target: str
    body: bytes
    media_type: str
    datum: str
    most_items: int


def push(services: Services, session: Session, actor: Actor, given: Push) -> PushAnswer:
    """Bring a batch into the register in this transaction.

    Raises InvalidInput if it cannot be read or is too long, NotAllowed without a jurisdiction, NotReady while another
    batch or import of the kind holds the register for too long.
    """
    if actor.jurisdiction == Jurisdiction.nowhere():
        raise NotAllowed("推送数据需要辖区 (to push entries needs a jurisdiction)")
    target = TARGETS[given.target]
    kind: ImportKind = services.parts["import_kinds"][target.kind]
    items = _items(given)
    batch = rules.batch(kind, items, given.datum)
    chunk, keys = _checked(session, kind, target, batch, actor, _facts(services, session, kind))
    _wait_turn(session, kind)
    record = _record(session, actor, given, batch)
    wanted = sorted({key for key in keys if target.identity(key)}, key=str)
    before = queries.stored(session, given.target, wanted)
    staging.stage(session, kind, record.id, chunk, staging.columns_of(session, kind.staging))
    staging.keep_issues(session, record.id, chunk.issues, batch.raw)
    j = actor.jurisdiction
    outcome = kind.apply(session, str(record.id), Scope(j.lo, j.hi, j.basin))
    after = queries.stored(session, given.target, wanted)
    _publish(
        services,
        session,
        kind,
        outcome.counties,
        [one.id for key, one in after.items() if before.get(key) != one],
    )
    staging.forget(session, kind, record.id)
    answer = _answer(session, record.id, target, batch, keys, before, after)
    record.rows_new, record.rows_changed, record.rows_same = answer.created, answer.updated, answer.unchanged
    record.rows_rejected = answer.rejected
    record.rows_warned = sum(bool(result.warnings) for result in answer.results)
    session.flush()
    return answer


def _items(given: Push) -> list[Any]:
    items = rules.items_of(given.body, given.media_type)
    if not items:
        raise InvalidInput("批次中没有记录 (the batch has no items)", field="body")
    if len(items) > given.most_items:
        raise InvalidInput(
            f"一批最多{given.most_items}条，收到{len(items)}条 (at most {given.most_items} items a batch; {len(items)} came)",
            field="body",
            value=len(items),
            expected=f"≤ {given.most_items}",
        )
    return items


def _facts(services: Services, session: Session, kind: ImportKind) -> object:
    """What the checks look at, the boundaries of all counties: kept until the regions change, for reading them takes
    longer than a small batch."""
    kept: dict[str, tuple[int, object]] = services.parts.setdefault("exchange_facts", {})
    version = services.parts["versions"].of("regions")
    known = kept.get(kind.name)
    if known is None or known[0] != version:
        kept[kind.name] = known = version, kind.prepare(session)
    return known[1]


def _checked(
    session: Session, kind: ImportKind, target: Target, batch: rules.Batch, actor: Actor, facts: object
) -> tuple[Chunk, list[queries.Key]]:
    """Typed rows with every issue, and the business key of each row."""
    from app.imports.interpret import Interpreter  # with pandas, which most web processes do without

    interpreter = Interpreter(kind, batch.mapping, list(batch.raw.texts.columns), has_geometry=False)
    chunk = interpreter.chunk(batch.raw)
    chunk.rows["attributes"] = batch.attributes
    chunk.issues.extend(batch.issues)
    j = actor.jurisdiction
    known = Known(facts, Scope(j.lo, j.hi, j.basin), batch.mapping)
    chunk.issues.extend(kind.check(chunk, known))
    keys = [
        tuple(_plain(part) for part in key)
        for key in chunk.rows[list(target.key)].itertuples(index=False, name=None)
    ]
    chunk.issues.extend(rules.repeated([target.identity(key) for key in keys], batch))
    chunk.issues.extend(rules.spread(chunk.issues, batch.item_of))
    return chunk, keys


@contextmanager
def _patient(session: Session, sentence: str) -> Iterator[None]:
    """Inside, a lock that others hold is waited for some seconds. Raises NotReady with the sentence after that."""
    setting = text("select set_config('lock_timeout', :t, true)")
    session.execute(setting, {"t": f"{PATIENCE_S}s"})
    try:
        yield
    except OperationalError:
        raise NotReady(sentence) from None
    session.execute(setting, {"t": "0"})


def _wait_turn(session: Session, kind: ImportKind) -> None:
    """One batch or import of a kind at a time, as imports do among themselves."""
    sentence = (
        f"另一批{kind.title}正在写入，本批未写入任何数据，请稍后重发 "
        "(another batch or import is being written; nothing of this one was: send it again later)"
    )
    with _patient(session, sentence):
        session.execute(text("select pg_advisory_xact_lock(hashtext(:k))"), {"k": f"import:{kind.name}"})


def _record(session: Session, actor: Actor, given: Push, batch: rules.Batch) -> Import:
    """The batch among the imports, so that every entry says where it came from."""
    identifier, now, j = uuid4(), datetime.now(UTC), actor.jurisdiction
    made = Import(
        id=identifier,
        kind=TARGETS[given.target].kind,
        filename=f"数据交换 exchange {now:%Y-%m-%d %H:%M:%S}Z",
        stored_as="",
        sha256=hashlib.sha256(given.body).hexdigest(),
        mapping=batch.mapping.model_dump(mode="json"),
        state="done",
        rows_total=len(batch.items),
        rows_read=len(batch.items),
        actor_id=actor.user_id,
        actor_name=actor.username,
        scope_lo=j.lo,
        scope_hi=j.hi,
        scope_basin=j.basin,
        started_at=now,
        finished_at=now,
    )
    session.add(made)
    session.flush()
    return made


def _publish(
    services: Services, session: Session, kind: ImportKind, counties: tuple[int, ...], changed: list[int]
) -> None:
    """The map follows in the same transaction: a few entries by themselves, many by their counties."""
    connection = driver_of(session)
    intakes = queries.touched_now(session, "intakes", counties)
    if len(intakes) + len(changed) > FEW:
        services.publish(connection, kind.publishes, counties)
        return
    if intakes:
        services.publish_features(connection, "intakes", intakes)
    permits = queries.permits_of(session, kind.name, changed)
    if permits:
        services.publish_features(connection, "permits", permits)


def _answer(
    session: Session,
    batch_id: UUID,
    target: Target,
    batch: rules.Batch,
    keys: list[queries.Key],
    before: Mapping[queries.Key, queries.Stored],
    after: Mapping[queries.Key, queries.Stored],
) -> PushAnswer:
    found: dict[int, list[dict[str, Any]]] = {}
    for finding in queries.findings(session, batch_id):
        found.setdefault(finding["row_no"], []).append(finding)
    results = []
    for item, rows in batch.rows_of().items():
        key = keys[rows[0] - 1]
        told = [finding for row in rows for finding in found.get(row, ())]
        problems = [f for f in told if f["severity"] == "reject" and f["reason"] != "with_its_item"]
        results.append(
            ItemResult(
                item=item + 1,
                key=dict(zip(target.key, key, strict=True)),
                result=_result(target, problems, before.get(key), after.get(key)),
                id=None if problems or key not in after else after[key].id,
                version=after[key].version if not problems and key in after and target.versioned else None,
                problems=[_finding(f) for f in problems],
                warnings=[_finding(f) for f in told if f["severity"] == "warning"],
            )
        )
    count: Callable[[Result], int] = lambda kind: sum(one.result == kind for one in results)  # noqa: E731
    return PushAnswer(
        batch=batch_id,
        received=len(results),
        created=count("created"),
        updated=count("updated"),
        unchanged=count("unchanged"),
        rejected=count("rejected"),
        results=results,
    )


def _plain(part: Any) -> Any:
    return None if part is None or part != part else part  # NaN is not itself


def _result(
    target: Target,
    problems: list[dict[str, Any]],
    before: queries.Stored | None,
    after: queries.Stored | None,
) -> Result:
    if problems or after is None:
        return "rejected"
    if before is None:
        # A permit that is new under its number but not new at all had another number before.
        return "updated" if target.kind == "permits" and after.version > 1 else "created"
    return "unchanged" if after.version == before.version else "updated"


def _finding(found: Mapping[str, Any]) -> Finding:
    return Finding(
        field=found["field"],
        value=found["value"],
        reason=found["reason"],
        detail=found["message"],
        expected=found["expected"],
    )


# ── requests with a key ─────────────────────────────────────────────────────────────────────────────


def once(
    session: Session, actor: Actor, key: str, target: str, body: bytes, work: Callable[[], bytes]
) -> tuple[bytes, bool]:
    """The answer of `work`, which is done once for a key of this account; and whether it was given before.

    The key is taken and the answer kept in the transaction of the work, so that both are there or neither. A request
    that failed leaves no trace and may be sent again. Raises Conflict if the key came with other content before.
    """
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise InvalidInput(
            "Idempotency-Key 应为1–255个可见字符 (has 1 to 255 visible characters)", field="Idempotency-Key"
        )
    account = actor.user_id or 0
    queries.forget(session, account, KEEP_HOURS)
    digest = hashlib.sha256(target.encode() + b"\0" + body).digest()
    with _patient(
        session,
        "同一 Idempotency-Key 的请求正在办理，请稍后重发 (a request with this key is being done: send it again later)",
    ):
        taken = queries.remember(session, account, key, target, digest)
    if not taken:
        kept = queries.remembered(session, account, key)
        if bytes(kept.digest) != digest:
            raise Conflict(
                "同一 Idempotency-Key 已用于不同内容的请求，未写入任何数据 "
                "(this Idempotency-Key came with other content before; nothing was written)",
                field="Idempotency-Key",
                value=key,
            )
        return bytes(kept.answer), True
    answer = work()
    queries.answered(session, account, key, 200, answer)
    return answer, False
