"""A run of the linkage: the entries and the permits of a jurisdiction are brought together, part by part.

It can be killed at any instant. What the engine found for a part is kept in a file as soon as it is whole, some counties
at a time are written in a transaction of their own, and the run's row says which are done: started again, it goes on there.
While the database writes one part, the engine compares the next.
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor, Jurisdiction, Role
from app.changes import service as changes
from app.db.engine import driver_of, transaction
from app.deps import Services
from app.errors import ShuituError
from app.linkage import records, runs, standing, store
from app.linkage.engine.records import PAIRS, Linked, LinkSettings
from app.linkage.records import Part
from app.logging import get
from app.registry.queries import beyond_scope

log = get(__name__)
Progress = Callable[[float, str], None]
PROVINCE = 10_000
PUBLISHED_SINGLY = 400
"""Up to so many changed entries of a transaction are published one by one; beyond, their counties are."""
BEAT_S = 5.0
"""While the engine compares, so often it is asked whether someone stopped the run."""
AT_ONCE = 40_000
"""Entries that a transaction writes, at least a county's: some seconds."""


class Cancelled(Exception):
    """Someone cancelled the run while it worked."""


def run(services: Services, run_id: int, progress: Progress = lambda share, step: None) -> dict[str, Any]:
    """Carry a run out, or go on with it. Returns its record; a cancelled one has what was written until then."""
    with transaction(services.engine, _nation()) as session:
        actor = runs.actor_of(session, run_id)
    with transaction(services.engine, actor) as session:
        record = runs.find(session, run_id)
        if record["state"] in ("done", "cancelled"):
            return record
        runs.note(session, run_id, state="running", problem=None)
    try:
        _Run(services, actor, record, progress).carry_out()
    except Cancelled:
        log.info("run of the linkage cancelled", run_id=run_id)
    except ShuituError as error:
        _failed(services, actor, run_id, str(error))
        raise
    except Exception:
        log.exception("linkage failed", run_id=run_id)
        _failed(services, actor, run_id, "比对时出现未预料的错误，详见日志 (unexpected error; see the log)")
        raise
    with transaction(services.engine, actor) as session:
        return runs.find(session, run_id)


def _nation() -> Actor:
    return Actor("system:link", Role.ADMIN, Jurisdiction.nation())


def _failed(services: Services, actor: Actor, run_id: int, problem: str) -> None:
    with transaction(services.engine, actor) as session:
        runs.note(session, run_id, state="failed", problem=problem)


