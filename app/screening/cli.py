"""`shuitu detect` and `shuitu evaluate`."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import geopandas as gpd
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from app.actor import Actor, system
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput
from app.imagery import service as imagery
from app.screening import queries, service
from remote_sensing import evaluate
from remote_sensing.scene import SceneError, open_scenes


def detect_command(
    services: Callable[[], Services], actor_named: Callable[[Services, str], Actor]
) -> Callable[..., None]:
    """The command `detect`, on the services that the command line wires."""

    def detect(
        scene: Annotated[
            list[Path],
            typer.Argument(help="GeoTIFF/COG, STAC item, SAFE or Landsat folder; several dates give change"),
        ],
        aoi: Annotated[Path | None, typer.Option(help="GeoJSON polygon (CRS84) to look at")] = None,
        bands: Annotated[
            str, typer.Option(help="green=2,red=3,nir=4: number or description of each band")
        ] = "",
        actor: Annotated[
            str | None, typer.Option(help="account in whose jurisdiction it runs; otherwise the nation's")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
    ) -> None:
        """Find suspected unregistered withdrawals. Example: shuitu detect S2_2022.tif S2_2024.tif --aoi county.geojson"""
        made = services()
        who = actor_named(made, actor) if actor else system("detect")
        area = _geojson(aoi) if aoi else None
        with transaction(made.engine, who) as session:
            ids = [i for path in scene for i in imagery.add_scenes(session, who, path, _bands(bands))]
            run_id = service.start(session, who, ids, area)
        with Progress(disable=as_json, transient=True, console=Console(stderr=True)) as bar:
            task = bar.add_task("比对 detecting", total=1.0)
            result = service.run(
                made, run_id, who, lambda share, step: bar.update(task, completed=share, description=step)
            )
        _print(made, who, result, as_json)

    return detect


def _print(services: Services, actor: Actor, result: dict[str, Any], as_json: bool) -> None:
    report = services.settings.data_dir / result["report_path"] if result["report_path"] else None
    if as_json:
        print(
            json.dumps({**result, "report": str(report) if report else None}, default=str, ensure_ascii=False)
        )
        return
    facts = result["facts"]
    print(
        f"任务 run {result['id']} · 对象 objects {sum(facts['objects'].values())} · 线索 candidates {facts['candidates']}"
        f"（新增 new {facts['new']}，更新 updated {facts['updated']}，已判定 decided before {facts['decided_before']}）"
    )
    with transaction(services.engine, actor) as session:
        page = queries.page(session, {"run": result["id"]}, None, None, 10)
    for row in page["items"]:
        print(
            f"  {row['code']}  {row['score']:.2f}  {row['kind']:15} {row['category']:20} {row['area_m2']:>12,.0f} m²  {row['county_name'] or ''}"
        )
    if report:
        print(f"报告 report: {report}")


def _bands(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not (name and which) for name, _, which in pairs):
        raise InvalidInput(
            f"--bands 应形如 green=2,red=3,nir=4 (looks like this): {text!r}", field="bands", value=text
        )
    return {name.strip(): which.strip() for name, _, which in pairs}


def _geojson(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"无法读取 {path} (is no GeoJSON): {error}", file=str(path)) from None
    return found


def evaluate_commands() -> typer.Typer:
    """The group `evaluate`: accuracy against labels, without a database."""
    group = typer.Typer(no_args_is_help=True, help="精度评定 · accuracy against labels")

    def masks(kind: str, scene: Path, label: Path, value: int, left_out: str, as_json: bool) -> None:
        try:
            opened = open_scenes(scene)[0]
            rows = evaluate.mask_agreement(
                opened,
                evaluate.read_label(label, opened),
                kind,
                value,
                [int(v) for v in left_out.split(",") if v],
            )
        except (SceneError, ValueError, OSError) as error:
            raise InvalidInput(str(error)) from None
        if as_json:
            print(json.dumps(rows))
            return
        table = Table("method", "IoU", "precision", "recall", title=f"{opened.item_id} · {kind}")
        for row in rows:
            table.add_row(row["method"], *(f"{row[name]:.3f}" for name in ("iou", "precision", "recall")))
        Console().print(table)

    @group.command("water")
    def water(
        scene: Path,
        label: Path,
        value: int = 1,
        left_out: str = "255,-1",
        as_json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """Water mask against a label raster. Example: shuitu evaluate water scene.tif label.tif --value 1"""
        masks("water_body", scene, label, value, left_out, as_json)

    @group.command("fields")
    def fields(
        scene: Path,
        label: Path,
        value: int = 1,
        left_out: str = "255,-1",
        as_json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """Field mask against a label raster. Example: shuitu evaluate fields scene.tif label.tif --value 2"""
        masks("irrigated_land", scene, label, value, left_out, as_json)

    @group.command("change")
    def change(
        earlier: Path,
        later: Path,
        truth: Path,
        as_json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """New water between two dates against true changes (GeoJSON, kind new_body or expansion).
        Example: shuitu evaluate change 2009.tif 2017.tif changes.geojson"""
        try:
            before, after = open_scenes(earlier)[0], open_scenes(later)[0]
            rows = evaluate.change_between(before, after, gpd.read_file(truth))
        except (SceneError, ValueError, KeyError, OSError) as error:
            raise InvalidInput(str(error)) from None
        _table("change", rows, as_json)

    @group.command("recover")
    def recover(
        scene: Path,
        register: Path,
        bodies: Path,
        as_json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """Hide and recover: intakes that are not hidden (points), true water with status registered, hidden or never.
        Example: shuitu evaluate recover scene.tif register_visible.geojson bodies.geojson"""
        try:
            with tempfile.TemporaryDirectory() as out:
                opened = open_scenes(scene)[0]
                rows = evaluate.recover(opened, gpd.read_file(register), gpd.read_file(bodies), Path(out))
        except (SceneError, ValueError, KeyError, OSError) as error:
            raise InvalidInput(str(error)) from None
        _table("recover", rows, as_json)

    return group


def _table(title: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(table)
