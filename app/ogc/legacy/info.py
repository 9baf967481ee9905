"""What a click finds: the features under a pixel, whole, and cells with what they stand for."""

from dataclasses import dataclass
from typing import Any

import orjson

from app.ogc.answering import Asked
from app.ogc.asking import ItemsQuery
from app.ogc.legacy.picture import Hit, Shown, hits
from app.ogc.legacy.views import View
from layers.model import Layer


@dataclass(frozen=True)
class Found:
    """A feature with all that the caller may see of it, or a cell of the overview."""

    layer: Layer
    geojson: dict[str, Any]

    @property
    def name(self) -> str:
        label = self.layer.symbology.label or "name"
        return str(self.geojson["properties"].get(label) or self.geojson.get("id", ""))


async def found_at(
    asked: Asked, layers: list[Shown], view: View, column: int, row: int, most: int
) -> list[Found]:
    """What is drawn at a pixel, the topmost first, at most so many of each layer."""
    found = []
    for hit in await hits(asked, layers, view, column, row, most):
        if "cell" in hit.properties:
            found.append(Found(hit.layer, _cell(hit)))
            continue
        feature = await asked.store.feature(hit.layer, asked.viewer, hit.id, ItemsQuery())
        if feature is not None:
            found.append(Found(hit.layer, orjson.loads(feature[0])))
    return found


def _cell(hit: Hit) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [round(hit.lon, 6), round(hit.lat, 6)]},
        "properties": hit.properties,
    }
