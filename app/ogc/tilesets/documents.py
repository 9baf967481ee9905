"""The JSON documents: tile matrix sets, lists of tilesets, tileset metadata, TileJSON."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.ogc.documents import MVT, both, description, title
from app.ogc.links import Addresses, Link, as_json
from app.ogc.negotiate import JSON
from app.ogc.tilesets.tileset import WEB_ZOOM, Tileset
from layers.derive.columns import tile_columns
from layers.derive.queryables import JSON_TYPES
from layers.derive.tilejson import cell_fields, vector_layer
from layers.model import Audience, Layer
from tiles.matrices import Box, MatrixSet

Json = dict[str, Any]
REL = "http://www.opengis.net/def/rel/ogc/1.0"
TILING_SCHEMES, TILING_SCHEME = f"{REL}/tiling-schemes", f"{REL}/tiling-scheme"
TILESETS, GEODATA, DATASET = f"{REL}/tilesets-vector", f"{REL}/geodata", f"{REL}/dataset"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
TILEJSON = "application/vnd.mapbox.tile+json"
DIMENSION = {"point": 0, "line": 1, "polygon": 2}


@dataclass(frozen=True, slots=True)
class Root:
    """What a tileset is of: the whole dataset, or one collection; and which collections were chosen."""

    path: tuple[str, ...]
    title: str
    description: str
    collections: str | None = None

    @classmethod
    def of_dataset(cls, collections: str | None = None) -> "Root":
        text = "所有可见图层，每层为一个 MVT 图层。 All layers that you see, each an MVT layer."
        return cls((), "一张图 · The one map", text, collections)

    @classmethod
    def of_layer(cls, layer: Layer) -> "Root":
        return cls(("collections", layer.id), title(layer), description(layer))


def matrix_sets(at: Addresses, sent: str, grids: Iterable[MatrixSet]) -> tuple[Json, list[Link]]:
    links = both(at, sent, JSON, "tileMatrixSets")
    found = []
    for grid in grids:
        own: Json = {"id": grid.id, "title": f"{grid.title_zh} · {grid.title_en}", "crs": grid.crs}
        if grid.uri:
            own["uri"] = grid.uri
        own["links"] = as_json(
            [Link(at.to("tileMatrixSets", grid.id), "self", JSON, "切片方案 · Definition")]
        )
        found.append(own)
    return {"tileMatrixSets": found, "links": as_json(links)}, links


def matrix_set(at: Addresses, sent: str, grid: MatrixSet) -> tuple[Json, list[Link]]:
    links = both(at, sent, JSON, "tileMatrixSets", grid.id)
    return {**grid.document(), "links": as_json(links)}, links


def tilesets(at: Addresses, sent: str, root: Root, grids: Iterable[MatrixSet]) -> tuple[Json, list[Link]]:
    """The list of tilesets of a dataset or collection (req/tilesets-list/tileset-links)."""
    links = [
        *both(at, sent, JSON, *root.path, "tiles"),
        Link(at.to("tileMatrixSets"), TILING_SCHEMES, JSON, "切片方案 · Tile matrix sets"),
    ]
    found = [{**_head(root, grid), "links": as_json(_own_links(at, JSON, root, grid))} for grid in grids]
    return {"tilesets": found, "links": as_json(links)}, links


def _head(root: Root, grid: MatrixSet) -> Json:
    head = {"title": f"{root.title} ({grid.id})", "dataType": "vector", "crs": grid.crs}
    if grid.uri:
        head["tileMatrixSetURI"] = grid.uri
    return head


def _own_links(at: Addresses, sent: str, root: Root, grid: MatrixSet) -> list[Link]:
    path = (*root.path, "tiles", grid.id)
    chosen = {"collections": root.collections}
    links = [
        *both(at, sent, JSON, *path, **chosen),
        Link(at.to("tileMatrixSets", grid.id), TILING_SCHEME, JSON, "切片方案 · Tile matrix set"),
        template(at, root, grid),
    ]
    if grid.id == "WebMercatorQuad":  # TileJSON knows no other
        tilejson = at.to(*path, **chosen, f="tilejson")
        links += [
            Link(tilejson, "describedby", TILEJSON, "TileJSON"),
            Link(tilejson, "alternate", TILEJSON, "TileJSON"),
        ]
    if root.path:
        links.append(Link(at.to(*root.path), GEODATA, JSON, "所属图层 · The collection"))
    else:
        links.append(Link(at.to(), DATASET, JSON, "数据集 · The dataset"))
    return links


@dataclass(frozen=True, slots=True)
class Template(Link):
    """A link whose variables a client fills in."""

    def as_json(self) -> dict[str, Any]:
        return {"href": self.href, "rel": self.rel, "type": self.type, "title": self.title, "templated": True}


def template(at: Addresses, root: Root, grid: MatrixSet) -> Template:
    """How a tile is addressed; f is given, for clients that cannot say what they accept."""
    path = (*root.path, "tiles", grid.id)
    query = at.with_query((), {"collections": root.collections, "f": "mvt"}).partition("?")[2]
    href = f"{at.plain(*path)}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}?{query}"
    return Template(href, "item", MVT, "矢量瓦片 · Vector tiles")


def tileset(
    at: Addresses, sent: str, root: Root, tiled: Tileset, boxes: Sequence[Box | None], audience: Audience
) -> tuple[Json, list[Link]]:
    """Tileset metadata (17-083r4); `boxes` are those of its layers, as the viewer sees them."""
    grid = tiled.grid
    links = _own_links(at, sent, root, grid)
    made = {
        **_head(root, grid),
        "description": root.description,
        "mediaTypes": [MVT],
        "tileMatrixSetLimits": [
            {
                "tileMatrix": str(one.level),
                "minTileRow": one.rows[0],
                "maxTileRow": one.rows[1],
                "minTileCol": one.columns[0],
                "maxTileCol": one.columns[1],
            }
            for one in tiled.limits()
        ],
        "layers": [
            _layer(at, layer, grid, box, audience) for layer, box in zip(tiled.layers, boxes, strict=True)
        ],
        "links": as_json(links),
    }
    if tiled.box is not None:
        west, south, east, north = tiled.box
        made["boundingBox"] = _bounds(tiled.box)
        made["centerPoint"] = {
            "coordinates": [round((west + east) / 2, 7), round((south + north) / 2, 7)],
            "crs": CRS84,
            "tileMatrix": str(tiled.levels[min(len(tiled.levels) - 1, 6)]),
        }
    return made, links


def _bounds(box: Box) -> Json:
    west, south, east, north = (round(edge, 7) for edge in box)
    return {
        "lowerLeft": [west, south],
        "upperRight": [east, north],
        "crs": CRS84,
        "orderedAxes": ["Lon", "Lat"],
    }


def _layer(at: Addresses, layer: Layer, grid: MatrixSet, box: Box | None, audience: Audience) -> Json:
    shift = WEB_ZOOM[grid.id]
    made: Json = {
        "id": layer.id,
        "title": title(layer),
        "description": description(layer),
        "dataType": "vector",
        "geometryDimension": DIMENSION[layer.source.kind],
        "minTileMatrix": str(max(0, layer.minzoom - shift)),
        "maxTileMatrix": str(layer.maxzoom - shift),
        "propertiesSchema": {"type": "object", "properties": _properties(layer, audience)},
        "links": as_json([Link(at.to("collections", layer.id), GEODATA, JSON, title(layer))]),
    }
    if box is not None:
        made["boundingBox"] = _bounds(box)
    return made


def _properties(layer: Layer, audience: Audience) -> Json:
    """The properties that features in the tiles carry, as JSON Schema."""
    found: Json = {}
    for name in tile_columns(layer, audience):
        field = layer.field(name)
        found[name] = {"title": f"{field.title.zh} · {field.title.en}", **JSON_TYPES[field.type]}
        if field.values:
            found[name]["enum"] = [value.value for value in field.values]
        if field.unit:
            found[name]["uom"] = field.unit
    return found | {name: CELL_PROPERTIES.get(name, COUNT) for name in cell_fields(layer, audience)}


COUNT: Json = {"type": "integer", "minimum": 0}
CELL_PROPERTIES: Json = {
    "n": {"title": "所代表的数量 · How many it stands for", "type": "integer", "minimum": 1},
    "volume": {"title": "水量合计 · Volume of all", "type": "number", "uom": "m3"},
    "cell": {"title": "概览格网 · Stands for a cell of the overview", "type": "boolean"},
}
"""Titles of what cells carry; anything else is a count by class, or the tile that the cell is."""


def tilejson(at: Addresses, root: Root, tiled: Tileset, audience: Audience) -> Json:
    """TileJSON 3.0 of a tileset in the WebMercatorQuad."""
    query = at.with_query((), {"collections": root.collections, "f": "mvt"}).partition("?")[2]
    made: Json = {
        "tilejson": "3.0.0",
        "name": root.title,
        "description": root.description,
        "scheme": "xyz",
        "tiles": [f"{at.plain(*root.path, 'tiles', tiled.grid.id)}/{{z}}/{{y}}/{{x}}?{query}"],
        "minzoom": tiled.levels.start,
        "maxzoom": tiled.levels.stop - 1,
        "vector_layers": [vector_layer(layer, audience) for layer in tiled.layers],
    }
    if tiled.box is not None:
        west, south, east, north = tiled.box
        made["bounds"] = [west, max(south, -85.051129), east, min(north, 85.051129)]
        made["center"] = [
            (west + east) / 2,
            (south + north) / 2,
            min(tiled.levels.start + 6, tiled.levels.stop - 1),
        ]
    return made
