"""What other systems follow: first everything in their scope, then every change, each in its settled order.

The log of changes is read by transaction below the snapshot's horizon (`app.changes.queries`), so a reader that keeps
`next` misses nothing and is told nothing twice. An entry is given as it is when it is read: between a change and its
reading it may have changed again, and is then told again.
"""

from typing import Any

from sqlalchemy.orm import Session

from app.exchange import queries
from app.exchange.rules import LAYERS, Cursor

Told = tuple[Any | None, str, int]
"""A change (None in the first reading), layer and entry."""


def page(session: Session, at: Cursor | None, limit: int) -> dict[str, Any]:
    """At most `limit` entries after a cursor; from the beginning without one."""
    at = at or Cursor("all", queries.horizon(session), 0, 0)
    told: list[Told] = []
    while len(told) < limit:
        room = limit - len(told)
        found, at, more = _everything(session, at, room) if at.stage == "all" else _changed(session, at, room)
        told += found
        if not more:
            break
    else:
        more = True
    return {"items": _items(session, told), "next": str(at), "more": more}


def now(session: Session) -> Cursor:
    """A cursor for those who want only what changes from here on."""
    return Cursor("log", queries.horizon(session), 0, 0)


def _everything(session: Session, at: Cursor, room: int) -> tuple[list[Told], Cursor, bool]:
    """The next entries of the first reading; at its end the cursor stands where the log had been at its beginning."""
    ids = queries.ids_after(session, LAYERS[at.a], at.b, room)
    told: list[Told] = [(None, LAYERS[at.a], entry) for entry in ids]
    if len(ids) == room:
        return told, Cursor("all", at.xid, at.a, ids[-1]), True
    if at.a + 1 < len(LAYERS):
        return told, Cursor("all", at.xid, at.a + 1, 0), True
    # Transactions from this one on were not settled when the reading began.
    return told, Cursor("log", at.xid, 0, 0), True


def _changed(session: Session, at: Cursor, room: int) -> tuple[list[Told], Cursor, bool]:
    """What the next changes of the log concern."""
    told: list[Told] = []
    if at.b:  # in the middle of a bulk change
        bulk = queries.change(session, at.xid, at.a)
        ids = queries.written_by(session, bulk, at.b - 1, room) if bulk else []
        told += [(bulk, bulk.layer, entry) for entry in ids] if bulk else []
        if len(ids) == room:
            return told, Cursor("log", at.xid, at.a, ids[-1] + 1), True
        at = Cursor("log", at.xid, at.a, 0)
    asked = room - len(told) + 1
    rows = queries.changes_after(session, at.xid, at.a, asked)
    for row in rows:
        left = room - len(told)
        if not left:
            return told, at, True
        if row.entity_id is not None:
            told.append((row, row.layer, row.entity_id))
        else:
            ids = queries.written_by(session, row, 0, left)
            told += [(row, row.layer, entry) for entry in ids]
            if len(ids) == left:
                return told, Cursor("log", int(row.xid), row.id, ids[-1] + 1), True
        at = Cursor("log", int(row.xid), row.id, 0)
    return told, at, len(rows) == asked


def _items(session: Session, told: list[Told]) -> list[dict[str, Any]]:
    known = {
        layer: queries.entities(session, layer, [i for _, of, i in told if of == layer]) for layer in LAYERS
    }
    return [
        {
            "layer": layer,
            "id": entry,
            "action": "present" if change is None else change.action,
            "at": change.at if change is not None else None,
            "actor_name": change.actor_name if change is not None else None,
            "gone": entry not in known[layer],
            layer.removesuffix("s"): known[layer].get(entry),
        }
        for change, layer, entry in told
    ]
