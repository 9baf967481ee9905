"""What the front end and GIS clients need to draw the map: catalogue, styles, sprite."""

import hashlib
from functools import cache
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor, Jurisdiction, Permission
from app.deps import CurrentActor, ServicesDep, Tx, base_url, require
from app.errors import InvalidInput, NotFound
from app.maps import past_days
from app.maps.schemas import PastDay, PastDayOut
from app.requests import preflight
from layers import catalog
from layers.derive.legend import panel
from layers.derive.sprite import sprite
from layers.derive.style import style
from layers.model import Layer
from tiles.ask import past_of
from tiles.options import BadOption, Past
from tiles.server import etag_matches

router = APIRouter(tags=["map"])
THEMES = ("light", "dark")
PUBLIC_CACHE = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}


@router.get("/api/catalog")
def get_catalog(actor: CurrentActor, services: ServicesDep, tx: Tx) -> dict[str, Any]:
    """The layers that this actor sees, with fields and legend, and where the map opens."""
    settings = services.settings
    j = actor.jurisdiction
    demo = tx.execute(text("select to_regclass('shuitu.demo') is not null")).scalar()
    if demo and (j.is_nation or j.lo >= j.hi):
        # Of the demo's country only the pilot prefecture has a register: that is where it opens.
        j = Jurisdiction.of_region(str(tx.execute(text("select region_code from shuitu.demo")).scalar_one()))
    row = tx.execute(
        text(
            "select st_xmin(e), st_ymin(e), st_xmax(e), st_ymax(e) from (select st_extent(geom) e from map.regions "
            "where level = 3 and ((:lo >= :hi) or (code >= :lo and code < :hi))) x"
        ),
        {"lo": j.lo, "hi": j.hi},
    ).one()
    return {
        "layers": [panel(layer, actor.audience) for layer in catalog.visible_to(actor.audience)],
        "map": {
            "bounds": list(row) if row[0] is not None else [73.0, 18.0, 136.0, 54.0],
            "review_number": settings.map_review_number,
            "tianditu_key": settings.tianditu_key,
            "demo": bool(demo),
        },
    }


@cache
def _sprite(ratio: int, theme: str) -> tuple[dict[str, Any], bytes]:
    return sprite(catalog.load().values(), ratio, theme)


# Before the route of a theme, which would take "sprite" for one.
@router.get("/styles/sprite{variant}.{kind}", include_in_schema=False)
@router.get("/styles/sprite.{kind}", include_in_schema=False)
def get_sprite(
    kind: Literal["json", "png"], variant: Literal["", "@2x", "-dark", "-dark@2x"] = ""
) -> Response:
    """The little pictures of the style, drawn from the declarations."""
    index, png = _sprite(2 if "@2x" in variant else 1, "dark" if "dark" in variant else "light")
    if kind == "json":
        return JSONResponse(index, headers=PUBLIC_CACHE)
    return Response(png, media_type="image/png", headers=PUBLIC_CACHE)


@router.options("/styles/{path:path}", include_in_schema=False)
def styles_may_be_read(path: str) -> Response:
    """A browser asks first, where a script of another site sends a key in a header."""
    return Response(status_code=204, headers=preflight({"Access-Control-Allow-Origin": "*"}))


@router.get("/styles/{theme}.json")
def get_style(
    theme: Annotated[str, Path(json_schema_extra={"enum": list(THEMES)})],
    request: Request,
    actor: CurrentActor,
    services: ServicesDep,
    lang: Literal["zh", "en"] = "zh",
) -> Response:
    """The MapLibre style of the one map for this actor."""
    if theme not in THEMES:
        raise NotFound(f"没有样式 {theme[:60]!r}，只有 {', '.join(THEMES)} (there is no such style)")
    made = style(
        catalog.visible_to(actor.audience),
        actor.audience,
        base_url(request, services.settings),
        theme=theme,
        lang=lang,
    )
    body = orjson.dumps(made)
    tag = hashlib.blake2b(body, digest_size=12).hexdigest()
    headers = {
        "Cache-Control": f"{'public' if actor.audience == 'public' else 'private'}, no-cache",
        "Vary": "Cookie, Authorization, X-API-Key",
        "ETag": f'"{tag}"',
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "ETag, X-Request-Id",
    }
    if etag_matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


@router.get("/api/past-days")
def get_past_day(
    tx: Tx,
    on: Annotated[str, Query(alias="datetime", max_length=40)],
    layer: Annotated[str, Query(max_length=40)] = "intakes",
    known: Annotated[str | None, Query(max_length=40)] = None,
    actor: Actor = require(Permission.READ),
) -> PastDayOut:
    """Whether the overview of a past day has been counted."""
    of = past_days.layer_of(layer)
    return _past_day(tx, of, _past(actor, of, on, known))


@router.post("/api/past-days", status_code=202)
def ask_past_day(tx: Tx, given: PastDay, actor: Actor = require(Permission.READ)) -> PastDayOut:
    """Have the overview of a past day counted, as a job; one that was counted within the hour is left as it is."""
    layer = past_days.layer_of(given.layer)
    past = _past(actor, layer, given.datetime, given.known)
    past_days.ask(tx, actor, layer, past)
    return _past_day(tx, layer, past)


def _past(actor: Actor, layer: Layer, on: str, known: str | None) -> Past:
    try:
        past = past_of(layer, actor.audience, on, known)
    except BadOption as error:
        raise InvalidInput(str(error), field="datetime", value=on) from None
    assert past is not None  # noqa: S101 - a day was given
    return past


def _past_day(tx: Session, layer: Layer, past: Past) -> PastDayOut:
    row = past_days.state(tx, layer, past)
    state: Literal["none", "counting", "ready", "failed"] = "none"
    if row is not None:
        state = (
            "failed"
            if row.problem
            else "ready"
            if row.made_at and row.made_at >= row.asked_at
            else "counting"
        )
    return PastDayOut(
        layer=layer.id,
        day=past.on,
        known=past.known,
        needed=past_days.needed(tx, layer),
        state=state,
        counted_at=row.made_at if row else None,
        points=row.points if row else None,
        problem=row.problem if row else None,
    )