class _Run:
    """One run while it works."""

    def __init__(
        self, services: Services, actor: Actor, record: Mapping[str, Any], progress: Progress
    ) -> None:
        self.services, self.actor, self.record, self.progress = services, actor, record, progress
        self.id = int(record["id"])
        self.folder = services.settings.data_dir / "linkage" / f"run-{self.id}"
        self.done = set(record["counties_done"])
        self.models: dict[str, Any] = {}
        self.counts: dict[str, Any] = dict(record["facts"])
        self.began = time.monotonic()

    def carry_out(self) -> None:
        with transaction(self.services.engine, self.actor) as session:
            runs.note(session, self.id, progress=0.0)
            session.execute(
                text("update shuitu.link_runs set started_at = coalesce(started_at, now()) where id = :id"),
                {"id": self.id},
            )
            parts = self._parts(session)
        self.folder.mkdir(parents=True, exist_ok=True)
        total = sum(size for sizes in parts.values() for size in sizes.values()) or 1
        before = 0
        # One part ahead, so that memory holds two at the most.
        with ThreadPoolExecutor(1, "compare") as engine:
            left = list(parts.items())
            coming = self._asked(engine, left)
            for number, (part, sizes) in enumerate(left):
                self._tell(before / total, f"比对 {part.lo} (comparing)")
                while not coming.done():
                    self._tell(before / total, f"比对 {part.lo} (comparing)")
                    wait([coming], BEAT_S)
                found = coming.result()
                coming = self._asked(engine, left[number + 1 :])
                for name, n in found.counts.items():
                    self._add(name, n)
                self.models[str(part.lo)] = found.model
                self._write(part, found, sizes, before, total)
                before += sum(sizes.values())
        for part, sizes in parts.items():
            self._listed(part, list(sizes))
        with transaction(self.services.engine, self.actor) as session:
            self._finish(session)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.progress(1.0, "比对完成 (done)")

    def _parts(self, session: Session) -> dict[Part, dict[int, int]]:
        """Provinces with the counties in them that the actor sees, each with its size: of one province, the whole scope is
        one part."""
        counties = session.execute(
            text("""select county_code, sum(n)::bigint as n from (
                      select county_code, count(*) as n from shuitu.intakes group by 1
                      union all select county_code, 1 from shuitu.permits group by 1
                      union all select county_code, 1 from shuitu.permit_points group by 1) c group by 1 order by 1""")
        ).all()
        j = self.actor.jurisdiction
        found: dict[Part, dict[int, int]] = {}
        for county, n in counties:
            if j.basin is None and not j.lo <= county < j.hi:
                continue
            lo = county // PROVINCE * PROVINCE
            part = (
                Part(lo, lo + PROVINCE)
                if j.basin is not None
                else Part(max(lo, j.lo), min(lo + PROVINCE, j.hi))
            )
            found.setdefault(part, {})[county] = int(n)
        return found

    def _asked(
        self, engine: ThreadPoolExecutor, left: Sequence[tuple[Part, Mapping[int, int]]]
    ) -> "Future[Found]":
        """The engine sets to work on the next part; a future that nobody waits for when none is left."""
        if not left:
            return Future()
        part, sizes = left[0]
        return engine.submit(self._found, part, done=self.done.issuperset(sizes))

    def _write(self, part: Part, found: "Found", sizes: Mapping[int, int], before: int, total: int) -> None:
        for counties in batches({county: n for county, n in sizes.items() if county not in self.done}):
            named = f"{counties[0]}–{counties[-1]}" if len(counties) > 1 else str(counties[0])
            self._tell(before / total, f"写入 {named} (writing)")
            self._counties(part, counties, found.of(counties))
            before += sum(sizes[county] for county in counties)

    # ── the engine's part ───────────────────────────────────────────────────────────────────────────

    def _found(self, part: Part, *, done: bool) -> "Found":
        """What the engine finds in a part, from the file of an earlier attempt if it is there."""
        kept, model = self.folder / f"{part.lo}.parquet", self.folder / f"{part.lo}.json"
        counts: dict[str, int] = {}
        if not model.exists() or not (done or kept.exists()):
            linked, counties, counts = self._link(part)
            _write_whole(model, json.dumps(linked.model).encode())
            half = kept.with_suffix(".half")
            pq.write_table(linked.pairs.append_column("county", counties), half)
            half.replace(kept)
        return Found(kept, json.loads(model.read_text("utf-8")), counts)

    def _link(self, part: Part) -> tuple[Linked, pa.ChunkedArray, dict[str, int]]:
        from app.linkage.engine import link  # only a run needs what it imports

        with transaction(self.services.engine, self.actor) as session:
            connection = driver_of(session)
            left, right = records.intakes_of(connection, part), records.listed_in(connection, part)
            settings = self._settings(decided(session, part))
        counts = {"intakes": len(left), "listed": len(right)}
        if not len(left) or not len(right):
            nothing = pa.chunked_array([pa.array([], pa.string())])
            return Linked(PAIRS.empty_table(), [], [], {}), nothing, counts
        linked = link(records.without_idle_codes(left, right), right, settings)
        at = pc.index_in(linked.pairs["a"], value_set=left["id"].combine_chunks())
        return linked, left["county_code"].take(at), counts | {"pairs": len(linked.pairs)}

    def _settings(self, known: pa.Table | None) -> LinkSettings:
        upper, lower = float(self.record["confirm_at"]), float(self.record["doubt_at"])
        return LinkSettings(
            confirm_at=upper, choose_at=max(0.5, lower), keep_at=lower, decided=known, scratch=self.folder,
            processes=1,  # the other core is the database's
        )  # fmt: skip

    # ── the store's part ────────────────────────────────────────────────────────────────────────────

    def _counties(self, part: Part, counties: Sequence[int], pairs: pa.Table) -> None:
        with transaction(self.services.engine, self.actor) as session:
            stored = write(self.services, session, self.actor, pairs, self.id, counties, part)
            for name in ("confirmed", "weakened", "subjects"):
                self._add(name, getattr(stored, name))
            session.execute(
                text(
                    "update shuitu.link_runs set counties_done = counties_done || cast(:counties as integer[]), facts = cast(:facts as jsonb) where id = :id"
                ),
                {"counties": list(counties), "facts": json.dumps(self.counts), "id": self.id},
            )
        self.done.update(counties)

    def _listed(self, part: Part, counties: list[int]) -> None:
        """Permits' intakes without an entry, when all counties are written: an entry may lie in another one."""
        self._tell(0.99, f"有证无口 {part.lo} (permits' intakes without an entry)")
        with transaction(self.services.engine, self.actor) as session, beyond_scope(session):
            standing.settle_counties(session, counties, self.id)

    def _finish(self, session: Session) -> None:
        self.counts["seconds"] = round(time.monotonic() - self.began, 1)
        runs.note(
            session, self.id, state="done", progress=1.0, step="", facts=json.dumps(self.counts),
            model=json.dumps({"parts": self.models}),
        )  # fmt: skip
        session.execute(
            text("update shuitu.link_runs set finished_at = now() where id = :id"), {"id": self.id}
        )

    def _add(self, name: str, n: int) -> None:
        self.counts[name] = int(self.counts.get(name, 0)) + n

    def _tell(self, share: float, step: str) -> None:
        """Progress for whoever waits. Raises Cancelled if someone stopped the run."""
        self.progress(share, step)
        with transaction(self.services.engine, self.actor) as session:
            state = session.execute(
                text(
                    "update shuitu.link_runs set progress = :p, step = :step where id = :id returning state"
                ),
                {"p": min(max(share, 0.0), 0.99), "step": step, "id": self.id},
            ).scalar()
        if state == "cancelled":
            raise Cancelled


