"""The map around a place as a picture, for papers that are made elsewhere in the product."""

from dataclasses import dataclass

from app.actor import Actor
from app.deps import Services
from app.ogc.legacy import picture
from app.ogc.legacy.kvp import Refused
from app.ogc.legacy.views import View
from app.ogc.viewer import viewer_of
from layers import catalog
from tiles.address import Viewer

LAYERS = ("hydro_areas", "hydro_lines", "regions", "region_labels", "intakes")
GROUND = "#f6f7f5"


@dataclass(frozen=True)
class Looker:
    """Someone who looks at the map without asking for it by a request."""

    services: Services
    viewer: Viewer


async def around(
    services: Services, actor: Actor, box: tuple[float, float, float, float], size: tuple[int, int], lang: str
) -> bytes | None:
    """The map in a box (west, south, east, north in Web Mercator metres) as PNG of width and height `size`, as this
    actor sees it; None where such a box cannot be drawn."""
    known = catalog.load()
    shown = [picture.Shown(known[name], "light") for name in LAYERS]
    view = View("mercator", *box, *size)
    looker = Looker(services, viewer_of(actor))
    try:
        return await picture.drawn(looker, shown, view, ground=GROUND, lang=lang, media="image/png")
    except Refused:
        return None
