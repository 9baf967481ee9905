"""Every scene below a folder, or that a STAC API knows; what cannot be used is told and the rest goes on."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import InvalidInput

if TYPE_CHECKING:
    from remote_sensing.scene import Scene

DEEPEST = 6
"""Folders below the one that is named."""
NOWHERE = Path("/item")
LOOKED_AT = (".tif", ".tiff", ".jp2", ".vrt", ".img", ".dat", ".json", ".zip", ".tar", ".tgz")
"""A file with another ending is no scene, and nobody wants to be told so."""


@dataclass(frozen=True)
class Unusable:
    """What looked like a scene and is none, and why, in words."""

    name: str
    problem: str


@dataclass(frozen=True)
class Search:
    """What is asked of a STAC API."""

    collections: tuple[str, ...] = ()
    bbox: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees."""
    datetime: str | None = None
    """RFC 3339 instant or interval, as `2024-05-01/2024-09-30`."""
    cloud: float | None = None
    """Most cloud cover, %."""
    limit: int = 100


def in_folder(path: Path, bands: Mapping[str, str] | None = None) -> Iterator[Scene | Unusable]:
    """The scenes at a path and in the folders below it."""
    yield from _below(path.resolve(), path.resolve(), bands or {}, 0)


def _below(path: Path, top: Path, bands: Mapping[str, str], depth: int) -> Iterator[Scene | Unusable]:
    from remote_sensing.scene import SceneError, open_scenes

    try:
        scenes = open_scenes(path, bands=bands)
    except (SceneError, OSError, ValueError, KeyError) as error:
        if not path.is_dir() or depth == DEEPEST:
            yield Unusable(_name(path, top), str(error))
            return
        # One bad file must not hide its neighbours: each by itself.
        for child in _children(path):
            yield from _below(child, top, bands, depth + 1)
        return
    yield from scenes
    if path.is_dir() and depth < DEEPEST:
        used = {Path(band.file) for scene in scenes for band in scene.bands.values()}
        for child in _children(path):
            if child.is_dir() and not any(file.is_relative_to(child) for file in used):
                yield from _below(child, top, bands, depth + 1)


def _children(path: Path) -> list[Path]:
    return [
        child
        for child in sorted(path.iterdir())
        if not child.name.startswith(".") and (child.is_dir() or child.suffix.lower() in LOOKED_AT)
    ]


def _name(path: Path, top: Path) -> str:
    return str(path.relative_to(top.parent))


def in_catalogue(url: str, search: Search) -> Iterator[Scene | Unusable]:
    """The scenes that a STAC API gives for a search. Raises InvalidInput if it cannot be asked."""
    from remote_sensing.scene import SceneError, open_scenes

    with tempfile.TemporaryDirectory(prefix="shuitu-stac-") as folder:
        for number, item in enumerate(_items(url, search)):
            file = Path(folder) / f"{number}.json"
            file.write_text(json.dumps(item), "utf-8")
            try:
                # Its assets are at addresses: no file is named from where the item lay for a moment.
                yield from (replace(scene, path=NOWHERE) for scene in open_scenes(file))
            except SceneError as error:
                yield Unusable(str(item.get("id")), str(error))


def _items(url: str, search: Search) -> Iterable[dict[str, Any]]:
    import requests
    from pystac_client import Client
    from pystac_client.exceptions import APIError

    try:
        client = Client.open(url)
        # Not every service filters by properties: what it sends is looked at in any case.
        told = search.cloud is not None and client.conforms_to("QUERY")
        found = client.search(
            collections=list(search.collections) or None,
            bbox=search.bbox,
            datetime=search.datetime,
            query={"eo:cloud_cover": {"lte": search.cloud}} if told else None,
        )
        clear = (item for item in found.items_as_dicts() if _is_clear(item, search.cloud))
        yield from islice(clear, search.limit)
    except (
        APIError,
        requests.RequestException,
        NotImplementedError,
        ValueError,
        KeyError,
        TypeError,
    ) as error:
        raise InvalidInput(
            f"STAC 服务 {url} 无法查询 (the STAC API cannot be asked): {str(error)[:300]}",
            field="source",
            value=url,
        ) from None


def _is_clear(item: dict[str, Any], most: float | None) -> bool:
    """Whether a scene is as clear as asked; one that does not say is taken."""
    cloud = item.get("properties", {}).get("eo:cloud_cover")
    return most is None or cloud is None or float(cloud) <= most
