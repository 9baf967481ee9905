"""WMS, WMTS and WFS as the landing page names them; OGC's newer documents know nothing else of them."""

from collections.abc import Iterable

from fastapi import APIRouter

from app.ogc.legacy import wfs, wms, wmts
from app.ogc.links import Addresses, Link
from app.ogc.part import Part
from layers.model import Audience

SERVICES = ("wms", "wmts", "wfs")


def landing(at: Addresses, audience: Audience) -> Iterable[Link]:
    for name in SERVICES:
        capabilities = at.to(name, SERVICE=name.upper(), REQUEST="GetCapabilities")
        yield Link(capabilities, "related", "text/xml", name.upper())


router = APIRouter()
for one in (wms.router, wmts.router, wfs.router):
    router.include_router(one)
PART = Part("legacy", router, landing=landing)
