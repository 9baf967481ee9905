"""The life of a permit 取水许可: issued, and what happens to it afterwards.

An event is one transaction: the permit is locked and compared with the version that was seen, the rules decide
(`app.registry.lifecycle`), a new version is written with its limits as rows, the intakes that it names are brought under
it or let go, their permit states follow, changes are recorded, and the map is brought up to all of it.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from app.actor import Actor
from app.changes import service as changes
from app.errors import Conflict, InvalidInput, NotAllowed, NotFound, PreconditionFailed, PreconditionRequired
from app.imports.values import BadValue
from app.registry import lifecycle, links, numbers, rules
from app.registry.findings import Finding, sentence
from app.registry.permits import listed, queries
from app.registry.permits.schemas import Facts, NewEvent, NewPermit
from app.registry.permits.step import Step, read
from app.registry.queries import beyond_scope

Publish = Callable[[Session, str, Iterable[int]], None]
"""`publish(session, layer, ids)`: brings the map up to these features, in the same transaction."""
SIMPLE = (
    "e_licence", "issuing_authority", "issuing_level", "supervising_authority", "source_type", "purpose", "industry_code",
    "occupies_quota", "place",
)  # fmt: skip
"""Facts that are written as they are given."""
FIRST: dict[str, Any] = {
    "source_type": "unknown", "purpose": "other", "occupies_quota": True, "place": "", "issuing_authority": "",
    "supervising_authority": "",
}  # fmt: skip


def issue(session: Session, actor: Actor, given: NewPermit, publish: Publish) -> tuple[int, list[Finding]]:
    """发放: a new permit; returns its id and what a person should know.

    Raises InvalidInput if it breaks a rule, NotAllowed outside the jurisdiction, Conflict if the number is taken.
    """
    basin = actor.jurisdiction.basin
    if not actor.jurisdiction.covers(given.county_code, basin):
        raise _outside(given.county_code)
    today = queries.today(session)
    begins = given.effective_on or min(given.valid_from or today, today)
    facts = Facts.model_validate(given.model_dump(include=set(Facts.model_fields), exclude_unset=True))
    event = NewEvent(
        event="issue",
        effective_on=begins,
        document_no=given.document_no,
        reason=given.reason,
        facts=facts,
    )
    step = Step(session, actor, event, None, today, dict.fromkeys(queries.WRITTEN) | FIRST)
    step.values |= {"county_code": given.county_code, "basin_id": basin}
    _decide(step)
    if step.values["issuing_level"] is None:
        step.values["issuing_level"] = numbers.permit_number(step.values["permit_no"]).level
    permit_id = queries.insert(session, step.values)
    _carry_out(step, permit_id, 1, publish)
    return permit_id, step.found


def record_event(
    session: Session,
    actor: Actor,
    permit_id: int,
    given: NewEvent,
    publish: Publish,
    *,
    if_match: int | None = None,
) -> list[Finding]:
    """An event of a permit; returns what a person should know.

    Raises NotFound; NotAllowed if the permit is another county's; PreconditionRequired without a version,
    PreconditionFailed or Conflict if it is no longer the present one; Conflict if the permit's state forbids the
    event; InvalidInput if a rule is broken.
    """
    before = queries.locked(session, permit_id)
    if before is None:
        if queries.seen(session, permit_id):
            raise NotAllowed(
                "许可证由其他地区登记，事项由登记地办理 (the permit is another county's: its events are entered there)"
            )
        raise NotFound(
            f"没有取水许可 {permit_id}，或不在您的辖区内 (no such permit, or outside your jurisdiction)"
        )
    if not actor.jurisdiction.covers(before.county_code, before.basin_id):
        raise _outside(before.county_code)
    _unchanged(session, before, given.version, if_match)
    values = {name: getattr(before, name) for name in queries.WRITTEN}
    step = Step(session, actor, given, before, queries.today(session), values)
    _decide(step)
    version = queries.update(session, permit_id, step.values)
    _carry_out(step, permit_id, version, publish)
    return step.found


def _outside(county: int) -> NotAllowed:
    return NotAllowed(
        f"{county} 不在您的辖区内 (lies outside your jurisdiction)", field="county_code", value=county
    )


def _unchanged(session: Session, before: Row[Any], version: int | None, if_match: int | None) -> None:
    """The permit is still as the client saw it."""
    if version is None and if_match is None:
        raise PreconditionRequired(
            "请用 version 或 If-Match 写明所见的版本 (say which version you saw: `version` or If-Match)",
            field="version",
            expected=before.version,
        )
    if {version, if_match} <= {before.version, None}:
        return
    last = queries.latest_event(session, before.id)
    who = (
        f"{last.actor_name} 于 {last.recorded_at:%Y-%m-%d %H:%M} 办理“{lifecycle.EVENTS[last.event]}”"
        if last
        else "此间"
    )
    raised = PreconditionFailed if if_match is not None else Conflict
    raise raised(
        f"许可证 {before.permit_no} 已是第 {before.version} 版（{who}），请重新查看后再办理，未作任何更改 "
        "(somebody changed the permit meanwhile; nothing was changed: look again)",
        field="version",
        value=version if version is not None else if_match,
        expected=before.version,
    )


# ── decide ──────────────────────────────────────────────────────────────────────────────────────────


def _decide(step: Step) -> None:
    """Fill in what the permit will be. Raises if the rules refuse it."""
    facts, given = step.facts, step.given
    _number(step)
    _licence(step)
    for name in SIMPLE:
        if name in facts.model_fields_set and name != "e_licence":
            value = getattr(facts, name)
            step.values[name] = FIRST.get(name) if value is None else value
    uscc = _credit(facts.uscc)
    if facts.holder_name is not None:
        step.values["holder_name"] = facts.holder_name
    _note_changes(step, uscc)
    event = lifecycle.Event(
        given.event,
        given.effective_on or step.today,
        frozenset(step.changed),
        facts.valid_from,
        facts.valid_to,
        facts.holder_name,
        uscc,
        given.applied_on,
        given.ground,
        given.document_no,
        given.reason,
        given.reinstate,
    )
    before = _as_permit(step.before)
    step.found += lifecycle.findings(before, event, step.today)
    _raise_refused(step.found)
    after = lifecycle.outcome(before, event, step.today)
    step.values |= asdict(after) | {"event": given.event}
    if step.before is None or "holder_name" in step.changed or "uscc" in step.changed:
        name, county, basin = (step.values[n] for n in ("holder_name", "county_code", "basin_id"))
        step.values["holder_id"] = queries.holder(step.session, name, uscc, county, basin)


def _as_permit(row: Row[Any] | None) -> lifecycle.Permit | None:
    if row is None:
        return None
    return lifecycle.Permit(
        row.status,
        row.permit_no,
        row.holder_name,
        row.uscc,
        row.valid_from,
        row.valid_to,
        row.effective_on,
        row.ended_on,
    )


def _raise_refused(found: list[Finding]) -> None:
    refused = [one for one in found if one.severity == "refuse"]
    if not refused:
        return
    raised = Conflict if any(one.of_state for one in refused) else InvalidInput
    first = refused[0]
    raise raised(
        sentence(refused),
        field=first.field,
        reason=first.code,
        expected=first.expected,
        errors=[
            {"field": o.field, "reason": o.code, "detail": o.message, "clause": o.clause} for o in refused
        ],
    )


def _number(step: Step) -> None:
    """A new number: that of an issue, of a renewal, or a correction of what was mistyped."""
    raw = step.facts.permit_no
    if raw is None:
        return
    number = read("permit_no", lambda: numbers.permit_number(raw))
    former = step.before.permit_no if step.before is not None else None
    if number.text == former:
        return
    if step.given.event not in ("issue", "renew", "correct"):
        raise InvalidInput(
            "许可证编号只在延续时改变，或由更正改正 (a number changes at a renewal, or by a correction)",
            field="permit_no",
            value=raw,
        )
    with beyond_scope(step.session):
        taken = [p for p in queries.by_number(step.session, number.text) if step.before is None or p.id != step.before.id]  # fmt: skip
    if taken:
        raise Conflict(
            f"许可证编号 {number.text} 已登记 (this number is registered already)",
            field="permit_no",
            value=raw,
        )
    for odd in number.warnings:
        step.warn(odd.reason, "permit_no", odd.message, expected=odd.expected)
    step.values |= {"permit_no": number.text, "permit_no_raw": raw}
    if step.given.event == "renew":
        step.values["previous_number"] = former


def _licence(step: Step) -> None:
    """The electronic licence's identifier; one that does not hold is kept as it was typed, with a warning."""
    if "e_licence" not in step.facts.model_fields_set:
        return
    raw = step.facts.e_licence or None
    step.values["e_licence"] = raw
    if raw is None:
        return
    try:
        step.values["e_licence"] = numbers.licence_identifier(raw).text
    except BadValue as bad:
        step.warn(bad.reason, "e_licence", bad.message, "GB/T 36904", bad.expected)


