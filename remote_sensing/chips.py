"""Image patches for the person who decides: both dates cut alike, stretched alike, outlined, dated."""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from isal import isal_zlib
from PIL import Image, ImageDraw, ImageFont
from rasterio.windows import Window

from remote_sensing.scene import Scene

SIDE = 360
CAPTION = 22
OUTLINE = (255, 214, 10)
COMPOSITES = (("nir", "red", "green"), ("red", "green", "blue"))
Floats = npt.NDArray[np.float32]
Stretch = list[tuple[float, float]]
Read = Callable[[Sequence[str], Window], Mapping[str, Floats]]
"""Bands of a scene over a window, all at once."""


def bands_for(scene: Scene) -> tuple[str, ...]:
    """Near infrared, red, green: water dark, vigorous vegetation red."""
    return next(names for names in COMPOSITES if all(name in scene.bands for name in names))


def stretch_of(scene: Scene) -> Stretch:
    """Percentiles 2 and 98 of each band over the whole scene, from a small reading."""
    grid = scene.grid
    scale = max(1, max(grid.width, grid.height) // 700)
    shape = (max(1, grid.height // scale), max(1, grid.width // scale))
    found = []
    for values in scene.read_bands(bands_for(scene), Window(0, 0, grid.width, grid.height), shape).values():
        kept = values[np.isfinite(values)]
        lo, hi = np.percentile(kept, [2, 98]) if kept.size else (0.0, 1.0)
        found.append((float(lo), float(max(hi, lo + 1e-6))))
    return found


def same_bands(one: Scene, other: Scene) -> bool:
    """Whether both scenes have the bands that the newer one's picture shows."""
    return all(name in one.bands for name in bands_for(other))


def picture(scene: Scene, read: Read, window: Window, stretch: Stretch) -> npt.NDArray[np.uint8]:
    """An RGB picture of a window of the scene's grid, shape (rows, columns, 3)."""
    names = bands_for(scene)
    bands, planes = read(names, window), []
    for name, (lo, hi) in zip(names, stretch, strict=True):
        values = np.nan_to_num(bands[name], nan=lo)
        planes.append((np.clip((values - lo) / (hi - lo), 0, 1) * 255).astype(np.uint8))
    return np.dstack(planes)


def window_around(scene: Scene, geometry: shapely.Geometry) -> Window:
    """A square of pixels around a geometry of the scene's grid, with surroundings, inside the scene."""
    grid = scene.grid
    inverse = ~grid.transform
    west, south, east, north = geometry.bounds
    (c0, r0), (c1, r1) = inverse * (west, north), inverse * (east, south)
    side = int(min(max(abs(c1 - c0), abs(r1 - r0)) * 2.2 + 24, min(grid.width, grid.height)))
    col = int(np.clip((c0 + c1) / 2 - side / 2, 0, grid.width - side))
    row = int(np.clip((r0 + r1) / 2 - side / 2, 0, grid.height - side))
    return Window(col, row, side, side)


def save(
    path: Path,
    acquired_at: datetime | None,
    sensor: str,
    pixels: npt.NDArray[np.uint8],
    scene: Scene,
    window: Window,
    geometry: shapely.Geometry,
) -> None:
    """Write a patch as PNG: the pixels of a window of the scene's grid, the outline, date and sensor."""
    image = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(image)
    rings, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(geometry)), return_index=True)
    t, scale = ~scene.grid.transform, SIDE / window.width
    x, y = rings.T
    cols, rows = t.a * x + t.b * y + t.c - window.col_off, t.d * x + t.e * y + t.f - window.row_off
    points = np.stack([cols, rows], axis=1) * scale
    for line in np.split(points, np.flatnonzero(np.diff(ring)) + 1):
        draw.line(line.ravel().tolist(), OUTLINE, 2)
    when = acquired_at.date().isoformat() if acquired_at else "date unknown"
    framed = np.concatenate([np.asarray(image), _caption(f"{when}  {sensor}"[:60])])
    path.write_bytes(_png(framed))


@cache
def _caption(text: str) -> npt.NDArray[np.uint8]:
    strip = Image.new("RGB", (SIDE, CAPTION), (20, 24, 27))
    ImageDraw.Draw(strip).text((6, 3), text, (230, 230, 230), ImageFont.load_default(13))
    return np.asarray(strip)


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """An RGB picture as PNG (ISO/IEC 15948), each line told by what differs from the one above.

    A run writes thousands of them: Pillow tries five filters a line and takes eight times as long.
    """
    height, width, _ = pixels.shape
    flat = pixels.reshape(height, width * 3)
    lines = np.empty((height, 1 + width * 3), np.uint8)
    lines[:, 0], lines[0, 1:] = 2, flat[0]
    np.subtract(flat[1:], flat[:-1], out=lines[1:, 1:])
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", isal_zlib.compress(lines, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", isal_zlib.crc32(name + data))
        for name, data in parts
    )
