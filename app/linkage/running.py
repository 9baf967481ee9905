"""A run of the linkage: the entries and the permits of a jurisdiction are brought together, part by part.

It can be killed at any instant. What the engine found for a part is kept in a file as soon as it is whole, each county
is written in a transaction of its own, and the run's row says which are done: started again, it goes on there.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping
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
"""Up to so many changed entries of a county are published one by one; beyond, the county is."""
ENGINE_SHARE = 0.6
"""Of a part's progress, what the engine takes; a guess of 2026-11."""


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
        total = sum(len(counties) for counties in parts.values()) or 1
        before = 0
        for part, counties in parts.items():
            self._part(part, counties, before / total, len(counties) / total)
            before += len(counties)
        with transaction(self.services.engine, self.actor) as session:
            self._listed(session, [county for counties in parts.values() for county in counties])
            self._finish(session)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.progress(1.0, "比对完成 (done)")

    def _parts(self, session: Session) -> dict[Part, list[int]]:
        """Provinces with the counties in them that the actor sees: of one province, the whole scope is one part."""
        counties = list(
            session.execute(
                text("""select county_code from shuitu.intakes group by 1 union select county_code from shuitu.permits group by 1
                        union select county_code from shuitu.permit_points group by 1 order by 1""")
            ).scalars()
        )
        j = self.actor.jurisdiction
        found: dict[Part, list[int]] = {}
        for county in counties:
            if j.basin is None and not j.lo <= county < j.hi:
                continue
            lo = county // PROVINCE * PROVINCE
            part = (
                Part(lo, lo + PROVINCE)
                if j.basin is not None
                else Part(max(lo, j.lo), min(lo + PROVINCE, j.hi))
            )
            found.setdefault(part, []).append(county)
        return found

    def _part(self, part: Part, counties: list[int], began: float, share: float) -> None:
        if self.done.issuperset(counties) and (self.folder / f"{part.lo}.json").exists():
            self.models[str(part.lo)] = json.loads((self.folder / f"{part.lo}.json").read_text("utf-8"))
            return
        pairs, county_of = self._found(part, began, share)
        for number, county in enumerate(counties):
            self._tell(
                began + share * (ENGINE_SHARE + (1 - ENGINE_SHARE) * number / len(counties)),
                f"写入 {county} (writing)",
            )
            if county not in self.done:
                mine = pairs.filter(pc.equal(county_of, str(county)))
                self._county(county, mine.select(PAIRS.names))

    # ── the engine's part ───────────────────────────────────────────────────────────────────────────

    def _found(self, part: Part, began: float, share: float) -> tuple[pa.Table, pa.ChunkedArray]:
        """The pairs of a part with the county of each, from the file of an earlier attempt if it is there."""
        kept, model = self.folder / f"{part.lo}.parquet", self.folder / f"{part.lo}.json"
        if not (kept.exists() and model.exists()):
            linked, counties = self._link(part, began, share)
            self._add("pairs", len(linked.pairs))
            _write_whole(model, json.dumps(linked.model).encode())
            table = linked.pairs.append_column("county", counties)
            half = kept.with_suffix(".half")
            pq.write_table(table, half)
            half.replace(kept)
        self.models[str(part.lo)] = json.loads(model.read_text("utf-8"))
        table = pq.read_table(kept)
        return table, table["county"]

    def _link(self, part: Part, began: float, share: float) -> tuple[Linked, pa.ChunkedArray]:
        from app.linkage.engine import link  # only a run needs what it imports

        with transaction(self.services.engine, self.actor) as session:
            connection = driver_of(session)
            left, right = records.intakes_of(connection, part), records.listed_in(connection, part)
            settings = self._settings(decided(session, part))
        self._add("intakes", len(left))
        self._add("listed", len(right))

        def told(stage: str, done: int, of: int) -> None:
            self._tell(began + share * ENGINE_SHARE * done / max(of, 1), f"比对 {stage} (comparing)")

        if not len(left) or not len(right):
            return Linked(PAIRS.empty_table(), [], [], {}), pa.chunked_array([pa.array([], pa.string())])
        linked = link(records.without_idle_codes(left, right), right, settings, told)
        at = pc.index_in(linked.pairs["a"], value_set=left["id"].combine_chunks())
        return linked, left["county_code"].take(at)

    def _settings(self, known: pa.Table | None) -> LinkSettings:
        upper, lower = float(self.record["confirm_at"]), float(self.record["doubt_at"])
        return LinkSettings(
            confirm_at=upper, choose_at=max(0.5, lower), keep_at=lower, decided=known, scratch=self.folder
        )

    # ── the store's part ────────────────────────────────────────────────────────────────────────────

    def _county(self, county: int, pairs: pa.Table) -> None:
        with transaction(self.services.engine, self.actor) as session:
            stored = store.store(session, pairs, self.id, county=county)
            publish(self.services, session, stored, county)
            if stored.changed:
                changes.record(
                    session, self.actor.username, "intakes", "link", county,
                    basin_id=self.actor.jurisdiction.basin, facts={"run": self.id, "changed": len(stored.changed)},
                )  # fmt: skip
            self._add("confirmed", stored.confirmed)
            self._add("subjects", stored.subjects)
            session.execute(
                text(
                    "update shuitu.link_runs set counties_done = array_append(counties_done, :county), facts = cast(:facts as jsonb) where id = :id"
                ),
                {"county": county, "facts": json.dumps(self.counts), "id": self.id},
            )
        self.done.add(county)

    def _listed(self, session: Session, counties: list[int]) -> None:
        """Permits' intakes without an entry, when all counties are written: an entry may lie in another one."""
        self._tell(0.99, "有证无口 (permits' intakes without an entry)")
        with beyond_scope(session):
            for county in counties:
                standing.settle_county(session, county, self.id)

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


def publish(services: Services, session: Session, stored: store.Stored, county: int | None) -> None:
    """The map as the store has it now, in the transaction of the facts."""
    connection = driver_of(session)
    with beyond_scope(session):
        if county is not None and len(stored.changed) > PUBLISHED_SINGLY:
            services.publish(connection, "intakes", [county])
            return
        if stored.permits:
            services.publish_features(connection, "permits", sorted(stored.permits))
        if stored.changed:
            services.publish_features(connection, "intakes", sorted(stored.changed))


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
