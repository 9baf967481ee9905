"""Entries and permits by what their names hold: no more are looked up than are wanted."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db import matching

MOST = 2_000
"""So many entries, holders or permits are few."""


@dataclass(frozen=True)
class Holding:
    """Ids of those whose code, number, name or holder holds a text."""

    intakes: frozenset[int]
    permits: frozenset[int]


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
    if len(words) < matching.TRIGRAM:
        return None
    given = {"q": words, "like": matching.pattern(words), "n": MOST + 1}
    found: list[frozenset[int]] = []
    for statement in (HOLDERS, INTAKES, PERMITS):
        rows = session.execute(text(statement.format(like=matching.operator(words))), given)
        found.append(frozenset(rows.scalars()))
        if len(found[-1]) > MOST:
            return None
        given["holders"] = list(found[0])
    return Holding(found[1], found[2])
