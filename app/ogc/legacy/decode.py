"""Vector tiles back into arrays, by GDAL: some microseconds a feature."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from app.ogc.legacy.expressions import Column, Features
from app.ogc.legacy.views import Floats

EXTENT = 4096


@dataclass(frozen=True)
class Tile:
    """The features of one layer in one tile of the WebMercatorQuad."""

    z: int
    x: int
    y: int
    ids: npt.NDArray[np.int64]
    geometries: npt.NDArray[Any]
    columns: dict[str, Column]

    def features(self, zoom: float) -> Features:
        return Features(self.columns, len(self.geometries), zoom)

    @staticmethod
    def shares(positions: Floats) -> Floats:
        """Positions in the tile from 0 to 1, y downwards, of GDAL's (which has y upwards)."""
        return np.column_stack([positions[:, 0] / EXTENT, 1 - positions[:, 1] / EXTENT])

    def points(self) -> Floats:
        """Where each point lies, from 0 to 1, y downwards."""
        return self.shares(np.column_stack([shapely.get_x(self.geometries), shapely.get_y(self.geometries)]))

    def middles(self, rows: npt.NDArray[np.intp]) -> Floats:
        """A position for each feature's name, from 0 to 1, y downwards."""
        chosen = self.geometries[rows]
        if len(chosen) and chosen[0].geom_type != "Point":
            chosen = shapely.point_on_surface(chosen)
        return self.shares(np.column_stack([shapely.get_x(chosen), shapely.get_y(chosen)]))


def decoded(body: bytes, layer: str, z: int, x: int, y: int) -> Tile | None:
    """The tile's layer of this name; None where the tile holds nothing of it."""
    if not body:
        return None
    import pyogrio  # with GDAL, which few need of a process that serves

    # GDAL would cut polygons at the edge of the tile, and the cut would be drawn as a boundary.
    meta, ids, shapes, values = pyogrio.raw.read(body, layer=layer, return_fids=True, CLIP="NO")
    if not len(shapes):
        return None
    columns = {
        str(name): _objects(column)
        for name, column in zip(meta["fields"], values, strict=True)
        if name != "mvt_id"
    }
    if "mvt_id" in meta["fields"].tolist():
        ids = values[meta["fields"].tolist().index("mvt_id")]
    return Tile(z, x, y, np.asarray(ids), shapely.from_wkb(shapes), columns)


def _objects(values: npt.NDArray[Any]) -> Column:
    """Plain values, with None where there is none."""
    column: Column = values.astype(object)
    if values.dtype.kind == "f":
        column[np.isnan(values)] = None
    return column
