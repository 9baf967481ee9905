"""Addresses and links of the OGC resources, as the client reached us."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

KEPT = ("api_key",)
"""Parameters that every link carries on: a GIS client that knows only URLs has its key there."""


@dataclass(frozen=True, slots=True)
class Link:
    """A typed link (RFC 8288)."""

    href: str
    rel: str
    type: str
    title: str = ""
    hreflang: str = ""

    def as_json(self) -> dict[str, str]:
        found = {"href": self.href, "rel": self.rel, "type": self.type}
        if self.title:
            found["title"] = self.title
        if self.hreflang:
            found["hreflang"] = self.hreflang
        return found

    def as_header(self) -> str:
        return f'<{self.href}>; rel="{self.rel}"; type="{self.type}"'


@dataclass(frozen=True, slots=True)
class Addresses:
    """Makes absolute addresses below /ogc, with the parameters that must survive."""

    base: str
    """Where the service is, without a slash at its end."""
    kept: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, base: str, query: Mapping[str, str]) -> "Addresses":
        return cls(base, tuple((name, query[name]) for name in KEPT if name in query))

    def plain(self, *path: str | int) -> str:
        """The address of a resource without any parameters: its identifier."""
        return f"{self.base}/ogc{_below(path)}"

    def to(self, *path: str | int, **parameters: object) -> str:
        return self.with_query(path, parameters)

    def with_query(self, path: Iterable[str | int], parameters: Mapping[str, object]) -> str:
        """An address with parameters, encoded once; commas and colons stay readable, as RFC 3986 lets them."""
        pairs = [(k, str(v)) for k, v in parameters.items() if v is not None and k not in KEPT]
        query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in (*pairs, *self.kept))
        return self.plain(*path) + (f"?{query}" if query else "")


@lru_cache(maxsize=1024)
def _below(path: tuple[str | int, ...]) -> str:
    return "".join(f"/{quote(str(part), safe='')}" for part in path)


@lru_cache(maxsize=1024)
def _encoded(text: str) -> str:
    """A page has ten links with the same parameters."""
    return quote(text, safe=",:/")


def as_json(links: Iterable[Link]) -> list[dict[str, Any]]:
    return [link.as_json() for link in links]


def as_header(links: Iterable[Link]) -> str:
    """The value of a Link header. Only ASCII: titles stay in the body."""
    return ", ".join(link.as_header() for link in links)
