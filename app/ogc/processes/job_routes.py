"""Jobs below /ogc: where they stand, what came of them, and their dismissal."""

from collections.abc import Mapping
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.actor import Permission
from app.errors import NotAllowed, NotFound
from app.ogc import parameters
from app.ogc.answering import Asked
from app.ogc.negotiate import JSON
from app.ogc.pages import Row
from app.ogc.processes import documents, jobs
from app.ogc.processes.answers import (
    Told,
    html_page,
    in_scope,
    json_answer,
    limits,
    output_of,
    require_successful,
    results_of,
    special,
    wants_html,
)  # fmt: skip
from app.ogc.processes.process import Json
from app.ogc.processes.registry import PROCESSES

router = APIRouter()
STATES = ("accepted", "running", "successful", "failed", "dismissed")


# ── jobs ────────────────────────────────────────────────────────────────────────────────────────


def _job(request: Request) -> UUID:
    try:
        return UUID(request.path_params["job"])
    except ValueError:
        raise _no_such_job() from None


def _no_such_job() -> Told:
    return Told("no-such-job", 404, "没有此任务，或当前账号不可见 (no such job, or none that you may see)")


async def _record(asked: Asked) -> Json:
    job = _job(asked.request)
    try:
        return await in_scope(asked, lambda session: jobs.find(session, job))
    except NotFound:
        raise _no_such_job() from None


def _require_own(asked: Asked, record: Json) -> None:
    """Raises NotAllowed: what one's colleague made is not thrown away."""
    if record["actor_id"] != asked.actor.user_id and not asked.actor.may(Permission.ADMINISTER):
        raise NotAllowed(
            f"只有提交者 {record['actor_name']} 或管理员可以撤销此任务 (only who asked for it, or an administrator, may dismiss a job)",
            permission=str(Permission.ADMINISTER),
        )


JOB_PARAMETERS = ("limit", "offset", "type", "processID", "status", "datetime", "minDuration", "maxDuration")


@special(router, "/jobs", ("GET", "HEAD"))
async def job_list(asked: Asked) -> Response:
    found = parameters.only(asked.request.query_params, JOB_PARAMETERS)
    limit, skip = limits(found)
    filters = _filters(found)
    kinds = found["type"].split(",") if "type" in found else ["process"]
    records = (
        []
        if "process" not in kinds
        else await in_scope(asked, lambda session: jobs.listed(session, filters, limit, skip))
    )
    following = skip + limit if len(records) > limit else None
    html = wants_html(asked)
    kept = {name: text for name, text in found.items() if name not in ("offset", *parameters.ANYWHERE)}
    made, links = documents.jobs(asked.at, "text/html" if html else JSON, records[:limit], kept, following)
    if not html:
        return json_answer(asked, made, links)
    rows = [
        Row(
            one["jobID"],
            f"{one['processID']} · {one['status']} · {one['progress']} %",
            asked.at.to("jobs", one["jobID"], f="html"),
        )
        for one in made["jobs"]
    ]
    return html_page(asked, "任务 · Jobs", rows, links, "processes")


def _filters(found: Mapping[str, str]) -> Json:
    states = found["status"].split(",") if "status" in found else None
    if states is not None and (wrong := [one for one in states if one not in STATES]):
        raise parameters.refused(
            "status", wrong[0], f"以下之一：{' '.join(STATES)}", f"one of {' '.join(STATES)}"
        )
    when = parameters.period(found["datetime"]) if "datetime" in found else None
    return {
        "process": found["processID"].split(",") if "processID" in found else None,
        "status": states,
        "start": when.start if when else None,
        "end": when.end if when else None,
        "shortest": _seconds(found, "minDuration"),
        "longest": _seconds(found, "maxDuration"),
    }


def _seconds(found: Mapping[str, str], name: str) -> int | None:
    text = found.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise parameters.refused(name, text, "秒数", "a number of seconds")
    return int(text)


@special(router, "/jobs/{job}", ("GET", "HEAD", "DELETE"))
async def job(asked: Asked) -> Response:
    parameters.only(asked.request.query_params, ())
    record = await _record(asked)
    if asked.request.method == "DELETE":
        _require_own(asked, record)
        record = await in_scope(asked, lambda session: jobs.dismiss(asked.services, session, record["id"]))
    html = asked.request.method != "DELETE" and wants_html(asked)
    made, links = documents.status(asked.at, "text/html" if html else JSON, record)
    if not html:
        return json_answer(asked, made, links)
    rows = [Row(name, str(value)) for name, value in made.items() if name != "links"]
    rows += [Row("结果 · Results", href=link.href) for link in links if link.rel == documents.RESULTS]
    return html_page(asked, f"任务 · Job {made['jobID']}", rows, links, "jobs")


@special(router, "/jobs/{job}/results", ("GET", "HEAD"))
async def results(asked: Asked) -> Response:
    found = parameters.only(asked.request.query_params, ("outputs",))
    record = await _record(asked)
    wanted: dict[str, str] = record["request"]["outputs"]
    if "outputs" in found:
        names = found["outputs"].split(",")
        if wrong := [name for name in names if name not in PROCESSES[record["process"]].outputs]:
            raise parameters.refused("outputs", wrong[0], "处理的输出", "outputs of the process")
        wanted = {name: wanted.get(name, "value") for name in names}
    return results_of(asked, record, wanted, [])


@special(router, "/jobs/{job}/results/{output}", ("GET", "HEAD"))
async def result(asked: Asked) -> Response:
    parameters.only(asked.request.query_params, ())
    record = await _record(asked)
    require_successful(record)
    name = asked.request.path_params["output"]
    if name not in record["results"]:
        raise NotFound(f"没有输出 {name[:60]!r} (no such output)")
    return output_of(asked, record, name, [])
