"""What an object looked like on every scene on file, also those that the run did not use."""

from typing import Any

import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.imagery import service as imagery

MOST_SCENES = 60
"""Of the newest; each is a few windows of a file."""


def at_dates(session: Session, candidate_id: int) -> dict[str, Any]:
    """The profile of a candidate: `points`, oldest first. What the run measured is taken; of the other scenes the newest
    are read now (`MOST_SCENES`). `scenes`: how many are on file there; `considered`: how many of them were looked at.

    Raises NotFound. A scene that cannot be read is left out: it says nothing of this object.
    """
    row = session.execute(
        text("select profile, st_asbinary(geom) as wkb from shuitu.candidates where id = :id"),
        {"id": candidate_id},
    ).first()
    if row is None:
        raise NotFound(f"没有线索 {candidate_id} (no such candidate)")
    known = {point["scene"] for point in row.profile}
    rows = session.execute(
        text("""select s.id, s.item_id, count(*) over () as scenes from shuitu.scenes s join shuitu.candidates c on st_intersects(s.geom, c.geom)
                where c.id = :id order by s.acquired_at desc nulls last limit :n"""),
        {"id": candidate_id, "n": MOST_SCENES},
    ).all()
    others = [one.id for one in rows if one.item_id not in known]
    read = _read(list(imagery.load_all(session, others).values()), shapely.from_wkb(bytes(row.wkb)))
    points = sorted([*row.profile, *read], key=lambda point: (point["date"], point["scene"]))
    return {"points": points, "scenes": rows[0].scenes if rows else 0, "considered": len(rows)}


def _read(scenes: list[Any], shape: shapely.Geometry) -> list[dict[str, Any]]:
    if not scenes:
        return []  # what reads pixels takes a second and 70 MB to load
    from rasterio.errors import RasterioError

    from remote_sensing.profile import of_shapes
    from remote_sensing.scene import SceneError

    found = []
    for scene in scenes:
        try:
            found += [point.told() for point in of_shapes([scene], "EPSG:4326", [shape])[0]]
        except (SceneError, RasterioError, OSError):
            continue
    return found
