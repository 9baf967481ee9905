"""A run at work: place by place, each stored with its candidates as it is finished."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput, ShuituError
from app.imagery import service as imagery
from app.logging import get
from app.screening import calibrating, queries, reporting
from app.screening.intakes import intakes_near
from app.screening.storing import COUNTED, store

if TYPE_CHECKING:
    import geopandas as gpd

    from remote_sensing.options import Options
    from remote_sensing.runs import Group, Result

log = get(__name__)
Progress = Callable[[float, str], None]
VERSIONS = (
    "shuitu",
    "numpy",
    "rasterio",
    "shapely",
    "scikit-learn",
    "scikit-image",
    "spyndex",
    "exactextract",
)
"""Packages whose version a run keeps: what computed it."""


class Cancelled(Exception):
    """Someone cancelled the run while it worked."""


def run(
    services: Services,
    run_id: int,
    actor: Actor,
    progress: Progress = lambda share, step: None,
) -> dict[str, Any]:
    """Carry a run out, place by place; killed at any instant and run again, it goes on with the places that are left.

    Candidates appear as their place is finished. A place or scene that cannot be worked on is told in the run's report,
    and the run goes on. Raises InvalidInput (the run is then `failed`, with the sentence on record) if no place could
    be worked on.
    """
    try:
        return _Run(services, run_id, actor, progress).carry_out()
    except Cancelled:
        with transaction(services.engine, actor) as session:
            return queries.run(session, run_id)
    except ShuituError as error:
        _fail(services, run_id, actor, str(error))
        raise
    except Exception:
        log.exception("detection failed", run_id=run_id)
        _fail(services, run_id, actor, "比对时出现未预料的错误，详见日志 (unexpected error; see the log)")
        raise


class _Run:
    """One run at work."""

    def __init__(self, services: Services, run_id: int, actor: Actor, progress: Progress) -> None:
        self._services, self._id, self._actor = services, run_id, actor
        self._out = services.settings.data_dir / "screening" / f"run-{run_id}"
        self._watch = _Watch(services, run_id, actor, progress)

    def carry_out(self) -> dict[str, Any]:
        # Imported here: only a run needs the detection, and a web process is a hundred megabytes lighter without it.
        from remote_sensing.runs import RunError, run_all

        self._out.mkdir(parents=True, exist_ok=True)
        with transaction(self._services.engine, self._actor) as session:
            record = queries.run(session, self._id)
            if record["state"] in ("done", "cancelled"):
                return record
            note(session, self._id, state="running", problem=None, versions=_versions())
            session.execute(
                text(
                    "update shuitu.detection_runs set started_at = coalesce(started_at, now()) where id = :id"
                ),
                {"id": self._id},
            )
            aoi = _aoi(session, self._id)
            parts = queries.parts(session, self._id) or _divide(session, self._id, record["scene_ids"])
            left = [part for part in parts if part["state"] == "waiting"]
            groups = [self._group(session, part) for part in left]
        self._watch.done_before, self._watch.total = len(parts) - len(left), len(parts)
        settings = self._services.settings
        try:
            for result in run_all(
                groups,
                self._register,
                self._out,
                options=replace(options_of(record["options"]), ground_dir=settings.data_dir / "ground"),
                aoi=aoi,
                scheduler=settings.dask_scheduler,
                workers=min(settings.detection_workers or os.cpu_count() or 1, len(groups) or 1),
                cancelled=self._watch.cancelled,
                progress=self._watch,
            ):
                self._keep(result)
        except RunError as error:
            raise InvalidInput(str(error)) from None
        if self._watch.cancelled(at_once=True):
            raise Cancelled
        return self._end()

    def _group(self, session: Session, part: dict[str, Any]) -> Group:
        from remote_sensing.runs import Group

        on_file = imagery.load_all(session, part["scene_ids"])
        scenes = tuple(on_file[i] for i in part["scene_ids"] if i in on_file)
        return Group(f"p{part['number']:04d}", scenes)

    def _register(self, area: shapely.Geometry) -> gpd.GeoDataFrame:
        with transaction(self._services.engine, self._actor) as session:
            return intakes_near(session, area)

    def _keep(self, result: Result) -> None:
        """Store what a place gave; from here on it is seen, and is not done again."""
        number = int(result.key[1:])
        found = result.detection
        counts: dict[str, int] = {}
        folder = f"screening/run-{self._id}/{result.key}"
        with transaction(self._services.engine, self._actor) as session:
            if found is not None:
                generated = _any_generated(session, result.scenes)
                counts = store(session, self._actor, self._id, number, found, folder, generated=generated)
                note(session, self._id, method=found.method)
            session.execute(
                text("""update shuitu.detection_parts set state = :state, problem = :problem, left_out = cast(:left_out as jsonb),
                          facts = cast(:facts as jsonb), report_path = :report, finished_at = now()
                        where run_id = :run and number = :number"""),
                {
                    "state": "failed" if found is None else "done",
                    "problem": result.problem,
                    "left_out": _json([vars(one) for one in result.left_out]),
                    "facts": _json({**(found.facts if found else {}), **counts}),
                    "report": f"{folder}/{found.report}" if found and found.report else None,
                    "run": self._id,
                    "number": number,
                },
            )
        if found is None:
            log.warning("a place of a run failed", run_id=self._id, place=number, problem=result.problem)

    def _end(self) -> dict[str, Any]:
        with transaction(self._services.engine, self._actor) as session:
            parts = queries.parts(session, self._id)
            facts = _sums(parts)
            failed = [part for part in parts if part["state"] == "failed"]
            problem = None
            if len(failed) == len(parts):
                # The scenes' own faults say more than that none was left.
                faults = [f"{one['scene']}: {one['problem']}" for part in parts for one in part["left_out"]]
                problem = "；".join(faults or [str(part["problem"]) for part in failed])[:2000]
            record = queries.run(session, self._id)
            report = reporting.write(self._out, record | {"facts": facts}, parts)
            note(
                session,
                self._id,
                state="failed" if problem else "done",
                problem=problem,
                progress=1.0,
                facts=facts,
                report_path=str(report.relative_to(self._services.settings.data_dir)),
            )
            session.execute(
                text("update shuitu.detection_runs set finished_at = now() where id = :id"), {"id": self._id}
            )
            calibrating.refresh(session, self._actor)
            ended = queries.run(session, self._id)
        if problem:
            raise InvalidInput(problem, run=self._id)
        return ended


def options_of(given: dict[str, Any]) -> Options:
    """What was asked of the run, over what the method has."""
    from remote_sensing.options import Options

    told = dict(given)
    if "kinds" in told:
        told["kinds"] = tuple(told["kinds"])
    return replace(Options(), **told)


def _divide(session: Session, run_id: int, scene_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Put the run's places on record: the scenes of each."""
    from remote_sensing.runs import grouped

    scenes = imagery.load_all(session, scene_ids)
    ids = {scene.item_id: number for number, scene in scenes.items()}
    for number, group in enumerate(grouped(scenes.values()), 1):
        session.execute(
            text(
                "insert into shuitu.detection_parts (run_id, number, scene_ids) values (:run, :number, :scenes)"
            ),
            {"run": run_id, "number": number, "scenes": [ids[scene.item_id] for scene in group.scenes]},
        )
    return queries.parts(session, run_id)


