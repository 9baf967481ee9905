"""Geometry literals: read in the CRS of the filter, checked, and brought to the CRS of the storage."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely
from shapely.geometry import shape as shapely_shape
from shapely.geometry.base import BaseGeometry

from layers.cql2.errors import InvalidFilter
from layers.cql2.nodes import Box, Shape
from layers.crs import Crs, to_degrees

FAR_M = 1e8
"""No plane coordinate of the Earth is as far from its origin, zone number included."""


def geometry(literal: Shape | Box, crs: Crs) -> BaseGeometry:
    """Longitude and latitude in CGCS2000, without heights.

    Raises InvalidFilter if coordinates lie outside the CRS, or it is no valid geometry.
    """
    _check_range(literal, crs)
    found = _box(literal, crs) if isinstance(literal, Box) else _shape(literal)
    if not found.is_valid:
        reason = shapely.is_valid_reason(found)
        raise InvalidFilter(f"几何无效 (this geometry is not valid: {reason})", literal.at)
    found = shapely.force_2d(found)
    if crs.swapped and isinstance(literal, Shape):
        found = shapely.transform(found, lambda xy: xy[:, ::-1])
    if not crs.geographic:
        found = shapely.transform(found, lambda xy: _moved(xy, crs))
        if not _in_world(shapely.get_coordinates(found)):
            raise _outside(literal)
    return found


def _check_range(literal: Shape | Box, crs: Crs) -> None:
    """Before anything is computed, for what lies far outside overflows. Raises InvalidFilter."""
    xy = np.array(list(_positions(literal)))
    if crs.geographic:
        fits = _in_world(xy[:, ::-1] if crs.swapped else xy)
    else:
        fits = bool((np.abs(xy) < FAR_M).all())
    if not fits:
        raise _outside(literal)


def _positions(literal: Shape | Box) -> Iterator[tuple[float, float]]:
    if isinstance(literal, Box):
        half = len(literal.edges) // 2
        yield literal.edges[0], literal.edges[1]
        yield literal.edges[half], literal.edges[half + 1]
        return
    for member in literal.members:
        yield from _positions(member)
    if literal.coordinates:
        yield from _flat(literal.coordinates)


def _flat(coordinates: tuple[Any, ...]) -> Iterator[tuple[float, float]]:
    if isinstance(coordinates[0], tuple):
        for part in coordinates:
            yield from _flat(part)
    else:
        yield coordinates[0], coordinates[1]


def _in_world(xy: Any) -> bool:
    return bool(np.isfinite(xy).all() and (np.abs(xy) <= (180, 90)).all())


def _outside(literal: Shape | Box) -> InvalidFilter:
    return InvalidFilter(
        "坐标超出坐标系的范围；请核对坐标轴次序 (coordinates lie outside the CRS: check the order of the axes)",
        literal.at,
    )


def _shape(literal: Shape) -> BaseGeometry:
    if any(ring[0] != ring[-1] for ring in _rings(literal)):
        raise InvalidFilter(
            "多边形的环应首尾相接 (a ring of a polygon ends where it starts: its first and last positions are the same)",
            literal.at,
        )
    try:
        if literal.members:
            return shapely.GeometryCollection([_shape(member) for member in literal.members])
        return shapely_shape({"type": literal.kind, "coordinates": literal.coordinates})
    except (ValueError, TypeError, shapely.errors.GEOSException) as error:
        raise InvalidFilter(f"几何有误 (bad geometry): {str(error)[:120]}", literal.at) from None


def _rings(literal: Shape) -> Iterator[tuple[Any, ...]]:
    """The rings of polygons; shapely would close those that are open."""
    if literal.kind == "Polygon":
        yield from literal.coordinates
    elif literal.kind == "MultiPolygon":
        for polygon in literal.coordinates:
            yield from polygon


def _box(literal: Box, crs: Crs) -> BaseGeometry:
    """The rectangle in the order x, y; two of them where it crosses 180°."""
    half = len(literal.edges) // 2
    low, high = literal.edges[:2], literal.edges[half : half + 2]
    if crs.swapped:
        low, high = low[::-1], high[::-1]
    (west, south), (east, north) = low, high
    if south > north or (west > east and not crs.geographic):
        raise InvalidFilter("BBOX 应先小后大 (the lower corner of a BBOX comes first)", literal.at)
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.MultiPolygon([shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)])


def _moved(xy: Any, crs: Crs) -> Any:
    return np.column_stack(to_degrees(crs).transform(xy[:, 0], xy[:, 1]))


def parts(found: BaseGeometry) -> list[BaseGeometry]:
    """A collection as as few plain geometries as mean the same: one a dimension, merged."""
    if found.geom_type != "GeometryCollection":
        return [found]
    merged = []
    for dimension in (2, 1, 0):
        same = [one for one in found.geoms if shapely.get_dimensions(one) == dimension]
        if same:
            merged.append(shapely.union_all(same))
    # What lies in a part of higher dimension adds nothing to the set of points.
    kept: list[BaseGeometry] = []
    for one in merged:
        rest = one
        for higher in kept:
            rest = shapely.difference(rest, higher)
        if not rest.is_empty:
            kept.append(one)
    return kept


def bounds(found: BaseGeometry) -> tuple[float, float, float, float]:
    west, south, east, north = found.bounds
    assert math.isfinite(west)  # noqa: S101 - no literal is empty
    return west, south, east, north
