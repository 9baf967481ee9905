"""What happened, written in the transaction of the fact it reports. Everything that follows reads it from there."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session


def record(
    session: Session,
    actor_name: str,
    layer: str,
    action: str,
    county_code: int,
    *,
    basin_id: int | None = None,
    entity_id: int | None = None,
    box: tuple[float, float, float, float] | None = None,
    facts: dict[str, Any] | None = None,
) -> None:
    """Write one change; without `entity_id` it stands for everything of the layer in that county.

    `box` says where: west, south, east, north in degrees; None: somewhere in the county.
    """
    west, south, east, north = box or (None, None, None, None)
    session.execute(
        text(
            "insert into shuitu.changes (actor_name, layer, action, entity_id, county_code, basin_id, box, facts) "
            "values (:actor_name, :layer, :action, :entity_id, :county_code, :basin_id, "
            "st_makebox2d(st_makepoint(:west, :south), st_makepoint(:east, :north)), cast(:facts as jsonb))"
        ),
        {
            "west": west,
            "south": south,
            "east": east,
            "north": north,
            "actor_name": actor_name,
            "layer": layer,
            "action": action,
            "entity_id": entity_id,
            "county_code": county_code,
            "basin_id": basin_id,
            "facts": json.dumps(facts or {}, ensure_ascii=False),
        },
    )


def record_import(session: Session, layer: str, import_id: str, counties: Iterable[int]) -> None:
    """Write one change a county (a bulk import counts as one); 0 stands for what lies in no county."""
    session.execute(
        text("""insert into shuitu.changes (actor_name, layer, action, county_code, basin_id, facts)
                select i.actor_name, :layer, 'import', c, i.scope_basin, jsonb_build_object('import', i.id)
                from shuitu.imports i, unnest(cast(:counties as integer[])) c where i.id = cast(:id as uuid)"""),
        {"layer": layer, "id": import_id, "counties": sorted(counties)},
    )
