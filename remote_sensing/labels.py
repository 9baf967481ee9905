"""Labels on a scene's grid: rasters of any grid and CRS, or polygons; which class is meant, what is not judged."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cc3d
import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import rasterio
import rasterio.features
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

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
NUMBERED = ("dn", "gridcode", "grid_code", "raster_val", "class", "class_id", "value", "label", "code")
"""Columns that hold a class as a number: what polygons drawn from a raster are given by GDAL, ArcGIS and QGIS."""
VECTORS = (".geojson", ".json", ".gpkg", ".shp", ".fgb", ".parquet", ".kml", ".gml", ".zip")


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
        return _polygons(path, scene, kind, value, left_out)
    try:
        return _raster(path, scene, kind, value, left_out)
    except rasterio.errors.RasterioError as error:
        raise SceneError(f"无法读取标注 {path.name} (the label cannot be read): {error}") from None


def _raster(path: Path, scene: Scene, kind: str, value: str | None, left_out: Sequence[float]) -> Label:
    grid = scene.grid
    with rasterio.open(path) as source:
        band = next(
            (i for i, text in enumerate(source.descriptions, 1) if text and WORDS[kind].search(text) and not NOT_JUDGED.search(text)), 1
        )  # fmt: skip
        text = " ".join([path.stem, *(d or "" for d in source.descriptions), *map(str, source.tags().values()), *map(str, source.tags(band).values())])  # fmt: skip
        scl, land = "SCL" in text, _zero_is_land(source, band, text)
        nodata = None if land else source.nodatavals[band - 1]
        coloured = _coloured(source) and not source.descriptions[0]
        own = (source.width, source.height) == (grid.width, grid.height)
        same = own and (source.crs is None or (source.crs == grid.crs and source.transform.almost_equals(grid.transform, 1e-4 * grid.step)))  # fmt: skip
        if same:
            planes = source.read()
            seen = np.ones(planes.shape[1:], bool)
        elif source.crs is None:
            planes = _stretched(source, scene, path.name)
            seen = np.ones(planes.shape[1:], bool)
        else:
            planes, seen = _warped(source, scene, land)
    if not seen.any():
        raise SceneError(f"{path.name} 与影像不重叠 (the label does not overlap the scene)")
    numbers: npt.NDArray[Any] = _drawn_as_water(planes) if coloured else planes[band - 1]
    judged = seen & np.isfinite(numbers)
    if nodata is not None and np.isfinite(nodata):
        judged &= numbers != nodata
    if value is None and not scl and _counts_objects(numbers, judged):
        said: dict[str, Any] = {
            "value": "> 0",
            "left_out": [],
            "chosen": "numbers of objects, not of classes",
        }
        return Label((numbers > 0) & judged, judged, {**said, "resampled": not same})
    graded = _graded(numbers[judged]) if value is None and not scl else None
    if graded is not None:
        judged &= ~np.isin(numbers, [-1, *map(float, left_out)])
        if graded != 127:
            judged &= numbers != 255
        said = {"value": graded, "left_out": sorted(map(float, left_out)), "chosen": "above half"}
        return Label((numbers > graded) & judged, judged, {**said, "resampled": not same})
    classes = np.unique(numbers[seen & np.isfinite(numbers)])
    wet = _wetness(numbers, judged, classes, scene) if kind == "water_body" else {}
    wanted, out, how = _classes(classes, nodata, text, scl, kind, value, left_out, wet)
    judged = seen & np.isfinite(numbers) & ~np.isin(numbers, out)
    if nodata is not None and np.isfinite(nodata) and nodata not in wanted:
        judged &= numbers != nodata
    how = "colours: blue, else white" if coloured else how
    said = _said(wanted, out, how) | {"classes": [float(c) for c in classes[:MANY]]}
    if band > 1:
        said["band"] = band
    if land:
        said["nodata"] = "0 is land: it stands beside a single class"
    return Label(np.isin(numbers, wanted) & judged, judged, {**said, "resampled": not same})


def _zero_is_land(source: Any, band: int, text: str) -> bool:
    """Whether a mask states 0 as no data but holds a single class beside it: then nothing else would be judged."""
    if source.nodatavals[band - 1] != 0 or any(known[0].search(text) for known in KNOWN):
        return False
    step = max(1, max(source.width, source.height) // 4_096)
    shape = (max(1, source.height // step), max(1, source.width // step))
    values = np.unique(source.read(band, out_shape=shape))
    return int((np.isfinite(values) & (values != 0)).sum()) == 1


def _coloured(source: Any) -> bool:
    """Whether a label is a picture: three bands of 8 bits, and perhaps an alpha."""
    return source.count in (3, 4) and set(source.dtypes) == {"uint8"}


BLUER = 40
"""A colour is that of water on a map if its blue exceeds the others by this, of 255."""


def _drawn_as_water(planes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A picture as classes: 1 where it is blue, or, if nothing in it is, where it is white; 255 where it is clear."""
    red, green, blue = (plane.astype(np.int16) for plane in planes[:3])
    drawn = blue - np.maximum(red, green) >= BLUER
    if not drawn.any():
        drawn = red + green + blue > 3 * 127
    made: npt.NDArray[Any] = drawn.astype(np.int16)
    if len(planes) == 4 and not planes[3].all():
        made[planes[3] == 0] = 255
    return made


