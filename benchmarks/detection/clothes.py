"""One labelled scene in the clothes that users' files come in: coding, band order, holes, grid, size; and its label too.

What a place shows does not change with them, so neither may the figures: whatever falls is a fault of the reading.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.transform import Affine
from rasterio.warp import calculate_default_transform, reproject

Array = Any
Written = tuple[Path, Path]
"""A scene and its label."""


class Wardrobe:
    """A scene and its label as arrays, and where they are written to in other clothes."""

    def __init__(self, scene: Path, label: Path, folder: Path) -> None:
        with rasterio.open(scene) as source:
            self.numbers, self.profile = source.read(), source.profile
            self.names = tuple(d or "" for d in source.descriptions)
        with rasterio.open(label) as source:
            self.truth, self.hole, self.words = source.read(1), source.nodata, source.descriptions[0]
        self.eight = self.numbers.dtype == np.uint8
        self.label, self.folder = label, folder

    def write(self, name: str, numbers: Array, names: tuple[str, ...] | None = None, **more: Any) -> Path:
        """A GeoTIFF; `names` None: none are written. `more`: nodata, crs, transform, mask, alpha, tags, colours."""
        path = self.folder / f"{name.replace(' ', '_').replace('/', '_')}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        mask, tags, alpha = more.pop("mask", None), more.pop("tags", {}), more.pop("alpha", False)
        beside, colours = more.pop("beside", False), more.pop("colours", None)
        made = {"nodata": None, "crs": self.profile["crs"], "transform": self.profile["transform"]} | more
        if alpha:
            top = np.iinfo(numbers.dtype).max if numbers.dtype.kind in "ui" else 1
            numbers = np.concatenate([numbers, [np.where(mask, top, 0).astype(numbers.dtype)]])
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=not beside),
            rasterio.open(
                path, "w", driver="GTiff", count=len(numbers), height=numbers.shape[1], width=numbers.shape[2],
                dtype=numbers.dtype, **made,
            ) as target,
        ):  # fmt: skip
            if alpha:  # before the numbers: the file's head is written with them
                target.colorinterp = [*target.colorinterp[:-1], ColorInterp.alpha]
            target.write(numbers)
            if colours:
                target.colorinterp = colours
            if mask is not None and not alpha:
                target.write_mask(mask)
            if names:
                target.descriptions = names + (("",) if alpha else ())
            target.update_tags(**tags)
        return path

    def write_label(self, name: str, truth: Array, **more: Any) -> Path:
        truth = truth[None] if truth.ndim == 2 else truth
        return self.write(f"{name} label", truth, more.pop("names", None), **more)

    def water(self) -> tuple[Array, Array]:
        """True water, and what was judged."""
        known = self.truth != self.hole
        return (self.truth == 1) & known, known


Dress = Callable[[Wardrobe, str], Written]


def scenes(w: Wardrobe) -> Iterator[tuple[str, Callable[[], Written]]]:
    """Clothes of a scene: name, and what writes it."""
    numbers, names, kind = w.numbers, w.names, w.numbers.dtype
    rim = np.zeros(numbers.shape[1:], bool)
    rim[:40], rim[:, -30:] = True, True
    slant = rim | (np.add.outer(np.arange(rim.shape[0]), np.arange(rim.shape[1])) < 120)
    striped = np.zeros_like(rim)
    for row in range(0, rim.shape[0], 33):
        striped[row : row + 12, : rim.shape[1] // 2 - row % 40] = True
    holed = lambda what, value: np.where(what, np.array(value, kind), numbers)  # noqa: E731
    plain = lambda n, a, b=names, **k: lambda: (w.write(n, a, b, **k), w.label)  # noqa: E731
    yield "as it is", plain("as it is", numbers, nodata=0)
    yield "without names", plain("without names", numbers, None, nodata=0)
    yield "no data 0, stated", plain("zero stated", holed(slant, 0), nodata=0)
    yield "no data 0, not stated", plain("zero unsaid", holed(slant, 0))
    yield "mask in the file", plain("mask inside", holed(slant, 200), mask=~slant)
    yield "mask beside the file", plain("mask beside", holed(slant, 200), mask=~slant, beside=True)
    yield "alpha band", plain("alpha", holed(slant, 200), mask=~slant, alpha=True)
    yield "stripes without data (SLC off)", plain("slc off", holed(striped, 0), nodata=0)
    reflectance = (numbers / np.float32(255 if w.eight else 1e4)).astype(np.float32)
    yield "floats 0–1, NaN", plain("floats nan", np.where(slant, np.nan, reflectance))
    yield "floats 0–1, -9999 not stated", plain("floats hole", np.where(slant, -9999, reflectance))
    if not w.eight:
        yield "floats 0–10000", plain("floats large", numbers.astype(np.float32))
        yield "doubles 0–1", plain("doubles", reflectance.astype(np.float64), None)
        yield "int16, -9999", plain("int16", np.where(slant, -9999, numbers).astype(np.int16), nodata=-9999)
        moved = np.where(numbers > 0, numbers + 1000, 0).astype(kind)
        yield "offset 1000, stated", plain("offset", moved, nodata=0, tags={"BOA_ADD_OFFSET": "-1000"})
        yield "offset 1000, not stated", plain("offset unsaid", moved, nodata=0)
        yield (
            "scaled to 0–255, all alike",
            plain("eight", np.clip(numbers / 4000 * 254 + 1, 1, 255).astype(np.uint8)),
        )
        wide = np.clip(numbers.astype(float) / 4000 * 65000, 1, 65535).astype(np.uint16)
        yield "stretched to 16 bits", plain("sixteen", wide)
        yield "words for names", plain("words", numbers, tuple(WORDS.get(n, n) for n in names), nodata=0)
    else:
        floats = numbers.astype(np.float32)
        yield "floats 0–255", plain("floats 255", floats)
        yield "colours of a picture, near infrared as alpha", plain("rgba", numbers, None, colours=RGBA)
        yield "uint16 0–255", plain("uint16", numbers.astype(np.uint16), None)
    yield from _orders(w, plain)
    yield from _grids(w)


WORDS = {
    "B02": "Blue",
    "B03": "Green",
    "B04": "Red",
    "B08": "NIR",
    "B11": "SWIR_1",
    "B12": "SWIR_2",
    "B8A": "NIR_NARROW",
}
RGBA = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
SIX = ("B02", "B03", "B04", "B8A", "B11", "B12")
TEN = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
RGBN = ("B04", "B03", "B02", "B08")


def _orders(w: Wardrobe, plain: Any) -> Iterator[tuple[str, Callable[[], Written]]]:
    """Other bands, in another order."""
    pick = lambda some: w.numbers[[w.names.index(n) for n in some]]  # noqa: E731
    yield "bands reversed", plain("reversed", w.numbers[::-1], w.names[::-1], nodata=0)
    if "B12" in w.names:
        twelve = tuple(n for n in w.names if n != "B10")
        yield "12 bands without names", plain("twelve", pick(twelve), None, nodata=0)
        yield "10 bands without names", plain("ten", pick(TEN), None, nodata=0)
        yield "6 bands without names (HLS)", plain("six", pick(SIX), None, nodata=0)
        yield (
            "6 bands with words (HLS)",
            plain("six words", pick(SIX), tuple(WORDS[n] for n in SIX), nodata=0),
        )
    if "B04" in w.names:
        yield "red first, with names", plain("rgbn", pick(RGBN), RGBN, nodata=0)
        first = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined]
        yield "red first, by colours", plain("rgbn colours", pick(RGBN), None, nodata=0, colours=first)


def _grids(w: Wardrobe) -> Iterator[tuple[str, Callable[[], Written]]]:
    """Other pixels: finer, coarser, reprojected, south-up, cut."""

    def resampled(name: str, factor: float, how: Resampling) -> Written:
        height, width = (max(1, round(side / factor)) for side in w.numbers.shape[1:])
        scale = Affine.scale(w.numbers.shape[2] / width, w.numbers.shape[1] / height)
        transform = w.profile["transform"] * scale
        made = np.zeros((len(w.numbers), height, width), w.numbers.dtype)
        reproject(w.numbers, made, src_transform=w.profile["transform"], src_crs=w.profile["crs"],
                  dst_transform=transform, dst_crs=w.profile["crs"], resampling=how)  # fmt: skip
        return w.write(name, made, w.names, nodata=0, transform=transform), w.label

    yield "pixels a third as wide", lambda: resampled("finer", 1 / 3, Resampling.bilinear)
    yield "pixels twice as wide", lambda: resampled("coarser 2", 2, Resampling.average)
    yield "pixels three times as wide", lambda: resampled("coarser 3", 3, Resampling.average)

    def projected(name: str, crs: str) -> Written:
        height, width = w.numbers.shape[1:]
        old = (w.profile["crs"], w.profile["transform"])
        bounds = rasterio.transform.array_bounds(height, width, old[1])
        transform, columns, rows = calculate_default_transform(old[0], crs, width, height, *bounds)
        made = np.zeros((len(w.numbers), rows, columns), w.numbers.dtype)
        reproject(w.numbers, made, src_transform=old[1], src_crs=old[0], dst_transform=transform, dst_crs=crs,
                  resampling=Resampling.bilinear, src_nodata=0, dst_nodata=0)  # fmt: skip
        return w.write(name, made, w.names, nodata=0, crs=crs, transform=transform), w.label

    yield "web mercator", lambda: projected("mercator", "EPSG:3857")
    yield "degrees", lambda: projected("degrees", "EPSG:4490")
    flip = w.profile["transform"] * Affine.translation(0, w.numbers.shape[1]) * Affine.scale(1, -1)
    yield (
        "south up",
        lambda: (w.write("south up", w.numbers[:, ::-1], w.names, nodata=0, transform=flip), w.label),
    )


def chips(w: Wardrobe, side: int) -> Iterator[Written]:
    """Every chip of `side` pixels that has all its pixels, each with its part of the label."""
    for top in range(0, w.numbers.shape[1] - side + 1, side):
        for left in range(0, w.numbers.shape[2] - side + 1, side):
            at = (slice(top, top + side), slice(left, left + side))
            transform = w.profile["transform"] * Affine.translation(left, top)
            name = f"chip {side} {top} {left}"
            yield (
                w.write(name, w.numbers[:, *at], w.names, nodata=0, transform=transform),
                w.write_label(name, w.truth[at], nodata=w.hole, names=(w.words or "",), transform=transform),
            )


def labels(w: Wardrobe) -> Iterator[tuple[str, Callable[[], Path]]]:
    """Clothes of a label."""
    water, known = w.water()
    put = lambda n, a, **k: lambda: w.write_label(n, a, **k)  # noqa: E731

    def pick(hole: float, land: float, wet: float, kind: Any = np.uint8) -> Array:
        return np.where(known, np.where(water, wet, land), hole).astype(kind)

    yield "0 land, 1 water, 255 no data", put("plain", pick(255, 0, 1))
    yield "1 land, 2 water, 0 no data", put("one two", pick(0, 1, 2))
    yield "0 land, 255 water", put("picture", pick(0, 0, 255))
    yield "int16, -1 no data", put("minus", pick(-1, 0, 1, np.int16))
    yield (
        "probability 0–1",
        put(
            "chance",
            pick(np.nan, 0.07, 0.93, np.float32) + np.linspace(0, 0.05, water.shape[1], dtype=np.float32),
        ),
    )
    percent = np.where(known, np.where(water, 80, 5) + np.arange(water.shape[1]) % 15, 255).astype(np.uint8)
    yield "probability in %", put("percent", percent, nodata=255)
    bytes_ = np.where(water, 200, 10) + np.arange(water.shape[1]) % 50
    yield "probability 0–255", put("bytes", bytes_.astype(np.uint8))
    blue = np.stack([np.where(water, 0, 120), np.where(water, 0, 160), np.where(water, 255, 60)]).astype(
        np.uint8
    )
    yield "colours, water blue", put("colours", blue)
    grey = np.repeat(np.where(water, 255, 0)[None], 3, 0).astype(np.uint8)
    yield "colours, water white", put("white", grey)
    two = np.stack([np.where(known, 1, 0), pick(0, 1, 2)]).astype(np.uint8)
    yield "two bands, named", put("two bands", two, names=("cloud", "water"))
    yield (
        "codes of ESA WorldCover",
        put(
            "ESA_WorldCover_10m",
            np.where(water, 80, np.where(np.arange(water.shape[1]) % 40 < 20, 30, 40)).astype(np.uint8),
        ),
    )
    yield "1 bit", put("bit", water.astype(np.uint8), nbits=1)
    twice = np.kron(water, np.ones((2, 2), np.uint8)).astype(np.uint8)
    yield "pixels half as wide", put("fine", twice, transform=w.profile["transform"] * Affine.scale(0.5))
    yield "pixels half as wide, no CRS", put("fine lost", twice, transform=Affine.identity(), crs=None)
    yield "no CRS", put("lost", pick(255, 0, 1), transform=Affine.identity(), crs=None)
    yield "polygons, web mercator", lambda: _polygons(w, water, "EPSG:3857", "gpkg")
    yield "polygons, KML", lambda: _polygons(w, water, "EPSG:4326", "kml")


def _polygons(w: Wardrobe, water: Array, crs: str, form: str) -> Path:
    import geopandas as gpd
    import shapely
    from rasterio.features import shapes

    drawn = [
        shapely.geometry.shape(g)
        for g, v in shapes(water.astype(np.uint8), water, transform=w.profile["transform"])
    ]
    path = w.folder / f"polygons.{form}"
    gpd.GeoDataFrame({"id": range(len(drawn))}, geometry=drawn, crs=w.profile["crs"]).to_crs(crs).to_file(
        path
    )
    return path
