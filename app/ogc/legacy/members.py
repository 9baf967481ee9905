"""Features as the members of a WFS answer: read by the engine of OGC API – Features, written as GML 3.2."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import psycopg

from app.ogc import query
from app.ogc.answering import Asked
from app.ogc.asking import ItemsQuery
from app.ogc.forms import DEGREE_DECIMALS, METRE_DECIMALS, geometry_in
from app.ogc.store import enter, evaluating
from layers.crs import Crs
from layers.derive.columns import quote
from layers.model import Field, Layer
from tiles import source
from tiles.address import Address

PREFIX, NAMESPACE = "shuitu", "urn:x-shuitu:layers"
COUNT_LIMIT = 10_000_000
SRS_NAME = re.compile(r'srsName="[^"]*"')
GEOMETRY = re.compile(r"<gml:(?:Multi\w+|Point|LineString|Polygon|Curve|Surface)(?=[\s>])")


@dataclass(frozen=True)
class Rows:
    """A page of rows: id, geometry as GML or None, and the values of the fields."""

    fields: tuple[Field, ...]
    rows: Sequence[tuple[Any, ...]]
    more: bool


def shown(asked: Asked, layer: Layer, given: ItemsQuery) -> tuple[Field, ...]:
    return given.fields if given.fields is not None else layer.fields_for(asked.viewer.audience)


async def rows(asked: Asked, layer: Layer, given: ItemsQuery, crs: Crs) -> Rows:
    """At most `limit` rows, in the order of their ids. Raises as the features' own reader does."""
    fields, audience = shown(asked, layer, given), asked.viewer.audience
    decimals = DEGREE_DECIMALS if crs.geographic else METRE_DECIMALS
    shape = geometry_in(f"v.{quote(layer.source.geometry)}", crs)
    if layer.source.kind != "point":  # one type of geometry a layer, as its schema says
        shape = f"st_multi({shape})"
    identifier = f"v.{quote(layer.source.id)}"
    gml = f"st_asgml(3, {shape}, {decimals}, 4)"
    columns = ", ".join(f"v.{quote(field.name)}" for field in fields)
    select = f"{identifier}, {gml}" + (f", {columns}" if columns else "")
    more = replace(given, limit=given.limit + 1)
    statement = query.rows(layer, audience, more, asked.store.hidden_bits, select)
    with evaluating(given):
        async with asked.store.pool.connection() as connection, connection.transaction():
            await enter(connection, asked.viewer)
            cursor = await connection.execute(statement.sql.encode(), statement.values, prepare=False)
            found = await cursor.fetchall()
    return Rows(fields, found[: given.limit], len(found) > given.limit)


async def count(asked: Asked, layer: Layer, given: ItemsQuery, *, most: int = COUNT_LIMIT) -> int | None:
    """How many match, however many are shown; None if that takes too long to say."""
    whole = layer.points is not None and given.boxes is None and given.predicate is None
    async with asked.store.pool.connection() as connection, connection.transaction():
        await enter(connection, asked.viewer)
        if whole:
            statement: Any = source.count_in(layer, Address(0, 0, 0))
        else:
            statement = query.count(layer, asked.viewer.audience, given, asked.store.hidden_bits)
            statement.values["most"] = most + 1
        try:
            async with connection.transaction():
                cursor = await connection.execute(statement.sql.encode(), statement.values, prepare=False)
                row = await cursor.fetchone()
        except psycopg.errors.QueryCanceled:
            return None
    found = int(row[0]) if row else 0
    return found if whole or found <= most else None


def gml_of(layer: Layer, page: Rows, srs_name: str) -> Iterator[str]:
    """Each row as a `wfs:member`."""
    name = f"{PREFIX}:{layer.id}"
    srs = f"srsName={quoteattr(srs_name)}"
    for identifier, geometry, *values in page.rows:
        parts = [f'<wfs:member><{name} gml:id="{layer.id}.{identifier}">']
        if geometry is not None:
            parts.append(
                f"<{PREFIX}:geometry>{_geometry(layer, identifier, geometry, srs)}</{PREFIX}:geometry>"
            )
        parts += [
            f"<{PREFIX}:{field.name}>{escape(text_of(value))}</{PREFIX}:{field.name}>"
            for field, value in zip(page.fields, values, strict=True)
            if value is not None
        ]
        parts.append(f"</{name}></wfs:member>")
        yield "".join(parts)


def _geometry(layer: Layer, identifier: int, gml: str, srs: str) -> str:
    """GML 3.2 wants an id on every geometry, and the name of the system as the client gave it."""
    named = SRS_NAME.sub(srs, gml, count=1)
    numbers = iter(range(1, 1_000_000))
    return GEOMETRY.sub(lambda one: f'{one[0]} gml:id="{layer.id}.{identifier}.g{next(numbers)}"', named)


def text_of(value: object) -> str:
    """A value as XML Schema writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).replace("+00:00", "Z")
    # What XML 1.0 cannot hold at all.
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", str(value))
