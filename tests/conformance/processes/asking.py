"""How the tests of processes ask, and what of the answers they look at."""

import email
import email.policy
from typing import Any
from uuid import UUID

from fastapi.testclient import TestClient

from app.access import service as access
from app.actor import Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Services
from app.ogc.processes import jobs

TYPES = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
REL = "http://www.opengis.net/def/rel/ogc/1.0"
EXPORT = {"inputs": {"layer": "intakes", "format": "gpkg"}}
LATER = {"Prefer": "respond-async"}
AOI = {
    "type": "Polygon",
    "coordinates": [[[119.17, 32.08], [119.22, 32.08], [119.22, 32.13], [119.17, 32.13], [119.17, 32.08]]],
}


def links(body: dict[str, Any], rel: str) -> list[dict[str, Any]]:
    return [link for link in body["links"] if link["rel"] == rel]


def start(web: TestClient, body: dict[str, Any], process: str = "export", **headers: str) -> Any:
    return web.post(f"/ogc/processes/{process}/execution", json=body, headers=headers)


def key_of(services: Services, name: str, role: Role, where: Jurisdiction) -> dict[str, str]:
    with transaction(services.engine, system("test")) as session:
        user = access.add_user(session, name, "a good long pass", role, where)
        return {"X-API-Key": access.add_key(session, user.id, "test")[1]}


def parts(answer: Any) -> dict[str, Any]:
    """The parts of a multipart answer by their Content-ID, as a mail reader takes them apart."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    whole = email.message_from_bytes(head + answer.content, policy=email.policy.HTTP)
    return {str(part["Content-ID"]).strip("<>"): part for part in whole.iter_parts()}  # type: ignore[attr-defined]


def record_of(services: Services, job: UUID) -> dict[str, Any]:
    with transaction(services.engine, system("test")) as session:
        return jobs.find(session, job)


def inputs_of(services: Services, job: UUID) -> dict[str, Any]:
    found: dict[str, Any] = record_of(services, job)["request"]["inputs"]
    return found