def _stretched(source: Any, scene: Scene, name: str) -> npt.NDArray[Any]:
    """A label that does not say where it lies, over the whole scene: only if it is as many times as tall as it is wide."""
    grid = scene.grid
    if abs(source.width / grid.width - source.height / grid.height) * min(grid.width, grid.height) >= 1:
        raise SceneError(
            f"{name} 没有坐标系，且与影像格网不同 (the label has no CRS and is not on the scene's grid)"
        )
    finer = source.width > grid.width
    return np.asarray(
        source.read(
            out_shape=(source.count, grid.height, grid.width),
            resampling=Resampling.mode if finer else Resampling.nearest,
        )
    )


FEWEST_OBJECTS, WHOLE = 4, 1.1
"""So many numbers, each of which stands in one place, count objects; a change of grid may break one in ten."""


def _counts_objects(numbers: npt.NDArray[Any], judged: Bools) -> bool:
    """Whether a label numbers its objects (fields, ponds) on a ground of 0, as instances are labelled."""
    values = np.unique(numbers[judged])
    count = int((values > 0).sum())
    if (
        count < FEWEST_OBJECTS
        or 0 not in values
        or values.min() < 0
        or (values % 1).any()
        or values.max() > 2**31 - 1
    ):
        return False
    drawn = np.where(judged, numbers, 0).astype(np.int32)
    _, parts = cc3d.connected_components(drawn, connectivity=8, return_N=True)
    return int(parts) <= WHOLE * count


MANY = 24
"""More classes than this are no classes but shares of water, or chances of it."""


def _graded(numbers: npt.NDArray[Any]) -> float | None:
    """Half of the whole, if numbers are shares or chances (0–1, 0–100, 0–255); else None."""
    values = np.unique(numbers[np.isfinite(numbers)])
    if not values.size or values.min() < -1:
        return None
    top = float(values[values != 255].max(initial=0.0))
    if values.dtype.kind == "f" and (values % 1 != 0).any():
        return 0.5 if top <= 1.01 else 50.0 if top <= 100 else None
    # Codes of land cover are spread: tens and hundreds with gaps between.
    steps = np.diff(values[(values >= 0) & (values <= 255)])
    if len(steps) < MANY or np.median(steps) > 2 or values.max() > 255:
        return None
    return 50.0 if top <= 100 else 127.0


