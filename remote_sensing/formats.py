"""The forms in which scenes come, told by what lies at a path: products, STAC items, rasters of several bands."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import rasterio

from remote_sensing import coding, items, naming, products
from remote_sensing.naming import QUALITY
from remote_sensing.products import RASTERS, Files, files_of, is_archive
from remote_sensing.scene import Band, Scene, SceneError, date_in, scene_of, utc


def found(path: Path, chosen: Mapping[str, str]) -> list[Scene]:
    """All scenes at the path, in order of date."""
    if not path.exists():
        raise SceneError(f"没有 {path} (there is no such file or folder)")
    if re.search(f"{products.MTL}|^MTD_MSIL", path.name):
        path = path.parent
    if path.is_dir() or is_archive(path):
        scenes = _folder(path, chosen)
    elif path.suffix.lower() in (".json", ".geojson"):
        scenes = items.scenes_in(path) if items.is_item(path) else []
    elif path.suffix.lower() in RASTERS:
        scenes = [_raster(str(path), path, chosen)]
    else:
        scenes = []
    return sorted(scenes, key=lambda s: (s.taken_s, s.item_id))


def _folder(path: Path, chosen: Mapping[str, str]) -> list[Scene]:
    files = files_of(path)
    if whole := list(products.products(files)):
        return whole
    if path.is_dir() and (written := [f for f in sorted(path.glob("*.json")) if items.is_item(f)]):
        # A catalogue names its items itself.
        top = [f for f in written if f.name in ("catalog.json", "collection.json")]
        return [scene for item in top[:1] or written for scene in items.scenes_in(item)]
    near = (
        files if is_archive(path) else Files(path, {n: f for n, f in files.members.items() if "/" not in n})
    )
    if single := products.of_files(near, chosen):
        return single
    rasters = [n for n in near.members if n.lower().endswith(RASTERS) and "label" not in n]
    return [
        _raster(near.members[n], path / n, chosen) for n in rasters if chosen or _count(near.members[n]) >= 3
    ]


def _count(file: str) -> int:
    try:
        with rasterio.open(file) as source:
            return int(source.count)
    except rasterio.RasterioIOError as error:
        raise SceneError(f"无法读取影像 {Path(file).name} (cannot be read): {error}") from None


def _raster(file: str, path: Path, chosen: Mapping[str, str]) -> Scene:
    """A raster whose band descriptions, or the options, say what its bands are."""
    try:
        with rasterio.open(file) as source:
            tags, count = source.tags(), source.count
            descriptions = [(text or "").strip() for text in source.descriptions]
            alpha = coding.alpha_of(file)
            kind, colours = source.dtypes[0], [colour.name for colour in source.colorinterp]
            colours = [c if c != "alpha" or i == alpha else "undefined" for i, c in enumerate(colours, 1)]
            stated = dict(enumerate(zip(source.scales, source.offsets, strict=True), 1))
            if source.crs is None and source.rpcs:
                raise SceneError(
                    f"{path.name} 只有 RPC，请先作正射校正 (has rational polynomials only: orthorectify it first)"
                )
    except rasterio.RasterioIOError as error:
        raise SceneError(f"无法读取影像 {path.name} (cannot be read): {error}") from None
    said = naming.names(descriptions, kind, " ".join([path.name, *tags.values()]), colours)
    # Who names bands is not contradicted by a guess at the others.
    names = {} if chosen and said.guess else dict(said.bands)
    for name, which in chosen.items():
        index = (
            int(which) if which.isdigit() else descriptions.index(which) + 1 if which in descriptions else 0
        )
        if not 1 <= index <= count:
            raise SceneError(
                f"{path.name} 没有波段 {which!r} (has no such band); 1–{count}, {', '.join(descriptions)}"
            )
        names[name] = index
    quality = {name: names.pop(name) for name in set(QUALITY.values()) if name in names}
    pairs = [(file, index) for index in names.values()]
    how = coding.coding_of(pairs, path.name, kind, tags, said.sensor, descriptions)
    bands = {name: coding.band(file, index, how) for name, index in names.items()}
    properties = dict(how.said)
    if said.guess and not chosen:
        properties["shuitu:bands"] = f"assumed: {said.guess}"
    unused = (
        {stated[b.index] for b in bands.values()}
        - {(b.scale, b.offset) for b in bands.values()}
        - {(1.0, 0.0)}
    )
    if unused:
        properties["shuitu:scale"] = (
            f"not used, it makes no reflectance: {', '.join(f'{s:g} and {o:g}' for s, o in sorted(unused))}"
        )
    bands |= {name: Band(file, index) for name, index in quality.items() if bands}
    when = next(
        (
            d
            for key in ("ACQUISITION_DATE", "TIFFTAG_DATETIME", "datetime", "YEAR")
            if (d := _when(tags.get(key)))
        ),
        None,
    )
    return scene_of(
        path.stem, tags.get("TITLE") or path.stem, tags.get("SENSOR") or said.sensor, when or date_in(path.name), path,
        bands, calibrated=how.calibrated, properties=properties, generated=tags.get("GENERATED") == "yes",
    )  # fmt: skip


def _when(text: str | None) -> datetime | None:
    if not text:
        return None
    return utc(f"{text}-07-01") if re.fullmatch(r"\d{4}", text) else date_in(text)
