"""The process `link`: the register brought to its permits, as `shuitu link run` does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.actor import Actor, Permission
from app.db.engine import transaction
from app.deps import Services
from app.linkage import runs
from app.ogc.processes.process import Dismissed, Input, Json, Output, Process, Progress, Result, begun_once
from layers.model import Text

SHARE: Json = {"type": "number", "minimum": 0, "maximum": 1}


def check(services: Services, actor: Actor, inputs: Json) -> Json:
    """Nothing beyond the schemas: whether the region is the actor's own, the run says when it is put on record."""
    return inputs


def run(
    services: Services, actor: Actor, inputs: Mapping[str, Any], folder: Path, progress: Progress
) -> dict[str, Result]:
    """Put a run on record and carry it out, county by county.

    Raises InvalidInput for a region outside the jurisdiction or thresholds out of order, Dismissed if the job or its run was.
    """
    from app.linkage import running  # only a run needs the engine

    run_id = _run(services, actor, inputs, folder)

    def told(share: float, step: str) -> None:
        try:
            progress(share, step)
        except Dismissed:
            with transaction(services.engine, actor) as session:
                runs.cancel(session, run_id)
            raise running.Cancelled from None

    record = running.run(services, run_id, told)
    if record["state"] == "cancelled":
        raise Dismissed
    link = {"href": "/api/linkage/outcomes?state=open", "rel": "related", "type": "application/json"}
    return {"summary": Result(value={"run": run_id, **record["facts"], "links": [link]})}


def _run(services: Services, actor: Actor, inputs: Mapping[str, Any], folder: Path) -> int:
    return begun_once(
        services,
        actor,
        folder,
        runs.find,
        lambda session: runs.start(
            session,
            actor,
            services.settings,
            inputs.get("region", ""),
            inputs.get("confirm_at"),
            inputs.get("doubt_at"),
        ),
    )


PROCESS = Process(
    "link",
    Text(zh="比对衔接", en="Bring the register to its permits"),
    Text(
        zh="将核查登记的取水口与电子证照所列取水口逐一比对：把握大的按规则确认，存疑的留待人工，其余为有口无证、有证无口。",
        en="Compares the intakes of the register with those that permits list: sure ones are confirmed by rule, doubtful ones left to a person, the rest has no counterpart.",
    ),
    {
        "region": Input(
            Text(zh="行政区划代码前缀(2、4 或 6 位)", en="GB/T 2260 prefix of 2, 4 or 6 digits"),
            {"type": "string", "pattern": r"^(\d{2}|\d{4}|\d{6})$"},
        ),
        "confirm_at": Input(
            Text(zh="按规则确认的概率下限", en="Confirm by rule from this probability on"), SHARE
        ),
        "doubt_at": Input(
            Text(zh="留待人工的概率下限", en="Leave to a person from this probability on"), SHARE
        ),
    },
    {"summary": Output(Text(zh="结果摘要", en="What came of it"), {"type": "object"})},
    run,
    Permission.MATCH,
    check,
)
