"""`shuitu link …`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress as Bar

from app.errors import InvalidInput
from app.linkage.engine.records import LinkSettings


def commands() -> typer.Typer:
    """The group `link`."""
    group = typer.Typer(no_args_is_help=True, help="比对衔接 · register–permit linkage")
    group.command("files")(link_files)
    group.command("mapping")(link_mapping)
    return group


def link_files(
    a: Annotated[
        Path, typer.Argument(help="register A: CSV, XLSX, GeoPackage, GeoJSON, Shapefile or GeoParquet")
    ],
    b: Annotated[Path, typer.Argument(help="register B, in any of these formats too")],
    mapping: Annotated[
        Path | None, typer.Option(help="YAML that says which column is what (see below); guessed without one")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="where the pairs go: a, b, probability, outcome, decision, reasons")
    ] = Path("pairs.csv"),
    truth: Annotated[
        Path | None, typer.Option(help="CSV of true pairs (a, b): print precision, recall and F1")
    ] = None,
    confirm_at: Annotated[
        float | None, typer.Option(help="confirm pairs of at least this probability")
    ] = None,
    cardinality: Annotated[
        str, typer.Option(help="auto, one_to_one, many_to_one (several a, one b), one_to_many, many_to_many")
    ] = "",
    model_in: Annotated[
        Path | None, typer.Option("--model", help="a model that an earlier run wrote")
    ] = None,
    model_out: Annotated[Path | None, typer.Option(help="write the model here (JSON)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Link two registers in files, without a database. Example: shuitu link files A.csv B.xlsx --mapping M.yaml --out pairs.csv

    A mapping has a section for each file, or one for both if their columns are called the same:

    \b
    a: {id: well_id, name: well_name, holder: owner, code: permit, lon: longitude, lat: latitude}
    b: {id: 编号, name: 名称, holder: 取水权人, x: X, y: Y, crs: "EPSG:4547"}

    `id` must be named; name, holder, code, permit_no, previous_no, uscc, lon and lat (or x and y with crs,
    or geometry), place, town, county_code, water_body, source_type, purpose and annual_m3 help where there are any.
    A list of columns is joined with spaces. `shuitu link mapping A B` writes a first mapping to start from.
    """
    from app.linkage import file_mapping, files

    given = file_mapping.load(mapping) if mapping else file_mapping.EMPTY
    tuning: dict[str, Any] = {**given.tuning}
    if confirm_at is not None:
        tuning["confirm_at"] = confirm_at
    if cardinality:
        tuning["cardinality"] = cardinality
    settings = LinkSettings(model=_model(model_in) if model_in else None)
    with Bar(console=Console(stderr=True), disable=as_json or not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)
        answer = files.run(
            a, b, file_mapping.FileMapping(given.a, given.b, file_mapping.tuned(tuning)), settings,
            lambda stage, done, total: bar.update(task, description=stage, completed=done, total=total),
        )  # fmt: skip
    files.write(answer.rows, out)
    if model_out:
        with files.writing(model_out) as file:
            json.dump(answer.linked.model, file, ensure_ascii=False)
    facts = files.summary(answer) | {"out": str(out)}
    if truth:
        facts["accuracy"] = files.accuracy(answer.rows, truth)
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        _tell(answer, facts)


def link_mapping(a: Path, b: Path) -> None:
    """Write a mapping by guessing from the columns. Example: shuitu link mapping A.csv B.csv > M.yaml"""
    from app.linkage import file_mapping, files

    left, right = (files.opened(path, file_mapping.Section({}), side) for path, side in ((a, "a"), (b, "b")))
    typer.echo(file_mapping.written(left.section, right.section), nl=False)


def _tell(answer: Any, facts: dict[str, Any]) -> None:
    from app.linkage import file_mapping

    if answer.a.guessed or answer.b.guessed:
        typer.echo("未给出的列按列名猜测 (columns were guessed):")
        typer.echo(file_mapping.written(answer.a.section, answer.b.section), nl=False)
    for side in ("a", "b"):
        for reason, count in facts["odd"][side].items():
            typer.echo(f"  {side}: {reason}: {count}")
    typer.echo(
        f"A {facts['rows_a']} 行 rows · B {facts['rows_b']} 行 rows · 对应 pairs {facts['pairs']}"
        f"（确认 confirmed {facts['confirmed']}，待人工 doubtful {facts['doubtful']}）"
        f" · 有口无证 only in A {facts['only_a']} · 有证无口 only in B {facts['only_b']}"
    )
    if "accuracy" in facts:
        typer.echo(" · ".join(f"{name} {value:.4g}" for name, value in facts["accuracy"].items()))
    typer.echo(f"已写入 written to {facts['out']}")


def _model(path: Path) -> Any:
    """A model that `--model-out` wrote. Raises InvalidInput for anything else."""
    from app.linkage.engine.model import Model

    try:
        kept = json.loads(path.read_text("utf-8"))
        Model.from_json(kept)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"无法读取模型 {path} (cannot read the model): {error}", file=str(path)) from None
    return kept
