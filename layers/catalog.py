"""All layers, read once from `catalog/*.yaml`."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import yaml

from layers.model import Audience, Layer

FOLDER = Path(__file__).parent / "catalog"


@cache
def load() -> Mapping[str, Layer]:
    """Layers by id, in drawing order.

    Raises pydantic.ValidationError (naming file and field) if a declaration is not well formed.
    """
    # By libyaml, which the wheels bring: every process reads them as it starts, and in Python that takes ten times as long.
    found = [
        Layer.model_validate(yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader))
        for path in sorted(FOLDER.glob("*.yaml"))
    ]
    return MappingProxyType({layer.id: layer for layer in sorted(found, key=lambda layer: layer.order)})


def visible_to(audience: Audience) -> tuple[Layer, ...]:
    """The layers that this audience may see, in drawing order."""
    return tuple(layer for layer in load().values() if layer.relation_for(audience))
