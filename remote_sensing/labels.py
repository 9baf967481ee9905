"""Labels on a scene's grid: rasters of any grid and CRS, or polygons; which class is meant, what is not judged."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import rasterio
import rasterio.features
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from remote_sensing.scene import Scene, SceneError

Bools = npt.NDArray[np.bool_]
WORDS = {
    "water_body": re.compile(r"water|pond|lake|river|reservoir|flood|canal|水|塘|库|湖|河", re.I),
    "irrigated_land": re.compile(r"field|crop|irrig|farm|agri|灌|耕|田|农|作物", re.I),
}
NOT_JUDGED = re.compile(r"ignore|not judged|no.?data|unknown|cloud|unclassified|不计|未知|云", re.I)
CLASS = re.compile(r"(?<![\w.])(-?\d+)\s*[:=]?\s*([^,;\d]+)")
SCL = {"water_body": 6, "irrigated_land": 4}
"""Scene classification of Sentinel-2 L2A: 6 water, 4 vegetation; 0 no data, 1 defective, 3 shadow, 8–10 cloud, 11 snow."""
SCL_LEFT_OUT = (0, 1, 3, 8, 9, 10, 11)
COLUMNS = ("kind", "class", "label", "type", "category", "name", "value", "status")
VECTORS = (".geojson", ".json", ".gpkg", ".shp", ".fgb", ".parquet")


@dataclass(frozen=True)
class Label:
    """A truth on a scene's grid."""

    truth: Bools
    judged: Bools
    said: dict[str, Any]
    """What was taken for what: value, what was left out, on which grid it came."""


def read(
    path: Path, scene: Scene, kind: str, value: str | None = None, left_out: Sequence[float] = ()
) -> Label:
    """A label of a kind on the scene's grid.

    `value`: the class meant (a number, or a word of a polygon's attribute); without it, what the label itself
    says of its classes, else 1. Raises SceneError if it cannot be read, or does not overlap.
    """
    if not path.exists():
        raise SceneError(f"没有标注 {path} (there is no such label)")
    if path.suffix.lower() in VECTORS:
        return _polygons(path, scene, kind, value)
    try:
        return _raster(path, scene, kind, value, left_out)
    except rasterio.errors.RasterioError as error:
        raise SceneError(f"无法读取标注 {path.name} (the label cannot be read): {error}") from None


def _raster(path: Path, scene: Scene, kind: str, value: str | None, left_out: Sequence[float]) -> Label:
    grid = scene.grid
    with rasterio.open(path) as source:
        text = " ".join([*(d or "" for d in source.descriptions), *map(str, source.tags().values()), *map(str, source.tags(1).values())])  # fmt: skip
        nodata, scl = source.nodata, "SCL" in text or "SCL" in path.stem
        own = (source.width, source.height) == (grid.width, grid.height)
        same = own and (source.crs is None or (source.crs == grid.crs and source.transform.almost_equals(grid.transform, 1e-4 * grid.step)))  # fmt: skip
        if same:
            numbers = source.read(1)
            seen = np.ones(numbers.shape, bool)
        elif source.crs is None:
            raise SceneError(
                f"{path.name} 没有坐标系，且与影像格网不同 (the label has no CRS and is not on the scene's grid)"
            )
        else:
            numbers, seen = _warped(source, scene)
    if not seen.any():
        raise SceneError(f"{path.name} 与影像不重叠 (the label does not overlap the scene)")
    classes = np.unique(numbers[seen & np.isfinite(numbers)])
    wanted, out, how = _classes(classes, nodata, text, scl, kind, value, left_out)
    judged = seen & np.isfinite(numbers) & ~np.isin(numbers, out)
    if nodata is not None and np.isfinite(nodata) and nodata != wanted:
        judged &= numbers != nodata
    fuzzy = numbers.dtype.kind == "f" and bool((classes % 1 != 0).any())
    truth = (numbers > 0.5) if fuzzy else (numbers == wanted)
    return Label(
        truth & judged,
        judged,
        {
            "value": float(wanted),
            "left_out": sorted({*map(float, out)}),
            "chosen": how,
            "resampled": not same,
        },
    )


def _warped(source: Any, scene: Scene) -> tuple[npt.NDArray[Any], Bools]:
    """The label on the scene's grid: the nearest class, or the most frequent one where the label is much finer."""
    grid = scene.grid
    target = {"crs": grid.crs, "transform": grid.transform, "width": grid.width, "height": grid.height}
    with WarpedVRT(source, resampling=Resampling.nearest, add_alpha=True, **target) as near:
        native, seen = near.read(1), near.read(near.count) > 0
    finer = source.res[0] * (111_320 if source.crs.is_geographic else 1) < 0.6 * grid.pixel_m
    if finer:
        with WarpedVRT(source, resampling=Resampling.mode, **target) as common:
            native = common.read(1)
    return native, seen


