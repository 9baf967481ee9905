"""Statistics 统计 and the briefing 调度通报: as JSON for the screen, as XLSX and CSV for a desk."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import Response

from app.actor import Actor, Permission
from app.deps import Tx, require
from app.registry.past import moment
from app.statistics import service, workbook
from app.statistics.schemas import (
    About,
    BriefingOut,
    DimensionOut,
    Format,
    IssuersOut,
    Lang,
    TableOut,
)
from app.statistics.workbook import Sheet
from layers.clock import CHINA

router = APIRouter(prefix="/api/statistics", tags=["statistics"])
Region = Annotated[int | None, Query(ge=100_000, le=999_999, description="default: the whole jurisdiction")]
Basin = Annotated[int | None, Query(ge=1, le=7)]
Day = Annotated[str | None, Query(alias="datetime", description="a past day, or a moment of it")]
FILES: dict[Any, Any] = {
    200: {"content": {workbook.XLSX: {}, "text/csv": {}}, "description": "JSON, or a file if `f` asks for one"}
}  # fmt: skip
ANY = require(Permission.READ)
T = TypeVar("T", bound=About)


@router.get("/dimensions")
def dimensions(actor: Actor = ANY) -> list[DimensionOut]:
    """By what intakes can be counted."""
    return service.offered()


@router.get("/intakes", response_model=TableOut, responses=FILES)
def intakes(
    tx: Tx,
    by: str = "region",
    across: str | None = None,
    region: Region = None,
    basin: Basin = None,
    filter_: Annotated[str | None, Query(alias="filter", max_length=4000)] = None,
    filter_lang: Annotated[str, Query(alias="filter-lang")] = "cql2-text",
    on: Day = None,
    f: Format = "json",
    lang: Lang = "zh",
    actor: Actor = ANY,
) -> TableOut | Response:
    """Intakes counted where they lie; `filter` is that of the map (CQL2), `datetime` a past day."""
    made = service.intakes(
        tx, actor, by, across, region or actor.jurisdiction.region, basin, filter_, filter_lang, _day(on)
    )
    return _as(made, workbook.table, f, lang)


@router.get("/issuers", response_model=IssuersOut, responses=FILES)
def issuers(
    tx: Tx,
    region: Region = None,
    basin: Basin = None,
    on: Day = None,
    f: Format = "json",
    lang: Lang = "zh",
    actor: Actor = ANY,
) -> IssuersOut | Response:
    """Permits counted by the authority that issued them: its workload."""
    return _as(
        service.issuers(tx, region or actor.jurisdiction.region, basin, _day(on)), workbook.issuers, f, lang
    )


@router.get("/progress", response_model=BriefingOut, responses=FILES)
def progress(
    tx: Tx,
    by: Literal["region", "basin"] = "region",
    region: Region = None,
    basin: Basin = None,
    f: Format = "json",
    lang: Lang = "zh",
    actor: Actor = ANY,
) -> BriefingOut | Response:
    """The figures of the briefing 调度通报, each with its denominator."""
    return _as(
        service.progress(tx, by, region or actor.jurisdiction.region, basin), workbook.briefing, f, lang
    )


def _day(asked: str | None) -> date | None:
    """Raises InvalidInput."""
    found = moment(asked, None)
    return None if found is None else found.on


def _as(made: T, sheet: Callable[[T, str], Sheet], f: Format, lang: Lang) -> T | Response:
    if f == "json":
        return made
    written = workbook.as_xlsx if f == "xlsx" else workbook.as_csv
    media = workbook.XLSX if f == "xlsx" else "text/csv; charset=utf-8"
    day = made.on or made.as_of.astimezone(CHINA).date()
    name = f"{made.title.get(lang).replace('：', '_').replace('、', '')}_{made.region_name or ''}_{day}.{f}"
    return Response(
        written(sheet(made, lang), lang),
        media_type=media,
        headers={
            "Content-Disposition": f"attachment; filename=\"statistics-{day}.{f}\"; filename*=UTF-8''{quote(name)}",
            "Cache-Control": "private, no-store",
        },
    )
