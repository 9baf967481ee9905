"""Bring the demo in: files as counties would send them, then the product's own importer, then the rest.

Killed at any instant, a second call goes on: files are made anew, the same to the byte, and an import that is
done is not done again. The table `shuitu.demo` appears last, and with it the demo is there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import select

from app.actor import system
from app.changes import service as changes
from app.db.engine import driver_of, transaction
from app.demo import (
    accounts,
    basemap,
    files,
    ground,
    listed,
    lives,
    planted,
    planting,
    register,
    scenes,
    sources,
    tables,
    truth,
    unlinked,
)
from app.demo.accounts import DemoAccount
from app.demo.files import Written
from app.demo.ground import Ground
from app.demo.sources import Boundaries
from app.deps import Services
from app.errors import ConfigurationError
from app.imports import service as imports
from app.imports.mapping import Mapping
from app.imports.models import Import

SEED = 20240422
"""The day of the notice on which all this rests."""
ACTOR = system("demo")
Progress = Callable[[float, str], None]


def load(
    services: Services,
    progress: Progress = lambda share, step: None,
    *,
    seed: int = SEED,
    as_of: date | None = None,
) -> list[DemoAccount]:
    """Load the pilot prefecture, once; returns the log-ins, the same at each call.

    Files, scenes and the truth file go to `demo/` in the data folder. `as_of` is the day from which terms of
    permits count, today if none is given. Raises ConfigurationError if the packages of the extra `demo` are missing.
    """
    folder = services.settings.data_dir / "demo"
    if loaded(services):
        return accounts.kept(folder)
    folder.mkdir(parents=True, exist_ok=True)
    day = _day(folder, as_of)
    progress(0.0, "生成示例数据 (making the demo's files)")
    boundaries, waters = sources.boundaries(), sources.waters()
    made = make(folder, boundaries, waters, seed, day, progress)
    regions = files.write_regions(boundaries, folder / "示例_全国行政区划.gpkg")
    _import(services, "regions", regions, {}, progress, 0.15, "导入全国行政区划 (importing the regions)")
    for number, written in enumerate(made.files):
        share = 0.5 + 0.4 * number / len(made.files)
        step = "导入指标、许可、取水口和证照取水口 (importing indicators, permits and intakes)"
        _import(services, written.table.kind, written.path, written.mapping, progress, share, step)
    progress(0.92, "底图水系与账号 (rivers, lakes and accounts)")
    with transaction(services.engine, ACTOR) as session:
        basemap.write(driver_of(session), waters)
        for layer in ("hydro_lines", "hydro_areas", "regions", "indicators"):
            changes.record(
                session, ACTOR.username, layer, "import", register.PREFECTURE, facts={"demo": True}
            )
        people = accounts.make(session, folder)
    with transaction(services.engine, ACTOR) as session:
        lives.enter(services, session, ACTOR, _free_numbers(made), day)
    _link(services, progress)
    _mark(services, seed, day)
    progress(1.0, "示例数据就绪 (the demo is loaded)")
    return people


def _link(services: Services, progress: Progress) -> None:
    """Bring the register to its permits, once; a run that was killed goes on."""
    # The engine is loaded for this alone.
    from app.linkage import running, runs

    with transaction(services.engine, ACTOR) as session:
        mine = [run for run in runs.latest(session, 20) if run["actor_name"] == ACTOR.username]
        run_id = mine[0]["id"] if mine else runs.start(session, ACTOR, services.settings)
    running.run(
        services,
        run_id,
        lambda share, step: progress(0.94 + 0.05 * share, "比对衔接 (bringing the register to its permits)"),
    )


def loaded(services: Services) -> bool:
    """Whether the demo is there, whole."""
    with psycopg.connect(services.dsns.owner) as connection:
        return connection.execute("select to_regclass('shuitu.demo') is not null").fetchone() == (True,)


def _day(folder: Path, as_of: date | None) -> date:
    """The day on which the load began, so that an interrupted one goes on with the same files."""
    kept = folder / "as_of"
    if as_of is None and kept.exists():
        return date.fromisoformat(kept.read_text("utf-8"))
    day = as_of or datetime.now(UTC).date()
    kept.write_text(day.isoformat(), "utf-8")
    return day


def _mark(services: Services, seed: int, day: date) -> None:
    """The owner makes the table, since the service may make none; its being there says that the demo is loaded."""
    with psycopg.connect(services.dsns.owner) as connection:
        connection.execute(
            "create table shuitu.demo (seed integer not null, as_of date not null, "
            "region_code integer not null, loaded_at timestamptz not null default now())"
        )
        connection.execute(
            "insert into shuitu.demo (seed, as_of, region_code) values (%s, %s, %s)",
            (seed, day, register.PREFECTURE),
        )


@dataclass(frozen=True)
class Made:
    """What was written, in the order in which it is imported."""

    grounds: dict[int, Ground]
    register: register.Register
    files: list[Written]


def make(
    folder: Path,
    boundaries: Boundaries,
    waters: sources.Waters,
    seed: int,
    day: date,
    progress: Progress = lambda share, step: None,
) -> Made:
    """Write scenes, registers and truth to `folder`: the same bytes for the same seed and day."""
    grounds = ground.survey(boundaries, waters, register.COUNTIES, seed, scenes.keep_out())
    there = scenes.make(folder / "scenes", grounds[scenes.COUNTY], seed, day)
    progress(0.1, "生成示例数据 (making the demo's files)")
    whole = register.make(grounds, seed, day)
    whole = register.Register((*whole.permits, *there.permits), (*whole.intakes, *there.intakes))
    permits, intakes = tables.permit_tables(whole, grounds), tables.intake_tables(whole, grounds)
    caps = tables.indicator_table(grounds)
    codes = list(grounds)
    for number, code in enumerate(codes):
        around = planted.Around(
            grounds[code], boundaries.shape(code), grounds[codes[number - 1]], whole, day, seed
        )
        planting.plant(permits[code], planted.PERMIT_ERRORS, around)
        planting.plant(intakes[code], planted.INTAKE_ERRORS, around)
        if code == codes[0]:
            planting.plant(caps, planted.INDICATOR_ERRORS, around)
    planting.follow(list(permits.values()), list(intakes.values()))
    unlinked.forget(intakes.values(), grounds, seed)
    points = listed.tables(whole, permits, grounds, boundaries, seed)
    written = [
        files.write_plain(caps, folder / "示例_扬州市_管控指标.xlsx"),
        *(files.write_permits(table, folder) for table in permits.values()),
        *(files.write_intakes(table, folder, seed) for table in intakes.values()),
        *(files.write_points(table, folder) for table in points.values()),
    ]
    truth.write(folder, written, there.truth, seed, day)
    return Made(grounds, whole, written)


def _free_numbers(made: Made) -> set[str]:
    """Permits to which something may happen: no error is planted in them, and no scene counts on them."""
    sound = {
        n for w in made.files if w.table.kind == "permits" for n in listed.numbers_without_error(w.table)
    }
    spelt = str.maketrans("（）〔〕", "()[]")
    return {p.number.translate(spelt) for p in made.register.permits if p.number in sound and not p.fixed}


def _import(
    services: Services,
    kind: str,
    path: Path,
    mapping: dict[str, Any],
    progress: Progress,
    share: float,
    step: str,
) -> None:
    """Import a file, or go on with its import; one that is done stays as it is."""
    progress(share, step)
    with transaction(services.engine, ACTOR) as session:
        found = session.scalars(
            select(Import)
            .where(Import.stored_as == str(path.resolve()), Import.actor_name == ACTOR.username)
            .where(Import.state.not_in(("failed", "cancelled")))
            .order_by(Import.created_at.desc())
        ).first()
        if found is None:
            given = Mapping.model_validate(mapping)
            found = imports.submit(session, ACTOR, imports.Submission(kind, path, path.name, given), None)
        identifier, done = found.id, found.state == "done"
    if done:
        return
    kinds = services.parts.get("import_kinds")
    if kinds is None:
        raise ConfigurationError("导入种类未接入 (the kinds of import are not wired)")
    imports.run(services, kinds, identifier, ACTOR, lambda rows, total: progress(share, step))
