"""A scene: which file holds which band of which date, and how its numbers become reflectance.

Opens a GeoTIFF or COG, a STAC item, a Sentinel-2 SAFE folder, a Landsat Collection 2 folder, or a folder
of one-band files. Nothing here reads pixels but `Scene.read`.
"""

import math
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from pyproj import Geod
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.warp import transform_geom
from rasterio.windows import Window

STORED = "EPSG:4490"
Floats = npt.NDArray[np.float32]


CLASSES = ("scl", "qa_pixel", "fmask", "qa60")
"""Bands whose numbers are classes or bits: nothing lies between two of them."""


class SceneError(Exception):
    """What cannot be read as a scene, in words; `file` is the one at fault, where one is."""

    def __init__(self, message: str, file: str | None = None) -> None:
        super().__init__(message)
        self.file = file


@contextmanager
def readable(file: str) -> Iterator[None]:
    """Tells which file could not be read: one that is cut short fails only where it ends."""
    try:
        yield
    except rasterio.RasterioIOError as error:
        raise SceneError(
            f"影像文件不完整或已损坏 {Path(file).name} (truncated or damaged): {error}", file
        ) from None


class Held:
    """Files that each thread opens once and keeps open: opening costs as much as decoding a block, and GDAL keeps
    blocks only of what is open. To be used in a `with` that ends when no thread reads any more."""

    def __init__(self) -> None:
        self._of_thread = threading.local()
        self._all: list[Any] = []

    def __enter__(self) -> "Held":
        return self

    def __exit__(self, *_: object) -> None:
        while self._all:
            self._all.pop().close()

    @contextmanager
    def opened(self, key: Any, how: Callable[[], Any]) -> Iterator[Any]:
        """What `how` opens, or what it opened when this thread last asked for the key."""
        mine: dict[Any, Any] = self._of_thread.__dict__
        if key not in mine:
            mine[key] = how()
            self._all.append(mine[key])
        yield mine[key]


@dataclass(frozen=True)
class Band:
    """One band of a scene: value = number in the file × scale + offset."""

    file: str
    index: int
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    mask: int | None = None
    """The number of the file's alpha band, which says where there is data; 0: the file's own mask does; else None."""


