"""The catalogue of scenes: STAC items in the database, pixels in the files that they name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from app.actor import Actor
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput, NotAllowed, NotFound, ShuituError
from app.imagery.gathering import Unusable

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
    return [store(session, actor, scene) for scene in scenes]


def store(session: Session, actor: Actor, scene: Scene, source: str = "") -> int:
    """Put a scene into the catalogue, or bring it up to date there; returns its id. `source`: the API it came from.

    Raises InvalidInput if its pixels cannot be read, NotAllowed if it lies outside the actor's jurisdiction.
    """
    from remote_sensing.scene import SceneError

    try:
        wkt = scene.footprint.wkt
    except SceneError as error:
        raise InvalidInput(str(error), scene=scene.item_id) from None
    try:
        with session.begin_nested():
            return _write(session, actor, scene, wkt, source)
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        raise NotAllowed(
            f"影像 {scene.item_id} 不在您的辖区内 (the scene lies outside your jurisdiction)",
            scene=scene.item_id,
        ) from None


def _write(session: Session, actor: Actor, scene: Scene, wkt: str, source: str) -> int:
    stored = session.execute(
        text("""
            insert into shuitu.scenes (item_id, title, sensor, acquired_at, resolution_m, cloud_pct, generated, path, item, geom,
                                       source, added_by)
            values (:item_id, :title, :sensor, :acquired_at, :resolution_m, :cloud_pct, :generated, :path, cast(:item as jsonb),
                    st_geomfromtext(:wkt, 4490), :source, :added_by)
            on conflict (item_id) do update set title = excluded.title, sensor = excluded.sensor, acquired_at = excluded.acquired_at,
              resolution_m = excluded.resolution_m, cloud_pct = excluded.cloud_pct, generated = excluded.generated,
              path = excluded.path, item = excluded.item, geom = excluded.geom, source = excluded.source
            returning id"""),
        {
            "item_id": scene.item_id,
            "title": scene.title,
            "sensor": scene.sensor,
            "acquired_at": scene.acquired_at,
            "resolution_m": scene.resolution_m,
            "cloud_pct": scene.properties.get("eo:cloud_cover"),
            "generated": scene.generated,
            "path": str(scene.path),
            "item": json.dumps(scene.to_stac()),
            "wkt": wkt,
            "source": source,
            "added_by": actor.user_id,
        },
    ).scalar_one()
    return int(stored)


def store_all(
    services: Services, actor: Actor, found: Iterable[Scene | Unusable], source: str = ""
) -> tuple[list[dict[str, object]], list[Unusable]]:
    """Each scene in a transaction of its own: what is on file stays, whatever follows."""
    added: list[dict[str, object]] = []
    unusable: list[Unusable] = []
    for one in found:
        if isinstance(one, Unusable):
            unusable.append(one)
            continue
        try:
            with transaction(services.engine, actor) as session:
                added.append({"id": store(session, actor, one, source), "item_id": one.item_id})
        except ShuituError as error:
            unusable.append(Unusable(one.item_id, str(error)))
    return added, unusable


def load(session: Session, scene_id: int) -> tuple[Scene, str]:
    """The scene, ready to be read, and the version of what is on file of it. Raises NotFound."""
    row = session.execute(
        text("select id, path, item from shuitu.scenes where id = :id"), {"id": scene_id}
    ).first()
    if row is None:
        raise NotFound(f"没有影像 {scene_id} (no such scene)")
    scene = _scene(row)
    files = {band.file: stamp(band.file) for band in scene.bands.values()}
    return scene, hashlib.sha256(json.dumps([row.item, files]).encode()).hexdigest()


def stamp(file: str) -> float:
    """When a file of this machine was last written; 0 for one that is elsewhere or gone."""
    try:
        return Path(file).stat().st_mtime
    except OSError:
        return 0.0


def load_all(session: Session, scene_ids: Sequence[int]) -> dict[int, Scene]:
    """The scenes of these ids, as far as they are on file."""
    rows = session.execute(
        text("select id, path, item from shuitu.scenes where id = any(:ids)"), {"ids": list(scene_ids)}
    )
    return {row.id: _scene(row) for row in rows}


def _scene(row: Any) -> Scene:
    from remote_sensing.scene import Scene

    try:
        return Scene.from_stac(row.item, Path(row.path).parent)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise NotFound(
            f"影像 {row.id} 在目录中没有可读的波段，请重新登记影像 "
            "(what is on file of this scene names no bands that can be read: register it again)"
        ) from None


LISTED = """select id, item_id, title, sensor, acquired_at, resolution_m, cloud_pct, generated,
                   array[st_xmin(geom), st_ymin(geom), st_xmax(geom), st_ymax(geom)] as bbox,
                   array(select jsonb_object_keys(item -> 'assets')) as bands
            from shuitu.scenes"""


def listed(session: Session, covers: tuple[float, float] | None = None) -> list[dict[str, Any]]:
    """The scenes in scope, or those of them over one place (longitude, latitude), the newest first."""
    which = "" if covers is None else "where st_covers(geom, st_setsrid(st_makepoint(:lon, :lat), 4490))"
    lon, lat = covers or (None, None)
    rows = session.execute(
        text(f"{LISTED} {which} order by acquired_at desc nulls last, id"), {"lon": lon, "lat": lat}
    )
    return [_told(row) for row in rows]


def one(session: Session, scene_id: int) -> dict[str, Any]:
    """One scene as `listed` gives it. Raises NotFound."""
    row = session.execute(text(f"{LISTED} where id = :id"), {"id": scene_id}).first()
    if row is None:
        raise NotFound(f"没有影像 {scene_id} (no such scene)")
    return _told(row)


def _told(row: Any) -> dict[str, Any]:
    from app.imagery.looks import renderings

    found = dict(row._mapping)
    return found | {"renderings": renderings(found.pop("bands"))}
