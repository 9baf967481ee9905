"""A small picture of where features lie, as paths of an SVG: no script, no tiles, no other host."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT, EDGE = 640.0, 320.0, 12.0
MOST_VERTICES = 20_000
Position = Sequence[float]


@dataclass(frozen=True, slots=True)
class Sketch:
    """Circles and paths on a canvas of WIDTH × HEIGHT, and the degrees that it shows."""

    circles: list[tuple[float, float]]
    paths: list[str]
    box: tuple[float, float, float, float]
    width: float = WIDTH
    height: float = HEIGHT


def sketch(geometries: Sequence[Mapping[str, Any]]) -> Sketch | None:
    """None if there is nothing to draw, or too much for a page."""
    parts = [part for geometry in geometries for part in _parts(geometry["coordinates"])]
    positions = [position for part in parts for position in part]
    if not positions or len(positions) > MOST_VERTICES:
        return None
    west, east = min(p[0] for p in positions), max(p[0] for p in positions)
    south, north = min(p[1] for p in positions), max(p[1] for p in positions)
    # A degree of longitude is shorter than one of latitude: draw both at the scale of the middle.
    squeeze = max(0.01, math.cos(math.radians((south + north) / 2)))
    span = max((east - west) * squeeze / (WIDTH - 2 * EDGE), (north - south) / (HEIGHT - 2 * EDGE), 1e-6)

    def place(position: Position) -> tuple[float, float]:
        x = WIDTH / 2 + (position[0] - (west + east) / 2) * squeeze / span
        y = HEIGHT / 2 - (position[1] - (south + north) / 2) / span
        return round(x, 1), round(y, 1)

    circles = [place(part[0]) for part in parts if len(part) == 1]
    paths = ["M" + "L".join(f"{x} {y}" for x, y in map(place, part)) for part in parts if len(part) > 1]
    return Sketch(circles, paths, (west, south, east, north))


def _parts(coordinates: Any) -> Iterator[list[Position]]:
    """Runs of positions: one a point, one a line or ring."""
    if not coordinates:
        return
    if isinstance(coordinates[0], int | float):
        yield [coordinates]
    elif isinstance(coordinates[0][0], int | float):
        yield coordinates
    else:
        for part in coordinates:
            yield from _parts(part)