def _aoi(session: Session, run_id: int) -> shapely.Geometry | None:
    wkt = session.execute(
        text("select st_astext(aoi) from shuitu.detection_runs where id = :id"), {"id": run_id}
    ).scalar_one()
    return shapely.from_wkt(wkt) if wkt else None


def _any_generated(session: Session, item_ids: Sequence[str]) -> bool:
    return bool(
        session.execute(
            text("select coalesce(bool_or(generated), false) from shuitu.scenes where item_id = any(:ids)"),
            {"ids": list(item_ids)},
        ).scalar_one()
    )


def _sums(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the places gave together; of a single place also what is its own (scenes, grid, method)."""
    own = dict(parts[0]["facts"]) if len(parts) == 1 else {}
    objects: dict[str, int] = {}
    for part in parts:
        for kind, count in part["facts"].get("objects", {}).items():
            objects[kind] = objects.get(kind, 0) + count
    summed = {
        name: sum(part["facts"].get(name, 0) for part in parts)
        for name in ("candidates", *COUNTED, "left_out")
    }
    return {
        **own,
        **summed,
        "objects": objects,
        "places": len(parts),
        "places_failed": sum(part["state"] == "failed" for part in parts),
        "scenes_left_out": [one for part in parts for one in part["left_out"]],
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "?"
    return found


def _fail(services: Services, run_id: int, actor: Actor, problem: str) -> None:
    with transaction(services.engine, actor) as session:
        note(session, run_id, state="failed", problem=problem)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def note(session: Session, run_id: int, **columns: Any) -> None:
    """Write columns of a run's row."""
    as_json = ("facts", "versions")
    sets = ", ".join(
        f"{name} = cast(:{name} as jsonb)" if name in as_json else f"{name} = :{name}" for name in columns
    )
    values = {name: _json(value) if name in as_json else value for name, value in columns.items()}
    session.execute(text(f"update shuitu.detection_runs set {sets} where id = :id"), {**values, "id": run_id})


class _Watch:
    """Writes progress to the run's row, at most once a second, and knows whether the run was cancelled."""

    def __init__(self, services: Services, run_id: int, actor: Actor, then: Progress) -> None:
        self._services, self._run_id, self._actor, self._then = services, run_id, actor, then
        self._last = 0.0
        self._share = 0.0
        self._cancelled = False
        self.done_before, self.total = 0, 1

    def __call__(self, share: float, step: str) -> None:
        """`share` is of the places that were left when this began; those done before count, too."""
        # Steps that go on side by side tell in no order.
        now = (self.done_before + share * (self.total - self.done_before)) / max(1, self.total)
        self._share = max(self._share, now)
        if self.cancelled():
            return
        try:
            self._then(self._share, step)
        except Cancelled:
            self._cancelled = True

    def cancelled(self, *, at_once: bool = False) -> bool:
        if not self._cancelled and (at_once or time.monotonic() - self._last >= 1):
            self._last = time.monotonic()
            with transaction(self._services.engine, self._actor) as session:
                state = session.execute(
                    text("update shuitu.detection_runs set progress = :p where id = :id returning state"),
                    {"p": min(self._share, 0.99), "id": self._run_id},
                ).scalar()
            self._cancelled = state == "cancelled"
        return self._cancelled
