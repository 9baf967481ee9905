"""`shuitu tiles`: a layer as one PMTiles file, and the map tables written anew."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from psycopg_pool import AsyncConnectionPool
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.actor import Actor, system
from app.changes import service as changes
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput, NotFound
from layers import catalog
from layers.model import Layer
from tiles import archive, extent
from tiles.address import PUBLIC, Viewer
from tiles.postgis import enter_scope

DEFAULT_MAXZOOM = 12
"""Twelve zooms of the whole country are some 350,000 tiles; clients draw the last ones larger."""


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
        layer: Annotated[str, typer.Argument(help=f"one of {' '.join(catalog.load())}")],
        out: Annotated[Path | None, typer.Option(help="file; default: in the archives folder")] = None,
        maxzoom: Annotated[int, typer.Option(min=0, max=16, help="last zoom")] = DEFAULT_MAXZOOM,
        as_user: Annotated[
            str, typer.Option("--as", help="account whose fields and jurisdiction to export; default: public")
        ] = "",
        as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    ) -> None:
        """Write a layer to one PMTiles file. Example: shuitu tiles export intakes --out intakes.pmtiles"""
        declared = _layer(layer)
        with opened() as wired:
            viewer = viewer_of(actor_named(wired, as_user)) if as_user else PUBLIC
            target = _target(wired, declared, viewer, out)
            written = asyncio.run(_write(wired, declared, viewer, target, maxzoom, as_json))
        if as_json:
            facts = {"layer": layer, "tiles": written, "file": str(target), "bytes": target.stat().st_size}
            print(json.dumps(facts, ensure_ascii=False))
        else:
            Console().print(f"已写出 {written} 个瓦片 · {written} tiles written: {target}", highlight=False)

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
                    driver: Any = session.connection().connection.driver_connection
                    wired.publish(driver, name, None)
                    # Of no county: what was kept of any tile of the layer is stale.
                    changes.record(session, actor.username, name, "rebuild", 0)
                Console().print(f"已重建 · written anew: {name}", highlight=False)

    return app


def _layer(name: str) -> Layer:
    found = catalog.load().get(name)
    if found is None:
        raise NotFound(f"没有图层 {name!r} (no such layer; there are {' '.join(catalog.load())})")
    return found


def _target(services: Services, layer: Layer, viewer: Viewer, out: Path | None) -> Path:
    """Where the file goes. Raises InvalidInput if the viewer does not see the layer, or if officer fields would
    lie where the public may fetch them."""
    if layer.relation_for(viewer.audience) is None:
        raise InvalidInput(
            f"图层 {layer.id} 不公开，请用 --as 指定账号 (this layer is not public: name an account by --as)",
            field="layer",
            value=layer.id,
        )
    public = services.settings.archives_dir
    folder = public if viewer.audience == "public" else public / archive.OFFICER_FOLDER
    target = (out or folder / f"{layer.id}.pmtiles").resolve()
    if viewer.audience != "public" and target.parent == public.resolve():
        raise InvalidInput(
            f"{public} 中的档案对公众开放，非公开内容请写到 {folder} (archives there are public: write to {folder})",
            field="out",
            value=str(out),
        )
    return target


async def _write(
    services: Services, layer: Layer, viewer: Viewer, target: Path, maxzoom: int, quiet: bool
) -> int:
    settings = services.settings
    pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] = AsyncConnectionPool(
        services.dsns.map, min_size=1, max_size=1, open=False
    )
    async with pool:
        async with pool.connection() as connection, connection.transaction():
            await enter_scope(connection, viewer)
            bounds = await extent.bounds(connection, layer, viewer.audience)
        if bounds is None:
            raise NotFound(f"图层 {layer.id} 没有数据，未写出文件 (the layer is empty: no file was written)")
        with _progress(quiet) as progress:
            task = progress.add_task(layer.title.zh, total=None)
            return await archive.write(
                pool,
                layer,
                viewer,
                target,
                bounds,
                maxzoom,
                hidden_bits=settings.public_accuracy_bits,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )


def _progress(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        disable=quiet,
    )