@dataclass(frozen=True)
class Scene:
    """One date of one place. `bands` are named as STAC names them: green, red, nir, swir16, …"""

    item_id: str
    title: str
    sensor: str
    acquired_at: datetime | None
    resolution_m: float
    path: Path
    generated: bool
    bands: Mapping[str, Band]
    calibrated: bool = True
    """Off where numbers are no reflectance (8-bit pictures): then only local thresholds mean anything."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """What else a STAC item said."""

    @cached_property
    def grid(self) -> "Grid":
        """The grid of the finest band: everything is read on it."""
        grids = [grid_of(band.file) for band in self.bands.values()]
        return min(grids, key=lambda grid: grid.pixel_m)

    @cached_property
    def footprint(self) -> shapely.Geometry:
        """The scene's outline in EPSG:4490."""
        return to_stored(self.grid.crs, shapely.Polygon(self.grid.corners))

    @cached_property
    def top_of_atmosphere(self) -> bool:
        """Whether reflectance is that at the top of the atmosphere (`coding.top_of_atmosphere`)."""
        from remote_sensing import coding  # which knows scenes

        return coding.top_of_atmosphere(self)

    def read(self, name: str, window: Window, shape: tuple[int, int] | None = None) -> Floats:
        """A band over a window of the grid, float32, NaN where there is no data.

        Coarser bands are resampled. `shape` (rows, columns) reads at another resolution.
        """
        return self.read_bands((name,), window, shape)[name]

    def read_bands(
        self,
        names: Iterable[str],
        window: Window,
        shape: tuple[int, int] | None = None,
        held: Held | None = None,
    ) -> dict[str, Floats]:
        """Bands over a window, as `read` gives each; those of one file are decoded once. `held` keeps files open."""
        wanted = {name: self.bands[name] for name in names}
        grid, out_shape = self.grid, shape or (int(window.height), int(window.width))
        read: dict[str, Floats] = {}
        for file in dict.fromkeys(band.file for band in wanted.values()):
            mine = {name: band for name, band in wanted.items() if band.file == file}
            with readable(file), _source(file, held) as source:
                kx, ky = source.width / grid.width, source.height / grid.height
                own = Window(window.col_off * kx, window.row_off * ky, window.width * kx, window.height * ky)
                exact = (kx, ky) == (1.0, 1.0) and shape is None
                for nearest in (True, False):
                    some = [name for name in mine if (exact or name in CLASSES) is nearest]
                    if not some:
                        continue
                    raws = source.read(
                        [mine[name].index for name in some], window=own, out_shape=(len(some), *out_shape),
                        resampling=Resampling.nearest if nearest else Resampling.bilinear,
                    )  # fmt: skip
                    for name, raw in zip(some, raws, strict=True):
                        stated = source.nodatavals[mine[name].index - 1]
                        read[name] = _reflectance(raw, mine[name], stated)
                        if mine[name].mask is not None:
                            read[name][hidden(source, mine[name], own, out_shape)] = np.nan
        return {name: read[name] for name in wanted}

    @property
    def taken_s(self) -> float:
        """What orders scenes in time: seconds since 1970; 0 where nobody says when it was taken."""
        return self.acquired_at.timestamp() if self.acquired_at else 0.0

    def to_stac(self) -> dict[str, Any]:
        """The scene as a STAC item; files are named relative to `path`'s folder where they lie below it."""
        base = self.path.parent
        when = self.acquired_at.isoformat().replace("+00:00", "Z") if self.acquired_at else None
        return {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": self.item_id,
            "geometry": shapely.geometry.mapping(self.footprint),
            "bbox": list(self.footprint.bounds),
            "properties": {
                **self.properties,
                "datetime": when,
                "title": self.title,
                "instruments": [self.sensor],
                "gsd": self.resolution_m,
                "shuitu:generated": self.generated,
                "shuitu:calibrated": self.calibrated,
            },
            "assets": {
                name: {
                    "href": _relative(band.file, base),
                    "shuitu:band": band.index,
                    "eo:bands": [{"common_name": name}],
                    "raster:bands": [{"scale": band.scale, "offset": band.offset, "nodata": band.nodata}],
                    **({} if band.mask is None else {"shuitu:mask": band.mask}),
                }
                for name, band in self.bands.items()
            },
            "links": [],
        }

    @classmethod
    def from_stac(cls, item: Mapping[str, Any], base: Path) -> "Scene":
        """The scene of an item that `to_stac` made; `base` is the folder its files are named from."""
        properties = dict(item["properties"])
        when = properties.pop("datetime", None)
        bands = {}
        for name, asset in item["assets"].items():
            raster = asset["raster:bands"][0]
            href = asset["href"]
            file = href if href.startswith("/") or "://" in href else str(base / href)
            bands[name] = Band(
                file, asset["shuitu:band"], raster["scale"], raster["offset"], raster["nodata"],
                asset.get("shuitu:mask"),
            )  # fmt: skip
        return cls(
            item["id"],
            properties.pop("title"),
            properties.pop("instruments")[0],
            datetime.fromisoformat(when) if when else None,
            properties.pop("gsd"),
            base / "item",
            properties.pop("shuitu:generated"),
            bands,
            properties.pop("shuitu:calibrated"),
            properties,
        )


def _source(file: str, held: Held | None) -> Any:
    return rasterio.open(file) if held is None else held.opened(file, lambda: rasterio.open(file))


