"""What a client may ask of the catalogue, and the statement that answers it.

The request's members are checked by stac-pydantic; the statement runs in the caller's scope.
"""

import base64
import binascii
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely
from pydantic import ValidationError
from sqlalchemy.orm import Session

from app.errors import InvalidInput
from app.ogc.parameters import Box, Period, boxes, period, refused
from app.ogc.stac.filters import Condition
from app.ogc.stac.items import COLLECTION

Json = dict[str, Any]
DEFAULT_LIMIT, MAX_LIMIT, MAX_SKIP = 10, 10_000, 1_000_000
MOST_VERTICES = 10_000
SORTABLE = {
    "id": "f.item_id",
    "collection": f"'{COLLECTION}'::text",
    "datetime": "f.acquired_at",
    "created": "f.added_at",
    "title": "f.title",
    "gsd": "f.resolution_m",
    "eo:cloud_cover": "f.cloud_pct",
}
"""Fields that one may sort by, with or without `properties.` before them."""
COLUMNS = """
f.id, f.item_id, f.title, f.sensor, f.acquired_at, f.added_at, f.resolution_m, f.cloud_pct, f.generated, f.path, f.item,
st_asgeojson(st_forcepolygonccw(f.geom), 7, 0)::json as geometry,
array[st_xmin(f.geom), st_ymin(f.geom), st_xmax(f.geom), st_ymax(f.geom)] as bbox"""


@dataclass(frozen=True)
class Query:
    """A search, understood."""

    limit: int = DEFAULT_LIMIT
    skip: int = 0
    ids: tuple[str, ...] | None = None
    collections: tuple[str, ...] | None = None
    boxes: tuple[Box, ...] | None = None
    shape: shapely.Geometry | None = None
    period: Period | None = None
    order: tuple[tuple[str, str], ...] = ()
    """Fields with `asc` or `desc`."""
    include: set[str] | None = None
    exclude: set[str] | None = None
    condition: Condition | None = None
    given: Json = field(default_factory=dict)
    """The request as it came, for the link to the next page."""


def understood(given: Mapping[str, Any], condition: Condition | None) -> Query:
    """The search that the members of a POST body mean. Raises InvalidInput."""
    from stac_pydantic.api.search import Search  # a tenth of what a process would load as it starts

    checked = ("collections", "ids", "bbox", "intersects", "datetime")
    known: Json = {name: given[name] for name in checked if given.get(name) is not None}
    try:
        with warnings.catch_warnings(
            action="ignore"
        ):  # of a collection of one geometry, which is unusual and valid
            Search.model_validate({**known, "limit": None})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "bbox"
        raise InvalidInput(
            f"检索条件 {where} 有误 (this part of the search is wrong): {first['msg']}",
            field=where,
            value=str(first.get("input"))[:60],
            expected=first["msg"],
        ) from None
    include, exclude = _fields(given.get("fields"))
    return Query(
        limit=_limit(given.get("limit")),
        skip=_skip(given.get("token")),
        ids=_names(given, "ids"),
        collections=_names(given, "collections"),
        boxes=boxes(",".join(str(edge) for edge in known["bbox"])) if "bbox" in known else None,
        shape=_shape(known.get("intersects")),
        period=period(known["datetime"]) if "datetime" in known else None,
        order=_order(given.get("sortby")),
        include=include,
        exclude=exclude,
        condition=condition,
        given={name: value for name, value in given.items() if name != "token" and value is not None},
    )


def _limit(value: object) -> int:
    """More than the maximum is cut, not refused, as the API's text wants."""
    if value is None:
        return DEFAULT_LIMIT
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise refused("limit", str(value), "正整数", "a whole number from 1")
    return min(value, MAX_LIMIT)


