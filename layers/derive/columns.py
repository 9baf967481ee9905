"""SQL identifiers of a layer, quoted in this one place."""

from layers.model import Audience, Layer


def quote(name: str) -> str:
    """A quoted SQL identifier; `map.intakes` becomes `"map"."intakes"`."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def relation(layer: Layer, audience: Audience) -> str:
    """The quoted view that this audience reads. Raises KeyError if it sees none."""
    view = layer.relation_for(audience)
    if view is None:
        raise KeyError(layer.id)
    return quote(view)


def tile_columns(layer: Layer, audience: Audience) -> tuple[str, ...]:
    """Names of the fields that a tile carries for this audience."""
    return tuple(field.name for field in layer.fields_for(audience) if field.tile)


def columns(layer: Layer, audience: Audience) -> tuple[str, ...]:
    """Names of all fields that this audience sees."""
    return tuple(field.name for field in layer.fields_for(audience))
