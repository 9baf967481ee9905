"""What else is known of a place, from files in one folder: rivers and canals, dams, districts, the weather.

`network.*` or `network_downstream.*` (lines; the second drawn as they run), `areas.*` (polygons of irrigation districts
and service areas), `dams.*` (points) as GeoPackage, Shapefile, GeoJSON or FlatGeobuf; `climate.csv` or `climate.nc`. All are optional; of
large files only what lies near is read.
"""

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import shapely

from remote_sensing import demand
from remote_sensing.options import Ground, Options
from remote_sensing.scene import STORED, SceneError

KINDS = (".gpkg", ".shp", ".geojson", ".json", ".fgb")
WEATHER = (".csv", ".nc")
AROUND_DEGREES = 0.3
"""How far beyond a scene canals are followed (about 30 km)."""


def known(options: Options, footprint: shapely.Geometry) -> Options:
    """The options with what the folder `options.ground_dir` holds of a place (EPSG:4490).

    What the options hold already stays. Raises SceneError if a file is there and cannot be read.
    """
    folder = options.ground_dir
    if folder is None or not folder.is_dir():
        return options
    near = gpd.GeoSeries([shapely.box(*shapely.buffer(footprint, AROUND_DEGREES).bounds)], crs=STORED)
    had, drawn = options.ground, _file(folder, "network_downstream", KINDS)
    network = drawn or _file(folder, "network", KINDS)
    areas, dams = _file(folder, "areas", KINDS), _file(folder, "dams", KINDS)
    ground = Ground(
        had.network if had.network is not None or network is None else _read(network, near),
        had.drawn_downstream or drawn is not None,
        had.areas if had.areas is not None or areas is None else _read(areas, near),
        had.dams if had.dams is not None or dams is None else _read(dams, near),
    )
    weather = _file(folder, "climate", WEATHER)
    climate = options.climate
    if climate is None and weather is not None:
        climate = demand.read(weather, footprint.centroid.x, footprint.centroid.y)
    return replace(options, ground=ground, climate=climate)


def _file(folder: Path, stem: str, kinds: tuple[str, ...]) -> Path | None:
    return next((path for kind in kinds if (path := folder / f"{stem}{kind}").is_file()), None)


def _read(path: Path, near: gpd.GeoSeries) -> gpd.GeoDataFrame:
    try:
        made = gpd.read_file(path, bbox=near)
    except Exception as error:  # pyogrio raises its own kinds
        raise SceneError(f"无法读取 {path.name} (cannot be read): {error}") from None
    if made.crs is None:
        raise SceneError(f"{path.name} 没有坐标系 (has no coordinate reference system)")
    return made
