"""The life of a permit: which event may follow which state, and what it leads to. Plain values in, plain values out.

发放 issue · 延续 renew · 变更 vary · 转让 transfer · 到期 expire · 注销 cancel · 撤销 annul · 吊销 revoke · 更正 correct.
Three ends are three things: 撤销 takes back what should not have been granted (行政许可法 69), 吊销 is a penalty, 注销 is the
administrative end (行政许可法 70; 条例 44). 条例 is 取水许可和水资源费征收管理条例 in its text of 2017.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from app.registry.findings import Finding, refuse, warn

EVENTS = {
    "issue": "发放", "renew": "延续", "vary": "变更", "transfer": "转让", "expire": "到期", "cancel": "注销",
    "annul": "撤销", "revoke": "吊销", "correct": "更正",
}  # fmt: skip
STATUSES = {
    "valid": "有效", "expired": "到期", "cancelled": "注销", "annulled": "撤销", "revoked": "吊销", "pending": "办理中",
}  # fmt: skip
ENDED = ("cancelled", "annulled", "revoked")
ALLOWED: dict[str | None, tuple[str, ...]] = {
    None: ("issue",),
    "pending": ("issue", "cancel", "correct"),
    "valid": ("renew", "vary", "transfer", "expire", "cancel", "annul", "revoke", "correct"),
    # A renewal that was asked for in time may come after the term (行政许可法 50: it then counts as granted).
    "expired": ("renew", "cancel", "annul", "correct"),
    "cancelled": ("correct",),
    # What was annulled or revoked is struck off as well (行政许可法 70 (4)); it stays annulled or revoked.
    "annulled": ("cancel", "correct"),
    "revoked": ("cancel", "correct"),
}
GROUNDS = {
    "expired": ("有效期届满未延续", "term over, not renewed", "行政许可法70(一)"),
    "death": ("取水的公民死亡或者丧失行为能力", "the person died or lost capacity", "行政许可法70(二)"),
    "dissolved": ("法人或者其他组织依法终止", "the organisation was dissolved", "行政许可法70(三)"),
    "taken_back": ("许可依法被撤销、撤回或者吊销", "annulled, withdrawn or revoked", "行政许可法70(四)"),
    "force_majeure": ("不可抗力导致许可事项无法实施", "force majeure", "行政许可法70(五)"),
    "idle": ("连续停止取水满2年", "no abstraction for two years", "条例44"),
    "other": ("法律、法规规定应当注销的其他情形", "another case named by law", "行政许可法70(六)"),
}
"""Why a permit is struck off 注销: code → Chinese, English, clause."""
LONGEST_YEARS, USUAL_YEARS = 10, 5  # 条例 25
ASK_BEFORE_DAYS = 45  # 条例 25, which overrides the 30 of 行政许可法 50
FIRST_DAY = date(1988, 1, 21)
"""The day on which the Water Law was passed, which brought permits: none is older."""
A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Permit:
    """What the rules want to know of a permit as it stands."""

    status: str
    permit_no: str
    holder_name: str
    uscc: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    effective_on: date | None = None
    ended_on: date | None = None


@dataclass(frozen=True)
class Event:
    """What happens to it. Holder and term: as they will be; None: as they are."""

    event: str
    effective_on: date
    changes: frozenset[str] = frozenset()
    """Which facts it changes, by name."""
    valid_from: date | None = None
    valid_to: date | None = None
    holder_name: str | None = None
    uscc: str | None = None
    applied_on: date | None = None
    """When a renewal was asked for."""
    ground: str | None = None
    document_no: str = ""
    reason: str = ""
    reinstate: bool = False
    """A correction that takes back an end which was entered by mistake."""


@dataclass(frozen=True)
class After:
    """The permit's state after an event."""

    status: str
    effective_on: date | None
    ended_on: date | None
    valid_from: date | None
    valid_to: date | None


