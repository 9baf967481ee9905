"""`shuitu water`: bodies of water and their history, without a database."""

import json
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from app.errors import InvalidInput
from app.imagery.cli import named_bands


def commands() -> typer.Typer:
    """The group `water`."""
    group = typer.Typer(no_args_is_help=True, help="水体 · water in scenes")

    @group.callback()
    def water() -> None:
        """水体 · water in scenes."""

    @group.command("history")
    def history(
        scene: Annotated[
            list[Path], typer.Argument(help="dates of one place: files, folders or archives of scenes")
        ],
        out: Annotated[Path, typer.Option(help="folder for the rasters (COG), water.gpkg and history.json")],
        since: Annotated[
            str | None,
            typer.Option(
                help="2020-01-01: compare what is later with what is earlier; otherwise half with half"
            ),
        ] = None,
        rivers: Annotated[Path | None, typer.Option(help="lines of rivers and canals")] = None,
        dams: Annotated[Path | None, typer.Option(help="points of dams")] = None,
        least: Annotated[float, typer.Option("--min-area", help="smallest body, m²", min=0)] = 1_000.0,
        bands: Annotated[
            str, typer.Option(help="green=2,red=3,nir=4: number or description of each band")
        ] = "",
        as_json: Annotated[bool, typer.Option("--json", help="print the facts as JSON")] = False,
    ) -> None:
        """How often, since when and in which months there was water; what is new, lost or larger; river, canal, lake, reservoir or pond. Example: shuitu water history s2/2019 s2/2024 --out history"""
        # Here, as in `evaluate`: no other command waits for these libraries.
        from remote_sensing import history as histories
        from remote_sensing import labels
        from remote_sensing.options import Options
        from remote_sensing.scene import SceneError, open_scenes

        chosen = named_bands(bands)
        scenes, unusable = [], []
        for path in scene:
            try:
                scenes += open_scenes(path, bands=chosen)
            except (SceneError, OSError) as error:
                unusable.append({"scene": str(path), "problem": str(error)})
        with Progress(disable=as_json, transient=True, console=Console(stderr=True)) as bar:
            task = bar.add_task("水体 water", total=1.0)
            try:
                made = histories.of(
                    scenes,
                    out,
                    since=_day(since),
                    options=Options(min_water_m2=least),
                    network=labels.polygons(rivers) if rivers else None,
                    dams=labels.polygons(dams) if dams else None,
                    progress=lambda share, step: bar.update(task, completed=share, description=step),
                )
            except SceneError as error:
                said = "; ".join(one["problem"] for one in unusable)
                raise InvalidInput(f"{error} {said}".strip()) from None
        facts = {**made.facts, "left_out": [*unusable, *made.facts["left_out"]]}
        (out / "history.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), "utf-8")
        if as_json:
            typer.echo(json.dumps(facts, ensure_ascii=False))
            return
        typer.echo(f"影像 dates {len(facts['dates'])}：{facts['dates'][0]} – {facts['dates'][-1]}")
        for name, counts in (
            ("水体 bodies", "bodies"),
            ("状态 states", "states"),
            ("变化 changes", "changes"),
        ):
            typer.echo(f"{name}: " + (" · ".join(f"{k} {v}" for k, v in facts[counts].items()) or "–"))
        for one in facts["left_out"]:
            typer.echo(f"未使用 left out  {one['scene']}: {one['problem']}")
        typer.echo(f"结果 results: {out}")

    return group


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInput(
            f"--since 应为 2020-01-01 这样的日期 (a date like this): {text!r}", field="since", value=text
        ) from None
