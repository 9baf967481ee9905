"""OGC API – Features – Part 4: features created, replaced, updated and deleted by those who may.

A change names the state that it changes (If-Match with the ETag of a GET); the row is locked before the state is
compared, and the transaction is committed before the answer leaves.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from sqlalchemy import Row
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app import problems
from app.actor import Actor, Permission
from app.db.engine import driver_of, transaction
from app.errors import (
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSignedIn,
    PreconditionFailed,
    PreconditionRequired,
    UnsupportedMedia,
)
from app.ogc import items, query
from app.ogc.answering import CORS, READ, Asked, problem, sent
from app.ogc.asking import ItemsQuery
from app.ogc.bodies import json_object
from app.ogc.forms import form_of
from app.ogc.negotiate import GEOJSON, JSON
from app.ogc.parameters import READERS, only
from app.registry import service
from layers import catalog
from layers.crs import CRS84, Crs, covering, to_degrees
from layers.model import Field, Layer

MERGE_PATCH = "application/merge-patch+json"
WHOLE = (GEOJSON, JSON)
"""What a whole feature may be sent as."""
LARGEST = 2**20
"""Bytes of a body."""
LONGEST_TEXT = 1_000
TAG = re.compile(r'"([^".]+)(?:\.[^"]*)?"')
CONTENT_CRS = re.compile(r"<([^<>]+)>")


@dataclass(frozen=True)
class Given:
    """What a body says: values by field, None where one is unset; the place, if it says one."""

    values: Mapping[str, Any]
    place: tuple[float, float] | None


# ── who may what ────────────────────────────────────────────────────────────────────────────────────


def allowed_on_items(request: Request, actor: Actor) -> tuple[str, ...]:
    """The methods that this actor may use on a collection's items."""
    return (*READ, "POST") if _may_edit(request, actor) else READ


def allowed_on_item(request: Request, actor: Actor) -> tuple[str, ...]:
    """The methods that this actor may use on one feature."""
    return (*READ, "PUT", "PATCH", "DELETE") if _may_edit(request, actor) else READ


def _may_edit(request: Request, actor: Actor) -> bool:
    layer = catalog.load().get(request.path_params["layer"])
    return layer is not None and bool(layer.receivable) and actor.may(Permission.IMPORT)


class _NotEdited(Exception):
    """The layer is not edited here."""


def _editable(asked: Asked) -> Layer:
    """Raises _NotEdited, NotFound, NotSignedIn or NotAllowed."""
    layer = asked.layer()
    if not layer.receivable:
        raise _NotEdited
    if not asked.actor.may(Permission.IMPORT):
        if asked.actor.user_id is None:
            raise NotSignedIn("此操作需要登录 (log in to do this)")
        raise NotAllowed(
            f"账号 {asked.actor.username} 的角色“{asked.actor.role}”无权修改要素 (role {asked.actor.role} may not write features)"
        )
    only(asked.request.query_params, ())
    return layer


def _not_edited(asked: Asked) -> Response:
    detail = "此图层不在这里修改 (this collection is not edited here)"
    return problem(problems.BY_STATUS[405], detail, asked.request, None, READ)


# ── the four methods ────────────────────────────────────────────────────────────────────────────────


async def create(asked: Asked) -> Response:
    """POST: 201 with the place of the new feature, and the feature as it is now."""
    try:
        layer = _editable(asked)
    except _NotEdited:
        return _not_edited(asked)
    body = await _body(asked.request, WHOLE)
    given = _feature(layer, body, await _content_crs(asked, layer))
    if given.place is None:
        raise InvalidInput("缺少位置 (the geometry is missing)", field="geometry")
    place = given.place

    def write() -> int:
        with transaction(asked.services.engine, asked.actor) as session:
            return service.create(session, asked.actor, given.values, place, _publishing(asked))

    made = await run_in_threadpool(write)
    answer = await items.representation(asked, layer, ItemsQuery(), str(made))
    response = sent(asked, answer, 201)
    response.headers["Location"] = asked.at.to("collections", layer.id, "items", made)
    return response


async def replace(asked: Asked) -> Response:
    """PUT: fields that the body does not name go back to their defaults."""
    return await _changed(asked, WHOLE, _feature, whole=True)


