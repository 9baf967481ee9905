"""Links follow the facts: changes of entries and permits are read from `changes`, and what they touch is compared anew.

Read by transaction below the snapshot's horizon, so that nothing is passed over; reading a change twice does no harm.
An import counts as one change a county: the rows that it touched are compared a few at a time, and where they are many
the entries of their counties together. Before the first run there is no model to compare by, and nothing to follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
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
"""Changes of single entries and permits that are followed in a round."""
MANY_AT_ONCE = 5_000
"""Terms that ran out in a round: they are settled without a comparison. (A night may end a hundred thousand.)"""
AHEAD = 20_000
"""So far a round looks for changes that concern it."""
OWN = ("link",)
"""Actions that come of the linkage itself."""
FOLLOWED = ("intakes", "permits")
PROVINCE = 10_000
# What concerns nobody here is passed over by the database; the last row says how far was looked.
NEXT = """
with ahead as materialized (
  select c.xid, c.id, c.layer, c.action, c.entity_id, c.county_code, c.facts ->> 'event' as event, c.facts ->> 'import' as import_id
  from shuitu.changes c where (c.xid, c.id) > (cast(:xid as xid8), :id) and c.xid < pg_snapshot_xmin(pg_current_snapshot())
  order by c.xid, c.id limit :ahead
), concerning as (
  select * from ahead where layer = any(:followed) and action <> all(:passed)
    and (import_id is not null or entity_id is not null and not (layer = 'intakes' and event is not distinct from 'expire'))
  order by xid, id limit :n
)
select xid::text as xid, id, layer, action, entity_id, county_code, event, import_id, true as concerns from concerning
union all
(select xid::text, id, null, null, null, null, null, null, false from ahead order by xid desc, id desc limit 1)"""


def follow(services: Services) -> int:
    """Read what changed since the last time and compare what it touches anew; returns how many changes were looked at."""
    with transaction(services.engine, ACTOR) as session:
        xid, last = _reached(session)
        given = {"xid": xid, "id": last, "n": MANY_AT_ONCE, "ahead": AHEAD, "followed": list(FOLLOWED), "passed": [*OWN, "delete"]}  # fmt: skip
        found = session.execute(text(NEXT), given).all()
        if not found:
            return 0
        *rows, end = found
        model = newest(services, session)
        if model is not None and rows:
            together = _alike(rows)
            if len(together) < len(rows) or len(rows) == MANY_AT_ONCE:
                end = together[-1]
            if together[0].import_id:
                _imported(services, together, model)
            else:
                _compare(services, session, together, model)
        session.execute(
            text("update shuitu.change_readers set xid = cast(:xid as xid8), id = :id where name = :name"),
            {"xid": end.xid, "id": end.id, "name": READER},
        )
        return max(1, len(rows))


def _alike(rows: Sequence[Any]) -> Sequence[Any]:
    """The first of these that are done together: single changes, terms that ran out, or those of one import in one province."""

    def kind(row: Any) -> Any:
        if row.import_id:
            return row.import_id, row.layer, row.county_code // PROVINCE
        return row.event == "expire"

    first = kind(rows[0])
    together = list(takewhile(lambda row: kind(row) == first, rows))
    return together if first else together[:AT_ONCE]


def _compare(services: Services, session: Session, wanted: Sequence[Any], model: "Known") -> None:
    from app.linkage import relinking, standing  # the engine is loaded when there is something to compare

    intakes = {row.entity_id for row in wanted if row.layer == "intakes"}
    permits = {row.entity_id for row in wanted if row.layer == "permits"}
    # A term that ran out says nothing of where an intake is: only whether it still is one that a permit lists.
    ended = {row.entity_id for row in wanted if row.layer == "permits" and row.event == "expire"}
    try:
        with session.begin_nested():
            standing.settle_permits(session, sorted(ended))
            relinking.relink_all(
                services, session, intakes | relinking.around_permits(session, permits - ended), model
            )
    except DBAPIError:
        raise  # the database's trouble passes: the next round does it
    except Exception:
        log.exception("re-linking failed", changes=[row.id for row in wanted])


def _imported(services: Services, rows: Sequence[Any], model: "Known") -> None:
    """What an import touched in a province. In transactions of their own: a killed one begins anew, and does no harm."""
    from app.linkage import relinking

    try:
        relinking.relink_imported(
            services, rows[0].import_id, rows[0].layer, [row.county_code for row in rows], model
        )
    except DBAPIError:
        raise
    except Exception:
        log.exception("re-linking failed", changes=[row.id for row in rows])


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
    readable: bool = True

    def of(self, county: int) -> Any:
        """The model of the province, else of any: what a name or a distance is worth differs little."""
        province = county // PROVINCE
        for lo, model in self.parts.items():
            if int(lo) // PROVINCE == province and model:
                return model
        return next((model for model in self.parts.values() if model), None)


def newest(services: Services, session: Session) -> Known | None:
    """The newest run that is done, with what it learnt: megabytes, which a process reads once."""
    row = session.execute(
        text("""select id, confirm_at, doubt_at from shuitu.link_runs
                where state = 'done' and model is not null order by id desc limit 1""")
    ).first()
    if row is None:
        return None
    kept: Known | None = services.parts.get(READER)
    if kept is None or kept.run_id != row.id:
        parts = session.execute(
            text("select model -> 'parts' from shuitu.link_runs where id = :id"), {"id": row.id}
        ).scalar_one()
        kept = services.parts[READER] = Known(
            row.id, parts, float(row.confirm_at), float(row.doubt_at), _readable(row.id, parts)
        )
    return kept if kept.readable else None


def _readable(run_id: int, parts: dict[str, Any]) -> bool:
    """Whether this release reads the models. If not, nothing is followed and no link weakened until the next run."""
    from app.linkage.engine.model import VERSION

    found = all(model.get("version") == VERSION for model in parts.values() if model)
    if not found:
        log.warning(
            "links do not follow: the model is of another release; start a run of the linkage", run_id=run_id
        )
    return found
