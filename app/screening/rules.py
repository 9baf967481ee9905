"""What a decision does to a candidate, and which reasons it may have. Plain values in, plain values out."""

from collections.abc import Mapping

from app.errors import Conflict, InvalidInput
from app.screening.schemas import Decision, State

STEPS: Mapping[tuple[State, Decision], State] = {
    ("suspected", "confirm"): "confirmed",
    ("suspected", "reject"): "rejected",
    ("suspected", "unsure"): "unsure",
    ("unsure", "confirm"): "confirmed",
    ("unsure", "reject"): "rejected",
    ("unsure", "reopen"): "suspected",
    ("confirmed", "reopen"): "suspected",
    ("rejected", "reopen"): "suspected",
}
TITLES: Mapping[State, tuple[str, str]] = {
    "suspected": ("疑似", "suspected"),
    "unsure": ("存疑待查", "unsure"),
    "confirmed": ("属实", "confirmed"),
    "rejected": ("不属实", "rejected"),
}
REASONS: Mapping[Decision, tuple[str, ...]] = {
    "confirm": ("seen_in_image", "works_at_bank", "visited", "holder_admits", "other"),
    # The frequent false alarms of screening by imagery.
    "reject": (
        "natural_water", "rain_or_flood", "rain_fed", "district_canal", "public_supply", "reservoir", "shadow_snow_cloud",
        "registered", "exempt", "other",
    ),
    "unsure": ("needs_visit", "poor_image", "register_unclear", "other"),
}  # fmt: skip
"""Reasons that a decision may have; the layer `candidates` has their words."""
SAME_PLACE = 0.5
"""Two findings of one kind whose intersection over union exceeds this are the same one."""


def after(state: State, decision: Decision) -> State:
    """The state that the decision leads to. Raises Conflict if it is not possible from this state."""
    try:
        return STEPS[state, decision]
    except KeyError:
        zh, en = TITLES[state]
        raise Conflict(
            f"线索已是“{zh}”，须先撤回才能改判 (the candidate is {en}: reopen it first)", state=state
        ) from None


def before(decision: Decision) -> list[State]:
    """The states from which the decision is possible."""
    return [state for state, made in STEPS if made == decision]


def check_reason(decision: Decision, reason: str, note: str) -> None:
    """A rejected clue needs a reason, by its code or in words. Raises InvalidInput for none, or one that is not known."""
    known = REASONS.get(decision, ())
    if reason and reason not in known:
        raise InvalidInput(
            f"理由 {reason!r} 不适用于此判定 (no such reason for this decision)",
            field="reason",
            value=reason,
            expected=", ".join(known),
        )
    if decision == "reject" and (not reason or reason == "other") and not note.strip():
        raise InvalidInput(
            "判为不属实须选择理由或填写说明 (a rejection needs a reason, or a note)",
            field="reason",
            expected=", ".join(known),
        )