async def update(asked: Asked) -> Response:
    """PATCH with a JSON Merge Patch (RFC 7396): null unsets, what is not named stays."""
    return await _changed(asked, (MERGE_PATCH,), _patch, whole=False)


async def _changed(asked: Asked, media: tuple[str, ...], read: Any, *, whole: bool) -> Response:
    try:
        layer = _editable(asked)
    except _NotEdited:
        return _not_edited(asked)
    name = asked.request.path_params["feature"]
    body = await _body(asked.request, media)
    given: Given = read(layer, body, await _content_crs(asked, layer))
    if whole and given.place is None:
        raise InvalidInput("缺少位置 (the geometry is missing)", field="geometry")

    def write() -> None:
        with transaction(asked.services.engine, asked.actor) as session:
            before = _locked(session, asked, layer, name, required=True)
            service.change(
                session, asked.actor, before, given.values, given.place, _publishing(asked), whole=whole
            )

    await run_in_threadpool(write)
    return sent(asked, await items.representation(asked, layer, ItemsQuery(), name))


async def delete(asked: Asked) -> Response:
    """DELETE: 204. With If-Match only in the state that it names."""
    try:
        layer = _editable(asked)
    except _NotEdited:
        return _not_edited(asked)

    def write() -> None:
        with transaction(asked.services.engine, asked.actor) as session:
            before = _locked(session, asked, layer, asked.request.path_params["feature"], required=False)
            service.delete(session, asked.actor, before, _publishing(asked))

    await run_in_threadpool(write)
    return Response(status_code=204, headers=CORS)


def _locked(session: Session, asked: Asked, layer: Layer, name: str, *, required: bool) -> Row[Any]:
    """The feature, locked and in the state that If-Match names.

    Raises PreconditionRequired without If-Match, PreconditionFailed in another state, NotFound.
    """
    header = asked.request.headers.get("if-match")
    try:
        found = service.locked(session, items.identifier_of(layer, name))
    except NotFound:
        if header is None:
            raise
        raise PreconditionFailed(
            "该要素不存在，或不在您的辖区内 (there is no such feature, or none that you may see)"
        ) from None
    if header is None:
        if required:
            raise PreconditionRequired(
                "请以 If-Match 给出所改要素的 ETag (give the ETag of the feature you change in If-Match)",
                header="If-Match",
            )
        return found
    if header.strip() != "*" and _state(session, asked, layer, found.id) not in _tags(header):
        raise PreconditionFailed(
            "该要素已被改动，请重新读取后再改 (the feature was changed meanwhile: read it again first)",
            header="If-Match",
        )
    return found


def _tags(header: str) -> set[str]:
    """The states that If-Match names: the first part of each strong tag, whatever the representation."""
    return {
        match[1].removesuffix("-gzip") for part in header.split(",") if (match := TAG.fullmatch(part.strip()))
    }


def _state(session: Session, asked: Asked, layer: Layer, identifier: int) -> str | None:
    audience = asked.viewer.audience
    statement = query.one(layer, audience, identifier, form_of(layer, audience, ItemsQuery(), "json"))
    row = driver_of(session).execute(statement.sql.encode(), statement.values).fetchone()
    return str(row[1]) if row else None


def _publishing(asked: Asked) -> service.Publish:
    def publish(session: Session, ids: Iterable[int]) -> None:
        asked.services.publish_features(driver_of(session), "intakes", list(ids))

    return publish


# ── bodies ──────────────────────────────────────────────────────────────────────────────────────────


async def _body(request: Request, media: tuple[str, ...]) -> dict[str, Any]:
    """The JSON object of a body. Raises UnsupportedMedia or InvalidInput."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in media:
        raise UnsupportedMedia(
            f"内容类型应为 {'、'.join(media)}，得到 {given[:60] or '无'} (send {' or '.join(media)})",
            accepted=list(media),
        )
    return await json_object(request, LARGEST)


async def _content_crs(asked: Asked, layer: Layer) -> Crs:
    """The system of the body's coordinates. Raises InvalidInput if the collection does not list it."""
    header = asked.request.headers.get("content-crs")
    if header is None:
        return CRS84
    match = CONTENT_CRS.fullmatch(header.strip())
    extent = await asked.store.extent_of(layer, asked.viewer)
    for crs in covering(extent.box):
        if match and crs.uri == match[1]:
            return crs
    raise InvalidInput(
        f"Content-Crs 应为 <图层所列坐标系的URI>，得到 {header[:100]!r} (the URI of a CRS that the collection lists, in < >)",
        field="Content-Crs",
        value=header[:100],
    )


