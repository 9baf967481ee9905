"""A scene on file as a STAC item whose assets and tiles are at our own addresses."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.ogc.links import Link
from app.ogc.stac.addresses import StacAddresses, root_links

Json = dict[str, Any]
COLLECTION = "scenes"
STAC_VERSION = "1.1.0"
EXTENSIONS = [
    "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
    "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
    "https://stac-extensions.github.io/web-map-links/v1.1.0/schema.json",
]
"""Names of what the items use beyond the core; nothing is read from there."""
LEAST = {"type", "stac_version", "id", "geometry", "bbox", "links", "assets", "collection"} | {
    f"properties.{name}" for name in ("datetime", "start_datetime", "end_datetime")
}
"""The fields of the least that is a valid item."""
FIRST_SATELLITE = datetime(1972, 7, 23, tzinfo=UTC)
"""Launch of Landsat 1: no scene of the land is older, so an undated one lies between then and when it was filed."""
MEDIA_TYPES = {
    ".tif": "image/tiff; application=geotiff",
    ".tiff": "image/tiff; application=geotiff",
    ".jp2": "image/jp2",
    ".img": "application/octet-stream",
}


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC."""
    text = moment.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")


def item(row: Mapping[str, Any], at: StacAddresses) -> Json:
    """The STAC item of a row of `app.ogc.stac.search`."""
    stored: Mapping[str, Any] = row["item"]
    made: Json = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": EXTENSIONS,
        "id": row["item_id"],
        "collection": COLLECTION,
        "geometry": row["geometry"],
        "bbox": [round(edge, 7) for edge in row["bbox"]],
        "properties": {**_kept(stored.get("properties", {})), **_properties(row)},
        "assets": {
            name: _asset(row["id"], name, asset, at) for name, asset in stored.get("assets", {}).items()
        },
        "links": item_links(row, at),
    }
    return made


def _kept(properties: Mapping[str, Any]) -> Json:
    """What the scene's own metadata says, without what is not known."""
    return {name: value for name, value in properties.items() if value is not None}


def _properties(row: Mapping[str, Any]) -> Json:
    when: datetime | None = row["acquired_at"]
    found: Json = {"datetime": instant(when) if when else None}
    if when is None:
        found |= {"start_datetime": instant(FIRST_SATELLITE), "end_datetime": instant(row["added_at"])}
    found |= {"title": row["title"], "instruments": [row["sensor"]], "created": instant(row["added_at"])}
    if row["resolution_m"]:
        found["gsd"] = round(float(row["resolution_m"]), 3)
    if row["cloud_pct"] is not None:
        found["eo:cloud_cover"] = round(float(row["cloud_pct"]), 2)
    found["shuitu:generated"] = row["generated"]
    return found


def _asset(scene: int, name: str, stored: Mapping[str, Any], at: StacAddresses) -> Json:
    """An asset at our address; the file's place on disk stays here. Clients know a raster by its ending."""
    suffix = Path(str(stored["href"])).suffix.lower()
    made: Json = {
        "href": at.imagery(scene, "assets", f"{name}{suffix}"),
        "type": MEDIA_TYPES.get(suffix, "application/octet-stream"),
        "title": name,
        "roles": ["data"],
        "shuitu:band": stored.get("shuitu:band", 1),
    }
    bands = zip(stored.get("eo:bands", ()), stored.get("raster:bands", ()), strict=False)
    if found := [_band(name, spectral, pixels) for spectral, pixels in bands]:
        made["bands"] = found
    return made


def _band(name: str, spectral: Mapping[str, Any], pixels: Mapping[str, Any]) -> Json:
    """A band as STAC 1.1 writes it, of what the catalogue stores in the words of 1.0."""
    return _kept(
        {
            "name": name,
            "eo:common_name": spectral.get("common_name"),
            "nodata": pixels.get("nodata"),
            "raster:scale": pixels.get("scale"),
            "raster:offset": pixels.get("offset"),
        }
    )


def item_links(row: Mapping[str, Any], at: StacAddresses) -> list[Json]:
    collection = at.to("collections", COLLECTION)
    own = at.to("collections", COLLECTION, "items", row["item_id"])
    links = [
        Link(own, "self", "application/geo+json"),
        Link(collection, "parent", "application/json"),
        Link(collection, "collection", "application/json"),
        *root_links(at),
    ]
    found: list[Json] = [link.as_json() for link in links]
    if row["item"].get("assets"):
        tiles = at.imagery(row["id"], "{z}", "{x}", "{y}.png")
        found.append({"rel": "xyz", "type": "image/png", "href": tiles, "title": "影像瓦片 · Tiles"})
    return found


def with_fields(made: Json, include: set[str] | None, exclude: set[str] | None) -> Json:
    """The item with the fields asked for (fields extension): the most specific path wins, `include` before `exclude`.

    None is "not given", which with `exclude` means all fields; both empty mean those of a valid item.
    """
    if include is None and exclude is None:
        return made
    if not include and (include is not None or not exclude):
        # Both empty, or an empty `include` beside an `exclude`: the least that is a valid item.
        include = LEAST - (exclude or set())
    found = _chosen(made, "", include, exclude or set(), include is None)
    return {"type": "Feature", "stac_version": made["stac_version"], "id": made["id"], **found}


def _chosen(value: Json, path: str, include: set[str] | None, exclude: set[str], inherited: bool) -> Json:
    found: Json = {}
    for name, member in value.items():
        here = f"{path}{name}"
        kept = here in (include or ()) or (inherited and here not in exclude)
        deeper = any(one.startswith(f"{here}.") for one in (*(include or ()), *exclude))
        if isinstance(member, dict) and deeper:
            inner = _chosen(member, f"{here}.", include, exclude, kept)
            if inner or kept:
                found[name] = inner
        elif kept:
            found[name] = member
    return found
