"""Where an invented intake may stand: on the real shores of its county, in its fields, or near its towns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from app.demo.names import Rng, rng, towns
from app.demo.sources import Boundaries, Waters

EDGE_DEGREES = 0.002
"""Some 200 m: no clean intake stands closer to its county's border, which is no better than that."""
M_PER_DEGREE = 111_320.0
TOWNS = 9
TOWN_RADIUS_M = 1_400.0
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shore:
    """The bank of one water inside a county."""

    name: str
    kind: str
    """河流 or 湖泊."""
    line: Any
    length_m: float


@dataclass(frozen=True)
class Ground:
    """A county as far as intakes care."""

    code: int
    name: str
    area_km2: float
    land_km2: float
    inside: Any
    fields: Any
    shores: tuple[Shore, ...]
    town_names: tuple[str, ...]
    town_places: Floats
    """Shape (towns, 2): longitude, latitude."""

    def town_of(self, lon: float, lat: float) -> str:
        """The nearest town."""
        away = np.hypot((self.town_places[:, 0] - lon) * 0.84, self.town_places[:, 1] - lat)
        return self.town_names[int(away.argmin())]

    def shore(self, name: str) -> Shore | None:
        return next((s for s in self.shores if s.name == name), None)


def survey(
    boundaries: Boundaries, waters: Waters, codes: tuple[int, ...], seed: int, keep_out: Any
) -> dict[int, Ground]:
    """The ground of each county, by code. Nothing is placed inside `keep_out` (a geometry, may be empty)."""
    return {code: _ground(boundaries, waters, code, seed, keep_out) for code in codes}


def _ground(boundaries: Boundaries, waters: Waters, code: int, seed: int, keep_out: Any) -> Ground:
    shape = boundaries.shape(code)
    areas = waters.areas[shapely.intersects(waters.areas["geometry"].to_numpy(), shape)]
    wet = shapely.union_all(shapely.intersection(areas["geometry"].to_numpy(), shape))
    inside = shapely.difference(shapely.buffer(shape, -EDGE_DEGREES), keep_out)
    fields = shapely.difference(inside, wet)
    names = tuple(towns(seed, code, TOWNS))
    random = rng(seed, "town places", code)
    return Ground(
        code,
        boundaries.name(code),
        area_km2(shape),
        area_km2(shape) - area_km2(wet),
        inside,
        fields,
        tuple(_shores(areas, waters, inside)),
        names,
        np.array([anywhere(random, fields) for _ in names]),
    )


def _shores(areas: Any, waters: Waters, inside: Any) -> list[Shore]:
    lines = waters.lines[shapely.intersects(waters.lines["geometry"].to_numpy(), inside)]
    lines = lines[~lines["bank"]]
    parts = [(n, "河流", g) for n, g in zip(lines["name"], lines["geometry"], strict=True)]
    parts += [
        (n, "湖泊" if n.endswith(("湖", "荡")) else "河流", shapely.boundary(g))
        for n, g in zip(areas["name"], areas["geometry"], strict=True)
    ]
    found: dict[str, tuple[str, list[Any]]] = {}
    for name, kind, line in parts:
        cut = shapely.intersection(line, inside)
        if name and not shapely.is_empty(cut):
            found.setdefault(name, (kind, []))[1].append(cut)
    shores = [(name, kind, shapely.union_all(lines)) for name, (kind, lines) in sorted(found.items())]
    return [
        Shore(name, kind, line, float(shapely.length(line)) * M_PER_DEGREE) for name, kind, line in shores
    ]


def area_km2(shape: Any) -> float:
    """Area of a small geometry in degrees, good to a percent."""
    if shapely.is_empty(shape):
        return 0.0
    latitude = shapely.get_y(shapely.centroid(shape))
    square_m = float(shapely.area(shape)) * M_PER_DEGREE**2 * np.cos(np.radians(latitude))
    return float(square_m) / 1e6


def anywhere(random: Rng, shape: Any) -> tuple[float, float]:
    """A place in the shape, each as likely."""
    west, south, east, north = shapely.bounds(shape)
    shapely.prepare(shape)
    while True:
        lon, lat = random.uniform(west, east), random.uniform(south, north)
        if shapely.contains_xy(shape, lon, lat):
            return float(lon), float(lat)


def near(random: Rng, lon: float, lat: float, metres: float, inside: Any) -> tuple[float, float]:
    """A place about so many metres away, inside the shape; the place itself if there is none."""
    for _ in range(200):
        turn, far = random.uniform(0, 2 * np.pi), abs(random.normal(metres, metres / 3))
        x = lon + far * np.cos(turn) / (M_PER_DEGREE * np.cos(np.radians(lat)))
        y = lat + far * np.sin(turn) / M_PER_DEGREE
        if shapely.contains_xy(inside, x, y):
            return float(x), float(y)
    return lon, lat


def by_town(random: Rng, ground: Ground) -> tuple[float, float]:
    """A place in or around one of the county's towns."""
    lon, lat = ground.town_places[int(random.integers(len(ground.town_places)))]
    return near(random, float(lon), float(lat), abs(random.normal(0, TOWN_RADIUS_M)) + 50, ground.fields)


def on_shore(random: Rng, ground: Ground, shore: Shore) -> tuple[float, float]:
    """A place on the bank, up to some tens of metres off it as surveyed positions are."""
    lines = [line for line in shapely.get_parts(shore.line) if line.geom_type == "LineString"]
    lengths = shapely.length(lines)
    line = lines[int(random.choice(len(lines), p=lengths / lengths.sum()))]
    point = shapely.line_interpolate_point(line, random.uniform(0, shapely.length(line)))
    return near(random, float(point.x), float(point.y), 25.0, ground.inside)
