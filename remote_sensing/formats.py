"""The forms in which scenes come: how each says its bands, scale, offset and date."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import rasterio

from remote_sensing import naming
from remote_sensing.coding import (
    BOA_ADD_OFFSET,
    DN_PER_REFLECTANCE,
    LANDSAT_SURFACE,
    baseline_in,
    coding_of,
    plausible,
    sensible,
)
from remote_sensing.naming import COMMON, LANDSAT, QUALITY, SENTINEL2
from remote_sensing.scene import Band, Scene, SceneError, grid_of, utc

PLAIN = {name: name for name in COMMON} | {
    "swir1": "swir16",
    "swir2": "swir22",
    "swir": "swir16",
    "nir1": "nir",
}
"""Names of one-band files."""
DATE = re.compile(r"(?<!\d)((?:19|20)\d{2})[-_:]?(\d{2})[-_:]?(\d{2})(?!\d)")
RASTERS = (".tif", ".tiff", ".jp2", ".vrt")


def found(path: Path, chosen: Mapping[str, str]) -> list[Scene]:
    """All scenes at the path, in order of date."""
    if not path.exists():
        raise SceneError(f"没有 {path} (there is no such file or folder)")
    if path.name.endswith("_MTL.txt") or path.name.startswith("MTD_MSIL"):
        path = path.parent
    if path.is_dir():
        scenes = _folder(path, chosen)
    elif path.suffix.lower() == ".json":
        scenes = _stac(path)
    elif path.suffix.lower() in RASTERS:
        scenes = [_raster(path, chosen)]
    else:
        scenes = []
    return sorted(scenes, key=lambda s: (s.acquired_at.timestamp() if s.acquired_at else 0.0, s.item_id))


def _folder(path: Path, chosen: Mapping[str, str]) -> list[Scene]:
    if list(path.glob("MTD_MSIL*.xml")):
        return [_safe(path)]
    if metadata := sorted(path.glob("*_MTL.txt")):
        return [_landsat(path, metadata[0])]
    if items := [
        f for f in sorted(path.glob("*.json")) if '"stac_version"' in f.read_text("utf-8", "replace")
    ]:
        return [scene for item in items for scene in _stac(item)]
    rasters = [f for f in sorted(path.iterdir()) if f.suffix.lower() in RASTERS and "label" not in f.name]
    named = {name: f for f in rasters if (name := _band_of_file(f)) is not None}
    if len(named) >= 3:
        return [_of_files(path, named)]
    if several := [_raster(f, chosen) for f in rasters if _count(f) >= 3 or chosen]:
        return several
    products = [
        f for f in sorted(path.iterdir()) if f.suffix == ".SAFE" or (f.is_dir() and [*f.glob("*_MTL.txt")])
    ]
    return [scene for product in products for scene in _folder(product, chosen)]


def _count(file: Path) -> int:
    with rasterio.open(file) as source:
        return int(source.count)


def _band_of_file(file: Path) -> str | None:
    """The band that a file's name says it is: …_B03_10m.jp2, B03.tif, green.tif."""
    for token in re.split(r"[_.\-]", file.stem):
        if name := SENTINEL2.get(token.upper()) or PLAIN.get(token.lower()):
            return name
    return None


def date_in(text: str) -> datetime | None:
    """The first date that a name or tag holds."""
    if match := DATE.search(text):
        try:
            return utc("-".join(match.groups()))
        except ValueError:
            return None
    return None


def _made(
    item_id: str,
    title: str,
    sensor: str,
    when: datetime | None,
    path: Path,
    bands: dict[str, Band],
    **more: Any,
) -> Scene:
    if not bands:
        raise SceneError(f"{path.name} 没有可识别的波段 (no band is recognised)")
    if "nir" not in bands and "nir08" in bands:
        bands = {**bands, "nir": bands["nir08"]}  # STAC's name for the near infrared of Landsat 8 and 9
    pixel = min(grid_of(band.file).pixel_m for band in bands.values())
    return Scene(
        item_id, title, sensor, when, round(pixel, 2), path, bool(more.pop("generated", False)), bands, **more
    )


