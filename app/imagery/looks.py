"""How a scene can be shown, by the bands that it has."""

from collections.abc import Collection, Mapping

from app.imagery.schemas import Render

COMPOSITES: Mapping[Render, tuple[tuple[str, ...], ...]] = {
    "true": (("red", "green", "blue"), ("nir", "red", "green")),
    "false_colour": (("nir", "red", "green"), ("swir16", "nir", "red"), ("red", "green", "blue")),
    "swir": (("swir16", "nir", "red"), ("swir22", "nir", "red")),
}
"""Bands for red, green and blue on screen; the first composite that the scene has."""
INDICES: Mapping[Render, tuple[str, tuple[str, ...], str, float]] = {
    "ndvi": ("NDVI", ("nir", "red"), "rdylgn", 0.9),
    "ndwi": ("NDWI", ("green", "nir"), "rdbu", 0.8),
    "mndwi": ("MNDWI", ("green", "swir16"), "rdbu", 0.8),
}
"""An index, its bands, its colour map, and where that ends on both sides of 0."""


def renderings(bands: Collection[str]) -> list[Render]:
    """How a scene with these bands can be shown."""
    have = set(bands)
    composites: list[Render] = [
        name for name, sets in COMPOSITES.items() if any(have.issuperset(s) for s in sets)
    ]
    return composites + [name for name, (_, needs, *_) in INDICES.items() if have.issuperset(needs)]
