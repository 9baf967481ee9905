"""A feature as JSON text, made by PostgreSQL: GeoJSON, and JSON-FG."""

from app.ogc.asking import ItemsQuery
from layers.crs import CRS84, Crs
from layers.derive.columns import columns, quote
from layers.model import Audience, Layer

DEGREE_DECIMALS = 7
"""Of a degree: 1.1 cm, finer than any position on record."""
METRE_DECIMALS = 3


def geometry_in(geometry: str, crs: Crs, *, as_given: bool = True) -> str:
    """SQL of a stored geometry in this system; with the axes in the order of its authority, or else x before y."""
    # The degrees of CGCS2000 stand for those of WGS 84 (layers.crs), also beneath Web Mercator.
    if crs.srid == 3857:
        geometry = f"st_transform(st_setsrid({geometry}, 4326), 3857)"
    elif not crs.geographic:
        geometry = f"st_transform({geometry}, {crs.srid})"
    return f"st_flipcoordinates({geometry})" if crs.swapped and as_given else geometry


def feature(layer: Layer, audience: Audience, query: ItemsQuery, form: str) -> str:
    """SQL of the JSON text of one feature of the view v; its properties are the row p."""
    return _json_fg(layer, audience, query) if form == "jsonfg" else _geojson(layer, query)


def _geojson(layer: Layer, query: ItemsQuery) -> str:
    return (
        f"""'{{"type":"Feature","id":' || v.{quote(layer.source.id)} || ',"geometry":' """
        f"""|| {_geometry(layer, query, query.crs)} || ',"properties":' || row_to_json(p)::text || '}}'"""
    )


def _json_fg(layer: Layer, audience: Audience, query: ItemsQuery) -> str:
    """`geometry` is in CRS84, as GeoJSON has it; in any other system it is `place` (OGC 21-045r1, clause 8)."""
    shape = _geometry(layer, query, query.crs)
    geometry, place = (shape, "'null'") if query.crs == CRS84 else ("'null'", shape)
    return (
        f"""'{{"type":"Feature","id":' || v.{quote(layer.source.id)} || ',"time":' || {_time(layer, audience)} """
        f"""|| ',"geometry":' || {geometry} || ',"place":' || {place} || ',"properties":' || row_to_json(p)::text || '}}'"""
    )


def _geometry(layer: Layer, query: ItemsQuery, crs: Crs) -> str:
    if not query.geometry:
        return "'null'"
    geometry = f"v.{quote(layer.source.geometry)}"
    # RFC 7946 wants exterior rings counter-clockwise; option 0 leaves out the `crs` member, which
    # ST_AsGeoJSON writes for any SRID but 4326.
    shape = f"st_forcepolygonccw({geometry})" if layer.source.kind == "polygon" else geometry
    decimals = DEGREE_DECIMALS if crs.geographic else METRE_DECIMALS
    return f"coalesce(st_asgeojson({geometry_in(shape, crs)}, {decimals}, 0), 'null')"


def _time(layer: Layer, audience: Audience) -> str:
    name = layer.source.datetime
    if name is None or name not in columns(layer, audience):
        return "'null'"
    if layer.field(name).type == "date":
        return f"""coalesce('{{"date":"' || v.{quote(name)}::text || '"}}', 'null')"""
    moment = f"to_char(v.{quote(name)} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    return f"""coalesce('{{"timestamp":"' || {moment} || '"}}', 'null')"""
