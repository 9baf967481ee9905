"""OGC API – Processes as a part of the shared documents."""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import APIRouter

from app.ogc.links import Addresses, Link
from app.ogc.negotiate import HTML, JSON
from app.ogc.openapi_parameters import parameter
from app.ogc.part import Part
from app.ogc.processes import callbacks, job_routes, routes
from app.ogc.processes.answers import DEFAULT_LIMIT, MAX_LIMIT
from app.ogc.processes.documents import JOBS, PROCESSES
from app.ogc.processes.job_routes import STATES
from app.ogc.processes.process import Input
from app.ogc.processes.registry import PROCESSES as OFFERED
from layers.model import Audience, Layer

Json = dict[str, Any]
CLASSES = tuple(
    f"http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/{name}"
    for name in (
        "core",
        "ogc-process-description",
        "json",
        "html",
        "oas30",
        "job-list",
        "dismiss",
        "callback",
    )
)


def landing(at: Addresses, audience: Audience) -> Iterable[Link]:
    yield Link(at.to("processes"), PROCESSES, JSON, "处理 · Processes")
    yield Link(at.to("jobs"), JOBS, JSON, "任务 · Jobs")


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _operation(
    name: str, summary: str, responses: Json, parameters: Sequence[str], errors: Sequence[str]
) -> Json:
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["service"],
        "parameters": [_ref("parameters", one) for one in parameters],
        "responses": responses
        | {status: _ref("responses", f"Problem{status}") for status in (*errors, "401", "500", "503")},
    }


def _content(text: str, schema: Json, *, html: bool = True) -> Json:
    return {
        "description": text,
        "content": {JSON: {"schema": schema}} | ({HTML: {"schema": {"type": "string"}}} if html else {}),
    }


def paths(layers: Sequence[Layer], audience: Audience) -> Json:
    ok = {
        name: {"200": _content(text, {"type": "object", "required": required})}
        for name, text, required in (
            ("list", "处理 · Processes", ["processes", "links"]),
            ("process", "处理说明 · Process description", ["id", "version", "inputs", "outputs"]),
            ("jobs", "任务 · Jobs", ["jobs", "links"]),
            ("status", "任务状态 · Status of a job", ["jobID", "status", "type"]),
        )
    }
    results = {
        "200": {
            "description": "结果 · Results",
            "content": {JSON: {"schema": {"type": "object"}}, "*/*": {}},
        },
        "204": {"description": "结果见 Link 头 · Results are linked in the header"},
    }
    found = {
        "/processes": {"get": _operation("getProcesses", "处理 · Processes", ok["list"], ("limitOfList", "f"), ("400", "406"))},
        "/jobs": {
            "get": _operation(
                "getJobs", "任务 · Jobs", ok["jobs"],
                ("limitOfList", "jobType", "processIDs", "jobStatus", "datetime", "minDuration", "maxDuration", "f"), ("400", "406"),
            )
        },
        "/jobs/{jobId}": {
            "get": _operation("getStatus", "任务状态 · Status of a job", ok["status"], ("jobId", "f"), ("400", "404", "406")),
            "delete": _operation(
                "dismiss", "撤销任务 · Dismiss a job",
                {"200": _content("已撤销 · Dismissed", {"type": "object"}, html=False)}, ("jobId",), ("403", "404"),
            ),
        },
        "/jobs/{jobId}/results": {
            "get": _operation("getResults", "结果 · Results", results, ("jobId", "outputs"), ("400", "404"))
        },
        "/jobs/{jobId}/results/{outputId}": {
            "get": _operation("getResult", "一个输出 · One output", results, ("jobId", "outputId"), ("404",))
        },
    }  # fmt: skip
    for one in OFFERED.values():
        label = f"{one.title.zh} · {one.title.en}"
        found[f"/processes/{one.id}"] = {
            "get": _operation(f"{one.id}.getProcess", label, ok["process"], ("f",), ("400", "404", "406"))
        }
        found[f"/processes/{one.id}/execution"] = {"post": _execution(one.id, label, results)}
    return found


