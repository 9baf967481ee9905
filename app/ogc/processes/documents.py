"""The documents: processes, their descriptions, jobs and what came of them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from app.ogc.documents import both
from app.ogc.links import Addresses, Link, as_json
from app.ogc.negotiate import JSON
from app.ogc.processes.process import Json, Process

REL = "http://www.opengis.net/def/rel/ogc/1.0"
PROCESSES, JOBS, EXECUTE, RESULTS = f"{REL}/processes", f"{REL}/job-list", f"{REL}/execute", f"{REL}/results"


def summary(at: Addresses, process: Process) -> Json:
    return {
        "id": process.id,
        "title": f"{process.title.zh} · {process.title.en}",
        "description": f"{process.description.zh} {process.description.en}",
        "version": process.version,
        "jobControlOptions": [*process.modes, "dismiss"],
        "outputTransmission": ["value", "reference"],
        "links": as_json([Link(at.to("processes", process.id), "self", JSON, process.title.zh)]),
    }


def processes(
    at: Addresses,
    sent: str,
    found: Iterable[Process],
    parameters: Mapping[str, object],
    following: int | None,
) -> tuple[Json, list[Link]]:
    links = both(at, sent, JSON, "processes", **parameters)
    if following is not None:
        href = at.with_query(("processes",), {**parameters, "offset": following})
        links.append(Link(href, "next", JSON, "下一页 · Next page"))
    return {"processes": [summary(at, one) for one in found], "links": as_json(links)}, links


def process(at: Addresses, sent: str, one: Process) -> tuple[Json, list[Link]]:
    """The description of a process (OGC process description)."""
    links = [
        *both(at, sent, JSON, "processes", one.id),
        Link(at.to("processes", one.id, "execution"), EXECUTE, JSON, "执行 · Execute"),
    ]
    made = summary(at, one) | {
        "inputs": {
            name: {
                "title": f"{declared.title.zh} · {declared.title.en}",
                "schema": declared.schema,
                "minOccurs": 1 if declared.required else 0,
                "maxOccurs": declared.most,
            }
            for name, declared in one.inputs.items()
        },
        "outputs": {
            name: {"title": f"{declared.title.zh} · {declared.title.en}", "schema": declared.schema}
            for name, declared in one.outputs.items()
        },
        "links": as_json(links),
    }
    return made, links


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def status(at: Addresses, sent: str | None, record: Mapping[str, Any]) -> tuple[Json, list[Link]]:
    """Where a job stands (statusInfo); `sent` None where it stands in a list."""
    path = ("jobs", str(record["id"]))
    links = both(at, sent or JSON, JSON, *path)
    if record["status"] == "successful":
        links.append(Link(at.to(*path, "results"), RESULTS, JSON, "结果 · Results"))
    made: Json = {
        "jobID": str(record["id"]),
        "processID": record["process"],
        "type": "process",
        "status": record["status"],
        "message": record["message"],
        "progress": record["progress"],
        **{
            name: instant(record[name])
            for name in ("created", "started", "finished", "updated")
            if record[name] is not None
        },
        "links": as_json(links),
    }
    return made, links


def jobs(
    at: Addresses,
    sent: str,
    records: Iterable[Mapping[str, Any]],
    parameters: Mapping[str, object],
    following: int | None,
) -> tuple[Json, list[Link]]:
    links = both(at, sent, JSON, "jobs", **parameters)
    if following is not None:
        href = at.with_query(("jobs",), {**parameters, "offset": following})
        links.append(Link(href, "next", JSON, "下一页 · Next page"))
    return {"jobs": [status(at, None, one)[0] for one in records], "links": as_json(links)}, links


def result_link(at: Addresses, record: Mapping[str, Any], name: str) -> Link:
    """Where an output is; its relation is the output's name (18-062r2, 7.11.4)."""
    return Link(at.to("jobs", str(record["id"]), "results", name), name, record["results"][name]["media"])


def value(at: Addresses, made: Any) -> Any:
    """A value whose links lead to where the client reached us; on record they are paths of the service."""
    if not (isinstance(made, dict) and "links" in made):
        return made
    return {**made, "links": [{**link, "href": f"{at.base}{link['href']}"} for link in made["links"]]}


def results(at: Addresses, record: Mapping[str, Any], names: Iterable[str]) -> Json:
    """Values inline, files by reference (results.yaml)."""
    found: Json = {}
    for name in names:
        one = record["results"][name]
        if "value" in one:
            found[name] = {"value": value(at, one["value"]), "mediaType": one["media"]}
        else:
            found[name] = {"href": result_link(at, record, name).href, "type": one["media"]}
    return found
