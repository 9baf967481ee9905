"""How a scene can be shown, by the bands that it has."""

from collections.abc import Collection, Mapping

from app.imagery.schemas import Render

COMPOSITES: Mapping[Render, tuple[tuple[str, ...], ...]] = {
    "true": (("red", "green", "blue"), ("nir", "red", "green")),
    "false_colour": (("nir", "red", "green"), ("swir16", "nir", "red"), ("red", "green", "blue")),
    "swir": (("swir16", "nir", "red"), ("swir22", "nir", "red")),
}
"""Bands for red, green and blue on screen; the first composite that the scene has."""
INDICES: Mapping[Render, tuple[tuple[str, str], str, float]] = {
    "ndvi": (("nir", "red"), "rdylgn", 0.9),
    "ndwi": (("green", "nir"), "rdbu", 0.8),
    "mndwi": (("green", "swir16"), "rdbu", 0.8),
}
"""Normalised differences of two bands: vegetation (Rouse et al. 1974), water (McFeeters 1996; Xu 2006), each with its
colour map and where that ends on both sides of 0."""


def renderings(bands: Collection[str]) -> list[Render]:
    """How a scene with these bands can be shown."""
    have = set(bands)
    composites: list[Render] = [
        name for name, sets in COMPOSITES.items() if any(have.issuperset(s) for s in sets)
    ]
    return composites + [name for name, (needs, *_) in INDICES.items() if have.issuperset(needs)]
