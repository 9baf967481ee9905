"""What a decision does to a candidate. Plain values in, plain values out."""

from app.errors import Conflict
from app.screening.schemas import Decision, State

STEPS: dict[tuple[State, Decision], State] = {
    ("suspected", "confirm"): "confirmed",
    ("suspected", "reject"): "rejected",
    ("confirmed", "reopen"): "suspected",
    ("rejected", "reopen"): "suspected",
}
TITLES: dict[State, str] = {"suspected": "疑似", "confirmed": "属实", "rejected": "不属实"}
SAME_PLACE = 0.5
"""Two findings of one kind whose intersection over union exceeds this are the same one."""


def after(state: State, decision: Decision) -> State:
    """The state that the decision leads to. Raises Conflict if it is not possible from this state."""
    try:
        return STEPS[state, decision]
    except KeyError:
        raise Conflict(
            f"线索已是“{TITLES[state]}”，须先撤回才能改判 (the candidate is {state}: reopen it first)",
            state=state,
        ) from None
