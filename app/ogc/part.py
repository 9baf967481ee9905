"""What each of the OGC APIs adds to the documents that all of them share.

A part (features, tiles, styles, …) lives in a module or package of its own and offers one `Part`. `app.wiring`
lists the parts; landing page, conformance, collections and the API definition are made of that list, so that
a part is added without touching the others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter

from app.ogc.links import Addresses, Link
from layers.model import Audience, Layer

Json = dict[str, Any]


def _no_links(at: Addresses, audience: Audience) -> Iterable[Link]:
    return ()


def _no_links_of(at: Addresses, layer: Layer, audience: Audience) -> Iterable[Link]:
    return ()


def _no_paths(layers: Sequence[Layer], audience: Audience) -> Json:
    return {}


@dataclass(frozen=True)
class Part:
    """One of the OGC APIs, as the shared documents see it."""

    name: str
    router: APIRouter
    classes: tuple[str, ...] = ()
    """URIs of the conformance classes that it holds, each tested in tests/conformance."""
    landing: Callable[[Addresses, Audience], Iterable[Link]] = _no_links
    """Links of the landing page."""
    collection: Callable[[Addresses, Layer, Audience], Iterable[Link]] = _no_links_of
    """Links of one collection."""
    paths: Callable[[Sequence[Layer], Audience], Json] = _no_paths
    """Path items of the OpenAPI 3.0 definition, by their path below /ogc, for the layers that the caller sees."""
    components: Mapping[str, Json] = field(default_factory=dict)
    """Its `components`: parameters, schemas, responses, …, each by name. A name that two parts give is theirs both."""
    members: Mapping[str, object] = field(default_factory=dict)
    """Further members of the landing page."""


def classes(parts: Iterable[Part]) -> list[str]:
    """The conformance classes of all parts, each once."""
    return list(dict.fromkeys(uri for part in parts for uri in part.classes))
