"""Addresses of tiles, and who asks."""

from dataclasses import dataclass

from layers.model import Audience
from tiles.matrices import MATRIX_SETS, WEB_MERCATOR_QUAD, MatrixSet


class BadAddress(ValueError):
    """The address names no tile; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """A tile of a tile matrix set: level, column, and row downwards. XYZ tiles are WebMercatorQuad's."""

    z: int
    x: int
    y: int
    tms: str = WEB_MERCATOR_QUAD.id

    @classmethod
    def parse(cls, z: str, x: str, y: str, tms: str = WEB_MERCATOR_QUAD.id) -> "Address":
        """Raises BadAddress unless it is three plain numbers inside a matrix of the set."""
        for part in (z, x, y):
            if not (part.isascii() and part.isdigit() and len(part) <= 8):
                raise BadAddress(
                    f"瓦片地址应为非负整数，得到 {part[:20]!r} (a tile address is three whole numbers)"
                )
        if tms not in MATRIX_SETS:
            raise BadAddress(
                f"没有切片方案 {tms[:40]!r} (no such tile matrix set; there are {', '.join(MATRIX_SETS)})"
            )
        address = cls(int(z), int(x), int(y), tms)
        last = address.matrix_set.max_level
        if address.z > last:
            raise BadAddress(f"级别应在0–{last}之间 (levels of {tms} are 0 to {last})")
        matrix = address.matrix_set.matrices[address.z]
        if address.x >= matrix.width or address.y >= matrix.height:
            raise BadAddress(
                f"{address.z} 级的列号应小于 {matrix.width}，行号应小于 {matrix.height} "
                "(columns and rows at this level are below that)"
            )
        return address

    @property
    def matrix_set(self) -> MatrixSet:
        return MATRIX_SETS[self.tms]

    @property
    def is_web(self) -> bool:
        return self.tms == WEB_MERCATOR_QUAD.id


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks, as far as tiles care: the audience, and the scope that the database enforces."""

    audience: Audience
    lo: int
    hi: int
    basin: int | None = None

    @property
    def key(self) -> str:
        """Names what this viewer can see; the public sees the nation in its public form."""
        scope = f"b{self.basin}" if self.basin is not None else f"{self.lo}-{self.hi}"
        return f"{self.audience}:{scope}"


PUBLIC = Viewer("public", 0, 1_000_000)