def _raster(path: Path, chosen: Mapping[str, str]) -> Scene:
    """A GeoTIFF whose band descriptions, or the options, say what its bands are."""
    try:
        with rasterio.open(path) as source:
            tags, count = source.tags(), source.count
            descriptions = [(text or "").strip() for text in source.descriptions]
            kind, scales, offsets = source.dtypes[0], source.scales, source.offsets
            nodata, colours = source.nodatavals, [colour.name for colour in source.colorinterp]
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
    quality = {name: names.pop(name) for name in QUALITY.values() if name in names}
    coding = coding_of(path, list(names.values()), kind, tags, said.sensor, descriptions)
    properties = {**coding.said}
    if said.guess and not chosen:
        properties["shuitu:bands"] = f"assumed: {said.guess}"
    bands = {}
    for name, index in names.items():
        scale, offset = float(scales[index - 1]), float(offsets[index - 1])
        if (scale, offset) == (1.0, 0.0) or not (
            sensible(scale, offset) and plausible(path, [index], scale, offset)
        ):
            scale, offset = coding.scale, coding.offset
        bands[name] = Band(str(path), index, scale, offset, nodata[index - 1])
    bands |= {name: Band(str(path), index) for name, index in quality.items() if bands}
    when = next(
        (
            d
            for key in ("ACQUISITION_DATE", "TIFFTAG_DATETIME", "datetime", "YEAR")
            if (d := _when(tags.get(key)))
        ),
        None,
    )
    sensor = tags.get("SENSOR") or said.sensor
    return _made(
        path.stem, tags.get("TITLE") or path.stem, sensor, when or date_in(path.name), path, bands,
        calibrated=coding.calibrated, properties=properties, generated=tags.get("GENERATED") == "yes",
    )  # fmt: skip


def _when(text: str | None) -> datetime | None:
    if not text:
        return None
    return utc(f"{text}-07-01") if re.fullmatch(r"\d{4}", text) else date_in(text)


def _safe(path: Path) -> Scene:
    """A Sentinel-2 product folder, level 1C or 2A."""
    metadata = next(path.glob("MTD_MSIL*.xml"))
    root = ET.parse(metadata).getroot()  # noqa: S314 - a product that the operator chose to open

    def text(tag: str, default: str = "") -> str:
        node = root.find(f".//{tag}")
        return node.text or default if node is not None else default

    quantification = float(
        text("BOA_QUANTIFICATION_VALUE") or text("QUANTIFICATION_VALUE") or DN_PER_REFLECTANCE
    )
    offsets = {
        int(node.get("band_id", "-1")): float(node.text or 0)
        for node in [*root.iter("BOA_ADD_OFFSET"), *root.iter("RADIO_ADD_OFFSET")]
    }
    ids = {
        code: number
        for number, code in enumerate(
            ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]
        )
    }
    bands: dict[str, Band] = {}
    for file in sorted(path.glob("GRANULE/*/IMG_DATA/**/*")):
        match = re.search(r"_(B\d[0-9A])(?:_\d0m)?\.(?:jp2|tif)$", file.name)
        if match and SENTINEL2[match[1]] not in bands:  # R10m sorts before R20m: the finest comes first
            offset = offsets.get(ids[match[1]], 0.0)
            bands[SENTINEL2[match[1]]] = Band(str(file), 1, 1 / quantification, offset / quantification, 0)
    if classes := sorted(path.glob("GRANULE/*/IMG_DATA/**/*_SCL_20m.*")):
        bands["scl"] = Band(str(classes[0]), 1)
    when = text("PRODUCT_START_TIME")
    cloud = text("Cloud_Coverage_Assessment")
    item_id = path.name.removesuffix(".SAFE")
    return _made(
        item_id, item_id, text("SPACECRAFT_NAME", "Sentinel-2"), utc(when) if when else date_in(path.name), metadata, bands,
        properties={"eo:cloud_cover": float(cloud)} if cloud else {},
    )  # fmt: skip


