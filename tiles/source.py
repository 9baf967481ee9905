"""The statements of a layer's tiles, whole and explainable, made once a layer and audience."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from layers.derive.columns import quote, relation, tile_columns
from layers.model import Audience, Layer
from tiles.address import Address
from tiles.keys import cell_range, point_range

SQL = Path(__file__).parent / "sql"
CELL_DEPTH = 5
"""32 × 32 cells a tile: 64 × 64 costs four times as much, and leaves no room for the number (docs/adr)."""
CELL_BITS = 18
"""Sums of coordinates are kept at this precision."""
BUFFER = {"polygon": 64, "line": 64, "point": 0}


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with its values; identifiers come from the declaration, values are parameters."""

    sql: str
    values: dict[str, Any]


@cache
def _template(name: str) -> str:
    return (SQL / f"{name}.sql").read_text("utf-8")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _coded(layer: Layer, name: str) -> str:
    """A column of the map table as its declared value: coded fields are stored as positions."""
    field = layer.field(name)
    if not field.values:
        return f"nullif({quote(name)}, 'NaN') as {quote(name)}" if field.type == "number" else quote(name)
    values = ", ".join(_literal(str(value.value)) for value in field.values)
    return f"(array[{values}])[{quote(name)} + 1] as {quote(name)}"


def count_in(layer: Layer, tile: Address) -> Statement:
    """How many points the tile holds, from the cells."""
    assert layer.points is not None  # noqa: S101 - asked of big point layers only
    lo, hi = cell_range(tile, CELL_DEPTH)
    return Statement(
        f"select coalesce(sum(n), 0) from {quote(layer.points.cells)} where key >= %(lo)s and key < %(hi)s",
        {"lo": lo, "hi": hi},
    )


def points(layer: Layer, audience: Audience, tile: Address, hidden_bits: int) -> Statement:
    """Single points of a big point layer; the public sees them in the middle of a hidden cell."""
    assert layer.points is not None  # noqa: S101
    lo, hi = point_range(tile)
    bits = hidden_bits if audience == "public" else 0
    fields = ", ".join(_coded(layer, name) for name in tile_columns(layer, audience))
    sql = _template("points").format(
        fields=fields,
        table=quote(layer.points.table),
        layer=_literal(layer.id),
        bits=bits,
        shift=max(0, 19 - tile.z),
    )
    return Statement(sql, {"lo": lo, "hi": hi})


def cells(layer: Layer, tile: Address) -> Statement:
    """Overview cells of a big point layer, with one count a value of its last class field."""
    assert layer.points is not None  # noqa: S101
    *outer, inner = [layer.field(name) for name in layer.points.classes]
    width = len(inner.values)
    blocks = 1
    for field in outer:
        blocks *= len(field.values)
    names = [f"n_{value.value}" for value in inner.values]
    counts = ", ".join(
        "sum("
        + " + ".join(f"nc[{block * width + i + 1}]" for block in range(blocks))
        + f")::integer as {quote(name)}"
        for i, name in enumerate(names)
    )
    lo, hi = cell_range(tile, CELL_DEPTH)
    sql = _template("cells").format(
        counts=counts,
        names=", ".join(quote(name) for name in names),
        table=quote(layer.points.cells),
        layer=_literal(layer.id),
        scale=4096.0 / (1 << CELL_BITS - tile.z),
    )
    return Statement(sql, {"lo": lo, "hi": hi, "x": tile.x, "y": tile.y})


def features(layer: Layer, audience: Audience, tile: Address) -> Statement:
    """Any other layer, from its view; regions from the shapes generalised for this zoom."""
    source = layer.source
    buffer = BUFFER[source.kind]
    shaped = source.shapes is not None
    geometry = "s.geom" if shaped else f"v.{quote(source.geometry)}"
    join = ""
    if shaped:
        join = (
            f"join {quote(str(source.shapes))} s on s.id = v.{quote(source.id)} and s.zoom = "
            "(select min(zoom) from map.region_shapes where zoom >= %(z)s)"
        )
    fields = ", ".join(f"v.{quote(name)}" for name in tile_columns(layer, audience))
    sql = _template("features").format(
        id=quote(source.id),
        id_name=_literal(source.id),
        fields=fields,
        geometry=geometry,
        view=relation(layer, audience),
        join=join,
        layer=_literal(layer.id),
    )
    return Statement(sql, {"z": tile.z, "x": tile.x, "y": tile.y, "buffer": buffer, "margin": buffer / 4096})


def touches(layer: Layer, audience: Audience, tile: Address) -> Statement:
    """Whether anything of a layer with a plain view touches the tile, be it too small to be drawn."""
    sql = _template("touches").format(view=relation(layer, audience), geometry=quote(layer.source.geometry))
    margin = BUFFER[layer.source.kind] / 4096
    return Statement(sql, {"z": tile.z, "x": tile.x, "y": tile.y, "margin": margin})
