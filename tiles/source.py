"""The statements behind tiles, whole and explainable: identifiers come from the declaration, values are parameters."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from layers.derive.columns import quote, relation, tile_columns
from layers.model import Audience, Layer
from tiles import arrays
from tiles import facets as coding
from tiles.address import Address
from tiles.columns import columns, holds, value_sql
from tiles.facets import literal
from tiles.keys import BITS, cell_range, point_range
from tiles.options import ALIAS, DEFAULT, TileOptions
from tiles.overview import CELL_DEPTH

SQL = Path(__file__).parent / "sql"
BUFFER = {"polygon": 64, "line": 64, "point": 0}
COUNTY = frozenset({"county_code"})


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with its values."""

    sql: str
    values: dict[str, Any] = field(default_factory=dict)
    planned_once: bool = False
    """Is one plan good for any values? Then it is made once a connection."""


@cache
def _template(name: str) -> str:
    return (SQL / f"{name}.sql").read_text("utf-8")


# ── filters ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Conditions:
    """A filter sorted by what it takes to answer it: each is a conjunction of SQL, empty if there is nothing."""

    by_class: str = ""
    """Of facets: asked of the classes, true or false for a whole class."""
    by_county: str = ""
    """Of the county: asked of each row of cells."""
    by_point: str = ""
    """Of anything else: asked of each point."""
    fields: frozenset[str] = frozenset()
    """That the last one names."""
    values: dict[str, Any] = field(default_factory=dict)


def conditions(layer: Layer, options: TileOptions) -> Conditions:
    """Sort what is asked of a big point layer."""
    assert layer.points is not None  # noqa: S101
    faceted = frozenset(layer.points.facets)
    parts: dict[str, list[str]] = {"class": [], "county": [], "point": []}
    named: frozenset[str] = frozenset()
    values: dict[str, Any] = {}
    for one in options.filter.predicates if options.filter else ():
        kind = "class" if one.fields <= faceted else "county" if one.fields <= COUNTY else "point"
        parts[kind].append(f"({one.sql})")
        values |= one.values
        if kind == "point":
            named |= one.fields
    if times := period(layer, options, values):
        parts["point"] += times
        named |= {str(name) for name in (layer.source.datetime, layer.source.until) if name}
    joined = {kind: " and ".join(found) for kind, found in parts.items()}
    return Conditions(joined["class"], joined["county"], joined["point"], named, values)


# ── points ──────────────────────────────────────────────────────────────────────────────────────────


def points(
    layer: Layer, audience: Audience, names: tuple[str, ...], block: Address, rows: tuple[int, int] | None, where: Conditions
) -> Statement:  # fmt: skip
    """Points of a Mercator tile as one row of columns (`tiles.arrays` reads them): ids, keys, classes, volumes
    (where the layer sums some), then those of `names` that are neither facets nor the volume. `rows` holds them between two rows of the world."""
    assert layer.points is not None  # noqa: S101
    lo, hi = point_range(block)
    values: dict[str, Any] = {"lo": lo, "hi": hi, **where.values}
    clauses = ["p.key >= %(lo)s and p.key < %(hi)s"]
    if rows is not None:
        clauses.append("p.y >= %(y0)s and p.y < %(y1)s")
        values |= {"y0": rows[0], "y1": rows[1]}
    if where.by_class:
        clauses.append(
            f"p.class in (select class from {quote(layer.points.classes)} {ALIAS} where {where.by_class})"
        )
    kept = columns(layer)
    stored = {*kept.own, "county_code"}
    joined = [name for name in names if name not in stored]
    asked = where.fields | (COUNTY if where.by_county else frozenset())
    join = ""
    if joined or not holds(layer, asked):
        join = f"join {relation(layer, audience)} {ALIAS} on {ALIAS}.{quote(layer.source.id)} = p.id"
    elif asked:
        decoded = ", ".join(f"{value_sql(layer, name, 'p')} as {quote(name)}" for name in sorted(asked))
        join = f"cross join lateral (select {decoded}) {ALIAS}"
    clauses += [one for one in (where.by_county, where.by_point) if one]
    aggregates = [
        arrays.numbers_sql("p.id", "i8"),
        arrays.numbers_sql("p.key", "i8"),
        arrays.numbers_sql("p.class", "i4"),
        *([arrays.numbers_sql(f"p.{quote(layer.points.summed)}", "f4")] if layer.points.summed else []),
        *sent(layer, names),
    ]
    return Statement(
        f"select {', '.join(aggregates)} from {quote(layer.points.table)} p {join} where {' and '.join(clauses)}",
        values,
    )


