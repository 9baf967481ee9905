"""OGC API – Features, and Common with it, as a part: what every other part stands beside."""

from app.ogc.conformance import CLASSES
from app.ogc.part import Part
from app.ogc.routes import router

PART = Part("features", router, CLASSES)
