"""The process `detect`: scenes compared with the register, as `shuitu detect` does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.actor import Actor, Permission
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput
from app.ogc.processes.process import Dismissed, Input, Json, Output, Process, Progress, Result, begun_once
from app.screening import queries
from app.screening import service as screening
from layers.model import Text


def check(services: Services, actor: Actor, inputs: Json) -> Json:
    """Scenes by their numbers, whether they were named so or as STAC items. Raises InvalidInput for one that is not there."""
    with transaction(services.engine, actor) as session:
        known = session.execute(text("select id, item_id from shuitu.scenes")).all()
    numbers = {row.id: row.id for row in known} | {row.item_id: row.id for row in known}
    if missing := [scene for scene in inputs["scenes"] if scene not in numbers]:
        raise InvalidInput(
            f"没有影像 {str(missing[0])[:60]!r} (no such scene)", field="scenes", value=str(missing[0])[:60]
        )
    return {**inputs, "scenes": list(dict.fromkeys(numbers[scene] for scene in inputs["scenes"]))}


def run(
    services: Services, actor: Actor, inputs: Mapping[str, Any], folder: Path, progress: Progress
) -> dict[str, Result]:
    """Put a run on record and carry it out; its candidates appear as places are finished.

    Raises InvalidInput for an area that is none or a scene that cannot be read, Dismissed if the job or its run was.
    """
    run_id = _run(services, actor, inputs, folder)

    def told(share: float, step: str) -> None:
        try:
            progress(share, step)
        except Dismissed:
            with transaction(services.engine, actor) as session:
                screening.cancel(session, run_id)
            raise screening.Cancelled from None

    record = screening.run(services, run_id, actor, told)
    if record["state"] == "cancelled":
        raise Dismissed
    link = {"href": f"/api/candidates?run={run_id}", "rel": "related", "type": "application/json"}
    found = {"run": run_id, "candidates": record["candidates"], **record["facts"], "links": [link]}
    results = {"summary": Result(value=found)}
    if record["report_path"]:
        report = services.settings.data_dir / record["report_path"]
        results["report"] = Result(file=report, media="text/html")
    return results


def _run(services: Services, actor: Actor, inputs: Mapping[str, Any], folder: Path) -> int:
    return begun_once(
        services,
        actor,
        folder,
        queries.run,
        lambda session: screening.start(session, actor, inputs["scenes"], inputs.get("aoi")),
    )


PROCESS = Process(
    "detect",
    Text(zh="遥感比对", en="Compare scenes with the register"),
    Text(
        zh="在影像中查找水体与灌溉地，与登记、许可的取水口比对，得出待判定的疑似线索。",
        en="Finds water bodies and irrigated land in scenes and compares them with registered and permitted intakes: candidates for people to judge.",
    ),
    {
        "scenes": Input(
            Text(
                zh="影像，编号或 STAC 标识(多期影像比较变化)",
                en="Scenes, by number or as STAC items; several dates give change",
            ),
            {
                "oneOf": [
                    {"type": "integer", "minimum": 1, "maximum": 2**62},
                    {"type": "string", "minLength": 1, "maxLength": 300},
                ]
            },
            required=True,
            most=500,
        ),
        "aoi": Input(
            Text(zh="范围(GeoJSON 面)", en="Area of interest (GeoJSON polygon)"),
            {"type": "object", "required": ["type"], "format": "geojson-geometry"},
        ),
    },
    {
        "summary": Output(
            Text(zh="结果摘要，附线索链接", en="What was found, with a link to the candidates"),
            {"type": "object"},
        ),
        "report": Output(Text(zh="报告", en="Report"), {"type": "string", "contentMediaType": "text/html"}),
    },
    run,
    Permission.DETECT,
    check,
)
