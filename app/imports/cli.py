"""`shuitu import KIND FILE`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.actor import Actor, system
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput
from app.imports import mapping as mappings
from app.imports import report, service
from app.imports.models import Import


def command(
    services: Callable[[], Services], actor_named: Callable[[Services, str], Actor]
) -> Callable[..., None]:
    """The command, on the services that the command line wires."""

    def import_file(
        kind: Annotated[str, typer.Argument(help="regions, indicators, intakes or permits")],
        file: Annotated[Path, typer.Argument(help="CSV, XLSX, GeoPackage, Shapefile, GeoJSON or GeoParquet")],
        mapping: Annotated[str, typer.Option(help="a YAML file, or the name of a shipped mapping")] = "",
        as_user: Annotated[
            str, typer.Option("--as", help="account in whose jurisdiction to import; default: national")
        ] = "",
        rejects: Annotated[
            Path | None, typer.Option(help="write the rejected rows here (.csv or .xlsx)")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    ) -> None:
        """Import a register. Example: shuitu import intakes 取水口.xlsx --rejects rejects.xlsx"""
        wired = services()
        kinds = wired.parts["import_kinds"]
        if kind not in kinds:
            raise InvalidInput(
                f"没有导入类型 {kind!r}，应为 {', '.join(kinds)} (no such kind)", field="kind", value=kind
            )
        actor = actor_named(wired, as_user) if as_user else system("import")
        with transaction(wired.engine, actor) as session:
            record = service.submit(
                session, actor, service.Submission(kind, file, file.name, _mapping(mapping)), None
            )
        with _progress(as_json) as progress:
            done = service.run(wired, kinds, record.id, actor, progress)
        _tell(wired, actor, done, rejects, as_json)

    return import_file


def _mapping(name: str) -> mappings.Mapping:
    if not name:
        return mappings.Mapping()
    return mappings.shipped().get(name) or mappings.load(Path(name))


class _progress:  # noqa: N801 - used as a function
    """A bar on a terminal, silence elsewhere."""

    def __init__(self, quiet: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=Console(stderr=True), disable=quiet or not sys.stderr.isatty())

    def __enter__(self) -> service.Progress:
        self.bar.start()
        task = self.bar.add_task("行 rows", total=None)
        return lambda done, total: self.bar.update(
            task, completed=done, total=max(done, total) if total else None
        )

    def __exit__(self, *_: object) -> None:
        self.bar.stop()


def _tell(wired: Services, actor: Actor, done: Import, rejects: Path | None, as_json: bool) -> None:
    with transaction(wired.engine, actor) as session:
        why = report.reasons(session, done.id)
        if rejects is not None:
            heading, lines = report.table(session, done)
            rejects.write_bytes(
                report.as_xlsx(heading, lines) if rejects.suffix == ".xlsx" else report.as_csv(heading, lines)
            )
    facts: dict[str, Any] = {
        "id": str(done.id),
        "kind": done.kind,
        "state": done.state,
        "read": done.rows_read,
        "new": done.rows_new,
        "changed": done.rows_changed,
        "same": done.rows_same,
        "rejected": done.rows_rejected,
        "warnings": done.rows_warned,
        "reasons": why,
    }
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, default=str))
        return
    typer.echo(
        f"读取 read {done.rows_read} · 新增 new {done.rows_new} · 变更 changed {done.rows_changed} · 未变 same {done.rows_same} · 退回 rejected {done.rows_rejected}"
    )
    for row in why:
        mark = "退回 reject" if row["severity"] == "reject" else "提示 warning"
        typer.echo(
            f"  {mark} {row['rows']:>7}  {row['field']}  {row['reason']}  e.g. row {row['first_row']}: {row['example']!r}"
        )
    if rejects is not None:
        typer.echo(f"退回行已写入 rejected rows are in {rejects}")
