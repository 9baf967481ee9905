"""OGC API – Styles as a part of the shared documents."""

from collections.abc import Iterable, Sequence
from typing import Any

from app.ogc.documents import title
from app.ogc.links import Addresses, Link
from app.ogc.negotiate import HTML, JSON
from app.ogc.openapi_parameters import parameter
from app.ogc.part import Part
from app.ogc.styles.documents import MAPBOX, STYLES, TITLES
from app.ogc.styles.routes import router
from layers.model import Audience, Layer

Json = dict[str, Any]
CLASSES = tuple(
    f"http://www.opengis.net/spec/ogcapi-styles-1/0.0/conf/{name}"
    for name in ("core", "html", "mapbox-style")
)


def landing(at: Addresses, audience: Audience) -> Iterable[Link]:
    yield Link(at.to("styles"), STYLES, JSON, "样式 · Styles")


def collection(at: Addresses, layer: Layer, audience: Audience) -> Iterable[Link]:
    yield Link(at.to("collections", layer.id, "styles"), STYLES, JSON, "样式 · Styles")


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def paths(layers: Sequence[Layer], audience: Audience) -> Json:
    found = _paths("", "styles", "一张图 · the one map", "service")
    for layer in layers:
        found |= _paths(f"/collections/{layer.id}", f"{layer.id}.styles", title(layer), layer.id)
    return found


def _paths(root: str, name: str, label: str, tag: str) -> Json:
    return {
        f"{root}/styles": _get(f"{name}.getStyles", f"{label}：样式 · styles", tag, "Styles", ("f",)),
        f"{root}/styles/{{styleId}}": _get(
            f"{name}.getStyle", f"{label}：样式 · style", tag, "Style", ("styleId", "styleLang", "fStyle")
        ),
        f"{root}/styles/{{styleId}}/metadata": _get(
            f"{name}.getStyleMetadata",
            f"{label}：样式元数据 · style metadata",
            tag,
            "StyleMetadata",
            ("styleId", "f"),
        ),
    }


def _get(name: str, summary: str, tag: str, response: str, parameters: Sequence[str]) -> Json:
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "tags": [tag],
            "parameters": [_ref("parameters", one) for one in parameters],
            "responses": {"200": _ref("responses", response), "304": _ref("responses", "NotModified")}
            | {
                status: _ref("responses", f"Problem{status}")
                for status in ("400", "401", "404", "406", "500", "503")
            },
        }
    }


def _content(text: str, media: str, schema: Json) -> Json:
    return {"description": text, "content": {media: {"schema": schema}, HTML: {"schema": {"type": "string"}}}}


LINKS: Json = {"type": "array", "items": _ref("schemas", "Link")}
STYLE_ITEM: Json = {
    "type": "object",
    "required": ["id", "links"],
    "properties": {"id": {"type": "string"}, "title": {"type": "string"}, "links": LINKS},
}
COMPONENTS: Json = {
    "parameters": {
        "styleId": parameter("styleId", "样式 · Style", {"type": "string", "enum": list(TITLES)}, "path"),
        "styleLang": parameter("lang", "文字的语言 · Language of texts", {"type": "string", "enum": ["zh", "en"]}),
        "fStyle": parameter("f", "格式 · Format", {"type": "string", "enum": ["mapbox", "json", "html"]}),
    },
    "responses": {
        "Styles": _content(
            "样式列表 · The styles",
            JSON,
            {
                "type": "object",
                "required": ["styles"],
                "properties": {"default": {"type": "string"}, "styles": {"type": "array", "items": STYLE_ITEM}},
            },
        ),
        "Style": _content("样式 · The stylesheet", MAPBOX, {"type": "object", "required": ["version", "sources", "layers"]}),
        "StyleMetadata": _content("样式元数据 · Style metadata", JSON, {"type": "object", "required": ["id"]}),
    },
}  # fmt: skip
PART = Part("styles", router, CLASSES, landing, collection, paths, COMPONENTS)
