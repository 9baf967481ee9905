"""Texts held against many names, fast for one that millions hold too.

Trigram indexes find a text of three characters and more. `LIKE` where a text has no upper and lower case, as Chinese has
none: `ILIKE` turns every name into lower case first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.errors import TooCostly

TRIGRAM = 3
"""Characters that an index wants to know."""


def operator(words: str) -> Literal["like", "ilike"]:
    """What compares names with a pattern of this text."""
    return "like" if words.lower() == words.upper() else "ilike"


def pattern(words: str) -> str:
    """What a name that holds the text is like; those that begin with it without the first character."""
    return "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


@contextmanager
def within(session: Session, seconds: float) -> Iterator[None]:
    """Statements that take no longer. Raises TooCostly: a question that no index answers can be made smaller."""
    setting = text("select set_config('statement_timeout', :value, true)")
    former = session.execute(text("show statement_timeout")).scalar_one()
    session.execute(setting, {"value": f"{seconds * 1000:.0f}"})
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.errors.QueryCanceled):
            raise
        raise too_long(seconds) from None
    session.execute(setting, {"value": former})


def too_long(seconds: float) -> TooCostly:
    """What whoever waited so long is told."""
    return TooCostly(
        f"超过 {seconds:g} 秒仍未找完，请多输入几个字或缩小范围 "
        f"(not found within {seconds:g} s: type more characters, or narrow the filter)",
        field="q",
    )
