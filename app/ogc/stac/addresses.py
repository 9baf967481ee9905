"""Addresses of the STAC API, and of the files and tiles that its items name."""

from urllib.parse import quote

from app.ogc.links import Addresses, Link


class StacAddresses(Addresses):
    """As the addresses of /ogc, below /stac."""

    __slots__ = ()

    def plain(self, *path: str | int) -> str:
        return "/".join([f"{self.base}/stac", *(quote(str(part), safe=":") for part in path)])

    def imagery(self, *path: str | int) -> str:
        """An address below /imagery, with the key that must survive; {z}, {x} and {y} stay as they are."""
        query = self.with_query((), {}).partition("?")[2]
        plain = "/".join([f"{self.base}/imagery", *(quote(str(part), safe=":{}") for part in path)])
        return plain + (f"?{query}" if query else "")

    @classmethod
    def below(cls, at: Addresses) -> "StacAddresses":
        return cls(at.base, at.kept)


def root_links(at: StacAddresses) -> list[Link]:
    return [Link(at.to(), "root", "application/json", "影像目录 · The catalogue of scenes")]
