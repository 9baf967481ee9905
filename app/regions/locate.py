"""Is a position in the county that it says, and in which county is it?

Published boundaries are coarse (edges a median 70–125 m from better ones), so near a border the
answer is a warning, never a verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

BORDER_DEGREES = 0.005
"""About 500 m: several times the error of the boundaries. A guess of 2026-11."""


@dataclass
class Counties:
    """The counties in force, and all codes that are or were valid."""

    codes: npt.NDArray[np.int64]
    names: dict[int, str]
    shapes: npt.NDArray[Any]
    known: frozenset[int]
    tree: shapely.STRtree
    _wide: dict[int, Any] = field(default_factory=dict)
    _places: dict[int, int] = field(default_factory=dict)

    def shape(self, code: int) -> Any | None:
        if not self._places:
            self._places.update({int(one): i for i, one in reversed(list(enumerate(self.codes)))})
        place = self._places.get(code)
        return None if place is None else self.shapes[place]

    def inside(
        self, code: int, lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64], *, near: bool = False
    ) -> npt.NDArray[np.bool_]:
        """Which positions lie in the county, or (near) within the border's uncertainty of it."""
        shape = self._near(code) if near else self.shape(code)
        if shape is None:
            return np.zeros(len(lon), bool)
        shapely.prepare(shape)
        found: npt.NDArray[np.bool_] = shapely.contains_xy(shape, lon, lat)
        return found

    def _near(self, code: int) -> Any | None:
        if code not in self._wide:
            shape = self.shape(code)
            self._wide[code] = None if shape is None else shapely.buffer(shape, BORDER_DEGREES, quad_segs=4)
        return self._wide[code]

    def county_of(self, lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """County code of each position; 0 where it lies in none."""
        found = np.zeros(len(lon), np.int64)
        points, polygons = self.tree.query(shapely.points(lon, lat), predicate="within")
        found[points] = self.codes[polygons]
        return found


def load(session: Session) -> Counties:
    """The counties (level 3) in force today."""
    rows = session.execute(
        text("select code, name, st_asbinary(geom) as wkb from map.regions where level = 3")
    ).all()
    known = session.execute(text("select distinct code from shuitu.regions")).scalars().all()
    return make([(r.code, r.name, shapely.from_wkb(bytes(r.wkb))) for r in rows], known)


def around(session: Session, lon: float, lat: float, code: int | None) -> Counties:
    """The counties at and near one position, and the one of this code: enough to check a single entry."""
    rows = session.execute(
        text(
            "select code, name, st_asbinary(geom) as wkb from map.regions where level = 3 and (code = :code "
            "or geom && st_expand(st_setsrid(st_makepoint(:lon, :lat), 4490), :near))"
        ),
        {"code": code, "lon": lon, "lat": lat, "near": BORDER_DEGREES},
    ).all()
    known = session.execute(
        text("select distinct code from shuitu.regions where code = :code"), {"code": code}
    ).scalars()
    return make(
        [(r.code, r.name, shapely.from_wkb(bytes(r.wkb))) for r in rows], [*known, *(r.code for r in rows)]
    )


def make(rows: Sequence[tuple[int, str, Any]], known: Sequence[int]) -> Counties:
    shapes = np.array([shape for *_, shape in rows], dtype=object)
    return Counties(
        np.array([code for code, *_ in rows], np.int64),
        {code: name for code, name, _ in rows},
        shapes,
        frozenset(known),
        shapely.STRtree(shapes),
    )
