"""Addresses of tiles, and who asks."""

from dataclasses import dataclass

from layers.model import Audience

MAX_ZOOM = 22


class BadAddress(ValueError):
    """The address names no tile; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """A tile of the WebMercatorQuad (XYZ, y downwards)."""

    z: int
    x: int
    y: int

    @classmethod
    def parse(cls, z: str, x: str, y: str) -> "Address":
        """Raises BadAddress unless it is three plain numbers inside the matrix."""
        for part in (z, x, y):
            if not (part.isascii() and part.isdigit() and len(part) <= 8):
                raise BadAddress(
                    f"瓦片地址应为非负整数，得到 {part[:20]!r} (a tile address is three whole numbers)"
                )
        address = cls(int(z), int(x), int(y))
        if address.z > MAX_ZOOM:
            raise BadAddress(f"级别应在0–{MAX_ZOOM}之间 (zoom levels are 0 to {MAX_ZOOM})")
        if max(address.x, address.y) >= 1 << address.z:
            raise BadAddress(
                f"{address.z} 级的行列号应小于 {1 << address.z} (x and y at this zoom are below that)"
            )
        return address


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