def hidden(source: Any, band: Band, window: Window, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Where the mask of a band's file, which it must have, says that there is no data."""
    read = source.read if band.mask else source.read_masks
    number = band.mask or band.index
    return np.asarray(read(number, window=window, out_shape=shape, resampling=Resampling.nearest) == 0)


def _reflectance(raw: npt.NDArray[Any], band: Band, stated: float | None) -> Floats:
    values: Floats = raw.astype(np.float32)
    nodata = band.nodata if band.nodata is not None else stated
    if nodata is not None and not math.isnan(nodata):
        values[raw == nodata] = np.nan
    if band.scale != 1.0:
        values *= np.float32(band.scale)
    if band.offset:
        values += np.float32(band.offset)
    return values


def _relative(file: str, base: Path) -> str:
    path = Path(file)
    return str(path.relative_to(base)) if path.is_relative_to(base) else file


@dataclass(frozen=True)
class Grid:
    """Pixels on the ground."""

    crs: Any
    transform: Affine
    width: int
    height: int

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in the grid's own coordinates."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """The four corners in the grid's own coordinates, around; the grid may be rotated or run south-up."""
        w, h = self.width, self.height
        return tuple(self.transform * at for at in ((0, 0), (w, 0), (w, h), (0, h)))

    @cached_property
    def step(self) -> float:
        """Side of a pixel in the grid's own units."""
        t = self.transform
        return math.sqrt(abs(t.a * t.e - t.b * t.d))

    def pixel_area_m2(self, row: float) -> float:
        """Area of a pixel in this row, m²."""
        t = self.transform
        if not self.crs.is_geographic:
            factor = self.crs.linear_units_factor[1]
            return float(self.step * self.step * factor * factor)
        y = min(max(t.f + t.e * (row + 0.5) + t.d * self.width / 2, -89.9), 89.9)
        half = self.step / 2
        area, _ = Geod(ellps="GRS80").polygon_area_perimeter(
            [0, 2 * half, 2 * half, 0], [y - half, y - half, y + half, y + half]
        )
        return float(abs(area))

    @cached_property
    def pixel_m(self) -> float:
        """Side of a pixel in the middle, m."""
        return math.sqrt(self.pixel_area_m2(self.height / 2))


def grid_of(file: str) -> Grid:
    """The grid of a raster. Raises SceneError if it cannot be opened or does not say where it lies."""
    try:
        with rasterio.open(file) as source:
            if source.crs is None:
                raise SceneError(
                    f"{Path(file).name} 没有坐标系，无法与取水口比对 (has no coordinate reference system)"
                )
            made = Grid(source.crs, source.transform, source.width, source.height)
    except rasterio.RasterioIOError as error:
        raise SceneError(f"无法读取影像 {Path(file).name} (cannot be read): {error}") from None
    if not made.step > 0 or not all(math.isfinite(v) for v in made.bounds):
        raise SceneError(f"{Path(file).name} 的格网没有意义 (the grid makes no sense): {made.transform[:6]}")
    if source.crs.is_geographic and max(abs(v) for v in made.bounds) > 361:
        raise SceneError(
            f"{Path(file).name} 的坐标超出经纬度范围 (coordinates are no longitude and latitude)"
        )
    return made


def to_stored(crs: Any, geometry: shapely.Geometry) -> shapely.Geometry:
    """A geometry of the grid's CRS in EPSG:4490 (equal to WGS 84 at our accuracy)."""
    return shapely.geometry.shape(transform_geom(crs, "EPSG:4326", shapely.geometry.mapping(geometry)))


def from_stored(crs: Any, geometry: shapely.Geometry) -> shapely.Geometry:
    """A geometry of EPSG:4490 in the grid's CRS."""
    return shapely.geometry.shape(transform_geom("EPSG:4326", crs, shapely.geometry.mapping(geometry)))


def utc(text: str) -> datetime:
    """An ISO date or time as UTC."""
    made = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return made if made.tzinfo else made.replace(tzinfo=UTC)


DATE = re.compile(r"(?<!\d)((?:19|20)\d{2})[-_:./年]?(\d{2})[-_:./月]?(\d{2})(?!\d)")
DAY_OF_YEAR = re.compile(r"(?<!\d)((?:19|20)\d{2})([0-3]\d{2})(?=T\d|\D|$)")


def date_in(text: str) -> datetime | None:
    """The first date that a name or tag holds: 20240512, 2024-05-12, or the day of the year, 2024133."""
    for match in DATE.finditer(text):
        try:
            return utc("-".join(match.groups()))
        except ValueError:
            continue
    for match in DAY_OF_YEAR.finditer(text):
        if 1 <= int(match[2]) <= 366:
            return datetime(int(match[1]), 1, 1, tzinfo=UTC) + timedelta(days=int(match[2]) - 1)
    return None


def scene_of(
    item_id: str,
    title: str,
    sensor: str,
    when: datetime | None,
    path: Path,
    bands: dict[str, Band],
    **more: Any,
) -> Scene:
    """A scene of bands that were recognised. Raises SceneError if there are none, or they say no place."""
    if not bands:
        raise SceneError(
            f"{path.name} 没有可识别的波段，请用 --bands green=2,red=3,nir=4 指明 (no band is recognised: name them)"
        )
    if "nir" not in bands and "nir08" in bands:
        bands = {**bands, "nir": bands["nir08"]}  # STAC's name for the near infrared of Landsat 8 and 9
    pixel = min(grid_of(file).pixel_m for file in {band.file for band in bands.values()})
    return Scene(
        item_id, title, sensor, when, round(pixel, 2), path, bool(more.pop("generated", False)), bands, **more
    )


def open_scenes(path: Path, *, bands: Mapping[str, str] | None = None) -> list[Scene]:
    """The scenes at a path; `bands` maps names (green, nir …) to a band's number or description.

    Raises SceneError if there is none, or if it lacks green, red or near infrared.
    """
    from remote_sensing import formats

    scenes = formats.found(path, bands or {})
    if not scenes:
        raise SceneError(
            f"{path} 不是可识别的影像 (is no scene): GeoTIFF/COG, STAC item, Sentinel-2 SAFE, Landsat C2, or such in zip or tar"
        )
    for scene in scenes:
        require(scene, ("green", "red", "nir"))
    return scenes


def require(scene: Scene, names: Iterable[str]) -> None:
    """Raises SceneError if the scene lacks one of these bands."""
    if missing := [name for name in names if name not in scene.bands]:
        raise SceneError(
            f"{scene.item_id} 缺少波段 {', '.join(missing)}；现有 {', '.join(scene.bands) or '无'}。"
            f"请用 --bands green=2,red=3,nir=4 指明 (bands are missing: name them)"
        )