def outcome(before: Permit | None, event: Event, today: date) -> After:
    """What an event leads to, if nothing in `findings` refuses it."""
    valid_from, valid_to = _term(before, event)
    status = _status(before, event, valid_to, today)
    ended_on = None
    if status in ENDED:
        stays = before is not None and before.status == status
        ended_on = before.ended_on if before is not None and stays else event.effective_on
    # A correction says what was so all the time that the corrected version held.
    since = before.effective_on if before is not None and event.event == "correct" else event.effective_on
    return After(status, since, ended_on, valid_from, valid_to)


def findings(before: Permit | None, event: Event, today: date) -> Iterator[Finding]:
    """What stands against an event, and what a person should know of it."""
    refused = _transition(before, event)
    if refused is not None:
        yield refused
        return
    yield from _days(before, event, today)
    yield from OF_EVENT[event.event](before, event)


# ── the state after it ──────────────────────────────────────────────────────────────────────────────


def _term(before: Permit | None, event: Event) -> tuple[date | None, date | None]:
    was_from, was_to = (before.valid_from, before.valid_to) if before else (None, None)
    if event.event == "issue":
        return event.valid_from or event.effective_on, event.valid_to or was_to
    if event.event == "renew":
        # The next term begins when the former ends, whenever the renewal was decided.
        return event.valid_from or (was_to + A_DAY if was_to else event.effective_on), event.valid_to
    return event.valid_from or was_from, event.valid_to or was_to


def _status(before: Permit | None, event: Event, valid_to: date | None, today: date) -> str:
    now = before.status if before is not None else None
    by_term = "expired" if valid_to is not None and valid_to < today else "valid"
    match event.event:
        case "cancel":
            return now if now in ("annulled", "revoked") else "cancelled"
        case "annul":
            return "annulled"
        case "revoke":
            return "revoked"
        case "correct" if now in (*ENDED, "pending") and not event.reinstate:
            return str(now)
    return by_term


# ── what stands against it ──────────────────────────────────────────────────────────────────────────


def _transition(before: Permit | None, event: Event) -> Finding | None:
    if event.event in ALLOWED[before.status if before else None]:
        return None
    if before is None:
        return refuse("no_permit")
    names = {"event": EVENTS[event.event], "status": STATUSES[before.status]}
    if before.status in ENDED:
        return refuse("permit_ended", number=before.permit_no, day=before.ended_on or "此前", **names)
    return refuse("not_from_here", allowed=", ".join(ALLOWED[before.status]), **names)


def _days(before: Permit | None, event: Event, today: date) -> Iterator[Finding]:
    on = event.effective_on
    if on > today:
        yield refuse("in_the_future", on=on, today=today)
    if on < FIRST_DAY:
        yield refuse("before_the_law", on=on, first=FIRST_DAY)
    if before is not None and event.event != "correct":
        last = before.effective_on or before.valid_from
        if last is not None and on < last <= today:
            yield refuse("before_the_last_event", on=on, last=last)
    begins, ends = _term(before, event)
    if begins is not None and ends is not None and ends < begins:
        yield refuse("ends_before_it_begins", begins=begins, ends=ends)


def _term_length(before: Permit | None, event: Event) -> Iterator[Finding]:
    """条例 25: five years as a rule, and never more than ten."""
    begins, ends = _term(before, event)
    if begins is None or ends is None or ends < begins:
        return
    longest, usual = after_years(begins, LONGEST_YEARS), after_years(begins, USUAL_YEARS)
    if ends > longest:
        yield refuse("term_too_long", begins=begins, ends=ends, longest=longest)
    elif ends > usual:
        yield warn("term_unusual", begins=begins, ends=ends, usual=usual)


