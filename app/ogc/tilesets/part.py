"""OGC API – Tiles as a part of the shared documents."""

from collections.abc import Iterable, Sequence
from typing import Any

from app.ogc.documents import MVT, title
from app.ogc.links import Addresses, Link
from app.ogc.negotiate import HTML, JSON
from app.ogc.openapi_parameters import parameter
from app.ogc.part import Part
from app.ogc.tilesets.documents import TILEJSON, TILESETS, TILING_SCHEMES
from app.ogc.tilesets.routes import router
from layers.model import Audience, Layer
from tiles.matrices import MATRIX_SETS

Json = dict[str, Any]
S = "http://www.opengis.net/spec"
CLASSES = (
    *(
        f"{S}/ogcapi-tiles-1/1.0/conf/{name}"
        for name in (
            "core", "tileset", "tilesets-list", "geodata-tilesets", "dataset-tilesets", "collections-selection",
            "datetime", "mvt", "oas30",
        )
    ),
    *(
        f"{S}/tms/2.0/conf/{name}"
        for name in ("tilematrixset", "json-tilematrixset", "json-tilematrixsetlimits", "json-tilesetmetadata")
    ),
)  # fmt: skip


def landing(at: Addresses, audience: Audience) -> Iterable[Link]:
    yield Link(at.to("tiles"), TILESETS, JSON, "矢量瓦片 · Vector tiles")
    yield Link(at.to("tileMatrixSets"), TILING_SCHEMES, JSON, "切片方案 · Tile matrix sets")


def collection(at: Addresses, layer: Layer, audience: Audience) -> Iterable[Link]:
    yield Link(at.to("collections", layer.id, "tiles"), TILESETS, JSON, "矢量瓦片 · Vector tiles")


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _get(
    name: str,
    summary: str,
    tag: str,
    response: str,
    parameters: Sequence[str],
    errors: Sequence[str] = ("400", "404", "406"),
) -> Json:
    responses = {"200": _ref("responses", response), "304": _ref("responses", "NotModified")}
    if response == "Tile":
        responses["204"] = _ref("responses", "EmptyTile")
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "tags": [tag],
            "parameters": [_ref("parameters", one) for one in parameters],
            "responses": responses
            | {status: _ref("responses", f"Problem{status}") for status in (*errors, "401", "500", "503")},
        }
    }


TMS, TILE = "{tileMatrixSetId}", "{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}"
PLACE = ("tileMatrixSetId", "tileMatrix", "tileRow", "tileCol")


def paths(layers: Sequence[Layer], audience: Audience) -> Json:
    """Paths with the operation ids that 20-057 (table of suffixes) demands."""
    found = {
        "/tileMatrixSets": _get(
            "tiles.getTileMatrixSetsList",
            "切片方案 · Tile matrix sets",
            "service",
            "TileMatrixSets",
            ("f",),
            ("400", "406"),
        ),
        f"/tileMatrixSets/{TMS}": _get(
            "tiles.getTileMatrixSet",
            "一个切片方案 · One tile matrix set",
            "service",
            "TileMatrixSet",
            ("tileMatrixSetId", "f"),
        ),
        "/tiles": _get(
            "all.dataset.vector.getTileSetsList",
            "切片集 · Tilesets",
            "service",
            "TileSets",
            ("f",),
            ("400", "406"),
        ),
        f"/tiles/{TMS}": _get(
            "all.dataset.vector.getTileSet",
            "一个切片集 · One tileset",
            "service",
            "TileSet",
            ("tileMatrixSetId", "collections", "fTileSet"),
        ),
        f"/tiles/{TILE}": _get(
            "all.dataset.vector.getTile",
            "瓦片 · A tile",
            "service",
            "Tile",
            (*PLACE, "collections", "datetime", "subset", "fTile"),
        ),
    }
    for layer in layers:
        root, label, prefix = f"/collections/{layer.id}/tiles", title(layer), f"{layer.id}.collection.vector"
        found |= {
            root: _get(
                f"{prefix}.getTileSetsList", f"{label}：切片集 · tilesets", layer.id, "TileSets", ("f",)
            ),
            f"{root}/{TMS}": _get(
                f"{prefix}.getTileSet",
                f"{label}：一个切片集 · one tileset",
                layer.id,
                "TileSet",
                ("tileMatrixSetId", "fTileSet"),
            ),
            f"{root}/{TILE}": _get(
                f"{prefix}.getTile",
                f"{label}：瓦片 · a tile",
                layer.id,
                "Tile",
                (*PLACE, "datetime", "subset", "tileFields", "filter", "filter-lang", "fTile"),
            ),
        }
    return found


def _in_path(name: str, text: str, schema: Json, example: object) -> Json:
    return {**parameter(name, text, schema, "path"), "example": example}


WHOLE: Json = {"type": "integer", "minimum": 0}
PARAMETERS: Json = {
    "tileMatrixSetId": _in_path(
        "tileMatrixSetId",
        "切片方案 · Tile matrix set",
        {"type": "string", "enum": list(MATRIX_SETS)},
        "WebMercatorQuad",
    ),
    "tileMatrix": _in_path("tileMatrix", "级别 · Level (id of the tile matrix)", {"type": "string"}, "11"),
    "tileRow": _in_path("tileRow", "行号，自上而下 · Row, from the top", WHOLE, 827),
    "tileCol": _in_path("tileCol", "列号，自左而右 · Column, from the left", WHOLE, 1703),
    "collections": parameter(
        "collections",
        "图层，按绘制顺序 · Collections, in drawing order",
        {"type": "array", "items": {"type": "string"}},
    ),
    "subset": parameter(
        "subset", '时间子集 datetime("起":"止") · Time as datetime("start":"end")', {"type": "string"}
    ),
    "tileFields": parameter(
        "fields",
        "瓦片所带的字段 · Properties that the tile carries",
        {"type": "array", "items": {"type": "string"}},
    ),
    "fTile": parameter("f", "格式 · Format", {"type": "string", "enum": ["mvt"], "default": "mvt"}),
    "fTileSet": parameter("f", "格式 · Format", {"type": "string", "enum": ["json", "html", "tilejson"]}),
}


def _json(text: str, required: Sequence[str], **also: Json) -> Json:
    schema = {"type": "object", "required": list(required)}
    return {
        "description": text,
        "content": {JSON: {"schema": schema}, HTML: {"schema": {"type": "string"}}, **also},
    }


RESPONSES: Json = {
    "TileMatrixSets": _json("切片方案 · Tile matrix sets", ("tileMatrixSets",)),
    "TileMatrixSet": _json("一个切片方案 · A tile matrix set", ("crs", "tileMatrices")),
    "TileSets": _json("切片集 · Tilesets", ("tilesets",)),
    "TileSet": _json(
        "切片集元数据 · Tileset metadata",
        ("dataType", "crs", "links"),
        **{TILEJSON: {"schema": {"type": "object"}}},
    ),
    "Tile": {
        "description": "一个瓦片 · A tile",
        "content": {MVT: {"schema": {"type": "string", "format": "binary"}}},
    },
    "EmptyTile": {"description": "此处没有要素 · Nothing lies in this tile"},
}
PART = Part(
    "tiles",
    router,
    CLASSES,
    landing,
    collection,
    paths,
    {"parameters": PARAMETERS, "responses": RESPONSES},
)