def _names(given: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    found = given.get(name)
    # NUL cannot be in any id, nor in a text that PostgreSQL takes.
    return None if found is None else tuple(one for one in found if "\x00" not in one)


def _shape(geojson: Mapping[str, Any] | None) -> shapely.Geometry | None:
    if geojson is None:
        return None
    try:
        found = shapely.geometry.shape(geojson)
    except (ValueError, TypeError, KeyError, shapely.errors.ShapelyError):
        raise refused("intersects", str(geojson)[:60], " GeoJSON 几何", "a GeoJSON geometry") from None
    if shapely.get_num_coordinates(found) > MOST_VERTICES or not all(
        abs(edge) <= 1e6 for edge in found.bounds
    ):
        raise refused(
            "intersects",
            str(geojson)[:60],
            f"不超过{MOST_VERTICES}点的几何",
            f"up to {MOST_VERTICES} positions",
        )
    return found if found.is_valid else shapely.make_valid(found)


def _order(value: Any) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise refused("sortby", str(value), "字段列表", "a list of fields")
    found = []
    for one in value[:20]:
        name = one.get("field") if isinstance(one, dict) else None
        direction = one.get("direction", "asc") if isinstance(one, dict) else None
        plain = str(name).removeprefix("properties.")
        if plain not in SORTABLE or direction not in ("asc", "desc"):
            raise refused(
                "sortby", str(one), f"以下字段之一：{' '.join(SORTABLE)}", f"one of {' '.join(SORTABLE)}"
            )
        found.append((plain, direction))
    return tuple(found)


def _fields(value: Any) -> tuple[set[str] | None, set[str] | None]:
    if value is None:
        return None, None
    if not isinstance(value, dict) or not all(map(_texts, value.values())):
        raise refused("fields", str(value), " include 与 exclude 的列表", "lists include and exclude")
    include, exclude = (set(value[name] or ()) if name in value else None for name in ("include", "exclude"))
    # `exclude` alone leaves all else; without it, "not given" and "empty" mean the same.
    return (include, exclude) if exclude or include else (set(), exclude or set())


def _texts(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _skip(token: object) -> int:
    if token is None:
        return 0
    try:
        text_ = base64.urlsafe_b64decode(str(token).encode()).decode()
        skip = int(text_.removeprefix("skip:")) if text_.startswith("skip:") else -1
    except (ValueError, binascii.Error):
        skip = -1
    if not 0 <= skip <= MAX_SKIP:
        raise refused(
            "token", str(token), "上一页 next 链接中的值", "that of the `next` link of the page before"
        )
    return skip


def token(skip: int) -> str:
    return base64.urlsafe_b64encode(f"skip:{skip}".encode()).decode()


def of_query(found: Mapping[str, str]) -> Json:
    """The members that the parameters of a GET mean. Raises InvalidInput."""
    made: Json = {
        name: found[name]
        for name in ("datetime", "filter", "filter-lang", "filter-crs", "token")
        if name in found
    }
    for name in ("ids", "collections"):
        if name in found:
            made[name] = [part for part in found[name].split(",") if part]
    if "limit" in found:
        if not (found["limit"].isascii() and found["limit"].isdigit()) or len(found["limit"]) > 20:
            raise refused("limit", found["limit"], "正整数", "a whole number from 1")
        made["limit"] = int(found["limit"])
    if "bbox" in found:
        boxes(found["bbox"])  # its message is better than that of the model
        made["bbox"] = [float(part) for part in found["bbox"].split(",")]
    if "intersects" in found:
        try:
            made["intersects"] = json.loads(found["intersects"])
        except (ValueError, RecursionError):
            raise refused("intersects", found["intersects"], " GeoJSON 几何", "a GeoJSON geometry") from None
    if "sortby" in found:
        made["sortby"] = [_sorted_by(part) for part in found["sortby"].split(",") if part.strip()]
    if "fields" in found:
        names = [part.strip() for part in found["fields"].split(",") if part.strip()]
        made["fields"] = {"include": [n.lstrip("+ ") for n in names if not n.startswith("-")]}
        if excluded := [name[1:] for name in names if name.startswith("-")]:
            made["fields"]["exclude"] = excluded
    return made


def _sorted_by(part: str) -> Json:
    # A plus that was not encoded comes as a space.
    name = part.strip().lstrip("+ ")
    down = name.startswith("-")
    return {"field": name.removeprefix("-"), "direction": "desc" if down else "asc"}


@dataclass(frozen=True)
class Found:
    """A page of rows, how many match in all, and whether more follow."""

    rows: list[Json]
    matched: int
    more: bool


def run(session: Session, query: Query) -> Found:
    """The page that a search finds."""
    if query.collections is not None and COLLECTION not in query.collections:
        return Found([], 0, False)
    where, values = _where(query)
    # In the driver's own way, for so the conditions of a filter are written.
    connection = session.connection()
    connection.exec_driver_sql("set local statement_timeout = '20s'")
    matched = connection.exec_driver_sql(f"select count(*) from shuitu.scenes f {where}", values).scalar_one()
    # Ties are broken, or pages would overlap.
    order = [f"{SORTABLE[name]} {direction} nulls last" for name, direction in query.order]
    order = order or ["f.acquired_at desc nulls last"]
    rows = connection.exec_driver_sql(
        f"select {COLUMNS} from shuitu.scenes f {where} order by {', '.join([*order, 'f.id'])} "
        "limit %(rows)s offset %(skip)s",
        {**values, "rows": query.limit, "skip": query.skip},
    )
    found = [dict(row._mapping) for row in rows]
    return Found(found, int(matched), query.skip + len(found) < matched)


def one(session: Session, item_id: str) -> Json | None:
    """The row of one item."""
    if "\x00" in item_id:
        return None
    row = (
        session.connection()
        .exec_driver_sql(f"select {COLUMNS} from shuitu.scenes f where f.item_id = %(id)s", {"id": item_id})
        .first()
    )
    return None if row is None else dict(row._mapping)


def _where(query: Query) -> tuple[str, Json]:
    clauses: list[str] = []
    values: Json = {}
    if query.ids is not None:
        clauses.append("f.item_id = any(%(ids)s)")
        values["ids"] = list(query.ids)
    if query.boxes is not None:
        clauses.append(f"({' or '.join(_boxes(query.boxes, values)) or 'false'})")
    if query.shape is not None:
        # PostGIS relates no collections: each part is asked for itself.
        parts = [part for part in _parts(query.shape) if not part.is_empty]
        values |= {f"g{i}": shapely.to_wkb(shapely.force_2d(part)) for i, part in enumerate(parts)}
        met = [f"st_intersects(f.geom, st_geomfromwkb(%(g{i})s, 4490))" for i in range(len(parts))]
        clauses.append(f"({' or '.join(met) or 'false'})")
    if query.period is not None:
        clauses.append(_during(query.period, values))
    if query.condition is not None:
        clauses.append(f"({query.condition.sql})")
        values |= query.condition.values
    return ("where " + " and ".join(clauses) if clauses else ""), values


def _parts(shape: shapely.Geometry) -> list[shapely.Geometry]:
    if shape.geom_type != "GeometryCollection":
        return [shape]
    return [part for member in shape.geoms for part in _parts(member)]


def _boxes(found: Sequence[Box], values: Json) -> list[str]:
    clauses = []
    for i, box in enumerate(found):
        values |= {f"{edge}{i}": degrees for edge, degrees in zip("wsen", box, strict=True)}
        clauses.append(
            f"st_intersects(f.geom, st_makeenvelope(%(w{i})s, %(s{i})s, %(e{i})s, %(n{i})s, 4490))"
        )
    return clauses


def _during(asked: Period, values: Json) -> str:
    """Scenes of the closed interval; one without a date matches if its possible range meets it."""
    # The earliest and latest instants that an item states.
    first = "coalesce(f.acquired_at, timestamptz '1972-07-23T00:00:00Z')"
    last = "coalesce(f.acquired_at, f.added_at)"
    clauses = []
    if asked.start is not None:
        clauses.append(f"{last} >= %(start)s")
        values["start"] = asked.start
    if asked.end is not None:
        clauses.append(f"{first} <= %(end)s")
        values["end"] = asked.end
    return " and ".join(clauses)


def by_number(session: Session, number: int) -> Json | None:
    """Path and item of a scene by its number."""
    row = (
        session.connection()
        .exec_driver_sql("select path, item from shuitu.scenes where id = %(id)s", {"id": number})
        .first()
    )
    return None if row is None else dict(row._mapping)


def covered(session: Session) -> Json:
    """What the scenes cover, when they were taken, and by what."""
    row = (
        session.connection()
        .exec_driver_sql(
            """select case when e is null then null else array[st_xmin(e), st_ymin(e), st_xmax(e), st_ymax(e)] end as box,
                  first, last, sensors
           from (select st_extent(geom)::geometry e, min(acquired_at) first, max(acquired_at) last,
                        coalesce(array_agg(distinct sensor order by sensor), '{}') sensors from shuitu.scenes) x"""
        )
        .one()
    )
    return dict(row._mapping)