def _credit(text: str | None) -> str | None:
    return read("uscc", lambda: rules.credit_code(text)) if text else None


def _note_changes(step: Step, uscc: str | None) -> None:
    """Which facts the event changes, by the name of the field."""
    facts = step.facts
    written = {name: step.values[name] for name in ("permit_no", "holder_name", *SIMPLE)}
    given = {"valid_from": facts.valid_from, "valid_to": facts.valid_to, "uscc": uscc}
    given = {name: value for name, value in given.items() if value is not None}
    step.changed |= {name for name, value in (written | given).items() if value != step.former(name)}
    listed.decide_limits(step)
    for name in ("points", "intakes"):
        if getattr(facts, name) is not None:
            step.changed.add(name)


# ── carry out ───────────────────────────────────────────────────────────────────────────────────────


def _carry_out(step: Step, permit_id: int, version: int, publish: Publish) -> None:
    session, values = step.session, step.values
    county, basin = values["county_code"], values["basin_id"]
    queries.write_limits(session, permit_id, version, step.limits, county, basin)
    told = listed.bring_points(step, permit_id) | listed.bring_intakes(step, permit_id)
    queries.insert_event(
        session,
        {
            "permit_id": permit_id,
            "version": version,
            "event": step.given.event,
            # A correction is dated by its entry; the version that it makes holds since the one it corrects did.
            "effective_on": step.given.effective_on or step.today
            if step.given.event == "correct"
            else values["effective_on"],
            "document_no": step.given.document_no,
            "ground": step.given.ground,
            "reason": step.given.reason,
            "actor_id": step.actor.user_id,
            "actor_name": step.actor.username,
            "county_code": county,
            "basin_id": basin,
            "facts": json.dumps(
                {"changes": sorted(step.changed), "warnings": [asdict(one) for one in step.found], **told},
                ensure_ascii=False,
            ),
        },
    )
    changes.record(
        session, step.actor.username, "permits", "create" if version == 1 else "update", county, basin_id=basin,
        entity_id=permit_id, facts={"event": step.given.event, "version": version, "permit_no": values["permit_no"]},
    )  # fmt: skip
    settle(session, step.actor.username, step.given.event, [permit_id])
    publish(session, "permits", [permit_id])


def settle(session: Session, actor_name: str, event: str, permit_ids: list[int]) -> set[int]:
    """Bring the permit states of the intakes under these permits up to them, wherever they lie; returns those that changed."""
    with beyond_scope(session):
        changed = links.states_of(session, queries.intakes_of(session, permit_ids))
        queries.record_states(session, actor_name, event, changed)
        return changed
