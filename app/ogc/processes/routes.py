"""OGC API – Processes below /ogc: what can be done, and doing it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from app.errors import InvalidInput, NotAllowed, NotSignedIn
from app.ogc import parameters
from app.ogc.answering import Answer, Asked, document, resource
from app.ogc.asking import ItemsQuery
from app.ogc.bodies import json_object
from app.ogc.links import Link
from app.ogc.negotiate import DOCUMENT, JSON
from app.ogc.pages import Row, Section, page
from app.ogc.processes import callbacks, documents, exporting, jobs
from app.ogc.processes.answers import (
    Told,
    html_page,
    in_scope,
    json_answer,
    limits,
    results_of,
    special,
    wants_html,
)
from app.ogc.processes.process import Json, Process, checked
from app.ogc.processes.registry import PROCESSES
from layers import catalog

router = APIRouter()
MOST_BYTES = 2 * 2**20
SYNC_MOST = 20_000
"""Features that are exported while the client waits; for more it must ask for a job."""
ITEM = re.compile(r"collections/([a-z_]{1,60})/items/(\d{1,18})")


# ── processes ───────────────────────────────────────────────────────────────────────────────────


@resource(router, "/processes", DOCUMENT)
async def processes(asked: Asked) -> Answer:
    found = parameters.only(asked.request.query_params, ("limit", "offset"))
    limit, skip = limits(found)
    every = list(PROCESSES.values())
    shown = every[skip : skip + limit]
    following = skip + limit if skip + limit < len(every) else None
    kept = {"limit": limit} if "limit" in found else {}
    made, links = documents.processes(asked.at, asked.media, shown, kept, following)
    if not asked.html:
        return document(made, links)
    rows = [
        Row(one["title"], one["description"], asked.at.to("processes", one["id"], f="html"))
        for one in made["processes"]
    ]
    return Answer(page(asked.at, "处理 · Processes", links, [Section("", rows)]), links)


def _process(request: Request) -> Process:
    name = request.path_params["process"]
    found = PROCESSES.get(name)
    if found is None:
        known = ", ".join(PROCESSES)
        raise Told("no-such-process", 404, f"没有处理 {name[:60]!r} (no such process; there are {known})")
    return found


@special(router, "/processes/{process}", ("GET", "HEAD"))
async def process(asked: Asked) -> Response:
    parameters.only(asked.request.query_params, ())
    html = wants_html(asked)
    made, links = documents.process(asked.at, "text/html" if html else JSON, _process(asked.request))
    if not html:
        return json_answer(asked, made, links)
    rows = [
        Row(
            f"{kind} {name}",
            f"{one['title']} · {one['schema'].get('type', '')} {' '.join(map(str, one['schema'].get('enum', ())))}",
        )
        for kind, group in (("输入 · Input", made["inputs"]), ("输出 · Output", made["outputs"]))
        for name, one in group.items()
    ]
    return html_page(asked, made["title"], [Row("", made["description"]), *rows], links, "processes")


# ── execution ───────────────────────────────────────────────────────────────────────────────────


@special(router, "/processes/{process}/execution", ("POST",))
async def execute(asked: Asked) -> Response:
    parameters.only(asked.request.query_params, ())
    one = _process(asked.request)
    if not asked.actor.may(one.needs):
        if asked.actor.user_id is None:
            raise NotSignedIn("执行处理需要登录 (log in to run a process)")
        raise NotAllowed(
            f"角色“{asked.actor.role}”无权执行 {one.id} (your role may not run this)",
            permission=str(one.needs),
        )
    body = await json_object(asked.request, MOST_BYTES)
    inputs = await checked(one, body.get("inputs", {}), lambda href: _resolved(asked, href))
    inputs |= _chosen(one, body.get("outputs"), inputs)
    request: Json = {
        "outputs": _outputs(one, body.get("outputs")),
        "response": _response(body),
        "inputs": await run_in_threadpool(one.check, asked.services, asked.actor, inputs),
    }
    told = callbacks.subscriber(asked.services.settings, body.get("subscriber"), asked.at.base)
    later = _prefers_later(asked.request)
    if "sync-execute" in one.modes and not later:
        await _require_quick(asked, one, request["inputs"])
        return await _now(asked, one, request)
    if told:  # who waits for the answer is told by it
        request["subscriber"] = told
    job = await in_scope(
        asked, lambda session: jobs.put(asked.services, session, asked.actor, one.id, request, queue=True)
    )
    record = await in_scope(asked, lambda session: jobs.find(session, job))
    made, links = documents.status(asked.at, JSON, record)
    headers = {"Location": asked.at.to("jobs", str(job))}
    return json_answer(
        asked, made, links, 201, headers | ({"Preference-Applied": "respond-async"} if later else {})
    )


def _prefers_later(request: Request) -> bool:
    """Without this preference the client waits, if the process allows that (req/core/process-execute-default-execution-mode)."""
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    return any(one.partition(";")[0].strip().lower() == "respond-async" for one in preferences)


async def _require_quick(asked: Asked, one: Process, inputs: Mapping[str, Any]) -> None:
    """Raises InvalidInput for what takes too long to wait for: the standard lets no job be made of it unasked."""
    if one.id != "export":
        return
    if inputs.get("format") != "pmtiles":
        layer = catalog.load()[inputs["layer"]]
        query = exporting.query_of(asked.services, asked.actor, layer, inputs)
        found = await asked.store.page(layer, asked.viewer, replace(query, limit=1))
        if found.matched is not None and found.matched <= SYNC_MOST:
            return
    raise InvalidInput(
        "此导出耗时较长，请加请求头 Prefer: respond-async 作为任务执行 (this takes long: run it as a job, with the header Prefer: respond-async)",
        field="Prefer",
        expected="respond-async",
    )


async def _now(asked: Asked, one: Process, request: Json) -> Response:
    job = await in_scope(
        asked, lambda session: jobs.put(asked.services, session, asked.actor, one.id, request, queue=False)
    )
    await run_in_threadpool(jobs.work, asked.services, job)
    record = await in_scope(asked, lambda session: jobs.find(session, job))
    monitor = Link(asked.at.to("jobs", str(job)), "monitor", JSON)
    return results_of(asked, record, request["outputs"], [monitor])


def _outputs(one: Process, given: Any) -> dict[str, str]:
    """Outputs asked for, each with its transmission; all of them without any (req/core/process-execute-default-outputs)."""
    if given is None:
        return dict.fromkeys(one.outputs, "value")
    if not isinstance(given, dict):
        raise InvalidInput("outputs 应为对象 (outputs is an object)", field="outputs")
    found = {}
    for name, asked in given.items():
        mode = asked.get("transmissionMode", "value") if isinstance(asked, dict) else None
        if name not in one.outputs or mode not in ("value", "reference"):
            raise InvalidInput(
                f"输出 {name[:60]!r} 有误 (wrong output; there are {', '.join(one.outputs)}, as value or reference)",
                field=f"outputs.{name[:60]}",
            )
        found[name] = mode
    return found


def _chosen(one: Process, outputs: Any, inputs: Mapping[str, Any]) -> Json:
    """Inputs that stand for the media types asked of outputs (`format.mediaType`). Raises InvalidInput."""
    found: Json = {}
    for name, asked in outputs.items() if isinstance(outputs, dict) else ():
        wanted = asked.get("format") if isinstance(asked, dict) else None
        media = wanted.get("mediaType") if isinstance(wanted, dict) else None
        output = one.outputs.get(name)
        if media is None or output is None or not output.chosen_by:
            continue
        value = output.media.get(media) if isinstance(media, str) else None
        if value is None or inputs.get(output.chosen_by, value) != value:
            raise InvalidInput(
                f"输出 {name} 的格式有误 (this media type is not offered, or not what {output.chosen_by} says)",
                field=f"outputs.{name}.format.mediaType",
                value=str(media)[:60],
                expected=", ".join(output.media),
            )
        found[output.chosen_by] = value
    return found


def _response(body: Json) -> str:
    response = body.get("response", "raw")
    if response not in ("raw", "document"):
        raise InvalidInput("response 应为 raw 或 document (response is raw or document)", field="response")
    return str(response)


async def _resolved(asked: Asked, href: str) -> Any:
    """A feature of ours. Nothing else is fetched: a server that follows any address is a door into its network."""
    plain = href.partition("?")[0].removeprefix(asked.at.plain()).lstrip("/")
    match = ITEM.fullmatch(plain) if href.startswith(asked.at.plain()) else None
    layer = catalog.load().get(match[1]) if match else None
    if match is None or layer is None or layer.relation_for(asked.viewer.audience) is None:
        raise InvalidInput(
            f"只能引用本服务的要素，如 {asked.at.plain('collections', 'regions', 'items', '7')} "
            "(references may lead to features of this service only)",
            field="href",
            value=href[:100],
        )
    found = await asked.store.feature(layer, asked.viewer, int(match[2]), ItemsQuery())
    if found is None:
        raise InvalidInput(
            "所引用的要素不存在 (the feature referred to is not there)", field="href", value=href[:100]
        )
    return orjson.loads(found[0])
