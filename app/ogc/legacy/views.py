"""What part of the world a picture shows, and where in it a position of a tile comes to lie."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tiles.address import Address

EDGE = 20037508.342789244
"""Half the width of the Web Mercator square, m."""
TILE_PX = 512
"""Pixels to which a client of the style draws a tile at a whole zoom."""
Floats = npt.NDArray[np.float64]
Axes = Literal["mercator", "degrees"]
MOST_TILES = 150
"""A picture of 4096 × 4096 pixels needs 81 of them at most on the equator."""


class TooWide(ValueError):
    """The view needs more tiles than a picture may read."""


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle in metres of Web Mercator or in degrees (x is longitude), drawn on width × height pixels."""

    axes: Axes
    west: float
    south: float
    east: float
    north: float
    width: int
    height: int

    @property
    def zoom(self) -> float:
        """The zoom at which a client of the style would show this scale."""
        whole = 2 * EDGE if self.axes == "mercator" else 360.0
        share = (self.east - self.west) / whole / self.width
        return math.log2(1 / (share * TILE_PX))

    def pixels(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Pixel positions, y downwards, of positions in the world square (0–1, y downwards)."""
        if self.axes == "mercator":
            horizontal, vertical = x * 2 * EDGE - EDGE, EDGE - y * 2 * EDGE
        else:
            horizontal = x * 360 - 180
            vertical = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * y))))
        return (
            (horizontal - self.west) / (self.east - self.west) * self.width,
            (self.north - vertical) / (self.north - self.south) * self.height,
        )

    def world(self, column: float, row: float) -> tuple[float, float]:
        """The position in the world square of a pixel position; the inverse of `pixels`."""
        horizontal = self.west + column / self.width * (self.east - self.west)
        vertical = self.north - row / self.height * (self.north - self.south)
        if self.axes == "mercator":
            return (horizontal + EDGE) / (2 * EDGE), (EDGE - vertical) / (2 * EDGE)
        latitude = math.radians(max(-85.0511287798066, min(85.0511287798066, vertical)))
        return (horizontal + 180) / 360, 0.5 - math.asinh(math.tan(latitude)) / (2 * math.pi)

    def tiles(self, minzoom: int, maxzoom: int, around_px: float = 0.0) -> Iterator[tuple[Address, int]]:
        """The tiles that touch the view, or come so near to it, each with the turns of the world it is shifted by.

        Raises TooWide.
        """
        # A hair is added, for a picture of exactly one zoom must not fall to the one before by rounding.
        z = max(minzoom, min(maxzoom, math.floor(self.zoom + 1e-6)))
        side = 1 << z
        left, top = self.world(-around_px, -around_px)
        right, bottom = self.world(self.width + around_px, self.height + around_px)
        # What only shares an edge with the view is not in it.
        first, last = math.floor(left * side + 1e-9), math.ceil(right * side - 1e-9) - 1
        upper = max(0, math.floor(top * side + 1e-9))
        lower = min(side - 1, math.ceil(bottom * side - 1e-9) - 1)
        if (last - first + 1) * (lower - upper + 1) > MOST_TILES:
            raise TooWide(f"{(last - first + 1) * (lower - upper + 1)} tiles")
        for x in range(first, last + 1):
            for y in range(upper, lower + 1):
                yield Address(z, x % side, y), x // side
