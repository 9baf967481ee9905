"""One event of a permit on its way from what was entered to what is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import Row
from sqlalchemy.orm import Session

from app.actor import Actor
from app.errors import InvalidInput
from app.imports.values import BadValue
from app.registry.findings import Finding
from app.registry.permits.schemas import Facts, NewEvent

T = TypeVar("T")


@dataclass
class Step:
    """What is known and decided so far."""

    session: Session
    actor: Actor
    given: NewEvent
    before: Row[Any] | None
    today: date
    values: dict[str, Any]
    """The permit as it will be, by column."""
    changed: set[str] = field(default_factory=set)
    """The facts that the event changes, by the name of the field."""
    found: list[Finding] = field(default_factory=list)
    limits: list[dict[str, Any]] = field(default_factory=list)
    """As they will be."""

    @property
    def facts(self) -> Facts:
        return self.given.facts

    def warn(self, code: str, name: str, message: str, clause: str = "", expected: str = "") -> None:
        self.found.append(Finding("warn", code, name, message, clause, expected))

    def former(self, name: str) -> Any:
        """A fact as it was before."""
        return None if self.before is None else getattr(self.before, name)


def read(name: str, parse: Callable[[], T]) -> T:
    """What a text says. Raises InvalidInput naming the field."""
    try:
        return parse()
    except BadValue as bad:
        facts: Mapping[str, str] = {"field": name, "reason": bad.reason, "expected": bad.expected}
        raise InvalidInput(bad.message, **facts) from None
