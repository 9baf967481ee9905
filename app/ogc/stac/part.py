"""The STAC API as the landing page of /ogc names it; it stands for itself at /stac."""

from collections.abc import Iterable

from app.ogc.links import Addresses, Link
from app.ogc.negotiate import JSON
from app.ogc.part import Part
from app.ogc.stac.addresses import StacAddresses
from app.ogc.stac.documents import TITLE
from app.ogc.stac.routes import router
from layers.model import Audience


def landing(at: Addresses, audience: Audience) -> Iterable[Link]:
    yield Link(StacAddresses.below(at).to(), "related", JSON, TITLE)


PART = Part("stac", router, landing=landing)
