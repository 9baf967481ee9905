"""`shuitu detect` and `shuitu evaluate`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy.orm import Session

from app.actor import Actor, system
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput
from app.imagery import service as imagery
from app.imagery.cli import named_bands
from app.screening import queries, service
from app.screening.schemas import Filters

if TYPE_CHECKING:
    from remote_sensing.scene import Scene


def detect_command(
    services: Callable[[], Services], actor_named: Callable[[Services, str], Actor]
) -> Callable[..., None]:
    """The command `detect`, on the services that the command line wires."""

    def detect(
        scene: Annotated[
            list[Path] | None,
            typer.Argument(help="GeoTIFF/COG, STAC item, SAFE or Landsat folder; several dates give change"),
        ] = None,
        aoi: Annotated[Path | None, typer.Option(help="GeoJSON polygon (CRS84) to look at")] = None,
        bands: Annotated[
            str, typer.Option(help="green=2,red=3,nir=4: number or description of each band")
        ] = "",
        actor: Annotated[
            str | None, typer.Option(help="account in whose jurisdiction it runs; otherwise the nation's")
        ] = None,
        resume: Annotated[
            int | None,
            typer.Option(
                help="number of a run that was killed, cancelled or failed: go on with what is left"
            ),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
    ) -> None:
        """Find suspected unregistered withdrawals. Example: shuitu detect S2_2022.tif S2_2024.tif --aoi county.geojson"""
        made = services()
        who = actor_named(made, actor) if actor else system("detect")
        area = _geojson(aoi) if aoi else None
        with transaction(made.engine, who) as session:
            run_id = resume if resume is not None else _started(session, who, scene or [], area, bands)
            if resume is not None and queries.run(session, resume)["state"] not in ("waiting", "running"):
                service.resume(session, resume)
        with Progress(disable=as_json, transient=True, console=Console(stderr=True)) as bar:
            task = bar.add_task("比对 detecting", total=1.0)
            result = service.run(
                made, run_id, who, lambda share, step: bar.update(task, completed=share, description=step)
            )
        _print(made, who, result, as_json)

    return detect


def _started(session: Session, who: Actor, paths: list[Path], area: dict[str, Any] | None, bands: str) -> int:
    if not paths:
        raise InvalidInput("请给出影像，或 --resume 任务号 (name scenes, or a run to resume)", field="scene")
    ids = [i for path in paths for i in imagery.add_scenes(session, who, path, named_bands(bands))]
    return service.start(session, who, ids, area)


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
        page = queries.page(session, Filters(run=result["id"]), None, 10)
    for row in page["items"]:
        print(
            f"  {row['code']}  {row['score']:.2f}  {row['kind']:15} {row['category']:20} {row['area_m2']:>12,.0f} m²  {row['county_name'] or ''}"
        )
    for left in facts["scenes_left_out"]:
        print(f"未使用 left out  {left['scene']}: {left['problem']}")
    if report:
        print(f"报告 report: {report}")


def _geojson(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"无法读取 {path} (is no GeoJSON): {error}", file=str(path)) from None
    return found


JsonOut = Annotated[
    Path | None, typer.Option("--json", help="write the figures to this file; - prints them", metavar="OUT")
]
Bands = Annotated[str, typer.Option(help="green=2,red=3,nir=4: number or description of each band")]
Value = Annotated[str | None, typer.Option(help="class that is meant; otherwise what the label says, else 1")]
LeftOut = Annotated[str, typer.Option(help="classes that are not judged, as 3,255")]


# What follows imports the libraries of remote sensing where it needs them: no other command waits for them.


def evaluate_commands() -> typer.Typer:
    """The group `evaluate`: accuracy against labels, without a database."""
    group = typer.Typer(no_args_is_help=True, help="精度评定 · accuracy against labels")

    @group.command("water")
    def water(
        scene: Path, label: Path, value: Value = None, left_out: LeftOut = "", bands: Bands = "", as_json: JsonOut = None
    ) -> None:  # fmt: skip
        """Water mask against a label (raster or polygons). Example: shuitu evaluate water scene.tif label.tif --json out.json"""
        from remote_sensing import evaluate

        with _told():
            report = evaluate.masks(_one(scene, bands), label, "water_body", value, _numbers(left_out))
        _report(report, as_json)

    @group.command("fields")
    def fields(
        scene: Annotated[list[Path], typer.Argument(help="one scene, or several dates of one place")],
        label: Path,
        value: Value = None,
        left_out: LeftOut = "",
        bands: Bands = "",
        as_json: JsonOut = None,
    ) -> None:
        """Field mask against a label (raster or polygons); of several dates, what a season shows. Example: shuitu evaluate fields may.tif july.tif label.tif --value 2"""
        from remote_sensing import evaluate
        from remote_sensing.scene import open_scenes

        with _told():
            dates = [one for path in scene for one in open_scenes(path, bands=named_bands(bands))]
            *before, newest = sorted(dates, key=lambda s: s.taken_s)
            report = evaluate.masks(newest, label, "irrigated_land", value, _numbers(left_out), dates=before)
        _report(report, as_json)

    @group.command("change")
    def change(
        earlier: Path,
        later: Path,
        truth: Path,
        least: Annotated[float, typer.Option("--min-area", help="smallest object, m²")] = 1_000.0,
        value: Value = None,
        left_out: LeftOut = "",
        bands: Bands = "",
        as_json: JsonOut = None,
    ) -> None:
        """New water between two dates against true changes, as objects. Example: shuitu evaluate change 2009.tif 2017.tif new.geojson"""
        from remote_sensing import evaluate
        from remote_sensing.options import Options

        with _told():
            options = Options(min_water_m2=least)
            scenes = _one(earlier, bands), _one(later, bands)
            report = evaluate.change_between(*scenes, truth, options, value, _numbers(left_out))
        _report(report, as_json)

    @group.command("recover")
    def recover(
        scene: list[Path],
        visible: Annotated[Path, typer.Option(help="intakes that stay in the register (points)")],
        hidden: Annotated[Path, typer.Option(help="intakes that are hidden (points)")],
        bodies: Annotated[
            Path | None, typer.Option(help="true water (polygons, status registered, hidden or never)")
        ] = None,
        seeds: Annotated[int, typer.Option(help="times that other intakes are hidden", min=1)] = 50,
        noise: Annotated[float, typer.Option(help="noise on positions, m", min=0)] = 15.0,
        bands: Bands = "",
        as_json: JsonOut = None,
    ) -> None:
        """Hide part of a register and recover it. Example: shuitu evaluate recover scene.tif --visible v.geojson --hidden h.geojson"""
        from remote_sensing import labels, recovery

        with _told():
            report = recovery.recover(
                [_one(path, bands) for path in scene],
                labels.polygons(visible),
                labels.polygons(hidden),
                bodies=labels.polygons(bodies) if bodies else None,
                seeds=seeds,
                noise_m=noise,
            )
        _report(report, as_json)

    return group


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be used as a scene or a label is told in words."""
    from rasterio.errors import RasterioError

    from remote_sensing.scene import SceneError

    try:
        yield
    except (SceneError, ValueError, KeyError, OSError, RasterioError) as error:
        raise InvalidInput(str(error)) from None