def after_years(day: date, years: int) -> date:
    """The same day of a later year, 1 March for 29 February: a term of so many years may include it (民法典 1259)."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def _issued(before: Permit | None, event: Event) -> Iterator[Finding]:
    """条例 24, 25: a permit names its holder and its term."""
    if not (event.holder_name or "").strip():
        yield refuse("holder_missing")
    if event.valid_to is None:
        yield refuse("term_missing")
    yield from _term_length(before, event)


def _renewed(before: Permit | None, event: Event) -> Iterator[Finding]:
    """条例 25: asked for 45 days before the term ends; 行政许可法 50: not decided by then, it counts as granted."""
    if event.valid_to is None:
        yield refuse("term_missing")
        return
    yield from _term_length(before, event)
    former = before.valid_to if before is not None else None
    if former is None:
        return
    if event.valid_to <= former:
        yield refuse("term_not_longer", ends=event.valid_to, former=former)
    if event.valid_from is not None and event.valid_from > former + A_DAY:
        yield warn("gap_between_terms", former=former, begins=event.valid_from, follows=former + A_DAY)
    due = former - ASK_BEFORE_DAYS * A_DAY
    if event.applied_on is not None and event.applied_on > due:
        yield warn("asked_late", applied=event.applied_on, due=due)
    if event.effective_on > former:
        yield warn("decided_late", former=former)


def _longer(before: Permit | None, event: Event) -> bool:
    """Does it lengthen the term?"""
    former = before.valid_to if before is not None else None
    return event.valid_to is not None and former is not None and event.valid_to > former


def _varied(before: Permit | None, event: Event) -> Iterator[Finding]:
    """条例 26: what the permit states is changed with the consent of who issued it."""
    if not event.changes:
        yield refuse("nothing_changes")
    known = before.uscc if before is not None else None
    if known and event.uscc and event.uscc != known:
        yield refuse("is_a_transfer")
    if _longer(before, event):
        yield refuse("is_a_renewal")


def _transferred(before: Permit | None, event: Event) -> Iterator[Finding]:
    """条例 27: to another holder, within the term."""
    if not (event.holder_name or "").strip():
        yield refuse("holder_missing")
    elif before is not None and _same_holder(before, event):
        yield refuse("same_holder", holder=before.holder_name)
    if _longer(before, event):
        yield refuse("is_a_renewal")


def _same_holder(before: Permit, event: Event) -> bool:
    return event.holder_name == before.holder_name and event.uscc in (None, before.uscc)


def _expired(before: Permit | None, event: Event) -> Iterator[Finding]:
    """条例 25: a term runs out by itself."""
    ends = before.valid_to if before is not None else None
    if ends is None:
        yield refuse("term_missing")
    elif event.effective_on <= ends:
        yield refuse("not_yet_expired", ends=ends)


def _cancelled(before: Permit | None, event: Event) -> Iterator[Finding]:
    """行政许可法 70, 条例 44: struck off on a ground that the law names."""
    assert before is not None  # noqa: S101 - ALLOWED
    if event.ground not in GROUNDS:
        yield refuse("ground_missing", grounds=", ".join(GROUNDS))
        return
    taken_back = before.status in ("annulled", "revoked")
    if taken_back != (event.ground == "taken_back"):
        wanted = "taken_back" if taken_back else "≠ taken_back"
        yield refuse("ground_of_another_state", status=STATUSES[before.status], wanted=wanted)
    if event.ground == "expired" and before.valid_to is not None and event.effective_on <= before.valid_to:
        yield refuse("not_yet_expired", ends=before.valid_to)
    if event.ground == "other" and not event.reason.strip():
        yield refuse("reason_missing")


def _annulled(before: Permit | None, event: Event) -> Iterator[Finding]:
    """行政许可法 69: it should not have been granted."""
    if not event.reason.strip():
        yield refuse("reason_missing")


def _revoked(before: Permit | None, event: Event) -> Iterator[Finding]:
    """水法 69; 条例 48, 51: a penalty, decided in a document."""
    if not event.document_no.strip():
        yield refuse("document_missing")


def _corrected(before: Permit | None, event: Event) -> Iterator[Finding]:
    """The record was wrong, not the world; the former version stays in the history."""
    if not event.reason.strip():
        yield refuse("reason_missing")
    if event.reinstate and before is not None and before.status not in ENDED:
        yield refuse("not_ended")
    elif not event.changes and not event.reinstate:
        yield refuse("nothing_changes")
    yield from _term_length(before, event)


OF_EVENT: dict[str, Callable[[Permit | None, Event], Iterator[Finding]]] = {
    "issue": _issued,
    "renew": _renewed,
    "vary": _varied,
    "transfer": _transferred,
    "expire": _expired,
    "cancel": _cancelled,
    "annul": _annulled,
    "revoke": _revoked,
    "correct": _corrected,
}
