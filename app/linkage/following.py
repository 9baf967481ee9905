"""Links follow the facts: single changes of entries and permits are read from `changes`, and what they touch is compared anew.

Read by transaction below the snapshot's horizon, so that nothing is passed over; reading a change twice does no harm.
After an import of many, run the linkage again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import logging
from app.actor import system
from app.db.engine import transaction
from app.deps import Services

log = logging.get(__name__)
READER = "linkage"
ACTOR = system("linkage")
AT_ONCE = 200
"""Changes that are read in a round."""
OWN = ("link",)
"""Actions that come of the linkage itself."""
FOLLOWED = ("intakes", "permits")
PROVINCE = 10_000
NEXT = """
select c.xid::text as xid, c.id, c.layer, c.action, c.entity_id from shuitu.changes c
where (c.xid, c.id) > (cast(:xid as xid8), :id) and c.xid < pg_snapshot_xmin(pg_current_snapshot())
order by c.xid, c.id limit :n"""


def follow(services: Services) -> int:
    """Read what changed since the last time and compare what it touches anew; returns the changes read."""
    with transaction(services.engine, ACTOR) as session:
        xid, last = _reached(session)
        rows = session.execute(text(NEXT), {"xid": xid, "id": last, "n": AT_ONCE}).all()
        if not rows:
            return 0
        model = newest(session)
        wanted = [
            row
            for row in rows
            if row.entity_id is not None
            and row.layer in FOLLOWED
            and row.action not in OWN
            and row.action != "delete"
        ]
        if model is not None and wanted:
            _compare(services, session, wanted, model)
        session.execute(
            text("update shuitu.change_readers set xid = cast(:xid as xid8), id = :id where name = :name"),
            {"xid": rows[-1].xid, "id": rows[-1].id, "name": READER},
        )
        return len(rows)


def _compare(services: Services, session: Session, wanted: Sequence[Any], model: "Known") -> None:
    from app.linkage import relinking  # the engine is loaded when there is something to compare

    intakes = {row.entity_id for row in wanted if row.layer == "intakes"}
    permits = {row.entity_id for row in wanted if row.layer == "permits"}
    try:
        with session.begin_nested():
            relinking.relink(services, session, intakes | relinking.around_permits(session, permits), model)
    except DBAPIError:
        raise  # the database's trouble passes: the next round does it
    except Exception:
        log.exception("re-linking failed", changes=[row.id for row in wanted])


def _reached(session: Session) -> tuple[str, int]:
    """How far the reader has come; one that is new begins with what happens from now on. Others wait meanwhile."""
    session.execute(
        text("""insert into shuitu.change_readers (name, xid, id)
                values (:name, pg_snapshot_xmin(pg_current_snapshot()), 0) on conflict do nothing"""),
        {"name": READER},
    )
    row = session.execute(
        text("select xid::text as xid, id from shuitu.change_readers where name = :name for update"),
        {"name": READER},
    ).one()
    return row.xid, row.id


@dataclass(frozen=True)
class Known:
    """The model of a finished run and its thresholds."""

    run_id: int
    parts: dict[str, Any]
    confirm_at: float
    doubt_at: float

    def of(self, county: int) -> Any:
        """The model of the province, else of any: what a name or a distance is worth differs little."""
        province = county // PROVINCE
        for lo, model in self.parts.items():
            if int(lo) // PROVINCE == province and model:
                return model
        return next((model for model in self.parts.values() if model), None)


def newest(session: Session) -> Known | None:
    """The newest run that is done, with what it learnt."""
    row = session.execute(
        text("""select id, model -> 'parts' as parts, confirm_at, doubt_at from shuitu.link_runs
                where state = 'done' and model is not null order by id desc limit 1""")
    ).first()
    return None if row is None else Known(row.id, row.parts, float(row.confirm_at), float(row.doubt_at))
