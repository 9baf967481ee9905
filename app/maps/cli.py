"""`shuitu tiles`: a layer as one PMTiles file, and the map tables written anew."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from app.actor import Actor, system
from app.changes import service as changes
from app.db.engine import driver_of, transaction
from app.deps import Services
from app.errors import InvalidInput, NotFound
from app.maps import exporting
from layers import catalog
from layers.model import Layer
from tiles.address import PUBLIC, Viewer


def commands(
    services: Callable[[], Services],
    actor_named: Callable[[Services, str], Actor],
    viewer_of: Callable[[Actor], Viewer],
) -> typer.Typer:
    """The commands, on the services that the command line wires."""
    app = typer.Typer(no_args_is_help=True, help="瓦片 · tiles and archives")

    @contextmanager
    def opened() -> Iterator[Services]:
        wired = services()
        try:
            yield wired
        finally:
            wired.engine.dispose()

    @app.command("export")
    def export(
        content: Annotated[
            str,
            typer.Argument(
                metavar="LAYER|all",
                help=f"{exporting.ALL} for the whole map, or one of {' '.join(catalog.load())}",
            ),
        ],
        out: Annotated[
            Path | None, typer.Option(help="file; default: where archives are served from")
        ] = None,
        maxzoom: Annotated[
            int, typer.Option(min=0, max=exporting.MAX_MAXZOOM, help="last zoom")
        ] = exporting.DEFAULT_MAXZOOM,
        officer: Annotated[
            bool, typer.Option("--officer", help="fields for officers too, of the whole nation")
        ] = False,
        as_user: Annotated[
            str, typer.Option("--as", help="account whose fields and jurisdiction to export; default: public")
        ] = "",
        as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    ) -> None:
        """Write a layer, or the whole map, to one PMTiles file. Killed, it goes on when started again.
        Example: shuitu tiles export intakes --out intakes.pmtiles"""
        with opened() as wired:
            actor = actor_named(wired, as_user) if as_user else system("tiles-export")
            viewer = viewer_of(actor) if as_user or officer else PUBLIC
            wanted = exporting.order(wired.settings, content, viewer, maxzoom)
            exporting.require_hidden(wired.settings, viewer, out)
            with _progress(as_json) as bar:
                task = bar.add_task(wanted.title, total=1.0)
                done = asyncio.run(
                    exporting.run(
                        wired,
                        wanted,
                        out,
                        lambda share, step: bar.update(task, completed=share, description=step),
                    )
                )
        if as_json:
            facts = {
                "layer": content, "tiles": done.tiles, "file": done.place, "bytes": done.size, "version": done.version,
                "made_at": done.made_at, "resumed_parts": done.resumed,
            }  # fmt: skip
            print(json.dumps(facts, ensure_ascii=False))
        else:
            Console().print(
                f"已写出 {done.tiles} 个瓦片 · {done.tiles} tiles written: {done.place}", highlight=False
            )

    @app.command("rebuild")
    def rebuild(
        layer: Annotated[str, typer.Argument(help="intakes or regions; default: both")] = "",
    ) -> None:
        """Write the map tables of a layer anew from its facts. Example: shuitu tiles rebuild intakes"""
        tabled = [one.id for one in catalog.load().values() if one.points or one.id == "regions"]
        if layer and _layer(layer).id not in tabled:
            raise InvalidInput(
                f"图层 {layer} 没有地图表，无需重建 (has no map tables to write anew; these have: {' '.join(tabled)})",
                field="layer",
                value=layer,
            )
        actor = system("tiles-rebuild")
        with opened() as wired:
            for name in [layer] if layer else tabled:
                with transaction(wired.engine, actor) as session:
                    wired.publish(driver_of(session), name, None)
                    # Of no county: what was kept of any tile of the layer is stale.
                    changes.record(session, actor.username, name, "rebuild", 0)
                Console().print(f"已重建 · written anew: {name}", highlight=False)

    return app


def _layer(name: str) -> Layer:
    found = catalog.load().get(name)
    if found is None:
        raise NotFound(f"没有图层 {name!r} (no such layer; there are {' '.join(catalog.load())})")
    return found


def _progress(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        disable=quiet,
    )
