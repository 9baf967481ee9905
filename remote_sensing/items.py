"""Scenes as STAC items: one, several of a search, or a catalogue of files; of ours and of others."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pystac
import rasterio

from remote_sensing import coding, naming
from remote_sensing.naming import COMMON, QUALITY
from remote_sensing.scene import Band, Scene, SceneError, date_in, readable, scene_of, utc

NO_DATA_ROLES = {"thumbnail", "overview", "visual", "metadata", "tiles"}
"""Roles of assets that show something but hold no reflectance."""
PICTURES = ("image/png", "image/jpeg")


def is_item(path: Path) -> bool:
    """Whether a JSON file speaks STAC."""
    return '"stac_version"' in path.read_text("utf-8", "replace")


def scenes_in(path: Path) -> list[Scene]:
    """The scenes of an item, of the answer to a search, or of a catalogue with all below it.

    Raises SceneError if the file is not complete.
    """
    try:
        held = json.loads(path.read_text("utf-8"))
        kind = held.get("type")
        if kind in ("Catalog", "Collection"):
            return [scene for item, file in _below(path) for scene in [_scene(item, file)]]
        items = held["features"] if kind == "FeatureCollection" else [held]
        return [_scene(item, path) for item in items]
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, pystac.STACError) as error:
        raise SceneError(f"{path.name} 不是完整的 STAC item (is no complete STAC item): {error!r}") from None


def _below(path: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    for item in pystac.Catalog.from_file(str(path)).get_items(recursive=True):
        file = Path(item.get_self_href() or path)
        yield item.to_dict(include_self_link=False), file


def _scene(item: Mapping[str, Any], path: Path) -> Scene:
    if any("shuitu:band" in asset for asset in item["assets"].values()):
        return Scene.from_stac(item, path.parent)
    properties = item["properties"]
    sensor = str(properties.get("platform") or (properties.get("instruments") or [""])[0])
    hints = " ".join([item["id"], str(item.get("collection") or ""), sensor])
    found = _bands(item, path, hints)
    if not found:
        raise SceneError(
            f"{item['id']} 没有可识别的波段 (no band is recognised): {', '.join(item['assets'])}"
        )
    reading = {name: one for name, one in found.items() if name not in QUALITY.values()}
    unsaid = [name for name, one in reading.items() if one.scale is None]
    how = _guess(reading, hints) if unsaid and not _sentinel2(hints, properties) else None
    offset = _sentinel_offset(properties)
    bands = {}
    for name, one in found.items():
        if name not in reading:
            bands[name] = Band(one.file, one.index)
        elif one.scale is None and how is not None:
            bands[name] = Band(
                one.file,
                one.index,
                how.scale,
                how.offset,
                one.nodata if one.nodata is not None else how.nodata,
            )
        else:
            scale = 1 / coding.DN_PER_REFLECTANCE if one.scale is None else one.scale
            own = one.offset
            if _sentinel2(hints, properties) and (own is None or _applied(properties)):
                own = offset
            bands[name] = Band(one.file, one.index, scale, own or 0.0, one.nodata)
    when = properties.get("datetime") or properties.get("start_datetime")
    kept = {k: properties[k] for k in ("eo:cloud_cover",) if isinstance(properties.get(k), int | float)}
    return scene_of(
        item["id"], properties.get("title") or item["id"], sensor, utc(when) if when else date_in(item["id"]), path, bands,
        calibrated=how.calibrated if how else True, properties=kept | dict(how.said if how else {}),
    )  # fmt: skip


class _Said:
    """What an item says of one band."""

    def __init__(self, file: str, index: int, facts: Mapping[str, Any]) -> None:
        self.file, self.index = file, index
        self.scale, self.offset, self.nodata = (
            _number(facts.get(name, facts.get(f"raster:{name}"))) for name in ("scale", "offset", "nodata")
        )


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def _bands(item: Mapping[str, Any], path: Path, hints: str) -> dict[str, _Said]:
    """By common name; the first asset that holds a band stands for it."""
    found: dict[str, _Said] = {}
    for key, asset in item["assets"].items():
        roles = set(asset.get("roles") or ())
        if (roles & NO_DATA_ROLES and "data" not in roles) or str(asset.get("type", "")).startswith(PICTURES):
            continue
        if quality := QUALITY.get(key.lower().split("_")[0]) or QUALITY.get(key.lower()):
            found.setdefault(quality, _Said(_href(asset, path), 1, {}))
            continue
        described = asset.get("bands") or asset.get("eo:bands") or []
        rasters = asset.get("raster:bands") or described or [{}]
        whole = {k: v for k, v in asset.items() if k in ("nodata", "raster:scale", "raster:offset")}
        for index, name in enumerate(_names(key, described, hints), 1):
            if name in COMMON and name not in found:
                facts = {**whole, **rasters[min(index, len(rasters)) - 1]}
                found[name] = _Said(_href(asset, path), index, facts)
    return found


def _names(key: str, described: Sequence[Mapping[str, Any]], hints: str) -> list[str]:
    """What an asset's bands are called: by common names, else by the codes of the sensor, else by the asset's key."""
    stated = [str(band.get("common_name") or band.get("eo:common_name") or "") for band in described]
    if any(name in COMMON for name in stated):
        return stated
    names = [str(band.get("name") or "") for band in described]
    texts = names if len(names) > 1 else [" ".join([key.replace("_", " "), *names])]
    said = naming.names_of_files(texts, hints)
    by_index = {index: name for name, index in said.bands.items()}
    return [by_index.get(index, "") for index in range(1, len(texts) + 1)]


def _guess(reading: Mapping[str, _Said], hints: str) -> coding.Coding:
    """Where an item is silent, the files themselves are looked at."""
    first = next(iter(reading.values()))
    with readable(first.file), rasterio.open(first.file) as source:
        kind, tags = source.dtypes[first.index - 1], source.tags()
    landsat = bool(naming.LANDSAT_HINT.search(hints))
    pairs = [(one.file, one.index) for one in reading.values()]
    return coding.coding_of(
        pairs, f"{hints} {Path(first.file).name}", kind, tags, "Landsat" if landsat else "", []
    )


def _sentinel2(hints: str, properties: Mapping[str, Any]) -> bool:
    return "s2:processing_baseline" in properties or bool(naming.SENTINEL2_HINT.search(hints))


def _applied(properties: Mapping[str, Any]) -> bool:
    return bool(properties.get("earthsearch:boa_offset_applied", False))


def _sentinel_offset(properties: Mapping[str, Any]) -> float:
    """The offset that numbers of Sentinel-2 still carry, unless the catalogue has taken it off."""
    stated = properties.get("s2:processing_baseline") or properties.get("processing:version")
    carried = (_number(stated) or 0) >= 4 and not _applied(properties)
    return coding.BOA_ADD_OFFSET / coding.DN_PER_REFLECTANCE if carried else 0.0


def _href(asset: Mapping[str, Any], path: Path) -> str:
    """Where an asset's file lies: absolute, or beside the item."""
    href = str(asset["href"]).removeprefix("file://")
    if href.startswith("/"):
        return href
    return href if "://" in href else str(path.parent / href)
