"""`shuitu imagery`: scenes into the catalogue, and what is in it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.actor import Actor, system
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput
from app.imagery import gathering, service
from app.imagery.gathering import Search, Unusable

if TYPE_CHECKING:
    from remote_sensing.scene import Scene


def named_bands(text: str) -> dict[str, str]:
    """`green=2,red=3,nir=4` as a mapping. Raises InvalidInput if it is not of that form."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not (name and which) for name, _, which in pairs):
        raise InvalidInput(
            f"--bands 应形如 green=2,red=3,nir=4 (looks like this): {text!r}", field="bands", value=text
        )
    return {name.strip(): which.strip() for name, _, which in pairs}


def commands(services: Callable[[], Services], actor_named: Callable[[Services, str], Actor]) -> typer.Typer:
    """The group `imagery`, on the services that the command line wires."""
    group = typer.Typer(no_args_is_help=True, help="遥感影像 · scenes on file")

    @group.command("add")
    def add(
        source: Annotated[str, typer.Argument(help="folder, file, or the address of a STAC API")],
        collections: Annotated[str, typer.Option(help="collections of the API, comma between")] = "",
        bbox: Annotated[str | None, typer.Option(help="west,south,east,north in degrees")] = None,
        datetime: Annotated[str | None, typer.Option(help="2024-05-01/2024-09-30")] = None,
        cloud: Annotated[float | None, typer.Option(help="most cloud cover, %", min=0, max=100)] = None,
        limit: Annotated[int, typer.Option(help="most items of the API", min=1)] = 100,
        bands: Annotated[
            str, typer.Option(help="green=2,red=3,nir=4: number or description of each band of files")
        ] = "",
        actor: Annotated[
            str | None, typer.Option(help="account in whose jurisdiction; otherwise the nation's")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
    ) -> None:
        """Put scenes on file. Example: shuitu imagery add /data/s2/2024, or: shuitu imagery add https://stac.example.cn/v1 --collections sentinel-2-l2a --bbox 119,32,120,33 --datetime 2024-05-01/2024-06-30"""
        remote = source.startswith(("http://", "https://"))
        asked = Search(
            tuple(part.strip() for part in collections.split(",") if part.strip()),
            _box(bbox),
            datetime,
            cloud,
            limit,
        )
        found = gathering.in_catalogue(source, asked) if remote else _local(source, bands)
        made = services()
        who = actor_named(made, actor) if actor else system("imagery")
        added, unusable = service.store_all(made, who, found, source if remote else "")
        if as_json:
            said = [{"scene": one.name, "problem": one.problem} for one in unusable]
            print(json.dumps({"scenes": added, "unusable": said}, ensure_ascii=False))
        else:
            for one in added:
                print(f"{one['id']:>6}  {one['item_id']}")
            for bad in unusable:
                print(f"未登记 left out  {bad.name}: {bad.problem}")
            print(f"登记 scenes on file: {len(added)} · 未登记 left out: {len(unusable)}")
        if not added:
            raise typer.Exit(1)

    @group.command("list")
    def listing(
        as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
    ) -> None:
        """Scenes on file. Example: shuitu imagery list --json"""
        made = services()
        with transaction(made.engine, system("imagery")) as session:
            rows = service.listed(session)
        if as_json:
            print(json.dumps(rows, ensure_ascii=False, default=str))
            return
        table = Table("id", "item", "sensor", "date", "m", "cloud %")
        for row in rows:
            date = f"{row['acquired_at']:%Y-%m-%d}" if row["acquired_at"] else "–"
            cloud = "–" if row["cloud_pct"] is None else f"{row['cloud_pct']:.0f}"
            table.add_row(
                str(row["id"]), row["item_id"], row["sensor"], date, str(row["resolution_m"] or "–"), cloud
            )
        Console().print(table)

    return group


def _local(source: str, bands: str) -> "Iterator[Scene | Unusable]":
    path = Path(source)
    if not path.exists():
        raise InvalidInput(f"没有 {source} (there is no such file or folder)", field="source", value=source)
    return gathering.in_folder(path, named_bands(bands))


def _box(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west, south, east, north = 1.0, 1.0, 0.0, 0.0
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise InvalidInput(
            f"--bbox 应为 西,南,东,北(度) (west,south,east,north in degrees): {text!r}",
            field="bbox",
            value=text,
        )
    return west, south, east, north
