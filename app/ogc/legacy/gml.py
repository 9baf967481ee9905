"""Geometries of GML 3 in filters, and the names of reference systems with the axis order that each name means."""

import math
import re
from typing import Any

import numpy as np
import pyproj
import shapely
from lxml import etree

from layers.cql2.nodes import Box, Shape
from layers.crs import CRS84, CRS84_URI, EPSG, WGS84, Crs, known

MOST_NUMBERS = 20_000
LONG_NAME = re.compile(
    r"(?:urn:(?:x-)?ogc:def:crs:|https?://www\.opengis\.net/def/crs/)(?P<authority>EPSG|OGC)[:/](?P<version>[^:/]*)[:/](?P<code>\w+)"
)
SHORT_NAME = re.compile(r"(?:EPSG:|https?://www\.opengis\.net/gml/srs/epsg\.xml#)(?P<code>\d{4,6})")


class NotGml(ValueError):
    """No geometry that can be understood; the message says why."""


def system_named(name: str) -> Crs:
    """The system of a name. By URN or URI its axes are those of the authority; a short name means x before y.

    Raises NotGml.
    """
    text = name.strip()
    if text.upper() in ("CRS:84", "OGC:CRS84", CRS84_URI.upper()):
        return CRS84
    if match := LONG_NAME.fullmatch(text):
        uri = CRS84_URI if match["code"] == "CRS84" else EPSG + match["code"]
        found = known().get(uri)
        if found is not None:
            return found
    elif match := SHORT_NAME.fullmatch(text):
        found = known().get(EPSG + match["code"])
        if found is not None:
            return Crs(
                found.uri, found.srid, swapped=False, geographic=found.geographic, meridian=found.meridian
            )
    raise NotGml(f"不支持坐标系 {text[:80]!r} (this CRS is not supported)")


def _system_of(element: Any) -> Crs:
    """That of the nearest element outwards that names one; latitude first without any, as the service's default is."""
    inside: Any = element
    while inside is not None:
        if name := inside.get("srsName"):
            return system_named(name)
        inside = inside.getparent()
    return WGS84


def _name(element: Any) -> str:
    return str(etree.QName(element).localname) if isinstance(element.tag, str) else ""


def literal_box(element: Any) -> Box:
    """An Envelope in degrees, longitude first. Raises NotGml."""
    if _name(element) not in ("Envelope", "Box"):
        raise NotGml(f"应为 Envelope，得到 {_name(element)[:40]} (an Envelope)")
    numbers = _numbers(" ".join(element.itertext()).replace(",", " "))
    if len(numbers) != 4:
        raise NotGml("Envelope 应有两个角 (an Envelope has two corners)")
    west, south, east, north = degrees_of(
        (numbers[0], numbers[1], numbers[2], numbers[3]), _system_of(element)
    )
    return Box((west, south, east, north))


def degrees_of(edges: tuple[float, float, float, float], crs: Crs) -> tuple[float, float, float, float]:
    """A box of this system in degrees, longitude first; of a projected one, the box around it. Raises NotGml."""
    a, b, c, d = edges
    west, south, east, north = (b, a, d, c) if crs.swapped else edges
    if west > east or south > north:
        raise NotGml("范围应先小后大 (a box is lower corner first)")
    if not crs.geographic:
        west, south, east, north = _to_degrees(crs).transform_bounds(west, south, east, north, densify_pts=21)
    if not all(math.isfinite(edge) for edge in (west, south, east, north)):
        raise NotGml("范围超出坐标系 (the box lies outside its CRS)")
    return max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0)


def _to_degrees(crs: Crs) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(
        crs.srid, "EPSG:4326" if crs.srid == 3857 else "EPSG:4490", always_xy=True
    )


def literal_shape(element: Any) -> Shape:
    """A geometry in degrees, longitude first. Raises NotGml."""
    crs = _system_of(element)
    try:
        found = _geometry(element)
    except (ValueError, shapely.errors.ShapelyError) as error:
        raise NotGml(f"几何有误 (bad geometry): {str(error)[:120]}") from None
    if crs.swapped:
        found = shapely.transform(found, lambda xy: xy[:, ::-1])
    if not crs.geographic:
        transformer = _to_degrees(crs)
        found = shapely.transform(
            found, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
        )
    return _literal(shapely.geometry.mapping(found))


def _literal(mapped: Any) -> Shape:
    if mapped["type"] == "GeometryCollection":
        return Shape(mapped["type"], members=tuple(_literal(one) for one in mapped["geometries"]))
    return Shape(mapped["type"], tuple(mapped["coordinates"]))


def _geometry(element: Any) -> Any:
    name = _name(element)
    if name == "Point":
        return shapely.Point(_positions(element)[0])
    if name in ("LineString", "Curve"):
        return shapely.LineString(_positions(element))
    if name in ("Polygon", "Surface"):
        return _polygon(element)
    if name in (
        "MultiPoint",
        "MultiLineString",
        "MultiCurve",
        "MultiPolygon",
        "MultiSurface",
        "MultiGeometry",
    ):
        members = [_geometry(one) for child in element for one in child if isinstance(one.tag, str)]
        if not members:
            raise NotGml(f"{name} 为空 ({name} is empty)")
        return shapely.union_all(members) if name == "MultiGeometry" else _joined(members)
    raise NotGml(f"不支持几何 {name[:40]} (this geometry is not supported)")


def _joined(members: list[Any]) -> Any:
    kind = {
        "Point": shapely.MultiPoint,
        "LineString": shapely.MultiLineString,
        "Polygon": shapely.MultiPolygon,
    }
    return kind[members[0].geom_type](members)


def _polygon(element: Any) -> Any:
    rings = [
        child
        for child in element.iter()
        if _name(child) in ("exterior", "interior", "outerBoundaryIs", "innerBoundaryIs")
    ]
    if not rings:
        raise NotGml("面没有边界 (a polygon without rings)")
    outer, *holes = (_positions(ring) for ring in rings)
    return shapely.Polygon(outer, holes)


def _positions(element: Any) -> list[tuple[float, float]]:
    """All positions below an element, by pos, posList or coordinates."""
    found: list[tuple[float, float]] = []
    for child in element.iter():
        if _name(child) not in ("pos", "posList", "coordinates"):
            continue
        step = 3 if (child.get("srsDimension") or child.getparent().get("srsDimension")) == "3" else 2
        numbers = _numbers("".join(child.itertext()).replace(",", " "))
        if len(numbers) % step:
            raise NotGml("坐标个数有误 (an odd number of coordinates)")
        found += [(numbers[i], numbers[i + 1]) for i in range(0, len(numbers), step)]
    if not found:
        raise NotGml("几何没有坐标 (a geometry without coordinates)")
    return found


def _numbers(text: str) -> list[float]:
    parts = text.split()
    if len(parts) > MOST_NUMBERS:
        raise NotGml("坐标过多 (too many coordinates)")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        raise NotGml("坐标应为数字 (coordinates are numbers)") from None
    if not all(math.isfinite(number) for number in numbers):
        raise NotGml("坐标应为数字 (coordinates are numbers)")
    return numbers