def write(
    services: Services,
    session: Session,
    actor: Actor,
    pairs: pa.Table,
    run: int,
    counties: Sequence[int],
    part: Part,
) -> store.Stored:
    """What was found for the entries of these counties: into the store, on the map, and into the changes, one a county."""
    stored = store.store(session, pairs, run, counties=counties, part=part)
    publish(services, session, stored, whole=True)
    for county, n in Counter(stored.changed.values()).items():
        changes.record(
            session, actor.username, "intakes", "link", county,
            basin_id=actor.jurisdiction.basin, facts={"run": run, "changed": n},
        )  # fmt: skip
    return stored


def publish(services: Services, session: Session, stored: store.Stored, *, whole: bool) -> None:
    """The map as the store has it now, in the transaction of the facts. `whole`: by county, where many changed."""
    connection = driver_of(session)
    with beyond_scope(session):
        if whole and len(stored.changed) > PUBLISHED_SINGLY:
            services.publish(connection, "intakes", sorted(set(stored.changed.values())))
            return
        if stored.permits:
            services.publish_features(connection, "permits", sorted(stored.permits))
        if stored.changed:
            services.publish_features(connection, "intakes", sorted(stored.changed))


@dataclass(frozen=True)
class Found:
    """What the engine found for a part: in a file, and what it learnt."""

    file: Path
    model: Any
    counts: Mapping[str, int]

    def of(self, counties: Sequence[int]) -> pa.Table:
        """The pairs of the entries of these counties."""
        wanted = pc.field("county").isin([str(county) for county in counties])
        return pq.read_table(self.file, filters=wanted, columns=PAIRS.names)


def batches(sizes: Mapping[int, int]) -> Iterator[list[int]]:
    """Counties in their order, so many that each lot has about AT_ONCE entries."""
    lot: list[int] = []
    for county, n in sizes.items():
        if lot and sum(sizes[one] for one in lot) + n > AT_ONCE:
            yield lot
            lot = []
        lot.append(county)
    if lot:
        yield lot


DECIDED = """
select l.intake_id::text as a, coalesce(l.permit_point_id::text, 'p' || l.permit_id) as b, l.state = 'confirmed' as same
from shuitu.link_pairs l where l.decided_by = 'person' and l.state in ('confirmed', 'rejected')
  and l.county_code >= :lo and l.county_code < :hi"""


def decided(session: Session, part: Part) -> pa.Table | None:
    """Pairs that persons decided, to calibrate the probabilities with; None without any."""
    rows = session.execute(text(DECIDED), part.given).all()
    if not rows:
        return None
    return pa.table(
        {"a": [r.a for r in rows], "b": [r.b for r in rows], "same": [bool(r.same) for r in rows]}
    )


def _write_whole(path: Path, content: bytes) -> None:
    half = path.with_suffix(".half")
    half.write_bytes(content)
    half.replace(path)