def _one(path: Path, bands: str) -> "Scene":
    """The newest scene at a path."""
    from remote_sensing.scene import open_scenes

    return open_scenes(path, bands=named_bands(bands))[-1]


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InvalidInput(
            f"--left-out 应为逗号分隔的数字，如 3,255 (numbers, comma between): {text!r}",
            field="left_out",
            value=text,
        ) from None


def _report(report: dict[str, Any], out: Path | None) -> None:
    """Figures as a table, and as JSON where asked for."""
    text = json.dumps(report, ensure_ascii=False, indent=1, default=str)
    if out is not None and str(out) != "-":
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, "utf-8")
    elif out is not None:
        print(text)
        return
    table = Table("", "IoU", "F1", "precision", "recall", title=f"{report['kind']} · {report['scene']}")
    for name, row in {"shuitu": report, **report["peers"]}.items():
        table.add_row(name, *(f"{row[key]:.3f}" for key in ("iou", "f1", "precision", "recall")))
    Console().print(table)
    sizes = Table("m²", "truth", "recall", "findings", "precision")
    for name, row in report["by_size"].items():
        cells = (
            "–" if row[key] is None else f"{row[key]:.3g}"
            for key in ("truth", "recall", "findings", "precision")
        )
        sizes.add_row(name, *cells)
    Console().print(sizes)
    more = {
        key: report[key]
        for key in ("ci", "ece", "ece_raw", "label", "assumed", "shift_pixels", "given")
        if key in report
    }
    Console().print_json(json.dumps(more, ensure_ascii=False, default=str))