def sent(layer: Layer, names: tuple[str, ...]) -> list[str]:
    """One expression a field that is not sent already: with the class, or as the volume."""
    kept = columns(layer)
    faceted = {one.name for one in kept.facets}
    assert layer.points is not None  # noqa: S101
    found = []
    for name in names:
        if name in faceted or name == layer.points.summed:
            continue
        if name in kept.numbers or name == "county_code":
            found.append(arrays.numbers_sql(f"p.{quote(name)}", "f4" if name in kept.numbers else "i4"))
        elif name in kept.texts:
            found.append(arrays.texts_sql(f"p.{quote(name)}"))
        else:
            kind, column = layer.field(name).type, f"{ALIAS}.{quote(name)}"
            if kind == "number":
                found.append(arrays.numbers_sql(f"coalesce({column}::float8, 'NaN')", "f8"))
            elif kind == "integer":
                found.append(arrays.numbers_sql(f"coalesce({column}::bigint, (-1::bigint) << 63)", "i8"))
            elif kind == "boolean":
                found.append(arrays.numbers_sql(f"coalesce({column}::integer, -1)", "i4"))
            else:
                found.append(arrays.texts_sql(column))
    return found


# ── cells ───────────────────────────────────────────────────────────────────────────────────────────


def count_in(layer: Layer, tile: Address) -> Statement:
    """How many points a Mercator tile holds, from the cells; below the finest cells, how many its cell holds."""
    assert layer.points is not None  # noqa: S101
    depth = layer.points.cells_to_zoom + CELL_DEPTH
    within = tile
    if tile.z > depth:
        within = Address(depth, tile.x >> tile.z - depth, tile.y >> tile.z - depth)
    lo, hi = cell_range(within, min(CELL_DEPTH, depth - within.z))
    low, high = point_range(within)
    return Statement(
        f"select ((select coalesce(sum(n), 0) from {quote(layer.points.cells)} where key >= %(lo)s and key < %(hi)s) + "
        f"(select coalesce(sum(n), 0) from {quote(layer.points.deltas)} where key >= %(low)s and key < %(high)s))::bigint",
        {"lo": lo, "hi": hi, "low": low, "high": high},
    )


def stored(layer: Layer, *, past: bool) -> tuple[str, str, str]:
    """Relations of cells, of what they count by class, and of deltas: today's, or those counted of a past day, whose
    number is the parameter `day`."""
    assert layer.points is not None  # noqa: S101
    p = layer.points
    if not past:
        return quote(p.cells), quote(p.facet_cells), quote(p.deltas)
    cells, facets = (
        f"(select * from {quote(name)} where day = %(day)s)" for name in (p.past_cells, p.past_facet_cells)
    )
    return cells, facets, f"(select * from {quote(p.deltas)} where false)"


def cells(layer: Layer, block: Address, where: Conditions, day: int | None = None) -> Statement:
    """Cells of a Mercator tile as one row of columns: keys, n, volume, sx, sy, then n by digit of the counted facet.

    With a condition on classes n and volume are those of the whole cell, and more columns follow: the
    classes that meet it, the packed entries with their keys and lengths, and the same of the deltas.
    `day`: the number of a past day whose cells were counted (`tiles.past_cells`).
    """
    assert layer.points is not None  # noqa: S101
    p = layer.points
    whole, facets, deltas = stored(layer, past=day is not None)
    counted = coding.facet(layer, p.counted)
    depth = block.z + CELL_DEPTH
    lo, hi = cell_range(block, CELL_DEPTH)
    low, high = point_range(block)
    digits = range(counted.base)
    by_county = f"and {where.by_county}" if where.by_county else ""
    key = f"((1::bigint << {2 * depth}) | ({ALIAS}.key >> {2 * (BITS - depth)}))"
    digit = f"({ALIAS}.class / {counted.weight} %% {counted.base})"
    sql = _template("cells").format(
        cells=whole,
        deltas=deltas,
        counts=", ".join(f"{ALIAS}.nc[{i + 1}] as c{i}" for i in digits),
        delta_counts=", ".join(f"case when {digit} = {i} then {ALIAS}.n else 0 end" for i in digits),
        sums=", ".join(f"sum(c{i})::integer as c{i}" for i in digits),
        sent=", ".join(arrays.numbers_sql(f"c{i}", "i4") for i in digits),
        key=key,
        county=by_county,
    )
    if where.by_class:
        sql = _template("facets").format(
            cells=sql,
            classes=quote(p.classes),
            by_class=where.by_class,
            facets=facets,
            deltas=deltas,
            key=key,
            county=by_county,
        )
    once = not (where.by_class or where.by_county)
    values = {
        "lo": lo,
        "hi": hi,
        "low": low,
        "high": high,
        **where.values,
        **({} if day is None else {"day": day}),
    }
    return Statement(sql, values, planned_once=once)


