"""Single events on a nation's register: what follows from each in the linkage, from its commit to the committed proposal.

An entry is added where an unlinked permit's intake lies, an entry is moved, a permit is granted over an entry without
one, a permit is varied in what it lists. Each goes through the service that the API calls, in a transaction of its own;
then the reader of changes, as the worker runs it, is timed until it has read the event.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.db.engine import driver_of, transaction
from app.deps import Services
from app.errors import InvalidInput
from app.linkage import following
from app.registry import service as registry
from app.registry.permits import service as permits
from app.registry.permits.schemas import Facts, NewEvent, NewPermit, PointIn
from benchmarks import Figure
from benchmarks.register.nation import ACTOR

GOAL_S = 1.0
TODAY = datetime.now(UTC).date()
AWAY = 0.02
"""Degrees."""
# Rows by chance, but the same in each run: some keys anywhere among the ids.
SPREAD = """
select {columns} from (select min(id) as lo, max(id) as hi from {table}) r
cross join generate_series(1, :n * 8) g
cross join lateral (select * from {table} x where x.id >= r.lo + ((r.hi - r.lo) * ((g * 0.6180339887) % 1.0))::bigint and {which} order by x.id limit 1) x
limit :n"""
PLACE = "x.id, x.county_code, x.name, x.holder_name, x.source_type, st_x(x.geom) as lon, st_y(x.geom) as lat"


def measure(services: Services, events: int) -> Iterator[Figure]:
    """A figure for each kind of event."""
    while following.follow(services):
        pass
    kinds: dict[str, tuple[Callable[[Services, int], Iterator[Callable[[Session], Any]]], str]] = {
        "an entry is added": (
            _added,
            "select exists (select from shuitu.link_outcomes where intake_id = :id)",
        ),
        "an entry is moved 2 km": (_moved, ""),
        "a permit is granted": (
            _granted,
            "select exists (select from shuitu.link_outcomes where permit_id = :id) or exists (select from shuitu.link_pairs where permit_id = :id)",
        ),
        "a permit is changed": (_varied, ""),
    }
    for name, (kind, proposed) in kinds.items():
        took, processor = [], []
        for happens in kind(services, events):
            try:
                with transaction(services.engine, ACTOR) as session:
                    made = happens(session)
            except InvalidInput:  # it lies at a county's edge: another one
                continue
            seconds, cpu = _followed(services)
            if proposed and not _true(services, proposed, made[0] if isinstance(made, tuple) else made):
                raise SystemExit(f"{name}: nothing came of it")
            took.append(seconds)
            processor.append(cpu)
        if not took:
            raise SystemExit(f"{name}: nothing that could happen was found")
        yield Figure(
            f"{name}: to the proposal, p95", float(np.percentile(took, 95)), "s", "limit", GOAL_S, GOAL_S / float(np.percentile(took, 95)), 1.0,
            f"{len(took)} events, p50 {np.median(took):.3f} s; processor p50 {np.median(processor):.3f} s, p95 {np.percentile(processor, 95):.3f} s, "
            "of this process and the database's",
        )  # fmt: skip


def _true(services: Services, query: str, identifier: int) -> bool:
    with transaction(services.engine, ACTOR) as session:
        return bool(session.execute(text(query), {"id": identifier}).scalar_one())


def _followed(services: Services) -> tuple[float, float]:
    """Seconds from the commit until the reader has read all there is, and seconds of processor meanwhile."""
    began, cpu = time.perf_counter(), time.process_time() + _database_s(services)
    while not following.follow(services):
        pass
    seconds = time.perf_counter() - began
    cpu = time.process_time() + _database_s(services) - cpu
    while following.follow(services):
        pass
    return seconds, cpu


def _database_s(services: Services) -> float:
    """Seconds of processor of the backends that this process talks to: they stay in the pool, so the differences hold."""
    with transaction(services.engine, ACTOR) as session:
        pids = session.execute(
            text(
                "select pid from pg_stat_activity where backend_type = 'client backend' and usename = current_user"
            )
        ).scalars()
        return sum(_processor_s(pid) for pid in pids)


def _processor_s(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0]) / 1e9


# ── what happens ────────────────────────────────────────────────────────────────────────────────────


def _some(services: Services, table: str, columns: str, which: str, n: int) -> list[Row[Any]]:
    with transaction(services.engine, ACTOR) as session:
        query = SPREAD.format(table=f"shuitu.{table}", columns=columns, which=which)
        return list(session.execute(text(query), {"n": n}))


def _added(services: Services, n: int) -> Iterator[Callable[[Session], Any]]:
    rows = _some(
        services, "permit_points", PLACE.replace("x.holder_name", "'' as holder_name"), "x.seq = 100", n
    )
    for number, row in enumerate(rows):
        values = {
            "code": f"{row.county_code}E{time.time_ns() % 10**9:09d}{number}", "name": row.name, "county_code": row.county_code,
            "source_type": row.source_type,
        }  # fmt: skip
        yield lambda session, values=values, row=row: registry.create(
            session, ACTOR, values, (row.lon + 2e-5, row.lat), _of_intakes(services)
        )


def _moved(services: Services, n: int) -> Iterator[Callable[[Session], Any]]:
    for row in _some(services, "intakes", PLACE, "x.permit_state = 'linked'", n):
        yield lambda session, row=row: registry.change(
            session, ACTOR, registry.locked(session, row.id), {}, (row.lon + AWAY, row.lat), _of_intakes(services), whole=False
        )  # fmt: skip


def _granted(services: Services, n: int) -> Iterator[Callable[[Session], Any]]:
    for number, row in enumerate(_some(services, "intakes", PLACE, "x.permit_state = 'unpermitted'", n)):
        source = "G" if row.source_type == "groundwater" else "S"
        given = NewPermit(
            permit_no=f"D{row.county_code}{source}{TODAY.year}-{time.time_ns() // 1000 % 10**5:05d}{number % 10}",
            holder_name=f"{row.name}管理所",
            county_code=row.county_code,
            valid_to=TODAY + timedelta(days=1800),
            valid_from=TODAY,
            source_type=row.source_type,
            points=[PointIn(name=row.name, lon=row.lon + 2e-5, lat=row.lat, source_type=row.source_type)],
        )
        yield lambda session, given=given: permits.issue(session, ACTOR, given, _of_layers(services))


def _varied(services: Services, n: int) -> Iterator[Callable[[Session], Any]]:
    columns = "x.id, x.version, (select jsonb_agg(jsonb_build_object('name', t.name, 'lon', st_x(t.geom) + 0.001, 'lat', st_y(t.geom), "
    columns += "'source_type', t.source_type)) from shuitu.permit_points t where t.permit_id = x.id and t.valid_to is null) as points"
    for row in _some(services, "permits", columns, "x.status = 'valid' and x.valid_to > current_date", n):
        facts = Facts(points=[PointIn.model_validate(one) for one in row.points])
        given = NewEvent(
            event="vary", version=row.version, reason="取水口位置变更", document_no="x", facts=facts
        )
        yield lambda session, given=given, row=row: permits.record_event(
            session, ACTOR, row.id, given, _of_layers(services)
        )


def _of_intakes(services: Services) -> registry.Publish:
    def publish(session: Session, ids: Iterable[int]) -> None:
        services.publish_features(driver_of(session), "intakes", ids)

    return publish


def _of_layers(services: Services) -> permits.Publish:
    def publish(session: Session, layer: str, ids: Iterable[int]) -> None:
        services.publish_features(driver_of(session), layer, ids)

    return publish
