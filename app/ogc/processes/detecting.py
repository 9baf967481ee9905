"""The process `detect`: scenes compared with the register, as `shuitu detect` does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.actor import Actor, Permission
from app.db.engine import transaction
from app.deps import Services
from app.ogc.processes.process import Dismissed, Input, Output, Process, Progress, Result
from app.screening import service as screening
from layers.model import Text


def run(
    services: Services, actor: Actor, inputs: Mapping[str, Any], folder: Path, progress: Progress
) -> dict[str, Result]:
    """Put a run on record and carry it out; its candidates appear all at once at its end.

    Raises NotFound for a scene that is not there, InvalidInput for an area that is none.
    """
    marker = folder / "run"
    with transaction(services.engine, actor) as session:
        # Started again after its worker was killed, it goes on with the run that it began.
        run_id = (
            int(marker.read_text())
            if marker.is_file()
            else screening.start(session, actor, inputs["scenes"], inputs.get("area"))
        )
    marker.write_text(str(run_id))
    try:
        record = screening.run(services, run_id, actor, progress)
    except Dismissed:
        with transaction(services.engine, actor) as session:
            screening.cancel(session, run_id)
        raise
    found = {"run": run_id, "candidates": record["candidates"], **record["facts"]}
    results = {"summary": Result(value=found)}
    if record["report_path"]:
        report = services.settings.data_dir / record["report_path"]
        results["report"] = Result(file=report, media="text/html")
    return results


PROCESS = Process(
    "detect",
    Text(zh="遥感比对", en="Compare scenes with the register"),
    Text(
        zh="在影像中查找水体与灌溉地，与登记、许可的取水口比对，得出待判定的疑似线索。",
        en="Finds water bodies and irrigated land in scenes and compares them with registered and permitted intakes: candidates for people to judge.",
    ),
    {
        "scenes": Input(
            Text(zh="影像编号(多期影像比较变化)", en="Numbers of the scenes; several dates give change"),
            {"type": "integer", "minimum": 1, "maximum": 2**62},
            required=True,
            most=20,
        ),
        "area": Input(
            Text(zh="范围(GeoJSON 面)", en="Area (GeoJSON polygon)"),
            {"type": "object", "required": ["type"], "format": "geojson-geometry"},
        ),
    },
    {
        "summary": Output(Text(zh="结果摘要", en="What was found"), {"type": "object"}),
        "report": Output(Text(zh="报告", en="Report"), {"type": "string", "contentMediaType": "text/html"}),
    },
    run,
    Permission.DETECT,
)