def _landsat(path: Path, metadata: Path) -> Scene:
    """A Landsat Collection 2 folder: *_MTL.txt beside the band files."""
    pairs = (line.split("=", 1) for line in metadata.read_text("utf-8").splitlines() if "=" in line)
    facts = {key.strip(): value.strip().strip('"') for key, value in pairs}
    number = facts.get("SPACECRAFT_ID", "LANDSAT_8")[-1]
    names = LANDSAT["8" if number in "89" else "5"]
    bands: dict[str, Band] = {}
    for file in sorted(path.glob("*_B[1-7].TIF")):
        digit = file.stem[-1]
        if digit in names:
            surface = "_SR_" in file.name
            scale = facts.get(f"REFLECTANCE_MULT_BAND_{digit}", "2.75e-05" if surface else "2.0e-05")
            offset = facts.get(f"REFLECTANCE_ADD_BAND_{digit}", "-0.2" if surface else "-0.1")
            # Level 2 repeats these names for both levels; the surface's are the constants of Collection 2.
            bands[names[digit]] = Band(
                str(file), 1, *(LANDSAT_SURFACE if surface else (float(scale), float(offset))), 0
            )
    if bits := sorted(path.glob("*_QA_PIXEL.TIF")):
        bands["qa_pixel"] = Band(str(bits[0]), 1)
    day, clock = facts.get("DATE_ACQUIRED"), facts.get("SCENE_CENTER_TIME", "00:00:00Z")
    item_id = metadata.name.removesuffix("_MTL.txt")
    return _made(
        item_id, item_id, facts.get("SPACECRAFT_ID", "Landsat").replace("_", " ").title(),
        utc(f"{day}T{clock[:8]}Z") if day else date_in(item_id), metadata, bands,
        properties={"eo:cloud_cover": float(facts["CLOUD_COVER"])} if "CLOUD_COVER" in facts else {},
    )  # fmt: skip


def _of_files(path: Path, files: Mapping[str, Path]) -> Scene:
    """A folder of one-band Sentinel-2 files."""
    bands: dict[str, Band] = {}
    for name, file in files.items():
        with rasterio.open(file) as source:
            kind, tags, nodata = source.dtypes[0], source.tags(), source.nodata
        coding = coding_of(
            file, [1], kind, {"PROCESSING_BASELINE": baseline_in(path.name), **tags}, "Sentinel-2", []
        )
        bands[name] = Band(str(file), 1, coding.scale, coding.offset, 0 if nodata is None else nodata)
    when = date_in(path.name) or next((d for f in files.values() if (d := date_in(f.name))), None)
    return _made(path.name, path.name, "Sentinel-2", when, path / "item", bands)


def _stac(path: Path) -> list[Scene]:
    """A STAC item, of ours or of a catalogue; assets on this machine."""
    try:
        item = json.loads(path.read_text("utf-8"))
        if any("shuitu:band" in asset for asset in item["assets"].values()):
            return [Scene.from_stac(item, path.parent)]
        return [_foreign(item, path)]
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise SceneError(f"{path.name} 不是完整的 STAC item (is no complete STAC item): {error!r}") from None


def _foreign(item: dict[str, Any], path: Path) -> Scene:
    properties = item["properties"]
    bands: dict[str, Band] = {}
    applied = properties.get("earthsearch:boa_offset_applied", False)
    baseline = float(properties.get("s2:processing_baseline") or properties.get("processing:version") or 0)
    for key, asset in item["assets"].items():
        if (quality := QUALITY.get(key.lower())) and bands.setdefault(quality, Band(_href(asset, path), 1)):
            continue
        described = asset.get("eo:bands") or asset.get("bands") or []
        raster = asset.get("raster:bands") or asset.get("bands") or [{}]
        for index, band in enumerate(described, 1):
            common = (
                band.get("common_name") or band.get("eo:common_name") or SENTINEL2.get(str(band.get("name")))
            )
            if common not in COMMON or common in bands:
                continue
            facts = raster[min(index, len(raster)) - 1]
            scale = facts.get("scale", facts.get("raster:scale", 1 / DN_PER_REFLECTANCE))
            offset = facts.get("offset", facts.get("raster:offset"))
            if offset is None or applied:
                offset = 0.0 if applied or baseline < 4 else BOA_ADD_OFFSET / DN_PER_REFLECTANCE
            bands[common] = Band(
                _href(asset, path),
                index,
                float(scale),
                float(offset),
                facts.get("nodata", asset.get("nodata")),
            )

    when = properties.get("datetime") or properties.get("start_datetime")
    sensor = str(properties.get("platform") or (properties.get("instruments") or [""])[0])
    return _made(
        item["id"], properties.get("title") or item["id"], sensor, utc(when) if when else None, path, bands,
        properties={name: properties[name] for name in ("eo:cloud_cover",) if properties.get(name) is not None},
    )  # fmt: skip


def _href(asset: Mapping[str, Any], path: Path) -> str:
    """Where an asset's file lies: absolute, or beside the item."""
    href = str(asset["href"]).removeprefix("file://")
    return href if href.startswith(("/", "http://", "https://", "s3://")) else str(path.parent / href)
