"""What happened, written in the transaction of the fact it reports. Everything that follows reads it from there."""

import json
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
    facts: dict[str, Any] | None = None,
) -> None:
    """Write one change; without `entity_id` it stands for everything of the layer in that county."""
    session.execute(
        text(
            "insert into shuitu.changes (actor_name, layer, action, entity_id, county_code, basin_id, facts) "
            "values (:actor_name, :layer, :action, :entity_id, :county_code, :basin_id, cast(:facts as jsonb))"
        ),
        {
            "actor_name": actor_name,
            "layer": layer,
            "action": action,
            "entity_id": entity_id,
            "county_code": county_code,
            "basin_id": basin_id,
            "facts": json.dumps(facts or {}, ensure_ascii=False),
        },
    )
