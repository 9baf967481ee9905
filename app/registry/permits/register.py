"""What a register of permits says, as an event: which one it was, where the register does not say, and whether it may be.

Plain values in, plain values out.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from app.registry import lifecycle
from app.registry.findings import Finding
from app.registry.lifecycle import ENDED, After, Event, Permit

COMPARED = (
    "holder_name", "county_code", "basin_id", "zone_code", "issuing_authority", "issuing_level", "supervising_authority",
    "source_type", "purpose", "industry_code", "annual_volume_m3", "occupies_quota", "place",
)  # fmt: skip
"""Facts that a file of permits brings, by column."""
LIMITED = frozenset(("annual_volume_m3", "limits", "source_type", "purpose", "valid_from", "valid_to"))
SOFT = frozenset(
    (
        "ground_missing", "reason_missing", "document_missing", "term_missing", "term_too_long", "term_not_longer",
        "before_the_last_event", "same_holder", "is_a_transfer", "is_a_renewal", "nothing_changes",
    )
)  # fmt: skip
"""What a register that is kept elsewhere may lack or do: a warning there, where a person's entry is refused."""


@dataclass(frozen=True)
class Decided:
    """An event that a register tells of: what it leads to, or why it is refused."""

    event: Event
    after: After
    refused: tuple[Finding, ...]
    warned: tuple[Finding, ...]
    changes: tuple[str, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """What the event keeps of how it was decided."""
        return {"changes": list(self.changes), "warnings": [asdict(one) for one in self.warned]}


def decide(row: Mapping[str, Any], today: date) -> Decided:
    """Of a permit as it was and, with `new_` before the names, as the register says it is."""
    before = Permit(
        row["status"], row["permit_no"], row["holder_name"], row["uscc"], row["valid_from"], row["valid_to"],
        row["effective_on"], row["ended_on"],
    )  # fmt: skip
    changes = changed(row)
    name = row["new_event"] or event_of(before, row["new_status"], row["new_valid_to"], changes)
    if name == "issue" and before.status != "pending":
        # Registers write 发放 beside every permit: that it was issued once is no event of now.
        name = event_of(before, row["new_status"], row["new_valid_to"], changes)
    event = Event(
        name,
        row["new_effective_on"] or _day(before, name, row["new_valid_from"], today),
        changes,
        row["new_valid_from"],
        row["new_valid_to"],
        row["new_holder_name"],
        row["new_uscc"],
        ground=row["ground"],
        document_no=row["document_no"],
        reason=row["reason"],
    )
    found = list(lifecycle.findings(before, event, today))
    refused = tuple(one for one in found if one.severity == "refuse" and one.code not in SOFT)
    warned = tuple(one for one in found if one.severity == "refuse" and one.code in SOFT)
    return Decided(event, lifecycle.outcome(before, event, today), refused, warned, tuple(sorted(changes)))


def changed(row: Mapping[str, Any]) -> frozenset[str]:
    """The facts that differ, by the name of the field; what the register leaves empty of a term stays."""
    names = {name for name in COMPARED if row[name] != row[f"new_{name}"]}
    given = ("permit_no", "status", "valid_from", "valid_to", "uscc")
    names |= {name for name in given if row[f"new_{name}"] not in (None, row[name])}
    return frozenset(names | {name for name in ("limits", "attributes") if row[f"new_{name}"]})


def event_of(before: Permit, status: str | None, valid_to: date | None, changes: frozenset[str]) -> str:
    """Which event made a permit what a register says it is now."""
    if status in ENDED and status != before.status:
        return {"cancelled": "cancel", "annulled": "annul", "revoked": "revoke"}[str(status)]
    if before.status in ENDED:
        # Whatever else changed of a permit that ended: the rules say that it cannot.
        return "vary"
    longer = valid_to is not None and before.valid_to is not None and valid_to > before.valid_to
    if "permit_no" in changes or longer:
        return "renew"
    if before.status == "valid" and status == "expired":
        return "expire"
    if before.status == "valid" and changes & {"holder_name", "uscc"}:
        return "transfer"
    return "vary" if before.status == "valid" and changes & LIMITED else "correct"


def _day(before: Permit, event: str, begins: date | None, today: date) -> date:
    """When it happened, where the register does not say: with the term, or as far as we know today."""
    last = before.effective_on or before.valid_from
    if event == "renew" and begins is not None and begins <= today and (last is None or begins >= last):
        return begins
    if event == "expire" and before.valid_to is not None:
        return before.valid_to + timedelta(days=1)
    return today