def _feature(layer: Layer, body: Mapping[str, Any], crs: Crs) -> Given:
    """A GeoJSON feature. What is only returned is not taken; its id is ignored."""
    if body.get("type") != "Feature" or not isinstance(body.get("properties"), dict):
        raise InvalidInput("应为 GeoJSON Feature (the body must be a GeoJSON Feature)", field="type")
    geometry = body.get("geometry")
    return Given(_values(layer, body["properties"]), None if geometry is None else _point(geometry, crs))


def _patch(layer: Layer, body: Mapping[str, Any], crs: Crs) -> Given:
    """A merge patch of the feature as the schema has it: its properties and geometry side by side; one that is
    shaped as GeoJSON is understood too."""
    if "id" in body:
        raise InvalidInput("标识不能修改 (the id cannot be changed)", field="id")
    nested = body.get("properties")
    if nested is not None and not isinstance(nested, dict):
        raise InvalidInput("properties 应为对象 (properties must be an object)", field="properties")
    shaped = nested is not None or body.get("type") == "Feature"
    both = (nested or {}) if shaped else {name: value for name, value in body.items() if name != "geometry"}
    if "id" in both:
        raise InvalidInput("标识不能修改 (the id cannot be changed)", field="id")
    if "geometry" in body and body["geometry"] is None:
        raise InvalidInput("位置不能去掉 (the geometry cannot be unset)", field="geometry")
    return Given(_values(layer, both), _point(body["geometry"], crs) if "geometry" in body else None)


def _values(layer: Layer, properties: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    fields = {field.name: field for field in layer.fields}
    for name, value in properties.items():
        if name not in fields:
            raise InvalidInput(
                f"没有字段 {name[:60]!r} (no such property; there are: {' '.join(layer.receivable)})",
                field=name[:60],
            )
        if name in layer.receivable:
            found[name] = None if value is None else _value(fields[name], value)
    return found


def _value(field: Field, value: Any) -> Any:
    """Raises InvalidInput unless the value is one of the field."""
    kinds: dict[str, tuple[type, ...]] = {"integer": (int,), "number": (int, float), "boolean": (bool,)}
    fits = isinstance(value, kinds.get(field.type, (str,))) and (
        isinstance(value, bool) == (field.type == "boolean")
    )
    if fits and isinstance(value, str):
        fits = len(value) <= LONGEST_TEXT and "\x00" not in value
        if fits and field.type in ("date", "datetime"):
            value = READERS[field.type](field.name, value)
    if fits and field.type == "integer":
        fits = -(2**31) <= value < 2**31
    if fits and field.unit is not None:
        fits = value >= 0
    if fits and field.values:
        fits = value in [known.value for known in field.values]
    if not fits:
        known = " ".join(str(one.value) for one in field.values) or field.type
        raise InvalidInput(
            f"{field.title.zh}（{field.name}）的值有误：{str(value)[:60]!r}，应为 {known} (a bad value of {field.name})",
            field=field.name,
            value=str(value)[:60],
            expected=known,
        )
    return value


def _point(geometry: Any, crs: Crs) -> tuple[float, float]:
    """Longitude and latitude in CGCS2000 of a GeoJSON point. Raises InvalidInput."""
    coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if (
        not isinstance(geometry, dict)
        or geometry.get("type") != "Point"
        or not isinstance(coordinates, list)
        or len(coordinates) not in (2, 3)
        or any(isinstance(one, bool) or not isinstance(one, int | float) for one in coordinates)
    ):
        raise InvalidInput("位置应为 GeoJSON Point (the geometry must be a GeoJSON Point)", field="geometry")
    x, y = (float(one) for one in coordinates[:2])
    if crs.swapped:
        x, y = y, x
    if not crs.geographic:
        x, y = to_degrees(crs).transform(x, y)
    if not (-180 <= x <= 180 and -90 <= y <= 90):
        raise InvalidInput(
            "坐标超出坐标系的范围；请核对坐标轴次序 (coordinates lie outside the CRS: check the order of the axes)",
            field="geometry",
            value=str(coordinates)[:60],
        )
    return round(x, 9), round(y, 9)
