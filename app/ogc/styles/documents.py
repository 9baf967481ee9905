"""The documents: list of styles, style metadata, and the stylesheet at our own addresses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.ogc.documents import SCHEMA_REL, both, description, title
from app.ogc.links import Addresses, Link, as_json
from app.ogc.negotiate import HTML, JSON, SCHEMA
from layers.derive.columns import tile_columns
from layers.derive.style import style
from layers.model import Audience, Layer

Json = dict[str, Any]
STYLES = "http://www.opengis.net/def/rel/ogc/1.0/styles"
MAPBOX = "application/vnd.mapbox.style+json"
TITLES = {"light": "浅色 · Light", "dark": "深色 · Dark"}
DEFAULT = "light"
DATA_TYPE = {"point": "point", "line": "line", "polygon": "polygon"}


@dataclass(frozen=True, slots=True)
class Styled:
    """What the styles are of: the one map, or one collection."""

    path: tuple[str, ...]
    title: str
    description: str
    layers: tuple[Layer, ...]

    @classmethod
    def whole(cls, layers: Sequence[Layer]) -> "Styled":
        text = "颜色表示类别，形状表示水源，大小表示水量。 Colour tells the class, shape the source, size the volume."
        return cls((), "一张图 · The one map", text, tuple(layers))

    @classmethod
    def of(cls, layer: Layer) -> "Styled":
        return cls(("collections", layer.id), title(layer), description(layer), (layer,))


def listed(at: Addresses, sent: str, styled: Styled) -> tuple[Json, list[Link]]:
    """The styles (req/core/styles-success)."""
    links = both(at, sent, JSON, *styled.path, "styles")
    found = [
        {"id": name, "title": f"{styled.title} ({label})", "links": as_json(_of_style(at, styled, name))}
        for name, label in TITLES.items()
    ]
    return {"default": DEFAULT, "styles": found, "links": as_json(links)}, links


def _of_style(at: Addresses, styled: Styled, name: str) -> list[Link]:
    path = (*styled.path, "styles", name)
    links = [
        Link(at.to(*path, f="mapbox"), "stylesheet", MAPBOX, "MapLibre"),
        Link(at.to(*path, f="html"), "alternate", HTML, "图例 · Legend"),
        Link(at.to(*path, "metadata"), "describedby", JSON, "样式元数据 · Style metadata"),
    ]
    if styled.path:
        links.append(Link(at.to(*styled.path, "schema"), SCHEMA_REL, SCHEMA, "字段 · Schema of the data"))
    return links


def metadata(
    at: Addresses, sent: str, styled: Styled, name: str, audience: Audience
) -> tuple[Json, list[Link]]:
    """Metadata of a style (req/core/style-md-success)."""
    path = (*styled.path, "styles", name)
    links = [*both(at, sent, JSON, *path, "metadata"), *_of_style(at, styled, name)[:1]]
    if styled.path:
        links.append(_of_style(at, styled, name)[-1])
    sheet = Link(at.to(*path, f="mapbox"), "stylesheet", MAPBOX, "MapLibre")
    made = {
        "id": name,
        "title": f"{styled.title} ({TITLES[name]})",
        "description": styled.description,
        "keywords": ["水资源", "water resources"],
        "scope": "style",
        "stylesheets": [
            {
                "title": "MapLibre / Mapbox Style",
                "version": "8",
                "specification": "https://maplibre.org/maplibre-style-spec/",
                "native": True,
                "link": sheet.as_json(),
            }
        ],
        "layers": [_layer(at, layer, audience) for layer in styled.layers],
        "links": as_json(links),
    }
    return made, links


def _layer(at: Addresses, layer: Layer, audience: Audience) -> Json:
    attributes = [{"id": name, "type": layer.field(name).type} for name in tile_columns(layer, audience)]
    return {
        "id": layer.id,
        "description": description(layer),
        "type": DATA_TYPE[layer.source.kind],
        "attributes": attributes,
        "sampleData": Link(at.to("collections", layer.id), "data", JSON, title(layer)).as_json(),
    }


def stylesheet(at: Addresses, layers: Iterable[Layer], audience: Audience, name: str, lang: str) -> Json:
    """The MapLibre style; a key in the address of the style goes into those of its tiles."""
    made = style(layers, audience, at.base, theme=name, lang=lang)
    if at.kept:
        query = at.with_query((), {}).partition("?")[2]
        for source in made["sources"].values():
            source["tiles"] = [f"{url}{'&' if '?' in url else '?'}{query}" for url in source["tiles"]]
    return made
