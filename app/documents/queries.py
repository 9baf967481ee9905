"""Documents as they are read and written, and the entries that they belong to."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

ENTITY = {
    "intakes": "select county_code, basin_id, st_x(geom) as lon, st_y(geom) as lat from shuitu.intakes where id = :id",
    "permits": "select county_code, basin_id, null::float as lon, null::float as lat from shuitu.permits where id = :id",
}
COLUMNS = """id, layer, entity_id, media_type, bytes, filename, title, width, height, taken_at, st_x(geom) as lon, st_y(geom) as lat,
  distance_m, digest, actor_name, added_at, withdrawn_at, withdrawn_by, withdrawn_why, width is not null as has_thumbnail"""


def entity(session: Session, layer: str, entity_id: int) -> Row[Any] | None:
    """Where an entry lies; None if there is none in scope."""
    return session.execute(text(ENTITY[layer]), {"id": entity_id}).first()


def of(session: Session, layer: str, entity_id: int) -> list[dict[str, Any]]:
    """The documents of an entry: those in use first, each group the newest first."""
    rows = session.execute(
        text(
            f"select {COLUMNS} from shuitu.documents where layer = :layer and entity_id = :id "
            "order by withdrawn_at is not null, added_at desc, id desc"
        ),
        {"layer": layer, "id": entity_id},
    )
    return [dict(row._mapping) for row in rows]


def one(session: Session, document_id: int, *, lock: bool = False) -> Row[Any] | None:
    """A document; None if there is none in scope."""
    return session.execute(
        text(
            f"select {COLUMNS}, county_code, basin_id from shuitu.documents where id = :id{' for update' if lock else ''}"
        ),
        {"id": document_id},
    ).first()


def in_use(session: Session, layer: str, entity_id: int, digest: str) -> int | None:
    """The document of the entry that holds the very same file."""
    found: int | None = session.execute(
        text(
            "select id from shuitu.documents where layer = :layer and entity_id = :id and digest = :digest and withdrawn_at is null"
        ),
        {"layer": layer, "id": entity_id, "digest": digest},
    ).scalar_one_or_none()
    return found


def insert(session: Session, values: Mapping[str, Any]) -> int:
    return int(
        session.execute(
            text("""insert into shuitu.documents (layer, entity_id, digest, media_type, bytes, filename, title, width, height, taken_at,
                      geom, distance_m, county_code, basin_id, actor_id, actor_name)
                    values (:layer, :entity_id, :digest, :media_type, :bytes, :filename, :title, :width, :height, :taken_at,
                      st_setsrid(st_makepoint(:lon, :lat), 4490), :distance_m, :county_code, :basin_id, :actor_id, :actor_name)
                    returning id"""),
            values,
        ).scalar_one()
    )


def withdraw(session: Session, document_id: int, who: str, why: str) -> None:
    session.execute(
        text(
            "update shuitu.documents set withdrawn_at = now(), withdrawn_by = :who, withdrawn_why = :why where id = :id"
        ),
        {"who": who, "why": why, "id": document_id},
    )
