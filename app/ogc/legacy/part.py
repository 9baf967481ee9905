"""WMS, WMTS and WFS as the landing page names them; OGC's newer documents know nothing else of them."""

from collections.abc import Iterable

from fastapi import APIRouter

from app.ogc.legacy import scenes, wfs, wms, wmts
from app.ogc.links import Addresses, Link
from app.ogc.part import Part
from layers.model import Audience

SERVICES = ("wms", "wmts", "wfs")


def landing(at: Addresses, audience: Audience) -> Iterable[Link]:
    for name in SERVICES:
        capabilities = at.to(name, SERVICE=name.upper(), REQUEST="GetCapabilities")
        yield Link(capabilities, "related", "text/xml", name.upper())
    if audience != "public":
        of_scenes = at.to("wmts", "scenes", SERVICE="WMTS", REQUEST="GetCapabilities")
        yield Link(of_scenes, "related", "text/xml", "WMTS 影像 · Scenes")


router = APIRouter()
for one in (wms.router, wmts.router, scenes.router, wfs.router):
    router.include_router(one)
PART = Part("legacy", router, landing=landing)
