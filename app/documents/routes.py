"""Documents of intakes and permits: bring, list, show, withdraw. Officers' only: no part of it is public."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse
from sqlalchemy.orm import Session

from app.actor import Actor, Permission
from app.deps import Services, ServicesDep, Tx, require
from app.documents import queries, service
from app.documents.content import EXTENSIONS, Content, examine
from app.documents.files import Store
from app.documents.schemas import DocumentOut, Layer, Withdrawal
from app.errors import NotFound
from app.requests import whole_body

router = APIRouter(prefix="/api", tags=["documents"])
# What people bring gets no rights in the browser, whatever is in it.
SAFE = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SHOWN = ("image/jpeg", "image/png", "image/webp")
"""What browsers show in a page; the rest is handed over to be saved."""
FILE = {
    "requestBody": {
        "required": True,
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in EXTENSIONS},
    }
}


def _store(services: Services) -> Store:
    return Store(services.settings.documents_dir)


async def file_body(request: Request, services: ServicesDep) -> bytes:
    """The file that is the body. Raises as `whole_body`."""
    return await whole_body(request, services.settings.document_limit_mb * 2**20)


def examined(content: Annotated[bytes, Depends(file_body)], services: ServicesDep) -> tuple[bytes, Content]:
    """The file and what it is, found before a transaction begins. Raises InvalidInput."""
    return content, examine(content, services.settings.document_megapixels)


@router.post("/{layer}/{entity_id}/documents", status_code=201, openapi_extra=FILE)
def add(
    layer: Layer,
    entity_id: int,
    actor: Annotated[Actor, require(Permission.IMPORT)],
    file: Annotated[tuple[bytes, Content], Depends(examined)],
    services: ServicesDep,
    tx: Tx,
    filename: Annotated[str, Query(max_length=200)] = "",
    title: Annotated[str, Query(max_length=200)] = "",
) -> DocumentOut:
    """Add a photo or scan to an intake or permit: the file itself is the body (JPEG, PNG, WebP, TIFF or PDF).

    What it is, is found by its content. Where a camera wrote its position, the answer says how far that is from the
    register's.
    """
    content, found = file
    brought = service.Brought(layer, entity_id, filename, title, content, found)
    return DocumentOut.model_validate(service.add(tx, actor, _store(services), brought))


@router.get("/{layer}/{entity_id}/documents")
def list_documents(
    layer: Layer, entity_id: int, tx: Tx, actor: Actor = require(Permission.READ)
) -> list[DocumentOut]:
    """The documents of an intake or permit; those that were withdrawn come last, with the reason."""
    if queries.entity(tx, layer, entity_id) is None:
        raise NotFound("没有这条登记，或不在您的辖区内 (no such entry, or outside your jurisdiction)")
    return [DocumentOut.model_validate(row) for row in queries.of(tx, layer, entity_id)]


@router.get("/documents/{document_id}/file", response_class=FileResponse)
def show(
    document_id: int, tx: Tx, services: ServicesDep, actor: Actor = require(Permission.READ)
) -> FileResponse:
    """The file as it was brought."""
    document = _document(tx, document_id)
    path = _store(services).path(document.digest, EXTENSIONS[document.media_type])
    if not path.is_file():
        raise NotFound(
            "文件不在数据目录中，请从备份恢复 (the file is not in the data folder: restore it from a backup)"
        )
    return FileResponse(
        path,
        media_type=document.media_type,
        filename=document.filename,
        content_disposition_type="inline" if document.media_type in SHOWN else "attachment",
        headers=SAFE,
    )


@router.get("/documents/{document_id}/thumbnail", response_class=FileResponse)
def thumbnail(
    document_id: int, tx: Tx, services: ServicesDep, actor: Actor = require(Permission.READ)
) -> FileResponse:
    """A picture's small WebP."""
    document = _document(tx, document_id)
    path = _store(services).thumbnail(document.digest)
    if not document.has_thumbnail or not path.is_file():
        raise NotFound("没有缩略图 (there is no thumbnail)")
    return FileResponse(path, media_type="image/webp", headers=SAFE)


@router.post("/documents/{document_id}/withdraw")
def withdraw(
    document_id: int, given: Withdrawal, tx: Tx, actor: Actor = require(Permission.IMPORT)
) -> DocumentOut:
    """Take a document out of use 撤下, with a reason. It is not deleted."""
    return DocumentOut.model_validate(service.withdraw(tx, actor, document_id, given.reason))


def _document(tx: Session, document_id: int) -> Any:
    found = queries.one(tx, document_id)
    if found is None:
        raise NotFound(
            f"没有文件 {document_id}，或不在您的辖区内 (no such document, or outside your jurisdiction)"
        )
    return found