def _wetness(
    numbers: npt.NDArray[Any], judged: Bools, classes: npt.NDArray[Any], scene: Scene
) -> dict[float, float]:
    """The median of NDWI over each class, on a small picture: what a class without a name shows."""
    positive = [float(c) for c in classes if c > 0 and c not in (255,)]
    if not 2 <= len(positive) <= MANY:
        return {}
    step = max(1, max(numbers.shape) // 1_024)
    small = (slice(None, None, step), slice(None, None, step))
    shape = numbers[small].shape
    whole = Window(0, 0, scene.grid.width, scene.grid.height)
    bands = scene.read_bands(("green", "nir"), whole, shape)
    with np.errstate(all="ignore"):
        index = (bands["green"] - bands["nir"]) / (bands["green"] + bands["nir"])
    usable = judged[small] & np.isfinite(index)
    found = {c: index[usable & (numbers[small] == c)] for c in positive}
    return {c: float(np.median(v)) for c, v in found.items() if v.size}


def _warped(source: Any, scene: Scene, land: bool) -> tuple[npt.NDArray[Any], Bools]:
    """The label on the scene's grid: the nearest class, or the most frequent one where the label is much finer.

    `land`: what it states as no data is a class.
    """
    grid = scene.grid
    target = {"crs": grid.crs, "transform": grid.transform, "width": grid.width, "height": grid.height}
    if land:
        target["src_nodata"] = None
    with WarpedVRT(source, resampling=Resampling.nearest, add_alpha=True, **target) as near:
        planes = near.read()
        native, seen = planes[:-1], planes[-1] > 0
    finer = source.res[0] * (111_320 if source.crs.is_geographic else 1) < 0.6 * grid.pixel_m
    if finer:
        with WarpedVRT(source, resampling=Resampling.mode, **target) as common:
            native = common.read()
    return native, seen


KNOWN: Sequence[tuple[re.Pattern[str], tuple[float, ...], tuple[float, ...]]] = (
    # Land cover and water of others: whose they are by name, their codes of water, and those of nothing.
    (re.compile(r"world.?cover", re.I), (80.0,), (0.0,)),
    (re.compile(r"dynamic.?world", re.I), (0.0,), ()),
    (re.compile(r"nlcd", re.I), (11.0,), (0.0,)),
    (re.compile(r"dswx", re.I), (1.0, 2.0), (252.0, 253.0, 254.0, 255.0)),
    (
        re.compile(r"gsw|global.?surface.?water|(monthly|yearly).?(history|classification)", re.I),
        (2.0, 3.0),
        (0.0,),
    ),
)
WETTER = 0.2
"""NDWI by which class 2 must be wetter than class 1 to be the water of a label that names neither."""


def _classes(
    classes: npt.NDArray[Any],
    nodata: float | None,
    text: str,
    scl: bool,
    kind: str,
    value: str | None,
    left_out: Sequence[float],
    wet: Mapping[float, float],
) -> tuple[list[float], list[float], str]:
    """Which classes are meant, which are not judged, and how that was chosen."""
    out = [float(v) for v in left_out]
    if scl:
        return (
            [_number(value) if value else float(SCL[kind])],
            out or list(map(float, SCL_LEFT_OUT)),
            "scene classification",
        )
    named = {float(number): words for number, words in CLASS.findall(text)}
    out += [number for number, words in named.items() if NOT_JUDGED.search(words)]
    # Masks drawn as pictures hold 0 and 255; where other classes stand beside it, 255 means no data.
    positive = {float(v) for v in classes if v > 0 and v != nodata and v not in out}
    known = next((k for k in KNOWN if k[0].search(text)), None) if kind == "water_body" else None
    if value is not None:
        wanted, how = [_number(value)], "named"
    elif match := [n for n, w in named.items() if WORDS[kind].search(w) and n not in out]:
        # A small picture may hold none of the class that it speaks of.
        wanted, how = match[:1], "the label's own words"
    elif (
        known and {float(c) for c in classes} & {*known[1]}.union(known[2]) and max(positive, default=0) != 1
    ):
        wanted, how = list(known[1]), "codes of a known map"
        out += [v for v in known[2] if v not in wanted]
    elif {1.0, 2.0} <= wet.keys() and wet[2.0] - wet[1.0] >= WETTER:
        wanted, how = [2.0], "2: far wetter than 1"
        out.append(0.0)
    elif 1.0 in positive or not positive:
        wanted, how = [1.0], "1 by default"
    elif len(positive) == 1:
        wanted, how = [min(positive)], "the only class"
    else:
        wettest = max(positive, key=lambda c: wet.get(c, -np.inf))
        wanted, how = (
            [wettest] if wet else [min(positive)],
            "the wettest class" if wet else "the lowest class",
        )
    return wanted, [v for v in {*out, -1.0, 255.0} if v not in wanted], how


def _said(wanted: Sequence[float], out: Sequence[float], how: str) -> dict[str, Any]:
    """What a report tells of the classes that were chosen."""
    return {"value": wanted[0] if len(wanted) == 1 else wanted, "left_out": sorted(set(out)), "chosen": how}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SceneError(f"栅格标注的类别应为数字 (classes of a raster are numbers): {text!r}") from None


def _polygons(path: Path, scene: Scene, kind: str, value: str | None, left_out: Sequence[float]) -> Label:
    grid = scene.grid
    frame = polygons(path).to_crs(grid.crs)
    if (numbered := _numbered(frame, kind)) is not None:
        return _of_numbers(numbered, frame, path, scene, kind, value, left_out)
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


def _numbered(frame: gpd.GeoDataFrame, kind: str) -> str | None:
    """The column whose numbers tell land (0) from the classes beside it; None if there is none."""
    for name in frame.columns.drop(frame.geometry.name):
        if name.lower() not in NUMBERED and not WORDS[kind].fullmatch(name):
            continue
        numbers = pd.to_numeric(frame[name], errors="coerce")
        if numbers.notna().all() and (numbers == 0).any() and (numbers != 0).any():
            return str(name)
    return None


def _of_numbers(
    column: str, frame: gpd.GeoDataFrame, path: Path, scene: Scene, kind: str, value: str | None, left_out: Sequence[float]
) -> Label:  # fmt: skip
    """Polygons that a raster of classes was drawn as: judged as that raster is, inside the polygons."""
    grid, shape = scene.grid, (scene.grid.height, scene.grid.width)
    classes = pd.to_numeric(frame[column]).astype(np.float64)
    pairs = zip(frame.geometry, classes, strict=True)
    numbers = rasterio.features.rasterize(
        pairs, shape, fill=np.nan, transform=grid.transform, dtype="float64"
    )
    seen = np.isfinite(numbers)
    if not seen.any():
        raise SceneError(f"{path.name} 与影像不重叠 (the label does not overlap the scene)")
    held = np.unique(classes)
    wet = _wetness(numbers, seen, held, scene) if kind == "water_body" else {}
    wanted, out, how = _classes(held, None, path.stem, False, kind, value, left_out, wet)
    judged = seen & ~np.isin(numbers, out)
    said = {"column": column} | _said(wanted, out, how) | {"judged": "inside the polygons"}
    return Label(np.isin(numbers, wanted) & judged, judged, said)


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
