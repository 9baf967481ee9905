"""Links follow the facts: after an entry or a permit changed, what hangs on it is compared anew, by the model at hand.

Some entries at a time, with the permits' intakes around them and the entries that compete for these: well under a second.
What an import touched, where it is much, by whole counties against all permits' intakes of the province.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.changes import service as changes
from app.db.engine import driver_of, transaction
from app.deps import Services
from app.linkage import following, records, running, standing, store
from app.linkage.engine import PAIRS, link, score
from app.linkage.engine.records import LinkSettings
from app.registry.queries import beyond_scope

ACTOR = following.ACTOR
PROVINCE = following.PROVINCE
NEAR_DEGREES = 0.03
"""How far around an entry permits' intakes are its rivals: about 3 km."""
MOST = 400
"""Records of a side that a small comparison takes."""


MANY = 1_000
"""Entries, or permits, that an import touched in a province: beyond, their counties are compared whole."""
SOME = 20
"""Permits whose surroundings are looked up at a time."""


def relink_all(services: Services, session: Session, intakes: Iterable[int], known: following.Known) -> None:
    """Compare these entries anew, however many, some at a time."""
    for ids in _lots(sorted(set(intakes)), MOST // 2):
        relink(services, session, ids, known)


def _lots(ids: Sequence[int], size: int) -> list[Sequence[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def relink(
    services: Services, session: Session, intakes: Iterable[int], known: following.Known
) -> store.Stored | None:
    """Compare these entries anew with the permits' intakes around them, and write what follows."""
    ids = sorted(set(intakes))[:MOST]
    connection = driver_of(session)
    left = records.intakes_named(connection, ids)
    county = session.execute(
        text("select min(county_code) from shuitu.intakes where id = any(:ids)"), {"ids": ids}
    ).scalar()
    model = known.of(county) if county is not None else None
    pairs = None
    if len(left) and model is not None:
        listed = records.listed_of(connection, _rivals(session, ids))
        if len(listed):
            # Entries that compete for the same permits are weighed too, but nothing is written of them.
            others = records.intakes_named(connection, _competing(session, ids, listed))
            settings = LinkSettings(
                confirm_at=known.confirm_at, choose_at=max(0.5, known.doubt_at), keep_at=known.doubt_at
            )
            together = records.without_idle_codes(pa.concat_tables([left, others]), listed)
            pairs = score(together, listed, model, settings)
    stored = store.store(session, _of(pairs, left), known.run_id, intakes=ids)
    running.publish(services, session, stored, whole=False)
    _tell(session, stored)
    return stored


def _of(pairs: pa.Table | None, left: pa.Table) -> pa.Table:
    if pairs is None:
        return PAIRS.empty_table()
    return pairs.filter(pc.is_in(pairs["a"], value_set=left["id"].combine_chunks()))


# Permits whose listed intakes lie near by, that share the holder, or that the entry was paired with before. Boxes are made
# first: under row-level security no index serves a comparison with what a function makes of another row.
RIVALS = """
with mine as materialized (select i.id, st_expand(i.geom, :degrees) as box, i.county_code, i.holder_name, h.uscc from shuitu.intakes i
                           left join shuitu.holders h on h.id = i.holder_id where i.id = any(:ids))
select permit_id from (
  select t.permit_id, 0 as rank from mine join shuitu.permit_points t on t.geom && mine.box and t.valid_to is null
  union all
  select p.id, 1 from mine join shuitu.holders h on h.name = mine.holder_name and mine.holder_name <> '' and h.county_code / 100 = mine.county_code / 100
    join shuitu.permits p on p.holder_id = h.id
  union all
  select p.id, 1 from mine join shuitu.holders h on h.uscc = mine.uscc join shuitu.permits p on p.holder_id = h.id
  union all
  select l.permit_id, 0 from shuitu.link_pairs l where l.intake_id = any(:ids)
  union all
  select k.permit_id, 0 from shuitu.permit_intakes k where k.intake_id = any(:ids) and k.valid_to is null
) r group by permit_id order by min(rank) limit :most"""


def _rivals(session: Session, ids: Sequence[int]) -> list[int]:
    given = {"ids": list(ids), "degrees": NEAR_DEGREES, "most": MOST}
    return list(session.execute(text(RIVALS), given).scalars())


COMPETING = """
select id from (
  select distinct k.intake_id as id from shuitu.permit_intakes k where k.permit_id = any(:permits) and k.valid_to is null
  union select l.intake_id from shuitu.link_pairs l where l.permit_id = any(:permits) and l.state in ('open', 'confirmed')
) r where not (id = any(:ids)) limit :most"""


def _competing(session: Session, ids: Sequence[int], listed: pa.Table) -> list[int]:
    permits = [int(one) for one in listed["group"].unique().to_pylist()]
    given = {"ids": list(ids), "permits": permits, "most": MOST}
    return list(session.execute(text(COMPETING), given).scalars())


# Each way by its own index, and only then the entries: with `or` between them all of the register is read.
AROUND_PERMITS = """
with listed as materialized (select st_expand(t.geom, :degrees) as box from shuitu.permit_points t where t.permit_id = any(:permits) and t.valid_to is null)
select i.id from (
  select l.intake_id as id from shuitu.link_pairs l where l.permit_id = any(:permits)
  union select k.intake_id from shuitu.permit_intakes k where k.permit_id = any(:permits)
  union select n.id from listed join shuitu.intakes n on n.geom && listed.box
  union select n.id from shuitu.permits p join shuitu.holders h on h.name = p.holder_name and h.county_code / 100 = p.county_code / 100
        join shuitu.intakes n on n.holder_id = h.id where p.id = any(:permits) and p.holder_name <> ''
) r join shuitu.intakes i using (id) where i.off_stream and i.status <> 'ended' limit :most"""


def around_permits(session: Session, permits: Iterable[int]) -> set[int]:
    """Entries that these permits' changes may concern."""
    found: set[int] = set()
    for lot in _lots(sorted(permits), SOME):
        given = {"permits": list(lot), "degrees": NEAR_DEGREES / 3, "most": MOST}
        found |= set(session.execute(text(AROUND_PERMITS), given).scalars())
    return found


# ── what an import touched ──────────────────────────────────────────────────────────────────────────

# A row that a later import touched again is that one's.
TOUCHED = {
    "intakes": "select id from shuitu.intakes where import_id = cast(:id as uuid) and county_code = any(:counties) limit :most",
    "permits": """select id from shuitu.permits where import_id = cast(:id as uuid) and county_code = any(:counties)
                  union select permit_id from shuitu.permit_points where import_id = cast(:id as uuid) and county_code = any(:counties) limit :most""",
}


def relink_imported(
    services: Services, import_id: str, layer: str, counties: Sequence[int], known: following.Known
) -> None:
    """Compare anew what an import touched in these counties of a province."""
    with transaction(services.engine, ACTOR) as session:
        given = {"id": import_id, "counties": list(counties), "most": MANY + 1}
        touched = list(session.execute(text(TOUCHED[layer]), given).scalars())
        if len(touched) <= MANY:
            entries = set(touched) if layer == "intakes" else around_permits(session, touched)
            relink_all(services, session, entries, known)
            return
    relink_counties(services, counties, known)


def relink_counties(services: Services, counties: Sequence[int], known: following.Known) -> None:
    """Compare all entries of these counties of one province anew, by the model at hand."""
    lo = counties[0] // PROVINCE * PROVINCE
    part = records.Part(lo, lo + PROVINCE)
    model = known.of(lo)
    if model is None:
        return
    with transaction(services.engine, ACTOR) as session:
        connection = driver_of(session)
        left, right = records.intakes_in(connection, counties), records.listed_in(connection, part)
    pairs = PAIRS.empty_table()
    if len(left) and len(right):
        settings = LinkSettings(
            confirm_at=known.confirm_at, choose_at=max(0.5, known.doubt_at), keep_at=known.doubt_at, model=model, processes=1
        )  # fmt: skip
        pairs = link(records.without_idle_codes(left, right), right, settings).pairs
    of = left["county_code"].take(pc.index_in(pairs["a"], value_set=left["id"].combine_chunks()))
    sizes = Counter(dict.fromkeys(counties, 0))
    sizes.update(int(code) for code in left["county_code"].to_pylist())
    for lot in running.batches(sizes):
        mine = pairs.filter(pc.is_in(of, value_set=pa.array([str(county) for county in lot])))
        with transaction(services.engine, ACTOR) as session:
            running.write(services, session, ACTOR, mine, known.run_id, lot, part)
            with beyond_scope(session):
                standing.settle_counties(session, lot, known.run_id)


def _tell(session: Session, stored: store.Stored) -> None:
    if not stored.changed:
        return
    rows = session.execute(
        text(
            "select id, county_code, basin_id, st_x(geom) as x, st_y(geom) as y from shuitu.intakes where id = any(:ids)"
        ),
        {"ids": sorted(stored.changed)},
    )
    for row in rows:
        changes.record(
            session, ACTOR.username, "intakes", "link", row.county_code, basin_id=row.basin_id,
            entity_id=row.id, box=(row.x, row.y, row.x, row.y), facts={"relinked": True},
        )  # fmt: skip
