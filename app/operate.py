"""Commands that bring the service up and down: `shuitu start`, `stop`, `demo`, `doctor`."""

import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import psycopg
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from sqlalchemy import text

from app import logging as logs
from app import supervise
from app.actor import system
from app.db import migrate
from app.db.dsns import dsns_of
from app.db.embedded import EmbeddedCluster
from app.db.engine import Dsns, transaction
from app.errors import Conflict
from app.settings import Settings

if TYPE_CHECKING:
    from app.deps import Services

console = Console(stderr=True)
Report = Callable[[float, str], None]
OURS = (
    "postgres", "uploads", "imagery", "archives", "cache", "demo", "screening", "processes", "metrics", "logs",
)  # fmt: skip
"""What the product keeps in its data folder; nothing else there is ever removed."""
NAMES = ("start", "stop", "demo", "doctor")
NATION = "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)"
SCHEMAS = ("map", "staging", "jobs", "shuitu")


def add_commands(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    for command in (start, stop, demo, doctor):
        app.command()(command)


def alone() -> typer.Typer:
    """A command line of these commands only."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def _common() -> None:
        settings = Settings()
        logs.configure(settings.log_format, settings.log_level)

    add_commands(app)
    return app


def start(
    detach: Annotated[bool, typer.Option("--detach", help="return once the service is ready")] = False,
) -> None:
    """Database, web server and worker together. Example: shuitu start --detach"""
    settings = Settings()
    if _tell_running(settings):
        return
    supervise.require_free_port(settings.host, settings.port)
    _prepare(settings)
    _serve(settings, detach, lambda address: _say(f"水图已就绪 · ready: [bold]{address}[/]"))


def stop() -> None:
    """Stop the service and its private database. Example: shuitu stop"""
    settings = Settings()
    ran = supervise.stop(settings.data_dir, private=not settings.database_url)
    _say("已停止 · stopped" if ran else "服务没有运行 · the service was not running")


def demo(
    detach: Annotated[bool, typer.Option("--detach", help="return once the service is ready")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="remove the demo and its data instead")] = False,
    nation: Annotated[
        bool,
        typer.Option(
            "--nation", help="add 5.9 million generated intakes all over the country, for benchmarks"
        ),
    ] = False,
) -> None:
    """The pilot prefecture with generated data; kept for the next time. Example: shuitu demo --detach"""
    settings = Settings()
    if remove:
        _remove(settings)
        return
    if not supervise.running(settings.data_dir):
        supervise.require_free_port(settings.host, settings.port)
    dsns = _prepare(settings)
    if not _is_whole(dsns):
        _require_empty_or_demo(settings, dsns)
        _load(settings)
    if nation:
        _load_nation(settings)
    accounts = _accounts(settings)
    if _tell_running(settings):
        _tell_accounts(accounts)
        return

    def ready(address: str) -> None:
        _say(f"水图示例已就绪 · the demo is ready: [bold]{address}[/]")
        _tell_accounts(accounts)
        if not detach:
            _say("按 Ctrl-C 停止 · Ctrl-C stops it")

    _serve(settings, detach, ready)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="print the SQL for your database's administrator")
    ] = False,
) -> None:
    """Check this installation; says what is wrong and how to mend it. Example: shuitu doctor"""
    from app import doctor as checks

    if sql:
        typer.echo(checks.administrator_sql(Settings()))
        return
    findings = checks.examine(Settings())
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings], ensure_ascii=False, indent=1))
    else:
        for finding in findings:
            _tell_finding(finding.level, finding.title, finding.says, finding.mend)
    problems = sum(finding.level == "problem" for finding in findings)
    if not as_json:
        _say(f"发现 {problems} 个问题 · {problems} problem(s)" if problems else "一切正常 · all is well")
    if problems:
        raise typer.Exit(1)


# ── below: how ────────────────────────────────────────────────────────────────────────────────────


def _say(message: str) -> None:
    Console(highlight=False).print(message, soft_wrap=True)


def _tell_finding(level: str, title: str, says: str, mend: str) -> None:
    mark = {"ok": "[green]✓[/]", "note": "[yellow]![/]", "problem": "[red]✗[/]"}[level]
    shown = Console(highlight=False)
    shown.print(f"{mark} [bold]{title}[/]  ", end="")
    shown.print(says, soft_wrap=True, markup=False)
    if mend:
        shown.print(f"  → {mend}", soft_wrap=True, markup=False)


def _tell_running(settings: Settings) -> bool:
    state = supervise.running(settings.data_dir)
    if state is None:
        return False
    _say(f"服务已在运行 · already running: [bold]{state.address}[/]")
    return True


def _tell_accounts(accounts: Sequence[Mapping[str, str]]) -> None:
    if not accounts:
        return
    table = Table(title="示例账号 · demo log-ins", title_justify="left")
    for heading in ("账号 user", "密码 password", "角色 role", "辖区 jurisdiction"):
        table.add_column(heading, no_wrap=True)
    for account in accounts:
        table.add_row(*(account[key] for key in ("username", "password", "role", "jurisdiction")))
    Console().print(table)


def _prepare(settings: Settings) -> Dsns:
    """The database up and at the present schema."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    for talker in ("alembic", "pyogrio"):
        logging.getLogger(talker).setLevel("WARNING")
    with console.status("启动数据库 · starting the database"):
        if not settings.database_url:
            EmbeddedCluster(settings.data_dir).start()
    dsns = dsns_of(settings)
    with console.status("更新数据库结构 · migrating"):
        migrate.upgrade(dsns, public_accuracy_bits=settings.public_accuracy_bits)
    return dsns


def _serve(settings: Settings, detach: bool, ready: Callable[[str], None]) -> None:
    if detach:
        with console.status("启动服务 · starting the service"):
            state = supervise.detach(settings)
        ready(state.address)
    else:
        supervise.Supervisor(settings, lambda state: ready(state.address)).run()


def _is_demo(dsns: Dsns) -> bool:
    with psycopg.connect(dsns.owner) as connection:
        return connection.execute("select to_regclass('shuitu.demo') is not null").fetchone() == (True,)


def _holds_facts(dsns: Dsns) -> bool:
    with psycopg.connect(dsns.owner) as connection:
        if connection.execute("select to_regclass('shuitu.intakes')").fetchone() == (None,):
            return False
        connection.execute(NATION)
        return connection.execute(
            "select exists (select from shuitu.intakes) or exists (select from shuitu.permits) "
            "or exists (select from shuitu.users)"
        ).fetchone() == (True,)


def _require_empty_or_demo(settings: Settings, dsns: Dsns) -> None:
    """Generated data never goes among real data. An unfinished demo load is told by its folder."""
    begun = (settings.data_dir / "demo").is_dir()
    if not _is_demo(dsns) and not begun and _holds_facts(dsns):
        raise Conflict(
            "此数据库已有登记数据，示例数据不会写入其中；请用 SHUITU_DATA_DIR 另设目录 "
            "(this database holds a register; the demo is not loaded into it: set SHUITU_DATA_DIR to another folder)"
        )


def _is_whole(dsns: Dsns) -> bool:
    """The demo is loaded and its detection done."""
    if not _is_demo(dsns):
        return False
    with psycopg.connect(dsns.owner) as connection:
        connection.execute(NATION)
        return connection.execute(
            "select exists (select from shuitu.detection_runs where state = 'done')"
        ).fetchone() == (True,)


def _load(settings: Settings) -> None:
    # Imported here: a second start must not wait for what only the first one needs.
    from app import demo as data
    from app import wiring
    from app.demo import review as reviewing

    services = wiring.services(settings)
    with _progress() as report:
        data.load(services, report)
    with _progress() as report:
        _detect(services, report)
    with _progress() as report:
        reviewing.walk(services, report)
    services.engine.dispose()


def _load_nation(settings: Settings) -> None:
    from app import wiring
    from app.demo.nation import load_nation

    services = wiring.services(settings)
    try:
        with _progress() as report:
            load_nation(services, progress=report)
    except Conflict:
        _say("全国示例数据已在库中 · the nation's register is there already")
    finally:
        services.engine.dispose()


def _accounts(settings: Settings) -> list[dict[str, str]]:
    """The log-ins that the loaded demo keeps in its folder; none if someone removed the list."""
    file = settings.data_dir / "demo" / "accounts.json"
    accounts: list[dict[str, str]] = json.loads(file.read_text("utf-8")) if file.is_file() else []
    return accounts


def _detect(services: "Services", report: Report) -> None:
    """Compare the demo's scenes with its register, once; a run that was killed goes on."""
    from app.imagery import service as imagery
    from app.screening import service as screening

    actor = system("demo")
    with transaction(services.engine, actor) as session:
        last = session.execute(
            text("select id, state from shuitu.detection_runs order by id desc limit 1")
        ).first()
        if last is not None and last.state == "done":
            return
        if last is None or last.state in ("failed", "cancelled"):
            scenes = imagery.add_scenes(session, actor, services.settings.data_dir / "demo" / "scenes")
            run_id = screening.start(session, actor, scenes, None)
        else:
            run_id = last.id
    screening.run(services, run_id, actor, report)


@contextmanager
def _progress() -> Iterator[Report]:
    """A bar on a terminal; elsewhere a line for each new step."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    if not console.is_terminal:
        said = ""

        def line(share: float, step: str) -> None:
            nonlocal said
            if step != said:
                said = step
                print(step, file=sys.stderr, flush=True)  # noqa: T201 - the command line speaks

        yield line
        return
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=1.0, visible=False)
        yield lambda share, step: bar.update(task, completed=share, description=step, visible=True)


def _remove(settings: Settings) -> None:
    """Stop, and remove what the demo made.

    Raises Conflict, and removes nothing, if the data are not the demo's.
    """
    supervise.stop(settings.data_dir, private=False)
    folder = settings.data_dir
    private = EmbeddedCluster(folder)
    if settings.database_url:
        _drop_schemas(dsns_of(settings))
    elif (private.pgdata / "PG_VERSION").exists():
        private.start()
        dsns = dsns_of(settings)
        if (
            _has_service_role(dsns)
            and not _is_demo(dsns)
            and not (folder / "demo").is_dir()
            and _holds_facts(dsns)
        ):
            private.stop()
            raise Conflict(
                f"{folder} 中的数据不是示例数据，不予删除 (the data there are not the demo's: not removed)"
            )
        private.stop()
    if private.socket_dir.parent != private.folder:
        shutil.rmtree(private.socket_dir, ignore_errors=True)
    for name in OURS:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
    for name in ("service.json", "service.lock"):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    _say("示例数据已删除 · the demo is removed")


def _has_service_role(dsns: Dsns) -> bool:
    assert dsns.admin is not None  # noqa: S101 - the private cluster has one
    with psycopg.connect(dsns.admin) as connection:
        return connection.execute(
            "select exists (select from pg_roles where rolname = 'shuitu_owner')"
        ).fetchone() == (True,)


def _drop_schemas(dsns: Dsns) -> None:
    if not _is_demo(dsns):
        raise Conflict(
            "SHUITU_DATABASE_URL 指向的数据库没有示例数据，不予删除 "
            "(the database that SHUITU_DATABASE_URL names does not hold the demo: nothing is removed)"
        )
    with psycopg.connect(dsns.owner) as connection:
        for schema in SCHEMAS:
            connection.execute(f"drop schema if exists {schema} cascade".encode())
