"""What a tileset is: layers in a tile matrix set, the levels that it has, and the tiles that may hold something."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.errors import NotFound
from layers.model import Layer
from tiles.address import Address
from tiles.matrices import MATRIX_SETS, Box, MatrixSet

WEB_ZOOM = {"WebMercatorQuad": 0, "WorldCRS84Quad": 1, "CGCS2000Quad": 0}
"""What to add to a level of a set to get the zoom of the web whose scale on the equator it has."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The tiles of one level that may hold something."""

    level: int
    columns: tuple[int, int]
    rows: tuple[int, int]

    def hold(self, address: Address) -> bool:
        return self.columns[0] <= address.x <= self.columns[1] and self.rows[0] <= address.y <= self.rows[1]


@dataclass(frozen=True)
class Tileset:
    """Layers, each an MVT layer of its name, in one tile matrix set."""

    layers: tuple[Layer, ...]
    grid: MatrixSet
    box: Box | None
    """West, south, east, north in degrees of what the viewer sees; None of nothing."""

    @property
    def levels(self) -> range:
        """The levels that it has; deeper ones are the last one drawn larger."""
        shift = WEB_ZOOM[self.grid.id]
        first = max(0, min(layer.minzoom for layer in self.layers) - shift)
        last = min(self.grid.max_level, max(layer.maxzoom for layer in self.layers) - shift)
        return range(first, last + 1)

    def limits(self) -> Iterator[Limits]:
        """Of each level that it has; none of a tileset of nothing."""
        for level in self.levels:
            found = None if self.box is None else self.grid.limits(self.box, level)
            if found is not None:
                yield Limits(level, (found[0], found[1]), (found[2], found[3]))

    def check(self, address: Address) -> None:
        """Raises NotFound for a tile outside the limits (req/core/tc-error)."""
        if not any(one.level == address.z and one.hold(address) for one in self.limits()):
            raise NotFound(
                "此瓦片在切片集范围之外，范围见切片集的 tileMatrixSetLimits "
                "(this tile is outside the limits that the tileset's metadata gives)"
            )


def grid_named(name: str) -> MatrixSet:
    """Raises NotFound."""
    found = MATRIX_SETS.get(name)
    if found is None:
        raise NotFound(
            f"没有切片方案 {name[:60]!r} (no such tile matrix set; there are {', '.join(MATRIX_SETS)})"
        )
    return found


def joined(boxes: Sequence[Box | None]) -> Box | None:
    """The box around boxes."""
    found = [box for box in boxes if box is not None]
    if not found:
        return None
    west, south, east, north = zip(*found, strict=True)
    return min(west), min(south), max(east), max(north)
