"""Entries and permits by what their names hold, fast for a text that millions hold too: no more are looked up than are wanted.

Trigram indexes find a text of three characters and more. `LIKE` where a text has no upper and lower case, as Chinese has
none: `ILIKE` turns every name into lower case first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.errors import TooCostly

TRIGRAM = 3
MOST = 2_000
"""So many entries, holders or permits are few."""


@dataclass(frozen=True)
class Holding:
    """Ids of those whose code, number, name or holder holds a text."""

    intakes: frozenset[int]
    permits: frozenset[int]


def operator(words: str) -> Literal["like", "ilike"]:
    """What compares names with a pattern of this text."""
    return "like" if words.lower() == words.upper() else "ilike"


def pattern(words: str) -> str:
    """What a name that holds the text is like; those that begin with it without the first character."""
    return "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


INTAKES = """
(select id from shuitu.intakes where code = :q limit :n)
union (select id from shuitu.intakes where name {like} :like limit :n)
union (select i.id from unnest(cast(:holders as bigint[])) h(id) join shuitu.intakes i on i.holder_id = h.id limit :n)"""
HOLDERS = "select id from shuitu.holders where name {like} :like limit :n"
PERMITS = """
(select id from shuitu.permits where permit_no = :q limit :n)
union (select id from shuitu.permits where holder_name {like} :like limit :n)"""


def holding(session: Session, words: str) -> Holding | None:
    """Those that hold the text, in the caller's scope; None if they are many, or the text is too short for an index."""
    if len(words) < TRIGRAM:
        return None
    given = {"q": words, "like": pattern(words), "n": MOST + 1}
    found: list[frozenset[int]] = []
    for statement in (HOLDERS, INTAKES, PERMITS):
        rows = session.execute(text(statement.format(like=operator(words))), given)
        found.append(frozenset(rows.scalars()))
        if len(found[-1]) > MOST:
            return None
        given["holders"] = list(found[0])
    return Holding(found[1], found[2])


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
        raise TooCostly(
            f"超过 {seconds:g} 秒仍未找完，请多输入几个字或缩小范围 "
            f"(not found within {seconds:g} s: type more characters, or narrow the filter)",
            field="q",
        ) from None
    session.execute(setting, {"value": former})
