"""The report of a run: one page that needs nothing beside it."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import shapely
from jinja2 import Environment, FileSystemLoader
from PIL import Image, ImageDraw
from rasterio.windows import Window

from remote_sensing import chips
from remote_sensing.scene import Scene

if TYPE_CHECKING:
    from remote_sensing.judge import Candidate

NAME = "report.html"
WIDEST = 1000
LISTED = 200
COLOURS = {"water_body": (255, 214, 10), "irrigated_land": (255, 90, 220)}
KINDS = {"water_body": "水体 water", "irrigated_land": "灌溉植被 vegetation"}
CATEGORIES = {
    "no_intake": "周边无登记取水口 no intake",
    "no_valid_permit": "有口无有效许可 no valid permit",
    "permit_too_small": "许可水量明显偏小 permit too small",
    "new_since_last_date": "上期影像以来新增 new since the last date",
}


def write(
    out: Path, scene: Scene, previous: Scene | None, candidates: Sequence["Candidate"], facts: dict[str, Any]
) -> str:
    """Write the report to `out`; returns its file name."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
    )
    page = environment.get_template("report.html").render(
        scene=scene,
        previous=previous,
        candidates=candidates[:LISTED],
        facts=facts,
        picture=base64.b64encode(overview(scene, candidates)).decode(),
        kinds=KINDS,
        categories=CATEGORIES,
    )
    (out / NAME).write_text(page, "utf-8")
    return NAME


def overview(scene: Scene, candidates: Sequence["Candidate"]) -> bytes:
    """A small picture of the scene with the candidates outlined, PNG."""
    grid = scene.grid
    scale = min(1.0, WIDEST / max(grid.width, grid.height))
    shape = (max(1, round(grid.height * scale)), max(1, round(grid.width * scale)))
    stretch = chips.stretch_of(scene)
    whole = Window(0, 0, grid.width, grid.height)
    pixels = chips.picture(
        scene, lambda names, window: scene.read_bands(names, window, shape), whole, stretch
    )
    image = Image.fromarray(pixels)
    zoom = max(1, WIDEST // max(image.size))
    if zoom > 1:
        image = image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(image)
    here = gpd.GeoSeries([c.geometry for c in candidates], crs="EPSG:4326").to_crs(grid.crs)
    t, k = ~grid.transform, scale * zoom
    for candidate, shape_here in zip(candidates, here, strict=True):
        for outer in shapely.get_exterior_ring(shapely.get_parts(shape_here)):
            x, y = shapely.get_coordinates(outer).T
            points = np.stack([t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f], axis=1) * k
            draw.line(points.ravel().tolist(), COLOURS[candidate.kind], 2)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
