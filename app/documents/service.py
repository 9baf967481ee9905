"""Photos and scans of an intake or a permit: brought in, read, withdrawn; never overwritten and never deleted."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.actor import Actor
from app.changes import service as changes
from app.documents import queries, rules
from app.documents.content import Content
from app.documents.files import Store
from app.errors import Conflict, NotAllowed, NotFound

LONGEST = 200


@dataclass(frozen=True)
class Brought:
    """A file that someone brings, examined."""

    layer: str
    entity_id: int
    filename: str
    title: str
    bytes: bytes
    content: Content


def add(session: Session, actor: Actor, store: Store, given: Brought) -> dict[str, Any]:
    """Keep a file as a document of an entry.

    Raises NotFound if there is no such entry, NotAllowed if it lies outside the jurisdiction, Conflict if it has the
    very same file already.
    """
    entity = queries.entity(session, given.layer, given.entity_id)
    if entity is None:
        raise NotFound("没有这条登记，或不在您的辖区内 (no such entry, or outside your jurisdiction)")
    if not actor.jurisdiction.covers(entity.county_code, entity.basin_id):
        raise NotAllowed(
            f"{entity.county_code} 不在您的辖区内 (lies outside your jurisdiction)", field="county_code"
        )
    found = given.content
    digest = store.keep(given.bytes, found.extension, found.thumbnail)
    if (known := queries.in_use(session, given.layer, given.entity_id, digest)) is not None:
        raise Conflict("该文件已在档案中 (this file is in the dossier already)", field="file", document=known)
    registered = None if entity.lon is None else (entity.lon, entity.lat)
    lon, lat = found.place or (None, None)
    document_id = queries.insert(
        session,
        {
            "layer": given.layer, "entity_id": given.entity_id, "digest": digest, "media_type": found.media_type,
            "bytes": len(given.bytes), "filename": _printable(given.filename) or f"file.{found.extension}",
            "title": _printable(given.title), "width": found.width, "height": found.height, "taken_at": found.taken_at,
            "lon": lon, "lat": lat,
            "distance_m": rules.distance_m(found.place, registered) if found.place and registered else None,
            "county_code": entity.county_code, "basin_id": entity.basin_id, "actor_id": actor.user_id,
            "actor_name": actor.username,
        },
    )  # fmt: skip
    _tell(session, actor, "create", document_id, entity, given.layer, given.entity_id)
    return _found(session, document_id)


def withdraw(session: Session, actor: Actor, document_id: int, reason: str) -> dict[str, Any]:
    """Take a document out of use, with a reason; it stays and says so.

    Raises NotFound, NotAllowed outside the jurisdiction, Conflict if it was withdrawn before.
    """
    document = queries.one(session, document_id, lock=True)
    if document is None:
        if (
            queries.one(session, document_id) is not None
        ):  # readable because of an intake, but another county's
            raise NotAllowed(
                "该文件属于辖区以外的许可 (the document is of a permit outside your jurisdiction)"
            )
        raise NotFound(f"没有文件 {document_id} (no such document)")
    if document.withdrawn_at is not None:
        raise Conflict("该文件已撤下 (the document was withdrawn already)", document=document_id)
    queries.withdraw(session, document_id, actor.username, _printable(reason, 500))
    _tell(session, actor, "withdraw", document_id, document, document.layer, document.entity_id)
    return _found(session, document_id)


def _found(session: Session, document_id: int) -> dict[str, Any]:
    found = queries.one(session, document_id)
    if found is None:
        raise NotFound(f"没有文件 {document_id} (no such document)")
    return dict(found._mapping)


def _tell(
    session: Session, actor: Actor, action: str, document_id: int, where: Any, layer: str, entity_id: int
) -> None:
    changes.record(
        session, actor.username, "documents", action, where.county_code,
        basin_id=where.basin_id, entity_id=document_id, facts={"layer": layer, "entity_id": entity_id},
    )  # fmt: skip


def _printable(text: str, most: int = LONGEST) -> str:
    """A name or sentence on one line, without what no screen shows."""
    return "".join(c if c.isprintable() else " " for c in text).strip()[:most]
