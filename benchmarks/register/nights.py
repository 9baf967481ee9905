"""Everything at once: the terms of a nation's permits run out in one night, and a file renews all of them.

Both go as the worker does them. What follows in the linkage is timed too: what waits behind it is late.
"""

import csv
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from sqlalchemy import text

from app.db.engine import transaction
from app.deps import Services
from app.imports import service as imports
from app.imports.mapping import Mapping
from app.linkage import following
from app.registry.permits import expiry
from benchmarks import Figure
from benchmarks.linkage.scoring import Peak
from benchmarks.register.nation import ACTOR

NIGHT_S = 8 * 3600.0
"""From the end of the day to the first officer."""
RUN_OUT = "update shuitu.permits set valid_from = least(valid_from, current_date - 1800), valid_to = current_date - 2 where status = 'valid'"
FILE = """
select permit_no, holder_name, county_code, source_type, purpose, annual_volume_m3 / 10000, current_date, current_date + 1800
from shuitu.permits order by county_code, id"""
HEADINGS = ("许可证编号", "取水权人", "县级行政区划代码", "水源类型", "取水用途", "年最大取水量(万m3)", "有效期起", "有效期止", "办理事项", "批准日期")  # fmt: skip


def expired(services: Services) -> Iterator[Figure]:
    """All terms run out; then the readers of changes hear of it."""
    assert services.dsns.admin is not None
    with psycopg.connect(services.dsns.admin) as connection:
        # Terms that ran out are what is looked for, not a change of them: nothing is recorded of it.
        connection.execute("set local session_replication_role = replica")
        connection.execute(RUN_OUT.encode())
    yield from _timed("terms run out", "permits", lambda: expiry.expire(services))
    yield from _timed("the linkage hears of it", "changes", lambda: _all_followed(services))


def bulk(services: Services) -> Iterator[Figure]:
    """A file renews every permit."""
    path = services.settings.data_dir / "renewals.csv"
    _write(services, path)

    def bring_in() -> int:
        with transaction(services.engine, ACTOR) as session:
            record = imports.submit(
                session, ACTOR, imports.Submission("permits", path, path.name, Mapping()), None
            )
        done = imports.run(services, services.parts["import_kinds"], record.id, ACTOR)
        return done.rows_changed or 0

    yield from _timed("a file renews permits", "permits", bring_in)


def _write(services: Services, path: Path) -> None:
    with (
        transaction(services.engine, ACTOR) as session,
        path.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        out = csv.writer(file)
        out.writerow(HEADINGS)
        for row in session.execute(text(FILE), execution_options={"yield_per": 10_000}):
            out.writerow([*row, "延续", row[6]])


def _all_followed(services: Services) -> int:
    total = 0
    while done := following.follow(services):
        total += done
    return total


def _timed(what: str, unit: str, work: Callable[[], int]) -> Iterator[Figure]:
    began, cpu = time.perf_counter(), _processor_s()
    with Peak() as peak:
        n = work()
    seconds, cpu = time.perf_counter() - began, _processor_s() - cpu
    yield Figure(
        f"{what}: {n:,} {unit}", seconds, "s", "a night", NIGHT_S, NIGHT_S / max(seconds, 1e-9), 1.0,
        f"{n / max(seconds, 1e-9):,.0f} a second; {cpu:.0f} s of processor in this process, beside the database's; "
        f"peak {peak.mib:.0f} MiB; load {os.getloadavg()[0]:.0f}",
    )  # fmt: skip


def _processor_s() -> float:
    return float(sum(os.times()[:4]))