# ── any other layer ─────────────────────────────────────────────────────────────────────────────────


def features(
    layer: Layer, audience: Audience, tile: Address, options: TileOptions = DEFAULT, extent: int = 4096
) -> Statement:
    """Any other layer, from its view; polygons from the shapes generalised for this zoom, where there are some.

    A smaller extent draws on a coarser grid: shared edges stay shared, and the tile shrinks.
    """
    source = layer.source
    buffer = BUFFER[source.kind] * extent // 4096
    geometry = f"{ALIAS}.{quote(source.geometry)}"
    join = ""
    if source.shapes is not None:
        geometry = "s.geom"
        join = (
            f"join {quote(source.shapes)} s on s.id = {ALIAS}.{quote(source.id)} and s.zoom = "
            f"(select min(zoom) from {quote(source.shapes)} where zoom >= %(zoom)s)"
        )
    names = tile_columns(layer, audience) if options.fields is None else options.fields
    values: dict[str, Any] = {"extent": extent, "buffer": buffer, "margin": buffer / extent}
    sql = _template("features").format(
        id=quote(source.id),
        id_name=literal(source.id),
        fields="".join(f", {ALIAS}.{quote(name)}" for name in names),
        geometry=geometry,
        drawn=f"st_transform({geometry}, 3857)" if tile.is_web else f"st_setsrid({geometry}, 0)",
        box=_box(tile, values),
        view=relation(layer, audience),
        alias=ALIAS,
        join=join,
        where="".join(f" and {one}" for one in _filters(layer, options, values)),
        layer=literal(layer.id),
    )
    return Statement(sql, values)


def touches(layer: Layer, audience: Audience, tile: Address) -> Statement:
    """Whether anything of a layer with a plain view touches the tile, be it too small to be drawn."""
    values: dict[str, Any] = {"margin": BUFFER[layer.source.kind] / 4096}
    sql = _template("touches").format(
        view=relation(layer, audience), geometry=quote(layer.source.geometry), box=_box(tile, values)
    )
    return Statement(sql, values)


def _box(tile: Address, values: dict[str, Any]) -> str:
    """The tile's box in its own coordinates, and with its margin in degrees, as columns of a row."""
    values |= {"z": tile.z, "x": tile.x, "y": tile.y, "zoom": tile.z}
    if tile.is_web:
        return _template("box_web")
    values |= dict(zip(("w", "s", "e", "n"), tile.matrix_set.degrees(tile.z, tile.x, tile.y), strict=True))
    values["zoom"] = tile.matrix_set.matrices[tile.z].width.bit_length() - 1
    return _template("box_degrees")


def _filters(layer: Layer, options: TileOptions, values: dict[str, Any]) -> list[str]:
    clauses = []
    if options.filter is not None:
        for one in options.filter.predicates:
            clauses.append(f"({one.sql})")
            values |= one.values
    return clauses + period(layer, options, values)


def period(layer: Layer, options: TileOptions, values: dict[str, Any]) -> list[str]:
    """The conditions of `datetime`; features without a time match, as in OGC API - Features."""
    name = layer.source.datetime
    if options.datetime is None or name is None:
        return []
    days = layer.field(name).type == "date"
    clauses = []
    # What lasts meets a period that begins before its end.
    named = (("since", layer.source.until or name, ">="), ("until", name, "<="))
    for (key, own, sign), edge in zip(named, options.datetime, strict=True):
        if edge is not None:
            values[key] = edge.date() if days else edge
            column = f"{ALIAS}.{quote(own)}"
            clauses.append(f"({column} is null or {column} {sign} %({key})s)")
    return clauses