CALLBACKS = {
    callbacks.SUCCESS: "结果 · The results",
    callbacks.STARTED: "任务状态，开始时 · The status of the job, when it starts",
    callbacks.FAILED: "任务状态，失败时 · The status of the job, when it has failed",
}
SUBSCRIBER: Json = {
    "type": "object",
    "description": "任务进展告知何处；主机须经管理员允许 · where to tell what becomes of the job; the operator must allow the host",
    "required": [callbacks.SUCCESS],
    "properties": {
        name: {"type": "string", "format": "uri", "description": text} for name, text in CALLBACKS.items()
    },
}


def _execution(name: str, label: str, results: Json) -> Json:
    one = OFFERED[name]
    required = [key for key, declared in one.inputs.items() if declared.required]
    inputs = {
        "type": "object",
        **({"required": required} if required else {}),  # JSON Schema of OpenAPI 3.0 has no empty list there
        "properties": {key: _input(declared) for key, declared in one.inputs.items()},
        "additionalProperties": False,
    }
    body = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "inputs": inputs,
            "outputs": {"type": "object"},
            "response": {"type": "string", "enum": ["raw", "document"], "default": "raw"},
            "subscriber": SUBSCRIBER,
        },
    }
    created = {
        "description": "任务已接受 · The job is accepted",
        "headers": {
            "Location": {"description": "任务 · The job", "schema": {"type": "string"}},
            "Preference-Applied": {"description": "respond-async", "schema": {"type": "string"}},
        },
        "content": {JSON: {"schema": {"type": "object"}}},
    }
    made = _operation(
        f"{name}.execute", label, {**results, "201": created}, ("prefer",), ("400", "403", "404")
    )
    return made | {
        "requestBody": {"required": True, "content": {JSON: {"schema": body}}},
        "callbacks": {name: _callback(name, text) for name, text in CALLBACKS.items()},
    }


def _callback(name: str, text: str) -> Json:
    told = {"description": text, "required": True, "content": {JSON: {"schema": {"type": "object"}}}}
    answers = {"2XX": {"description": "收到 · Received"}}
    return {f"{{$request.body#/subscriber/{name}}}": {"post": {"requestBody": told, "responses": answers}}}


def _input(declared: Input) -> Json:
    """A value itself, qualified or by reference; several in an array."""
    several = [{"type": "array", "maxItems": declared.most, "items": declared.schema}]
    qualified = {"type": "object", "required": ["value"], "properties": {"value": declared.schema}}
    return {
        "description": f"{declared.title.zh} · {declared.title.en}",
        "anyOf": [
            declared.schema,
            *(several if declared.most > 1 else ()),
            qualified,
            _ref("schemas", "Link"),
        ],
    }


TEXTS: Json = {"type": "array", "items": {"type": "string"}}
SECONDS: Json = {"type": "integer", "minimum": 0}
PARAMETERS: Json = {
    "limitOfList": parameter(
        "limit", "每页最多 · At most a page", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    ),
    "jobType": parameter("type", "任务种类 · Kinds of jobs", TEXTS),
    "processIDs": parameter("processID", "处理 · Processes", TEXTS),
    "jobStatus": parameter("status", "状态 · States", {"type": "array", "items": {"type": "string", "enum": list(STATES)}}),
    "minDuration": parameter("minDuration", "最短，秒 · At least, seconds", SECONDS),
    "maxDuration": parameter("maxDuration", "最长，秒 · At most, seconds", SECONDS),
    "outputs": parameter("outputs", "输出 · Outputs", TEXTS),
    "jobId": parameter("jobId", "任务 · Job", {"type": "string"}, "path"),
    "outputId": parameter("outputId", "输出 · Output", {"type": "string"}, "path"),
    "prefer": {
        "name": "Prefer", "in": "header", "required": False, "description": "respond-async (RFC 7240)", "schema": {"type": "string"},
    },
}  # fmt: skip
FORBIDDEN: Json = {
    "Problem403": {
        "description": "无此权限 · Not allowed",
        "content": {"application/problem+json": {"schema": _ref("schemas", "Problem")}},
    }
}
router = APIRouter()
for one in (routes.router, job_routes.router):
    router.include_router(one)
PART = Part(
    "processes",
    router,
    CLASSES,
    landing,
    paths=paths,
    components={"parameters": PARAMETERS, "responses": FORBIDDEN},
)
