"""Imports by upload: send a file, watch it, read its reject report."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi.responses import Response
from sqlalchemy import select

from app.actor import Actor, Permission
from app.deps import ServicesDep, Tx, require
from app.errors import InvalidInput
from app.imports import mapping as mappings
from app.imports import report, service
from app.imports.kind import ImportKind
from app.imports.models import Import
from app.imports.schemas import FieldOut, ImportOut, IssuePage, KindOut

router = APIRouter(prefix="/api", tags=["imports"])
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _kinds(services: ServicesDep) -> dict[str, ImportKind]:
    kinds: dict[str, ImportKind] = services.parts["import_kinds"]
    return kinds


@router.get("/import-kinds")
def kinds(services: ServicesDep) -> list[KindOut]:
    """What can be imported: fields with their headings, units and codes, and the mappings that come with the product."""
    shipped = mappings.shipped()
    return [
        KindOut(
            name=kind.name,
            title=kind.title,
            english=kind.english,
            fields=[
                FieldOut(
                    name=f.name,
                    title=f.title,
                    english=f.english,
                    form=f.form,
                    required=f.required,
                    unit=f.unit if f.form in ("volume", "flow") else None,
                    values=list(f.values),
                )
                for f in kind.fields
            ],
            mappings=[{"name": name, "title": m.title} for name, m in shipped.items() if m.kind == kind.name],
        )
        for kind in _kinds(services).values()
    ]


@router.post("/imports", status_code=202)
def submit(
    services: ServicesDep,
    tx: Tx,
    kind: Annotated[str, Form()],
    file: Annotated[UploadFile, File()],
    mapping: Annotated[UploadFile | None, File()] = None,
    mapping_name: Annotated[str, Form()] = "",
    actor: Actor = require(Permission.IMPORT),
) -> ImportOut:
    """Send a file; it is imported in the background, in the scope of this account."""
    if kind not in _kinds(services):
        raise InvalidInput(
            f"没有导入类型 {kind!r} (no such kind)",
            field="kind",
            value=kind,
            expected=" ".join(_kinds(services)),
        )
    chosen = _mapping(mapping, mapping_name)
    limit = services.settings.upload_limit_mb * 2**20
    if file.size is not None and file.size > limit:
        raise InvalidInput(
            f"文件超过 {services.settings.upload_limit_mb} MB (the file is too large)",
            field="file",
            value=file.size,
        )
    services.settings.uploads_dir.mkdir(parents=True, exist_ok=True)
    name = Path(file.filename or "upload").name
    with tempfile.NamedTemporaryFile(
        dir=services.settings.uploads_dir, delete=False, suffix=name[-40:]
    ) as kept:
        shutil.copyfileobj(file.file, kept, 2**20)
    record = service.submit(
        tx, actor, service.Submission(kind, Path(kept.name), name, chosen), services.settings.uploads_dir
    )
    services.defer("run_import", tx, import_id=str(record.id))
    return ImportOut.model_validate(record)


def _mapping(upload: UploadFile | None, name: str) -> mappings.Mapping:
    if upload is not None and upload.filename:
        return mappings.parse(upload.file.read(1_000_000).decode("utf-8", "replace"), upload.filename)
    if name:
        try:
            return mappings.shipped()[name]
        except KeyError:
            raise InvalidInput(
                f"没有名为 {name!r} 的映射 (no such mapping)", field="mapping_name", value=name
            ) from None
    return mappings.Mapping()


@router.get("/imports")
def list_imports(
    tx: Tx, limit: Annotated[int, Query(ge=1, le=500)] = 50, actor: Actor = require(Permission.IMPORT)
) -> list[ImportOut]:
    """The imports of one's jurisdiction, newest first."""
    return [
        ImportOut.model_validate(row)
        for row in tx.scalars(select(Import).order_by(Import.created_at.desc()).limit(limit))
    ]


@router.get("/imports/{import_id}")
def get_import(import_id: UUID, tx: Tx, actor: Actor = require(Permission.IMPORT)) -> ImportOut:
    """Where an import stands."""
    return ImportOut.model_validate(service.find(tx, import_id))


@router.post("/imports/{import_id}/cancel")
def cancel(import_id: UUID, tx: Tx, actor: Actor = require(Permission.IMPORT)) -> ImportOut:
    """Stop an import that is not applied yet; nothing of it is kept but its record."""
    return ImportOut.model_validate(service.cancel(tx, import_id))


@router.post("/imports/{import_id}/resume", status_code=202)
def resume(
    import_id: UUID, tx: Tx, services: ServicesDep, actor: Actor = require(Permission.IMPORT)
) -> ImportOut:
    """Go on with an import that failed or was cut off."""
    record = service.find(tx, import_id)
    if record.state != "done":
        record.state = "waiting"
        services.defer("run_import", tx, import_id=str(record.id))
    return ImportOut.model_validate(record)


@router.get("/imports/{import_id}/reasons")
def get_reasons(
    import_id: UUID, tx: Tx, actor: Actor = require(Permission.IMPORT)
) -> list[dict[str, object]]:
    """Why rows were rejected or odd, counted by field and reason."""
    service.find(tx, import_id)
    return report.reasons(tx, import_id)


@router.get(
    "/imports/{import_id}/rejects.{form}",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}, XLSX: {}}}},
)
def get_rejects_file(
    import_id: UUID, form: Literal["csv", "xlsx"], tx: Tx, actor: Actor = require(Permission.IMPORT)
) -> Response:
    """The rejected rows as a file to mend and send again."""
    record = service.find(tx, import_id)
    heading, lines = report.table(tx, record)
    body = report.as_csv(heading, lines) if form == "csv" else report.as_xlsx(heading, lines)
    headers = {
        "Content-Disposition": f'attachment; filename="rejects-{record.kind}-{str(import_id)[:8]}.{form}"',
        "Cache-Control": "private, no-store",
    }
    return Response(body, media_type="text/csv; charset=utf-8" if form == "csv" else XLSX, headers=headers)


@router.get("/imports/{import_id}/rejects")
def get_rejects(
    import_id: UUID,
    tx: Tx,
    severity: Literal["reject", "warning"] = "reject",
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    actor: Actor = require(Permission.IMPORT),
) -> IssuePage:
    """Issues in the order of the file."""
    service.find(tx, import_id)
    items = report.page(tx, import_id, severity, after, limit)
    return IssuePage(items=items, next=items[-1]["row_no"] if len(items) == limit else None)
