"""Areas and outlines that people give."""

from typing import Any

import shapely
from shapely.geometry import shape

from app.errors import InvalidInput


def polygon(geojson: dict[str, Any], field: str) -> shapely.Geometry:
    """A polygon (EPSG:4490) from GeoJSON: a geometry, a feature, or a collection whose polygons are joined.

    Raises InvalidInput for anything else.
    """
    try:
        if geojson.get("type") == "FeatureCollection":
            area = shapely.union_all([shape(f["geometry"]) for f in geojson["features"]])
        else:
            area = shape(geojson.get("geometry", geojson))
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, shapely.errors.ShapelyError):
        raise InvalidInput(f"{field} 应为 GeoJSON 面 (should be a GeoJSON polygon)", field=field) from None
    if area.geom_type not in ("Polygon", "MultiPolygon") or area.is_empty:
        raise InvalidInput(
            f"{field} 应为面，得到 {area.geom_type} (should be a polygon)", field=field, value=area.geom_type
        )
    west, south, east, north = area.bounds
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        raise InvalidInput(
            f"{field} 的坐标应为经纬度(度) (coordinates should be degrees)",
            field=field,
            value=f"{west:g},{south:g},{east:g},{north:g}",
        )
    parts = shapely.get_parts(shapely.make_valid(area))
    kept = [p for part in parts for p in shapely.get_parts(part) if p.geom_type == "Polygon"]
    if not kept:
        raise InvalidInput(f"{field} 没有面积 (has no area)", field=field)
    return shapely.MultiPolygon(kept)