def _classes(
    classes: npt.NDArray[Any],
    nodata: float | None,
    text: str,
    scl: bool,
    kind: str,
    value: str | None,
    left_out: Sequence[float],
) -> tuple[float, list[float], str]:
    """Which class is meant, which are not judged, and how that was chosen."""
    out = [float(v) for v in left_out]
    if scl:
        return float(value or SCL[kind]), out or list(map(float, SCL_LEFT_OUT)), "scene classification"
    named = {float(number): words for number, words in CLASS.findall(text)}
    out += [number for number, words in named.items() if NOT_JUDGED.search(words)]
    # Masks drawn as pictures hold 0 and 255; where other classes stand beside it, 255 means no data.
    positive = {float(v) for v in classes if v > 0 and v != nodata and v not in out}
    if value is not None:
        wanted, how = float(value), "named"
    elif match := [n for n, w in named.items() if WORDS[kind].search(w) and n not in out and n in positive]:
        wanted, how = match[0], "the label's own words"
    elif 1.0 in positive or not positive:
        wanted, how = 1.0, "1 by default"
    else:
        wanted, how = min(positive), "the only class" if len(positive) == 1 else "the lowest class"
    return wanted, [v for v in {*out, -1.0, 255.0} if v != wanted], how


def _polygons(path: Path, scene: Scene, kind: str, value: str | None) -> Label:
    grid = scene.grid
    frame = polygons(path).to_crs(grid.crs)
    column, meant, how = _meant(frame, kind, value)
    # Where polygons of land are drawn too, only what lies inside polygons was looked at.
    drawn = frame[column].astype(str) if column else None
    sampled = drawn is not None and any(
        not any(pattern.search(text) for pattern in WORDS.values()) for text in drawn.unique()
    )
    shape = (grid.height, grid.width)
    truth = _burnt(frame[meant], shape, grid.transform)
    inside = _burnt(frame, shape, grid.transform)
    if not inside.any():
        raise SceneError(f"{path.name} 与影像不重叠 (the label does not overlap the scene)")
    said = {"column": column, "value": value, "chosen": how, "polygons": int(meant.sum()), "judged": "inside the polygons" if sampled else "everywhere"}  # fmt: skip
    return Label(truth, inside if sampled else np.ones(shape, bool), said)


def polygons(path: Path) -> gpd.GeoDataFrame:
    """The shapes of a file. Raises SceneError if there are none or nobody says where they lie."""
    if not path.exists():
        raise SceneError(f"没有 {path} (there is no such file)")
    try:
        if path.suffix.lower() == ".csv":
            frame = _table(path)
        else:
            frame = gpd.read_parquet(path) if path.suffix == ".parquet" else gpd.read_file(path)
    except SceneError:
        raise
    except Exception as error:  # pyogrio and fiona raise their own kinds
        raise SceneError(f"无法读取 {path.name} (cannot be read): {error}") from None
    if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None:
        raise SceneError(f"{path.name} 没有坐标系 (has no coordinate reference system)")
    return frame[~(frame.geometry.is_empty | frame.geometry.isna())].reset_index(drop=True)


LON, LAT = ("lon", "lng", "longitude", "x", "经度"), ("lat", "latitude", "y", "纬度")


def _table(path: Path) -> gpd.GeoDataFrame:
    """A table of points in longitude and latitude (WGS 84 or CGCS2000)."""
    rows = pd.read_csv(path)
    columns = {str(name).strip().lower(): name for name in rows.columns}
    lon, lat = (next((columns[n] for n in names if n in columns), None) for names in (LON, LAT))
    if lon is None or lat is None:
        raise SceneError(f"{path.name} 没有经纬度列 (no columns of longitude and latitude)")
    return gpd.GeoDataFrame(rows, geometry=gpd.points_from_xy(rows[lon], rows[lat]), crs="EPSG:4490")


def _meant(frame: gpd.GeoDataFrame, kind: str, value: str | None) -> tuple[str | None, Any, str]:
    everything = np.ones(len(frame), bool)
    texts = [c for c in frame.columns if c != frame.geometry.name and c.lower() in COLUMNS]
    for column in texts:
        held = frame[column].astype(str)
        mine = (held == value) if value is not None else held.str.contains(WORDS[kind])
        if mine.any():
            return column, mine.to_numpy(bool), "named" if value is not None else "the label's own words"
    if value is not None:
        raise SceneError(f"标注中没有 {value!r} (no polygon of that class); {', '.join(texts) or '—'}")
    return None, everything, "every polygon"


def _burnt(frame: gpd.GeoDataFrame, shape: tuple[int, int], transform: Any) -> Bools:
    if frame.empty:
        return np.zeros(shape, bool)
    return np.asarray(rasterio.features.rasterize(frame.geometry, shape, transform=transform) > 0)
