"""The change log as it is read: by transaction below the snapshot's horizon, never by "id > last".

Ids are given out before a transaction commits, so a lower id may appear after a higher one; a
transaction below the horizon is settled, and nothing will ever appear in it again.
"""

import re
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.errors import InvalidInput

CURSOR = re.compile(r"[0-9]{1,18}\.[0-9]{1,18}")
PAGE = """
select id, xid::text as xid, at, actor_name, layer, action, entity_id, county_code, facts from shuitu.changes
where (xid, id) > (cast(:xid as xid8), :id) and xid < pg_snapshot_xmin(pg_current_snapshot())
order by xid, id limit :n"""


def cursor(after: str | None) -> tuple[int, int]:
    """Transaction and id of a cursor; the beginning without one. Raises InvalidInput."""
    if not after:
        return 0, 0
    if not CURSOR.fullmatch(after):
        raise InvalidInput(
            f"after 应为此前返回的 next (is a `next` that was given before): {after!r}",
            field="after",
            value=after,
        )
    xid, _, number = after.partition(".")
    return int(xid), int(number)


def page(session: Session, after: str | None, limit: int) -> dict[str, Any]:
    """Changes after a cursor, in the order in which they were settled."""
    xid, number = cursor(after)
    rows = session.execute(text(PAGE), {"xid": str(xid), "id": number, "n": limit}).all()
    last = f"{rows[-1].xid}.{rows[-1].id}" if rows else f"{xid}.{number}"
    return {"items": [{k: v for k, v in row._mapping.items() if k != "xid"} for row in rows], "next": last}
