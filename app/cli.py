"""The command line, `shuitu`. Every command has an example in its help and exits non-zero on failure."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from app import __version__, logging, operate, wiring
from app.access import cli as access_cli
from app.access import service as access
from app.actor import Actor, system
from app.db import migrate
from app.db.dsns import dsns_of
from app.db.embedded import EmbeddedCluster
from app.db.engine import transaction
from app.deps import Services
from app.errors import ShuituError
from app.imagery import cli as imagery_cli
from app.imports import cli as imports_cli
from app.linkage import cli as linkage_cli
from app.linkage import run_cli as link_run_cli
from app.maps import cli as maps_cli
from app.ogc.viewer import viewer_of
from app.screening import cli as screening_cli
from app.screening import water_cli
from app.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="水图：取水口“一张图” · Shuitu, the one map of water intakes",
    pretty_exceptions_enable=False,
)
db = typer.Typer(no_args_is_help=True, help="数据库 · the database")
app.add_typer(db, name="db")


def main() -> None:
    """Entry point: an expected failure is one sentence on standard error, never a stack trace."""
    try:
        app()
    except ShuituError as error:
        print(f"错误 · error: {error}", file=sys.stderr)
        raise SystemExit(1) from None


@app.callback(invoke_without_command=True)
def _common(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    settings = Settings()
    logging.configure(settings.log_format, settings.log_level)
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="port (SHUITU_PORT)")] = None,
    host: Annotated[str | None, typer.Option(help="address (SHUITU_HOST)")] = None,
    processes: Annotated[int | None, typer.Option(help="processes (SHUITU_PROCESSES)")] = None,
) -> None:
    """Serve the map. Example: shuitu serve --port 8080"""
    for name, value in (("PORT", port), ("HOST", host), ("PROCESSES", processes)):
        if value is not None:
            os.environ[f"SHUITU_{name}"] = str(value)
    from app import serve as web

    web.run(Settings())


def start_database(settings: Settings) -> None:
    """Start the private cluster, unless the operator has a database."""
    if not settings.database_url:
        EmbeddedCluster(settings.data_dir).start()


@db.command("start")
def db_start() -> None:
    """Start the private PostGIS. Example: shuitu db start"""
    start_database(Settings())


@db.command("stop")
def db_stop() -> None:
    """Stop the private PostGIS. Example: shuitu db stop"""
    EmbeddedCluster(Settings().data_dir).stop()


@db.command("migrate")
def db_migrate() -> None:
    """Bring the database to the present schema. Example: shuitu db migrate"""
    settings = Settings()
    start_database(settings)
    dsns = dsns_of(settings)
    migrate.upgrade(dsns, public_accuracy_bits=settings.public_accuracy_bits)
    print(json.dumps({"schema": migrate.current(dsns)}))


@app.command("openapi")
def openapi(out: Annotated[Path | None, typer.Option(help="file; otherwise standard output")] = None) -> None:
    """Write the OpenAPI document of the product API. Example: shuitu openapi --out openapi.json"""
    from app.main import fastapi_app

    text = json.dumps(fastapi_app(Settings()).openapi(), ensure_ascii=False, indent=1)
    if out:
        out.write_text(text, "utf-8")
    else:
        print(text)


def wired() -> Services:
    """Services on a database that is started and migrated."""
    settings = Settings()
    start_database(settings)
    return wiring.services(settings)


def actor_named(services: Services, name: str) -> Actor:
    """The account of that name. Raises NotFound."""
    with transaction(services.engine, system("find-user")) as session:
        return access.find_user(session, name).actor()


users, keys = access_cli.commands(wired)
app.add_typer(users, name="user")
app.add_typer(keys, name="key")
operate.add_commands(app)
app.command("import")(imports_cli.command(wired, actor_named))
app.add_typer(imagery_cli.commands(wired, actor_named), name="imagery")
app.command("detect")(screening_cli.detect_command(wired, actor_named))
app.add_typer(screening_cli.evaluate_commands(), name="evaluate")
app.add_typer(water_cli.commands(), name="water")
app.add_typer(maps_cli.commands(wired, actor_named, viewer_of), name="tiles")
app.add_typer(link_run_cli.add(linkage_cli.commands(), wired, actor_named), name="link")


@app.command()
def worker() -> None:
    """Run jobs: imports, detections. Example: shuitu worker"""
    from app import worker as work

    start_database(Settings())
    work.main()


if __name__ == "__main__":
    main()
