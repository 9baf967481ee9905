"""The catalogue of scenes: STAC items in the database, pixels in the files that they name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor
from app.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from remote_sensing.scene import Scene


def add_scenes(
    session: Session, actor: Actor, path: Path, bands: Mapping[str, str] | None = None
) -> list[int]:
    """Put the scenes at `path` into the catalogue, or bring them up to date there; returns their ids.

    Raises InvalidInput if there is no scene that can be read.
    """
    # Here, and below: GDAL's raster part is 40 MB, and most processes read no scene.
    from remote_sensing.scene import SceneError, open_scenes

    try:
        scenes = open_scenes(path.resolve(), bands=bands)
    except SceneError as error:
        raise InvalidInput(str(error), file=path.name) from None
    return [_store(session, actor, scene) for scene in scenes]


def _store(session: Session, actor: Actor, scene: Scene) -> int:
    return int(
        session.execute(
            text("""
            insert into shuitu.scenes (item_id, title, sensor, acquired_at, resolution_m, generated, path, item, geom, added_by)
            values (:item_id, :title, :sensor, :acquired_at, :resolution_m, :generated, :path, cast(:item as jsonb),
                    st_geomfromtext(:wkt, 4490), :added_by)
            on conflict (item_id) do update set title = excluded.title, sensor = excluded.sensor, acquired_at = excluded.acquired_at,
              resolution_m = excluded.resolution_m, generated = excluded.generated, path = excluded.path, item = excluded.item,
              geom = excluded.geom
            returning id"""),
            {
                "item_id": scene.item_id,
                "title": scene.title,
                "sensor": scene.sensor,
                "acquired_at": scene.acquired_at,
                "resolution_m": scene.resolution_m,
                "generated": scene.generated,
                "path": str(scene.path),
                "item": json.dumps(scene.to_stac()),
                "wkt": scene.footprint.wkt,
                "added_by": actor.user_id,
            },
        ).scalar_one()
    )


def load(session: Session, scene_id: int) -> Scene:
    """The scene, ready to be read. Raises NotFound."""
    from remote_sensing.scene import Scene

    row = session.execute(
        text("select path, item from shuitu.scenes where id = :id"), {"id": scene_id}
    ).first()
    if row is None:
        raise NotFound(f"没有影像 {scene_id} (no such scene)")
    return Scene.from_stac(row.item, Path(row.path).parent)


def listed(session: Session) -> list[dict[str, Any]]:
    """All scenes, the newest first."""
    rows = session.execute(
        text("""select id, item_id, title, sensor, acquired_at, resolution_m, generated,
                       array[st_xmin(geom), st_ymin(geom), st_xmax(geom), st_ymax(geom)] as bbox
                from shuitu.scenes order by acquired_at desc nulls last, id""")
    )
    return [dict(row._mapping) for row in rows]
