"""到期: terms that ran out are entered as events, some hundreds a transaction; killed at any instant, the next run goes on."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import system
from app.db.engine import driver_of, transaction
from app.deps import Services
from app.logging import get
from app.registry.permits import service

ACTOR = system("expire-permits")
BATCH = 500
BACKLOG = 10_000
"""Where a first batch is full, many terms ran out at once, or nobody worked for long: so many a transaction, county by county,
and the map by county too."""

log = get(__name__)
# A permit that an officer has open is left to the next run. The event is dated by the term, not by the day of the run.
EXPIRE = """
with due as materialized (
  select id from shuitu.permits where status = 'valid' and valid_to < (now() at time zone 'Asia/Shanghai')::date
  order by {order} limit :n for update skip locked
), ended as (
  update shuitu.permits p set status = 'expired', event = 'expire', effective_on = p.valid_to + 1, version = p.version + 1
  from due where due.id = p.id returning p.id, p.version, p.valid_to, p.permit_no, p.county_code, p.basin_id
), limits as (
  insert into shuitu.permit_limits (permit_id, version, seq, period, source_type, well_field, purpose, annual_m3, daily_m3, flow_m3s,
      condition, county_code, basin_id)
  select l.permit_id, e.version, l.seq, l.period, l.source_type, l.well_field, l.purpose, l.annual_m3, l.daily_m3, l.flow_m3s,
      l.condition, l.county_code, l.basin_id
  from ended e join shuitu.permit_limits l on l.permit_id = e.id and l.version = e.version - 1
), events as (
  insert into shuitu.permit_events (permit_id, version, event, effective_on, actor_name, county_code, basin_id)
  select id, version, 'expire', valid_to + 1, :actor, county_code, basin_id from ended
), told as (
  insert into shuitu.changes (actor_name, layer, action, entity_id, county_code, basin_id, facts)
  select :actor, 'permits', 'update', id, county_code, basin_id,
         jsonb_build_object('event', 'expire', 'version', version, 'permit_no', permit_no) from ended
)
select id, county_code from ended order by id"""


def expire(services: Services) -> int:
    """Enter every term that ran out; returns how many. A second run finds none."""
    total, size = 0, BATCH
    while True:
        with transaction(services.engine, ACTOR) as session:
            county_of = _batch(session, size)
            ids = sorted(county_of)
            if ids:
                intakes = service.settle(session, ACTOR.username, "expire", ids)
                _publish(services, session, county_of, intakes)
        total += len(ids)
        if len(ids) < size:
            break
        size = BACKLOG
    if total:
        log.info("terms of permits ran out", permits=total)
    return total


def _batch(session: Session, size: int) -> dict[int, int]:
    """Permits that were ended, with their county."""
    order = "valid_to, id" if size == BATCH else "county_code, id"
    rows = session.execute(text(EXPIRE.format(order=order)), {"n": size, "actor": ACTOR.username})
    return {row.id: row.county_code for row in rows}


def _publish(services: Services, session: Session, county_of: dict[int, int], intakes: set[int]) -> None:
    connection = driver_of(session)
    if len(county_of) <= BATCH:
        services.publish_features(connection, "permits", sorted(county_of))
        return
    where = text("select distinct county_code from shuitu.intakes where id = any(:ids)")
    counties = {*county_of.values(), *session.execute(where, {"ids": list(intakes)}).scalars()}
    services.publish(connection, "intakes", sorted(counties))
