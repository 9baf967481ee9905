"""`shuitu link run`."""

import json
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from app.actor import Actor, system
from app.db.engine import transaction
from app.deps import Services
from app.linkage import queries, rules, runs


def add(
    group: typer.Typer, services: Callable[[], Services], actor_named: Callable[[Services, str], Actor]
) -> typer.Typer:
    """The command `run` in the group `link`, on the services that the command line wires."""

    def link_run(
        region: Annotated[
            str, typer.Option(help="GB/T 2260 prefix of 2, 4 or 6 digits; otherwise all that the actor sees")
        ] = "",
        confirm_at: Annotated[
            float | None,
            typer.Option(help="confirm by rule from this probability on (SHUITU_LINK_CONFIRM_AT)"),
        ] = None,
        doubt_at: Annotated[
            float | None,
            typer.Option(help="leave to a person from this probability on (SHUITU_LINK_DOUBT_AT)"),
        ] = None,
        actor: Annotated[
            str | None, typer.Option(help="account in whose jurisdiction it runs; otherwise the nation's")
        ] = None,
        resume: Annotated[int | None, typer.Option(help="go on with this run, which was killed")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
    ) -> None:
        """Bring the register to its permits. Example: shuitu link run --region 3210"""
        from app.linkage import running  # other commands do without the engine

        made = services()
        who = actor_named(made, actor) if actor else system("link")
        with transaction(made.engine, who) as session:
            run_id = (
                int(runs.find(session, resume)["id"])
                if resume
                else runs.start(session, who, made.settings, region, confirm_at, doubt_at)
            )
        with Progress(disable=as_json, transient=True, console=Console(stderr=True)) as bar:
            task = bar.add_task("比对 linking", total=1.0)
            record = running.run(
                made, run_id, lambda share, step: bar.update(task, completed=share, description=step)
            )
        with transaction(made.engine, who) as session:
            found = queries.progress(session, None)["total"]
        if as_json:
            typer.echo(
                json.dumps({**record, "outcomes": found["by_outcome"]}, default=str, ensure_ascii=False)
            )
            return
        facts = record["facts"]
        typer.echo(
            f"任务 run {record['id']} · 取水口 entries {facts.get('intakes', 0)} · 证照取水口 listed {facts.get('listed', 0)}"
            f" · 规则确认 confirmed {facts.get('confirmed', 0)} · {facts.get('seconds', 0)} s"
        )
        for outcome, title in rules.OUTCOMES.items():
            n = found["by_outcome"].get(outcome, 0)
            if outcome == "permit_without_intake":
                n = found["permit_points_without_intake"]
            typer.echo(f"  {title} {outcome:24} {n:>9,}")

    group.command("run")(link_run)
    return group
