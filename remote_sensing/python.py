"""For Python people: a path, a scene or an xarray goes in, an xarray or a GeoDataFrame comes out."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import shapely
import xarray as xr
from rasterio.transform import Affine

from remote_sensing import compare, strips
from remote_sensing.masks import CODE, Masks
from remote_sensing.objects import KIND
from remote_sensing.options import KINDS, Options
from remote_sensing.scene import Scene, SceneError, open_scenes
from remote_sensing.search import Found, find
from remote_sensing.sources import SceneSource, seen

Picture = Scene | Path | str | xr.DataArray
NOT_SEEN = 255


def open_scene(path: Path | str, *, bands: Mapping[str, str] | None = None) -> Scene:
    """The newest scene at a path: a COG, a STAC item, a SAFE or Landsat folder … Raises SceneError."""
    return open_scenes(Path(path), bands=bands)[-1]


def water_mask(picture: Picture, *, options: Options | None = None) -> xr.DataArray:
    """Water of a scene: uint8, dims (y, x), 1 water, 0 land, 255 where the scene shows nothing.

    `picture`: a path, a scene, or a DataArray with dims (band, y, x), bands named green, red, nir … (reflectance, or
    numbers that `open_scene` would understand in a file), an attribute `acquired_at`, coordinates x and y of pixel centres, and a CRS in
    `attrs["crs"]` or in the coordinate `spatial_ref`. Attributes: `crs`, `transform`, `nodata`. The mask is a byte a
    pixel; nothing else is held of the whole scene. Raises SceneError.
    """
    options = options or Options()
    with _as_scene(picture) as scene:
        masks = Masks(scene, ("water_body",))
        source, grid = SceneSource(scene, masks.bands), scene.grid
        mask = np.full((grid.height, grid.width), NOT_SEEN, np.uint8)

        def work(read: Any) -> None:
            (piece,) = read()
            codes, _ = masks.codes(piece)
            numbers, coding = piece.planes()["nir"]
            water = (codes & KIND) == CODE["water_body"]
            w = piece.window
            at = (slice(w.row_off, w.row_off + w.height), slice(w.col_off, w.col_off + w.width))
            mask[at] = np.where(seen(numbers, coding.nodata), water, NOT_SEEN)

        with ThreadPoolExecutor(options.workers) as pool:
            plan = strips.Plan.of(grid, options.window, source)
            waiting: list[Any] = []
            for read in strips.pieces([source], plan, pool, None):
                waiting.append(pool.submit(work, read))
                if len(waiting) > 2 * options.workers:
                    waiting.pop(0).result()
            for future in waiting:
                future.result()
        return _array(mask, scene)


def water_bodies(
    picture: Picture, *, aoi: shapely.Geometry | None = None, options: Options | None = None
) -> gpd.GeoDataFrame:
    """Bodies of water above `options.min_water_m2`, in the scene's own CRS.

    Columns: geometry, `area_m2`, `pixels`, `water_index`, `nir`, `red` (means) and `shadow` (share of dark pixels).
    `aoi` in EPSG:4490. Raises SceneError.
    """
    return _objects(picture, "water_body", aoi, options)


def fields(
    picture: Picture, *, aoi: shapely.Geometry | None = None, options: Options | None = None
) -> gpd.GeoDataFrame:
    """Fields that look irrigated, above `options.min_field_m2`: columns as `water_bodies`."""
    return _objects(picture, "irrigated_land", aoi, options)


def candidates(
    pictures: Sequence[Picture],
    intakes: gpd.GeoDataFrame | None = None,
    *,
    aoi: shapely.Geometry | None = None,
    options: Options | None = None,
    out: Path | None = None,
) -> gpd.GeoDataFrame:
    """What no registered intake explains in the newest of some dates, best first, in EPSG:4490.

    `intakes`: points with at least a geometry; other columns of `compare.empty_register` are used where they are.
    Pictures and the report are kept if `out` names a folder. Columns: those of `judge.Candidate`. Raises SceneError.
    """
    from remote_sensing.pipeline import detect

    with ExitStack() as stack:
        scenes = [stack.enter_context(_as_scene(picture)) for picture in pictures]
        folder = out or Path(stack.enter_context(TemporaryDirectory(prefix="shuitu-")))
        folder.mkdir(parents=True, exist_ok=True)
        found = detect(scenes, _register(intakes), aoi=aoi, options=options, out=folder)
    names = [f.name for f in dataclasses.fields(found.candidates[0])] if found.candidates else ["geometry"]
    rows = [{name: getattr(one, name) for name in names} for one in found.candidates]
    if out is None:
        rows = [{k: v for k, v in row.items() if not k.startswith("chip_")} for row in rows]
    return gpd.GeoDataFrame(rows, columns=None if rows else names, geometry="geometry", crs="EPSG:4490")


def _register(intakes: gpd.GeoDataFrame | None) -> gpd.GeoDataFrame:
    """A register with every column that a comparison needs; what is not known is taken as a plain, permitted intake."""
    empty = compare.empty_register()
    if intakes is None or intakes.empty:
        return empty
    if intakes.crs is None:
        raise SceneError("取水口没有坐标系 (the intakes have no coordinate reference system)")
    told = {"status": "in_use", "source_type": "river", "permit_state": "linked", "has_valid_permit": True,
            "permitted_m3": np.nan, "position_error_m": 0.0}  # fmt: skip
    made = intakes.to_crs("EPSG:4490").reset_index(drop=True)
    for name in empty.columns.drop("geometry"):
        if name not in made:
            made[name] = made.index if name == "id" else told.get(name, "")
    return made if made.geometry.name == "geometry" else made.rename_geometry("geometry")


def _objects(
    picture: Picture, kind: str, aoi: shapely.Geometry | None, options: Options | None
) -> gpd.GeoDataFrame:
    with _as_scene(picture) as scene:
        found = find(scene, (kind,), options or Options(kinds=KINDS), aoi=aoi)
        return _frame(next((group for group in found if group.kind == kind), None), scene)


def _frame(found: Found | None, scene: Scene) -> gpd.GeoDataFrame:
    if found is None:
        return gpd.GeoDataFrame({"area_m2": []}, geometry=[], crs=scene.grid.crs)
    o, grid = found.objects, scene.grid
    rows = (o.box[:, 1] + o.box[:, 3]) / 2
    columns = {
        "area_m2": o.pixels * np.array([grid.pixel_area_m2(row) for row in rows]),
        "pixels": o.pixels,
        **{name: o.mean(name) for name in ("water_index", "nir", "red", "shadow")},
    }
    return gpd.GeoDataFrame(columns, geometry=found.polygons, crs=grid.crs)


def _array(mask: Any, scene: Scene) -> xr.DataArray:
    t = scene.grid.transform
    cols, rows = np.arange(mask.shape[1]) + 0.5, np.arange(mask.shape[0]) + 0.5
    attrs = {"crs": scene.grid.crs.to_string(), "transform": tuple(t)[:6], "nodata": NOT_SEEN}
    # On a rotated grid x and y depend on both row and column: pixel numbers then stand for themselves.
    coords = {"y": t.f + t.e * rows, "x": t.c + t.a * cols} if t.b == t.d == 0 else {}
    when = scene.acquired_at
    if when is not None:
        attrs["acquired_at"] = when.isoformat()
    return xr.DataArray(mask, coords, ("y", "x"), name="water", attrs=attrs)


@contextmanager
def _as_scene(picture: Picture) -> Iterator[Scene]:
    """The scene of a path, or of an array, which is written to a file for as long as it is needed."""
    if isinstance(picture, Scene):
        yield picture
    elif isinstance(picture, xr.DataArray):
        with TemporaryDirectory(prefix="shuitu-") as folder:
            yield open_scene(_written(picture, Path(folder) / "scene.tif"))
    else:
        yield open_scene(picture)


def _written(array: xr.DataArray, path: Path) -> Path:
    if set(array.dims) != {"band", "y", "x"} or "band" not in array.coords:
        raise SceneError(
            f"数组应有维度 band, y, x 并写明波段名，得到 {array.dims} (dims should be band, y, x, with bands named)"
        )
    array = array.transpose("band", "y", "x")
    profile = {
        "driver": "GTiff", "count": array.sizes["band"], "height": array.sizes["y"], "width": array.sizes["x"],
        "dtype": array.dtype.name, "crs": _crs(array), "transform": _transform(array), "tiled": True, "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    nodata = array.attrs.get("_FillValue", array.attrs.get("nodata"))
    if nodata is None and array.dtype.kind == "f":
        nodata = float("nan")
    with rasterio.open(path, "w", **profile, nodata=nodata) as target:
        for number, name in enumerate(array.coords["band"].values.tolist(), 1):
            # One band at a time: an array of Dask comes piece by piece.
            target.write(np.asarray(array[number - 1].values), number)
            target.set_band_description(number, str(name))
        if "acquired_at" in array.attrs:
            target.update_tags(ACQUISITION_DATE=array.attrs["acquired_at"])
    return path


def _crs(array: xr.DataArray) -> Any:
    stated = array.attrs.get("crs")
    if stated is None and "spatial_ref" in array.coords:
        stated = array.coords["spatial_ref"].attrs.get("crs_wkt")
    if stated is None:
        raise SceneError(
            '数组没有坐标系：请设 attrs["crs"] (the array has no CRS: set attrs["crs"], or write one with rioxarray)'
        )
    return stated


def _transform(array: xr.DataArray) -> Affine:
    if "transform" in array.attrs:
        return Affine(*tuple(array.attrs["transform"])[:6])
    x, y = (np.asarray(array.coords[name].values, np.float64) for name in ("x", "y"))
    if min(len(x), len(y)) < 2:
        raise SceneError("数组至少应有 2 × 2 个像元 (the array should have 2 × 2 pixels at least)")
    dx, dy = (float(values[-1] - values[0]) / (len(values) - 1) for values in (x, y))
    for name, values, step in (("x", x, dx), ("y", y, dy)):
        if not np.allclose(np.diff(values), step, rtol=1e-3):
            raise SceneError(f"坐标 {name} 不等距 (the coordinates are not evenly spaced)")
    return Affine(dx, 0, x[0] - dx / 2, 0, dy, y[0] - dy / 2)
